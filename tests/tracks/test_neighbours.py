"""Pairs of rows, held against every pair there is."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symlib.errors import InputError
from symlib.tracks.neighbours import edges_of
from symlib.tracks.recordings import Frames

frames_of_bodies = st.lists(st.integers(1, 6), min_size=1, max_size=5).filter(
    lambda counts: max(counts) > 1
)


def drawn(counts, seed, dim=2):
    offset = np.concatenate([[0], np.cumsum(counts)])
    rows = offset[-1]
    x = np.random.default_rng(seed).uniform(-1, 1, (rows, dim))
    nothing = np.zeros_like(x)
    return Frames(
        offset, np.arange(len(counts)), np.arange(rows), x, nothing, nothing, np.zeros(rows)
    )


def every_pair(frames, radius=np.inf):
    """By frame, the pairs (sender, receiver)."""
    found = []
    for first, end in itertools.pairwise(frames.offset):
        pairs = itertools.permutations(range(first, end), 2)
        x = frames.position
        found.append({(i, j) for i, j in pairs if np.linalg.norm(x[i] - x[j]) <= radius})
    return found


def by_frame(edges):
    both = list(zip(edges.sender.tolist(), edges.receiver.tolist(), strict=True))
    return [both[first:end] for first, end in itertools.pairwise(edges.offset)]


@given(frames_of_bodies, st.integers(0, 1000))
def test_without_a_radius_all_act_on_all(counts, seed):
    frames = drawn(counts, seed)
    found = by_frame(edges_of(frames))
    assert [set(one) for one in found] == every_pair(frames)
    assert [len(one) for one in found] == [n * (n - 1) for n in counts]


@given(frames_of_bodies, st.integers(0, 1000), st.floats(0.05, 3), st.integers(2, 3))
def test_within_a_radius_the_near_ones_do_both_ways_round(counts, seed, radius, dim):
    frames = drawn(counts, seed, dim)
    truth = every_pair(frames, radius)
    if not any(truth):
        with pytest.raises(InputError, match="a larger radius"):
            edges_of(frames, radius)
        return
    found = by_frame(edges_of(frames, radius))
    assert [set(one) for one in found] == truth
    assert [len(one) for one in found] == [len(one) for one in truth]


@given(frames_of_bodies, st.integers(0, 1000), st.data())
def test_edges_of_some_frames_are_taken_in_their_order(counts, seed, data):
    edges = edges_of(drawn(counts, seed))
    chosen = data.draw(st.lists(st.integers(0, len(counts) - 1), min_size=1, max_size=4))
    every = np.arange(len(edges))
    truth = np.concatenate([every[edges.offset[k] : edges.offset[k + 1]] for k in chosen])
    np.testing.assert_array_equal(edges.take(np.array(chosen)), truth)


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan")])
def test_a_radius_that_is_none_is_refused(radius):
    with pytest.raises(InputError, match="positive distance"):
        edges_of(drawn([3], 0), radius)
