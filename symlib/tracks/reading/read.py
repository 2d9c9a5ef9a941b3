"""Read what a stranger's tracking wrote down.

    import symlib

    seen = symlib.read("tracks.csv", fps=25, masses={"a": 2.0, "b": 1.0}, units="length=um,time=s")
    print(seen.summary())

What cannot be right ends in one line, before any long work; what was not used is told in
`Tracks.left_out`.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from symlib.errors import InputError
from symlib.tracks.reading.arrays import read_arrays
from symlib.tracks.reading.bodies import check_masses, with_known
from symlib.tracks.reading.checks import check_motion
from symlib.tracks.reading.clock import step
from symlib.tracks.reading.columns import checked_columns
from symlib.tracks.reading.sheets import content
from symlib.tracks.reading.table import read_table
from symlib.tracks.reading.units import checked_units
from symlib.tracks.recordings import Recording, Tracks

SHORTEST = 7  # frames, of which smoothing can make velocities and accelerations


def read(
    path_or_frame: "str | Path | pd.DataFrame",
    columns=None,
    fps: float | None = None,
    dt: float | None = None,
    masses=None,
    charges=None,
    units=None,
) -> Tracks:
    """Tracks from a file, or from a table in memory.

    A table (CSV with any delimiter, Parquet, a pandas DataFrame) has one row for each time and
    track, in any order. Its columns are time, track, x, y and, where they are known, z; vx, vy,
    vz; ax, ay, az; mass, charge, type (what kind of body) and recording (of several; a track is
    the same body wherever it has the same name).

    An .npz has `positions`, shape [frames, bodies, dim] or [recordings, frames, bodies, dim],
    `t`, shape [frames], or `dt`, and, where they are known, `velocities` and `accelerations`
    of the shape of positions, `masses` and `charges`, shape [bodies]. Or it has `states`, shape
    [systems, steps, bodies, 2 dim + 2], rows of [position, velocity, charge, mass], with `dt` or
    `accelerations`, shape [systems, steps, bodies, dim]; each system then has bodies of its own,
    called system/body.

    NaN, an empty field or a row that lacks says that a body was not seen. Units are any that go
    together: velocities in lengths per time, accelerations in lengths per time².

    Args:
        path_or_frame: the file or the table.
        columns: what the file calls its columns, {"time": "t", "x": "x_um"} or "time=t,x=x_um"; an
            empty text leaves a column out. Or trackpy or trackmate, the columns of that tool. What
            is not told has its plain name, or, if these are not there, that of a tool whose are.
        fps, dt: where times are numbers of frames, how many go into a unit of time, or how long
            one takes.
        masses, charges: a mapping from tracks, a file with the columns track and mass (charge,
            type), or one number for all; they go before what the file says.
        units: of length, time, mass and charge, {"length": "um"} or "length=um,time=s". They are
            checked and kept; nothing is converted.

    Returns:
        The tracks; velocities and accelerations that were not measured are None. Tracks of fewer
        than 7 frames are left out where something is to be smoothed. `Tracks.reading` holds the
        file's name and what was told here.

    Raises:
        InputError: one line that names the file and the row, column, array or track: something
            that is not there, not a number, infinite or above 1e30; two rows for one track and
            time; times that are not evenly spaced; masses that are not positive or vary; a dt,
            axes or signs that velocities or accelerations contradict; no two bodies seen
            together; or too much, above 2 GB or 4e8 numbers.
    """
    kept = checked_units(units)
    (names, tool), unit = checked_columns(columns), step(fps, dt)
    source, timed = path_or_frame, True
    if isinstance(source, str | Path):
        source = Path(source)
        what = str(source)
    elif isinstance(source, pd.DataFrame):
        what = "table"
    else:
        raise InputError(f"read: a path or a DataFrame is needed, got {type(source).__name__}")
    if isinstance(source, Path) and content(source) == "zip":
        if names or tool is not None:
            raise InputError(f"{what}: an .npz has arrays; leave columns out")
        tracks, timed = read_arrays(source, unit)
    else:
        tracks = read_table(source, names, tool, unit)
    if timed:
        check_motion(what, tracks.recordings)
    told = {"columns": columns, "fps": fps, "dt": dt, "units": kept or None}
    told |= {"masses": _named(masses), "charges": _named(charges)}
    if isinstance(source, Path):
        told["file"] = _named(source)
    told = {name: value for name, value in told.items() if value is not None}
    tracks = replace(tracks, units=kept, reading=told)
    tracks = with_known(tracks, masses, charges)
    check_masses(what, tracks)
    return _usable(what, tracks)


def _named(given):
    """A file by its name alone: someone else's folders are of no use to a record's reader."""
    return Path(given).name if isinstance(given, str | Path) else given


def _usable(what: str, tracks: Tracks) -> Tracks:
    """Without tracks that are too short, and recordings in which no two bodies meet."""
    told = list(tracks.left_out)
    if not any(np.isfinite(one.position).any() for one in tracks.recordings):
        raise InputError(f"{what}: no position is a number")
    kept: list[Recording] = []
    short = seen = 0
    for one in tracks.recordings:
        enough = _places(one).sum(axis=0) >= _shortest(one)
        short, seen = short + int((~enough).sum()), seen + len(enough)
        kept.append(one if enough.all() else _columns(one, enough))
    if short:
        told.append(f"Left out: {short} of {seen} tracks, seen in fewer than {SHORTEST} frames.")
    together = [_together(one) for one in kept]
    if not any(together):
        why = f" ({told[-1]})" if short else ""
        raise InputError(f"{what}: no two bodies are ever seen together{why}")
    alone = together.count(False)
    if alone:
        told.append(
            f"Left out: {alone} of {len(kept)} recordings, without two bodies seen together."
        )
        kept = [one for one, good in zip(kept, together, strict=True) if good]
    used = np.unique(np.concatenate([one.bodies for one in kept]))
    place = np.full(len(tracks.names), -1)
    place[used] = np.arange(len(used))
    found = replace(
        tracks,
        recordings=tuple(replace(one, bodies=place[one.bodies]) for one in kept),
        names=tuple(tracks.names[number] for number in used),
        mass=tracks.mass[used],
        charge=tracks.charge[used],
        kind=None if tracks.kind is None else tuple(tracks.kind[number] for number in used),
    )
    frames = sum(len(one) for one in kept)
    if found.count < frames:
        told.append(
            f"Left out: {frames - found.count} of {frames} frames, with fewer than two bodies."
        )
    return replace(found, left_out=tuple(told))


def _places(recording: Recording) -> np.ndarray:
    return np.isfinite(recording.position).all(axis=2)


def _shortest(recording: Recording) -> int:
    measured = recording.velocity is not None and recording.acceleration is not None
    return 1 if measured else SHORTEST


def _together(recording: Recording) -> bool:
    return bool((recording.seen().sum(axis=1) >= 2).any())


def _columns(recording: Recording, kept: np.ndarray) -> Recording:
    def cut(table):
        return None if table is None else table[:, kept]

    return replace(
        recording,
        bodies=recording.bodies[kept],
        position=recording.position[:, kept],
        velocity=cut(recording.velocity),
        acceleration=cut(recording.acceleration),
        error=cut(recording.error),
    )
