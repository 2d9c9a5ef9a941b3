"""Every figure of the book, each with the text that stands for it.

A function here takes what symlib measured and returns `(figure, alt)`; a chapter shows it with
`show(*figure)`. Colours are Okabe and Ito's, told apart by the colour-blind and in print; lines
differ in style as well. Nothing global is changed: the style lives in a context.
"""

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, BLACK, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#999999",
)  # fmt: skip
CYCLE = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "legend.frameon": False,
    "figure.dpi": 110,
    "savefig.dpi": 110,
    "savefig.bbox": "tight",
    "mathtext.fontset": "cm",
}
AXES = ("x", "y", "z")
# Decorates what draws in the book's style, without changing anyone else's.
styled = mpl.rc_context(STYLE)


def grid(rows: int, columns: int, width: float, height: float, **options):
    """A figure and its panels in a row; the options are of `subplots`."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, np.atleast_1d(figure.subplots(rows, columns, **options)).ravel()


def law_label(law) -> str:
    """A law's name as a figure writes it."""
    # A word is set as text; only a formula needs mathematics.
    words = law.label.removeprefix(r"\mathrm{").removesuffix("}")
    return words if words.isalpha() else f"${law.label}$" if law.label else law.name


def square(panel, low, high, share: float) -> None:
    """Show a square around what lies between two corners, its half side a share of their distance.

    Args:
        low, high: the corners, shape [2].
    """
    centre, half = (low + high) / 2, share * (high - low).max()
    panel.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half))
    panel.set_aspect("equal")


@styled
def pair_force(laws) -> tuple[Figure, str]:
    """Force along the line of two unit-mass bodies, for each law (eq. 6)."""
    figure, panels = grid(2, 3, 8.4, 4.6, sharex=True)
    r = np.linspace(0.15, 4, 400)
    for panel, law in zip(panels, laws, strict=False):
        attraction = [_radial(law, distance) for distance in r]
        panel.axhline(0, color=GREY, lw=0.8)
        panel.plot(r, attraction, color=BLUE, lw=1.8)
        panel.set_title(law_label(law))
        low, high = np.quantile(attraction, [0.02, 0.98])
        pad = 0.15 * (high - low) + 0.1
        panel.set_ylim(min(low, 0) - pad, max(high, 0) + pad)
    for panel in panels[3:]:
        panel.set_xlabel("distance $r$")
    for panel in panels[::3]:
        panel.set_ylabel("force towards sender")
    names = ", ".join(law.name for law in laws)
    return figure, (
        f"Six small plots of the force that pulls one body towards another against their distance, "
        f"for the laws {names}. Gravity-like forces fall off with distance, springs change sign at "
        "distance one, charges of equal sign repel, and the discontinuous law is zero below two."
    )


def _radial(law, distance: float) -> float:
    state = np.zeros((2, 6))
    state[:, -2:] = 1.0
    state[1, 0] = distance
    return float(law.force(state[0], state[1], 2)[0])


