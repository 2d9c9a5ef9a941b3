"""The graph network that learns the overdensity of halos (appendix E).

    messages     e_ij = φᵉ(v_i, v_j, r_j − r_i)     one per pair closer than 50 Mpc/h
    aggregation  ē_i  = Σ_j e_ij
    prediction   δ̂_i = φᵛ(v_i, ē_i)

The network is `symlib.models.GraphNetwork` with 500 hidden units, 100 messages and L1; velocity
and mass belong to the nodes, the separation to the edge (see `symlib.cosmology.halo_graphs`),
and φᵛ sees no position. What is minimised is |δ − δ̂| + α₁ L_e + α₂ L_n as for particles.

How a hundred components become few: α₁ arrives from above, 100 times its final value, and messages
are turned to their principal axes now and then (both in `symlib.recipes`). L1 alone shrinks
components but never ends them, as φᵛ can undo any shrinking with larger weights. So with each
turn, components whose standard deviation is below a tenth of the largest, 1% of its variance, are
silenced: their row of φᵉ's last matrix and their column of φᵛ's first are set to zero. There
the gradient of both is zero as well, so they stay silent. How many are left is for the data to
say.

Directions are drawn anew: each centre's surroundings, separations and velocities alike, are turned
by a random rotation at each step, as the laws of motion know no axes.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from symlib.cosmology.halo_graphs import Neighbourhoods, check_centres
from symlib.errors import InputError
from symlib.models import (
    WEIGHT_PENALTY,
    GraphNetwork,
    message_rule,
    perceptron,
    prediction_loss,
    weight_penalty,
)
from symlib.recipes import Recipe
from symlib.sparsity import sparsify, speaking
from symlib.training_loop import Loop, Run, check_threads, device_of, walk

FEATURES = 4  # velocity and mass of a halo
HIDDEN = 500
SILENT = 0.1  # of the largest component's standard deviation
TURN_CENTRES = 64  # halos whose messages say where the principal axes lie
_ROUND = 256  # edges: batches are padded to a multiple, so that few shapes are compiled


class HaloNetwork(GraphNetwork):
    """The network of appendix E; equations in the module's docstring.

    Args:
        hidden: width of the hidden layers.
        components: numbers that travel along an edge.
    """

    def __init__(self, hidden: int = HIDDEN, components: int | None = None):
        rule = message_rule("l1", 3)
        rule = rule if components is None else replace(rule, components=components)
        super().__init__(FEATURES, 1, rule, hidden)
        self.edge_model = perceptron(2 * FEATURES + 3, rule.width, hidden)

    def forward(
        self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, centres: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Predict δ of the first `centres` nodes (None: of all).

        Args:
            x: velocity and mass, shape [nodes, 4]; edge_index: [2, edges], receivers among the
                centres; edge_attr: separations, [edges, 3]; units of `halo_graphs`.

        Returns:
            δ̂ [centres, 1] and the messages [edges, components].
        """
        centres = len(x) if centres is None else centres
        raw = self.messages(x, edge_index, edge_attr, centres)
        pooled = self.propagate(edge_index, sent=raw, size=(len(x), centres))
        return self.node_model(torch.cat([x[:centres], pooled], dim=1)), raw

    def messages(
        self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, centres: int | None = None
    ) -> Tensor:
        """φᵉ on every edge, shape [edges, components]."""
        centres = len(x) if centres is None else centres
        return self.edge_updater(
            edge_index, x=(x, x[:centres]), apart=edge_attr, size=(len(x), centres)
        )

    def edge_update(self, x_i: Tensor, x_j: Tensor, apart: Tensor) -> Tensor:
        """φᵉ(receiver, sender, separation)."""
        return self.edge_model(torch.cat([x_i, x_j, apart], dim=1))


