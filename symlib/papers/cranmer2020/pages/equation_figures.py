"""Figures of the chapter on equations, each with the text that stands for it.

Figure 5 of the paper and raw regression against ours are drawn from records; figure 4, and how few
edges hold the forces, from simulations. Figure 6 is `symlib.book.interactive.show_pareto`.
"""

import functools

import jax
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from symlib.book.figures import AXES, BLUE, CYCLE, GREY, ORANGE, SKY, grid, styled
from symlib.choices import MESSAGE_MODELS
from symlib.laws.potentials import PairPotential, pair_forces
from symlib.papers.cranmer2020.data import MODEL_NAMES
from symlib.papers.cranmer2020.study.eight_bodies import DIM

THOUSANDTH = 1e-3
_STYLES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)))


def centred(states) -> np.ndarray:
    """Positions and velocities relative to the centre of mass.

    Args:
        states: shape [..., bodies, 2 dim + 2].
    """
    states = np.array(states, dtype=np.float64)
    mass = states[..., -1:]
    middle = (mass * states[..., :-2]).sum(axis=-2, keepdims=True)
    states[..., :-2] -= middle / mass.sum(axis=-2, keepdims=True)
    return states


def liveliest(states) -> int:
    """Which of several systems turns most: the median over bodies of the angle turned.

    Args:
        states: shape [systems, steps, bodies, 6]; 2D.
    """
    velocity = centred(states)[..., 2:4]
    heading = np.unwrap(np.arctan2(velocity[..., 1], velocity[..., 0]), axis=1)
    turned = np.abs(np.diff(heading, axis=1)).sum(axis=1)
    return int(np.argmax(np.median(turned, axis=1)))


@styled
def figure5(records: dict[str, dict]) -> tuple[Figure, str]:
    """The leading messages of four models against combinations of true components (Figure 5).

    Args:
        records: of `symlib eight`, by model; a model without one leaves its panels empty.
    """
    figure, panels = grid(DIM, len(MESSAGE_MODELS), 8.2, 2.25 * DIM)
    told = []
    for column, model in zip(panels.reshape(DIM, -1).T, MESSAGE_MODELS, strict=True):
        record = records.get(model, {})
        parts = record.get("components", [])
        said = "failed" if "failed" in record else record.get("quantity", "not yet run")
        column[0].set_title(f"{MODEL_NAMES[model]}, {said}")
        for panel, part in zip(column, parts, strict=False):
            _against(panel, part["combination"], part["message"], BLUE, part["r2"]["kept90"])
            true = "F" if said == "force" else "a"
            terms = zip(part["coefficients"], AXES[:DIM], strict=False)
            label = " ".join(f"{factor:+.2g}$\\,{true}_{axis}$" for factor, axis in terms)
            panel.set_xlabel(label.replace("-", "−"), fontsize=9)
        for panel in column[len(parts) :]:
            panel.set(xticks=[], yticks=[], box_aspect=1)
        fits = ", ".join(f"{part['r2']['kept90']:.3f}" for part in parts)
        told.append(f"{MODEL_NAMES[model]}, {said}" + (f": {fits}" if fits else ""))
    for k, panel in enumerate(panels[:: len(MESSAGE_MODELS)], start=1):
        panel.set_ylabel(f"message component {k}")
    return figure, (
        "Scatter plots of the most significant message components, a column for each model and a "
        "row for each component, against their best linear combination of the true pair's "
        "components, for springs with eight bodies. R squared over the 90% with the smallest "
        f"residuals: {'; '.join(told)}."
    )


@styled
def raw_against_factorised(record: dict) -> tuple[Figure, str]:
    """Predicted against true accelerations: raw regression, our equations, our network.

    Args:
        record: of `symlib raw`.
    """
    ways = {
        "raw": ("raw regression", ORANGE),
        "equations": ("equations of the messages", BLUE),
        "network": ("network", SKY),
    }
    sample, told = record["sample"], []
    figure, panels = grid(1, len(ways), 8.2, 3.1, sharex=True, sharey=True)
    # Close encounters would leave all others in a dot at the centre.
    half = 1.1 * max(float(np.quantile(np.abs(sample["truth"]), 0.9)), 1e-9)
    for panel, (way, (title, colour)) in zip(panels, ways.items(), strict=True):
        r2 = record["goodness"][way]["r2_kept90"]
        _against(panel, sample["truth"], sample[way], colour, r2, (-half, half))
        panel.set(title=title, xlabel="true acceleration")
        told.append(f"{title} {_number(r2)}")
    panels[0].set_ylabel("predicted acceleration")
    return figure, (
        f"Predicted against true {record['target']} of {record['bodies']} bodies on held-out "
        "snapshots. R squared over the 90% with the smallest residuals: "
        f"{', '.join(told)}. Points on the grey diagonal are predicted exactly."
    )


def _against(panel, x, y, colour: str, r2: float | None, limits=None) -> None:
    """Points around the diagonal; the outermost lie on the frame where limits cut them off."""
    if limits is None:
        low, high = np.quantile([x, y], [0.005, 0.995])
        pad = 0.08 * (high - low) + 1e-9
        limits = low - pad, high + pad
    panel.plot(limits, limits, color=GREY, lw=1, zorder=0)
    x, y = np.clip(x, *limits), np.clip(y, *limits)
    panel.scatter(x, y, s=9, alpha=0.5, color=colour, linewidths=0)
    panel.set(xlim=limits, ylim=limits, box_aspect=1)
    panel.locator_params(nbins=4, steps=[1, 2, 5, 10])
    # Readable where points lie below it.
    box = {"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 1.5}
    panel.text(0.04, 0.96, f"$R^2$ = {_number(r2)}", va="top", fontsize=9, bbox=box,
               transform=panel.transAxes)  # fmt: skip


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}".replace("-", "−")


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


def variance_held(forces: np.ndarray) -> np.ndarray:
    """Share of the variance that the edges of largest force hold: the n-th entry by n + 1 edges.

    An ordinary R² is one minus a share of this variance.

    Args:
        forces: shape [edges, dim], not all equal.
    """
    squares = np.sort(((forces - forces.mean(axis=0)) ** 2).sum(axis=1))[::-1]
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
    for (title, curve), colour, style in zip(held.items(), CYCLE, _STYLES, strict=False):
        # A curve of a hundred thousand edges has no need of as many points.
        at = np.unique(np.geomspace(1, len(curve), 300).astype(int)) - 1
        panel.plot((at + 1) / len(curve), curve[at], color=colour, ls=style, lw=1.8, label=title)
    panel.axvline(THOUSANDTH, color=GREY, lw=0.8)
    panel.text(THOUSANDTH * 1.15, 1.03, "one in a thousand", fontsize=8, color="#555555")
    panel.set(xscale="log", xlim=(1e-5, 1), ylim=(0, 1.1))
    panel.set(xlabel="share of edges, largest forces first", ylabel="share of the variance")
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
    panel.yaxis.set_major_formatter(PercentFormatter(1))
    panel.set_yticks([0, 0.25, 0.5, 0.75, 1])
    figure.legend(loc="outside right upper", fontsize=9)
    shares = (f"{title.replace('$', '')} {held_by(curve):.0%}" for title, curve in held.items())
    return figure, (
        "Curves of the share of the variance of pair forces that the edges with the largest forces "
        f"hold, against the share of edges. One edge in a thousand holds: {', '.join(shares)}."
    )
