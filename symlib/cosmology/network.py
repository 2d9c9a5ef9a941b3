"""The graph network that learns the overdensity of halos (appendix E).

    messages     e_ij = φᵉ(v_i, v_j, r_j − r_i)     one per pair closer than 50 Mpc/h
    aggregation  ē_i  = Σ_j e_ij
    prediction   δ̂_i = φᵛ(v_i, ē_i)

A node carries velocity and mass; an edge, across the faces of the periodic box too, carries the
sender's position as seen from the receiver. That difference is all that positions tell, so
translation invariance, which the paper's network learns from augmented data, holds exactly.
Directions are drawn anew: each centre's surroundings, separations and velocities alike, are turned
by a random rotation at each step, as the laws of motion know no axes.

Units: separation 25 Mpc/h, velocity 300 km/s, mass 10¹⁴ h⁻¹ M☉ (plain, not its logarithm, since
sums of masses are what gravity weighs). There are 500 hidden units, 100 messages and L1; what is
minimised is |δ − δ̂| + α₁ L_e + α₂ L_n as for particles.

How a hundred components become few: α₁ arrives from above, 100 times its final value (a recipe),
messages are turned to their principal axes now and then, and those below a tenth of the largest's
standard deviation, 1% of its variance, are silenced (`symlib.training.sparsity`).
"""

import numpy as np
import torch
from scipy.stats import ortho_group
from torch import Tensor
from torch.nn.functional import pad
from torch_geometric.data import Data
from torch_geometric.utils import degree

from symlib.cosmology.catalogue import Catalogue
from symlib.cosmology.neighbours import neighbours
from symlib.errors import InputError
from symlib.networks.graph_network import (
    WEIGHT_PENALTY,
    GraphNetwork,
    Perceptron,
    message_rule,
    prediction_loss,
    weight_penalty,
)
from symlib.training.loop import Loop, Run, device_of, walk
from symlib.training.recipes import Recipe
from symlib.training.sparsity import sparsify, speaking

LENGTH, SPEED, MASS = 25.0, 300.0, 1e14  # Mpc/h, km/s, h⁻¹ M☉
FEATURES, HIDDEN = 4, 500  # velocity and mass of a halo
SILENT = 0.1  # of the largest component's standard deviation
TURN_CENTRES = 64  # halos whose messages say where the principal axes lie
_ROUND = 256  # edges: batches are padded to a multiple, so that few shapes are compiled


def halo_graph(catalogue: Catalogue) -> Data:
    """The graph of all halos of a box.

    Returns:
        A `Data`: x [halos, 4] (velocity, mass) and edge_attr [edges, 3] (separation, sender minus
        receiver) in the units above, edge_index [2, edges] sorted by receiver, y [halos, 1] the
        overdensity δ; float32.

    Raises:
        InputError: a box smaller than 100 Mpc/h, or without neighbours.
    """
    receivers, senders, apart = neighbours(catalogue)
    nodes = np.column_stack([catalogue.velocities / SPEED, catalogue.masses / MASS])
    return Data(
        x=torch.from_numpy(nodes.astype(np.float32)),
        edge_index=torch.from_numpy(np.stack([senders, receivers])),
        edge_attr=torch.from_numpy((apart / LENGTH).astype(np.float32)),
        y=torch.tensor(catalogue.delta)[:, None],
    )


def edges_into(graph: Data, centres: Tensor) -> tuple[Tensor, Tensor]:
    """The edges that end in some halos, halo by halo.

    (torch_geometric's `NeighborLoader` needs pyg-lib or torch-sparse, which have no wheels for the
    newest releases of torch.)

    Args:
        graph: from `halo_graph`; centres: numbers of halos, shape [centres].

    Returns:
        Numbers of the edges, and the place of each one's receiver among the centres, [edges].
    """
    # Edges are sorted by receiver, so each halo has a slice of them.
    receivers, centres = graph.edge_index[1], centres.contiguous()
    starts = torch.searchsorted(receivers, centres)
    counts = torch.searchsorted(receivers, centres, right=True) - starts
    place = torch.repeat_interleave(torch.arange(len(centres)), counts)
    return (starts - counts.cumsum(0) + counts)[place] + torch.arange(len(place)), place


