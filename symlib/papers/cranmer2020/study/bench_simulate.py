"""How fast simulations are, beside the way one would write first (`symlib bench simulate`).

The baseline is one system at a time: `jax.experimental.ode.odeint` under jit, in float32,
with its default tolerances. (Whether it calls `potentials.accelerations` or the integrator's
own force routine makes no difference to it.) Both integrate the same systems in one run,
taking turns, so that a busy machine slows both. Compilation is left out of the times. The
energy error stands beside the time, because speed alone can be bought.
"""

import os
import sys
import time
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.ode import odeint

from symlib.errors import InputError
from symlib.laws.potentials import PairPotential, accelerations, get_law
from symlib.records.record import provenance
from symlib.simulation.nbody import TOLERANCE, energy_error, initial_conditions, simulate

METHODS = {
    "baseline": "one system at a time: jax.experimental.ode.odeint, jit, float32",
    "symlib": "nbody.simulate: float64, all cores",
}
# A pair of bodies that meet in float32 can hold odeint at one time for ever.
_BASELINE_MAX_STEPS = 100_000


def _baseline(law: PairPotential, dim: int, steps: int):
    times = jnp.asarray(np.arange(steps) * law.dt, jnp.float32)

    def derivative(phase, t, constants):
        state = jnp.concatenate([*phase, constants.T], axis=-1)
        return jnp.stack([phase[1], accelerations(law, state)])

    def solve(state):
        phase = jnp.stack([state[:, :dim], state[:, dim : 2 * dim]])
        constants = state[:, -2:].T
        return odeint(derivative, phase, times, constants, mxstep=_BASELINE_MAX_STEPS)

    return jax.jit(solve)


def _states(solved: list[np.ndarray], initial: np.ndarray) -> np.ndarray:
    """The baseline's phases [steps, 2, bodies, dim] as states, float32; not timed."""
    phase = np.moveaxis(np.stack(solved), 2, 3)
    phase = phase.reshape(*phase.shape[:3], -1)
    fixed = np.broadcast_to(initial[:, None, :, -2:], (*phase.shape[:3], 2))
    return np.concatenate([phase, fixed.astype(phase.dtype)], axis=-1)


def _errors(law: PairPotential, states: np.ndarray) -> dict:
    error = energy_error(law, states)
    finite = error[np.isfinite(error)]
    if not len(finite):
        return {"energy_error_median": None, "energy_error_p99": None}
    return {
        "energy_error_median": float(np.median(finite)),
        "energy_error_p99": float(np.quantile(finite, 0.99)),
    }


def bench_simulate(
    laws: Sequence[str | PairPotential] = ("spring", "r2"),
    dim: int = 2,
    bodies: int = 4,
    systems: int = 1024,
    steps: int = 1000,
    seed: int = 0,
    repeats: int = 3,
    tolerance: float = TOLERANCE,
    progress: bool = True,
) -> dict:
    """Time symlib's simulations beside the one-at-a-time baseline, in one run.

    Args:
        laws: names or `PairPotential`s.
        dim, bodies, systems, steps, seed: as for `nbody.simulate`.
        repeats: how often the two alternate; medians are reported.
        tolerance: symlib's; the baseline keeps odeint's default, 1.4e-8.
        progress: say on standard error what is being timed.

    Returns:
        A dictionary that `json` can write: the settings; the provenance; and in
        `results`, for every law, for each of `METHODS`: `ms_per_system` (median of the
        repeats) and `ms_per_system_all`, `compile_s`, the relative energy error (median and
        99th percentile over systems, see `nbody.energy_error`) and `share_failed`; and
        `speedup`, the median over the repeats of the ratio of the two.

    Raises:
        InputError: arguments out of range.
    """
    if repeats < 1:
        raise InputError(f"repeats must be at least 1, got {repeats}")
    chosen = [get_law(law) for law in laws]
    initial = initial_conditions(dim, bodies, systems, seed)
    started = time.perf_counter()
    results = {}
    for law in chosen:
        results[law.name] = _bench_law(law, dim, initial, steps, seed, repeats, tolerance, progress)
    return {
        "benchmark": "simulate",
        "methods": METHODS,
        "dim": dim,
        "bodies": bodies,
        "systems": systems,
        "steps": steps,
        "seed": seed,
        "repeats": repeats,
        "tolerance": tolerance,
        "compile_excluded": True,
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "backend": jax.default_backend(),
        "results": results,
        "provenance": provenance(time.perf_counter() - started),
    }


def _bench_law(law, dim, initial, steps, seed, repeats, tolerance, progress) -> dict:
    systems, bodies = initial.shape[:2]

    def ours(count):
        return simulate(law, dim, bodies, count, steps, seed, tolerance=tolerance, progress=False)

    single = initial.astype(np.float32)

    solve = _baseline(law, dim, steps)
    runs = {
        "baseline": lambda count: [np.asarray(solve(state)) for state in single[:count]],
        "symlib": ours,
    }
    compile_s, times, last = {}, {name: [] for name in runs}, {}
    for name, run in runs.items():
        start = time.perf_counter()
        run(1)
        compile_s[name] = time.perf_counter() - start
    for repeat in range(repeats):
        # Each goes first in every other repeat.
        for name in list(runs)[:: 1 if repeat % 2 == 0 else -1]:
            if progress:
                print(f"{law.name}-{dim}: {name} {repeat + 1}/{repeats}", file=sys.stderr)
            start = time.perf_counter()
            last[name] = runs[name](systems)
            times[name].append(1e3 * (time.perf_counter() - start) / systems)
    states = {"baseline": _states(last["baseline"], single), "symlib": last["symlib"].states}
    failed = {
        "baseline": float(np.mean(~np.isfinite(states["baseline"]).all(axis=(1, 2, 3)))),
        "symlib": last["symlib"].share_failed,
    }
    result = {
        name: {
            "ms_per_system": float(np.median(times[name])),
            "ms_per_system_all": times[name],
            "compile_s": compile_s[name],
            **_errors(law, states[name]),
            "share_failed": failed[name],
            "precision": str(states[name].dtype),
        }
        for name in runs
    }
    ratios = np.divide(times["baseline"], times["symlib"])
    result["speedup"], result["speedup_all"] = float(np.median(ratios)), ratios.tolist()
    return result


def format_bench(report: dict) -> str:
    """The report of `bench_simulate` as a small table."""
    rows = [
        f"{'law':<14}{'method':<10}{'ms/system':>10}{'energy error':>14}{'99%':>10}{'failed':>8}"
    ]
    for law, result in report["results"].items():
        for name in METHODS:
            part = result[name]
            median, p99 = part["energy_error_median"], part["energy_error_p99"]
            rows.append(
                f"{law:<14}{name:<10}{part['ms_per_system']:>10.3f}"
                f"{'-' if median is None else format(median, '.1e'):>14}"
                f"{'-' if p99 is None else format(p99, '.1e'):>10}{part['share_failed']:>8.2%}"
            )
        rows.append(f"{law:<14}symlib is {result['speedup']:.1f} times faster than the baseline")
    rows.append(
        f"{report['systems']} systems, {report['steps']} steps, {report['bodies']} bodies, "
        f"{report['dim']}D; compilation excluded"
    )
    rows += [f"{name}: {text}" for name, text in METHODS.items()]
    return "\n".join(rows)
