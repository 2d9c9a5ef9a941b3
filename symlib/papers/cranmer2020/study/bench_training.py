"""Our training beside a plain one, in one run (`symlib bench training`).

The plain contestant is what a reader of the paper would write: torch_geometric graphs in a
DataLoader, the reference recipe, eager float32. The other is symlib's default. Both train
the same network on the same snapshots with the same batch; timings on shared machines
wander, so the two take turns, and only their ratio is meant to be quoted.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch._inductor.utils import fresh_cache
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from symlib.book import markdown
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
PLAIN_STEPS = 30_000  # of the plain contestant's one-cycle schedule
LOOK_EVERY = {"plain": 500, "symlib": 100}
NAMES = {"plain": "PyTorch Geometric, `reference`", "symlib": "symlib, `fast`"}


def plain_loop(network, states, accelerations, recipe, watch, watch_every: int) -> None:
    """The reference recipe as a plain torch_geometric loop.

    `watch(step, network)` is called every `watch_every` steps and ends the loop by returning True.
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
    while True:
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
            if (step % watch_every == 0 and watch(step, network)) or step == recipe.steps:
                return


def bench_training(
    law: str = "r1", model: str = "bottleneck", dim: int = 2, limit: float = 900.0, rounds: int = 3
) -> dict:
    """Steps a second and time to a good R², plain and ours (see the module's head).

    Args:
        law, model, dim: what is learned.
        limit: seconds after which a contestant that has not reached the goal is stopped.
        rounds: how often the two alternate for the speed measurement.

    Returns:
        A record: per contestant steps_per_second (median of the rounds), seconds_to_goal (None
        where the goal was not reached within the limit), the trace of (step, seconds, R²), and
        the two ratios. Compilation, from scratch, counts in seconds_to_goal and not in
        steps_per_second.
    """
    seed = 0
    law, preset = check(law, dim, model, "ci", seed)
    if not limit > 0 or rounds < 1:
        raise InputError("bench training: limit and rounds must be positive")
    began = time.perf_counter()
    data = prepare(law, dim, preset, seed)
    states, accelerations = data.train.states, data.train.accelerations
    ours = preset.recipe_for(model)
    plain = get_recipe("reference", steps=PLAIN_STEPS, batch=ours.batch)
    runs = {
        "plain": lambda watch, every: plain_loop(
            particle_network(model, dim, seed), states, accelerations, plain, watch, every
        ),
        "symlib": lambda watch, every: train(
            model, states, accelerations, ours, seed=seed, progress=False, device="cpu",
            watch=watch, watch_every=every,
        ),
    }  # fmt: skip
    speeds = [{name: _speed(run) for name, run in runs.items()} for _ in range(rounds)]
    bfloat16 = use_bfloat16(ours, torch.device("cpu"))
    contestants = {}
    for name, run in runs.items():
        measured = [speed[name] for speed in speeds]
        contestants[name] = {
            "steps_per_second": round(float(np.median(measured)), 1),
            "rounds": [round(value, 1) for value in measured],
            "precision": "bfloat16" if name == "symlib" and bfloat16 else "float32",
            **_race(
                name,
                run,
                limit,
                lambda one: record_messages(one, law, data.test.states[:1000]),
            ),
        }
    first, second = contestants["plain"], contestants["symlib"]
    ratio = None
    if second["seconds_to_goal"]:
        ratio = round(first["seconds_run"] / second["seconds_to_goal"], 1)
    return results.plain(
        {
            "kind": "bench training",
            "law": law.name,
            "dim": dim,
            "model": model,
            "batch": ours.batch,
            "goal": GOAL,
            "contestants": contestants,
            "speed_ratio": round(second["steps_per_second"] / first["steps_per_second"], 2),
            "time_to_goal_ratio": ratio,
            "plain_reached_goal": first["seconds_to_goal"] is not None,
            "provenance": results.provenance(time.perf_counter() - began),
        }
    )


def _speed(run: Callable, steps: int = 600, skip: int = 200) -> float:
    """Steps a second between step `skip`, when all is compiled, and step `steps`."""
    times = []

    def watch(step, network):
        times.append(time.perf_counter())
        return step >= steps

    run(watch, skip)
    return (steps - skip) / (times[-1] - times[0])


def _race(name: str, run: Callable, limit: float, listen: Callable) -> dict:
    """Train until R² is good or time is up; the time spent on looking at messages is no part."""
    trace, away = [], 0.0

    def watch(step, network):
        nonlocal away
        now = time.perf_counter()
        seconds = now - began - away
        r2 = max(fit["kept90"] for fit in listen(network).r2().values())
        trace.append((step, round(seconds, 2), round(r2, 5)))
        print(f"{name}: step {step}, {seconds:.0f} s, R² {r2:.4f}", file=sys.stderr)
        away += time.perf_counter() - now
        return r2 >= GOAL or seconds > limit

    # The speed rounds have compiled the loss already; a newcomer's machine has not.
    torch.compiler.reset()
    with fresh_cache():
        began = time.perf_counter()
        run(watch, LOOK_EVERY[name])
    step, seconds, r2 = trace[-1]
    reached = r2 >= GOAL
    return {
        "steps_to_goal": step if reached else None,
        "seconds_to_goal": seconds if reached else None,
        "seconds_run": seconds,
        "trace": trace,
    }


def table(record: dict) -> str:
    """The record as a Markdown table with its provenance."""
    rows = []
    for name, row in record["contestants"].items():
        reached = row["seconds_to_goal"]
        soon = f"{reached:.0f} s" if reached else f"not within {row['seconds_run']:.0f} s"
        rows.append([NAMES[name], f"{row['steps_per_second']:.0f}", row["precision"], soon])
    machine, sooner = record["provenance"]["hardware"], ""
    if record["time_to_goal_ratio"]:
        least = "" if record["plain_reached_goal"] else "at least "
        sooner = f", {least}{record['time_to_goal_ratio']:.0f} times sooner"
    goal = f"time to R² ≥ {record['goal']}"
    return (
        f"{markdown.table(['loop', 'steps per second', 'precision', goal], rows)}\n\n"
        f"*{record['law']}-{record['dim']} {record['model']}, batch {record['batch']}, measured in "
        f"one run on {machine['cores']} cores ({machine['processor']}): "
        f"{record['speed_ratio']:.1f} times the steps{sooner}.*"
    )
