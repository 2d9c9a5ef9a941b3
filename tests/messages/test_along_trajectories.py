"""Laws held against positions as recorded: what is true has residuals like the noise."""

import functools
from dataclasses import replace

import numpy as np
import pytest
from scenes import scene_of, tracks_of

from symlib.messages.force_law import ForceEquation, row
from symlib.messages.trajectories import (
    COUPLED,
    Dynamics,
    by_trajectory,
    refit_trajectories,
    segments_of,
)
from symlib.symbolic.algebra.parsing import parse_equation
from symlib.tracks.scales import Scales
from symlib.tracks.smoothing import smooth

ONE = Scales(1.0, 1.0, 1.0, 1.0)
TRUTH = "1.0001*m2*r/(r**2 + 0.1)**1.5"
CASE = {"recordings": 6, "frames": 180, "bodies": 4}


def law_of(text, *body):
    names = ["r", "m1", "m2", "x", "y", "vx", "vy"]
    return ForceEquation(parse_equation(text, names), tuple(parse_equation(b, names) for b in body))


@functools.cache
def seen(seed, name="noise 1%", **changes):
    """Segments, the numbers of the bodies, and the tracks they are of."""
    raw = tracks_of(name, seed, **{**CASE, **changes})
    smoothed = smooth(raw, 37)
    return segments_of(raw, smoothed, ONE), {"m": raw.mass}, smoothed


def squares(law, segments, numbers):
    dynamics = Dynamics(law, segments, numbers)
    return segments.by_segment(segments.residuals(dynamics.at(dynamics.start)))


@pytest.mark.parametrize("seed", [10, 11])
def test_residuals_of_the_truth_are_like_the_noise(seed):
    segments, numbers, _ = seen(seed)
    truth = squares(law_of(TRUTH), segments, numbers)
    # Close encounters in all of them, and yet every segment finds its beginning.
    assert truth.mean() == pytest.approx(1, abs=0.12) and truth.max() < 1.6
    for wrong in ("0.5*m2/r", "1.5*m2*r/(r**2 + 0.1)**1.5", "0.0001*m2"):
        assert squares(law_of(wrong), segments, numbers).mean() > 1.5 * truth.mean()


def test_constants_are_within_their_errors():
    pulls = []
    for seed in (10, 11, 12):
        segments, numbers, _ = seen(seed)
        start = law_of("1.3*m2*r/(r**2 + 0.15)**1.5")
        law, errors = refit_trajectories(start, segments, numbers)
        values = Dynamics(law, segments, numbers).start
        order = np.argsort(values)
        np.testing.assert_allclose(values[order], [0.1, 1.0], rtol=0.05)
        assert (errors < 0.03).all()
        pulls.append((values[order] - [0.1, 1.0]) / errors[order])
    assert 0.3 < np.sqrt(np.mean(np.square(pulls))) < 2


def test_forces_on_single_bodies_are_integrated_along():
    segments, numbers, _ = seen(3, "trap and drag", gives=("mass",), noise=1e-3)
    body = [f"-{{0}}*{axis} - {{1}}*v{axis}" for axis in "xy"]
    truth = [one.format(0.5, 0.1) for one in body]
    assert squares(law_of(TRUTH, *truth), segments, numbers).mean() == pytest.approx(1, abs=0.15)
    start = law_of(TRUTH, *(one.format(0.4, 0.15) for one in body))
    law, errors = refit_trajectories(start, segments, numbers)
    values = Dynamics(law, segments, numbers).start
    assert np.abs(np.sort(values)[:4] - [-0.5, -0.5, -0.1, -0.1]).max() < 0.02
    assert (errors > 0).all()


def test_many_bodies_are_held_against_what_was_seen_too():
    segments, numbers, _ = seen(0, bodies=COUPLED + 2, recordings=2, frames=120, box=4.0)
    assert not segments.coupled
    truth, wrong = (squares(law_of(one), segments, numbers) for one in (TRUTH, "0.5*m2/r"))
    assert truth.mean() < 1.5 < wrong.mean()
    law, _ = refit_trajectories(law_of("1.1*m2*r/(r**2 + 0.1)**1.5"), segments, numbers)
    values = np.sort(Dynamics(law, segments, numbers).start)
    np.testing.assert_allclose(values, [0.1, 1.0], rtol=0.1)


def test_what_was_not_seen_counts_nothing():
    segments, numbers, _ = seen(10)
    gone = np.random.default_rng(0).random(segments.observed.shape[:2]) < 0.1
    holes = replace(segments, observed=np.where(gone[..., None], np.nan, segments.observed))
    dynamics = Dynamics(law_of(TRUTH), holes, numbers)
    residuals = holes.residuals(dynamics.at(dynamics.start))
    assert (residuals[gone] == 0).all() and (residuals[~gone] != 0).all()
    assert holes.by_segment(residuals).mean() == pytest.approx(1, abs=0.12)


def test_segments_do_not_share_frames():
    segments, _, smoothed = seen(10)
    assert segments.count > 6
    frames = len(segments.observed)
    assert frames == smoothed.noise["window"]
    firsts = {tuple(one) for one in segments.observed[0]}
    others = {tuple(one) for table in segments.observed[1:] for one in table}
    assert len(firsts) == segments.observed.shape[1] and not firsts & others


def test_rows_are_measured_along_trajectories():
    segments, numbers, smoothed = seen(10)
    scene = scene_of(smoothed)
    truth, wrong = (
        by_trajectory(row(law_of(text), scene, scene), segments, segments, numbers)
        for text in (TRUTH, "0.5*m2/r")
    )
    assert truth.measure == truth.trajectory == truth.fitted == pytest.approx(1, abs=0.12)
    assert len(truth.blocks) == segments.count
    assert wrong.measure > 1.5 * truth.measure
