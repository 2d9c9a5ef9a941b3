"""The trajectory loss: equations held against positions as they were recorded.

Where noise is amplified by differentiating twice, smoothed accelerations are wrong in a way that
favours the wrong law: they are too gentle in close encounters. So a law is integrated over short
segments, from the middle outwards, and held against what was seen. Where and how fast each body
was in the middle is nobody's to know, and is fitted along, segment by segment. Straight lines
through the residuals bring the beginnings near, as a segment is short and the effect of its
beginning nearly that of free motion; Newton's steps bring them home. They must: where residuals
are least is where they are orthogonal to all that beginnings can do under the law itself, and
with any other condition noise favours constants by which it is amplified least.
"""

import functools
from dataclasses import dataclass, replace

import numpy as np

from symlib.errors import InputError
from symlib.messages.force_law import ForceEquation, Row
from symlib.symbolic.algebra.expressions import Form, compile_expression, form_of, symbol
from symlib.tracks.neighbours import edges_of
from symlib.tracks.recordings import Frames, Tracks
from symlib.tracks.scales import Scales

STRAIGHT, NEWTON = 2, 6  # rounds, at most, in which beginnings are fitted
STEPS = 12  # of constants, at most
ARRIVED = 0.003  # of the loss: a round that saves less was the last
COUPLED = 12  # bodies; of more in a segment, beginnings are fitted by straight lines alone
SUBSTEPS = 2
SHORTEST = 21  # frames of a segment: where nothing is noisy, longer ones tell more
EXACT = 1e-5  # of a length of order one: noise below that is none, and integrating is no better
OUTLIER = 3.0  # residuals, in units of the noise, count as squares up to here
FAR = 50.0  # residuals, in units of the noise, count no more than this
DONE = 0.02  # of its standard deviation: constants that move less have arrived
NUDGE = 1e-5  # of a constant, to see what follows
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

    @functools.cached_property
    def count(self) -> int:
        """How many segments there are."""
        return int(self.segment.max()) + 1

    @property
    def seen(self) -> int:
        """How many components of positions were recorded."""
        return int(np.isfinite(self.observed).sum())

    @functools.cached_property
    def group(self) -> tuple[np.ndarray, np.ndarray, int]:
        """Rows whose beginnings are fitted together: which group, the place in it, the most."""
        rows = np.arange(len(self.segment))
        place = rows - np.searchsorted(self.segment, self.segment)
        most = int(place.max()) + 1
        return (self.segment, place, most) if most <= COUPLED else (rows, 0 * rows, 1)

    @property
    def coupled(self) -> bool:
        """Whether the bodies of a segment are fitted together."""
        return self.group[0] is self.segment

    def shot(self, run, position: np.ndarray, velocity: np.ndarray) -> "Shot":
        """Integrate all segments from these beginnings, by accelerations `run(x, v)`."""
        half = len(self.observed) // 2
        path, pace = np.empty((2, *self.observed.shape))
        path[half], pace[half] = position, velocity
        for sign in (1, -1):
            x, v = position, velocity
            for k in range(1, half + 1):
                for _ in range(SUBSTEPS):
                    x, v = runge_kutta(run, x, v, sign * self.dt / SUBSTEPS)
                path[half + sign * k], pace[half + sign * k] = x, v
        miss = np.where(np.isfinite(self.observed), (path - self.observed) / self.sigma, 0.0)
        return Shot(path, pace, np.clip(np.nan_to_num(miss, nan=FAR), -FAR, FAR))

    def begun(self, run) -> "Shot":
        """Integrate all segments from the beginnings that follow what was seen best.

        Args:
            run: accelerations of positions and velocities, both [rows, dim].
        """
        shot = self.shot(run, self.position, self.velocity)
        lines = self.slopes()
        for _ in range(STRAIGHT):
            shot = self.closer(run, shot, self.moves(lines, shot))
        for _ in range(NEWTON):
            slopes = self.slopes(run, shot) if self.coupled else lines
            before, shot = shot, self.closer(run, shot, self.moves(slopes, shot))
            if self.costs(shot).sum() > (1 - ARRIVED) * self.costs(before).sum():
                break
        return shot

    def closer(self, run, shot: "Shot", moves: tuple[np.ndarray, np.ndarray]) -> "Shot":
        """The same shot, of segments that come closer by these moves the moved one."""
        moved = self.shot(run, shot.position + moves[0], shot.velocity + moves[1])
        better = self.costs(moved) < self.costs(shot)
        return shot.mixed(moved, better[self.segment][:, None])

    def costs(self, shot: "Shot") -> np.ndarray:
        """Huber's loss of each segment."""
        size = np.abs(shot.miss)
        inside = np.minimum(size, OUTLIER)
        return np.bincount(self.segment, (inside * (2 * size - inside)).sum(axis=(0, 2)))

    def grouped(self, table: np.ndarray) -> np.ndarray:
        """[frames, rows, dim, ...] -> [groups, frames · bodies · dim, ...], zero beyond."""
        frames, _, dim, *rest = table.shape
        group, place, most = self.group
        found = np.zeros((group.max() + 1, frames, most, dim, *rest))
        found[group, :, place] = np.moveaxis(table, 0, 1)
        return found.reshape(len(found), -1, *rest)

    def slopes(self, run=None, shot: "Shot | None" = None) -> np.ndarray:
        """How positions follow their beginnings, over σ.

        Of free motion, or, given a field and a shot, of the motion linearised along it.

        Returns:
            shape [groups, frames · bodies · dim, 2 bodies · dim], positions before velocities,
            zero where a body was not seen.
        """
        frames, _, dim = self.observed.shape
        group, _, most = self.group
        half, width, step = frames // 2, most * dim, np.zeros(group.max() + 1)
        step[group] = self.dt[:, 0]
        state = np.zeros((frames, len(step), 2 * width, 2 * width))
        state[half] = np.eye(2 * width)
        flow = np.zeros((frames, len(step), 2 * width, 2 * width))
        flow[:, :, np.arange(width), width + np.arange(width)] = 1
        if run is not None and shot is not None:
            for k in range(0, frames, 2):
                flow[k, :, width:] = self._gradients(run, shot.path[k], shot.pace[k])
            flow[1::2] = (flow[:-1:2] + flow[2::2]) / 2
        for sign in (1, -1):
            for k in range(half, half + sign * half, sign):
                between = (sign * step / 2)[:, None, None] * (flow[k] + flow[k + sign])
                term = total = state[k]
                # Its exponential, to the fourth order.
                for order in range(1, 5):
                    term = between @ term / order
                    total = total + term
                state[k + sign] = total
        found = np.moveaxis(state[:, :, :width], 0, 1).reshape(len(step), -1, 2 * width)
        seen = self.grouped(np.isfinite(self.observed).astype(float))
        return found * (seen / self.sigma)[..., None]

    def _gradients(self, run, x, v, small: float = 1e-6) -> np.ndarray:
        """Of accelerations by positions and velocities, [groups, bodies · dim, 2 bodies · dim].

        Of velocities only the body's own are thought to matter.
        """
        group, place, most = self.group
        dim = x.shape[1]
        found = np.zeros((group.max() + 1, most, dim, 2, most, dim))
        a = run(x, v)
        for axis in range(dim):
            nudge = small * (np.arange(dim) == axis)
            for one in range(most):
                moved = x + nudge * (place == one)[:, None]
                found[group, place, :, 0, one, axis] = (run(moved, v) - a) / small
            found[group, place, :, 1, place, axis] = (run(x, v + nudge) - a) / small
        return found.reshape(len(found), most * dim, 2 * most * dim)

    def heard(self, shot: "Shot") -> np.ndarray:
        """What each residual counts, [groups, frames · bodies · dim]."""
        return self.grouped(np.minimum(1, OUTLIER / np.maximum(np.abs(shot.miss), OUTLIER)))

    def answers(self, slopes: np.ndarray, weight: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Changes of beginnings by which columns are followed best.

        Args:
            slopes: as from `slopes`; weight: as from `heard`; table: [groups, samples, columns].

        Returns:
            shape [groups, 2 bodies · dim, columns].
        """
        heavy = np.swapaxes(slopes * weight[..., None], 1, 2)
        gram = heavy @ slopes
        size = np.einsum("gii->gi", gram)
        # What no sample depends on stays where it is.
        gram[:, np.arange(size.shape[1]), np.arange(size.shape[1])] += 1e-9 * size + (size == 0)
        return np.linalg.solve(gram, heavy @ table)

    def moves(
        self, slopes: np.ndarray, shot: "Shot", ahead: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """By how much beginnings move to make residuals least, positions and velocities.

        Args:
            ahead: residuals as they are foreseen, like `shot.miss`.
        """
        miss = shot.miss if ahead is None else ahead
        found = self.answers(slopes, self.heard(shot), self.grouped(miss)[..., None])[..., 0]
        group, place, most = self.group
        found = -found.reshape(len(found), 2, most, -1)[group, :, place]
        return found[:, 0], found[:, 1]

    def residuals(self, run) -> np.ndarray:
        """(predicted − observed) / σ after the beginnings were fitted, shape of `observed`.

        Args:
            run: accelerations of positions and velocities, both [rows, dim].
        """
        return self.begun(run).miss

    def by_segment(self, residuals: np.ndarray) -> np.ndarray:
        """Mean squares in each segment, about one for a true law: beginnings are accounted for."""
        square = (residuals**2).sum(axis=(0, 2))
        counts = np.isfinite(self.observed).sum(axis=0)
        free = np.maximum(counts - 2, 0).sum(axis=1)
        total = np.bincount(self.segment, free, self.count)
        return np.bincount(self.segment, square, self.count) / np.maximum(total, 1)


@dataclass(frozen=True)
class Shot:
    """Segments as integrated.

    path, pace: positions and velocities; miss: (predicted − observed) / σ, no larger than FAR and
    zero where a body was not seen; all of shape [frames, rows, dim].
    """

    path: np.ndarray
    pace: np.ndarray
    miss: np.ndarray

    @property
    def position(self) -> np.ndarray:
        """At the middle."""
        return self.path[len(self.path) // 2]

    @property
    def velocity(self) -> np.ndarray:
        """At the middle."""
        return self.pace[len(self.pace) // 2]

    def mixed(self, other: "Shot", chosen: np.ndarray) -> "Shot":
        """The other one's rows where chosen."""
        both = zip(vars(self).values(), vars(other).values(), strict=True)
        return Shot(*(np.where(chosen, new, old) for old, new in both))


def segments_of(
    raw: Tracks, smooth: Tracks, scales: Scales, neighbours: float | None = None, most: int = 60
) -> Segments:
    """Cut recordings into segments as long as the smoother's window, and no shorter than 21 frames.

    Args:
        raw: positions as recorded; smooth: the same recordings, smoothed; scales: of what is
            returned.
        neighbours: as for `edges_of`, in the user's unit.
        most: segments; of more, that many are taken evenly.

    Raises:
        InputError: no stretch is long enough.
    """
    length = max(int(smooth.noise.get("window", SHORTEST)), SHORTEST) // 2 * 2 + 1
    half = length // 2
    places: list[tuple[int, int]] = []
    for number, one in enumerate(smooth.recordings):
        for first, end in one.windows():
            # No frame twice, or errors of constants would seem too small.
            last = places[-1][1] if places and places[-1][0] == number else -length
            middles = range(max(first, half, last + length), min(end, len(one) - half), length)
            places += [(number, middle) for middle in middles]
    if not places:
        raise InputError(f"tracks: no stretch of {length} frames to integrate along")
    if len(places) > most:
        places = [places[k] for k in np.linspace(0, len(places) - 1, most).astype(int)]
    parts: list[tuple[np.ndarray, ...]] = []
    offset = [0]
    for number, (recording, middle) in enumerate(places):
        one, was = smooth.recordings[recording], raw.recordings[recording]
        assert one.velocity is not None
        here = np.flatnonzero(one.seen()[middle])
        parts.append(
            (
                one.position[middle, here],
                one.velocity[middle, here],
                one.bodies[here],
                was.position[middle - half : middle + half + 1, here],
                np.full((len(here), 1), one.dt),
                np.full(len(here), number),
            )
        )
        offset.append(offset[-1] + len(here))
    x, v, body, observed, dt, segment = zip(*parts, strict=True)
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
        max(float(smooth.noise.get("position", 0.0)) / scales.length, EXACT),
        edges.sender,
        edges.receiver,
        np.concatenate(segment),
    )


