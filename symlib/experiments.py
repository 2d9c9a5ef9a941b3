"""The whole road in one call: simulate, train, look at the messages, regress, judge.

`discover` is what `symlib discover` runs and what a cell of the paper's tables is: one law,
one dimension, one model, one seed. Finished simulations and checkpoints are kept in a cache
under a name made from everything that went into them, so an interrupted call goes on where
it stopped, and a changed input is never mistaken for an old one.
"""

import hashlib
import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symlib import messages as messages_module
from symlib import results, symbolic
from symlib.energy_discovery import EnergyReading, energy_facts, read_energies
from symlib.errors import InputError, UnknownChoice
from symlib.messages import Messages, prediction_losses
from symlib.nbody import Trajectories, simulate
from symlib.networks import FLATHGN, MODELS
from symlib.potentials import DIMENSIONS, PairPotential, get_law
from symlib.presets import Preset, get_preset
from symlib.training import train
from symlib.training_loop import Run


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
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "_toc.yml").is_file():
        return checkout / "_build" / "cache"
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
    law, preset = get_law(law), get_preset(preset)
    if dim not in DIMENSIONS:
        raise InputError(f"dim: 2 or 3, got {dim!r}")
    if model not in MODELS:
        raise UnknownChoice("model", model, MODELS)
    if bodies < 2:
        raise InputError(f"bodies: at least 2 are needed, got {bodies!r}")
    if not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed: a whole number, zero or positive, got {seed!r}")
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
    path = None
    if cache is not None:
        facts = [law.fingerprint(), dim, bodies, preset.systems, preset.steps, seed]
        key = _key(facts, "potentials", "nbody", "integrator")
        path = cache / f"{_file_name(law)}-{dim}-{key}.traj"
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
    """Train one model on prepared snapshots; `options` go to `symlib.training.train`."""
    path = None
    if cache is not None:
        dim = snapshots.train_accelerations.shape[2]
        facts = [law.fingerprint(), dim, model, preset.recipe_for(model).to_dict(), seed]
        facts.append(float(np.abs(snapshots.train_states, dtype=np.float64).sum()))
        modules = ("models", "recipes", "sparsity", "training", "training_loop")
        key = _key(facts, *modules, *(("hamiltonian",) if model == FLATHGN else ()))
        path = cache / f"{_file_name(law)}-{dim}-{model}-{key}.safetensors"
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
    began = time.perf_counter()
    marks = {}

    def mark(stage: str):
        marks[stage] = round(time.perf_counter() - began - sum(marks.values()), 2)

    snapshots = prepare(law, dim, preset, seed, bodies=bodies, cache=cache, progress=progress)
    mark("simulation")
    run = fit_network(law, model, snapshots, preset, seed, cache=cache, progress=progress)
    mark("training")
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
    seconds = time.perf_counter() - began
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
        "resumed_at": run.resumed_at,
        "systems": preset.systems,
        "share_failed": snapshots.share_failed,
        **losses,
        **facts,
        "provenance": results.provenance(seconds),
    }
    return Discovery(
        law, snapshots, run, recorded, regression, verdict, results.plain(record), reading
    )


def _file_name(law: PairPotential) -> str:
    """A law's name as part of a file's; a user may have called it anything."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", law.name)


def _key(facts: list, *modules: str) -> str:
    """A short hash of plain values and of the code that turned them into a result."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for module in modules:
        digest.update((Path(__file__).with_name(f"{module}.py")).read_bytes())
    return digest.hexdigest()[:12]
