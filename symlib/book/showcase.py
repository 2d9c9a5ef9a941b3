"""The showcase: papers that found an equation with PySR, read from one file and checked.

`book/papers.yml` has one entry for each paper, which book/results/schemas/papers.json describes.
`read_papers` refuses a malformed one with a message that names entry and field, so the book cannot
be built with it; `showcase` writes the page's Markdown by book/_templates/showcase.jinja. The
filter on the page, by field, is a script's, and without scripts the list is whole.
"""

import json
import re
from datetime import date
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader
from jsonschema import Draft202012Validator as Validator
from markupsafe import Markup

from symlib.errors import InputError
from symlib.records.reading import BOOK, SCHEMAS


def read_papers(path: Path, chapters: list[str]) -> list[dict]:
    """The papers of a file, newest first.

    Args:
        path: a YAML file, a list of entries.
        chapters: the names of the book's chapters, e.g. ["01_nbody"].

    Raises:
        InputError: the file cannot be read, or entries are malformed. The message has a line
            for each problem, which names the entry by number and title, and the field.
    """
    path = Path(path)
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path.name}: a list of entries, each a `- title: ...`, is needed")
    schema = json.loads((SCHEMAS / "papers.json").read_text(encoding="utf-8"))
    schema["properties"] |= {"chapter": {"enum": [None, *chapters]}, "see": {"enum": chapters}}
    validator = Validator(schema, format_checker=Validator.FORMAT_CHECKER)
    problems, seen = [], []
    for number, entry in enumerate(entries, start=1):
        title = entry.get("title") if isinstance(entry, dict) else entry
        where = f"{path.name}: entry {number} ({title!r})"
        problems += [f"{where}{problem}" for problem in _problems(entry, validator)]
        if title in seen:
            problems.append(f"{where}: an entry before has this title")
        seen.append(title)
    if problems:
        raise InputError("\n".join(problems))
    return sorted(entries, key=lambda entry: (entry["date"], entry["title"]), reverse=True)


def _problems(entry, validator):
    """What is wrong with an entry, each with the place in it."""
    if isinstance(entry, dict) and isinstance(entry.get("date"), date | int):
        # YAML reads an unquoted date as one, and a year as a number.
        entry["date"] = str(entry["date"])
    errors = list(validator.iter_errors(entry))
    for error in errors:
        needed = error.schema.get("description")
        yield f"{error.json_path[1:]}: {error.message}" + (f"; needed: {needed}" if needed else "")
    if not errors:
        named = {at for author in entry["authors"] for at in author["at"]}
        count = len(entry["affiliations"])
        if named != {*range(1, count + 1)}:
            yield f".authors: each of the affiliations, 1 to {count}, and no other has an author"


def showcase(papers: list[dict]) -> str:
    """The showcase as Markdown (MyST), each paper in a box of its own, in the order given."""
    templates = FileSystemLoader(BOOK / "_templates")
    environment = Environment(loader=templates, trim_blocks=True, finalize=_escaped)
    environment.filters |= {"shown_date": shown_date, "prose": _prose}
    return environment.get_template("showcase.jinja").render(papers=papers)


def shown_date(text: str) -> str:
    """A date as people read it: "2022-02-04" is 4 February 2022, "2022-02" February 2022."""
    day = date.fromisoformat(f"{text}-01-01"[:10])
    return {4: f"{day:%Y}", 7: f"{day:%B %Y}", 10: f"{day.day} {day:%B %Y}"}[len(text)]


def _escaped(value) -> str:
    """Text that Markdown shows as it is."""
    if hasattr(value, "__html__"):
        return value
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", re.sub(r"\s+", " ", str(value)))


def _prose(text: str):
    """Text that Markdown shows as it is, but for the mathematics between dollar signs."""
    parts = re.split(r"(\$[^$]+\$)", " ".join(text.split()))
    parts[::2] = map(_escaped, parts[::2])
    return Markup("".join(parts))
