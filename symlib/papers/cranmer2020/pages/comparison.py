"""The scoreboard's tables and figures: the paper, other reproductions, and the three recipes."""

from collections.abc import Callable, Iterable

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from symlib.book.figures import BLUE, GREY, ORANGE, SKY, grid, styled
from symlib.book.markdown import EMPTY, digits, measured, table, yes_or_no
from symlib.choices import FLATHGN, MESSAGE_MODELS, PRUNED, RECIPES
from symlib.discovery import search_of
from symlib.papers.cranmer2020 import data
from symlib.papers.cranmer2020.data import MODEL_NAMES, cell_name
from symlib.papers.cranmer2020.pages.runs import dagger, of_cell
from symlib.papers.cranmer2020.pages.scoreboard import (
    BETTER,
    BROKE_DOWN,
    COMPARED,
    FAST,
    MARKS,
    MISSING,
    NO_MARK,
    NOT_REPRODUCED,
    PAPERS,
    REPRODUCED,
    SIGNS,
    TITLES,
    Board,
    Entry,
    at_or_below,
    incomparable,
)
from symlib.papers.cranmer2020.study.table6 import LABELS
from symlib.training.presets import get_preset

USUAL = "laptop"  # of another preset a cell says so
PRIORS = "fast: with more inductive bias"
HEADS = {"reference": "reference", "plain": "plain", FAST: f"*{PRIORS}*"}
COLOURS = {
    REPRODUCED: SKY, BETTER: BLUE, NOT_REPRODUCED: ORANGE,
    BROKE_DOWN: GREY, MISSING: "#FFFFFF", NO_MARK: "#E6E6E6",
}  # fmt: skip


def priors() -> str:
    """What `fast` is told beyond `plain`, a line each, as its recipe at the usual preset has it."""
    preset = get_preset(USUAL, FAST)
    every, l1, kl, flat = (preset.recipe_for(m) for m in ("standard", "l1", "kl", FLATHGN))
    told = {
        "Physics is the same everywhere: $\\phi^e$'s weights on the two positions are exact "
        "opposites, and $\\phi^v$ does not see the position.": every.invariant,
        "A message need not say what $\\phi^v$ knows: for "
        f"{every.blind_until:.0%} of the steps $\\phi^e$ does not learn to see the receiver's mass "
        "and velocity, nor $\\phi^v$ the receiver's charge.": every.blind_until > 0,
        "L1 and KL messages shall be few: $\\alpha_1$ follows a schedule, messages are turned to "
        "their principal axes, and components that have become small are silenced.": (
            l1.turn_every or kl.turn_every
        ),
        "FlatHGN's energies have their places: $H_\\mathrm{pair}$ never sees momenta, "
        "$H_\\mathrm{self}$ never positions.": flat.apart,
        "FlatHGN's $H_\\mathrm{pair}$ is told the distance of the two bodies.": flat.distance,
        "The search for equations is helped: the closest encounters and the tenth of the messages "
        "farthest from the median are left out; some searches see ordinary messages only, and some "
        "squared errors; products of charges are inputs; the front's equations are varied by rules "
        "written by hand; of two equations of one complexity the one with fewer constants wins if "
        "its error is within 20%.": search_of(preset).aids,
    }
    return "\n".join(f"- {sentence}" for sentence, holds in told.items() if holds)


def against_paper(board: Board, name: str) -> str:
    """Table 1, 3 or 5, every cell: the paper, reference, plain, and fast.

    A value is the mean over seeds ± their standard deviation and, in brackets, how many; a law the
    share of seeds that recovered it. Table 3 has the trivial predictor's loss as well.
    """
    paper: Callable = {"1": "{:.3f}".format, "5": yes_or_no}.get(name, lambda x: digits(x, 2))
    rows = []
    by_recipe = (board.table(name, recipe) for recipe in RECIPES)
    for entries in zip(*by_recipe, strict=True):
        one = entries[0]
        row = [cell_name(*one.row), MODEL_NAMES[one.model], paper(one.paper)]
        row += [shown(entry) for entry in entries]
        if name == "3":
            row.append(digits(board.trivial(*one.row), 3))
        rows.append(row)
    heads = ["cell", "model", "paper", *(HEADS[recipe] for recipe in RECIPES)]
    return table(heads + ["trivial"] * (name == "3"), rows)


