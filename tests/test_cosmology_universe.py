"""The particle-mesh run: its equations, its units, its restarts."""

import subprocess
import sys

import jax_cosmo
import numpy as np
import pytest
from colossus.cosmology import cosmology as colossus
from jaxpm import pm

from symlib.cosmology import linear, universe
from symlib.cosmology.gravity import paint, pull
from symlib.cosmology.spectrum import field_spectrum
from symlib.cosmology.universe import Universe, simulate
from symlib.errors import InputError

TINY = Universe(box=200.0, particles=16, seed=5, steps=12)


def _lattice(side, box):
    return np.indices((side,) * 3).reshape(3, -1).T * (box / side)


@pytest.fixture(scope="module")
def planck():
    """The same cosmology in another code."""
    known = {"flat": True, "H0": 67.74, "Om0": 0.3075, "Ob0": 0.0486, "sigma8": 0.8159}
    return colossus.setCosmology("same", {**known, "ns": 0.9667, "relspecies": False})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("box", 0.0),
        ("box", float("nan")),
        ("particles", 31),
        ("particles", 4),
        ("particles", 32.0),
        ("seed", -1),
        ("seed", 2**32),
        ("mesh_factor", 0),
        ("steps", 0),
        ("steps", True),
        ("a_start", 1.0),
        ("a_start", 0.0),
    ],
)
def test_a_bad_setting_is_named(setting, value):
    with pytest.raises(InputError, match=setting):
        Universe(**{setting: value})


def test_particles_carry_the_matter_of_the_box():
    # Quijote's particles, of a slightly denser universe, have 6.6e11.
    assert Universe(500.0, 256).particle_mass == pytest.approx(6.36e11, rel=0.002)


def test_linear_theory_agrees_with_another_code(planck):
    k = np.array([0.01, 0.05, 0.2, 1.0])
    theirs = planck.matterPowerSpectrum(k, model="eisenstein98")
    np.testing.assert_allclose(linear.linear_power(k), theirs, rtol=0.02)
    a = np.array([0.05, 0.3, 0.7, 1.0])
    np.testing.assert_allclose(
        linear.linear_growth(a)[0], planck.growthFactor(1 / a - 1), rtol=0.003
    )


def test_noise_has_the_linear_power():
    k, power, modes = field_spectrum(linear.linear_field(300.0, 48, seed=2), 300.0)
    ratio = power / linear.linear_power(k)
    # A shell of n independent modes, each counted with its opposite, scatters by sqrt(2/n).
    assert np.all(np.abs(ratio - 1) < 5 * np.sqrt(2 / modes))
    assert np.average(ratio[5:], weights=modes[5:]) == pytest.approx(1, abs=0.02)


def test_kicks_and_drifts_are_those_of_the_equations_of_motion():
    fine = Universe(particles=16, steps=400, a_start=0.1)
    drifts, kicks = universe.steps_of(fine)
    a = np.linspace(0.1, 1, 401)
    middle = (a[1:] + a[:-1]) / 2
    planck = linear.cosmology()

    def pace(a):
        return np.sqrt(np.asarray(jax_cosmo.background.Esqr(planck, a)))

    step = a[1] - a[0]
    np.testing.assert_allclose(drifts, step / (middle**3 * pace(middle)), rtol=1e-3)
    inside = a[1:-1]
    expected = 1.5 * planck.Omega_m * step / (inside**2 * pace(inside))
    np.testing.assert_allclose(kicks[1:-1], expected, rtol=1e-3)


@pytest.mark.parametrize("steps", [3, 40])
def test_linear_modes_grow_exactly_at_any_number_of_steps(steps):
    chosen = Universe(particles=16, steps=steps)
    drifts, kicks = universe.steps_of(chosen)
    (start,), (pace,), _, _ = linear.linear_growth([chosen.a_start])
    position, momentum = start, pace + kicks[0] * start
    for drift, kick in zip(drifts, kicks[1:], strict=True):
        position += drift * momentum
        momentum += kick * position
    assert position == pytest.approx(1, rel=1e-9)
    assert momentum == pytest.approx(linear.linear_growth([1.0])[1][0], rel=1e-9)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_pull_undoes_a_small_wave_on_any_mesh(factor):
    side, box = 32, 100.0
    lattice = _lattice(side, box)
    wave = np.zeros_like(lattice)
    wave[:, 1] = 0.05 * np.sin(2 * np.pi * lattice[:, 1] / box)
    found = np.asarray(pull(np.float32(lattice + wave), box, side * factor))
    # On average; a wave much smaller than a cell is not resolved at every particle.
    assert (found * wave).sum() / (wave**2).sum() == pytest.approx(1, abs=0.01)
    assert np.abs(found - wave).max() < 0.15 * 0.05


