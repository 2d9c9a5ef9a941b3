"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence]) -> str:
    """A Markdown table.

    Args:
        columns: the heads.
        rows: of as many cells each; what is no text becomes text.
    """
    head, *body = (f"| {' | '.join(map(str, cells))} |" for cells in (columns, *rows))
    return "\n".join([head, "|" + "---|" * len(columns), *body])
