"""The showcase: papers that found an equation with PySR, read from one file and checked.

`book/papers.yml` has one entry for each paper. `read_papers` refuses a malformed one with a
message that names entry and field, so the book cannot be built with it; `showcase` writes the
page's Markdown, newest first. The filter on the page, by field, is a script's (it is drawn
from the list itself), and without scripts the list is whole.
"""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from symlib.errors import InputError

_TEXT = {"type": "string", "pattern": r"\S"}
_CHAPTER = {"type": ["string", "null"], "pattern": r"^\d\d_\w+$"}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "title", "authors", "affiliations", "link", "date", "field", "found", "chapter",
    ],
    "properties": {
        "title": _TEXT,
        "authors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "at"],
                "properties": {
                    "name": _TEXT,
                    "at": {
                        "type": "array",
                        "minItems": 1,
                        "uniqueItems": True,
                        "items": {"type": "integer", "minimum": 1},
                    },
                },
            },
        },
        "affiliations": {"type": "array", "minItems": 1, "items": _TEXT},
        "link": {"type": "string"},
        "date": {"type": "string", "pattern": r"^\d{4}(-\d\d){0,2}$"},
        "field": _TEXT,
        "found": _TEXT,
        "equation": _TEXT,
        "chapter": _CHAPTER,
        "see": {"type": "string", "pattern": r"^\d\d_\w+$"},
    },
}  # fmt: skip
# What the patterns above mean, said to a person.
_EXPECTED = {
    "date": 'a date such as 2022-02-04, "2022-02" or "2022"',
    "chapter": "the name of a chapter, such as 01_nbody, or null",
    "see": "the name of a chapter, such as 01_nbody",
}
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True)
class Paper:
    """One entry of the showcase; every text is as in the file.

    authors: names with the numbers of their affiliations, counted from 1; date: the digits
    that are known, "2022-02-04", "2022-02" or "2022"; equation: LaTeX, or None where the paper
    is not known to state one; chapter: the chapter that runs it, or None; see: the chapter
    whose method is closest, or None.
    """

    title: str
    authors: tuple[tuple[str, tuple[int, ...]], ...]
    affiliations: tuple[str, ...]
    link: str
    date: str
    field: str
    found: str
    equation: str | None
    chapter: str | None
    see: str | None


def read_papers(path: Path, chapters: list[str] | None = None) -> list[Paper]:
    """The papers of a file, newest first.

    Args:
        path: a YAML file, a list of entries; `SCHEMA` says what an entry holds.
        chapters: the names of the book's chapters, e.g. ["01_nbody"]; any are taken when None.

    Raises:
        InputError: the file cannot be read, or entries are malformed. The message has a line
            for each problem, which names the entry by number and title, and the field.
    """
    import yaml

    path = Path(path)
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path.name}: a list of entries, each a `- title: ...`, is needed")
    problems = []
    for number, entry in enumerate(entries, start=1):
        if isinstance(entry, dict) and isinstance(entry.get("date"), date | int):
            # YAML reads an unquoted date as one, and a year as a number.
            entry["date"] = str(entry["date"])
        where = f"{path.name}: entry {number}{_named(entry)}"
        problems += [f"{where}, {problem}" for problem in flaws(entry, chapters)]
    titles = [entry.get("title") for entry in entries if isinstance(entry, dict)]
    for title in {title for title in titles if isinstance(title, str)}:
        if titles.count(title) > 1:
            problems.append(f"{path.name}: {titles.count(title)} entries, title: all {title!r}")
    if problems:
        raise InputError("\n".join(problems))
    papers = [
        Paper(
            authors=tuple((author["name"], tuple(author["at"])) for author in entry["authors"]),
            affiliations=tuple(entry["affiliations"]),
            equation=entry.get("equation"),
            see=entry.get("see"),
            **{name: entry[name] for name in ("title", "link", "date", "field", "found")},
            chapter=entry["chapter"],
        )
        for entry in entries
    ]
    return sorted(papers, key=lambda paper: (paper.date, paper.title), reverse=True)


