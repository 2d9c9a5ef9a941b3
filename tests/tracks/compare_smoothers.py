"""The smoother beside others, on orbits that scipy solved.

Makes book/results/own_tracks/smoothing.json:

    python tests/tracks/compare_smoothers.py book/results/own_tracks/smoothing.json

pynumdiff and derivative are left out where they are not installed; the project doesn't need them.
Every other smoother has an unfair advantage: the spline of given noise knows it, and those of
pynumdiff and derivative are run with each of several settings, of which the best by the true
accelerations counts. symlib's chooses from the noisy positions alone. Its own error bars are held
against the truth as well: `chi2` is the mean square of error over error bar.
"""

import contextlib
import functools
import importlib.metadata
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp
from scipy.interpolate import UnivariateSpline, make_smoothing_spline

from symlib.records.record import plain, provenance, write_record
from symlib.tracks.recordings import Recording, Tracks
from symlib.tracks.smoothing import fit, grid, smooth

DT = {"gravity": 0.01, "springs": 0.02}
NOISES = (0.0, 0.001, 0.01, 0.05)  # over the spread of positions
FRAMES, BODIES, SEED = 1000, 4, 1
INNER = slice(100, -100)
RECIPES = ((1000, 4), (160, 4), (1000, 1))  # frames, tracks: where windows are compared
SEEDS = 6
CHI2_MEDIAN = 0.455  # of one degree of freedom


@functools.cache
def solved(kind: str, seed: int, frames: int = FRAMES) -> tuple[float, np.ndarray, np.ndarray]:
    """Four bodies in 2D: dt, positions and accelerations, shape [frames, bodies, 2]."""
    rng = np.random.default_rng(seed)
    start = rng.normal(size=(BODIES, 2)), 0.5 * rng.normal(size=(BODIES, 2))
    mass = np.exp(0.5 * rng.normal(size=BODIES))

    def pull(position):
        apart = position[None] - position[:, None]
        r2 = (apart**2).sum(axis=-1, keepdims=True)
        if kind == "gravity":
            return (mass[None, :, None] * apart / (r2 + 0.1) ** 1.5).sum(axis=1)
        r = np.sqrt(r2 + np.eye(BODIES)[..., None])
        return (2 * (r - 1) / r * apart).sum(axis=1) / mass[:, None]

    def flow(_, state):
        position, velocity = state.reshape(2, BODIES, 2)
        return np.concatenate([velocity, pull(position)]).ravel()

    times = np.arange(frames) * DT[kind]
    options = {"t_eval": times, "rtol": 1e-11, "atol": 1e-12, "method": "DOP853"}
    found = solve_ivp(flow, (0, times[-1]), np.concatenate(start).ravel(), **options)
    position = found.y.T.reshape(frames, 2, BODIES, 2)[:, 0]
    return DT[kind], position, np.array([pull(one) for one in position])


def tracks_of(position: np.ndarray, dt: float) -> Tracks:
    """Tracks of one recording."""
    count = position.shape[1]
    names = tuple(f"body {k + 1}" for k in range(count))
    unknown = np.full(count, np.nan)
    return Tracks((Recording(dt, np.arange(count), position),), names, unknown, unknown)


def by_column(table, method):
    """A method for one series, over all columns."""
    flat = table.reshape(len(table), -1)
    return np.stack([method(column) for column in flat.T], axis=1).reshape(table.shape)


def smoothers(dt: float, noise: float, sigma: float):
    """Of each smoother its settings: {name: {setting: positions -> accelerations}}."""
    times = np.arange(FRAMES) * dt

    def quintic(column):
        return UnivariateSpline(times, column, k=5, s=FRAMES * sigma**2).derivative(2)(times)

    def cubic(column):
        return make_smoothing_spline(times, column).derivative(2)(times)

    def ours(table):
        return smooth(tracks_of(table, dt)).recordings[0].acceleration

    found = {
        "symlib": {"chosen": ours},
        "scipy make_smoothing_spline": {"GCV": lambda table: by_column(table, cubic)},
        "scipy UnivariateSpline": {"k=5, noise given": lambda table: by_column(table, quintic)},
    }
    with contextlib.suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pynumdiff

        def twice(method, **options):
            def column(series):
                return method(method(series, dt, **options)[1], dt, **options)[1]

            return lambda table: by_column(table, column)

        found["pynumdiff"] = {
            **{
                f"rtsdiff, order 3, log q/r {ratio}": twice(
                    pynumdiff.rtsdiff, order=3, log_qr_ratio=ratio
                )
                for ratio in (6, 10, 14, 26)
            },
            **{
                f"savgoldiff, degree 4, window {window}": twice(
                    pynumdiff.savgoldiff, degree=4, window_size=window, smoothing_win=5
                )
                for window in (7, 13, 27, 51, 71, 99, 139)
            },
            **{
                f"splinediff, degree 5, s {s}": twice(pynumdiff.splinediff, degree=5, s=s)
                for s in (0, 0.5, 1.0)
            },
        }
    with contextlib.suppress(ImportError):
        from derivative import dxdt

        def both(**options):
            def column(series):
                return dxdt(dxdt(series, times, **options), times, **options)

            return lambda table: by_column(table, column)

        found["derivative"] = {
            "finite_difference, k 3": both(kind="finite_difference", k=3),
            **{
                f"spline, order 5, s {s:g} n σ²": both(
                    kind="spline", order=5, s=s * FRAMES * sigma**2
                )
                for s in (0, 1)
            },
            **{
                f"kalman, α {alpha:g}": both(kind="kalman", alpha=alpha)
                for alpha in (
                    [100 * noise**2 * k for k in (0.008, 0.04, 0.2, 1)] if noise else [1e-6]
                )
            },
        }
    return found


