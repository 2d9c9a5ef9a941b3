"""The scoreboard at a glance: one square a cell."""

import matplotlib as mpl
from matplotlib.figure import Figure

from symlib.book.figures import BLUE, GREY, ORANGE, SKY, STYLE
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
)
from symlib.papers.cranmer2020.pages.scoreboard_tables import MODELS, SIGNS, TITLES

COLOURS = {
    BETTER: BLUE,
    EQUAL: SKY,
    WORSE: ORANGE,
    NEITHER: "#E6E6E6",
    FAILED: GREY,
    MISSING: "#FFFFFF",
}
TABLES = ("1", "3", "5")


def squares(board: Board) -> tuple[Figure, str]:
    """Tables 1, 3 and 5 as squares, coloured by whether we agree with the paper."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 4.8), layout="constrained")
        panels = figure.subplots(1, 3, width_ratios=(4, 5, 4))
        for panel, table in zip(panels, TABLES, strict=True):
            _panel(panel, board, table)
        handles = [
            mpl.patches.Patch(facecolor=COLOURS[mark], edgecolor=GREY, label=mark) for mark in MARKS
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(MARKS))
    counts = "; ".join(
        f"table {table}: " + ", ".join(f"{board.count(table, mark)} {mark}" for mark in MARKS)
        for table in TABLES
    )
    return figure, (
        "Three grids of squares, a row for each law and dimension and a column for each model, "
        f"coloured by how this book's value compares with the paper's. {counts}."
    )


def _panel(panel, board: Board, table: str) -> None:
    entries = board.table(table)
    rows = list(dict.fromkeys(entry.row for entry in entries))
    models = list(dict.fromkeys(entry.model for entry in entries))
    for entry in entries:
        x, y = models.index(entry.model), rows.index(entry.row)
        square = mpl.patches.Rectangle(
            (x - 0.46, y - 0.46), 0.92, 0.92, facecolor=COLOURS[entry.mark], edgecolor=GREY, lw=0.5
        )
        panel.add_patch(square)
        # A sign in each, so that nothing hangs on colour.
        panel.text(x, y, SIGNS[entry.mark], ha="center", va="center", fontsize=8)
    panel.set(
        xlim=(-0.5, len(models) - 0.5), ylim=(len(rows) - 0.5, -0.5), aspect="equal",
        title=TITLES[table].replace(": ", "\n"),
        xticks=range(len(models)), yticks=range(len(rows)),
    )  # fmt: skip
    panel.set_xticklabels([MODELS[model] for model in models], rotation=60, ha="right")
    panel.set_yticklabels([cell_name(*row) for row in rows])
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
