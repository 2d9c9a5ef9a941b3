"""Simulations: what physics conserves, an analytic orbit, and how work is divided."""

import functools
import json
import os
from dataclasses import replace

import diffrax
import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from symlib.errors import InputError
from symlib.laws.potentials import LAWS, PairPotential, total_energy
from symlib.papers.cranmer2020.study.bench_simulate import bench_simulate, table
from symlib.simulation import integrator
from symlib.simulation.nbody import TOLERANCE, energy_error, initial_conditions, simulate

CONSERVATIVE = [name for name, law in LAWS.items() if law.conservative]
# One size for most tests, so that few programs are compiled.
SIZE = {"systems": 24, "steps": 200, "progress": False}


@functools.cache
def run(name):
    return simulate(name, **SIZE)


def test_initial_conditions_are_those_of_appendix_b():
    states = initial_conditions(3, 4, 2000, seed=5)
    assert states.shape == (2000, 4, 8) and states.dtype == np.float64
    for normal in (states[..., :6], np.log(states[..., -1:])):
        np.testing.assert_allclose(normal.mean(axis=(0, 1)), 0, atol=0.05)
        np.testing.assert_allclose(normal.std(axis=(0, 1)), 1, atol=0.05)
    assert set(np.unique(states[..., -2])) == {-1.0, 1.0}
    assert abs(states[..., -2].mean()) < 0.05
    few, many = (initial_conditions(2, 4, n, seed=7) for n in (3, 50))
    np.testing.assert_array_equal(few, many[:3])
    assert not np.array_equal(few, initial_conditions(2, 4, 3, seed=8))
    assert len(np.unique(many[..., 0])) == many[..., 0].size


@pytest.mark.parametrize("name", CONSERVATIVE)
def test_energy_and_momentum_are_conserved(name):
    states = run(name).states
    error = energy_error(LAWS[name], states)
    # Stated in nbody.TOLERANCE: the median far below 1e-7, and only close encounters beyond.
    assert np.median(error) < 1e-7 and np.mean(error > 1e-5) <= 0.05
    momentum = (states[..., -1:] * states[..., 2:4]).sum(axis=2)
    scale = np.abs(states[..., -1:] * states[..., 2:4]).sum(axis=2).max(axis=(1, 2))
    drift = np.abs(momentum - momentum[:, :1]).max(axis=(1, 2)) / scale
    assert np.median(drift) < 1e-10 and drift.max() < 1e-6


def _distances(states):
    first, second = np.triu_indices(4, 1)
    return np.linalg.norm(states[:, :, first, :2] - states[:, :, second, :2], axis=-1) + 0.01


def test_energy_of_the_discontinuous_law_moves_by_its_jumps():
    """U loses its jump of 1 when a pair comes closer than 2; the forces cannot know."""
    states = run("discontinuous").states
    outside = (_distances(states) >= 2).sum(axis=-1)
    law = PairPotential(
        "no jump", lambda r, a, b: jax.numpy.where(r < 2, 0.0, (r - 1) ** 2 - 1), dt=0.01
    )
    assert (outside.max(axis=1) > outside.min(axis=1)).any()
    # The integrator steps over a kink in the acceleration, so less exactly than elsewhere.
    assert np.median(energy_error(law, states)) < 1e-5


def test_damping_loses_energy():
    states = run("damped").states
    kinetic = (states[..., -1:] * states[..., 2:4] ** 2).sum(axis=(2, 3))
    energy = 0.5 * kinetic + ((_distances(states) - 1) ** 2).sum(axis=-1)
    # Power of the drag: -(n - 1) / n times the sum of v^2, never positive.
    assert (np.diff(energy, axis=1) <= 1e-8).all()
    assert (energy[:, -1] < 0.9 * energy[:, 0]).all()


@pytest.mark.parametrize("eccentricity", [0.0, 0.6])
def test_two_bodies_follow_the_analytic_orbit(eccentricity):
    """Kepler's ellipse of semi-major axis 1, from pericentre."""
    law = PairPotential("kepler", lambda r, a, b: -a.mass * b.mass / r, dt=0.05, softening=0.0)
    masses = np.array([2.0, 0.5])
    near = 1 - eccentricity
    speed = np.sqrt(masses.sum() * (1 + eccentricity) / near)
    initial = np.zeros((1, 2, 6))
    for body, share in enumerate((masses[1], -masses[0])):
        initial[0, body, [0, 3]] = share / masses.sum() * np.array([near, speed])
    initial[..., 4], initial[..., 5] = 1, masses
    states = simulate(law, initial=initial, steps=200, progress=False).states[0]
    mean = np.sqrt(masses.sum()) * np.arange(200) * law.dt
    anomaly = mean.copy()
    for _ in range(60):
        wrong = anomaly - eccentricity * np.sin(anomaly) - mean
        anomaly -= wrong / (1 - eccentricity * np.cos(anomaly))
    y = np.sqrt(1 - eccentricity**2) * np.sin(anomaly)
    expected = np.stack([np.cos(anomaly) - eccentricity, y], axis=-1)
    np.testing.assert_allclose(states[:, 0, :2] - states[:, 1, :2], expected, atol=1e-6)