def halo_network(hidden: int = HIDDEN, seed: int = 0, neighbours: float = 1.0) -> HaloNetwork:
    """A fresh network, drawn from `seed` without touching the global generator.

    Args:
        hidden: width of the hidden layers.
        neighbours: a typical number of senders; φᵉ starts that much quieter, so that the first
            sums are of order one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = HaloNetwork(hidden)
    with torch.no_grad():
        network.edge_model[-1].weight /= neighbours
        network.edge_model[-1].bias /= neighbours
    return network


def train_halos(
    graph: Data,
    rows,
    recipe: Recipe,
    *,
    hidden: int = HIDDEN,
    seed: int = 0,
    checkpoint: "str | Path | None" = None,
    checkpoint_every: float = 30.0,
    progress: bool = True,
    device: str | None = None,
    threads: int = 1,
) -> Run:
    """Train the network to predict δ of some halos from all their neighbours.

    Args:
        graph: from `symlib.cosmology.halo_graphs.halo_graph`.
        rows: numbers of the halos whose δ may be seen, shape [halos]; the others take part as
            neighbours only.
        recipe: steps, batch (centre halos per step), schedule; its `augmentation` is not used.
        hidden: width of the hidden layers.
        seed: decides weights, batches and rotations.
        checkpoint: file to resume from where it exists and to save to; None saves nothing.
        checkpoint_every: seconds between two saves.
        progress: show loss, speed and time left.
        device: "cpu", "cuda", or None for the GPU where there is one.
        threads: of one step's arithmetic on the CPU.

    Returns:
        A `symlib.training.Run`; its history rows also hold `components`, the number not silenced.

    Raises:
        InputError: rows that are not halos of the graph, fewer of them than a batch, or a
            checkpoint of another architecture, recipe, seed or data set.
        NonFiniteLoss: the loss became NaN or infinite; the last good checkpoint stays.
    """
    rows = torch.as_tensor(np.asarray(rows), dtype=torch.int64)
    check_centres(graph, rows)
    if len(rows) < recipe.batch:
        raise InputError(f"rows: {len(rows)} halos, fewer than a batch of {recipe.batch}")
    check_threads(threads)
    place = device_of(device)
    network = halo_network(hidden, seed, graph.num_edges / graph.num_nodes).to(place)
    return walk(
        lambda run: _Loop(run, graph, rows, place),
        Run(network, recipe, seed),
        _fingerprint(graph, rows),
        label="train halos",
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
        progress=progress,
        threads=threads,
    )


class _Loop(Loop):
    """Centres and their neighbours, padded, so that the loss is compiled for few shapes."""

    def __init__(self, run: Run, graph: Data, rows: Tensor, place):
        super().__init__(run, place)
        self.rows, self.hoods = rows, Neighbourhoods.of(graph)
        degrees = self.hoods.degrees(rows).double()
        # Nearly every batch fits; the next larger shape takes the rest.
        usual = run.recipe.batch * degrees.mean() + 2.5 * run.recipe.batch**0.5 * degrees.std()
        self.room = _up(int(usual), _ROUND)

    def objective(self, sent, received, apart, receiver, real, y, alpha):
        # The last receiver collects what padding sends.
        network = self.run.network
        with torch.autocast(self.place.type, torch.bfloat16, enabled=self.bfloat16):
            raw = network.edge_model(torch.cat([received[receiver], sent, apart], dim=1))
            raw = raw.float() * real[:, None]
            pooled = raw.new_zeros(len(received), raw.shape[1]).index_add(0, receiver, raw)
            predicted = network.node_model(torch.cat([received, pooled], dim=1))
        prediction = prediction_loss(predicted[:-1].float(), y)
        messages = raw.abs().sum() / real.sum()
        total = prediction + alpha * messages + WEIGHT_PENALTY * weight_penalty(network)
        return total, torch.stack([prediction.detach(), messages.detach()])

    def batch(self, rng) -> tuple[Tensor, ...]:
        chosen = rng.choice(len(self.rows), self.run.recipe.batch, replace=False)
        tensors = self._padded(self.rows[torch.from_numpy(chosen)], rng)
        return tuple(tensor.to(self.place) for tensor in tensors)

    def _padded(self, centres: Tensor, rng) -> tuple[Tensor, ...]:
        graph = self.hoods.graph
        edges = self.hoods.edges_of(centres)
        count = len(edges)
        room = self.room if count <= self.room else _up(count, 8 * _ROUND)
        receiver = torch.full((room,), len(centres))
        receiver[:count] = torch.repeat_interleave(
            torch.arange(len(centres)), self.hoods.degrees(centres)
        )
        turns = _rotations(rng, len(centres))
        received = torch.zeros(len(centres) + 1, FEATURES)
        received[:-1] = _turned(graph.x[centres], turns)
        sent, apart = torch.zeros(room, FEATURES), torch.zeros(room, 3)
        each = turns[receiver[:count]]
        sent[:count] = _turned(graph.x[graph.edge_index[0, edges]], each)
        apart[:count] = torch.einsum("kab,kb->ka", each, graph.edge_attr[edges])
        real = (torch.arange(room) < count).float()
        return sent, received, apart, receiver, real, graph.y[centres]

    def turn(self, adam) -> None:
        """Turn messages to their principal axes and silence those that say next to nothing."""
        network = self.run.network
        batch = self.hoods.batch(self.rows[:: max(1, len(self.rows) // TURN_CENTRES)])
        batch = batch.to(self.place)

        def raw():
            return network.messages(batch.x, batch.edge_index, batch.edge_attr)

        sparsify(network, raw, adam, SILENT)

    def remarks(self) -> dict:
        return {"components": speaking(self.run.network)}


def _rotations(rng, count: int) -> Tensor:
    """Random rotations and reflections, uniform, shape [count, 3, 3]."""
    q, r = np.linalg.qr(rng.standard_normal((count, 3, 3)))
    return torch.from_numpy((q * np.sign(np.einsum("kaa->ka", r))[:, None, :]).astype(np.float32))


def _turned(x: Tensor, turns: Tensor) -> Tensor:
    return torch.cat([torch.einsum("kab,kb->ka", turns, x[:, :3]), x[:, 3:]], dim=1)


def _up(count: int, to: int) -> int:
    return -(-max(count, 1) // to) * to


def _fingerprint(graph: Data, rows: Tensor) -> list:
    sums = [float(t.double().sum()) for t in (graph.x, graph.edge_attr.abs(), graph.y[rows])]
    return [graph.num_nodes, graph.num_edges, len(rows), *sums]
