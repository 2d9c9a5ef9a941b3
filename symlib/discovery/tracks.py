"""From tracks to a law: the road for whoever has data and no law.

Smooth what was seen, bring it to order one, fit curves of the distance without a network, train
the network, read its messages as forces along a line, propose equations from both, fit their
constants to accelerations, and judge every one of them on the tracks' last stretch, which nothing
was fitted to.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from symlib import symbolic
from symlib.choices import (
    LOSSES,
    SELECTIONS,
    TRACKS_MODELS,
    at_least,
    known,
    positive,
)
from symlib.discovery.laws import default_cache, search_of
from symlib.errors import InputError
from symlib.messages.force_law import (
    ForceEquation,
    Refit,
    Row,
    by_held_out,
    front,
    row,
    tidy,
)
from symlib.messages.radial import Radial, hear
from symlib.messages.trajectories import (
    Segments,
    by_trajectory,
    refit_trajectories,
    segments_of,
)
from symlib.networks.force_network import force_network
from symlib.records.record import plain, provenance, write_record
from symlib.records.stages import version
from symlib.records.study import hash_of
from symlib.symbolic.algebra.complexity import complexity
from symlib.symbolic.algebra.dimensions import (
    CHARGE,
    LENGTH,
    MASS,
    NUMBER,
    Dimension,
    constant_units,
    in_user_units,
)
from symlib.symbolic.algebra.expressions import form_of, symbol
from symlib.symbolic.algebra.parsing import equation_text
from symlib.symbolic.search import selection
from symlib.symbolic.search.radial import RadialForm, radial_forms
from symlib.symbolic.search.selection import scores
from symlib.tracks.baseline import KIND, Curves, Scene, fit_curves, unknown_numbers
from symlib.tracks.neighbours import edges_of
from symlib.tracks.reading import read
from symlib.tracks.recordings import Frames, Tracks
from symlib.tracks.scales import Scales, scales_of
from symlib.tracks.smoothing import smooth, warning_of
from symlib.training.forces import train_forces
from symlib.training.loop import Run
from symlib.training.presets import Preset, get_preset
from symlib.training.recipes import Recipe

log = logging.getLogger(__name__)
EDGES = 1000  # of a batch, about
SHARE = 4  # of the steps that the preset gives a network without these priors
FEATURES = 0.1  # what a one-body term, or a number of each body, must save of the loss to be told
LOUD, MUTE = 0.1, 0.5  # shares of the trivial loss: below, learned; above, not
MANY_TRACKS = 300  # whose numbers are not looked for
SHAPES = 4  # forms of each complexity, of each of two curves, that are combined
REFITTED = 12  # equations whose constants are fitted along trajectories


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
        return _user(self.law if index is None else self.front[index].law, self.scales)

    def __str__(self) -> str:
        return summary(self.record)


@dataclass(frozen=True)
class _Data:
    """Tracks made ready: what is fitted, what chooses factors, what judges."""

    tracks: Tracks
    scales: Scales
    fitted: Scene
    checked: Scene
    train: Scene
    test: Scene
    segments: tuple[Segments, Segments] | None = None


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
    given = _read(tracks, {name: value for name, value in told.items() if value is not None})
    say("%s", given.summary())
    data = _prepare(given, neighbours, window, loss, say)
    marks = {"reading": _since(began)}

    now = time.perf_counter()
    curves = fit_curves(data.fitted, data.checked, one_body)
    curves, numbers = _with_numbers(data, curves, one_body, say)
    hints = _hints(data, curves, one_body)
    marks["curves"] = _since(now)
    data = _known(data, numbers)

    walks = []
    for one in range(seed, seed + seeds):
        now = time.perf_counter()
        run = _train(data, numbers, model, sizes, one, one_body, cache, progress)
        marks["training"] = round(marks.get("training", 0) + run.seconds, 2)
        now = time.perf_counter()
        radial = hear(run.network, data.train, seed=one)
        proposed = _proposals(data, run, radial, curves, sizes, engine, one, progress)
        rows = _judged(data, proposed, curves.numbers)
        if data.segments:
            say("holding %d equations against trajectories", len(rows))
            rows = _along_trajectories(data, rows)
        marks["equations"] = round(marks.get("equations", 0) + _since(now), 2)
        walks.append((run, radial, rows, _chosen(rows, select, data)))
    run, radial, rows, best = walks[0]
    law = rows[best].law
    record = {
        "kind": "tracks",
        "model": model,
        "preset": sizes.name,
        "seed": seed,
        "engine": engine,
        **_facts(data, law, rows, best, radial, curves, run, hints, select),
        "stability": [_short(data, *walk[2:]) for walk in walks],
        "neighbours": neighbours,
        "reading": data.tracks.reading,
        **run.facts(),
        "stages": marks,
        "seconds": _since(began),
        "provenance": provenance(_since(began)),
    }
    record["scalars"] = _scalars(data, [walk[2][walk[3]].law for walk in walks])
    return TracksDiscovery(
        data.tracks, law, data.scales, tuple(rows), best, radial, curves, run, plain(record)
    )


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 2)


def _read(tracks, told: dict) -> Tracks:
    if not isinstance(tracks, Tracks):
        return read(tracks, **told)
    if told:
        raise InputError(
            f"{', '.join(told)}: these tracks were read already; say so to symlib.read"
        )
    return tracks


def _prepare(given: Tracks, neighbours, window, loss, say) -> _Data:
    """Smooth, split, scale."""
    raw, smoothed = given, False
    if window is not None and all(one.acceleration is not None for one in given.recordings):
        raise InputError("window: accelerations were measured, so nothing is smoothed")
    if any(one.acceleration is None for one in given.recordings):
        say("smoothing %d recordings", len(given))
        given, smoothed = smooth(given, window), True
        warning = warning_of(given)
        if warning:
            log.warning("warning: %s", warning)
    training, test = given.split(0.1)
    fitted, checked = training.split(0.1)
    parts = [part.frames() for part in (fitted, checked, training, test)]
    edges = [edges_of(part, neighbours) for part in parts]
    scales = scales_of(parts[2], edges[2], given.mass, given.charge)
    numbers: dict[str, np.ndarray] = {}
    for name, values, scale in (("m", given.mass, scales.mass), ("q", given.charge, scales.charge)):
        if np.isfinite(values).all() and np.ptp(values) > 1e-9 * np.abs(values).max():
            numbers[name] = values / scale
    if given.kind is not None and len(set(given.kind)) > 1:
        for kind in sorted(set(given.kind)):
            numbers[KIND + kind] = np.array([float(one == kind) for one in given.kind])
    spread = float(np.median(np.abs(parts[2].acceleration))) / scales.acceleration
    scenes = []
    for part, edge in zip(parts, edges, strict=True):
        inside = scales.inside(part)
        # Accelerations that are hardly known hardly count.
        weight = 1 / (1 + (inside.error / spread) ** 2)
        scenes.append(Scene(inside, edge, numbers, weight))
    segments = None
    if loss == "trajectory" and not smoothed:
        raise InputError(
            "loss: accelerations were measured, so there is no noise of positions to integrate "
            "along; leave them out, or take acceleration"
        )
    if loss == "trajectory" or (loss == "auto" and smoothed):
        cut = zip(raw.split(0.1), given.split(0.1), strict=True)
        try:
            one, other = (segments_of(*both, scales, neighbours) for both in cut)
            segments = (one, other)
        except InputError as error:
            if loss == "trajectory":
                raise
            say("%s: equations are held against accelerations", error)
    first, second, whole, held_out = scenes
    return _Data(given, scales, first, second, whole, held_out, segments)


def _with_numbers(data: _Data, curves: Curves, one_body: bool, say):
    """Curves with numbers of the bodies, where masses are unknown and that helps."""
    tracks = len(data.tracks.names)
    unknown = ~np.isfinite(data.tracks.mass).all()
    if not unknown or any(name.startswith(KIND) for name in data.fitted.numbers):
        return curves, {}
    bodies = set(data.fitted.frames.body)
    if tracks > MANY_TRACKS or not set(data.checked.frames.body) & bodies:
        return curves, {}
    say("looking for a number of each of %d bodies", tracks)
    found = unknown_numbers(data.fitted, data.checked, one_body)
    if found is None:
        return curves, {}
    better = data.checked.loss(found(data.checked)) < (1 - FEATURES) * data.checked.loss(
        curves(data.checked)
    )
    return (found, found.numbers) if better else (curves, {})


def _known(data: _Data, numbers: dict[str, np.ndarray]) -> _Data:
    """The scenes with the numbers that were found."""
    parts = ("fitted", "checked", "train", "test")
    return replace(
        data,
        **{
            part: replace(scene, numbers={**scene.numbers, **numbers})
            for part, scene in ((part, getattr(data, part)) for part in parts)
        },
    )


def _hints(data: _Data, curves: Curves, one_body: bool) -> list[str]:
    """What another call might do better."""
    if one_body:
        return []
    body = fit_curves(data.fitted, data.checked, True)
    before, after = (data.checked.loss(one(data.checked)) for one in (curves, body))
    if after < (1 - 2 * FEATURES) * before:
        return [
            "a part that depends on a body's own position or velocity would lower the baseline's "
            f"loss from {before:.3g} to {after:.3g} (accelerations of order one): try one_body "
            "(--one-body)"
        ]
    return []


def _train(data, numbers, model, sizes, seed, one_body, cache, progress) -> Run:
    scene, names = data.train, list(data.train.numbers)
    table = np.stack([scene.numbers[n] for n in names], 1) if names else np.zeros((0, 0))
    if not names:
        table = np.zeros((len(data.tracks.names), 0))
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
    arrays = {
        "position": frames.position,
        "velocity": frames.velocity,
        "acceleration": frames.acceleration,
        "weight": scene.weight,
        "body": frames.body,
        "rows": frames.offset,
        "edges": edges.offset,
        "sender": edges.sender,
        "receiver": edges.receiver,
    }
    return train_forces(network, arrays, recipe, seed=seed, checkpoint=path, progress=progress)


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


def _proposals(
    data, run, radial: Radial, curves: Curves, sizes, engine, seed, progress
) -> list[ForceEquation]:
    """Equations that the network's messages and the curves suggest."""
    search: dict[str, Any] = {"engine": engine, "seed": seed, "budget": search_of(sizes)}
    search["progress"] = progress
    found = symbolic.regress(radial.inputs, radial.along, list(radial.names), **search)
    pairs = [(found.sympy(k), "network") for k in range(len(found.equations_))]
    pairs += [(expr, "curves") for expr in _from_curves(data, curves)]
    if run.network.node_model is None:
        return [ForceEquation(pair, (), source) for pair, source in pairs]
    bodies = [_linear_body(data, curves)]
    parts = []
    for k in range(data.train.dim):
        heard = symbolic.regress(
            radial.body_inputs, radial.alone[:, k], radial.body_names, **search
        )
        parts.append(heard.sympy())
    bodies.append(tuple(parts))
    # The curves' best pair part decides between the two, so that not all are tried with both.
    return [ForceEquation(pair, body, source) for pair, source in pairs for body in bodies]


