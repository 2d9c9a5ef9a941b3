"""The three recipes side by side, in one run (`symlib bench training`).

`reference` is what a reader of the paper would write: torch_geometric graphs in a DataLoader, the
paper's training, eager float32. `plain` and `fast` are symlib's loop. All train the same network
on the same snapshots with the same batch; timings on shared machines wander, so they take turns,
and only their ratios are meant to be quoted.
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
from symlib.laws.snapshots import Snapshots
from symlib.messages.recording import prediction_losses, record_messages
from symlib.networks.graph_network import (
    WEIGHT_PENALTY,
    particle_network,
    prediction_loss,
    weight_penalty,
)
from symlib.networks.graphs import complete_graph
from symlib.records import record as results
from symlib.training.presets import get_preset
from symlib.training.recipes import get_recipe, optimiser, use_bfloat16
from symlib.training.train import train

GOAL = 0.99  # kept-90% R² of the better of force and acceleration
REFERENCE_STEPS = 30_000  # of its one-cycle schedule
LOOK_EVERY = {"reference": 500, "plain": 200, "fast": 200}
NAMES = {
    "reference": "`reference`, a loop in PyG",
    "plain": "`plain`, symlib",
    "fast": "`fast`, symlib, with priors",
}


def plain_loop(network, states, accelerations, recipe, watch, watch_every: int) -> None:
    """The reference recipe as a torch_geometric loop.

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
    """Steps a second, time to a good R², and the loss at the end (see the module's head).

    Args:
        law, model, dim: what is learned.
        limit: seconds after which a contestant is stopped.
        rounds: how often they alternate for the speed measurement.

    Returns:
        A record: per contestant steps_per_second (median of the rounds), seconds_to_goal (None
        where the goal was not reached), seconds_run, steps_run, test_loss at the end, and the
        trace of (step, seconds, R²); and speed_ratio and time_to_goal_ratio to the reference.
        Compilation, from scratch, counts in seconds and not in steps_per_second.
    """
    seed = 0
    law, preset = check(law, dim, model, "ci", seed)
    if not limit > 0 or rounds < 1:
        raise InputError("bench training: limit and rounds must be positive")
    began = time.perf_counter()
    data = prepare(law, dim, preset, seed)
    states, accelerations = data.train.states, data.train.accelerations
    recipes = {name: get_preset("ci", name).recipe_for(model) for name in ("plain", "fast")}
    recipes["reference"] = get_recipe("reference", steps=REFERENCE_STEPS)

    def paper(watch, every):
        network = particle_network(model, dim, seed)
        plain_loop(network, states, accelerations, recipes["reference"], watch, every)

    def ours(name):
        return lambda watch, every: train(
            model, states, accelerations, recipes[name], seed=seed, progress=False, device="cpu",
            watch=watch, watch_every=every,
        )  # fmt: skip

    runs = {"reference": paper, "plain": ours("plain"), "fast": ours("fast")}
    speeds = [{name: _speed(run) for name, run in runs.items()} for _ in range(rounds)]
    contestants = {}
    for name, run in runs.items():
        measured = [speed[name] for speed in speeds]
        bfloat16 = use_bfloat16(recipes[name], torch.device("cpu"))
        contestants[name] = {
            "steps_per_second": round(float(np.median(measured)), 1),
            "rounds": [round(value, 1) for value in measured],
            "precision": "bfloat16" if bfloat16 else "float32",
            **_race(name, run, limit, law, data.test),
        }
    first = contestants["reference"]
    for row in contestants.values():
        soon, late = row["seconds_to_goal"], first["seconds_to_goal"] or first["seconds_run"]
        row["speed_ratio"] = round(row["steps_per_second"] / first["steps_per_second"], 2)
        row["time_to_goal_ratio"] = round(late / soon, 1) if soon else None
    return results.plain(
        {
            "kind": "bench training",
            "law": law.name,
            "dim": dim,
            "model": model,
            "batch": recipes["fast"].batch,
            "goal": GOAL,
            "contestants": contestants,
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


def _race(name: str, run: Callable, limit: float, law, test: Snapshots) -> dict:
    """Train to the end or until time is up; the time spent on looking is no part of it."""
    trace, away, last = [], 0.0, {}

    def watch(step, network):
        nonlocal away
        now = time.perf_counter()
        seconds = now - began - away
        heard = record_messages(network, law, test.states[:1000])
        r2 = max(fit["kept90"] for fit in heard.r2().values())
        trace.append((step, round(seconds, 2), round(r2, 5)))
        last.update(prediction_losses(network, test.states, test.accelerations))
        print(f"{name}: step {step}, {seconds:.0f} s, R² {r2:.4f}", file=sys.stderr)
        away += time.perf_counter() - now
        return seconds > limit

    # The speed rounds have compiled the loss already; a newcomer's machine has not.
    torch.compiler.reset()
    with fresh_cache():
        began = time.perf_counter()
        run(watch, LOOK_EVERY[name])
    step, seconds, r2 = trace[-1]
    reached = next((one for one in trace if one[2] >= GOAL), (None, None, None))
    return {
        "steps_to_goal": reached[0],
        "seconds_to_goal": reached[1],
        "steps_run": step,
        "seconds_run": seconds,
        "r2": r2,
        **last,
        "trace": trace,
    }


def table(record: dict) -> str:
    """The record as a Markdown table with its provenance."""
    rows = []
    for name, row in record["contestants"].items():
        reached, ratio = row["seconds_to_goal"], row["time_to_goal_ratio"]
        soon = f"{reached:.0f} s" if reached else f"not within {row['seconds_run']:.0f} s"
        if ratio and name != "reference":
            least = "" if record["contestants"]["reference"]["seconds_to_goal"] else "at least "
            soon += f" ({least}{ratio:.0f} times sooner)"
        speed = f"{row['steps_per_second']:.0f} ({row['speed_ratio']:.1f})"
        end = f"{markdown.digits(row['test_loss'], 3)} after {row['steps_run']:,}"
        rows.append([NAMES[name], speed, row["precision"], soon, end])
    machine, goal = record["provenance"]["hardware"], f"time to R² ≥ {record['goal']}"
    heads = ["recipe", "steps per second (ratio)", "precision", goal, "test loss after steps"]
    return (
        f"{markdown.table(heads, rows)}\n\n"
        f"*{record['law']}-{record['dim']} {record['model']}, batch {record['batch']}, measured in "
        f"one run on {machine['cores']} cores ({machine['processor']}).*"
    )
