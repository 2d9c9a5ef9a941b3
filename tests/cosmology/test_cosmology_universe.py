"""The particle-mesh run: its equations, units and restarts, and what is known of our universe."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from colossus.cosmology import cosmology as colossus
from colossus.lss import mass_function
from jaxpm import pm
from jaxpm.painting import compensate_cic
from jaxpm.utils import power_spectrum

from symlib.cosmology.catalogue import read_catalogue
from symlib.cosmology.universe import gravity
from symlib.cosmology.universe import simulation as universe
from symlib.cosmology.universe.gravity import paint, pull
from symlib.cosmology.universe.halos import find_halos, overdensity, tree_of
from symlib.cosmology.universe.simulation import Universe, simulate
from symlib.errors import InputError

DATA = Path(__file__).resolve().parents[2] / "book" / "data"
TINY = Universe(box=200.0, particles=16, seed=5, steps=12)


def _lattice(side, box):
    return np.indices((side,) * 3).reshape(3, -1).T * (box / side)


def _spectrum(field, box, bins):
    """Wave numbers and power in shells as thick as the box's fundamental wave number."""
    edges = 2 * np.pi / box * (np.arange(bins + 1) + 0.5)
    return [np.asarray(x) for x in power_spectrum(field, box_shape=(box,) * 3, kedges=edges)]


def _matter_spectrum(particles, mesh, bins):
    box = particles.box
    density = paint(particles.positions * np.float32(mesh / box), mesh) - 1
    return _spectrum(compensate_cic(density), box, bins)


@pytest.fixture(scope="module")
def planck():
    """The same cosmology in another code."""
    known = {"flat": True, "H0": 67.74, "Om0": 0.3075, "Ob0": 0.0486, "sigma8": 0.8159}
    return colossus.setCosmology("same", {**known, "ns": 0.9667, "relspecies": False})


def test_a_bad_setting_is_named():
    bad = dict(box=np.nan, particles=31, seed=-1, mesh_factor=0, steps=True, a_start=1.0)
    for setting, value in bad.items():
        with pytest.raises(InputError, match=setting):
            Universe(**{setting: value})


def test_linear_theory_agrees_with_another_code(planck):
    k = np.array([0.01, 0.05, 0.2, 1.0])
    theirs = planck.matterPowerSpectrum(k, model="eisenstein98")
    np.testing.assert_allclose(gravity.linear_power(k), theirs, rtol=0.02)
    a = np.array([0.05, 0.3, 0.7, 1.0])
    np.testing.assert_allclose(
        gravity.linear_growth(a)[0], planck.growthFactor(1 / a - 1), rtol=0.003
    )


def test_noise_has_the_linear_power():
    k, power = _spectrum(gravity.linear_field(300.0, 48, seed=2), 300.0, 22)
    ratio, modes = power / gravity.linear_power(k), 4 * np.pi * (k * 300 / (2 * np.pi)) ** 2
    # A shell of n independent modes, each counted with its opposite, scatters by sqrt(2/n).
    assert np.all(np.abs(ratio - 1) < 5 * np.sqrt(2 / modes))
    assert np.average(ratio[5:], weights=modes[5:]) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("steps", [3, 40])
def test_linear_modes_grow_exactly_at_any_number_of_steps(steps):
    chosen = Universe(particles=16, steps=steps)
    drifts, kicks = universe.steps_of(chosen)
    (start,), (pace,) = gravity.linear_growth([chosen.a_start])
    position, momentum = start, pace + kicks[0] * start
    for drift, kick in zip(drifts, kicks[1:], strict=True):
        position += drift * momentum
        momentum += kick * position
    assert position == pytest.approx(1, rel=1e-9)
    assert momentum == pytest.approx(gravity.linear_growth([1.0])[1][0], rel=1e-9)