def _from_curves(data: _Data, curves: Curves) -> list[sp.Expr]:
    r = data.fitted.pairs()["r"]
    places = np.unique(np.quantile(r, np.linspace(0.002, 0.998, 200)))
    forms: list[list[RadialForm]] = []
    for k in range(len(curves.factors)):
        y, error = curves.curve(k, places), curves.error(k, places)
        # What splines cannot follow is an error as well.
        floor = 2e-4 * np.abs(y) + 1e-5 * np.abs(y).max()
        forms.append(radial_forms(places, y, np.hypot(error, floor)))
    factors = [_factor(text) for text in curves.factors]
    if len(forms) == 1:
        return [factors[0] * form.expression() for form in forms[0]]
    found = []
    # First the same shape for all factors, which is how most laws are built; then the best mixed.
    for form in forms[0]:
        alike = ([f for f in other if f.members == form.members] for other in forms[1:])
        same = [one[0] for one in alike if one]
        if len(same) == len(forms) - 1:
            shapes = zip(form.members, form.parts, strict=True)
            found.append(
                sp.Add(
                    *[
                        term.expression(form.c)
                        * sp.Add(
                            sp.Float(part) * factors[0],
                            *[
                                sp.Float(other.parts[k]) * factor
                                for other, factor in zip(same, factors[1:], strict=True)
                            ],
                        )
                        for k, (term, part) in enumerate(shapes)
                    ]
                )
            )
    few = [sorted(one, key=lambda f: f.misfit)[:SHAPES] + one[:SHAPES] for one in forms]
    for first in few[0]:
        for second in few[1]:
            rest = [sorted(one, key=lambda f: f.misfit)[0] for one in forms[2:]]
            members = [first, second, *rest]
            found.append(
                sp.Add(*[w * f.expression() for w, f in zip(factors, members, strict=True)])
            )
    return found


