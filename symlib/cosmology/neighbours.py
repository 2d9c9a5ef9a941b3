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


class PairSums:
    """The two sums over neighbours, pair by pair: exact, and slow where there are millions.

    Args:
        receivers: of the pairs, shape [pairs].
        distances: shape [pairs], Mpc/h.
        quantities: name -> what a neighbour counts for, shape [pairs].
        halos: how many there are.
    """

    def __init__(self, receivers: np.ndarray, distances: np.ndarray, quantities: dict, halos: int):
        self.halos = halos
        self._receivers, self._distances, self._quantities = receivers, distances, quantities
        with np.errstate(divide="ignore"):
            self._log_distances = np.log(distances)

    def hard(self, quantity: str, radius: float) -> np.ndarray:
        """Σ_{|r_ij| < radius} q_ij, shape [halos]; radius in Mpc/h."""
        return self._sum(quantity, self._distances < radius)

    def soft(self, quantity: str, radius: float, exponent: float) -> np.ndarray:
        """Σ_j q_ij / (1 + (|r_ij| / radius)^exponent), shape [halos]; radius in Mpc/h."""
        return self._sum(quantity, soft_tophat(self._log_distances, np.log(radius), exponent))

    def _sum(self, quantity: str, kernel: np.ndarray) -> np.ndarray:
        values = kernel * self._quantities[quantity]
        return np.bincount(self._receivers, values, minlength=self.halos)

    @functools.cached_property
    def table(self) -> "TabulatedSums":
        """The same sums from a table, a hundred times faster, for fitting."""
        place = self._distances / STEP
        left = place.astype(np.int64)
        share, shells = place - left, left.max() + 2
        cells = self._receivers * shells + left
        tables = {}
        for name, values in self._quantities.items():
            total = np.zeros(self.halos * shells)
            for shift, part in ((0, 1 - share), (1, share)):
                total += np.bincount(cells + shift, part * values, minlength=len(total))
            tables[name] = total.reshape(self.halos, shells)
        return TabulatedSums(self, STEP * np.arange(shells), tables)


class TabulatedSums:
    """The sums of `PairSums` by a table: how much of q lies about each of some distances.

    A pair is shared between the two nearest distances, so the kernel is interpolated linearly;
    with a step of 0.25 Mpc/h the sums are right to a few parts in 10⁴. A sum asked for again is
    remembered, for a fit moves one constant at a time.
    """

    def __init__(self, exact: PairSums, radii: np.ndarray, tables: dict[str, np.ndarray]):
        with np.errstate(divide="ignore"):
            self._log_radii = np.log(radii)
        self._tables = tables
        self.hard = functools.lru_cache(maxsize=8)(exact.hard)
        self.soft = functools.lru_cache(maxsize=8)(self._soft)

    def _soft(self, quantity: str, radius: float, exponent: float) -> np.ndarray:
        return self._tables[quantity] @ soft_tophat(self._log_radii, np.log(radius), exponent)


def soft_tophat(log_distance, log_radius: float, exponent: float) -> np.ndarray:
    """1 / (1 + (r / R)^p) from the logarithms of r and R: no power, so no overflow."""
    return expit(-exponent * (log_distance - log_radius))


@dataclass(frozen=True)
class Features:
    """What Table 6's formulas know of each halo, and what they are to predict.

    masses: shape [halos], 10¹⁴ h⁻¹ M☉. speeds: |v_i|, [halos], 100 km/s. delta: [halos],
    dimensionless. positions: [halos, 3], Mpc/h, in a periodic box of side `box`. sums: a
    `PairSums` or a `TabulatedSums`, of the quantities count, mass and speed.
    """

    masses: np.ndarray
    speeds: np.ndarray
    delta: np.ndarray
    positions: np.ndarray
    box: float
    sums: PairSums | TabulatedSums

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
    distances = np.linalg.norm(pairs.separations, axis=1)
    return Features(
        masses,
        np.linalg.norm(velocities, axis=1),
        catalogue.delta.astype(np.float64),
        catalogue.positions,
        catalogue.box,
        PairSums(pairs.receivers, distances, quantities, len(catalogue)),
    )
