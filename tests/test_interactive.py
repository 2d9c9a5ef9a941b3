"""The interactive Pareto front: what the drawing holds with and without scripts."""

import re
from types import SimpleNamespace
from xml.etree import ElementTree

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symlib.errors import InputError
from symlib.interactive import HEIGHT, WIDTH, pareto_html, show_pareto

ROWS = [
    {"complexity": 1, "loss": 1.0, "score": 0.0, "equation": "0.123456789"},
    {"complexity": 5, "loss": 0.5, "score": 0.17, "equation": "dx*r"},
    {"complexity": 9, "loss": 0.01, "score": 0.98, "equation": "IF(r < 2 & r > 1, dx, 0)"},
    {"complexity": 12, "loss": 0.009, "score": 0.03, "equation": 'dx "and" <script>'},
]


def drawing(text: str) -> ElementTree.Element:
    """The figure's HTML, which is sound XML too."""
    return ElementTree.fromstring(text)


def points(tree):
    return [group for group in tree.iter() if "data-equation" in group.attrib]


def test_every_equation_is_a_point_and_the_selected_one_stands_out():
    tree = drawing(pareto_html(ROWS))
    found = points(tree)
    assert [point.get("data-complexity") for point in found] == ["1", "5", "9", "12"]
    assert found[0].get("data-equation") == "0.123"
    assert found[2].get("data-equation") == ROWS[2]["equation"]
    assert [point.get("class") for point in found] == ["point"] * 2 + ["point selected", "point"]
    space = "{http://www.w3.org/2000/svg}"
    assert [len(list(point.iter(f"{space}polygon"))) for point in found] == [0, 0, 1, 0]
    titles = [point.find(f"{space}title").text for point in found]
    assert "IF(r < 2 & r > 1, dx, 0) (selected: complexity 9" in titles[2]


def test_it_is_whole_without_scripts_and_loads_nothing():
    text = pareto_html(ROWS, title="spring-2")
    assert "<script" not in text and "&lt;script&gt;" in text
    assert not re.findall(r'(?:href|src)="', text)
    tree = drawing(text)
    svg = tree[0]
    assert svg.get("role") == "img"
    assert "spring-2: 4 equations" in svg.get("aria-label")
    assert "at complexity 9" in svg.get("aria-label")
    said = tree[-1]
    assert "IF(r < 2" in "".join(said.itertext()) and "complexity 9" in "".join(said.itertext())


def test_a_regression_brings_its_own_choice():
    table = pd.DataFrame(ROWS)
    regression = SimpleNamespace(equations_=table, selected=table.iloc[1], rows=lambda: ROWS)
    tree = drawing(pareto_html(regression))
    assert points(tree)[1].get("class") == "point selected"
    tree = drawing(pareto_html(regression, selected=12))
    assert points(tree)[3].get("class") == "point selected"


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        ([], {}, "no equations"),
        ([{"complexity": 1, "loss": 1.0, "score": 0.0}], {}, "row 1 has no equation"),
        ([{**ROWS[0], "loss": float("nan")}], {}, "row 1 has loss nan"),
        ([{**ROWS[0], "loss": -1.0}], {}, "row 1 has loss"),
        ([{**ROWS[0], "score": float("inf")}], {}, "row 1"),
        (ROWS, {"selected": 7}, "complexity 7"),
    ],
)
def test_what_cannot_be_drawn_is_refused(rows, options, said):
    with pytest.raises(InputError, match=said):
        pareto_html(rows, **options)


row = st.fixed_dictionaries(
    {
        "loss": st.floats(0, 1e12) | st.floats(0, 1e-12) | st.floats(1e-300, 1e-290),
        "score": st.floats(-50, 50),
        "equation": st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(row, min_size=1, max_size=12), st.integers(1, 400))
def test_nothing_leaves_the_drawing(rows, last):
    # Complexities rise, evenly or not.
    for number, made in enumerate(rows):
        made["complexity"] = 1 + number * max(1, last // len(rows))
    tree = drawing(pareto_html(rows))
    numbers = {"x": WIDTH, "cx": WIDTH, "y": HEIGHT, "cy": HEIGHT}
    for element in tree.iter():
        for name, most in numbers.items():
            value = element.get(name)
            assert value is None or -1 <= float(value) <= most + 1, (element.tag, name, value)


def test_a_chapter_shows_it_with_a_text(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    show_pareto(ROWS, title="spring-2")
    assert shown[0]["text/html"] == pareto_html(ROWS, title="spring-2")
    assert shown[0]["text/plain"].startswith("Pareto front of spring-2")
