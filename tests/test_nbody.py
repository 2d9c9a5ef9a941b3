"""Simulations: what physics conserves, an analytic orbit, and how work is divided."""

import jax
import numpy as np
import pytest

from symlib import integrator
from symlib.bench_simulate import bench_simulate, format_bench
from symlib.errors import InputError, UnknownChoice
from symlib.nbody import energy_error, initial_conditions, simulate
from symlib.potentials import LAWS, PairPotential

CONSERVATIVE = [name for name, law in LAWS.items() if law.conservative]
# One size for most tests, so that few programs are compiled.
SIZE = {"systems": 24, "steps": 200, "progress": False, "workers": 1}


@pytest.fixture(scope="module")
def runs():
    """Simulations of the common size, made once for each law and dimension."""
    made = {}

    def get(name, dim=2):
        if (name, dim) not in made:
            made[name, dim] = simulate(name, dim, **SIZE)
        return made[name, dim]

    return get


class TestInitialConditions:
    def test_distributions_of_appendix_b(self):
        states = initial_conditions(3, 4, 2000, seed=5)
        assert states.shape == (2000, 4, 8)
        assert states.dtype == np.float64
        places = states[..., :6]
        np.testing.assert_allclose(places.mean(axis=(0, 1)), 0, atol=0.05)
        np.testing.assert_allclose(places.std(axis=(0, 1)), 1, atol=0.05)
        np.testing.assert_allclose(np.log(states[..., -1]).mean(), 0, atol=0.05)
        np.testing.assert_allclose(np.log(states[..., -1]).std(), 1, atol=0.05)
        assert set(np.unique(states[..., -2])) == {-1.0, 1.0}
        assert abs(states[..., -2].mean()) < 0.05

    def test_a_system_does_not_depend_on_how_many_are_asked_for(self):
        few, many = (initial_conditions(2, 4, n, seed=7) for n in (3, 50))
        np.testing.assert_array_equal(few, many[:3])
        assert not np.array_equal(few, initial_conditions(2, 4, 3, seed=8))
        assert len(np.unique(many[..., 0])) == many[..., 0].size


@pytest.mark.parametrize("name", CONSERVATIVE)
def test_energy_is_conserved(name, runs):
    error = energy_error(LAWS[name], runs(name).states)
    # Stated in nbody.TOLERANCE: the median far below 1e-7, and only close encounters beyond.
    assert np.median(error) < 1e-7
    assert np.mean(error > 1e-5) <= 0.05


@pytest.mark.parametrize("name", CONSERVATIVE)
def test_momentum_is_conserved(name, runs):
    states = runs(name).states
    momentum = (states[..., -1:] * states[..., 2:4]).sum(axis=2)
    scale = np.abs(states[..., -1:] * states[..., 2:4]).sum(axis=2).max(axis=(1, 2))
    drift = np.abs(momentum - momentum[:, :1]).max(axis=(1, 2)) / scale
    assert np.median(drift) < 1e-10
    assert drift.max() < 1e-6


def test_energy_of_the_discontinuous_law_moves_by_its_jumps(runs):
    """U loses its jump of 1 when a pair comes closer than 2; the forces cannot know."""
    states = runs("discontinuous").states
    first, second = np.triu_indices(4, 1)
    apart = states[:, :, first, :2] - states[:, :, second, :2]
    outside = np.linalg.norm(apart, axis=-1) + 0.01 >= 2
    law = PairPotential(
        "no jump",
        lambda r, a, b: jax.numpy.where(r < 2, 0.0, (r - 1) ** 2 - 1),
        dt=0.01,
    )
    assert (outside.sum(axis=-1).max(axis=1) > outside.sum(axis=-1).min(axis=1)).any()
    # The integrator steps over a kink in the acceleration, so less exactly than elsewhere.
    assert np.median(energy_error(law, states)) < 1e-5


def test_damping_loses_energy(runs):
    states = runs("damped").states
    kinetic = (states[..., -1:] * states[..., 2:4] ** 2).sum(axis=(2, 3))
    first, second = np.triu_indices(4, 1)
    r = np.linalg.norm(states[:, :, first, :2] - states[:, :, second, :2], axis=-1) + 0.01
    energy = 0.5 * kinetic + ((r - 1) ** 2).sum(axis=-1)
    # Power of the drag: -(n - 1) / n times the sum of v^2, never positive.
    assert (np.diff(energy, axis=1) <= 1e-8).all()
    assert (energy[:, -1] < 0.9 * energy[:, 0]).all()


