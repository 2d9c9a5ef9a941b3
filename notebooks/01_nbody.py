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
# # From orbits to a law
#
# **Overview.** We let bodies move under a law, train a graph network to predict their
# accelerations, look at what its messages say, have symbolic regression write that down as an
# equation, and let code judge whether the equation is the law we started from. Nothing here
# was prepared: the orbits are simulated, the network trained and the equation found while
# this page was being built.
#
# - **In the paper:** section 4.1 and appendices A to C of {cite:t}`cranmer2020discovering`
# - **You need:** Newton's second law; what a neural network is
# - **Time to read:** 15 minutes. **Time to run:** about 3 minutes on two cores at the preset
#   `ci`, half an hour at `laptop`

# %% tags=["parameters"]
preset = "ci"  # how much work: ci, laptop or paper
seed = 0
engine = "auto"  # symbolic regression: auto, operon or pysr

# %% tags=["hide-input"]
import numpy as np
from IPython.display import Markdown

from symlib import discovery, symbolic
from symlib.book import figures
from symlib.book.building import record_metrics, show
from symlib.book.interactive import show_pareto
from symlib.book.markdown import front
from symlib.choices import MESSAGE_MODELS
from symlib.laws.potentials import LAWS
from symlib.messages import motion, recording
from symlib.papers.cranmer2020.pages import tables
from symlib.simulation import nbody
from symlib.training.presets import get_preset

work = get_preset(preset)
# Minutes of work need no cache; an evening's should survive a closed lid.
cache = None if preset == "ci" else discovery.default_cache()

# %% [markdown]
# ## Six laws
#
# A law is a potential energy $U_{12}$ between a receiving body 1 and a sending body 2. The force
# on the receiver is minus its gradient, and the acceleration is the sum over all senders divided
# by the receiver's mass,
#
# $$
# \ddot{\mathbf r}_i = -\frac{1}{m_i} \sum_{j \neq i} \nabla_{\mathbf r_i} U_{ij}.
# $$ (acceleration)
#
# Everywhere $r$ stands for the distance plus a softening of 0.01, which keeps the energy finite
# when two bodies meet. Whoever overlooks those 0.01 will find slightly different constants.
#
# | Law | $U_{12}$ | time step |
# |---|---|---|
# | `r2` | $-m_1 m_2 / r$ | 0.001 |
# | `r1` | $m_1 m_2 \log r$ | 0.005 |
# | `spring` | $(r - 1)^2$ | 0.01 |
# | `damped` | $(r - 1)^2 + \mathbf r_1 \cdot \dot{\mathbf r}_1 / n$ | 0.02 |
# | `charge` | $q_1 q_2 / r$ | 0.001 |
# | `discontinuous` | $0$ for $r < 2$, else $(r - 1)^2$ | 0.01 |
#
# Forces come from these potentials by automatic differentiation, so no formula is typed twice,
# and {doc}`a law of your own <../book/your_own_law>` needs no more than its potential.

# %% tags=["hide-input"]
show(*figures.pair_force(LAWS.values()))

# %% [markdown]
# *The force that pulls body 1 towards body 2, unit masses and charges, for each law (without the
# damping, which acts on one body alone).*
#
# ## Orbits
#
# Masses are log-normal, positions and velocities normal, charges −1 or 1, and nothing carries a
# unit. An adaptive Runge–Kutta method follows each system for 1,000 snapshots in double
# precision {cite}`kidger2021neural`. Four bodies are enough for chaos:

# %% tags=["hide-input"]
exposures = {}
for name in ("r1", "spring", "damped", "discontinuous"):
    film = nbody.simulate(name, 2, 4, 1, 1000, seed=seed + 3, progress=False)
    exposures[figures.law_label(LAWS[name])] = film.states[0]
show(*figures.long_exposures(exposures))

# %% [markdown]
# *Long exposures of four systems; a trail grows darker with time, a dot is as large as its
# body's mass.*
#
# A batch of chaotic systems waits for its hardest member, whose bodies happen to meet. Here a
# fixed number of lanes advance side by side, and a lane whose system is done takes the next one;
# `symlib bench simulate` measures what that is worth:

# %% tags=["hide-input"]
Markdown(tables.bench_simulate())

# %% [markdown]
# We take the spring. A tenth of the simulations is held out; whatever is measured below is
# measured on those.

# %%
law = LAWS["spring"]
data = discovery.prepare(law, 2, work, seed, cache=cache, progress=False)
drift = nbody.energy_error(law, data.trajectories.systems(slice(0, 100)))
print(
    f"{len(data.trajectories)} systems, {data.trajectories.share_failed:.1%} unfinished"
)
print(
    f"energy error {np.median(drift):.1e} (median), {drift.max():.1e} (worst)"
)

