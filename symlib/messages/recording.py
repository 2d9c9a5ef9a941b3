"""What the messages say (Table 1, Figure 5, appendix C).

After training, φᵉ is evaluated on every edge of snapshots it has not seen. Its components
are ranked, the most significant ones are fitted by a linear combination of the true force's
components, and R² says how much of them that explains.

A node model knows its own mass, so a message may just as well be linear in the pairwise
acceleration, the force divided by the receiver's mass. Both are always reported.
"""

from dataclasses import dataclass

import jax
import numpy as np
import torch

from symlib import symbolic
from symlib.errors import InputError
from symlib.laws.potentials import PairPotential, pair_forces
from symlib.laws.variables import pair_names, pair_variables
from symlib.networks.graph_network import GraphNetwork, prediction_loss
from symlib.networks.graphs import complete_graph, snapshot_graphs

DROPPED = 0.1  # the share of largest residuals that the authors' demonstration leaves out
CLOSEST = 0.03  # the share of edges, those of the closest encounters, that regressions leave out
REFIT_EDGES = 60_000  # training messages on which the selected equation's constants are refitted


@dataclass(frozen=True)
class Messages:
    """Messages of one network on one law, one row per edge; everything dimensionless.

    values: the components, most significant first, shape [edges, components].
    importance: what they were ranked by, same order, shape [components]: the standard
        deviation, or for the KL rule the mean divergence from the prior (appendix C).
    spread: standard deviation of each component, same order.
    names, inputs: the variables of appendix C and their values, shape [edges, variables]:
        m1 (receiver), m2 (sender), q1, q2, dx = x2 - x1, dy, (dz,) r, the plain distance.
    force, acceleration: true pair force on the receiver, and that divided by its mass,
        shape [edges, dim]; None where no law is known.
    """

    values: np.ndarray
    importance: np.ndarray
    spread: np.ndarray
    names: tuple[str, ...]
    inputs: np.ndarray
    force: np.ndarray | None
    acceleration: np.ndarray | None

    @property
    def dim(self) -> int:
        """Dimension of space."""
        return len(self.names) - 5

    @property
    def top(self) -> np.ndarray:
        """The `dim` most significant components, shape [edges, dim]."""
        return self.values[:, : self.dim]

    def r2(self) -> dict[str, dict[str, float]]:
        """R² of the top components against force and acceleration, each all and kept90."""
        truths = {"force": self.force, "acceleration": self.acceleration}
        return {name: linear_fit(self.top, truth).r2() for name, truth in truths.items()}


@dataclass(frozen=True)
class LinearFit:
    """Message components as a linear combination of true components plus a constant.

    r2_all, r2_kept: over all points by ordinary least squares, and with the 10% largest
        residuals of each component dropped in both fit and score; means over components.
    coefficients: of the trimmed fit, shape [true components + 1, message components],
        the constant last.
    predicted: the trimmed fit at every point, shape [edges, message components].
    kept: which points the trimmed fit kept, same shape.
    """

    r2_all: float
    r2_kept: float
    coefficients: np.ndarray
    predicted: np.ndarray
    kept: np.ndarray

    def r2(self) -> dict[str, float]:
        """R² of both fits, as records hold it."""
        return {"all": self.r2_all, "kept90": self.r2_kept}


def record_messages(
    network: GraphNetwork, law: PairPotential | None, states, chunk: int = 4096
) -> Messages:
    """Messages of a trained network on snapshots that it was not trained on.

    Args:
        network: from `symlib.training.train`.
        law: the true law, for the forces, or None.
        states: shape [snapshots, bodies, 2 dim + 2].
        chunk: snapshots evaluated at once.

    Returns:
        `Messages` with snapshots * bodies * (bodies - 1) rows, snapshot by snapshot and
        receiver by receiver.

    Raises:
        InputError: states that are not finite, of the wrong shape, or of another dimension
            than the network was trained on.
    """
    states = checked_states(network, states)
    parts = []
    for start in range(0, len(states), chunk):
        batch = snapshot_graphs(states[start : start + chunk])
        with torch.no_grad():
            parts.append(network.messages(batch.x, batch.edge_index))
    raw, rule = torch.cat(parts), network.rule
    importance, values = rule.importance(raw).numpy(), rule.mean(raw).numpy().astype(np.float64)
    order = np.argsort(-importance, kind="stable")
    bodies, dim = states.shape[1], network.outputs
    sender, receiver = complete_graph(bodies).numpy()
    first, second = (states[:, k].reshape(-1, states.shape[2]) for k in (receiver, sender))
    force = None
    if law is not None:
        with jax.enable_x64(True):
            forces = np.asarray(jax.jit(lambda s: pair_forces(law, s))(states.astype(np.float64)))
        force = forces[:, receiver, sender].reshape(-1, dim)
    return Messages(
        values=values[:, order],
        importance=importance[order],
        spread=values.std(axis=0)[order],
        names=pair_names(dim),
        inputs=pair_variables(first, second),
        force=force,
        acceleration=None if force is None else force / first[:, -1:],
    )