@pytest.mark.parametrize("name", ["spring", "r1"])
def test_time_reversal(name, runs):
    there = runs(name).states
    turned = there[:, -1].copy()
    turned[..., 2:4] *= -1
    back = simulate(name, initial=turned, **SIZE).states[:, -1]
    miss = np.abs(back[..., :2] - there[:, 0, :, :2]).max(axis=(1, 2))
    assert np.median(miss) < 1e-6


def _kepler_phase(times, eccentricity, parameter):
    """Relative position on the Kepler ellipse of semi-major axis 1, from pericentre."""
    mean = np.sqrt(parameter) * times
    anomaly = mean.copy()
    for _ in range(60):
        wrong = anomaly - eccentricity * np.sin(anomaly) - mean
        anomaly -= wrong / (1 - eccentricity * np.cos(anomaly))
    x = np.cos(anomaly) - eccentricity
    y = np.sqrt(1 - eccentricity**2) * np.sin(anomaly)
    return np.stack([x, y], axis=-1)


@pytest.mark.parametrize("eccentricity", [0.0, 0.6])
def test_two_bodies_follow_the_analytic_orbit(eccentricity):
    law = PairPotential("kepler", lambda r, a, b: -a.mass * b.mass / r, dt=0.05, softening=0.0)
    masses = np.array([2.0, 0.5])
    near = 1 - eccentricity
    speed = np.sqrt(masses.sum() * (1 + eccentricity) / near)
    initial = np.zeros((1, 2, 6))
    for body, share in enumerate((masses[1], -masses[0])):
        initial[0, body, [0, 3]] = share / masses.sum() * np.array([near, speed])
    initial[..., 4], initial[..., 5] = 1, masses
    states = simulate(law, initial=initial, steps=200, progress=False).states[0]
    relative = states[:, 0, :2] - states[:, 1, :2]
    expected = _kepler_phase(np.arange(200) * law.dt, eccentricity, masses.sum())
    np.testing.assert_allclose(relative, expected, atol=1e-6)


def test_three_dimensions_and_many_bodies():
    result = simulate("spring", dim=3, bodies=8, systems=4, steps=50, progress=False)
    assert result.shape == (4, 50, 8, 8)
    assert energy_error(result.law, result.states).max() < 1e-7


def test_the_first_snapshot_is_the_initial_state(runs):
    np.testing.assert_array_equal(runs("r2").states[:, 0], initial_conditions(2, 4, 24, 0))


def test_charges_and_masses_stay(runs):
    states = runs("charge").states
    np.testing.assert_array_equal(
        states[..., 4:], np.broadcast_to(states[:, :1, :, 4:], (24, 200, 4, 2))
    )


@pytest.mark.parametrize("name", ["spring", "r1"])
def test_lanes_agree_with_diffrax_itself(name, runs):
    batch = simulate(name, method="batch", **SIZE).states
    difference = np.abs(batch - runs(name).states).max(axis=(1, 2, 3))
    assert np.median(difference) < 1e-6


def test_neighbours_workers_and_chunks_change_nothing(runs):
    whole = runs("r2").states
    few = simulate("r2", **SIZE | {"systems": 5}).states
    np.testing.assert_array_equal(few, whole[:5])
    other = simulate("r2", **SIZE | {"workers": 3}, chunk=7).states
    np.testing.assert_array_equal(other, whole)
    assert not np.array_equal(simulate("r2", seed=1, **SIZE).states, whole)


def test_systems_outnumbering_the_lanes_all_arrive():
    systems = 3 * integrator.LANES + 5
    result = simulate("spring", systems=systems, steps=3, progress=False, workers=2)
    np.testing.assert_array_equal(result.system_numbers, np.arange(systems))
    np.testing.assert_array_equal(result.states[:, 0], initial_conditions(2, 4, systems, 0))


def test_one_step_is_the_initial_state_alone():
    result = simulate("spring", systems=2, steps=1, progress=False)
    np.testing.assert_array_equal(result.states[:, 0], initial_conditions(2, 4, 2, 0))


