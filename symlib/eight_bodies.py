"""Figure 5: the spring with eight bodies, learned by each of the message models.

The same road as a cell of the tables up to the messages, with eight bodies in place of four.
A record holds R², the spectrum of the messages, and a few hundred messages of held-out
snapshots beside the true pair's force or acceleration, so that a page can draw the figure
without a network.
"""

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from symlib import cells, experiments, messages, results
from symlib.errors import InputError, NonFiniteLoss, UnknownChoice
from symlib.paper import MESSAGE_MODELS
from symlib.potentials import get_law

KIND = "eight bodies"
LAW, DIM, BODIES = "spring", 2, 8
SAMPLE = 400
SPECTRUM = 15


@dataclass(frozen=True)
class EightBodies:
    """One panel row of figure 5: a message model at one preset and seed."""

    model: str
    preset: str = "laptop"
    seed: int = 0

    def path(self, folder: str | Path) -> Path:
        """Where its record lies below `folder`."""
        name = f"{LAW}-{DIM}-{self.model}-{self.preset}-{self.seed}.json"
        return Path(folder) / "eight_bodies" / name

    def facts(self) -> dict:
        """Hashes of all that goes in and of the code, as in `symlib.cells`."""
        preset = cells.grid_preset(self.preset)
        facts = [
            KIND,
            get_law(LAW).fingerprint(),
            [DIM, BODIES, self.model, self.seed, SAMPLE],
            [preset.systems, preset.steps, preset.snapshots, preset.test_snapshots],
            preset.recipe_for(self.model).to_dict(),
        ]
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        cell = cells.Cell(LAW, DIM, self.model, self.seed, self.preset)
        return {"key": key, "code": cell.code()}

    def command(self) -> str:
        """What runs it anew in a checkout."""
        return f"symlib eight --model {self.model} --preset {self.preset} --seed {self.seed}"


def is_done(run: EightBodies, folder: str | Path, *, retry: bool = False) -> bool:
    """Whether a run is on record as it would be made now; with retry, not if it failed."""
    try:
        record = results.read_record(run.path(folder))
    except InputError:
        return False
    if record.get("kind") != KIND or (retry and "failed" in record):
        return False
    return all(record.get(name) == value for name, value in run.facts().items())


def run_eight(
    models=MESSAGE_MODELS,
    preset: str = "laptop",
    seed: int = 0,
    *,
    folder: str | Path,
    cache: Path | None = None,
    retry: bool = False,
    progress: bool = True,
) -> list[tuple[dict, bool]]:
    """Train the models on eight bodies, unless they are on record.

    Args:
        models: of standard, bottleneck, l1 and kl.
        preset: smoke, ci, laptop or paper.
        seed: of simulations, networks and batches.
        folder: records go to eight_bodies/ in it, each as soon as its model is done.
        cache: folder for the simulations, which the models share, and checkpoints.
        retry: run a model again that broke down.
        progress: show what is going on.

    Returns:
        For each model its record and whether it was made just now.

    Raises:
        InputError: an unknown model or preset, or a negative seed, before any work.
    """
    for model in models:
        if model not in MESSAGE_MODELS:
            raise UnknownChoice("model", model, MESSAGE_MODELS)
        law, sizes = experiments.check(
            LAW, DIM, model, cells.grid_preset(preset), seed, BODIES, "auto"
        )
    done, data = [], None
    for model in models:
        run = EightBodies(model, preset, seed)
        if is_done(run, folder, retry=retry):
            done.append((results.read_record(run.path(folder)), False))
            continue
        if data is None:
            data = experiments.prepare(
                law, DIM, sizes, seed, bodies=BODIES, cache=cache, progress=progress
            )
        record = _one(run, law, data, sizes, cache, progress)
        results.write_record(run.path(folder), record)
        done.append((record, True))
    return done


def _one(run: EightBodies, law, data, preset, cache, progress) -> dict:
    began, facts = time.perf_counter(), run.facts()
    about = {"kind": KIND, "law": LAW, "dim": DIM, "bodies": BODIES, **asdict(run)}
    try:
        trained = experiments.fit_network(
            law, run.model, data, preset, run.seed, cache=cache, progress=progress
        )
    except NonFiniteLoss as error:
        # The folders of the machine it went wrong on are of no use to the reader.
        reason = str(error).replace(str(cache), "…") if cache else str(error)
        measured = {"failed": f"NonFiniteLoss: {reason}"}
    else:
        heard = messages.record(trained.network, law, data.test_states)
        measured = {
            "recipe": trained.recipe.to_dict(),
            "steps": trained.steps,
            "training_seconds": round(trained.seconds, 1),
            "systems": preset.systems,
            "share_failed": data.share_failed,
            **messages.prediction_losses(
                trained.network, data.test_states, data.test_accelerations
            ),
            **what_they_say(heard, run.seed),
        }
    seconds = time.perf_counter() - began
    record = {**about, **measured, "seconds": round(seconds, 1), **facts}
    record["provenance"] = results.provenance(seconds, run.command())
    return results.plain(record)


def what_they_say(heard: messages.Messages, seed: int = 0) -> dict:
    """What a record holds of the messages: R², spectrum, and a sample to draw.

    Args:
        heard: messages on held-out snapshots.
        seed: of the sample.

    Returns:
        r2; quantity, force or acceleration, whichever fits better over the kept 90%;
        coefficients of the best linear combination for each of the leading components, the
        constant last; spectrum and importance of the leading components; sample: messages and
        combinations of some edges, component by component. Numbers to four digits.
    """
    r2 = heard.r2()
    quantity = max(r2, key=lambda name: r2[name]["kept90"])
    fit = messages.linear_fit(heard.top, getattr(heard, quantity))
    rows = np.random.default_rng(seed).permutation(len(heard.top))[:SAMPLE]
    each = []
    for k in range(heard.dim):
        one = messages.linear_fit(heard.top[:, k : k + 1], getattr(heard, quantity))
        each.append(one.r2())
    return {
        "r2": r2,
        "quantity": quantity,
        "components": [
            {
                "r2": r2_of,
                "coefficients": _rounded(fit.coefficients[:, k]),
                "message": _rounded(heard.top[rows, k]),
                "combination": _rounded(fit.predicted[rows, k]),
            }
            for k, r2_of in enumerate(each)
        ],
        "spectrum": _rounded(heard.spread[:SPECTRUM]),
        "importance": _rounded(heard.importance[:SPECTRUM]),
    }


def line(record: dict) -> str:
    """A record in one line."""
    name = f"{LAW}-{DIM}, {BODIES} bodies, {record['model']} seed {record['seed']}"
    name = f"{name}, {record['preset']}"
    if "failed" in record:
        return f"{name}: failed, {record['failed']}"
    fit = record["r2"][record["quantity"]]
    return (
        f"{name}: R² {fit['kept90']:.4f} ({record['quantity']}, kept 90%), loss "
        f"{record['test_loss']:.3g} of trivial {record['trivial_loss']:.3g}, "
        f"{record['seconds']:.0f} s"
    )


def _rounded(values) -> list[float]:
    return [float(f"{value:.4g}") for value in np.ravel(values)]
