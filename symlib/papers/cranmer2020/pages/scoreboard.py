"""The scoreboard: the paper's tables 1, 3, 5 and 6 cell by cell, and how each cell stands.

Only like is compared with like. `reference` and `plain` do what the paper did and are marked
against it; `fast` knows more, and has values and no marks; where the paper's data were others than
ours, nobody is marked. Everything is read from records when the page is made; `runs` says which of
them count. In table 5 a run that broke down is one that did not recover the law.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from symlib.book.markdown import digits, spread, table
from symlib.choices import MESSAGE_MODELS, PRUNED, RECIPES
from symlib.papers.cranmer2020 import data
from symlib.papers.cranmer2020.pages.runs import WALK, counting, frame, read_runs
from symlib.papers.cranmer2020.study.halo_rows import HaloRow
from symlib.papers.cranmer2020.study.table6 import PAPER_ERRORS
from symlib.records.reading import RESULTS, read_records
from symlib.records.study import FRESH

REPRODUCED, BETTER, NOT_REPRODUCED = "reproduced", "better", "not reproduced"
BROKE_DOWN, MISSING = "broke down", "not yet run"
NO_MARK = "no mark"  # the data are others than the paper's, or the recipe knows more
MARKS = (REPRODUCED, BETTER, NOT_REPRODUCED, BROKE_DOWN, MISSING, NO_MARK)
SIGNS = dict(zip(MARKS, "●▲▼✗·○", strict=True))
COMPARED = ("reference", "plain")  # with the paper
FAST = "fast"
assert set(RECIPES) == {*COMPARED, FAST}
TITLES = {
    "1": "Table 1: messages and forces",
    "3": "Table 3: losses",
    "5": "Table 5: laws recovered",
}
PAPERS = {"1": data.TABLE_1, "3": data.TABLE_3, "5": data.TABLE_5}
# Of table 6 and the cutoff experiment the error on halos that were not fitted.
FORMULAS = {name: errors[1] for name, errors in PAPER_ERRORS.items()}

# The rules of the marks. R² this near the paper's is the same; below the other the messages of the
# standard model are no forces.
SAME_R2, NO_FORCE = 0.05, 0.1
RULES = f"""\
- **Table 1.** {SIGNS[REPRODUCED]} *reproduced*: our mean differs from the paper's $R^2$ by no more
  than {SAME_R2}, or than the standard deviation over our seeds where that is larger.
  {SIGNS[BETTER]} *better*: it is higher by more. {SIGNS[NOT_REPRODUCED]} *not reproduced*: it is
  lower by more. The paper's failures are marked alike: who fails as it did has reproduced it.
- **Table 1, standard model.** The paper's point is that these messages are *not* forces, so higher
  is not better: reproduced where our mean is below {NO_FORCE}, otherwise not.
- **Table 3.** Reproduced: our mean loss differs from the paper's by no more than half a unit of the
  paper's last digit plus the standard deviation over our seeds. Better: it is lower by more.
- **Table 5.** Ours is a yes where more than half of the seeds recover the law. Reproduced: the
  paper says the same. Better: yes where the paper says no, but for the standard model, whose
  messages are to hold no law: there a yes is *not reproduced*.
