"""FlatHGN: Hamilton's equations, symmetries and gradients (appendix A.4)."""

import jax
import numpy as np
import pytest
import torch
from hamiltonians import true_hamiltonian
from snapshots import random_snapshots

from symlib.choices import MODELS
from symlib.errors import InputError, UnknownChoice
from symlib.laws.potentials import LAWS, total_energy
from symlib.networks.flathgn import FlatHGN
from symlib.networks.fresh import fresh_network
from symlib.networks.graphs import complete_graph, pairs_of, snapshot_graphs
from symlib.training.checkpoints import load_checkpoint
from symlib.training.recipes import bear_invariant, get_recipe
from symlib.training.train import train


def small(dim=2, hidden=16, seed=0) -> FlatHGN:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return FlatHGN(dim, hidden=hidden).double()


def batch(dim=2, bodies=4, count=3, law="spring"):
    states, targets = random_snapshots(law, dim, bodies, count)
    return torch.from_numpy(states).flatten(0, 1), complete_graph(bodies, count), targets


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", ["spring", "r1", "r2", "charge", "discontinuous"])
def test_the_true_hamiltonian_is_the_simulators_energy_and_gives_its_accelerations(name, dim):
    law = LAWS[name]
    x, edges, targets = batch(dim, count=1, law=name)
    truth = true_hamiltonian(law, dim)
    velocity, acceleration, _ = truth.motion(x, edges)
    # To the rounding of float64, relative to each acceleration.
    np.testing.assert_allclose(acceleration.numpy(), targets.reshape(-1, dim), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(velocity, x[:, dim : 2 * dim], rtol=1e-12, atol=1e-12)
    with jax.enable_x64(True):
        energy = float(total_energy(law, x.numpy()))
    own, pair = truth.energies(truth.canonical(x), edges)
    assert float(own.sum() + pair.sum()) == pytest.approx(energy, rel=1e-10)


@pytest.mark.parametrize("dim", [2, 3])
def test_relabelling_the_bodies_relabels_the_motion(dim):
    network, (x, edges, _) = small(dim), batch(dim, bodies=5, count=1)
    order = torch.randperm(5, generator=torch.Generator().manual_seed(0))
    straight = network.motion(x, edges)
    shuffled = network.motion(x[order], edges)
    for one, other in zip(straight[:2], shuffled[:2], strict=True):
        torch.testing.assert_close(other, one[order])


def test_total_momentum_is_kept_by_a_network_that_is_born_invariant():
    network, (x, edges, _) = small(), batch(count=1)
    before = (network(x, edges)[0] * x[:, -1:]).sum(dim=0)
    bear_invariant(network, 2)
    after = (network(x, edges)[0] * x[:, -1:]).sum(dim=0)
    assert after.abs().max() < 1e-12 < before.abs().max()
    torch.testing.assert_close(network(x, edges)[0], network(x + torch.tensor(
        [2.0, -1.0, 0, 0, 0, 0]), edges)[0])  # fmt: skip


def test_the_objective_holds_both_of_hamiltons_equations_and_the_regulariser():
    network, (x, edges, targets) = small(), batch()
    target = torch.tensor(targets).flatten(0, 1)
    both, prediction, penalty = network.losses(x, edges, target)
    velocity, acceleration, pair = network.motion(x, edges)
    off = (velocity - x[:, 2:4]).abs().sum(dim=1).mean()
    assert prediction.item() == pytest.approx(
        (acceleration - target).abs().sum(dim=1).mean().item()
    )
    assert both.item() == pytest.approx((prediction + off).item())
    assert penalty.item() == pytest.approx(pair.abs().mean().item())


def test_energies_that_are_trained_apart_have_the_loss_of_those_that_are_not():
    """Where H_pair says the same both ways round, one edge counted twice is both edges."""
    network, (x, edges, targets) = small(), batch(count=2)
    bear_invariant(network, 2)
    target, weight = torch.tensor(targets).flatten(0, 1), torch.rand(len(x), dtype=x.dtype)
    one_way = network.edge_model

    class BothWays(torch.nn.Module):
        def forward(self, rows):
            receiver, sender = rows.chunk(2, dim=1)
            return 0.5 * (one_way(rows) + one_way(torch.cat([sender, receiver], dim=1)))

    network.edge_model = BothWays()
    pairs = pairs_of(edges, np.random.default_rng(0))
    assert pairs.shape[1] == edges.shape[1] // 2
    both, prediction, penalty = network.losses_apart(x, pairs, target, weight)
    _, whole, _ = network.losses(x, edges, target, None, weight)
    assert prediction.item() == pytest.approx(whole.item())
    velocity = network.motion(x, edges)[0][: len(x) // 4]
    off = ((velocity - x[: len(x) // 4, 2:4]).abs().sum(dim=1) * weight[: len(x) // 4]).mean()
    assert both.item() == pytest.approx((prediction + off).item())
    _, _, pair = network.motion(x, pairs)
    heard = (pair.abs() * weight[pairs[1]]).mean()
    assert penalty.item() == pytest.approx(heard.item())


def test_a_pair_energy_that_is_told_the_distance_moves_bodies_as_its_slope_says(tmp_path):
    states, targets = random_snapshots(count=30)
    recipe = get_recipe("fast", steps=4, distance=True, compiled=False, precision="float32")
    path = tmp_path / "told.safetensors"
    told = train("flathgn", states, targets, recipe, progress=False, checkpoint=path).network
    assert told.distance and told.edge_model.first.in_features == 13
    graphs = snapshot_graphs(states)
    turned = graphs.x.clone()
    turned[:, :4] = graphs.x[:, :4] @ torch.block_diag(*[torch.tensor([[0.0, 1], [-1, 0]])] * 2)
    with torch.no_grad():
        told.edge_model.first.weight[:, :12] = 0.0  # the distance alone: a central force
    one, other = (told(rows, graphs.edge_index)[0] for rows in (graphs.x, turned))
    torch.testing.assert_close(one @ torch.tensor([[0.0, 1], [-1, 0]]), other, rtol=1e-3, atol=1e-5)
    with pytest.raises(InputError, match="distance True instead of None"):
        load_checkpoint(path, FlatHGN(2))


def test_gradients_of_the_loss_reach_every_weight_and_agree_with_a_step_along_them():
    network, (x, edges, targets) = small(hidden=5), batch(count=2)
    target = torch.tensor(targets).flatten(0, 1)
    # A constant energy moves nothing.
    weights = {n: w for n, w in network.named_parameters() if not n.endswith(".4.bias")}

    def loss():
        both, _, penalty = network.losses(x, edges, target)
        return both + network.rule.alpha * penalty

    before = loss()
    slopes = torch.autograd.grad(before, list(weights.values()))
    for name, slope in zip(weights, slopes, strict=True):
        assert slope.abs().max() > 0, name
    with torch.no_grad():
        for weight, slope in zip(weights.values(), slopes, strict=True):
            weight += 1e-7 * slope
        wanted = 1e-7 * sum((slope**2).sum() for slope in slopes)
        assert (loss() - before).item() == pytest.approx(wanted.item(), rel=1e-3)


def test_training_is_compiled_resumes_exactly_and_learns(tmp_path):
    states, targets = random_snapshots(count=400)
    recipe = get_recipe("fast", steps=60, learning_rate=5e-3, precision="float32")
    whole = train("flathgn", states, targets, recipe, progress=False)
    path = tmp_path / "run.safetensors"

    def stop(step, _):
        if step == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("flathgn", states, targets, recipe, progress=False, checkpoint=path, watch=stop,
              watch_every=30)  # fmt: skip
    resumed = train("flathgn", states, targets, recipe, progress=False, checkpoint=path)
    assert resumed.resumed_at == 30 and isinstance(resumed.network, FlatHGN)
    for one, other in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    assert whole.history[-1]["prediction"] < 0.7 * whole.history[0]["prediction"]


@pytest.mark.parametrize(
    ("width", "mass", "said"),
    [(6, 0.0, "1 of 5 snapshots hold a mass that is zero or negative"), (6, -1.0, "1 of 5 snap")]
    + [(width, 1.0, "charge, mass") for width in (4, 5, 7, 9)],
)
def test_states_without_masses_are_refused(width, mass, said):
    states = np.ones((5, 4, width))
    states[2, 1, -1] = mass
    with pytest.raises(InputError, match=said):
        train("flathgn", states, np.ones((5, 4, 2)), get_recipe("fast", steps=5), progress=False)


def test_a_network_by_name_is_evaluated_without_gradients():
    assert MODELS == ("standard", "bottleneck", "l1", "kl", "pruned", "flathgn")
    one, other = fresh_network("flathgn", 3, 1), fresh_network("flathgn", 3, 1)
    assert one.features == 8 and one.outputs == 3
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    with pytest.raises(UnknownChoice, match="flathgn"):
        fresh_network("hgn", 2)
    with pytest.raises(InputError, match="dim"):
        FlatHGN(4)
    x, edges, _ = batch(3, count=2)
    with torch.no_grad():
        found, pair = one(x.float(), edges)
    assert found.shape == (8, 3) and pair.shape == (24, 1) and found.abs().max() > 0
    torch.testing.assert_close(found, one(x.float(), edges)[0].detach())
