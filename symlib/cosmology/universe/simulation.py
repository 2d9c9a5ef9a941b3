"""A universe of dark matter: a particle-mesh simulation from Gaussian noise to today.

    particles = simulate(Universe(box=250.0, particles=128, seed=1))

The steps, in order: a Gaussian random field with the linear power spectrum of Planck 2015;
particles on a lattice, moved by second-order Lagrangian perturbation theory to a = 0.05;
then kicks and drifts, where gravity is solved by Fourier transforms on a mesh finer than the
lattice (`symlib.cosmology.universe.gravity`).

Lengths are comoving Mpc/h. Momenta are a² dx/dt in units of H0, so the velocity a dx/dt is
100 p / a km/s.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from symlib.choices import at_least
from symlib.cosmology.catalogue import CRITICAL_DENSITY, read_arrays, write_arrays
from symlib.cosmology.universe.gravity import cosmology, linear_field, linear_growth, pull, start
from symlib.cosmology.universe.halos import Particles
from symlib.errors import InputError

HUBBLE = 100.0  # km/s per Mpc/h
_CHECKPOINT_EVERY = 5  # steps


@dataclass(frozen=True)
class Universe:
    """What to simulate.

    Args:
        box: side of the periodic box, Mpc/h.
        particles: particles per side; the number of particles is its cube.
        seed: decides the initial noise.
        mesh_factor: cells of the force mesh per lattice spacing, per side.
        a_start: scale factor at which the particles start.
        steps: kicks and drifts from there to a = 1, of equal length in a.

    Raises:
        InputError: a setting that cannot work.
    """

    box: float = 500.0
    particles: int = 256
    seed: int = 1
    mesh_factor: int = 2
    a_start: float = 0.05
    steps: int = 40

    def __post_init__(self):
        for name, least in (("particles", 8), ("seed", 0), ("mesh_factor", 1), ("steps", 1)):
            at_least(name, getattr(self, name), least)
        if self.particles % 2:
            raise InputError(f"particles: an even number per side, got {self.particles}")
        if self.seed >= 2**32:
            raise InputError(f"seed: less than 2^32, got {self.seed}")
        if not 0 < self.box < np.inf:
            raise InputError(f"box: a positive length in Mpc/h, got {self.box!r}")
        if not 0 < self.a_start < 1:
            raise InputError(f"a_start: a scale factor between 0 and 1, got {self.a_start!r}")

    @property
    def mesh(self) -> int:
        """Cells of the force mesh per side."""
        return self.particles * self.mesh_factor

    @property
    def particle_mass(self) -> float:
        """Mass of a particle in h⁻¹ M☉."""
        return CRITICAL_DENSITY * float(cosmology().Omega_m) * (self.box / self.particles) ** 3


@jax.jit
def _move(positions, momenta, drift, box):
    return jnp.mod(positions + drift * momenta, box)


@jax.jit
def _add(momenta, force, kick):
    return momenta + kick * force


def steps_of(universe: Universe) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of drifts [steps] and kicks [steps + 1] that grow linear modes exactly (FastPM).

    A momentum is multiplied by the first, a force by the second; the end kicks are half steps.
    """
    a = np.linspace(universe.a_start, 1.0, universe.steps + 1)
    grown, pace = linear_growth(a)
    middle_pace = linear_growth((a[1:] + a[:-1]) / 2)[1]
    drifts = np.diff(grown) / middle_pace
    kicks = np.diff(np.concatenate([pace[:1], middle_pace, pace[-1:]])) / grown
    return drifts, kicks


def simulate(
    universe: Universe, checkpoint: str | Path | None = None, progress: bool = True
) -> Particles:
    """Run a universe to a = 1.

    Args:
        checkpoint: a file for the state between steps. If it is there and of the same
            universe, the run goes on from it; it is removed at the end. InputError if it is of
            another universe, or damaged.
    """
    checkpoint = None if checkpoint is None else Path(checkpoint)
    settings, done = dataclasses.asdict(universe), 0
    drifts, kicks = steps_of(universe)
    if checkpoint is not None and checkpoint.exists():
        facts, state = read_arrays(checkpoint)
        if facts.get("universe") != settings:
            raise InputError(f"checkpoint {checkpoint}: of another universe; remove it")
        positions, momenta, done = state["positions"], state["momenta"], facts["done"]
    else:
        field = linear_field(universe.box, universe.particles, universe.seed)
        positions, momenta = start(field, universe.box, universe.a_start)
        momenta = _add(momenta, pull(positions, universe.box, universe.mesh), kicks[0])
    steps = range(done, universe.steps)
    for step in tqdm(steps, "gravity", universe.steps, initial=done, disable=not progress):
        positions = _move(positions, momenta, drifts[step], universe.box)
        force = pull(positions, universe.box, universe.mesh)
        momenta = jax.block_until_ready(_add(momenta, force, kicks[step + 1]))
        if checkpoint is not None and (step + 1) % _CHECKPOINT_EVERY == 0:
            facts = {"universe": settings, "done": step + 1}
            write_arrays(checkpoint, facts, positions=positions, momenta=momenta)
    found = np.array(positions)
    found[found >= np.float32(universe.box)] = 0.0
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return Particles(found, HUBBLE * np.asarray(momenta), universe.particle_mass, universe.box)
