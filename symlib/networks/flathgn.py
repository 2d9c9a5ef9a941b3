"""FlatHGN: energies in place of messages (appendix A.4).

    H    = Σ_i H_self(v_i) + Σ_k H_pair(v_receiver, v_sender)          eq. 1
    dx_i/dt = ∂H/∂p_i,    m_i a_i = dp_i/dt = −∂H/∂x_i,    p_i = m_i v_i

Two perceptrons, one for every node and one for every edge, are summed to one number, and
the motion follows by automatic differentiation. Energies are a summed quantity, as forces
are; so the pair energy can be read off like a message.

Only derivatives of H move anything. Three things are therefore free: any function of masses
and charges may be added, an energy of one body may sit in the pair energy, and since every
pair is summed in both directions only H_pair(1, 2) + H_pair(2, 1) counts. The regulariser,
the mean |H_pair| over edges, settles the first two. All quantities are dimensionless.
"""

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from symlib.choices import DIMENSIONS, known
from symlib.networks.graph_network import (
    HIDDEN,
    MessageRule,
    Perceptron,
    prediction_loss,
    weighted_mean,
)

PAIR_PENALTY = 1e-2  # weight of mean |H_pair|, the weight that L1 has on messages


class FlatHGN(MessagePassing):
    """Self energies and pair energies, summed, and Hamilton's equations (appendix A.4).

    H_self, `node_model`, is of rows [x, p, charge, mass], shape [nodes, 2 dim + 2] -> [nodes, 1];
    H_pair, `edge_model`, of rows [receiver, sender], [edges, 2 (2 dim + 2)] -> [edges, 1].

    Args:
        dim: 2 or 3.
        hidden: width of the hidden layers.
        distance: H_pair is also told how far apart the two bodies are. The paper's is not, so this
            is a departure from it: a prior, to be named where its numbers stand.

    Raises:
        InputError: dim is neither 2 nor 3.
    """

    def __init__(self, dim: int, hidden: int = HIDDEN, distance: bool = False):
        super().__init__(aggr="add")
        known("dim", dim, DIMENSIONS)
        self.features, self.outputs = 2 * dim + 2, dim
        self.rule = MessageRule("flathgn", 1, PAIR_PENALTY)
        # GELU: accelerations are derivatives, so kinks are not allowed.
        self.distance = distance
        self.edge_model = Perceptron(2 * self.features + distance, 1, hidden, nn.GELU)
        self.node_model = Perceptron(self.features, 1, hidden, nn.GELU)

    def canonical(self, x: Tensor) -> Tensor:
        """States [position, velocity, charge, mass] -> [position, momentum, charge, mass]."""
        dim = self.outputs
        return torch.cat([x[:, :dim], x[:, dim : 2 * dim] * x[:, -1:], x[:, 2 * dim :]], dim=1)

    def energies(self, z: Tensor, edge_index: Tensor) -> tuple[Tensor, Tensor]:
        """H_self [nodes] and H_pair [edges] in canonical coordinates z [nodes, 2 dim + 2]."""
        return self.node_model(z).squeeze(1), self.pair_energies(z, edge_index)

    def pair_energies(self, z: Tensor, edge_index: Tensor) -> Tensor:
        """H_pair on every edge, shape [edges]."""
        return self.edge_updater(edge_index, z=z).squeeze(1)

    def edge_update(self, z_i: Tensor, z_j: Tensor) -> Tensor:
        """H_pair(receiver, sender); torch_geometric's `_i` is the receiver."""
        known = [z_i, z_j]
        if self.distance:
            apart = z_i[:, : self.outputs] - z_j[:, : self.outputs]
            known.append(torch.linalg.vector_norm(apart, dim=1, keepdim=True))
        return self.edge_model(torch.cat(known, dim=1))

    def motion(self, x: Tensor, edge_index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Hamilton's equations of all graphs' H (eq. 1) at states x, shape [nodes, 2 dim + 2].

        Returns:
            dx/dt and the acceleration dp/dt / m, each [nodes, dim], and H_pair [edges].
        """

        def total(z):
            own, pair = self.energies(z, edge_index)
            return own.to(z.dtype).sum() + pair.to(z.dtype).sum(), pair.to(z.dtype)

        # A functional gradient can be compiled together with the loss around it, which
        # torch.autograd.grad with create_graph cannot.
        slope, pair = torch.func.grad(total, has_aux=True)(self.canonical(x))
        dim = self.outputs
        return slope[:, dim : 2 * dim], -slope[:, :dim] / x[:, -1:], pair

    def forward(self, x: Tensor, edge_index: Tensor, noise=None) -> tuple[Tensor, Tensor]:
        """Accelerations [nodes, dim] and pair energies [edges, 1], as `GraphNetwork` does."""
        _, acceleration, pair = self.motion(x, edge_index)
        return acceleration, pair[:, None]

    def losses(
        self,
        x: Tensor,
        edge_index: Tensor,
        target: Tensor,
        noise=None,
        weight: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The parts of the objective, three scalars.

        Both of Hamilton's equations are compared with data: the second alone would say nothing
        about how H depends on momentum. `weight` is what each node counts, shape [nodes].

        Returns:
            Loss of velocities and accelerations together, that of the accelerations alone, and
            the mean |H_pair|.
        """
        velocity, acceleration, pair = self.motion(x, edge_index)
        dim = self.outputs
        prediction = prediction_loss(acceleration, target, weight)
        both = prediction + prediction_loss(velocity, x[:, dim : 2 * dim], weight)
        heard = None if weight is None else weight[edge_index[1]]
        return both, prediction, weighted_mean(pair.abs(), heard)

    def losses_apart(
        self, x: Tensor, pairs: Tensor, target: Tensor, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`losses` where H_pair knows no momenta and H_self no positions, in half the work.

        Then dx/dt is H_self's alone and dp/dt H_pair's. Each pair is one edge, whichever way
        round, and counts twice; of H_self, which is the easier one, a quarter of the nodes.

        Args:
            x, target, weight: as for `losses`.
            pairs: one edge for each pair of nodes, shape [2, pairs].
        """
        z, dim, some = self.canonical(x), self.outputs, max(1, len(x) // 4)

        def pair_total(positions):
            pair = 2.0 * self.pair_energies(torch.cat([positions, z[:, dim:]], dim=1), pairs)
            return pair.to(z.dtype).sum(), pair.to(z.dtype)

        def self_total(momenta):
            own = self.node_model(torch.cat([z[:some, :dim], momenta, z[:some, 2 * dim :]], dim=1))
            return own.to(z.dtype).sum()

        slope, pair = torch.func.grad(pair_total, has_aux=True)(z[:, :dim])
        velocity = torch.func.grad(self_total)(z[:some, dim : 2 * dim])
        known = x[:some, dim : 2 * dim]
        near = None if weight is None else weight[:some]
        prediction = prediction_loss(-slope / x[:, -1:], target, weight)
        both = prediction + prediction_loss(velocity, known, near)
        heard = None if weight is None else weight[pairs[1]]
        return both, prediction, weighted_mean(0.5 * pair.abs(), heard)

    def unneeded(self) -> list[int]:
        """Columns of H_pair's first matrix that read the momenta: those are H_self's to know."""
        dim, width = self.outputs, self.features
        return [*range(dim, 2 * dim), *range(width + dim, width + 2 * dim)]

    def unseen(self) -> list[int]:
        """Columns that a network that is born invariant starts without: all but the positions.

        Masses are spread over orders of magnitude; a law that has no use for them (the spring)
        is learned faster by not having to unlearn them, and one that has picks them up.
        """
        dim, width = self.outputs, self.features
        return [*range(dim, width), *range(width + dim, 2 * width)]

    def left_to_messages(self) -> list[int]:
        """None: an energy is a sum, and nothing that H_pair says can be multiplied by H_self."""
        return []