- {SIGNS[BROKE_DOWN]} every run broke down, {SIGNS[MISSING]} not yet run, {SIGNS[NO_MARK]} shown
  without a mark, with the reason below the table."""


@dataclass(frozen=True)
class Entry:
    """One cell of a table by one recipe.

    Args:
        table: "1", "3", "5" or "6".
        row: law and dimension, or the name of a formula.
        model: standard, bottleneck, l1, kl, flathgn; empty in table 6.
        recipe: reference, plain or fast; empty in table 6.
        paper: the published value; for table 5 whether the law was recovered.
        values: one per seed that has one: R² over the kept 90% (table 1), loss (3), 1.0 for a law
            recovered and 0.0 for one not (5), error on halos not fitted (6).
        mark: one of `MARKS`.
        runs: the records that count, failed ones too.
    """

    table: str
    row: "tuple[str, int] | str"
    model: str
    recipe: str
    paper: float | bool
    values: tuple[float, ...]
    mark: str
    runs: pd.DataFrame

    @property
    def mean(self) -> float:
        """Over seeds; NaN where there is none."""
        return float(np.mean(self.values)) if self.values else math.nan

    @property
    def name(self) -> str:
        """Of its row and model as a page writes it, e.g. Spring-2, L1."""
        return f"{data.cell_name(*self.row)}, {data.MODEL_NAMES[self.model]}"

    @property
    def by_spread(self) -> bool:
        """Whether it counts as reproduced only because our seeds differ as much.

        Our mean is then farther from the paper's value than `SAME_R2`, or a tenth of a loss.
        """
        against = self.table == "5" or (self.table == "1" and self.model == "standard")
        if self.mark != REPRODUCED or against:
            return False
        return abs(self.mean - self.paper) > (SAME_R2 if self.table == "1" else 0.1 * self.paper)


@dataclass(frozen=True)
class Board:
    """All cells of all tables in the paper's order, by each recipe.

    `runs` has every record of a cell, `counted` those that count, `problems` a line for each that
    could not be read.
    """

    entries: list[Entry]
    runs: pd.DataFrame
    counted: pd.DataFrame
    problems: list[str]

    def table(self, name: str, recipe: str = "") -> list[Entry]:
        """The cells of one table by one recipe."""
        return [one for one in self.entries if (one.table, one.recipe) == (name, recipe)]

    def entry(self, table: str, row: tuple[str, int], model: str, recipe: str) -> Entry:
        """One cell."""
        of = self.table(table, recipe)
        return next(one for one in of if (one.row, one.model) == (row, model))

    def count(self, table: str, recipe: str, mark: str) -> int:
        """How many cells of a table have a mark."""
        return sum(entry.mark == mark for entry in self.table(table, recipe))

    def trivial(self, law: str, dim: int) -> float:
        """The loss of the predictor that always says the median, mean over what counts; or NaN."""
        cells = self.counted[(self.counted.law == law) & (self.counted.dim == dim)]
        return float(cells.trivial_loss.mean())


def read_board(folder: Path | None = None) -> Board:
    """Read all records and judge every cell.

    Args:
        folder: with cells/, discover/ and cosmology/ in it; book/results when None.
    """
    runs, problems = read_runs(folder)
    counted = counting(runs)
    groups, none = dict(list(counted.groupby(WALK))), counted.iloc[:0]
    entries = [
        _entry(name, row, model, recipe, paper, groups.get((*row, model, recipe), none))
        for name, rows in PAPERS.items()
        for recipe in RECIPES
        for row, cells in rows.items()
        for model, paper in cells.items()
    ]
    found, more = read_records(folder or RESULTS, "cosmology/*.json", "cosmology")
    halos = counting(frame(found, HaloRow), ["formula"])
    entries += [
        _entry("6", name, "", "", paper, halos[halos.formula == name])
        for name, paper in FORMULAS.items()
    ]
    return Board(entries, runs, counted, problems + more)


def _entry(name: str, row, model: str, recipe: str, paper, runs: pd.DataFrame) -> Entry:
    if name == "5":
        values = tuple(runs.recovered.eq(True).astype(float))
    else:
        values = tuple(runs[{"1": "r2", "3": "test_loss", "6": "error_test"}[name]].dropna())
    if not len(runs):
        mark = MISSING
    elif runs.failed.all():
        mark = BROKE_DOWN
    elif recipe not in COMPARED or incomparable(name, row):
        mark = NO_MARK
    else:
        mark = judge(name, model, values, paper)
    return Entry(name, row, model, recipe, paper, values, mark, runs)


def incomparable(name: str, row) -> bool:
    """Whether a row of a table is of other data in the paper than here."""
    return name == "3" and (row[0] == "damped" or row == ("charge", 2))


def why_incomparable(board: Board) -> str:
    """The reasons for what stands in table 3 without a mark."""
    trivial, paper = board.trivial("charge", 2), data.TABLE_3["charge", 2]
    low, high = min(paper.values()), max(paper.values())
    ours = "" if math.isnan(trivial) else f", which is {digits(trivial, 3)} on our simulations"
    return (
        f"{SIGNS[NO_MARK]} *Without a mark.* **Damped**: the potential of appendix B gives every "
        "body the same drag; in the authors' code it is added once for each pair $i < j$, so that "
        "the first body is dragged most and the last not at all. Their data are others than ours, "
        f"which follow the appendix. **Charge-2**: the paper's losses, {low} to {high}, lie far "
        f"above that of a predictor that always says the median{ours}; a few closer encounters in "
        "its test set would do that."
    )


def judge(name: str, model: str, values: tuple[float, ...], paper: float | bool) -> str:
    """Reproduced, better or not reproduced, by `RULES`.

    Args:
        name: of the table, 1, 3 or 5.
        model: of the column.
        values: ours, one per seed, at least one.
        paper: the published value.
    """
    mean, against = float(np.mean(values)), model == "standard" and name != "3"
    if name == "5":
        if (mean > 0.5) == paper:
            return REPRODUCED
        return NOT_REPRODUCED if paper or against else BETTER
    if against:
        return REPRODUCED if mean < NO_FORCE else NOT_REPRODUCED
    allowed = tolerance(name, paper)
    allowed = max(allowed, spread(values)) if name == "1" else allowed + spread(values)
    # Sums of decimals that are no binary fractions.
    if abs(mean - paper) <= allowed * (1 + 1e-9):
        return REPRODUCED
    return BETTER if (mean > paper) == (name == "1") else NOT_REPRODUCED


def tolerance(name: str, paper: float) -> float:
    """What may lie between our mean and a published value whatever our seeds' spread."""
    return SAME_R2 if name == "1" else half_digit(paper)


