"""From a law to simulations (appendix B): initial conditions, integration, trajectories.

    trajectories = simulate("spring", dim=2, bodies=4, systems=1000, path="spring.traj")

Masses are log-normal(0, 1), every component of position and velocity is normal(0, 1), a
charge is -1 or 1, and 1000 snapshots are stored law.dt apart. All quantities are
dimensionless, all integration is float64.
"""

import math
import os
import threading
import zlib
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from symlib.errors import InputError, UnknownChoice
from symlib.integrator import LANES, Request, integrate_batch, integrate_lanes
from symlib.potentials import DIMENSIONS, PairPotential, get_law, total_energy
from symlib.trajectories import (
    Block,
    Trajectories,
    batched_accelerations,
    from_folder,
    probe,
)
from symlib.trajectory_files import DTYPES, TrajectoryFolder, prepare_folder

# Of every step, relative and absolute. Leaves a median relative energy error of some 3e-8
# for the spring and 6e-8 for 1/r^2 (float32 and odeint: 8e-6 and 3e-5).
TOLERANCE = 1e-8
# The hardest of a thousand 1/r^2 systems takes some 10,000 steps, the median one 100.
MAX_STEPS = 100_000
# Bytes of a chunk: what an interrupted run loses, and what reading one snapshot maps.
_CHUNK_BYTES = 32 * 2**20
METHODS = ("auto", "lanes", "batch")


