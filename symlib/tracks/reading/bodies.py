"""What is known of bodies, whenever they were seen: mass, charge, kind."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real
from pathlib import Path

import numpy as np

from symlib.errors import InputError
from symlib.tracks.reading.columns import some
from symlib.tracks.reading.sheets import LARGEST_NUMBER, labels, numbers, open_sheet
from symlib.tracks.recordings import Tracks


def one_value(
    what: str,
    name: str,
    values: np.ndarray,
    track: np.ndarray,
    names: Sequence[str],
    texts: Sequence[str] | None = None,
) -> np.ndarray:
    """The value that each track has in all of its rows, NaN where it has none.

    Args:
        what: how messages call the file; name: of the quantity.
        values: shape [rows]; track: the number of each row's track.
        names: of the tracks; texts: what the values stand for, if they are no quantities.

    Raises:
        InputError: it varies along a track.
    """
    low, high = np.full(len(names), np.nan), np.full(len(names), np.nan)
    np.fmin.at(low, track, values)
    np.fmax.at(high, track, values)
    # Rounding may differ from row to row.
    varies = np.flatnonzero(high - low > 1e-6 * np.abs(high))
    if len(varies):
        first = int(varies[0])
        said = [
            f"{one:.6g}" if texts is None else texts[int(one)] for one in (low[first], high[first])
        ]
        raise InputError(
            f"{what}: the {name} of track {names[first]} varies, {said[0]} and {said[1]}; a body "
            f"has one (if the column holds something else, columns='{name}=' leaves it out)"
        )
    return low


def with_known(tracks: Tracks, masses, charges) -> Tracks:
    """Tracks with masses and charges from elsewhere, which go before those of the file.

    Args:
        masses: a mapping from a track's name, a number for all, or a CSV or Parquet file with
            the columns track and mass, and charge and type if it likes.
        charges: the same, with the column charge; goes before the charges of `masses`.

    Raises:
        InputError: something else, a name that no track has where none fits, or a value that is
            not a finite number.
    """
    for name, given in (("mass", masses), ("charge", charges)):
        if given is None:
            continue
        argument = "masses" if name == "mass" else "charges"
        if isinstance(given, str | Path):
            tracks = _from_file(tracks, Path(given), name)
        elif isinstance(given, Mapping):
            found = {str(track): _number(argument, track, one) for track, one in given.items()}
            tracks = _put(tracks, argument, {name: found})
        elif isinstance(given, Real) and not isinstance(given, bool):
            value = _number(argument, "all", given)
            tracks = _with(tracks, name, np.full(len(tracks.names), value))
        else:
            raise InputError(
                f"{argument}: a mapping from tracks to numbers, a file, or one number for all is "
                f"needed, got {type(given).__name__}"
            )
    return tracks


def _with(tracks: Tracks, name: str, values: np.ndarray) -> Tracks:
    return replace(tracks, mass=values) if name == "mass" else replace(tracks, charge=values)


def check_masses(what: str, tracks: Tracks) -> None:
    """Refuse masses that no body has.

    Raises:
        InputError: a mass that is not positive; the message names the track.
    """
    wrong = np.flatnonzero(tracks.mass <= 0)
    if len(wrong):
        first = int(wrong[0])
        raise InputError(
            f"{what}: the mass of track {tracks.names[first]} is {tracks.mass[first]:g}; masses "
            "are positive, and left empty where they are unknown"
        )


def _number(argument: str, track, value) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.inf
    if abs(number) > LARGEST_NUMBER:
        raise InputError(f"{argument}: of track {track}: a number is needed, got {value!r}")
    return number


def _from_file(tracks: Tracks, path: Path, needed: str) -> Tracks:
    sheet = open_sheet(path)
    missing = [name for name in ("track", needed) if name not in sheet.columns]
    if missing:
        raise InputError(f"{path}: has no column {missing[0]}, only {some(sheet.columns)}")
    optional = [name for name in ("charge", "type") if needed == "mass" and name in sheet.columns]
    rows = sheet.rows({name: name for name in ("track", needed, *optional)})
    codes, names = labels(rows["track"])
    rows, codes = rows[codes >= 0], codes[codes >= 0]
    found: dict[str, dict] = {}
    for name in (needed, *optional):
        kinds = None
        if name == "type":
            numbered, kinds = labels(rows[name])
            values = np.where(numbered < 0, np.nan, numbered)
        else:
            values = numbers(sheet, rows, name, name)
        each = one_value(str(path), name, values, codes, names, kinds)
        known = {names[place]: each[place] for place in np.flatnonzero(np.isfinite(each))}
        found[name] = {track: kinds[int(n)] for track, n in known.items()} if kinds else known
    return _put(tracks, str(path), found)


def _put(tracks: Tracks, what: str, found: dict[str, dict]) -> Tracks:
    """Values by the track's name; a name that no track has is told."""
    given = set().union(*found.values())
    strange = sorted(given - set(tracks.names))
    if len(strange) == len(given):
        raise InputError(
            f"{what}: names {some(strange)}, and none of the tracks, which are {some(tracks.names)}"
        )
    told = tracks.left_out
    if strange:
        told = (*told, f"No track has these names of {what}: {some(strange)}.")
    for name in ("mass", "charge"):
        if name in found:
            column = getattr(tracks, name).copy()
            for place, track in enumerate(tracks.names):
                column[place] = found[name].get(track, column[place])
            tracks = _with(tracks, name, column)
    if "type" in found:
        old = tracks.kind or ("unknown",) * len(tracks.names)
        kinds = [
            found["type"].get(track, kind) for track, kind in zip(tracks.names, old, strict=True)
        ]
        tracks = replace(tracks, kind=tuple(kinds))
    return replace(tracks, left_out=told)
