"""Figures of the chapter on tracks of one's own, each with the text that stands for it.

The README's picture, book/_static/tracks.png, is the chapter's `radial` at the preset `ci`.
"""

import numpy as np
from matplotlib.figure import Figure

from symlib.book.figures import BLUE, CYCLE, GREEN, GREY, ORANGE, grid, square, styled
from symlib.discovery.tracks import TracksDiscovery
from symlib.papers.own_tracks.video import Truth
from symlib.tracks.recordings import Recording


@styled
def smoothed(recording: Recording, truth: Truth, body: int, seconds: float) -> tuple[Figure, str]:
    """Acceleration of one body: smoothed with its error, and true."""
    figure, panels = grid(1, 2, 8.4, 2.9, sharex=True)
    shown = np.arange(min(len(recording), round(seconds / recording.dt)))
    assert recording.acceleration is not None and recording.error is not None
    time, error = shown * recording.dt, recording.error[shown, body]
    for axis, panel in enumerate(panels):
        value, true = (a[shown, body, axis] for a in (recording.acceleration, truth.acceleration))
        panel.plot(time, true, color=GREY, lw=4, alpha=0.6, label="true")
        panel.fill_between(time, value - error, value + error, color=BLUE, alpha=0.3, lw=0)
        panel.plot(time, value, color=BLUE, lw=1.2, label="smoothed, ± its error")
        panel.set(xlabel="time (s)", ylabel=f"$a_{'xy'[axis]}$ (mm/s²)", xlim=(0, time[-1]))
    panels[0].legend()
    miss = recording.acceleration[:, body] - truth.acceleration[:, body]
    rms = np.sqrt(np.nanmean(miss**2))
    return figure, (
        f"Two components of the acceleration of body {body} against time. The smoothed curve with "
        f"its band of error lies on the true one, {rms:.2g} millimetres per second squared off on "
        "average."
    )


@styled
def radial(record: dict, truth: Truth) -> tuple[Figure, str]:
    """Force along the line against distance, and what is left of it without the truth."""
    figure, panels = grid(1, 2, 8.6, 3.5)
    table = record["radial"]
    r = np.array(table["r"])
    true = truth.pull(r, table["typical"].get("m2", 1.0))
    look = {
        "network": (ORANGE, "o", "network, along the line"),
        "baseline": (GREEN, "--", "curves without a network"),
        "equation": (BLUE, "-", "equation"),
    }
    panels[0].plot(r, true, color=GREY, lw=5, alpha=0.6, label="truth")
    far = {}
    for name, (colour, line, label) in look.items():
        value = np.array([np.nan if one is None else one for one in table[name]])
        far[name] = float(np.nanmedian(np.abs(value - true)) / np.abs(true).max())
        options = {"ms": 3, "ls": ""} if line == "o" else {"lw": 1.4}
        marker = {"marker": "o"} if line == "o" else {"ls": line}
        panels[0].plot(r, value, color=colour, label=label, **marker, **options)
        panels[1].plot(r, value - true, color=colour, **marker, **options)
    panels[1].axhline(0, color=GREY, lw=1)
    panels[0].set(ylabel="acceleration towards the sender (mm/s²)", xlabel="distance (mm)")
    panels[1].set(ylabel="minus the truth (mm/s²)", xlabel="distance (mm)")
    low, high = np.nanquantile(
        [np.array([np.nan if one is None else one for one in table[k]]) - true for k in look],
        [0.02, 0.98],
    )
    pad = 0.3 * (high - low)
    panels[1].set_ylim(low - pad, high + pad)
    panels[0].legend()
    told = ", ".join(f"{name} {100 * share:.1f}%" for name, share in far.items())
    return figure, (
        "Acceleration along the line between two typical bodies against their distance, and the "
        "same minus the truth. It rises from nothing to a peak and falls off again. Median "
        f"distances from the truth, of its largest value: {told}."
    )


@styled
def masses(found: TracksDiscovery, truth: Truth) -> tuple[Figure, str]:
    """Masses found against true ones, and by how much they differ."""
    figure, panels = grid(1, 2, 7.6, 3.2)
    names = found.tracks.names
    mine = np.array([found.record["scalars"][name]["mass"] for name in names])
    true = truth.mass[[int(float(name)) for name in names]]
    ends = np.array([0.8 * true.min(), 1.25 * true.max()])
    panels[0].plot(ends, ends, color=GREY, lw=1)
    panels[0].loglog(true, mine, "o", color=BLUE)
    panels[0].set(xlabel="true mass", ylabel="mass found", aspect="equal")
    for axis in (panels[0].xaxis, panels[0].yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
        axis.set_ticks([0.5, 1, 2])
    off = 100 * (mine / true - 1)
    panels[1].axhline(0, color=GREY, lw=1)
    panels[1].bar(range(len(names)), off, color=BLUE)
    panels[1].set(xlabel="body", ylabel="error (%)", xticks=range(len(names)), xticklabels=names)
    return figure, (
        f"Masses of {len(names)} bodies found against the true ones, on the diagonal, and their "
        f"errors, the largest {np.abs(off).max():.2g} percent."
    )


@styled
def orbits(true: np.ndarray, simulated: np.ndarray, dt: float) -> tuple[Figure, str]:
    """Held-out paths and simulated ones, both of shape [frames, bodies, 2], and their distance."""
    figure, panels = grid(1, 2, 8.6, 3.8, width_ratios=(1, 1.15))
    for body in range(true.shape[1]):
        colour = CYCLE[body % len(CYCLE)]
        panels[0].plot(*true[:, body].T, color=GREY, lw=4, alpha=0.45, solid_capstyle="round")
        panels[0].plot(*simulated[:, body].T, color=colour, lw=1.3)
        panels[0].plot(*simulated[-1, body], "o", color=colour, ms=4)
        away = np.sqrt(((simulated[:, body] - true[:, body]) ** 2).sum(axis=1))
        panels[1].plot(dt * np.arange(len(true)), away, color=colour, lw=1.3)
    square(panels[0], true.min(axis=(0, 1)), true.max(axis=(0, 1)), 0.56)
    panels[0].set(xlabel="$x$ (mm)", ylabel="$y$ (mm)")
    panels[1].set(xlabel="time (s)", ylabel="distance from the true place (mm)")
    panels[1].set(yscale="log")
    rms = float(np.sqrt(((simulated - true)[-1] ** 2).sum(axis=-1).mean()))
    return figure, (
        f"Paths of {true.shape[1]} bodies in the held-out frames, simulated by the equation, drawn "
        f"over the true ones in grey; and their distances from these against time, {rms:.2g} "
        "millimetres on average at the end."
    )
