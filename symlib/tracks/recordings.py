"""Tracks: what was seen of some bodies, whoever wrote it down.

A recording is a table of evenly spaced frames by bodies, with NaN where a body was not seen. Bodies
may come and go; a frame is used with the bodies that are seen in it, and so a window is a stretch
of frames in which the same bodies are seen.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from symlib.errors import InputError
from symlib.laws.snapshots import Snapshots

MANY = 5  # recordings, from which on whole ones are held out


@dataclass(frozen=True)
class Recording:
    """One recording, in the user's units.

    Args:
        dt: the time between two frames; start: the time of the first one.
        bodies: which tracks its columns are, places in `Tracks.names`, shape [bodies].
        position: shape [frames, bodies, dim], NaN where a body was not seen.
        velocity, acceleration: the same, or None where they are not known (yet).
        error: standard deviation of an acceleration's component, shape [frames, bodies], or None.
    """

    dt: float
    bodies: np.ndarray
    position: np.ndarray
    velocity: np.ndarray | None = None
    acceleration: np.ndarray | None = None
    error: np.ndarray | None = None
    start: float = 0.0

    def __len__(self) -> int:
        return len(self.position)

    def part(self, first: int, end: int) -> "Recording":
        """Frames first to end - 1."""

        def cut(table):
            return None if table is None else table[first:end]

        return replace(
            self,
            position=self.position[first:end],
            velocity=cut(self.velocity),
            acceleration=cut(self.acceleration),
            error=cut(self.error),
            start=self.start + first * self.dt,
        )

    def seen(self) -> np.ndarray:
        """Where everything that is known of a body is known, shape [frames, bodies]."""
        tables = (self.position, self.velocity, self.acceleration)
        good = [np.isfinite(table).all(axis=2) for table in tables if table is not None]
        return np.logical_and.reduce(good)

    def windows(self) -> list[tuple[int, int]]:
        """Stretches (first frame, end) in which the same bodies are seen, at least two of them."""
        seen = self.seen()
        changes = np.flatnonzero((seen[1:] != seen[:-1]).any(axis=1)) + 1
        ends = [0, *changes.tolist(), len(seen)]
        stretches = itertools.pairwise(ends)
        return [(first, end) for first, end in stretches if seen[first].sum() >= 2]

    def last(self, share: float) -> int:
        """The frame from which on the last such share of the usable frames lie, at least one."""
        usable = np.flatnonzero(self.seen().sum(axis=1) >= 2)
        held = max(1, round(share * len(usable)))
        return int(usable[-held]) if len(usable) else len(self)


@dataclass(frozen=True)
class Frames:
    """Usable frames side by side, one row a body that is seen.

    offset: rows of frame k are offset[k] to offset[k + 1] - 1, shape [frames + 1].
    window: the number of each frame's window, shape [frames].
    body: which track a row is, shape [rows].
    position, velocity, acceleration: shape [rows, dim].
    error: of an acceleration's component, shape [rows]; zero where it was measured.
    """

    offset: np.ndarray
    window: np.ndarray
    body: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    error: np.ndarray

    def __len__(self) -> int:
        return len(self.offset) - 1

    def rows(self, frames: np.ndarray) -> np.ndarray:
        """Which rows these frames have, frame after frame."""
        return ranges(self.offset[frames], np.diff(self.offset)[frames])

    def take(self, frames: np.ndarray) -> "Frames":
        """These frames alone, in this order."""
        rows = self.rows(frames)
        counts = np.diff(self.offset)[frames]
        tables = (self.body, self.position, self.velocity, self.acceleration, self.error)
        offset = np.concatenate([[0], np.cumsum(counts)])
        return Frames(offset, self.window[frames], *(table[rows] for table in tables))


@dataclass(frozen=True)
class Tracks:
    """Everything that was seen, and what is known of the bodies.

    Args:
        recordings: each with frames of its own.
        names: of the tracks, as the file calls them. A track is one body in all recordings.
        mass, charge: shape [tracks], NaN where unknown.
        kind: what kind of body each is, or None where that is not told.
        units: of length, time, mass and charge, as the user wrote them; what is not there is
            "arbitrary".
        left_out: what of the file was not used, a sentence each.
        noise: standard deviations of position, velocity and acceleration, and the spread of
            the accelerations, where they were estimated.
        reading: how they were read: the file's name, and what `read` was told beside it.
    """

    recordings: tuple[Recording, ...]
    names: tuple[str, ...]
    mass: np.ndarray
    charge: np.ndarray
    kind: tuple[str, ...] | None = None
    units: dict[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    noise: dict[str, float] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)

    law = None  # nobody knows it

    @property
    def dim(self) -> int:
        """Dimension of space, 2 or 3."""
        return self.recordings[0].position.shape[2]

    @property
    def count(self) -> int:
        """How many frames can be used."""
        return sum(end - first for one in self.recordings for first, end in one.windows())

    def __len__(self) -> int:
        return len(self.recordings)

    def summary(self) -> str:
        """A few lines: how much was seen, what is known of the bodies, what was left out."""
        windows = [end - first for one in self.recordings for first, end in one.windows()]
        frames = sum(len(one) for one in self.recordings)
        steps = [float(f"{one.dt:.6g}") for one in self.recordings]
        apart = " to ".join(f"{step:g}" for step in sorted({min(steps), max(steps)}))
        known = [
            f"{name} of {np.isfinite(values).sum()} of {len(self.names)} tracks"
            for name, values in (("mass", self.mass), ("charge", self.charge))
        ]
        if self.kind is not None:
            known.append(f"kinds {', '.join(sorted(set(self.kind)))}")
        units = ", ".join(f"{name} {unit}" for name, unit in self.units.items())
        lines = [
            f"recordings: {len(self)}, in {self.dim} dimensions",
            f"tracks: {len(self.names)}; known are " + ", ".join(known),
            f"frames: {frames}, {' '.join([apart, self.units.get('time', '')]).strip()} apart; "
            f"{sum(windows)} can be used",
            f"windows with the same two or more bodies: {len(windows)}, the longest of "
            f"{max(windows, default=0)} frames",
            f"units: {units or 'arbitrary'}",
            *self.left_out,
        ]
        return "\n".join(lines)

    def split(
        self, test_fraction: float = 0.1, by: "Tracks | None" = None
    ) -> "tuple[Tracks, Tracks]":
        """Training and test tracks: neighbours in time are near copies, so nothing is shuffled.

        Args:
            test_fraction: share of the recordings, the last ones, that are held out; of fewer
                than five recordings the last such share of the usable frames of each.
            by: other tracks of the same recordings, smoothed ones, whose usable frames decide.

        Raises:
            InputError: a share outside (0, 1), or too few frames to learn from or to test on.
        """
        if not 0 < test_fraction < 1:
            raise InputError(f"test_fraction must lie between 0 and 1, got {test_fraction!r}")
        if len(self) >= MANY:
            held = max(1, round(test_fraction * len(self)))
            parts: Sequence = (self.recordings[:-held], self.recordings[-held:])
        else:
            ends = [one.last(test_fraction) for one in (self if by is None else by).recordings]
            cut = list(zip(self.recordings, ends, strict=True))
            parts = [
                tuple(one.part(0, end) for one, end in cut),
                tuple(one.part(end, len(one)) for one, end in cut),
            ]
        train, test = (replace(self, recordings=tuple(part)) for part in parts)
        if train.count < 5 or test.count < 1:
            raise InputError(
                f"tracks: {train.count} frames to learn from and {test.count} to test on are too "
                "few; at least 5 and 1 with two bodies or more are needed"
            )
        return train, test

    def frames(self) -> Frames:
        """All usable frames side by side.

        Raises:
            InputError: accelerations are not known yet (`symlib.tracks.smoothing`).
        """
        offset, windows, tables = [np.zeros(1, dtype=np.int64)], [], []
        number = rows = 0
        for one in self.recordings:
            if one.velocity is None or one.acceleration is None:
                raise InputError("tracks: velocities and accelerations are needed; smooth first")
            seen = one.seen()
            error = np.zeros(seen.shape) if one.error is None else one.error
            for first, end in one.windows():
                here = np.flatnonzero(seen[first])
                inside = (slice(first, end), here)
                body = np.tile(one.bodies[here], end - first)
                kinds = (one.position, one.velocity, one.acceleration)
                flat = [table[inside].reshape(-1, self.dim) for table in kinds]
                tables.append([body, *flat, error[inside].reshape(-1)])
                offset.append(rows + len(here) * np.arange(1, end - first + 1))
                windows.append(np.full(end - first, number))
                number, rows = number + 1, rows + len(here) * (end - first)
        if not tables:
            raise InputError("tracks: no frame has two bodies of which everything is known")
        columns = [np.concatenate(column) for column in zip(*tables, strict=True)]
        return Frames(np.concatenate(offset), np.concatenate(windows), *columns)

    def snapshots(self, count: int | None = None, seed: int = 0) -> Snapshots:
        """Snapshots, float32: all in their order, or so many drawn at random without repetition.

        Masses and charges that are unknown are ones.

        Raises:
            InputError: a count below 1 or above the number of snapshots, or frames with different
                numbers of bodies, which are no array (`symlib.discover` takes them).
        """
        frames = self.frames()
        sizes = np.unique(np.diff(frames.offset))
        if len(sizes) > 1:
            raise InputError(
                f"tracks: frames hold {sizes[0]} to {sizes[-1]} bodies, and snapshots need the "
                "same number in all; symlib.discover takes such tracks"
            )
        if count is not None and not 1 <= count <= len(frames):
            raise InputError(f"count must lie between 1 and {len(frames)}, got {count}")
        if count is not None and count < len(frames):
            chosen = np.random.default_rng(seed).choice(len(frames), size=count, replace=False)
            frames = frames.take(chosen)
        known = [
            np.where(np.isfinite(one), one, 1.0)[frames.body] for one in (self.charge, self.mass)
        ]
        rows = np.column_stack([frames.position, frames.velocity, *known])
        shape = (len(frames), sizes[0], -1)
        both = (rows, frames.acceleration)
        return Snapshots(*(table.reshape(shape).astype(np.float32) for table in both))


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The numbers from each start on, as many as its count, one after another."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + counts, counts)
