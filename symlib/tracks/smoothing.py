"""Velocities and accelerations of noisy tracks, by local polynomials.

Around each frame a polynomial of degree 4 is fitted, by least squares, to the samples of one track
that were seen within a window centred there (Savitzky & Golay, Anal. Chem. 36, 1627, 1964, for
samples that may be missing). Its value and its derivatives at the centre are the position, the
velocity and the acceleration; the inverse of its normal equations is their variance, for noise of
one sample. By how much a fit of degree 6 over the same window moves the acceleration shows what
the first one cannot follow: its bias.

The window is the one of the least mean error of the accelerations, where an error is variance and
bias together. Leave-one-out errors of the positions, the usual choice, are a little better where
there are thousands of samples; where noise rules, or samples are few, they are nearly the same for
all windows, and then choose one far too small (`tests/tracks/compare_smoothers.py`, whose record
is book/results/own_tracks/smoothing.json).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import legendre
from tqdm import tqdm

from symlib.errors import InputError
from symlib.tracks.recordings import Recording, Tracks

# At the centre of a window odd degrees add nothing to an acceleration.
DEGREE, HIGHER = 4, 6
SMALLEST, LARGEST = 7, 1001  # windows, in frames
GROWTH = 1.4  # of one window over the one before
RIVALS = 1 / 3  # of the spread of accelerations: an error above that is worth a warning
_DETERMINED = 1e-6  # of a pivot, which is 1 where no sample is missing
_AT_ONCE = 100_000  # samples of overlapping windows
_FREE = 1e-3  # share of a sample's variance that a fit must leave to it
_REMAINDER = 2.0  # bias² over what the higher degree shows of it, measured on solved orbits


def smooth(tracks: Tracks, window: int | None = None, progress: bool = False) -> Tracks:
    """Smooth tracks, and give them velocities and accelerations with errors.

    Of a recording without velocities the acceleration is the second derivative of the
    positions; of one with velocities it is the first derivative of these. Where a few samples are
    missing they are filled in; NaN stands where the window would reach over the end of a track or
    over a gap longer than a third of it. Recordings with accelerations stay as they are, their
    error zero; if they lack velocities, these come from the positions.

    Args:
        tracks: in the user's units.
        window: an odd number of frames from 7 on; chosen from the data when None.
        progress: show how far the choice of the window is.

    Returns:
        Tracks whose recordings have velocity, acceleration and error, the standard deviation of a
        component of the acceleration. `noise` holds the standard deviations of a recorded
        position ("position"), and of the velocities ("velocity") and accelerations
        ("acceleration", rms) given here; the robust standard deviation of the accelerations
        themselves ("acceleration_spread"); and the window ("window", frames). Where velocities
        and accelerations were recorded, only those of the accelerations are there.
        `left_out` names the tracks that are too short.

    Raises:
        InputError: a window that is even or too small; no track with as many frames in a row as
            it takes; or recordings some of which have velocities or accelerations and others not.
    """
    if window is not None and (window < SMALLEST or window % 2 == 0):
        raise InputError(f"window must be an odd number from {SMALLEST} on, got {window!r}")
    recordings = tracks.recordings
    told = {(one.velocity is None, one.acceleration is None) for one in recordings}
    if len(told) > 1:
        raise InputError(
            "tracks: some recordings have velocities or accelerations that others lack; give them "
            "to all recordings, or leave them out of all"
        )
    if told == {(False, False)}:
        known = tuple(replace(one, error=np.where(one.seen(), 0.0, np.nan)) for one in recordings)
        return replace(tracks, recordings=known, noise=_spread(known) | {"acceleration": 0.0})
    _check_length(tracks, [window] if window else grid())
    sources = [_Source.of(one) for one in recordings]
    if window is None:
        chosen, sigma = choose_window(sources, progress)
    else:
        chosen, sigma = window, noise_of([one.samples for one in sources], window)
    places = [one.position for one in recordings]
    sigma_position = sigma if told == {(True, True)} else noise_of(places, chosen)
    done, velocity_errors = zip(
        *(_smoothed(one, chosen, sigma, sigma_position) for one in recordings), strict=True
    )
    noise = {
        "position": sigma_position,
        "velocity": _rms(velocity_errors),
        "acceleration": _rms([one.error for one in done]),
        **_spread(done),
        "window": chosen,
    }
    left_out = (*tracks.left_out, *_too_short(tracks, done, chosen))
    return replace(tracks, recordings=done, noise=noise, left_out=left_out)


def smoothed(tracks: Tracks) -> Tracks:
    """The same tracks where accelerations are known already, else smoothed ones."""
    known = all(one.acceleration is not None for one in tracks.recordings)
    return tracks if known else smooth(tracks)


def warning_of(tracks: Tracks) -> str | None:
    """What to say where the error of the accelerations rivals their spread; None where it doesn't.

    Args:
        tracks: from `smooth`.
    """
    error, spread = (tracks.noise.get(key, 0.0) for key in ("acceleration", "acceleration_spread"))
    if error <= RIVALS * spread:
        return None
    length, time = (tracks.units.get(key, "arbitrary") for key in ("length", "time"))
    told = "" if "arbitrary" in (length, time) else f" {length}/{time}²"
    return (
        f"accelerations are known to ±{error:.2g}{told} where they spread by {spread:.2g}{told}: "
        f"positions are known to ±{tracks.noise['position']:.2g}, and windows of "
        f"{tracks.noise['window']:.0f} frames do not even that out. Equations from them will be "
        "rough; record positions more precisely, or more frames in the same time"
    )


@dataclass(frozen=True)
class Fit:
    """Local polynomials around all frames, times in frames; NaN where there is no support.

    estimate: value and first and second derivative, shape [3, frames, bodies, dim].
    variance: theirs, over that of a sample, shape [3, frames, bodies].
    change: what the fit of the higher degree adds to them, shape [3, frames, bodies, dim].
    change_variance: that of the change in mere noise, shape [3, frames, bodies].
    residual: of the samples, over what it would be on average for noise of one, shape [frames,
        bodies, dim]; of the higher degree where that leaves any.
    """

    estimate: np.ndarray
    variance: np.ndarray
    change: np.ndarray
    change_variance: np.ndarray
    residual: np.ndarray


def basis(window: int) -> tuple[np.ndarray, np.ndarray]:
    """Polynomials that are orthonormal over the frames of a window.

    Args:
        window: an odd number of frames.

    Returns:
        Their values, shape [HIGHER + 1, window], and at the centre their value and their first
        and second derivative by the frame, shape [HIGHER + 1, 3].
    """
    half = window // 2
    values, change = np.linalg.qr(legendre.legvander(np.arange(-half, half + 1) / half, HIGHER))
    each = np.eye(HIGHER + 1)
    centre = [legendre.legval(0, legendre.legder(each, order)) for order in range(3)]
    scaled = np.stack([one / half**order for order, one in enumerate(centre)])
    return values.T, np.linalg.solve(change.T, scaled.T)


def support(seen: np.ndarray, window: int) -> np.ndarray:
    """Frames around which a window lies within the track, and holds enough samples.

    A track ends where more frames in a row than a third of the window are missing. Enough are as
    many as determine a polynomial of the higher degree.

    Args:
        seen: whether the body was seen, shape [frames].

    Returns:
        shape [frames].
    """
    inside, where = np.zeros(len(seen), dtype=bool), np.flatnonzero(seen)
    for stretch in np.split(where, np.flatnonzero(np.diff(where) > window // 3 + 1) + 1):
        if len(stretch):
            inside[stretch[0] + window // 2 : max(0, stretch[-1] - window // 2 + 1)] = True
    return inside & (_missing(seen, window) < window - HIGHER)


def _missing(seen: np.ndarray, window: int) -> np.ndarray:
    """How many frames of the window around each one are missing, shape [frames]."""
    return _over(1.0 - seen, np.ones((1, window)))[0].round()


def fit(samples: np.ndarray, window: int) -> Fit:
    """Fit local polynomials to all tracks of a recording.

    Args:
        samples: shape [frames, bodies, dim], NaN where a body was not seen.
        window: an odd number of frames.
    """
    frames, bodies, dim = samples.shape
    seen = np.isfinite(samples).all(axis=2)
    # A large offset costs digits.
    known = np.where(seen[..., None], samples, 0.0)
    origin = known.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)[:, None]
    known = np.where(seen[..., None], known - origin, 0.0)
    values, centre = basis(window)
    pairs = np.stack([one * other for one in values for other in values])
    estimate = np.full((2, 3, frames, bodies, dim), np.nan)
    variance = np.full((2, 3, frames, bodies), np.nan)
    for body in range(bodies):
        missing = _missing(seen[:, body], window)
        here = np.flatnonzero(support(seen[:, body], window))
        if not len(here):
            continue
        right = np.empty((HIGHER + 1, 3 + dim, len(here)))
        right[:, :3] = centre[:, :, None]
        for axis in range(dim):
            right[:, 3 + axis] = _over(known[:, body, axis], values)[:, here]
        # Normal equations are diagonal where no sample is missing.
        gaps = np.flatnonzero(missing[here] > 0)
        if len(gaps):
            gone = _over(1.0 - seen[:, body], pairs)[:, here[gaps]]
            gram = np.eye(HIGHER + 1)[..., None] - gone.reshape(HIGHER + 1, HIGHER + 1, -1)
            # Tables that fit a processor's cache are several times faster.
            for part in np.array_split(np.arange(len(gaps)), len(gaps) // 500 + 1):
                some = gaps[part]
                right[:, :, some] = _forward(gram[:, :, part], right[:, :, some])
        for which, degree in enumerate((DEGREE, HIGHER)):
            weights, found = right[: degree + 1, :3], right[: degree + 1, 3:]
            estimate[which, :, here, body] = np.einsum("pon,pdn->nod", weights, found)
            variance[which, :, here, body] = np.einsum("pon,pon->no", weights, weights)
    lost = ~np.isfinite(variance[1, 0])
    estimate[0, :, lost], variance[0, :, lost] = np.nan, np.nan
    left = np.where(seen[..., None], known - estimate[:, 0], np.nan)
    free = 1 - variance[:, 0, ..., None]
    # A polynomial through all samples leaves none.
    own = left / np.sqrt(np.where(free > _FREE, free, np.nan))
    residual = np.where(np.isfinite(own[1]), own[1], own[0])
    change, change_variance = (table[1] - table[0] for table in (estimate, variance))
    estimate[0, 0] += origin
    return Fit(estimate[0], variance[0], change, change_variance, residual)


def _over(series: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    """Sums of a series times kernels, over the window around each frame.

    Args:
        series: shape [frames], taken as zero before and after.
        kernels: shape [kernels, window].

    Returns:
        shape [kernels, frames].
    """
    window = kernels.shape[1]
    padded = np.pad(series, window // 2)
    found = np.empty((len(kernels), len(series)))
    step = max(1, _AT_ONCE // window)
    for first in range(0, len(series), step):
        part = np.lib.stride_tricks.sliding_window_view(
            padded[first : first + step + window - 1], window
        )
        found[:, first : first + step] = kernels @ np.ascontiguousarray(part).T
    return found


def _forward(gram: np.ndarray, right: np.ndarray) -> np.ndarray:
    """L⁻¹ right, where gram = L Lᵀ, for many frames at once.

    The first n rows belong to the first n degrees alone, so that one solution holds the fits of all
    degrees. Rows are NaN from the degree on that the samples no longer determine.

    Args:
        gram: its lower half, shape [degrees, degrees, frames].
        right: shape [degrees, columns, frames].
    """
    lower, solved = np.zeros_like(gram), np.empty_like(right)
    for row in range(len(gram)):
        for column in range(row):
            done = (lower[row, :column] * lower[column, :column]).sum(axis=0)
            lower[row, column] = (gram[row, column] - done) / lower[column, column]
        pivot = gram[row, row] - (lower[row, :row] ** 2).sum(axis=0)
        lower[row, row] = np.sqrt(np.where(pivot > _DETERMINED, pivot, np.nan))
        done = (lower[row, :row, None] * solved[:row]).sum(axis=0)
        solved[row] = (right[row] - done) / lower[row, row]
    return solved


def grid(largest: int = LARGEST) -> list[int]:
    """Odd windows from the smallest on, each 1.4 times the one before, in frames."""
    sizes = [SMALLEST]
    while (wider := round((sizes[-1] * GROWTH - 1) / 2) * 2 + 1) <= largest:
        sizes.append(wider)
    return sizes


def noise_of(tables: Sequence[np.ndarray], window: int) -> float:
    """Standard deviation of a sample's noise, from the residuals of the fits.

    Each window gives one, robust against the few frames that no polynomial follows; what a
    polynomial cannot follow only adds to it, so that the least of them is the noise.

    Args:
        tables: of samples, shapes [frames, bodies, dim].
        window: the largest that is tried, in frames.
    """
    sizes = {*grid(max(window, grid()[1])), window}
    return min(_scatter([fit(one, size).residual for one in tables]) for size in sorted(sizes))


def choose_window(sources: "Sequence[_Source]", progress: bool = False) -> tuple[int, float]:
    """The window of the least mean error of the accelerations, in frames, and the noise.

    Windows grow as long as that error falls (far above the best one both degrees miss everything,
    and agree) and at least half of what the smallest supports is supported. One that
    supports less than nine tenths of what a larger one does is too small for the gaps.

    Args:
        sources: what is differentiated.
        progress: show how far it is.

    Returns:
        The window, and the standard deviation of a sample's noise as in `noise_of`.
    """
    trials: list[_Trial] = []
    best, sigma = 0, np.inf
    for window in tqdm(grid(), desc="windows", disable=not progress, leave=False):
        trial = _Trial.of(sources, window)
        if trials and trial.count < max(one.count for one in trials) / 2:
            break
        trials.append(trial)
        most = max(one.count for one in trials)
        sigma = min(sigma, trial.sigma)
        good = [k for k, one in enumerate(trials) if one.count >= 0.9 * most]
        good = [*good, *range(good[-1] + 1, len(trials))]
        errors = [trials[k].errors(sigma) for k in good]
        common = np.logical_and.reduce([np.isfinite(one) for one in errors])
        if common.any():
            best = good[int(np.argmin([one[common].mean() for one in errors]))]
        if len(trials) - best > 2:
            break
    return trials[best].window, sigma


@dataclass(frozen=True)
class _Source:
    """Samples of which a derivative is the acceleration: positions, or velocities."""

    samples: np.ndarray  # [frames, bodies, dim]
    order: int
    dt: float

    @classmethod
    def of(cls, one: Recording) -> "_Source":
        if one.velocity is not None:
            return cls(one.velocity, 1, one.dt)
        # Of recorded accelerations only the velocities are missing.
        return cls(one.position, 2 if one.acceleration is None else 1, one.dt)


@dataclass(frozen=True)
class _Trial:
    """What one window makes of all sources."""

    window: int
    sigma: float
    parts: list[tuple[np.ndarray, ...]]
    scales: list[float]

    @classmethod
    def of(cls, sources: Sequence[_Source], window: int) -> "_Trial":
        fits = [fit(one.samples, window) for one in sources]
        parts = [
            _parts(one, source.order, window) for one, source in zip(fits, sources, strict=True)
        ]
        scales = [one.dt**-one.order for one in sources]
        return cls(window, _scatter([one.residual for one in fits]), parts, scales)

    @property
    def count(self) -> int:
        """How many samples are supported."""
        return sum(int(np.isfinite(variance).sum()) for variance, _, _ in self.parts)

    def errors(self, sigma: float) -> np.ndarray:
        """Of the accelerations of all samples one after another, in the user's units."""
        each = [
            scale * _error(parts, sigma).ravel()
            for parts, scale in zip(self.parts, self.scales, strict=True)
        ]
        return np.concatenate(each)


