"""What each part of the training recipe is worth: leave it out and look (the page on training).

A trial is one cell's training, at the preset `ci` unless told otherwise, with a recipe as it is or
with one thing about it changed. There is no symbolic regression in it. Each leaves a small record,

    book/results/trials/{law}-{dim}-{model}-{trial}-{seed}.json

and what is on record as it would be made now is not trained again. Trials of fewer and more steps,
at the preset `laptop`, leave theirs under book/results/steps.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from symlib.choices import FLATHGN, MESSAGE_MODELS
from symlib.discovery import check, fit_network, prepare
from symlib.errors import UnknownChoice
from symlib.laws.potentials import get_law
from symlib.messages.energies import record_energies
from symlib.messages.recording import prediction_losses, record_messages
from symlib.networks.graphs import snapshot_graphs
from symlib.papers.cranmer2020.study.cells import told_in_a_line
from symlib.records.study import Study
from symlib.training.presets import OneRecipe, Preset, get_preset
from symlib.training.recipes import Recipe
from symlib.training.sparsity import speaking

COMPONENTS = 15  # of the spectrum, as in the paper's video
# What is tried, one after the other: all four models where the loss means something, and the two
# with penalties where it costs them most.
SETTINGS = (
    *(("spring", 2, model) for model in MESSAGE_MODELS),
    ("charge", 2, "l1"),
    ("charge", 2, "kl"),
    ("spring", 2, FLATHGN),
    ("r1", 2, FLATHGN),
)
SEEDS = range(2)
# Where no rare encounters rule the loss: what do more steps give?
STEPS_SETTINGS = tuple((law, 2, "bottleneck") for law in ("spring", "r1", "discontinuous"))
# Where the paper's own training may be too short here: the control, and sparsity from L1 alone.
CONTROL_SETTINGS = (("spring", 2, "standard"), ("r1", 2, "standard"), ("spring", 2, "l1"))


def _times(factor: float):
    return lambda recipe: {"steps": int(factor * recipe.steps)}


# Name, what a reader sees, the recipe that is changed, its fields that change, and the models for
# which it is a change. From `reference` to `plain` it is training that changes, from `plain` to
# `fast` what the network is told.
MESSAGES, SPARSE = MESSAGE_MODELS, ("l1", "kl")
EVERY = (*MESSAGES, FLATHGN)
AUGMENTED = {"invariant": False, "augmentation": 3.0}
LEARNED = {**AUGMENTED, "born_invariant": False}
TRIALS: dict[str, tuple[str, str, dict | Callable, tuple]] = {
    "reference": ("reference: the paper's training", "reference", {}, EVERY),
    "plain": ("plain: the same objective, faster", "plain", {}, EVERY),
    "even": ("plain, all snapshots drawn alike", "plain", {"encounters": False}, EVERY),
    "one-rate": (
        "plain, one rate for all layers", "plain", {"first_rate": 1.0, "last_rate": 1.0}, EVERY,
    ),
    "one-cycle": (
        "plain, the one-cycle schedule", "plain", {"warmup": 0.3, "decay_from": 0.0}, EVERY,
    ),
    "slow-adam": ("plain, β₂ = 0.999", "plain", {"beta2": 0.999}, EVERY),
    "fast": ("fast: with more inductive bias", "fast", {}, EVERY),
    "augmented": ("fast, invariance learned", "fast", LEARNED, MESSAGES),
    "born": ("fast, invariance only at the start", "fast", AUGMENTED, MESSAGES),
    "not-blind": ("fast, never blind", "fast", {"blind_until": 0.0}, MESSAGES),
    "alpha-constant": (
        "fast, α₁ constant", "fast", {"alpha_start": 1.0, "alpha_rise": 0.0}, SPARSE,
    ),
    "alpha-high-at-once": (
        "fast, α₁ high from the first step", "fast", {"alpha_rise": 0.0}, ("l1",),
    ),
    "alpha-at-half": (
        "fast, α₁ final from half of the steps on", "fast", {"alpha_until": 0.5}, ("kl",),
    ),
    "not-turned": ("fast, neither turned nor silenced", "fast", {"turn_every": 0}, SPARSE),
    "not-silenced": ("fast, turned but not silenced", "fast", {"silence_below": 0.0}, SPARSE),
    "not-apart": ("fast, both energies told all", "fast", {"apart": False}, (FLATHGN,)),
    "distance": ("fast, H_pair told the distance", "fast", {"distance": True}, (FLATHGN,)),
    "quarter-steps": ("a quarter of the steps", "fast", _times(0.25), ()),
    "four-times-steps": ("four times the steps", "fast", _times(4), ()),
    "reference-quarter": ("reference, a quarter of the steps", "reference", _times(0.25), ()),
    "reference-four-times": ("reference, four times the steps", "reference", _times(4), ()),
}  # fmt: skip
STEPS = ("quarter-steps", "fast", "four-times-steps")
CONTROL = ("reference-quarter", "reference", "reference-four-times")


@dataclass(frozen=True)
class Trial(Study):
    """One training run with the recipe or with one thing about it changed.

    Args:
        law, dim, model, seed: as for a cell.
        trial: a key of `TRIALS`.
        preset: its sizes and its recipe.
    """

    law: str
    dim: int
    model: str
    trial: str
    seed: int
    preset: str = "ci"

    kind = "trial"
    stages = ("simulate", "train", "listen")

    def __post_init__(self):
        if self.trial not in TRIALS:
            raise UnknownChoice("trial", self.trial, TRIALS)

    def path(self, folder: str | Path) -> Path:
        return Path(folder) / f"{self.law}-{self.dim}-{self.model}-{self.trial}-{self.seed}.json"

    def recipe(self) -> Recipe:
        """The preset's recipe with the change made."""
        _, name, change, _ = TRIALS[self.trial]
        recipe = get_preset(self.preset, name).recipe_for(self.model)
        return replace(recipe, **(change(recipe) if callable(change) else change))

    def inputs(self) -> list:
        """The law, the sizes, the changed recipe and the seed."""
        return [
            get_law(self.law).fingerprint(),
            [self.dim, self.model, self.seed],
            self._preset().inputs(self.model),
        ]

    def command(self) -> str:
        """What runs it anew in a checkout, with the trials beside it."""
        # `fast` itself is among both, at the presets that each has by default.
        of_steps = self.trial in (*STEPS, *CONTROL) and self.preset != "ci"
        kind = "steps" if of_steps else "recipe"
        return f"symlib bench {kind} --preset {self.preset} --seeds {self.seed + 1}"

    def check(self, engine: str = "auto") -> None:
        check(self.law, self.dim, self.model, self.preset, self.seed)

    def measure(self, *, engine: str, cache: Path | None, progress: bool) -> dict:
        """Train once, and listen."""
        law, preset = get_law(self.law), self._preset()
        options = {"cache": cache, "progress": progress}
        data = prepare(law, self.dim, preset, self.seed, **options)
        run = fit_network(law, self.model, data, preset, self.seed, **options)
        found = {**run.facts(), **prediction_losses(run.network, *data.test)}
        if self.model == FLATHGN:
            return {**found, "r2": record_energies(run.network, law, data.test.states).r2()}
        heard = record_messages(run.network, law, data.test.states)
        return {
            **found,
            "message_cost": message_cost(run.network, data.test.states),
            "r2": heard.r2(),
            "spectrum": heard.spread[:COMPONENTS],
            "speaking": speaking(run.network),
        }

    def _preset(self) -> Preset:
        return OneRecipe.of(get_preset(self.preset), self.recipe())


