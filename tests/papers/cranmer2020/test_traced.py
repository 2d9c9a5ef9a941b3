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
from symlib.papers.cranmer2020.pages.equations import (
    paper_front,
    paper_front_judged,
    tolerances,
)
from symlib.records.reading import RESULTS
from symlib.simulation import nbody

CHAPTERS = Path(__file__).resolve().parents[3] / "notebooks"
PAGES = ("05_tables", "06_equations", "07_training", "08_claims")
# A number that was measured has a decimal point or an exponent; counts and years have not.
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+)(?![\w.])")
# What is looked up while a page is made needs no record: the recipes and the verdict's tolerances,
# as they are in the code.
LIVE = {"07_training": {"0.0001", "0.001", "0.002", "0.005", "0.01", "0.1", "0.3", "0.5", "0.6",
                        "0.7", "0.75", "0.8", "0.9"},
        "06_equations": set(NUMBER.findall(tolerances())),
        # Sections of the paper, and a ratio of two of its losses.
        "08_claims": {"4.1", "4.3", "1.16"}}  # fmt: skip


@pytest.fixture(autouse=True)
def simulated_once(monkeypatch):
    """Simulations that a page makes are the same each time, and records play no part in them."""
    monkeypatch.setattr(nbody, "simulate", _simulate)


SIMULATE = nbody.simulate
_simulate = functools.cache(lambda *arguments, **options: SIMULATE(*arguments, **options))


def cells(page: str, kind: str) -> list[str]:
    notebook = jupytext.read(CHAPTERS / f"{page}.py")
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def said(page: str, folder: Path, monkeypatch) -> str:
    """What the cells of a chapter show, tables and the texts of figures, with other records."""
    text: list[str] = []
    for name, module in list(sys.modules.items()):
        if name.startswith("symlib.") and hasattr(module, "RESULTS"):
            monkeypatch.setattr(module, "RESULTS", folder)
    building = symlib.book.building
    monkeypatch.setattr(building, "show", lambda figure, words, *_, **__: text.append(words))
    monkeypatch.setattr(building, "record_metrics", lambda *_: None)
    space: dict = {}
    for source in cells(page, "code"):
        body = ast.parse(source).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), page, "exec"), space)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), page, "eval"), space)
            text += [value.data] if isinstance(value, Markdown) else []
    return "\n".join(text)


def of_the_paper() -> set[float]:
    """Every number that `data` holds, and what the paper's rule and our verdict say of those."""
    tables = [value for name, value in vars(paper).items() if name.isupper()]
    text = f"{tables} {[paper_front(law) for law, _ in paper.TABLE_4]} {paper_front_judged('r2')}"
    return {float(number) for number in re.findall(r"(?<!\w)\d+\.?\d*(?:[eE][-+]?\d+)?", text)}


def is_one_of(number: str, known: set[float]) -> bool:
    """Whether a number as a page shows it is a known one, rounded."""
    shown = len(re.sub(r"^0+|\D", "", re.split("[eE]", number.replace(".", ""))[0])) or 1
    decimals = len(number.split(".")[1]) if "." in number and "e" not in number.lower() else 99
    value = float(number)
    return any(value in (float(f"{one:.{shown}g}"), round(one, decimals)) for one in known)


@pytest.mark.parametrize("page", PAGES)
def test_prose_holds_no_measured_number(page):
    shown = re.sub(r"`[^`]*`|\$[^$]*\$|\{[^}]*\}`[^`]*`", "", "\n".join(cells(page, "markdown")))
    # Sections of the paper, as 4.1.
    typed = NUMBER.findall(shown)
    assert [number for number in typed if not re.fullmatch(r"[1-5]\.[1-9]", number)] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_without_records_a_page_shows_the_papers_numbers_alone(page, tmp_path, monkeypatch):
    found, known = set(NUMBER.findall(said(page, tmp_path, monkeypatch))), of_the_paper()
    left = {number for number in found if not is_one_of(number, known)}
    assert left <= LIVE.get(page, set()), f"numbers that no record holds: {sorted(left)}"


@pytest.mark.slow
def test_what_a_record_said_goes_with_it(tmp_path, monkeypatch):
    whole = tmp_path / "results"
    shutil.copytree(RESULTS, whole)
    pages = {page: said(page, whole, monkeypatch) for page in PAGES}
    # One record of each kind, the last of each folder; those of tracks are on another page, whose
    # tables have tests of their own.
    others = {*whole.glob("schemas/*"), *whole.glob("own_tracks/**/*")}
    paths = sorted(set(whole.rglob("*.json")) - others)
    unused = []
    for path in {path.parent: path for path in paths}.values():
        kept = path.read_bytes()
        path.unlink()
        if all(said(page, whole, monkeypatch) == before for page, before in pages.items()):
            unused.append(path.name)
        path.write_bytes(kept)
    assert unused == []
