"""The Pareto front and the equation that it selects (appendix C).

The front holds, for each complexity, an equation that no simpler one matches. Of these
the paper takes the one with the largest fractional drop in mean absolute error per unit
of added complexity, -Δlog(MAE) / Δcomplexity, from the next simpler equation on the front.
"""

from collections.abc import Sequence

import numpy as np

# Below this share of the target's scale an equation is exact, and no equation is better.
EXACT = 1e-10


def pareto_indices(complexities: Sequence[float], losses: Sequence[float]) -> list[int]:
    """Indices of the front, in order of complexity, the loss strictly decreasing."""
    order = sorted(range(len(losses)), key=lambda i: (complexities[i], losses[i]))
    front, best = [], np.inf
    for i in order:
        if np.isfinite(losses[i]) and losses[i] < best:
            front.append(i)
            best = losses[i]
    return front


def scores(
    complexities: Sequence[float], losses: Sequence[float], scale: float = 1.0
) -> np.ndarray:
    """-Δlog(MAE) / Δcomplexity along a front; the simplest equation scores zero.

    Args:
        complexities, losses: of a front as `pareto_indices` orders it.
        scale: the target's scale, in the losses' unit. Losses below 1e-10 of it count as
            1e-10 of it, so that an exact fit has a finite score.
    """
    loss = np.log(np.maximum(np.asarray(losses, dtype=float), EXACT * scale))
    c = np.asarray(complexities, dtype=float)
    out = np.zeros(len(loss))
    if len(loss) > 1:
        out[1:] = -np.diff(loss) / np.diff(c)
    return out


def select(complexities: Sequence[float], losses: Sequence[float], scale: float = 1.0) -> int:
    """Position on the front of the largest score; the simpler of two that tie."""
    return int(np.argmax(scores(complexities, losses, scale)))
