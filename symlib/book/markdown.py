"""Tables in Markdown, and numbers and equations that fit into them."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

EMPTY = "–"


def table(columns: Sequence[str], rows: Iterable[Sequence]) -> str:
    """A Markdown table.

    Args:
        columns: the heads.
        rows: of as many cells each; what is no text becomes text.
    """
    lines = [f"| {' | '.join(map(str, cells))} |" for cells in (columns, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(columns), *lines[1:]])


def front(rows: Iterable[dict], selected: int | None, mae: str = ".3g") -> str:
    """A Pareto front as a table, the selected equation in bold.

    Args:
        rows: with complexity, loss, score and equation, as a record or `Regression.rows` has them.
        selected: the complexity of the selected one.
        mae: how errors are written.
    """
    cells = []
    for row in rows:
        texts = [str(row["complexity"]), f"{row['loss']:{mae}}", f"{row['score']:.3f}"]
        texts.append(code(row["equation"]))
        bold = "**" if row["complexity"] == selected else ""
        cells.append([f"{bold}{text}{bold}" for text in texts])
    return table(["complexity", "MAE", "score", "equation"], cells)


def yes_or_no(value: bool) -> str:
    """A verdict in a word."""
    return "yes" if value else "no"


def digits(value: float | None, count: int) -> str:
    """A number with so many significant digits, its zeros kept, without an exponent."""
    if value is None or np.isnan(value):
        return EMPTY
    if value == 0:
        return "0"
    text = f"{value:#.{count}g}"
    return (f"{float(text):.0f}" if "e+" in text else text).rstrip(".")


def spread(values: Sequence[float]) -> float:
    """Standard deviation over seeds (n - 1 below the root); 0 for fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def measured(values: Sequence[float], decimals: int | None = None) -> str:
    """Mean ± spread over seeds; the mean alone of a single one.

    Args:
        values: one per seed.
        decimals: how many; three significant digits when None.
    """
    if not len(values):
        return EMPTY
    shown = (np.mean(values), spread(values))[: len(values)]
    return " ± ".join(digits(v, 3) if decimals is None else f"{v:.{decimals}f}" for v in shown)


def code(equation: str) -> str:
    """An equation in short as code, powers as the paper writes them."""
    return f"`{short(equation).replace('**', '^')}`"


def short(equation: str, digits: int = 3) -> str:
    """An equation's text with its numbers rounded to a few significant digits."""

    def rounded(match) -> str:
        return f"{float(match.group()):.{digits}g}"

    return re.sub(r"(?<![A-Za-z_\d.])\d+\.\d+(?:[eE][-+]?\d+)?", rounded, equation)
