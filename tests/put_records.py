"""Records for tests, as today's code would have made them."""

from symlib.papers.cranmer2020.study.cells import Cell
from symlib.papers.cranmer2020.study.eight_bodies import EightBodies
from symlib.papers.cranmer2020.study.raw_regression import WAYS, RawExperiment, raw_names
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


def put_raw(folder, preset="laptop", **changes):
    """A record of `symlib raw`; returns its file."""
    made = RawExperiment(preset=preset)
    poor = {"mae": 2.0, "median_error": 1.0, "r2": -0.00001, "r2_kept90": 0.1}
    good = {"mae": 0.5, "median_error": 0.05, "r2": 0.9, "r2_kept90": 0.9996}
    message = {"equation": "m2*dx/r**3", "complexity": 9, "recovered": True, "seconds": 30.0}
    raw = {"equation": "0.5*x1", "complexity": 3, "seconds": 61.4, "names": raw_names(6, 2)}
    ways = {way: good if way in ("equations", "network") else poor for way in WAYS}
    record = {
        "kind": "raw regression", **made.about(), "target": "acceleration of body 2 along x",
        "goodness": ways, "raw": {**raw, "front": FRONT}, "factorised": {"messages": [message]},
        "sample": {key: [-3.0, 1.0, 2.5] for key in ("truth", *WAYS[1:])},
        **made.facts(), **changes,
    }  # fmt: skip
    return write_record(made.path(folder), record)


def put_eight(folder, preset="laptop", law="spring", recipe="fast", **changes):
    """A record of `symlib eight` with L1 messages; returns its file."""
    made, fit = EightBodies("l1", preset, law=law, recipe=recipe), {"all": 0.9, "kept90": 0.987}
    part = {"r2": fit, "coefficients": [0.5, -0.25, 0.0]}
    part |= {"message": [0.1, 0.2, 0.4], "combination": [0.1, 0.25, 0.35]}
    record = {
        "kind": "eight bodies", **made.about(), "dim": 2, "bodies": 8,
        "test_loss": 0.4, "trivial_loss": 8.0, "quantity": "force", "components": [part, part],
        "r2": {"force": fit, "acceleration": {"all": 0.1, "kept90": 0.2}},
        "spectrum": [0.5, 0.4, 0.001], **made.facts(), **changes,
    }  # fmt: skip
    return write_record(made.path(folder), record)


def row(text: str, *cells: str) -> list[str]:
    """The cells of the first line of a table that begins with these."""
    begin = "".join(f"| {cell} " for cell in cells) + "|"
    line = next(line for line in text.splitlines() if line.startswith(begin))
    return [part.strip() for part in line.strip("|").split("|")]
