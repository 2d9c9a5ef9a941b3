"""Presets: how much work each step of the road gets, and by which recipe.

`ci` is minutes on two cores, `laptop` an evening for the whole book, `paper` the paper's own
sizes, for a GPU. Each can be walked by any of the three recipes.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any

from symlib.choices import FLATHGN, PRUNED, RECIPES, SMOKE, known
from symlib.training.recipes import ENERGIES, Recipe, get_recipe

# What `fast` becomes for each kind of message (fields of `Recipe`). L1: α₁ rises while the
# network learns to speak at all, then arrives from above, which silences superfluous messages
# while they are still interchangeable. KL: at its full weight the penalty bends messages that are
# rare and large, and where it costs more than they earn it ends them all. So α₁ comes from far
# below and is full with the last step, when the law has long been spoken. And as encounters bend
# most, they are not drawn more often: ordinary messages are then closer to forces. One-cycle ends
# with a slower walk, so that the penalty at its fullest bends least.
SCHEDULES: dict[str, dict[str, Any]] = {
    "l1": {
        "alpha_start": 100.0,
        "alpha_rise": 0.2,
        "alpha_until": 0.8,
        "turn_every": 300,
        "turn_until": 0.6,
        "silence_below": 0.5,
    },
    "kl": {
        "encounters": False,
        "decay_from": 0.0,
        "alpha_start": 1e-3,
        "alpha_until": 1.0,
        "turn_every": 300,
        "turn_until": 0.6,
        "silence_below": 0.5,
    },
    FLATHGN: {"apart": True},
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
        training_steps: of the four message models; energy_steps: of a FlatHGN.
        budget: how long symbolic regression may search (see `symlib.symbolic.regress`).
        recipe: how networks are trained and messages searched: reference, plain or fast.
        changes: fields of `Recipe` that this preset sets for all models.
    """

    name: str
    systems: int
    steps: int
    snapshots: int
    test_snapshots: int
    training_steps: int
    energy_steps: int
    budget: str | dict[str, int]
    recipe: str = "fast"
    changes: dict[str, Any] = field(default_factory=dict)

    def inputs(self, model: str) -> list:
        """What decides the data and the training of a model, as plain values."""
        sizes = [self.systems, self.steps, self.snapshots, self.test_snapshots]
        return [*sizes, self.recipe_for(model).inputs()]

    def recipe_for(self, model: str) -> Recipe:
        """The recipe of a model."""
        steps = self.energy_steps if model == FLATHGN else self.training_steps
        recipe = get_recipe(self.recipe, steps=steps)
        if model == FLATHGN and self.recipe != "reference":
            recipe = replace(recipe, **ENERGIES)
        if self.recipe == "fast":
            recipe = replace(recipe, **SCHEDULES.get(model, {}))
        if model == PRUNED:
            recipe = replace(recipe, turn_every=max(1, min(100, steps // 20)), turn_until=0.65)
        return replace(recipe, **self.changes)


SMALL_SEARCH = {"searches": 1, "generations": 4, "population": 60, "rows": 200, "rounds": 0}
PRESETS = {
    preset.name: preset
    for preset in (
        # The machinery, in seconds; no result of its own. What `make grid PRESET=ci` runs.
        Preset(
            SMOKE, 24, 40, 500, 100, 60, 40, SMALL_SEARCH,
            changes={"precision": "float32", "compiled": False},
        ),
        Preset("ci", 1_000, 1_000, 100_000, 2_000, 8_000, 4_000, "ci"),
        Preset("laptop", 4_000, 1_000, 1_000_000, 5_000, 40_000, 20_000, "laptop"),
        Preset(
            "paper", 10_000, 1_000, 9_000_000, 20_000, 1_000_000, 1_000_000, "paper", "reference"
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class OneRecipe(Preset):
    """A preset that trains every model by the same recipe, for trials of one."""

    one: Recipe | None = None

    @classmethod
    def of(cls, preset: Preset, recipe: Recipe) -> "OneRecipe":
        """The sizes and the budget of a preset with another recipe."""
        same = {spec.name: getattr(preset, spec.name) for spec in fields(Preset)}
        return cls(**same, one=recipe)

    def recipe_for(self, model: str) -> Recipe:
        """The same for all."""
        assert self.one is not None
        return self.one


def get_preset(name: "str | Preset", recipe: str | None = None) -> Preset:
    """A preset by name, with another recipe than its own where one is named.

    Raises:
        UnknownChoice: no preset, or no recipe, of that name.
    """
    if not isinstance(name, Preset):
        known("preset", name, PRESETS)
        name = PRESETS[name]
    if recipe is None:
        return name
    known("recipe", recipe, RECIPES)
    return replace(name, recipe=recipe)
