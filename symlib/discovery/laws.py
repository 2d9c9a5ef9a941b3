"""The road, step by step and in one call: train, listen, regress, judge; discover.

`discover` is what `symlib discover` runs and what a cell of the paper's tables is: one law,
one dimension, one model, one seed. Finished simulations and checkpoints are kept in a cache
under a name made from everything that went into them, so an interrupted call goes on where
it stopped, and a changed input, or a stage of another version, is never mistaken for an old one.
"""

import contextlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from symlib import symbolic
from symlib.choices import DIMENSIONS, FLATHGN, MODELS, at_least, known
from symlib.files import ROOT
from symlib.laws.potentials import PairPotential, get_law
from symlib.laws.snapshots import Snapshots
from symlib.messages.energies import Energies, record_energies
from symlib.messages.energy_reading import EnergyReading, energy_facts, read_energies
from symlib.messages.recording import (
    Messages,
    prediction_losses,
    record_messages,
    regress_message,
)
from symlib.messages.recording import regress as regress_heard
from symlib.records.record import plain, provenance, write_record
from symlib.records.stages import version
from symlib.records.study import hash_of
from symlib.simulation.nbody import Trajectories, simulate
from symlib.symbolic.search.budget import Budget, get_budget
from symlib.tracks.recordings import Tracks
from symlib.tracks.smoothing import smoothed
from symlib.training.loop import Run
from symlib.training.presets import Preset, get_preset
from symlib.training.train import train as train_network

SNAPSHOTS = 5000  # that `listen` hears, where there are more


@dataclass(frozen=True)
class Data:
    """Training and test snapshots of one law; the test ones are of other simulations."""

    trajectories: Trajectories
    train: Snapshots
    test: Snapshots


@dataclass(frozen=True)
class Discovery:
    """Everything that one walk down the road produced; `record` is its JSON.

    A FlatHGN has energies in place of messages: `messages` is then None, `energies` holds both
    equations, and `regression` and `verdict` are the pair energy's.
    """

    law: PairPotential
    data: Data
    run: Run
    messages: Messages | None
    regression: "symbolic.Regression"
    verdict: "symbolic.Verdict"
    record: dict
    energies: EnergyReading | None = None

    def save(self, path: str | Path) -> None:
        """Write the record as JSON, whole or not at all."""
        write_record(path, self.record)

    def __str__(self) -> str:
        return summary(self.record)


def train(
    data,
    model: str = "bottleneck",
    preset: "str | Preset" = "ci",
    seed: int = 0,
    recipe: str | None = None,
    **options,
) -> Run:
    """Train a network on simulations, or on tracks.

    Args:
        data: from `simulate` or `read`, or `Snapshots`; of many snapshots as many as the preset
            has are drawn.
        model: standard, bottleneck, l1, kl, pruned or flathgn.
        preset: smoke, ci, laptop or paper: how many snapshots and steps.
        seed: decides the draw, the weights and the batches.
        recipe: reference, plain or fast (`symlib.training.recipes`); the preset's own if None.
        **options: checkpoint, progress, device and what else `symlib.training.train` takes.

    Raises:
        InputError: an unknown model, preset or recipe, or data that cannot be trained on.
        NonFiniteLoss: the loss became NaN or infinite.
    """
    known("model", model, MODELS)
    preset = get_preset(preset, recipe)
    drawn = _drawn(data, preset.snapshots, seed)
    return train_network(model, *drawn, preset.recipe_for(model), seed=seed, **options)


def listen(run: Run, data, seed: int = 0) -> "Messages | Energies":
    """What a trained network says on data that it was not trained on.

    Args:
        run: from `train`.
        data: as for `train`; of many snapshots 5,000 are drawn. Of simulations the law is known,
            and with it the true forces.
        seed: of the draw.

    Returns:
        The messages on every edge, most significant component first; of a FlatHGN its energies.

    Raises:
        InputError: data of another dimension than the network's.
    """
    states, law = _drawn(data, SNAPSHOTS, seed).states, getattr(data, "law", None)
    if run.network.rule.name == FLATHGN:
        return record_energies(run.network, law, states)
    return record_messages(run.network, law, states)


def regress(heard: "Messages | Energies", component: int = 0, **search) -> "symbolic.Regression":
    """An equation for what was heard (appendix C).

    Args:
        heard: from `listen`; of energies it is the pair energy's equation.
        component: of messages, the most significant first.
        **search: engine (auto, operon or pysr), seed, budget (ci, laptop, paper, or numbers) and
            progress of `symlib.symbolic.regress`.
    """
    if isinstance(heard, Energies):
        return symbolic.regress(heard.pair_inputs, heard.pair, heard.pair_names, **search)
    return regress_heard(heard, component, **search)


