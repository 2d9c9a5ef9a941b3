"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence]) -> str:
    """A Markdown table.

    Args:
        columns: the heads.
        rows: of as many cells each; what is no text becomes text.

    Raises:
        ValueError: a row of another length than the head's.
    """
    lines = [_line(columns), "|" + "---|" * len(columns)]
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"a row of {len(row)} cells in a table of {len(columns)}: {row!r}")
        lines.append(_line(row))
    return "\n".join(lines)


def _line(cells: Sequence) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"
