"""Training a `ForceNetwork` on frames in which bodies may come and go."""

from typing import Any

import numpy as np
import torch

from symlib.networks.force_network import ForceNetwork
from symlib.networks.graph_network import WEIGHT_PENALTY, weight_penalty
from symlib.training.loop import Loop, Run, walk
from symlib.training.recipes import Recipe
from symlib.training.sparsity import sparsify_at, stay_silent


def train_forces(
    network: ForceNetwork, table: dict[str, np.ndarray], recipe: Recipe, *, seed: int = 0, **options
) -> Run:
    """Train a network to predict the accelerations of tracks.

    Args:
        network: fresh.
        table: `position`, `velocity`, `acceleration` [rows, dim], `weight` [rows] (what a row
            counts) and `body` [rows] of the frames; `rows` and `edges`, where each frame's rows
            and edges begin [frames + 1]; `sender` and `receiver` rows [edges]. Dimensionless.
        recipe: steps, batch (frames), rates.
        seed: decides the batches.
        **options: checkpoint, progress, watch and the like, of `symlib.training.loop.walk`.

    Raises:
        InputError: a checkpoint of another network, recipe, seed or data.
        NonFiniteLoss: the loss became NaN or infinite; the last good checkpoint stays.
    """
    place = torch.device("cpu")
    # `Run` speaks of networks of complete snapshots; this one is walked alike.
    untyped: Any = network
    kept = {name: table[name] for name in ("position", "acceleration", "weight")}
    data = [list(table["position"].shape), *(float(np.abs(one).sum()) for one in kept.values())]
    return walk(
        lambda run: _Loop(run, table, place), Run(untyped, recipe, seed), data, label="train",
        **options,
    )  # fmt: skip


class _Loop(Loop):
    def __init__(self, run: Run, table: dict[str, np.ndarray], place):
        a = table["acceleration"]
        miss = np.abs(a - np.median(a, axis=0)).sum(axis=1)
        trivial = float((miss * table["weight"]).mean())
        super().__init__(run, place, trivial)
        self.network: Any = run.network
        self.table = {
            name: torch.from_numpy(table[name].astype(np.float32))
            for name in ("position", "velocity", "acceleration", "weight")
        }
        self.body = torch.from_numpy(table["body"])
        self.first_row, self.first_edge = table["rows"], table["edges"]
        self.sender, self.receiver = table["sender"], table["receiver"]
        # Frames with close encounters are drawn more often and count for less (see `Recipe`).
        size = np.abs(a).max(axis=1) * (table["weight"] > 0)
        largest = np.maximum.reduceat(size, self.first_row[:-1])
        odds = np.median(largest) + largest
        self.odds = np.cumsum(odds) / odds.sum()
        self.odds[-1] = 1.0
        self.counts = odds.mean() / odds

    def objective(self, position, velocity, body, edges, target, noise, weight, alpha):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            fit, prediction, messages = self.network.losses(
                position, velocity, body, edges, target, noise, weight
            )
        total = fit + alpha * messages + WEIGHT_PENALTY * weight_penalty(self.run.network)
        return total, torch.stack([prediction.detach(), messages.detach()])

    def batch(self, rng) -> tuple:
        chosen = np.searchsorted(self.odds, rng.random(self.run.recipe.batch), side="right")
        rows, edges, number = self._side_by_side(chosen)
        weight = (
            self.table["weight"][rows]
            * torch.from_numpy(self.counts[chosen].astype(np.float32))[number]
        )
        noise, rule = None, self.run.network.rule
        if rule.stochastic:
            generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
            noise = torch.randn((edges.shape[1], rule.components), generator=generator)
        inputs = (self.table["position"][rows], self.table["velocity"][rows], self.body[rows])
        return *inputs, edges, self.table["acceleration"][rows], noise, weight

    def _side_by_side(self, chosen: np.ndarray):
        """Rows of some frames, their edges among these rows, and which frame each row is of."""
        counts = np.diff(self.first_row)[chosen]
        pairs = np.diff(self.first_edge)[chosen]
        place = np.concatenate([[0], np.cumsum(counts)])
        rows = _ranges(self.first_row[chosen], counts)
        edges = _ranges(self.first_edge[chosen], pairs)
        moved = np.repeat(place[:-1] - self.first_row[chosen], pairs)
        both = np.stack([self.sender[edges] + moved, self.receiver[edges] + moved])
        number = np.repeat(np.arange(len(chosen)), counts)
        return torch.from_numpy(rows), torch.from_numpy(both), torch.from_numpy(number)

    def remarks(self) -> dict:
        return {"trivial": round(self.trivial_loss, 4)}

    def before_update(self) -> None:
        if self.run.recipe.silence_below > 0 and self.run.network.rule.stochastic:
            stay_silent(self.run.network)

    def turn(self, adam) -> None:
        rows, edges, _ = self._side_by_side(np.arange(min(256, len(self.counts))))
        network = self.network

        def heard():
            numbers = network.of_bodies(self.body[rows])
            return network.messages(self.table["position"][rows], numbers, edges)

        sparsify_at(self.run.steps, self.run.recipe, network, heard, adam)


def _ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    ends = np.cumsum(counts)
    return np.arange(ends[-1]) + np.repeat(starts - ends + counts, counts)
