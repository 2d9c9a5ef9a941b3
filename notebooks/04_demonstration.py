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
# # Watching messages become forces
#
# **Overview.** The paper comes with a video in which the messages of a network, while it trains,
# turn into forces. Here it is made again from scratch: a network is looked at again and again
# during its training, and what it looked like is drawn.
#
# - **In the paper:** appendix D of {cite:t}`cranmer2020discovering`
# - **You need:** {doc}`the first chapter <01_nbody>`
# - **Time to read:** 5 minutes. **Time to run:** about 3 minutes on two cores at the preset `ci`,
#   10 minutes at `laptop`

# %% tags=["parameters"]
preset = "ci"  # how much work: ci, laptop or paper
seed = 0
engine = "auto"  # no equation is searched for here

# %% tags=["hide-input"]
from IPython.display import Markdown

from symlib import discovery
from symlib.book.building import record_metrics, show
from symlib.papers.cranmer2020.film import making
from symlib.papers.cranmer2020.film.recording import LOOKS, record_film
from symlib.records.reading import BOOK

# An evening's work should survive a closed lid.
cache = None if preset == "ci" else discovery.default_cache()

# %% [markdown]
# ```{film} spring.json
# *Four bodies on springs, L1 messages, the preset `laptop`; made by `symlib film`.*
# ```
#
# ## What there is to see
#
# - **A row of squares**: the fifteen largest of the hundred message components, dark where a
#   component's standard deviation is large. The L1 penalty, and silence for what has become small,
#   make the row pale.
# - **Two scatter plots**: the two largest components against their best linear combination of the
#   true force's components. On the grey line the message is that combination.
# - **Two arrows**: those two combinations as directions in the plane of $F_x$ and $F_y$, as long as
#   the fit is good. On the circle a message is the force along the arrow, and nothing else.
#   Which directions they are is the network's choice; it need only be two.
# - **A system of four bodies** that the network never trains on, as it is (grey) and as the network
#   predicts it from its beginning (in colour).
#
# Order and sign of the two components are kept from frame to frame: which of two equally large
# messages is called the first says nothing.

# %% tags=["hide-input"]
made = making.read_film(BOOK / "_static" / "film" / "spring.json")
Markdown(making.facts(made))

# %% [markdown]
# ## The same, now
#
# `record_film` trains as everywhere in this book, with `symlib.training.train`. A `Recorder` looks
# on: at each look it evaluates the messages on held-out simulations, fits them, and rolls the test
# system out. The first looks follow each other closely, since most happens early.

# %%
recording = record_film(
    "spring",
    2,
    "l1",
    preset,
    seed,
    cache=cache,
    path=None if cache is None else cache / "film" / "chapter.npz",
    looks=24 if preset == "ci" else LOOKS,
    progress=False,
)
print(
    f"{len(recording)} looks at {recording.total:,} steps, "
    f"last test loss {recording.losses[-1]:.3f}"
)

# %% tags=["hide-input"]
show(*making.history(recording))

# %% [markdown]
# *The standard deviations of the fifteen largest message components during training (left; a
# component that was silenced ends), and what is left of the two largest when the true force has
# been fitted to them (right).*

# %% tags=["hide-input"]
middle = len(recording) // 3
show(*making.stills(recording, [0, middle, len(recording) - 1]))

# %% [markdown]
# *Three frames: the first look, one after a third of the looks, and the last.*
#
# ## A film of your own
#
# One command trains, looks on, and writes an MP4, a smaller looping picture and a still one:
#
# ```bash
# symlib film --law r1 --model bottleneck --preset ci --out my_film
# ```
#
# A law of your own is named as {doc}`everywhere <../book/your_own_law>`, `path/to/file.py:NAME`. To
# draw a recording again without training, give it with `--recording`.
#
# ## Summary
#
# - In the film, of a hundred components two come to speak and the others fall silent: as many as
#   space has dimensions, and nobody told the network how many those are.
# - Those two are close to forces long before the predictions are good. What a message means is
#   settled early; precision comes last, as the learning rate falls.
#
# Works cited are listed under {doc}`../book/references`.

# %% tags=["remove-cell"]
record_metrics(
    "04_demonstration",
    {
        "preset": preset,
        "components that speak": making.heard(recording),
        "r2 of the first component": float(recording.r2[-1, 0]),
        "r2 of the second component": float(recording.r2[-1, 1]),
        "test loss over trivial loss": float(recording.losses[-1])
        / recording.trivial_loss,
        "film: components that speak": made["components_that_speak"],
        "film: smaller r2": min(made["r2"]),
        "film: largest file in megabytes": max(made["files"].values()) / 1e6,
    },
)
