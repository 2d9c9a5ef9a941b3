"""FlatHGN: Hamilton's equations, and what they keep (appendix A.4)."""

import jax
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from snapshots import random_snapshots

from symlib.errors import InputError
from symlib.laws.potentials import LAWS, PairPotential, total_energy
from symlib.networks.flathgn import FlatHGN
from symlib.networks.graphs import complete_graph
from symlib.training.recipes import bear_invariant, get_recipe
from symlib.training.train import train


def small() -> FlatHGN:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return FlatHGN(2, hidden=16).double()


def batch(dim=2, bodies=4, count=3, law="spring"):
    states, targets = random_snapshots(law, dim, bodies, count)
    return torch.from_numpy(states).flatten(0, 1), complete_graph(bodies, count), targets


def true_pair_energy(law: PairPotential, dim: int):
    """Half the potential energy of each direction of a pair, written in torch."""

    def energy(rows):
        first, second = rows.chunk(2, dim=1)
        r = (first[:, :dim] - second[:, :dim]).norm(dim=1, keepdim=True) + law.softening
        mass, charge = first[:, -1:] * second[:, -1:], first[:, -2:-1] * second[:, -2:-1]
        whole = {
            "spring": (r - 1) ** 2,
            "r1": mass * torch.log(r),
            "r2": -mass / r,
            "charge": charge / r,
            "discontinuous": torch.where(r < 2, torch.zeros_like(r), (r - 1) ** 2),
        }
        return whole[law.name] / 2

    return energy


def kinetic_energy(dim: int):
    return lambda rows: (rows[:, dim : 2 * dim] ** 2).sum(dim=1, keepdim=True) / (2 * rows[:, -1:])


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", ["spring", "r1", "r2", "charge", "discontinuous"])
def test_the_true_hamiltonian_gives_the_simulators_accelerations_and_energy(name, dim):
    law = LAWS[name]
    x, edges, targets = batch(dim, law=name)
    truth = FlatHGN(dim, self_energy=kinetic_energy(dim), pair_energy=true_pair_energy(law, dim))
    velocity, acceleration, _ = truth.motion(x, edges)
    # To the rounding of float64, relative to each acceleration.
    np.testing.assert_allclose(acceleration.numpy(), targets.reshape(-1, dim), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(velocity, x[:, dim : 2 * dim], rtol=1e-12, atol=1e-12)
    with jax.enable_x64(True):
        energy = float(total_energy(law, x.reshape(3, 4, -1).numpy()).sum())
    assert float(truth.hamiltonian(truth.canonical(x), edges)) == pytest.approx(energy, rel=1e-10)


def test_motion_is_the_gradient_by_finite_differences():
    network, (x, edges, _) = small(), batch(count=1)
    velocity, acceleration, _ = network.motion(x, edges)
    slopes = torch.cat([-acceleration * x[:, -1:], velocity], dim=1)
    z, step = network.canonical(x), 1e-6
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        away = torch.zeros_like(z)
        away[:, :4] = torch.randn(4, 4, generator=generator, dtype=torch.float64)
        up, down = (network.hamiltonian(z + sign * step * away, edges).item() for sign in (1, -1))
        found = (slopes * away[:, :4]).sum().item()
        assert found == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-7)


def test_energy_is_constant_along_the_networks_own_motion():
    network, (x, edges, _) = small(), batch(count=1)
    rest = x[:, 4:]

    def energy(y):
        rows = torch.cat([torch.from_numpy(y.reshape(4, 4)), rest], dim=1)
        return network.hamiltonian(rows, edges).item()

    def slope(_, y):
        # In canonical coordinates: a network's dx/dt need not be p / m.
        rows = torch.from_numpy(y.reshape(4, 4))
        state = torch.cat([rows[:, :2], rows[:, 2:] / rest[:, -1:], rest], dim=1)
        velocity, acceleration, _ = network.motion(state, edges)
        return torch.cat([velocity, acceleration * rest[:, -1:]], dim=1).detach().numpy().ravel()

    start = network.canonical(x)[:, :4].numpy().ravel()
    drift = {}
    for tolerance in (1e-4, 1e-9):
        solved = solve_ivp(slope, (0, 5), start, rtol=tolerance, atol=tolerance)
        drift[tolerance] = abs(energy(solved.y[:, -1]) - energy(start))
    moved = np.abs(solved.y[:, -1] - start).max()
    assert moved > 0.1  # else the test would say nothing
    assert drift[1e-9] < 1e-7 and drift[1e-9] < drift[1e-4] + 1e-12


def test_total_momentum_is_kept_by_a_network_that_is_born_invariant():
    network, (x, edges, _) = small(), batch(count=1)
    before = (network(x, edges)[0] * x[:, -1:]).sum(dim=0)
    bear_invariant(network, 2)
    after = (network(x, edges)[0] * x[:, -1:]).sum(dim=0)
    assert after.abs().max() < 1e-12 < before.abs().max()
    moved = x + torch.tensor([2.0, -1.0, 0, 0, 0, 0])
    torch.testing.assert_close(network(x, edges)[0], network(moved, edges)[0])


def test_the_objective_holds_both_of_hamiltons_equations_and_the_regulariser():
    network, (x, edges, targets) = small(), batch()
    target = torch.tensor(targets).flatten(0, 1)
    both, prediction, penalty = network.losses(x, edges, target)
    velocity, acceleration, pair = network.motion(x, edges)
    off = (velocity - x[:, 2:4]).abs().sum(dim=1).mean()
    missed = (acceleration - target).abs().sum(dim=1).mean()
    assert prediction.item() == pytest.approx(missed.item())
    assert both.item() == pytest.approx((missed + off).item())
    assert penalty.item() == pytest.approx(pair.abs().mean().item())


def test_training_is_compiled_and_learns():
    states, targets = random_snapshots(count=400)
    recipe = get_recipe("fast", steps=60, learning_rate=5e-3, precision="float32")
    history = train("flathgn", states, targets, recipe, progress=False).history
    assert history[-1]["prediction"] < 0.7 * history[0]["prediction"]


def test_states_without_positive_masses_are_refused():
    states, targets = random_snapshots(count=5)
    recipe = get_recipe("fast", steps=5)
    for mass in (0.0, -1.0):
        states[2, 1, -1] = mass
        with pytest.raises(InputError, match="1 of 5 snapshots hold a mass that is zero or neg"):
            train("flathgn", states, targets, recipe, progress=False)
    for width in (4, 5, 7, 9):
        with pytest.raises(InputError, match="charge, mass"):
            train("flathgn", np.ones((5, 4, width)), np.ones((5, 4, 2)), recipe, progress=False)