@pytest.mark.parametrize("factor", [1, 2])
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
    corner = np.asarray(paint(np.array([[7.75, 0, 0]], np.float32), 8))
    assert corner.mean() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(corner[[7, 0], 0, 0] / 8**3, [0.25, 0.75])


def test_the_start_is_that_of_jaxpm():
    side, box, a = 32, 400.0, 0.1
    waves = np.fft.fftfreq(side, 1 / side)
    length = np.sqrt(sum(w**2 for w in np.meshgrid(waves, waves, waves, indexing="ij")))
    # JaxPM differentiates on the lattice; for long waves that is the same as ours.
    field = np.fft.fftn(gravity.linear_field(box, side, 7)) * (length < 5)
    field = np.fft.ifftn(field).real.astype(np.float32)
    ours, momenta = gravity.start(field, box, a)
    shifts, paces, _ = pm.lpt(gravity.cosmology(), field, a=a, order=2)
    spacing = box / side
    ours = (np.asarray(ours) - _lattice(side, box)) / spacing
    np.testing.assert_allclose(ours, np.reshape(shifts, (-1, 3)), atol=0.02 * ours.std())
    momenta = np.asarray(momenta) / spacing
    np.testing.assert_allclose(momenta, np.reshape(paces, (-1, 3)), atol=0.02 * momenta.std())
    _, first, _ = pm.lpt(gravity.cosmology(), field, a=a, order=1)
    assert np.abs(momenta - np.reshape(first, (-1, 3))).max() > 0.06 * momenta.std()


def test_velocities_are_kilometres_per_second():
    """Where linear theory holds, a velocity is 100 f times the displacement in Mpc/h."""
    chosen = Universe(box=500.0, particles=32, seed=3, steps=10)
    found = simulate(chosen, progress=False)
    away = found.positions - _lattice(32, chosen.box)
    away -= chosen.box * np.round(away / chosen.box)
    slope = (found.velocities * away).sum() / (away**2).sum()
    assert slope == pytest.approx(100 * 0.3075**0.55, rel=0.03)
    assert found.positions.min() >= 0 and found.positions.max() < 500
    # Quijote's 512³ particles in 1000 Mpc/h, of a slightly denser universe, have 6.6e11.
    assert Universe(500.0, 256).particle_mass == pytest.approx(6.36e11, rel=0.002)


def test_an_interrupted_run_goes_on(tmp_path, monkeypatch):
    whole, file, pulls = simulate(TINY, progress=False), tmp_path / "state.npz", []

    def counted(*arguments):
        pulls.append(1)
        if len(pulls) == 9:
            raise KeyboardInterrupt
        return pull(*arguments)

    monkeypatch.setattr(universe, "pull", counted)
    with pytest.raises(KeyboardInterrupt):
        simulate(TINY, file, progress=False)
    with pytest.raises(InputError, match="another universe"):
        simulate(Universe(200.0, 16, seed=9), file, progress=False)
    found = simulate(TINY, file, progress=False)
    # Five of twelve steps had been kept.
    assert len(pulls) == 9 + 7
    np.testing.assert_array_equal(found.positions, whole.positions)
    np.testing.assert_array_equal(found.velocities, whole.velocities)
    assert list(tmp_path.iterdir()) == []
    other = simulate(Universe(200.0, 16, seed=6, steps=12), progress=False)
    assert np.abs(whole.velocities - other.velocities).mean() > 10


def test_importing_changes_no_setting_of_jax():
    code = (
        "import jax; before = dict(jax.config.values)\n"
        "import symlib.cosmology.universe.make; assert before == jax.config.values"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=100)


@pytest.fixture(scope="module")
def small():
    """A universe small enough for a test, with its halos."""
    particles = simulate(Universe(box=200.0, particles=64, seed=2, steps=20), progress=False)
    return particles, find_halos(particles)


