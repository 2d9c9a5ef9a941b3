"""Training a graph network on snapshots (appendix A.1).

    L = L_v + α₁ L_e + α₂ L_n

One function, `train`; `symlib.training.loop` walks the steps.
"""

import numpy as np
import torch

from symlib.choices import FLATHGN
from symlib.errors import InputError
from symlib.networks.fresh import fresh_network
from symlib.networks.graph_network import WEIGHT_PENALTY, weight_penalty
from symlib.networks.graphs import complete_graph, pairs_of
from symlib.training.loop import Loop, Run, device_of, walk
from symlib.training.recipes import Recipe, bear_invariant, stay_apart, stay_blind, stay_invariant
from symlib.training.sparsity import sparsify_at, stay_silent


def train(
    model: str,
    states,
    accelerations,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str | None = None,
    **options,
) -> Run:
    """Train a network to predict the accelerations of all bodies.

    Args:
        model: standard, bottleneck, l1, kl, pruned or flathgn.
        states: shape [snapshots, bodies, 2 dim + 2], dimensionless.
        accelerations: shape [snapshots, bodies, dim], dimensionless.
        recipe: steps, batch, schedule (see `symlib.training.recipes`).
        seed: decides weights, batches, augmentation and noise.
        device: "cpu", "cuda", or None for the GPU where there is one.
        **options: checkpoint, progress, watch and the like, of `symlib.training.loop.walk`.

    Returns:
        A `Run`.

    Raises:
        InputError: arrays of the wrong shape or not finite, or a checkpoint of another
            architecture, recipe, seed or data set.
        NonFiniteLoss: the loss became NaN or infinite; the last good checkpoint stays.
    """
    inputs, targets = _tensors(states, accelerations)
    if model == FLATHGN:
        _check_masses(inputs)
    place = device_of(device)
    network = fresh_network(model, targets.shape[2], seed, recipe.distance)
    if recipe.born_invariant:
        bear_invariant(network, targets.shape[2])
    return walk(
        lambda run: _Loop(run, inputs.to(place), targets.to(place), place),
        Run(network.to(place), recipe, seed),
        _fingerprint(inputs, targets),
        label=f"train {model}",
        **options,
    )


class _Loop(Loop):
    """Snapshots of complete graphs, whose edges are built once."""

    def __init__(self, run: Run, inputs, targets, place):
        super().__init__(run, place, _trivial_loss(targets))
        self.inputs, self.targets = inputs, targets
        self.dim, self.bodies = targets.shape[2], targets.shape[1]
        self.edges = complete_graph(self.bodies, run.recipe.batch).to(place)
        self.odds: np.ndarray | None = None
        self.counts: torch.Tensor | None = None
        if run.recipe.encounters:
            self.odds, self.counts = _encounters(targets)

    def objective(self, x, y, edges, weight, noise, alpha):
        network, apart = self.run.network, self.run.recipe.apart
        with torch.autocast(self.place.type, torch.bfloat16, enabled=self.bfloat16):
            if apart:
                fit, prediction, messages = network.losses_apart(x, edges, y, weight)
            else:
                fit, prediction, messages = network.losses(x, edges, y, noise, weight)
        total = fit + alpha * messages + WEIGHT_PENALTY * weight_penalty(network)
        return total, torch.stack([prediction.detach(), messages.detach()])

    def batch(self, rng) -> tuple:
        run, rule = self.run, self.run.network.rule
        chosen = self._choose(rng)
        shift = run.recipe.augmentation * rng.standard_normal((run.recipe.batch, 1, self.dim))
        x = self.inputs[chosen].clone()
        x[..., : self.dim] += torch.from_numpy(shift.astype(np.float32)).to(self.place)
        y = self.targets[chosen].flatten(0, 1)
        weight = noise = None
        if self.counts is not None:
            weight = self.counts[chosen].repeat_interleave(self.bodies)
        if rule.stochastic:
            generator = torch.Generator(self.place).manual_seed(int(rng.integers(2**62)))
            shape = (self.edges.shape[1], rule.components)
            noise = torch.randn(shape, generator=generator, device=self.place)
        edges = self.edges
        if run.recipe.apart:
            edges = pairs_of(edges, rng)
        return x.flatten(0, 1), y, edges, weight, noise

    def before_update(self) -> None:
        recipe, network = self.run.recipe, self.run.network
        if recipe.invariant:
            stay_invariant(network, self.dim)
        if recipe.apart:
            stay_apart(network)
        elif recipe.born_invariant and self.run.steps < recipe.blind_until * recipe.steps:
            stay_blind(network)
        if recipe.silence_below > 0 and network.rule.stochastic:
            stay_silent(network)

    def _choose(self, rng) -> torch.Tensor:
        count = self.run.recipe.batch
        if self.odds is None:
            chosen = rng.integers(0, len(self.inputs), count)
        else:
            chosen = np.searchsorted(self.odds, rng.random(count), side="right")
        return torch.from_numpy(chosen).to(self.place)

    def turn(self, adam) -> None:
        x = self.inputs[:512]
        edges = complete_graph(self.bodies, len(x)).to(self.place)
        network = self.run.network
        sparsify_at(
            self.run.steps,
            self.run.recipe,
            network,
            lambda: network.messages(x.flatten(0, 1), edges),
            adam,
        )


