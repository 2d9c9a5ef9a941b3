"""Records of cells for tests, as today's code would have made them."""

from symlib.papers.cranmer2020.study.cells import Cell
from symlib.records.record import write_record

FRONT = [
    {"complexity": 1, "loss": 1.0, "score": 0.0, "equation": "0.1"},
    {"complexity": 7, "loss": 0.5, "score": 0.12, "equation": "0.123456*m2*dx/r**2"},
    {"complexity": 12, "loss": 0.4, "score": 0.04, "equation": "IF(r > 2.0, dx, 0.0) + 0.3"},
]


def put(
    folder,
    law="spring",
    dim=2,
    model="l1",
    seed=0,
    preset="laptop",
    r2=0.9,
    recipe="fast",
    **changes,
):
    """A record of a cell, or of one that failed; returns its file."""
    cell = Cell(law, dim, model, seed, preset, recipe)
    record = {
        "kind": "discovery", "law": law, "dim": dim, "bodies": 4, "model": model, "seed": seed,
        "preset": preset, "recipe": recipe, "engine": "operon",
        "test_loss": 0.2, "trivial_loss": 8.0,
        "r2": {
            "force": {"all": r2 / 4, "kept90": r2 / 2},
            "acceleration": {"all": r2 - 0.1, "kept90": r2},
        },
        "recovered": True, "equation": FRONT[1]["equation"], "complexity": 7, "mae": 0.5,
        "front": FRONT, "seconds": 1.0, **cell.facts(), **changes,
    }  # fmt: skip
    if "failed" in changes:
        record = {key: record[key] for key in record if key not in ("r2", "recovered", "equation")}
    return write_record(cell.path(folder / "cells"), record)


def row(text: str, *cells: str) -> list[str]:
    """The cells of the first line of a table that begins with these."""
    begin = "".join(f"| {cell} " for cell in cells) + "|"
    line = next(line for line in text.splitlines() if line.startswith(begin))
    return [part.strip() for part in line.strip("|").split("|")]