# %% [markdown]
# ## A network that must be brief
#
# Each snapshot becomes a complete graph. For every ordered pair a first network $\phi^e$ writes a
# message, each body adds up what it hears, and a second network $\phi^v$ predicts its
# acceleration,
#
# $$
# \hat{\mathbf a}_i
# = \phi^v\Big(\mathbf v_i,\ \sum_{j \neq i} \phi^e(\mathbf v_i, \mathbf v_j)\Big).
# $$ (network)
#
# The *bottleneck* model leaves the message as many components as space has dimensions: two. If
# the prediction is right for any number of senders, $\phi^v$ must be linear in the sum, and so a
# message can only be a linear image of the force. That is the idea that we now put to the test.

# %%
run = discovery.fit_network(
    law, "bottleneck", data, work, seed, cache=cache, progress=False
)
loss = recording.prediction_losses(run.network, *data.test)
print(
    f"{run.steps} steps in {run.seconds:.0f} s, test loss {loss['test_loss']:.3f}"
)

# %% tags=["hide-input"]
show(*figures.loss_curve(run, loss["trivial_loss"], loss["test_loss"]))

# %% [markdown]
# *The loss during training: $|\mathbf a - \hat{\mathbf a}|$ summed over components, averaged over
# bodies. The dashed line is the predictor that always says the median. A loss means little without
# it, because rare close encounters rule its size.*
#
# How can that take seconds? The paper's recipe is there as `reference`. `plain` minimises the same
# objective on the same network and knows no more; it only walks faster. The default recipe,
# `fast`, which trained the network above, is `plain` told more than the paper's networks are:
#
# - **Translation invariant.** The weights with which $\phi^e$ reads the two positions are each
#   other's negative throughout, so the network sees differences of positions. The others have to
#   learn that from randomly shifted copies of the data.
# - **Blind, for nine tenths of the steps, to the receiver's mass and velocity.** $\phi^v$ knows
#   both, so $\phi^e$ can multiply the force by any function of the receiver's mass and $\phi^v$
#   divides it out again. Nothing in the loss forbids it, and messages then lie somewhere between
#   force and acceleration: symbolic regression then finds the force times something like
#   $c - m_1/(m_1 + d)$. A message that starts without it stays without it. With the receiver's
#   charge it is the other way round: where $\phi^v$ knows it, messages become *fields*, the force
#   per charge, so $\phi^v$ is blind to the charge for as long.
#
# What the paper claims of networks that are told none of this, {doc}`the scoreboard <05_tables>`
# and {doc}`its claims one by one <08_claims>` test by the other two recipes; {doc}`07_training`
# says what each part of all three is worth.
#
# `symlib bench training` alternates the three in one run:

# %% tags=["hide-input"]
Markdown(tables.bench_training())

# %% [markdown]
# ## What the messages say
#
# Each message component is fitted by a linear combination of the true force's two components,
# and, separately, of the pairwise acceleration's: $\phi^v$ knows the receiver's mass, so the
# network is free to send either. We report $R^2$ over all points and with the 10% largest
# residuals dropped, the way the paper's public demonstration does it.

# %%
heard = recording.record_messages(run.network, law, data.test.states)
r2 = heard.r2()
quantity = max(r2, key=lambda name: r2[name]["kept90"])
for name, fit in r2.items():
    print(f"{name:13} R² {fit['all']:.3f} (all) {fit['kept90']:.4f} (kept 90%)")

# %% tags=["hide-input"]
show(*figures.messages_and_forces(heard, quantity))

# %% [markdown]
# *The two message components against their best linear combination of the true components, on
# held-out simulations. Points on the grey line are messages that are exactly that combination.*
#
# ## The equation
#
# Symbolic regression sees the most significant message component and, for each pair, the masses
# $m_1, m_2$, the charges, $\Delta x$, $\Delta y$ and the distance. It knows nothing of springs. It
# returns the best equation of each complexity; the one with the largest drop of
# $\log(\text{error})$ per unit of complexity is selected (appendix C).

# %%
search = {
    "engine": engine,
    "seed": seed,
    "budget": work.budget,
    "progress": False,
}
found = recording.regress_message(run.network, data.train.states, **search)
Markdown(front(found.rows(), found.selected["complexity"]))

# %% tags=["hide-input"]
show_pareto(found)

# %% [markdown]
# *Error against complexity (above) and the score that selects, $-\Delta \log \mathrm{MAE} /
# \Delta\,\text{complexity}$ (below), in the manner of the paper's figure 6. Point at an equation
# to read it.*

# %% tags=["hide-input"]
verdict = symbolic.recovered(found, law, 2)
word = "recovered" if verdict else "not recovered"
Markdown(
    f"The engine `{found.engine}` selected\n\n$$\\phi^e_1 = {found.latex()}$$\n\n"
    f"**Verdict: {word}.** {verdict.reason[0].upper()}{verdict.reason[1:]}."
)

