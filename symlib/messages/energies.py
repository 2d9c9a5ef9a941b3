"""What a FlatHGN's energies say (appendix A.4, "Discovering potentials" in appendix C).

Only derivatives of H are ever compared with data, so energies are recorded up to what no
data can decide. A pair is summed in both directions: its energy is H_pair(1, 2) +
H_pair(2, 1). The self energy is measured from rest: H_self(x, p) − H_self(x, 0), which
leaves out whatever function of mass and charge the network has put there.
"""

from dataclasses import dataclass

import jax
import numpy as np
import torch

from symlib.laws.potentials import PairPotential, pair_forces
from symlib.laws.variables import body_names, body_variables, pair_names, pair_variables
from symlib.messages.recording import checked_states, linear_fit
from symlib.networks.flathgn import FlatHGN
from symlib.networks.graph_network import prediction_loss
from symlib.networks.graphs import complete_graph

SHIFT = 3.0  # standard deviation of the translations that invariance is measured with


@dataclass(frozen=True)
class Energies:
    """Energies of one network on one law; everything dimensionless.

    pair: energy of every pair of bodies, shape [pairs].
    pair_names, pair_inputs: the variables of appendix C, shape [pairs, variables]: m1, m2, q1,
        q2, dx = x2 - x1, dy, (dz,) r, the plain distance.
    pair_force: -d pair / d x1, shape [pairs, dim]; force: the true force on body 1;
        potential: the true energy, shape [pairs]. Both are None where no law is known.
    own: energy of every body, measured from rest, shape [nodes].
    own_names, own_inputs: m, q, px, py, (pz,) p, the length of the momentum; [nodes, variables].
    own_velocity: d H_self / dp, shape [nodes, dim]; velocity: the true one.
    """

    pair: np.ndarray
    pair_names: tuple[str, ...]
    pair_inputs: np.ndarray
    pair_force: np.ndarray
    force: np.ndarray | None
    potential: np.ndarray | None
    own: np.ndarray
    own_names: tuple[str, ...]
    own_inputs: np.ndarray
    own_velocity: np.ndarray
    velocity: np.ndarray

    def r2(self) -> dict[str, dict[str, float]]:
        """R² of the pair energy's force and the self energy's velocity against the truth.

        As for messages (`Messages.r2`), each over all points and with the tenth of the largest
        residuals dropped.
        """
        return {
            "force": linear_fit(self.pair_force, self.force).r2(),
            "velocity": linear_fit(self.own_velocity, self.velocity).r2(),
        }


def record_energies(
    network: FlatHGN, law: PairPotential | None, states, chunk: int = 2048
) -> Energies:
    """Energies of a trained network on snapshots.

    Args:
        network: from `symlib.training.train`.
        law: the true law, for the forces, or None.
        states: shape [snapshots, bodies, 2 dim + 2].
        chunk: snapshots evaluated at once.

    Returns:
        `Energies` with snapshots * bodies * (bodies - 1) / 2 pairs.

    Raises:
        InputError: states that are not finite or of another width than the network's.
    """
    states = checked_states(network, states).astype(np.float32)
    bodies, dim = states.shape[1], network.outputs
    first, second = np.triu_indices(bodies, 1)
    both = torch.from_numpy(np.stack([second, first]))
    parts = [
        _evaluate(network, torch.from_numpy(states[k : k + chunk]), both)
        for k in range(0, len(states), chunk)
    ]
    pair, slope, own, own_slope = (
        torch.cat(group).numpy().astype(float) for group in zip(*parts, strict=True)
    )
    here, there = (states[:, k].reshape(-1, states.shape[2]) for k in (first, second))
    force = potential = None
    if law is not None:
        with jax.enable_x64(True):
            forces = np.asarray(jax.jit(lambda s: pair_forces(law, s))(states.astype(np.float64)))
            energy = jax.jit(jax.vmap(lambda a, b: law.energy(a, b, bodies)))
            potential = np.asarray(energy(here.astype(np.float64), there.astype(np.float64)))
        force = forces[:, first, second].reshape(-1, dim)
    nodes = states.reshape(-1, states.shape[2]).astype(np.float64)
    return Energies(
        pair=pair,
        pair_names=pair_names(dim),
        pair_inputs=pair_variables(here, there),
        pair_force=-slope,
        force=force,
        potential=potential,
        own=own,
        own_names=body_names(dim),
        own_inputs=body_variables(nodes),
        own_velocity=own_slope,
        velocity=nodes[:, dim : 2 * dim],
    )


