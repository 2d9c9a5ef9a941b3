"""The true energies, written in torch, for a FlatHGN to take in place of perceptrons."""

import torch

from symlib.laws.potentials import PairPotential


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
