"""The scoreboard as Markdown: totals, every cell of tables 1, 3, 5 and 6, and what was left out."""

from symlib.book.markdown import table
from symlib.choices import FLATHGN
from symlib.papers.cranmer2020.data import cell_name
from symlib.papers.cranmer2020.pages.scoreboard import (
    BETTER,
    EQUAL,
    FAILED,
    MARKS,
    MISSING,
    NEITHER,
    WORSE,
    Board,
    Entry,
)
from symlib.records.study import FRESH, STALE

SIGNS = {BETTER: "▲", EQUAL: "●", WORSE: "▼", NEITHER: "○", FAILED: "✗", MISSING: "·"}
MODELS = {
    "standard": "Standard",
    "bottleneck": "Bottleneck",
    "l1": "L1",
    "kl": "KL",
    FLATHGN: "FlatHGN",
}
TITLES = {
    "1": "Table 1: messages and forces",
    "3": "Table 3: losses",
    "5": "Table 5: laws recovered",
    "6": "Table 6: overdensity",
}
OLD = "†"
EMPTY = "–"


def totals(board: Board) -> str:
    """How many cells of each table have each of the marks."""
    rows = []
    for name, title in TITLES.items():
        counts = [board.count(name, mark) for mark in MARKS]
        rows.append([title, sum(counts), *counts])
    peers = [entry for entry in board.table("1") if entry.plain]
    standing = ", ".join(
        f"{sum(entry.peer_mark == mark for entry in peers)} {mark}"
        for mark in (BETTER, EQUAL, WORSE)
    )
    return (
        f"{table(['', 'cells', *map(_sign, MARKS)], rows)}\n\n"
        "*Neither* is said of the standard model's messages, which nothing makes sparse. Against "
        f"the other reproduction, where Table 1 has been run here: {standing}."
    )


def by_model(board: Board, name: str) -> str:
    """The totals of one table, column by column."""
    models = dict.fromkeys(entry.model for entry in board.table(name))
    return table(
        ["", *map(_sign, MARKS)],
        [[MODELS[m], *(board.count(name, mark, m) for mark in MARKS)] for m in models],
    )


def table_1(board: Board) -> str:
    """R² of each cell beside the paper's and the peer's."""
    rows = [
        [
            *_who(entry),
            f"{entry.paper:.3f}",
            measured(entry.values, fixed=True),
            SIGNS[entry.mark],
            f"{entry.peer:.3f}",
            measured(entry.plain, fixed=True),
            SIGNS[entry.peer_mark] if entry.plain else "",
            *_how(entry),
        ]
        for entry in board.table("1")
    ]
    ours = ("ours, kept 90%", "", "peer", "ours, all points", "")
    return table(["cell", "model", "paper", *ours, "seeds", "preset"], rows)


def table_3(board: Board) -> str:
    """Test loss of each cell beside the paper's, and its share of the trivial predictor's."""
    rows = []
    for entry in board.table("3"):
        ratio = EMPTY
        if entry.mean is not None and entry.trivial:
            ratio = digits(entry.mean / entry.trivial, 2)
        trivial = EMPTY if entry.trivial is None else digits(entry.trivial, 3)
        ours = [measured(entry.values), SIGNS[entry.mark], trivial, ratio]
        rows.append([*_who(entry), digits(entry.paper, 2), *ours, *_how(entry)])
    ours = ("ours", "", "trivial", "ours / trivial")
    return table(["cell", "model", "paper", *ours, "seeds", "preset"], rows)


def table_5(board: Board) -> str:
    """Whether the paper recovered each law, and the share of our seeds that did."""
    rows = []
    for entry in board.table("5"):
        share = f"{sum(entry.values):.0f} of {len(entry.values)}" if entry.runs else EMPTY
        paper = "yes" if entry.paper else "no"
        rows.append([*_who(entry), paper, share, SIGNS[entry.mark], _how(entry)[1]])
    return table(["cell", "model", "paper", "ours: seeds that recover it", "", "preset"], rows)


def table_6(board: Board) -> str:
    """The error of each formula on halos that were not fitted, beside the paper's."""
    from symlib.papers.cranmer2020.study.table6 import LABELS

    rows = [
        [
            LABELS.get(entry.row, entry.row),
            digits(entry.paper, 3),
            measured(entry.values),
            SIGNS[entry.mark],
            *_how(entry),
        ]
        for entry in board.table("6")
    ]
    return table(["formula", "paper", "ours", "", "seeds", "preset"], rows)


def notes(board: Board) -> str:
    """Every record that is old, failed or unreadable, by its file."""
    failed = [run for run in board.runs if run.failed]
    groups = {
        f"of another code version, marked {OLD}": [
            f"`{run.name}`" for run in board.runs if run.standing == STALE
        ],
        f"that do not say which code made them, marked {OLD}": [
            f"`{run.name}`" for run in board.runs if run.standing not in (FRESH, STALE)
        ],
        "of runs that failed": [f"`{run.name}`: {run.record['failed']}" for run in failed],
        "that could not be read and are left out": board.problems,
    }
    lines = [
        f"{len(board.runs)} records of cells were read; {len(failed)} of them are of runs that "
        f"failed. {len(board.problems)} more could not be read."
    ]
    for what, named in groups.items():
        if named:
            lines += ["", f"Records {what}:", "", *(f"- {name}" for name in named)]
    return "\n".join(lines)


def measured(values: tuple[float, ...], fixed: bool = False) -> str:
    """Mean ± spread over seeds; the mean alone of a single one.

    Args:
        values: one per seed.
        fixed: with three decimals, as R² is given; otherwise three significant digits.
    """
    from symlib.papers.cranmer2020.pages.scoreboard import spread

    if not values:
        return EMPTY
    show = (lambda value: f"{value:.3f}") if fixed else (lambda value: digits(value, 3))
    mean = show(sum(values) / len(values))
    return mean if len(values) == 1 else f"{mean} ± {show(spread(values))}"


def digits(value: float, count: int) -> str:
    """A number with so many significant digits, its zeros kept, without an exponent."""
    if value == 0:
        return "0"
    text = f"{value:#.{count}g}"
    return (f"{float(text):.0f}" if "e+" in text else text).rstrip(".")


def _who(entry: Entry) -> list[str]:
    return [cell_name(*entry.row), MODELS[entry.model]]


def _how(entry: Entry) -> list[str]:
    """Seeds and preset, with a mark on records of other code."""
    if not entry.runs:
        return [EMPTY, EMPTY]
    failed = sum(run.failed for run in entry.runs)
    seeds = str(len(entry.runs) - failed) + (f" + {failed} failed" if failed else "")
    return [seeds, entry.preset + (f"\u00a0{OLD}" if entry.old else "")]


def _sign(mark: str) -> str:
    return f"{SIGNS[mark]} {mark}"
