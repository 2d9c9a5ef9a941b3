"""How fast simulations are, beside the way one would write first (`symlib bench simulate`).

The baseline is one system at a time: `jax.experimental.ode.odeint` under jit, in float32,
with its default tolerances. Both integrate the same systems in one run, taking turns, so that a
busy machine slows both. Compilation is left out of the times. The energy error stands beside the
time, because speed alone can be bought.
"""

import sys
import time
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.ode import odeint

from symlib.book import markdown
from symlib.choices import at_least
from symlib.laws.potentials import PairPotential, accelerations, get_law
from symlib.records.record import plain, provenance
from symlib.simulation.nbody import TOLERANCE, energy_error, initial_conditions, simulate

METHODS = {
    "baseline": "one system at a time: jax.experimental.ode.odeint, jit, float32",
    "symlib": "nbody.simulate: float64, all cores",
}
DIM, BODIES, SEED = 2, 4, 0
# A pair of bodies that meet in float32 can hold odeint at one time for ever.
_BASELINE_MAX_STEPS = 100_000


def _baseline(law: PairPotential, steps: int):
    times = jnp.asarray(np.arange(steps) * law.dt, jnp.float32)

    def derivative(phase, t, constants):
        return jnp.stack([phase[1], accelerations(law, jnp.concatenate([*phase, constants], -1))])

    @jax.jit
    def solve(state):
        position, velocity, constants = jnp.split(state, [DIM, 2 * DIM], axis=-1)
        phase = jnp.stack([position, velocity])
        found = odeint(derivative, phase, times, constants, mxstep=_BASELINE_MAX_STEPS)
        constants = jnp.broadcast_to(constants, (steps, *constants.shape))
        return jnp.concatenate([found[:, 0], found[:, 1], constants], axis=-1)

    return solve


def bench_simulate(
    laws: Sequence[str | PairPotential] = ("spring", "r2"),
    systems: int = 1024,
    steps: int = 1000,
    repeats: int = 3,
    progress: bool = True,
) -> dict:
    """Time symlib's simulations beside the one-at-a-time baseline, in one run.

    Args:
        laws: names or `PairPotential`s.
        systems, steps: as for `nbody.simulate`.
        repeats: how often the two alternate; medians are reported.
        progress: say on standard error what is being timed.

    Returns:
        A dictionary that `json` can write: the settings; the provenance; and in
        `results`, for every law, for each of `METHODS`: `ms_per_system` (median of the
        repeats) and `ms_per_system_all`, the relative energy error (median and 99th percentile
        over systems, see `nbody.energy_error`) and `share_failed`; and `speedup`, the median
        over the repeats of the ratio of the two.

    Raises:
        InputError: arguments out of range.
    """
    at_least("repeats", repeats, 1)
    chosen = [get_law(law) for law in laws]
    initial = initial_conditions(DIM, BODIES, systems, SEED)
    began = time.perf_counter()
    return plain(
        {
            "benchmark": "simulate",
            "methods": METHODS,
            "dim": DIM,
            "bodies": BODIES,
            "systems": systems,
            "steps": steps,
            "seed": SEED,
            "repeats": repeats,
            "tolerance": TOLERANCE,
            "results": {law.name: _bench(law, initial, steps, repeats, progress) for law in chosen},
            "provenance": provenance(time.perf_counter() - began),
        }
    )


def _bench(law: PairPotential, initial, steps: int, repeats: int, progress: bool) -> dict:
    systems, single, solve = len(initial), initial.astype(np.float32), _baseline(law, steps)
    runs = {
        "baseline": lambda count: [np.asarray(solve(state)) for state in single[:count]],
        "symlib": lambda count: (
            simulate(law, DIM, BODIES, count, steps, SEED, progress=False).states
        ),
    }
    times, states = {name: [] for name in runs}, {}
    for run in runs.values():
        run(1)  # compiles
    for repeat in range(repeats):
        # Each goes first in every other repeat.
        for name in list(runs)[:: 1 if repeat % 2 == 0 else -1]:
            if progress:
                print(f"{law.name}-{DIM}: {name} {repeat + 1}/{repeats}", file=sys.stderr)
            start = time.perf_counter()
            states[name] = runs[name](systems)
            times[name].append(1e3 * (time.perf_counter() - start) / systems)
    result = {}
    for name in runs:
        error = energy_error(law, states[name])
        error = error[np.isfinite(error)]
        result[name] = {
            "ms_per_system": np.median(times[name]),
            "ms_per_system_all": times[name],
            "energy_error_median": np.median(error),
            "energy_error_p99": np.quantile(error, 0.99),
            "share_failed": 1 - len(error) / systems,
        }
    result["speedup"] = np.median(np.divide(times["baseline"], times["symlib"]))
    return result


def table(record: dict) -> str:
    """The record as a Markdown table with its provenance."""
    rows = []
    for law, found in record["results"].items():
        for method in record["methods"]:
            row = found[method]
            errors = [f"{row[f'energy_error_{what}']:.1e}" for what in ("median", "p99")]
            rows.append([f"{law}-{record['dim']}", method, f"{row['ms_per_system']:.2f}", *errors])
    heads = ["law", "method", "ms per system", "energy error, median", "99th percentile"]
    cores = record["provenance"]["hardware"]["cores"]
    ratios = ", ".join(f"{law} {found['speedup']:.1f}" for law, found in record["results"].items())
    return (
        f"{markdown.table(heads, rows)}\n\n"
        f"*{record['systems']} systems of {record['bodies']} bodies and {record['steps']:,} "
        f"snapshots on {cores} cores, compilation left out; baseline: "
        f"{record['methods']['baseline']}. Times faster: {ratios}.*"
    )
