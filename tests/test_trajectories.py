"""Trajectories on disk: lazy reading, resuming after a kill, and damaged or foreign files."""

import json
import pickle
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from symlib import nbody
from symlib.errors import InputError, UnknownChoice
from symlib.nbody import simulate
from symlib.potentials import LAWS, PairPotential, accelerations
from symlib.trajectories import load_trajectories
from symlib.trajectory_files import MANIFEST, TrajectoryFolder

SIZE = {"systems": 23, "steps": 20, "progress": False, "workers": 2, "chunk": 5}


def _bytes(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of 23 systems in five chunks, with some systems failed."""
    path = tmp_path_factory.mktemp("made") / "r1.traj"
    simulate("r1", path=path, max_steps=9, **SIZE)
    return path


@pytest.fixture
def folder(made, tmp_path):
    """A copy to damage."""
    return shutil.copytree(made, tmp_path / "copy.traj")


class TestReading:
    def test_disk_and_memory_agree(self, made):
        memory = simulate("r1", max_steps=9, **SIZE)
        disk = load_trajectories(made)
        assert 0 < len(disk.failed) < 23
        assert disk.failed == memory.failed
        assert disk.shape == memory.shape == (23 - len(disk.failed), 20, 4, 6)
        assert disk.share_failed == len(disk.failed) / 23
        np.testing.assert_array_equal(disk.states, memory.states)
        np.testing.assert_array_equal(disk.system_numbers, memory.system_numbers)
        assert disk.law is LAWS["r1"]

    def test_chunks_and_slices_are_parts_of_the_whole(self, made):
        disk = load_trajectories(made)
        whole = disk.states
        np.testing.assert_array_equal(np.concatenate(list(disk.iter_chunks())), whole)
        np.testing.assert_array_equal(disk.systems(slice(3, 9)), whole[3:9])
        np.testing.assert_array_equal(disk.systems([8, 0, 8]), whole[[8, 0, 8]])
        np.testing.assert_array_equal(disk.systems(-1), whole[-1:])
        assert disk.systems([]).shape == (0, *whole.shape[1:])
        with pytest.raises(InputError, match="systems"):
            disk.systems(99)

    def test_only_the_chunks_needed_are_read(self, made, monkeypatch):
        read = []
        original = TrajectoryFolder.read_chunk

        def spy(self, index):
            read.append(index)
            return original(self, index)

        monkeypatch.setattr(TrajectoryFolder, "read_chunk", spy)
        disk = load_trajectories(made)
        assert (len(disk), read) == (disk.shape[0], [])
        disk.systems(0)
        assert read == [0]
        next(disk.iter_chunks())
        assert read == [0, 0]

    def test_float32_takes_half_the_space(self, made, tmp_path):
        half = simulate("r1", max_steps=9, path=tmp_path / "half", dtype="float32", **SIZE)
        whole = load_trajectories(made)
        assert half.states.dtype == np.float32
        np.testing.assert_array_equal(half.states, whole.states.astype(np.float32))
        size = sum(file.stat().st_size for file in half.path.glob("*.phase.npy"))
        assert size < 0.6 * sum(file.stat().st_size for file in made.glob("*.phase.npy"))

    def test_a_law_of_ones_own_must_be_handed_over(self, tmp_path):
        law = PairPotential("cube", lambda r, a, b: -a.mass * b.mass / r**3, dt=1e-4)
        simulate(law, path=tmp_path / "cube", **SIZE)
        with pytest.raises(InputError, match="law 'cube'"):
            load_trajectories(tmp_path / "cube")
        assert load_trajectories(tmp_path / "cube", law).law is law
        other = PairPotential("cube", lambda r, a, b: a.mass * b.mass / r**3, dt=1e-4)
        with pytest.raises(InputError, match="differs"):
            load_trajectories(tmp_path / "cube", other)
        with pytest.raises(InputError, match="differs"):
            load_trajectories(tmp_path / "cube", LAWS["r1"])


class TestSnapshots:
    def test_states_with_their_true_accelerations(self, made):
        disk = load_trajectories(made)
        states, targets = disk.snapshots(50, seed=3)
        assert states.shape == (50, 4, 6)
        assert targets.shape == (50, 4, 2)
        assert states.dtype == targets.dtype == np.float32
        everything = disk.states.astype(np.float32).reshape(-1, 4, 6)
        assert {s.tobytes() for s in states} <= {s.tobytes() for s in everything}
        assert len({s.tobytes() for s in states}) == 50
        with nbody.jax.enable_x64(True):
            expected = np.asarray(accelerations(disk.law, states.astype(np.float64)))
        np.testing.assert_allclose(targets, expected, rtol=1e-6)

    def test_the_draw_follows_the_seed(self, made):
        disk = load_trajectories(made)
        first, again, other = (disk.snapshots(9, seed=s).states for s in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_all_of_them_can_be_drawn_and_no_more(self, made):
        disk = load_trajectories(made)
        total = len(disk) * 20
        assert len({s.tobytes() for s in disk.snapshots(total).states}) == total
        for count in (0, total + 1):
            with pytest.raises(InputError, match="count"):
                disk.snapshots(count)

    def test_test_snapshots_are_of_systems_not_trained_on(self, made):
        disk = load_trajectories(made)
        train, test = disk.split(0.25)
        assert len(train) + len(test) == len(disk)
        assert len(test) == round(0.25 * len(disk))
        assert not set(train.system_numbers) & set(test.system_numbers)
        masses = [
            {
                m.tobytes()
                for m in disk.snapshots(40, split=side, test_fraction=0.25).states[..., -1]
            }
            for side in ("train", "test")
        ]
        assert not masses[0] & masses[1]

    def test_bad_splits(self, made):
        disk = load_trajectories(made)
        for fraction in (0, 1, -0.1):
            with pytest.raises(InputError, match="test_fraction"):
                disk.split(fraction)
        with pytest.raises(UnknownChoice, match="split"):
            disk.snapshots(3, split="validation")
        with pytest.raises(InputError, match="at least 2"):
            simulate("spring", systems=1, steps=3, progress=False).split()

    @pytest.mark.parametrize("states", [np.zeros((3, 4, 5)), np.full((1, 4, 6), np.nan)])
    def test_bad_states(self, made, states):
        with pytest.raises(InputError, match="states must be finite"):
            load_trajectories(made).accelerations(states)


class TestResuming:
    def test_interrupted_work_goes_on_and_ends_the_same(self, made, tmp_path, monkeypatch):
        path = tmp_path / "cut.traj"
        original, calls = TrajectoryFolder.write_chunk, []

        def interrupt(self, index, *arrays):
            if len(calls) == 2:
                raise KeyboardInterrupt
            calls.append(index)
            original(self, index, *arrays)

        monkeypatch.setattr(TrajectoryFolder, "write_chunk", interrupt)
        with pytest.raises(KeyboardInterrupt):
            simulate("r1", path=path, max_steps=9, **SIZE)
        with pytest.raises(InputError, match="unfinished: 3 of 5 chunks"):
            load_trajectories(path)
        monkeypatch.setattr(TrajectoryFolder, "write_chunk", original)
        before = {name: data for name, data in _bytes(path).items() if name != MANIFEST}
        stamps = {name: (path / name).stat().st_mtime_ns for name in before}
        # A folder keeps its chunk size, whatever is asked for the second time.
        simulate("r1", path=path, max_steps=9, **SIZE | {"chunk": 11})
        assert _bytes(path) == _bytes(made)
        assert stamps == {name: (path / name).stat().st_mtime_ns for name in before}

    @pytest.mark.slow
    def test_a_killed_process_leaves_whole_chunks(self, tmp_path):
        path = tmp_path / "killed.traj"
        code = (
            "from symlib.nbody import simulate\n"
            f"simulate('r2', systems=4000, path={str(path)!r}, chunk=40, workers=1)"
        )
        child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while len(list(path.glob("chunk-*.bodies.npy"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        child.kill()
        child.wait()
        manifest = json.loads((path / MANIFEST).read_text())
        assert len(manifest["chunks"]) >= 2
        assert not manifest["complete"]
        entries = TrajectoryFolder(
            path,
            manifest["request"],
            manifest["chunk"],
            {int(k): v for k, v in manifest["chunks"].items()},
        )
        for index in entries.chunks:
            entries.read_chunk(index)

    def test_a_missing_chunk_is_remade(self, made, folder):
        next(folder.glob("chunk-00002.phase.npy")).unlink()
        simulate("r1", path=folder, max_steps=9, **SIZE)
        assert _bytes(folder) == _bytes(made)

    def test_finished_work_is_not_done_again(self, folder, monkeypatch):
        def never(*_):
            raise AssertionError("integration began")

        monkeypatch.setattr(nbody, "integrate_lanes", never)
        assert len(simulate("r1", path=folder, max_steps=9, **SIZE)) > 0

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"law": "r2"}, "law 'r1' there, 'r2' asked"),
            ({"seed": 1}, "seed 0 there, 1 asked"),
            ({"systems": 24}, "systems 23 there, 24 asked"),
            ({"tolerance": 1e-6}, "tolerance"),
            ({"dtype": "float32"}, "dtype"),
        ],
    )
    def test_another_request_at_the_same_path(self, folder, change, words):
        before = _bytes(folder)
        with pytest.raises(InputError, match=f"another simulation.*{words}"):
            simulate(**{"law": "r1", "path": folder, "max_steps": 9} | SIZE | change)
        assert _bytes(folder) == before


class TestDamage:
    def test_truncated_chunk(self, folder):
        file = folder / "chunk-00001.phase.npy"
        file.write_bytes(file.read_bytes()[:-100])
        with pytest.raises(InputError, match=r"chunk-00001\.phase\.npy is truncated"):
            load_trajectories(folder)

    @pytest.mark.parametrize("place", [3, 200, -1])
    def test_flipped_bytes(self, folder, place):
        file = folder / "chunk-00001.phase.npy"
        data = bytearray(file.read_bytes())
        data[place] ^= 0x10
        file.write_bytes(data)
        opened = load_trajectories(folder)
        opened.systems(0)
        with pytest.raises(InputError, match=r"chunk-00001\.phase\.npy is damaged.*delete"):
            opened.states  # noqa: B018

    def test_missing_chunk(self, folder):
        (folder / "chunk-00003.bodies.npy").unlink()
        with pytest.raises(InputError, match=r"chunk-00003\.bodies\.npy is missing"):
            load_trajectories(folder)

    def _vouch(self, folder, file):
        """Enter a file's size and checksum in the manifest, as one who tampers would."""
        from symlib.trajectory_files import _checksum

        manifest = json.loads((folder / MANIFEST).read_text())
        _, index, kind, _ = file.name.replace("-", ".").split(".")
        manifest["chunks"][str(int(index))]["files"][kind] = {
            "bytes": file.stat().st_size,
            "crc32": _checksum(file),
        }
        (folder / MANIFEST).write_text(json.dumps(manifest))

    def test_a_pickle_in_place_of_a_chunk_is_not_opened(self, folder):
        class Bomb:
            def __reduce__(self):
                return (exec, ("raise AssertionError('it was unpickled')",))

        file = folder / "chunk-00000.phase.npy"
        for content in (pickle.dumps(Bomb()), pickle.dumps([1, 2])):
            file.write_bytes(content)
            self._vouch(folder, file)
            with pytest.raises(InputError, match="not a numpy array file"):
                load_trajectories(folder).systems(0)

    def test_an_array_of_another_shape(self, folder):
        file = folder / "chunk-00000.phase.npy"
        for array in (np.zeros((2, 20, 4, 4)), np.zeros((5, 20, 4, 4), object)):
            np.save(file, array)
            self._vouch(folder, file)
            with pytest.raises(InputError, match=r"chunk-00000\.phase\.npy"):
                load_trajectories(folder).systems(0)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "not JSON"),
            ("{'a': 1}", "not JSON"),
            ("[1, 2]", "not a manifest of trajectories"),
            ('{"format": "other"}', "not a manifest of trajectories"),
            ('{"format": "symlib-trajectories", "version": 99}', "version 99.*reads 1"),
            ('{"format": "symlib-trajectories", "version": 1}', "damaged"),
        ],
    )
    def test_foreign_manifests(self, folder, text, words):
        (folder / MANIFEST).write_text(text)
        for use in (load_trajectories, lambda path: simulate("r1", path=path, **SIZE)):
            with pytest.raises(InputError, match=words) as caught:
                use(folder)
            assert MANIFEST in str(caught.value)

    def test_binary_manifest(self, folder):
        (folder / MANIFEST).write_bytes(pickle.dumps({"format": "symlib-trajectories"}))
        with pytest.raises(InputError, match="not JSON"):
            load_trajectories(folder)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda m: m["request"].pop("dim"),
            lambda m: m["request"].update(steps="many"),
            lambda m: m["request"].update(dtype="object"),
            lambda m: m.update(chunk=0),
            lambda m: m["chunks"].update({"99": m["chunks"]["0"]}),
            lambda m: m["chunks"]["0"].update(failed=[77]),
            lambda m: m["chunks"]["0"].pop("files"),
            lambda m: m.update(chunks=3),
        ],
    )
    def test_damaged_manifests(self, folder, damage):
        manifest = json.loads((folder / MANIFEST).read_text())
        damage(manifest)
        (folder / MANIFEST).write_text(json.dumps(manifest))
        with pytest.raises(InputError, match=r"manifest\.json is damaged"):
            load_trajectories(folder)

    def test_paths_that_hold_something_else(self, tmp_path):
        file = tmp_path / "file"
        file.write_text("text")
        other = tmp_path / "folder"
        other.mkdir()
        (other / "thesis.tex").write_text("years of work")
        for path in (file, other, tmp_path / "none"):
            with pytest.raises(InputError, match="not a folder of trajectories"):
                load_trajectories(path)
        with pytest.raises(InputError, match="is a file"):
            simulate("spring", path=file, **SIZE)
        with pytest.raises(InputError, match="not a folder of trajectories"):
            simulate("spring", path=other, **SIZE)
        with pytest.raises(InputError, match="cannot be written"):
            simulate("spring", path=file / "below", **SIZE)
        assert [f.name for f in other.iterdir()] == ["thesis.tex"]
