"""Simulated trajectories: in memory or on disk, read without loading all of them.

A `Trajectories` is what `nbody.simulate` returns and what training draws its snapshots
from. On disk they are a folder of two plain arrays and one manifest; nothing is pickled:

    NAME.traj/manifest.json    what was asked: law, sizes, seed, tolerance
    NAME.traj/phase.npy        [systems, steps, bodies, 2 dim]: position, velocity
    NAME.traj/checksums.npy    [systems]: of each finished system's phase; FAILED; else zero

The folder is made whole, its arrays of zeros, and then filled system by system. A system
is finished when its numbers have the checksum on record; so a run that was stopped goes on
with the others, and what was damaged is simulated again.
"""

import json
import os
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from symlib.errors import InputError
from symlib.files import write_whole
from symlib.laws.potentials import PairPotential
from symlib.laws.snapshots import Snapshots
from symlib.simulation.integrator import batched_accelerations

FORMAT = "symlib-trajectories-2"
MANIFEST, SECONDS = "manifest.json", "seconds.txt"
# In place of the checksum of a system that the integrator could not finish.
FAILED = -1


class Trajectories:
    """Simulations of one law, all of the same size; snapshots are spaced law.dt.

    States are rows of `[position (dim), velocity (dim), charge, mass]`, dimensionless.

    Args:
        law: the law that made them.
        phase: position and velocity, shape [asked, steps, bodies, 2 dim], in memory or
            mapped from a file.
        constants: charge and mass, shape [asked, bodies, 2].
        system_numbers: which of the systems asked for belong here, shape [systems].
        failed: numbers of the systems that the integrator could not finish, left out.
        path: the folder, if they are on disk.
        seconds: wall time that their integration took, whenever that was.

    Attributes:
        shape: (systems, steps, bodies, 2 dim + 2).
        share_failed: share of the systems asked for that the integrator could not finish.
        count: how many snapshots there are.
    """

    def __init__(
        self,
        law: PairPotential,
        phase: np.ndarray,
        constants: np.ndarray,
        system_numbers: np.ndarray,
        failed: Sequence[int] = (),
        path: Path | None = None,
        seconds: float = 0.0,
    ):
        self.law, self.phase, self.constants = law, phase, constants
        self.system_numbers, self.failed, self.path = system_numbers, tuple(failed), path
        self.seconds = round(seconds, 2)
        asked, self.steps, self.bodies, width = phase.shape
        self.dim = width // 2
        self.shape = (len(self), self.steps, self.bodies, width + 2)
        self.share_failed = len(self.failed) / asked
        self.count = len(self) * self.steps

    def __len__(self) -> int:
        return len(self.system_numbers)

    def __repr__(self) -> str:
        return f"<Trajectories of {self.law.name}: shape {self.shape}, {len(self.failed)} failed>"

    def systems(self, which: int | slice | Sequence[int] | np.ndarray) -> np.ndarray:
        """States of some systems, all steps.

        Args:
            which: a slice or positions (0 to len - 1); one integer keeps the first axis.

        Returns:
            Shape [chosen, steps, bodies, 2 dim + 2], float64 or as stored.

        Raises:
            InputError: a position out of range.
        """
        try:
            rows = np.atleast_1d(self.system_numbers[which])
        except IndexError as error:
            raise InputError(f"systems: {error}; there are {len(self)}") from error
        return _with_constants(self.phase[rows], self.constants[rows, None])

    @property
    def states(self) -> np.ndarray:
        """Everything: [systems, steps, bodies, 2 dim + 2]. Prefer `systems` when large."""
        return self.systems(slice(None))

    def split(self, test_fraction: float = 0.1) -> tuple["Trajectories", "Trajectories"]:
        """Divide by systems into training and test, as the paper's test sets are.

        Systems are independent draws, so the last ones serve as well as any; and the same
        systems stay in the test set however the snapshots are drawn.

        Raises:
            InputError: a fraction outside (0, 1), or fewer than two systems.
        """
        if not 0 < test_fraction < 1:
            raise InputError(f"test_fraction must lie between 0 and 1, got {test_fraction!r}")
        if len(self) < 2:
            raise InputError(f"split needs at least 2 systems, there are {len(self)}")
        held = min(max(1, round(test_fraction * len(self))), len(self) - 1)
        training, test = (
            Trajectories(self.law, self.phase, self.constants, numbers, self.failed, self.path)
            for numbers in np.split(self.system_numbers, [-held])
        )
        return training, test

    def snapshots(self, count: int, seed: int = 0) -> Snapshots:
        """Draw random snapshots, without repetition, and their true accelerations (eq. 6).

        Args:
            count: how many.
            seed: of the draw.

        Returns:
            States [count, bodies, 2 dim + 2] in float32 and the accelerations
            [count, bodies, dim] of exactly those states, computed in float64 and given in
            float32; in random order.

        Raises:
            InputError: count below 1 or above the number of snapshots.
        """
        total = len(self) * self.steps
        if not 1 <= count <= total:
            raise InputError(
                f"count must lie between 1 and {total} ({len(self)} systems of {self.steps} "
                f"steps), got {count}"
            )
        drawn = np.random.default_rng(seed).choice(total, size=count, replace=False)
        system, step = np.divmod(drawn, self.steps)
        rows = self.system_numbers[system]
        states = _with_constants(self.phase[rows, step], self.constants[rows]).astype(np.float32)
        return Snapshots(states, batched_accelerations(self.law, states).astype(np.float32))


