"""The whole road in one call: simulate, train, look at the messages, regress, judge.

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

import numpy as np
from filelock import FileLock

from symlib import symbolic
from symlib.choices import DIMENSIONS, FLATHGN, MODELS, at_least, known
from symlib.files import ROOT
from symlib.laws.potentials import PairPotential, get_law
from symlib.messages import recording as messages_module
from symlib.messages.energy_reading import EnergyReading, energy_facts, read_energies
from symlib.messages.recording import Messages, prediction_losses
from symlib.records import record as results
from symlib.records.stages import version
from symlib.records.study import hash_of
from symlib.simulation.nbody import Trajectories, simulate
from symlib.training.loop import Run
from symlib.training.presets import Preset, get_preset
from symlib.training.train import train


@dataclass(frozen=True)
class Snapshots:
    """Training and test snapshots of one law; the test ones are of other simulations.

    *_states: shape [snapshots, bodies, 2 dim + 2]; *_accelerations: [snapshots, bodies, dim];
    float32, dimensionless. share_failed: the share of simulations that the integrator could
    not finish and that are left out.
    """

    trajectories: Trajectories
    train_states: np.ndarray
    train_accelerations: np.ndarray
    test_states: np.ndarray
    test_accelerations: np.ndarray
    share_failed: float


@dataclass(frozen=True)
class Discovery:
    """Everything that one walk down the road produced; `record` is its JSON.

    A FlatHGN has energies in place of messages: `messages` is then None, `energies` holds both
    equations, and `regression` and `verdict` are the pair energy's.
    """

    law: PairPotential
    snapshots: Snapshots
    run: Run
    messages: Messages | None
    regression: "symbolic.Regression"
    verdict: "symbolic.Verdict"
    record: dict
    energies: EnergyReading | None = None


def default_cache() -> Path:
    """_build/cache in a checkout, else the user's cache folder."""
    if (ROOT / "_toc.yml").is_file():
        return ROOT / "_build" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "symlib"


def check(law, dim: int, model: str, preset, seed: int, bodies: int = 4, engine: str = "auto"):
    """Refuse what cannot work before any long work begins.

    Returns:
        The law and the preset as objects.

    Raises:
        InputError: an unknown law, model, preset or engine (the message lists the choices), a
            dimension other than 2 or 3, fewer than two bodies, or a negative seed.
        MissingEngine: PySR was asked for and there is no Julia.
    """
    known("dim", dim, DIMENSIONS)
    known("model", model, MODELS)
    at_least("bodies", bodies, 2)
    at_least("seed", seed, 0)
    law, preset = get_law(law), get_preset(preset)
    symbolic.choose_engine(engine, say=False)
    return law, preset


def prepare(
    law: PairPotential,
    dim: int,
    preset: Preset,
    seed: int,
    *,
    bodies: int = 4,
    cache: Path | None = None,
    progress: bool = True,
) -> Snapshots:
    """Simulate a law and draw training and test snapshots (appendix B)."""
    path, alone = None, contextlib.nullcontext()
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
    train_states, train_accelerations = training.snapshots(count, seed=seed)
    test_states, test_accelerations = held_out.snapshots(test_count, seed=seed + 1)
    return Snapshots(
        trajectories,
        train_states,
        train_accelerations,
        test_states,
        test_accelerations,
        trajectories.share_failed,
    )


