"""Motion from energies, learned or written down: Hamilton's equations rolled out.

A dynamics here maps states [systems, bodies, 2 dim + 2] to both dx/dt and dv/dt, side by
side, shape [systems, bodies, 2 dim]. `symlib.messages.motion.rollout` integrates it.
"""

import copy
from collections.abc import Callable, Sequence

import jax
import numpy as np
import sympy as sp
import torch

from symlib.laws.potentials import PairPotential, total_energy
from symlib.laws.variables import AXES
from symlib.networks.flathgn import FlatHGN
from symlib.networks.graphs import complete_graph
from symlib.symbolic import Regression
from symlib.symbolic.algebra.expressions import compile_expression, symbol
from symlib.symbolic.verdict.energy import gradient

Dynamics = Callable[[np.ndarray], np.ndarray]


def equation_dynamics(pair: Regression, own: Regression) -> Dynamics:
    """The two equations read off a FlatHGN as a dynamics.

    Args:
        pair: energy of a pair in m1, m2, q1, q2, dx = x2 - x1, dy, (dz,) r.
        own: self energy in m, q, px, py, (pz,) p.
    """
    dim = len(own.names) - 3
    pull = _slopes(pair.sympy(), tuple(f"d{a}" for a in AXES[:dim]), "r", pair.names)
    speed = _slopes(own.sympy(), tuple(f"p{a}" for a in AXES[:dim]), "p", own.names)

    def flow(states: np.ndarray) -> np.ndarray:
        states = np.asarray(states, dtype=np.float64)
        bodies = states.shape[1]
        mass, charge = states[..., -1], states[..., -2]
        momentum = states[..., dim : 2 * dim] * mass[..., None]
        length = np.sqrt((momentum**2).sum(axis=-1))
        columns = [mass, charge, *np.moveaxis(momentum, -1, 0), np.maximum(length, 1e-12)]
        velocity = speed(columns)
        first, second = np.triu_indices(bodies, 1)
        offset = states[:, second, :dim] - states[:, first, :dim]
        r = np.sqrt((offset**2).sum(axis=-1))
        columns = [mass[:, first], mass[:, second], charge[:, first], charge[:, second]]
        force = pull([*columns, *np.moveaxis(offset, -1, 0), r])
        # The energy depends on x2 - x1: its slope pulls body 1 and pushes body 2.
        total = np.zeros_like(velocity)
        for place, push in ((first, force), (second, -force)):
            np.add.at(total.swapaxes(0, 1), place, push.swapaxes(0, 1))
        return np.concatenate([velocity, total / mass[..., None]], axis=-1)

    return flow


def energy_drift(law: PairPotential, states) -> np.ndarray:
    """|E(t) − E(0)| under the true law, relative to the system's mean kinetic energy.

    Args:
        states: a rollout, shape [systems, steps, bodies, 2 dim + 2].

    Returns:
        Shape [systems, steps].
    """
    states = np.asarray(states, dtype=np.float64)
    with jax.enable_x64(True):
        energy = np.asarray(jax.jit(lambda s: total_energy(law, s))(states))
    return _relative_drift(energy, states)


def learned_drift(network: FlatHGN, states) -> np.ndarray:
    """|H(t) − H(0)| of a network along a rollout, as `energy_drift`: [systems, steps]."""
    states = np.asarray(states, dtype=np.float64)
    systems, steps, bodies, width = states.shape
    exact = copy.deepcopy(network).double()
    x = torch.from_numpy(states.reshape(-1, width).copy())
    with torch.no_grad():
        own, pair = exact.energies(exact.canonical(x), complete_graph(bodies, systems * steps))
    shape = (systems, steps, -1)
    energy = (own.reshape(shape).sum(dim=2) + pair.reshape(shape).sum(dim=2)).numpy()
    return _relative_drift(energy, states)


def _relative_drift(energy: np.ndarray, states: np.ndarray) -> np.ndarray:
    dim = (states.shape[-1] - 2) // 2
    velocity, mass = states[..., dim : 2 * dim], states[..., -1:]
    kinetic = 0.5 * (mass * velocity**2).sum(axis=(-2, -1))
    return np.abs(energy - energy[:, :1]) / np.nanmean(kinetic, axis=1, keepdims=True)


def _slopes(
    energy: sp.Expr, vector: tuple[str, ...], length: str, names: Sequence[str]
) -> Callable[[list[np.ndarray]], np.ndarray]:
    """The gradient of an equation with respect to a vector, as a function of the columns."""
    slots = {symbol(name): k for k, name in enumerate(names)}
    parts = [compile_expression(part, slots) for part in gradient(energy, vector, length)]

    def slopes(columns: list[np.ndarray]) -> np.ndarray:
        shape = columns[0].shape
        return np.stack([np.broadcast_to(part(columns), shape) for part in parts], axis=-1)

    return slopes