def test_three_dimensions_and_many_bodies():
    result = simulate("spring", dim=3, bodies=8, systems=4, steps=50, progress=False)
    assert result.shape == (4, 50, 8, 8)
    assert energy_error(result.law, result.states).max() < 1e-7


TRAPPED = PairPotential(
    "trapped",
    LAWS["spring"].function,
    dt=0.01,
    external=lambda a: 0.25 * a.mass * jax.numpy.sum(a.position**4),
)
DRAGGED = replace(TRAPPED, drag=lambda a: -0.3 * a.charge**2 * a.velocity)


@pytest.mark.parametrize("law", [TRAPPED, DRAGGED], ids=["field", "field and drag"])
def test_bodies_in_a_field_and_a_drag_move_as_scipy_says(law):
    dim, bodies = 3, 4
    states = simulate(law, dim=dim, bodies=bodies, systems=2, steps=300, progress=False).states
    charge, mass = states[0, 0, :, -2:].T
    others = ~np.eye(bodies, dtype=bool)

    def derivative(t, y):
        place, velocity = y.reshape(2, bodies, dim)
        apart = place[:, None] - place[None]
        r = np.linalg.norm(apart, axis=-1) + np.eye(bodies)
        # Of a spring of length 1 and stiffness 2, its extension softened.
        pull = (-2 * (r + 0.01 - 1) / r * others)[..., None] * apart
        force = pull.sum(axis=1) - mass[:, None] * place**3
        if law.drag is not None:
            force -= 0.3 * charge[:, None] ** 2 * velocity
        return np.stack([velocity, force / mass[:, None]]).ravel()

    start = np.stack([states[0, 0, :, :dim], states[0, 0, :, dim : 2 * dim]]).ravel()
    times = law.dt * np.arange(300)
    options = {"method": "DOP853", "rtol": 1e-11, "atol": 1e-11, "t_eval": times}
    found = solve_ivp(derivative, (0, times[-1]), start, **options).y
    expected = np.moveaxis(found.reshape(2, bodies, dim, -1), -1, 0)
    np.testing.assert_allclose(states[0, ..., :dim], expected[:, 0], atol=1e-6)
    np.testing.assert_allclose(states[0, ..., dim : 2 * dim], expected[:, 1], atol=1e-6)


def test_energy_is_conserved_in_a_field_and_lost_to_a_drag():
    states = simulate(TRAPPED, **SIZE).states
    assert energy_error(TRAPPED, states).max() < 1e-6
    # Without the field's energy it would not seem so.
    assert energy_error(LAWS["spring"], states).max() > 0.1
    with jax.enable_x64(True):
        energy = np.asarray(total_energy(DRAGGED, simulate(DRAGGED, **SIZE).states))
    assert (np.diff(energy, axis=1) <= 1e-8).all()
    assert (energy[:, -1] < 0.9 * energy[:, 0]).all()


@pytest.mark.parametrize("name", ["spring", "damped", "r1"])
def test_lanes_agree_with_diffrax_itself(name):
    law, states = LAWS[name], run(name).states

    def alone(state):
        def derivative(t, y, args):
            pulls = integrator.system_accelerations(law, *y, state[:, 4], state[:, 5])
            return jax.numpy.stack([y[1], pulls])

        times = law.dt * jax.numpy.arange(200)
        start = jax.numpy.stack([state[:, :2], state[:, 2:4]])
        terms, control = diffrax.ODETerm(derivative), diffrax.PIDController(TOLERANCE, TOLERANCE)
        options = {"saveat": diffrax.SaveAt(ts=times), "stepsize_controller": control}
        solver = diffrax.Dopri8()
        return diffrax.diffeqsolve(terms, solver, 0.0, times[-1], None, start, **options).ys

    with jax.enable_x64(True):
        expected = np.asarray(jax.jit(jax.vmap(alone))(states[:, 0]))
    difference = np.abs(expected[:, :, 0] - states[..., :2]).max(axis=(1, 2, 3))
    assert np.median(difference) < 1e-6


