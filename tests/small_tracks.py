"""A small table of tracks whose law is known, and the road at a scale of seconds."""

from dataclasses import replace

import pandas as pd

from symlib.papers.own_tracks.cases import Case, table
from symlib.training import presets

LAW = "-m2/(r + 0.3)**2"
CASE = Case(
    "small",
    lambda r, s: -s["m2"] / (r + 0.3) ** 2,
    LAW,
    lambda r, a, b: a.mass * b.mass / (r + 0.3),
    bodies=4,
    recordings=5,
    frames=30,
    dt=0.05,
)


def small_table() -> pd.DataFrame:
    """600 rows: recording, time, track, x, y, vx, vy, ax, ay, mass."""
    return table(CASE, 0)


def small_preset() -> presets.Preset:
    """Forty steps of training, and the shortest search."""
    changes = {"precision": "float32", "compiled": False}
    budget = presets.SMALL_SEARCH
    return replace(presets.PRESETS["ci"], training_steps=160, changes=changes, budget=budget)
