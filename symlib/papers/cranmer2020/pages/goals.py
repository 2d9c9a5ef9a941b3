"""What this reproduction set out to reach, and where it stands, judged from records."""

from collections.abc import Callable
from dataclasses import dataclass

from symlib.book.markdown import table
from symlib.papers.cranmer2020.data import MESSAGE_MODELS, cell_name
from symlib.papers.cranmer2020.pages.scoreboard import MISSING, WORSE, Board, Entry
from symlib.papers.cranmer2020.study.cells import SEEDS


@dataclass(frozen=True)
class Goal:
    """Something that every cell of a kind is to reach.

    Args:
        title: as a reader sees it.
        table: "1" for R², "3" for losses, "5" for laws.
        models: of the cells that are meant.
        laws: of the cells that are meant.
        reached: whether a cell that has results is good enough.
    """

    title: str
    table: str
    models: tuple[str, ...]
    laws: tuple[str, ...]
    reached: Callable[[Entry], bool]

    def cells(self, board: Board) -> list[Entry]:
        """The cells that are meant."""
        return [
            entry
            for entry in board.table(self.table)
            if entry.model in self.models and entry.row[0] in self.laws
        ]


def _recovered(entry: Entry) -> bool:
    """By more than half of the seeds."""
    return entry.mean is not None and entry.mean > 0.5


def _as_good_as_the_paper(entry: Entry) -> bool:
    return entry.mark != WORSE


def _at_least(r2: float) -> Callable[[Entry], bool]:
    return lambda entry: entry.mean is not None and entry.mean >= r2


CONSERVED, CHARGE = ("r1", "r2", "spring"), ("charge",)
FOUR = CHARGE + CONSERVED
EVERY_MODEL = (*MESSAGE_MODELS, "flathgn")
# Rare encounters rule the losses on charge and 1/r², so these are not among them.
CALM = ("spring", "r1", "discontinuous", "damped")
GOALS = (
    Goal("Bottleneck: R² at least 0.99", "1", ("bottleneck",), FOUR, _at_least(0.99)),
    Goal("Bottleneck: law recovered", "5", ("bottleneck",), FOUR, _recovered),
    Goal("L1: R² at least 0.99 but on charge", "1", ("l1",), CONSERVED, _at_least(0.99)),
    Goal("L1: R² at least 0.9 on charge", "1", ("l1",), CHARGE, _at_least(0.9)),
    Goal("L1: law recovered", "5", ("l1",), FOUR, _recovered),
    Goal("KL: R² at least 0.9", "1", ("kl",), FOUR, _at_least(0.9)),
    Goal("KL: law recovered", "5", ("kl",), FOUR, _recovered),
    Goal("Loss no worse than the paper's", "3", EVERY_MODEL, CALM, _as_good_as_the_paper),
)


def goals_table(board: Board) -> str:
    """Each goal with how many cells reach it, which do not, and how many have not been run."""
    rows = []
    for goal in GOALS:
        cells = goal.cells(board)
        run = [entry for entry in cells if entry.mark != MISSING]
        missed = [entry for entry in run if not goal.reached(entry)]
        rows.append(
            [
                goal.title,
                f"{len(run) - len(missed)} of {len(cells)}",
                _names(missed, several=len(goal.models) > 1) or "none",
                len(cells) - len(run),
            ]
        )
    cells = [entry for name in ("1", "3") for entry in board.table(name) if entry.runs]
    enough = sum(len(entry.runs) >= SEEDS[entry.row[1]] for entry in cells)
    return (
        f"{table(['goal', 'reached', 'missed', 'not yet run'], rows)}\n\n"
        f"The goals ask for {SEEDS[2]} seeds in two dimensions and {SEEDS[3]} in three: {enough} "
        f"of the {len(cells)} cells of tables 1 and 3 that have been run have as many. The others "
        "count as they stand."
    )


def _names(entries: list[Entry], several: bool) -> str:
    """Rows by name; where several models are meant, how many of them missed it."""
    rows: dict = {}
    for entry in entries:
        rows.setdefault(entry.row, []).append(entry)
    return ", ".join(
        cell_name(*row) + (f" ({len(group)})" if several else "") for row, group in rows.items()
    )
