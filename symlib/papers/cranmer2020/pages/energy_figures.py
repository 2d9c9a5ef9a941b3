"""Figures of the FlatHGN chapter, each with the text that stands for it."""

import numpy as np
from matplotlib.figure import Figure

from symlib.book.figures import BLACK, BLUE, GREEN, GREY, ORANGE, RED, SKY, grid, styled
from symlib.messages.energies import Energies
from symlib.papers.cranmer2020.data import TABLE_3, cell_name
from symlib.papers.cranmer2020.pages.equation_figures import centred
from symlib.papers.cranmer2020.pages.runs import frame

# Truth first; line styles differ as well, for print and for the colour-blind.
LOOKS = {
    "truth": (BLACK, "-"),
    "message passing": (ORANGE, "--"),
    "FlatHGN": (BLUE, "-"),
    "equation": (GREEN, "-."),
}
_DOTS = {"linewidths": 0, "rasterized": True}


@styled
def energies_and_truth(energies: Energies, label: str = "truth") -> tuple[Figure, str]:
    """Pair energy against distance and self energy against kinetic energy.

    Args:
        energies: on held-out snapshots.
        label: of the true potential, for the legend. The learned energy is shown less a
            constant, since no constant can be learned.
    """
    figure, (left, right) = grid(1, 2, 8.0, 3.5)
    rows = np.random.default_rng(0).permutation(len(energies.pair))[:3000]
    r, potential = energies.pair_inputs[rows, -1], energies.potential
    pair = energies.pair - np.median(energies.pair - potential)
    left.scatter(r, pair[rows], s=5, color=SKY, alpha=0.5, label="learned", **_DOTS)
    order = np.argsort(r)
    left.plot(r[order], potential[rows][order], color=BLACK, lw=1.2, label=label)
    top = np.quantile(potential, 0.99)
    left.set(
        xlim=(0, np.quantile(r, 0.995)), ylim=(min(0, potential.min()) - 0.06 * top, 1.06 * top)
    )
    left.set(xlabel="distance $r$", ylabel="pair energy (less a constant)")
    left.legend()
    kinetic = energies.own_inputs[:, -1] ** 2 / (2 * energies.own_inputs[:, 0])
    rows = np.random.default_rng(1).permutation(len(kinetic))[:3000]
    top = np.quantile(kinetic, 0.99)
    right.plot([0, top], [0, top], color=GREY, lw=1, zorder=0)
    right.scatter(kinetic[rows], energies.own[rows], s=5, color=BLUE, alpha=0.4, **_DOTS)
    right.set(xlabel="$p^2 / 2m$", ylabel="self energy (from rest)")
    right.set(xlim=(0, top), ylim=(-0.04 * top, 1.04 * top))
    r2 = energies.r2()
    return figure, (
        "Left: the learned energy of each pair against its distance, with the true potential as a "
        "line. Right: the learned self energy against the kinetic energy p squared over 2m, with "
        "the diagonal. The pair energy's slope explains "
        f"{r2['force']['kept90']:.4f} of the force's variance and the self energy's "
        f"{r2['velocity']['kept90']:.4f} of the velocity's, a tenth of the points left out."
    )


@styled
def long_rollouts(
    times, paths: dict[str, np.ndarray], drifts: dict[str, np.ndarray], horizon: float
) -> tuple[Figure, str]:
    """Phase portraits of one body and energy errors of several systems over a long time.

    Args:
        times: shape [steps].
        paths: kind (see LOOKS) -> one system's states, shape [steps, bodies, 2 dim + 2].
        drifts: kind -> energy error relative to the kinetic energy, shape [systems, steps].
        horizon: how long the simulations of the training set last.
    """
    figure = Figure(figsize=(9.2, 5.6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.15))
    panels = above.subplots(1, len(paths), sharex=True, sharey=True)
    bodies, dim = paths["truth"].shape[1], paths["truth"].shape[2] // 2 - 1
    # Where the whole system drifts to is not of interest.
    portraits = {kind: centred(states)[:, 0, [0, dim]] for kind, states in paths.items()}
    wide, high = 1.25 * np.abs(portraits["truth"]).max(axis=0)
    for panel, (kind, orbit) in zip(panels, portraits.items(), strict=True):
        panel.plot(*orbit.T, color=LOOKS[kind][0], lw=0.35, alpha=0.8)
        panel.set(title=kind, xlabel="$x_1$", xlim=(-wide, wide), ylim=(-high, high))
    panels[0].set_ylabel(r"$\dot{x}_1$")
    panel, ends = below.subplots(), []
    panel.axvspan(0, horizon, color=GREY, alpha=0.2, lw=0)
    where = {"transform": panel.get_xaxis_transform(), "color": "#555555", "fontsize": 9}
    panel.text(horizon, 0.93, " length of a training simulation", **where)
    for kind, drift in drifts.items():
        colour, line = LOOKS[kind]
        middle = np.nanmedian(drift, axis=0)
        seen = np.maximum(middle[1:], 1e-12)
        panel.plot(times[1:], seen, color=colour, ls=line, lw=1.1, label=kind)
        ends.append(f"{kind} {middle[-1]:.2g}")
    panel.set(xlabel="time", ylabel="energy error / kinetic energy")
    panel.set(yscale="log", xlim=(0, times[-1]), ylim=(1e-10, 3.0))
    panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure, (
        f"Above: velocity against position of one of {bodies} bodies over a time of "
        f"{times[-1]:.0f}, for {', '.join(paths)}. Below: the error of the energy against time on "
        f"a logarithmic scale, median over {len(next(iter(drifts.values())))} systems; at the end: "
        f"{'; '.join(ends)}."
    )


@styled
def table_3_column(records: list[dict]) -> tuple[Figure, str]:
    """FlatHGN's test losses beside the paper's, a point for each law and dimension.

    Args:
        records: of FlatHGN; seeds are averaged.
    """
    means = frame(dict(enumerate(records))).groupby(["law", "dim"]).mean(numeric_only=True)
    rows = means.loc[[cell for cell in TABLE_3 if cell in means.index]]
    paper = [TABLE_3[cell]["flathgn"] for cell in rows.index]
    names = [cell_name(*cell) for cell in rows.index]
    figure, (panel,) = grid(1, 1, 6.6, 0.34 * len(rows) + 1.2)
    places = np.arange(len(rows))[::-1]
    panel.hlines(places, rows.test_loss, rows.trivial_loss, color=GREY, lw=1)
    panel.plot(rows.trivial_loss, places, "|", color=GREY, ms=7, label="trivial predictor")
    panel.plot(paper, places, "D", color=RED, ms=7, mfc="none", label="paper")
    panel.plot(rows.test_loss, places, "o", color=BLUE, ms=7, label="here")
    panel.set_yticks(places, names)
    panel.set(xscale="log", xlabel="test loss")
    panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    told = "; ".join(
        f"{name} {ours:.2g} (paper {theirs:.2g})"
        for name, ours, theirs in zip(names, rows.test_loss, paper, strict=True)
    )
    return figure, (
        "Test losses of FlatHGN on a logarithmic axis, one row for each law and dimension, beside "
        f"those of the paper and of the trivial predictor: {told}."
    )
