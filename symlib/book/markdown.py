"""Tables in Markdown, and equations that fit into them."""

import re
from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence]) -> str:
    """A Markdown table.

    Args:
        columns: the heads.
        rows: of as many cells each; what is no text becomes text.
    """
    lines = [f"| {' | '.join(map(str, cells))} |" for cells in (columns, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(columns), *lines[1:]])


def front(regression, digits: int = 3) -> str:
    """A Markdown table of a regression's Pareto front, the selected row in bold."""
    rows = []
    chosen = int(regression.selected["complexity"])
    for row in regression.equations_.to_dict("records"):
        cells = [str(row["complexity"]), f"{row['loss']:.3g}", f"{row['score']:.3f}"]
        cells.append(f"`{short(str(row['equation']), digits)}`")
        if row["complexity"] == chosen:
            cells = [f"**{cell}**" for cell in cells]
        rows.append(cells)
    return table(["complexity", "MAE", "score", "equation"], rows)


def yes_or_no(value: bool) -> str:
    """A verdict in a word."""
    return "yes" if value else "no"


def short(equation: str, digits: int = 3) -> str:
    """An equation's text with its numbers rounded to a few significant digits."""

    def rounded(match) -> str:
        return f"{float(match.group()):.{digits}g}"

    return re.sub(r"(?<![A-Za-z_\d.])\d+\.\d+(?:[eE][-+]?\d+)?", rounded, equation)
