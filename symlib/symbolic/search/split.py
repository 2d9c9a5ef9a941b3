"""IF by way of one split: where a target changes its rule at a threshold of one variable.

For every variable, and thresholds at its quantiles, each side gets a linear fit; the split
whose two fits leave the least error, much less than one fit does, is promising. The two
sides are then searched separately and joined as IF(variable > threshold, ...), which
competes on the Pareto front like any other equation, IF counted three times.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from symlib.symbolic.algebra.expressions import evaluate, symbol
from symlib.symbolic.search.constants import absolute_weights

_QUANTILES = np.linspace(0.1, 0.9, 33)
# Two linear fits always beat one; a split is worth a search if they do so by this factor.
_GAIN = 0.8
_ROWS = 2000


@dataclass(frozen=True)
class Split:
    """A threshold of one column of X."""

    column: int
    threshold: float

    def above(self, X: np.ndarray) -> np.ndarray:
        """Which rows of X [n, variables] lie above it, shape [n]."""
        return X[:, self.column] > self.threshold


def _linear_error(design, y) -> float:
    """Sum of absolute residuals of a linear fit, two steps towards the MAE's minimum."""
    weight = np.ones(len(y))
    for _ in range(3):
        coefficients, *_ = np.linalg.lstsq(design * weight[:, None], y * weight, rcond=None)
        residual = y - design @ coefficients
        weight = absolute_weights(residual, 1e-3 * np.mean(np.abs(residual)))
    return float(np.sum(np.abs(residual)))


def find_split(X: np.ndarray, y: np.ndarray) -> Split | None:
    """The most promising split, or None. X: [n, variables], y: [n]."""
    X, y = X[:_ROWS], y[:_ROWS]
    design = np.column_stack([X, np.ones(len(X))])
    whole = _linear_error(design, y)
    best, best_error = None, _GAIN * whole
    least = max(20, 2 * design.shape[1])
    for column in range(X.shape[1]):
        for threshold in np.unique(np.quantile(X[:, column], _QUANTILES)):
            split = Split(column, float(threshold))
            above = split.above(X)
            if min(above.sum(), (~above).sum()) < least:
                continue
            error = _linear_error(design[above], y[above]) + _linear_error(
                design[~above], y[~above]
            )
            if error < best_error:
                best, best_error = split, error
    return best


def join(
    above: sp.Expr, below: sp.Expr, split: Split, X: np.ndarray, y: np.ndarray, names: Sequence[str]
) -> sp.Expr:
    """IF(variable > threshold, above, below), the threshold the one with the least MAE.

    It lies midway between two neighbouring values of the variable, whose name is in `names`.
    """
    order = np.argsort(X[:, split.column], kind="stable")
    x = X[order, split.column]
    errors = [np.abs(evaluate(side, X, names) - y)[order] for side in (above, below)]
    high, low = (np.where(np.isfinite(error), error, np.inf) for error in errors)
    # Error with the first k points below: cumulative sums from both ends.
    total = np.concatenate([[0.0], np.cumsum(low)]) + np.concatenate(
        [np.cumsum(high[::-1])[::-1], [0.0]]
    )
    k = int(np.argmin(total[1:-1])) + 1
    threshold = sp.Float(float(0.5 * (x[k - 1] + x[k])))
    return sp.Piecewise((above, symbol(names[split.column]) > threshold), (below, True))
