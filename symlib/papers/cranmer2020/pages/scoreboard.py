"""The scoreboard: the paper's tables 1, 3, 5 and 6 cell by cell.

What the paper says, what others got, what came out here, and whether that is better, equal or
worse. Everything is read from records when the page is made; `runs` says which of them count. In
table 5 a run that broke down is one that did not recover the law.
"""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from symlib.book.figures import BLUE, GREY, ORANGE, SKY, grid, styled
from symlib.book.markdown import EMPTY, digits, measured, spread, table, yes_or_no
from symlib.choices import MODELS
from symlib.papers.cranmer2020 import data
from symlib.papers.cranmer2020.data import MODEL_NAMES, cell_name
from symlib.papers.cranmer2020.pages.runs import counting, dagger, frame, of_cell, read_runs
from symlib.papers.cranmer2020.study.cells import SEEDS
from symlib.papers.cranmer2020.study.halo_rows import HaloRow
from symlib.papers.cranmer2020.study.table6 import LABELS, PAPER_ERRORS
from symlib.records.reading import RESULTS, read_records

BETTER, EQUAL, WORSE, FAILED, MISSING = "better", "equal", "worse", "failed", "not yet run"
# Of the standard model's messages: the paper's point is that nothing makes them sparse, so being
# closer to forces, or farther, is neither a success nor a failure.
NEITHER = "neither"
MARKS = (BETTER, EQUAL, WORSE, NEITHER, FAILED, MISSING)
# Of each mark a sign and a colour.
SIGNS = dict(zip(MARKS, "▲●▼○✗·", strict=True))
COLOURS = dict(zip(MARKS, (BLUE, SKY, ORANGE, "#E6E6E6", GREY, "#FFFFFF"), strict=True))
_HEADS = [f"{SIGNS[mark]} {mark}" for mark in MARKS]
TITLES = {
    "1": "Table 1: messages and forces",
    "peer": "Table 1 against another reproduction",
    "3": "Table 3: losses",
    "5": "Table 5: laws recovered",
    "6": "Table 6: overdensity",
}
# Of table 6 and the cutoff experiment the error on halos that were not fitted.
FORMULAS = {name: errors[1] for name, errors in PAPER_ERRORS.items()}


@dataclass(frozen=True)
class Entry:
    """One cell of a table.

    Args:
        table: "1", "3", "5" or "6", or "peer" for table 1 against another reproduction.
        row: law and dimension, or the name of a formula.
        model: the column; empty in table 6.
        paper: the published value; for table 5 whether the law was recovered.
        values: one per seed that has one: R² over the kept 90% (table 1) or over all points, which
            is how the peer fits, loss (3), 1.0 for a law recovered and 0.0 for one not (5), error
            on halos not fitted (6).
        mark: better, equal, worse, neither, failed or not yet run, against the published value.
        runs: the records that count, failed ones too.
    """

    table: str
    row: "tuple[str, int] | str"
    model: str
    paper: float | bool
    values: tuple[float, ...]
    mark: str
    runs: pd.DataFrame

    @property
    def mean(self) -> float:
        """Over seeds; NaN where there is none."""
        return float(np.mean(self.values)) if self.values else math.nan


@dataclass(frozen=True)
class Board:
    """All cells of all tables in the paper's order, every record of a cell, and those left out."""

    entries: list[Entry]
    runs: pd.DataFrame
    problems: list[str]

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
    runs, problems = read_runs(folder)
    counted = counting(runs)
    # The better of force and acceleration.
    peer = {row: {m: max(fits) for m, fits in cells.items()} for row, cells in data.PEER.items()}
    published = {"1": data.TABLE_1, "peer": peer, "3": data.TABLE_3, "5": data.TABLE_5}
    entries = [
        _entry(table, row, model, paper, of_cell(counted, *row, model))
        for table, rows in published.items()
        for row, cells in rows.items()
        for model, paper in cells.items()
    ]
    found, more = read_records(folder or RESULTS, "cosmology/*.json", "cosmology")
    halos = counting(frame(found, HaloRow), ["formula"])
    entries += [
        _entry("6", name, "", paper, halos[halos.formula == name])
        for name, paper in FORMULAS.items()
    ]
    return Board(entries, runs, problems + more)


