"""Every number on the pages that show records comes from a record, or is the paper's.

The chapters' cells are run here against copies of the records: with one of them taken away, what
it said must be gone from the page; with all of them, no number may be left but the paper's.
"""

import ast
import functools
import re
import shutil
import sys
from pathlib import Path

import jupytext
import pytest
from IPython.display import Markdown

import symlib.book.building
from symlib.papers.cranmer2020 import data as paper
from symlib.papers.cranmer2020.pages import tables
from symlib.records.reading import BOOK
from symlib.simulation import nbody
from symlib.symbolic.search.selection import scores

CHAPTERS = Path(__file__).resolve().parents[3] / "notebooks"
PAGES = ("05_tables", "06_equations", "07_training")
# A number that was measured has a decimal point or an exponent; counts and years have not.
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+)(?![\w.])")


@pytest.fixture(autouse=True)
def simulated_once(monkeypatch):
    """Simulations that a page makes are the same each time, and records play no part in them."""
    monkeypatch.setattr(nbody, "simulate", _simulate)


@functools.cache
def _simulate(*arguments, **options):
    return SIMULATE(*arguments, **options)


SIMULATE = nbody.simulate


def records() -> dict[str, Path]:
    """One record of each kind, the last of each folder."""
    found = {}
    for path in sorted(set(tables.RESULTS.rglob("*.json")) - set(tables.RESULTS.glob("schemas/*"))):
        found[path.parent.relative_to(tables.RESULTS).as_posix()] = path
    return found


def cells(page: str, kind: str) -> list[str]:
    notebook = jupytext.read(CHAPTERS / f"{page}.py")
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def said(page: str, folder: Path, monkeypatch) -> str:
    """What the cells of a chapter show, tables and the texts of figures, with other records."""
    text: list[str] = []
    for name, module in list(sys.modules.items()):
        if name.startswith("symlib.") and hasattr(module, "RESULTS"):
            monkeypatch.setattr(module, "RESULTS", folder)
    monkeypatch.setattr(
        symlib.book.building, "show", lambda figure, words, *_, **__: text.append(words)
    )
    monkeypatch.setattr(symlib.book.building, "record_metrics", lambda *_: None)
    space: dict = {}
    for source in cells(page, "code"):
        body = ast.parse(source).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), page, "exec"), space)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), page, "eval"), space)
            text += [value.data] if isinstance(value, Markdown) else []
    return "\n".join(text)


def chapters() -> list[str]:
    return [page for page in PAGES if (CHAPTERS / f"{page}.py").exists()]


def numbers(text: str) -> set[str]:
    return set(NUMBER.findall(text))


def of_the_paper() -> set[float]:
    """Every number that `symlib.papers.cranmer2020.data` holds."""
    found: set[float] = set()

    def walk(value):
        if isinstance(value, dict):
            for one in value.values():
                walk(one)
        elif isinstance(value, list | tuple | set | frozenset):
            for one in value:
                walk(one)
        elif isinstance(value, str):
            found.update(
                float(number) for number in re.findall(r"\d+\.?\d*(?:[eE][-+]?\d+)?", value)
            )
        elif isinstance(value, int | float):
            found.add(float(value))

    for name in vars(paper):
        if name.isupper():
            walk(getattr(paper, name))
    # What the paper's rule says of the paper's own tables.
    for rows in paper.TABLE_4.values():
        complexities, errors = zip(*sorted((row[2], row[1]) for row in rows), strict=True)
        found.update(scores(complexities, errors).tolist())
    return found


def is_one_of(number: str, known: set[float]) -> bool:
    """Whether a number as a page shows it is a known one, rounded."""
    shown = len(re.sub(r"^0+|\D", "", re.split("[eE]", number.replace(".", ""))[0])) or 1
    decimals = len(number.split(".")[1]) if "." in number and "e" not in number.lower() else None
    value = float(number)
    for one in known:
        if float(f"{one:.{shown}g}") == value:
            return True
        if decimals is not None and round(one, decimals) == value:
            return True
    return False


@pytest.mark.parametrize("page", chapters())
def test_prose_holds_no_measured_number(page):
    shown = re.sub(r"`[^`]*`|\$[^$]*\$|\{[^}]*\}`[^`]*`", "", "\n".join(cells(page, "markdown")))
    typed = NUMBER.findall(shown)
    # Sections of the paper, as 4.1.
    assert [number for number in typed if not re.fullmatch(r"[1-5]\.[1-9]", number)] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", chapters())
def test_without_records_a_page_shows_the_papers_numbers_alone(page, tmp_path, monkeypatch):
    text = said(page, tmp_path, monkeypatch)
    known = of_the_paper()
    left = {number for number in numbers(text) if not is_one_of(number, known)}
    # What is simulated or looked up while the page is made needs no record.
    assert left <= LIVE.get(page, set()), f"numbers that no record holds: {sorted(left)}"


LIVE: dict[str, set[str]] = {
    # The recipes, as they are in the code.
    "07_training": {"0.0001", "0.001", "0.002", "0.005", "0.01", "0.1", "0.3", "0.5", "0.6", "0.7",
                    "0.75", "0.8", "0.9"},
}  # fmt: skip


@pytest.mark.slow
def test_what_a_record_said_goes_with_it(tmp_path, monkeypatch):
    whole = tmp_path / "results"
    shutil.copytree(tables.RESULTS, whole)
    original = records()
    pages = {page: said(page, whole, monkeypatch) for page in chapters()}
    unused = []
    for kind, path in original.items():
        copy = whole / path.relative_to(BOOK / "results")
        kept = copy.read_bytes()
        copy.unlink()
        if all(said(page, whole, monkeypatch) == before for page, before in pages.items()):
            unused.append(f"{kind}: {path.name}")
        copy.write_bytes(kept)
    assert [name for name in unused if not name.startswith(ELSEWHERE)] == []


# Shown by chapters that execute what they show: the benches and what `symlib halos` adds.
ELSEWHERE = (".: bench_simulate",)