@pytest.mark.parametrize("method", ["lanes", "batch"])
def test_unfinished_systems_are_counted_and_left_out(method):
    # The median 1/r system takes some 60 steps here, so a limit of 60 splits them.
    size = SIZE | {"systems": 30}
    result = simulate("r1", max_steps=60, method=method, **size)
    assert 0 < len(result.failed) < 30
    assert len(result) + len(result.failed) == 30
    assert result.share_failed == len(result.failed) / 30
    assert not set(result.failed) & set(result.system_numbers)
    np.testing.assert_array_equal(
        result.states[:, 0], initial_conditions(2, 4, 30, 0)[result.system_numbers]
    )


def test_a_law_under_which_nothing_can_be_integrated():
    with pytest.raises(InputError, match=r"could not finish any.*max_steps"):
        simulate("r2", max_steps=1, **SIZE)


def test_a_potential_that_is_nan_somewhere_fails_only_there():
    """sqrt(3 - r) ends at r = 3: systems that get there are given up, not kept as NaN."""
    law = PairPotential("wall", lambda r, a, b: -0.01 * jax.numpy.sqrt(6 - r), dt=0.01)
    result = simulate(law, max_steps=2000, **SIZE)
    assert 0 < len(result.failed) < 24
    assert np.isfinite(result.states).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bodies": 1}, "bodies"),
        ({"bodies": 2.5}, "bodies"),
        ({"dim": 1}, "dim must be 2 or 3"),
        ({"dim": 4}, "dim must be 2 or 3"),
        ({"systems": 0}, "systems"),
        ({"steps": 0}, "steps"),
        ({"steps": True}, "steps"),
        ({"seed": -1}, "seed"),
        ({"tolerance": 0}, "tolerance"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"max_steps": 0}, "max_steps"),
        ({"workers": 0}, "workers"),
        ({"chunk": 0}, "chunk"),
        ({"dtype": "float16"}, "dtype.*float64, float32"),
        ({"method": "magic"}, "method.*lanes"),
        ({"law": "sprong"}, "law.*spring"),
        ({"initial": np.zeros((2, 4, 5))}, "initial.*shape"),
        ({"initial": np.full((2, 4, 6), np.nan)}, "initial holds NaN"),
        ({"initial": np.zeros((2, 4, 6))}, "mass"),
        ({"initial": np.ones((2, 1, 6))}, "bodies"),
    ],
)
def test_bad_arguments_are_refused_before_any_work(arguments, words, monkeypatch):
    def never(*_):
        raise AssertionError("integration began")

    monkeypatch.setattr("symlib.nbody.integrate_lanes", never)
    with pytest.raises(InputError, match=words):
        simulate(**{"law": "spring", "progress": False} | arguments)


def test_unknown_choices_are_their_own_error():
    with pytest.raises(UnknownChoice):
        simulate("spring", method="magic")


def test_an_error_in_a_worker_comes_out_and_stops_the_others():
    class Full(Exception):
        pass

    def deliver(number, snapshots):
        raise Full

    request = integrator.Request(LAWS["spring"], 2, 4, 3, 1e-9, 100)
    states = initial_conditions(2, 4, 100, 0)
    with pytest.raises(Full):
        integrator.integrate_lanes(request, states.__getitem__, iter(range(100)), deliver, 2)


def test_importing_and_simulating_leave_jax_as_it_was(runs):
    runs("spring")
    assert not jax.config.jax_enable_x64
    assert jax.numpy.ones(1).dtype == np.float32


def test_benchmark_report(capsys):
    import json

    report = bench_simulate(("spring",), systems=6, steps=200, repeats=2, progress=False)
    result = json.loads(json.dumps(report))["results"]["spring"]
    assert result["symlib"]["energy_error_median"] < result["baseline"]["energy_error_median"]
    assert result["symlib"]["precision"] == "float64"
    assert result["baseline"]["precision"] == "float32"
    ratio = np.divide(
        result["baseline"]["ms_per_system_all"], result["symlib"]["ms_per_system_all"]
    )
    assert result["speedup"] == pytest.approx(np.median(ratio))
    assert "times faster" in format_bench(report)
    with pytest.raises(InputError, match="repeats"):
        bench_simulate(repeats=0)
