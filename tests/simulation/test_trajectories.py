"""Trajectories on disk: lazy reading, resuming after Ctrl-C, and damaged or foreign folders."""

import pickle
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from symlib.errors import InputError
from symlib.laws.potentials import PairPotential, accelerations
from symlib.simulation import nbody
from symlib.simulation.nbody import simulate

SIZE = {"systems": 23, "steps": 20, "max_steps": 9, "progress": False}


def _bytes(folder):
    # But for the time that it took.
    files = (file for file in sorted(folder.iterdir()) if file.name != "seconds.txt")
    return {file.name: file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Trajectories in a folder; some systems failed."""
    return simulate("r1", path=tmp_path_factory.mktemp("made") / "r1.traj", **SIZE)


@pytest.fixture
def folder(made, tmp_path):
    """A copy to damage."""
    return shutil.copytree(made.path, tmp_path / "copy.traj")


@pytest.fixture
def integrated(monkeypatch):
    """The numbers of the systems that are integrated from here on."""
    numbers, original = [], nbody.integrate

    def spy(law, initial, waiting, *rest):
        numbers.extend(waiting)
        original(law, initial, waiting, *rest)

    monkeypatch.setattr(nbody, "integrate", spy)
    return numbers


def test_what_is_finished_is_read_and_memory_holds_the_same(made, integrated):
    disk = simulate("r1", path=made.path, **SIZE)
    assert integrated == [] and isinstance(disk.phase, np.memmap)
    memory = simulate("r1", **SIZE)
    assert disk.failed == memory.failed
    assert 0 < len(disk.failed) == disk.share_failed * 23
    assert disk.shape == memory.shape == (23 - len(disk.failed), 20, 4, 6)
    np.testing.assert_array_equal(disk.states, memory.states)
    np.testing.assert_array_equal(disk.system_numbers, memory.system_numbers)
    for which in (slice(3, 9), [8, 0, 8], [-1]):
        np.testing.assert_array_equal(disk.systems(which), memory.states[which])
    with pytest.raises(InputError, match="systems"):
        disk.systems(99)


def test_float32_takes_half_the_space(made, tmp_path):
    half = simulate("r1", path=tmp_path / "half", dtype="float32", **SIZE)
    np.testing.assert_array_equal(half.states, made.states.astype(np.float32), strict=True)
    sizes = [(path / "phase.npy").stat().st_size for path in (half.path, made.path)]
    assert sizes[0] < 0.6 * sizes[1]


def test_snapshots_have_their_true_accelerations(made):
    states, targets = made.snapshots(50, seed=3)
    assert states.shape == (50, 4, 6) and states.dtype == targets.dtype == np.float32
    everything = made.states.astype(np.float32).reshape(-1, 4, 6)
    assert {s.tobytes() for s in states} <= {s.tobytes() for s in everything}
    with jax.enable_x64(True):
        expected = np.asarray(accelerations(made.law, states.astype(np.float64)))
    np.testing.assert_allclose(targets, expected, rtol=1e-6)


def test_the_draw_follows_the_seed_and_repeats_nothing(made):
    first, again, other = (made.snapshots(9, seed=s)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    total = len(made) * 20
    assert len({s.tobytes() for s in made.snapshots(total)[0]}) == total
    for count in (0, total + 1):
        with pytest.raises(InputError, match="count"):
            made.snapshots(count)


def test_test_systems_are_not_trained_on(made):
    train, test = made.split(0.25)
    assert len(test) == round(0.25 * len(made)) == len(made) - len(train)
    assert not set(train.system_numbers) & set(test.system_numbers)
    masses = [set(side.snapshots(40)[0][..., -1].flat) for side in (train, test)]
    assert not masses[0] & masses[1]
    for fraction in (0, 1, -0.1):
        with pytest.raises(InputError, match="test_fraction"):
            made.split(fraction)
    with pytest.raises(InputError, match="at least 2"):
        simulate("spring", systems=1, steps=3, progress=False).split()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_was_stopped_goes_on_and_ends_the_same(tmp_path, kind, integrated):
    path, size = tmp_path / "stopped.traj", {"systems": 3000, "steps": 300}
    code = "from symlib.simulation.nbody import simulate\n"
    code += f"simulate('r2', path={str(path)!r}, **{size})"
    # Whoever runs the tests in the background may have Ctrl-C ignored, and a child inherits that.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n" + code
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not path.exists() or np.count_nonzero(np.load(path / "checksums.npy")) < 100:
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    child.send_signal(kind)
    began = time.monotonic()
    child.wait()
    assert time.monotonic() - began < 1.5
    simulate("r2", path=path, progress=False, **size)
    assert 0 < len(integrated) < 2900
    simulate("r2", path=tmp_path / "whole.traj", progress=False, **size)
    assert _bytes(path) == _bytes(tmp_path / "whole.traj")


def test_damaged_systems_are_simulated_again(made, folder, integrated):
    array = np.load(folder / "phase.npy", mmap_mode="r+")
    array[[0, 22], 3] += 1e-9
    array.flush()
    simulate("r1", path=folder, **SIZE)
    assert integrated == [0, 22]
    assert _bytes(folder) == _bytes(made.path)


@pytest.mark.parametrize("name", ["phase.npy", "checksums.npy"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:-100]),
        lambda file: file.write_bytes(b""),
        lambda file: file.unlink(),
        lambda file: np.save(file, np.zeros((2, 20, 4, 4))),
        lambda file: np.save(file, np.array(print, object), allow_pickle=True),
    ],
)
def test_arrays_cut_short_or_foreign_are_refused(folder, name, damage):
    damage(folder / name)
    with pytest.raises(InputError, match=rf"{name} is missing, truncated or another.*delete"):
        simulate("r1", path=folder, **SIZE)


@pytest.mark.parametrize("text", [b"", b"[1, 2]", b'{"format": "other"}', pickle.dumps({"a": 1})])
def test_foreign_manifests_are_refused(folder, text):
    (folder / "manifest.json").write_bytes(text)
    with pytest.raises(InputError, match=r"copy\.traj (is no folder of traj|holds another)"):
        simulate("r1", path=folder, **SIZE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"law": "r2"}, "law 'r1' there, 'r2' asked"),
        ({"law": PairPotential("r1", lambda r, a, b: -a.mass / r, dt=5e-3)}, "fingerprint"),
        ({"systems": 24}, "systems 23 there, 24 asked"),
        ({"tolerance": 1e-6}, "tolerance"),
        ({"initial": np.ones((23, 4, 6))}, "initial"),
    ],
)
def test_another_request_at_the_same_path(folder, change, words):
    before = _bytes(folder)
    with pytest.raises(InputError, match=f"another simulation.*{words}"):
        simulate(**{"law": "r1", "path": folder} | SIZE | change)
    assert _bytes(folder) == before


def test_paths_that_hold_something_else(tmp_path):
    file, other = tmp_path / "file", tmp_path / "folder"
    file.write_text("text")
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    for path in (file, other):
        with pytest.raises(InputError, match="no folder of trajectories"):
            simulate("spring", path=path, **SIZE)
    with pytest.raises(InputError, match="cannot be written"):
        simulate("spring", path=file / "below", **SIZE)
    assert sorted(f.name for f in tmp_path.rglob("*")) == ["file", "folder", "thesis.tex"]