def trials(preset: str = "ci", seeds: Iterable[int] = SEEDS) -> Iterator[Trial]:
    """All of them, the first seed of each before the second; changes that change nothing apart."""
    for seed in seeds:
        for law, dim, model in SETTINGS:
            for name, (*_, models) in TRIALS.items():
                if model in models:
                    yield Trial(law, dim, model, name, seed, preset)


def steps_trials(preset: str = "laptop", seeds: Iterable[int] = range(1)) -> Iterator[Trial]:
    """`fast`, then `reference`, with fewer and more steps; the short runs of all settings first."""
    for seed in seeds:
        for names, settings in ((STEPS, STEPS_SETTINGS), (CONTROL, CONTROL_SETTINGS)):
            for name in names:
                for law, dim, model in settings:
                    yield Trial(law, dim, model, name, seed, preset)


def message_cost(network, states) -> float:
    """α₁ L_e of a network's messages beyond what silent ones cost, in units of the loss L_v.

    Args:
        network: from `symlib.training.train`.
        states: test snapshots, shape [snapshots, bodies, 2 dim + 2].
    """
    rule, graphs = network.rule, snapshot_graphs(states)
    with torch.no_grad():
        raw = network.messages(graphs.x, graphs.edge_index)
        extra = rule.penalty(raw) - rule.penalty(torch.zeros_like(raw[:1]))
    return rule.alpha * float(extra)


def line(found: dict) -> str:
    """A record in one line."""
    name = f"{found['law']}-{found['dim']} {found['model']} {found['trial']}"
    return told_in_a_line(found, f"{name} seed {found['seed']}")
