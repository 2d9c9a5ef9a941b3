"""The damped law of the authors' public code beside that of equation 6: a table of losses."""

from pathlib import Path

import pandas as pd

from symlib.book.markdown import EMPTY, digits, measured, table
from symlib.choices import DIMENSIONS, FLATHGN
from symlib.papers.cranmer2020.data import MODEL_NAMES, TABLE_3, cell_name
from symlib.papers.cranmer2020.pages.runs import counting, dagger, of_cell
from symlib.papers.cranmer2020.study.damped_drag import DampedDrag
from symlib.records.reading import RESULTS, read_records

LAW = "damped"
# Those that can add a drag to what they hear, that cannot, and whose messages are noisy.
MODELS = (("standard", "bottleneck", "l1"), (FLATHGN,), ("kl",))
PREDICTORS = {
    "none": "no drag at all",
    "one": "one drag for all bodies",
    "own": "a drag by a body's mass and speed",
}


def damped(runs: pd.DataFrame, folder: Path | None = None) -> str:
    """Losses on the damped law: the paper's, what is possible by its code, and ours by equation 6.

    Args:
        runs: of `read_runs`.
        folder: with damped_drag/ in it; book/results when None. Of each dimension the record of the
            most systems is shown.
    """
    found, problems = read_records(folder or RESULTS, "damped_drag/*.json", "damped_drag")
    done = [record for record in found.values() if "failed" not in record]
    by_dim = {one["dim"]: one for one in sorted(done, key=lambda one: one["systems"])}
    counted = counting(runs)
    cells = {
        (dim, model): of_cell(counted, LAW, dim, model)
        for dim in DIMENSIONS
        for model in MODEL_NAMES
    }

    def paper(dim: int, models) -> str:
        return ", ".join(digits(TABLE_3[LAW, dim][model], 2) for model in models)

    def ours(dim: int, models) -> str:
        groups = [cells[dim, model] for model in models]
        losses = ", ".join(measured(group.test_loss.dropna()) for group in groups)
        return losses + dagger(*pd.concat(groups).standing)

    def possible(dim: int, way: str) -> str:
        if dim not in by_dim:
            return EMPTY
        record = by_dim[dim]
        study = DampedDrag(dim, record["systems"], record["seed"])
        said = record["predictors"][way]
        mark = dagger(study.standing(record))
        return f"{said['loss']:.2f} ± {said['standard_error']:.2f}{mark}"

    def row(name: str, cell, *about) -> list[str]:
        return [name, *(cell(dim, *about) for dim in DIMENSIONS)]

    names = [", ".join(MODEL_NAMES[model] for model in models) for models in MODELS]
    rows = [row(f"the paper, {n}", paper, m) for n, m in zip(names, MODELS, strict=True)]
    rows += [row(f"drag by number, {name}", possible, way) for way, name in PREDICTORS.items()]
    rows.append(
        row(
            "drag by number, the median always",
            lambda dim: digits(by_dim[dim]["trivial_loss"], 2) if dim in by_dim else EMPTY,
        )
    )
    rows += [row(f"here, by equation 6, {n}", ours, m) for n, m in zip(names, MODELS, strict=True)]
    rows.append(
        row(
            "here, by equation 6, the median always",
            lambda dim: measured(
                pd.concat([cells[dim, model] for model in MODEL_NAMES])
                .trivial_loss.dropna()
                .unique()
            ),
        )
    )
    text = table(["loss of", *(cell_name(LAW, dim) for dim in DIMENSIONS)], rows)
    return "\n\n".join([text, *(f"*Left out: {problem}.*" for problem in problems)])
