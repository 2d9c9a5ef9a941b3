"""Does an equation have the law's form, its constants apart?

The constants that a regression finds are a percent or so off, so an equation is never
exactly proportional to a force. Here its constants are moved, as little as possible, until
it lies in the span of the force's components and 1. If that succeeds to float64 precision
on hundreds of points - polynomial identity testing - the form is the law's; how far each
constant had to move says whether it was the law's form already, or one with an extra term
(a constant that has to vanish) or another power (an exponent that has to move).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# What counts as zero for a residual, relative to the force.
IDENTITY = 1e-6
# Beyond this the sum of squares is no finite number.
LARGEST = 1e120
_ITERATIONS = 60
_HOLD = 10.0


@dataclass(frozen=True)
class Snapped:
    """constants: after moving; residual: what is left outside the span, relative."""

    constants: np.ndarray
    residual: float

    @property
    def exact(self) -> bool:
        """Whether the moved equation lies in the span."""
        return self.residual < IDENTITY


def _design(basis, weight, offset):
    columns = [basis, np.ones(len(basis))] if offset else [basis]
    return np.column_stack(columns) * weight[:, None]


def span_fit(values, basis, weight, offset: bool = True):
    """Weighted least squares of values [n] on basis [n, dim] and 1: coefficients [dim + 1].

    Without `offset` the 1 is left out: coefficients [dim].
    """
    design = _design(basis, weight, offset)
    coefficients, *_ = np.linalg.lstsq(design, values * weight, rcond=None)
    return coefficients


def snap(
    run: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    basis: np.ndarray,
    weight: np.ndarray,
    offset: bool = True,
) -> Snapped:
    """Move an equation's constants into the span of `basis` and 1.

    Args:
        run: constants -> the equation's values [n]; start: the constants as they are;
        basis: force components [n, dim]; weight: [n], the inverse of the force's typical
        size at each point; offset: whether 1, an additive constant, is part of the span.
    """
    design = _design(basis, weight, offset)
    span, triangle = np.linalg.qr(design / np.linalg.norm(design, axis=0))
    span = span[:, np.abs(np.diag(triangle)) > 1e-12]
    scale = np.where(start == 0, 1.0, np.abs(start))

    # The force's part of the span, the additive constant apart: its size is to be held.
    force = basis * weight[:, None]
    if offset:
        last = design[:, -1] / np.linalg.norm(design[:, -1])
        force = force - np.outer(last, last @ force)
    force_span, _ = np.linalg.qr(force)

    def parts(constants):
        """What is outside the span, and the coordinates of the force inside."""
        values = run(constants) * weight
        if not np.all(np.abs(values) < LARGEST):
            return None
        return values - span @ (span.T @ values), force_span.T @ values

    def relative(found):
        if found is None:
            return np.inf
        return float(np.linalg.norm(found[0]) / max(float(np.linalg.norm(found[1])), 1e-300))

    constants = start.copy()
    here = parts(constants)
    best = relative(here)
    for _ in range(_ITERATIONS):
        if here is None or best < 1e-3 * IDENTITY or not len(constants):
            break
        left, force = here
        size = max(float(np.linalg.norm(force)), 1e-300)
        columns = []
        for i in range(len(constants)):
            step = 1e-6 * scale[i]
            high, low = constants.copy(), constants.copy()
            high[i] += step
            low[i] -= step
            above, below = parts(high), parts(low)
            if above is None or below is None:
                return Snapped(constants, best)
            slope = [(one - other) / 2e-6 for one, other in zip(above, below, strict=True)]
            # The last row holds the force's size: zero lies in every span.
            columns.append(np.append(slope[0], _HOLD * (force @ slope[1]) / size))
        # The equation as a whole may be rescaled at no price, which moves no constant.
        columns.append(np.append(left, _HOLD * size))
        system = np.column_stack(columns) / size
        # Of all ways into the span the one that leads least far from the equation as it was.
        so_far = np.append((constants - start) / scale, 0.0)
        wanted = np.append(-left, 0.0) / size + system @ so_far
        # Damped by the residual itself: far from the span, a direction in which it hardly
        # changes must not be followed far, and near it the damping vanishes.
        damping = min(best, 1.0) * np.eye(len(constants), len(constants) + 1)
        damped = np.vstack([system, damping])
        wanted = np.append(wanted, np.zeros(len(constants)))
        total, *_ = np.linalg.lstsq(damped, wanted, rcond=1e-12)
        move = (total - so_far)[:-1]
        move *= min(1.0, 0.3 / max(np.max(np.abs(move)), 1e-300))
        for _ in range(12):
            trial = constants + move * scale
            there = parts(trial)
            if relative(there) < best:
                break
            move *= 0.5
        else:
            break
        constants, here, best = trial, there, relative(there)
    return Snapped(constants, float(best))
