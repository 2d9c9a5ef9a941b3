"""A formula of Table 6 with its constants fitted again, and how well they are known.

What is minimised is the paper's own measure, the mean of |δ − δ̂|. It has corners, so it is
approached through smooth ones: Σ √(1 + (residual / s)²) by least squares with s sinking to
3·10⁻⁴ of the spread of δ, from several starts, because a formula with a power in it has more
than one valley. Sums over neighbours come from a table while fitting; every error that is
reported is summed pair by pair.

Standard errors are a bootstrap over blocks of the box: neighbouring halos see the same matter,
so drawing halos one by one would call the constants better known than they are.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd

from symlib.cosmology.formulas import FIRST_GUESS, PAPER, Formula, get_formula, paper_constants
from symlib.cosmology.neighbours import Features
from symlib.errors import InputError
from symlib.symbolic.search.constants import soft_fit

SOFTNESS = (0.3, 0.03, 3e-3, 3e-4)  # of the spread of δ
BLOCK = 60.0  # Mpc/h: three times the radius within which halos share their δ
_SPREAD = 0.3  # of a random start, in logarithms


@dataclass(frozen=True)
class Refitted:
    """A formula's constants and how well they are known.

    constants: C1, C2, ... to their values; units as in `symlib.cosmology.formulas`. identified:
    what the data determine of them (`Formula.identified`), half_radius in Mpc/h among it.
    standard_errors: of every constant and every identified combination; 0 for a constant that is
    fixed; empty without bootstrap. starts: mean |δ − δ̂| that each start ended at.
    """

    formula: str
    constants: dict[str, float]
    identified: dict[str, float]
    standard_errors: dict[str, float]
    starts: tuple[float, ...]

    @property
    def values(self) -> np.ndarray:
        """The constants as an array, in order."""
        return np.array(list(self.constants.values()))

    def error(self, features: Features, rows=slice(None)) -> float:
        """Mean |δ − δ̂|, dimensionless, over all halos or some rows of them."""
        return mean_error(self.formula, features, self.values, rows)


def mean_error(name: str, features: Features, constants, rows=slice(None)) -> float:
    """Mean |δ − δ̂| of a formula, dimensionless, over all halos or some rows of them."""
    residual = get_formula(name)(features, constants) - features.delta
    return float(np.abs(residual[rows]).mean())


def refit(
    name: str,
    features: Features,
    fitted: np.ndarray | None = None,
    *,
    random_starts: int = 4,
    bootstrap: int = 0,
    seed: int = 0,
) -> Refitted:
    """Constants that minimise mean |δ − δ̂| over the chosen halos.

    Neighbours are all halos, whether chosen or not: only the δ of the others is unknown.

    Args:
        name: of a formula of Table 6.
        features: of `symlib.cosmology.neighbours.features`.
        fitted: which halos to fit, shape [halos], bool; all when None.
        random_starts: beside the paper's constants (a first guess where the paper has none),
            those constants moved by about 30%.
        bootstrap: resamplings for the standard errors; 0 gives none.
        seed: of random starts and of the bootstrap.

    Raises:
        InputError: no formula of that name, or fewer halos than constants.
    """
    formula = get_formula(name)
    rows = np.arange(len(features)) if fitted is None else np.flatnonzero(fitted)
    if len(rows) <= formula.count:
        raise InputError(f"catalogue: {len(rows)} halos cannot fix the constants of {name}")
    rng = np.random.default_rng(seed)
    fast = dataclasses.replace(features, sums=features.sums.table)
    ends = [
        _descend(formula, fast, rows, start, np.ones(len(rows)), SOFTNESS)
        for start in _starts(formula, random_starts, rng)
    ]
    free, _ = min(ends, key=lambda end: end[1])
    constants = formula.from_free(free)
    return Refitted(
        name,
        formula.named(constants),
        formula.identified(constants),
        _standard_errors(formula, fast, rows, free, bootstrap, rng),
        tuple(loss for _, loss in ends),
    )


def _starts(formula: Formula, random: int, rng) -> list[np.ndarray]:
    known = [guess for name, guess in FIRST_GUESS.items() if name == formula.name]
    known += [paper_constants(row) for row in PAPER if row.startswith(formula.name)]
    free = [formula.to_free(constants) for constants in known]
    if formula.count == 1:
        return free
    moves = _SPREAD * rng.normal(size=(random, len(free[0])))
    moved, logs = free[0] * np.exp(moves), list(formula.logs)
    moved[:, logs] = free[0][logs] + moves[:, logs]
    return [*free, *moved]


def _descend(formula: Formula, features: Features, rows, free, weights, softness):
    """The free constants after softened fits of sinking softness, and mean |residual|."""
    target = features.delta[rows]
    spread = np.abs(target - np.median(target)).mean() or 1.0

    def residuals(trial):
        return weights * (formula.predict(features, formula.from_free(trial))[rows] - target)

    scales = [share * spread for share in softness]
    best, error = soft_fit(residuals, free, scales, x_scale="jac", max_nfev=60)
    return best, error * len(weights) / float(weights.sum())


def _standard_errors(formula: Formula, features: Features, rows, free, times: int, rng) -> dict:
    """Standard deviations over resampled blocks, each refitted from the best fit."""
    # Cubes, about a block wide, tile the box.
    along = max(2, round(features.box / BLOCK))
    cell = np.minimum((features.positions[rows] / features.box * along).astype(int), along - 1)
    block = np.unique(cell, axis=0, return_inverse=True)[1].ravel()
    count, drawn = block.max() + 1, []
    for _ in range(times):
        weights = np.bincount(rng.integers(count, size=count), minlength=count)[block]
        end, _ = _descend(formula, features, rows, free, weights.astype(float), SOFTNESS[1:3])
        constants = formula.from_free(end)
        drawn.append(formula.named(constants) | formula.identified(constants))
    # What is kept has no error, and rounding shall not give it one.
    drawn = pd.DataFrame(drawn)
    return (drawn.std() * (drawn.nunique() > 1)).to_dict()