def shown(entry: Entry) -> str:
    """One cell of a table as text: its mark, its value, its seeds."""
    runs = entry.runs
    if entry.mark == MISSING:
        return SIGNS[MISSING]
    sign = f"{SIGNS[entry.mark]} " if entry.recipe in COMPARED or not entry.values else ""
    failed = int(runs.failed.sum())
    if entry.table == "5":
        value = f"{sum(entry.values):.0f} of {len(entry.values)}"
        count = f" ({failed} failed)" * bool(failed)
    else:
        value = measured(entry.values, 3 if entry.table == "1" else None)
        count = f" ({len(runs) - failed}" + f", {failed} failed" * bool(failed) + ")"
    other = "".join(f", {one}" for one in runs.preset.unique() if one != USUAL)
    return f"{sign}{value}{count}{other}{dagger(*runs.standing)}"


def by_model(board: Board, name: str) -> str:
    """How many of each mark a table's columns have, by reference and by plain."""
    rows = []
    for model in next(iter(PAPERS[name].values())):
        row = [MODEL_NAMES[model]]
        for recipe in COMPARED:
            marks = [one.mark for one in board.table(name, recipe) if one.model == model]
            row.append(" ".join(f"{marks.count(m)} {SIGNS[m]}" for m in MARKS if m in marks))
        rows.append(row)
    return table(["", *COMPARED], rows)


def shares_of_trivial(board: Board) -> str:
    """Table 3 once more, each loss as a share of the trivial predictor's on the same snapshots."""
    rows = []
    for entries in zip(*(board.table("3", recipe) for recipe in RECIPES), strict=True):
        shares = []
        for entry in entries:
            runs = entry.runs[~entry.runs.failed]
            share = (runs.test_loss / runs.trivial_loss).mean() if len(runs) else np.nan
            shares.append(digits(share, 2) + dagger(*runs.standing))
        rows.append([cell_name(*entries[0].row), MODEL_NAMES[entries[0].model], *shares])
    return table(["cell", "model", *(HEADS[recipe] for recipe in RECIPES)], rows)


def beside_peer(board: Board) -> str:
    """R² over all points, as the reproduction VishalJ99/symbolic_distillation fits it.

    Theirs and ours are the better of force and acceleration.
    """
    rows = []
    for (law, dim), models in data.PEER.items():
        for model, fits in models.items():
            cells = [of_cell(board.counted, law, dim, model, recipe) for recipe in RECIPES]
            ours = (
                measured(tuple(runs.r2_all.dropna()), 3) + dagger(*runs.standing) for runs in cells
            )
            rows.append([cell_name(law, dim), MODEL_NAMES[model], f"{max(fits):.3f}", *ours])
    return table(["cell", "model", "VishalJ99", *(HEADS[recipe] for recipe in RECIPES)], rows)


def beside_symtorch(board: Board) -> str:
    """R² against the force alone, both ways, as elizabethsztan's reproduction fits it."""
    rows = []
    for (law, dim), models in data.SYMTORCH.items():
        for model, fits in models.items():
            cells = [of_cell(board.counted, law, dim, model, recipe) for recipe in RECIPES]
            for which, title, theirs in zip(("all", "kept90"), ("all", "90%"), fits, strict=True):
                ours = (
                    measured(_of_force(runs, which), 3) + dagger(*runs.standing) for runs in cells
                )
                rows.append(
                    [cell_name(law, dim), MODEL_NAMES[model], title, f"{theirs:.3f}", *ours]
                )
    heads = ["cell", "model", "points", "SymTorch", *(HEADS[recipe] for recipe in RECIPES)]
    return table(heads, rows)


def _of_force(runs: pd.DataFrame, which: str) -> tuple[float, ...]:
    fits = (one["r2"].get("force", {}).get(which) for one in runs.record[~runs.failed])
    return tuple(fit for fit in fits if fit is not None)


