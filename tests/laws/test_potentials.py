"""The pair potentials: their forces against finite differences, and how they refuse."""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symlib.errors import InputError, UnknownChoice
from symlib.laws.potentials import (
    LAWS,
    PairPotential,
    accelerations,
    body_forces,
    get_law,
    pair_forces,
    total_energy,
)
from symlib.simulation.integrator import system_accelerations
from symlib.simulation.nbody import initial_conditions

# A trap that is stiffer for a charge, and a drag that grows with the speed.
TRAPPED = PairPotential(
    "trapped",
    lambda r, a, b: -a.mass * b.mass / r,
    dt=0.01,
    external=lambda a: 0.25 * (2 + a.charge) * jnp.sum(a.position**2),
    drag=lambda a: -0.1 * a.velocity * jnp.sqrt(jnp.sum(a.velocity**2)),
)
CASES = [(name, dim) for name in LAWS for dim in (2, 3)]
_STEP = 1e-6


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@cache
def compiled(name):
    """A law's pair energy and force, compiled once."""
    law = LAWS[name]
    return jax.jit(lambda a, b: law.energy(a, b, 4)), jax.jit(lambda a, b: law.force(a, b, 4))


@pytest.mark.parametrize(("name", "dim"), CASES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_force_is_minus_the_gradient(name, dim, seed):
    a, b = initial_conditions(dim, 2, 1, seed)[0]
    distance = np.linalg.norm(a[:dim] - b[:dim])
    if distance < 0.05 or abs(distance + 0.01 - 2) < 1e-4:
        return  # finite differences fail near the softened core and across the jump
    energy, force = compiled(name)
    expected = np.empty(dim)
    for axis in range(dim):
        moved = np.zeros_like(a)
        moved[axis] = _STEP
        expected[axis] = -(energy(a + moved, b) - energy(a - moved, b)) / (2 * _STEP)
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(force(a, b), expected, atol=2e-6 * scale)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Two bodies 1.99 apart on the x axis, so that the softened distance is 2.
        ("r2", -3 * 5 / 4),
        ("r1", -3 * 5 / 2),
        ("spring", -2.0),
        ("damped", -2.0 - 0.7 / 4),
        ("charge", -1 / 4),
        ("discontinuous", -2.0),
    ],
)
def test_forces_worked_out_by_hand(name, expected):
    receiver = jnp.array([1.99, 0, 0.7, 0, 1, 3.0])
    sender = jnp.array([0, 0, 0.3, 0.2, -1, 5.0])
    np.testing.assert_allclose(LAWS[name].force(receiver, sender, 4), [expected, 0], atol=1e-12)
    inside = LAWS[name].force(receiver.at[0].set(1.9), sender, 4)
    assert (name == "discontinuous") == (not inside.any())


@pytest.mark.parametrize(("name", "dim"), [c for c in CASES if c[0] != "damped"])
def test_action_equals_reaction(name, dim):
    states = initial_conditions(dim, 5, 20, seed=1)
    forces = np.asarray(pair_forces(LAWS[name], states))
    np.testing.assert_allclose(forces, -forces.swapaxes(1, 2), rtol=1e-12, atol=1e-12)
    assert not forces[:, range(5), range(5)].any()


def test_damping_opposes_the_receivers_motion():
    states = initial_conditions(2, 4, 20, seed=2)
    extra = pair_forces(LAWS["damped"], states) - pair_forces(LAWS["spring"], states)
    drag = np.asarray(extra).sum(axis=2)
    np.testing.assert_allclose(drag, -3 / 4 * states[..., 2:4], atol=1e-12)


