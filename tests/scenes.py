"""Small worlds of known laws, as tracks and as frames with their pairs."""

from dataclasses import replace

import numpy as np

from symlib.papers.own_tracks.cases import CASES, table
from symlib.tracks.baseline import KIND, Scene
from symlib.tracks.neighbours import edges_of
from symlib.tracks.reading.read import read
from symlib.tracks.recordings import Frames, Tracks


def tracks_of(name: str, seed: int = 0, **changes) -> Tracks:
    """Tracks of a case of `symlib.papers.own_tracks.cases`, with other numbers of frames etc."""
    return read(table(replace(CASES[name], **changes), seed))


def scene_of(tracks: Tracks, noise: float = 0.0, seed: int = 0) -> Scene:
    """All frames and pairs, in the units of the tracks; noise is that of accelerations."""
    frames = tracks.frames()
    drawn = np.random.default_rng(seed).normal(0, 1, frames.acceleration.shape)
    numbers = {
        letter: values
        for letter, values in (("m", tracks.mass), ("q", tracks.charge))
        if np.isfinite(values).all() and np.ptp(values) > 0
    }
    error = np.full(len(frames.body), noise)
    noisy = replace(frames, acceleration=frames.acceleration + noise * drawn, error=error)
    return Scene(noisy, edges_of(frames), numbers, np.ones(len(frames.body)))


def kinds_scene(law, frames: int, seed: int = 0, bodies: int = 6) -> Scene:
    """Bodies of kinds a and b at random places; law(kind of receiver, kind of sender, r)."""
    rng = np.random.default_rng(seed)
    rows = frames * bodies
    x = rng.uniform(-2, 2, (rows, 2))
    body = np.tile(np.arange(bodies), frames)
    nothing = np.zeros((rows, 2))
    offset = bodies * np.arange(frames + 1)
    own = Frames(offset, np.zeros(frames, int), body, x, nothing, nothing, np.zeros(rows))
    kind = np.array(["ab"[k % 2] for k in range(bodies)])
    numbers = {KIND + one: (kind == one).astype(float) for one in "ab"}
    scene = Scene(own, edges_of(own), numbers, np.ones(rows))
    r = scene.pairs()["r"]
    ends = (kind[body[scene.edges.receiver]], kind[body[scene.edges.sender]])
    along = np.array([law(*one) for one in zip(*ends, r, strict=True)])
    return replace(scene, frames=replace(own, acceleration=scene.pooled(along)))
