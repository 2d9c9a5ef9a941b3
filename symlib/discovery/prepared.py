"""Tracks made ready for the road: read, smoothed, split, in units of order one."""

import logging
from dataclasses import dataclass, replace

import numpy as np

from symlib.errors import InputError
from symlib.messages.trajectories import Segments, segments_of
from symlib.tracks.baseline import KIND, Curves, Scene, fit_curves, unknown_numbers
from symlib.tracks.neighbours import edges_of
from symlib.tracks.reading.read import read
from symlib.tracks.recordings import Tracks
from symlib.tracks.scales import Scales, scales_of
from symlib.tracks.smoothing import smooth, warning_of

log = logging.getLogger(__name__)
FEATURES = 0.1  # what a one-body term, or a number of each body, must save of the loss to be told
MANY_TRACKS = 300  # whose numbers are not looked for


@dataclass(frozen=True)
class Prepared:
    """Tracks made ready: what is fitted, what chooses factors, what judges."""

    tracks: Tracks
    scales: Scales
    fitted: Scene
    checked: Scene
    train: Scene
    test: Scene
    segments: tuple[Segments, Segments] | None = None


def read_once(tracks, told: dict) -> Tracks:
    if not isinstance(tracks, Tracks):
        return read(tracks, **told)
    if told:
        raise InputError(
            f"{', '.join(told)}: these tracks were read already; say so to symlib.read"
        )
    return tracks


def prepare(given: Tracks, neighbours, window, loss, say) -> Prepared:
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
        cut = zip(raw.split(0.1, by=given), (training, test), strict=True)
        try:
            one, other = (segments_of(*both, scales, neighbours) for both in cut)
            segments = (one, other)
        except InputError as error:
            if loss == "trajectory":
                raise
            say("%s: equations are held against accelerations", error)
    first, second, whole, held_out = scenes
    return Prepared(given, scales, first, second, whole, held_out, segments)


def with_numbers(data: Prepared, curves: Curves, one_body: bool, say):
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


def with_found(data: Prepared, numbers: dict[str, np.ndarray]) -> Prepared:
    """The scenes with the numbers that were found."""
    parts = ("fitted", "checked", "train", "test")
    return replace(
        data,
        **{
            part: replace(scene, numbers={**scene.numbers, **numbers})
            for part, scene in ((part, getattr(data, part)) for part in parts)
        },
    )


def hints_of(data: Prepared, curves: Curves, one_body: bool) -> list[str]:
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
