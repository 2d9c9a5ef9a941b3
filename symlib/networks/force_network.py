"""The network of tracks: a sum over pairs, and what a body feels alone.

    a_i = M Σ_j φᵉ(x_j − x_i, r_ij, s_i, s_j)  +  φ(x_i, v_i, s_i)

The paper's φᵛ is here a matrix M, so that messages are accelerations but for M: whoever has no
law to compare messages with should not have to guess what φᵛ makes of them. That, the difference
of positions and the distance are priors. The second term is there only where it is asked for. The
numbers s of a body are its mass and charge where they are known, and otherwise learned along.
"""

import torch
from torch import Tensor, nn

from symlib.networks.graph_network import (
    MessageRule,
    Perceptron,
    message_rule,
    prediction_loss,
)

WIDTH = 128


class ForceNetwork(nn.Module):
    """Accelerations from pairs and, where asked for, from bodies alone (dimensionless).

    Args:
        dim: 2 or 3.
        numbers: of each body, shape [tracks, k]: known ones, and first guesses of the others.
        learned: which of the k columns are learned.
        rule: the message rule; `bottleneck` sends as many components as space has dimensions.
        body: whether there is a term of single bodies.
        hidden: width of the layers.
    """

    numbers: Tensor

    def __init__(
        self,
        dim: int,
        numbers: Tensor,
        learned: list[int],
        rule: MessageRule,
        body: bool = False,
        hidden: int = WIDTH,
    ):
        super().__init__()
        k = numbers.shape[1]
        self.outputs, self.rule, self.learned = dim, rule, list(learned)
        self.features = dim + 1 + 2 * k
        self.edge_model = Perceptron(self.features, rule.width, hidden, nn.SiLU)
        self.mixing = nn.Linear(rule.components, dim, bias=False)
        self.node_model = Perceptron(2 * dim + k, dim, hidden, nn.SiLU) if body else None
        self.register_buffer("numbers", numbers.clone())
        self.guess = nn.Parameter(numbers[:, self.learned].clone())

    @property
    def listener(self) -> tuple[nn.Linear, int]:
        """The layer that reads the summed messages, and its first column for them."""
        return self.mixing, 0

    def of_bodies(self, body: Tensor) -> Tensor:
        """The numbers of these tracks, shape [rows, k]."""
        table = self.numbers
        if self.learned:
            table = table.clone()
            table[:, self.learned] = self.guess
        return table[body]

    def messages(self, position: Tensor, numbers: Tensor, edges: Tensor) -> Tensor:
        """φᵉ on every edge, shape [edges, rule.width].

        Args:
            position: shape [rows, dim]; numbers: [rows, k]; edges: senders above receivers.
        """
        sender, receiver = edges
        offset = position[sender] - position[receiver]
        r = (offset**2).sum(dim=1, keepdim=True).sqrt()
        return self.edge_model(torch.cat([offset, r, numbers[receiver], numbers[sender]], dim=1))

    def alone(self, position: Tensor, velocity: Tensor, numbers: Tensor) -> Tensor:
        """What each body feels without others, shape [rows, dim]."""
        if self.node_model is None:
            return torch.zeros_like(position)
        return self.node_model(torch.cat([position, velocity, numbers], dim=1))

    def forward(self, position, velocity, body, edges, noise=None) -> tuple[Tensor, Tensor]:
        """Accelerations [rows, dim], and φᵉ's raw output [edges, rule.width]."""
        numbers = self.of_bodies(body)
        raw = self.messages(position, numbers, edges)
        pulled = self.mixing(self.rule.send(raw, noise))
        total = torch.zeros_like(position).index_add_(0, edges[1], pulled.to(position.dtype))
        return total + self.alone(position, velocity, numbers), raw

    def losses(self, position, velocity, body, edges, target, noise, weight):
        """The parts of the objective, as `GraphNetwork.losses` gives them."""
        predicted, raw = self(position, velocity, body, edges, noise)
        prediction = prediction_loss(predicted.float(), target, weight)
        heard = None if weight is None else weight[edges[1]]
        return prediction, prediction, self.rule.penalty(raw.float(), heard)


def force_network(
    model: str, dim: int, numbers, learned: list[int], body: bool, seed: int = 0
) -> ForceNetwork:
    """A fresh network for tracks, drawn from `seed` without touching the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        given = torch.as_tensor(numbers, dtype=torch.float32)
        return ForceNetwork(dim, given, learned, message_rule(model, dim), body)
