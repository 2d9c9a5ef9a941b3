"""The catalogue file, what it refuses, and the command that makes one."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symlib.cosmology import make
from symlib.cosmology.catalogue import (
    COLUMNS,
    Catalogue,
    DensitySlice,
    check_linking,
    read_catalogue,
    write_catalogue,
)
from symlib.cosmology.universe import Particles, Universe
from symlib.errors import InputError

DATA = Path(__file__).resolve().parent.parent / "book" / "data"


def _columns(count=200, box=250.0, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "box": box,
        "positions": rng.uniform(0, box * 0.999, (count, 3)),
        "velocities": rng.normal(0, 250, (count, 3)),
        "masses": 6.4e11 * rng.integers(20, 500, count),
        "delta": rng.exponential(1, count) - 0.9,
        "particle_mass": 6.4e11,
    }


@pytest.fixture
def catalogue():
    rng = np.random.default_rng(1)
    picture = DensitySlice(rng.lognormal(0, 1, (64, 64)).astype(np.float32), 20.0, 40.0)
    return Catalogue(**_columns(), provenance={"seed": 3, "command": "here"}, slice=picture)


def _rewrite(path, **changes):
    """Change or (None) take away entries of a catalogue file."""
    with np.load(path) as archive:
        entries = {**{name: archive[name] for name in archive.files}, **changes}
    np.savez(path, **{name: value for name, value in entries.items() if value is not None})


def test_a_catalogue_comes_back(tmp_path, catalogue):
    found = read_catalogue(write_catalogue(tmp_path / "deep" / "halos.npz", catalogue))
    assert len(found) == 200
    for name in COLUMNS:
        column = getattr(found, name)
        np.testing.assert_array_equal(column, getattr(catalogue, name))
        assert column.dtype == np.float32
    assert (found.box, found.particle_mass) == (250.0, 6.4e11)
    assert found.provenance == {"seed": 3, "command": "here"}
    np.testing.assert_allclose(found.slice.values, catalogue.slice.values, rtol=1e-3)
    z = found.positions[:, 2]
    np.testing.assert_array_equal(found.in_slice(), (z >= 20) & (z < 40))
    assert 0 < found.in_slice().sum() < 200
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["halos.npz"]


def test_the_file_says_its_units_and_holds_no_pickle(tmp_path, catalogue):
    path = write_catalogue(tmp_path / "halos.npz", catalogue)
    with np.load(path, allow_pickle=False) as archive:
        facts = json.loads(str(archive["facts"]))
    assert facts["units"]["velocities"] == "peculiar, km/s"
    assert set(facts["units"]) == set(COLUMNS)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("positions", lambda c: c * 1000),
        ("positions", lambda c: c - 1),
        ("positions", lambda c: c[:, :2]),
        ("positions", lambda c: np.where(np.arange(3) == 1, np.nan, c)),
        ("velocities", lambda c: c[:-1]),
        ("velocities", lambda c: c * np.inf),
        ("velocities", lambda c: c / 100),
        ("velocities", lambda c: c * 10),
        ("masses", lambda c: c / 1e10),
        ("masses", lambda c: c / 1e14),
        ("masses", lambda c: c / 100),
        ("masses", lambda c: c * 1e4),
        ("masses", lambda c: c[:0]),
        ("masses", lambda c: c.astype(str)),
        ("delta", lambda c: c[:, None]),
        ("delta", lambda c: c - 1),
        ("delta", lambda c: np.where(c > 0, c, np.nan)),
        ("box", lambda c: 0.0),
        ("box", lambda c: float("nan")),
        ("particle_mass", lambda c: -1.0),
    ],
)
def test_a_bad_column_is_named(column, change):
    columns = _columns()
    with np.errstate(invalid="ignore"):
        columns[column] = change(columns[column])
    with pytest.raises(InputError, match=column):
        Catalogue(**columns)


def test_the_box_itself_is_outside():
    columns = _columns()
    columns["positions"][0, 0] = columns["box"]
    with pytest.raises(InputError, match="outside the box"):
        Catalogue(**columns)


@pytest.mark.parametrize("column", [*COLUMNS, "facts"])
def test_a_file_without_a_column_is_refused(tmp_path, catalogue, column):
    path = write_catalogue(tmp_path / "halos.npz", catalogue)
    _rewrite(path, **{column: None})
    expected = column if column in COLUMNS else "not one of symlib's"
    with pytest.raises(InputError, match=f"halos.npz.*{expected}"):
        read_catalogue(path)


def test_a_bad_value_in_a_file_names_file_and_column(tmp_path, catalogue):
    path = write_catalogue(tmp_path / "halos.npz", catalogue)
    _rewrite(path, delta=np.full(200, np.nan))
    with pytest.raises(InputError, match=r"halos\.npz: delta: 200 of 200"):
        read_catalogue(path)


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 0.999))
def test_a_truncated_file_is_refused(share, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    path = write_catalogue(folder / "halos.npz", Catalogue(**_columns(30)))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"halos\.npz"):
        read_catalogue(path)


@settings(max_examples=40, deadline=None)
@given(where=st.floats(0, 0.999), flip=st.integers(1, 255))
def test_a_damaged_file_is_refused_or_unharmed(where, flip, tmp_path_factory):
    folder, good = tmp_path_factory.mktemp("flip"), Catalogue(**_columns(30))
    path = write_catalogue(folder / "halos.npz", good)
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= flip
    path.write_bytes(content)
    try:
        found = read_catalogue(path)
    except InputError as error:
        assert "halos.npz" in str(error)
    else:
        np.testing.assert_array_equal(found.masses, good.masses)


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "npy", "npz", "pickle", "record"])
def test_a_foreign_file_is_refused(tmp_path, kind):
    path = tmp_path / "halos.npz"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("x,y,z,mass\n")
    elif kind == "npy":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "npz":
        np.savez(path, positions=np.zeros((3, 3)))
    elif kind == "pickle":
        np.savez(path, facts=np.array([{"a": 1}], dtype=object))
    elif kind == "record":
        np.savez(path, facts=np.array(json.dumps({"format": "other"})))
    with pytest.raises(InputError, match=r"halos\.npz"):
        read_catalogue(path)


def test_provenance_that_is_not_json_leaves_no_file(tmp_path, catalogue):
    bad = dataclasses.replace(catalogue, provenance={"seed": float("nan")})
    with pytest.raises(InputError, match="provenance"):
        write_catalogue(tmp_path / "halos.npz", bad)
    assert list(tmp_path.iterdir()) == []


def test_a_box_must_hold_two_linking_radii(catalogue):
    assert check_linking(catalogue, 125.0) == 125.0
    for radius in (125.1, 0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="radius"):
            check_linking(catalogue, radius)


def test_no_slice_is_said(catalogue):
    with pytest.raises(InputError, match="slice"):
        dataclasses.replace(catalogue, slice=None).in_slice()


def test_the_command_makes_a_catalogue(tmp_path, capsys):
    out = tmp_path / "halos.npz"
    small = ["--box", "60", "--particles", "32", "--steps", "10", "--seed", "2"]
    assert make.main([*small, "--out", str(out), "--quiet"]) == 0
    assert "halos" in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == ["halos.npz"]
    found = read_catalogue(out)
    assert found.provenance["universe"]["seed"] == 2
    assert "--box 60 --particles 32 --seed 2" in found.provenance["command"]
    assert str(tmp_path) not in json.dumps(found.provenance)
    assert found.provenance["versions"]["jaxpm"]
    assert found.masses.min() >= 20 * found.particle_mass * 0.999
    assert found.slice.values.shape == (512, 512)
    assert found.in_slice()[0], "the heaviest halo is in the picture"
    # δ about matter's peaks is mostly positive.
    assert found.delta.mean() > 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--particles", "33"], "particles"),
        (["--box", "30"], "box"),
        (["--seed", "-1"], "seed"),
        (["--out", "halos.txt"], "out"),
        (["--out", "file/halos.npz"], "out"),
    ],
)
def test_a_bad_option_is_told_at_once(tmp_path, monkeypatch, capsys, options, named):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("in the way")
    assert make.main(["--out", "halos.npz", "--quiet", *options]) == 2
    assert f"error: {named}" in capsys.readouterr().err


def test_a_universe_without_halos_says_so(monkeypatch):
    lattice = np.indices((8,) * 3, dtype=np.float32).reshape(3, -1).T * 10
    even = Particles(lattice, 0 * lattice, 1e14, 80.0)
    monkeypatch.setattr(make, "simulate", lambda *arguments: even)
    with pytest.raises(InputError, match="no halos"):
        make.make_catalogue(Universe(80.0, 8), progress=False)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_committed_catalogues(seed):
    path = DATA / f"halos-{seed}.npz"
    found = read_catalogue(path)
    assert path.stat().st_size < 3e6
    assert found.provenance["universe"] == dataclasses.asdict(Universe(seed=seed))
    assert f"--seed {seed}" in found.provenance["command"]
    assert len(found) > 20_000
    assert found.box == 500.0
    assert found.slice is not None
    assert 0.2 < found.delta.mean() < 0.6
