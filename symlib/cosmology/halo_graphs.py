"""Halos as a graph, and a few centre halos with all their neighbours (appendix E).

An edge joins two halos closer than 50 Mpc/h, across the faces of the periodic box too. A node
carries velocity and mass; an edge carries the sender's position as seen from the receiver. That
difference is all that positions tell, so translation invariance, which the paper's network learns
from augmented data, holds here exactly.

Units of the network's inputs: separation 25 Mpc/h, velocity 300 km/s, mass 10¹⁴ h⁻¹ M☉ (plain,
not its logarithm, since sums of masses are what gravity weighs).
"""

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from symlib.cosmology.catalogue import Catalogue
from symlib.cosmology.neighbours import neighbours

LENGTH, SPEED, MASS = 25.0, 300.0, 1e14  # Mpc/h, km/s, h⁻¹ M☉


def halo_graph(catalogue: Catalogue) -> Data:
    """The graph of all halos of a box.

    Returns:
        A `Data`: x [halos, 4] (velocity, mass) and edge_attr [edges, 3] (separation, sender minus
        receiver) in the units above, edge_index [2, edges] sorted by receiver, y [halos, 1] the
        overdensity δ; float32.

    Raises:
        InputError: a box smaller than 100 Mpc/h, or without neighbours.
    """
    receivers, senders, apart = neighbours(catalogue)
    nodes = np.column_stack([catalogue.velocities / SPEED, catalogue.masses / MASS])
    return Data(
        x=torch.from_numpy(nodes.astype(np.float32)),
        edge_index=torch.from_numpy(np.stack([senders, receivers])),
        edge_attr=torch.from_numpy((apart / LENGTH).astype(np.float32)),
        y=torch.tensor(catalogue.delta)[:, None],
    )


def edges_into(graph: Data, centres: Tensor) -> tuple[Tensor, Tensor]:
    """The edges that end in some halos, halo by halo.

    (torch_geometric's `NeighborLoader` needs pyg-lib or torch-sparse, which have no wheels for the
    newest releases of torch.)

    Args:
        graph: from `halo_graph`; centres: numbers of halos, shape [centres].

    Returns:
        Numbers of the edges, and the place of each one's receiver among the centres, [edges].
    """
    # Edges are sorted by receiver, so each halo has a slice of them.
    receivers, centres = graph.edge_index[1], centres.contiguous()
    starts = torch.searchsorted(receivers, centres)
    counts = torch.searchsorted(receivers, centres, right=True) - starts
    place = torch.repeat_interleave(torch.arange(len(centres)), counts)
    return (starts - counts.cumsum(0) + counts)[place] + torch.arange(len(place)), place


def surroundings(graph: Data, centres: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the network takes, of some halos with all their neighbours.

    Returns:
        The halos' nodes [centres, 4]; of each of `edges_into`, the sender's node [edges, 4], the
        separation [edges, 3] and the receiver's place among the centres [edges].
    """
    edges, place = edges_into(graph, centres)
    sender = graph.edge_index[0, edges]
    return graph.x[centres], graph.x[sender], graph.edge_attr[edges], place