def half_digit(loss: float) -> float:
    """Half a unit of the last of the two significant digits that table 3 gives."""
    return 0.5 * 10.0 ** (math.floor(math.log10(abs(loss))) - 1)


def at_or_below(entry: Entry) -> bool:
    """Whether a loss, or what it would be printed as, is no higher than the paper's."""
    return entry.mean <= (entry.paper + half_digit(entry.paper)) * (1 + 1e-9)


def totals(board: Board) -> str:
    """How many cells of each table have each of the marks, and what `fast` reaches."""
    rows = []
    for name, title in TITLES.items():
        for recipe in COMPARED:
            counts = (board.count(name, recipe, mark) for mark in MARKS)
            rows.append([title, recipe, len(board.table(name, recipe)), *counts])
    signs = ", ".join(f"{sign} {mark}" for mark, sign in SIGNS.items())
    counted = table(["against the paper", "recipe", "cells", *SIGNS.values()], rows)
    return f"{counted}\n\n*{signs}.*\n\n{fast_line(board)}"


def fast_line(board: Board) -> str:
    """What `fast`, which is not marked, reaches, in a sentence."""
    losses = [one for one in board.table("3", FAST) if one.values]
    laws = [one for one in board.table("5", FAST) if one.values and one.model != "standard"]
    alike = [one for one in losses if not incomparable("3", one.row)]
    below, both = (sum(map(at_or_below, some)) for some in (losses, alike))
    found = sum(one.mean > 0.5 for one in laws)
    old = sum((one.runs.standing != FRESH).any() for one in losses)
    dated = f" ({old} of these cells are still shown from records of an earlier recipe)"
    return (
        "With more inductive bias, `fast`: losses at or below the paper's in "
        f"{below} of {len(losses)} cells on record ({both} of the {len(alike)} whose data are as "
        f"the paper's), the law recovered in {found} of {len(laws)} without the standard "
        f"model{dated * bool(old)}."
    )


def made(board: Board) -> str:
    """How the runs that count were made: by recipe, preset and steps."""
    rows = []
    paper = board.counted[board.counted.model.isin((*MESSAGE_MODELS, PRUNED))]
    for recipe in RECIPES:
        for (preset, steps), runs in paper[paper.recipe == recipe].groupby(["preset", "steps"]):
            seeds = runs.groupby(["law", "dim", "model"]).size()
            few, many = seeds.min(), seeds.max()
            spent = [one.get("stages", {}).get("training") for one in runs.record]
            median = np.median([one for one in spent if one] or [math.nan])
            rows.append(
                [
                    recipe, preset, f"{steps:,.0f}", len(seeds),
                    f"{few}" if few == many else f"{few} to {many}", digits(median, 3),
                    f"{(runs.standing != FRESH).sum()} of {len(runs)}",
                ]
            )  # fmt: skip
    heads = ("preset", "steps", "cells", "seeds", "seconds to train", "of an old version")
    return table(["recipe", *heads], rows) if rows else "*No cell is on record yet.*"


# What a page says first: what did not come out.


def what_did_not_reproduce(board: Board) -> str:
    """Every cell that is not reproduced, broke down or has not been run, by recipe and table."""
    parts = []
    for recipe in COMPARED:
        lines = []
        for name, title in TITLES.items():
            of = board.table(name, recipe)
            run = [one for one in of if one.mark != MISSING]
            missed = [one for one in run if one.mark == NOT_REPRODUCED]
            broke = [one.name for one in run if one.mark == BROKE_DOWN]
            spread_alone = [one.name for one in run if one.by_spread]
            said = [f"**{title}** ({len(run)} of {len(of)} cells run):"]
            if run:
                each = "; ".join(f"{one.name} ({_told(one)})" for one in missed)
                said.append(f"{len(missed)} not reproduced{': ' * bool(each)}{each}.")
            else:
                said.append("nothing is on record yet.")
            if broke:
                said.append(f"Broke down: {'; '.join(broke)}.")
            if spread_alone:
                said.append(
                    f"Reproduced only because our seeds differ as much: {'; '.join(spread_alone)}."
                )
            lines.append(f"- {' '.join(said)}")
        parts.append("\n".join([f"By `{recipe}`:", "", *lines]))
    return "\n\n".join(parts)


def _told(entry: Entry) -> str:
    """Our value and the paper's, in short."""
    if entry.table == "5":
        paper = "yes" if entry.paper else "no"
        return f"{sum(entry.values):.0f} of {len(entry.values)} seeds, paper {paper}"
    if entry.table == "1":
        return f"{entry.mean:.3f}, paper {entry.paper:.3f}"
    return f"{digits(entry.mean, 2)}, paper {digits(entry.paper, 2)}"
