"""The variables that an equation of appendix C may speak of, from rows of states.

A row of a state is [position, velocity, charge, mass].
"""

import numpy as np

AXES = ("x", "y", "z")


def pair_names(dim: int) -> tuple[str, ...]:
    """Names of a pair's variables: m1 (receiver), m2 (sender), q1, q2, dx, dy, (dz,) r."""
    return ("m1", "m2", "q1", "q2", *(f"d{axis}" for axis in AXES[:dim]), "r")


def pair_variables(receivers, senders) -> np.ndarray:
    """Values of a pair's variables, dimensionless.

    Args:
        receivers, senders: states of the two bodies of each pair, shape [pairs, 2 dim + 2].

    Returns:
        Shape [pairs, dim + 5]: masses, charges, dx = x2 - x1 and its company, the distance r.
    """
    first, second = (np.asarray(rows, dtype=np.float64) for rows in (receivers, senders))
    dim = (first.shape[1] - 2) // 2
    # The sender's place is subtracted in the states' own precision, as the network does it.
    offset = (np.asarray(senders)[:, :dim] - np.asarray(receivers)[:, :dim]).astype(np.float64)
    columns = [first[:, -1], second[:, -1], first[:, -2], second[:, -2], *offset.T]
    return np.stack([*columns, np.sqrt((offset**2).sum(axis=1))], axis=1)


def body_names(dim: int) -> tuple[str, ...]:
    """Names of one body's variables: m, q, px, py, (pz,) p, the length of the momentum."""
    return ("m", "q", *(f"p{axis}" for axis in AXES[:dim]), "p")


def body_variables(bodies) -> np.ndarray:
    """Values of one body's variables, shape [bodies, dim + 3], dimensionless.

    Args:
        bodies: their states, shape [bodies, 2 dim + 2].
    """
    rows = np.asarray(bodies, dtype=np.float64)
    dim = (rows.shape[1] - 2) // 2
    momentum = rows[:, dim : 2 * dim] * rows[:, -1:]
    length = np.sqrt((momentum**2).sum(axis=1))
    return np.column_stack([rows[:, -1], rows[:, -2], momentum, length])


def state_names(dim: int) -> tuple[str, ...]:
    """Names of one body's state: m, q, position x, y(, z) and velocity vx, vy(, vz)."""
    return ("m", "q", *AXES[:dim], *(f"v{axis}" for axis in AXES[:dim]))


def state_variables(bodies) -> np.ndarray:
    """Values of one body's state, shape [bodies, 2 dim + 2], dimensionless.

    Args:
        bodies: their states, shape [bodies, 2 dim + 2].
    """
    rows = np.asarray(bodies, dtype=np.float64)
    return np.column_stack([rows[:, -1], rows[:, -2], rows[:, :-2]])
