"""The catalogue file, what it refuses, and the command that makes one."""

import dataclasses
import json
import re

import numpy as np
import pytest
from halos import random_halos
from hypothesis import given, settings
from hypothesis import strategies as st

from symlib import cli
from symlib.cosmology.catalogue import COLUMNS, read_catalogue, write_catalogue
from symlib.cosmology.universe import make
from symlib.cosmology.universe.halos import Particles
from symlib.cosmology.universe.simulation import Universe
from symlib.errors import InputError


def test_a_catalogue_comes_back_with_its_units(tmp_path):
    catalogue = random_halos(200, box=250.0, seed=3)
    path = write_catalogue(tmp_path / "deep" / "halos.npz", catalogue)
    found = read_catalogue(path)
    assert len(found) == 200
    for name in COLUMNS:
        column = getattr(found, name)
        np.testing.assert_array_equal(column, getattr(catalogue, name))
        assert column.dtype == np.float32
    assert (found.box, found.particle_mass) == (250.0, 6.4e11)
    assert found.provenance == {"universe": {"seed": 3}}
    np.testing.assert_allclose(found.slice.values, catalogue.slice.values, rtol=1e-3)
    z = found.positions[:, 2]
    np.testing.assert_array_equal(found.in_slice(), (z >= 10) & (z < 30))
    with pytest.raises(InputError, match="slice"):
        dataclasses.replace(catalogue, slice=None).in_slice()
    with pytest.raises(InputError, match="JSON"):
        write_catalogue(path, dataclasses.replace(catalogue, provenance={"a": float("nan")}))
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["halos.npz"]
    with np.load(path, allow_pickle=False) as archive:
        assert json.loads(str(archive["facts"]))["units"] == COLUMNS


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("positions", lambda c: c * 1000),
        ("positions", lambda c: c[:, :2]),
        ("positions", lambda c: np.where(np.arange(3) == 1, np.nan, c)),
        ("positions", lambda c: np.where(c == c.max(), np.float32(130), c)),
        ("velocities", lambda c: c / 100),
        ("velocities", lambda c: c * 10),
        ("masses", lambda c: c / 100),
        ("masses", lambda c: c * 1e4),
        ("masses", lambda c: c[:0]),
        ("masses", lambda c: c.astype(str)),
        ("delta", lambda c: c - 1.1),
        ("box", lambda c: float("nan")),
        ("particle_mass", lambda c: -1.0),
    ],
)
def test_a_bad_column_is_named(column, change):
    catalogue = random_halos(200)
    with pytest.raises(InputError, match=column):
        dataclasses.replace(catalogue, **{column: change(getattr(catalogue, column))})


@settings(max_examples=40)
@given(share=st.floats(0, 0.999), flip=st.integers(0, 255))
def test_a_damaged_file_is_refused_or_unharmed(share, flip, tmp_path_factory):
    folder, good = tmp_path_factory.mktemp("flip"), random_halos(30)
    path = write_catalogue(folder / "halos.npz", good)
    content = bytearray(path.read_bytes())
    place = int(share * len(content))
    content[place] ^= flip
    # No bit flipped: the file is cut.
    path.write_bytes(content if flip else content[:place])
    try:
        found = read_catalogue(path)
    except InputError as error:
        assert "halos.npz" in str(error)
    else:
        assert flip
        np.testing.assert_array_equal(found.masses, good.masses)


@pytest.mark.parametrize(
    "change",
    [
        *({column: None} for column in [*COLUMNS, "facts"]),
        {"delta": np.full(50, np.nan)},
        {"facts": np.array([{"a": 1}], dtype=object)},
        {"facts": np.array(json.dumps({"format": "other"}))},
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, change):
    path = write_catalogue(tmp_path / "halos.npz", random_halos(50))
    with np.load(path) as archive:
        entries = {**archive, **change}
    np.savez(path, **{name: value for name, value in entries.items() if value is not None})
    (name,) = change
    with pytest.raises(InputError, match=rf"halos\.npz.*{name if name in COLUMNS else ''}"):
        read_catalogue(path)


def test_the_command_makes_a_catalogue(tmp_path, capsys):
    out = tmp_path / "halos.npz"
    small = ["--box", "60", "--particles", "32", "--steps", "10", "--seed", "2"]
    assert cli.main(["universe", *small, "--out", str(out), "--quiet"]) == 0
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
    ("option", "value"),
    [("particles", "33"), ("box", "30"), ("out", "halos.txt"), ("out", "file/halos.npz")],
)
def test_a_bad_option_is_told_at_once(tmp_path, monkeypatch, capsys, option, value):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("in the way")
    assert cli.main(["universe", "--out", "halos.npz", "--quiet", f"--{option}", value]) == 2
    assert re.search(f"error: (--)?{option}", capsys.readouterr().err)


def test_a_universe_without_halos_says_so(monkeypatch):
    lattice = np.indices((8,) * 3, dtype=np.float32).reshape(3, -1).T * 10
    even = Particles(lattice, 0 * lattice, 1e14, 80.0)
    monkeypatch.setattr(make, "simulate", lambda *arguments: even)
    with pytest.raises(InputError, match="no halos"):
        make.make_catalogue(Universe(80.0, 8), progress=False)