def symmetries(network: FlatHGN, states, seed: int = 0) -> dict[str, float]:
    """How far the energies keep what they should, each as a share (dimensionless).

    Args:
        network: from `symlib.training.train`.
        states: shape [snapshots, bodies, 2 dim + 2].
        seed: of the random translations.

    Returns:
        Four numbers by name. translation is the mean change of the pair energy when both bodies
        are moved by a normal distribution of width 3, over the pair energy's mean deviation from
        its median; self_translation the same for the self energy. pair_momentum is the mean
        velocity that the pair energies contribute, |Σ ∂H_pair/∂p|, over the mean velocity: 0
        where all energy of motion is in H_self. self_position is the mean force that the self
        energies exert, |∂H_self/∂x|, over the mean force on a body: 0 where all potential energy
        is in H_pair.
    """
    states = checked_states(network, states).astype(np.float32)
    count, bodies, _ = states.shape
    dim = network.outputs
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(states).flatten(0, 1)
    shift = SHIFT * rng.standard_normal((count, 1, dim)).astype(np.float32)
    moved_states = states.copy()
    moved_states[..., :dim] += shift
    moved = torch.from_numpy(moved_states).flatten(0, 1)
    edges = complete_graph(bodies, count)
    z, z_moved = network.canonical(x), network.canonical(moved)
    with torch.no_grad():
        own, pair = network.energies(z, edges)
        own_moved, pair_moved = network.energies(z_moved, edges)
    # Both directions of a pair: edges are sorted by receiver, their reverses by sender.
    reverse = np.lexsort(edges.numpy()[::-1])
    pair, pair_moved = pair + pair[reverse], pair_moved + pair_moved[reverse]
    own_slope = torch.func.grad(lambda z: network.node_model(z).sum())(z)
    pair_slope = torch.func.grad(lambda z: network.pair_energies(z, edges).sum())(z)

    def size(rows):
        return rows.detach().norm(dim=1).mean().item()

    force = size((own_slope + pair_slope)[:, :dim])
    return {
        "translation": _share(pair_moved - pair, pair),
        "self_translation": _share(own_moved - own, own),
        "pair_momentum": size(pair_slope[:, dim : 2 * dim]) / size(x[:, dim : 2 * dim]),
        "self_position": size(own_slope[:, :dim]) / max(force, 1e-30),
    }


def velocity_loss(network: FlatHGN, states) -> float:
    """|v − ∂H/∂p| summed over components, averaged over bodies: Hamilton's other equation."""
    states = checked_states(network, states).astype(np.float32)
    x = torch.from_numpy(states).flatten(0, 1)
    velocity, _, _ = network.motion(x, complete_graph(states.shape[1], len(states)))
    dim = network.outputs
    return prediction_loss(velocity.detach(), x[:, dim : 2 * dim]).item()


def _share(change: torch.Tensor, energy: torch.Tensor) -> float:
    deviation = (energy - energy.median()).abs().mean()
    return float(change.abs().mean() / deviation.clamp_min(1e-30))


def _evaluate(network: FlatHGN, states: torch.Tensor, pairs: torch.Tensor) -> tuple:
    """Pair energies with their slopes at body 1, self energies with theirs in momentum."""
    dim = network.outputs
    z = network.canonical(states.flatten(0, 1)).reshape(states.shape)
    there, here = (z[:, k].flatten(0, 1) for k in pairs)

    def total(here):
        pair = network.edge_model(torch.cat([here, there], dim=1))
        pair = (pair + network.edge_model(torch.cat([there, here], dim=1))).squeeze(1)
        return pair.sum(), pair

    slope, pair = torch.func.grad(total, has_aux=True)(here)
    nodes = z.flatten(0, 1)
    at_rest = nodes.clone()
    at_rest[:, dim : 2 * dim] = 0.0

    def alone(nodes):
        own = network.node_model(nodes).squeeze(1)
        return own.sum(), own

    own_slope, own = torch.func.grad(alone, has_aux=True)(nodes)
    own = own - alone(at_rest)[1]
    return tuple(t.detach() for t in (pair, slope[:, :dim], own, own_slope[:, dim : 2 * dim]))
