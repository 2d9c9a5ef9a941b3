"""Every network: shapes, symmetries, gradients, and the loss terms of appendices A.1 and A.2."""

import pytest
import torch
from snapshots import random_snapshots

from symlib.choices import MESSAGE_MODELS, MODELS
from symlib.errors import InputError, UnknownChoice
from symlib.networks.fresh import fresh_network
from symlib.networks.graph_network import (
    message_rule,
    particle_network,
    prediction_loss,
    weight_penalty,
)
from symlib.networks.graphs import snapshot_graphs


def fresh(model, dim=2, bodies=4, count=3):
    """A network in float64, and what it is asked: features, edges and targets."""
    graphs = snapshot_graphs(*random_snapshots("spring", dim, bodies, count))
    network = fresh_network(model, dim).double()
    return network, graphs.x.double(), graphs.edge_index, graphs.y.double()


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("model", MESSAGE_MODELS)
def test_sizes_are_those_of_appendix_a(model, dim):
    network, x, edges, _ = fresh(model, dim)
    width = {"standard": 100, "bottleneck": dim, "l1": 100, "kl": 200}[model]
    predicted, raw = network(x, edges)
    assert predicted.shape == (12, dim) and raw.shape == (36, width)
    features = 2 * dim + 2
    pooled = 100 if model == "kl" else width
    for mlp, inputs, outputs in (
        (network.edge_model, 2 * features, width),
        (network.node_model, features + pooled, dim),
    ):
        linear = [layer for layer in mlp if isinstance(layer, torch.nn.Linear)]
        assert [layer.in_features for layer in linear] == [inputs, 300, 300]
        assert [layer.out_features for layer in linear] == [300, 300, outputs]
        assert sum(isinstance(layer, torch.nn.ReLU) for layer in mlp) == 2


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("model", MODELS)
def test_relabelling_the_bodies_relabels_the_predictions(model, dim):
    network, x, edges, _ = fresh(model, dim, bodies=5, count=1)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(0))
    straight, _ = network(x, edges)
    with torch.no_grad():  # which FlatHGN, whose prediction is a gradient, must not mind
        shuffled, _ = network(x[order], edges)
    torch.testing.assert_close(shuffled, straight[order])


@pytest.mark.parametrize("model", MODELS)
def test_a_body_hears_only_its_own_graph(model):
    network, x, edges, _ = fresh(model, count=2)
    moved = x.clone()
    moved[4:, :2] *= 2.0
    before, after = (network(rows, edges)[0] for rows in (x, moved))
    assert torch.equal(before[:4], after[:4]) and not torch.allclose(before[4:], after[4:])


@pytest.mark.parametrize("model", MODELS)
def test_gradients_reach_every_weight_and_agree_with_finite_differences(model):
    network, x, edges, y = fresh(model, bodies=3, count=2)

    def loss():
        predicted, raw = network(x, edges)
        return prediction_loss(predicted, y) + 1e-2 * raw.abs().sum(dim=1).mean()

    loss().backward()
    generator, slope = torch.Generator().manual_seed(0), 0.0
    along = {}
    for name, weight in network.named_parameters():
        if (model, name) == ("flathgn", "node_model.4.bias"):
            continue  # a constant energy of a body moves nothing
        assert weight.grad.abs().max() > 0, name
        along[weight] = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
        slope += (weight.grad * along[weight]).sum().item()

    def moved(step):
        with torch.no_grad():
            for weight, direction in along.items():
                weight += step * direction
        return loss().item()

    up, down = moved(1e-7), moved(-2e-7)
    assert (up - down) / 2e-7 == pytest.approx(slope, rel=1e-4)


def test_messages_are_summed_at_the_receiver():
    """The aggregation against a sum written out: receiver's features come first."""
    network, x, edges, _ = fresh("bottleneck", count=1, bodies=3)
    predicted, _ = network(x, edges)
    for i in range(3):
        pooled = sum(network.edge_model(torch.cat([x[i], x[j]])) for j in range(3) if j != i)
        expected = network.node_model(torch.cat([x[i], pooled]))
        torch.testing.assert_close(predicted[i], expected)


def test_loss_terms_are_normalised_as_in_the_appendix():
    predicted, target = torch.tensor([[1.0, 2.0], [0.0, -1.0]]), torch.zeros(2, 2)
    assert prediction_loss(predicted, target).item() == pytest.approx((3 + 1) / 2)
    raw = torch.tensor([[1.0, -2.0], [0.5, 0.0], [0.0, 0.0]])
    assert message_rule("l1", 2).penalty(raw).item() == pytest.approx(3.5 / 3)
    assert message_rule("l1", 2).alpha == 1e-2
    for model in ("standard", "bottleneck"):
        assert message_rule(model, 2).penalty(raw).item() == 0.0
    network = particle_network("bottleneck", 2)
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(0.5)
    count = sum(weight.numel() for weight in network.parameters())
    assert weight_penalty(network).item() == pytest.approx(0.25 * count, rel=1e-5)


def test_kl_penalty_is_the_divergence_from_a_standard_normal():
    """Up to the constant ½ per component, against torch's own divergence."""
    rule = message_rule("kl", 2)
    raw = torch.randn(7, 200, generator=torch.Generator().manual_seed(1))
    mean, log_variance = raw[:, :100], raw[:, 100:]
    truth = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, torch.exp(0.5 * log_variance)),
        torch.distributions.Normal(torch.zeros(()), torch.ones(())),
    )
    torch.testing.assert_close(rule.divergence(raw), truth + 0.5, rtol=1e-5, atol=1e-5)
    assert rule.penalty(raw).item() == pytest.approx((truth + 0.5).sum(1).mean().item(), rel=1e-5)
    assert rule.alpha == 1.0


def test_kl_messages_are_samples_with_the_stated_mean_and_spread():
    rule = message_rule("kl", 2)
    raw = torch.cat([torch.full((1, 100), 2.0), torch.full((1, 100), -1.0)], dim=1)
    noise = torch.randn(20_000, 100, generator=torch.Generator().manual_seed(2))
    sent = rule.send(raw.expand(20_000, -1), noise)
    assert sent.mean().item() == pytest.approx(2.0, abs=0.01)
    assert sent.var().item() == pytest.approx(torch.exp(torch.tensor(-1.0)).item(), rel=0.01)
    assert torch.equal(rule.send(raw, None), raw[:, :100])


@pytest.mark.parametrize("model", ["l1", "flathgn"])
def test_the_seed_decides_the_weights_and_the_global_generator_is_left_alone(model):
    state = torch.get_rng_state()
    first, again, other = (fresh_network(model, 2, seed).edge_model[0].weight for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())
    with pytest.raises(InputError, match="dim"):
        fresh_network(model, 4)
    with pytest.raises(UnknownChoice, match="standard, bottleneck, l1, kl, pruned, flathgn"):
        fresh_network("nonsense", 2)
