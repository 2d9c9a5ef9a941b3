"""The interactive Pareto front: what the drawing holds with and without scripts."""

import re
from types import SimpleNamespace
from xml.etree import ElementTree

import pandas as pd
import pytest

from symlib.book.interactive import pareto_html, show_pareto
from symlib.errors import InputError

ROWS = [
    {"complexity": 1, "loss": 1.0, "score": 0.0, "equation": "0.123456789"},
    {"complexity": 5, "loss": 0.5, "score": 0.17, "equation": "dx*r"},
    {"complexity": 9, "loss": 0.01, "score": 0.98, "equation": "IF(r < 2 & r > 1, dx, 0)"},
    {"complexity": 12, "loss": 0.009, "score": 0.03, "equation": 'dx "and" <script>'},
]


def drawn(*front, **options) -> tuple[ElementTree.Element, list[ElementTree.Element]]:
    """The figure's HTML, which is sound XML too, and its points."""
    tree = ElementTree.fromstring(pareto_html(*front, **options))
    return tree, [group for group in tree.iter() if "data-equation" in group.attrib]


def test_every_equation_is_a_point_and_the_selected_one_stands_out():
    tree, found = drawn(ROWS)
    assert [point.get("data-equation") for point in found] == ["0.123"] + [
        row["equation"] for row in ROWS[1:]
    ]
    assert [point.get("class") for point in found] == ["point"] * 2 + ["point selected", "point"]
    assert [point.get("tabindex") for point in found] == ["-1", "-1", "0", "-1"]
    colours = [re.findall("fill: (#......)", use.get("style", "")) for use in tree.iter("use")]
    assert colours.count(["#d55e00"]) == 1 and colours.count(["#0072b2"]) == 4
    assert "IF(r < 2 & r > 1, dx, 0) (selected: complexity 9" in found[2].find("title").text


def test_it_is_whole_without_scripts_and_loads_nothing():
    text = pareto_html(ROWS, title="spring-2")
    assert "<script" not in text and "&lt;script&gt;" in text
    assert "<style" not in text and not re.findall(r'(?:href|src)="[^#]', text)
    svg, said = ElementTree.fromstring(text)
    assert "spring-2: 4 equations" in svg.get("aria-label")
    assert "at complexity 9" in svg.get("aria-label")
    assert "IF(r < 2" in "".join(said.itertext()) and "complexity 9" in "".join(said.itertext())


def test_a_regression_brings_its_own_choice():
    table = pd.DataFrame(ROWS)
    regression = SimpleNamespace(equations_=table, selected=table.iloc[1], rows=lambda: ROWS)
    assert drawn(regression)[1][1].get("class") == "point selected"
    assert drawn(regression, selected=12)[1][3].get("class") == "point selected"


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        ([], {}, "no equations"),
        ([{"complexity": 1, "loss": 1.0, "score": 0.0}], {}, "row 1 has no 'equation'"),
        ([{**ROWS[0], "loss": float("nan")}], {}, "row 1 has loss nan"),
        ([{**ROWS[0], "loss": -1.0}], {}, "row 1 has loss"),
        (ROWS, {"selected": 7}, "complexity 7"),
    ],
)
def test_what_cannot_be_drawn_is_refused(rows, options, said):
    with pytest.raises(InputError, match=said):
        pareto_html(rows, **options)


@pytest.mark.parametrize("losses", [[0.0], [1e12, 0.0], [1.0, 1e-16], [1e-290, 1e-300], [1e-5]])
def test_an_exact_equation_lies_within_the_drawing(losses):
    rows = [
        {"complexity": number, "loss": loss, "score": 50.0 * (-1) ** number, "equation": "dx"}
        for number, loss in enumerate(losses, start=1)
    ]
    svg = drawn(rows)[0][0]
    _, _, width, height = map(float, svg.get("viewBox").split())
    for mark in svg.iter("use"):
        assert 0 <= float(mark.get("x")) <= width and 0 <= float(mark.get("y")) <= height


def test_a_chapter_shows_it_with_a_text(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    show_pareto(ROWS, title="spring-2")
    assert shown[0]["text/html"] == pareto_html(ROWS, title="spring-2")
    assert shown[0]["text/plain"].startswith("Pareto front of spring-2")