def _trivial_loss(targets: torch.Tensor) -> float:
    rows = targets.flatten(0, 1)
    return (rows - rows.median(dim=0).values).abs().sum(dim=1).mean().item()


def _encounters(targets: torch.Tensor) -> tuple[np.ndarray, torch.Tensor]:
    """Snapshots by their largest acceleration: cumulative odds, and what each then counts."""
    largest = targets.abs().amax(dim=(1, 2)).double()
    odds = largest.median() + largest
    counts = (odds.mean() / odds).to(targets)
    cumulative = odds.cumsum(0) / odds.sum()
    cumulative[-1] = 1.0
    return cumulative.cpu().numpy(), counts


def _tensors(states, accelerations) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = torch.from_numpy(np.array(states, dtype=np.float32))
    targets = torch.from_numpy(np.array(accelerations, dtype=np.float32))
    if inputs.ndim != 3 or inputs.shape[2] not in (6, 8):
        raise InputError(
            "states: shape [snapshots, bodies, 2 dim + 2], rows of [position, velocity, charge, "
            "mass], with dim 2 or 3 is needed, "
            f"got {tuple(inputs.shape)}"
        )
    if len(inputs) == 0:
        raise InputError("states: no snapshots were given")
    expected = (*inputs.shape[:2], (inputs.shape[2] - 2) // 2)
    if targets.shape != expected:
        raise InputError(f"accelerations: shape {expected} is needed, got {tuple(targets.shape)}")
    for name, values in (("states", inputs), ("accelerations", targets)):
        bad = int((~torch.isfinite(values)).any(dim=2).any(dim=1).sum())
        if bad:
            raise InputError(f"{name}: {bad} snapshots hold NaN or infinity; leave them out")
    return inputs, targets


def _check_masses(inputs: torch.Tensor) -> None:
    """Momenta are m v and accelerations a force over m: without masses there is no FlatHGN."""
    bad = int((inputs[..., -1] <= 0).any(dim=1).sum())
    if bad:
        raise InputError(
            f"states: {bad} of {len(inputs)} snapshots hold a mass that is zero or negative (the "
            "last column); flathgn works in momenta m v and needs every mass to be positive"
        )


def _fingerprint(inputs: torch.Tensor, targets: torch.Tensor) -> list:
    """Cheap and sensitive: shape and exact sums of the data."""
    return [list(inputs.shape), inputs.double().sum().item(), targets.double().sum().item()]
