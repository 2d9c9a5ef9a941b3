"""Presets: how much work each step of the road gets.

`ci` is minutes on two cores, `laptop` an evening for the whole book, `paper` the paper's own
sizes, for a GPU.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

from symlib.choices import FLATHGN, SMOKE, known
from symlib.training.recipes import FAST, Recipe, get_recipe

# What `fast` becomes for each kind of message (fields of `Recipe`). L1: α₁ rises while the
# network learns to speak at all, then arrives from above, which silences superfluous messages
# while they are still interchangeable. KL: at its full weight the penalty bends messages that are
# rare and large, and where it costs more than they earn it ends them all. So α₁ comes from far
# below and is full with the last step, when the law has long been spoken.
SCHEDULES: dict[str, dict[str, Any]] = {
    "l1": {
        "name": "sparse",
        "alpha_start": 100.0,
        "alpha_rise": 0.2,
        "alpha_until": 0.8,
        "turn_every": 300,
        "turn_until": 0.6,
        "silence_below": 0.5,
    },
    "kl": {
        "name": "noisy",
        "alpha_start": 1e-3,
        "alpha_until": 1.0,
        "turn_every": 300,
        "turn_until": 0.6,
        "silence_below": 0.5,
    },
}


@dataclass(frozen=True)
class Preset:
    """How much of everything.

    Args:
        name: smoke, ci, laptop or paper.
        systems: simulations, each of `steps` snapshots; a tenth of them is held out.
        steps: snapshots per simulation (appendix B: 1,000).
        snapshots: training snapshots drawn from the simulations.
        test_snapshots: snapshots of held-out simulations, for losses and messages.
        recipe: how the network is trained.
        energy_recipe: how a FlatHGN is trained.
        budget: how long symbolic regression may search (see `symlib.symbolic.regress`).
    """

    name: str
    systems: int
    steps: int
    snapshots: int
    test_snapshots: int
    recipe: Recipe
    energy_recipe: Recipe
    budget: str | dict[str, int]

    def inputs(self, model: str) -> list:
        """What decides the data and the training of a model, as plain values."""
        sizes = [self.systems, self.steps, self.snapshots, self.test_snapshots]
        return [*sizes, self.recipe_for(model).inputs()]

    def recipe_for(self, model: str) -> Recipe:
        """The recipe of a model."""
        if model == FLATHGN:
            return self.energy_recipe
        if self.recipe.name == FAST.name and model in SCHEDULES:
            return sparse(self.recipe, model)
        return self.recipe


PRESETS = {
    preset.name: preset
    for preset in (
        # The machinery, in seconds; no result of its own. What `make grid PRESET=ci` runs.
        Preset(
            SMOKE,
            24,
            40,
            500,
            100,
            get_recipe("fast", steps=60, precision="float32", compiled=False),
            get_recipe("energies", steps=40, compiled=False),
            {"searches": 1, "generations": 4, "population": 60, "rows": 200, "rounds": 0},
        ),
        Preset(
            "ci",
            1_000,
            1_000,
            100_000,
            2_000,
            get_recipe("fast", steps=8_000),
            get_recipe("energies", steps=4_000),
            "ci",
        ),
        Preset(
            "laptop",
            4_000,
            1_000,
            1_000_000,
            5_000,
            get_recipe("fast", steps=40_000),
            get_recipe("energies", steps=20_000),
            "laptop",
        ),
        Preset(
            "paper",
            10_000,
            1_000,
            9_000_000,
            20_000,
            get_recipe("reference", steps=1_000_000, compiled=True),
            get_recipe("reference", steps=1_000_000, compiled=True),
            "paper",
        ),
    )
}


@dataclass(frozen=True)
class OneRecipe(Preset):
    """A preset that trains every model by the same recipe, for trials of one."""

    @classmethod
    def of(cls, preset: Preset, recipe: Recipe) -> "OneRecipe":
        """The sizes and the budget of a preset with another recipe."""
        same = {spec.name: getattr(preset, spec.name) for spec in fields(Preset)}
        return cls(**{**same, "recipe": recipe})

    def recipe_for(self, model: str) -> Recipe:
        """The same for all."""
        return self.recipe


def get_preset(name: "str | Preset") -> Preset:
    """A preset by name.

    Raises:
        UnknownChoice: no preset of that name.
    """
    if isinstance(name, Preset):
        return name
    known("preset", name, PRESETS)
    return PRESETS[name]


def sparse(recipe: Recipe, model: str) -> Recipe:
    """A recipe with the schedule of a kind of message, l1 or kl."""
    return replace(recipe, **SCHEDULES[model])
