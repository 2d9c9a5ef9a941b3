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
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symlib.cosmology.formulas import (
    FIRST_GUESS,
    PAPER,
    Formula,
    from_free,
    get_formula,
    identified,
    logged,
    paper_constants,
    to_free,
)
from symlib.cosmology.neighbours import Features, PairSums
from symlib.errors import InputError
from symlib.symbolic.refit import soft_fit

SOFTNESS = (0.3, 0.03, 3e-3, 3e-4)  # of the spread of δ
BLOCK = 60.0  # Mpc/h: three times the radius within which halos share their δ
_SPREAD = 0.3  # of a random start, in logarithms


@dataclass(frozen=True)
class Refitted:
    """A formula's constants and errors.

    Args:
        formula: its name.
        constants: C1, C2, ... to their values; units as in `symlib.cosmology.formulas`.
        identified: what the data determine of them (`formulas.identified`), half_radius in
            Mpc/h among it.
        error_fit, error_test: mean |δ − δ̂| of the halos fitted and of those held out (None
            without any).
        standard_errors: of every constant and every identified combination; 0 for a constant
            that is fixed; None without bootstrap.
        starts: mean |δ − δ̂| that each start ended at, in the order tried.
        seconds: wall time.
    """

    formula: str
    constants: dict[str, float]
    identified: dict[str, float]
    error_fit: float
    error_test: float | None
    standard_errors: dict[str, float] | None
    starts: tuple[float, ...]
    seconds: float

    @property
    def values(self) -> np.ndarray:
        """The constants as an array, in order."""
        return np.array(list(self.constants.values()))

    @property
    def half_radius(self) -> float | None:
        """Where the kernel falls to half, Mpc/h; None for a formula without one."""
        return self.identified.get("half_radius")

    def error(self, features: Features, rows=None) -> float:
        """mean |δ − δ̂| of other halos, or of some rows of them, with these constants."""
        return mean_error(self.formula, features, self.values, rows)


def mean_error(formula, features: Features, constants, rows=None) -> float:
    """mean |δ − δ̂|, dimensionless, over all halos or over some rows of them."""
    residual = get_formula(formula)(features, constants) - features.delta
    return float(np.abs(residual if rows is None else residual[rows]).mean())


def held_out(count: int, seed: int, share: float = 0.2) -> np.ndarray:
    """Which halos to hold out: a random share of them, shape [count], bool.

    Raises:
        InputError: a share that leaves nothing to fit or to test.
    """
    chosen = round(share * count)
    if not 0 < chosen < count:
        raise InputError(f"share: {share!r} of {count} halos leaves none to fit or none to test")
    mask = np.zeros(count, bool)
    mask[np.random.default_rng(seed).permutation(count)[:chosen]] = True
    return mask


def blocks_of(features: Features, side: float = BLOCK) -> np.ndarray:
    """The cubic block of the box that each halo lies in, shape [halos], int64.

    Blocks tile the box, each about `side` Mpc/h wide, two along an axis at the least.
    """
    along = max(2, round(features.box / side))
    cell = np.minimum((features.positions / features.box * along).astype(np.int64), along - 1)
    return np.ravel_multi_index(cell.T, (along,) * 3)


