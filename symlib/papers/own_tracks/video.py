"""A video that nobody took: bodies of unknown masses in a weak trap, as trackpy would see them.

The world is made by scipy (`cases.simulate`), not by symlib's simulator. What the chapter on tracks
of one's own reads is a table alone: frame, particle, x and y in pixels, and a brightness.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd

from symlib.files import write_whole
from symlib.papers.own_tracks.cases import Case, accelerations, simulate, table

FPS = 30.0
PIXELS = 100.0  # to a millimetre, which is the world's unit of length
MIDDLE = np.array([640.0, 480.0])  # of the picture, and of the trap, in pixels
SOFT, TRAP = 1.0, 0.1  # of the law, in the world's units
STEP = 0.02  # from frame to frame, in the world's unit of time
DUST = 5  # frames in which a speck is taken for a body

VIDEO = Case(
    "video",
    lambda r, s: s["m2"] * r / (r**2 + SOFT) ** 1.5,
    f"m2*r/(r**2 + {SOFT})**1.5",
    lambda r, a, b: -a.mass * b.mass / jnp.sqrt(r**2 + SOFT),
    body=lambda x, v: -TRAP * x,
    body_law=f"-{TRAP}*x",
    recordings=1,
    frames=1500,
    dt=STEP,
    noise=1e-3,
    missing=0.01,
    same_bodies=True,
    hidden=("scalars",),
    scale=(1.0, 1 / (FPS * STEP), 1.0),
)


@dataclass(frozen=True)
class Truth:
    """What made the video, in millimetres and seconds; shape of the tables [frames, bodies, 2].

    mass: up to a factor, their logarithms of mean zero, as the road finds them, shape [bodies];
    pull: acceleration along the line, of distances and of the sender's mass; trap: what pulls
    towards the middle, per second²; middle: where that is, shape [2].
    """

    position: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    mass: np.ndarray
    pull: Callable[[np.ndarray, float], np.ndarray]
    trap: float
    middle: np.ndarray


def watch(path: "str | Path", seed: int, case: Case = VIDEO) -> Truth:
    """Write what trackpy would make of the video to a CSV; say what only the maker knows."""
    rng = np.random.default_rng([seed, 79])
    seen = table(case, seed)
    frame = np.rint(seen["time"] * FPS).astype(int)
    found = pd.DataFrame(
        {
            "y": MIDDLE[1] + PIXELS * seen["y"],
            "x": MIDDLE[0] + PIXELS * seen["x"],
            "mass": rng.normal(900, 20, len(seen)),
            "frame": frame,
            "particle": seen["track"],
        }
    )
    first = int(rng.integers(0, case.frames - DUST))
    speck = {"y": 40.0, "x": 1200.0, "mass": 150.0, "particle": case.bodies}
    dust = pd.DataFrame({"frame": np.arange(first, first + DUST), **speck})
    found = pd.concat([found, dust]).sort_values(["frame", "particle"])
    write_whole(Path(path), found.to_csv(index=False, float_format="%.3f"))
    return _truth(case, seed)


def _truth(case: Case, seed: int) -> Truth:
    (x,), (v,), (known,) = simulate(replace(case, recordings=1), seed)
    a = np.stack([accelerations(case, *both, known) for both in zip(x, v, strict=True)])
    second = 1 / case.scale[1]  # in the world's unit of time
    factor = np.exp(np.log(known[0]).mean())

    def pull(r, mass):
        return factor * second**2 * case.radial(np.asarray(r), {"m2": mass})

    middle = MIDDLE / PIXELS
    mass = known[0] / factor
    return Truth(x + middle, second * v, second**2 * a, mass, pull, TRAP * second**2, middle)
