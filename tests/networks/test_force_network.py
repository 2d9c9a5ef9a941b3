"""The network of tracks: what its architecture promises, whatever its weights are."""

import numpy as np
import pytest
import torch

from symlib.choices import MESSAGE_MODELS
from symlib.networks.force_network import force_network

BODIES = 5
EDGES = torch.tensor([(i, j) for i in range(BODIES) for j in range(BODIES) if i != j]).T


def fresh(model="bottleneck", dim=2, learned=(), body=False):
    numbers = np.random.default_rng(1).uniform(0.5, 2, (BODIES, 2))
    return force_network(model, dim, numbers, list(learned), body, seed=3).double()


def drawn(dim=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((2, BODIES, dim), generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("model", MESSAGE_MODELS)
@pytest.mark.parametrize("dim", [2, 3])
def test_bodies_may_be_listed_in_any_order(model, dim):
    network, (x, v) = fresh(model, dim, body=True), drawn(dim)
    a, raw = network(x, v, torch.arange(BODIES), EDGES)
    assert a.shape == (BODIES, dim) and raw.shape == (len(EDGES.T), network.rule.width)
    order = torch.tensor([3, 0, 4, 1, 2])
    other, _ = network(x[order], v[order], order, EDGES)
    torch.testing.assert_close(other, a[order])


def test_pairs_do_not_know_where_they_are_nor_how_fast():
    network, (x, v) = fresh(), drawn()
    a, _ = network(x, v, torch.arange(BODIES), EDGES)
    other, _ = network(x + torch.tensor([3.0, -7.0]), v + 5, torch.arange(BODIES), EDGES)
    torch.testing.assert_close(other, a)


def test_a_body_alone_feels_what_is_its_own():
    x, v = drawn()
    none = EDGES[:, :0]
    assert (fresh()(x, v, torch.arange(BODIES), none)[0] == 0).all()
    network = fresh(body=True)
    a, _ = network(x, v, torch.arange(BODIES), none)
    assert (a != 0).all()
    # It knows where it is and how fast, and nobody else is touched by it.
    for place, speed in ((x + 1, v), (x, v + 1)):
        other = torch.where(torch.arange(BODIES)[:, None] == 2, 1, 0)
        moved = network(
            torch.where(other == 1, place, x),
            torch.where(other == 1, speed, v),
            torch.arange(BODIES),
            none,
        )[0]
        assert ((moved != a).any(dim=1) == (other[:, 0] == 1)).all()


def test_gradients_are_those_of_finite_differences():
    network, (x, v) = fresh(body=True), drawn()
    given = (x.requires_grad_(), v.requires_grad_())
    assert torch.autograd.gradcheck(lambda *one: network(*one, torch.arange(BODIES), EDGES), given)


def test_numbers_that_are_learned_learn_and_known_ones_stay():
    network, (x, v) = fresh(learned=[1]), drawn()
    known = network.numbers.clone()
    weights = torch.ones(BODIES, dtype=torch.float64)
    adam = torch.optim.Adam(network.parameters(), lr=0.1)
    network.losses(x, v, torch.arange(BODIES), EDGES, v, None, weights)[0].backward()
    assert (network.guess.grad != 0).all()
    adam.step()
    table = network.of_bodies(torch.arange(BODIES))
    assert torch.equal(table[:, 0], known[:, 0])
    assert (table[:, 1] != known[:, 1]).all()
    assert fresh().guess.numel() == 0


def test_a_seed_decides_the_weights_and_nothing_else():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again = fresh(), fresh()
    assert torch.equal(torch.random.get_rng_state(), before)
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
