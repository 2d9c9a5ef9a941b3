"""Figures of the halo network: its one component, its kernel, its predictions.

As in `symlib.figures`, a function returns `(figure, alt)`.
"""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from symlib.cosmology.overdensity import RADIUS
from symlib.cosmology.reading import Kernel
from symlib.figures import BLUE, CYCLE, GREY, ORANGE, grid, styled

_LINES = ("-", "--", "-.", ":")


@styled
def halo_spectrum(spread) -> tuple[Figure, str]:
    """Standard deviations of all message components, largest first, on a logarithmic scale.

    Args:
        spread: shape [components]; components that were silenced are 0 and drawn at the foot.
    """
    spread = np.asarray(spread, np.float64)
    figure, (panel,) = grid(1, 1, 6.2, 3.0)
    floor = spread[0] * 1e-7
    alive = spread > floor
    number = np.arange(1, len(spread) + 1)
    panel.plot(number[alive], spread[alive], "o", color=BLUE, ms=6, label="speaking")
    if not alive.all():
        panel.plot(
            number[~alive],
            np.full((~alive).sum(), floor),
            "x",
            color=GREY,
            ms=4,
            label="exactly zero",
        )
    panel.axhline(spread[0] / 1000, color=ORANGE, ls="--", lw=1, label="a thousandth")
    panel.set(yscale="log", xlabel="message component", ylabel="standard deviation")
    panel.legend(loc="upper right")
    return figure, (
        f"Standard deviations of {len(spread)} message components on a logarithmic scale. "
        f"Not silenced: {int(alive.sum())}, the largest with {spread[0]:.2g}; the second has "
        f"{spread[1]:.2g} and the tenth {spread[min(9, len(spread) - 1)]:.2g}."
    )


@styled
def halo_kernel(found: Kernel) -> tuple[Figure, str]:
    """φᵉ₁ against separation, median and quartiles, one curve for each class of sender mass."""
    figure, (panel,) = grid(1, 1, 6.2, 3.6)
    centres = (found.edges[1:] + found.edges[:-1]) / 2
    for k, middle in enumerate(found.middle):
        colour = CYCLE[k % len(CYCLE)]
        label = f"{found.masses[k]:.2g} to {found.masses[k + 1]:.2g}"
        panel.fill_between(centres, found.low[k], found.high[k], color=colour, alpha=0.18, lw=0)
        panel.plot(centres, middle, color=colour, ls=_LINES[k % len(_LINES)], lw=1.8, label=label)
    panel.axvline(RADIUS, color=GREY, lw=1, ls=":")
    panel.annotate("20 Mpc/$h$", (RADIUS, 0.95), xycoords=("data", "axes fraction"),
                   xytext=(4, 0), textcoords="offset points", va="top")  # fmt: skip
    panel.set(xlabel="separation, Mpc/$h$", ylabel=r"message $\phi^e_1$ (own spread)")
    panel.set_xlim(0, found.edges[-1])
    panel.legend(title=r"sender, $10^{14}\,h^{-1}M_\odot$")
    half = found.half_radius
    where = f"falls to half at {half:.1f} Mpc/h" if np.isfinite(half) else "does not fall to half"
    return figure, (
        f"Median message against separation for {len(found.middle)} classes of sender mass. It is "
        f"largest at small separations and {where}; a dotted line marks the top-hat's 20 Mpc/h."
    )


@styled
def predicted_delta(delta, predictions: dict) -> tuple[Figure, str]:
    """Predicted against true overdensity: title -> δ̂, shape [halos]."""
    figure, panels = grid(1, len(predictions), 3.3 * len(predictions), 3.4)
    delta = np.asarray(delta)
    low, high = float(delta.min()), float(delta.max())
    told = []
    for panel, (title, values) in zip(panels, predictions.items(), strict=True):
        panel.hexbin(delta, values, gridsize=60, bins="log", cmap="Blues", linewidths=0.1,
                     extent=(low, high, low, high))  # fmt: skip
        panel.plot([low, high], [low, high], color=GREY, lw=1)
        error = float(np.abs(delta - values).mean())
        panel.set(xlabel=r"true $\delta$", title=f"{title}: {error:.3f}", aspect="equal")
        panel.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        told.append(f"{title} {error:.3f}")
    panels[0].set_ylabel(r"predicted $\hat\delta$")
    return figure, (
        f"Predicted against true overdensity of {len(delta)} halos, along the diagonal. Mean "
        f"absolute errors: {', '.join(told)}."
    )