def judge(found, law: "str | PairPotential", of: str = "force") -> "symbolic.Verdict":
    """Whether an equation is the law.

    Args:
        found: from `regress`, or an equation as text.
        law: a built-in name, "path/to/file.py:NAME", or a `PairPotential`.
        of: what the equation is of: force (a message), pair energy, or body, a component of the
            acceleration by the external field and the drag (`symlib.symbolic.recovered_body`).

    Returns:
        The verdict, true in a condition if it is; `reason` says why, and of a law with an external
        field or a drag that only its pair part was judged.

    Raises:
        InputError: an equation that cannot be read, or an unknown law.
    """
    judges = {
        "force": symbolic.recovered,
        "pair energy": symbolic.recovered_pair_energy,
        "body": symbolic.recovered_body,
    }
    known("of", of, judges)
    third = "z" if of == "body" else "dz"
    dim = 3 if third in getattr(found, "names", ()) or third in str(found) else 2
    return judges[of](found, get_law(law), dim)


def _drawn(data, count: int, seed: int) -> Snapshots:
    """Snapshots of what `simulate` or `read` gave, at most so many; given ones as they are."""
    if isinstance(data, Snapshots):
        return data
    if isinstance(data, Tracks):
        data = smoothed(data)
    return data.snapshots(min(count, data.count), seed=seed)


def search_of(preset: Preset) -> Budget:
    """A preset's symbolic search: with its aids for `fast`, else as appendix C describes it."""
    budget = get_budget(preset.budget)
    return budget if preset.recipe == "fast" else budget.without_aids()


def default_cache() -> Path:
    """_build/cache in a checkout, else the user's cache folder."""
    if (ROOT / "_toc.yml").is_file():
        return ROOT / "_build" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "symlib"


def check(
    law: "str | PairPotential",
    dim: int,
    model: str,
    preset: "str | Preset",
    seed: int,
    bodies: int = 4,
    engine: str = "auto",
    recipe: str | None = None,
) -> tuple[PairPotential, Preset]:
    """Refuse what cannot work before any long work begins.

    Returns:
        The law and the preset as objects.

    Raises:
        InputError: an unknown law, model, preset, recipe or engine (the message lists the
            choices), a dimension other than 2 or 3, fewer than two bodies, or a negative seed.
        MissingEngine: PySR was asked for and there is no Julia.
    """
    known("dim", dim, DIMENSIONS)
    known("model", model, MODELS)
    at_least("bodies", bodies, 2)
    at_least("seed", seed, 0)
    symbolic.choose_engine(engine, say=False)
    return get_law(law), get_preset(preset, recipe)


def prepare(
    law: PairPotential,
    dim: int,
    preset: Preset,
    seed: int,
    *,
    bodies: int = 4,
    cache: Path | None = None,
    progress: bool = True,
) -> Data:
    """Simulate a law and draw training and test snapshots (appendix B)."""
    path = None
    alone: contextlib.AbstractContextManager = contextlib.nullcontext()
    if cache is not None:
        facts = [law.fingerprint(), dim, bodies, preset.systems, preset.steps, seed]
        key = hash_of([*facts, version("simulate")])
        path = Path(cache) / f"{_file_name(law)}-{dim}-{key}.traj"
        path.parent.mkdir(parents=True, exist_ok=True)
        # One process at a time simulates a law; the others wait and read its files.
        alone = FileLock(path.with_suffix(".lock"))
    with alone:
        trajectories = simulate(
            law, dim, bodies, preset.systems, preset.steps, seed, path=path, progress=progress
        )
    training, held_out = trajectories.split(test_fraction=0.1)
    # Systems that the integrator gave up leave fewer snapshots than the preset asks for.
    count, test_count = (
        min(wanted, len(part) * part.steps)
        for wanted, part in ((preset.snapshots, training), (preset.test_snapshots, held_out))
    )
    test = held_out.snapshots(test_count, seed=seed + 1)
    return Data(trajectories, training.snapshots(count, seed=seed), test)


def fit_network(
    law: PairPotential,
    model: str,
    data: Data,
    preset: Preset,
    seed: int,
    *,
    cache: Path | None = None,
    progress: bool = True,
    **options,
) -> Run:
    """Train one model on prepared snapshots; `options` go to `symlib.training.train.train`."""
    path = None
    if cache is not None:
        dim = data.train.accelerations.shape[2]
        facts = [law.fingerprint(), dim, model, preset.recipe_for(model).inputs(), seed]
        facts.append(float(np.abs(data.train.states, dtype=np.float64).sum()))
        key = hash_of([*facts, version("simulate"), version("train")])
        path = Path(cache) / f"{_file_name(law)}-{dim}-{model}-{key}.safetensors"
    return train_network(
        model,
        *data.train,
        preset.recipe_for(model),
        seed=seed,
        checkpoint=path,
        progress=progress,
        **options,
    )


