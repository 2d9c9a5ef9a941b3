"""Derivatives of noisy tracks: exact where they can be, with errors that hold where they cannot."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symlib.errors import InputError
from symlib.tracks.recordings import Recording, Tracks
from symlib.tracks.smoothing import SMALLEST, smooth, warning_of

FREQUENCIES = np.array([[1.0, 1.3], [0.7, 1.1], [1.2, 0.9]])


def tracks(position, dt=0.02, **known):
    count = position.shape[1]
    names = tuple(f"body {k + 1}" for k in range(count))
    one = Recording(dt, np.arange(count), position, **known)
    return Tracks((one,), names, np.full(count, np.nan), np.full(count, np.nan))


def waves(frames=800, dt=0.02):
    """Positions, velocities and accelerations of bodies that swing, shape [frames, 3, 2]."""
    t = dt * np.arange(frames)[:, None, None]
    swing, slope = np.sin(FREQUENCIES * t), np.cos(FREQUENCIES * t)
    return swing, FREQUENCIES * slope, -(FREQUENCIES**2) * swing


def noisy(table, sigma, seed=0):
    return table + sigma * np.random.default_rng(seed).normal(size=table.shape)


def without(table, share, seed=1):
    gone = np.random.default_rng(seed).random(table.shape[:2]) < share
    return np.where(gone[..., None], np.nan, table)


@pytest.mark.parametrize("share", [0, 0.1])
def test_polynomials_of_degree_four_come_out_as_they_are_even_where_samples_are_missing(share):
    rng, t = np.random.default_rng(0), 0.1 * np.arange(60)
    curves = [np.polynomial.Polynomial(rng.normal(size=5)) for _ in range(4)]
    truth = [
        np.stack([one.deriv(k)(t) for one in curves], axis=1).reshape(60, 2, 2) for k in range(3)
    ]
    [one] = smooth(tracks(without(truth[0], share), dt=0.1), window=15).recordings
    for found, real in zip((one.position, one.velocity, one.acceleration), truth, strict=True):
        inside = found[7:-7]
        assert np.isfinite(inside).all()
        np.testing.assert_allclose(inside, real[7:-7], rtol=1e-8, atol=1e-8 * abs(real).max())
        assert np.isnan(found[:7]).any(axis=(1, 2)).all()


@pytest.mark.parametrize("share", [0, 0.05, 0.2])
def test_error_bars_hold(share):
    position, _, acceleration = waves()
    for window in (21, 51):
        [one] = smooth(tracks(without(noisy(position, 0.01), share)), window).recordings
        ratio = (one.acceleration - acceleration) / one.error[..., None]
        assert 0.8 < np.nanmean(ratio**2) < 1.3


def test_noise_is_estimated_and_what_is_given_out_is_as_exact_as_it_says():
    position, velocity, _ = waves()
    made = smooth(tracks(noisy(position, 0.1)))
    assert made.noise["position"] == pytest.approx(0.1, rel=0.1)
    wrong = made.recordings[0].velocity - velocity
    assert made.noise["velocity"] == pytest.approx(np.sqrt(np.nanmean(wrong**2)), rel=0.25)
    assert made.noise["acceleration"] == pytest.approx(
        np.sqrt(np.nanmean(made.recordings[0].error ** 2))
    )
    assert 0.5 < made.noise["acceleration_spread"] < 1.5


def test_clean_data_take_the_smallest_window_and_are_accurate_to_the_fourth_order():
    worst = []
    for dt in (0.04, 0.02):
        position, _, acceleration = waves(dt=dt)
        made = smooth(tracks(position, dt))
        assert made.noise["window"] == SMALLEST
        worst.append(np.nanmax(np.abs(made.recordings[0].acceleration - acceleration)))
    assert worst[0] < 1e-5
    assert worst[0] / worst[1] == pytest.approx(16, rel=0.2)


def test_the_window_grows_with_noise_and_the_choice_is_near_the_best():
    position, _, acceleration = waves()

    def wrong(made):
        return np.sqrt(np.nanmean((made.recordings[0].acceleration - acceleration)[100:-100] ** 2))

    chosen = []
    for sigma in (0, 1e-4, 1e-3, 1e-2):
        seen = tracks(noisy(position, sigma))
        made = smooth(seen)
        chosen.append(made.noise["window"])
        assert wrong(made) < 2 * min(wrong(smooth(seen, w)) for w in (7, 13, 27, 51, 99, 195))
    assert chosen == sorted(chosen) and len(set(chosen)) == 4


def test_short_gaps_are_filled_and_long_ones_end_a_track():
    position, _, acceleration = waves(300)
    position[100:104, 0] = np.nan
    position[200:240, 1] = np.nan
    [one] = smooth(tracks(position), window=15).recordings
    seen = one.seen()
    assert seen[7:-7, [0, 2]].all() and not seen[:7].any() and not seen[-7:].any()
    assert seen[7:193, 1].all() and not seen[193:247, 1].any() and seen[247:-7, 1].all()
    np.testing.assert_allclose(one.acceleration[100:104, 0], acceleration[100:104, 0], atol=1e-3)
    assert one.error[102, 0] > one.error[50, 0]
    assert [(a, b) for a, b in one.windows()] == [(7, 193), (193, 247), (247, 293)]


def test_bodies_with_some_samples_missing_stay_in():
    position = waves()[0]
    for sigma in (0, 0.01):
        made = smooth(tracks(without(noisy(position, sigma), 0.05)))
        half = int(made.noise["window"]) // 2
        assert made.recordings[0].seen()[half + 3 : -half - 3].mean() > 0.97


def test_an_encounter_too_fast_for_the_frames_has_a_large_error():
    position = waves()[0]
    t = np.arange(800) - 400
    position[:, 0, 0] += 0.5 * np.tanh(t / 2)
    [one] = smooth(tracks(noisy(position, 0.001))).recordings
    assert np.nanmax(one.error[395:406, 0]) > 20 * np.nanmedian(one.error)
    assert np.nanmedian(one.error[:, 1]) < 2 * np.nanmedian(one.error)


def test_recorded_velocities_are_differentiated_once():
    position, velocity, acceleration = waves()
    seen = tracks(noisy(position, 0.01), velocity=noisy(velocity, 0.01, seed=1))
    [one] = smooth(seen).recordings
    [without_them] = smooth(tracks(seen.recordings[0].position)).recordings
    ratio = (one.acceleration - acceleration) / one.error[..., None]
    assert 0.8 < np.nanmean(ratio**2) < 1.3
    assert np.nanmedian(one.error) < 0.5 * np.nanmedian(without_them.error)
    assert np.nanmax(np.abs(one.velocity - velocity)) < 0.03


def test_recorded_accelerations_are_left_alone():
    position, velocity, acceleration = waves()
    made = smooth(tracks(position, velocity=velocity, acceleration=acceleration))
    [one] = made.recordings
    assert one.position is position and one.velocity is velocity
    assert (one.error == 0).all() and made.noise["acceleration"] == 0
    [one] = smooth(tracks(position, acceleration=acceleration)).recordings
    assert one.acceleration is acceleration and np.nanmax(np.abs(one.velocity - velocity)) < 1e-6


def test_a_warning_says_when_errors_rival_the_accelerations():
    position = waves()[0]
    assert warning_of(smooth(tracks(noisy(position, 0.001)))) is None
    text = warning_of(smooth(tracks(noisy(position, 3.0))))
    assert text is not None and "known to ±" in text and "spread by" in text


def test_tracks_too_short_are_named():
    position = waves(40)[0]
    with pytest.raises(
        InputError, match=r"need 7 frames in a row.* is 5, of body 1 in recording 1"
    ):
        smooth(tracks(position[:5]))
    with pytest.raises(InputError, match="odd number from 7"):
        smooth(tracks(position), window=10)
    holed = position.copy()
    holed[[3, 5, 9, 15, 21, 27, 33]] = np.nan
    assert smooth(tracks(holed)).count > 10
    with pytest.raises(InputError, match=r"need 21 frames in a row.* is 5, of body 1.*from 7 on"):
        smooth(tracks(np.where(np.isfinite(holed[:16]), holed[:16], np.nan)), window=21)
    position[6:, 2] = np.nan
    made = smooth(tracks(position))
    assert any("body 3" in told for told in made.left_out)
    assert made.recordings[0].seen()[10, :2].all()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    shift=st.floats(-1e3, 1e3),
    length=st.floats(1e-3, 1e3),
    time=st.floats(1e-3, 1e3),
    share=st.sampled_from([0.0, 0.1]),
)
def test_units_places_and_the_arrow_of_time_are_the_users_own(seed, shift, length, time, share):
    position = without(noisy(waves(200)[0], 0.01, seed), share, seed)
    plain = smooth(tracks(position))
    window = plain.noise["window"]
    [one] = plain.recordings
    moved = smooth(tracks(length * (position + shift), dt=0.02 * time))
    back = smooth(tracks(position[::-1]))
    assert moved.noise["window"] == back.noise["window"] == window
    scale = np.nanmax(np.abs(one.acceleration))
    for other, factor, sign in ((moved, length / time**2, 1), (back, 1, -1)):
        [two] = other.recordings
        for name in ("acceleration", "error"):
            np.testing.assert_allclose(
                getattr(two, name)[::sign] / factor, getattr(one, name), atol=1e-6 * scale
            )
    np.testing.assert_allclose(back.recordings[0].velocity[::-1], -one.velocity, atol=1e-8)


def test_recordings_that_tell_different_things_are_refused():
    position, velocity, _ = waves(100)
    both = [tracks(position).recordings[0], tracks(position, velocity=velocity).recordings[0]]
    mixed = dataclasses.replace(tracks(position), recordings=tuple(both))
    with pytest.raises(InputError, match="velocities or accelerations that others lack"):
        smooth(mixed)


def test_recordings_share_one_window_and_one_noise_whatever_their_dt():
    coarse, fine = waves(400, 0.04), waves(800, 0.02)
    parts = [
        tracks(noisy(table[0], 0.01), dt).recordings[0]
        for table, dt in ((coarse, 0.04), (fine, 0.02))
    ]
    made = smooth(dataclasses.replace(tracks(fine[0]), recordings=tuple(parts)))
    for one, table in zip(made.recordings, (coarse, fine), strict=True):
        ratio = (one.acceleration - table[2]) / one.error[..., None]
        assert 0.5 < np.nanmean(ratio**2) < 1.5