def test_neighbours_lanes_and_threads_change_nothing(monkeypatch):
    whole = run("r2").states
    np.testing.assert_array_equal(simulate("r2", **SIZE | {"systems": 5}).states, whole[:5])
    assert not np.array_equal(simulate("r2", seed=1, **SIZE).states, whole)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(3), raising=False)
    monkeypatch.setattr(integrator, "LANES", 4)
    integrator._program.cache_clear()
    np.testing.assert_array_equal(simulate("r2", **SIZE).states, whole)
    integrator._program.cache_clear()


@pytest.mark.parametrize(("systems", "steps"), [(3 * integrator.LANES + 5, 3), (2, 1)])
def test_all_systems_arrive_in_order(systems, steps):
    result = simulate("spring", systems=systems, steps=steps, progress=False)
    initial = initial_conditions(2, 4, systems, 0)
    np.testing.assert_array_equal(result.system_numbers, np.arange(systems))
    np.testing.assert_array_equal(result.states[:, 0], initial)
    # Charges and masses stay.
    fixed = np.broadcast_to(initial[:, None, :, 4:], (systems, steps, 4, 2))
    np.testing.assert_array_equal(result.states[..., 4:], fixed)


def test_unfinished_systems_are_counted_and_left_out():
    # The median 1/r system takes some 60 steps here, so a limit of 60 splits them.
    result = simulate("r1", max_steps=60, **SIZE | {"systems": 30})
    assert 0 < len(result.failed) < 30 == len(result) + len(result.failed)
    assert result.share_failed == len(result.failed) / 30
    np.testing.assert_array_equal(
        result.states[:, 0], initial_conditions(2, 4, 30, 0)[result.system_numbers]
    )
    with pytest.raises(InputError, match=r"could not finish any.*max_steps"):
        simulate("r2", max_steps=1, **SIZE)


def test_a_potential_that_is_nan_somewhere_fails_only_there():
    """sqrt(6 - r) ends at r = 6: systems that get there are given up, not kept as NaN."""
    law = PairPotential("wall", lambda r, a, b: -0.01 * jax.numpy.sqrt(6 - r), dt=0.01)
    result = simulate(law, max_steps=2000, **SIZE)
    assert 0 < len(result.failed) < 24 and np.isfinite(result.states).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bodies": 2.5}, "bodies"),
        ({"dim": 4}, "unknown dim 4: choose one of 2, 3"),
        ({"systems": 0}, "systems"),
        ({"steps": True}, "steps"),
        ({"seed": -1}, "seed"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"max_steps": 0}, "max_steps"),
        ({"dtype": "float16"}, "dtype.*float64, float32"),
        ({"law": "sprong"}, "law.*spring"),
        ({"initial": np.zeros((2, 4, 5))}, "initial.*shape"),
        ({"initial": np.full((2, 4, 6), np.nan)}, "initial must be finite"),
        ({"initial": np.zeros((2, 4, 6))}, "mass"),
        ({"initial": np.ones((2, 1, 6))}, "bodies"),
    ],
)
def test_bad_arguments_are_refused_before_any_work(arguments, words, monkeypatch):
    monkeypatch.setattr(
        "symlib.simulation.nbody.integrate", lambda *_: pytest.fail("integration began")
    )
    with pytest.raises(InputError, match=words):
        simulate(**{"law": "spring", "progress": False} | arguments)


def test_an_error_in_a_thread_comes_out_and_stops_the_others(monkeypatch):
    monkeypatch.setattr("symlib.simulation.nbody.tqdm.update", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        simulate("spring", systems=100, steps=3, progress=False)
    # And JAX is as it was.
    assert jax.numpy.ones(1).dtype == np.float32


def test_benchmark_report():
    report = bench_simulate(("spring",), systems=6, steps=200, repeats=2, progress=False)
    result = json.loads(json.dumps(report))["results"]["spring"]
    ours, baseline = result["symlib"], result["baseline"]
    assert ours["energy_error_median"] < baseline["energy_error_median"]
    ratio = np.divide(baseline["ms_per_system_all"], ours["ms_per_system_all"])
    assert result["speedup"] == pytest.approx(np.median(ratio))
    assert "Times faster: spring" in table(report)
    with pytest.raises(InputError, match="repeats"):
        bench_simulate(repeats=0)
