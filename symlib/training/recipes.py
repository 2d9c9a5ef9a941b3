"""How a network is trained: three recipes for the same objective (appendix A.1).

* `reference` is the paper's to the letter: PyTorch's initial weights, Adam with a one-cycle
  schedule, augmentation, a constant α₁, float32.
* `plain` knows no more than that. It only walks faster: snapshots of close encounters are drawn
  more often and count for less, so that the objective stays what it is in expectation; the layers
  have rates of their own; the rate is constant and then falls to zero; Adam forgets sooner.
* `fast` is `plain` with priors, named wherever its numbers stand: the network is translation
  invariant; what one of φᵉ and φᵛ knows, the other does not learn to see until late; L1 and KL
  messages have schedules, are turned and silenced (`symlib.training.presets`).
"""

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch
from torch import nn

from symlib.choices import known
from symlib.errors import InputError
from symlib.networks.fresh import Network
from symlib.networks.graph_network import Perceptron

SHARES = ("warmup", "alpha_until", "turn_until", "float32_from")
POSITIVE = ("steps", "batch", "learning_rate", "first_rate", "last_rate", "alpha_start")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how a training run walks (dimensionless).

    Args:
        name: how records call it.
        steps: optimisation steps.
        batch: snapshots per step.
        learning_rate: the top of the schedule, of the hidden layers' matrices.
        first_rate, last_rate: what multiplies it for the first layers' weights, and for the last
            layers' weights and all biases.
        warmup: fraction of the steps spent rising to it.
        decay_from: fraction of the steps after which the rate, constant since it has risen, falls
            linearly to zero; 0 is the one-cycle schedule, which turns Adam's β₁ as well.
        beta2: Adam's memory of squared gradients.
        encounters: draw a snapshot with odds q of the median plus the largest |a| in it, and let
            it count by mean(q) / q: the objective is the same in expectation, and its gradient
            less noisy, as close encounters rule it.
        augmentation: standard deviation of the random translation of each snapshot.
        born_invariant: start from opposite weights on the two positions, and φᵛ blind to them.
        invariant: keep them opposite, and φᵛ blind, throughout; only with born_invariant.
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
        apart: of a FlatHGN, H_pair never sees momenta and H_self never positions, so the two are
            trained apart (`FlatHGN.losses_apart`).
        distance: of a FlatHGN, H_pair is told the distance, which the paper's is not.
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
    first_rate: float = 1.0
    last_rate: float = 1.0
    warmup: float = 0.3
    decay_from: float = 0.0
    beta2: float = 0.999
    encounters: bool = False
    augmentation: float = 3.0
    born_invariant: bool = False
    invariant: bool = False
    blind_until: float = 0.0
    alpha_start: float = 1.0
    alpha_by_loss: bool = False
    alpha_until: float = 0.7
    alpha_rise: float = 0.0
    apart: bool = False
    distance: bool = False
    turn_every: int = 0
    turn_until: float = 0.6
    silence_below: float = 0.0
    precision: str = "auto"
    float32_from: float = 1.0
    compiled: bool = True

    def __post_init__(self):
        for field in POSITIVE:
            if not getattr(self, field) > 0:
                raise InputError(f"recipe: {field} must be positive, got {getattr(self, field)!r}")
        for field in SHARES:
            if not 0 < getattr(self, field) <= 1:
                raise InputError(f"recipe: {field} is a share, in (0, 1]")
        for field in ("alpha_rise", "blind_until", "decay_from", "silence_below"):
            if not 0 <= getattr(self, field) <= 1:
                raise InputError(f"recipe: {field} is a share, in [0, 1]")
        for field in ("invariant", "apart"):
            if getattr(self, field) and not self.born_invariant:
                raise InputError(f"recipe: {field} needs born_invariant")
        if not 0 <= self.beta2 < 1:
            raise InputError(f"recipe: beta2 lies in [0, 1), got {self.beta2!r}")
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

    def rate_factor(self, step: int) -> float:
        """What multiplies the rates at a step, where the schedule is not one-cycle."""
        rising, falling = self.warmup * self.steps, self.decay_from * self.steps
        left = (self.steps - step) / max(self.steps - falling, 1.0)
        return min((step + 1) / max(rising, 1.0), 1.0, max(left, 0.0))

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


