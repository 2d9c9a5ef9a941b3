"""Snapshots as graphs (appendix A.1 and B).

A particle system is a complete graph: every body receives a message from every other.
Halos, later, are joined only to their neighbours. Edges follow torch_geometric: row 0 of
an `edge_index` holds senders, row 1 receivers.
"""

import numpy as np
import torch
from torch_geometric.data import Data

from symlib.errors import InputError


def complete_graph(bodies: int, graphs: int = 1) -> torch.Tensor:
    """Edges of `graphs` disjoint complete graphs of `bodies` nodes each.

    Edges are sorted by receiver, so a receiver's messages lie side by side.

    Returns:
        Shape [2, graphs * bodies * (bodies - 1)], int64.

    Raises:
        InputError: fewer than two bodies, or no graph.
    """
    if bodies < 2:
        raise InputError(f"bodies: a pair law needs at least 2 bodies, got {bodies}")
    if graphs < 1:
        raise InputError(f"graphs: at least one is needed, got {graphs}")
    receiver, sender = torch.where(~torch.eye(bodies, dtype=torch.bool))
    edges = torch.stack([sender, receiver])
    offsets = bodies * torch.arange(graphs)
    return (edges[:, None, :] + offsets[None, :, None]).reshape(2, -1)


def pairs_of(edges: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """One edge for each pair of nodes, whichever way round `rng` says, [2, edges / 2].

    Args:
        edges: of complete graphs, shape [2, edges], each pair in both directions.
    """
    pairs = edges[:, edges[0] < edges[1]]
    swapped = torch.from_numpy(rng.random(pairs.shape[1]) < 0.5).to(pairs.device)
    return torch.where(swapped, pairs.flip(0), pairs)


def snapshot_graphs(states, accelerations=None) -> Data:
    """Snapshots of a particle system as complete graphs, side by side in one.

    Args:
        states: shape [snapshots, bodies, 2 dim + 2].
        accelerations: the targets, shape [snapshots, bodies, dim], or None.

    Returns:
        A `Data` with x [snapshots * bodies, 2 dim + 2] and, where given, y
        [snapshots * bodies, dim], float32.

    Raises:
        InputError: shapes that do not fit together, or numbers that are not finite.
    """
    x = _finite("states", states)
    graphs = Data(x=x.flatten(0, 1), edge_index=complete_graph(x.shape[1], len(x)))
    if accelerations is not None:
        y = _finite("accelerations", accelerations)
        if y.shape[:2] != x.shape[:2]:
            raise InputError(
                f"accelerations: shape {tuple(y.shape)} does not fit states {tuple(x.shape)}"
            )
        graphs.y = y.flatten(0, 1)
    return graphs


def _finite(name: str, values) -> torch.Tensor:
    array = torch.as_tensor(np.array(values), dtype=torch.float32)
    if array.ndim != 3:
        raise InputError(f"{name}: 3 axes are needed, got shape {tuple(array.shape)}")
    if len(array) == 0:
        raise InputError(f"{name}: no snapshots were given")
    bad = int((~torch.isfinite(array)).sum())
    if bad:
        raise InputError(f"{name}: {bad} numbers are NaN or infinite; leave those snapshots out")
    return array