def _factor(text: str) -> sp.Expr:
    above, *below = text.split("/")
    value = sp.Mul(*[symbol(n) if n != "1" else sp.Integer(1) for n in above.split("*")])
    return value / sp.Mul(*[symbol(n) for n in below])


def _linear_body(data: _Data, curves: Curves) -> tuple[sp.Expr, ...]:
    """The baseline's one-body part without what is too small to matter."""
    assert curves.body is not None
    axes = "xyz"[: data.train.dim]
    names = [*axes, *(f"v{axis}" for axis in axes)]
    seen = data.train.bodies()
    sizes = np.array([1.0, *(np.abs(seen[name]).mean() for name in names)])
    total = np.abs(data.train.frames.acceleration).mean()
    parts = []
    for column in curves.body.T:
        terms = [
            sp.Float(float(k)) * (symbol(name) if name else 1)
            for k, name, size in zip(column, ["", *names], sizes, strict=True)
            if abs(k) * size > 0.01 * total
        ]
        parts.append(sp.Add(*terms))
    return tuple(parts)


def _judged(data: _Data, proposed: list[ForceEquation], numbers) -> list[Row]:
    """Rows with constants fitted on training tracks; a front, if accelerations are what counts."""
    fit, quick = Refit(data.train), Refit(data.train, rows=1500)
    unique = {(str(law.pair), str(law.body)): law for law in map(tidy, proposed)}
    rough = []
    for law in unique.values():
        law = quick(replace(law, numbers=numbers), evaluations=20, free=False)
        rough.append((law.complexity, quick.scene.loss(law(quick.scene)), law))
    rough.sort(key=lambda one: one[:2])
    # Biased accelerations favour the wrong law a little; trajectories are to have the choice.
    margin = 1.3 if data.segments is None else 2.0
    kept, best, same = [], np.inf, 0
    for k, (level, loss, law) in enumerate(rough):
        same = same + 1 if k and rough[k - 1][0] == level else 0
        if loss < margin * best and (data.segments is None or same < SHAPES):
            kept.append(law)
        best = min(best, loss)
    rows = [row(tidy(fit(law)), data.train, data.test) for law in kept]
    return front(rows) if data.segments is None else rows


