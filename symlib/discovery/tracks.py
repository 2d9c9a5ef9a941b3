"""From tracks to a law: the road for whoever has data and no law.

Smooth what was seen, bring it to order one, fit curves of the distance without a network, train
the network, read its messages as forces along a line, propose equations from both, fit their
constants to accelerations, and judge every one of them on the tracks' last stretch, which nothing
was fitted to.
"""

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from symlib import symbolic
from symlib.choices import (
    LOSSES,
    SELECTIONS,
    TRACKS_MODELS,
    at_least,
    known,
    positive,
)
from symlib.discovery.account import facts, in_user_units_of, scalars, short, summary
from symlib.discovery.candidates import along_trajectories, chosen, judged, proposals
from symlib.discovery.prepared import hints_of, prepare, read_once, with_found, with_numbers
from symlib.messages.force_law import ForceEquation, Row
from symlib.messages.radial import Radial, hear
from symlib.networks.force_network import force_network
from symlib.records.record import plain, provenance, write_record
from symlib.records.stages import version
from symlib.records.study import hash_of
from symlib.tracks.baseline import Curves, fit_curves
from symlib.tracks.recordings import Tracks
from symlib.tracks.scales import Scales
from symlib.training.forces import train_forces
from symlib.training.loop import Run
from symlib.training.presets import Preset, get_preset
from symlib.training.recipes import Recipe

log = logging.getLogger(__name__)
EDGES = 1000  # of a batch, about
SHARE = 4  # of the steps that the preset gives a network without these priors


@dataclass(frozen=True)
class TracksDiscovery:
    """What one walk found; `record` is its JSON.

    law: the selected equation, in units of order one; scales: what these are in the user's units;
    front: all rows, simplest first; best: which is `law`; radial: what the network says along the
    line; curves: the baseline; run: the network's training.
    """

    tracks: Tracks
    law: ForceEquation
    scales: Scales
    front: tuple[Row, ...]
    best: int
    radial: Radial
    curves: Curves
    run: Run
    record: dict

    def save(self, path: "str | Path") -> None:
        """Write the record as JSON, whole or not at all."""
        write_record(path, self.record)

    def in_user_units(self, index: int | None = None) -> ForceEquation:
        """The selected equation, or that of row `index` of the front, in the user's units."""
        return in_user_units_of(self.law if index is None else self.front[index].law, self.scales)

    def __str__(self) -> str:
        return summary(self.record)


