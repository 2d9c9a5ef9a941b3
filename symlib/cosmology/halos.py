"""Halos by friends-of-friends: particles closer than a linking length belong together.

The linking length is 0.2 of the mean separation of the particles and a halo has at least 20
particles, as in the Quijote catalogues. Separations, centres and velocities respect the
periodic box.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from symlib.cosmology.universe import Particles
from symlib.errors import InputError


@dataclass(frozen=True)
class Halos:
    """What the finder found, the heaviest first.

    positions: centres of mass, shape [halos, 3], Mpc/h, in [0, box), float32. velocities: of
    the centres of mass, [halos, 3], km/s, float32. counts: particles, [halos]. masses:
    [halos], h⁻¹ M☉.
    """

    positions: np.ndarray
    velocities: np.ndarray
    counts: np.ndarray
    masses: np.ndarray

    def __len__(self) -> int:
        return len(self.counts)


def tree_of(positions: np.ndarray, box: float) -> cKDTree:
    """A periodic tree of positions in Mpc/h; those on the far face are put on the near one."""
    wrapped = np.mod(positions, box, dtype=np.float64)
    wrapped[wrapped >= box] = 0.0
    # Splitting at the middle is several times faster to build than at the median.
    return cKDTree(wrapped, boxsize=box, balanced_tree=False, compact_nodes=True)


def find_halos(
    particles: Particles, linking: float = 0.2, least: int = 20, tree: cKDTree | None = None
) -> Halos:
    """Friends-of-friends halos.

    Args:
        particles: positions and velocities of all particles of a box.
        linking: linking length in mean particle separations.
        least: particles that a halo must have.
        tree: `tree_of` the positions, if it is there already.

    Raises:
        InputError: a linking length or a least number that makes no halos sense.
    """
    if not 0 < linking < 1:
        raise InputError(f"linking: a share of the mean separation between 0 and 1: {linking!r}")
    if least < 2:
        raise InputError(f"least: a halo has at least two particles, got {least!r}")
    count, box = len(particles.positions), particles.box
    tree = tree_of(particles.positions, box) if tree is None else tree
    labels = _groups(tree, linking * box / count ** (1 / 3))
    sizes = np.bincount(labels)
    kept = np.flatnonzero(sizes >= least)
    kept = kept[np.argsort(-sizes[kept], kind="stable")]
    rank = np.full(len(sizes), -1)
    rank[kept] = np.arange(len(kept))
    members = np.flatnonzero(rank[labels] >= 0)
    halo = rank[labels[members]]
    centres = _centres(tree.data[members], halo, len(kept), box)
    velocities = _means(particles.velocities[members], halo, len(kept))
    sizes = sizes[kept]
    return Halos(centres, velocities.astype(np.float32), sizes, sizes * particles.mass)


def _groups(tree: cKDTree, length: float) -> np.ndarray:
    """A label per particle, the same for all that friends connect."""
    # Pairs, about one per particle, take the most memory here: they are halved to 32 bits.
    pairs = tree.query_pairs(length, output_type="ndarray")
    first, second = pairs[:, 0].astype(np.int32), pairs[:, 1].astype(np.int32)
    del pairs
    links = coo_matrix((np.ones(len(first), np.int8), (first, second)), shape=(tree.n, tree.n))
    del first, second
    return connected_components(links.tocsr(), directed=False)[1]


def _means(values: np.ndarray, halo: np.ndarray, count: int) -> np.ndarray:
    sizes = np.bincount(halo, minlength=count)
    sums = [np.bincount(halo, values[:, axis], minlength=count) for axis in range(3)]
    return np.stack(sums, axis=1) / sizes[:, None]


def _centres(positions: np.ndarray, halo: np.ndarray, count: int, box: float) -> np.ndarray:
    """Centres of mass, each halo unwrapped about one of its members."""
    anchors = np.empty((count, 3))
    anchors[halo] = positions
    away = positions - anchors[halo]
    away -= box * np.round(away / box)
    centres = np.mod(anchors + _means(away, halo, count), box).astype(np.float32)
    centres[centres >= np.float32(box)] = 0.0
    return centres