def _along_trajectories(data: _Data, rows: list[Row]) -> list[Row]:
    """A front by what follows the recorded positions."""
    assert data.segments is not None
    train, test = data.segments
    numbers = data.train.numbers
    rough = [by_trajectory(one, train, test, numbers) for one in rows]
    rough.sort(key=lambda one: (one.law.complexity, one.fitted))
    kept, best = [], np.inf
    for one in rough:
        if one.fitted < 1 + 1.5 * (best - 1):
            kept.append(one)
        best = min(best, one.fitted)
    fitted = []
    for one in sorted(kept, key=lambda one: one.fitted)[:REFITTED]:
        law, _ = refit_trajectories(one.law, train, numbers)
        fitted.append(by_trajectory(row(tidy(law), data.train, data.test), train, test, numbers))
    return front([*kept, *fitted])


def _chosen(rows: list[Row], rule: str, data: _Data) -> int:
    if rule == "held-out":
        return by_held_out(rows, data.test.trivial())
    return selection.select([one.law.complexity for one in rows], [one.fitted for one in rows])


def _user(law: ForceEquation, scales: Scales) -> ForceEquation:
    """The law in the user's units."""

    def rewritten(expr):
        names = sorted(str(one) for one in expr.free_symbols)
        sizes = {name: scales.of(name) for name in names if not name.startswith(KIND)}
        return in_user_units(expr, sizes, scales.acceleration)

    return replace(law, pair=rewritten(law.pair), body=tuple(rewritten(part) for part in law.body))


