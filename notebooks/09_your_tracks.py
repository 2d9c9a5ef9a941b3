# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,-all
#     formats: ipynb,py:percent
#     notebook_metadata_filter: jupytext,kernelspec,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Tracks of your own
#
# **Overview.** Here nobody knows the law. All there is is a table of who was where, as a tracking
# program writes it. This chapter goes from such a table to an equation with units and error bars,
# says what the road was told beforehand, and shows where it stops working.
#
# - **You need:** {doc}`the first chapter <01_nbody>`, for what messages are
# - **Time to read:** 15 minutes. **Time to run:** about 4 minutes on two cores at the preset `ci`

# %% tags=["parameters"]
preset = "ci"  # how much work: ci, laptop or paper
seed = 0
engine = "auto"

# %% tags=["hide-input"]
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown, Math

import symlib
from symlib import discovery
from symlib.book.building import record_metrics, show
from symlib.papers.own_tracks import figures, pages
from symlib.papers.own_tracks.study import against_truth
from symlib.papers.own_tracks.video import VIDEO, watch

# An evening's work should survive a closed lid.
cache = None if preset == "ci" else discovery.default_cache()

# %% [markdown]
# ## A video that nobody took
#
# Six bodies of different masses attract each other in a weak trap. scipy integrates their motion,
# not symlib's own simulator. A camera with 30 frames a second looks on, and what
# [trackpy](https://soft-matter.github.io/trackpy) would write is all that goes on from here:
# pixels, with noise of a thousandth of their spread; a hundredth of the samples is lost, and a
# speck of dust was taken for a body. Its column `mass` is the brightness of a spot.

# %%
path = Path(tempfile.mkdtemp()) / "tracks.csv"
truth = watch(path, seed)  # kept for the comparison at the end
table = pd.read_csv(path)
table.head(3)

# %% [markdown]
# ## Reading
#
# A ruler in the picture says that 100 pixels are a millimetre. Nothing else is converted, and the
# units are only names.

# %%
table[["x", "y"]] /= 100
seen = symlib.read(table, columns="trackpy", fps=30, units="length=mm,time=s")
print(seen.summary())

# %% [markdown]
# The last lines say what was not used. A sample that is lost cuts the stretches in which the same
# bodies are seen; smoothing mends short gaps.
#
# ## From the table to the law
#
# `one_body=True` asks for a part that depends on a body's own place and velocity, here the trap.
# Without it the road would have given a hint to try it. {py:class}`symlib.ForceLaw` is the road in
# scikit-learn's manner; `symlib.discover(table, one_body=True, columns="trackpy", fps=30)` is the
# same in one call.

# %%
law = symlib.ForceLaw(
    preset=preset, seed=seed, engine=engine, one_body=True, cache=cache
).fit(seen)
found = law.discovery_
print(found)

# %% [markdown]
# We go through it step by step.
#
# ### Smoothing
#
# Accelerations are second derivatives, and noise grows with each. Around every frame a polynomial
# of degree four is fitted to the samples within a window. The window is the one of the least
# expected error, of which one part is noise and the other what the polynomial cannot follow.

# %% tags=["hide-input"]
noise = found.tracks.noise
smooth = found.tracks.recordings[0]
miss = smooth.acceleration - truth.acceleration
inside = np.abs(miss) < smooth.error[..., None]
share = inside[np.isfinite(miss)].mean()
Markdown(
    f"Chosen was a window of **{noise['window']:.0f} frames**. Positions are known to "
    f"{1000 * noise['position']:.2g} micrometres by the estimate, accelerations to "
    f"{noise['acceleration']:.2g} mm/s², where they spread by "
    f"{noise['acceleration_spread']:.2g} mm/s². Of all components {100 * share:.0f}% lie within "
    "one error of the truth; of errors without bias it would be 68%."
)

# %% tags=["hide-input"]
show(*figures.smoothed(smooth, truth, body=0, seconds=12))

# %% [markdown]
# *The acceleration of one body: smoothed with its error band, and true (grey).*
#
# How good is that? Beside it stand smoothers of other packages, some of which are given the noise,
# or are run with several settings, of which the best by the truth counts. That is more than anybody
# has who needs them, so ours should come close to the best and need not win:

# %% tags=["hide-input"]
Markdown(pages.smoothers_table())

