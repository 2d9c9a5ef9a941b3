"""Scales: in whatever units tracks are told, what is learned from is the same."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symlib.errors import InputError
from symlib.tracks.neighbours import edges_of
from symlib.tracks.recordings import Frames
from symlib.tracks.scales import scales_of

factor = st.floats(-9, 9).map(lambda power: 10.0**power)


def drawn(seed=0):
    rng = np.random.default_rng(seed)
    x, v, a = rng.normal(size=(3, 40, 2))
    return Frames(np.arange(0, 41, 4), np.zeros(10, int), np.arange(40) % 8, x, v, a, np.ones(40))


def in_units(frames, length, time):
    return replace(
        frames,
        position=frames.position * length,
        velocity=frames.velocity * length / time,
        acceleration=frames.acceleration * length / time**2,
        error=frames.error * length / time**2,
    )


@given(factor, factor, factor, factor)
def test_scales_follow_the_units(length, time, mass, charge):
    frames = drawn()
    weights, charges = np.array([1.0, 2, 3, 4, 5, 6, 7, 8]), np.array([-1.0, 1] * 4)
    edges = edges_of(frames)
    before = scales_of(frames, edges, weights, charges)
    other = in_units(frames, length, time)
    after = scales_of(other, edges, weights * mass, charges * charge)
    for name, scale in (("length", length), ("time", time), ("mass", mass), ("charge", charge)):
        assert getattr(after, name) == pytest.approx(scale * getattr(before, name), rel=1e-9)
    assert after.of("vx") == pytest.approx(before.of("vx") * length / time, rel=1e-9)
    one, two = before.inside(frames), after.inside(other)
    for table in ("position", "velocity", "acceleration", "error"):
        np.testing.assert_allclose(getattr(two, table), getattr(one, table), rtol=1e-9)


def test_what_is_of_size_one_inside():
    frames = drawn()
    inside = scales_of(frames, edges_of(frames), np.full(8, np.nan), np.ones(8)).inside(frames)
    edges = edges_of(inside)
    offset = inside.position[edges.sender] - inside.position[edges.receiver]
    assert np.median(np.linalg.norm(offset, axis=1)) == pytest.approx(1)
    assert np.median(np.abs(inside.acceleration)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("table", "said"), [("position", "all bodies lie"), ("acceleration", "no body accelerates")]
)
def test_where_nothing_happens_there_is_no_law(table, said):
    frames = replace(drawn(), **{table: np.zeros((40, 2))})
    with pytest.raises(InputError, match=said):
        scales_of(frames, edges_of(frames), np.ones(8), np.ones(8))


def test_masses_that_are_not_all_known_have_a_gauge_of_their_own():
    frames = drawn()
    some = np.array([10.0, 20, 30, np.nan, 50, 60, 70, 80])
    assert scales_of(frames, edges_of(frames), some, np.ones(8)).mass == 1.0
