"""Neighbours of halos, and Table 6's formulas against a slow reading of the paper."""

import numpy as np
import pytest
from halos import TRUTH, random_halos
from hypothesis import given, settings
from hypothesis import strategies as st

from symlib.cosmology.formulas import (
    FORMULAS,
    PAPER,
    PAPER_LENGTH,
    PAPER_SPEED,
    get_formula,
    half_radius,
    kernel,
    paper_constants,
    pole,
)
from symlib.cosmology.neighbours import features, neighbours
from symlib.errors import InputError, UnknownChoice


@pytest.fixture(scope="module")
def halos():
    return features(random_halos())


@settings(max_examples=25)
@given(
    count=st.integers(2, 40),
    box=st.floats(100, 300),
    radius=st.floats(5, 50),
    seed=st.integers(0, 10**6),
)
def test_pairs_are_those_of_brute_force(count, box, radius, seed):
    catalogue = random_halos(count=count, box=box, seed=seed)
    positions = catalogue.positions.astype(float)
    apart = positions[None] - positions[:, None]
    apart -= box * np.round(apart / box)
    near = (np.linalg.norm(apart, axis=2) < radius) & ~np.eye(count, dtype=bool)
    if not near.any():
        with pytest.raises(InputError, match="no two halos"):
            neighbours(catalogue, radius)
        return
    with pytest.raises(InputError, match="radius"):
        neighbours(catalogue, 0.51 * box)
    *found, separations = neighbours(catalogue, radius)
    np.testing.assert_array_equal(found, np.nonzero(near))
    np.testing.assert_allclose(separations, apart[near], atol=1e-9)


FEW = random_halos(count=60, box=105.0)


def slowly(name, c, length=1.0, speed=100.0):
    """Table 6 as it is printed, one halo after the other, in units of (Mpc/h, km/s)."""
    catalogue = FEW
    box, count = catalogue.box, len(catalogue)
    x, v = catalogue.positions.astype(float), catalogue.velocities.astype(float) / speed
    mass = catalogue.masses.astype(float) / 1e14
    result = []
    for i in range(count):
        away = np.abs(x[i] - x)
        r = np.linalg.norm(np.minimum(away, box - away), axis=1)
        relative, own = np.linalg.norm(v[i] - v, axis=1), np.linalg.norm(v[i])
        others = (r < 50) & (np.arange(count) != i)
        soft = 1 / (c[4] + (c[5] * r / length) ** c[6]) if len(c) == 7 else None
        if name == "constant":
            result.append(c[0])
        elif name == "simple":
            e = mass[others & (r < 20)].sum()
            result.append(c[0] + (c[1] + mass[i] * c[2]) * e)
        elif name == "without_mass":
            e = ((c[3] + relative) * soft)[others].sum()
            result.append(c[0] + e / (c[1] + c[2] * e * own))
        elif name == "with_mass":
            e = ((c[3] + mass) * soft)[others].sum()
            result.append(c[0] + e / (c[1] + c[2] * mass[i]))
        else:
            e = ((c[2] + mass) / (1 + (r / c[3]) ** c[4]))[r < 50].sum()
            result.append(c[0] + c[1] * e)
    return np.array(result)


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_against_a_slow_reading(name):
    formula, halos, close = get_formula(name), features(FEW), {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(formula(halos, TRUTH[name]), slowly(name, TRUTH[name]), **close)
    if name in PAPER:
        # The paper's constants keep their meaning in our units.
        printed = slowly(name, PAPER[name], PAPER_LENGTH, PAPER_SPEED)
        np.testing.assert_allclose(formula(halos, paper_constants(name)), printed, **close)


@pytest.mark.parametrize("row", ["without_mass", "with_mass", "with_mass_cutoff"])
def test_the_papers_kernel_is_a_tophat_of_20_5(row):
    name = row.removesuffix("_cutoff")
    radius = half_radius(name, paper_constants(row))
    assert radius == pytest.approx(20.5, abs=0.2)
    assert kernel(name, paper_constants(row), radius) == pytest.approx(0.5)
    inside, outside = kernel(name, paper_constants(row), [10.0, 50.0])
    assert inside > 0.999 and outside < 1e-4


@settings(max_examples=40)
@given(
    name=st.sampled_from(["without_mass", "with_mass"]),
    factor=st.floats(1e-3, 1e3),
    seed=st.integers(0, 100),
)
def test_one_of_seven_constants_is_only_a_scale(halos, name, factor, seed):
    rng = np.random.default_rng(seed)
    constants = TRUTH[name] * rng.uniform(0.7, 1.3, 7)
    height = factor if name == "with_mass" else 1.0
    scales = [1, factor, height, 1, 1 / factor, factor ** (-1 / constants[6]), 1]
    other = constants / scales
    formula = get_formula(name)
    np.testing.assert_allclose(formula(halos, other), formula(halos, constants), rtol=1e-9)
    assert formula.identified(other) == pytest.approx(formula.identified(constants), rel=1e-9)


@pytest.mark.parametrize("name", FORMULAS)
def test_free_constants_and_back(halos, name):
    formula = get_formula(name)
    free = formula.to_free(TRUTH[name])
    back = formula.from_free(free)
    np.testing.assert_allclose(formula(halos, back), formula(halos, TRUTH[name]), rtol=1e-10)
    if name in ("with_mass", "without_mass"):
        assert back[4] == PAPER[name][4] and len(free) == 6


def test_the_kernel_neither_overflows_nor_warns(halos):
    with np.errstate(all="raise", under="ignore"):
        steep = get_formula("with_mass")(halos, [0, 1, 0, 1, 1, 0.05, 5000.0])
        far = get_formula("with_mass")(halos, [0, 1, 0, 1, 1, 1e30, 100.0])
    assert np.all(np.isfinite(steep)) and steep.max() > 0
    assert np.all(np.abs(far) < 1e-12)


@pytest.mark.parametrize("quantity", ["count", "mass", "speed"])
def test_tabulated_sums_are_nearly_exact(halos, quantity):
    table = halos.sums.table
    for radius, exponent in ((20.0, 18.0), (12.0, 8.0), (30.0, 40.0)):
        exact = halos.sums.soft(quantity, radius, exponent)
        found = table.soft(quantity, radius, exponent)
        assert np.abs(found - exact).mean() < 1e-3 * exact.mean()
        # One heavy neighbour on a steep edge misses most.
        assert np.abs(found - exact).max() < 1e-2 * exact.mean()
    np.testing.assert_array_equal(table.hard(quantity, 20.0), halos.sums.hard(quantity, 20.0))


@pytest.mark.parametrize(
    ("constants", "told"),
    [([1, 2, 3], "has 7"), ([np.nan] * 7, "C1 = nan"), ([0, 1, 1, 1, 1, 0, -2], "C6 = 0, C7 = -2")],
)
def test_constants_that_make_no_sense(halos, constants, told):
    with pytest.raises(InputError, match=told):
        get_formula("with_mass")(halos, constants)
    with pytest.raises(UnknownChoice, match="with_mass"):
        get_formula("traditional")


def test_a_falling_denominator_has_a_pole(halos):
    constants = np.array(TRUTH["with_mass"])
    assert pole("with_mass", constants) is None
    constants[2] = -constants[1] / 8
    assert pole("with_mass", constants) == pytest.approx(8)
    beyond = halos.masses > 8
    inner = get_formula("with_mass")(halos, constants) - constants[0]
    assert beyond.any() and np.all((inner > 0) == ~beyond)
    assert half_radius("simple", TRUTH["simple"]) is None
