"""Halos as a graph, and mini-batches of centre halos with all their neighbours (appendix E).

An edge joins two halos closer than 50 Mpc/h, across the faces of the periodic box too. A node
carries velocity and mass; an edge carries the sender's position as seen from the receiver, by
the shortest way around the box. That difference is all that positions tell: a position alone
says nothing in a box without walls, and a separation taken from two wrapped positions would be
wrong at every face. So translation invariance, which the paper's network learns from augmented
data, holds here exactly.

Units of the network's inputs: separation 25 Mpc/h, velocity 300 km/s, mass 10¹⁴ h⁻¹ M☉ (plain,
not its logarithm, since sums of masses are what gravity weighs).
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch_geometric.data import Data
from torch_geometric.typing import WITH_PYG_LIB, WITH_TORCH_SPARSE

from symlib.cosmology.catalogue import Catalogue
from symlib.errors import InputError
from symlib.graphs import radius_graph

LINKING = 50.0  # Mpc/h
LENGTH, SPEED, MASS = 25.0, 300.0, 1e14  # Mpc/h, km/s, h⁻¹ M☉


def halo_graph(catalogue: Catalogue, radius: float = LINKING) -> Data:
    """The graph of all halos of a box.

    Args:
        catalogue: at least two halos.
        radius: halos closer than this, in Mpc/h, are joined in both directions.

    Returns:
        A `Data`: x [halos, 4] (velocity, mass) and edge_attr [edges, 3] (separation, sender minus
        receiver) in the units above, edge_index [2, edges] sorted by receiver, y [halos, 1] the
        overdensity δ; float32.

    Raises:
        InputError: a radius that is not positive or larger than half the box, or a box in which
            no two halos are closer than it.
    """
    edges = radius_graph(catalogue.positions, radius, catalogue.box)
    if edges.shape[1] == 0:
        raise InputError(f"radius: no two halos are closer than {radius} Mpc/h")
    sender, receiver = edges.numpy()
    positions = catalogue.positions.astype(np.float64)
    apart = positions[sender] - positions[receiver]
    apart -= catalogue.box * np.round(apart / catalogue.box)
    nodes = np.column_stack([catalogue.velocities / SPEED, catalogue.masses[:, None] / MASS])
    return Data(
        x=torch.from_numpy(nodes.astype(np.float32)),
        edge_index=edges,
        edge_attr=torch.from_numpy((apart / LENGTH).astype(np.float32)),
        y=torch.from_numpy(catalogue.delta.astype(np.float32))[:, None],
    )


@dataclass(frozen=True)
class Neighbourhoods:
    """All neighbours of a few centre halos, as `NeighborLoader` gives them.

    `NeighborLoader` with num_neighbors=[-1] samples in C++ code of pyg-lib or torch-sparse, which
    have no wheels for the newest releases of torch. For one hop its work is a selection: edges are
    sorted by receiver, so a centre's edges are one slice. This class cuts those slices and is
    what training uses everywhere; a test holds it to `NeighborLoader` where that can run.

    graph: from `halo_graph`. starts: edge slices, shape [halos + 1].
    """

    graph: Data
    starts: torch.Tensor

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

    def degrees(self, centres: torch.Tensor) -> torch.Tensor:
        """Neighbours of each centre, shape [centres]."""
        return self.starts[centres + 1] - self.starts[centres]

    def edges_of(self, centres: torch.Tensor) -> torch.Tensor:
        """Numbers of the edges that end in the centres, centre by centre."""
        counts = self.degrees(centres)
        first = torch.repeat_interleave(self.starts[centres] - counts.cumsum(0) + counts, counts)
        return first + torch.arange(int(counts.sum()))

    def batch(self, centres: torch.Tensor) -> Data:
        """Centres with all their neighbours.

        Args:
            centres: numbers of distinct halos, shape [centres].

        Returns:
            A `Data` with the fields of a `NeighborLoader` batch: x, y, edge_index (renumbered),
            edge_attr, n_id and e_id (numbers in the whole graph), batch_size. The centres are
            the first batch_size nodes.
        """
        graph, chosen = self.graph, self.edges_of(centres)
        sender = graph.edge_index[0, chosen]
        place = torch.full((graph.num_nodes,), -1)
        place[centres] = torch.arange(len(centres))
        place[sender[place[sender] < 0]] = -2
        others = torch.where(place == -2)[0]
        place[others] = torch.arange(len(others)) + len(centres)
        nodes = torch.cat([centres, others])
        receiver = torch.repeat_interleave(torch.arange(len(centres)), self.degrees(centres))
        return Data(
            x=graph.x[nodes],
            y=graph.y[nodes],
            edge_index=torch.stack([place[sender], receiver]),
            edge_attr=graph.edge_attr[chosen],
            n_id=nodes,
            e_id=chosen,
            batch_size=len(centres),
        )

    def batches(self, centres: torch.Tensor, size: int) -> Iterator[Data]:
        """All centres once, in order, `size` at a time."""
        for some in torch.split(centres, size):
            yield self.batch(some)


def halo_loader(graph: Data, centres: torch.Tensor, batch_size: int) -> Iterator[Data]:
    """Every centre once, each with all its neighbours, through PyG's neighbour loading.

    `torch_geometric.loader.NeighborLoader` where pyg-lib or torch-sparse is installed; elsewhere
    the same batches from `Neighbourhoods`, and one notice.

    Raises:
        InputError: no centres, halos that do not exist, or a batch size below one.
    """
    check_centres(graph, centres)
    if batch_size < 1:
        raise InputError(f"batch_size: at least one is needed, got {batch_size!r}")
    if WITH_PYG_LIB or WITH_TORCH_SPARSE:
        from torch_geometric.loader import NeighborLoader

        return iter(
            NeighborLoader(graph, num_neighbors=[-1], input_nodes=centres, batch_size=batch_size)
        )
    warnings.warn(
        "NeighborLoader needs pyg-lib or torch-sparse, and neither is installed: neighbours are "
        "looked up by symlib itself, with the same result",
        stacklevel=2,
    )
    return Neighbourhoods.of(graph).batches(centres, batch_size)


def check_centres(graph: Data, centres: torch.Tensor) -> None:
    """Refuse rows that are not distinct numbers of halos."""
    if len(centres) == 0:
        raise InputError("centres: no halos were given")
    if int(centres.min()) < 0 or int(centres.max()) >= graph.num_nodes:
        raise InputError(f"centres: numbers of halos, from 0 to {graph.num_nodes - 1}, are needed")
    if len(torch.unique(centres)) < len(centres):
        raise InputError("centres: some halos are named twice")