def errors(found, truth) -> dict:
    """Over the inner frames, rms and median, over the rms acceleration."""
    wrong = np.abs(found - truth)[INNER]
    scale = np.sqrt((truth[INNER] ** 2).mean())
    return {"rms": np.sqrt((wrong**2).mean()) / scale, "median": np.median(wrong) / scale}


def compare() -> list[dict]:
    """Every smoother at every noise: error and processor's seconds of its best setting."""
    rows = []
    for kind in DT:
        dt, position, truth = solved(kind, SEED)
        for noise in NOISES:
            sigma = noise * position.std()
            seen = position + sigma * np.random.default_rng(SEED).normal(size=position.shape)
            made = smooth(tracks_of(seen, dt))
            [one] = made.recordings
            over = ((one.acceleration - truth) / one.error[..., None])[INNER] ** 2
            own = {"window": made.noise["window"], "chi2": np.nanmean(over)}
            own["chi2_median"] = np.nanmedian(over) / CHI2_MEDIAN
            for name, settings in smoothers(dt, noise, sigma).items():
                tried = []
                for setting, method in settings.items():
                    began = time.process_time()
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        try:
                            made = errors(method(seen), truth)
                        except (ValueError, np.linalg.LinAlgError):
                            continue
                    seconds = time.process_time() - began
                    tried.append({"setting": setting, **made, "seconds": round(seconds, 3)})
                best = min(tried, key=lambda one: one["rms"])
                rows.append(
                    {"data": kind, "noise": noise, "smoother": name, "tried": len(tried), **best}
                    | (own if name == "symlib" else {})
                )
                print(rows[-1], file=sys.stderr)
    return rows


def windows() -> list[dict]:
    """How much worse than the best window are the chosen one and that of cross-validation.

    Cross-validation takes the window of the least leave-one-out error of the positions.
    """
    rows = []
    for frames, count in RECIPES:
        for noise in NOISES:
            ratios: dict[str, list[float]] = {"chosen": [], "cross_validation": []}
            for kind in DT:
                for seed in range(SEEDS):
                    dt, position, truth = solved(kind, seed, frames)
                    position, truth = position[:, :count], truth[:, :count]
                    sigma = noise * position.std()
                    seen = position + sigma * np.random.default_rng(5).normal(size=position.shape)
                    sizes = grid(frames // 2)
                    inner = slice(sizes[-1] // 2, -(sizes[-1] // 2))
                    loo, wrong = {}, {}
                    for size in sizes:
                        found = fit(seen, size)
                        left = (seen - found.estimate[0]) / (1 - found.variance[0, ..., None])
                        loo[size] = (left[inner] ** 2).mean()
                        off = found.estimate[2] / dt**2 - truth
                        wrong[size] = np.sqrt((off[inner] ** 2).mean())
                    picks = {
                        "chosen": int(smooth(tracks_of(seen, dt)).noise["window"]),
                        "cross_validation": min(loo, key=lambda size: loo[size]),
                    }
                    for name, size in picks.items():
                        ratios[name].append(wrong[size] / min(wrong.values()))
            rows.append({"frames": frames, "tracks": count, "noise": noise})
            for name, found in ratios.items():
                rows[-1][name] = {"mean": np.exp(np.mean(np.log(found))), "worst": max(found)}
            print(rows[-1], file=sys.stderr)
    return rows


def main(path: str) -> None:
    """Measure, and write the record."""
    began = time.perf_counter()
    chosen, rows = windows(), compare()
    command = f"python tests/tracks/compare_smoothers.py {path}"
    made = provenance(time.perf_counter() - began, command)
    for package in ("scipy", "pynumdiff", "derivative"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            made["versions"][package] = importlib.metadata.version(package)
    record = {
        "kind": "smoothing",
        "frames": FRAMES,
        "bodies": BODIES,
        "dt": DT,
        "seed": SEED,
        "inner": [INNER.start, FRAMES + INNER.stop],
        "results": rows,
        "windows": {"seeds": SEEDS, "rows": chosen},
        "provenance": made,
    }
    write_record(Path(path), plain(record))


if __name__ == "__main__":
    main(sys.argv[1])
