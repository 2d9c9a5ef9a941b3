"""The comparison of metrics can fail, in each way that it is there to notice."""

import pytest
from regression import compare, flaws


def entry(value, reason="three seeds agree to this", **tolerance):
    return {"value": value, "tolerance": tolerance, "reason": reason}


@pytest.mark.parametrize(
    ("measured", "record"),
    [
        (1.05, entry(1.0, abs=0.1)),
        (-1.05, entry(-1.0, rel=0.1)),
        (0.995, entry(0.999, min=0.99)),
        (0.02, entry(0.03, max=0.05)),
        (0.02, entry(0.03, min=0.01, max=0.05)),
        (True, entry(True, equal=True)),
        ("x + 1", entry("x + 1", equal=True)),
    ],
)
def test_within_tolerance(measured, record):
    assert compare({"metric": measured}, {"metric": record}) == []


@pytest.mark.parametrize(
    ("measured", "record"),
    [
        (1.15, entry(1.0, abs=0.1)),
        (-1.15, entry(-1.0, rel=0.1)),
        (0.985, entry(0.999, min=0.99)),
        (0.06, entry(0.03, max=0.05)),
        (0.06, entry(0.03, min=0.01, max=0.05)),
        (0.005, entry(0.03, min=0.01, max=0.05)),
        (False, entry(True, equal=True)),
        (1, entry(True, equal=True)),
        (True, entry(1.0, abs=0.1)),
        ("1.0", entry(1.0, abs=0.1)),
        (float("nan"), entry(1.0, abs=0.1)),
        (float("inf"), entry(1.0, min=0.0)),
    ],
)
def test_outside_tolerance(measured, record):
    (problem,) = compare({"metric": measured}, {"metric": record})
    assert problem.startswith("metric: measured")


def test_a_metric_on_one_side_alone():
    record = {"old": entry(1.0, abs=0.1)}
    problems = compare({"new": 1.0}, record)
    assert len(problems) == 2
    assert any("not on record" in problem for problem in problems)
    assert any("did not measure" in problem for problem in problems)


@pytest.mark.parametrize(
    "record",
    [
        entry(1.0, reason=" ", abs=0.1),
        entry(1.0),
        entry(1.0, about=0.1),
        entry("text", abs=0.1),
        entry(True, min=0.5),
        entry(1.0, min=2.0),
        {"value": 1.0, "tolerance": {"abs": 1}},
        1.0,
    ],
)
def test_a_record_must_be_sound(record):
    assert flaws({"metric": record})
    assert compare({"metric": 1.0}, {"metric": record})
