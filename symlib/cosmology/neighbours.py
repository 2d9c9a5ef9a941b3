"""Halos and their neighbours: every ordered pair closer than 50 Mpc/h, and sums over them.

Table 6 sums a function of each pair over the neighbours j of a halo i. Here are the pairs, by
receiver, and the two sums that its formulas are made of, each counting neighbours (q = 1) or
weighing them with a quantity q_ij, the neighbour's mass or the pair's relative speed:

    hard   Σ_{|r_ij| < R} q_ij                   a top-hat
    soft   Σ_j q_ij / (1 + (|r_ij| / R)^p)       a smooth one, half as high at R

The soft kernel is cut off where the edges end, at 50 Mpc/h: with the paper's R = 20.5 Mpc/h and
p = 20 it is 10⁻⁸ there. Units are chosen for constants near one: masses in 10¹⁴ h⁻¹ M☉, speeds
in 100 km/s, lengths in Mpc/h.
"""

import functools
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.spatial import cKDTree
from scipy.special import expit

from symlib.cosmology.catalogue import Catalogue
from symlib.errors import InputError

LINKING = 50.0  # Mpc/h
MASS_UNIT = 1e14  # h⁻¹ M☉
SPEED_UNIT = 100.0  # km/s
# The kernel's edge is a Mpc/h or more wide; a fit needs no finer table.
STEP = 0.25  # Mpc/h


@dataclass(frozen=True)
class Pairs:
    """Ordered pairs (i, j ≠ i), sorted by the receiver i.

    receivers, senders: shape [pairs], int64. separations: r_j − r_i across the nearest face of
    the periodic box, [pairs, 3], Mpc/h.
    """

    receivers: np.ndarray
    senders: np.ndarray
    separations: np.ndarray


def neighbours(catalogue: Catalogue, radius: float = LINKING) -> Pairs:
    """All ordered pairs of halos closer than `radius`, across the faces of the periodic box.

    Args:
        catalogue: the halos.
        radius: linking radius, Mpc/h.

    Raises:
        InputError: a radius that is not positive, a box smaller than twice the radius (a pair
            would meet twice), or no pairs at all.
    """
    box, positions = catalogue.box, catalogue.positions.astype(np.float64)
    if not 0 < radius <= box / 2:
        raise InputError(f"radius: positive and at most half the box ({box:g} Mpc/h): {radius!r}")
    pairs = cKDTree(positions, boxsize=box).query_pairs(radius, output_type="ndarray")
    if len(pairs) == 0:
        raise InputError(f"catalogue: no two halos are closer than {radius:g} Mpc/h")
    senders, receivers = np.concatenate([pairs, pairs[:, ::-1]]).T
    order = np.lexsort((senders, receivers))
    senders, receivers = senders[order], receivers[order]
    apart = positions[senders] - positions[receivers]
    return Pairs(receivers, senders, apart - box * np.round(apart / box))


class Sums:
    """The two sums over neighbours: of each pair, exact, or of each shell of distance, fast.

    A sum is a matrix of weights times a kernel of the distance. A sum asked for again is
    remembered, for a fit moves one constant at a time.

    Args:
        distances: of the matrices' columns, Mpc/h.
        weights: what a neighbour counts for -> how much of it each halo has at each distance,
            [halos, distances].
    """

    def __init__(self, distances: np.ndarray, weights: dict):
        self.distances, self.weights = distances, weights
        with np.errstate(divide="ignore"):
            self._logs = np.log(distances)
        self.hard = functools.lru_cache(maxsize=8)(self._hard)
        self.soft = functools.lru_cache(maxsize=8)(self._soft)

    def _hard(self, quantity: str, radius: float) -> np.ndarray:
        """Σ_{|r_ij| < radius} q_ij, shape [halos]; radius in Mpc/h."""
        return self.weights[quantity] @ (self.distances < radius).astype(float)

    def _soft(self, quantity: str, radius: float, exponent: float) -> np.ndarray:
        """Σ_j q_ij / (1 + (|r_ij| / radius)^exponent), shape [halos]; radius in Mpc/h."""
        return self.weights[quantity] @ soft_tophat(self._logs, np.log(radius), exponent)

    @functools.cached_property
    def table(self) -> "Sums":
        """The same sums, a hundred times faster: each pair is shared between two of few distances.

        Which interpolates the soft kernel linearly; with a step of 0.25 Mpc/h the sums are right
        to a few parts in 10⁴. The hard one stays exact.
        """
        place = self.distances / STEP
        left = place.astype(np.int64)
        shells = left.max() + 2
        weights = {}
        for name, pairs in self.weights.items():
            halos = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr))
            weights[name] = sum(
                coo_array((part * pairs.data, (halos, shell)), (pairs.shape[0], shells)).toarray()
                for shell, part in ((left, 1 - place + left), (left + 1, place - left))
            )
        found = Sums(STEP * np.arange(shells), weights)
        found.hard = self.hard
        return found


def soft_tophat(log_distance, log_radius: float, exponent: float) -> np.ndarray:
    """1 / (1 + (r / R)^p) from the logarithms of r and R: no power, so no overflow."""
    return expit(-exponent * (log_distance - log_radius))


@dataclass(frozen=True)
class Features:
    """What Table 6's formulas know of each halo, and what they are to predict.

    masses: shape [halos], 10¹⁴ h⁻¹ M☉. speeds: |v_i|, [halos], 100 km/s. delta: [halos],
    dimensionless. positions: [halos, 3], Mpc/h, in a periodic box of side `box`. sums: over
    neighbours, of the quantities count, mass and speed.
    """

    masses: np.ndarray
    speeds: np.ndarray
    delta: np.ndarray
    positions: np.ndarray
    box: float
    sums: Sums

    def __len__(self) -> int:
        return len(self.masses)


def features(catalogue: Catalogue) -> Features:
    """A catalogue's halos as Table 6 sees them.

    Raises:
        InputError: a box smaller than twice the 50 Mpc/h that neighbours reach, or no pairs.
    """
    pairs = neighbours(catalogue)
    masses = catalogue.masses.astype(np.float64) / MASS_UNIT
    velocities = catalogue.velocities.astype(np.float64) / SPEED_UNIT
    relative = velocities[pairs.senders] - velocities[pairs.receivers]
    quantities = {
        "count": np.ones(len(relative)),
        "mass": masses[pairs.senders],
        "speed": np.linalg.norm(relative, axis=1),
    }
    # A row for each halo, a column for each pair.
    columns = np.arange(len(relative))
    starts = np.searchsorted(pairs.receivers, np.arange(len(catalogue) + 1))
    weights = {
        name: csr_array((values, columns, starts), shape=(len(catalogue), len(columns)))
        for name, values in quantities.items()
    }
    return Features(
        masses,
        np.linalg.norm(velocities, axis=1),
        catalogue.delta.astype(np.float64),
        catalogue.positions,
        catalogue.box,
        Sums(np.linalg.norm(pairs.separations, axis=1), weights),
    )
