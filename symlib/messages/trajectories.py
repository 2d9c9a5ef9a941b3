"""The trajectory loss: equations held against positions as they were recorded.

Where noise is amplified by differentiating twice, smoothed accelerations are wrong in a way that
favours the wrong law: they are too gentle in close encounters. So a law is integrated over short
segments, from the middle outwards, and held against what was seen. Where and how fast each body
was in the middle is nobody's to know; it is fitted along, segment by segment, and as a segment is
short its effect is nearly that of free motion, so a few rounds of straight lines through the
residuals do it.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from symlib.errors import InputError
from symlib.messages.force_law import ForceEquation, Row
from symlib.symbolic.algebra.expressions import Form, compile_expression, form_of, symbol
from symlib.tracks.neighbours import edges_of
from symlib.tracks.recordings import Frames, Tracks
from symlib.tracks.scales import Scales
from symlib.tracks.shooting import runge_kutta

ROUNDS = 4  # of straight lines
SUBSTEPS = 2
FAR = 50.0  # residuals, in units of the noise, count no more than this
REACH = 1.3  # neighbours at the middle of a segment are looked for a little farther


@dataclass(frozen=True)
class Segments:
    """Short stretches of recorded positions, side by side (units of order one).

    position, velocity: smoothed, at the middle, shape [rows, dim]; body: of the tracks [rows].
    observed: as recorded, NaN where a body was not seen, shape [frames, rows, dim].
    dt: of each row, shape [rows, 1]; sigma: the noise of a position's component.
    sender, receiver: rows, shape [edges]; segment: of each row.
    """

    position: np.ndarray
    velocity: np.ndarray
    body: np.ndarray
    observed: np.ndarray
    dt: np.ndarray
    sigma: float
    sender: np.ndarray
    receiver: np.ndarray
    segment: np.ndarray

    def residuals(self, run, rounds: int = ROUNDS) -> np.ndarray:
        """(predicted − observed) / σ after the beginnings were fitted, shape of `observed`.

        Args:
            run: accelerations of positions and velocities, both [rows, dim].
        """
        half = len(self.observed) // 2
        times = np.arange(-half, half + 1)[:, None, None] * self.dt
        seen = np.isfinite(self.observed)
        t = np.where(seen, times, 0.0)
        n, t1, t2 = seen.sum(axis=0), t.sum(axis=0), (t**2).sum(axis=0)
        below = np.maximum(n * t2 - t1**2, 1e-300)
        x0, v0 = self.position, self.velocity
        best, least = np.zeros_like(self.observed), np.inf
        for _ in range(rounds):
            miss = self._shot(run, x0, v0) - self.observed
            miss = np.nan_to_num(np.where(seen, miss, 0.0), nan=0.0, posinf=1e6, neginf=-1e6)
            size = float(np.minimum(np.abs(miss) / self.sigma, FAR).mean())
            if size < least:
                best, least = miss, size
            m0, m1 = miss.sum(axis=0), (miss * t).sum(axis=0)
            x0 = x0 - (t2 * m0 - t1 * m1) / below
            v0 = v0 - (n * m1 - t1 * m0) / below
        return np.clip(best / self.sigma, -FAR, FAR)

    def _shot(self, run, x0, v0) -> np.ndarray:
        half = len(self.observed) // 2
        found = np.empty_like(self.observed)
        found[half] = x0
        for sign in (1, -1):
            x, v = x0, v0
            for k in range(1, half + 1):
                for _ in range(SUBSTEPS):
                    x, v = runge_kutta(run, x, v, sign * self.dt / SUBSTEPS)
                found[half + sign * k] = x
        return found

    def by_segment(self, residuals: np.ndarray) -> np.ndarray:
        """Mean squares in each segment."""
        square = (residuals**2).sum(axis=(0, 2))
        counts = np.isfinite(self.observed).sum(axis=(0, 2))
        number = self.segment.max() + 1
        total = np.bincount(self.segment, counts, number)
        return np.bincount(self.segment, square, number) / np.maximum(total, 1)


def segments_of(
    raw: Tracks, smooth: Tracks, scales: Scales, neighbours: float | None = None, most: int = 60
) -> Segments:
    """Cut recordings into segments as long as the smoother's window.

    Args:
        raw: positions as recorded; smooth: the same recordings, smoothed; scales: of what is
            returned.
        neighbours: as for `edges_of`, in the user's unit.
        most: segments; of more, that many are taken evenly.

    Raises:
        InputError: no stretch is long enough.
    """
    length = int(smooth.noise.get("window", 21)) // 2 * 2 + 1
    half, places = length // 2, []
    for number, one in enumerate(smooth.recordings):
        for first, end in one.windows():
            middles = np.arange(first, end, max(1, length // 2))
            inside = middles[(middles >= half) & (middles + half < len(one))]
            places += [(number, int(middle)) for middle in inside]
    if not places:
        raise InputError(f"tracks: no stretch of {length} frames to integrate along")
    if len(places) > most:
        places = [places[k] for k in np.linspace(0, len(places) - 1, most).astype(int)]
    rows, offset = [], [0]
    for segment, (number, middle) in enumerate(places):
        one, was = smooth.recordings[number], raw.recordings[number]
        assert one.velocity is not None
        here = np.flatnonzero(one.seen()[middle])
        observed = was.position[middle - half : middle + half + 1, here]
        rows.append(
            (
                one.position[middle, here],
                one.velocity[middle, here],
                one.bodies[here],
                observed,
                np.full((len(here), 1), one.dt),
                np.full(len(here), segment),
            )
        )
        offset.append(offset[-1] + len(here))
    x, v, body, observed, dt, segment = zip(*rows, strict=True)
    position = np.concatenate(x)
    zeros = np.zeros(len(position))
    frames = Frames(
        np.array(offset),
        np.arange(len(places)),
        np.concatenate(body),
        position,
        position,
        position,
        zeros,
    )
    edges = edges_of(frames, None if neighbours is None else REACH * neighbours)
    return Segments(
        position / scales.length,
        np.concatenate(v) / scales.velocity,
        frames.body,
        np.concatenate(observed, axis=1) / scales.length,
        np.concatenate(dt) / scales.time,
        max(raw_noise(smooth), 1e-12) / scales.length,
        edges.sender,
        edges.receiver,
        np.concatenate(segment),
    )


def raw_noise(smooth: Tracks) -> float:
    """Standard deviation of a recorded position's component, as the smoother found it."""
    return float(smooth.noise.get("position", 0.0))


