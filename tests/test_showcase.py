"""The showcase's file: what it may hold, what is refused, and what the page says."""

import copy

import pytest
import yaml
from book_site import small_book

from symlib.book import BookFailed, chapter_names, find_root, render
from symlib.errors import InputError
from symlib.showcase import flaws, read_papers, showcase, shown_date

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
    dates = [paper.date for paper in papers]
    assert dates == sorted(dates, reverse=True)
    assert {"cosmology", "particle physics", "knot theory"} <= {paper.field for paper in papers}


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"title": ...}, "title", "missing"),
        ({"found": ...}, "found", "missing"),
        ({"chapter": ...}, "chapter", "missing"),
        ({"titel": "x"}, "titel", "unknown"),
        ({"title": " "}, "title", "empty"),
        ({"title": 3}, "title", "text is needed"),
        ({"authors": []}, "authors", "at least one"),
        ({"authors": "me"}, "authors", "a list is needed"),
        ({"authors": ["me"]}, "authors, number 1", "is needed, got 'me'"),
        ({"authors": [{"name": "me"}]}, "authors, number 1, at", "missing"),
        ({"authors": [{"name": "", "at": [1]}]}, "authors, number 1, name", "empty"),
        ({"authors": [{"name": "me", "at": [0]}]}, "authors, number 1, at, number 1", "from 1"),
        ({"authors": [{"name": "me", "at": [1, 2, 3]}]}, "authors", "there are 2 affiliations"),
        ({"authors": [{"name": "me", "at": [1]}]}, "affiliations", "no author is at number 2"),
        ({"affiliations": []}, "affiliations", "at least one"),
        ({"link": "arxiv.org/abs/1"}, "link", "not an address"),
        ({"link": "ftp://example.org"}, "link", "not an address"),
        ({"date": "May 2021"}, "date", "2022-02-04"),
        ({"date": "2021-13"}, "date", "there is no '2021-13'"),
        ({"date": "2021-02-30"}, "date", "there is no"),
        ({"date": None}, "date", "is needed"),
        ({"equation": ""}, "equation", "empty"),
        ({"chapter": "orbits"}, "chapter", "such as 01_nbody"),
        ({"chapter": "77_none"}, "chapter", "choose one of 01_a"),
        ({"see": "77_none"}, "see", "choose one of 01_a"),
    ],
)
def test_a_malformed_entry_is_named_with_its_field(changes, field, said, tmp_path):
    path = written(tmp_path, entry(title="Fine"), entry(**changes))
    with pytest.raises(InputError) as caught:
        read_papers(path, ["01_a"])
    (line,) = str(caught.value).splitlines()
    assert line.startswith("papers.yml: entry 2") and f"field {field}: " in line and said in line


def test_every_problem_has_a_line(tmp_path):
    path = written(tmp_path, entry(date="x", link="y"), entry(field=...), entry(), entry())
    with pytest.raises(InputError) as caught:
        read_papers(path)
    lines = str(caught.value).splitlines()
    assert [line.split(" field ")[1].split(":")[0] for line in lines[:2]] == ["date", "field"]
    assert "entries, title: all" in lines[-1]


@pytest.mark.parametrize("text", ["", "a: 1", "[]", "- [", "- 3", "\x00"])
def test_what_is_no_list_of_entries_is_refused(text, tmp_path):
    path = tmp_path / "papers.yml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"papers\.yml"):
        read_papers(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_papers(tmp_path / "absent.yml")


def test_yaml_runs_nothing(tmp_path):
    path = tmp_path / "papers.yml"
    path.write_text("- !!python/object/apply:os.getcwd []\n")
    with pytest.raises(InputError, match="not YAML"):
        read_papers(path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("2022-02-04", "4 February 2022"), ("2022-12", "December 2022"), ("2022", "2022")],
)
def test_dates_show_what_is_known(text, shown, tmp_path):
    assert shown_date(text) == shown
    # Unquoted, YAML makes a date or a number of it.
    path = tmp_path / "papers.yml"
    sound = entry(date="DATE")
    path.write_text(yaml.safe_dump([sound]).replace("DATE", text))
    assert read_papers(path)[0].date == text


def test_the_page_shows_text_as_it_is_and_says_what_the_book_runs(tmp_path):
    path = written(
        tmp_path,
        entry(),
        entry(title="B", chapter="01_a", equation="F = 1", date="2023"),
        entry(title="C", see="01_a", date="1999-01"),
    )
    first, second, third = showcase(read_papers(path, ["01_a"])).split("::::{div} paper\n")[1:]
    assert "**[B]" in first and "{doc}`/notebooks/01_a` runs it" in first and "$$\nF = 1" in first
    assert r"A law of \*stars\*" in second and "no chapter runs it." in second
    assert r"\$ du Châtelet" in second and "<https://example.org/a(1)>" in second
    assert "$1/r^2$" in second and "$$" not in second
    assert "closest in method is {doc}`/notebooks/01_a`" in third and "January 1999" in third


def test_a_sound_entry_has_no_flaws():
    assert flaws(entry()) == []


@pytest.mark.slow
def test_a_malformed_entry_fails_the_build(tmp_path):
    root = small_book(tmp_path, PAGE)
    written(root / "book", entry(), entry(title="Late", date="soon", colour="red"))
    with pytest.raises(BookFailed) as caught:
        render(root / "executed", tmp_path / "html", root=root)
    said = str(caught.value)
    assert "entry 2 ('Late'), field date:" in said and "field colour: is unknown" in said
    assert not (tmp_path / "html").exists()


@pytest.mark.slow
def test_one_more_entry_is_one_more_paper(tmp_path):
    root = small_book(tmp_path, PAGE)
    written(root / "book", entry(), entry(title="Late", date="2030"))
    page = render(root / "executed", tmp_path / "html", root=root).parent / "book" / "index.html"
    text = page.read_text(encoding="utf-8")
    assert text.index("Late") < text.index("A law of *stars*")
    assert text.count('class="paper docutils') + text.count('class="paper"') == 2