def fit_network(
    law: PairPotential,
    model: str,
    snapshots: Snapshots,
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
        dim = snapshots.train_accelerations.shape[2]
        facts = [law.fingerprint(), dim, model, preset.recipe_for(model).inputs(), seed]
        facts.append(float(np.abs(snapshots.train_states, dtype=np.float64).sum()))
        key = hash_of([*facts, version("simulate"), version("train")])
        path = Path(cache) / f"{_file_name(law)}-{dim}-{model}-{key}.safetensors"
    return train(
        model,
        snapshots.train_states,
        snapshots.train_accelerations,
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
    engine: str = "auto",
    bodies: int = 4,
    cache: Path | None = None,
    progress: bool = True,
) -> Discovery:
    """From a law to an equation and a verdict.

    Args:
        law: a built-in name, "path/to/file.py:NAME", or a `PairPotential`.
        dim: 2 or 3.
        model: standard, bottleneck, l1, kl or flathgn.
        preset: ci, laptop or paper.
        seed: decides simulations, network, batches and the symbolic search.
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
    law, preset = check(law, dim, model, preset, seed, bodies, engine)
    cache = None if cache is None else Path(cache)
    marks, last = {}, time.perf_counter()

    def mark(stage: str):
        nonlocal last
        now = time.perf_counter()
        marks[stage], last = round(now - last, 2), now

    snapshots = prepare(law, dim, preset, seed, bodies=bodies, cache=cache, progress=progress)
    mark("simulation")
    run = fit_network(law, model, snapshots, preset, seed, cache=cache, progress=progress)
    mark("training")
    # What came from a cache took the time that it took then.
    marks["simulation"] = getattr(snapshots.trajectories, "seconds", None)
    marks["training"] = round(run.seconds, 2)
    losses = prediction_losses(run.network, snapshots.test_states, snapshots.test_accelerations)
    search = {"engine": engine, "seed": seed, "budget": preset.budget, "progress": progress}
    if model == FLATHGN:
        reading = read_energies(
            run.network, law, snapshots.train_states, snapshots.test_states, **search
        )
        recorded, regression, verdict = None, reading.pair, reading.pair_verdict
        facts = energy_facts(run.network, reading, snapshots.test_states)
    else:
        reading = None
        recorded = messages_module.record(run.network, law, snapshots.test_states)
        mark("messages")
        regression = messages_module.regress_message(run.network, snapshots.train_states, **search)
        verdict = symbolic.recovered(regression, law, dim)
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
        "preset": preset.name,
        "seed": seed,
        "engine": regression.engine,
        "recipe": run.recipe.to_dict(),
        "steps": run.steps,
        "seconds": round(seconds, 1),
        "stages": marks,
        "network_from_cache": run.resumed_at == run.steps,
        "systems": preset.systems,
        "share_failed": snapshots.share_failed,
        **losses,
        **facts,
        "provenance": results.provenance(seconds),
    }
    return Discovery(
        law, snapshots, run, recorded, regression, verdict, results.plain(record), reading
    )


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
    """A discovery's record in a few lines: equation, R², losses, verdict."""
    r2, verdict = record["r2"], record["verdict"]
    if record["model"] == FLATHGN:
        return _energy_summary(record)
    rows = [
        f"{record['law']}, {record['dim']}D, {record['model']}, preset {record['preset']}, "
        f"seed {record['seed']}: {record['steps']} steps, {record['seconds']:.0f} s",
        f"  loss        {record['test_loss']:.4g} (trivial predictor {record['trivial_loss']:.4g})",
        "  R²          force {all:.3f} (all) {kept90:.4f} (kept 90%)".format(**r2["force"]),
        "              acceleration {all:.3f} (all) {kept90:.4f} (kept 90%)".format(
            **r2["acceleration"]
        ),
        f"  equation    {record['equation']}",
        f"              complexity {record['complexity']}, MAE {record['mae']:.3g}, "
        f"engine {record['engine']}",
        f"  verdict     {'recovered' if record['recovered'] else 'not recovered'}: "
        f"{verdict['reason']}",
    ]
    return "\n".join(rows)


def _energy_summary(record: dict) -> str:
    r2 = record["r2"]
    rows = [
        f"{record['law']}, {record['dim']}D, flathgn, preset {record['preset']}, "
        f"seed {record['seed']}: {record['steps']} steps, {record['seconds']:.0f} s",
        f"  loss         {record['test_loss']:.4g} (trivial predictor "
        f"{record['trivial_loss']:.4g}), of velocities {record['velocity_loss']:.3g}",
        "  R²           force {all:.3f} (all) {kept90:.4f} (kept 90%)".format(**r2["force"]),
        "               velocity {all:.3f} (all) {kept90:.4f} (kept 90%)".format(**r2["velocity"]),
    ]
    for title, prefix in (("pair energy", ""), ("self energy", "self_")):
        yes = record[f"{prefix or 'pair_'}recovered"]
        reason = record[f"{prefix}verdict"]["reason"]
        rows += [
            f"  {title}  {record[f'{prefix}equation']}",
            f"               complexity {record[f'{prefix}complexity']}, "
            f"MAE {record[f'{prefix}mae']:.3g}, engine {record['engine']}",
            f"               {'recovered' if yes else 'not recovered'}: {reason}",
        ]
    return "\n".join(rows)


def _file_name(law: PairPotential) -> str:
    """A law's name as part of a file's; a user may have called it anything."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", law.name)
