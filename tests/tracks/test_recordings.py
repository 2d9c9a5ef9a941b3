"""Windows, frames, snapshots and the cut between training and test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from symlib.errors import InputError
from symlib.tracks.recordings import Recording, Tracks, ranges


def recording(seen, dt=0.5, start=0.0, bodies=None):
    """Of bodies that are where `seen` says; positions number frames, bodies and axes."""
    frames, count = seen.shape
    place = np.arange(frames * count * 2, dtype=float).reshape(frames, count, 2)
    place[~seen] = np.nan
    bodies = np.arange(count) if bodies is None else np.asarray(bodies)
    return Recording(dt, bodies, place, place + 0.25, place + 0.5, start=start)


def tracks(*recordings, count=None):
    count = count or 1 + max(int(one.bodies.max()) for one in recordings)
    known = np.arange(1.0, count + 1)
    return Tracks(recordings, tuple("abcdefgh"[:count]), known, -known)


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 4))))
def test_windows_hold_the_same_bodies_and_miss_no_frame_with_two(seen):
    one = recording(seen)
    windows = one.windows()
    inside = np.zeros(len(seen), dtype=int)
    for first, end in windows:
        assert (seen[first:end] == seen[first]).all()
        inside[first:end] += 1
        # No longer one would do.
        assert first == 0 or (seen[first - 1] != seen[first]).any()
    assert np.array_equal(inside, seen.sum(axis=1) >= 2)
    if not windows:
        with pytest.raises(InputError, match="no frame has two bodies"):
            tracks(one).frames()
        return
    frames = tracks(one).frames()
    assert len(frames) == inside.sum() and frames.offset[-1] == seen[inside > 0].sum()
    np.testing.assert_array_equal(frames.position, one.position[inside > 0][seen[inside > 0]])
    np.testing.assert_array_equal(frames.acceleration, frames.position + 0.5)
    assert len(np.unique(frames.window)) == len(windows)


def test_frames_are_taken_in_the_order_asked_for():
    seen = np.ones((5, 3), dtype=bool)
    seen[2:, 1] = False
    frames = tracks(recording(seen), recording(seen[:1], bodies=[2, 3, 0])).frames()
    some = frames.take(np.array([5, 2]))
    assert some.offset.tolist() == [0, 3, 5] and some.body.tolist() == [2, 3, 0, 0, 2]
    assert some.window.tolist() == [2, 1] and not some.error.any()
    assert ranges(np.array([4, 0]), np.array([2, 3])).tolist() == [4, 5, 0, 1, 2]
    assert len(frames.take(np.array([], dtype=int))) == 0


def test_the_last_stretch_is_held_out_and_of_many_recordings_whole_ones():
    seen = np.ones((20, 2), dtype=bool)
    few = tracks(recording(seen, start=3.0), recording(seen))
    training, test = few.split(0.25)
    assert [len(one) for one in (*training.recordings, *test.recordings)] == [15, 15, 5, 5]
    assert test.recordings[0].start == 3.0 + 15 * 0.5
    np.testing.assert_array_equal(test.recordings[0].position, few.recordings[0].position[15:])
    many = tracks(*(recording(seen, start=float(n)) for n in range(6)))
    training, test = many.split(0.3)
    assert [one.start for one in test.recordings] == [4, 5] and len(training) == 4
    for share in (0, 1, -0.5):
        with pytest.raises(InputError, match="test_fraction"):
            few.split(share)
    with pytest.raises(InputError, match="too few"):
        tracks(recording(seen[:5])).split()


def test_frames_that_smoothing_trimmed_are_not_what_is_held_out():
    seen = np.ones((100, 2), dtype=bool)
    raw, trimmed = tracks(recording(seen)), seen.copy()
    trimmed[:20] = trimmed[80:] = False
    smooth = tracks(recording(trimmed))
    training, test = smooth.split(0.1)
    assert (training.count, test.count) == (54, 6)
    # The raw recording is cut where the smoothed one is.
    both = zip(raw.split(0.1, by=smooth), (training, test), strict=True)
    assert all(len(one.recordings[0]) == len(other.recordings[0]) for one, other in both)


def test_snapshots_are_rows_of_position_velocity_charge_mass():
    seen = np.ones((6, 2), dtype=bool)
    one = tracks(recording(seen, bodies=[1, 0]))
    whole = one.snapshots()
    assert whole.states.shape == (6, 2, 6) and whole.states.dtype == np.float32
    np.testing.assert_array_equal(whole.states[..., :2], one.recordings[0].position)
    np.testing.assert_array_equal(whole.states[:, :, 4:], np.tile([[-2, 2], [-1, 1]], (6, 1, 1)))
    some, again = one.snapshots(3, seed=1), one.snapshots(3, seed=1)
    assert np.array_equal(some.states, again.states)
    assert len(np.unique(some.states[:, 0, 0])) == 3
    with pytest.raises(InputError, match="count must lie between 1 and 6"):
        one.snapshots(7)
    unknown = Tracks(one.recordings, one.names, np.full(2, np.nan), np.full(2, np.nan))
    assert (unknown.snapshots().states[..., 4:] == 1).all()


def test_what_cannot_be_snapshots():
    seen = np.ones((6, 3), dtype=bool)
    seen[3:, 0] = False
    with pytest.raises(InputError, match="frames hold 2 to 3 bodies"):
        tracks(recording(seen)).snapshots()
    alone = Tracks(
        (Recording(1.0, np.arange(2), np.zeros((9, 2, 2))),), ("a", "b"), *np.ones((2, 2))
    )
    with pytest.raises(InputError, match="smooth first"):
        alone.frames()
