"""A simulated universe against what is known of ours: spectrum, mass function, clustering."""

from pathlib import Path

import numpy as np
import pytest
from colossus.cosmology import cosmology as colossus
from colossus.lss import mass_function as published

from symlib.cosmology.catalogue import read_catalogue
from symlib.cosmology.halos import find_halos, tree_of
from symlib.cosmology.linear import linear_field
from symlib.cosmology.overdensity import overdensity
from symlib.cosmology.spectrum import correlation, field_spectrum, mass_function, power_spectrum
from symlib.cosmology.universe import Universe, simulate

DATA = Path(__file__).resolve().parent.parent / "book" / "data"


@pytest.fixture(scope="module")
def small():
    """A universe small enough for a test, with its halos."""
    particles = simulate(Universe(box=200.0, particles=64, seed=2, steps=20), progress=False)
    return particles, find_halos(particles)


def _published_ratio(masses, particle_mass, box, edges):
    """Halos counted over those of Watson et al. 2013, friends-of-friends, in mass bins."""
    known = {"flat": True, "H0": 67.74, "Om0": 0.3075, "Ob0": 0.0486, "sigma8": 0.8159}
    colossus.setCosmology("same", {**known, "ns": 0.9667, "relspecies": False})
    # A bin edge between whole numbers of particles, so that rounding decides nothing.
    edges = (np.asarray(edges) - 0.5) * particle_mass
    density, counts = mass_function(masses, box, edges)
    fine = np.geomspace(edges[:-1], edges[1:], 40)
    fit = published.massFunction(
        fine.ravel(), 0.0, q_in="M", q_out="dndlnM", mdef="fof", model="watson13"
    )
    return density / fit.reshape(fine.shape).mean(0), counts


def test_large_scales_grow_linearly():
    """Against the same noise grown linearly, so that the box's own scatter drops out."""
    chosen = Universe(box=500.0, particles=64, seed=3, steps=20)
    particles = simulate(chosen, progress=False)
    k, power, _ = power_spectrum(particles.positions, 500.0, mesh=64, bins=6)
    noise = field_spectrum(linear_field(500.0, 64, 3), 500.0, 6)[1]
    assert k[0] < 0.02
    np.testing.assert_allclose(power[:4] / noise[:4], 1, atol=0.08)
    np.testing.assert_allclose(power / noise, 1, atol=0.12)


def test_small_scales_grow_beyond_linear(small):
    particles, _ = small
    k, power, _ = power_spectrum(particles.positions, 200.0, mesh=128)
    noise = field_spectrum(linear_field(200.0, 64, 2), 200.0)[1]
    high = np.flatnonzero((k > 0.5) & (k < 0.9))
    assert np.all(power[high] > 2 * noise[high])


def test_halos_number_as_published(small):
    particles, halos = small
    ratio, counts = _published_ratio(halos.masses, particles.mass, 200.0, [20, 40, 80])
    assert counts.min() > 100
    np.testing.assert_allclose(ratio, 1, atol=0.3)


def test_halos_cluster(small):
    _, halos = small
    found = correlation(halos.positions, 200.0, [5, 8, 12, 20, 40])
    assert np.all(found > 0)
    assert np.all(np.diff(found) < 0)


def test_halos_sit_in_dense_places(small):
    particles, halos = small
    tree = tree_of(particles.positions, 200.0)
    anywhere = np.random.default_rng(0).uniform(0, 200, (2000, 3))
    at_random = overdensity(anywhere, tree)
    assert at_random.mean() == pytest.approx(0, abs=0.05)
    assert overdensity(halos.positions, tree).mean() > 0.2


@pytest.mark.parametrize("seed", [1, 2])
def test_the_committed_halos_number_as_published(seed):
    found = read_catalogue(DATA / f"halos-{seed}.npz")
    edges = [20, 28, 40, 80, 160, 320, 640, 1280]
    ratio, counts = _published_ratio(found.masses, found.particle_mass, found.box, edges)
    assert counts.min() > 100
    np.testing.assert_allclose(ratio, 1, atol=0.3)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_committed_halos_cluster(seed):
    found = read_catalogue(DATA / f"halos-{seed}.npz")
    correlated = correlation(found.positions, found.box, [3, 5, 7, 10, 14, 20, 28, 40])
    assert np.all(correlated > 0)
    assert np.all(np.diff(correlated) < 0)


@pytest.mark.slow
def test_a_finer_mesh_and_more_steps_change_little():
    """What the mesh and the steps of the committed catalogues leave out."""
    coarse, fine = (
        simulate(Universe(125.0, 64, 1, mesh_factor=factor, steps=steps), progress=False)
        for factor, steps in ((2, 40), (4, 80))
    )
    k, power, _ = power_spectrum(coarse.positions, 125.0, mesh=64, bins=16)
    other = power_spectrum(fine.positions, 125.0, mesh=64, bins=16)[1]
    assert k[-1] > 0.7
    np.testing.assert_allclose(power / other, 1, atol=0.1)
    numbers = [len(find_halos(particles)) for particles in (coarse, fine)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.3)
