"""Constants fitted again, once an equation's form is known (appendix C).

A search engine spends its time on forms and leaves constants half-fitted, on a subsample.
`fit_constants` keeps the form, and its constants minimise the mean absolute error: least
squares first, because it moves far, then Gauss-Newton steps reweighted by 1 / |residual|,
which lead to the MAE's minimum, from several starts.

`soft_fit` is for what is no equation of columns, a sum over neighbours or a linear map.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import least_squares, minimize

from symlib.symbolic.algebra.expressions import Form

_SMALLEST = 1e-12
_LOST = 1e3  # the residual of a prediction that is not finite


def mean_absolute_error(prediction: np.ndarray, y: np.ndarray) -> float:
    """MAE, infinite where a prediction is not finite."""
    with np.errstate(all="ignore"):
        loss = float(np.mean(np.abs(prediction - y)))
    return loss if np.isfinite(loss) else np.inf


def soft_fit(
    residuals: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    scales: Sequence[float],
    moves: int = 0,
    **options,
) -> tuple[np.ndarray, float]:
    """Constants with a small mean absolute residual, by way of smooth losses.

    Args:
        residuals: constants -> residuals, shape [n]; those that are not finite count as 1000.
        start: constants to begin from.
        scales: the loss Σ √(1 + (residual / scale)²) is minimised with one scale after
            another; what does not lower the mean is not taken.
        moves: evaluations that a simplex may then take on the mean |residual| itself, which
            also moves thresholds.
        options: of `scipy.optimize.least_squares`.

    Returns:
        The constants, and their mean |residual|.
    """

    def finite(constants):
        with np.errstate(all="ignore"):
            found = residuals(constants)
        return np.where(np.isfinite(found), found, _LOST)

    def cost(constants):
        return float(np.abs(finite(constants)).mean())

    best = start
    for scale in scales:
        end = least_squares(finite, best, loss="soft_l1", f_scale=scale, **options).x
        best = min(end, best, key=cost)
    if moves:
        end = minimize(cost, best, method="Nelder-Mead", options={"maxfev": moves}).x
        best = min(best, end, key=cost)
    return best, cost(best)


def absolute_weights(residual: np.ndarray, floor: float) -> np.ndarray:
    """Weights that make a least-squares step one towards the least mean |residual|.

    The floor keeps points that happen to fit from ruling the step.
    """
    return 1 / np.sqrt(np.maximum(np.abs(residual), floor + 1e-300))


def _jacobian(run, constants, X, base):
    columns = []
    for i, value in enumerate(constants):
        step = 1e-6 * max(abs(value), 1e-3)
        moved = constants.copy()
        moved[i] += step
        columns.append((run(moved, X) - base) / step)
    return np.column_stack(columns)


def _descend(run, constants, X, y, steps, robust):
    """Gauss-Newton with a line search on the loss that is being minimised."""

    def cost(prediction):
        if robust:
            return mean_absolute_error(prediction, y)
        with np.errstate(all="ignore"):
            value = float(np.mean((prediction - y) ** 2))
        return value if np.isfinite(value) else np.inf

    prediction = run(constants, X)
    best = cost(prediction)
    if not np.isfinite(best):
        return constants, best
    for step in range(steps):
        jacobian = _jacobian(run, constants, X, prediction)
        if not np.all(np.isfinite(jacobian)):
            break
        residual = y - prediction
        if robust:
            # The floor sinks, so that the first steps move far and the last ones find the
            # minimum's corner.
            weight = absolute_weights(residual, best * max(0.5 * 0.5**step, 1e-3))
            jacobian, residual = jacobian * weight[:, None], residual * weight
        size = np.sqrt(np.sum(jacobian**2, axis=0))
        size[size < _SMALLEST] = 1.0
        scaled = jacobian / size
        normal = scaled.T @ scaled
        normal[np.diag_indices_from(normal)] += 1e-10
        try:
            move = np.linalg.solve(normal, scaled.T @ residual) / size
        except np.linalg.LinAlgError:
            break
        length = 1.0
        for _ in range(8):
            trial = constants + length * move
            value = run(trial, X)
            loss = cost(value)
            if loss < best * (1 - 1e-9):
                break
            length *= 0.35
        else:
            if robust and step < 8:
                continue
            break
        gain = 1 - loss / best
        constants, prediction, best = trial, value, loss
        if gain < 1e-6 and not robust:
            break
    return constants, best


def fit_constants(
    form: Form,
    names: Sequence[str],
    X: np.ndarray,
    y: np.ndarray,
    *,
    starts: int = 1,
    steps: int = 12,
    seed: int = 0,
) -> tuple[np.ndarray, float]:
    """Constants that minimise the MAE, and that MAE.

    Args:
        form: what to fit; names: the columns of X, shape [n, len(names)]; y: shape [n].
        starts: from the constants as they are, from their least-squares fit, and, beyond
            two, from randomly moved ones.
        steps: Gauss-Newton steps of each kind and start.
    """
    run = form.compile(names)
    loss = mean_absolute_error(run(form.values, X), y)
    if not len(form.values):
        return form.values, loss
    rng = np.random.default_rng(seed)
    best = (form.values, loss)
    for start in range(max(starts, 1)):
        constants = form.values.copy()
        if start >= 2:
            constants *= np.exp(0.3 * rng.normal(size=len(constants)))
        if start != 1 or not np.isfinite(loss):
            constants, _ = _descend(run, constants, X, y, steps, robust=False)
        # Thresholds have no gradient; they are searched in `split.py`.
        constants, value = _descend(run, constants, X, y, steps, robust=True)
        if value < best[1]:
            best = (constants, value)
    return best