def refit(
    formula: str | Formula,
    features: Features,
    rows=None,
    test_rows=None,
    *,
    starts: Sequence[Sequence[float]] = (),
    random_starts: int = 4,
    bootstrap: int = 0,
    seed: int = 0,
) -> Refitted:
    """Constants that minimise mean |δ − δ̂| over the chosen halos.

    Neighbours are all halos, whether chosen or not: only the δ of the others is unknown.

    Args:
        formula: of Table 6, or its name.
        features: of `symlib.cosmology.neighbours.features`, exact or tabulated.
        rows: halos to fit, indices or a mask; all when None.
        test_rows: halos to test on.
        starts: constants to start from, e.g. those that symbolic regression gave, beside the
            paper's (a first guess where the paper has none).
        random_starts: further starts, the paper's constants moved by about 30%.
        bootstrap: resamplings for the standard errors; 0 gives none.
        seed: of random starts and of the bootstrap.

    Raises:
        InputError: rows that do not exist, fewer halos than constants, or a start that the
            formula refuses.
    """
    began = time.perf_counter()
    formula = get_formula(formula)
    rows = _rows("rows", rows, len(features))
    if len(rows) <= len(formula.names):
        raise InputError(
            f"rows: {len(rows)} halos cannot fix {len(formula.names)} constants of {formula.name}"
        )
    test_rows = None if test_rows is None else _rows("test_rows", test_rows, len(features))
    rng = np.random.default_rng(seed)
    exact, fast = features, features
    if isinstance(features.sums, PairSums):
        fast = dataclasses.replace(features, sums=features.sums.table)
    ends = [
        _descend(formula, fast, rows, start, np.ones(len(rows)), SOFTNESS)
        for start in _starts(formula, starts, random_starts, rng)
    ]
    free, _ = min(ends, key=lambda end: end[1])
    constants = from_free(formula.name, free)
    errors = None
    if bootstrap:
        errors = _standard_errors(formula, fast, rows, free, bootstrap, rng)
    return Refitted(
        formula.name,
        dict(zip(formula.names, map(float, constants), strict=True)),
        identified(formula.name, constants),
        mean_error(formula, exact, constants, rows),
        None if test_rows is None else mean_error(formula, exact, constants, test_rows),
        errors,
        tuple(loss for _, loss in ends),
        time.perf_counter() - began,
    )


def _rows(name: str, rows, count: int) -> np.ndarray:
    if rows is None:
        return np.arange(count)
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (count,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or len(rows) == 0:
        raise InputError(f"{name}: indices of halos or a mask of shape [{count}] with some of them")
    if rows.min() < 0 or rows.max() >= count:
        raise InputError(f"{name}: {rows.min()} to {rows.max()}, but there are {count} halos")
    return rows


def _starts(formula: Formula, given, random: int, rng) -> list[np.ndarray]:
    known = [paper_constants(row) for row in PAPER if row.startswith(formula.name)]
    if formula.name in FIRST_GUESS:
        known = [FIRST_GUESS[formula.name]]
    free = [to_free(formula.name, constants) for constants in [*given, *known]]
    centre = free[len(given)]
    if len(centre) == 1:
        return free
    moves = _SPREAD * rng.normal(size=(random, len(centre)))
    moved, logs = centre * np.exp(moves), logged(formula.name)
    moved[:, logs] = centre[logs] + moves[:, logs]
    return [*free, *moved]


def _descend(formula: Formula, features: Features, rows, free, weights, softness):
    """The free constants after softened fits of sinking softness, and mean |residual|."""
    target = features.delta[rows]
    spread = np.abs(target - np.median(target)).mean() or 1.0

    def residuals(trial):
        return weights * (formula.predict(features, from_free(formula.name, trial))[rows] - target)

    scales = [share * spread for share in softness]
    best, error = soft_fit(residuals, free, scales, x_scale="jac", max_nfev=60)
    return best, error * len(weights) / float(weights.sum())


def _standard_errors(formula: Formula, features: Features, rows, free, times: int, rng) -> dict:
    """Standard deviations over resampled blocks, each refitted from the best fit."""
    _, block = np.unique(blocks_of(features)[rows], return_inverse=True)
    count = block.max() + 1
    drawn = []
    for _ in range(times):
        weights = np.bincount(rng.integers(count, size=count), minlength=count)[block]
        end, _ = _descend(formula, features, rows, free, weights.astype(float), SOFTNESS[1:3])
        constants = from_free(formula.name, end)
        named = dict(zip(formula.names, constants, strict=True))
        drawn.append(named | identified(formula.name, constants))
    columns = {key: np.array([one[key] for one in drawn]) for key in drawn[0]}
    # What is kept has no error, and rounding shall not give it one.
    return {
        key: float(values.std(ddof=min(1, times - 1))) if np.ptp(values) else 0.0
        for key, values in columns.items()
    }
