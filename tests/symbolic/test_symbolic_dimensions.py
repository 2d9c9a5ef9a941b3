"""Dimensions of constants, and equations in the units of what was measured."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symlib.errors import InputError
from symlib.symbolic.algebra.dimensions import (
    CHARGE,
    LENGTH,
    MASS,
    Dimension,
    constant_dimensions,
    constant_units,
    in_user_units,
    unit_text,
)
from symlib.symbolic.algebra.expressions import evaluate, symbol
from symlib.symbolic.algebra.parsing import equation_text, parse_equation

DIMS = {"m1": MASS, "m2": MASS, "q1": CHARGE, "q2": CHARGE, "dx": LENGTH, "r": LENGTH}
ACCELERATION = Dimension(length=1, time=-2)
UNITS = {"length": "um", "time": "s", "mass": "kg", "charge": "e"}


def parsed(text):
    return parse_equation(text, DIMS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6.7*m2/r^2", {6.7: "um^3 kg^-1 s^-2"}),
        ("2.5*(r - 1)*dx/r", {2.5: "s^-2", -2.5: "um s^-2"}),
        ("dx*(r - 1)/(2.5*r)", {0.4: "s^-2", -1.0: "um"}),
        ("3*m2*dx/(r^2 + 0.04)^1.5", {3.0: "um^3 kg^-1 s^-2", 0.04: "um^2"}),
        ("0.3*m2*dx/r^2.98", {0.3: "um^2.98 kg^-1 s^-2", -2.98: ""}),
        ("9*q1*q2/(m1*r^2)", {9.0: "um^3 kg s^-2 e^-2"}),
        ("2*exp(-3*r)", {2.0: "um s^-2", -3.0: "um^-1"}),
        ("5*3^(2*r)", {5.0: "um s^-2", 3.0: "", 2.0: "um^-1"}),
        ("2*sqrt(r)", {2.0: "um^(1/2) s^-2"}),
        # A zero needs no unit, whatever stands beside it.
        ("IF(r < 2, 0, 3*m2/r)", {2.0: "um", 3.0: "um^2 kg^-1 s^-2"}),
        ("IF(r < 2, 4, 3*dx)", {2.0: "um", 4.0: "um s^-2", 3.0: "s^-2"}),
        ("3*max(r - 2, 0)", {3.0: "s^-2", -2.0: "um"}),
        ("4*abs(dx) + 2*sign(r - 3)", {4.0: "s^-2", 2.0: "um s^-2", -3.0: "um"}),
    ],
)
def test_constants_have_the_units_that_make_the_equation_consistent(text, expected):
    found = constant_units(parsed(text), DIMS, ACCELERATION, UNITS)
    assert dict(found) == expected
    dimensions = constant_dimensions(parsed(text), DIMS, ACCELERATION)
    assert not dimensions.redundant and not dimensions.notes(UNITS)


@pytest.mark.parametrize("text", ["r + m1", "m2/r^2", "sin(dx)", "2*r^(3*m1)", "IF(r < m1, 2, 3)"])
def test_what_is_not_consistent_for_any_units_is_told(text):
    assert constant_dimensions(parsed(text), DIMS, ACCELERATION) is None
    assert constant_units(parsed(text), DIMS, ACCELERATION, UNITS) is None


def test_a_logarithm_of_a_length_is_of_the_length_over_its_unit_and_that_is_said():
    found = constant_dimensions(parsed("2*log(r) + 1.5"), DIMS, ACCELERATION)
    assert dict(zip(found.values, found.dimensions, strict=True)) == {
        2.0: ACCELERATION,
        1.5: ACCELERATION,
    }
    assert found.notes(UNITS) == ["log(r) is read as log(r / unit), the unit being um"]
    # A constant in it that can have the unit has it.
    found = constant_dimensions(parsed("2*log(3*r)"), DIMS, ACCELERATION)
    assert not found.logarithms and found.dimensions == (ACCELERATION, Dimension(length=-1))


def test_of_constants_that_share_a_unit_as_few_as_possible_have_one():
    found = constant_dimensions(parsed("3*exp(-2*r)*(2 + 4*m2)"), DIMS, ACCELERATION)
    by_value = dict(zip(found.values, found.dimensions, strict=True))
    assert by_value[2.0] == Dimension() and by_value[3.0] == ACCELERATION
    assert {found.values[k] for k in found.redundant} == {2.0, 3.0, 4.0}
    (note,) = found.notes(UNITS)
    assert "only together" in note


def test_units_are_written_with_the_users_names():
    dimension = Dimension(length=2, time=-1, mass=Fraction(1, 2))
    assert unit_text(dimension, UNITS) == "um^2 kg^(1/2) s^-1"
    assert unit_text(dimension, UNITS | {"length": "10 um"}) == "(10 um)^2 kg^(1/2) s^-1"
    assert unit_text(Dimension(), {}) == ""
    with pytest.raises(InputError, match="no unit of mass"):
        unit_text(dimension, {"length": "um", "time": "s"})
    with pytest.raises(InputError, match="'r'"):
        constant_dimensions(parsed("2*r"), {}, ACCELERATION)


def test_a_unit_made_of_others_is_taken_apart():
    pytest.importorskip("pint")
    assert unit_text(Dimension(length=2, time=1), UNITS | {"length": "mm/s"}) == "mm^2 s^-1"


def test_symbolic_does_not_load_pint():
    code = (
        "import sys, symlib.symbolic, symlib.symbolic.algebra.dimensions\n"
        "sys.exit('pint' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


POOL = [
    "6.7*m2*dx/r^3",
    "2.5*(r - 1.3)*dx/r + 0.2",
    "m2*dx/(r^2 + 0.04)^1.5",
    "IF(r < 2, 0.1, 3*dx*(1 - 1.5/r))",
    "IF(2.5 > abs(dx), m2, 3*dx)",
    "r + 0.2*r^3",
    "0.3*m2*dx*(r + 0.01)^-2.98 + 0.1",
    "log(r) + exp(-r)*(1 + 2*m2)",
    "q1*q2*sin(2*r)/m1 - max(r - 2, 0)",
    "sqrt(m1 + 0.5*m2)*r",
]
scale = st.floats(-7, 7).map(lambda exponent: 10**exponent)


@settings(max_examples=60, deadline=None)
@given(
    text=st.sampled_from(POOL),
    scales=st.fixed_dictionaries({name: scale for name in DIMS}),
    result=scale,
)
def test_in_user_units_an_equation_has_the_same_values(text, scales, result):
    names = list(DIMS)
    X = np.exp(np.random.default_rng(0).normal(size=(40, len(names))))
    expected = result * evaluate(parsed(text), X, names)
    ours = in_user_units(parsed(text), scales, result)
    found = evaluate(ours, X * [scales[name] for name in names], names)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())
    # And it can be written down and read again.
    assert parse_equation(equation_text(ours), names).free_symbols == ours.free_symbols


def test_constants_merge_and_a_threshold_stands_alone():
    scales = {"r": 5e-6, "dx": 5e-6, "m2": 1e-3}

    def written(text):
        return equation_text(in_user_units(parsed(text), scales, 1e-3))

    assert written("6.7*m2/r^2") == "1.675e-10*m2/r**2"
    assert written("2.5*(r - 1)*dx/r") == "dx*(500.0 - 0.0025/r)"
    assert written("IF(2 > r, m2, 3*dx)") == "IF(r < 1e-05, m2, 600.0*dx)"
    # Nothing is lost where terms are of very different size in these units.
    assert len(in_user_units(parsed("r + 0.2*r^3"), scales, 1.0).atoms(symbol("r"))) == 1
    assert "200000.0" in equation_text(in_user_units(parsed("r + 0.2*r^3"), scales, 1.0).expand())


def test_the_road_from_scaled_variables_to_constants_with_units():
    """1/r² in micrometres: G has the value and the unit that it has outside."""
    found = in_user_units(parsed("1.2*m2*dx/r^3"), {"dx": 4.0, "r": 4.0, "m2": 0.5}, 3.0)
    ((value, unit),) = constant_units(found, DIMS, ACCELERATION, UNITS)
    assert value == pytest.approx(1.2 * 3.0 * 4.0**2 / 0.5) and unit == "um^3 kg^-1 s^-2"


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_none_is_refused(bad):
    with pytest.raises(InputError, match="scale of r"):
        in_user_units(parsed("r"), {"r": bad}, 1.0)
    with pytest.raises(InputError, match="scale of the result"):
        in_user_units(parsed("r"), {"r": 1.0}, bad)
