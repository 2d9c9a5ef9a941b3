"""A tool's columns, by the name of the tool."""

import numpy as np
import pandas as pd
import pytest

import symlib
from symlib.errors import InputError
from symlib.tracks.columns import checked_columns


def rows(**names) -> pd.DataFrame:
    frame, body = (place.ravel() for place in np.indices((12, 3)))
    x, y = np.random.default_rng(0).normal(size=(2, len(frame)))
    table = {"time": frame, "track": body, "x": x, "y": y}
    return pd.DataFrame({names.get(name, name): values for name, values in table.items()})


def test_a_tool_is_named_where_its_columns_are():
    plain = symlib.read(rows(), fps=10)
    seen = rows(time="frame", track="particle").assign(mass=5.0)
    # Under plain names as well, of something else.
    both = seen.assign(time=0, track=0)
    for table in (seen, both):
        found = symlib.read(table, columns="trackpy", fps=10)
        assert np.array_equal(found.recordings[0].position, plain.recordings[0].position)
        assert np.isnan(found.mass).all() and "brightness" in found.left_out[0]
        assert found.reading == {"columns": "trackpy", "fps": 10}
    places = {axis: f"POSITION_{axis.upper()}" for axis in "xy"}
    spots = rows(time="FRAME", track="TRACK_ID", **places)
    assert symlib.read(spots, columns="trackmate", dt=0.1).recordings[0].dt == pytest.approx(0.1)
    own = symlib.read(seen.assign(m=3.0), columns={"mass": "m"}, fps=10)
    assert (own.mass == 3).all()


def test_an_unknown_tool_is_told_those_that_are():
    with pytest.raises(InputError, match=r"unknown columns 'trackpi'.*trackpy, trackmate, time="):
        checked_columns("trackpi")
    with pytest.raises(InputError, match="has no column frame, particle"):
        symlib.read(rows(), columns="trackpy", fps=10)


def test_arrays_have_no_columns(tmp_path):
    np.savez(tmp_path / "seen.npz", positions=np.zeros((9, 2, 2)), dt=1)
    with pytest.raises(InputError, match="leave columns out"):
        symlib.read(tmp_path / "seen.npz", columns="trackpy")
