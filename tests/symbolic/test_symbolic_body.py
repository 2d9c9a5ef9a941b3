"""The verdict on external fields and drags, and what a message's verdict says of them."""

import re

import jax.numpy as jnp
import pytest

from symlib.discovery import judge
from symlib.errors import InputError
from symlib.laws.potentials import PairPotential
from symlib.symbolic import recovered, recovered_body, recovered_pair_energy


def law_with(**terms) -> PairPotential:
    return PairPotential("mine", lambda r, a, b: -a.mass * b.mass / r, dt=0.01, **terms)


def _lorentz(a):
    return 2 * a.charge * jnp.stack([a.velocity[1], -a.velocity[0], *(0 * a.velocity[2:])])


LAWS = {
    "trap": law_with(
        external=lambda a: 0.25 * jnp.sum(a.position**2), drag=lambda a: -0.1 * a.velocity
    ),
    "weight": law_with(external=lambda a: 9.81 * a.mass * a.position[-1]),
    "air": law_with(drag=lambda a: -0.3 * a.velocity * jnp.sqrt(jnp.sum(a.velocity**2))),
    "walls": law_with(external=lambda a: jnp.sum(jnp.maximum(jnp.abs(a.position) - 1, 0))),
    "lorentz": law_with(drag=_lorentz),
    "lattice": law_with(external=lambda a: jnp.sum(jnp.cos(a.position - 1))),
}


@pytest.mark.parametrize(
    ("law", "dim", "text", "axis"),
    [
        ("trap", 2, "-0.5*x/m - 0.1*vx/m", "x"),
        ("trap", 3, "-(0.51*z + 0.098*vz)/m", "z"),
        ("weight", 2, "-9.7", "y"),
        ("weight", 3, "-9.9", "z"),
        ("weight", 3, "0", "x"),
        ("air", 2, "-0.3*vx*sqrt(vx^2 + vy^2)/m", "x"),
        ("air", 3, "-0.3*vy*(vx^2 + vy^2 + vz^2)^0.51/m", "y"),
        ("walls", 2, "IF(x > 1.02, -1/m, IF(x < -0.99, 1/m, 0))", "x"),
        ("lorentz", 2, "2*q*vy/m", "x"),
        ("lorentz", 3, "-1.95*q*vx/m", "y"),
        ("lorentz", 3, "0", "z"),
        ("lattice", 2, "1.02*sin(0.99*y - 1)/m", "y"),
    ],
)
def test_the_acceleration_of_one_body_is_recovered_component_by_component(law, dim, text, axis):
    for asked in (None, axis):
        verdict = recovered_body(text, LAWS[law], dim, asked)
        assert verdict and verdict.quantity == "body acceleration", verdict.reason
        assert f"the {axis} acceleration" in verdict.reason
    for other in {"x", "y"} - {axis} if text != "0" else ():
        assert not recovered_body(text, LAWS[law], dim, other)


@pytest.mark.parametrize(
    ("law", "text", "why"),
    [
        ("trap", "-0.5*x/m", "not proportional to the x"),
        ("trap", "-0.5*x/m - 0.15*vx/m", "would have to be"),
        ("trap", "-0.7*x/m - 0.14*vx/m", "1.4 times the x .* must be 1"),
        ("trap", "0.5*x/m + 0.1*vx/m", "-1 times the x .* must be 1"),
        ("trap", "-0.5*x - 0.1*vx", "not proportional"),
        ("trap", "-0.5*x/m - 0.1*vx/m + 0.05", "extra term 0.05"),
        ("trap", "-0.5*x/m - 0.1*vy/m", "not proportional"),
        ("trap", "0", "it is zero"),
        ("weight", "-9.81*m", "not proportional to the y"),
        ("weight", "-8", "0.8155 times"),
        ("air", "-0.3*vx*abs(vx)/m", "not proportional"),
        ("walls", "IF(x > 1.3, -1/m, IF(x < -1, 1/m, 0))", "not proportional"),
        ("lorentz", "2*vy/m", "not proportional"),
        ("lattice", "IF(x > 30, 0, sin(x - 1)/m)", "but not at"),
    ],
)
def test_near_misses_of_a_body(law, text, why):
    verdict = recovered_body(text, LAWS[law], 2)
    assert not verdict and verdict.quantity is None
    assert re.search(why, verdict.reason), verdict.reason


def test_a_law_of_pairs_alone_has_nothing_to_find():
    verdict = recovered_body("-0.5*x/m", "r2", 2)
    assert not verdict and verdict.reason == "r2 has no external field and no drag"


def test_a_messages_verdict_says_that_it_is_of_the_pairs_alone():
    told = "; of the pair force: the law's external field and drag are not in a message"
    alone = recovered("m2*(0.3*dx + dy)/r^3", "r2", 2)
    for text in ("m2*(0.3*dx + dy)/r^3", "m2*dx/r^2", "3"):
        verdict, bare = recovered(text, LAWS["trap"], 2), recovered(text, "r2", 2)
        assert bool(verdict) is bool(bare) and verdict.reason.endswith(told)
        assert "field" not in bare.reason and "drag" not in bare.reason
    assert "the law's drag is not in a message" in recovered("3", LAWS["air"], 2).reason
    energy = recovered_pair_energy("m1*m2/r", LAWS["weight"], 2)
    assert energy and energy.reason.endswith("external field is not in a pair energy")
    assert alone.error == recovered("m2*(0.3*dx + dy)/r^3", LAWS["trap"], 2).error


def test_judge_knows_a_body_and_reads_the_dimension_off_the_equation():
    assert judge("-0.5*z/m - 0.1*vz/m", LAWS["trap"], of="body")
    assert judge("-9.81", LAWS["weight"], of="body")
    with pytest.raises(InputError, match="body"):
        judge("dx", "r2", of="bodies")


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [(("m2*dx", 2), "m2"), (("z", 2), "z"), (("x", 4), "dim"), (("x", 2, "z"), "axis")],
)
def test_bad_input(arguments, culprit):
    equation, *rest = arguments
    with pytest.raises(InputError, match=culprit):
        recovered_body(equation, LAWS["trap"], *rest)
