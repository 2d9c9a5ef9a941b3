"""Halos by friends-of-friends, and the overdensity δ of matter about them.

Particles closer than a linking length, 0.2 of their mean separation, belong together, and a halo
has at least 20 of them, as in the Quijote catalogues.

    δ = (particles within R) / (mean density of particles × 4/3 π R³) − 1,   R = 20 Mpc/h

Every particle within R counts alike (a top-hat), the halo's own among them. The count is exact;
what is left is its shot noise, 1/√(mean count): 1.5% of the mean density at one particle per
7.5 (Mpc/h)³. All of this respects the periodic box.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from symlib.errors import InputError

LINKING, LEAST = 0.2, 20  # linking length in mean separations, particles of a halo
RADIUS = 20.0  # Mpc/h, within which δ is measured


@dataclass(frozen=True)
class Particles:
    """Dark matter at a = 1.

    positions: shape [particles, 3], Mpc/h, in [0, box). velocities: [particles, 3], peculiar,
    km/s. mass: of one particle, h⁻¹ M☉. box: Mpc/h. Both arrays are float32.
    """

    positions: np.ndarray
    velocities: np.ndarray
    mass: float
    box: float

    @cached_property
    def tree(self) -> cKDTree:
        """`tree_of` the positions."""
        return tree_of(self.positions, self.box)


def tree_of(positions: np.ndarray, box: float) -> cKDTree:
    """A periodic tree of positions in Mpc/h; those on the far face are put on the near one."""
    wrapped = np.mod(positions, box, dtype=np.float64)
    wrapped[wrapped >= box] = 0.0
    # Splitting at the middle is several times faster to build than at the median.
    return cKDTree(wrapped, boxsize=box, balanced_tree=False, compact_nodes=True)


def find_halos(
    particles: Particles, linking: float = LINKING, least: int = LEAST
) -> dict[str, np.ndarray]:
    """Friends-of-friends halos.

    Args:
        linking: linking length in mean particle separations.
        least: particles that a halo must have.

    Returns:
        The heaviest first, what `Catalogue` takes of them: positions, of the centres of mass,
        shape [halos, 3], Mpc/h, in [0, box); velocities, [halos, 3], km/s; masses, [halos],
        h⁻¹ M☉.
    """
    box, tree = particles.box, particles.tree
    # Pairs, about one per particle, take the most memory here: they are halved to 32 bits.
    length = linking * box / tree.n ** (1 / 3)
    pairs = tree.query_pairs(length, output_type="ndarray").astype(np.int32)
    links = coo_matrix((np.ones(len(pairs), np.int8), pairs.T), shape=(tree.n, tree.n))
    labels = connected_components(links.tocsr(), directed=False)[1]
    sizes = np.bincount(labels)
    kept = np.flatnonzero(sizes >= least)
    kept = kept[np.argsort(-sizes[kept], kind="stable")]
    rank = np.full(len(sizes), -1)
    rank[kept] = np.arange(len(kept))
    members = np.flatnonzero(rank[labels] >= 0)
    halo, sizes = rank[labels[members]], sizes[kept]

    def means(values: np.ndarray) -> np.ndarray:
        sums = [np.bincount(halo, column, minlength=len(sizes)) for column in values.T]
        return np.stack(sums, axis=1) / sizes[:, None]

    # Each halo is unwrapped about one of its members.
    anchors = np.empty((len(sizes), 3))
    anchors[halo] = tree.data[members]
    away = tree.data[members] - anchors[halo]
    away -= box * np.round(away / box)
    centres = np.mod(anchors + means(away), box).astype(np.float32)
    centres[centres >= np.float32(box)] = 0.0
    velocities = means(particles.velocities[members]).astype(np.float32)
    return {"positions": centres, "velocities": velocities, "masses": sizes * particles.mass}


def overdensity(centres: np.ndarray, tree: cKDTree, radius: float = RADIUS) -> np.ndarray:
    """δ about each centre, shape [halos], dimensionless, float32.

    Args:
        centres: shape [halos, 3], Mpc/h, in [0, box).
        tree: the particles, from `tree_of`.
        radius: of the top-hat, Mpc/h; InputError if the box is smaller than twice that.
    """
    box = float(tree.boxsize[0])
    if not 0 < radius <= box / 2:
        raise InputError(f"radius: positive and at most half the box ({box:g} Mpc/h): {radius!r}")
    expected = tree.n / box**3 * 4 / 3 * np.pi * radius**3
    found = tree.query_ball_point(centres, radius, workers=-1, return_length=True)
    return (found / expected - 1).astype(np.float32)
