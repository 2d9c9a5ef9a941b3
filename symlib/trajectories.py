"""Simulated trajectories: in memory or on disk, read without loading all of them.

A `Trajectories` is what `nbody.simulate` returns and what training draws its snapshots
from. It hands out states, rows of `[position (dim), velocity (dim), charge, mass]`, by
system, by chunk, or as random snapshots with their true accelerations; only the chunks
that are needed are read.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from symlib.errors import InputError, UnknownChoice
from symlib.integrator import system_accelerations
from symlib.potentials import LAWS, PairPotential
from symlib.trajectory_files import open_folder

# Snapshots whose accelerations are computed in one call: a few MB of work space.
_BATCH = 2048


class Snapshots(NamedTuple):
    """Training examples: states [count, bodies, 2 dim + 2], accelerations [count, bodies, dim]."""

    states: np.ndarray
    accelerations: np.ndarray


@dataclass(frozen=True)
class Block:
    """Consecutive systems that are stored together.

    numbers: the systems' numbers, shape [systems]. read: returns the phase
    [systems, steps, bodies, 2 dim] and the charges and masses [systems, bodies, 2].
    """

    numbers: np.ndarray
    read: Callable[[], tuple[np.ndarray, np.ndarray]]


@lru_cache(maxsize=16)
def _accelerations(law: PairPotential, dim: int):
    def one(state):
        return system_accelerations(
            law, state[:, :dim], state[:, dim : 2 * dim], state[:, -2], state[:, -1]
        )

    return jax.jit(jax.vmap(one))


def batched_accelerations(law: PairPotential, states: np.ndarray) -> np.ndarray:
    """True accelerations of states [count, bodies, 2 dim + 2] in float64, without checks."""
    dim = states.shape[-1] // 2 - 1
    out = np.empty((*states.shape[:-1], dim))
    with jax.enable_x64(True):
        compute = _accelerations(law, dim)
        for first in range(0, len(states), _BATCH):
            part = states[first : first + _BATCH]
            # Padded to one size, or every other count would be compiled anew.
            padded = np.concatenate([part, np.repeat(part[:1], _BATCH - len(part), axis=0)])
            out[first : first + len(part)] = np.asarray(compute(padded))[: len(part)]
    return out


class Trajectories:
    """Simulations of one law, all of the same size.

    Args:
        law: the law that made them.
        dim, bodies, steps: sizes; snapshots are spaced law.dt.
        seed: of the initial conditions.
        blocks: where the systems are.
        asked: how many systems were to be simulated.
        failed: numbers of the systems that the integrator could not finish, left out.
        rows: which of the blocks' systems belong here; all by default.
        path: the folder, if they are on disk.
    """

    def __init__(
        self,
        law: PairPotential,
        dim: int,
        bodies: int,
        steps: int,
        seed: int,
        blocks: Sequence[Block],
        asked: int,
        failed: Sequence[int] = (),
        rows: np.ndarray | None = None,
        path: Path | None = None,
    ):
        self.law, self.dim, self.bodies, self.steps, self.seed = law, dim, bodies, steps, seed
        self.asked, self.failed, self.path = asked, tuple(failed), path
        self._blocks = list(blocks)
        self._starts = np.cumsum([0, *(len(block.numbers) for block in self._blocks)])
        self._rows = np.arange(self._starts[-1]) if rows is None else np.asarray(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        where = f" in {self.path}" if self.path else ""
        return (
            f"<Trajectories of {self.law.name}: {len(self)} systems, {self.steps} steps, "
            f"{self.bodies} bodies, {self.dim}D, {len(self.failed)} failed{where}>"
        )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(systems, steps, bodies, 2 dim + 2)."""
        return (len(self), self.steps, self.bodies, 2 * self.dim + 2)

    @property
    def share_failed(self) -> float:
        """Share of the systems asked for that the integrator could not finish."""
        return len(self.failed) / self.asked

    @property
    def system_numbers(self) -> np.ndarray:
        """The number of each system, as counted when they were asked for; shape [systems]."""
        numbers = [block.numbers for block in self._blocks]
        return np.concatenate(numbers)[self._rows] if numbers else self._rows

    def systems(self, which: int | slice | Sequence[int] | np.ndarray) -> np.ndarray:
        """States of some systems, all steps.

        Args:
            which: a slice or positions (0 to len - 1); one integer keeps the first axis.

        Returns:
            Shape [chosen, steps, bodies, 2 dim + 2], float64 or as stored.

        Raises:
            InputError: a position out of range.
        """
        chosen = self._chosen(which)
        return self._gather(chosen, None)

    def _chosen(self, which) -> np.ndarray:
        try:
            return np.atleast_1d(self._rows[which])
        except IndexError as error:
            raise InputError(f"systems: {error}; there are {len(self)} systems") from error

    def _gather(self, rows: np.ndarray, steps: np.ndarray | None) -> np.ndarray:
        """States of storage rows: all their steps, or one step of each."""
        homes = np.searchsorted(self._starts, rows, side="right") - 1
        out = None
        for home in np.unique(homes):
            mine = np.flatnonzero(homes == home)
            phase, constants = self._blocks[home].read()
            local = rows[mine] - self._starts[home]
            if steps is None:
                part, fixed = phase[local], constants[local][:, None]
            else:
                part, fixed = phase[local, steps[mine]], constants[local]
            if out is None:
                out = np.empty((len(rows), *part.shape[1:-1], 2 * self.dim + 2), part.dtype)
            out[mine, ..., : 2 * self.dim] = part
            out[mine, ..., 2 * self.dim :] = fixed
        if out is None:
            inner = (self.steps,) if steps is None else ()
            out = np.empty((0, *inner, self.bodies, 2 * self.dim + 2))
        return out

    @property
    def states(self) -> np.ndarray:
        """Everything: [systems, steps, bodies, 2 dim + 2]. Prefer `iter_chunks` when large."""
        return self.systems(slice(None))

    def iter_chunks(self) -> Iterator[np.ndarray]:
        """Everything, chunk by chunk: arrays [systems in chunk, steps, bodies, 2 dim + 2]."""
        homes = [bisect_right(self._starts, row) - 1 for row in self._rows]
        for home in sorted(set(homes)):
            yield self._gather(self._rows[np.equal(homes, home)], None)

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
        return self._subset(self._rows[:-held]), self._subset(self._rows[-held:])

    def _subset(self, rows: np.ndarray) -> "Trajectories":
        return Trajectories(
            self.law,
            self.dim,
            self.bodies,
            self.steps,
            self.seed,
            self._blocks,
            self.asked,
            self.failed,
            rows,
            self.path,
        )

    def accelerations(self, states) -> np.ndarray:
        """True accelerations (eq. 6) of states under this law, computed in float64.

        Args:
            states: shape [..., bodies, 2 dim + 2].

        Returns:
            Shape [..., bodies, dim], float64.
        """
        states = np.asarray(states, dtype=np.float64)
        if states.shape[-1] != 2 * self.dim + 2 or states.ndim < 2 or not np.isfinite(states).all():
            raise InputError(
                f"states must be finite, of shape [..., bodies, {2 * self.dim + 2}]; "
                f"got shape {states.shape}"
            )
        flat = batched_accelerations(self.law, states.reshape(-1, *states.shape[-2:]))
        return flat.reshape(*states.shape[:-1], self.dim)

    def snapshots(
        self,
        count: int,
        seed: int = 0,
        split: str | None = None,
        test_fraction: float = 0.1,
    ) -> Snapshots:
        """Draw random snapshots, without repetition, and their true accelerations.

        Args:
            count: how many.
            seed: of the draw.
            split: "train" or "test" to draw from one side of `split` only, None for all.
            test_fraction: as in `split`.

        Returns:
            States [count, bodies, 2 dim + 2] in float32 and the accelerations
            [count, bodies, dim] of exactly those states, computed in float64 and given in
            float32; in random order.

        Raises:
            InputError: count below 1 or above the number of snapshots.
            UnknownChoice: a split of another name.
        """
        if split is not None:
            if split not in ("train", "test"):
                raise UnknownChoice("split", split, ["train", "test", None])
            part = self.split(test_fraction)[split == "test"]
            return part.snapshots(count, seed)
        total = len(self) * self.steps
        if not 1 <= count <= total:
            raise InputError(
                f"count must lie between 1 and {total} ({len(self)} systems of {self.steps} "
                f"steps), got {count}"
            )
        drawn = np.random.default_rng(seed).choice(total, size=count, replace=False)
        system, step = np.divmod(drawn, self.steps)
        states = self._gather(self._rows[system], step).astype(np.float32)
        return Snapshots(states, self.accelerations(states).astype(np.float32))


