"""Figures 4, 5 and 6 of the paper, and raw regression against ours, drawn from records.

Like `symlib.book.figures`: each function returns `(figure, alt)` for `symlib.book.building.show`.
"""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from symlib.book.figures import AXES, BLUE, CYCLE, GREY, ORANGE, RED, SKY, styled
from symlib.errors import InputError
from symlib.papers.cranmer2020.data import MESSAGE_MODELS
from symlib.papers.cranmer2020.pages.equation_records import front_of
from symlib.papers.cranmer2020.pages.scoreboard_tables import MODELS

# Marker areas: of a body of unit mass, and of the lightest and the heaviest that are drawn so.
_AREA, _LIGHT, _HEAVY = 12.0, 0.35, 7.0
_SHOWN = 120  # dots of a trail


def centred(states) -> np.ndarray:
    """Positions and velocities relative to the centre of mass.

    Args:
        states: shape [..., bodies, 6]; 2D.
    """
    states = np.array(states, dtype=np.float64)
    mass = states[..., -1:]
    middle = (mass * states[..., :4]).sum(axis=-2, keepdims=True)
    states[..., :4] -= middle / mass.sum(axis=-2, keepdims=True)
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
def long_exposures(films: dict) -> tuple[Figure, str]:
    """Long exposures around the centre of mass, one system of each law (Figure 4).

    Args:
        films: title -> states of one system, shape [steps, bodies, 6]; 2D.
    """
    columns = min(3, len(films))
    rows = -(-len(films) // columns)
    figure = Figure(figsize=(2.9 * columns, 2.95 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, (title, states) in zip(panels, films.items(), strict=False):
        states = centred(states)
        shown = np.linspace(0, len(states) - 1, min(_SHOWN, len(states))).astype(int)
        fade = np.linspace(0.12, 0.85, len(states))
        # The heaviest first, so that it hides no other.
        for number in np.argsort(-states[0, :, -1], kind="stable"):
            colours = np.tile(mpl.colors.to_rgba(CYCLE[number % len(CYCLE)]), (len(states), 1))
            colours[:, 3] = fade
            path = states[:, number, :2]
            segments = np.stack([path[:-1], path[1:]], axis=1)
            panel.add_collection(mpl.collections.LineCollection(segments, colors=colours, lw=0.6))
            size = _AREA * np.clip(states[0, number, -1], _LIGHT, _HEAVY)
            panel.scatter(*path[shown].T, s=size, color=colours[shown], linewidths=0)
            # Where it is in the end.
            panel.scatter(*path[-1], s=size, color=colours[-1, :3], edgecolors="white", lw=0.5)
        low, high = np.quantile(states[..., :2], [0.002, 0.998], axis=(0, 1))
        centre, half = (low + high) / 2, 0.58 * (high - low).max()
        panel.set_xlim(centre[0] - half, centre[0] + half)
        panel.set_ylim(centre[1] - half, centre[1] + half)
        panel.set(title=title, box_aspect=1)
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_locator(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
    for panel in panels[len(films) :]:
        panel.remove()
    names = ", ".join(title.replace("$", "").replace("\\", "") for title in films)
    return figure, (
        f"Long exposures of systems of four bodies in the plane, one for each of the laws {names}. "
        "Each body leaves a trail of dots that grows darker with time; the area of a dot is the "
        "body's mass. Springs draw loops, gravity and charges bend paths or fling bodies apart."
    )


@styled
def figure5(records: dict[str, dict]) -> tuple[Figure, str]:
    """The leading messages of four models against combinations of true components (Figure 5).

    Args:
        records: of `symlib eight`, by model; a model without one leaves its panels empty.
    """
    sizes = {len(record["components"]) for record in records.values() if "failed" not in record}
    rows = max(sizes, default=2)
    figure = Figure(figsize=(2.05 * len(MESSAGE_MODELS), 2.25 * rows), layout="constrained")
    panels = figure.subplots(rows, len(MESSAGE_MODELS), squeeze=False)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.05)
    told = []
    for column, model in zip(panels.T, MESSAGE_MODELS, strict=True):
        column[0].set_title(MODELS[model])
        record = records.get(model)
        if record is None or "failed" in record:
            for panel in column:
                panel.text(
                    0.5, 0.5, "not yet run" if record is None else "failed",
                    ha="center", color=GREY, transform=panel.transAxes,
                )  # fmt: skip
                panel.set(xticks=[], yticks=[], box_aspect=1)
            told.append(f"{MODELS[model]}: {'not yet run' if record is None else 'failed'}")
            continue
        letter = "F" if record["quantity"] == "force" else "a"
        for k, (panel, part) in enumerate(zip(column, record["components"], strict=True)):
            _against(panel, part["combination"], part["message"], BLUE)
            *terms, _ = part["coefficients"]
            label = " ".join(
                f"{c:+.2g}$\\,{letter}_{AXES[j]}$" for j, c in enumerate(terms)
            ).replace("-", "−")
            panel.set_xlabel(label, fontsize=9)
            _label(panel, part["r2"]["kept90"])
            if k == 0:
                panel.set_title(f"{MODELS[model]}, {record['quantity']}")
        fits = ", ".join(f"{part['r2']['kept90']:.3f}" for part in record["components"])
        told.append(f"{MODELS[model]}, {record['quantity']}: {fits}")
    for k, panel in enumerate(panels[:, 0], start=1):
        panel.set_ylabel(f"message component {k}")
    return figure, (
        "Scatter plots of the most significant message components, a column for each model and a "
        "row for each component, against their best linear combination of the true pair's "
        "components, for springs with eight bodies. R squared over the 90% with the smallest "
        f"residuals: {'; '.join(told)}."
    )


@styled
def figure6(record: dict) -> tuple[Figure, str]:
    """Error and score against complexity, from a record's front (Figure 6).

    Raises:
        InputError: the record has no front.
    """
    rows = front_of(record)
    if not rows:
        raise InputError("record: it has no front to draw")
    level, loss, score = (
        np.array([row[name] for row in rows]) for name in ("complexity", "loss", "score")
    )
    at = int(record["complexity"])
    chosen = level == at
    figure = Figure(figsize=(6.6, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.4, 1))
    above.plot(level, loss, "o-", color=BLUE, ms=4, drawstyle="steps-post")
    above.plot(level[chosen], loss[chosen], "*", color=RED, ms=15, label="selected", zorder=5)
    above.set(yscale="log", ylabel="mean absolute error")
    above.legend()
    below.bar(level, score, color=[RED if one else SKY for one in chosen])
    below.set(xlabel="complexity", ylabel="score")
    return figure, (
        f"Two plots over the complexity of {len(rows)} equations for {record['law']}-"
        f"{record['dim']}: above, their mean absolute error, falling from {loss[0]:.2g} to "
        f"{loss[-1]:.2g} on a logarithmic scale; below, the drop of its logarithm per unit of "
        f"complexity. The largest drop, at complexity {at}, selects one of them."
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
    figure = Figure(figsize=(8.2, 3.1), layout="constrained")
    panels = figure.subplots(1, len(ways), sharex=True, sharey=True)
    # Close encounters would leave all others in a dot at the centre.
    half = 1.1 * max(float(np.quantile(np.abs(sample["truth"]), 0.9)), 1e-9)
    for panel, (way, (title, colour)) in zip(panels, ways.items(), strict=True):
        _against(panel, sample["truth"], sample[way], colour, (-half, half))
        fit = record["goodness"][way]
        panel.set(title=title, xlabel="true acceleration")
        _label(panel, fit["r2_kept90"])
        told.append(f"{title} {_number(fit['r2_kept90'])}")
    panels[0].set_ylabel("predicted acceleration")
    return figure, (
        f"Predicted against true {record['target']} of {record['bodies']} bodies on held-out "
        "snapshots. R squared over the 90% with the smallest residuals: "
        f"{', '.join(told)}. Points on the grey diagonal are predicted exactly."
    )


def _against(panel, x, y, colour: str, limits: tuple[float, float] | None = None) -> None:
    """Points around the diagonal; the outermost lie on the frame where limits cut them off."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if limits is None:
        low, high = np.quantile(np.concatenate([x, y]), [0.005, 0.995])
        pad = 0.08 * (high - low) + 1e-9
        limits = low - pad, high + pad
    panel.plot(limits, limits, color=GREY, lw=1, zorder=0)
    panel.scatter(
        np.clip(x, *limits), np.clip(y, *limits), s=9, alpha=0.5, color=colour, linewidths=0
    )
    panel.set(xlim=limits, ylim=limits, aspect="equal", box_aspect=1)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(mpl.ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))


def _label(panel, r2: float | None) -> None:
    """R² in a corner, readable where points lie below it."""
    panel.text(
        0.04, 0.96, f"$R^2$ = {_number(r2)}", va="top", fontsize=9, transform=panel.transAxes,
        bbox={"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 1.5},
    )  # fmt: skip


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}".replace("-", "−")