def _with_constants(phase: np.ndarray, constants: np.ndarray) -> np.ndarray:
    fixed = np.broadcast_to(constants, (*phase.shape[:-1], 2))
    return np.concatenate([np.asarray(phase), fixed.astype(phase.dtype)], axis=-1)


def open_folder(path: Path, request: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Map the arrays of a folder into memory; one that is not there yet is made.

    Args:
        path: the folder.
        request: what is asked, as JSON holds it: systems, steps, bodies, dim, dtype and more.

    Returns:
        The phase, the checksums, and the numbers of the systems that are not finished.

    Raises:
        InputError: the path cannot be written, holds something else, or lacks a whole array.
    """
    request = {"format": FORMAT, **request}
    shape = (request["systems"], request["steps"], request["bodies"], 2 * request["dim"])
    contents = {"phase.npy": (shape, request["dtype"]), "checksums.npy": (shape[:1], "int64")}
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        _make(path, request, contents)
    try:
        known = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        differing = [
            f"{key} {known.get(key)!r} there, {value!r} asked"
            for key, value in request.items()
            if known.get(key) != value
        ]
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"path {path} is no folder of trajectories ({MANIFEST}: {error}); choose another path"
        ) from error
    if differing:
        raise InputError(
            f"path {path} holds another simulation ({', '.join(differing)}); "
            "choose another path, or delete that folder"
        )
    arrays = []
    for name, (wanted, dtype) in contents.items():
        try:
            array = np.load(path / name, mmap_mode="r")
            if array.shape != wanted or array.dtype != dtype:
                raise ValueError(f"it holds {array.dtype} {array.shape}")
        except (ValueError, OSError, EOFError) as error:
            raise InputError(
                f"{path / name} is missing, truncated or another array; "
                f"delete the folder and simulate again ({error})"
            ) from error
        arrays.append(array)
    phase, checksums = arrays
    found = np.array([zlib.crc32(system) for system in phase])
    waiting = np.flatnonzero((checksums != FAILED) & (checksums != found))
    if len(waiting):
        try:
            phase, checksums = (np.load(path / name, mmap_mode="r+") for name in contents)
        except OSError as error:
            raise InputError(f"path {path} is unfinished and cannot be written: {error}") from error
    return phase, checksums, waiting


def spent_on(path: Path | None, seconds: float | None = None) -> float:
    """Seconds that the integration of a folder's systems has taken so far; given, they are kept."""
    if path is not None and seconds is not None:
        write_whole(path / SECONDS, f"{seconds:.3f}\n")
    elif path is not None:
        try:
            seconds = float((path / SECONDS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            seconds = None
    return seconds or 0.0


def _make(path: Path, request: dict, contents: dict) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.mkdir(parents=True, exist_ok=True)
        for name, (shape, dtype) in contents.items():
            array = np.lib.format.open_memmap(temporary / name, "w+", dtype, shape)
            # Take the space now: a disk that is full kills who writes to mapped memory.
            if hasattr(os, "posix_fallocate"):
                with (temporary / name).open("r+b") as file:
                    os.posix_fallocate(file.fileno(), array.offset, array.nbytes)
        (temporary / MANIFEST).write_text(json.dumps(request, indent=1) + "\n", encoding="utf-8")
        temporary.rename(path)
    except OSError as error:
        # Another process may have made the same folder in the meantime.
        if not (path / MANIFEST).is_file():
            raise InputError(f"path {path} cannot be written: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
