"""Our training beside a plain one, alternating in one run.

The plain contestant is what a reader of the paper would write: torch_geometric graphs in a
DataLoader, the reference recipe, eager float32. The other is symlib's default. Both train
the same network on the same snapshots with the same batch; timings on shared machines
wander, so the two take turns, and only their ratio is meant to be quoted.
"""

import time

import numpy as np
import torch
from torch._inductor.utils import fresh_cache
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from tqdm import tqdm

from symlib.discovery import check, prepare
from symlib.errors import InputError
from symlib.messages.recording import record_messages
from symlib.networks.graph_network import (
    WEIGHT_PENALTY,
    particle_network,
    prediction_loss,
    weight_penalty,
)
from symlib.networks.graphs import complete_graph
from symlib.records import record as results
from symlib.training.recipes import get_recipe, optimiser, use_bfloat16
from symlib.training.train import train

GOAL = 0.99  # kept-90% R² of the better of force and acceleration


def plain_loop(network, states, accelerations, recipe, watch, watch_every: int) -> int:
    """The reference recipe as a plain torch_geometric loop; returns the steps taken.

    `watch(step)` is called every `watch_every` steps and ends the loop by returning True.
    """
    edges = complete_graph(states.shape[1])
    graphs = [
        Data(x=torch.as_tensor(x), y=torch.as_tensor(y), edge_index=edges)
        for x, y in zip(states, accelerations, strict=True)
    ]
    dim = accelerations.shape[2]
    loader = DataLoader(graphs, batch_size=recipe.batch, shuffle=True, drop_last=True)
    adam, schedule = optimiser(network, recipe)
    step = 0
    while step < recipe.steps:
        for batch in loader:
            shift = recipe.augmentation * torch.randn(batch.num_graphs, dim)
            x = batch.x.clone()
            x[:, :dim] += shift[batch.batch]
            predicted, raw = network(x, batch.edge_index)
            loss = prediction_loss(predicted, batch.y)
            loss = loss + network.rule.alpha * network.rule.penalty(raw)
            loss = loss + WEIGHT_PENALTY * weight_penalty(network)
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()
            step += 1
            if step % watch_every == 0 and watch(step):
                return step
            if step == recipe.steps:
                break
    return step


def matrix_peak(size: int = 2048, seconds: float = 1.0) -> dict[str, float]:
    """GFLOP/s of one large matrix product, float32 and bfloat16, on this machine."""
    found = {}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a = torch.randn(size, size).to(dtype)
        a @ a
        best, began = 0.0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            start = time.perf_counter()
            a @ a
            best = max(best, 2 * size**3 / (time.perf_counter() - start) / 1e9)
        found[name] = round(best, 1)
    return found


def step_gflop(network, bodies: int, batch: int) -> float:
    """Floating-point work of one optimisation step: forward once, backward twice that."""

    def per_row(mlp):
        return sum(
            2 * layer.in_features * layer.out_features
            for layer in mlp
            if isinstance(layer, torch.nn.Linear)
        )

    nodes, edges = batch * bodies, batch * bodies * (bodies - 1)
    work = edges * per_row(network.edge_model) + nodes * per_row(network.node_model)
    return 3 * work / 1e9


class _Clock:
    """Time a loop from inside: steps a second after the first steps, seconds to the goal.

    The time spent on looking at the messages is taken out of both contestants' clocks.
    """

    def __init__(self, network, law, states, limit: float, steps: int, label: str):
        self.network, self.law, self.states = network, law, states
        self.limit, self.away = limit, 0.0
        self.began = time.perf_counter()
        self.trace: list[tuple[int, float, float]] = []
        self.reached: tuple[int, float] | None = None
        self.bar = tqdm(total=steps, desc=label, unit="step", mininterval=1.0)

    def __call__(self, step: int, network=None) -> bool:
        now = time.perf_counter()
        seconds = now - self.began - self.away
        r2 = record_messages(network or self.network, self.law, self.states).r2()
        best = max(fit["kept90"] for fit in r2.values())
        self.trace.append((step, round(seconds, 2), round(best, 5)))
        self.bar.update(step - self.bar.n)
        self.bar.set_postfix(r2=f"{best:.4f}")
        if best >= GOAL and self.reached is None:
            self.reached = (step, round(seconds, 2))
        self.away += time.perf_counter() - now
        stop = self.reached is not None or seconds > self.limit
        if stop:
            self.bar.close()
        return stop


