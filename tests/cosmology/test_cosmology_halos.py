"""Friends-of-friends, the overdensity and the picture's slab, against counting by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symlib.cosmology.universe.halos import Particles, find_halos, overdensity, tree_of
from symlib.cosmology.universe.make import density_slice
from symlib.errors import InputError

BOX = 100.0


def _particles(positions, velocities=None):
    positions = np.asarray(positions, np.float32)
    if velocities is None:
        velocities = np.zeros_like(positions)
    return Particles(positions, np.asarray(velocities, np.float32), 1e12, BOX)


def _separations(a, b):
    away = np.abs(a[:, None].astype(float) - b[None].astype(float))
    return np.sqrt((np.minimum(away, BOX - away) ** 2).sum(-1))


def _groups_by_hand(positions, length):
    """Spread each particle's label to its friends until nothing changes."""
    friends = _separations(positions, positions) <= length
    labels = np.arange(len(positions))
    while True:
        spread = np.array([labels[row].min() for row in friends])
        if (spread == labels).all():
            return labels
        labels = spread


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), linking=st.floats(0.1, 0.9))
def test_halos_are_those_found_by_hand(seed, linking):
    rng = np.random.default_rng(seed)
    positions = np.mod(rng.normal(0, 18, (150, 3)), BOX).astype(np.float32)
    positions[positions >= BOX] = 0
    labels = _groups_by_hand(positions, linking * BOX / 150 ** (1 / 3))
    sizes = np.bincount(labels)
    found = find_halos(_particles(positions), linking, least=3)
    counts = found["masses"] / 1e12
    np.testing.assert_allclose(counts, sorted(sizes[sizes >= 3], reverse=True))


def test_a_halo_across_the_faces_has_its_centre_and_velocity():
    rng = np.random.default_rng(1)
    cloud = rng.uniform(-0.5, 0.5, (40, 3))
    cloud -= cloud.mean(0)
    centre, drift = np.array([99.9, 0.1, 50.0]), np.array([300.0, -200.0, 50.0])
    positions = np.mod(cloud + centre, BOX)
    velocities = rng.normal(0, 100, (40, 3))
    velocities += drift - velocities.mean(0)
    lonely = rng.uniform(0, BOX, (24, 3)) * [1, 1, 0.3]
    found = find_halos(
        _particles(np.concatenate([lonely, positions]), np.concatenate([0 * lonely, velocities])),
        linking=0.05,
    )
    np.testing.assert_allclose(found["positions"], [centre], atol=1e-4)
    np.testing.assert_allclose(found["velocities"], [drift], atol=0.01)
    np.testing.assert_allclose(found["masses"], [40e12])


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), radius=st.floats(5, 50))
def test_overdensity_is_that_counted_by_hand(seed, radius):
    rng = np.random.default_rng(seed)
    particles = rng.uniform(0, BOX, (400, 3)).astype(np.float32)
    centres = rng.uniform(0, BOX, (7, 3)).astype(np.float32)
    found = overdensity(centres, tree_of(particles, BOX), radius)
    within = (_separations(centres, particles) <= radius).sum(1)
    expected = within / (400 / BOX**3 * 4 / 3 * np.pi * radius**3) - 1
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match="radius"):
        overdensity(centres, tree_of(particles, BOX), 51.0)


@pytest.mark.parametrize("middle", [3.0, 50.0, 99.0])
def test_a_slice_holds_the_slab_s_matter(middle):
    rng = np.random.default_rng(4)
    positions = rng.uniform(0, BOX, (20_000, 3))
    cut = density_slice(_particles(positions), middle, cells=10)
    assert 0 <= cut.low <= middle < cut.high <= BOX
    assert cut.high - cut.low == pytest.approx(20)
    assert cut.values.mean() == pytest.approx(1, abs=0.05)
    planted = np.full((10, 3), [55.0, 25.0, middle])
    column = density_slice(_particles(planted), middle, cells=10).values
    assert np.flatnonzero(column) == [52]
