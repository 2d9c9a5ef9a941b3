"""The chapters as the landing page lists them: title, what for, time to read and to run.

All of it is read from the chapters themselves, so the list keeps step with them. Each chapter
states both times in its overview, in the words that `read_chapters` looks for.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from symlib.errors import InputError

_TIMES = re.compile(
    r"\*\*Time to read:\*\*\s*(.+?)\.\s+\*\*Time to run:\*\*\s*(.+?)(?=\n[-#]|\n\n|$)", re.DOTALL
)
# Where a chapter is run, if it says so: the heading of the column says it once for all.
_WHERE = re.compile(r" on two cores( at the preset `ci`)?")


@dataclass(frozen=True)
class Chapter:
    """One chapter: its name, e.g. "01_nbody", its title, and two times in words."""

    name: str
    title: str
    read: str
    run: str


def read_chapters(folder: Path, names: list[str] | None = None) -> list[Chapter]:
    """The chapters of a folder, in the order of their numbers.

    Args:
        folder: where the notebooks are.
        names: which ones, e.g. ["01_nbody"]; all when None.

    Raises:
        InputError: a chapter without a title or without both times; the message says how it
            states them.
    """
    import nbformat

    chapters = []
    for path in sorted(Path(folder).glob("[0-9][0-9]_*.ipynb")):
        if names is not None and path.stem not in names:
            continue
        cells = nbformat.read(path, as_version=4).cells
        prose = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        title = re.search(r"^# (.+)$", prose, re.MULTILINE)
        times = _TIMES.search(prose)
        if not title or not times:
            raise InputError(
                f"chapter {path.stem}: its overview must have a title, `# ...`, and say "
                "`**Time to read:** 15 minutes. **Time to run:** about 3 minutes, ...`"
            )
        run = " ".join(re.split(r"[,;.](?:\s|$)", times[2])[0].split())
        read = " ".join(times[1].split())
        chapters.append(Chapter(path.stem, title[1].strip(), read, _WHERE.sub("", run)))
    return chapters


def contents(chapters: list[Chapter], purposes: dict[str, str] | None = None) -> str:
    """A Markdown table of the chapters with links.

    Args:
        chapters: from `read_chapters`.
        purposes: name -> what the chapter is for, in a few words.

    Raises:
        InputError: a purpose of a chapter that does not exist.
    """
    purposes = purposes or {}
    names = [chapter.name for chapter in chapters]
    for name in purposes:
        if name not in names:
            raise InputError(f"no chapter is called {name!r}: choose one of {', '.join(names)}")
    lines = ["| chapter | to read | to run |", "|---|---|---|"]
    for chapter in chapters:
        purpose = purposes.get(chapter.name, "").strip()
        about = f": {purpose}" if purpose else ""
        lines.append(
            f"| {{doc}}`/notebooks/{chapter.name}`{about} | {chapter.read} | {chapter.run} |"
        )
    return "\n".join(lines)