def judge(values: tuple[float, ...], theirs: float, *, half_digit: float, higher: bool) -> str:
    """Better, equal within the spread, or worse than a published value.

    Args:
        values: ours, one per seed; theirs: the published one.
        half_digit: half a unit of its last digit, which it may have been rounded by.
        higher: whether more is better.
    """
    difference = float(np.mean(values)) - theirs
    if abs(difference) <= spread(values) + half_digit * (1 + 1e-9):
        return EQUAL
    return BETTER if (difference > 0) == higher else WORSE


def half_digit(value: float, digits: int) -> float:
    """Half a unit of the last of a number's significant digits."""
    return 0.5 * 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)


def _entry(table: str, row, model: str, paper: float | bool, runs: pd.DataFrame) -> Entry:
    columns = {"1": "r2", "peer": "r2_all", "3": "test_loss", "6": "error_test"}
    if table == "5":
        values = tuple(runs.recovered.eq(True).astype(float))
        judged = () if runs.failed.all() else (float(np.mean(values) > 0.5),)
    else:
        values = judged = tuple(runs[columns[table]].dropna())
    rounded = half_digit(paper, 2 if table == "3" else 3) if table in ("3", "6") else 0.0005
    if not judged:
        mark = FAILED if len(runs) else MISSING
    elif model == "standard" and table != "3":
        mark = NEITHER
    else:
        mark = judge(judged, float(paper), half_digit=rounded, higher=table not in ("3", "6"))
    return Entry(table, row, model, paper, values, mark, runs)


def totals(board: Board) -> str:
    """How many cells of each table have each of the marks."""
    rows = []
    for name, title in TITLES.items():
        rows.append([title, len(board.table(name)), *(board.count(name, one) for one in MARKS)])
    return table(["", "cells", *_HEADS], rows)


def by_model(board: Board, name: str) -> str:
    """The totals of one table, column by column."""
    models = dict.fromkeys(entry.model for entry in board.table(name))
    counts = [[MODEL_NAMES[m], *(board.count(name, mark, m) for mark in MARKS)] for m in models]
    return table(["", *_HEADS], counts)


def cells(board: Board, name: str) -> str:
    """Every cell of one table beside the paper's.

    R² also beside the peer's, a loss as a share of the trivial predictor's, a law by the share of
    the seeds that recovered it, and of table 6 the error on halos that were not fitted.
    """
    rows, peers = [], iter(board.table("peer"))
    paper = {"1": "{:.3f}".format, "5": yes_or_no, "3": partial(digits, count=2)}
    for entry in board.table(name):
        row = {"formula": LABELS.get(entry.row)}
        if entry.model:
            row = {"cell": cell_name(*entry.row), "model": MODEL_NAMES[entry.model]}
        row["paper"] = paper.get(name, partial(digits, count=3))(entry.paper)
        if name == "5":
            share = f"{sum(entry.values):.0f} of {len(entry.values)}"
            row["ours: seeds that recover it"] = share if entry.values else EMPTY
        elif name == "1":
            row["ours, kept 90%"] = measured(entry.values, 3)
        else:
            row["ours"] = measured(entry.values)
        row[""] = SIGNS[entry.mark]
        if name == "1":
            peer = next(peers)
            row |= {"peer": f"{peer.paper:.3f}", "ours, all points": measured(peer.values, 3)}
            row[" "] = SIGNS[peer.mark]
        if name == "3":
            trivial = entry.runs.trivial_loss.mean()
            row["trivial"] = digits(trivial, 3)
            row["ours / trivial"] = digits(entry.mean / trivial, 2)
        runs, failed = entry.runs, entry.runs.failed.sum()
        seeds = f"{len(runs) - failed}" + f" + {failed} failed" * bool(failed)
        row["seeds"] = seeds if len(runs) else EMPTY
        row["preset"] = runs.preset.iloc[0] + dagger(*runs.standing) if len(runs) else EMPTY
        rows.append(row)
    return table(rows[0], [row.values() for row in rows])


