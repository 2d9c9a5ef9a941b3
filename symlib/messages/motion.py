"""What an equation buys: dynamics from messages alone, rolled out on systems of any size.

A network that was trained on four bodies expects the sum of three messages. An equation
knows one pair, so its sum works for any number of bodies. `SymbolicDynamics` is the network
with φᵉ replaced by equations and φᵛ by the linear map that appendix A.3 says it must be.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.integrate import solve_ivp

from symlib.errors import InputError
from symlib.laws.variables import pair_names, pair_variables
from symlib.messages.recording import DROPPED
from symlib.networks.flathgn import FlatHGN
from symlib.networks.graph_network import GraphNetwork
from symlib.networks.graphs import complete_graph
from symlib.symbolic import Regression
from symlib.symbolic.search.constants import soft_fit

Accelerations = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class SymbolicDynamics:
    """Accelerations from equations for the messages (dimensionless).

    regressions: one for each of the dim messages.
    matrix: shape [dim, dim], from summed messages (less their constants) to `quantity`.
    quantity: "force" (to be divided by the receiver's mass) or "acceleration".
    """

    regressions: tuple[Regression, ...]
    matrix: np.ndarray
    quantity: str

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """States [systems, bodies, 2 dim + 2] -> accelerations [systems, bodies, dim]."""
        pooled = _pooled(self.regressions, states) @ self.matrix
        return pooled / states[..., -1:] if self.quantity == "force" else pooled


def symbolic_dynamics(regressions, states, accelerations) -> SymbolicDynamics:
    """Fit the linear map from the equations' summed messages to accelerations.

    Snapshots that hold any of the largest tenth of all accelerations are left out: an equation
    without the law's softening is far too large in a close encounter, and would rule the map.

    Args:
        regressions: one `Regression` per message, dim of them, over the variables of appendix C.
        states: training snapshots, shape [snapshots, bodies, 2 dim + 2].
        accelerations: shape [snapshots, bodies, dim].

    Raises:
        InputError: not as many equations as dimensions.
    """
    states, accelerations = (np.asarray(a, dtype=np.float64) for a in (states, accelerations))
    dim = accelerations.shape[-1]
    if len(regressions) != dim:
        raise InputError(f"regressions: {dim} equations are needed, got {len(regressions)}")
    calm = _calm(accelerations)
    states, accelerations = states[calm], accelerations[calm]
    pooled = _pooled(regressions, states).reshape(-1, dim)
    mass = states[..., -1].reshape(-1, 1)
    truth = accelerations.reshape(-1, dim)
    found = []
    for quantity, factor in (("force", 1 / mass), ("acceleration", np.ones_like(mass))):
        design = pooled * factor
        columns = [
            # Rare close encounters must not rule the fit, hence the soft absolute error.
            soft_fit(
                partial(_misfit, design, y),
                np.linalg.lstsq(design, y, rcond=None)[0],
                [np.median(np.abs(y)) + 1e-12],
            )[0]
            for y in truth.T
        ]
        matrix = np.stack(columns, axis=1)
        error = np.abs(design @ matrix - truth).mean()
        found.append((error, SymbolicDynamics(tuple(regressions), matrix, quantity)))
    return min(found, key=lambda pair: pair[0])[1]


def _misfit(design: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return design @ weights - truth


def _calm(accelerations: np.ndarray) -> np.ndarray:
    """Which snapshots hold none of the largest tenth of all accelerations; a tenth at least."""
    largest = np.abs(accelerations).max(axis=(1, 2))
    limit = np.quantile(np.abs(accelerations), 1 - DROPPED)
    return largest <= max(float(limit), float(np.quantile(largest, DROPPED)))


def network_dynamics(network: GraphNetwork | FlatHGN) -> Accelerations:
    """A trained network as a dynamics for `rollout`, in float64.

    An adaptive integrator takes the rounding of float32 for the wiggles of a force. Of a FlatHGN
    both of Hamilton's equations are followed: its dx/dt may be not quite v, and only both
    together keep its H constant.
    """
    network = copy.deepcopy(network).double()

    def slopes(states: np.ndarray) -> np.ndarray:
        systems, bodies, width = states.shape
        x = torch.as_tensor(states.reshape(-1, width), dtype=torch.float64)
        edges = complete_graph(bodies, systems)
        with torch.no_grad():
            if isinstance(network, FlatHGN):
                found = torch.cat(network.motion(x, edges)[:2], dim=1)
            else:
                found, _ = network(x, edges)
        return found.numpy().reshape(systems, bodies, -1)

    return slopes


def rollout(
    accelerations: Accelerations, initial, dt: float, steps: int, tolerance: float = 1e-5
) -> np.ndarray:
    """Integrate learned dynamics from given states, snapshots dt apart.

    Args:
        accelerations: states [systems, bodies, 2 dim + 2] -> [systems, bodies, dim], or, from
            energies, dx/dt and dv/dt side by side, [systems, bodies, 2 dim].
        initial: shape [systems, bodies, 2 dim + 2].
        dt: time between snapshots.
        steps: snapshots, the initial one included.
        tolerance: of one integration step, relative; a tenth of it absolute.

    Returns:
        Shape [systems, steps, bodies, 2 dim + 2]; NaN from where the integration broke down.
    """
    initial = np.asarray(initial, dtype=np.float64)
    systems, bodies, width = initial.shape
    dim = (width - 2) // 2
    times = dt * np.arange(steps)
    out = np.full((systems, steps, bodies, width), np.nan)
    out[..., 2 * dim :] = initial[:, None, :, 2 * dim :]

    with one_thread():
        # One system at a time: a close encounter in one must not shorten the steps of all.
        for k in range(systems):

            def slope(_, y, k=k):
                state = np.concatenate([y.reshape(bodies, -1), initial[k, :, 2 * dim :]], axis=1)
                pull = accelerations(state[None])[0]
                if pull.shape[1] == dim:
                    pull = np.concatenate([state[:, dim : 2 * dim], pull], axis=1)
                return pull.ravel()

            solved = solve_ivp(
                slope,
                (0.0, times[-1]),
                initial[k, :, : 2 * dim].ravel(),
                t_eval=times,
                rtol=tolerance,
                atol=0.1 * tolerance,
            )
            reached = solved.y.T.reshape(-1, bodies, 2 * dim)
            out[k, : len(reached), :, : 2 * dim] = reached
    return out


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: on matrices this small the others only wait, and for each other.

    Beside another busy process two threads are a hundred times slower than one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def position_error(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Root mean square distance of the bodies from where they should be, [systems, steps]."""
    dim = (truth.shape[-1] - 2) // 2
    offset = found[..., :dim] - truth[..., :dim]
    return np.sqrt((offset**2).sum(axis=-1).mean(axis=-1))


def _pooled(regressions, states: np.ndarray) -> np.ndarray:
    """Summed messages of every body by equation, without the equations' constants."""
    *batch, bodies, width = states.shape
    dim = (width - 2) // 2
    sender, receiver = complete_graph(bodies).numpy()
    flat = np.asarray(states, dtype=np.float64).reshape(-1, bodies, width)
    values = pair_variables(*(flat[:, k].reshape(-1, width) for k in (receiver, sender)))
    sums = []
    for regression in regressions:
        X = values[:, [pair_names(dim).index(name) for name in regression.names]]
        constant = float(regression.sympy().as_coeff_Add()[0])
        message = regression.predict(X) - constant
        sums.append(message.reshape(len(flat), bodies, bodies - 1).sum(axis=-1))
    return np.stack(sums, axis=-1).reshape(*batch, bodies, dim)