def _facts(data, law, rows, best, radial, curves, run, hints, rule) -> dict:
    scales, test = data.scales, data.test
    user = _user(law, scales)
    unit = scales.acceleration
    network = radial.predict(run.network, test)
    equation = law(test)
    losses = {
        "network": test.loss(network) * unit,
        "equation": test.loss(equation) * unit,
        "baseline": test.loss(curves(test)) * unit,
        "trivial": test.trivial() * unit,
    }
    a = test.frames.acceleration
    explained = 1 - ((equation - a) ** 2).sum() / ((a - a.mean(axis=0)) ** 2).sum()
    share = losses["equation"] / losses["trivial"]
    levels = [one.law.complexity for one in rows]
    marks = scores(levels, [one.fitted for one in rows])
    held_out_best = min(rows, key=lambda one: one.measure)
    paper = selection.select(levels, [one.fitted for one in rows])
    tracks = data.tracks
    return {
        "law": equation_text(user.pair),
        "one_body": [equation_text(part) for part in user.body],
        "equations": _equations(user, law, data),
        "front": [
            {
                "complexity": one.law.complexity,
                "loss": one.loss * unit,
                "held_out": one.held_out * unit,
                "trajectory": one.trajectory,
                "score": float(score),
                "equation": equation_text(_user(one.law, scales).pair),
                "one_body": [equation_text(p) for p in _user(one.law, scales).body],
                "source": one.law.source,
            }
            for one, score in zip(rows, marks, strict=True)
        ],
        "best": best,
        "best_held_out": rows.index(held_out_best),
        "best_paper": paper,
        "selected_by": rule,
        "compared_by": "acceleration" if data.segments is None else "trajectory",
        "loss": losses,
        "explained": float(explained),
        "learned": _word(share, explained),
        "baseline_factors": list(curves.factors),
        "radial": radial.table(law, curves, data.train, scales),
        "off_line": radial.off_line,
        "non_reciprocal": radial.non_reciprocal,
        "units": {
            name: tracks.units.get(name, "arbitrary")
            for name in ("length", "time", "mass", "charge")
        },
        "scales": {n: getattr(scales, n) for n in ("length", "time", "mass", "charge")},
        "windows": _windows(tracks, data.test.frames),
        "left_out": list(tracks.left_out),
        "noise": dict(tracks.noise),
        "hints": hints,
        "gauge": _gauge(law),
    }


def _word(share: float, explained: float) -> str:
    """Whether anything was learned; noise alone may leave a large share of the trivial loss."""
    if share < LOUD or explained > 1 - LOUD:
        return "learned"
    return "hardly" if share < MUTE else "not"


def _windows(tracks: Tracks, test: Frames) -> dict:
    lengths = [end - first for one in tracks.recordings for first, end in one.windows()]
    return {
        "recordings": len(tracks),
        "count": len(lengths),
        "frames": int(sum(lengths)),
        "longest": int(max(lengths)),
        "held_out_frames": len(test),
        "bodies": len(tracks.names),
    }


def _equations(user: ForceEquation, law: ForceEquation, data: _Data) -> list[dict]:
    """Each part with its constants, their errors and their units."""
    spread: list[np.ndarray | None]
    if data.segments is None:
        spread = [*Refit(data.train, scales=data.scales).errors(user)]
    else:
        spread = _trajectory_errors(user, law, data)
    units = {k: v for k, v in data.tracks.units.items() if v != "arbitrary"}
    found = []
    names = ["pair", *"xyz"[: len(law.body)]]
    for name, own, mine, errors in zip(
        names, (user.pair, *user.body), (law.pair, *law.body), spread, strict=True
    ):
        found.append(
            {
                "part": name,
                "equation": equation_text(own),
                "complexity": complexity(mine),
                "constants": form_of(own).values.tolist(),
                "errors": None if errors is None else errors.tolist(),
                "units": _constant_units(own, units, user.numbers),
            }
        )
    return found


def _trajectory_errors(user, law, data: _Data) -> list[np.ndarray | None]:
    """Of the user's constants, as long as units merged none of them."""
    assert data.segments is not None
    errors = refit_trajectories(law, data.segments[0], data.train.numbers, 0)[1]
    found: list[np.ndarray | None] = []
    for own, mine in zip((user.pair, *user.body), (law.pair, *law.body), strict=True):
        inside, outside = form_of(mine).values, form_of(own).values
        share, errors = np.split(errors, [len(inside)])
        share = share / np.maximum(np.abs(inside), 1e-300)
        found.append(share * np.abs(outside) if len(inside) == len(outside) else None)
    return found


def _constant_units(
    expr: sp.Expr, units: Mapping[str, str], numbers: Mapping[str, np.ndarray]
) -> list[str] | None:
    """The unit of each constant; None where the file's units are not told or do not fit."""
    dimensions = {str(one): _dimension(str(one), numbers) for one in expr.free_symbols}
    needed = {"length", "time"}
    needed |= {"mass" for one in dimensions.values() if one == MASS}
    needed |= {"charge" for one in dimensions.values() if one == CHARGE}
    if not needed <= set(units):
        return None
    found = constant_units(expr, dimensions, Dimension(1, -2), units)
    return None if found is None else [unit for _, unit in found]