def _parts(found: Fit, order: int, window: int) -> tuple[np.ndarray, ...]:
    """Variance of a derivative, its squared change, and what noise alone would make that.

    The change is averaged over half a window, within which it is much the same but for its noise.

    Returns:
        shape [frames, bodies] each, NaN where there is no support.
    """
    known = np.isfinite(found.variance[order])
    width = np.ones((1, window // 2 | 1))

    def local(table):
        filled = np.where(known, table, 0.0)
        sums = np.stack([_over(column, width)[0] for column in filled.T], axis=1)
        return np.where(known, sums, np.nan)

    weight = local(1.0)
    squared = (found.change[order] ** 2).mean(axis=-1)
    changes = (local(table) / weight for table in (squared, found.change_variance[order]))
    return found.variance[order], *changes


def _error(parts: tuple[np.ndarray, ...], sigma: float) -> np.ndarray:
    """Standard deviation of a derivative's component, by the frame: noise, and bias.

    Bias stands out where the change is twice as large as noise would make it. Where it does not,
    it is what it is there on average.

    Returns:
        shape [frames, bodies].
    """
    variance, change, chance = parts[0], parts[1], sigma**2 * parts[2]
    bias = change - chance
    hidden = change <= 2 * chance
    rest = max(0.0, float(bias[hidden].mean())) if hidden.any() else 0.0
    return np.sqrt(sigma**2 * variance + _REMAINDER * np.where(hidden, rest, bias))


def _smoothed(
    one: Recording, window: int, sigma: float, sigma_position: float
) -> tuple[Recording, np.ndarray]:
    """A recording with all derivatives and the errors of the accelerations, and of the velocities.

    Args:
        sigma: noise of what is differentiated; sigma_position: that of positions.
    """
    place, speed = fit(one.position, window), 1 / one.dt
    if one.acceleration is not None:
        known = np.isfinite(one.acceleration).all(axis=2)
        error = np.where(known, 0.0, np.nan)
        own = replace(one, velocity=speed * place.estimate[1], error=error)
        return own, speed * _error(_parts(place, 1, window), sigma_position)
    if one.velocity is None:
        error = speed**2 * _error(_parts(place, 2, window), sigma)
        velocity, acceleration = speed * place.estimate[1], speed**2 * place.estimate[2]
        velocity_error = speed * _error(_parts(place, 1, window), sigma)
        position = place.estimate[0]
    else:
        pace = fit(one.velocity, window)
        # Both tables say where a body was.
        both = np.isfinite(place.variance[0]) & np.isfinite(pace.variance[0])
        error = np.where(both, speed * _error(_parts(pace, 1, window), sigma), np.nan)
        velocity_error = np.where(both, _error(_parts(pace, 0, window), sigma), np.nan)
        position, velocity, acceleration = (
            np.where(both[..., None], table, np.nan)
            for table in (place.estimate[0], pace.estimate[0], speed * pace.estimate[1])
        )
    own = replace(one, position=position, velocity=velocity, acceleration=acceleration, error=error)
    return own, velocity_error


def _scatter(residuals: Sequence[np.ndarray]) -> float:
    """Robust standard deviation about zero; infinite where there are no residuals."""
    flat = np.concatenate([one[np.isfinite(one)] for one in residuals])
    return 1.4826 * float(np.median(np.abs(flat))) if len(flat) else np.inf


def _spread(recordings: Sequence[Recording]) -> dict[str, float]:
    """Robust standard deviation of a component of the accelerations."""
    tables = [one.acceleration for one in recordings if one.acceleration is not None]
    flat = np.concatenate([table[np.isfinite(table)] for table in tables])
    spread = 1.4826 * float(np.median(np.abs(flat - np.median(flat)))) if len(flat) else 0.0
    return {"acceleration_spread": spread}


def _rms(tables: Sequence[np.ndarray | None]) -> float:
    flat = np.concatenate([one[np.isfinite(one)] for one in tables if one is not None])
    return float(np.sqrt(np.mean(flat**2))) if len(flat) else 0.0


def _check_length(tracks: Tracks, windows: Sequence[int]) -> None:
    """Refuse data in which no track is long enough for any of some windows."""
    frames, where = 0, "any track"
    for number, one in enumerate(tracks.recordings, 1):
        for body, seen in zip(one.bodies, _seen(one).T, strict=True):
            if any(support(seen, size).any() for size in windows if size <= len(seen)):
                return
            runs = np.diff(np.flatnonzero(np.concatenate([[True], ~seen, [True]]))) - 1
            if runs.max() > frames:
                frames, where = int(runs.max()), f"{tracks.names[body]} in recording {number}"
    raise InputError(
        f"tracks: derivatives need {windows[0]} frames in a row, and the longest stretch is "
        f"{frames}, of {where}; give more frames"
        + ("" if windows[0] == SMALLEST else f", or a window from {SMALLEST} on")
    )


def _too_short(tracks: Tracks, done: Sequence[Recording], window: int) -> list[str]:
    """Tracks that were seen but are nowhere supported, a sentence each."""
    told = []
    for number, (before, after) in enumerate(zip(tracks.recordings, done, strict=True)):
        lost = np.isfinite(before.position).any(axis=(0, 2)) & ~after.seen().any(axis=0)
        names = ", ".join(tracks.names[body] for body in before.bodies[lost])
        if names:
            told.append(
                f"recording {number + 1}: {names}: not seen in {window} frames in a row, which "
                "derivatives take"
            )
    return told


def _seen(one: Recording) -> np.ndarray:
    """Where all that is smoothed was seen, shape [frames, bodies]."""
    tables = [table for table in (one.position, one.velocity) if table is not None]
    return np.logical_and.reduce([np.isfinite(table).all(axis=2) for table in tables])