@styled
def long_exposures(trajectories: dict) -> tuple[Figure, str]:
    """Long exposures of one system of each law, in the manner of Figure 4.

    Args:
        trajectories: title -> states of one system, shape [steps, bodies, 6]; 2D.
    """
    rows = -(-len(trajectories) // 2)
    figure, panels = grid(rows, min(2, len(trajectories)), 6.6, 3.3 * rows)
    for panel, (title, states) in zip(panels, trajectories.items(), strict=True):
        steps, bodies, _ = states.shape
        shown = np.arange(0, steps, max(1, steps // 250))
        for body in range(bodies):
            colour = np.tile(mpl.colors.to_rgba(CYCLE[body % len(CYCLE)]), (len(shown), 1))
            colour[:, 3] = np.linspace(0.06, 0.8, len(shown))
            size = 16 * np.clip(states[0, body, -1], 0.2, 8)
            x, y = states[shown, body, :2].T
            panel.scatter(x, y, s=size, color=colour, linewidths=0)
        square(panel, *np.quantile(states[shown, :, :2], [0.01, 0.99], axis=(0, 1)), 0.58)
        panel.set(title=title, xlabel="$x$")
    for panel in panels[::2]:
        panel.set_ylabel("$y$")
    return figure, (
        f"Long exposures of {len(trajectories)} systems of four bodies in two dimensions "
        f"({', '.join(name.replace('$', '') for name in trajectories)}). Each body leaves a trail "
        "that grows darker with time; the size of a dot is the body's mass."
    )


@styled
def loss_curve(run, trivial: float, test: float) -> tuple[Figure, str]:
    """Prediction loss during training, with the trivial and the final test loss."""
    figure, (panel,) = grid(1, 1, 6.2, 3.2)
    steps = [row["step"] for row in run.history]
    loss = [row["prediction"] for row in run.history]
    panel.plot(steps, loss, color=BLUE, lw=1.8, label="training")
    panel.axhline(trivial, color=GREY, ls="--", label="trivial predictor (median)")
    panel.axhline(test, color=ORANGE, ls=":", lw=2, label="test, at the end")
    panel.set(yscale="log", xlabel="step", ylabel="loss $L_v$ (per body)", xlim=(0, run.steps))
    panel.yaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:g}"))
    panel.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    panel.legend()
    return figure, (
        f"Training loss against step on a logarithmic scale. It falls from {loss[0]:.2g} to "
        f"{loss[-1]:.2g} in {run.steps} steps; the trivial predictor has {trivial:.2g}, the test "
        f"loss at the end is {test:.2g}."
    )


@styled
def spectra(records: list[dict]) -> tuple[Figure, str]:
    """Standard deviations of the leading message components of several recorded runs."""
    figure, panels = grid(1, len(records), 3.3 * len(records), 2.8)
    told = []
    for panel, record in zip(panels, records, strict=True):
        values, title = record["spectrum"], f"{record['law']}-{record['dim']}, {record['model']}"
        kept = [BLUE if k < record["dim"] else GREY for k in range(len(values))]
        panel.bar(np.arange(1, len(values) + 1), values, color=kept)
        panel.set(title=title, xlabel="message component")
        told.append(f"{title}: {', '.join(f'{value:.2g}' for value in values[:4])}")
    panels[0].set_ylabel("standard deviation")
    return figure, (
        "Bar charts of the standard deviations of the most significant message components. The "
        f"first ones are, for {'; for '.join(told)}."
    )


@styled
def messages_and_forces(messages, quantity: str) -> tuple[Figure, str]:
    """Each significant message against its best combination of true components (Figure 5)."""
    from symlib.messages.recording import linear_fit

    fit = linear_fit(messages.top, getattr(messages, quantity))
    figure, panels = grid(1, messages.dim, 3.5 * messages.dim, 3.5)
    rows = np.random.default_rng(0).permutation(len(messages.top))[:4000]
    for k, panel in enumerate(panels):
        x, y = fit.predicted[rows, k], messages.top[rows, k]
        low, high = np.quantile(np.concatenate([x, y]), [0.005, 0.995])
        pad = 0.08 * (high - low)
        panel.plot([low - pad, high + pad], [low - pad, high + pad], color=GREY, lw=1, zorder=0)
        panel.scatter(x, y, s=4, alpha=0.35, color=BLUE, linewidths=0, rasterized=True)
        panel.set(xlim=(low - pad, high + pad), ylim=(low - pad, high + pad), aspect="equal")
        terms = " ".join(
            f"{c:+.2f}$\\,{'F' if quantity == 'force' else 'a'}_{AXES[j]}$"
            for j, c in enumerate(fit.coefficients[:-1, k])
        )
        panel.set_xlabel(f"{terms} {fit.coefficients[-1, k]:+.2f}")
        panel.set_ylabel(f"message component {k + 1}")
    return figure, (
        f"Scatter plots of the {messages.dim} most significant message components against the best "
        f"linear combination of the components of the true pairwise {quantity}. R squared is "
        f"{fit.r2_all:.3f} over all points and {fit.r2_kept:.4f} without the 10% largest residuals."
    )


@styled
def rollout_errors(times, errors: dict[int, dict[str, np.ndarray]]) -> tuple[Figure, str]:
    """Position error against time for systems of several sizes.

    Args:
        times: shape [steps].
        errors: bodies -> {"equation": [systems, steps], "network": [systems, steps]}.
    """
    figure, panels = grid(1, len(errors), 3.0 * len(errors), 3.1, sharey=True)
    look = {"network": (ORANGE, "--"), "equation": (BLUE, "-")}
    ends = []
    for panel, (bodies, kinds) in zip(panels, errors.items(), strict=True):
        for kind, error in kinds.items():
            colour, line = look[kind]
            middle = np.nanmedian(error, axis=0)
            low, high = np.nanquantile(error, [0.25, 0.75], axis=0)
            panel.fill_between(times[1:], low[1:], high[1:], color=colour, alpha=0.2, lw=0)
            panel.plot(times[1:], middle[1:], color=colour, ls=line, lw=1.8, label=kind)
            ends.append(f"{kind} with {bodies} bodies {middle[-1]:.2g}")
        panel.set(yscale="log", xlabel="time", title=f"{bodies} bodies", xlim=(0, times[-1]))
    panels[0].set_ylabel("position error (rms)")
    panels[0].legend()
    return figure, (
        "Position error against time on a logarithmic scale, median and quartiles over systems, "
        f"for systems of {', '.join(map(str, errors))} bodies. At the end: {'; '.join(ends)}."
    )


@styled
def rollout_paths(paths: dict[str, np.ndarray]) -> tuple[Figure, str]:
    """One system as it was and as it is predicted: title -> [steps, bodies, 6], truth first."""
    figure, panels = grid(1, len(paths), 3.0 * len(paths), 3.3, sharex=True, sharey=True)
    truth = next(iter(paths.values()))
    for panel, (title, states) in zip(panels, paths.items(), strict=True):
        for body in range(states.shape[1]):
            colour = CYCLE[body % len(CYCLE)]
            panel.plot(*truth[:, body, :2].T, color=GREY, lw=3, alpha=0.35, solid_capstyle="round")
            panel.plot(*states[:, body, :2].T, color=colour, lw=1.2)
            panel.plot(*states[-1, body, :2], "o", color=colour, ms=4)
        panel.set(title=title, xlabel="$x$")
        square(panel, truth[..., :2].min(axis=(0, 1)), truth[..., :2].max(axis=(0, 1)), 0.56)
    panels[0].set_ylabel("$y$")
    return figure, (
        f"Paths of {truth.shape[1]} bodies in the plane, {', '.join(paths)}. The true paths are "
        "drawn in grey behind each prediction."
    )
