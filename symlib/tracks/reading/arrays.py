"""Tracks from an .npz of named arrays.

What an array declares is read before any is loaded, so that a small file cannot ask for all of
the memory. Arrays of objects, which would be pickled, are refused.
"""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symlib.errors import InputError
from symlib.tracks.reading.clock import ticks
from symlib.tracks.reading.columns import some
from symlib.tracks.reading.sheets import LARGEST_NUMBER, first_line, not_too_large
from symlib.tracks.recordings import Recording, Tracks

READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
KNOWN = ("positions", "velocities", "accelerations", "masses", "charges", "t", "dt", "states")
BROKEN = (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error)


def read_arrays(path: Path, unit: float | None) -> tuple[Tracks, bool]:
    """Tracks from an .npz.

    Args:
        path: a file with `positions`, or with the `states` of simulations; see
            `symlib.read`.
        unit: how long one unit of `t` takes, or a frame where there is no `t`, from
            `symlib.tracks.reading.clock.step`; goes before the file's `dt`.

    Returns:
        The tracks, and whether the time between two frames is known.

    Raises:
        InputError: see `symlib.read`.
    """
    arrays = _load(path)
    seen = _positions(path, arrays) if "positions" in arrays else _states(path, arrays)
    position = seen.tables["position"]
    frames = position.shape[1]
    timed = True
    if "t" in arrays:
        times = arrays["t"]
        if times.shape != (frames,) or not np.isfinite(times).all():
            raise InputError(
                f"{path}: t must be {frames} numbers, one a frame, got shape {list(times.shape)}"
                + ("" if np.isfinite(times).all() else " with some that are not finite")
            )
        if (np.diff(times) <= 0).any():
            raise InputError(f"{path}: t must increase from frame to frame")
        if unit is None and "dt" in arrays:
            unit = _step(path, arrays["dt"])
        (clock,) = ticks(str(path), [times], unit)
        dt, start, number = clock.dt, clock.start, clock.number
    else:
        if unit is None and "dt" in arrays:
            unit = _step(path, arrays["dt"])
        timed = unit is not None
        if not timed and not {"velocity", "acceleration"} <= seen.tables.keys():
            raise InputError(
                f"{path}: has neither t nor dt; say by dt= or fps= how far apart frames are"
            )
        dt, start, number = 1.0 if unit is None else unit, 0.0, np.arange(frames)
    length, numbers = int(number[-1]) + 1, sum(table.size for table in seen.tables.values())
    not_too_large(path, numbers // frames * length, f"{len(position)} × {length} frames")
    recordings = []
    for place, bodies in enumerate(seen.bodies):
        tables = {}
        for name, values in seen.tables.items():
            tables[name] = values[place]
            if length > frames:
                tables[name] = np.full((length, *values.shape[2:]), np.nan)
                tables[name][number] = values[place]
        recordings.append(Recording(dt=dt, start=start, bodies=bodies, **tables))
    told = () if timed else ("How far apart frames are is not told; they are counted from one on.",)
    names = tuple(seen.names)
    return Tracks(tuple(recordings), names, seen.mass, seen.charge, left_out=told), timed


@dataclass(frozen=True)
class _Seen:
    """tables: shape [recordings, frames, bodies, dim]; bodies: [recordings, bodies]."""

    tables: dict[str, np.ndarray]
    bodies: np.ndarray
    names: list[str]
    mass: np.ndarray
    charge: np.ndarray


def _positions(path: Path, arrays: dict[str, np.ndarray]) -> _Seen:
    position = arrays["positions"]
    shape = position.shape
    if position.ndim not in (3, 4) or shape[-1] not in (2, 3) or shape[-2] < 2 or 0 in shape:
        raise InputError(
            f"{path}: positions must have shape [frames, bodies, dim] or [recordings, frames, "
            f"bodies, dim] with dim 2 or 3 and at least 2 bodies, got {list(shape)}"
        )
    tables = {"position": position}
    for name, array in (("velocity", "velocities"), ("acceleration", "accelerations")):
        if array in arrays:
            if arrays[array].shape != shape:
                raise InputError(
                    f"{path}: {array} must be of the shape of positions, {list(shape)}, got "
                    f"{list(arrays[array].shape)}"
                )
            tables[name] = arrays[array]
    known = []
    for array in ("masses", "charges"):
        value = arrays.get(array, np.full(shape[-2], np.nan))
        if value.shape != shape[-2:-1]:
            raise InputError(
                f"{path}: {array} must be {shape[-2]} numbers, one a body and the same in all "
                f"frames, got shape {list(value.shape)}"
            )
        known.append(value)
    if position.ndim == 3:
        tables = {name: table[None] for name, table in tables.items()}
    bodies = np.tile(np.arange(shape[-2]), (len(tables["position"]), 1))
    return _Seen(tables, bodies, [str(n) for n in range(shape[-2])], *known)


def _states(path: Path, arrays: dict[str, np.ndarray]) -> _Seen:
    states = arrays["states"]
    shape = states.shape
    if states.ndim != 4 or shape[3] not in (6, 8) or shape[2] < 2 or 0 in shape:
        raise InputError(
            f"{path}: states must have shape [systems, steps, bodies, 2 dim + 2] with dim 2 or 3 "
            f"and at least 2 bodies, got {list(shape)}"
        )
    dim = (shape[3] - 2) // 2
    tables = {"position": states[..., :dim], "velocity": states[..., dim : 2 * dim]}
    if "accelerations" in arrays:
        needed = (*shape[:3], dim)
        if arrays["accelerations"].shape != needed:
            raise InputError(
                f"{path}: accelerations must be of shape {list(needed)}, got "
                f"{list(arrays['accelerations'].shape)}"
            )
        tables["acceleration"] = arrays["accelerations"]
    systems, bodies = shape[0], shape[2]
    names = [f"{system}/{body}" for system in range(systems) for body in range(bodies)]
    known = []
    for place, name in ((2 * dim + 1, "mass"), (2 * dim, "charge")):
        values = states[..., place]
        first = values[:, :1]
        varies = (values != first) & ~(np.isnan(values) & np.isnan(first))
        if varies.any():
            system, _, body = np.argwhere(varies)[0]
            raise InputError(
                f"{path}: the {name} of track {system}/{body} (system/body) varies in time; a body "
                "has one"
            )
        known.append(first.reshape(-1))
    return _Seen(tables, np.arange(systems * bodies).reshape(systems, bodies), names, *known)


def _step(path: Path, dt: np.ndarray) -> float:
    if dt.size != 1 or not 0 < dt.item() < np.inf:
        raise InputError(f"{path}: dt: one positive number is needed, got {dt.tolist()}")
    return dt.item()


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as file:
            entries = {name.removesuffix(".npy"): name for name in file.namelist()}
            if not any(entry.endswith(".npy") for entry in entries.values()):
                raise InputError(
                    f"{path}: not an .npz file of arrays, but a zip of {some(entries)}; save "
                    "workbooks as CSV"
                )
            if not {"positions", "states"} & entries.keys():
                raise InputError(
                    f"{path}: has no array `positions` or `states`, only {some(entries)}"
                )
            wanted = {name: entry for name, entry in entries.items() if name in KNOWN}
            _check_sizes(path, file, wanted)
        with np.load(path, allow_pickle=False) as arrays:
            loaded = {name: arrays[name] for name in wanted}
    except InputError:
        raise
    except (*BROKEN, MemoryError, NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"{path}: not an .npz file of plain arrays ({first_line(error)})"
        ) from error
    for name, array in loaded.items():
        array = loaded[name] = array.astype(np.float64)
        bad = np.isinf(array) | (np.abs(array) > LARGEST_NUMBER)
        if bad.any():
            place = np.argwhere(bad)[0].tolist()
            value = array[tuple(place)]
            why = "is infinite" if np.isinf(value) else f"is above {LARGEST_NUMBER:g}"
            raise InputError(f"{path}: {name}{place}: {value:g} {why}")
    return loaded


def _check_sizes(path: Path, file: zipfile.ZipFile, wanted: dict[str, str]) -> None:
    total = 0
    for name, entry in wanted.items():
        with file.open(entry) as stream:
            version = np.lib.format.read_magic(stream)
            if version not in READERS:
                raise InputError(f"{path}: {name}: arrays of format {version} are not read")
            shape, _, kind = READERS[version](stream)
        if kind.kind not in "iuf":
            held = "objects, which are never unpickled" if kind.hasobject else f"{kind}"
            raise InputError(
                f"{path}: not an .npz file of plain arrays: {name} holds {held}, not numbers"
            )
        total += int(np.prod([int(n) for n in shape], dtype=object))
    not_too_large(path, total, f"arrays {some(wanted)}")
