"""From a box to a halo catalogue: simulate, find halos, measure δ, cut a slice, write.

    symlib universe --box 500 --particles 256 --seed 1 --out halos-1.npz

Its options say how the committed catalogues were made.
"""

import dataclasses
import importlib.metadata
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from symlib.cosmology.catalogue import Catalogue, DensitySlice, write_catalogue
from symlib.cosmology.universe import halos as finder
from symlib.cosmology.universe.gravity import cosmology
from symlib.cosmology.universe.halos import RADIUS, Particles
from symlib.cosmology.universe.simulation import Universe, simulate
from symlib.errors import InputError
from symlib.records.record import provenance

SLICE_CELLS, SLICE_THICKNESS = 512, 20.0  # cells per side, Mpc/h


def make_catalogue(
    universe: Universe,
    path: str | Path | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> Catalogue:
    """Simulate a universe and catalogue its halos.

    Args:
        path: where to write the catalogue; None writes nothing.
        checkpoint: file for the simulation's state, so that an interrupted run goes on.

    Raises:
        InputError: a box in which δ makes no sense, no halos, or a file that cannot be written.
    """
    if universe.box < 2 * RADIUS:
        raise InputError(f"box: δ within {RADIUS:g} Mpc/h needs at least {2 * RADIUS:g} Mpc/h")
    began = time.perf_counter()
    particles = simulate(universe, checkpoint, progress)
    if progress:
        tqdm.write("finding halos, and the matter about them", file=sys.stderr)
    halos = finder.find_halos(particles)
    if len(halos["masses"]) == 0:
        raise InputError("universe: no halos formed; use more particles, or a smaller box")
    catalogue = Catalogue(
        box=float(universe.box),
        delta=finder.overdensity(halos["positions"], particles.tree),
        particle_mass=particles.mass,
        provenance=_provenance(universe, path, time.perf_counter() - began),
        slice=density_slice(particles, middle=float(halos["positions"][0, 2])),
        **halos,
    )
    if path is not None:
        write_catalogue(path, catalogue)
    return catalogue


def density_slice(particles: Particles, middle: float, cells: int = SLICE_CELLS) -> DensitySlice:
    """Density of a slab about z = middle, projected along z, in units of the mean.

    The slab is moved where it would cross the box's face. Particles go to the nearest cell.
    """
    box, thickness = particles.box, min(SLICE_THICKNESS, particles.box)
    low = min(max(middle - thickness / 2, 0.0), box - thickness)
    x, y, z = particles.positions.T
    inside = (z >= low) & (z < low + thickness)
    sides = [[0, box], [0, box]]
    counts = np.histogram2d(x[inside], y[inside], bins=cells, range=sides)[0]
    mean = len(particles.positions) * thickness / box / cells**2
    return DensitySlice((counts / mean).astype(np.float32), low, low + thickness)


def _provenance(universe: Universe, path, seconds: float) -> dict:
    settings = dataclasses.asdict(universe)
    options = [f"--{name.replace('_', '-')} {value:.12g}" for name, value in settings.items()]
    # Someone else's folders are of no use to the reader.
    out = "FILE" if path is None or Path(path).is_absolute() else path
    found = provenance(seconds, f"symlib universe {' '.join(options)} --out {out}")
    for package in ("jaxpm", "jax-cosmo"):
        found["versions"][package] = importlib.metadata.version(package)
    planck, parameters = cosmology(), ("Omega_c", "Omega_b", "h", "n_s", "sigma8")
    return found | {
        "universe": settings,
        "cosmology": {name: float(getattr(planck, name)) for name in parameters},
        "halo_finder": {"linking": finder.LINKING, "least_particles": finder.LEAST},
        "delta_radius": RADIUS,
    }
