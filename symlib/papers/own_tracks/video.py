"""A video that nobody took: bodies of unknown masses in a weak trap, as trackpy would see them.

The world is made by scipy (`cases.simulate`), not by symlib's simulator. What the chapter on tracks
of one's own reads is the table alone: frame, particle, x, y in pixels, and a brightness.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd

from symlib.papers.own_tracks.cases import Case, accelerations, simulate

FPS = 30.0
PIXELS = 100.0  # to a unit of length of the world
MIDDLE = np.array([640.0, 480.0])  # of the picture, and of the trap
SOFT, TRAP = 1.0, 0.1  # of the law, in the world's units

VIDEO = Case(
    "video",
    lambda r, s: s["m2"] * r / (r**2 + SOFT) ** 1.5,
    f"m2*r/(r**2 + {SOFT})**1.5",
    lambda r, a, b: -a.mass * b.mass / jnp.sqrt(r**2 + SOFT),
    body=lambda x, v: -TRAP * x,
    body_law=f"-{TRAP}*x",
    recordings=1,
    frames=2500,
    noise=5e-4,
    missing=0.01,
    same_bodies=True,
    hidden=("scalars",),
    options={"one_body": True},
)