def runge_kutta(field, x, v, step) -> tuple:
    """One step of the classical method, of positions and velocities of any shape."""
    a1 = field(x, v)
    v2 = v + step / 2 * a1
    a2 = field(x + step / 2 * v, v2)
    v3 = v + step / 2 * a2
    a3 = field(x + step / 2 * v2, v3)
    v4 = v + step * a3
    a4 = field(x + step * v3, v4)
    x = x + step / 6 * (v + 2 * v2 + 2 * v3 + v4)
    return x, v + step / 6 * (a1 + 2 * a2 + 2 * a3 + a4)


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
    law: ForceEquation, segments: Segments, numbers: dict[str, np.ndarray], steps: int = STEPS
) -> tuple[ForceEquation, np.ndarray]:
    """Constants that follow the recorded positions best, and their standard deviations.

    Constants and beginnings together, by Gauss and Newton (Levenberg and Marquardt where that
    goes too far): beginnings are eliminated segment by segment. The deviations come from a
    bootstrap over segments.
    """
    dynamics = Dynamics(law, segments, numbers)
    values, damping = dynamics.start, 1e-3
    if not len(values):
        return law, np.zeros(0)
    shot = segments.begun(dynamics.at(values))
    linear = _Linear.of(dynamics, values, shot)
    for _ in range(steps):
        move = linear.step(damping)
        run = dynamics.at(values + move)
        near = segments.shot(run, *linear.beginnings(move))
        near = segments.closer(run, near, segments.moves(linear.slopes, near))
        if segments.costs(near).sum() < segments.costs(shot).sum():
            done = (np.abs(move) < DONE * linear.spread()).all()
            values, shot, damping = values + move, near, damping / 10
            linear = _Linear.of(dynamics, values, shot)
            if done:
                break
        else:
            damping *= 10
    return dynamics.filled(values), linear.spread()


