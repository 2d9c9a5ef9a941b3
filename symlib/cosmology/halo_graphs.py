"""Halos as a graph, and mini-batches of centre halos with all their neighbours (appendix E).

An edge joins two halos closer than 50 Mpc/h, across the faces of the periodic box too. A node
carries velocity and mass; an edge carries the sender's position as seen from the receiver. That
difference is all that positions tell, so translation invariance, which the paper's network learns
from augmented data, holds here exactly.

Units of the network's inputs: separation 25 Mpc/h, velocity 300 km/s, mass 10¹⁴ h⁻¹ M☉ (plain,
not its logarithm, since sums of masses are what gravity weighs).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from symlib.cosmology.catalogue import Catalogue
from symlib.cosmology.neighbours import neighbours
from symlib.errors import InputError

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
    pairs = neighbours(catalogue)
    nodes = np.column_stack([catalogue.velocities / SPEED, catalogue.masses / MASS])
    return Data(
        x=torch.from_numpy(nodes.astype(np.float32)),
        edge_index=torch.from_numpy(np.stack([pairs.senders, pairs.receivers])),
        edge_attr=torch.from_numpy((pairs.separations / LENGTH).astype(np.float32)),
        y=torch.tensor(catalogue.delta)[:, None],
    )


@dataclass(frozen=True)
class Neighbourhoods:
    """All neighbours of a few centre halos: edges are sorted by receiver, so each has a slice.

    (torch_geometric's `NeighborLoader` needs pyg-lib or torch-sparse, which have no wheels for the
    newest releases of torch.)

    graph: from `halo_graph`. starts: edge slices, shape [halos + 1].
    """

    graph: Data
    starts: Tensor

    @classmethod
    def of(cls, graph: Data) -> "Neighbourhoods":
        """For one graph.

        Raises:
            InputError: edges that are not sorted by receiver.
        """
        receiver = graph.edge_index[1].contiguous()
        if bool((receiver[1:] < receiver[:-1]).any()):
            raise InputError("graph: edges must be sorted by receiver (halo_graph makes them so)")
        return cls(graph, torch.searchsorted(receiver, torch.arange(graph.num_nodes + 1)))

    def degrees(self, centres: Tensor) -> Tensor:
        """Neighbours of each centre, shape [centres]."""
        return self.starts[centres + 1] - self.starts[centres]

    def edges_of(self, centres: Tensor) -> Tensor:
        """Numbers of the edges that end in the centres, centre by centre."""
        counts = self.degrees(centres)
        first = torch.repeat_interleave(self.starts[centres] - counts.cumsum(0) + counts, counts)
        return first + torch.arange(int(counts.sum()))

    def inputs(self, centres: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the network takes, of some centres with all their neighbours.

        Args:
            centres: numbers of halos, shape [centres].

        Returns:
            The centres' nodes [centres, 4]; of each edge, centre by centre, the sender's node
            [edges, 4], the separation [edges, 3] and the receiver's place among the centres
            [edges].
        """
        edges, x = self.edges_of(centres), self.graph.x
        receiver = torch.repeat_interleave(torch.arange(len(centres)), self.degrees(centres))
        sender = self.graph.edge_index[0, edges]
        return x[centres], x[sender], self.graph.edge_attr[edges], receiver
