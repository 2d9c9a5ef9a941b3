"""Records as data frames: a row a run, and which of them count.

Of each cell and recipe the largest preset on record counts, and there every seed; among those the
ones of today's code, where there are any. A record that cannot be read is named and left out, one
of another version of a stage is shown and marked, and a failed run is a seed without results.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd

from symlib.book.markdown import EMPTY, code, digits, table, yes_or_no
from symlib.choices import LAWS, RANK
from symlib.papers.cranmer2020.data import MODEL_NAMES, cell_name
from symlib.papers.cranmer2020.study.cells import BODIES, Cell, cell_of
from symlib.papers.cranmer2020.study.halo_rows import HaloRow, stages_of
from symlib.records.reading import RESULTS, read_records
from symlib.records.stages import first_behind
from symlib.records.study import FRESH, STALE, UNVERSIONED, Study

OLD = "†"
CELL = ["law", "dim", "model"]
WALK = [*CELL, "recipe"]  # a cell by one recipe
# What a row holds of its record as it is; the numbers among it are NaN where a record lacks them.
NUMBERS = ("test_loss", "trivial_loss", "message_cost", "error_test")
SAID = (*WALK, "seed", "preset", "formula", "trial", "steps", "recovered", "equation", *NUMBERS)
BEST = ("quantity", "r2", "r2_all")
COLUMNS = ("file", "standing", "failed", "record", *SAID, *BEST)


def frame(records: Mapping[str, dict], kind: type[Study] | None = None) -> pd.DataFrame:
    """A row a record, its columns `COLUMNS`.

    Args:
        records: by their files.
        kind: what they are of; None of what was just made.
    """
    rows = [
        {
            **{name: record.get(name) for name in SAID},
            **dict(zip(BEST, best_fit(record), strict=True)),
            "file": name,
            "standing": _standing(kind, record),
            "failed": "failed" in record,
            "record": record,
        }
        for name, record in records.items()
    ]
    kinds = dict.fromkeys((*NUMBERS, "r2", "r2_all"), float)
    return pd.DataFrame(rows, columns=COLUMNS).astype({**kinds, "failed": bool})


def best_fit(record: dict) -> tuple[str | None, float | None, float | None]:
    """The better of force and acceleration, its R² over the kept 90%, and the best over all."""
    # A FlatHGN's velocities come from its self energy, which is not what a row is about.
    fits = {what: fit for what, fit in record.get("r2", {}).items() if what != "velocity"}
    kept, every = (
        {what: fit[which] for what, fit in fits.items() if fit.get(which) is not None}
        for which in ("kept90", "all")
    )
    best = max(kept, key=kept.get, default=None)
    return best, kept.get(best), max(every.values(), default=None)


def _standing(kind: type[Study] | None, record: dict) -> str:
    """Whether a record is as it would be made now."""
    if kind is HaloRow:
        # Of the stages alone: the catalogue that went in is not read for a page.
        if not isinstance(record.get("made_by"), dict):
            return UNVERSIONED
        return STALE if first_behind(record["made_by"], stages_of(record["formula"])) else FRESH
    # Of a law of one's own the record may not say which file is loaded and run here.
    if kind is not None and record.get("law") not in LAWS:
        return UNVERSIONED
    given = {field.name: record[field.name] for field in fields(kind)} if kind else {}
    return kind(**given).standing(record) if kind else FRESH


def read_runs(folder: Path | None = None) -> tuple[pd.DataFrame, list[str]]:
    """Every cell and every run of `symlib discover` of four bodies, one per preset, recipe, seed.

    Args:
        folder: with cells/ and discover/ in it; book/results when None.

    Returns:
        The runs, with `discovered` for those that `symlib discover` was asked for; and a line for
        each record that is damaged, foreign or in the wrong place.
    """
    folder = folder or RESULTS
    cells, problems = read_records(folder, "cells/*/*/*.json", "discovery")
    others, more = read_records(folder, "discover/*.json", "discovery")
    both, found = {**cells, **others}, {}
    # The later of two replaces the earlier: a finished cell before all others.
    for name in sorted(both, key=lambda one: one in others or 2 * ("failed" not in both[one])):
        cell = cell_of(both[name])
        place = cell.path("cells").as_posix()
        if name in cells and place != name:
            problems.append(f"record {name}: it belongs to {place}")
        elif both[name].get("bodies", BODIES) == BODIES:
            found[cell] = name
    runs = frame({name: both[name] for name in found.values()}, Cell)
    asked = {cell_of(record) for record in others.values()}
    return runs.assign(discovered=[cell in asked for cell in found]), problems + more


def counting(runs: pd.DataFrame, by: Sequence[str] = WALK) -> pd.DataFrame:
    """The runs that count of each cell and recipe, or of what else tells groups apart, by seed."""
    kept = [runs.iloc[:0]]
    for _, group in runs.groupby(list(by)):
        # A preset at which all failed does not hide a smaller one's results.
        done = group if group.failed.all() else group[~group.failed]
        group = group[group.preset == max(done.preset, key=RANK.index)]
        fresh = group[group.standing == FRESH]
        kept.append(group if fresh.failed.all() else fresh)
    return pd.concat(kept).sort_values([*by, "seed"])


def of_cell(
    runs: pd.DataFrame, law: str, dim: int, model: str, recipe: str | None = None
) -> pd.DataFrame:
    """Those of one cell, by one recipe or by any."""
    of = (runs.law == law) & (runs.dim == dim) & (runs.model == model)
    return runs[of & (runs.recipe == recipe)] if recipe else runs[of]


def fit(run) -> str:
    """R² of a row over the kept 90%, and of what."""
    return EMPTY if np.isnan(run.r2) else f"{run.r2:.4f} ({run.quantity})"


def dagger(*standings: str) -> str:
    """A mark where another, or an unknown, version of a stage is among them."""
    return f"\u00a0{OLD}" if {*standings} - {FRESH} else ""


def runs_table(runs: pd.DataFrame) -> str:
    """What every run selected, one row each."""
    rows = []
    for run in runs.itertuples():
        said = ["the run failed", "no", EMPTY, EMPTY]
        if not run.failed:
            loss = f"{digits(run.test_loss, 3)} ({digits(run.trivial_loss, 3)})"
            said = [code(run.equation), yes_or_no(run.recovered), fit(run), loss]
        who = f"{cell_name(run.law, run.dim)}, {MODEL_NAMES[run.model]}, seed {run.seed}"
        how = f"{run.preset}, {run.recipe}" + dagger(run.standing)
        rows.append([who, *said, how])
    heads = ["run", "equation", "the law?", "R², kept 90%", "loss (trivial)", "preset, recipe"]
    return table(heads, rows) if rows else "*No run is on record yet.*"


def notes(runs: pd.DataFrame, problems: list[str]) -> str:
    """Every record that is old, failed or unreadable, by its file."""
    old = {
        STALE: f"of an earlier version of a stage, marked {OLD}",
        UNVERSIONED: f"that do not say what made them, marked {OLD}",
    }
    why = runs.standing.map(old).mask(runs.failed, "of runs that failed")
    named = [
        f"`{run.file}`" + f": {run.record.get('failed')}" * run.failed for run in runs.itertuples()
    ]
    groups = dict(list(pd.Series(named, why.index, str).groupby(why)))
    groups["that could not be read and are left out"] = problems
    parts = [
        f"{len(runs)} records were read; {runs.failed.sum()} of them are of runs that failed. "
        f"{len(problems)} more could not be read."
    ]
    for what, lines in groups.items():
        if len(lines):
            parts += [f"Records {what}:", "\n".join(f"- {line}" for line in lines)]
    return "\n\n".join(parts)