def _dimension(name: str, numbers: Mapping[str, np.ndarray]) -> Dimension:
    # What was found along is known up to a factor, which the law's constants take up.
    if name.startswith(KIND) or name[:1] in numbers:
        return NUMBER
    if name[0] in "mq":
        return MASS if name[0] == "m" else CHARGE
    return Dimension(1, -1) if name[0] == "v" else LENGTH


def _scalars(data: _Data, laws: list[ForceEquation]) -> dict[str, dict]:
    """The numbers that were found, by track: of the first seed, and their spread over seeds."""
    found: dict[str, dict] = {}
    for name in laws[0].numbers:
        values = np.stack([law.numbers[name] for law in laws if name in law.numbers])
        word = {"m": "mass", "q": "charge"}[name]
        for k, track in enumerate(data.tracks.names):
            found.setdefault(track, {})[word] = float(values[0, k])
            found[track][f"{word}_spread"] = float(values[:, k].std())
    return found


def _gauge(law: ForceEquation) -> str:
    if not law.numbers:
        return ""
    return (
        "masses and charges that were found are known up to one factor each, which the law's "
        "constants take up: here the mean of the masses' logarithms is zero"
    )


def _short(data: _Data, rows: list[Row], best: int) -> dict:
    law = _user(rows[best].law, data.scales)
    return {
        "law": equation_text(law.pair),
        "one_body": [equation_text(part) for part in law.body],
        "complexity": rows[best].law.complexity,
        "held_out": rows[best].held_out * data.scales.acceleration,
    }


def summary(record: dict) -> str:
    """A discovery from tracks in a few lines."""
    loss, windows = record["loss"], record["windows"]
    text = [
        f"{windows['frames']} frames of {windows['bodies']} tracks in {windows['count']} windows; "
        f"{windows['held_out_frames']} frames held out; {record['seconds']:.0f} s",
    ]
    text += [f"  left out    {one}" for one in record["left_out"]]
    text += [
        f"  loss        network {loss['network']:.3g}, equation {loss['equation']:.3g}, baseline "
        f"{loss['baseline']:.3g}, knowing nothing {loss['trivial']:.3g}: {record['learned']} "
        f"({100 * record['explained']:.1f}% of the variance explained)",
        "  law         a_i = Σ_j f r̂_ij"
        + (" + g(x_i, v_i)" if record["one_body"] else "")
        + ", r̂ from i to j",
    ]
    for one in record["equations"]:
        head = "f" if one["part"] == "pair" else f"g_{one['part']}"
        text.append(f"              {head} = {one['equation']}")
        for k, value in enumerate(one["constants"]):
            error = f" ± {one['errors'][k]:.2g}" if one["errors"] else ""
            unit = f" {one['units'][k]}" if one["units"] and one["units"][k] else ""
            text.append(f"                  {value:.6g}{error}{unit}")
    text.append(
        f"  direction   {100 * record['off_line']:.1f}% of a message lies off the line"
        + (
            ""
            if record["non_reciprocal"] is None
            else f"; {100 * record['non_reciprocal']:.1f}% of a force is not reciprocal"
        )
    )
    by = record["compared_by"]
    what = "loss held out" if by == "acceleration" else "residual² held out in units of the noise"
    text.append(f"  front       complexity, {what}, equation (* selected)")
    for k in _shown(record):
        one = record["front"][k]
        star = "*" if k == record["best"] else " "
        value = one["held_out" if by == "acceleration" else "trajectory"]
        text.append(f"            {star} {one['complexity']:>3}  {value:.4g}  {one['equation']}")
    if record["best_paper"] != record["best"]:
        other = record["front"][record["best_paper"]]
        text.append(f"              the paper's rule takes complexity {other['complexity']}")
    for track, numbers in list(record["scalars"].items())[:12]:
        said = ", ".join(f"{k} {v:.4g}" for k, v in numbers.items() if not k.endswith("spread"))
        text.append(f"  body {track:<6} {said}")
    text += [f"  hint        {one}" for one in record["hints"]]
    return "\n".join(text)


def _shown(record: dict) -> list[int]:
    """Three to five rows: the selected, the best, the paper's, and the selected's neighbours."""
    wanted = [record["best"], record["best_held_out"], record["best_paper"]]
    wanted += [record["best"] - 1, record["best"] + 1]
    rows = dict.fromkeys(k for k in wanted if 0 <= k < len(record["front"]))
    return sorted(list(rows)[:5])


__all__ = ["TracksDiscovery", "default_cache", "discover_tracks", "summary"]
