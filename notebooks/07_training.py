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
# # How to train it in minutes
#
# **Overview.** The paper's networks had a million steps on a GPU. Ours have tens of thousands,
# on two cores, and messages that are sparser. This page says what the recipe does, why, and
# what each part of it is worth: each was left out in turn.
#
# - **In the paper:** appendix A.1 of {cite:t}`cranmer2020discovering`
# - **You need:** {doc}`the first chapter <01_nbody>`
# - **Time to read:** 8 minutes. **Time to run:** seconds, since this page only reads records;
#   `symlib bench recipe` and `symlib bench steps` make them, in an hour or two each on two cores

# %% tags=["parameters"]
preset = "ci"  # nothing is trained here: what is shown are records
seed = 0
engine = "auto"

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import Markdown

from symlib.book.building import record_metrics, show
from symlib.papers.cranmer2020.pages import runs, tables, training
from symlib.training.presets import get_preset

trials, problems = training.on_record("trials")
steps, more = training.on_record("steps")

# %% [markdown]
# ## What stays as the paper has it
#
# The network, two perceptrons of two hidden layers with 300 units and ReLU each, and the objective,
#
# $$
# L = L_v + \alpha_1 L_e + \alpha_2 L_n,
# $$ (training-objective)
#
# with $\alpha_1$ ending at $10^{-2}$ for L1 messages and at 1 for KL, $\alpha_2 = 10^{-8}$. Of
# $N^v$ bodies with accelerations $\mathbf v'_i$ and $N^e$ edges with messages $\mathbf e'_k$,
#
# $$
# L_v = \frac{1}{N^v} \sum_{i} \sum_{c} \left| v'_{ic} - \hat v'_{ic} \right|, \qquad
# L_e = \frac{1}{N^e} \sum_{k} \sum_{j}
# \begin{cases} |e'_{kj}| & \text{L1} \\
# \frac{1}{2} \left( \mu_{kj}'^2 + \sigma_{kj}'^2 - \log \sigma_{kj}'^2 \right) & \text{KL} \\
# 0 & \text{standard, bottleneck} \end{cases}, \qquad
# L_n = \sum_l w_l^2,
# $$ (losses)
#
# with $c$ the components of an acceleration, $j$ those of a message, and $w_l$ the network's
# parameters. The loss in this book's tables is $L_v$ on held-out simulations. It is summed over
# components and averaged over bodies, so it is as many times the mean absolute error of one
# component as space has dimensions.
#
# What is free is where training starts and how it walks. Nothing below knows which law it is about:
# each idea follows from what a message is for.
#
# ## The ideas
#
# **Start from differences of positions.** The first layer of $\phi^e$ reads two positions. With
# opposite weights on the two it starts out seeing their difference; without that, it has to learn
# it from randomly shifted copies of the data.
#
# **Say only what the other cannot know.** $\phi^v$ knows the receiver's mass and velocity. So a
# message may carry the force times any function $g(m_1)$, and $\phi^v$ divides by it: the loss
# cannot tell, and symbolic regression dutifully finds $g$. While $\phi^e$ is blind to the
# receiver's mass and velocity there is no such $g$ to choose. With the charge it is the other way
# round. Where $\phi^v$ knows the receiver's charge, messages become fields, force per charge, and
# the fit against forces fails; so $\phi^v$ is blind to the charge for as long.
#
# **Close encounters last.** Two bodies that nearly meet have accelerations that dwarf all others.
# The fifth of the snapshots with the largest accelerations joins the batches gradually.
#
# **Sparsity from above, for L1.** With $\alpha_1$ at its final value from the start, a hundred
# components share what two could say, and the penalty, which weighs little against the loss, has no
# reason to choose. It arrives from far above by a geometric schedule. But not at the very first
# step: on forces of one size everywhere, as the discontinuous law's, a large penalty ends every
# message before one has learned anything. So it rises to that schedule while the network learns
# to speak.
#
# **Turn, for L1 and KL.** $\phi^e$ ends and $\phi^v$ begins with a matrix. A rotation in between
# changes no prediction, but it changes what messages cost: along their principal axes few
# components hold what many held. They are turned there every few hundred steps. KL messages have
# noise, which has axes of its own; a turned component gets the mean of the old ones' log
# variances, weighted by squared cosines, and while the noise is small that disturbs little.
#
# **Silence, for L1 and KL.** A penalty shrinks what is superfluous and never ends it, as $\phi^v$
# can undo any shrinking with larger weights. A component whose standard deviation has fallen below
# a share of the largest (`silence_below` in the table at the end) is set to zero for good. How many
# are left is for the data to say. What counts is what a component says in the nine tenths of the
# edges with ordinary messages: on charge and 1/r² networks invent a code for close encounters, in a
# component of its own that is silent elsewhere and, by its standard deviation, the loudest of all.
# Axes and deviations are measured without those.
#
# **Sparsity from far below, for KL.** A message pays for its size squared. Forces that are rare and
# large are dear, so under the full penalty messages bend: they grow more slowly than the force
# does, and $\phi^v$ straightens out what it can. On charge, in the paper's units, messages that are
# the law even earn less than they cost: loss and penalty together are larger than for silent ones,
# and less for bent ones (a table below adds the two). So $\alpha_1$ comes from a thousandth of its
# value and is full with the last step: the messages are those of the objective on its way to its
# end, not at it. This is a choice, and the trials below show what others give.
#
# **Cheap steps.** A step is compiled once for its one shape, products of matrices are in bfloat16
# where the processor has instructions for them, and the edges of a batch of complete graphs are
# built once. One thread does it all: matrices this small leave nothing for a second one to do.

