"""Synthetic halos whose overdensity follows a formula of Table 6 with known constants."""

import dataclasses

import numpy as np

from symlib.cosmology.catalogue import Catalogue, DensitySlice
from symlib.cosmology.formulas import FORMULAS, get_formula
from symlib.cosmology.neighbours import features, neighbours

TRUTH = {
    "constant": (0.3,),
    "simple": (-0.2, 0.05, 0.004),
    # C1, log C2·C5, C3, C4, log R, log C7
    "without_mass": FORMULAS["without_mass"].from_free(
        [-0.3, 5.0, 0.02, 3.0, np.log(20.5), np.log(14.0)]
    ),
    # C3 is in units of C2 here
    "with_mass": FORMULAS["with_mass"].from_free(
        [-0.4, 2.5, 0.05, 0.4, np.log(19.5), np.log(16.0)]
    ),
    "with_own_mass": (-0.45, 0.06, 0.3, 20.2, 17.0),
}


def random_halos(count=500, box=130.0, seed=0) -> Catalogue:
    """Halos strewn at random, with δ = 0 and a random density slice."""
    rng = np.random.default_rng(seed)
    return Catalogue(
        box=box,
        positions=rng.uniform(0, box * 0.9999, (count, 3)),
        velocities=rng.normal(0, 280, (count, 3)),
        masses=1e13 * (1.3 + rng.pareto(1.6, count).clip(max=100)),
        delta=np.zeros(count),
        particle_mass=6.4e11,
        provenance={"universe": {"seed": seed}},
        slice=DensitySlice(rng.lognormal(0, 1, (64, 64)).astype(np.float32), 10.0, 30.0),
    )


def halos_of(name: str, noise=0.0, seed=0, **options) -> Catalogue:
    """Random halos whose δ is what a formula says, with Laplace noise of mean |noise|."""
    catalogue = random_halos(seed=seed, **options)
    delta = get_formula(name)(features(catalogue), TRUTH[name])
    delta = delta + noise * np.random.default_rng(seed + 1000).laplace(size=len(delta))
    return dataclasses.replace(catalogue, delta=np.maximum(delta, -1))


def universe(
    count: int = 150, seed: int = 0, radius: float = 20.0, box: float = 120.0
) -> Catalogue:
    """Halos thrown at random, whose δ is a sum of neighbours' masses within a radius."""
    catalogue = random_halos(count, box, seed)
    receivers, senders, _ = neighbours(catalogue, radius)
    around = np.bincount(receivers, catalogue.masses[senders] / 1e14, count)
    return dataclasses.replace(catalogue, delta=around - 0.5)
