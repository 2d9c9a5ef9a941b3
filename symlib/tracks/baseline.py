"""The baseline that needs no network: curves of the distance, by linear least squares.

    a_i = Σ_j Σ_k w_k(m, q) h_k(r_ij) r̂_ij  (+ what is linear in x_i and v_i)

Each h_k is a cubic spline whose coefficients enter linearly, so nothing is trained. The factors w
are products of the bodies' masses and charges, taken one after another as long as tracks that were
not fitted gain by it. Where masses are not known, w is α_i β_j, of numbers of the receiver and the
sender that are found along (`unknown_numbers`).
"""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import BSpline
from scipy.sparse import csr_matrix

from symlib.tracks.neighbours import Edges
from symlib.tracks.recordings import Frames

PIECES, CLOSE = 24, 6  # of a spline, and among the closest pairs
ROWS = 20_000  # that are looked at
KIND = "is_"  # what numbers that tell of a body's kind are called
GAIN = 0.9  # a further factor must lower the error to this share
ROUNDS = 6  # of reweighting, by which outliers lose their say

# Products that physics is made of, simplest first.
FACTORS = (
    "1", "m2", "1/m1", "m1*m2", "m2/m1", "q1*q2", "q1*q2/m1", "q2", "q1", "q1/m1", "q2/m1", "m1",
    "q1*m2", "q2*m2",
)  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """Frames with their pairs, and what is known of the bodies, in units of order one.

    numbers: names (m, q) of what is known and differs, and values of each track [tracks].
    weight: what a row counts, shape [rows].
    """

    frames: Frames
    edges: Edges
    numbers: dict[str, np.ndarray]
    weight: np.ndarray

    @property
    def dim(self) -> int:
        """Dimension of space."""
        return self.frames.position.shape[1]

    def part(self, frames: np.ndarray) -> "Scene":
        """Some of the frames, in this order."""
        kept, chosen = self.frames.take(frames), self.edges.take(frames)
        first = self.frames.offset[frames]
        moved = np.repeat(kept.offset[:-1] - first, np.diff(self.edges.offset)[frames])
        offset = np.concatenate([[0], np.cumsum(np.diff(self.edges.offset)[frames])])
        edges = Edges(
            self.edges.sender[chosen] + moved, self.edges.receiver[chosen] + moved, offset
        )
        return replace(self, frames=kept, edges=edges, weight=self.weight[self.frames.rows(frames)])

    def arrays(self) -> dict[str, np.ndarray]:
        """What `symlib.training.forces.train_forces` takes."""
        frames, edges = self.frames, self.edges
        return {
            "position": frames.position,
            "velocity": frames.velocity,
            "acceleration": frames.acceleration,
            "weight": self.weight,
            "body": frames.body,
            "rows": frames.offset,
            "edges": edges.offset,
            "sender": edges.sender,
            "receiver": edges.receiver,
        }

    def offset(self) -> np.ndarray:
        """From receiver to sender, shape [edges, dim]."""
        position = self.frames.position
        return position[self.edges.sender] - position[self.edges.receiver]

    def pairs(self, numbers: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """Variables of each edge: r, and m1 (receiver), m2 (sender), q1, q2 where known."""
        found = {}
        body = self.frames.body
        for name, values in (self.numbers if numbers is None else numbers).items():
            found[f"{name}1"] = values[body[self.edges.receiver]]
            found[f"{name}2"] = values[body[self.edges.sender]]
        found["r"] = np.sqrt((self.offset() ** 2).sum(axis=1))
        return found

    def bodies(self, numbers: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """Variables of each row: x, y, (z,) vx, vy, (vz,) and m, q where known."""
        known = self.numbers if numbers is None else numbers
        found = {name: values[self.frames.body] for name, values in known.items()}
        for k, axis in enumerate("xyz"[: self.dim]):
            found[axis] = self.frames.position[:, k]
            found[f"v{axis}"] = self.frames.velocity[:, k]
        return found

    def loss(self, predicted: np.ndarray) -> float:
        """L_v: |a − â| summed over components, a weighted mean over rows."""
        miss = np.abs(predicted - self.frames.acceleration).sum(axis=1)
        return float((miss * self.weight).sum() / self.weight.sum())

    def trivial(self) -> float:
        """L_v of whoever says the median acceleration."""
        a = self.frames.acceleration
        return self.loss(np.broadcast_to(np.median(a, axis=0), a.shape))

    def pooled(self, along: np.ndarray) -> np.ndarray:
        """Sums at the receivers of what acts along the line, [edges] -> [rows, dim]."""
        r = np.maximum(np.sqrt((self.offset() ** 2).sum(axis=1)), 1e-12)
        parts = self.offset() * (along / r)[:, None]
        count = len(self.frames.body)
        return np.stack([np.bincount(self.edges.receiver, part, count) for part in parts.T], axis=1)


@dataclass(frozen=True)
class Curves:
    """What the baseline found.

    factors: the w_k as text; knots: of all splines; coefficients: shape [factors, splines];
    covariance: of each factor's coefficients, shape
    [factors, splines, splines]; body: coefficients of 1, x, y, .. vx, vy for each
    component, shape [1 + 2 dim, dim], or None; numbers: of the tracks, where they were found.
    """

    factors: tuple[str, ...]
    knots: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray
    body: np.ndarray | None
    numbers: dict[str, np.ndarray]

    def curve(self, k: int, r: np.ndarray) -> np.ndarray:
        """h_k at some distances."""
        return BSpline(self.knots, self.coefficients[k], 3, extrapolate=True)(self._inside(r))

    def error(self, k: int, r: np.ndarray) -> np.ndarray:
        """Standard deviation of h_k there."""
        basis = _basis(self.knots, self._inside(r)).toarray()
        return np.sqrt(np.maximum(np.einsum("ni,ij,nj->n", basis, self.covariance[k], basis), 0))

    def _inside(self, r):
        return np.clip(r, self.knots[0], self.knots[-1])

    def along(self, scene: Scene) -> np.ndarray:
        """The acceleration along the line of each edge."""
        seen = scene.pairs(self.numbers or None)
        total = np.zeros(len(scene.edges))
        for k, factor in enumerate(self.factors):
            total += value_of(factor, seen) * self.curve(k, seen["r"])
        return total

    def __call__(self, scene: Scene) -> np.ndarray:
        """Accelerations, shape [rows, dim]."""
        found = scene.pooled(self.along(scene))
        return found if self.body is None else found + _alone(scene) @ self.body


def value_of(factor: str, seen: dict[str, np.ndarray]) -> np.ndarray:
    """A product such as q1*q2/m1 on each edge."""
    above, *below = factor.split("/")
    value = np.ones(len(seen["r"]))
    for name in above.split("*"):
        value = value if name == "1" else value * seen[name]
    for name in below:
        value = value / seen[name]
    return value


def fit_curves(scene: Scene, checked: Scene, body: bool = False) -> Curves:
    """The baseline, with as many factors as the second scene rewards.

    Kinds of bodies, where they are told, have a curve for each pair of kinds. Where masses are
    unknown, numbers of the bodies are found along if that helps.

    Args:
        scene: what is fitted; checked: frames that are not, by which factors are chosen.
        body: whether a part that is linear in position and velocity is fitted along.
    """
    kinds = [name for name in scene.numbers if name.startswith(KIND)]
    if kinds:
        both = [f"{a}1*{b}2" for a in kinds for b in kinds]
        return _solved(_System.of(scene, both, body), both)
    names = {"1"} | {f"{name}{i}" for name in scene.numbers for i in "12"}
    usable = [f for f in FACTORS if set(f.replace("/", "*").split("*")) <= names]
    system, test = _System.of(scene, usable, body), _System.of(checked, usable, body, scene)
    best, error = None, np.inf
    for count in (1, 2, 3):
        found: list[tuple[float, int, tuple[str, ...]]] = []
        for chosen in itertools.combinations(usable, count):
            if best is None or count < 3 or set(best) < set(chosen):
                found.append((test.misfit(chosen, system.quick(chosen)), len(found), chosen))
        if not found or min(found)[0] > GAIN * error:
            break
        error, _, best = min(found)
    assert best is not None
    return _solved(system, best)


def unknown_numbers(scene: Scene, checked: Scene, body: bool = False) -> Curves | None:
    """The baseline a_i = α_i Σ_j β_j h(r_ij) r̂_ij with a number or two found for each track.

    Whichever of β alone (called m: what a body does to others), α alone (1/m: how it yields) or
    both (q and 1/m) is the simplest that no other beats by a tenth. The gauge: the logarithms of
    m, and of |q|, have mean zero.

    Returns:
        The curves, with `numbers`; None where bodies that are all alike do as well.
    """
    tracks = int(max(scene.frames.body.max(), checked.frames.body.max())) + 1
    base = "q1*q2" if "q" in scene.numbers else "1"
    alike = _solved(_System.of(scene, [base], body), [base])
    best, error = None, GAIN * checked.loss(alike(checked))
    for send, respond in ((True, False), (False, True), (True, True)):
        if send and respond and "q" in scene.numbers:
            continue  # charges are known, and two numbers would need another name
        found = _alternate(scene, base, tracks, body, send, respond)
        loss = checked.loss(found(checked))
        if loss < error:
            best, error = found, GAIN * loss
    return best


def _alternate(scene, base, tracks, body, send, respond, rounds=25) -> Curves:
    """Curves, α and β in turn, each by linear least squares for given others."""
    alpha, beta = np.ones(tracks), np.ones(tracks)
    receiver = scene.frames.body[scene.edges.receiver]
    sender = scene.frames.body[scene.edges.sender]
    a = scene.frames.acceleration
    weight = scene.weight / (np.abs(a).sum(axis=1) + np.median(np.abs(a))) ** 2
    for _ in range(rounds):
        found = _solved(
            _System.of(scene, [base], body, extra=alpha[receiver] * beta[sender]), [base]
        )
        rest = a if found.body is None else a - _alone(scene) @ found.body
        along = found.curve(0, scene.pairs()["r"]) * value_of(base, scene.pairs())
        if respond:
            pulled = scene.pooled(along * beta[sender])
            top = np.bincount(scene.frames.body, (weight[:, None] * pulled * rest).sum(1), tracks)
            below = np.bincount(scene.frames.body, (weight[:, None] * pulled**2).sum(1), tracks)
            alpha = _gauged(np.where(below > 0, top / np.maximum(below, 1e-300), 1.0))
        if send:
            beta = _gauged(_strengths(scene, along * alpha[receiver], rest, weight, tracks))
    factor, numbers = base, {}
    if respond:
        numbers["m"] = 1 / alpha
        factor = f"{factor}/m1"
    if send:
        name = "q" if respond else "m"
        numbers[name] = beta
        factor = factor.replace("1", f"{name}2", 1) if base == "1" else f"{name}2*{factor}"
    numbers = {**scene.numbers, **numbers}
    known = replace(scene, numbers=numbers)
    final = _solved(_System.of(known, [factor], body), [factor])
    return replace(final, numbers=numbers)


def _strengths(scene, along, rest, weight, tracks) -> np.ndarray:
    """β by least squares: a_i = Σ_j β_j (along r̂)_ij."""
    gram, right = np.zeros((tracks, tracks)), np.zeros(tracks)
    sender = scene.frames.body[scene.edges.sender]
    direction = scene.offset() / np.maximum(scene.pairs()["r"], 1e-12)[:, None]
    shape = (len(scene.frames.body), tracks)
    for axis in range(scene.dim):
        pull = csr_matrix((along * direction[:, axis], (scene.edges.receiver, sender)), shape)
        heavy = pull.multiply(weight[:, None]).tocsr()
        gram += (heavy.T @ pull).toarray()
        right += heavy.T @ rest[:, axis]
    size = np.trace(gram) / tracks
    # A body that was not seen to do anything keeps the number one.
    return np.linalg.solve(gram + 1e-9 * size * np.eye(tracks), right + 1e-9 * size)


def _gauged(values: np.ndarray) -> np.ndarray:
    size = np.abs(values) + 1e-12
    return values / np.exp(np.log(size).mean()) * np.sign(np.median(values) or 1.0)


@dataclass(frozen=True)
class _System:
    """Least squares of some factors' curves, in relative weights: a row's error is held against
    its size, or close encounters would be all that counts."""

    scene: Scene
    factors: tuple[str, ...]
    knots: np.ndarray
    design: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    body: bool

    @classmethod
    def of(cls, scene, factors, body, fitted=None, extra=None) -> "_System":
        scene = _thinned(scene) if extra is None else scene
        seen = scene.pairs()
        knots = _knots((scene if fitted is None else fitted).pairs()["r"])
        basis = _basis(knots, seen["r"]).tocsr()
        direction = scene.offset() / np.maximum(seen["r"], 1e-12)[:, None]
        rows, edges = len(scene.frames.body), np.arange(len(scene.edges))
        gather = csr_matrix(
            (np.ones(len(edges)), (scene.edges.receiver, edges)), shape=(rows, len(edges))
        )
        blocks = []
        for axis in range(scene.dim):
            columns = []
            for factor in factors:
                w = value_of(factor, seen) * direction[:, axis]
                w = w if extra is None else w * extra
                columns.append((gather @ basis.multiply(w[:, None]).tocsr()).toarray())
            if body:
                alone = np.zeros((rows, (1 + 2 * scene.dim) * scene.dim))
                alone[:, axis :: scene.dim] = _alone(scene)
                columns.append(alone)
            blocks.append(np.hstack(columns))
        a = scene.frames.acceleration
        size = np.abs(a).sum(axis=1) + np.median(np.abs(a)) + 1e-300
        weight = np.tile(scene.weight / size**2, scene.dim)
        target = a.T.reshape(-1)
        return cls(scene, tuple(factors), knots, np.concatenate(blocks), target, weight, body)

    @property
    def width(self) -> int:
        return len(self.knots) - 4

    def columns(self, chosen) -> np.ndarray:
        places = [self.factors.index(factor) for factor in chosen]
        first = [np.arange(k * self.width, (k + 1) * self.width) for k in places]
        alone = np.arange(len(self.factors) * self.width, self.design.shape[1])
        return np.concatenate([*first, alone])

    @functools.cached_property
    def gram(self) -> tuple[np.ndarray, np.ndarray, float]:
        heavy = self.design * self.weight[:, None]
        return heavy.T @ self.design, heavy.T @ self.target, float(self.weight @ self.target**2)

    def quick(self, chosen) -> np.ndarray:
        """Plain least squares for some of the factors."""
        at = self.columns(chosen)
        gram, right, _ = self.gram
        return np.linalg.solve(_steady(gram[np.ix_(at, at)], self.width, len(chosen)), right[at])

    def misfit(self, chosen, solution) -> float:
        """Root mean squared relative error."""
        at = self.columns(chosen)
        gram, right, total = self.gram
        square = total - 2 * right[at] @ solution + solution @ gram[np.ix_(at, at)] @ solution
        return float(np.sqrt(max(square, 0.0) / self.weight.sum() + 1e-16))


def _solved(system: _System, chosen: Sequence[str]) -> Curves:
    """Least squares in which outliers lose their say, with a slight wish for smooth curves."""
    design, y, weight = system.design[:, system.columns(chosen)], system.target, system.weight
    counts, width = weight.copy(), system.width
    for _ in range(ROUNDS):
        gram = _steady((design * counts[:, None]).T @ design, width, len(chosen))
        solution = np.linalg.solve(gram, design.T @ (counts * y))
        residual = (y - design @ solution) * np.sqrt(weight)
        limit = 4.5 * np.median(np.abs(residual)) + 1e-300
        counts = weight / np.maximum(np.abs(residual) / limit, 1.0)
    spread = float(np.mean((y - design @ solution) ** 2 * counts))
    # As of white noise; what neighbours in time share makes these errors somewhat too small.
    covariance = np.linalg.inv(gram) * spread
    end, dim = width * len(chosen), system.scene.dim
    return Curves(
        tuple(chosen),
        system.knots,
        solution[:end].reshape(len(chosen), width),
        np.stack([covariance[k : k + width, k : k + width] for k in range(0, end, width)]),
        solution[end:].reshape(-1, dim) if system.body else None,
        {},
    )


def _steady(gram: np.ndarray, width: int, count: int) -> np.ndarray:
    """A system that pieces without pairs do not make singular."""
    bend = np.diff(np.eye(width), 2, axis=0)
    scale = np.trace(gram) / len(gram)
    out = gram + 1e-12 * scale * np.eye(len(gram))
    for k in range(count):
        part = slice(k * width, (k + 1) * width)
        out[part, part] += 1e-9 * scale * bend.T @ bend
    return out


def _thinned(scene: Scene) -> Scene:
    """At most so many rows, of frames all along."""
    rows = len(scene.frames.body)
    if rows <= ROWS:
        return scene
    return scene.part(np.arange(0, len(scene.frames), -(-rows // ROWS)))


def _knots(r: np.ndarray) -> np.ndarray:
    low, high = r.min(), r.max()
    # Evenly many pairs in each piece, and pieces of even ratio where pairs are few and close.
    inner = np.quantile(r, np.linspace(0, 1, PIECES + 1)[1:-1])
    close = np.geomspace(max(low, 1e-3 * inner[0]), inner[0], CLOSE + 2)[1:-1]
    return np.concatenate([[low] * 4, np.unique(np.concatenate([close, inner])), [high] * 4])


def _basis(knots: np.ndarray, r: np.ndarray) -> csr_matrix:
    return BSpline.design_matrix(np.clip(r, knots[0], np.nextafter(knots[-1], 0)), knots, 3)


def _alone(scene: Scene) -> np.ndarray:
    frames = scene.frames
    return np.column_stack([np.ones(len(frames.body)), frames.position, frames.velocity])
