"""Scales of length, time, mass and charge, so that what is learned from is of order one.

Networks, regressions and their tolerances all expect numbers of order one; a camera's pixels and
milliseconds are not. What is found is told in the user's units again.
"""

from dataclasses import dataclass, replace

import numpy as np

from symlib.errors import InputError
from symlib.tracks.neighbours import Edges
from symlib.tracks.recordings import Frames

SMALLEST = 1e-30


@dataclass(frozen=True)
class Scales:
    """What is of size one inside, in the user's units."""

    length: float
    time: float
    mass: float
    charge: float

    @property
    def velocity(self) -> float:
        """Length over time."""
        return self.length / self.time

    @property
    def acceleration(self) -> float:
        """Length over time squared."""
        return self.length / self.time**2

    def of(self, name: str) -> float:
        """Of a variable of an equation: r, dx, x, vx, m1, q2 and the like."""
        if name[0] in "mq":
            return self.mass if name[0] == "m" else self.charge
        return self.velocity if name[0] == "v" else self.length

    def inside(self, frames: Frames) -> Frames:
        """The same frames in units of these scales."""
        return replace(
            frames,
            position=frames.position / self.length,
            velocity=frames.velocity / self.velocity,
            acceleration=frames.acceleration / self.acceleration,
            error=frames.error / self.acceleration,
        )


def scales_of(frames: Frames, edges: Edges, mass: np.ndarray, charge: np.ndarray) -> Scales:
    """Scales of some tracks: the median distance of a pair, the median known mass and charge.

    Time is what makes the accelerations' median absolute value one half.

    Args:
        frames, edges: in the user's units; mass, charge: of the tracks, NaN where unknown.

    Raises:
        InputError: bodies that never move apart or never accelerate.
    """
    offset = frames.position[edges.sender] - frames.position[edges.receiver]
    length = float(np.median(np.sqrt((offset**2).sum(axis=1))))
    size = float(np.median(np.abs(frames.acceleration))) or float(np.abs(frames.acceleration).max())
    if not length > SMALLEST or not size > SMALLEST:
        what = "all bodies lie in one place" if not length > SMALLEST else "no body accelerates"
        raise InputError(f"tracks: {what}, so there is no law to find")

    def middle(values: np.ndarray) -> float:
        # What is not known of all is found, with a gauge of its own.
        known = np.abs(values[values != 0])
        return float(np.median(known)) if len(known) and np.isfinite(values).all() else 1.0

    return Scales(length, float(np.sqrt(length / (2 * size))), middle(mass), middle(charge))
