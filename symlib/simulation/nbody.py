"""From a law to simulations (appendix B): initial conditions, integration, trajectories.

    trajectories = simulate("spring", dim=2, bodies=4, systems=1000, path="spring.traj")

Masses are log-normal(0, 1), every component of position and velocity is normal(0, 1), a
charge is -1 or 1, and 1000 snapshots are stored law.dt apart. All quantities are
dimensionless, all integration is float64.
"""

import math
import threading
import time
import zlib
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from symlib.choices import DIMENSIONS, at_least, known
from symlib.errors import InputError
from symlib.laws.potentials import PairPotential, get_law, total_energy
from symlib.simulation.integrator import integrate
from symlib.simulation.trajectories import FAILED, Trajectories, open_folder, spent_on

# Of every step, relative and absolute. Leaves a median relative energy error of some 3e-8
# for the spring and 6e-8 for 1/r^2 (float32 and odeint: 8e-6 and 3e-5).
TOLERANCE = 1e-8
# The hardest of a thousand 1/r^2 systems takes some 10,000 steps, the median one 100.
MAX_STEPS = 100_000
DTYPES = ("float64", "float32")


def _check_sizes(dim, bodies, systems, seed):
    known("dim", dim, DIMENSIONS)
    return at_least("bodies", bodies, 2), at_least("systems", systems, 1), at_least("seed", seed, 0)


def initial_conditions(dim: int, bodies: int, systems: int, seed: int = 0) -> np.ndarray:
    """Random initial states (appendix B), the same for every law.

    System k of a seed is the same however many systems are asked for.

    Returns:
        Shape [systems, bodies, 2 dim + 2] with rows [position, velocity, charge, mass],
        float64, dimensionless.

    Raises:
        InputError: dim other than 2 or 3, fewer than two bodies, no systems, negative seed.
    """
    bodies, systems, seed = _check_sizes(dim, bodies, systems, seed)
    states = np.empty((systems, bodies, 2 * dim + 2))
    for number, state in enumerate(states):
        rng = np.random.default_rng([seed, number])
        state[:] = rng.normal(size=state.shape)
        state[:, -2] = rng.choice([-1.0, 1.0], size=bodies)
        state[:, -1] = np.exp(state[:, -1])
    return states


def _check_initial(initial, dim: int) -> np.ndarray:
    initial = np.asarray(initial, dtype=np.float64)
    if initial.ndim != 3 or initial.shape[-1] != 2 * dim + 2:
        raise InputError(
            f"initial must have the shape [systems, bodies, {2 * dim + 2}], got {initial.shape}"
        )
    if not np.isfinite(initial).all() or (initial[..., -1] <= 0).any():
        raise InputError("initial must be finite, with positive masses (the last column)")
    return initial


