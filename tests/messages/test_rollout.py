"""Rollouts: equations and networks as dynamics."""

from dataclasses import dataclass

import jax
import numpy as np
import pytest
import sympy as sp
import torch
from snapshots import random_snapshots

from symlib.errors import InputError
from symlib.laws.potentials import LAWS, accelerations
from symlib.messages.motion import network_dynamics, position_error, rollout, symbolic_dynamics
from symlib.messages.recording import regress_messages
from symlib.networks.fresh import fresh_network
from symlib.networks.graph_network import particle_network
from symlib.simulation.nbody import simulate
from symlib.symbolic import parse_equation
from symlib.symbolic.algebra.expressions import evaluate

NAMES = ("m1", "m2", "q1", "q2", "dx", "dy", "r")


@dataclass
class Equation:
    """A stand-in for a Regression: names, sympy() and predict(), which is all that is used."""

    text: str
    names: tuple = NAMES

    def sympy(self) -> sp.Expr:
        return parse_equation(self.text, self.names)

    def predict(self, X):
        return evaluate(self.sympy(), X, self.names)


SPRING = (
    Equation("(1 - 0.99/r)*(2*dx + 0.5*dy) + 0.3"),
    Equation("(1 - 0.99/r)*(-0.4*dx + 3*dy) - 1.2"),
)


def test_equations_of_the_messages_give_back_the_accelerations_for_any_number_of_bodies():
    found = symbolic_dynamics(SPRING, *random_snapshots("spring", count=300))
    assert found.quantity == "force"
    for bodies in (2, 4, 9):
        states, truth = random_snapshots("spring", bodies=bodies, count=50, seed=1)
        np.testing.assert_allclose(found(states), truth, rtol=1e-4, atol=1e-4)


def test_a_message_that_is_an_acceleration_is_recognised_as_one():
    gravity = (Equation("m2*dx/(r*(r+0.01))"), Equation("m2*(dx + 2*dy)/(r*(r+0.01)) + 5"))
    found = symbolic_dynamics(gravity, *random_snapshots("r1", count=300))
    assert found.quantity == "acceleration"
    states, truth = random_snapshots("r1", bodies=6, count=50, seed=1)
    np.testing.assert_allclose(found(states), truth, rtol=1e-3, atol=1e-3)


def test_close_encounters_do_not_rule_the_map():
    # Without the softening of 0.01 a close encounter is far too strong in an equation.
    gravity = (Equation("m2*dx/r**3"), Equation("m2*(dx + 2*dy)/r**3"))
    states, truth = random_snapshots("r2", count=300)
    states[::10, 1, :2] = states[::10, 0, :2] + 0.005
    with jax.enable_x64(True):
        truth = np.asarray(accelerations(LAWS["r2"], states.astype(np.float64)))
    found = symbolic_dynamics(gravity, states, truth)
    assert found.quantity == "acceleration"
    np.testing.assert_allclose(found.matrix, [[1, -0.5], [0, 0.5]], atol=0.1)


def test_a_rollout_of_the_truth_follows_the_simulator():
    law = LAWS["spring"]
    truth = simulate(law, 2, 3, 2, 100, seed=4, progress=False).states

    def exact(states):
        with jax.enable_x64(True):
            return np.asarray(accelerations(law, states))

    found = rollout(exact, truth[:, 0], law.dt, 100)
    assert found.shape == truth.shape
    assert position_error(found, truth).max() < 1e-3
    np.testing.assert_array_equal(found[..., 4:], truth[..., 4:])


def test_a_network_rolls_out_on_any_number_of_bodies():
    states, _ = random_snapshots(bodies=6, count=2)
    learned = network_dynamics(particle_network("bottleneck", 2))
    assert learned(states).shape == (2, 6, 2)
    assert np.isfinite(rollout(learned, states, 0.01, 5)).all()


def test_as_many_equations_as_dimensions_are_needed():
    with pytest.raises(InputError, match="2 equations"):
        symbolic_dynamics(SPRING[:1], *random_snapshots(count=5))


def test_silent_messages_are_constants_and_their_dynamics_stand_still():
    network = fresh_network("bottleneck", 2)
    seen = random_snapshots(count=6)[0].astype(np.float32)
    with torch.no_grad():
        network.edge_model[-1].weight.zero_()
        network.edge_model[-1].bias.copy_(torch.tensor([0.5, 0.0]))
    equations = regress_messages(network, seen, engine="operon", progress=False)
    assert sorted(equation.predict(np.ones((1, 7)))[0] for equation in equations) == [0.0, 0.5]
    dynamics = symbolic_dynamics(equations, seen, np.ones((len(seen), 4, 2)))
    assert np.array_equal(dynamics(seen), np.zeros((len(seen), 4, 2)))
