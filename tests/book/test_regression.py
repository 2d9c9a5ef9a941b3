"""The comparison of metrics can fail, in each way that it is there to notice."""

import pytest
from regression import compare


def entry(value, reason="three seeds agree to this", **tolerance):
    return {"value": value, "tolerance": tolerance, "reason": reason}


@pytest.mark.parametrize(
    ("record", "inside", "outside"),
    [
        (entry(1.0, abs=0.1), [1.05], [1.15, True, "1.0", float("nan")]),
        (entry(-1.0, rel=0.1), [-1.05], [-1.15]),
        (entry(0.999, min=0.99), [0.995], [0.985, float("inf")]),
        (entry(0.03, max=0.05), [0.02], [0.06]),
        (entry(0.03, min=0.01, max=0.05), [0.02], [0.06, 0.005]),
        (entry(True, equal=True), [True], [False, 1]),
        (entry("x + 1", equal=True), ["x + 1"], ["x"]),
    ],
)
def test_what_is_outside_a_tolerance_is_told(record, inside, outside):
    for measured in inside:
        assert compare({"metric": measured}, {"metric": record}) == []
    for measured in outside:
        (problem,) = compare({"metric": measured}, {"metric": record})
        assert problem.startswith("metric: measured")


def test_a_metric_on_one_side_alone():
    problems = compare({"new": 1.0}, {"old": entry(1.0, abs=0.1)})
    assert "not on record" in problems[0] and "did not measure" in problems[1]


@pytest.mark.parametrize(
    "record",
    [
        entry(1.0, reason=" ", abs=0.1),
        entry(1.0),
        entry(1.0, about=0.1),
        entry("text", abs=0.1),
        entry(1.0, min=2.0),
        {"value": 1.0, "tolerance": {"abs": 1}},
        1.0,
    ],
)
def test_a_record_must_be_sound(record):
    assert "unsound" in compare({"metric": 1.0}, {"metric": record})[0]
