"""Tracks from a table with one row for each body and time.

The rows may stand in any order. A body is a name, in whichever recording it stands.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from symlib.errors import InputError
from symlib.tracks.reading.bodies import one_value
from symlib.tracks.reading.clock import ticks
from symlib.tracks.reading.columns import POSITION_T, TEXTS, choose_columns
from symlib.tracks.reading.sheets import labels, not_too_large, numbers, open_sheet
from symlib.tracks.recordings import Recording, Tracks

QUANTITIES = {"position": "", "velocity": "v", "acceleration": "a"}


def read_table(
    source: "Path | pd.DataFrame",
    columns: dict[str, str],
    tool: str | None,
    unit: float | None,
) -> Tracks:
    """Tracks from a CSV, a Parquet file or a table in memory.

    Args:
        columns, tool: from `symlib.tracks.reading.columns.checked_columns`.
        unit: how long one unit of the time column takes, from `symlib.tracks.reading.clock.step`.

    Raises:
        InputError: see `symlib.read`.
    """
    sheet = open_sheet(source)
    what = sheet.what
    names, told = choose_columns(what, sheet.columns, columns, tool, unit is not None)
    rows = sheet.rows(names)
    values = {
        name: numbers(sheet, rows, name, called)
        for name, called in names.items()
        if name not in TEXTS
    }
    track, tracks = labels(rows["track"])
    if "recording" in rows:
        recording, _ = labels(rows["recording"])
    else:
        recording = np.zeros(len(rows), dtype=np.int64)

    axes = _axes(values, told)
    unplaced = np.isnan([values[axis] for axis in axes]).any(axis=0)
    unused = np.zeros(len(rows), dtype=bool)
    for lost, lacking in (
        (track < 0, "a track"),
        (recording < 0, "a recording"),
        (np.isnan(values["time"]), "a time"),
        (unplaced, "a position"),
    ):
        new = int((lost & ~unused).sum())
        if new:
            told.append(f"Left out: {new} of {len(rows)} rows, without {lacking}.")
        unused |= lost
    if unused.all():
        raise InputError(f"{what}: no row has a time, a track and a position")
    used = np.flatnonzero(~unused)
    track, recording, line = track[used], recording[used], rows.index.to_numpy()[used]
    values = {name: column[used] for name, column in values.items()}

    parts = np.split(np.argsort(recording, kind="stable"), np.cumsum(np.bincount(recording))[:-1])
    parts = [part for part in parts if len(part)]
    distinct = [np.unique(values["time"][part], return_inverse=True) for part in parts]
    hint = "say by fps= or dt= how long one FRAME takes" if names["time"] == POSITION_T else None
    clocks = ticks(what, [times for times, _ in distinct], unit, hint)
    seen = [np.unique(track[part], return_inverse=True) for part in parts]

    # Before any is made, for together they may not fit.
    known = [kind for kind in QUANTITIES.values() if kind + "x" in values]
    sizes = [
        (int(one.number[-1]) + 1, len(who)) for one, (who, _) in zip(clocks, seen, strict=True)
    ]
    count = sum(frames * bodies for frames, bodies in sizes) * len(axes) * len(known)
    frames = sum(frames for frames, _ in sizes)
    not_too_large(what, count, f"{frames} frames of up to {max(n for _, n in sizes)} bodies")

    made = []
    for part, clock, (_, when), (who, place), size in zip(
        parts, clocks, distinct, seen, sizes, strict=True
    ):
        frame = clock.number[when]
        cell = frame * len(who) + place
        order = np.argsort(cell, kind="stable")
        again = np.flatnonzero(np.diff(cell[order]) == 0)
        if len(again):
            # The first row, in the file's order, that stands there already.
            twice = int(order[again + 1].min())
            first = int(np.flatnonzero(cell == cell[twice])[0])
            raise InputError(
                f"{what}: {sheet.unit} {line[part[twice]]}: track {tracks[track[part[twice]]]} "
                f"stands at time {values['time'][part[twice]]:g} already, in {sheet.unit} "
                f"{line[part[first]]}"
            )
        tables = {}
        for quantity, kind in QUANTITIES.items():
            if kind in known:
                table = np.full((*size, len(axes)), np.nan)
                for axis, name in enumerate(axes):
                    table[frame, place, axis] = values[kind + name][part]
                tables[quantity] = table
        made.append(Recording(dt=clock.dt, start=clock.start, bodies=who, **tables))
    made = _without_unknown(made, told)

    mass, charge = (
        one_value(what, name, values[name], track, tracks)
        if name in values
        else np.full(len(tracks), np.nan)
        for name in ("mass", "charge")
    )
    kinds = _kinds(what, rows["type"].iloc[used], track, tracks) if "type" in rows else None
    return Tracks(tuple(made), tuple(tracks), mass, charge, kinds, left_out=tuple(told))


def _axes(values: dict[str, np.ndarray], told: list[str]) -> list[str]:
    """The axes of space: tools that know three write the third for pictures too."""
    if "z" not in values:
        return ["x", "y"]
    of_z = [values[name] for name in ("vz", "az") if name in values]
    still = all(not np.nan_to_num(column).any() for column in of_z)
    heights = values["z"][np.isfinite(values["z"])]
    if still and (not len(heights) or heights.min() == heights.max()):
        told.append("Left out: the column z, which is the same everywhere.")
        return ["x", "y"]
    return ["x", "y", "z"]


def _without_unknown(recordings: list[Recording], told: list[str]) -> list[Recording]:
    """Velocities and accelerations that nobody filled in are not known; what else lacks is told."""
    places = sum(int(np.isfinite(one.position[..., 0]).sum()) for one in recordings)
    for name in ("velocity", "acceleration"):
        tables = [getattr(one, name) for one in recordings]
        if tables[0] is None:
            continue
        found = sum(int(np.isfinite(table).all(axis=2).sum()) for table in tables)
        if 0 < found < places:
            told.append(f"Left out: {places - found} of {places} rows, without the {name}.")
        elif not found:
            told.append(f"Left out: the columns of the {name}, which are empty.")
            recordings = [
                replace(one, velocity=None)
                if name == "velocity"
                else replace(one, acceleration=None)
                for one in recordings
            ]
    return recordings


def _kinds(what: str, column: pd.Series, track: np.ndarray, names: list[str]) -> tuple[str, ...]:
    codes, kinds = labels(column)
    return tuple(
        "unknown" if np.isnan(number) else kinds[int(number)]
        for number in one_value(
            what, "type", np.where(codes < 0, np.nan, codes), track, names, kinds
        )
    )
