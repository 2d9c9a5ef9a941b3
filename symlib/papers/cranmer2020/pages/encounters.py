"""How few edges hold the forces: why R² over all of them says so little."""

import functools

import jax
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from symlib.book.figures import CYCLE, GREY, grid, styled
from symlib.errors import InputError
from symlib.laws.potentials import PairPotential, pair_forces

THOUSANDTH = 1e-3
_STYLES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)))


def edge_forces(law: PairPotential, states) -> np.ndarray:
    """True force on the receiver of every edge (eq. 6), shape [edges, dim], dimensionless.

    Args:
        law: the pair potential.
        states: shape [..., bodies, 2 dim + 2].
    """
    with jax.enable_x64(True):
        exact = jax.jit(functools.partial(pair_forces, law))
        forces = np.asarray(exact(np.asarray(states, dtype=np.float64)))
    bodies = forces.shape[-2]
    return forces[..., ~np.eye(bodies, dtype=bool), :].reshape(-1, forces.shape[-1])


def variance_held(forces) -> np.ndarray:
    """Share of the variance that the edges of largest force hold: the n-th entry by n + 1 edges.

    An ordinary R² is one minus a share of this variance.

    Args:
        forces: shape [edges, dim].

    Raises:
        InputError: no edges, or forces that are all equal or not finite.
    """
    forces = np.asarray(forces, dtype=np.float64)
    if forces.ndim != 2 or not len(forces):
        raise InputError(f"forces: shape [edges, dim] is needed, got {list(forces.shape)}")
    if not np.isfinite(forces).all():
        raise InputError("forces: some are not finite")
    squares = np.sort(((forces - forces.mean(axis=0)) ** 2).sum(axis=1))[::-1]
    if squares[0] == 0:
        raise InputError("forces: all equal, so there is no variance to share")
    return np.cumsum(squares) / squares.sum()


def held_by(held: np.ndarray, share: float = THOUSANDTH) -> float:
    """What of the variance a share of the edges holds, at least one edge."""
    return float(held[max(1, round(share * len(held))) - 1])


@styled
def encounter_figure(held: dict[str, np.ndarray]) -> tuple[Figure, str]:
    """Share of the forces' variance against share of the edges, one curve a law.

    Args:
        held: title -> what `variance_held` returned.
    """
    figure, (panel,) = grid(1, 1, 6.6, 3.6)
    for number, (title, curve) in enumerate(held.items()):
        colour, style = CYCLE[number % len(CYCLE)], _STYLES[number % len(_STYLES)]
        # A curve of a hundred thousand edges has no need of as many points.
        at = np.unique(np.geomspace(1, len(curve), 300).astype(int)) - 1
        panel.plot((at + 1) / len(curve), curve[at], color=colour, ls=style, lw=1.8, label=title)
    panel.axvline(THOUSANDTH, color=GREY, lw=0.8)
    panel.text(THOUSANDTH * 1.15, 1.03, "one in a thousand", fontsize=8, color="#555555")
    panel.set(xscale="log", xlim=(1e-5, 1), ylim=(0, 1.1))
    panel.set(xlabel="share of edges, largest forces first", ylabel="share of the variance")
    panel.xaxis.set_major_locator(FixedLocator([1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1]))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    panel.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    panel.yaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(loc="outside right upper", fontsize=9)
    shares = ", ".join(
        f"{title.replace('$', '')} {held_by(curve):.0%}" for title, curve in held.items()
    )
    return figure, (
        "Curves of the share of the variance of pair forces that the edges with the largest forces "
        f"hold, against the share of edges. One edge in a thousand holds: {shares}."
    )
