"""The paper's tables 1, 3, 5 and 6 cell by cell: what it says, what others got, what came out here.

Everything is read from records when the page is made. Of each cell the largest preset on record
counts, and there every seed; among those the ones of today's code, where there are any. A record
that cannot be read is named and left out, one of another code version is shown and marked, and a
failed run counts as a seed that did not recover the law.
"""

import math
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from symlib.choices import LAWS, RANK
from symlib.papers.cranmer2020.data import CUTOFF, PEER, TABLE_1, TABLE_3, TABLE_5, TABLE_6
from symlib.papers.cranmer2020.study.cells import cell_of
from symlib.papers.cranmer2020.study.halo_rows import stages_of
from symlib.records.reading import RESULTS, read_records
from symlib.records.stages import first_behind
from symlib.records.study import FRESH, STALE, UNVERSIONED

BETTER, EQUAL, WORSE, FAILED, MISSING = "better", "equal", "worse", "failed", "not yet run"
# Of the standard model's messages: the paper's point is that nothing makes them sparse, so being
# closer to forces, or farther, is neither a success nor a failure.
NEITHER = "neither"
MARKS = (BETTER, EQUAL, WORSE, NEITHER, FAILED, MISSING)
STANDARD = "standard"
# Table 6 and the cutoff experiment: the error on halos that were not fitted.
FORMULAS = {
    **TABLE_6,
    "with_mass_cutoff": CUTOFF["with_mass_cutoff"][1],
    "network_cutoff": CUTOFF["network"][1],
}


@dataclass(frozen=True)
class Run:
    """A record of a cell, with the file it came from and whether it is of today's code."""

    record: dict
    name: str
    standing: str

    @property
    def failed(self) -> bool:
        """Whether the record holds a reason in place of results."""
        return "failed" in self.record

    @property
    def place(self) -> tuple[str, int, str]:
        """Law, dimension and model."""
        return self.record["law"], self.record["dim"], self.record["model"]


@dataclass(frozen=True)
class Entry:
    """One cell of a table.

    Args:
        table: "1", "3", "5" or "6".
        row: law and dimension, or the name of a formula.
        model: the column; empty in table 6.
        paper: the paper's value; for table 5 whether the law was recovered.
        values: one per seed that has one: R² over the kept 90% (table 1), loss (3), 1.0 for a
            law recovered and 0.0 for one not (5), error on halos not fitted (6).
        mark: better, equal, worse, neither, failed or not yet run, against the paper.
        peer: another reproduction's R², the better of force and acceleration (table 1).
        plain: R² over all points, one per seed, which is how the peer fits (table 1).
        peer_mark: `plain` against `peer`.
        trivial: mean loss of the trivial predictor (table 3).
        runs: the records that count, failed ones too.
    """

    table: str
    row: "tuple[str, int] | str"
    model: str
    paper: float | bool
    values: tuple[float, ...]
    mark: str
    peer: float | None = None
    plain: tuple[float, ...] = ()
    peer_mark: str = MISSING
    trivial: float | None = None
    runs: tuple[Run, ...] = ()

    @property
    def mean(self) -> float | None:
        """Over seeds; None where there is none."""
        return float(np.mean(self.values)) if self.values else None

    @property
    def spread(self) -> float:
        """Standard deviation over seeds (n - 1 below the root); 0 for a single one."""
        return spread(self.values)

    @property
    def preset(self) -> str | None:
        """The preset of the records that count."""
        return self.runs[0].record["preset"] if self.runs else None

    @property
    def old(self) -> bool:
        """Whether records of another or an unknown code version are among them."""
        return any(run.standing != FRESH for run in self.runs)


@dataclass(frozen=True)
class Board:
    """All cells of all tables.

    Args:
        entries: in the order of the paper's tables.
        runs: every record of a cell that could be read, counted or not.
        problems: a line for each record that could not be.
    """

    entries: list[Entry]
    runs: list[Run] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def table(self, name: str) -> list[Entry]:
        """The cells of one table."""
        return [entry for entry in self.entries if entry.table == name]

    def count(self, table: str, mark: str, model: str | None = None) -> int:
        """How many cells of a table, or of one of its columns, have a mark."""
        return sum(
            entry.mark == mark and model in (None, entry.model) for entry in self.table(table)
        )


def read_board(folder: Path | None = None) -> Board:
    """Read all records and judge every cell.

    Args:
        folder: with cells/, discover/ and cosmology/ in it; book/results when None.
    """
    folder = folder or RESULTS
    runs, problems = read_runs(folder)
    chosen = choose(runs)
    entries = [
        make(row, model, paper, chosen.get((*row, model), []))
        for table, make in ((TABLE_1, _messages), (TABLE_3, _loss), (TABLE_5, _law))
        for row, cells in table.items()
        for model, paper in cells.items()
    ]
    formulas, more = read_records(folder, "cosmology/*.json", "cosmology")
    halos = [Run(one, name, _formula_standing(one)) for name, one in formulas.items()]
    entries += [_formula(name, paper, halos) for name, paper in FORMULAS.items()]
    return Board(entries, runs, problems + more)


