"""Every model by its name: the four message-passing networks and FlatHGN."""

import torch

from symlib.choices import FLATHGN, MODELS, known
from symlib.networks.flathgn import FlatHGN
from symlib.networks.graph_network import GraphNetwork, particle_network

Network = GraphNetwork | FlatHGN


def fresh_network(model: str, dim: int, seed: int = 0, distance: bool = False) -> Network:
    """A fresh network, its weights drawn from `seed` without touching the global generator.

    `distance` is for a FlatHGN, see there.

    Raises:
        InputError: dim is neither 2 nor 3.
        UnknownChoice: no model of that name.
    """
    known("model", model, MODELS)
    if model != FLATHGN:
        return particle_network(model, dim, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return FlatHGN(dim, distance=distance)
