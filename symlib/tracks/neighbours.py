"""Who acts on whom: all bodies of a frame, or those within a radius."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from symlib.errors import InputError
from symlib.tracks.recordings import Frames, ranges

MOST = 50_000_000  # edges, of 8 bytes each


@dataclass(frozen=True)
class Edges:
    """Pairs of rows of some `Frames`, frame after frame.

    sender, receiver: rows, shape [edges].
    offset: edges of frame k are offset[k] to offset[k + 1] - 1, shape [frames + 1].
    """

    sender: np.ndarray
    receiver: np.ndarray
    offset: np.ndarray

    def __len__(self) -> int:
        return len(self.sender)

    def take(self, frames: np.ndarray) -> np.ndarray:
        """Which edges these frames have, frame after frame."""
        return ranges(self.offset[frames], np.diff(self.offset)[frames])


def edges_of(frames: Frames, radius: float | None = None, needed: bool = True) -> Edges:
    """Every pair of bodies that are seen together, both ways round.

    Args:
        frames: in whatever units.
        radius: pairs that are farther apart are left out; None leaves out none.
        needed: refuse frames in which there is no pair.

    Raises:
        InputError: a radius that is not positive or finds no pair, or more pairs than memory is
            reasonable for.
    """
    if radius is not None and not radius > 0:
        raise InputError(f"neighbours: a positive distance is needed, got {radius!r}")
    counts = np.diff(frames.offset)
    edges = _complete(frames.offset, counts) if not radius else _within(frames, counts, radius)
    if needed and len(edges) == 0:
        raise InputError(f"neighbours: no two bodies are ever within {radius}; a larger radius?")
    return edges


def _complete(offset: np.ndarray, counts: np.ndarray) -> Edges:
    pairs = counts.astype(np.int64) * (counts - 1)
    _not_too_many(pairs.sum())
    # Of each row as a receiver, its frame's rows but itself.
    per_row = np.repeat(counts - 1, counts)
    receiver = np.repeat(np.arange(offset[-1]), per_row)
    place = ranges(np.zeros(len(per_row), dtype=np.int64), per_row)
    sender = np.repeat(np.repeat(offset[:-1], counts), per_row) + place
    sender += sender >= receiver
    return Edges(sender, receiver, np.concatenate([[0], np.cumsum(pairs)]))


def _within(frames: Frames, counts: np.ndarray, radius: float) -> Edges:
    found, total = [], 0
    for first, count in zip(frames.offset, counts, strict=False):
        tree = cKDTree(frames.position[first : first + count])
        pairs = tree.query_pairs(radius, output_type="ndarray")
        both = np.concatenate([pairs, pairs[:, ::-1]]) + first
        total += len(both)
        _not_too_many(total)
        found.append(both)
    sender, receiver = np.concatenate(found).T
    return Edges(sender, receiver, np.concatenate([[0], np.cumsum([len(one) for one in found])]))


def _not_too_many(count: int) -> None:
    if count > MOST:
        raise InputError(
            f"tracks: {count:,} pairs are more than the {MOST:,} that fit into memory; give a "
            "radius (--neighbours), or fewer frames"
        )
