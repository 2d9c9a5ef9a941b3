"""Snapshots for tests that need no simulation: initial conditions and their accelerations."""

import jax
import numpy as np

from symlib.laws.potentials import LAWS, accelerations


def random_snapshots(law: str = "spring", dim: int = 2, bodies: int = 4, count: int = 200, seed=0):
    """States [count, bodies, 2 dim + 2] as appendix B draws them, and their accelerations."""
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(count, bodies, 2 * dim + 2))
    states[..., -2] = rng.choice([-1.0, 1.0], size=(count, bodies))
    states[..., -1] = np.exp(states[..., -1])
    with jax.enable_x64(True):
        return states, np.asarray(accelerations(LAWS[law], states))
