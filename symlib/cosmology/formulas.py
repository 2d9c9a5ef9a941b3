"""Table 6: formulas for the overdensity of a halo (appendix E).

    constant      δ̂ = C1
    simple        δ̂ = C1 + (C2 + C3 M_i) e_i          e_i = Σ_{|r_ij| < 20 Mpc/h} M_j
    without_mass  δ̂ = C1 + e_i / (C2 + C3 e_i |v_i|)   e_i = Σ_j (C4 + |v_ij|) / (C5 + (C6 r_ij)^C7)
    with_mass     δ̂ = C1 + e_i / (C2 + C3 M_i)         e_i = Σ_j (C4 + M_j) / (C5 + (C6 r_ij)^C7)

M is in 10¹⁴ h⁻¹ M☉, r in Mpc/h, v in 100 km/s. Seven constants are one too many in the last two.
With R = C5^(1/C7) / C6 the kernel is a smooth top-hat of height 1/C5 that falls to half at R,

    1 / (C5 + (C6 r)^C7) = (1 / C5) · 1 / (1 + (r / R)^C7),

and a height can be moved into C2 (and C3 of with_mass). So C5 is kept at the paper's value, and
what the data do identify are C1, C2·C5, C3 (times C5 in with_mass), C4, R and C7.

One formula is ours. δ counts the matter of the halo itself, but the sums leave it out (j ≠ i), so
with_mass has to bring M_i in through its denominator; it fits with C3 < 0 and has a pole at
M_i = −C2 / C3, among the heaviest halos. Counting the halo in its own sum needs no denominator:

    with_own_mass δ̂ = C1 + C2 Σ_j (C3 + M_j) / (1 + (r_ij / C4)^C5),   j = i among the sum

**The paper's units.** It names none for r and v. Its two kernels fall to half at r = 0.071, which
is 20.5 Mpc/h where positions are standardised by the standard deviation of a uniform box of
1000 Mpc/h, 1000/√12 = 288.7; speeds are then taken to be standardised by that of one velocity
component, which the paper does not give (here 270 km/s, that of our own universes' halos). Among
our halos its constants as printed do best with speeds in 290 km/s, which supports both readings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from symlib.choices import known
from symlib.cosmology.neighbours import SPEED_UNIT, Features, soft_tophat
from symlib.cosmology.universe.halos import RADIUS
from symlib.errors import InputError

PAPER_LENGTH = 1000 / np.sqrt(12)  # Mpc/h
PAPER_SPEED = 270.0  # km/s


@dataclass(frozen=True)
class Formula:
    """A formula of Table 6 with named constants C1, C2, ...

    A fit moves `free` constants: positive ones by their logarithm, redundant ones left out. Of
    seven these are C1, log C2·C5, C3 (in units of C2 for with_mass), C4, log R and log C7.

    Args:
        name: constant, simple, without_mass, with_mass or with_own_mass.
        label: what the paper calls it, where it does.
        count: of its constants.
        predict: features and constants, shape [constants], to δ̂, shape [halos].
        positive: which constants must be positive, counted from 0.
        logs: which of the free constants are logarithms.
    """

    name: str
    label: str
    count: int
    predict: Callable[[Features, np.ndarray], np.ndarray]
    positive: tuple[int, ...] = ()
    logs: tuple[int, ...] = ()

    def named(self, constants: Sequence[float]) -> dict[str, float]:
        """Constants by their names, C1, C2, ..."""
        return {f"C{k + 1}": float(value) for k, value in enumerate(constants)}

    def __call__(self, features: Features, constants: Sequence[float]) -> np.ndarray:
        """δ̂ of every halo, shape [halos], dimensionless; InputError as of `checked`."""
        return self.predict(features, self.checked(constants))

    def checked(self, constants: Sequence[float]) -> np.ndarray:
        """Constants as an array; InputError if some are missing, not finite or not positive."""
        values = np.array(constants, dtype=np.float64)
        if values.shape != (self.count,):
            raise InputError(f"constants: {self.name} has {self.count}, got shape {values.shape}")
        good = np.isfinite(values)
        good[list(self.positive)] &= values[list(self.positive)] > 0
        if not good.all():
            bad = ", ".join(f"C{k + 1} = {values[k]:g}" for k in np.flatnonzero(~good))
            raise InputError(f"constants: {bad} of {self.name}: not finite or positive")
        return values

    def to_free(self, constants: Sequence[float]) -> np.ndarray:
        """Constants as a fit moves them."""
        c = self.checked(constants)
        if self.count == 7:
            third = c[2] / c[1] if self.name == "with_mass" else c[2]
            c = np.array([c[0], c[1] * c[4], third, c[3], _half_radius(c), c[6]])
        c[list(self.logs)] = np.log(c[list(self.logs)])
        return c

    def from_free(self, free: Sequence[float]) -> np.ndarray:
        """Constants from what a fit moves, C5 at the paper's value."""
        c, logs = np.array(free, dtype=np.float64), list(self.logs)
        # Far out a trial step may ask for anything; a bounded logarithm keeps it a number.
        c[logs] = np.exp(np.clip(c[logs], -30, 30))
        if self.count != 7:
            return c
        first, scale, third, fourth, radius, exponent = c
        fifth = PAPER[self.name][4]
        second = scale / fifth
        third = third * second if self.name == "with_mass" else third
        sixth = np.exp(np.log(fifth) / exponent) / radius
        return np.array([first, second, third, fourth, fifth, sixth, exponent])

    def identified(self, constants: Sequence[float]) -> dict[str, float]:
        """What δ̂ does depend on: constants, or combinations of them that no rescaling changes."""
        found = self.named(constants)
        if self.count == 7:
            del found["C6"]
            fifth = found.pop("C5")
            for name in ("C2", "C3") if self.name == "with_mass" else ("C2",):
                found[f"{name}·C5"] = found.pop(name) * fifth
        radius = half_radius(self.name, constants)
        return found if radius is None else found | {"half_radius": radius}