def test_painting_keeps_the_mean_and_wraps():
    rng = np.random.default_rng(0)
    density = np.asarray(paint(rng.uniform(-8, 16, (500, 3)).astype(np.float32), 8))
    assert density.mean() == pytest.approx(1, abs=1e-5)
    corner = np.asarray(paint(np.array([[7.75, 0, 0]], np.float32), 8)) / 8**3
    assert corner[7, 0, 0] == pytest.approx(0.25)
    assert corner[0, 0, 0] == pytest.approx(0.75)


def test_the_start_is_that_of_jaxpm():
    side, box, a = 32, 400.0, 0.1
    waves = np.fft.fftfreq(side, 1 / side)
    length = np.sqrt(sum(w**2 for w in np.meshgrid(waves, waves, waves, indexing="ij")))
    # JaxPM differentiates on the lattice; for long waves that is the same as ours.
    field = np.fft.fftn(linear.linear_field(box, side, 7)) * (length < 5)
    field = np.fft.ifftn(field).real.astype(np.float32)
    ours, momenta = linear.start(field, box, a)
    shifts, paces, _ = pm.lpt(linear.cosmology(), field, a=a, order=2)
    spacing = box / side
    ours = (np.asarray(ours) - _lattice(side, box)) / spacing
    scale = ours.std()
    np.testing.assert_allclose(ours, np.reshape(shifts, (-1, 3)), atol=0.02 * scale)
    momenta = np.asarray(momenta) / spacing
    np.testing.assert_allclose(momenta, np.reshape(paces, (-1, 3)), atol=0.02 * momenta.std())
    _, first, _ = pm.lpt(linear.cosmology(), field, a=a, order=1)
    assert np.abs(momenta - np.reshape(first, (-1, 3))).max() > 0.06 * momenta.std()


def test_velocities_are_kilometres_per_second():
    """Where linear theory holds, a velocity is 100 f times the displacement in Mpc/h."""
    chosen = Universe(box=500.0, particles=32, seed=3, steps=10)
    found = simulate(chosen, progress=False)
    away = found.positions - _lattice(32, chosen.box)
    away -= chosen.box * np.round(away / chosen.box)
    slope = (found.velocities * away).sum() / (away**2).sum()
    assert slope == pytest.approx(100 * 0.3075**0.55, rel=0.03)


def test_a_seed_is_a_universe():
    first, again = (simulate(TINY, progress=False) for _ in range(2))
    np.testing.assert_array_equal(first.positions, again.positions)
    assert first.positions.dtype == first.velocities.dtype == np.float32
    assert first.positions.min() >= 0
    assert first.positions.max() < TINY.box
    other = simulate(Universe(200.0, 16, seed=6, steps=12), progress=False)
    assert np.abs(first.velocities - other.velocities).mean() > 10


def test_an_interrupted_run_goes_on(tmp_path, monkeypatch):
    whole, file = simulate(TINY, progress=False), tmp_path / "state.npz"
    calls = iter(range(100))
    monkeypatch.setattr(universe, "pull", lambda *a: _stop_at(next(calls), 8, pull, *a))
    with pytest.raises(KeyboardInterrupt):
        simulate(TINY, file, progress=False)
    assert file.exists()
    steps = []
    monkeypatch.setattr(universe, "pull", lambda *a: steps.append(1) or pull(*a))
    found = simulate(TINY, file, progress=False)
    assert len(steps) == TINY.steps - 5
    np.testing.assert_array_equal(found.positions, whole.positions)
    np.testing.assert_array_equal(found.velocities, whole.velocities)
    assert list(tmp_path.iterdir()) == []


def _stop_at(call, last, function, *arguments):
    if call == last:
        raise KeyboardInterrupt
    return function(*arguments)


def test_a_checkpoint_of_another_universe_is_refused(tmp_path):
    file = tmp_path / "state.npz"
    state = np.zeros((16**3, 3), np.float32)
    universe._write_checkpoint(file, Universe(200.0, 16, seed=9), state, state, 5)
    with pytest.raises(InputError, match="another universe"):
        simulate(TINY, file, progress=False)
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(InputError, match="damaged"):
        simulate(TINY, file, progress=False)


def test_importing_changes_no_setting_of_jax():
    code = (
        "import jax\n"
        "names = [n for n in dir(jax.config) if n.startswith('jax_')]\n"
        "before = [getattr(jax.config, n) for n in names]\n"
        "import symlib.cosmology.make\n"
        "assert before == [getattr(jax.config, n) for n in names]\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=100)
