"""What the network of tracks says, read as a force along the line between two bodies.

Through its matrix M every message is an acceleration. Of a law between pairs it is f r̂, so all
components are read together: f is the part along the line, and what lies off it says how far the
network, which was not told so, is from such a law.
"""

from dataclasses import dataclass

import numpy as np
import torch

from symlib.messages.force_law import values_of
from symlib.messages.recording import REFIT_EDGES, well_learned
from symlib.networks.force_network import ForceNetwork
from symlib.tracks.baseline import KIND, Curves, Scene, value_of
from symlib.tracks.scales import Scales

POINTS = 60  # of the curves in a record


@dataclass(frozen=True)
class Radial:
    """A network's messages on some frames (dimensionless).

    names, inputs: variables of each edge, r last, shape [edges, variables].
    along: acceleration along the line, shape [edges]; positive attracts.
    body_names, body_inputs, alone: the one-body part on each row; empty without one.
    off_line: mean size of what lies off the line over that of the message.
    non_reciprocal: mean |m_i a_ij + m_j a_ji| over the mean of their sizes; None without masses.
    """

    names: tuple[str, ...]
    inputs: np.ndarray
    along: np.ndarray
    body_names: tuple[str, ...]
    body_inputs: np.ndarray
    alone: np.ndarray
    off_line: float
    non_reciprocal: float | None

    @staticmethod
    def predict(network: ForceNetwork, scene: Scene) -> np.ndarray:
        """The network's accelerations, shape [rows, dim]; of KL messages without noise."""
        parts = []
        step = max(1, round(200_000 * len(scene.frames) / len(scene.edges)))
        for first in range(0, len(scene.frames), step):
            part = scene.part(np.arange(first, min(first + step, len(scene.frames))))
            with torch.no_grad():
                parts.append(network(*_tensors(part))[0].double().numpy())
        return np.concatenate(parts)

    def table(
        self, law, curves: Curves, scene: Scene, scales: Scales, points: int = POINTS
    ) -> dict:
        """Radial force in the user's units on a grid of distances, for a typical pair.

        The pair is that of two bodies with the median of every number. r; network: the median over
        edges near r of the network's acceleration times what the equation says for the typical
        pair over what it says for the edge; equation; baseline.
        """
        seen = scene.pairs({**scene.numbers, **law.numbers})
        low, high = np.quantile(seen["r"], [0.005, 0.995])
        r = np.geomspace(max(low, 1e-3 * high), high, points)
        typical = {name: np.full(points, float(np.median(v))) for name, v in seen.items()}
        for name in typical:
            if name.startswith(KIND):
                typical[name][:] = 1.0
        typical["r"] = r
        equation = _along(law.pair, typical)
        baseline = np.zeros(points)
        for k, factor in enumerate(curves.factors):
            baseline += value_of(factor, typical) * curves.curve(k, r)
        mine = dict(zip(self.names, self.inputs.T, strict=True))
        here = {name: mine.get(name, np.full(len(self.along), v[0])) for name, v in typical.items()}
        own = _along(law.pair, here)
        near = np.clip(np.searchsorted(r, here["r"]), 0, points - 1)
        moved = _along(law.pair, {**{n: v[near] for n, v in typical.items()}, "r": r[near]})
        with np.errstate(all="ignore"):
            values = np.where(np.abs(own) > 1e-9, self.along * moved / own, np.nan)
        network = [
            float(np.nanmedian(values[near == k])) if np.isfinite(values[near == k]).any() else None
            for k in range(points)
        ]
        unit = scales.acceleration
        return {
            "r": (r * scales.length).tolist(),
            "network": [None if one is None else one * unit for one in network],
            "equation": (equation * unit).tolist(),
            "baseline": (baseline * unit).tolist(),
            "typical": {
                name: float(values[0]) * (scales.of(name) if not name.startswith(KIND) else 1.0)
                for name, values in typical.items()
                if name != "r"
            },
        }


def hear(network: ForceNetwork, scene: Scene, seed: int = 0) -> Radial:
    """Read a trained network on frames drawn from a scene, as many as give 60,000 edges."""
    count = max(
        1, min(len(scene.frames), round(REFIT_EDGES * len(scene.frames) / len(scene.edges)))
    )
    drawn = np.random.default_rng(seed).permutation(len(scene.frames))[:count]
    part = scene.part(np.sort(drawn))
    position, velocity, body, edges, _ = _tensors(part)
    with torch.no_grad():
        numbers = network.of_bodies(body)
        raw = network.messages(position, numbers, edges)
        sent = network.mixing(network.rule.mean(raw)).double().numpy()
        alone = network.alone(position, velocity, numbers).double().numpy()
        found = network.of_bodies(torch.arange(len(network.numbers))).double().numpy()
    # What was learned along is what the equation is to speak of.
    named = {name: found[:, k] for k, name in enumerate(part.numbers)}
    seen = part.pairs(named)
    r = np.maximum(seen["r"], 1e-12)
    direction = part.offset() / r[:, None]
    along = (sent * direction).sum(axis=1)
    across = np.sqrt(((sent - along[:, None] * direction) ** 2).sum(axis=1))
    kept = well_learned(along, r)
    used = [n for n in seen if n != "r" and np.ptp(seen[n]) > 0] + ["r"]
    bodies = part.bodies()
    speaks = network.node_model is not None
    return Radial(
        tuple(used),
        np.stack([seen[name][kept] for name in used], axis=1),
        along[kept],
        tuple(bodies) if speaks else (),
        np.stack(list(bodies.values()), axis=1) if speaks else np.zeros((0, 0)),
        alone,
        float(across.mean() / np.sqrt((sent**2).sum(axis=1)).mean()),
        _reciprocity(part, sent, seen.get("m1")),
    )


def _reciprocity(scene: Scene, sent: np.ndarray, mass: np.ndarray | None) -> float | None:
    """How far m_i a_ij is from −m_j a_ji."""
    if mass is None:
        return None
    count = len(scene.frames.body)
    key = scene.edges.receiver.astype(np.int64) * count + scene.edges.sender
    back = scene.edges.sender.astype(np.int64) * count + scene.edges.receiver
    order = np.argsort(key)
    other = order[np.searchsorted(key[order], back)]
    force = sent * mass[:, None]
    size = np.sqrt((force**2).sum(axis=1)).mean()
    return float(np.sqrt(((force + force[other]) ** 2).sum(axis=1)).mean() / (2 * size))


def _tensors(scene: Scene):
    frames = scene.frames
    place = [torch.from_numpy(t.astype(np.float32)) for t in (frames.position, frames.velocity)]
    edges = torch.from_numpy(np.stack([scene.edges.sender, scene.edges.receiver]))
    return *place, torch.from_numpy(frames.body), edges, None


def _along(pair, seen: dict[str, np.ndarray]) -> np.ndarray:
    return np.nan_to_num(values_of(pair, seen), nan=0.0, posinf=0.0, neginf=0.0)