@pytest.mark.parametrize(("name", "dim"), CASES)
def test_the_integrators_accelerations_are_the_true_ones(name, dim):
    states = initial_conditions(dim, 5, 10, seed=3)
    expected = accelerations(LAWS[name], states)
    fast = jax.vmap(
        lambda s: system_accelerations(
            LAWS[name], s[:, :dim], s[:, dim : 2 * dim], s[:, -2], s[:, -1]
        )
    )(states)
    np.testing.assert_allclose(fast, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dim", [2, 3])
def test_field_and_drag_are_added_to_the_forces_of_the_pairs(dim):
    states = initial_conditions(dim, 5, 10, seed=3)
    place, velocity = states[..., :dim], states[..., dim : 2 * dim]
    charge, mass = states[..., -2, None], states[..., -1:]
    speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
    own = -0.5 * (2 + charge) * place - 0.1 * speed * velocity
    np.testing.assert_allclose(body_forces(TRAPPED, states), own, rtol=1e-12, atol=1e-12)
    pairs = np.asarray(pair_forces(TRAPPED, states))
    np.testing.assert_array_equal(pairs, pair_forces(LAWS["r2"], states))
    expected = (pairs.sum(axis=2) + own) / mass
    np.testing.assert_allclose(accelerations(TRAPPED, states), expected, rtol=1e-12)
    fast = jax.vmap(
        lambda s: system_accelerations(TRAPPED, s[:, :dim], s[:, dim:-2], s[:, -2], s[:, -1])
    )(states)
    np.testing.assert_allclose(fast, expected, rtol=1e-10, atol=1e-12)
    field = (0.25 * (2 + charge) * place**2).sum(axis=(1, 2))
    total, without = (jax.jit(partial(total_energy, one))(states) for one in (TRAPPED, LAWS["r2"]))
    np.testing.assert_allclose(total, without + field, rtol=1e-12)
    assert not TRAPPED.conservative and replace(TRAPPED, drag=None, conservative=True).conservative
    assert not np.any(body_forces(LAWS["damped"], states))


@pytest.mark.parametrize("name", LAWS)
@settings(max_examples=10, deadline=None)
@given(shift=st.floats(-50, 50), seed=st.integers(0, 100))
def test_translation_changes_no_force(name, shift, seed):
    states = initial_conditions(2, 3, 1, seed)
    moved = states.copy()
    moved[..., :2] += shift
    ours, theirs = (accelerations(LAWS[name], s) for s in (states, moved))
    # Forces at a distance r amplify the rounding of the shifted positions by about 1/r^3.
    np.testing.assert_allclose(theirs, ours, rtol=1e-6, atol=1e-6)


def test_total_energy_counts_each_pair_once():
    law = PairPotential("one", lambda r, a, b: 1.0 + 0 * r, dt=0.1)
    states = initial_conditions(2, 5, 3, seed=0)
    kinetic = 0.5 * (states[..., -1:] * states[..., 2:4] ** 2).sum(axis=(1, 2))
    np.testing.assert_allclose(total_energy(law, states), kinetic + 10)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"function": lambda r, a, b: jnp.stack([r, r])}, "must return one number"),
        ({"function": lambda r, a, b: a.position}, "must return one number"),
        ({"function": lambda r, a, b: jnp.log(-r)}, "not finite"),
        ({"function": lambda r, a, b: r / 0.0}, "not finite"),
        ({"function": lambda r, a, b: a.weight}, "could not be evaluated"),
        ({"function": lambda r: r}, "could not be evaluated"),
        ({"function": 3}, "callable"),
        ({"name": ""}, "name"),
        ({"dt": 0}, "dt"),
        ({"dt": float("nan")}, "dt"),
        ({"softening": -1}, "softening"),
        ({"external": 0.5}, "external must be callable"),
        ({"external": lambda a: a.position**2}, "external must return one number"),
        ({"external": lambda a: jnp.log(-a.mass)}, "external or its force is not finite"),
        ({"external": lambda a: a.height}, "external could not be evaluated in 2D"),
        ({"drag": -0.1}, "drag must be callable"),
        ({"drag": lambda a: -a.mass}, "drag must return a force of shape"),
        ({"drag": lambda a: jnp.sqrt(-a.mass) * a.velocity}, "drag or its force is not finite"),
        ({"drag": lambda r, a: a.velocity}, "drag could not be evaluated in 2D"),
    ],
)
def test_bad_potentials_are_refused_when_made(change, words):
    good = {"name": "mine", "function": lambda r, a, b: r, "dt": 0.01}
    with pytest.raises(InputError, match=words) as caught:
        PairPotential(**(good | change))
    assert "name" in change or "mine" in str(caught.value)


def test_a_fingerprint_is_of_what_a_law_computes():
    spring = LAWS["spring"]
    rewritten = PairPotential("other", lambda r, a, b: 1 + r * (r - 2), dt=spring.dt)
    assert rewritten.fingerprint() == spring.fingerprint()
    changed = [
        replace(spring, dt=0.02),
        replace(spring, softening=0.02),
        replace(spring, function=lambda r, a, b: 1.0001 * (r - 1) ** 2),
        replace(spring, function=lambda r, a, b: (r - 1) ** 2 + a.bodies),
        replace(spring, function=lambda r, a, b: (r - 1) ** 2 - (r > 8)),
        replace(spring, external=lambda a: 0.25 * jnp.sum(a.position**2)),
        replace(spring, external=lambda a: 0.26 * jnp.sum(a.position**2)),
        replace(spring, drag=lambda a: -0.1 * a.velocity),
        replace(spring, drag=lambda a: -0.1 * a.velocity / a.bodies),
    ]
    every = {law.fingerprint() for law in (*LAWS.values(), *changed)}
    assert len(every) == len(LAWS) + len(changed)
    with jax.enable_x64(False):
        assert replace(spring).fingerprint() in every


def test_a_law_of_ones_own(tmp_path):
    file = tmp_path / "laws.py"
    file.write_text(
        "from symlib.laws.potentials import PairPotential\n"
        "cube = PairPotential('cube', lambda r, a, b: -a.mass * b.mass / r**3, dt=0.001)\n"
    )
    law = get_law(f"{file}:cube")
    assert law.name == "cube" and get_law(law) is law


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("x = 1\n", "laws.py:cube", "no PairPotential named 'cube'; it has none"),
        ("def f(:\n", "laws.py:cube", "could not be run"),
        ("import nothing_of_this_name\n", "laws.py:cube", "could not be run"),
        ("raise ValueError('my own words')\n", "laws.py:cube", "my own words"),
        ("", "none.py:cube", "there is no file"),
        ("", "laws.py", "path/to/file.py:NAME"),
    ],
)
def test_a_law_that_is_not_in_its_file_is_named(tmp_path, text, place, words):
    (tmp_path / "laws.py").write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        get_law(f"{tmp_path}/{place}")
    assert place.partition(":")[0] in str(caught.value)


def test_unknown_laws_and_states_of_another_width_are_refused():
    with pytest.raises(UnknownChoice, match=r"r2.*spring.*file\.py:NAME"):
        get_law("sprong")
    with pytest.raises(InputError, match="2 dim"):
        accelerations(LAWS["spring"], np.zeros((3, 4, 7)))