def simulate(
    law: str | PairPotential,
    dim: int = 2,
    bodies: int = 4,
    systems: int = 1000,
    steps: int = 1000,
    seed: int = 0,
    *,
    path: str | Path | None = None,
    tolerance: float = TOLERANCE,
    max_steps: int = MAX_STEPS,
    dtype: str = "float64",
    initial=None,
    progress: bool = True,
) -> Trajectories:
    """Simulate independent systems under a law (appendix B).

    With `path` every finished system is on disk; after Ctrl-C the same call goes on from
    there, and once all are finished it reads them. Without, everything stays in memory.

    Args:
        law: a `PairPotential`, or the name of one (see `potentials.get_law`).
        dim, bodies, systems: sizes.
        steps: snapshots per system, law.dt apart, the initial state being the first.
        seed: of the initial conditions.
        path: folder to write, by custom NAME.traj.
        tolerance: relative and absolute tolerance of every integration step.
        max_steps: solver steps after which a system counts as failed.
        dtype: of the stored trajectories; float32 takes half the space and keeps 7 digits.
        initial: states [systems, bodies, 2 dim + 2] to start from, instead of random ones;
            `bodies` and `systems` are then those of the array.
        progress: show a progress bar on standard error.

    Returns:
        The trajectories. Systems that the integrator could not finish are left out and
        counted (`failed`, `share_failed`).

    Raises:
        InputError: an argument out of range, a path that holds something else, is damaged or
            cannot be written, or a law under which no system could be integrated.
    """
    law = get_law(law)
    if initial is not None:
        initial = _check_initial(initial, dim)
        systems, bodies = initial.shape[:2]
    bodies, systems, seed = _check_sizes(dim, bodies, systems, seed)
    steps, max_steps = at_least("steps", steps, 1), at_least("max_steps", max_steps, 1)
    if not (isinstance(tolerance, (int, float)) and math.isfinite(tolerance) and tolerance > 0):
        raise InputError(f"tolerance must be a positive number, got {tolerance!r}")
    known("dtype", dtype, DTYPES)
    request = {
        "law": law.name,
        "fingerprint": law.fingerprint(),
        "dim": int(dim),
        "bodies": bodies,
        "steps": steps,
        "systems": systems,
        "seed": seed,
        "tolerance": tolerance,
        "max_steps": max_steps,
        "dtype": dtype,
        "initial": None if initial is None else zlib.crc32(initial.tobytes()),
    }
    if path is None:
        phase = np.zeros((systems, steps, bodies, 2 * dim), dtype)
        checksums = np.zeros(systems, int)
        waiting = np.arange(systems)
    else:
        phase, checksums, waiting = open_folder(path := Path(path), request)
    if initial is None:
        initial = initial_conditions(dim, bodies, systems, seed)

    counting = threading.Lock()
    bar = tqdm(
        desc=f"simulate {law.name}-{dim}",
        total=systems,
        initial=systems - len(waiting),
        unit="system",
        disable=not progress,
    )

    def deliver(number: int, snapshots: np.ndarray | None):
        if snapshots is None:
            checksums[number] = FAILED
        else:
            phase[number] = snapshots
            # What is in memory alone is never gone on with.
            checksums[number] = zlib.crc32(phase[number]) if path else 0
        with counting:
            bar.update()
            if snapshots is None:
                bar.set_postfix(failed=np.count_nonzero(checksums == FAILED))

    began, spent = time.perf_counter(), spent_on(path)
    try:
        with bar:
            integrate(law, initial, waiting, steps, tolerance, max_steps, deliver)
    finally:
        if len(waiting):
            spent = spent_on(path, spent + time.perf_counter() - began)
    failed = np.flatnonzero(checksums == FAILED).tolist()
    if len(failed) == systems:
        raise InputError(
            f"law {law.name!r}: the integrator could not finish any of the {systems} systems "
            f"within {max_steps} steps; raise max_steps or tolerance, or look at the potential"
        )
    kept = np.flatnonzero(checksums != FAILED)
    return Trajectories(law, phase, initial[..., -2:], kept, failed, path, spent)


def energy_error(law: PairPotential, states) -> np.ndarray:
    """How far each system strays from its initial energy, the largest of all steps.

    Relative to the initial kinetic energy plus the magnitude of the initial potential
    energy, because the total may be near zero by chance.

    Args:
        states: shape [systems, steps, bodies, 2 dim + 2].

    Returns:
        Shape [systems], dimensionless, computed in float64.
    """
    states = np.asarray(states, dtype=np.float64)
    dim = (states.shape[-1] - 2) // 2
    with jax.enable_x64(True):
        total = np.asarray(jax.jit(lambda x: total_energy(law, x))(states))
    first = states[:, 0]
    kinetic = 0.5 * np.sum(first[..., -1:] * first[..., dim : 2 * dim] ** 2, axis=(-1, -2))
    scale = kinetic + np.abs(total[:, 0] - kinetic)
    return np.max(np.abs(total - total[:, :1]), axis=1) / scale
