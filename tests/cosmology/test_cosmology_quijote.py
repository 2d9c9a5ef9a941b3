"""Quijote's group files, written here in their format and read back; and what is refused."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symlib.cosmology.quijote import read_groups, read_quijote
from symlib.errors import InputError

PARTICLE = 65.66  # 1e10 h⁻¹ M☉, as in the fiducial simulations


def _halos(count, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(20, 4000, count).astype("i4")
    return {
        "lengths": lengths,
        "offsets": np.cumsum(lengths).astype("i4") - lengths,
        "masses": (lengths * PARTICLE).astype("f4"),
        "positions": rng.uniform(0, 999_999, (count, 3)).astype("f4"),
        "velocities": rng.normal(0, 200, (count, 3)).astype("f4"),
        "type_lengths": np.zeros((count, 6), "i4"),
        "type_masses": np.zeros((count, 6), "f4"),
    }


def _write(folder, halos, splits=(), order="<", snapshot=4, extra=0):
    """The files of a snapshot, as P-FoF writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    count, ids = len(halos["masses"]), int(halos["lengths"].sum())
    bounds = [0, *splits, count]
    for index, (low, high) in enumerate(pairwise(bounds)):
        part = {name: column[low:high] for name, column in halos.items()}
        header = (high - low, count, int(part["lengths"].sum()), ids, len(bounds) - 1)
        content = np.array([header], np.dtype("i4,i4,i4,u8,u4").newbyteorder(order)).tobytes()
        for column in part.values():
            content += column.astype(column.dtype.newbyteorder(order)).tobytes()
        file = folder / f"group_tab_{snapshot:03d}.{index}"
        file.write_bytes(content + bytes(4 * extra * (high - low)))
    return folder


@settings(max_examples=25)
@given(
    count=st.integers(1, 60),
    cuts=st.lists(st.integers(0, 60), max_size=4),
    order=st.sampled_from("<>"),
    extra=st.integers(0, 2),
)
def test_groups_come_back_in_our_units(count, cuts, order, extra, tmp_path_factory):
    halos = _halos(count)
    splits = sorted(min(cut, count) for cut in cuts)
    folder = _write(tmp_path_factory.mktemp("q") / "groups_004", halos, splits, order, extra=extra)
    found, source = read_groups(folder)
    np.testing.assert_allclose(found["positions"], halos["positions"] / 1000, rtol=1e-6)
    np.testing.assert_allclose(found["velocities"], halos["velocities"], rtol=1e-6)
    np.testing.assert_allclose(found["masses"], halos["masses"].astype(float) * 1e10, rtol=1e-6)
    assert found["particle_mass"] == pytest.approx(PARTICLE * 1e10, rel=1e-5)
    where = {"snapshot": 4, "redshift": 0.0, "files": len(splits) + 1}
    assert source == {"simulation": "Quijote", **where}


def test_velocities_are_peculiar_at_any_redshift(tmp_path):
    halos = _halos(10)
    known, _ = read_groups(_write(tmp_path / "groups_002", halos, snapshot=2))
    np.testing.assert_allclose(known["velocities"], 2 * halos["velocities"], rtol=1e-6)
    odd = _write(tmp_path / "groups_011", halos, snapshot=11)
    with pytest.raises(InputError, match="redshift"):
        read_groups(odd)
    told, _ = read_groups(odd / "group_tab_011.0", redshift=0.5)
    np.testing.assert_allclose(told["velocities"], 1.5 * halos["velocities"], rtol=1e-6)


def test_delta_is_counted_from_particles(tmp_path):
    halos = _halos(5)
    halos["positions"][0] = [1000, 500_000, 500_000]
    folder = _write(tmp_path / "groups_004", halos)
    particles = np.random.default_rng(2).uniform(0, 1000, (200_000, 3)).astype(np.float32)
    found = read_quijote(folder, particles=particles)
    away = np.abs(particles - found.positions[0])
    away = np.minimum(away, 1000 - away)
    within = (np.sqrt((away.astype(float) ** 2).sum(1)) <= 20).sum()
    expected = within / (200_000 / 1e9 * 4 / 3 * np.pi * 20**3) - 1
    assert found.delta[0] == pytest.approx(expected, abs=1e-5)
    assert (found.box, found.provenance["delta"]) == (1000.0, "counted")
    delta = np.linspace(-0.5, 3, 5)
    given = read_quijote(folder, delta=delta)
    np.testing.assert_allclose(given.delta, delta, rtol=1e-6)
    assert (given.provenance["simulation"], given.provenance["delta"]) == ("Quijote", "given")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "delta"),
        ({"delta": np.zeros(29)}, "delta"),
        ({"particles": np.zeros((5, 2))}, "particles"),
        ({"particles": np.full((5, 3), 20_000.0)}, "particles"),
        ({"delta": np.zeros(30), "box": 100.0}, "positions"),
    ],
)
def test_bad_input_is_named(tmp_path, options, named):
    folder = _write(tmp_path / "groups_004", _halos(30))
    with pytest.raises(InputError, match=named):
        read_quijote(folder, **options)


def test_files_that_are_missing_or_do_not_belong_together_are_named(tmp_path):
    folder = _write(tmp_path / "groups_004", _halos(40), [10])
    other = _write(tmp_path / "other", _halos(50), [10])
    second = folder / "group_tab_004.1"
    second.write_bytes((other / second.name).read_bytes())
    with pytest.raises(InputError, match="does not belong"):
        read_groups(folder)
    # Twice the first sub-file: the headers agree, the sum does not.
    second.write_bytes((folder / "group_tab_004.0").read_bytes())
    with pytest.raises(InputError, match="announced"):
        read_groups(folder)
    second.unlink()
    with pytest.raises(InputError, match=r"group_tab_004\.1: cannot be read"):
        read_groups(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:17],
        lambda content: content[:-8],
        lambda content: b"mass x y z\n" * 50,
        lambda content: bytes(400),
        lambda content: content + bytes(12),
        lambda content: content[:24] + bytes(len(content) - 24),
    ],
)
def test_a_foreign_file_is_refused(tmp_path, change):
    file = _write(tmp_path / "groups_004", _halos(40)) / "group_tab_004.0"
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(InputError, match="group_tab"):
        read_groups(file)
    with pytest.raises(InputError, match=r"halos\.dat"):
        read_groups(file.rename(file.with_name("halos.dat")))


def test_a_folder_of_something_else_is_refused(tmp_path):
    _write(tmp_path, _halos(5), snapshot=3)
    _write(tmp_path, _halos(5), snapshot=4)
    heavy = _halos(40)
    heavy["masses"][3] *= 10
    for folder, said in (
        (tmp_path, "003, 004"),
        (_write(tmp_path / "empty", _halos(0)), "no groups"),
        (_write(tmp_path / "heavy", heavy), "proportion"),
    ):
        with pytest.raises(InputError, match=said):
            read_groups(folder)