def pruned(board: Board) -> str:
    """The model that the paper has not, beside the bottleneck: R², loss, law, by recipe."""
    rows = []
    for law, dim in data.TABLE_3:
        for recipe in RECIPES:
            both = [of_cell(board.counted, law, dim, m, recipe) for m in (PRUNED, "bottleneck")]
            if not len(both[0]):
                continue
            row = [cell_name(law, dim), f"`{recipe}`"]
            for what in (
                lambda runs: measured(tuple(runs.r2.dropna()), 3),
                lambda runs: measured(tuple(runs.test_loss.dropna())),
                lambda runs: f"{runs.recovered.eq(True).sum()} of {len(runs)}",
            ):
                row += [what(runs) if len(runs) else EMPTY for runs in both]
            row[2] += dagger(*both[0].standing)
            row[3] += dagger(*both[1].standing)
            rows.append(row)
    heads = [f"{what}, {who}" for what in ("R²", "loss", "law") for who in ("pruned", "bottleneck")]
    return table(["cell", "recipe", *heads], rows) if rows else "*No pruned model is on record.*"


def table_6(board: Board) -> str:
    """The errors of table 6 and of the cutoff experiment, the paper's and ours, without marks."""
    rows = [[LABELS[entry.row], digits(entry.paper, 3), shown(entry)] for entry in board.table("6")]
    return table(["formula", "paper, its universe", "here, our universe"], rows)


# Figures.


@styled
def squares(board: Board) -> tuple[Figure, str]:
    """Tables 1, 3 and 5 by reference and by plain, as squares with the marks."""
    figure, panels = grid(len(COMPARED), 3, 9.0, 8.4, width_ratios=(4, 5, 4))
    told, places = [], ((recipe, name) for recipe in COMPARED for name in TITLES)
    for panel, (recipe, name) in zip(panels, places, strict=True):
        entries = board.table(name, recipe)
        marks = [(entry, SIGNS[entry.mark], COLOURS[entry.mark]) for entry in entries]
        _draw(panel, marks, f"{recipe}\n{TITLES[name]}")
        counts = ", ".join(f"{board.count(name, recipe, mark)} {mark}" for mark in MARKS)
        told.append(f"{recipe}, table {name}: {counts}")
    _legend(figure, [(f"{SIGNS[mark]} {mark}", COLOURS[mark]) for mark in MARKS])
    return figure, (
        "Six grids of squares, a row for each law and dimension and a column for each model, "
        f"coloured by how this book's value compares with the paper's. {'; '.join(told)}."
    )


# What a square of `fast` says: yes, no, or nothing on record.
YES, NO = "✓", "–"
ANSWERS = {
    YES: (SKY, "yes"), NO: (ORANGE, "no"),
    SIGNS[MISSING]: ("#FFFFFF", "not yet run"), SIGNS[NO_MARK]: ("#E6E6E6", "other data"),
}  # fmt: skip
QUESTIONS = {
    "1": "R² at least 0.9",
    "3": "loss at or below the paper's",
    "5": "law in more than half of the seeds",
}


def answer(entry: Entry) -> str:
    """Of a cell of `fast`: whether it reaches what its table is about."""
    if not entry.values:
        return SIGNS[MISSING]
    return YES if _reaches(entry, 0.9 if entry.table == "1" else None) else NO


@styled
def fast_squares(board: Board) -> tuple[Figure, str]:
    """What `fast` reaches, cell by cell: no comparison, as it knows more than the paper's.

    A cell of old records has a dagger.
    """
    figure, panels = grid(1, 3, 9.0, 4.6, width_ratios=(4, 5, 4))
    told = []
    for panel, (name, question) in zip(panels, QUESTIONS.items(), strict=True):
        answers = [
            (entry, SIGNS[NO_MARK] if incomparable(name, entry.row) else answer(entry))
            for entry in board.table(name, FAST)
        ]
        signs = (sign + dagger(*entry.runs.standing).strip() for entry, sign in answers)
        colours = (ANSWERS[sign][0] for _, sign in answers)
        entries = (entry for entry, _ in answers)
        _draw(panel, [*zip(entries, signs, colours, strict=True)], question)
        yes = sum(sign == YES for _, sign in answers)
        told.append(f"{question}: {yes} of {len(answers)}")
    _legend(figure, [(f"{sign} {word}", colour) for sign, (colour, word) in ANSWERS.items()])
    return figure, f"Three grids of squares for the recipe fast. {'; '.join(told)}."


