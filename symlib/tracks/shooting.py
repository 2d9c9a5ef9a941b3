"""The trajectory loss: an acceleration field is held against positions, without derivatives.

From a learned beginning a short segment of frames is integrated, and what comes out is compared
with what was seen (multiple shooting: Bock & Plitt 1984). Noise of a position then counts as what
it is, where an acceleration would multiply it by the inverse square of the time between frames;
segments are short because errors of a beginning grow along the way.
"""

from collections.abc import Callable

import torch

# (positions, velocities), each [segments, bodies, dim] -> accelerations of the same shape.
Field = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def shoot(
    field: Field,
    position: torch.Tensor,
    velocity: torch.Tensor,
    dt: float,
    frames: int,
    substeps: int = 4,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Integrate all segments from their first frames, by the classical Runge-Kutta method.

    Gradients run back to the beginnings and to the field's parameters; the error of a step is of
    the order of (dt / substeps)⁵.

    Args:
        field: the acceleration of every body, of which it knows which is which by its place.
        position, velocity: at the first frame, shape [segments, bodies, dim], float64.
        dt: the time between two frames.
        frames: how many frames a segment has, the first one counted.
        substeps: steps from one frame to the next.

    Returns:
        Positions and velocities, shape [segments, frames, bodies, dim].
    """
    step = dt / substeps
    states = [(position, velocity)]
    for _ in range(frames - 1):
        for _ in range(substeps):
            position, velocity = runge_kutta(field, position, velocity, step)
        states.append((position, velocity))
    positions, velocities = zip(*states, strict=True)
    return torch.stack(positions, dim=1), torch.stack(velocities, dim=1)


def runge_kutta(field: Callable, x, v, step) -> tuple:
    """One step of the classical method, of arrays or tensors of any shape."""
    a1 = field(x, v)
    v2 = v + step / 2 * a1
    a2 = field(x + step / 2 * v, v2)
    v3 = v + step / 2 * a2
    a3 = field(x + step / 2 * v2, v3)
    v4 = v + step * a3
    a4 = field(x + step * v3, v4)
    x = x + step / 6 * (v + 2 * v2 + 2 * v3 + v4)
    return x, v + step / 6 * (a1 + 2 * a2 + 2 * a3 + a4)


def residuals(positions: torch.Tensor, observed: torch.Tensor, sigma: float) -> torch.Tensor:
    """(predicted - observed) / σ, and zero where a body was not seen.

    Args:
        positions: from `shoot`, shape [segments, frames, bodies, dim].
        observed: as recorded, the same shape, NaN where a body was not seen.
        sigma: standard deviation of a recorded position's component, as in `Tracks.noise`.
    """
    seen = torch.isfinite(observed)
    # A NaN that is merely multiplied by zero would still reach the gradients.
    return torch.where(seen, positions - torch.where(seen, observed, positions), 0.0) / sigma
