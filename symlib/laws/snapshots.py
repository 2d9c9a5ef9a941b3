"""Snapshots: what simulations and tracks give, and what networks are trained on.

A state is a row [position (dim), velocity (dim), charge, mass] for each body.
"""

from typing import NamedTuple

import numpy as np


class Snapshots(NamedTuple):
    """Training examples: states [count, bodies, 2 dim + 2], accelerations [count, bodies, dim]."""

    states: np.ndarray
    accelerations: np.ndarray