def discover(
    law: "str | PairPotential",
    dim: int = 2,
    model: str = "bottleneck",
    preset: "str | Preset" = "ci",
    seed: int = 0,
    *,
    recipe: str | None = None,
    engine: str = "auto",
    bodies: int = 4,
    cache: Path | None = None,
    progress: bool = True,
) -> Discovery:
    """From a law to an equation and a verdict.

    Args:
        law: a built-in name, "path/to/file.py:NAME", or a `PairPotential`.
        dim: 2 or 3.
        model: standard, bottleneck, l1, kl, pruned or flathgn.
        preset: ci, laptop or paper.
        seed: decides simulations, network, batches and the symbolic search.
        recipe: reference, plain or fast; the preset's own if None.
        engine: auto, operon or pysr.
        bodies: bodies per system.
        cache: folder for simulations and checkpoints, so that an interrupted call can be
            repeated and goes on; None keeps everything in memory.
        progress: show what is going on, with time left.

    Raises:
        InputError, MissingEngine: see `check`.
        NonFiniteLoss: training broke down; the last good checkpoint is in the cache.
    """
    named = law if isinstance(law, str) else law.name
    truth, sizes = check(law, dim, model, preset, seed, bodies, engine, recipe)
    cache = None if cache is None else Path(cache)
    marks, last = {}, time.perf_counter()

    def mark(stage: str):
        nonlocal last
        now = time.perf_counter()
        marks[stage], last = round(now - last, 2), now

    data = prepare(truth, dim, sizes, seed, bodies=bodies, cache=cache, progress=progress)
    mark("simulation")
    run = fit_network(truth, model, data, sizes, seed, cache=cache, progress=progress)
    mark("training")
    # What came from a cache took the time that it took then.
    marks["simulation"] = data.trajectories.seconds
    marks["training"] = round(run.seconds, 2)
    losses = prediction_losses(run.network, *data.test)
    search: dict[str, Any] = {"engine": engine, "seed": seed, "budget": search_of(sizes)}
    search["progress"] = progress
    if model == FLATHGN:
        reading = read_energies(run.network, truth, data.train.states, data.test.states, **search)
        recorded, regression, verdict = None, reading.pair, reading.pair_verdict
        facts = energy_facts(run.network, reading, data.test.states)
    else:
        reading = None
        recorded = record_messages(run.network, truth, data.test.states)
        mark("messages")
        regression = regress_message(run.network, data.train.states, **search)
        verdict = symbolic.recovered(regression, truth, dim)
        facts = {
            "r2": recorded.r2(),
            "spectrum": recorded.spread[:15],
            **regression.facts(verdict),
        }
    mark("regression")
    seconds = sum(spent for spent in marks.values() if spent is not None)
    record = {
        "kind": "discovery",
        "law": named,
        "dim": dim,
        "bodies": bodies,
        "model": model,
        "preset": sizes.name,
        "seed": seed,
        "engine": regression.engine,
        "recipe": sizes.recipe,
        "training": run.recipe.to_dict(),
        "steps": run.steps,
        "seconds": round(seconds, 1),
        "stages": marks,
        "network_from_cache": run.resumed_at == run.steps,
        "systems": sizes.systems,
        "share_failed": data.trajectories.share_failed,
        **losses,
        **facts,
        "provenance": provenance(seconds),
    }
    return Discovery(truth, data, run, recorded, regression, verdict, plain(record), reading)


def judge_again(record: dict) -> dict:
    """Today's verdict on the equations of a discovery's record, as the record holds it."""
    law, dim = get_law(record["law"]), record["dim"]
    if record["model"] != FLATHGN:
        verdict = symbolic.recovered(record["equation"], law, dim)
        return {"recovered": bool(verdict), "verdict": verdict.to_dict()}
    pair = symbolic.recovered_pair_energy(record["equation"], law, dim)
    own = symbolic.recovered_self_energy(record["self_equation"], dim)
    return {
        "recovered": bool(pair) and bool(own),
        "pair_recovered": bool(pair),
        "self_recovered": bool(own),
        "verdict": pair.to_dict(),
        "self_verdict": own.to_dict(),
    }


def summary(record: dict) -> str:
    """A discovery's record in a few lines: losses, R², equations, verdicts."""
    losses = f"{record['test_loss']:.4g} (trivial predictor {record['trivial_loss']:.4g})"
    found = [("equation", "", record["recovered"])]
    if record["model"] == FLATHGN:
        losses += f", of velocities {record['velocity_loss']:.3g}"
        # The pair energy stands in a record where a message does.
        found = [("pair energy", "", record["pair_recovered"])]
        found += [("self energy", "self_", record["self_recovered"])]
    rows = [
        f"{record['law']}, {record['dim']}D, {record['model']}, preset {record['preset']}, "
        f"recipe {record['recipe']}, seed {record['seed']}: {record['steps']} steps, "
        f"{record['seconds']:.0f} s",
        f"  loss         {losses}",
    ]
    for quantity, r2 in record["r2"].items():
        rows.append(
            f"  R²           {quantity} {r2['all']:.3f} (all) {r2['kept90']:.4f} (kept 90%)"
        )
    for title, prefix, yes in found:
        rows += [
            f"  {title:<12} {record[f'{prefix}equation']}",
            f"               complexity {record[f'{prefix}complexity']}, "
            f"MAE {record[f'{prefix}mae']:.3g}, engine {record['engine']}",
            f"  verdict      {'recovered' if yes else 'not recovered'}: "
            f"{record[f'{prefix}verdict']['reason']}",
        ]
    return "\n".join(rows)


def _file_name(law: PairPotential) -> str:
    """A law's name as part of a file's; a user may have called it anything."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", law.name)
