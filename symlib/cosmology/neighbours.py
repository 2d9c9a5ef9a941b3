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
from scipy.special import expit

from symlib.cosmology.catalogue import Catalogue
from symlib.errors import InputError, UnknownChoice
from symlib.graphs import radius_graph

RADIUS = 50.0  # Mpc/h
MASS_UNIT = 1e14  # h⁻¹ M☉
SPEED_UNIT = 100.0  # km/s
QUANTITIES = ("count", "mass", "speed")
# The kernel's edge is a Mpc/h or more wide; a fit needs no finer table.
STEP = 0.25  # Mpc/h


@dataclass(frozen=True)
class Pairs:
    """Ordered pairs (i, j ≠ i), sorted by the receiver i.

    receivers, senders: shape [pairs], int64. separations: r_j − r_i across the nearest face of
    the periodic box, [pairs, 3], Mpc/h, float32. distances: their lengths, [pairs], Mpc/h.
    relative_speeds: |v_i − v_j|, [pairs], km/s.
    """

    receivers: np.ndarray
    senders: np.ndarray
    separations: np.ndarray
    distances: np.ndarray
    relative_speeds: np.ndarray

    def __len__(self) -> int:
        return len(self.receivers)


def neighbours(catalogue: Catalogue, radius: float = RADIUS) -> Pairs:
    """All ordered pairs of halos closer than `radius`, across the faces of the periodic box.

    Args:
        catalogue: the halos.
        radius: linking radius, Mpc/h.

    Raises:
        InputError: a radius that is not positive, or a box smaller than twice the radius.
    """
    senders, receivers = radius_graph(catalogue.positions, radius, catalogue.box).numpy()
    positions = catalogue.positions.astype(np.float64)
    away = positions[senders] - positions[receivers]
    away -= catalogue.box * np.round(away / catalogue.box)
    motion = catalogue.velocities[senders] - catalogue.velocities[receivers]
    return Pairs(
        receivers,
        senders,
        away.astype(np.float32),
        np.linalg.norm(away, axis=1),
        np.linalg.norm(motion.astype(np.float64), axis=1),
    )


class PairSums:
    """The two sums over neighbours, pair by pair: exact, and slow where there are millions.

    Args:
        pairs: from `neighbours`.
        masses: of all halos, shape [halos], 10¹⁴ h⁻¹ M☉.
    """

    def __init__(self, pairs: Pairs, masses: np.ndarray):
        self.halos = len(masses)
        self._pairs = pairs
        self._weights = {
            "count": None,
            "mass": masses[pairs.senders],
            "speed": pairs.relative_speeds / SPEED_UNIT,
        }
        with np.errstate(divide="ignore"):
            self._log_distances = np.log(pairs.distances)

    def hard(self, quantity: str, radius: float) -> np.ndarray:
        """Σ_{|r_ij| < radius} q_ij, shape [halos]; radius in Mpc/h."""
        return self._sum(quantity, self._pairs.distances < radius)

    def soft(self, quantity: str, radius: float, exponent: float) -> np.ndarray:
        """Σ_j q_ij / (1 + (|r_ij| / radius)^exponent), shape [halos]; radius in Mpc/h."""
        return self._sum(quantity, soft_tophat(self._log_distances, np.log(radius), exponent))

    def _sum(self, quantity: str, kernel: np.ndarray) -> np.ndarray:
        weights = self._weights[_known(quantity)]
        values = kernel if weights is None else kernel * weights
        return np.bincount(self._pairs.receivers, values, minlength=self.halos)

    @functools.cached_property
    def table(self) -> "TabulatedSums":
        """`tabulated` at the default step, made once."""
        return self.tabulated()

    def tabulated(self, step: float = STEP) -> "TabulatedSums":
        """The same sums from a table, a hundred times faster, for fitting."""
        reach = max(float(self._pairs.distances.max(initial=step)), step)
        radii = step * np.arange(int(np.ceil(reach / step)) + 1)
        place = self._pairs.distances / step
        left = np.minimum(place.astype(np.int64), len(radii) - 2)
        share = place - left
        cells = self._pairs.receivers * len(radii) + left
        tables = {}
        for quantity, weights in self._weights.items():
            total = np.zeros(self.halos * len(radii))
            for shift, part in ((0, 1 - share), (1, share)):
                values = part if weights is None else part * weights
                total += np.bincount(cells + shift, values, minlength=len(total))
            tables[quantity] = total.reshape(self.halos, len(radii))
        return TabulatedSums(self, radii, tables)


class TabulatedSums:
    """The sums of `PairSums` by a table: how much of q lies about each of some distances.

    A pair is shared between the two nearest distances, so the kernel is interpolated linearly;
    with a step of 0.25 Mpc/h the sums are right to a few parts in 10⁴. A sum asked for again is
    remembered, for a fit moves one constant at a time.
    """

    def __init__(self, exact: PairSums, radii: np.ndarray, tables: dict[str, np.ndarray]):
        self.halos = exact.halos
        with np.errstate(divide="ignore"):
            self._log_radii = np.log(radii)
        self._tables = tables
        self.hard = functools.lru_cache(maxsize=8)(exact.hard)
        self.soft = functools.lru_cache(maxsize=8)(self._soft)

    def _soft(self, quantity: str, radius: float, exponent: float) -> np.ndarray:
        kernel = soft_tophat(self._log_radii, np.log(radius), exponent)
        return self._tables[_known(quantity)] @ kernel


def soft_tophat(log_distance, log_radius: float, exponent: float) -> np.ndarray:
    """1 / (1 + (r / R)^p) from the logarithms of r and R: no power, so no overflow."""
    return expit(-exponent * (log_distance - log_radius))


@dataclass(frozen=True)
class Features:
    """What Table 6's formulas know of each halo, and what they are to predict.

    masses: shape [halos], 10¹⁴ h⁻¹ M☉. speeds: |v_i|, [halos], 100 km/s. delta: [halos],
    dimensionless. positions: [halos, 3], Mpc/h, in a periodic box of side `box`. sums: a
    `PairSums` or a `TabulatedSums`.
    """

    masses: np.ndarray
    speeds: np.ndarray
    delta: np.ndarray
    positions: np.ndarray
    box: float
    sums: PairSums | TabulatedSums

    def __len__(self) -> int:
        return len(self.masses)


def features(catalogue: Catalogue, pairs: Pairs | None = None) -> Features:
    """A catalogue's halos as Table 6 sees them.

    Args:
        catalogue: the halos.
        pairs: its `neighbours`, if they are there already.

    Raises:
        InputError: a box smaller than twice the 50 Mpc/h that neighbours reach.
    """
    pairs = neighbours(catalogue) if pairs is None else pairs
    if len(pairs) == 0:
        raise InputError(f"catalogue: no two halos are closer than {RADIUS:g} Mpc/h")
    masses = catalogue.masses.astype(np.float64) / MASS_UNIT
    return Features(
        masses,
        np.linalg.norm(catalogue.velocities.astype(np.float64), axis=1) / SPEED_UNIT,
        catalogue.delta.astype(np.float64),
        catalogue.positions,
        catalogue.box,
        PairSums(pairs, masses),
    )


def _known(quantity: str) -> str:
    if quantity not in QUANTITIES:
        raise UnknownChoice("quantity", quantity, QUANTITIES)
    return quantity
