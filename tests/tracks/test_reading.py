"""What a stranger's tracking wrote down: every form that is read, and what each mistake is told."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symlib
from symlib.errors import InputError
from symlib.tracks.reading import sheets
from symlib.tracks.reading.units import checked_units

AXES = ["x", "y"]


def table(frames=12, bodies=3, rate=0.1, dim=2, seed=0):
    """Bodies that go in circles (and swing along z), one row a frame and body; dt = 1."""
    phase = np.random.default_rng(seed).uniform(0, 6, (bodies, dim))
    time, track = np.divmod(np.arange(frames * bodies), bodies)
    angle = rate * time[:, None] + phase[track]
    names = "xyz"[:dim]
    return pd.DataFrame(
        {
            "time": time,
            "track": track,
            **{name: np.cos(angle[:, k]) for k, name in enumerate(names)},
            **{f"v{name}": -rate * np.sin(angle[:, k]) for k, name in enumerate(names)},
            **{f"a{name}": -(rate**2) * np.cos(angle[:, k]) for k, name in enumerate(names)},
        }
    )


def positions(frames=12, bodies=3, **options):
    """Positions alone."""
    whole = table(frames, bodies, **options)
    return whole[["time", "track", *AXES]]


def states(systems=3, steps=8, bodies=4, dim=2, seed=0):
    rng = np.random.default_rng(seed)
    made = rng.normal(size=(systems, steps, bodies, 2 * dim + 2))
    made[..., -2:] = np.exp(rng.normal(size=(systems, 1, bodies, 2)))
    return made


def saved(folder, **arrays):
    path = folder / "seen.npz"
    np.savez(path, **arrays)
    return path


def placed(seen, recording=0):
    return seen.recordings[recording].position


# Tables


def test_rows_become_frames_by_bodies_and_what_is_known_is_kept():
    rows = table().assign(mass=2.0, charge=-1.0, type="red", recording="one")
    seen = symlib.read(rows, fps=1, units="length=um, time=s")
    (one,) = seen.recordings
    assert seen.names == ("0", "1", "2") and seen.dim == 2 and seen.kind == ("red",) * 3
    assert one.dt == 1 and len(one) == 12 and seen.left_out == ()
    assert (seen.mass == 2).all() and (seen.charge == -1).all()
    assert seen.units == {"length": "um", "time": "s"}
    for name, kind in (("position", ""), ("velocity", "v"), ("acceleration", "a")):
        given = rows[[kind + axis for axis in AXES]].to_numpy().reshape(12, 3, 2)
        np.testing.assert_array_equal(getattr(one, name), given)
    alone = symlib.read(positions(), fps=25)
    assert (
        alone.recordings[0].dt == 0.04
        and alone.recordings[0].velocity is None
        and alone.kind is None
    )
    assert np.isnan(alone.mass).all() and np.isnan(alone.charge).all()


@settings(max_examples=25)
@given(st.data())
def test_the_order_of_rows_does_not_matter_and_what_was_not_seen_is_nan(data):
    whole = positions(frames=9, bodies=4, seed=data.draw(st.integers(0, 9)))
    lost = data.draw(st.sets(st.integers(0, len(whole) - 1), max_size=8))
    order = data.draw(st.permutations(sorted(set(range(len(whole))) - lost)))
    # Some as rows that lack, some as rows of NaN.
    empty = whole.loc[[row for row in lost if row % 2]].assign(x=np.nan)
    rows = pd.concat([whole.iloc[order], empty])
    wanted = whole[AXES].to_numpy().reshape(9, 4, 2).copy()
    wanted.reshape(36, 2)[sorted(lost)] = np.nan
    seen_in = np.isfinite(wanted[..., 0]).sum(axis=0)
    kept = seen_in >= 7
    if kept.sum() < 2:
        return
    text = rows.to_csv(index=False, float_format="%.17g")
    written = pd.read_csv(io.StringIO(text))
    for source in (rows, written):
        seen = symlib.read(source, dt=0.5)
        here = placed(seen)
        assert seen.names == tuple(np.array(list("0123"))[kept])
        start = round(seen.recordings[0].start / 0.5)
        np.testing.assert_allclose(here, wanted[start : start + len(here), kept], rtol=1e-14)
        assert np.isnan(wanted[start + len(here) :, kept]).all()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " "])
def test_a_csv_may_have_any_delimiter(delimiter, tmp_path):
    path = tmp_path / "seen.csv"
    positions().to_csv(path, sep=delimiter, index=False)
    np.testing.assert_allclose(
        placed(symlib.read(path, fps=1)), placed(symlib.read(positions(), fps=1)), rtol=1e-14
    )


def test_other_texts_that_are_tables(tmp_path):
    wanted = placed(symlib.read(positions(), fps=1))
    path = tmp_path / "seen.txt"
    positions().to_csv(path, sep=";", decimal=",", index=False)
    np.testing.assert_allclose(placed(symlib.read(path, fps=1)), wanted, rtol=1e-14)
    text = positions().to_csv(index=False)
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes(text.encode(encoding))
        np.testing.assert_allclose(placed(symlib.read(path, fps=1)), wanted, rtol=1e-14)
    path.write_text("# " + text.replace(",", ", ") + "\n\n")
    np.testing.assert_allclose(placed(symlib.read(str(path), fps=1)), wanted, rtol=1e-14)


def test_parquet_is_read_as_the_same(tmp_path):
    path = tmp_path / "seen.parquet"
    positions().assign(track=lambda rows: rows.track.astype(str).astype("category")).to_parquet(
        path
    )
    seen = symlib.read(path, fps=1)
    np.testing.assert_array_equal(placed(seen), placed(symlib.read(positions(), fps=1)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="broken Parquet"):
        symlib.read(path, fps=1)


def test_names_are_in_their_natural_order_and_whole_numbers_are_written_so():
    rows = positions(bodies=11)
    assert symlib.read(rows.assign(track=rows.track * 1.0), fps=1).names[-2:] == ("9", "10")
    rows = rows.assign(track="cell " + rows.track.astype(str))
    assert symlib.read(rows, fps=1).names[:3] == ("cell 0", "cell 1", "cell 2")


def test_a_track_is_one_body_in_all_recordings_where_it_has_one_name():
    other = positions(frames=8, bodies=2).assign(recording="b", track=[1, 5] * 8)
    seen = symlib.read(pd.concat([other, positions().assign(recording="a")]), dt=0.1)
    assert [one.bodies.tolist() for one in seen.recordings] == [[0, 1, 2], [1, 3]]
    assert seen.names == ("0", "1", "2", "5")
    assert [len(one) for one in seen.recordings] == [12, 8]


# What tools write


def trackmate():
    rows = positions()
    columns = {
        "LABEL": "ID1",
        "ID": range(len(rows)),
        "TRACK_ID": rows.track,
        "QUALITY": 1.5,
        "POSITION_X": rows.x,
        "POSITION_Y": rows.y,
        "POSITION_Z": 0.0,
        "POSITION_T": rows.time * 0.2,
        "FRAME": rows.time,
    }
    return pd.DataFrame(columns)


def test_trackmates_spots_are_read_below_their_four_lines_of_header(tmp_path):
    header, body = trackmate().to_csv(index=False).split("\n", 1)
    below = (
        "Label,Spot ID,Track ID,Quality,X,Y,Z,T,Frame\n" * 2
        + ",,,(quality),(µm),(µm),(µm),(sec),\n"
    )
    path = tmp_path / "spots.csv"
    for encoding in ("utf-8", "latin-1"):
        path.write_bytes(f"{header}\n{below}{body}ID9,99,,1,1,1,0,0,0\n".encode(encoding))
        seen = symlib.read(path)
        assert seen.recordings[0].dt == pytest.approx(0.2) and seen.dim == 2
        np.testing.assert_allclose(placed(seen), placed(symlib.read(positions(), fps=1)))
        assert any("trackmate" in sentence for sentence in seen.left_out)
        assert "Left out: 1 of 37 rows, without a track." in seen.left_out
    # Numbers of frames where someone says how long one takes.
    assert symlib.read(path, columns="trackmate", fps=10).recordings[0].dt == pytest.approx(0.1)
    path.write_text(f"{header}\n{below}{body.replace('1.5', 'bad', 1)}ID9,99,1,1,x,1,0,0,0\n")
    with pytest.raises(InputError, match=r"spots\.csv: line 41, column POSITION_X: 'x'"):
        symlib.read(path)
    whole = trackmate().assign(POSITION_T=lambda rows: rows.FRAME * 2.0)
    with pytest.raises(InputError, match="how long one FRAME takes"):
        symlib.read(whole)


def test_trackpys_mass_is_a_brightness():
    rows = positions().rename(columns={"time": "frame", "track": "particle"})
    rows = rows.assign(mass=np.arange(len(rows)) + 1.0, size=2.0)
    for source in (rows, rows.set_index("frame")):
        seen = symlib.read(source, fps=2)
        assert np.isnan(seen.mass).all() and "brightness" in seen.left_out[1]
    own = symlib.read(rows.assign(m=3.0), fps=2, columns={"mass": "m"})
    assert (own.mass == 3).all()
    # Named, the tool's columns go before plain ones, which may hold something else.
    named = symlib.read(rows.assign(time=0, track=0), fps=2, columns="trackpy")
    np.testing.assert_allclose(placed(named), placed(symlib.read(rows, fps=2)))
    assert np.isnan(named.mass).all() and named.reading == {"columns": "trackpy", "fps": 2}
    with pytest.raises(InputError, match=r"unknown columns 'trackpi'.*trackpy, trackmate, time="):
        symlib.read(rows, columns="trackpi")
    with pytest.raises(InputError, match="has no column frame, particle"):
        symlib.read(positions(), columns="trackpy", fps=2)


def test_columns_are_what_the_file_calls_them_and_may_be_left_out():
    rows = table().assign(mass=lambda rows: rows.time + 1.0)
    rows = rows.rename(columns={"x": "x_px", "time": "frame"})
    with pytest.raises(InputError, match=r"mass of track 0 varies, 1 and 12; .*columns='mass='"):
        symlib.read(rows, columns="time=frame,x=x_px", dt=1)
    seen = symlib.read(rows, columns="time=frame,x=x_px,mass=,vx=,vy=,ax=,ay=", dt=1)
    assert seen.recordings[0].velocity is None and np.isnan(seen.mass).all()


# Times


def test_times_are_a_grid_whose_step_is_the_most_common_one():
    rows = positions(frames=40)
    real = rows.assign(time=100 + rows.time / 30)
    lost = real[(rows.time != 7) & (rows.time != 21)]
    for source in (real, lost, real.assign(time=real.time.round(3))):
        (one,) = symlib.read(source).recordings
        assert one.dt == pytest.approx(1 / 30, rel=1e-4) and one.start == 100 and len(one) == 40
    assert np.isnan(placed(symlib.read(lost))[[7, 21]]).all()
    every_tenth = symlib.read(rows.assign(time=rows.time * 10 + 3), fps=5).recordings[0]
    assert (every_tenth.dt, every_tenth.start, len(every_tenth)) == (2.0, 0.6000000000000001, 40)


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({}, {}, "whole numbers; if they count frames, give fps= or dt="),
        ({"time": lambda rows: rows.time / 30}, {"fps": 30}, "no number of a frame"),
        (
            {"time": lambda rows: rows.time * 0.1 + 0.02 * (rows.time == 5)},
            {},
            "0.52 lies 0.2 of a frame beside the grid of dt = 0.1",
        ),
        ({"time": lambda rows: rows.time**6}, {"fps": 1e3}, r"1771562 frames of up to 3"),
        ({"time": lambda rows: rows.time * 1e25}, {"fps": 1}, "number them anew"),
        ({"time": pd.Timestamp(0)}, {"fps": 1}, "row 0, column time: .* is a date"),
        ({}, {"fps": 1, "dt": 1}, "leave the other out"),
        ({}, {"fps": 0}, "fps: one positive number"),
        ({}, {"dt": "soon"}, "dt: one positive number"),
    ],
)
def test_times_that_are_no_grid(change, options, said, monkeypatch):
    monkeypatch.setattr(sheets, "LARGEST_TABLE", 1_000_000)
    with pytest.raises(InputError, match=said):
        symlib.read(positions().assign(**change), **options)


def test_velocities_and_accelerations_tell_a_wrong_dt():
    rows = table(frames=40)
    for dt in (0.9, 1, 1.1):
        symlib.read(rows, dt=dt)
    with pytest.raises(InputError, match="velocities say that dt is 100 times larger, 1 in place"):
        symlib.read(rows, dt=0.01)
    with pytest.raises(InputError, match="velocities say that dt is 2 times smaller"):
        symlib.read(rows, dt=2)
    wrong = rows.assign(ax=rows.ax * 4, ay=rows.ay * 4)
    with pytest.raises(InputError, match="accelerations say that dt is 4 times smaller"):
        symlib.read(wrong, dt=1)


def test_a_few_wrong_rows_and_noise_are_no_wrong_dt():
    rng = np.random.default_rng(0)
    rows = table(frames=60)
    rows.loc[::10, "vx"] *= -50
    rows.loc[::7, "ay"] = 3.0
    symlib.read(rows, dt=1)
    for name in ("x", "vx"):
        noisy = rows.assign(**{name: rows[name] + 0.05 * rng.normal(size=len(rows))})
        symlib.read(noisy, dt=1)


def test_swapped_axes_and_wrong_signs_are_named():
    rows = table(frames=40, dim=3)
    with pytest.raises(InputError, match="y changes as vz says, and not as vy"):
        symlib.read(rows, dt=1, columns="vy=vz,vz=vy")
    with pytest.raises(InputError, match="vx changes as ay says, and not as ax"):
        symlib.read(rows, dt=1, columns="ax=ay,ay=ax")
    # The y-axis of pictures points down.
    with pytest.raises(InputError, match="y falls where vy says that it rises"):
        symlib.read(rows.assign(vy=-rows.vy), dt=1)


# Masses, charges, units


def test_masses_may_come_from_elsewhere(tmp_path):
    rows = positions().assign(mass=9.0)
    seen = symlib.read(rows, fps=1, masses={0: 1, "2": 3, "gone": 4}, charges=-1)
    assert seen.mass.tolist() == [1, 9, 3] and seen.charge.tolist() == [-1, -1, -1]
    assert seen.left_out == ("No track has these names of masses: gone.",)
    path = tmp_path / "masses.csv"
    path.write_text("track;mass;charge;type\n0;1,5;2,5;red\n1;2,5;;blue\n")
    seen = symlib.read(positions(), fps=1, masses=path)
    np.testing.assert_array_equal(seen.mass, [1.5, 2.5, np.nan])
    np.testing.assert_array_equal(seen.charge, [2.5, np.nan, np.nan])
    assert seen.kind == ("red", "blue", "unknown")
    lines = seen.summary().splitlines()
    assert lines[1] == (
        "tracks: 3; known are mass of 2 of 3 tracks, charge of 1 of 3 tracks, "
        "kinds blue, red, unknown"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"masses": 0}, "mass of track 0 is 0; masses are positive"),
        ({"masses": {1: -2.0}}, "mass of track 1 is -2"),
        ({"masses": {"a": 1}}, "masses: names a, and none of the tracks, which are 0, 1, 2"),
        ({"masses": {1: "heavy"}}, "masses: of track 1: a number is needed, got 'heavy'"),
        ({"masses": [1, 2, 3]}, "masses: a mapping from tracks to numbers, a file"),
        ({"charges": np.inf}, "charges: of track all"),
        ({"masses": "absent.csv"}, "absent.csv: there is no such file"),
        ({"units": "length=s"}, "'s' is no unit of length"),
        ({"units": {"mass": "furlongs per"}}, "pint knows no unit 'furlongs per'"),
        ({"units": "speed=m/s"}, "unknown quantity in units 'speed'"),
        ({"units": "um"}, "units: write them as name=text"),
        ({"units": 3}, "units: a mapping or"),
        ({"columns": "when=time"}, "unknown name in columns 'when'"),
    ],
)
def test_arguments_that_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        symlib.read(positions(), fps=1, **options)


@settings(max_examples=60)
@given(st.text(max_size=12))
def test_any_text_is_a_unit_or_is_refused(text):
    try:
        assert checked_units({"length": text}) in ({"length": text}, {})
    except InputError as error:
        assert repr(text) in str(error)


# What is left out, and what is refused


def test_what_is_not_used_is_told():
    rows = positions(frames=20, bodies=4)
    rows = rows[(rows.track != 3) | (rows.time < 5)]  # too short
    rows = rows[(rows.track == 0) | (rows.time < 15)]  # alone in the end
    rows.loc[4, "track"] = np.nan
    rows.loc[9, "x"] = np.nan
    lone = positions(bodies=1).assign(track="lone", recording="b")
    seen = symlib.read(pd.concat([rows.assign(recording="a"), lone]), fps=1)
    assert seen.left_out == (
        "Left out: 1 of 67 rows, without a track.",
        "Left out: 1 of 67 rows, without a position.",
        "Left out: 1 of 5 tracks, seen in fewer than 7 frames.",
        "Left out: 1 of 2 recordings, without two bodies seen together.",
        "Left out: 5 of 20 frames, with fewer than two bodies.",
    )
    assert seen.names == ("0", "1", "2") and seen.count == 15
    assert all(sentence in seen.summary() for sentence in seen.left_out)
    assert "windows with the same two or more bodies: 4, the longest of 12" in seen.summary()


def test_tracks_with_everything_measured_may_be_short():
    seen = symlib.read(table(frames=2), dt=1)
    assert seen.count == 2 and seen.snapshots().states.shape == (2, 3, 6)
    missing = table()
    missing.loc[3, "vx"] = np.nan
    assert "Left out: 1 of 36 rows, without the velocity." in symlib.read(missing, dt=1).left_out
    empty = symlib.read(table().assign(ax=np.nan, ay=np.nan), dt=1)
    assert empty.recordings[0].acceleration is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: "", "seen.csv: is named .csv, but is empty"),
        (lambda text: "time,track,x,y\n", "no row has a time, a track and a position"),
        (lambda text: text.split("\n", 1)[1], "line 1 holds numbers"),
        (lambda text: text.replace("x", "X", 1), "has no column x, only time, track, X, y"),
        (lambda text: text.replace("y", "x", 1), "has no column y"),
        (lambda text: text.replace(",y", ",y,y"), "has several columns that are called y"),
        (lambda text: text.replace("\n3,", "\nthree,", 1), "line 11, column time: 'three' is not"),
        (lambda text: text + "99,0,inf,1\n", "line 38, column x: 'inf' is infinite"),
        (lambda text: text + "99,0,1,-2e30\n", r"line 38, column y: '-2e\+30' is above 1e\+30"),
        (
            lambda text: text + "\n5,2,1,1\n",
            "line 39: track 2 stands at time 5 already, in line 19",
        ),
        (lambda text: text.replace("\n5,", "\n5,9,", 1), "line 17 has more fields than the header"),
        (lambda text: text + "1e9,0,1,1\n", r"1000000001 frames of up to 3 bodies are 6e\+09"),
        (lambda text: "<?xml version='1.0'?>", "holds XML"),
        (lambda text: "a\0b", "bytes that are no text"),
        (lambda text: '"' + "a" * 200_000, r"only \"a{36}\.\.\.; say"),
        (lambda text: "PK\3\4" + text, "is named .csv, but holds zip"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(change, said, tmp_path):
    path = tmp_path / "seen.csv"
    path.write_text(change(positions().to_csv(index=False)))
    with pytest.raises(InputError, match=said) as caught:
        symlib.read(path, fps=1)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_of_tracks(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="there is no such file"):
        symlib.read(tmp_path / "absent.npz")
    with pytest.raises(InputError, match="is a folder"):
        symlib.read(tmp_path)
    with pytest.raises(InputError, match="a path or a DataFrame is needed, got list"):
        symlib.read([1, 2])
    lonely = positions(bodies=1)
    with pytest.raises(InputError, match="no two bodies are ever seen together"):
        symlib.read(lonely, fps=1)
    apart = positions().assign(time=lambda rows: rows.time + 100 * rows.track)
    with pytest.raises(InputError, match="no two bodies are ever seen together"):
        symlib.read(apart, fps=1)
    with pytest.raises(InputError, match=r"fewer than 7 frames\.\)"):
        symlib.read(positions(frames=5), fps=1)
    with pytest.raises(InputError, match="no row has a time, a track and a position"):
        symlib.read(positions().assign(x=np.nan), fps=1)
    with pytest.raises(InputError, match="has the column vx, but none for vy"):
        symlib.read(table().drop(columns="vy"), fps=1)
    path = tmp_path / "seen.csv"
    positions().to_csv(path)
    monkeypatch.setattr(sheets, "LARGEST_FILE", 100)
    with pytest.raises(InputError, match="GB are too large, at most 0 GB are read; cut it"):
        symlib.read(path)


# Arrays


def test_positions_in_arrays(tmp_path):
    given = np.random.default_rng(0).normal(size=(10, 3, 2))
    path = saved(tmp_path, positions=given, dt=0.5, masses=[1, 2, 3], charges=[0, 0, 1.5])
    seen = symlib.read(path)
    np.testing.assert_array_equal(placed(seen), given)
    assert seen.recordings[0].dt == 0.5 and seen.mass.tolist() == [1, 2, 3]
    assert seen.charge.tolist() == [0, 0, 1.5] and seen.names == ("0", "1", "2")
    assert symlib.read(path, dt=2).recordings[0].dt == 2
    # Two recordings of the same bodies, with a gap in time.
    times = np.array([*range(5), *range(8, 13)]) * 0.1
    seen = symlib.read(saved(tmp_path, positions=np.stack([given, -given]), t=times))
    assert len(seen) == 2 and all(one.bodies.tolist() == [0, 1, 2] for one in seen.recordings)
    assert np.isnan(placed(seen, 1)[5:8]).all()
    np.testing.assert_array_equal(placed(seen, 1)[8:], -given[5:])


def test_states_of_simulations_have_bodies_of_their_own(tmp_path):
    given, pull = states(10), np.random.default_rng(1).normal(size=(10, 8, 4, 2))
    seen = symlib.read(saved(tmp_path, states=given, accelerations=pull))
    assert seen.names[:5] == ("0/0", "0/1", "0/2", "0/3", "1/0") and len(seen.names) == 40
    assert "How far apart frames are is not told" in seen.left_out[0]
    training, held_out = (part.snapshots() for part in seen.split(0.2))
    np.testing.assert_allclose(training.states, given[:8].reshape(64, 4, 6), rtol=1e-6)
    np.testing.assert_allclose(training.accelerations, pull[:8].reshape(64, 4, 2), rtol=1e-6)
    np.testing.assert_allclose(held_out.states, given[8:].reshape(16, 4, 6), rtol=1e-6)
    np.testing.assert_allclose(held_out.accelerations, pull[8:].reshape(16, 4, 2), rtol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"places": states()}, "no array `positions` or `states`, only places"),
        ({"positions": states()[0, ..., :2]}, "neither t nor dt"),
        ({"positions": states(), "dt": 1}, r"positions must have shape \[frames, bodies, dim\]"),
        ({"positions": np.zeros((9, 1, 2)), "dt": 1}, "at least 2 bodies"),
        ({"positions": np.full((9, 2, 2), np.nan), "dt": 1}, "no position is a number"),
        ({"positions": np.zeros((9, 2, 2)), "t": np.arange(8)}, "t must be 9 numbers"),
        ({"positions": np.zeros((9, 2, 2)), "t": np.zeros(9)}, "t must increase"),
        ({"positions": np.zeros((9, 2, 2)), "t": np.arange(9)}, "give fps= or dt="),
        (
            {"positions": np.zeros((9, 2, 2)), "dt": 1, "masses": np.ones((9, 2))},
            "masses must be 2",
        ),
        ({"positions": np.zeros((9, 2, 2)), "velocities": np.zeros((9, 2))}, "shape of positions"),
        ({"states": states()}, "neither t nor dt"),
        ({"states": states()[0], "dt": 0.1}, r"shape \[systems, steps, bodies"),
        ({"states": states()[..., :5], "dt": 0.1}, "shape"),
        ({"states": states(bodies=1), "dt": 0.1}, "at least 2 bodies"),
        ({"states": states() * np.inf, "dt": 0.1}, r"states\[0, 0, 0, 0\]: -?inf is infinite"),
        ({"states": states(), "dt": 0.0}, "dt: one positive number"),
        ({"states": states(), "dt": np.ones(3)}, "dt: one positive number"),
        ({"states": states(), "accelerations": np.zeros((3, 6, 4, 3))}, "accelerations must be"),
        (
            {"states": states() * np.arange(1, 9)[:, None, None], "dt": 1},
            r"the mass of track 0/0 \(system/body\) varies in time",
        ),
        ({"states": states().astype(object), "dt": 0.1}, "states holds objects, which are never"),
        ({"states": states().astype(complex), "dt": 0.1}, "states holds complex128, not numbers"),
    ],
)
def test_arrays_that_cannot_be_read_are_named(arrays, said, tmp_path):
    with pytest.raises(InputError, match=said):
        symlib.read(saved(tmp_path, **arrays))


def test_files_that_are_no_npz_and_those_that_ask_for_too_much(tmp_path):
    path = tmp_path / "bad.npz"
    for content, said in (
        (b"", "but is empty"),
        (b"hello", r"is named \.npz, but holds text"),
        (b"PK\x03\x04", r"not an \.npz file"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=said):
            symlib.read(path)
    np.save(tmp_path / "one.npy", states())
    with pytest.raises(InputError, match="not a table"):
        symlib.read(tmp_path / "one.npy")
    header = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**9, 2)}
    np.lib.format.write_array_header_1_0(header, shape)
    for name, said in (("positions.npy", "at most 4e"), ("xl/book.xml", "save workbooks as CSV")):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(name, header.getvalue())
        with pytest.raises(InputError, match=said):
            symlib.read(path)
    whole = saved(tmp_path, positions=np.ones((50, 5, 2)), dt=1).read_bytes()
    path.write_bytes(whole[:400] + b"\0" * 40 + whole[440:])
    with pytest.raises(InputError, match=r"not an \.npz file"):
        symlib.read(path)
    with pytest.raises(InputError, match="leave columns out"):
        symlib.read(saved(tmp_path, positions=np.zeros((9, 2, 2)), dt=1), columns="trackpy")