def read_runs(folder: Path) -> tuple[list[Run], list[str]]:
    """Every readable record of a cell or of `symlib discover`, one per seed and preset.

    Returns:
        The runs, and a line for each record that is damaged, foreign or in the wrong place.
    """
    cells, problems = read_records(folder, "cells/*/*.json", "discovery")
    found: dict[tuple, Run] = {}
    discoveries, more = read_records(folder, "discover/*.json", "discovery")
    failed = {name: record for name, record in cells.items() if "failed" in record}
    done = {name: record for name, record in cells.items() if "failed" not in record}
    # The later of two replaces the earlier: a finished cell before all others.
    for name, record in chain(failed.items(), discoveries.items(), done.items()):
        place = cell_of(record).path("cells").as_posix()
        if name in cells and place != name:
            problems.append(f"record {name}: it belongs to {place}")
        elif record.get("bodies", 4) == 4:
            run = Run(record, name, _standing(record))
            found[*run.place, record["preset"], record["seed"]] = run
    return list(found.values()), problems + more


def _standing(record: dict) -> str:
    # Of a law of one's own the record may not say which file is loaded and run here.
    return cell_of(record).standing(record) if record["law"] in LAWS else UNVERSIONED


def _formula_standing(record: dict) -> str:
    """Of the stages alone: the catalogue that went in is not read for a page."""
    if not isinstance(record.get("made_by"), dict):
        return UNVERSIONED
    return STALE if first_behind(record["made_by"], stages_of(record["formula"])) else FRESH


def choose(runs: list[Run]) -> dict[tuple[str, int, str], list[Run]]:
    """By law, dimension and model the runs that count."""
    chosen: dict[tuple, list[Run]] = {}
    for run in runs:
        chosen.setdefault(run.place, []).append(run)
    for place, group in chosen.items():
        # A preset at which all failed does not hide a smaller one's results.
        done = [run for run in group if not run.failed] or group
        best = max(RANK.index(run.record["preset"]) for run in done)
        group = [run for run in group if run.record["preset"] == RANK[best]]
        fresh = [run for run in group if run.standing == FRESH]
        group = fresh if any(not run.failed for run in fresh) else group
        chosen[place] = sorted(group, key=lambda run: run.record["seed"])
    return chosen


def spread(values: tuple[float, ...]) -> float:
    """Standard deviation over seeds; 0 for fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def judge(
    values: tuple[float, ...], theirs: float, *, half_digit: float, higher: bool, runs: int = 0
) -> str:
    """Better, equal within the spread, or worse than a published value.

    Args:
        values: ours, one per seed; theirs: the published one.
        half_digit: half a unit of its last digit, which it may have been rounded by.
        higher: whether more is better.
        runs: records there are, failed ones included.
    """
    if not values:
        return FAILED if runs else MISSING
    difference = float(np.mean(values)) - theirs
    if abs(difference) <= spread(values) + half_digit * (1 + 1e-9):
        return EQUAL
    return BETTER if (difference > 0) == higher else WORSE


def half_digit(value: float, digits: int) -> float:
    """Half a unit of the last of a number's significant digits."""
    return 0.5 * 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)


def _messages(row, model: str, paper: float, runs: list[Run]) -> Entry:
    values, plain = _fits(runs, "kept90"), _fits(runs, "all")
    peer = max(PEER[row][model])
    rounded = {"half_digit": 0.0005, "higher": True, "runs": len(runs)}
    mark, peer_mark = judge(values, paper, **rounded), judge(plain, peer, **rounded)
    return Entry(
        "1", row, model, paper, values, _without_goal(mark, model),
        peer=peer, plain=plain, peer_mark=_without_goal(peer_mark, model), runs=tuple(runs),
    )  # fmt: skip


def _loss(row, model: str, paper: float, runs: list[Run]) -> Entry:
    values = _numbers(runs, "test_loss")
    trivial = _numbers(runs, "trivial_loss")
    mark = judge(
        values, paper, half_digit=half_digit(paper, 2), higher=False, runs=len(runs)
    )  # fmt: skip
    mean = float(np.mean(trivial)) if trivial else None
    return Entry("3", row, model, paper, values, mark, trivial=mean, runs=tuple(runs))


def _law(row, model: str, paper: bool, runs: list[Run]) -> Entry:
    # A run that broke down has not recovered the law.
    values = tuple(float(run.record.get("recovered", False)) for run in runs)
    if all(run.failed for run in runs):
        mark = FAILED if runs else MISSING
    else:
        ours = sum(values) > len(values) / 2
        mark = _without_goal(EQUAL if ours == paper else BETTER if ours else WORSE, model)
    return Entry("5", row, model, paper, values, mark, runs=tuple(runs))


def _without_goal(mark: str, model: str) -> str:
    return NEITHER if model == STANDARD and mark in (BETTER, EQUAL, WORSE) else mark


def _formula(name: str, paper: float, runs: list[Run]) -> Entry:
    runs = [run for run in runs if run.record["formula"] == name]
    best = max((RANK.index(run.record["preset"]) for run in runs), default=0)
    runs = [run for run in runs if RANK.index(run.record["preset"]) == best]
    values = _numbers(runs, "error_test")
    mark = judge(
        values, paper, half_digit=half_digit(paper, 3), higher=False, runs=len(runs)
    )  # fmt: skip
    return Entry("6", name, "", paper, values, mark, runs=tuple(runs))


def _fits(runs: list[Run], which: str) -> tuple[float, ...]:
    """R² of the better of force and acceleration, for each run that has one."""
    found = []
    for run in runs:
        fits = [fit.get(which) for fit in run.record.get("r2", {}).values()]
        fits = [fit for fit in fits if fit is not None]
        found += [max(fits)] if fits else []
    return tuple(found)


def _numbers(runs: list[Run], name: str) -> tuple[float, ...]:
    found = (run.record.get(name) for run in runs)
    return tuple(value for value in found if value is not None)
