"""The graph network and its four message rules (appendices A.1 and A.2).

    messages     e_k  = φᵉ(v_receiver, v_sender)           one per edge
    aggregation  ē_i  = Σ e_k over the edges that end in i
    prediction   v̂_i = φᵛ(v_i, ē_i)                       the acceleration of body i

The four models of the paper share this network; they differ in how messages are kept few. That is a
`MessageRule`: the width of φᵉ's output, what is sent along the edge, and the penalty L_e
that the loss adds with weight α₁. A fifth, `pruned`, has no penalty: of its hundred components
training leaves as many as space has dimensions, those that vary most. All quantities are
dimensionless.
"""

from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing

from symlib.choices import DIMENSIONS, PRUNED, known

HIDDEN = 300
MESSAGES = 100
WEIGHT_PENALTY = 1e-8  # α₂ of appendix A.1


@dataclass(frozen=True)
class MessageRule:
    """How a model keeps its messages few.

    Args:
        name: standard, bottleneck, l1, kl or pruned.
        components: how many numbers travel along an edge.
        alpha: α₁, the weight of the message penalty in the loss.
    """

    name: str
    components: int
    alpha: float

    @property
    def stochastic(self) -> bool:
        """Whether messages are drawn from a distribution (KL) rather than computed."""
        return self.name == "kl"

    @property
    def width(self) -> int:
        """Outputs of φᵉ: the KL rule needs a mean and a log variance for each component."""
        return 2 * self.components if self.stochastic else self.components

    def mean(self, raw: Tensor) -> Tensor:
        """The message without noise: raw [edges, width] -> [edges, components]."""
        return raw[:, : self.components]

    def send(self, raw: Tensor, noise: Tensor | None) -> Tensor:
        """The message that travels: raw [edges, width] -> [edges, components].

        For the KL rule this is one sample, μ + σ · noise (appendix A.2); without noise, μ.
        """
        if not self.stochastic or noise is None:
            return self.mean(raw)
        return self.mean(raw) + torch.exp(0.5 * raw[:, self.components :]) * noise

    def penalty(self, raw: Tensor, weight: Tensor | None = None) -> Tensor:
        """L_e, a scalar: a mean over edges of a sum over components (appendices A.1, A.2).

        Args:
            raw: φᵉ's output, shape [edges, width].
            weight: what each edge counts, shape [edges]; None counts them alike.
        """
        if self.name == "l1":
            return weighted_mean(raw.abs().sum(dim=1), weight)
        if self.stochastic:
            return weighted_mean(self.divergence(raw).sum(dim=1), weight)
        return raw.new_zeros(())

    def divergence(self, raw: Tensor) -> Tensor:
        """½ (μ² + σ² − log σ²) of each component, raw [edges, width] -> [edges, components]."""
        mean, log_variance = raw[:, : self.components], raw[:, self.components :]
        return 0.5 * (mean**2 + torch.exp(log_variance) - log_variance)

    def importance(self, raw: Tensor) -> Tensor:
        """How much each component says, [components] (appendix C).

        The standard deviation over the edges; for the KL rule the mean divergence from the
        prior. The largest is the most significant component, φᵉ₁.
        """
        return self.divergence(raw).mean(dim=0) if self.stochastic else raw.std(dim=0)


def message_rule(model: str, dim: int) -> MessageRule:
    """The rule of a model: sizes and α₁ as in appendices A.1 and A.2.

    Raises:
        UnknownChoice: no model of that name.
    """
    rules = {
        "standard": (MESSAGES, 0.0),
        "bottleneck": (dim, 0.0),
        "l1": (MESSAGES, 1e-2),
        "kl": (MESSAGES, 1.0),
        PRUNED: (MESSAGES, 0.0),
    }
    known("model", model, rules)
    return MessageRule(model, *rules[model])


class Perceptron(nn.Sequential):
    """Two hidden layers, with ReLU unless another activation is given (appendix A.1)."""

    def __init__(self, inputs: int, outputs: int, hidden: int = HIDDEN, activation: type = nn.ReLU):
        super().__init__(
            nn.Linear(inputs, hidden),
            activation(),
            nn.Linear(hidden, hidden),
            activation(),
            nn.Linear(hidden, outputs),
        )

    @property
    def first(self) -> nn.Linear:
        """The layer that reads."""
        return self._linear(0)

    @property
    def last(self) -> nn.Linear:
        """The layer that speaks."""
        return self._linear(-1)

    def _linear(self, place: int) -> nn.Linear:
        layer = self[place]
        assert isinstance(layer, nn.Linear)
        return layer