def _simple(features: Features, c: np.ndarray) -> np.ndarray:
    return c[0] + (c[1] + c[2] * features.masses) * features.sums.hard("mass", RADIUS)


def _summed(features: Features, c: np.ndarray, quantity: str) -> np.ndarray:
    """e_i = Σ_j (C4 + q_ij) / (C5 + (C6 r_ij)^C7)."""
    radius, exponent, soft = _half_radius(c), c[6], features.sums.soft
    return (c[3] * soft("count", radius, exponent) + soft(quantity, radius, exponent)) / c[4]


def _without_mass(features: Features, c: np.ndarray) -> np.ndarray:
    e = _summed(features, c, "speed")
    return c[0] + e / (c[1] + c[2] * e * features.speeds)


def _with_mass(features: Features, c: np.ndarray) -> np.ndarray:
    return c[0] + _summed(features, c, "mass") / (c[1] + c[2] * features.masses)


def _with_own_mass(features: Features, c: np.ndarray) -> np.ndarray:
    soft = features.sums.soft
    others = c[2] * soft("count", c[3], c[4]) + soft("mass", c[3], c[4])
    return c[0] + c[1] * (c[2] + features.masses + others)


def _half_radius(c: np.ndarray) -> float:
    return float(np.exp(np.log(c[4]) / c[6]) / c[5])


_OF_SEVEN = (1, 4, 5, 6), (1, 4, 5)
_TABLE = (
    ("constant", "Constant", 1, lambda features, c: np.full(len(features), c[0])),
    ("simple", "Simple", 3, _simple),
    ("without_mass", "Best, without mass", 7, _without_mass, *_OF_SEVEN),
    ("with_mass", "Best, with mass", 7, _with_mass, *_OF_SEVEN),
    ("with_own_mass", "With its own mass (ours)", 5, _with_own_mass, (1, 3, 4), (1, 3, 4)),
)
FORMULAS = {row[0]: Formula(*row) for row in _TABLE}
# As printed: lengths in units of 288.7 Mpc/h, speeds in an unnamed unit.
PAPER = {
    "constant": (0.415,),
    "simple": (-0.0376, 0.0529, 0.000927),
    "without_mass": (-0.199, 1.31, 0.027, 1.54, 50.165, 18.94, 13.21),
    "with_mass": (-0.156, 3.80, 0.0809, 0.438, 7.06, 15.5, 20.3),
    "with_mass_cutoff": (-0.149, 3.77, 0.0789, 0.442, 7.09, 15.5, 21.3),
}
# Where a fit of our own formula starts: the top-hat that δ is measured in.
FIRST_GUESS = {"with_own_mass": (-0.4, 0.05, 0.3, RADIUS, 20.0)}


def get_formula(name: str) -> Formula:
    """A formula by name; UnknownChoice where there is none."""
    known("formula", name, FORMULAS)
    return FORMULAS[name]


def paper_constants(name: str) -> np.ndarray:
    """The paper's constants of a row of Table 6 (a key of `PAPER`) in this module's units."""
    c = np.array(PAPER[name])
    if len(c) == 7:
        c[5] /= PAPER_LENGTH
    if name == "without_mass":
        # e grows with the number that a speed is told by; C2 grows along, C3 meets e |v| / e.
        unit = PAPER_SPEED / SPEED_UNIT
        c[1:4] *= unit, 1 / unit, unit
    return c


def half_radius(name: str, constants: Sequence[float]) -> float | None:
    """Where the kernel falls to half, Mpc/h, e.g. C5^(1/C7) / C6; None without a kernel."""
    formula = get_formula(name)
    c = formula.checked(constants)
    if not formula.positive:
        return None
    return _half_radius(c) if formula.count == 7 else float(c[3])


def kernel(name: str, constants: Sequence[float], distance) -> np.ndarray:
    """The weight of a neighbour at some distances in Mpc/h, one at distance zero."""
    return soft_tophat(np.log(distance), np.log(half_radius(name, constants)), constants[-1])


def pole(name: str, constants: Sequence[float]) -> float | None:
    """The halo mass at which with_mass divides by zero, −C2 / C3, 10¹⁴ h⁻¹ M☉; None without."""
    c = get_formula(name).checked(constants)
    return float(-c[1] / c[2]) if name == "with_mass" and c[2] < 0 else None