def bench_training(
    law: str = "r1",
    model: str = "bottleneck",
    dim: int = 2,
    limit: float = 900.0,
    rounds: int = 3,
    plain_steps: int = 30_000,
    seed: int = 0,
) -> dict:
    """Steps a second and time to a good R², plain and ours (see the module's head).

    Args:
        law, model, dim: what is learned.
        limit: seconds after which a contestant that has not reached the goal is stopped.
        rounds: how often the two alternate for the speed measurement.
        plain_steps: length of the plain contestant's one-cycle schedule.
        seed: simulations, networks and batches.

    Returns:
        A record: per contestant steps_per_second (median of the rounds), gflops and its share
        of the machine's matrix product peak, seconds_to_goal (None where the goal was not
        reached within the limit), the trace of (step, seconds, R²), and the two ratios.
        Compilation, from scratch, counts in seconds_to_goal and not in steps_per_second.
    """
    law, preset = check(law, dim, model, "ci", seed)
    if not limit > 0 or rounds < 1:
        raise InputError("bench training: limit and rounds must be positive")
    began = time.perf_counter()
    data = prepare(law, dim, preset, seed)
    states, accelerations = data.train.states, data.train.accelerations
    probe = data.test.states[:1000]
    ours = preset.recipe_for(model)
    plain = get_recipe("reference", steps=plain_steps, batch=ours.batch)
    network = particle_network(model, dim, seed)
    gflop, peak = step_gflop(network, states.shape[1], ours.batch), matrix_peak()
    bfloat16 = use_bfloat16(ours, torch.device("cpu"))

    speeds: dict[str, list[float]] = {"plain": [], "symlib": []}
    for _ in range(rounds):
        for name in speeds:
            speeds[name].append(_speed(name, model, states, accelerations, ours, plain, seed))

    contestants = {}
    for name in speeds:
        steps = ours.steps if name == "symlib" else plain.steps
        clock = _Clock(network, law, probe, limit, steps, f"{name} to R² {GOAL}")
        if name == "symlib":
            # The speed rounds have compiled this loss already; a newcomer's machine has not.
            torch.compiler.reset()
            with fresh_cache():
                clock.began = time.perf_counter()
                train(
                    model, states, accelerations, ours, seed=seed, progress=False, device="cpu",
                    watch=clock, watch_every=100,
                )  # fmt: skip
        else:
            clock.network = particle_network(model, dim, seed)
            plain_loop(clock.network, states, accelerations, plain, clock, 500)
        clock.bar.close()
        speed = float(np.median(speeds[name]))
        kind = "bfloat16" if name == "symlib" and bfloat16 else "float32"
        contestants[name] = {
            "steps_per_second": round(speed, 1),
            "rounds": [round(value, 1) for value in speeds[name]],
            "precision": kind,
            "gflops": round(speed * gflop, 1),
            "share_of_peak": round(speed * gflop / peak[kind], 3),
            "steps_to_goal": clock.reached[0] if clock.reached else None,
            "seconds_to_goal": clock.reached[1] if clock.reached else None,
            "seconds_run": clock.trace[-1][1] if clock.trace else None,
            "trace": clock.trace,
        }
    first, second = contestants["plain"], contestants["symlib"]
    ratio = None
    if second["seconds_to_goal"]:
        ratio = (first["seconds_to_goal"] or first["seconds_run"]) / second["seconds_to_goal"]
    return results.plain(
        {
            "kind": "bench training",
            "law": law.name,
            "dim": dim,
            "model": model,
            "batch": ours.batch,
            "goal": GOAL,
            "gflop_per_step": round(gflop, 3),
            "matrix_peak_gflops": peak,
            "contestants": contestants,
            "speed_ratio": round(second["steps_per_second"] / first["steps_per_second"], 2),
            "time_to_goal_ratio": None if ratio is None else round(ratio, 1),
            "plain_reached_goal": first["seconds_to_goal"] is not None,
            "provenance": results.provenance(time.perf_counter() - began),
        }
    )


def _speed(name, model, states, accelerations, ours, plain, seed, steps=600, skip=200) -> float:
    """Steps a second between step `skip` and step `steps`."""
    times = {}

    def note(step, network=None):
        times[step] = time.perf_counter()
        return step >= steps

    if name == "symlib":
        train(
            model, states, accelerations, ours, seed=seed, progress=False, device="cpu",
            watch=note, watch_every=skip,
        )  # fmt: skip
    else:
        network = particle_network(model, accelerations.shape[2], seed)
        plain_loop(network, states[:20_000], accelerations[:20_000], plain, note, skip)
    return (steps - skip) / (times[steps] - times[skip])


def table(record: dict) -> str:
    """The record as a few lines of text."""
    lines = [
        f"{record['law']}-{record['dim']} {record['model']}, batch {record['batch']}, "
        f"{record['gflop_per_step']} GFLOP a step",
        f"{'':8}{'steps/s':>9}{'precision':>11}{'of peak':>9}{'R² ≥ ' + str(record['goal']):>16}",
    ]
    for name, row in record["contestants"].items():
        reached = (
            f"{row['seconds_to_goal']:.0f} s"
            if row["seconds_to_goal"]
            else f"not in {row['seconds_run'] or 0:.0f} s"
        )
        lines.append(
            f"{name:8}{row['steps_per_second']:>9.0f}{row['precision']:>11}"
            f"{row['share_of_peak']:>9.0%}{reached:>16}"
        )
    least = "" if record["plain_reached_goal"] else "at least "
    lines.append(
        f"symlib: {record['speed_ratio']}x the steps a second, "
        f"{least}{record['time_to_goal_ratio']}x sooner at the goal"
    )
    return "\n".join(lines)