# %% [markdown]
# The verdict is code, the same for every engine and model. It asks whether the equation is
# proportional to one component of the true force or acceleration, any direction and any constant
# allowed: first by its form, with the equation's own constants allowed to move a little and no
# term allowed to be left over, then by its values on fresh points outside the range of training,
# then far out and on both sides of every threshold. {doc}`06_equations` lists what it forgives.
#
# ## What the equation buys
#
# A network trained on four bodies has learned what three senders add up to. An equation knows
# one pair, and pairs are all there is in eight bodies or in sixteen. So we find an equation for
# each of the two messages, fit the one matrix that turns their sums into forces, and let both
# roll out from the same held-out beginnings.

# %%
other = recording.regress_message(run.network, data.train.states, 1, **search)
symbols = motion.symbolic_dynamics(
    (found, other), data.train.states[:5000], data.train.accelerations[:5000]
)
learned = motion.network_dynamics(run.network)
systems, steps = (6, 300) if preset == "ci" else (20, 500)
errors, times = {}, law.dt * np.arange(steps)
for bodies in (4, 8, 16):
    truth = nbody.simulate(
        law, 2, bodies, systems, steps, seed=seed + 1000, progress=False
    ).states
    errors[bodies] = {
        kind: motion.position_error(
            motion.rollout(dynamics, truth[:, 0], law.dt, steps), truth
        )
        for kind, dynamics in (("network", learned), ("equation", symbols))
    }

# %% tags=["hide-input"]
show(*figures.rollout_errors(times, errors))

# %% [markdown]
# *Distance between where the bodies are and where they are predicted to be, median and quartiles
# over systems that nobody trained on.*

# %% tags=["hide-input"]
beginning = nbody.simulate(
    law, 2, 8, 1, steps, seed=seed + 2000, progress=False
).states
show(
    *figures.rollout_paths(
        {
            "truth, 8 bodies": beginning[0],
            "network": motion.rollout(learned, beginning[:, 0], law.dt, steps)[
                0
            ],
            "equation": motion.rollout(symbols, beginning[:, 0], law.dt, steps)[
                0
            ],
        }
    )
)

# %% [markdown]
# *One system of eight bodies: the truth in grey behind each prediction. The network was trained
# on four bodies; the equation was read off that same network.*
#
# ## The same road, longer
#
# Two laws, two ways to keep messages few, with the work of an evening on a laptop. The *L1* model
# has a hundred message components and pays for every one it uses; `yukawa` and `cubic` are
# {doc}`laws that the paper lacks <../book/your_own_law>`. Each row is a run on record, or one that
# was just made if this page was built at that preset.

# %% tags=["hide-input"]
if preset != "ci":
    longer = [
        discovery.discover(
            name,
            2,
            model,
            preset,
            seed,
            engine=engine,
            cache=cache,
            progress=False,
        ).record
        for name in ("spring", "r1")
        for model in ("bottleneck", "l1")
    ]
    unread = []
else:
    longer, unread = tables.on_record(*MESSAGE_MODELS)
Markdown(tables.discoveries(longer, unread))

# %% tags=["hide-input"]
sparse = [record for record in longer if record["model"] == "l1"]
show(*figures.spectra(sparse))

# %% [markdown]
# *Standard deviations of the fifteen most significant of the hundred message components of the L1
# runs; a component that was silenced is not drawn. As many as space has dimensions (blue) carry
# the law. While they train, the messages are turned to their principal axes every few hundred
# steps; the matrices on either side of a message absorb the turn, so no prediction changes, but
# few components then hold what many held, and what has become small is silenced.
# {doc}`How to train it in minutes <07_training>` says more.*
#
# ## Summary
#
# - Two numbers per edge are enough to predict the spring, and those two numbers turn out to be
#   the force, turned and stretched.
# - Symbolic regression of one message gives the spring's law, constant included: the rest length
#   comes out close to 0.99 and not 1, because the law's own distance is softened by 0.01.
# - What a message is allowed to see decides what it says: a network that may use the receiver's
#   mass will, and its messages are then neither force nor acceleration.
# - The equation goes where its network cannot: to more bodies than it was trained on.
#
# Works cited are listed under {doc}`../book/references`.

# %% tags=["remove-cell"]
last = {
    kind: float(np.nanmedian(error[:, -1])) for kind, error in errors[8].items()
}
record_metrics(
    "01_nbody",
    {
        "preset": preset,
        "recovered": bool(verdict),
        "complexity": int(found.selected["complexity"]),
        "kept90 r2": r2[quantity]["kept90"],
        "quantity": quantity,
        "test loss over trivial loss": loss["test_loss"] / loss["trivial_loss"],
        "median energy error": float(np.median(drift)),
        "share of failed systems": data.trajectories.share_failed,
        "equation's mae over message spread": float(found.selected["loss"])
        / float(heard.spread[0]),
        "8 bodies: position error of the equation": last["equation"],
        "8 bodies: equation's error over network's": last["equation"]
        / last["network"],
    },
)