def flaws(entry, chapters: list[str] | None = None) -> list[str]:
    """What is wrong with one entry, each as `field NAME: ...`; empty when it is sound."""
    from jsonschema import Draft202012Validator

    found = []
    for error in sorted(Draft202012Validator(SCHEMA).iter_errors(entry), key=_order):
        found += _said(error)
    if found:
        return found
    link = urlsplit(entry["link"])
    if link.scheme not in ("http", "https") or "." not in link.netloc or " " in entry["link"]:
        found.append(f"field link: {entry['link']!r} is not an address that begins with https://")
    if not _is_date(entry["date"]):
        found.append(f"field date: there is no {entry['date']!r}; {_EXPECTED['date']} is needed")
    count, used = len(entry["affiliations"]), set()
    for author in entry["authors"]:
        used |= set(author["at"])
        found += [
            f"field authors: {author['name']} is at {number}, but there are {count} affiliations"
            for number in author["at"]
            if number > count
        ]
    found += [
        f"field affiliations: no author is at number {number}, {entry['affiliations'][number - 1]}"
        for number in range(1, count + 1)
        if number not in used
    ]
    for name in ("chapter", "see"):
        if chapters is not None and entry.get(name) not in (None, *chapters):
            found.append(
                f"field {name}: there is no chapter {entry[name]!r}; choose one of "
                f"{', '.join(chapters)}, or leave it {'null' if name == 'chapter' else 'out'}"
            )
    return found


def showcase(papers: list[Paper]) -> str:
    """The showcase as Markdown (MyST), each paper in a box of its own, in the order given."""
    return "\n\n".join(_entry(paper) for paper in papers) + "\n"


def shown_date(text: str) -> str:
    """A date as people read it: "2022-02-04" is 4 February 2022, "2022-02" February 2022."""
    year, *rest = text.split("-")
    parts = [MONTHS[int(rest[0]) - 1], year] if rest else [year]
    return " ".join([str(int(rest[1])), *parts] if len(rest) > 1 else parts)


def _entry(paper: Paper) -> str:
    authors = ", ".join(
        f"{_plain(name)}{{sup}}`{','.join(map(str, at))}`" for name, at in paper.authors
    )
    affiliations = ", ".join(
        f"{{sup}}`{number}` {_plain(name)}" for number, name in enumerate(paper.affiliations, 1)
    )
    if paper.chapter:
        run = f"**In this book:** {{doc}}`/notebooks/{paper.chapter}` runs it."
    elif paper.see:
        run = (
            "**In this book:** no chapter runs it; the closest in method is "
            f"{{doc}}`/notebooks/{paper.see}`."
        )
    else:
        run = "**In this book:** no chapter runs it."
    boxes = [
        ("paper-title", f"**[{_plain(paper.title)}](<{paper.link}>)**"),
        ("paper-authors", authors),
        ("paper-affiliations", affiliations),
        ("paper-field", _plain(paper.field)),
        ("paper-date", shown_date(paper.date)),
        ("paper-found", paper.found.strip()),
        ("paper-equation", f"$$\n{paper.equation.strip()}\n$$" if paper.equation else ""),
        ("paper-run", run),
    ]
    lines = [f":::{{div}} {name}\n{text}\n:::" for name, text in boxes if text]
    return "::::{div} paper\n" + "\n".join(lines) + "\n::::"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~$^:-])", r"\\\1", " ".join(text.split()))


def _is_date(text: str) -> bool:
    parts = [int(part) for part in text.split("-")]
    try:
        date(*parts, *[1] * (3 - len(parts)))
    except ValueError:
        return False
    return True


def _named(entry) -> str:
    title = entry.get("title") if isinstance(entry, dict) else None
    return f" ({title!r})" if isinstance(title, str) else ""


def _order(error) -> list[str]:
    return [str(part) for part in error.absolute_path]


def _said(error) -> list[str]:
    """One finding of jsonschema as `field NAME: ...`, for each field that it is about."""
    path, rule = list(error.absolute_path), error.validator
    name = str(path[0]) if path else ""
    place = name + "".join(
        f", number {part + 1}" if isinstance(part, int) else f", {part}" for part in path[1:]
    )
    if rule == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        # One finding for each missing key is made by jsonschema already.
        key = next(key for key in missing if f"'{key}'" in error.message)
        return [f"field {f'{place}, ' if place else ''}{key}: is missing"]
    if rule == "additionalProperties":
        known = error.schema["properties"]
        return [
            f"field {f'{place}, ' if place else ''}{key}: is unknown; choose among "
            f"{', '.join(known)}"
            for key in error.instance
            if key not in known
        ]
    if not path:
        return [f"field title: an entry begins with `- title:`, this one is {error.instance!r}"]
    if rule == "minItems":
        return [f"field {place}: is empty; at least one is needed"]
    needed = _EXPECTED.get(name)
    if needed is None and rule == "pattern":
        return [f"field {place}: is empty"]
    if needed is None:
        needed = "whole numbers from 1, each once" if "at" in path else f"{error.schema['type']}"
        needed = {"string": "text", "array": "a list", "object": "{name: ..., at: [...]}"}.get(
            needed, needed
        )
    return [f"field {place}: {needed} is needed, got {error.instance!r}"]