# %% [markdown]
# *Root mean square error of the accelerations over their own root mean square, for two worlds, by
# the noise of the positions.*
#
# ### Curves, without a network
#
# Before anything is trained, the force along the line is fitted as a spline in the distance, times
# products of masses. Since no masses are known, a number of each body is fitted along, and kept if
# it lowers the error on frames that were not fitted. This baseline has no equation, but an equation
# that is worse than it has missed something.

# %% tags=["hide-input"]
loss = found.record["loss"]
Markdown(
    f"Kept was the factor `{'`, `'.join(found.record['baseline_factors'])}`. On the held-out end "
    f"the curves miss the smoothed accelerations by {loss['baseline']:.3g} mm/s², the network by "
    f"{loss['network']:.3g}, the equation by {loss['equation']:.3g}, and knowing nothing by "
    f"{loss['trivial']:.3g} (summed over components, averaged over bodies)."
)

# %% [markdown]
# ### Messages along the line
#
# The network's {term}`message` passes through a matrix and is an acceleration. It was not told that
# it points along the line between the bodies, so how much lies off that line shows how far it is
# from a law of pairs.

# %% tags=["hide-input"]
Markdown(
    f"Off the line lies **{100 * found.record['off_line']:.1f}%** of a message. Of the force "
    f"between two bodies, {100 * (found.record['non_reciprocal'] or 0):.1f}% is not the same both "
    "ways."
)

# %% tags=["hide-input"]
show(*figures.radial(found.record, truth))

# %% [markdown]
# *Acceleration along the line of two typical bodies against their distance (left), and the same
# minus the truth (right).*
#
# The network is the farthest off of the three. It is told least, and at this preset it is trained
# but briefly; what it gives is where to look, and that bodies pull along the line at all.
#
# ### The front, judged on the held-out end
#
# Both the messages and the curves are searched for equations. Their constants, and the numbers of
# the bodies, are fitted again to the data. The last tenth of the video was kept from all of that
# and judges. Where accelerations had to be smoothed, an equation is integrated over short stretches
# and held against the positions as they were recorded: a residual² of one is the noise itself. The
# answer (bold) is the simplest equation that cannot be told from the best.

# %% tags=["hide-input"]
source = {"network": "the network's messages", "curves": "the curves"}[
    found.law.source
]
Markdown(
    pages.front_table(found.record, pages.shown_rows(found.record))
    + f"\n\nThe form of the answer was proposed by **{source}**."
)

# %% [markdown]
# ### The law in your units
#
# Masses are found up to one factor, which the law's constant takes up: here the mean of their
# logarithms is zero.

# %% tags=["hide-input"]
Math(law.latex())

# %% tags=["hide-input"]
Markdown(pages.constants_table(found.record))

# %% tags=["hide-input"]
peak = truth.pull(1.0, 1.0) * 2**1.5
Markdown(
    f"In truth it is {peak:.4f} mm³/s² times $m_j\\, r / (r^2 + 1\\,\\mathrm{{mm}}^2)^{{3/2}}$, "
    f"and a trap of {truth.trap:.4f}/s² around ({truth.middle[0]:g}, {truth.middle[1]:g}) mm, "
    f"so {truth.trap * truth.middle[0]:.4f} and {truth.trap * truth.middle[1]:.4f} mm/s² at zero."
)

# %% [markdown]
# The errors are what a bootstrap over stretches of the video gives. They hold if the form is right;
# that it is right, no error bar says.
#
# ### Masses

# %% tags=["hide-input"]
show(*figures.masses(found, truth))

# %% [markdown]
# *The masses, of which the table said nothing, against those that moved the bodies.*
#
# ### Letting it run
#
# The first held-out frame gives places and velocities, as smoothed. From there on only the equation
# speaks.

# %%
recording = found.tracks.recordings[0]
first = round(0.9 * len(recording))
frames = 150
paths, _ = law.simulate(
    recording.position[first],
    recording.velocity[first],
    dt=recording.dt,
    steps=frames,
)
true = truth.position[first : first + frames]

# %% tags=["hide-input"]
show(*figures.orbits(true, paths, recording.dt))

