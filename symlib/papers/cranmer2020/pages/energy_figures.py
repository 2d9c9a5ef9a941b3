"""Figures of the FlatHGN chapter, each with the text that stands for it (see `figures.py`)."""

import numpy as np
from matplotlib.figure import Figure

from symlib.book.figures import BLACK, BLUE, GREEN, GREY, ORANGE, RED, SKY, grid, styled
from symlib.messages.energies import Energies
from symlib.papers.cranmer2020.data import TABLE_3, cell_name

# Truth first; line styles differ as well, for print and for the colour-blind.
LOOKS = {
    "truth": (BLACK, "-"),
    "message passing": (ORANGE, "--"),
    "FlatHGN": (BLUE, "-"),
    "equation": (GREEN, "-."),
}


@styled
def energies_and_truth(energies: Energies, label: str = "") -> tuple[Figure, str]:
    """Pair energy against distance and self energy against kinetic energy.

    Args:
        energies: on held-out snapshots.
        label: of the true potential, for the legend. The learned energy is shown less a
            constant, since no constant can be learned.
    """
    figure, (left, right) = grid(1, 2, 8.0, 3.5)
    rows = np.random.default_rng(0).permutation(len(energies.pair))[:3000]
    r = energies.pair_inputs[rows, -1]
    potential = energies.potential
    middle = np.median(energies.pair - potential)
    left.scatter(r, energies.pair[rows] - middle, s=5, color=SKY, alpha=0.5, linewidths=0,
                 label="learned", rasterized=True)  # fmt: skip
    order = np.argsort(r)
    left.plot(r[order], potential[rows][order], color=BLACK, lw=1.2, label=label or "truth")
    top = np.quantile(potential, 0.99)
    left.set(xlabel="distance $r$", ylabel="pair energy (less a constant)",
             xlim=(0, np.quantile(r, 0.995)),
             ylim=(min(0, potential.min()) - 0.06 * top, 1.06 * top))  # fmt: skip
    left.legend()
    mass, momentum = energies.own_inputs[:, 0], energies.own_inputs[:, -1]
    kinetic = momentum**2 / (2 * mass)
    rows = np.random.default_rng(1).permutation(len(kinetic))[:3000]
    top = np.quantile(kinetic, 0.99)
    right.plot([0, top], [0, top], color=GREY, lw=1, zorder=0)
    right.scatter(kinetic[rows], energies.own[rows], s=5, color=BLUE, alpha=0.4, linewidths=0,
                  rasterized=True)  # fmt: skip
    right.set(xlabel="$p^2 / 2m$", ylabel="self energy (from rest)",
              xlim=(0, top), ylim=(-0.04 * top, 1.04 * top))  # fmt: skip
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
    truth = paths["truth"]
    dim = (truth.shape[-1] - 2) // 2
    # Distances from the centre of mass: where the whole system drifts to is not of interest.
    portraits = {kind: _portrait(states, dim) for kind, states in paths.items()}
    wide = 1.25 * np.abs(portraits["truth"]).max(axis=0)
    for panel, (kind, orbit) in zip(panels, portraits.items(), strict=True):
        panel.plot(*orbit.T, color=LOOKS[kind][0], lw=0.35, alpha=0.8)
        panel.set(title=kind, xlabel="$x_1$", xlim=(-wide[0], wide[0]), ylim=(-wide[1], wide[1]))
    panels[0].set_ylabel(r"$\dot{x}_1$")
    panel = below.subplots()
    panel.axvspan(0, horizon, color=GREY, alpha=0.2, lw=0)
    panel.text(horizon, 0.93, " length of a training simulation",
               transform=panel.get_xaxis_transform(), color="#555555", fontsize=9)  # fmt: skip
    ends = []
    for kind, drift in drifts.items():
        colour, line = LOOKS[kind]
        middle = np.nanmedian(drift, axis=0)
        panel.plot(times[1:], np.maximum(middle[1:], 1e-12), color=colour, ls=line, lw=1.1,
                   label=kind)  # fmt: skip
        ends.append(f"{kind} {middle[-1]:.2g}")
    panel.set(yscale="log", xlabel="time", ylabel="energy error / kinetic energy",
              xlim=(0, times[-1]))  # fmt: skip
    panel.set_ylim(1e-10, 3.0)
    panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure, (
        f"Above: velocity against position of one of {truth.shape[1]} bodies over a time of "
        f"{times[-1]:.0f}, for {', '.join(paths)}. Below: the error of the energy against time on "
        f"a logarithmic scale, median over {len(next(iter(drifts.values())))} systems; at the end: "
        f"{'; '.join(ends)}."
    )


def _portrait(states: np.ndarray, dim: int) -> np.ndarray:
    mass = states[..., -1:]
    centre = (states[..., : 2 * dim] * mass).sum(axis=1) / mass.sum(axis=1)
    own = states[:, 0, : 2 * dim] - centre
    return own[:, [0, dim]]


@styled
def table_3_column(rows: list[dict]) -> tuple[Figure, str]:
    """FlatHGN's test losses beside the paper's, a point for each law and dimension.

    Args:
        rows: name, loss, trivial, paper (each a loss).
    """
    figure, (panel,) = grid(1, 1, 6.6, 0.34 * len(rows) + 1.2)
    places = np.arange(len(rows))[::-1]
    panel.hlines(places, [r["loss"] for r in rows], [r["trivial"] for r in rows], color=GREY, lw=1)
    for key, marker, colour, what in (
        ("trivial", "|", GREY, "trivial predictor"),
        ("paper", "D", RED, "paper"),
        ("loss", "o", BLUE, "here"),
    ):
        panel.plot([r[key] for r in rows], places, marker, color=colour, ms=7, label=what,
                   markerfacecolor="none" if key == "paper" else colour)  # fmt: skip
    panel.set_yticks(places, [r["name"] for r in rows])
    panel.set(xscale="log", xlabel="test loss")
    panel.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    told = "; ".join(f"{r['name']} {r['loss']:.2g} (paper {r['paper']:.2g})" for r in rows)
    return figure, (
        "Test losses of FlatHGN on a logarithmic axis, one row for each law and dimension, beside "
        f"those of the paper and of the trivial predictor: {told}."
    )


def column_rows(records: list[dict]) -> list[dict]:
    """Records of FlatHGN as rows for `table_3_column`, seeds averaged, in the paper's order."""
    rows = []
    for (law, dim), paper in TABLE_3.items():
        mine = [r for r in records if (r["law"], r["dim"]) == (law, dim)]
        if mine:
            rows.append(
                {
                    "name": cell_name(law, dim),
                    "loss": float(np.mean([r["test_loss"] for r in mine])),
                    "trivial": float(np.mean([r["trivial_loss"] for r in mine])),
                    "paper": paper["flathgn"],
                }
            )
    return rows