class GraphNetwork(MessagePassing):
    """Messages, their sum, and a prediction for every node (appendix A.1).

    Args:
        features: numbers per node, 2 dim + 2 for particles.
        outputs: numbers predicted per node, dim for accelerations.
        rule: the message rule.
        hidden: width of the hidden layers (300; 500 for halos).
    """

    def __init__(self, features: int, outputs: int, rule: MessageRule, hidden: int = HIDDEN):
        super().__init__(aggr="add")
        self.features, self.outputs, self.rule = features, outputs, rule
        self.edge_model = Perceptron(2 * features, rule.width, hidden)
        self.node_model = Perceptron(features + rule.components, outputs, hidden)

    def forward(
        self, x: Tensor, edge_index: Tensor, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Predict every node.

        Args:
            x: node features, shape [nodes, features].
            edge_index: shape [2, edges], senders above receivers.
            noise: standard normal numbers, shape [edges, components], for the KL rule.

        Returns:
            The prediction [nodes, outputs] and φᵉ's raw output [edges, rule.width].
        """
        raw = self.messages(x, edge_index)
        pooled = self.propagate(edge_index, sent=self.rule.send(raw, noise), size=(len(x), len(x)))
        return self.node_model(torch.cat([x, pooled], dim=1)), raw

    def messages(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """φᵉ on every edge, shape [edges, rule.width]."""
        return self.edge_updater(edge_index, x=x)

    def losses(
        self,
        x: Tensor,
        edge_index: Tensor,
        target: Tensor,
        noise: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The parts of the objective (appendix A.1), three scalars.

        Args:
            x, edge_index, noise: as for `forward`; target: shape [nodes, outputs].
            weight: what each node, with the messages that it receives, counts, shape [nodes].

        Returns:
            What is minimised beside the penalties, the prediction loss that is reported (here
            both are L_v), and the message penalty L_e.
        """
        predicted, raw = self(x, edge_index, noise)
        prediction = prediction_loss(predicted.float(), target, weight)
        heard = None if weight is None else weight[edge_index[1]]
        return prediction, prediction, self.rule.penalty(raw.float(), heard)

    @property
    def listener(self) -> tuple[nn.Linear, int]:
        """The layer that reads the summed messages, and its first column for them."""
        return self.node_model.first, self.features

    def unneeded(self) -> list[int]:
        """Columns of φᵉ's first matrix for what φᵛ knows itself: receiver's velocity, mass."""
        dim = self.outputs
        return [*range(dim, 2 * dim), self.features - 1]

    def unseen(self) -> list[int]:
        """Columns of φᵉ's first matrix that a network that is born invariant starts without."""
        return self.unneeded()

    def left_to_messages(self) -> list[int]:
        """Columns of φᵛ's first matrix for what messages are to carry: the receiver's charge."""
        return [self.features - 2]

    def edge_update(self, x_i: Tensor, x_j: Tensor) -> Tensor:
        """φᵉ(receiver, sender); torch_geometric's `_i` is the receiver."""
        return self.edge_model(torch.cat([x_i, x_j], dim=1))

    def message(self, sent: Tensor) -> Tensor:
        """What is summed at the receiver."""
        return sent


def particle_network(model: str, dim: int, seed: int = 0) -> GraphNetwork:
    """A fresh network for a particle system in `dim` dimensions.

    PyTorch's own initialisation, drawn from `seed` without touching the global generator.

    Raises:
        InputError: dim is neither 2 nor 3.
        UnknownChoice: no model of that name.
    """
    known("dim", dim, DIMENSIONS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GraphNetwork(2 * dim + 2, dim, message_rule(model, dim))


def prediction_loss(predicted: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """L_v: |v − v̂| summed over components, averaged over nodes (appendix A.1)."""
    return weighted_mean((target - predicted).abs().sum(dim=1), weight)


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """The mean of values [n], each times its weight [n] where there are weights."""
    return (values if weight is None else values * weight).mean()


def weight_penalty(network: nn.Module) -> Tensor:
    """L_n: the sum of all squared parameters (appendix A.1)."""
    return reduce(add, ((weight**2).sum() for weight in network.parameters()))