def _whole(name: str, value, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(f"{name} must be a whole number, at least {least}; got {value!r}")
    return int(value)


def _check_sizes(dim, bodies, systems, seed):
    if dim not in DIMENSIONS or isinstance(dim, bool):
        raise InputError(f"dim must be 2 or 3, got {dim!r}")
    return _whole("bodies", bodies, 2), _whole("systems", systems, 1), _whole("seed", seed, 0)


def _draw(dim: int, bodies: int, seed: int, number: int) -> np.ndarray:
    rng = np.random.default_rng([seed, number])
    state = rng.normal(size=(bodies, 2 * dim + 2))
    state[:, -2] = rng.choice([-1.0, 1.0], size=bodies)
    state[:, -1] = np.exp(state[:, -1])
    return state


def initial_conditions(dim: int, bodies: int, systems: int, seed: int = 0) -> np.ndarray:
    """Random initial states (appendix B), the same for every law.

    System k of a seed is the same however many systems are asked for.

    Returns:
        Shape [systems, bodies, 2 dim + 2] with rows [position, velocity, charge, mass],
        float64, dimensionless.

    Raises:
        InputError: dim other than 2 or 3, fewer than two bodies, no systems, negative seed.
    """
    bodies, systems, seed = _check_sizes(dim, bodies, systems, seed)
    return np.stack([_draw(dim, bodies, seed, number) for number in range(systems)])


def _check_initial(initial, dim: int) -> np.ndarray:
    initial = np.asarray(initial, dtype=np.float64)
    if initial.ndim != 3 or initial.shape[-1] != 2 * dim + 2:
        raise InputError(
            f"initial must have the shape [systems, bodies, {2 * dim + 2}], got {initial.shape}"
        )
    if not np.isfinite(initial).all():
        raise InputError("initial holds NaN or infinite numbers")
    if (initial[..., -1] <= 0).any():
        raise InputError("initial: every mass (the last column) must be positive")
    return initial


def default_workers() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Starts:
    """Initial states, chunk by chunk, for as long as a chunk is being worked on."""

    def __init__(self, folder: TrajectoryFolder, law: PairPotential, initial):
        self.folder, self.law, self.given = folder, law, initial
        self._states: dict[int, np.ndarray] = {}

    def __call__(self, number: int) -> np.ndarray:
        index = number // self.folder.chunk
        return self._states[index][number - self.folder.members(index).start]

    def hardest_first(self, index: int) -> np.ndarray:
        """The chunk's systems in the order to integrate them.

        The magnitude of the initial accelerations tells the many-step systems well (for
        1/r^2 its rank correlation with the steps is 0.8, and the hardest of a thousand ranks
        first); a system that takes long should not be the last to begin.
        """
        members, ask = self.folder.members(index), self.folder.request
        if self.given is None:
            states = [_draw(ask["dim"], ask["bodies"], ask["seed"], n) for n in members]
        else:
            states = self.given[members.start : members.stop]
        states = self._states[index] = np.asarray(states)
        strength = np.linalg.norm(batched_accelerations(self.law, states), axis=-1).max(axis=-1)
        return members.start + np.argsort(-strength, kind="stable")

    def forget(self, index: int):
        del self._states[index]


class _Chunk:
    """One chunk while its systems come in: a row for each system that it was asked to hold."""

    def __init__(self, members: range, ask: dict, spare: tuple | None):
        shape = (len(members), ask["steps"], ask["bodies"], 2 * ask["dim"])
        if spare is None or spare[0].shape != shape:
            spare = (
                np.empty(shape, ask["dtype"]),
                np.empty((len(members), ask["bodies"], 2), ask["dtype"]),
            )
        self.phase, self.bodies = self.arrays = spare
        self.first, self.waiting, self.failed = members.start, len(members), []

    def kept(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers, phases, charges and masses of the systems that were finished."""
        numbers = np.arange(self.first, self.first + len(self.phase))
        if not self.failed:
            return numbers, self.phase, self.bodies
        good = ~np.isin(numbers, self.failed)
        return numbers[good], self.phase[good], self.bodies[good]


class _Collector:
    """Gathers finished systems into chunks, which go to disk or stay in memory when full.

    Called by several threads at once; they copy side by side and wait only to count.
    """

    def __init__(self, folder: TrajectoryFolder, starts: _Starts, on_disk: bool, bar):
        self.folder, self.starts, self.on_disk, self.bar = folder, starts, on_disk, bar
        self.blocks: dict[int, Block] = {}
        self.failed: list[int] = []
        self._chunks: dict[int, _Chunk] = {}
        # A chunk that has been written leaves its memory to a later one: fresh pages are slow.
        self._spare: list[tuple] = []
        self._counting, self._writing = threading.Lock(), threading.Lock()

    def __call__(self, number: int, snapshots: np.ndarray | None):
        index = number // self.folder.chunk
        with self._counting:
            if index not in self._chunks:
                spare = self._spare.pop() if self._spare else None
                members = self.folder.members(index)
                self._chunks[index] = _Chunk(members, self.folder.request, spare)
            chunk = self._chunks[index]
        if snapshots is not None:
            row = number - chunk.first
            chunk.phase[row], chunk.bodies[row] = snapshots, self.starts(number)[:, -2:]
        with self._counting:
            if snapshots is None:
                chunk.failed.append(number)
                self.failed.append(number)
                self.bar.set_postfix(failed=len(self.failed))
            self.bar.update(1)
            chunk.waiting -= 1
            if chunk.waiting:
                return
            del self._chunks[index]
        self.starts.forget(index)
        numbers, phase, bodies = chunk.kept()
        if self.on_disk:
            with self._writing:
                self.folder.write_chunk(index, chunk.failed, phase, bodies)
            with self._counting:
                self._spare.append(chunk.arrays)
        else:
            self.blocks[index] = Block(numbers, lambda: (phase, bodies))


def simulate(
    law: str | PairPotential,
    dim: int = 2,
    bodies: int = 4,
    systems: int = 1000,
    steps: int = 1000,
    seed: int = 0,
    *,
    path: str | Path | None = None,
    chunk: int | None = None,
    tolerance: float = TOLERANCE,
    max_steps: int = MAX_STEPS,
    dtype: str = "float64",
    initial=None,
    workers: int | None = None,
    method: str = "auto",
    progress: bool = True,
) -> Trajectories:
    """Simulate independent systems under a law (appendix B).

    With `path` every finished chunk is on disk before the next; after Ctrl-C the same call
    goes on from there. Without, everything stays in memory.

    Args:
        law: a `PairPotential`, or the name of one (see `potentials.get_law`).
        dim, bodies, systems: sizes.
        steps: snapshots per system, law.dt apart, the initial state being the first.
        seed: of the initial conditions.
        path: folder to write, by custom NAME.traj.
        chunk: systems per chunk; by default some 32 MB. A folder that exists keeps its own.
        tolerance: relative and absolute tolerance of every integration step.
        max_steps: solver steps after which a system counts as failed.
        dtype: of the stored trajectories; float32 takes half the space and keeps 7 digits.
        initial: states [systems, bodies, 2 dim + 2] to start from, instead of random ones;
            `bodies` and `systems` are then those of the array.
        workers: threads; by default one per core.
        method: "lanes", "batch" (see `integrator`) or "auto": batch on an accelerator.
        progress: show a progress bar on standard error.

    Returns:
        The trajectories. Systems that the integrator could not finish are left out and
        counted (`failed`, `share_failed`).

    Raises:
        InputError: an argument out of range, a path that holds something else or cannot be
            written, or a law under which no system could be integrated.
    """
    law = get_law(law)
    if initial is not None:
        initial = _check_initial(initial, dim)
        systems, bodies = initial.shape[:2]
    bodies, systems, seed = _check_sizes(dim, bodies, systems, seed)
    steps, max_steps = _whole("steps", steps, 1), _whole("max_steps", max_steps, 1)
    workers = default_workers() if workers is None else _whole("workers", workers, 1)
    if not (isinstance(tolerance, (int, float)) and math.isfinite(tolerance) and tolerance > 0):
        raise InputError(f"tolerance must be a positive number, got {tolerance!r}")
    if dtype not in DTYPES:
        raise UnknownChoice("dtype", dtype, DTYPES)
    if method not in METHODS:
        raise UnknownChoice("method", method, METHODS)
    if chunk is None:
        chunk = max(1, _CHUNK_BYTES // (steps * bodies * 2 * dim * np.dtype(dtype).itemsize))
    chunk = min(_whole("chunk", chunk, 1), systems)

    ask = {
        "law": law.name,
        "law_probe": list(probe(law, dim, bodies)),
        "dim": dim,
        "bodies": bodies,
        "steps": steps,
        "dt": law.dt,
        "softening": law.softening,
        "systems": systems,
        "seed": seed,
        "tolerance": tolerance,
        "max_steps": max_steps,
        "dtype": dtype,
        "initial": None if initial is None else f"{zlib.crc32(initial.tobytes()):08x}",
    }
    if path is None:
        folder = TrajectoryFolder(Path(), ask, chunk)
    else:
        folder = prepare_folder(Path(path), ask, chunk)

    starts = _Starts(folder, law, initial)
    missing = folder.missing()
    queue = (int(number) for index in missing for number in starts.hardest_first(index))
    count = sum(len(folder.members(index)) for index in missing)
    request = Request(law, dim, bodies, steps, float(tolerance), max_steps)
    with tqdm(
        total=systems,
        initial=systems - count,
        desc=f"simulate {law.name}-{dim}",
        unit="system",
        disable=not progress,
    ) as bar:
        collect = _Collector(folder, starts, path is not None, bar)
        batched = method == "batch" or (method == "auto" and jax.default_backend() != "cpu")
        if count and batched:
            integrate_batch(request, starts, queue, collect, min(folder.chunk, count))
        elif count:
            integrate_lanes(request, starts, queue, collect, min(workers, -(-count // LANES)))

    if path is not None:
        result = from_folder(folder, law)
    else:
        blocks = [collect.blocks[index] for index in sorted(collect.blocks)]
        result = Trajectories(
            law, dim, bodies, steps, seed, blocks, systems, sorted(collect.failed)
        )
    if not len(result):
        raise InputError(
            f"law {law.name!r}: the integrator could not finish any of the {systems} systems "
            f"within {max_steps} steps; raise max_steps or tolerance, or look at the potential"
        )
    return result


def energy_error(law: PairPotential, states) -> np.ndarray:
    """How far each system strays from its initial energy, the largest of all steps.

    Relative to the initial kinetic energy plus the magnitude of the initial potential
    energy, because the total may be near zero by chance.

    Args:
        states: shape [systems, steps, bodies, 2 dim + 2].

    Returns:
        Shape [systems], dimensionless, computed in float64.
    """
    states = np.asarray(states, dtype=np.float64)
    dim = (states.shape[-1] - 2) // 2
    with jax.enable_x64(True):
        total = np.asarray(jax.jit(lambda x: total_energy(law, x))(states))
    first = states[:, 0]
    kinetic = 0.5 * np.sum(first[..., -1:] * first[..., dim : 2 * dim] ** 2, axis=(-1, -2))
    scale = kinetic + np.abs(total[:, 0] - kinetic)
    return np.max(np.abs(total - total[:, :1]), axis=1) / scale