class Dynamics:
    """A law's accelerations on segments, of its constants."""

    def __init__(self, law: ForceEquation, segments: Segments, numbers: dict[str, np.ndarray]):
        self.law, self.segments = law, segments
        self.forms = [form_of(part) for part in (law.pair, *law.body)]
        known = {**numbers, **law.numbers}
        self.pairs = {}
        for name, values in known.items():
            self.pairs[f"{name}1"] = values[segments.body[segments.receiver]]
            self.pairs[f"{name}2"] = values[segments.body[segments.sender]]
        self.bodies = {name: values[segments.body] for name, values in known.items()}
        axes = "xyz"[: segments.position.shape[1]]
        names = [*axes, *(f"v{axis}" for axis in axes), *self.bodies]
        self.compiled = [self._compiled(self.forms[0], [*self.pairs, "r"])]
        self.compiled += [self._compiled(form, names) for form in self.forms[1:]]
        self.start = np.concatenate([form.values for form in self.forms])

    @staticmethod
    def _compiled(form: Form, names):
        symbols = [*(symbol(name) for name in names), *form.symbols]
        return compile_expression(form.expr, {one: k for k, one in enumerate(symbols)})

    def at(self, values: np.ndarray):
        """The field with these constants."""
        sizes = np.cumsum([len(form.values) for form in self.forms])[:-1]
        constants = np.split(values, sizes)
        s, count = self.segments, len(self.segments.body)

        def run(x, v):
            offset = x[s.sender] - x[s.receiver]
            r = np.sqrt((offset**2).sum(axis=1)) + 1e-12
            with np.errstate(all="ignore"):
                f = self.compiled[0]([*self.pairs.values(), r, *constants[0]]) / r
                found = np.stack(
                    [np.bincount(s.receiver, f * part, count) for part in offset.T], axis=1
                )
                for k, part in enumerate(self.compiled[1:]):
                    columns = [*x.T, *v.T, *self.bodies.values(), *constants[k + 1]]
                    found[:, k] += part(columns)
            return np.clip(np.nan_to_num(found), -1e6, 1e6)

        return run

    def filled(self, values: np.ndarray) -> ForceEquation:
        """The law with these constants."""
        sizes = np.cumsum([len(form.values) for form in self.forms])[:-1]
        parts = np.split(values, sizes)
        pair, *body = (form.fill(p) for form, p in zip(self.forms, parts, strict=True))
        return replace(self.law, pair=pair, body=tuple(body))


def refit_trajectories(
    law: ForceEquation, segments: Segments, numbers: dict[str, np.ndarray], evaluations: int = 6
) -> tuple[ForceEquation, np.ndarray]:
    """Constants that follow the recorded positions best, and their standard deviations.

    The deviations come from the curvature at the best fit, with noise as large as the residuals.
    """
    dynamics = Dynamics(law, segments, numbers)
    if not len(dynamics.start):
        return law, np.zeros(0)

    def run(values):
        return segments.residuals(dynamics.at(values), rounds=3).ravel()

    found = least_squares(
        run, dynamics.start, loss="soft_l1", x_scale="jac", max_nfev=evaluations, diff_step=1e-4
    )
    before, after = ((run(v) ** 2).mean() for v in (dynamics.start, found.x))
    best = found.x if after <= before else dynamics.start
    return dynamics.filled(best), _spread(found, segments)


def _spread(found, segments: Segments, draws: int = 200) -> np.ndarray:
    """Standard deviations of constants by a bootstrap over segments, one linear step each."""
    shape = (*segments.observed.shape, -1)
    jacobian = found.jac.reshape(shape)
    residual = found.fun.reshape(shape[:3])
    number = segments.segment.max() + 1
    grams = np.zeros((number, jacobian.shape[-1], jacobian.shape[-1]))
    sides = np.zeros((number, jacobian.shape[-1]))
    for k in range(number):
        rows = segments.segment == k
        part = jacobian[:, rows].reshape(-1, jacobian.shape[-1])
        grams[k], sides[k] = part.T @ part, part.T @ residual[:, rows].ravel()
    rng, moves = np.random.default_rng(0), []
    for _ in range(draws):
        counts = np.bincount(rng.integers(0, number, number), minlength=number)
        gram = np.tensordot(counts, grams, 1)
        moves.append(np.linalg.pinv(gram) @ (counts @ sides))
    return np.std(np.stack(moves), axis=0)


def by_trajectory(
    found: Row, train: Segments, test: Segments, numbers: dict[str, np.ndarray]
) -> Row:
    """The same row, measured along trajectories."""
    parts = []
    for segments in (train, test):
        dynamics = Dynamics(found.law, segments, numbers)
        parts.append(segments.by_segment(segments.residuals(dynamics.at(dynamics.start))))
    inside, outside = parts
    means = {"trajectory": float(outside.mean()), "fitted_trajectory": float(inside.mean())}
    return replace(found, blocks=outside, fitted_blocks=inside, **means)
