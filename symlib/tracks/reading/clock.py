"""Times as numbers of frames: how far apart frames are, and which frame a time is.

A time column holds either numbers of frames, and then someone has to say how long one takes, or
times, whose most common difference is that between two frames.
"""

from dataclasses import dataclass

import numpy as np

from symlib.errors import InputError

OFF = 0.01  # how far, in frames, a time may lie beside its frame
ROUNDED = 0.05  # the same, where times were written with too few digits
MOST = 10**9  # frames, which no table holds


@dataclass(frozen=True)
class Ticks:
    """Which frame each distinct time is: numbers from zero on, dt apart, the first at start."""

    dt: float
    start: float
    number: np.ndarray


def step(fps: float | None, dt: float | None) -> float | None:
    """How long one unit of the time column takes, or None where nobody said.

    Raises:
        InputError: both are given, or what is given is not a positive number.
    """
    if fps is not None and dt is not None:
        raise InputError("fps, dt: one of them says it all, leave the other out")
    for name, value in (("fps", fps), ("dt", dt)):
        if value is None:
            continue
        try:
            number = float(np.asarray(value, dtype=np.float64).item())
        except (TypeError, ValueError):
            number = np.nan
        if not 0 < number < np.inf:
            raise InputError(f"{name}: one positive number is needed, got {value!r}")
        return number if name == "dt" else 1 / number
    return None


def ticks(
    what: str, times: list[np.ndarray], unit: float | None, hint: str | None = None
) -> list[Ticks]:
    """Which frames the times are, recording by recording.

    Args:
        what: how messages call the file.
        times: the distinct times of each recording, in ascending order.
        unit: from `step`.
        hint: what to do about whole numbers, if it is something else than usual.

    Raises:
        InputError: whole numbers, and nobody said how long a frame takes; numbers of frames that
            are not whole; or times that are not evenly spaced.
    """
    together = np.concatenate(times)
    whole = together == np.round(together)
    if unit is None and whole.all() and len(together):
        usual = "if they count frames, give fps= or dt=, and if they are times already, dt=1"
        raise InputError(f"{what}: times are whole numbers; {hint or usual}")
    if unit is None:
        return [_of_times(what, one) for one in times]
    if not whole.all():
        raise InputError(
            f"{what}: time {together[~whole][0]:g} is no number of a frame; leave fps and dt out "
            "where the column holds times"
        )
    if any(one[-1] - one[0] > 2**53 for one in times):
        raise InputError(f"{what}: frames are numbered up to {together.max():g}; number them anew")
    gaps = np.concatenate([np.diff(one) for one in times]).astype(np.int64)
    # Where only every tenth frame was kept, that is the distance of two.
    stride = int(np.gcd.reduce(gaps)) if len(gaps) else 1
    return [
        Ticks(unit * stride, unit * float(one[0]), ((one - one[0]) // stride).astype(np.int64))
        for one in times
    ]


def _of_times(what: str, times: np.ndarray) -> Ticks:
    if len(times) == 1:
        return Ticks(1.0, float(times[0]), np.zeros(1, dtype=np.int64))
    gaps = np.diff(times)
    # Two times that differ by rounding alone are one.
    real = gaps[gaps > 1e-9 * np.abs(times).max()]
    if not len(real):
        return Ticks(1.0, float(times[0]), np.zeros(len(times), dtype=np.int64))
    bins = np.round(np.log(real) / 0.02)
    kinds, counts = np.unique(bins, return_counts=True)
    common = float(real[np.abs(bins - kinds[counts.argmax()]) <= 2].mean())
    if (times[-1] - times[0]) / common > MOST:
        raise InputError(
            f"{what}: times from {times[0]:g} to {times[-1]:g} are too many frames {common:g} apart"
        )
    number = np.concatenate([[0], np.cumsum(np.round(gaps / common).astype(np.int64))])
    dt = common
    if number[-1]:
        dt = float(np.polyfit(number, times - times[0], 1)[0])
    beside = times - times[0] - dt * number
    beside -= np.median(beside)
    worst = int(np.abs(beside).argmax())
    if abs(beside[worst]) > max(OFF * dt, min(_rounding(times), ROUNDED * dt)):
        raise InputError(
            f"{what}: times are not evenly spaced: {times[worst]:.10g} lies "
            f"{abs(beside[worst]) / dt:.2g} of a frame beside the grid of dt = {common:.6g}"
        )
    return Ticks(dt, float(times[0]), number)


def _rounding(times: np.ndarray) -> float:
    """Half a unit of the last digit that times are written with."""
    digits = next((n for n in range(9) if np.allclose(times, np.round(times, n), 0, 1e-12)), 12)
    return 0.5 * 10.0**-digits
