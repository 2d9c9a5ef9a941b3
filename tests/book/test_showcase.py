"""The showcase's file: what it may hold, what is refused, and what the page says."""

import copy
import html
import re

import pytest
import yaml
from book_site import small_book

from symlib.book.building import BookFailed, chapter_names, find_root, render
from symlib.book.showcase import read_papers, showcase, shown_date
from symlib.errors import InputError

ROOT = find_root()
PAPERS = ROOT / "book" / "papers.yml"
PAGE = "# Papers\n\n```{showcase} papers.yml\n```\n"
ENTRY = {
    "title": "A law of *stars*",
    "authors": [{"name": "Ada Lovelace", "at": [1]}, {"name": "É. $ du Châtelet", "at": [2, 1]}],
    "affiliations": ["London | Somewhere", "Cirey"],
    "link": "https://example.org/a(1)",
    "date": "2021-05-04",
    "field": "astronomy",
    "found": "Pulls like $1/r^2$.",
    "chapter": None,
}  # fmt: skip


def entry(**changes) -> dict:
    """A sound entry with some fields changed; a value of `...` removes the field."""
    made = {**copy.deepcopy(ENTRY), **changes}
    return {name: value for name, value in made.items() if value is not ...}


def written(tmp_path, *entries):
    path = tmp_path / "papers.yml"
    path.write_text(yaml.safe_dump(list(entries), allow_unicode=True), encoding="utf-8")
    return path


def test_the_showcase_of_the_book_is_sound_and_sorted():
    papers = read_papers(PAPERS, chapter_names(ROOT))
    assert len(papers) >= 8
    dates = [paper["date"] for paper in papers]
    assert dates == sorted(dates, reverse=True)
    assert {"cosmology", "particle physics", "knot theory"} <= {paper["field"] for paper in papers}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": ...}, "'title' is a required property"),
        ({"chapter": ...}, "'chapter' is a required property"),
        ({"titel": "x"}, "'titel' was unexpected"),
        ({"title": " "}, ".title: "),
        ({"authors": ["me"]}, ".authors[0]: 'me' is not of type 'object'"),
        ({"authors": [{"name": "", "at": [1]}]}, ".authors[0].name: "),
        ({"authors": [{"name": "me", "at": [1, 2, 3]}]}, "each of the affiliations, 1 to 2"),
        ({"authors": [{"name": "me", "at": [1]}]}, "each of the affiliations, 1 to 2"),
        ({"link": "arxiv.org/abs/1"}, "needed: an address"),
        ({"link": "https://example.org/> <b>"}, "needed: an address"),
        ({"date": "May 2021"}, "needed: a date such as 2022-02-04"),
        ({"date": "2021-02-30"}, ".date: '2021-02-30'"),
        ({"equation": "x$$<b>$$"}, "without dollar signs"),
        ({"chapter": "77_none"}, "is not one of [None, '01_a']"),
        ({"see": "77_none"}, "is not one of ['01_a']"),
        ({"title": "Fine"}, "an entry before has this title"),
    ],
)
def test_a_malformed_entry_is_named_with_its_field(changes, said, tmp_path):
    path = written(tmp_path, entry(title="Fine"), entry(**changes))
    with pytest.raises(InputError) as caught:
        read_papers(path, ["01_a"])
    (line,) = str(caught.value).splitlines()
    assert line.startswith("papers.yml: entry 2 (") and said in line


@pytest.mark.parametrize(
    "text", ["", "a: 1", "[]", "- [", "- 3", "\x00", "- !!python/object/apply:os.getcwd []\n"]
)
def test_what_is_no_list_of_entries_is_refused(text, tmp_path):
    path = tmp_path / "papers.yml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"papers\.yml"):
        read_papers(path, [])
    with pytest.raises(InputError, match="cannot be read"):
        read_papers(tmp_path / "absent.yml", [])


@pytest.mark.parametrize(
    ("text", "shown"),
    [("2022-02-04", "4 February 2022"), ("2022-12", "December 2022"), ("2022", "2022")],
)
def test_dates_show_what_is_known(text, shown, tmp_path):
    assert shown_date(text) == shown
    # Unquoted, YAML makes a date or a number of it.
    path = tmp_path / "papers.yml"
    path.write_text(yaml.safe_dump([entry(date="DATE")]).replace("DATE", text))
    assert read_papers(path, [])[0]["date"] == text


def test_the_page_says_what_the_book_runs(tmp_path):
    path = written(
        tmp_path,
        entry(),
        entry(title="B", chapter="01_a", equation="F = 1", date="2023"),
        entry(title="C", see="01_a", date="1999-01"),
    )
    first, second, third = showcase(read_papers(path, ["01_a"])).split("::::{div} paper\n")[1:]
    assert "**[B]" in first and "{doc}`/notebooks/01_a` runs it" in first and "$$\nF = 1" in first
    assert "no chapter runs it." in second and "$1/r^2$" in second and "$$" not in second
    assert "closest in method is {doc}`/notebooks/01_a`" in third and "January 1999" in third


@pytest.mark.slow
def test_every_text_of_an_entry_is_shown_as_it_is_and_a_malformed_one_fails_the_build(tmp_path):
    root = small_book(tmp_path, PAGE)
    written(root / "book", entry(), entry(title="Late", date="soon", colour="red"))
    with pytest.raises(BookFailed) as caught:
        render(root / "executed", tmp_path / "html", root=root)
    said = str(caught.value)
    assert "entry 2 ('Late').date:" in said and "'colour' was unexpected" in said
    assert not (tmp_path / "html").exists()
    odd = "::: <b>a</b> *b* `c` [d](e) {f}`g` $ h"
    author = {"name": odd, "at": [1]}
    texts = {"title": odd, "authors": [author], "affiliations": [odd], "field": odd, "found": odd}
    written(root / "book", entry(**texts, equation="a < b\n:::\n<i>"), entry(date="2030"))
    page = render(root / "executed", tmp_path / "html", root=root).parent / "book" / "index.html"
    text = page.read_text(encoding="utf-8")
    assert "<b>" not in text and "<i>" not in text
    main = text[text.index("<h1>Papers") :]
    assert len(re.findall(r'class="paper(?: docutils)?"', main)) == 2
    shown = html.unescape(re.sub(r"<[^>]*>", "", main))
    assert shown.count(odd) == 5 and main.index("4 May 2021") > main.index("2030")
    assert 'href="https://example.org/a(1)"' in main and r"\(1/r^2\)" in shown