# %% tags=["hide-input"]
Markdown(tables.bench_training())

# %% [markdown]
# ## What each is worth
#
# Each row changes one thing and trains again from the same seeds. $R^2$ is of the most significant
# messages against force or acceleration, whichever fits better, over the kept 90%; a component
# speaks when its standard deviation is at least a tenth of the largest; the loss on the test set is
# compared with that of the predictor which always says the median. Where messages have a price, one
# column adds it, $\alpha_1$ at its final value, less what silent messages would pay. A dagger
# marks records of an earlier version of the code or of the recipe.

# %% tags=["hide-input"]
show(*training.trial_figure(trials))

# %% [markdown]
# *What is lost, $1 - R^2$, by each change to the recipe; a dot is one seed.*

# %% tags=["hide-input"]
Markdown(training.all_trials(trials))

# %% [markdown]
# Which single change costs most, by $R^2$ (the paper's recipe, which changes everything at once,
# is left out):

# %% tags=["hide-input"]
Markdown(training.costliest(trials))

# %% [markdown]
# Starting from differences of positions matters most on charge: for the bottleneck and L1 nothing
# that was left out costs as much, and for KL only a penalty that comes too early costs more, as
# that ends all messages. On springs it is third: there it costs more to let each network see what
# the other knows, or not to turn and silence. Saying only what the other network cannot know costs
# some loss on charge and makes better messages in all four settings. Close encounters last is for
# charge, most for KL; springs, which have none to fear, are predicted better without it. Silence
# makes L1 as sparse as space has dimensions, and with it in place the schedule of $\alpha_1$
# matters little, but that it must not be high from the first step on charge. Not so for KL, where a
# penalty that is full from the start, or comes from above, ends all messages; one that is full from
# half of the steps on bends them, though loss and penalty together are less for it; and turning,
# with silence, is what leaves as many components as space has dimensions. Each setting has one seed
# so far, and small differences mean little.
#
# ## What was tried and left out
#
# These trials were made once, early and by the way, and are not on record: Muon on the square
# matrices with Adam on the rest, which learns faster per step but kept message components alive
# that L1 was to silence, and gained nothing once the ideas above were in place; SOAP and wider
# initial weights, which gained nothing either. Teaching $\phi^v$ that accelerations superpose, by a
# warm-up penalty on its response to averages of pooled messages, made L1 messages exactly as many
# as space has dimensions on 1/r² and charge, and made them worse: a linear $\phi^v$ leaves all of a
# close encounter's range to $\phi^e$. For FlatHGN, GELU in place of ReLU was the largest
# gain: a force that is the derivative of a piecewise linear function has steps in it.
#
# ## What the loss wants
#
# {doc}`The scoreboard <05_tables>` has losses above the paper's on spring, 1/r and the
# discontinuous law. Is training too short, or are the digits of bfloat16 too few, not quite three?
# The recipe with a quarter of the steps of the preset `laptop`, with all, and with four times as
# many; and with products of matrices in float32 in the last third:

# %% tags=["hide-input"]
show(*training.steps_figure(steps))

# %% [markdown]
# *Test loss of the bottleneck model against training steps; less is better.*

# %% tags=["hide-input"]
Markdown(training.steps_table(steps))

# %% [markdown]
# Either helps, and neither alone is enough: more steps everywhere, float32 least on the
# discontinuous law. Together they help most, and bring springs to the paper's loss; all with one
# seed. What they buy is the loss only. $R^2$ over the kept 90%, which the table has, arrived long
# before: most messages are forces well before the loss stops falling.
#
# ## The recipe, in numbers

# %% tags=["hide-input"]
Markdown(training.recipe_table(get_preset("laptop")))

# %% [markdown]
# ## The records behind it

# %% tags=["hide-input"]
Markdown(runs.notes(pd.concat([trials, steps]), problems + more))

# %% [markdown]
# ## Summary
#
# - Most of the work of training was learning what can be said beforehand: positions matter by their
#   differences, and a message need not tell a body what it knows of itself.
# - Messages become forces long before the loss has fallen as far as it can.
# - Sparse messages come from an order of events more than from a weight of the penalty: few
#   directions first, then silence for the rest, then precision.
#
# Works cited are listed under {doc}`../book/references`.

# %% tags=["remove-cell"]
record_metrics(
    "07_training",
    {
        "unreadable records": len(problems + more),
        "lengths of training on record": len(steps),
        "settings on record": trials.groupby(runs.CELL).ngroups,
        "trials on record": len(trials),
    },
)
