"""Hold the two halves of every chapter together.

A chapter is a jupytext pair: NN_name.py in the percent format, which people read and review,
and NN_name.ipynb without outputs, which Jupyter and papermill open. Edited alone, the halves
drift apart, so a test and a pre-commit hook run this check:

    python -m symlib.pairs              say which pairs differ
    python -m symlib.pairs --from py    write every .ipynb from its .py   (make pairs)
    python -m symlib.pairs --from ipynb write every .py from its .ipynb   (make pairs FROM=ipynb)

Both ways end with an .ipynb that holds no outputs.
"""

import argparse
import hashlib
import sys
from pathlib import Path

from symlib.files import write_whole

REPAIR = (
    "run `make pairs` if the .py is the half that you edited, `make pairs FROM=ipynb` if it is "
    "the .ipynb"
)
_METADATA = {
    "jupytext": {
        "cell_metadata_filter": "tags,-all",
        "formats": "ipynb,py:percent",
        "text_representation": {"extension": ".py", "format_name": "percent"},
    },
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
}


def _essence(notebook) -> list[tuple[str, str, tuple[str, ...]]]:
    return [
        (cell.cell_type, cell.source.strip(), tuple(sorted(cell.metadata.get("tags", []))))
        for cell in notebook.cells
    ]


def _clean(notebook):
    """The cells alone, with ids that follow from them: the same input gives the same bytes."""
    import nbformat

    cells = []
    for index, (kind, source, tags) in enumerate(_essence(notebook)):
        make = {
            "code": nbformat.v4.new_code_cell,
            "markdown": nbformat.v4.new_markdown_cell,
            "raw": nbformat.v4.new_raw_cell,
        }[kind]
        digest = hashlib.sha256(source.encode()).hexdigest()[:8]
        metadata = {"tags": list(tags)} if tags else {}
        cells.append(make(source, id=f"{index:03d}-{digest}", metadata=metadata))
    return nbformat.v4.new_notebook(cells=cells, metadata=_METADATA)


def check(script: Path) -> list[str]:
    """What is wrong with one pair, in sentences; nothing when the halves agree.

    Args:
        script: the .py half; the .ipynb half lies beside it.
    """
    import jupytext
    import nbformat

    twin = script.with_suffix(".ipynb")
    if not script.exists() or not twin.exists():
        missing = script if twin.exists() else twin
        return [f"{missing} is missing"]
    text, notebook = jupytext.read(script), nbformat.read(twin, as_version=4)
    problems = []
    ours, theirs = _essence(text), _essence(notebook)
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False), start=1):
        if one != other:
            problems.append(f"{script} and {twin} differ from cell {number} on")
            break
    else:
        if len(ours) != len(theirs):
            problems.append(f"{script} has {len(ours)} cells, {twin} {len(theirs)}")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if any(cell.outputs or cell.execution_count for cell in code):
        problems.append(f"{twin} holds outputs; the book makes its own")
    return problems


def repair(script: Path, source: str = "py") -> None:
    """Write one half of a pair from the other; the .ipynb comes out without outputs.

    Args:
        script: the .py half.
        source: which half is right, "py" or "ipynb".
    """
    import jupytext
    import nbformat

    twin = script.with_suffix(".ipynb")
    if source == "py":
        notebook = _clean(jupytext.read(script))
    else:
        notebook = _clean(nbformat.read(twin, as_version=4))
        write_whole(script, jupytext.writes(notebook, fmt="py:percent"))
    write_whole(twin, nbformat.writes(notebook) + "\n")


def scripts(folder: Path = Path("notebooks")) -> list[Path]:
    """The .py half of every pair in a folder, whichever of its halves exist."""
    found = {path.with_suffix(".py") for path in folder.glob("[0-9][0-9]_*.*")}
    return sorted(path for path in found if path.suffix == ".py")


def main(arguments: list[str] | None = None) -> int:
    """Check, or with --from repair, every pair in notebooks/."""
    parser = argparse.ArgumentParser(
        prog="python -m symlib.pairs", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--from", dest="source", choices=("py", "ipynb"))
    options = parser.parse_args(arguments)
    problems = []
    for script in scripts():
        if options.source:
            repair(script, options.source)
        problems += check(script)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(REPAIR, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
