"""Figures of the cosmology chapter, each with the text that stands for it."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from symlib.book.figures import BLACK, BLUE, CYCLE, GREEN, GREY, ORANGE, RED, grid, styled
from symlib.cosmology import reading
from symlib.cosmology.catalogue import Catalogue
from symlib.cosmology.formulas import half_radius, kernel, paper_constants
from symlib.cosmology.neighbours import LINKING
from symlib.cosmology.universe.halos import RADIUS
from symlib.papers.cranmer2020.study.table6 import LABELS, constants_of

SMOOTH = {"with_mass": (BLUE, "-"), "without_mass": (GREEN, "-.")}
_SMOOTHING = 1.0  # Mpc/h, the width of the picture's Gaussian
_LEAST_DENSITY = 0.1  # of the mean; emptier cells are drawn alike


@styled
def kernel_and_tophat(records: Sequence[dict]) -> tuple[Figure, str]:
    """The weight of a neighbour against its distance, and the top-hat that δ is measured in.

    Args:
        records: of `symlib.papers.cranmer2020.study.table6`, with_mass and without_mass among them.
    """
    rows = {record["formula"]: record for record in records}
    r, told = np.linspace(0.05, LINKING, 800), []
    figure, (panel,) = grid(1, 1, 7.2, 3.6)
    top = rf"top-hat of $\delta$, {RADIUS:g} Mpc/$h$"
    panel.fill_between([0, RADIUS], 0, 1, color=GREY, alpha=0.25, lw=0, label=top)
    theirs = paper_constants("with_mass")
    radius = half_radius("with_mass", theirs)
    weights, label = kernel("with_mass", theirs, r), f"paper, with mass: {radius:.1f} Mpc/$h$"
    panel.plot(r, weights, color=ORANGE, ls="--", lw=1.8, label=label)
    for row, (colour, line) in SMOOTH.items():
        weights, half = kernel(*constants_of(rows[row]), r), rows[row]["half_radius"]
        name = LABELS[row].lower().removeprefix("best, ")
        size = f"{half['value']:.2f} ± {half['standard_error']:.2f}"
        panel.plot(r, weights, color=colour, ls=line, lw=1.8, label=f"{name}: {size} Mpc/$h$")
        told.append(f"{size} Mpc/h for {name}")
    panel.axhline(0.5, color=GREY, lw=0.8, zorder=0)
    panel.set(xlabel=r"distance $r$ [Mpc/$h$]", ylabel="weight of a neighbour")
    panel.set(xlim=(0, LINKING), ylim=(0, 1.08))
    panel.legend(title="half as high at", loc="upper right")
    return figure, (
        "The weight of a neighbour against its distance: a smooth top-hat that falls from one to "
        f"zero. It is half as high at {' and '.join(told)}, at {radius:.1f} Mpc/h with the "
        f"paper's constants; the top-hat that the overdensity is measured in ends at {RADIUS:g}."
    )


@styled
def predicted_against_true(
    delta: np.ndarray, predicted: dict[str, np.ndarray], cut: float
) -> tuple[Figure, str]:
    """δ̂ against δ for several formulas or networks, on the same halos.

    Args:
        delta: shape [halos].
        predicted: title -> δ̂, each of that shape.
        cut: a δ above which nothing was fitted, drawn as a line.
    """
    figure, panels = grid(1, len(predicted), 2.9 * len(predicted), 3.2, sharex=True, sharey=True)
    rows = np.random.default_rng(0).permutation(len(delta))[:6000]
    low, high = np.quantile(delta, [0.001, 0.999])
    limits = (low - 0.08 * (high - low), high + 0.08 * (high - low))
    told = [f"{title} {np.abs(values - delta).mean():.3f}" for title, values in predicted.items()]
    dots = {"s": 3, "alpha": 0.25, "color": BLUE, "linewidths": 0, "rasterized": True}
    for panel, values, title in zip(panels, predicted.values(), told, strict=True):
        panel.scatter(delta[rows], values[rows], **dots)
        panel.plot(limits, limits, color=BLACK, lw=1)
        panel.axvline(cut, color=ORANGE, ls="--", lw=1.2)
        panel.set(title=title, xlabel=r"$\delta$", xlim=limits, ylim=limits, aspect="equal")
    panels[0].set_ylabel(r"$\hat\delta$")
    return figure, (
        "Predicted overdensity against the true one, a panel each, with the diagonal. The mean "
        f"absolute errors are: {'; '.join(told)}. A dashed line at {cut:.2f} marks where fitted "
        "halos end."
    )


@styled
def universe_slice(catalogue: Catalogue) -> tuple[Figure, str]:
    """A slab of the simulated universe: its matter, and its halos as circles.

    Circles grow with the cube root of the mass, as halos do, and are drawn larger than those.

    Raises:
        InputError: a catalogue without a density slice.
    """
    inside, picture, box = catalogue.in_slice(), catalogue.slice, catalogue.box
    figure, (panel,) = grid(1, 1, 6.6, 5.6)
    # A cell holds few particles, on what is left of their first lattice; the eye wants a mean.
    width = _SMOOTHING / box * len(picture.values)
    density = np.clip(gaussian_filter(picture.values, width, mode="wrap"), _LEAST_DENSITY, None)
    image = panel.imshow(
        density.T, origin="lower", extent=(0, box, 0, box), cmap="bone_r",
        norm=LogNorm(_LEAST_DENSITY, np.quantile(density, 0.999)), interpolation="bilinear",
    )  # fmt: skip
    mass = catalogue.masses[inside] / catalogue.masses.max()
    area = 250 * min(1.0, 300 / box) * mass ** (2 / 3)
    ring = {"facecolors": "none", "edgecolors": RED, "linewidths": 0.6}
    panel.scatter(*catalogue.positions[inside, :2].T, s=area, **ring)
    panel.set(xlabel=r"$x$ [Mpc/$h$]", ylabel=r"$y$ [Mpc/$h$]", xlim=(0, box), ylim=(0, box))
    panel.spines[["top", "right"]].set_visible(True)
    bar = figure.colorbar(image, ax=panel, label="density / mean", shrink=0.9)
    bar.ax.yaxis.set_major_formatter("{x:g}")
    thickness = picture.high - picture.low
    panel.set_title(f"{thickness:.0f} Mpc/$h$ thick, {inside.sum():,} halos")
    return figure, (
        f"The density of a slab {thickness:.0f} Mpc/h thick through a box of {box:g} Mpc/h, with "
        f"its {inside.sum():,} halos as circles. Matter lies in a web of filaments around empty "
        "regions; halos sit on the filaments and the heaviest where filaments meet."
    )


@styled
def halo_spectrum(spread) -> tuple[Figure, str]:
    """Standard deviations of all message components, largest first, on a logarithmic scale.

    Args:
        spread: shape [components]; components that were silenced are 0 and drawn at the foot.
    """
    spread = np.asarray(spread, np.float64)
    figure, (panel,) = grid(1, 1, 6.2, 3.0)
    foot = np.full_like(spread, spread[0] * 1e-7)
    alive, number = spread > foot, np.arange(1, len(spread) + 1)
    panel.plot(number[alive], spread[alive], "o", color=BLUE, ms=6, label="speaking")
    panel.plot(number[~alive], foot[~alive], "x", color=GREY, ms=4, label="exactly zero")
    panel.axhline(spread[0] / 1000, color=ORANGE, ls="--", lw=1, label="a thousandth")
    panel.set(yscale="log", xlabel="message component", ylabel="standard deviation")
    panel.legend(loc="upper right")
    return figure, (
        f"Standard deviations of {len(spread)} message components on a logarithmic scale. "
        f"Not silenced: {int(alive.sum())}, the largest with {spread[0]:.2g}; the second has "
        f"{spread[1]:.2g} and the tenth {spread[min(9, len(spread) - 1)]:.2g}."
    )


@styled
def halo_kernel(found: pd.DataFrame) -> tuple[Figure, str]:
    """φᵉ₁ against separation, median and quartiles, one curve for each class of sender mass.

    Args:
        found: of `symlib.cosmology.reading.kernel`.
    """
    figure, (panel,) = grid(1, 1, 6.2, 3.6)
    classes = found.groupby(level=0, observed=False)
    for (mass, curves), colour, line in zip(classes, CYCLE, cycle(("-", "--", "-.", ":"))):
        r = [shell.mid for _, shell in curves.index]
        label = f"{mass.left:.2g} to {mass.right:.2g}"
        panel.fill_between(r, curves[0.25], curves[0.75], color=colour, alpha=0.18, lw=0)
        panel.plot(r, curves[0.5], color=colour, ls=line, lw=1.8, label=label)
    panel.axvline(RADIUS, color=GREY, lw=1, ls=":")
    place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top"}
    panel.annotate("20 Mpc/$h$", (RADIUS, 0.95), xytext=(4, 0), **place)
    panel.set(xlabel="separation, Mpc/$h$", ylabel=r"message $\phi^e_1$ (own spread)")
    panel.set_xlim(0, LINKING)
    panel.legend(title=r"sender, $10^{14}\,h^{-1}M_\odot$")
    half = reading.half_radius(found)
    where = f"falls to half at {half:.1f} Mpc/h" if np.isfinite(half) else "does not fall to half"
    return figure, (
        f"Median message against separation for {len(classes)} classes of sender mass. It is "
        f"largest at small separations and {where}; a dotted line marks the top-hat's 20 Mpc/h."
    )