def _draw(panel, marks: list[tuple[Entry, str, str]], title: str) -> None:
    """A square with a sign for each cell of a table."""
    rows = list(dict.fromkeys(entry.row for entry, *_ in marks))
    models = list(dict.fromkeys(entry.model for entry, *_ in marks))
    for entry, sign, colour in marks:
        x, y = models.index(entry.model), rows.index(entry.row)
        square = {"facecolor": colour, "edgecolor": GREY, "lw": 0.5}
        panel.add_patch(mpl.patches.Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, **square))
        # A sign in each, so that nothing hangs on colour.
        panel.text(x, y, sign, ha="center", va="center", fontsize=8)
    panel.set(xlim=(-0.5, len(models) - 0.5), ylim=(len(rows) - 0.5, -0.5), aspect="equal")
    panel.set_title(title.replace(": ", "\n"))
    panel.set_xticks(range(len(models)), [MODEL_NAMES[m] for m in models], rotation=60, ha="right")
    panel.set_yticks(range(len(rows)), [cell_name(*row) for row in rows])
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def _legend(figure: Figure, named: Iterable[tuple[str, str]]) -> None:
    patches = {name: mpl.patches.Patch(fc=colour, ec=GREY) for name, colour in named}
    figure.legend(patches.values(), patches, loc="outside lower center", ncols=len(patches))


# What `fast` is to reach.

FOUR = ("charge", "r1", "r2", "spring")
# Title, table, models, laws, what a cell must have (None: the law, or a loss at or below the
# paper's), and how many cells are asked for (None: all).
GOALS = (
    ("Losses at or below the paper's, four message models", "3", MESSAGE_MODELS, None, None, 44),
    ("Losses at or below the paper's, FlatHGN", "3", (FLATHGN,), None, None, 8),
    ("Bottleneck: law recovered", "5", ("bottleneck",), FOUR, None, None),
    ("L1: law recovered", "5", ("l1",), FOUR, None, None),
    ("KL: law recovered", "5", ("kl",), FOUR, None, None),
    ("Bottleneck: R² at least 0.99", "1", ("bottleneck",), FOUR, 0.99, None),
    ("L1: R² at least 0.99 but on charge", "1", ("l1",), FOUR[1:], 0.99, None),
    ("L1: R² at least 0.9 on charge", "1", ("l1",), FOUR[:1], 0.9, None),
    ("KL: R² at least 0.9", "1", ("kl",), FOUR, 0.9, None),
)


def _reaches(entry: Entry, least: float | None) -> bool:
    if entry.table == "3":
        return at_or_below(entry)
    return entry.mean > 0.5 if least is None else entry.mean >= least


def goals_table(board: Board) -> str:
    """Each goal of `fast`: how many cells reach it, which do not, how many have not been run."""
    rows = []
    for title, name, models, laws, least, wanted in GOALS:
        meant = [
            one
            for one in board.table(name, FAST)
            if one.model in models and (laws is None or one.row[0] in laws)
        ]
        run = [entry for entry in meant if entry.mark != MISSING]
        reached = [entry for entry in run if _reaches(entry, least)]
        missed = [entry for entry in run if not _reaches(entry, least)]
        said = f"{len(reached)} of {len(meant)}"
        if name == "3":
            alike = [one for one in meant if not incomparable(name, one.row)]
            both = sum(not incomparable(name, one.row) for one in reached)
            said += f"; {both} of the {len(alike)} comparable"
        # Where several models are meant, how many of them missed it.
        names = [cell_name(*one.row) for one in missed]
        several = " ({})" if len(models) > 1 else ""
        names = "; ".join(n + several.format(names.count(n)) for n in dict.fromkeys(names))
        goal = f"{wanted or len(meant)} of {len(meant)}"
        rows.append([title, goal, said, names or "none", len(meant) - len(run)])
    return table(["goal of `fast`", "asked for", "reached", "missed", "not yet run"], rows)


def losses_of_fast(board: Board) -> str:
    """All 48 losses of the message models and all 12 of FlatHGN, as multiples of the paper's."""
    models = (*MESSAGE_MODELS, FLATHGN)
    rows = []
    for law, dim in data.TABLE_3:
        row = [cell_name(law, dim)]
        for model in models:
            entry = board.entry("3", (law, dim), model, FAST)
            ratio = f"{entry.mean / entry.paper:.2f} {answer(entry)}"
            text = ratio + dagger(*entry.runs.standing) if entry.values else EMPTY
            row.append(f"({text})" if incomparable("3", (law, dim)) else text)
        rows.append(row)
    return table(["ours / paper's", *(MODEL_NAMES[model] for model in models)], rows)