def surroundings(graph: Data, centres: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the network takes, of some halos with all their neighbours.

    Returns:
        The halos' nodes [centres, 4]; of each of `edges_into`, the sender's node [edges, 4], the
        separation [edges, 3] and the receiver's place among the centres [edges].
    """
    edges, place = edges_into(graph, centres)
    sender = graph.edge_index[0, edges]
    return graph.x[centres], graph.x[sender], graph.edge_attr[edges], place


class HaloNetwork(GraphNetwork):
    """The network of appendix E, with hidden layers of a width; equations at the module's head."""

    def __init__(self, hidden: int = HIDDEN):
        rule = message_rule("l1", 3)
        super().__init__(FEATURES, 1, rule, hidden)
        self.edge_model = Perceptron(2 * FEATURES + 3, rule.width, hidden)

    def forward(
        self, received: Tensor, sent: Tensor, apart: Tensor, receiver: Tensor
    ) -> tuple[Tensor, Tensor]:
        """δ̂ [halos, 1] and the messages [edges, components], from what `surroundings` gives."""
        raw = self.messages(received, sent, apart, receiver)
        pooled = raw.new_zeros(len(received), raw.shape[1]).index_add(0, receiver, raw)
        return self.node_model(torch.cat([received, pooled], dim=1)), raw

    def messages(self, received: Tensor, sent: Tensor, apart: Tensor, receiver: Tensor) -> Tensor:
        """φᵉ(receiver, sender, separation) on every edge, shape [edges, components]."""
        return self.edge_model(torch.cat([received[receiver], sent, apart], dim=1)).float()


def halo_network(hidden: int = HIDDEN, seed: int = 0, senders: float = 1.0) -> HaloNetwork:
    """A fresh network, drawn from `seed` without touching the global generator.

    φᵉ starts quieter by a typical number of senders, so that the first sums are of order one.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = HaloNetwork(hidden)
        for weight in network.edge_model.last.parameters():
            weight /= senders
    return network


def train_halos(
    graph: Data,
    rows,
    recipe: Recipe,
    *,
    hidden: int = HIDDEN,
    seed: int = 0,
    device: str | None = None,
    **options,
) -> Run:
    """Train the network to predict δ of some halos from all their neighbours.

    Args:
        graph: from `halo_graph`.
        rows: numbers of the halos whose δ may be seen, shape [halos]; the others take part as
            neighbours only.
        recipe: steps, batch (centre halos per step), schedule; its `augmentation` is not used.
        hidden: width of the hidden layers.
        seed: decides weights, batches and rotations.
        device: "cpu", "cuda", or None for the GPU where there is one.
        **options: checkpoint, progress and the like, of `symlib.training.loop.walk`.

    Returns:
        A `Run`; its history rows also hold `components`, the number not silenced.

    Raises:
        InputError: rows that are not halos of the graph, fewer of them than a batch, or a
            checkpoint of another architecture, recipe, seed or data set.
        NonFiniteLoss: the loss became NaN or infinite; the last good checkpoint stays.
    """
    rows = torch.as_tensor(np.asarray(rows), dtype=torch.int64)
    if len(torch.unique(rows)) < len(rows) or rows.min() < 0 or rows.max() >= graph.num_nodes:
        raise InputError(f"rows: distinct numbers of halos, from 0 to {graph.num_nodes - 1}")
    if len(rows) < recipe.batch:
        raise InputError(f"rows: {len(rows)} halos, fewer than a batch of {recipe.batch}")
    place = device_of(device)
    network = halo_network(hidden, seed, graph.num_edges / graph.num_nodes).to(place)
    sums = [float(t.double().sum()) for t in (graph.x, graph.edge_attr.abs(), graph.y[rows])]
    return walk(
        lambda run: _Loop(run, graph, rows, place),
        Run(network, recipe, seed),
        [graph.num_nodes, graph.num_edges, len(rows), *sums],
        label="train halos",
        **options,
    )


class _Loop(Loop):
    """Centres and their neighbours, padded, so that the loss is compiled for few shapes."""

    def __init__(self, run: Run, graph: Data, rows: Tensor, place):
        super().__init__(run, place)
        self.rows, self.graph = rows, graph
        degrees = degree(graph.edge_index[1], graph.num_nodes, torch.float64)[rows]
        # Nearly every batch fits; the next larger shape takes the rest.
        usual = run.recipe.batch * degrees.mean() + 2.5 * run.recipe.batch**0.5 * degrees.std()
        self.room = _up(int(usual), _ROUND)

    def objective(self, received, sent, apart, receiver, real, y, alpha):
        network = self.run.network
        with torch.autocast(self.place.type, torch.bfloat16, enabled=self.bfloat16):
            predicted, raw = network(received, sent, apart, receiver)
        prediction = prediction_loss(predicted[:-1].float(), y)
        messages = (raw.abs().sum(dim=1) * real).sum() / real.sum()
        total = prediction + alpha * messages + WEIGHT_PENALTY * weight_penalty(network)
        return total, torch.stack([prediction.detach(), messages.detach()])

    def batch(self, rng) -> list[Tensor]:
        chosen = rng.choice(len(self.rows), self.run.recipe.batch, replace=False)
        centres = self.rows[torch.from_numpy(chosen)]
        received, sent, apart, receiver = surroundings(self.graph, centres)
        count = len(receiver)
        room = self.room if count <= self.room else _up(count, 8 * _ROUND)
        turns = torch.from_numpy(ortho_group.rvs(3, len(centres), rng)).float()
        each, spare = turns[receiver], (0, 0, 0, room - count)
        tensors = (
            # One more receiver, the last, collects what padding sends.
            pad(_turned(received, turns), (0, 0, 0, 1)),
            pad(_turned(sent, each), spare),
            pad(_turned(apart, each), spare),
            pad(receiver, spare[2:], value=len(centres)),
            (torch.arange(room) < count).float(),
            self.graph.y[centres],
        )
        return [tensor.to(self.place) for tensor in tensors]

    def turn(self, adam) -> None:
        """Turn messages to their principal axes and silence those that say next to nothing."""
        network, some = self.run.network, self.rows[:: max(1, len(self.rows) // TURN_CENTRES)]
        inputs = [tensor.to(self.place) for tensor in surroundings(self.graph, some)]
        sparsify(network, lambda: network.messages(*inputs), adam, SILENT)

    def remarks(self) -> dict:
        return {"components": speaking(self.run.network)}


def _turned(x: Tensor, turns: Tensor) -> Tensor:
    """Vectors turned, which are the first three columns, and what else there is."""
    return torch.cat([torch.einsum("kab,kb->ka", turns, x[:, :3]), x[:, 3:]], dim=1)


def _up(count: int, to: int) -> int:
    return -(-max(count, 1) // to) * to
