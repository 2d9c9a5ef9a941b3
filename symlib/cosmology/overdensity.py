"""The overdensity δ of a halo: the matter around it, from the particles, over its mean.

    δ = (particles within R) / (mean density of particles × 4/3 π R³) − 1,   R = 20 Mpc/h

Every particle within R counts alike (a top-hat), the halo's own among them. The count is
exact; what is left is its shot noise, 1/√(mean count): 1.5% of the mean density at one
particle per 7.5 (Mpc/h)³.
"""

import numpy as np
from scipy.spatial import cKDTree

from symlib.errors import InputError

RADIUS = 20.0  # Mpc/h


def overdensity(
    centres: np.ndarray, tree: cKDTree, radius: float = RADIUS, workers: int = 1
) -> np.ndarray:
    """δ about each centre.

    Args:
        centres: shape [halos, 3], Mpc/h, in [0, box).
        tree: the particles, from `symlib.cosmology.halos.tree_of`.
        radius: of the top-hat, Mpc/h.
        workers: threads; -1 takes all cores.

    Returns:
        Shape [halos], dimensionless, float32.

    Raises:
        InputError: a tree without a periodic box, or a box smaller than twice the radius.
    """
    if tree.boxsize is None:
        raise InputError("tree: particles in a periodic box are needed (tree_of makes them)")
    box = float(np.atleast_1d(tree.boxsize)[0])
    if not 0 < radius <= box / 2:
        raise InputError(f"radius: positive and at most half the box ({box:g} Mpc/h): {radius!r}")
    expected = tree.n / box**3 * 4 / 3 * np.pi * radius**3
    found = tree.query_ball_point(
        np.asarray(centres, np.float64), radius, workers=workers, return_length=True
    )
    return (found / expected - 1).astype(np.float32)