@dataclass(frozen=True)
class _Linear:
    """Residuals as they change with constants and beginnings.

    slopes, weight: as in `Segments`; by_constants: shape [frames, rows, dim, constants].
    grams, sides: normal equations of the constants, beginnings eliminated, of each group.
    """

    segments: Segments
    shot: Shot
    slopes: np.ndarray
    by_constants: np.ndarray
    grams: np.ndarray
    sides: np.ndarray

    @classmethod
    def of(cls, dynamics: "Dynamics", values: np.ndarray, shot: Shot) -> "_Linear":
        segments, changes = dynamics.segments, []
        for k, value in enumerate(values):
            nudge = NUDGE * max(abs(value), NUDGE) * (np.arange(len(values)) == k)
            near = segments.shot(dynamics.at(values + nudge), shot.position, shot.velocity)
            changes.append((near.miss - shot.miss) / nudge[k])
        by_constants = np.stack(changes, axis=-1)
        run = dynamics.at(values)
        slopes = segments.slopes(run, shot) if segments.coupled else segments.slopes()
        weight = segments.heard(shot)
        table = segments.grouped(np.concatenate([by_constants, shot.miss[..., None]], axis=-1))
        left = table - slopes @ segments.answers(slopes, weight, table)
        grams = np.swapaxes(left * weight[..., None], 1, 2) @ left
        return cls(segments, shot, slopes, by_constants, grams[:, :-1, :-1], grams[:, :-1, -1])

    def step(self, damping: float) -> np.ndarray:
        """What constants change by."""
        gram = self.grams.sum(axis=0)
        gram = gram + damping * np.diag(np.diag(gram))
        return -np.linalg.pinv(gram, rcond=1e-14) @ self.sides.sum(axis=0)

    def beginnings(self, move: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions and velocities to begin with when constants change so."""
        ahead = self.shot.miss + self.by_constants @ move
        moves = self.segments.moves(self.slopes, self.shot, ahead)
        return self.shot.position + moves[0], self.shot.velocity + moves[1]

    def spread(self, draws: int = 200) -> np.ndarray:
        """Standard deviations of the constants.

        By a bootstrap over segments, one step each, but no less than as of noise as large as the
        residuals, since of a few segments a bootstrap sees too little.
        """
        segments = self.segments
        segment = np.arange(segments.count) if segments.coupled else segments.segment
        rng, moves = np.random.default_rng(0), []
        for _ in range(draws):
            drawn = rng.integers(0, segments.count, segments.count)
            counts = np.bincount(drawn, minlength=segments.count)[segment]
            gram = np.tensordot(counts, self.grams, 1)
            moves.append(np.linalg.pinv(gram, rcond=1e-14) @ (counts @ self.sides))
        square = segments.by_segment(self.shot.miss).mean()
        white = square * np.diag(np.linalg.pinv(self.grams.sum(axis=0), rcond=1e-14))
        return np.sqrt(np.maximum(np.var(np.stack(moves), axis=0), white))


def by_trajectory(
    found: Row, train: Segments, test: Segments, numbers: dict[str, np.ndarray]
) -> Row:
    """The same row, measured along trajectories."""
    parts = []
    for segments in (train, test):
        dynamics = Dynamics(found.law, segments, numbers)
        parts.append(segments.by_segment(segments.residuals(dynamics.at(dynamics.start))))
    inside, outside = parts
    return replace(
        found,
        blocks=outside,
        fitted_blocks=inside,
        trajectory=float(outside.mean()),
        fitted_trajectory=float(inside.mean()),
        counts=(test.seen, train.seen),
    )