@lru_cache(maxsize=64)
def probe(law: PairPotential, dim: int, bodies: int) -> tuple[float, ...]:
    """Energies at three fixed pairs: a law's fingerprint, to tell laws of one name apart."""
    rng = np.random.default_rng(20200619)
    pairs = rng.normal(size=(3, 2, 2 * dim + 2))
    pairs[..., -1] = np.exp(pairs[..., -1])
    with jax.enable_x64(True):
        energies = jax.vmap(lambda pair: law.energy(pair[0], pair[1], bodies))(pairs)
        return tuple(np.asarray(energies).tolist())


def load_trajectories(path: str | Path, law: PairPotential | None = None) -> Trajectories:
    """Open a folder of trajectories; its chunks are read when they are needed.

    Args:
        path: the folder that `nbody.simulate` wrote.
        law: the law, if it is not one of the built-in ones.

    Raises:
        InputError: not such a folder, damaged, unfinished, of another version, or made
            with another law.
    """
    folder = open_folder(Path(path))
    folder.check_complete()
    ask = folder.request
    if law is None:
        law = LAWS.get(ask["law"])
        if law is None:
            raise InputError(
                f"{path} was made with the law {ask['law']!r}, which is not built in; pass it "
                "as load_trajectories(path, law=...)"
            )
    found = probe(law, ask["dim"], ask["bodies"])
    if (law.dt, law.softening) != (ask["dt"], ask["softening"]) or not np.allclose(
        found, ask["law_probe"], rtol=1e-9, atol=1e-12
    ):
        raise InputError(
            f"{path} was made with a law {ask['law']!r} that differs from {law.name!r} as it is "
            "now (potential, dt or softening); pass the law that made it, or simulate again"
        )
    return from_folder(folder, law)


def from_folder(folder, law: PairPotential) -> Trajectories:
    """The trajectories of an opened, complete `TrajectoryFolder`."""
    ask = folder.request
    blocks = [
        Block(folder.kept(index), lambda index=index: folder.read_chunk(index))
        for index in range(folder.chunk_count)
    ]
    failed = sorted(number for entry in folder.chunks.values() for number in entry["failed"])
    return Trajectories(
        law,
        ask["dim"],
        ask["bodies"],
        ask["steps"],
        ask["seed"],
        blocks,
        ask["systems"],
        failed,
        path=folder.path,
    )