def regress(heard: Messages, component: int = 0, **search) -> "symbolic.Regression":
    """Symbolic regression of one message component (appendix C).

    Messages that are `well_learned` are taken, unless the budget does without that aid. One that
    has collapsed, the same on every edge, is its constant.

    Args:
        heard: from `record_messages`.
        component: which one, the most significant first.
        **search: engine, seed, budget and progress of `symlib.symbolic.regress`.
    """
    target = heard.values[:, component]
    kept = np.ones(len(target), dtype=bool)
    if "ordinary" in symbolic.get_budget(search.get("budget", "ci")).aids:
        kept = well_learned(target, heard.inputs[:, -1])
    return symbolic.regress(heard.inputs[kept], target[kept], list(heard.names), **search)


def regress_message(
    network: GraphNetwork, states, component: int = 0, **search
) -> "symbolic.Regression":
    """Symbolic regression of one message component on training examples, as `regress` does.

    Args:
        network: from `symlib.training.train`.
        states: training snapshots, shape [snapshots, bodies, 2 dim + 2]; as many of the first
            ones are used as give 60,000 edges.
        component: which one, the most significant first.
        **search: engine, seed, budget and progress of `symlib.symbolic.regress`.
    """
    bodies = np.shape(states)[1]
    heard = record_messages(network, None, states[: max(1, REFIT_EDGES // (bodies * (bodies - 1)))])
    return regress(heard, component, **search)


def regress_messages(network: GraphNetwork, states, **search) -> "tuple[symbolic.Regression, ...]":
    """An equation for each of the most significant messages, as many as space has dimensions.

    Arguments are those of `regress_message`.
    """
    return tuple(regress_message(network, states, k, **search) for k in range(network.outputs))


def checked_states(network, states) -> np.ndarray:
    """Snapshots that a network can be evaluated on.

    Raises:
        InputError: no snapshots, another width than the network's, or numbers that are not finite.
    """
    states = np.asarray(states)
    if states.ndim != 3 or states.shape[2] != network.features or len(states) == 0:
        raise InputError(
            f"states: shape [snapshots, bodies, {network.features}] is needed for this network, "
            f"got {states.shape}"
        )
    if not np.isfinite(states).all():
        raise InputError("states: some numbers are NaN or infinite; leave those snapshots out")
    return states


def linear_fit(components, truth, dropped: float = DROPPED) -> LinearFit:
    """Fit message components by the components of the truth, with and without trimming.

    Args:
        components: shape [edges, k].
        truth: shape [edges, dim].
        dropped: share of points, those with the largest residuals, that the trimmed fit
            leaves out, separately for each component.

    Raises:
        InputError: shapes that do not fit, NaN, or a share outside [0, 1).
    """
    components = np.asarray(components, dtype=np.float64)
    truth = np.asarray(truth, dtype=np.float64)
    if components.ndim != 2 or truth.ndim != 2 or len(components) != len(truth):
        raise InputError("linear_fit: components and truth need shapes [edges, k], [edges, dim]")
    if not (np.isfinite(components).all() and np.isfinite(truth).all()):
        raise InputError("linear_fit: components or truth hold NaN or infinity")
    if not 0 <= dropped < 1:
        raise InputError(f"dropped: a share in [0, 1), got {dropped}")
    design = np.column_stack([truth, np.ones(len(truth))])
    # A common scale of the columns keeps the least squares well conditioned.
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1.0
    design = design / scale
    r2_all, r2_kept, solutions, kept = [], [], [], []
    for y in components.T:
        plain = np.linalg.lstsq(design, y, rcond=None)[0]
        r2_all.append(_r2(y, design @ plain))
        solution, inside = _trimmed(design, y, plain, dropped)
        r2_kept.append(_r2(y[inside], design[inside] @ solution))
        solutions.append(solution / scale)
        kept.append(inside)
    coefficients = np.stack(solutions, axis=1)
    return LinearFit(
        float(np.mean(r2_all)),
        float(np.mean(r2_kept)),
        coefficients,
        np.column_stack([truth, np.ones(len(truth))]) @ coefficients,
        np.stack(kept, axis=1),
    )


def near_median(values, dropped: float = DROPPED) -> np.ndarray:
    """Which values a regression is given: all but those farthest from the median.

    Close encounters are rare, the network has seen few, and a mean absolute error would be ruled
    by what it did not learn there. The truth plays no part in the choice.

    Args:
        values: shape [n].
        dropped: the share that is left out, a tenth as in the kept-90% fits.

    Returns:
        Shape [n], bool.
    """
    away = np.abs(values - np.median(values))
    return away <= np.quantile(away, 1 - dropped)


def well_learned(values, distance) -> np.ndarray:
    """Which edges a regression of messages is given.

    Those that are not among the closest encounters, and of these the ones `near_median`. Where
    forces are largest a network's messages saturate, and may even pass through the median: one
    such edge, where a law that diverges says ten thousand, would outweigh all others.

    Args:
        values: a message component, shape [edges].
        distance: of the two bodies, same shape.

    Returns:
        Shape [edges], bool.
    """
    values, distance = np.asarray(values), np.asarray(distance)
    kept = distance >= np.quantile(distance, CLOSEST)
    kept[kept] = near_median(values[kept])
    return kept


def prediction_losses(network: GraphNetwork, states, accelerations, seed: int = 0) -> dict:
    """Loss L_v on a test set, beside the loss of the predictor that knows nothing.

    Args:
        network: from `symlib.training.train`; the KL model predicts from one sample (appendix A.2).
        states: shape [snapshots, bodies, 2 dim + 2].
        accelerations: shape [snapshots, bodies, dim].

    Returns:
        test_loss: |v − v̂| summed over components, averaged over nodes (appendix A.1).
        trivial_loss: the same for the median acceleration of each component.
    """
    batch = snapshot_graphs(states, accelerations)
    generator = torch.Generator().manual_seed(seed)
    noise = None
    if network.rule.stochastic:
        shape = (batch.edge_index.shape[1], network.rule.components)
        noise = torch.randn(shape, generator=generator)
    with torch.no_grad():
        predicted, _ = network(batch.x, batch.edge_index, noise)
        loss = prediction_loss(predicted, batch.y)
        trivial = prediction_loss(batch.y.median(dim=0).values.expand_as(batch.y), batch.y)
    return {"test_loss": float(loss), "trivial_loss": float(trivial)}


def _trimmed(design, y, start, dropped: float) -> tuple[np.ndarray, np.ndarray]:
    """Least trimmed squares by concentration: fit, keep the best points, fit those, repeat."""
    solution, inside = start, np.ones(len(y), dtype=bool)
    count = max(design.shape[1] + 1, round((1 - dropped) * len(y)))
    for _ in range(100):
        residual = (y - design @ solution) ** 2
        chosen = np.zeros(len(y), dtype=bool)
        chosen[np.argsort(residual, kind="stable")[:count]] = True
        if np.array_equal(chosen, inside):
            break
        inside = chosen
        solution = np.linalg.lstsq(design[inside], y[inside], rcond=None)[0]
    return solution, inside


def _r2(y: np.ndarray, predicted: np.ndarray) -> float:
    total = ((y - y.mean()) ** 2).sum()
    # A component that is constant says nothing, however well a constant fits it.
    return 0.0 if total == 0 else float(1 - ((y - predicted) ** 2).sum() / total)
