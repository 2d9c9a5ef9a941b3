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
# on two cores. Two things make up for it, and this page keeps them apart: better training of the
# same objective, from the recipe `reference` to `plain`, and being told more, from `plain` to
# `fast`. Each part of both was left out in turn.
#
# - **In the paper:** appendix A.1 of {cite:t}`cranmer2020discovering`
# - **You need:** {doc}`the first chapter <01_nbody>`
# - **Time to read:** 10 minutes. **Time to run:** seconds, since this page only reads records;
#   `symlib bench recipe` and `symlib bench steps` make them, in some hours on two cores

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

every, problems = training.on_record("trials")
trials, energies = (
    every[~training.of_energies(every)],
    every[training.of_energies(every)],
)
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
# ## From `reference` to `plain`: training
#
# `reference` is appendix A.1 with what PyTorch does of itself: Adam, a one-cycle schedule, every
# snapshot as likely as another, float32. `plain` has the same network with the same initial
# weights, the same objective, the same randomly shifted copies of the data. Only how it walks
# differs.
#
# **Encounters drawn more often, and counted for less.** Two bodies that nearly meet have
# accelerations that dwarf all others. Drawn evenly, they are rare, and when one comes its gradient
# is all of the step. So a snapshot is drawn with odds $q$, the largest acceleration in it plus the
# median of that over all snapshots, and counts by $\bar q / q$. In expectation that is the
# objective of {eq}`training-objective`, to the letter; its gradient is less noisy.
#
# **Rates by layer.** The weights of the first layers, those of the last, and all biases have a
# higher rate than the square matrices between; highest are a FlatHGN's first layers, as its motion
# is a derivative, whose scale they set. (The table at the end has all numbers.)
#
# **A schedule that stays high, then ends at nothing.** The rate soon rises, is constant for a
# while, and then falls linearly to zero. One-cycle, which `reference` has, takes long to rise and
# is at its top for an instant.
#
# **A shorter memory.** Adam's mean of squared gradients forgets ten times sooner,
# $\beta_2 = 0.99$: what was a large gradient early is none after a few hundred steps.
#
# **Cheap steps.** A step is compiled once for its one shape, products of matrices are in bfloat16
# where the processor has instructions for them (but for the last part of the steps, when the last
# digits count), and the edges of a batch of complete graphs are built once. One thread does it all:
# matrices this small leave nothing for a second one to do.

# %% tags=["hide-input"]
Markdown(tables.bench_training())

# %% [markdown]
# ## From `plain` to `fast`: what the network is told
#
# Each of these is an inductive bias that the paper's networks have not, and what comes of it is no
# evidence for or against what the paper claims of its own.
#
# **Only differences of positions.** The first layer of $\phi^e$ reads two positions. Its weights on
# the two start as each other's opposites and are kept so, and $\phi^v$ does not see the position:
# the network is translation invariant throughout, and needs no shifted copies to learn it.
#
# **Say only what the other cannot know.** $\phi^v$ knows the receiver's mass and velocity. So a
# message may carry the force times any function $g(m_1)$, and $\phi^v$ divides by it: the loss
# cannot tell, and symbolic regression dutifully finds $g$. While $\phi^e$ is blind to the
# receiver's mass and velocity there is no such $g$ to choose. With the charge it is the other way
# round. Where $\phi^v$ knows the receiver's charge, messages become fields, force per charge, and
# the fit against forces fails; so $\phi^v$ is blind to the charge for as long: nine tenths of the
# steps. Whether it is this that brings even a standard model's messages close to forces, the tables
# of the standard model below say.
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
# end, not at it. This is a choice, and the trials below show what others give. And as the penalty
# bends encounters most, KL's snapshots are all drawn alike, and its schedule is one-cycle, whose
# end is slower: the penalty at its fullest then bends least.
#
# **Energies in their places, for FlatHGN.** $H_\mathrm{pair}$ never sees momenta and
# $H_\mathrm{self}$ never positions, so velocities come from one and forces from the other, and the
# two are trained apart.
#
# ## What each part of training is worth
#
# Each row below changes one thing and trains again from the same seeds. The loss is that on the
# test set, as a share of that of the predictor which always says the median. Where messages have a
# price, one column adds it, $\alpha_1$ at its final value, less what silent messages would pay.
# $R^2$ is of the most significant messages against force or acceleration, whichever fits better,
# over the kept 90%; a component speaks when its standard deviation is at least a tenth of the
# largest. A dagger marks records of an earlier version of the code or of the recipe.

# %% tags=["hide-input"]
if trials.trial.isin(training.TRAINING).any():
    show(*training.trial_figure(trials, training.TRAINING, "loss"))

# %% tags=["hide-input"]
Markdown(training.trial_tables(trials, training.TRAINING))

# %% [markdown]
# *From `reference` to `plain`: the loss, by each part of training that is left out; a dot is one
# seed. In the figure the recipes as they are have round dots.*
#
# ## What each prior is worth

# %% tags=["hide-input"]
if trials.trial.isin(training.PRIORS).any():
    show(*training.trial_figure(trials, training.PRIORS, "r2"))

# %% tags=["hide-input"]
Markdown(training.trial_tables(trials, training.PRIORS))

# %% [markdown]
# *From `plain` to `fast`: how far messages are from forces, $1 - R^2$, with each prior left out.
# For the standard model that is no fault: the paper's point is that its messages are no forces.*
#
# FlatHGN has no messages; its pair energy's slope is a force. The paper's is not told the distance
# of two bodies. Being told is offered (`Recipe.distance`) and a departure, so it counts nowhere but
# here:

# %% tags=["hide-input"]
Markdown(training.energy_table(energies))

# %% [markdown]
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
# The numbers of `plain` and `fast` were tuned on a seed that is not reported, 10. A rate
# twice as high is as good on springs and ended a run on charge before it had begun; a longer
# rise of the rate mended that. A component silenced sooner, or $\alpha_1$ from farther below,
# leaves KL with one component on charge, which is one too few.
#
# ## What more steps give
#
# Is training too short? The recipe `fast` with a quarter of the steps of the preset `laptop`, with
# all, and with four times as many, on the laws whose losses no rare encounters rule:

# %% tags=["hide-input"]
longer = training.of_recipe(steps, "fast")
if len(longer):
    show(*training.steps_figure(longer))

# %% tags=["hide-input"]
Markdown(training.steps_table(longer))

# %% [markdown]
# *Test loss of the bottleneck model against training steps; less is better.*
#
# And the paper's own training, `reference`, where so few steps may not be a fair test of it: the
# control, whose messages are to be no forces however long it is trained, and L1, whose messages are
# to become few by the penalty alone. On 1/r a message that is an acceleration is as good as a force
# to $\phi^v$, which knows the receiver's mass, so both are given.

# %% tags=["hide-input"]
Markdown(training.control_table(training.of_recipe(steps, "reference")))

# %% [markdown]
# *$R^2$ over the kept 90%, after fewer and more steps of `reference`.*
#
# ## The recipes, in numbers

# %% tags=["hide-cell"]
Markdown(training.recipe_table(get_preset("laptop")))

# %% [markdown]
# ## The records behind it

# %% tags=["hide-input"]
Markdown(runs.notes(pd.concat([every, steps]), problems + more))

# %% [markdown]
# ## Summary
#
# - `plain` has the paper's objective, network and initial weights; it comes down faster because
#   rare snapshots no longer rule single steps, and because rates and schedule fit the layers.
# - `fast` is told what can be said beforehand: positions matter by their differences, and a message
#   need not tell a body what it knows of itself. What comes of that is not the paper's claim.
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