# %% [markdown]
# *Five seconds that nothing was fitted to: the true paths (grey) and the simulated ones (left), and
# how far apart they are (right).*
#
# ## What this road was told
#
# Nothing here is found by a network that knows nothing. What is built in:
#
# - **Distances and differences of positions** are what a message is made of, so it cannot depend on
#   where the pair is. Equations are of the distance alone, and act along the line.
# - **Messages are accelerations up to a matrix** that is learned with them. Force over mass is what
#   is summed.
# - **A list of forms.** Sums of one or two terms $k\, r^a g(r)$, with $g$ among $1$, $(r + c)^p$,
#   $(r^2 + c)^p$, $e^{-cr}$, $e^{-cr^2}$ and small exponents, are all tried on the curves. The law
#   above is in the list. The engine searches beyond it, with less success.
# - **Products of masses and charges** that physics is made of, $m_2$, $1/m_1$, $q_1 q_2 / m_1$ and
#   a dozen more, are tried as factors; and one or two numbers of each body, where none are known.
# - **Pairs alone**, no three bodies at once, no memory, no hidden ones.
# - **Flat space and an even clock**: no walls, no periodic box, frames at equal intervals.
#
# Where your system is of another kind, the losses say so, not the equation: it will still be one.
#
# ## How far it carries
#
# Cases of known laws, each watched with up to three seeds at the preset `laptop`. *Reached* counts
# the seeds whose answer is the law, by {term}`verdict`. The error of the force is the median over
# pairs, a number for each seed.

# %% tags=["hide-input"]
cases, problems = pages.read_cases()
Markdown(
    "\n\n".join(
        [pages.cases_table(cases), *(f"*Left out: {one}.*" for one in problems)]
    )
)

# %% [markdown]
# † *measured with an earlier version of a stage*
#
# ### Noise
#
# The softened law of the first row, with less and less precise positions:

# %% tags=["hide-input"]
Markdown(pages.noise_table(cases))

# %% [markdown]
# What decides is the second column, how well accelerations are known as a share of their spread.
# More frames in the same time help, and a sharper camera helps more: noise falls with the square
# root of the one and in proportion to the other.
#
# ## A real file: fish
#
# A hundred fish from above, 300 frames at 32 a second: an example that comes with
# [trajectorytools](https://gitlab.com/polavieja_lab/trajectorytools) by the de Polavieja Lab, made
# with idtracker.ai {cite:p}`romero2019idtracker`, under the GPL. It is no part of this book; on
# record is what the road made of it (`python -m symlib.papers.own_tracks.fish` measures it again).

# %% tags=["hide-input"]
fish = pages.read_fish()
print(fish["summary"] if fish else pages.MISSING)

# %% tags=["hide-input"]
Markdown(pages.fish_text(fish))

# %% tags=["hide-input"]
Markdown(pages.front_table(fish, pages.shown_rows(fish)) if fish else "")