def discover_tracks(
    tracks: Any,
    model: str = "bottleneck",
    preset: "str | Preset" = "ci",
    seed: int = 0,
    *,
    engine: str = "auto",
    one_body: bool = False,
    neighbours: float | None = None,
    select: str = "held-out",
    loss: str = "auto",
    seeds: int = 1,
    window: int | None = None,
    cache: Path | None = None,
    progress: bool = True,
    columns=None,
    fps: float | None = None,
    dt: float | None = None,
    masses=None,
    charges=None,
    units=None,
) -> TracksDiscovery:
    """From tracks to a law.

    Args:
        tracks: from `symlib.read`, or what it reads: a file or a pandas frame.
        model: standard, bottleneck, l1, kl or pruned.
        preset: ci, laptop or paper: how long the network trains and equations are searched.
        seed: of the network's weights, its batches and the search.
        engine: auto, operon or pysr.
        one_body: look for an external field, a drag or a trap as well.
        neighbours: bodies farther apart than this, in the user's unit, do not act on each other.
        select: which row of the front is the answer: "held-out", the simplest that is as good as
            the best on tracks that were held out, or "paper", the largest score (appendix C).
        loss: what equations are fitted to and held against: "acceleration", "trajectory" (the
            positions as recorded, by integrating along short segments), or "auto": trajectories
            where accelerations had to be smoothed, acceleration where they were measured.
        seeds: how many, from `seed` on, to see what is stable; the answer is the first one's.
        window: frames of the smoother; by default chosen from the data.
        cache: folder for checkpoints, so that an interrupted call goes on; None keeps none.
        progress: show what is going on.
        columns, fps, dt, masses, charges, units: see `symlib.read`; tracks that were read
            already are taken as they are.

    Raises:
        InputError: tracks that cannot be read or worked with, or an unknown choice.
        MissingEngine: PySR was asked for and there is no Julia.
        NonFiniteLoss: training broke down.
    """
    began = time.perf_counter()
    known("model", model, TRACKS_MODELS)
    known("select", select, SELECTIONS)
    known("loss", loss, LOSSES)
    at_least("seed", seed, 0)
    at_least("seeds", seeds, 1)
    sizes = get_preset(preset)
    symbolic.choose_engine(engine, say=False)
    if neighbours is not None:
        positive("neighbours", neighbours)
    told = {"columns": columns, "fps": fps, "dt": dt}
    told |= {"masses": masses, "charges": charges, "units": units}
    say = log.info if progress else log.debug
    given = read_once(tracks, {name: value for name, value in told.items() if value is not None})
    say("%s", given.summary())
    data = prepare(given, neighbours, window, loss, say)
    marks = {"reading": _since(began)}

    now = time.perf_counter()
    curves = fit_curves(data.fitted, data.checked, one_body)
    curves, numbers = with_numbers(data, curves, one_body, say)
    hints = hints_of(data, curves, one_body)
    marks["curves"] = _since(now)
    data = with_found(data, numbers)

    walks = []
    for one in range(seed, seed + seeds):
        now = time.perf_counter()
        run = _train(data, numbers, model, sizes, one, one_body, cache, progress)
        marks["training"] = round(marks.get("training", 0) + run.seconds, 2)
        now = time.perf_counter()
        radial = hear(run.network, data.train, seed=one)
        proposed = proposals(data, run, radial, curves, sizes, engine, one, progress)
        rows = judged(data, proposed, curves.numbers)
        if data.segments:
            say("holding %d equations against trajectories", len(rows))
            rows = along_trajectories(data, rows)
        marks["equations"] = round(marks.get("equations", 0) + _since(now), 2)
        walks.append((run, radial, rows, chosen(rows, select, data)))
    run, radial, rows, best = walks[0]
    law = rows[best].law
    record = {
        "kind": "tracks",
        "model": model,
        "preset": sizes.name,
        "seed": seed,
        "engine": engine,
        **facts(data, law, rows, best, radial, curves, run, hints, select),
        "stability": [short(data, *walk[2:]) for walk in walks],
        "neighbours": neighbours,
        "reading": data.tracks.reading,
        **run.facts(),
        "stages": marks,
        "seconds": _since(began),
        "provenance": provenance(_since(began)),
    }
    record["scalars"] = scalars(data, [walk[2][walk[3]].law for walk in walks])
    return TracksDiscovery(
        data.tracks, law, data.scales, tuple(rows), best, radial, curves, run, plain(record)
    )


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 2)


def _train(data, numbers, model, sizes, seed, one_body, cache, progress) -> Run:
    scene, names = data.train, list(data.train.numbers)
    table = np.zeros((len(data.tracks.names), len(names)))
    for k, name in enumerate(names):
        table[:, k] = scene.numbers[name]
    learned = [k for k, name in enumerate(names) if name in numbers]
    network = force_network(model, scene.dim, table, learned, one_body, seed)
    frames, edges = scene.frames, scene.edges
    batch = int(np.clip(round(EDGES * len(frames) / len(edges)), 1, 64))
    recipe = _recipe(sizes, model, batch)
    path = None
    if cache is not None:
        sums = [float(np.abs(frames.position).sum()), float(np.abs(frames.acceleration).sum())]
        facts = [sums, len(edges), names, table.tolist(), model, one_body, recipe.inputs(), seed]
        key = hash_of([*facts, version("train")])
        path = Path(cache) / f"tracks-{scene.dim}-{model}-{key}.safetensors"
    return train_forces(
        network, scene.arrays(), recipe, seed=seed, checkpoint=path, progress=progress
    )


def _recipe(sizes: Preset, model: str, batch: int) -> Recipe:
    """The preset's training of a model, for a network whose priors are built in."""
    recipe = sizes.recipe_for(model)
    return replace(
        recipe,
        steps=max(1, recipe.steps // SHARE),
        batch=batch,
        born_invariant=False,
        invariant=False,
        blind_until=0.0,
        augmentation=0.0,
        compiled=False,
    )
