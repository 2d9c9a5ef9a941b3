"""Halos and their neighbours: every ordered pair closer than 50 Mpc/h, and sums over them.

Table 6 sums a function of each pair over the neighbours j of a halo i. Its formulas are made of
two sums, each counting neighbours (q = 1) or weighing them with a quantity q_ij, the neighbour's
mass or the pair's relative speed:

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
MASS_UNIT, SPEED_UNIT = 1e14, 100.0  # h⁻¹ M☉, km/s
# The kernel's edge is a Mpc/h or more wide; a fit needs no finer table.
STEP = 0.25  # Mpc/h


def neighbours(
    catalogue: Catalogue, radius: float = LINKING
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All ordered pairs (i, j ≠ i) of halos closer than `radius` Mpc/h.

    Returns:
        Receivers i, by which pairs are sorted, and senders j, shape [pairs], int64, and r_j − r_i
        across the nearest face of the periodic box, [pairs, 3], Mpc/h.

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
    return receivers, senders, apart - box * np.round(apart / box)


class Sums:
    """The two sums over neighbours, as a matrix of weights times a kernel of the distance.

    A sum asked for again is remembered, for a fit moves one constant at a time.

    Args:
        distances: of the matrices' columns, Mpc/h: of each pair, or of shells.
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
        return self.weights[quantity] @ (self.distances < radius).astype(float)

    def _soft(self, quantity: str, radius: float, exponent: float) -> np.ndarray:
        return self.weights[quantity] @ soft_tophat(self._logs, np.log(radius), exponent)

    @functools.cached_property
    def table(self) -> "Sums":
        """The same sums, a hundred times faster, from shells instead of pairs.

        A pair is shared between the two nearest of them, so the kernel is interpolated linearly;
        with a step of 0.25 Mpc/h soft sums are right to a few parts in 10⁴. Hard ones are exact.
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
    receivers, senders, apart = neighbours(catalogue)
    masses = catalogue.masses.astype(np.float64) / MASS_UNIT
    velocities = catalogue.velocities.astype(np.float64) / SPEED_UNIT
    relative = velocities[senders] - velocities[receivers]
    quantities = {
        "count": np.ones(len(senders)),
        "mass": masses[senders],
        "speed": np.linalg.norm(relative, axis=1),
    }
    # A row for each halo, a column for each pair.
    starts, columns = np.searchsorted(receivers, range(len(masses) + 1)), range(len(senders))
    sums = Sums(
        np.linalg.norm(apart, axis=1),
        {name: csr_array((each, columns, starts)) for name, each in quantities.items()},
    )
    speeds = np.linalg.norm(velocities, axis=1)
    delta = catalogue.delta.astype(np.float64)
    return Features(masses, speeds, delta, catalogue.positions, catalogue.box, sums)
