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
    count = len(halos["masses"])
    bounds = [0, *splits, count]
    for index, (low, high) in enumerate(pairwise(bounds)):
        part = {name: column[low:high] for name, column in halos.items()}
        ids = int(part["lengths"].sum())
        header = [("i4", high - low), ("i4", count), ("i4", ids)]
        header += [("u8", int(halos["lengths"].sum())), ("u4", len(bounds) - 1)]
        with (folder / f"group_tab_{snapshot:03d}.{index}").open("wb") as file:
            for kind, value in header:
                file.write(np.array(value, order + kind).tobytes())
            for column in part.values():
                file.write(column.astype(order + column.dtype.str[1:]).tobytes())
            file.write(np.zeros((high - low) * extra, order + "f4").tobytes())
    return folder


@settings(max_examples=25, deadline=None)
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
    found = read_groups(folder)
    np.testing.assert_allclose(found.positions, halos["positions"] / 1000, rtol=1e-6)
    np.testing.assert_allclose(found.velocities, halos["velocities"], rtol=1e-6)
    np.testing.assert_allclose(found.masses, halos["masses"].astype(float) * 1e10, rtol=1e-6)
    np.testing.assert_array_equal(found.lengths, halos["lengths"])
    assert found.particle_mass == pytest.approx(PARTICLE * 1e10, rel=1e-5)
    assert (found.snapshot, found.redshift, found.files) == (4, 0.0, len(splits) + 1)
    assert found.positions.dtype.isnative


def test_velocities_are_peculiar_at_any_redshift(tmp_path):
    halos = _halos(10)
    known = read_groups(_write(tmp_path / "groups_002", halos, snapshot=2))
    np.testing.assert_allclose(known.velocities, 2 * halos["velocities"], rtol=1e-6)
    odd = _write(tmp_path / "groups_011", halos, snapshot=11)
    with pytest.raises(InputError, match="redshift"):
        read_groups(odd)
    given_one = read_groups(odd / "group_tab_011.0", redshift=0.5)
    np.testing.assert_allclose(given_one.velocities, 1.5 * halos["velocities"], rtol=1e-6)


def test_a_catalogue_with_the_user_s_delta(tmp_path):
    folder = _write(tmp_path / "groups_004", _halos(300), splits=[100])
    delta = np.linspace(-0.5, 3, 300)
    found = read_quijote(folder, delta=delta)
    np.testing.assert_allclose(found.delta, delta, rtol=1e-6)
    assert found.box == 1000.0
    assert found.provenance["simulation"] == "Quijote"
    assert found.provenance["delta"] == "given"


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


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "delta"),
        ({"delta": np.zeros(30), "particles": np.zeros((5, 3))}, "delta"),
        ({"delta": np.zeros(29)}, "delta"),
        ({"delta": np.full(30, np.nan)}, "delta"),
        ({"particles": np.zeros((5, 2))}, "particles"),
        ({"particles": np.full((5, 3), np.inf)}, "particles"),
        ({"particles": np.full((5, 3), 20_000.0)}, "particles"),
        ({"delta": np.zeros(30), "box": 100.0}, "positions"),
        ({"particles": np.zeros((5, 3)), "box": 100.0}, "positions"),
    ],
)
def test_bad_input_is_named(tmp_path, options, named):
    folder = _write(tmp_path / "groups_004", _halos(30))
    with pytest.raises(InputError, match=named):
        read_quijote(folder, **options)


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0, 0.999), order=st.sampled_from("<>"))
def test_a_truncated_file_is_refused(share, order, tmp_path_factory):
    folder = _write(tmp_path_factory.mktemp("cut") / "groups_004", _halos(40), [20], order)
    file = folder / "group_tab_004.1"
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(InputError, match=r"group_tab_004\.1.*truncated"):
        read_groups(folder)


def test_a_missing_sub_file_is_named(tmp_path):
    folder = _write(tmp_path / "groups_004", _halos(40), [10, 20])
    (folder / "group_tab_004.1").unlink()
    with pytest.raises(InputError, match=r"group_tab_004\.1: no such file"):
        read_groups(folder)
    (folder / "group_tab_004.0").unlink()
    with pytest.raises(InputError, match=r"group_tab_004\.0: no such file"):
        read_groups(folder)


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    folder = _write(tmp_path / "groups_004", _halos(40), [10])
    other = _write(tmp_path / "other", _halos(50), [10])
    (folder / "group_tab_004.1").write_bytes((other / "group_tab_004.1").read_bytes())
    with pytest.raises(InputError, match="does not belong"):
        read_groups(folder)
    # Twice the first sub-file: the headers agree, the sum does not.
    (folder / "group_tab_004.1").write_bytes((folder / "group_tab_004.0").read_bytes())
    with pytest.raises(InputError, match="announced"):
        read_groups(folder)


@pytest.mark.parametrize("kind", ["text", "zeros", "noise", "longer", "masses", "nan", "name"])
def test_a_foreign_file_is_refused(tmp_path, kind):
    halos = _halos(40)
    if kind == "masses":
        halos["masses"][3] *= 10
    if kind == "nan":
        halos["masses"][3] = np.nan
    file = _write(tmp_path / "groups_004", halos) / "group_tab_004.0"
    if kind == "text":
        file.write_text("mass x y z\n" * 50)
    elif kind == "zeros":
        file.write_bytes(bytes(400))
    elif kind == "noise":
        file.write_bytes(np.random.default_rng(0).bytes(4000))
    elif kind == "longer":
        file.write_bytes(file.read_bytes() + bytes(12))
    elif kind == "name":
        file = file.rename(file.with_name("halos.dat"))
    with pytest.raises(InputError, match="group_tab" if kind != "name" else r"halos\.dat"):
        read_groups(file)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match="found none"):
        read_groups(tmp_path)
    _write(tmp_path, _halos(5), snapshot=3)
    _write(tmp_path, _halos(5), snapshot=4)
    with pytest.raises(InputError, match=r"\[3, 4\]"):
        read_groups(tmp_path)
    empty = _write(tmp_path / "empty", _halos(0))
    with pytest.raises(InputError, match="no groups"):
        read_groups(empty)
