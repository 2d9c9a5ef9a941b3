"""The true energies, written in torch, and a FlatHGN that has them in place of perceptrons."""

import torch

from symlib.laws.potentials import PairPotential
from symlib.networks.flathgn import FlatHGN


class Energy(torch.nn.Module):
    """A known energy in the place of a perceptron."""

    def __init__(self, function, factor=1.0, extra=None):
        super().__init__()
        self.function, self.factor, self.extra = function, factor, extra

    def forward(self, rows):
        energy = self.factor * self.function(rows)
        return energy if self.extra is None else energy + self.extra(rows)


def true_hamiltonian(law: PairPotential, dim: int, extra=None, own_extra=None) -> FlatHGN:
    """The energies of a law, and what else is added to the pair's and to a body's own."""
    network = FlatHGN(dim, hidden=1)
    network.edge_model = Energy(true_pair_energy(law, dim), extra=extra)
    network.node_model = Energy(kinetic_energy(dim), extra=own_extra)
    return network


def true_pair_energy(law: PairPotential, dim: int):
    """Half the potential energy of each direction of a pair, written in torch."""
    softening = law.softening

    def energy(rows):
        first, second = rows.chunk(2, dim=1)
        r = (first[:, :dim] - second[:, :dim]).norm(dim=1, keepdim=True) + softening
        mass, charge = first[:, -1:] * second[:, -1:], first[:, -2:-1] * second[:, -2:-1]
        return (
            0.5
            * {
                "spring": (r - 1) ** 2,
                "r1": mass * torch.log(r),
                "r2": -mass / r,
                "charge": charge / r,
                "discontinuous": torch.where(r < 2, torch.zeros_like(r), (r - 1) ** 2),
            }[law.name]
        )

    return energy


def kinetic_energy(dim: int):
    def energy(rows):
        return (rows[:, dim : 2 * dim] ** 2).sum(dim=1, keepdim=True) / (2 * rows[:, -1:])

    return energy