# %% [markdown]
# Fish are not particles. They see, decide and swim in bouts; what one does next depends on where it
# heads and on what it saw a moment ago, of which no term here speaks. The road says so by its
# losses. It would not be right to print the selected equation as a law of fish.
#
# ## What the file may look like
#
# A table (CSV with any delimiter, Parquet, or a pandas DataFrame) has a row for each time and
# track, in any order:
#
# | column | what it holds |
# |---|---|
# | `time`, `track`, `x`, `y` | when, who, where; with `fps` or `dt`, `time` is a number of frames |
# | `z` | in space |
# | `vx`, `vy`, `vz`; `ax`, `ay`, `az` | velocities and accelerations, where they were measured |
# | `mass`, `charge`, `type` | of the track, where they are known |
# | `recording` | which of several; a track with the same name is the same body |
#
# `columns="trackpy"` and `columns="trackmate"` know what those tools call them;
# `columns="time=t,track=id,x=x_um,y=y_um"` says it of any other. Masses can also come from
# `masses=`, a mapping, a file or one number. An `.npz` has arrays instead:
#
# | array | shape | what it holds |
# |---|---|---|
# | `positions` | `[frames, bodies, dim]`, or recordings before that | NaN: not seen |
# | `t` or `dt` | `[frames]`, or one number | times, or the time between two frames |
# | `velocities`, `accelerations` | as positions | where they were measured |
# | `masses`, `charges` | `[bodies]` | where they are known |
#
# or `states`, `[systems, steps, bodies, 2 dim + 2]`, rows of position, velocity, charge and mass,
# with `dt` or `accelerations`. Any units do that go together; `units="length=um,time=s,mass=pg"`
# names them. From a shell:
#
# ```bash
# .venv/bin/symlib discover tracks.csv --columns trackpy --fps 30 --one-body --json found.json
# ```
#
# | option | what for |
# |---|---|
# | `--columns`, `--fps`, `--dt`, `--units` | what the file does not say |
# | `--masses`, `--charges` | a file with the columns track and mass (charge), or one number |
# | `--one-body` | look for a trap, a drag or an external field as well |
# | `--neighbours` | bodies farther apart do not act on each other; needed for crowds |
# | `--seeds` | walk several times, to see what is stable |
# | `--loss` | fit to accelerations, or along trajectories |
# | `--select` | the simplest as good as any on held-out tracks, or the paper's rule |
# | `--window` | of the smoother, in frames |
#
# ## Exercises
#
# 1. Leave `one_body=True` out. What does the road say, and what becomes of the force at large
#    distances?
#
# <details><summary>Answer</summary>
#
# It gives a hint: a part of a body's own would lower the baseline's loss much. Without it the
# pairs must explain the trap. A pull to a common middle looks, over many bodies, like an
# attraction that grows with distance, so the force bends up at large distances.
#
# </details>
#
# 2. The column `mass` of trackpy is a brightness. What if it were read as a mass, with
#    `columns="time=frame,track=particle"`?
#
# <details><summary>Answer</summary>
#
# `symlib.read` refuses: the mass of a track varies. With a brightness that is the same in all
# rows it would be taken, and the factors $m_2$ and the like would be tried with wrong numbers.
# They would not lower the held-out error, and no law with masses would be selected.
#
# </details>
#
# 3. Only every tenth frame is kept. What happens to the smoother?
#
# <details><summary>Answer</summary>
#
# The window shrinks in frames and grows in seconds, since fewer samples must even out the same
# noise, and the estimated error more than doubles. With still fewer frames the window ends at
# seven, and a polynomial of degree four no longer follows the encounters. Above a third of the
# spread a warning says that equations will be rough.
#
# </details>
#
# 4. Why are the last frames held out, and not frames drawn at random?
#
# <details><summary>Answer</summary>
#
# Neighbours in time are near copies, and smoothing shares samples between them. Frames drawn at
# random would be judged by what was fitted.
#
# </details>
#
# 5. The masses were found up to a factor. What would fix it?
#
# <details><summary>Answer</summary>
#
# One known mass. Only the product of mass and strength acts; doubling all masses and halving the
# constant changes no path.
#
# </details>
#
# ## Summary
#
# - A table of positions was enough here, known to a thousandth of their spread, with some fifty
#   frames to an encounter.
# - Look at the losses first, at the front next, and at the equation last.
# - Numbers of the bodies can be found along with the law, up to a factor.
# - An equation is printed whatever the data are. For the fish the losses say that it is no law.
#
# Works cited are listed under {doc}`../book/references`.

# %% tags=["remove-cell"]
table_r = found.record["radial"]
r = np.array(table_r["r"])
pull = truth.pull(r, table_r["typical"].get("m2", 1.0))


def off(name):
    value = np.array([np.nan if one is None else one for one in table_r[name]])
    return float(np.nanmedian(np.abs(value - pull)) / pull.max())


names = found.tracks.names
scalars = found.record["scalars"]
mine = (
    np.array([scalars[name]["mass"] for name in names])
    if scalars
    else np.ones(len(names))
)
metrics = {
    "preset": preset,
    "tracks used": len(names),
    "compared by": found.record["compared_by"],
    "recovered": against_truth(replace(VIDEO, body=None), seed, found)[
        "recovered"
    ],
    "error of the equation's force": off("equation"),
    "error of the network's force": off("network"),
    "error of the curves' force": off("baseline"),
    "largest error of a mass": float(np.abs(mine / truth.mass - 1).max()),
    "distance after five seconds, mm": float(
        np.sqrt(((paths - true)[-1] ** 2).sum(axis=-1).mean())
    ),
    "smoothed within one error": float(share),
    "unreadable records": len(problems),
}
record_metrics("09_your_tracks", metrics)
