"""The list of chapters on the landing page keeps step with the chapters."""

import nbformat
import pytest
import yaml
from book_site import small_book
from nbformat.v4 import new_markdown_cell, new_notebook

from symlib.book import BookFailed, chapter_names, find_root, render
from symlib.contents import contents, read_chapters
from symlib.errors import InputError
from symlib.results import write_record

ROOT = find_root()
TIMES = "- **Time to read:** 5 minutes. **Time to run:** about 3 minutes on two cores\n"
OVERVIEW = f"# Title\n\n{TIMES}"


def chapter(folder, text, name="01_test"):
    nbformat.write(new_notebook(cells=[new_markdown_cell(text)]), folder / f"{name}.ipynb")


def test_every_chapter_of_the_book_says_how_long_it_takes():
    chapters = read_chapters(ROOT / "notebooks")
    assert [one.name for one in chapters] == chapter_names(ROOT)
    for one in chapters:
        assert "minute" in one.read and len(one.run) < 60, one


@pytest.mark.parametrize(
    ("text", "run"),
    [
        (OVERVIEW, "about 3 minutes"),
        (OVERVIEW + "  at the preset\n  `ci`, half an hour at `laptop`\n", "about 3 minutes"),
        (OVERVIEW.replace("about", "seconds, since it reads only; about"), "seconds"),
        (OVERVIEW.replace("3 minutes", "3\n  minutes") + "\nMore.", "about 3 minutes"),
    ],
)
def test_times_are_read_from_the_overview(text, run, tmp_path):
    chapter(tmp_path, text)
    (found,) = read_chapters(tmp_path)
    assert (found.title, found.read, found.run) == ("Title", "5 minutes", run)


@pytest.mark.parametrize("text", ["# Title\n", TIMES, ""])
def test_a_chapter_without_them_is_named(text, tmp_path):
    chapter(tmp_path, text)
    with pytest.raises(InputError, match="chapter 01_test: its overview"):
        read_chapters(tmp_path)


def test_the_table_links_and_tells_the_purpose(tmp_path):
    chapter(tmp_path, OVERVIEW)
    chapter(tmp_path, OVERVIEW, "02_more")
    table = contents(read_chapters(tmp_path), {"02_more": " what for"}).splitlines()
    assert table[2] == "| {doc}`/notebooks/01_test` | 5 minutes | about 3 minutes |"
    assert table[3].startswith("| {doc}`/notebooks/02_more`: what for |")
    assert [one.name for one in read_chapters(tmp_path, ["02_more"])] == ["02_more"]
    with pytest.raises(InputError, match="no chapter is called '09_x'"):
        contents(read_chapters(tmp_path), {"09_x": "?"})


def test_a_displayed_equation_on_a_page_can_be_referred_to():
    for path in (ROOT / "book").glob("*.md"):
        lines = path.read_text(encoding="utf-8").splitlines()
        ends = [line for line in lines if line.startswith("$$")][1::2]
        assert all(line.startswith("$$ (") for line in ends), path.name


def test_no_page_is_configured_to_ask_another_host():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    assert (ROOT / "book" / "_static" / config["mathjax_path"]).is_file()
    assert config["nb_ipywidgets_js"] == {}
    for name in (*config["html_js_files"], *config["html_css_files"]):
        assert "http" not in (ROOT / "book" / "_static" / name).read_text(encoding="utf-8")


FRONT = [{"complexity": 3, "loss": 0.5, "score": 1.0, "equation": "dx*r"}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("```{pareto-front} absent.json\n```", "absent.json: no such file"),
        ("```{pareto-front} empty.json\n```", "empty.json: the record of one discovery"),
        ("```{contents-with-times}\n09_x: what for\n```", "no chapter is called '09_x'"),
    ],
)
def test_a_part_of_a_page_that_cannot_be_made_fails_the_build(page, said, tmp_path):
    root = small_book(tmp_path, f"# Title\n\n{page}\n")
    write_record(root / "book" / "empty.json", {"law": "spring"})
    with pytest.raises(BookFailed, match=said):
        render(root / "executed", tmp_path / "html", root=root)


@pytest.mark.slow
def test_parts_of_pages_are_made_from_files(tmp_path):
    page = "# Title\n\n```{pareto-front} run.json\n```\n\n```{scoreboard-totals}\n```\n"
    root = small_book(tmp_path, page)
    facts = {"law": "spring", "dim": 2, "model": "l1", "complexity": 3}
    write_record(root / "book" / "run.json", {**facts, "front": FRONT})
    site = render(root / "executed", tmp_path / "html", root=root).parent
    text = (site / "book" / "index.html").read_text(encoding="utf-8")
    assert 'data-equation="dx*r"' in text and "spring-2, l1: 1 equations" in text
    assert "Table 1: messages and forces" in text and "THEBE_JS_URL" not in text
