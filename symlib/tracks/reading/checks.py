"""What velocities say of dt and of the axes, and accelerations likewise.

From one frame to the next the change of a position over dt is the mean of both velocities, up to
terms of the order of dt²; the change of a velocity over dt is the mean of both accelerations. What
is off by a factor, by a sign or by an axis shows there, long before any network trains on it.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from symlib.errors import InputError
from symlib.tracks.recordings import Recording

OFF = 1.2  # a factor that is no longer the order of dt²
FEW = 20  # pairs of frames, of which nothing can be said
ENOUGH = 200_000  # pairs, more are thinned
LOWER = {"position": "positions", "velocity": "velocities"}
TOGETHER = 0.7  # correlation of what belongs together
AHEAD = 0.3  # how much better a wrong axis must fit than the right one


def check_motion(what: str, recordings: Sequence[Recording]) -> None:
    """Refuse a wrong dt, swapped axes and a wrong sign, where velocities or accelerations show it.

    Medians and ranks decide, so that a few wrong rows or close encounters do not.

    Args:
        what: how messages call the file.
        recordings: those with velocities are looked at.

    Raises:
        InputError: it says by which factor dt is off, or which axes are swapped.
    """
    orders = (("position", "velocity", "velocities"), ("velocity", "acceleration", "accelerations"))
    for low, high, said in orders:
        if any(getattr(one, name) is None for one in recordings for name in (low, high)):
            continue
        change, rate = _pairs(recordings, low, high)
        if len(change) < FEW:
            continue
        _check_axes(what, change, rate, low, said)
        factor = _slope(change.ravel(), rate.ravel())
        if not 1 / OFF < factor < OFF:
            # With the right dt the factor is one.
            dt = recordings[0].dt
            times = f"{max(factor, 1 / factor):.3g} times {'larger' if factor > 1 else 'smaller'}"
            raise InputError(
                f"{what}: {said} say that dt is {times}, {factor * dt:.3g} in place of {dt:.3g}; "
                f"give fps or dt, or {said} in units that go with those of {LOWER[low]}"
            )


def _pairs(recordings: Sequence[Recording], low: str, high: str) -> tuple[np.ndarray, np.ndarray]:
    """Changes over dt, and the mean rate meanwhile, shape [pairs, dim]."""
    places = sum(one.position.shape[0] * one.position.shape[1] for one in recordings)
    stride = 1 + places // ENOUGH
    found = []
    for one in recordings:
        first = np.arange(0, len(one) - 1, stride)
        value, rate = getattr(one, low), getattr(one, high)
        change = (value[first + 1] - value[first]) / one.dt
        mean = (rate[first + 1] + rate[first]) / 2
        good = np.isfinite(change).all(axis=2) & np.isfinite(mean).all(axis=2)
        found.append((change[good], mean[good]))
    changes, rates = zip(*found, strict=True)
    return np.concatenate(changes), np.concatenate(rates)


def _check_axes(what: str, change: np.ndarray, rate: np.ndarray, low: str, said: str) -> None:
    dim = change.shape[1]
    together = np.array(
        [[_correlation(change[:, i], rate[:, j]) for j in range(dim)] for i in range(dim)]
    )
    for axis in range(dim):
        name, kind = "xyz"[axis], "v" if low == "position" else "a"
        of = name if low == "position" else f"v{name}"
        if together[axis, axis] < -TOGETHER:
            raise InputError(
                f"{what}: {of} falls where {kind}{name} says that it rises: the sign of one of "
                "them is wrong"
            )
        other = int(together[axis].argmax())
        best = together[axis, other]
        if best > TOGETHER and together[axis, axis] < best - AHEAD:
            raise InputError(
                f"{what}: {of} changes as {kind}{'xyz'[other]} says, and not as {kind}{name}: the "
                f"axes of {LOWER[low]} and {said} are swapped"
            )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Of ranks, zero where one of them is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    first, second = (pd.Series(values).rank().to_numpy() for values in (one, other))
    return float(np.corrcoef(first, second)[0, 1])


def _slope(change: np.ndarray, rate: np.ndarray) -> float:
    """Change over rate, 1 where that cannot be told.

    Noise in the rate makes the slope of one on the other too small, noise in the change that of
    the other on the one; the truth lies between, and what does not rule out a one is no verdict.
    """
    low, high = _median_ratio(change, rate), _median_ratio(rate, change)
    if not (low > 0 and high > 0):
        return 1.0
    high = 1 / high
    low, high = min(low, high), max(low, high)
    return 1.0 if low < OFF and high > 1 / OFF else float(np.sqrt(low * high))


def _median_ratio(one: np.ndarray, other: np.ndarray) -> float:
    """Median of one over the other where the other is large."""
    size = np.abs(other)
    large = (size >= np.median(size)) & (size > 0)
    return float(np.median(one[large] / other[large])) if large.any() else 0.0
