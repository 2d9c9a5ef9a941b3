"""How a network is trained: the paper's recipe and a fast one.

Both minimise the same objective (appendix A.1) on the same network. They differ in where
training starts and how it walks:

* `reference` is the paper's: PyTorch's initial weights, Adam with a one-cycle schedule.
* `fast` is born translation invariant: the weights through which φᵉ reads the two positions
  start as each other's negative, so the first thing the network sees is a difference of
  positions, which the reference recipe spends most of its steps learning from augmented
  data. Adam's rate can then be twice as high. What one of φᵉ and φᵛ knows, the other does
  not learn to see until late. Snapshots of close encounters, whose accelerations dwarf all
  others, join late.

`energies` is `fast` for FlatHGN; `symlib.training.presets` has what L1 and KL messages ask for.
"""

import math
from dataclasses import asdict, dataclass, fields, replace

import torch
from torch import nn

from symlib.choices import known
from symlib.errors import InputError
from symlib.networks.fresh import Network

SHARES = ("warmup", "alpha_until", "calm_start", "calm_until", "turn_until", "float32_from")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how a training run walks (dimensionless).

    Args:
        name: how records call it.
        steps: optimisation steps.
        batch: snapshots per step.
        learning_rate: the top of the one-cycle schedule.
        warmup: fraction of the steps spent rising to it.
        augmentation: standard deviation of the random translation of each snapshot.
        born_invariant: start from opposite weights on the two positions.
        blind_until: fraction of the steps during which φᵉ does not learn to see the receiver's
            mass and velocity, nor φᵛ its charge; only with born_invariant.
        alpha_start: α₁ at the first step, in units of its final value.
        alpha_by_loss: multiply that by the loss of the trivial predictor on the training data, so
            that the penalty weighs the same whatever the size of the accelerations.
        alpha_until: fraction of the steps after which α₁ has reached its final value.
        alpha_rise: fraction of the steps during which α₁ rises geometrically from its final value
            to the falling schedule of alpha_start and alpha_until, as a penalty that is large at
            the very first step can end all messages before one has learned anything; 0 falls
            from the start. A schedule that comes from below is left as it is.
        calm_start: share of the snapshots, those with the smallest accelerations, that batches
            are drawn from at first.
        calm_until: fraction of the steps after which they are drawn from all.
        turn_every: steps between two turns of messages to their principal axes, and between
            two rounds of silencing (see `symlib.training.sparsity`); 0 never.
        turn_until: fraction of the steps after which they are left as they are.
        silence_below: L1 and KL components whose standard deviation is below this share of the
            largest are then silenced for good; the share rises to this value until `turn_until`;
            0 silences none.
        precision: "bfloat16" multiplies matrices in bfloat16, "float32" does not, "auto"
            takes bfloat16 where the processor has instructions for it.
        float32_from: fraction of the steps after which matrices are multiplied in float32 all the
            same: the last digits of a smooth energy's derivative are lost in bfloat16.
        compiled: compile loss and gradient with torch.compile where a compiler exists.
    """

    name: str
    steps: int
    batch: int = 64
    learning_rate: float = 1e-3
    warmup: float = 0.3
    augmentation: float = 3.0
    born_invariant: bool = False
    blind_until: float = 0.0
    alpha_start: float = 1.0
    alpha_by_loss: bool = False
    alpha_until: float = 0.7
    alpha_rise: float = 0.0
    calm_start: float = 1.0
    calm_until: float = 0.7
    turn_every: int = 0
    turn_until: float = 0.6
    silence_below: float = 0.0
    precision: str = "auto"
    float32_from: float = 1.0
    compiled: bool = True

    def __post_init__(self):
        for field in ("steps", "batch", "learning_rate", "alpha_start"):
            if not getattr(self, field) > 0:
                raise InputError(f"recipe: {field} must be positive, got {getattr(self, field)!r}")
        for field in SHARES:
            if not 0 < getattr(self, field) <= 1:
                raise InputError(f"recipe: {field} is a share, in (0, 1]")
        for field in ("alpha_rise", "blind_until", "silence_below"):
            if not 0 <= getattr(self, field) <= 1:
                raise InputError(f"recipe: {field} is a share, in [0, 1]")
        for field in ("augmentation", "turn_every"):
            if getattr(self, field) < 0:
                raise InputError(f"recipe: {field} cannot be negative: {getattr(self, field)!r}")
        known("precision", self.precision, PRECISIONS)

    def alpha_factor(self, step: int, trivial_loss: float = 1.0) -> float:
        """What multiplies α₁ at a step: geometric to 1, from alpha_start or from it by the loss."""
        progress = min(1.0, step / (self.alpha_until * self.steps))
        start = self.alpha_start * (trivial_loss if self.alpha_by_loss else 1.0)
        factor, rising = start ** (1.0 - progress), self.alpha_rise * self.steps
        return factor ** (step / rising) if factor > 1 and step < rising else factor

    def calm_share(self, step: int) -> float:
        """The share of calmest snapshots in use at a step, rising linearly to all."""
        progress = min(1.0, step / (self.calm_until * self.steps))
        return self.calm_start + (1.0 - self.calm_start) * progress

    def turns(self, step: int) -> bool:
        """Whether messages are made fewer after this step (see `symlib.training.sparsity`)."""
        return (
            self.turn_every > 0
            and step > 0
            and step % self.turn_every == 0
            and step < self.turn_until * self.steps
        )

    def to_dict(self) -> dict:
        """The recipe as plain values, for records and checkpoints."""
        return asdict(self)

    def inputs(self) -> dict:
        """What it does beyond the defaults, so that a new field leaves old recipes as they are."""
        plain = {spec.name: spec.default for spec in fields(self)}
        return {
            name: value
            for name, value in asdict(self).items()
            if name != "name" and value != plain[name]
        }


REFERENCE = Recipe("reference", steps=100_000, precision="float32", compiled=False)
FAST = Recipe(
    "fast",
    steps=6_000,
    learning_rate=2e-3,
    warmup=0.1,
    born_invariant=True,
    blind_until=0.9,
    calm_start=0.8,
)
# FlatHGN: GELU bears a higher rate than ReLU.
ENERGIES = replace(FAST, name="energies", learning_rate=5e-3, blind_until=0.5, float32_from=0.75)
RECIPES = {recipe.name: recipe for recipe in (REFERENCE, FAST, ENERGIES)}


def get_recipe(name: str, **changes) -> Recipe:
    """A recipe by name, with fields changed.

    Raises:
        UnknownChoice: no recipe of that name.
        InputError: a field that does not exist or a value out of range.
    """
    known("recipe", name, RECIPES)
    unknown = set(changes) - set(Recipe.__dataclass_fields__)
    if unknown:
        raise InputError(f"recipe: no field named {', '.join(sorted(unknown))}")
    return replace(RECIPES[name], **changes)


def bear_invariant(network: Network, dim: int) -> None:
    """Start φᵉ from differences of positions, blind to what φᵛ knows anyway (in place).

    φᵛ sees the receiver's mass and velocity itself, so messages need not carry them; left to
    itself a network multiplies the force by some function of the receiver's mass, which φᵛ
    divides out again, and its messages are neither force nor acceleration. With the receiver's
    charge it is the other way round: as long as φᵛ knows it, messages are fields, force per
    charge, so φᵛ starts without it. A pair energy starts from the difference of positions
    alone: momenta belong to the self energies.

    Args:
        network: a fresh network whose first `dim` node features are the position.
        dim: 2 or 3.
    """
    features = network.features
    with torch.no_grad():
        first = network.edge_model.first.weight  # [hidden, receiver features + sender features]
        # One difference instead of two positions: √2 keeps the variance of what neurons see.
        first[:, features : features + dim] *= math.sqrt(2.0)
        first[:, :dim] = -first[:, features : features + dim]
        first[:, network.unseen()] = 0.0
        network.node_model.first.weight[:, :dim] = 0.0
        network.node_model.first.weight[:, network.left_to_messages()] = 0.0


def stay_blind(network: Network) -> None:
    """Drop the gradient by which φᵉ and φᵛ would learn what is the other's to know (in place)."""
    forget(network.edge_model.first, network.unneeded())
    forget(network.node_model.first, network.left_to_messages())


def forget(layer: nn.Linear, columns) -> None:
    """Drop the gradient by which a layer would learn to read some of its inputs (in place)."""
    if layer.weight.grad is not None:
        layer.weight.grad[:, columns] = 0.0


def optimiser(
    network: nn.Module, recipe: Recipe
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Adam and its one-cycle schedule."""
    adam = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        adam,
        max_lr=recipe.learning_rate,
        total_steps=recipe.steps + 1,
        pct_start=recipe.warmup,
        final_div_factor=1e5,
    )
    return adam, schedule


def use_bfloat16(recipe: Recipe, device: torch.device) -> bool:
    """Whether matrix products run in bfloat16 on this device."""
    if recipe.precision != "auto":
        return recipe.precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    # Without instructions of its own, bfloat16 is emulated and slower than float32.
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