@styled
def squares(board: Board) -> tuple[Figure, str]:
    """Tables 1, 3 and 5 as squares, coloured by whether we agree with the paper."""
    figure, panels = grid(1, 3, 9.0, 4.8, width_ratios=(4, 5, 4))
    told = []
    for panel, name in zip(panels, ("1", "3", "5"), strict=True):
        entries = board.table(name)
        rows = list(dict.fromkeys(entry.row for entry in entries))
        models = list(dict.fromkeys(entry.model for entry in entries))
        for entry in entries:
            x, y = models.index(entry.model), rows.index(entry.row)
            square = {"facecolor": COLOURS[entry.mark], "edgecolor": GREY, "lw": 0.5}
            panel.add_patch(mpl.patches.Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, **square))
            # A sign in each, so that nothing hangs on colour.
            panel.text(x, y, SIGNS[entry.mark], ha="center", va="center", fontsize=8)
        panel.set(xlim=(-0.5, len(models) - 0.5), ylim=(len(rows) - 0.5, -0.5), aspect="equal")
        panel.set_title(TITLES[name].replace(": ", "\n"))
        names = [MODEL_NAMES[model] for model in models]
        panel.set_xticks(range(len(models)), names, rotation=60, ha="right")
        panel.set_yticks(range(len(rows)), [cell_name(*row) for row in rows])
        panel.tick_params(length=0)
        panel.spines[:].set_visible(False)
        counts = ", ".join(f"{board.count(name, mark)} {mark}" for mark in MARKS)
        told.append(f"table {name}: {counts}")
    patches = {mark: mpl.patches.Patch(fc=colour, ec=GREY) for mark, colour in COLOURS.items()}
    figure.legend(patches.values(), patches, loc="outside lower center", ncols=len(MARKS))
    return figure, (
        "Three grids of squares, a row for each law and dimension and a column for each model, "
        f"coloured by how this book's value compares with the paper's. {'; '.join(told)}."
    )


CONSERVED, CHARGE = ("r1", "r2", "spring"), ("charge",)
FOUR = CHARGE + CONSERVED
# Rare encounters rule the losses on charge and 1/r², so these are not among them.
CALM = ("spring", "r1", "discontinuous", "damped")
# What every cell of a table, some models and some laws is to reach: R² of at least so much, the
# law by more than half of the seeds, a loss no worse than the paper's.
GOALS = (
    ("Bottleneck: R² at least 0.99", "1", ("bottleneck",), FOUR, 0.99),
    ("Bottleneck: law recovered", "5", ("bottleneck",), FOUR, None),
    ("L1: R² at least 0.99 but on charge", "1", ("l1",), CONSERVED, 0.99),
    ("L1: R² at least 0.9 on charge", "1", ("l1",), CHARGE, 0.9),
    ("L1: law recovered", "5", ("l1",), FOUR, None),
    ("KL: R² at least 0.9", "1", ("kl",), FOUR, 0.9),
    ("KL: law recovered", "5", ("kl",), FOUR, None),
    ("Loss no worse than the paper's", "3", MODELS, CALM, None),
)


def _reaches(entry: Entry, least: float | None) -> bool:
    if entry.table == "3":
        return entry.mark in (BETTER, EQUAL)
    return entry.mean > 0.5 if least is None else entry.mean >= least


def goals_table(board: Board) -> str:
    """Each goal with how many cells reach it, which do not, and how many have not been run."""
    rows = []
    for title, name, models, laws, least in GOALS:
        meant = [one for one in board.table(name) if one.model in models and one.row[0] in laws]
        run = [entry for entry in meant if entry.mark != MISSING]
        missed = [cell_name(*entry.row) for entry in run if not _reaches(entry, least)]
        reached = f"{len(run) - len(missed)} of {len(meant)}"
        # Where several models are meant, how many of them missed it.
        several = " ({})" if len(models) > 1 else ""
        named = (one + several.format(missed.count(one)) for one in dict.fromkeys(missed))
        rows.append([title, reached, ", ".join(named) or "none", len(meant) - len(run)])
    cells = [entry for name in ("1", "3") for entry in board.table(name) if len(entry.runs)]
    enough = sum(len(entry.runs) >= SEEDS for entry in cells)
    return (
        f"{table(['goal', 'reached', 'missed', 'not yet run'], rows)}\n\n"
        f"The goals ask for {SEEDS} seeds of each: {enough} "
        f"of the {len(cells)} cells of tables 1 and 3 that have been run have as many. The others "
        "count as they stand."
    )
