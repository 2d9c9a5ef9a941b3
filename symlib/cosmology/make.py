"""From a box to a halo catalogue: simulate, find halos, measure δ, cut a slice, write.

    symlib universe --box 500 --particles 256 --seed 1 --out halos-1.npz

This is the command that made the committed catalogues.
"""

import dataclasses
import importlib.metadata
import shlex
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from symlib import results
from symlib.cosmology.catalogue import Catalogue, DensitySlice, write_catalogue
from symlib.cosmology.halos import find_halos, tree_of
from symlib.cosmology.linear import cosmology
from symlib.cosmology.overdensity import RADIUS, overdensity
from symlib.cosmology.universe import Particles, Universe, simulate
from symlib.errors import InputError

PACKAGES = ("jaxpm", "jax-cosmo")
SLICE_CELLS = 512
SLICE_THICKNESS = 20.0  # Mpc/h
LINKING, LEAST = 0.2, 20


def make_catalogue(
    universe: Universe,
    path: str | Path | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    workers: int = -1,
) -> Catalogue:
    """Simulate a universe and catalogue its halos.

    Args:
        universe: what to simulate.
        path: where to write the catalogue; None writes nothing.
        checkpoint: file for the simulation's state, so that an interrupted run goes on.
        progress: show what is going on.
        workers: threads for counting particles about halos; -1 takes all cores.

    Raises:
        InputError: a box in which δ makes no sense, no halos, or a file that cannot be written.
    """
    if universe.box < 2 * RADIUS:
        raise InputError(f"box: δ within {RADIUS:g} Mpc/h needs at least {2 * RADIUS:g} Mpc/h")
    began = time.perf_counter()
    stages = {}

    def mark(stage: str):
        stages[stage] = round(time.perf_counter() - began - sum(stages.values()), 1)
        if progress:
            tqdm.write(f"{stage}: {stages[stage]:.0f} s", file=sys.stderr)

    particles = simulate(universe, checkpoint, progress)
    mark("simulation")
    tree = tree_of(particles.positions, universe.box)
    halos = find_halos(particles, LINKING, LEAST, tree)
    if len(halos) == 0:
        raise InputError("universe: no halos formed; use more particles, or a smaller box")
    mark("halos")
    delta = overdensity(halos.positions, tree, workers=workers)
    mark("overdensity")
    picture = density_slice(particles, middle=float(halos.positions[0, 2]))
    catalogue = Catalogue(
        box=float(universe.box),
        positions=halos.positions,
        velocities=halos.velocities,
        masses=halos.masses,
        delta=delta,
        particle_mass=particles.mass,
        provenance=_provenance(universe, path, stages, time.perf_counter() - began),
        slice=picture,
    )
    if path is not None:
        write_catalogue(path, catalogue)
    return catalogue


def density_slice(
    particles: Particles,
    middle: float,
    thickness: float = SLICE_THICKNESS,
    cells: int = SLICE_CELLS,
) -> DensitySlice:
    """Density of a slab about z = middle, projected along z, in units of the mean.

    The slab is moved where it would cross the box's face. Particles go to the nearest cell.
    """
    box = particles.box
    thickness = min(thickness, box)
    low = min(max(middle - thickness / 2, 0.0), box - thickness)
    x, y, z = particles.positions.T
    inside = (z >= low) & (z < low + thickness)
    sides = [[0, box], [0, box]]
    counts = np.histogram2d(x[inside], y[inside], bins=cells, range=sides)[0]
    mean = len(particles.positions) * thickness / box / cells**2
    return DensitySlice((counts / mean).astype(np.float32), low, low + thickness)


def command_of(universe: Universe, out: str | Path | None) -> str:
    """The command line that makes this universe's catalogue."""
    words = ["symlib", "universe"]
    for spec in dataclasses.fields(Universe):
        value = getattr(universe, spec.name)
        words += [f"--{spec.name.replace('_', '-')}", f"{value:g}" if spec.type is float else value]
    return shlex.join(str(word) for word in [*words, "--out", out or "FILE"])


def _provenance(universe, path, stages: dict, seconds: float) -> dict:
    # Someone else's folders are of no use to the reader.
    out = None if path is None or Path(path).is_absolute() else path
    found = results.provenance(seconds, command_of(universe, out))
    for package in PACKAGES:
        found["versions"][package] = importlib.metadata.version(package)
    planck = cosmology()
    parameters = ("Omega_c", "Omega_b", "h", "n_s", "sigma8")
    found["universe"] = dataclasses.asdict(universe)
    found["cosmology"] = {name: float(getattr(planck, name)) for name in parameters}
    found["halo_finder"] = {"linking": LINKING, "least_particles": LEAST}
    found["delta_radius"] = RADIUS
    found["stages"] = stages
    return results.plain(found)