REFERENCE = Recipe("reference", steps=100_000, precision="float32")
PLAIN = Recipe(
    "plain",
    steps=10_000,
    learning_rate=1e-3,
    first_rate=3.0,
    last_rate=3.0,
    warmup=0.1,
    decay_from=0.3,
    beta2=0.99,
    encounters=True,
    float32_from=0.7,
)
FAST = replace(
    PLAIN, name="fast", augmentation=0.0, born_invariant=True, invariant=True, blind_until=0.9
)
# FlatHGN: its accelerations are derivatives, and the first layer's weights set their scale. The
# last digits of a smooth energy's derivative are lost in bfloat16.
ENERGIES: dict[str, Any] = {"learning_rate": 2e-3, "first_rate": 10.0, "float32_from": 0.5}
BY_NAME = {recipe.name: recipe for recipe in (REFERENCE, PLAIN, FAST)}


def get_recipe(name: str, **changes) -> Recipe:
    """A recipe by name, with fields changed.

    Raises:
        UnknownChoice: no recipe of that name.
        InputError: a field that does not exist or a value out of range.
    """
    known("recipe", name, BY_NAME)
    unknown = set(changes) - set(Recipe.__dataclass_fields__)
    if unknown:
        raise InputError(f"recipe: no field named {', '.join(sorted(unknown))}")
    return replace(BY_NAME[name], **changes)


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


def stay_invariant(network: Network, dim: int) -> None:
    """Keep φᵉ's weights on the two positions opposite, and φᵛ blind to the position (in place).

    Adam moves opposite weights by opposite steps where their gradients are opposite.
    """
    gradient, features = network.edge_model.first.weight.grad, network.features
    if gradient is not None:
        sender = gradient[:, features : features + dim]
        sender -= gradient[:, :dim]
        gradient[:, :dim] = -sender
    forget(network.node_model.first, range(dim))


def stay_apart(network: Network) -> None:
    """Keep H_pair from learning to see momenta and H_self positions (in place)."""
    forget(network.edge_model.first, network.unneeded())
    forget(network.node_model.first, range(network.outputs))


def stay_blind(network: Network) -> None:
    """Drop the gradient by which φᵉ and φᵛ would learn what is the other's to know (in place)."""
    forget(network.edge_model.first, network.unneeded())
    forget(network.node_model.first, network.left_to_messages())


def forget(layer: nn.Linear, columns) -> None:
    """Drop the gradient by which a layer would learn to read some of its inputs (in place)."""
    if layer.weight.grad is not None:
        layer.weight.grad[:, columns] = 0.0


def optimiser(
    network: Network, recipe: Recipe
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Adam, the layers' rates, and their schedule."""
    by_rate = _by_rate(network, recipe)
    rates = [factor * recipe.learning_rate for factor in by_rate]
    groups = [{"params": w, "lr": rate} for w, rate in zip(by_rate.values(), rates, strict=True)]
    adam = torch.optim.Adam(groups, betas=(0.9, recipe.beta2), fused=True)
    if recipe.decay_from > 0:
        return adam, torch.optim.lr_scheduler.LambdaLR(adam, recipe.rate_factor)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        adam,
        max_lr=rates,
        total_steps=recipe.steps + 1,
        pct_start=recipe.warmup,
        final_div_factor=1e5,
    )
    return adam, schedule


def _by_rate(network: Network, recipe: Recipe) -> dict[float, list]:
    """The parameters by what multiplies their rate."""
    perceptrons = [one for one in network.children() if isinstance(one, Perceptron)]
    first = {one.first.weight for one in perceptrons}
    last = {one.last.weight for one in perceptrons}
    groups: dict[float, list] = {}
    for weight in network.parameters():
        factor = 1.0
        if weight in first:
            factor = recipe.first_rate
        elif weight in last or weight.ndim == 1:
            factor = recipe.last_rate
        groups.setdefault(factor, []).append(weight)
    return groups


def use_bfloat16(recipe: Recipe, device: torch.device) -> bool:
    """Whether matrix products run in bfloat16 on this device."""
    if recipe.precision != "auto":
        return recipe.precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    # Without instructions of its own, bfloat16 is emulated and slower than float32.
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