def as_published(masses, particle_mass, box, least):
    """Whether halos from some numbers of particles on number as in Watson et al. 2013."""
    # A bin edge between whole numbers of particles, so that rounding decides nothing.
    edges = (np.asarray(least) - 0.5) * particle_mass
    counts = np.histogram(masses, edges)[0]
    fine = np.geomspace(edges[:-1], edges[1:], 40)
    fit = mass_function.massFunction(
        fine.ravel(), 0.0, q_in="M", q_out="dndlnM", mdef="fof", model="watson13"
    )
    expected = fit.reshape(fine.shape).mean(0) * np.diff(np.log(edges)) * box**3
    return counts.min() > 100 and np.allclose(counts / expected, 1, atol=0.3)


def clustered(positions, box, edges):
    """Whether ξ(r), pairs over those of a uniform box less one, is positive and falls."""
    tree = tree_of(positions, box)
    pairs = np.diff(tree.count_neighbors(tree, edges))
    shells = 4 / 3 * np.pi * np.diff(np.asarray(edges, float) ** 3)
    correlation = pairs / (len(positions) ** 2 * shells / box**3) - 1
    return np.all(correlation > 0) and np.all(np.diff(correlation) < 0)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_committed_catalogues(seed, planck):
    path = DATA / f"halos-{seed}.npz"
    found = read_catalogue(path)
    assert found.provenance["universe"] == dataclasses.asdict(Universe(seed=seed))
    assert f"symlib universe --box 500 --particles 256 --seed {seed}" in found.provenance["command"]
    assert path.stat().st_size < 3e6 and found.slice is not None
    assert len(found) > 20_000 and 0.2 < found.delta.mean() < 0.6
    numbers = [20, 28, 40, 80, 160, 320, 640, 1280]
    assert as_published(found.masses, found.particle_mass, found.box, numbers)
    assert clustered(found.positions, found.box, [3, 5, 7, 10, 14, 20, 28, 40])


def test_matter_grows_linearly_on_large_scales_and_beyond_that_on_small_ones(small):
    """Against the same noise grown linearly, so that the box's own scatter drops out."""
    particles = simulate(Universe(box=500.0, particles=64, seed=3, steps=20), progress=False)
    k, power = _matter_spectrum(particles, 64, 6)
    noise = _spectrum(gravity.linear_field(500.0, 64, 3), 500.0, 6)[1]
    assert k[0] < 0.02
    np.testing.assert_allclose(power[:4] / noise[:4], 1, atol=0.08)
    np.testing.assert_allclose(power / noise, 1, atol=0.12)
    k, power = _matter_spectrum(small[0], 128, 31)
    noise = _spectrum(gravity.linear_field(200.0, 64, 2), 200.0, 31)[1]
    high = (k > 0.5) & (k < 0.9)
    assert high.any() and np.all(power[high] > 2 * noise[high])


def test_halos_number_as_published_and_cluster_in_dense_places(small, planck):
    particles, halos = small
    assert as_published(halos["masses"], particles.mass, 200.0, [20, 40, 80])
    assert clustered(halos["positions"], 200.0, [5, 8, 12, 20, 40])
    anywhere = np.random.default_rng(0).uniform(0, 200, (2000, 3))
    assert overdensity(anywhere, particles.tree).mean() == pytest.approx(0, abs=0.05)
    assert overdensity(halos["positions"], particles.tree).mean() > 0.2


@pytest.mark.slow
def test_a_finer_mesh_and_more_steps_change_little():
    """What the mesh and the steps of the committed catalogues leave out."""
    coarse, fine = (
        simulate(Universe(125.0, 64, 1, mesh_factor=factor, steps=steps), progress=False)
        for factor, steps in ((2, 40), (4, 80))
    )
    k, power = _matter_spectrum(coarse, 64, 16)
    other = _matter_spectrum(fine, 64, 16)[1]
    assert k[-1] > 0.7
    np.testing.assert_allclose(power / other, 1, atol=0.1)
    numbers = [len(find_halos(particles)["masses"]) for particles in (coarse, fine)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.3)
