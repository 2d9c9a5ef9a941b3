"""Where an equation may do something that points drawn beforehand do not show.

A spike or a cutoff needs a part of the equation that tells where it is: two sides of a comparison
that are equal there, an argument of a function that vanishes or turns. Those places are looked
for along lines through the variables' space, which lead far beyond the points of `reference.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import sympy as sp

from symlib.symbolic.algebra.expressions import evaluate, fixed

# How far the lines lead: in the distance, in a mass, in one component to either side.
LENGTHS = (1e-3, 1e4)
MASSES = (1e-3, 1e3)
_COMPONENT = 1e3
_STARTS, _STEPS = 8, 400
# What is narrow in several variables at once is found from where it is narrow in one.
_ROUNDS, _NEW_LINES = 3, 16
# Of a part that turns again and again, so many places are enough.
_MOST = 2000
# From a step of a line to the last digits.
_HALVINGS = 48
_GOLDEN = (np.sqrt(5) - 1) / 2
# How far beside a pole or a turn to look, as a share of the line: 2e-5 of a distance.
_BESIDE = 1e-6
_TURNED = -1


@dataclass(frozen=True)
class Lines:
    """Lines in the space of an equation's variables; along each one thing changes.

    names: of the variables: constant properties, a vector's components, its length; start:
    [lines, variables]; moved: [lines], the column that changes: a mass, a component, the length
    (the vector is stretched), or -1 (it is turned).
    """

    names: tuple[str, ...]
    start: np.ndarray
    moved: np.ndarray

    @classmethod
    def through(cls, names: tuple[str, ...], X: np.ndarray) -> "Lines":
        """Every way through each of some points [n, variables]; a charge stays as it is."""
        columns = [_TURNED, *(k for k, name in enumerate(names) if name[0] != "q")]
        return cls(names, np.repeat(X, len(columns), axis=0), np.tile(columns, len(X)))

    def at(self, line: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Points [n, variables] on some lines [n], at t [n] between 0 and 1."""
        X, first = self.start[line].copy(), first_component(self.names)
        vectors = X[:, first:-1]
        for column in np.unique(self.moved[line]):
            on = self.moved[line] == column
            d, s = vectors[on], t[on, None]
            length = np.linalg.norm(d, axis=1, keepdims=True)
            if column == _TURNED:
                ahead = d / length
                side = np.roll(ahead, 1, axis=1)
                side[:, 0] *= -1
                side -= (side * ahead).sum(axis=1, keepdims=True) * ahead
                side *= length / np.linalg.norm(side, axis=1, keepdims=True)
                vectors[on] = np.cos(2 * np.pi * s) * d + np.sin(2 * np.pi * s) * side
            elif column == len(self.names) - 1:
                vectors[on] = d / length * _between(LENGTHS, s)
            elif column >= first:
                # Fine near zero, coarse far from it.
                X[on, column] = np.sinh((2 * t[on] - 1) * np.arcsinh(100 * _COMPONENT)) / 100
            else:
                X[on, column] = _between(MASSES, t[on])
        X[:, -1] = np.linalg.norm(vectors, axis=1)
        return X

    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        """All lines in even steps: which line [lines, steps], and t."""
        count = len(self.start)
        t = (np.arange(_STEPS) + 0.5) / _STEPS
        return np.repeat(np.arange(count)[:, None], _STEPS, axis=1), np.tile(t, (count, 1))


@dataclass(frozen=True)
class Places:
    """Points to compare at, and the pairs of them that have a threshold between.

    X: [n, variables]; moved: [n], what changes on the point's line, as in `Lines`; line: [n];
    before, after: [thresholds], indices of the points on the two sides of each.
    """

    X: np.ndarray
    moved: np.ndarray
    line: np.ndarray
    before: np.ndarray
    after: np.ndarray


def first_component(names: tuple[str, ...]) -> int:
    """The column of a vector's first component: masses and charges come before it."""
    return next(k for k, name in enumerate(names) if name[0] not in "mq")


def landmarks(expr: sp.Expr, names: tuple[str, ...]) -> Places:
    """Points far and wide, and those beside the places that an equation's parts tell."""
    thresholds, smooth = _thresholds(expr), _smooth(expr)
    lines = _first_lines(names)
    line, t = (x.ravel() for x in lines.samples())
    none = np.empty(0, dtype=int)
    found = [Places(lines.at(line, t), lines.moved[line], line, none, none)]
    seen: set[bytes] = set()
    for _ in range(_ROUNDS):
        places = _beside(lines, thresholds, smooth)
        found.append(places)
        if not thresholds or not len(places.X):
            break
        # Where all comparisons together say what they have said nowhere before.
        signs = np.column_stack([evaluate(part, places.X, names) > 0 for part in thresholds])
        said, index = np.unique(signs, axis=0, return_index=True)
        new = [k for one, k in zip(said, index, strict=True) if one.tobytes() not in seen]
        if not new:
            break
        seen |= {one.tobytes() for one in said}
        lines = Lines.through(names, places.X[new[:_NEW_LINES]])
    return _joined(found)


@lru_cache(maxsize=16)
def _first_lines(names: tuple[str, ...]) -> Lines:
    rng = np.random.default_rng(20200620)
    X = np.exp(0.5 * rng.normal(size=(_STARTS, len(names))))
    X[:, first_component(names) :] *= rng.choice([-1, 1], size=X[:, first_component(names) :].shape)
    charges = [k for k, name in enumerate(names) if name[0] == "q"]
    # All combinations in turn.
    X[:, charges] = [[1 - 2 * (i >> k & 1) for k in range(len(charges))] for i in range(_STARTS)]
    return Lines.through(names, X)


def _between(ends: tuple[float, float], t: np.ndarray) -> np.ndarray:
    """From one end to the other in proportional steps."""
    return ends[0] * (ends[1] / ends[0]) ** t


def _thresholds(expr: sp.Expr) -> list[sp.Expr]:
    """What changes its sign where an equation may jump."""
    found = [c.lhs - c.rhs for c in expr.atoms(sp.core.relational.Relational)]
    for extreme in expr.atoms(sp.Max, sp.Min):
        found += [one - other for one, other in combinations(extreme.args, 2)]
    found += [node.args[0] for node in expr.atoms(sp.Abs, sp.sign)]
    found += [sp.sin(sp.pi * node.args[0]) for node in expr.atoms(sp.floor, sp.ceiling)]
    return [part for part in dict.fromkeys(found) if part.free_symbols]


def _smooth(expr: sp.Expr) -> list[sp.Expr]:
    """What vanishes or turns where an equation may have a pole or a narrow peak."""
    found = [arg for node in expr.atoms(sp.Function, sp.Pow) for arg in node.args]
    wanted = (part for part in dict.fromkeys(found) if isinstance(part, sp.Expr))
    return [part for part in wanted if part.free_symbols and not part.is_Symbol]


def _beside(lines: Lines, thresholds: list[sp.Expr], smooth: list[sp.Expr]) -> Places:
    """The two sides of each threshold, and what lies around poles and turns, along some lines."""
    which, t, before, after, count = [], [], [], [], 0
    for part in (*thresholds, *smooth):
        (crossed, low, high), (turning, turn) = _found(part, lines)
        aside = _BESIDE
        if part in thresholds:
            aside = 0.0
            before.append(count + np.arange(len(crossed)))
            after.append(before[-1] + len(crossed))
        which += [crossed, crossed, turning, turning, turning]
        t += [low - aside, high + aside, turn - _BESIDE, turn, turn + _BESIDE]
        count += 2 * len(crossed) + 3 * len(turning)
    none = [np.empty(0, dtype=int)]
    line = np.concatenate(which or none)
    X = lines.at(line, np.concatenate(t or none))
    sides = (np.concatenate(side or none) for side in (before, after))
    return Places(X, lines.moved[line], line, *sides)


def _joined(found: list[Places]) -> Places:
    points = np.cumsum([0, *(len(one.X) for one in found)])
    lines = np.cumsum([0, *(int(one.line.max(initial=-1)) + 1 for one in found)])
    return Places(
        np.concatenate([one.X for one in found]),
        np.concatenate([one.moved for one in found]),
        np.concatenate([one.line + k for one, k in zip(found, lines, strict=False)]),
        np.concatenate([one.before + k for one, k in zip(found, points, strict=False)]),
        np.concatenate([one.after + k for one, k in zip(found, points, strict=False)]),
    )


def _found(part: sp.Expr, lines: Lines):
    """Where a part changes its sign along lines, and where it is closest to zero between.

    Returns:
        (line [n], t just before, t just after), and (line [m], t).
    """
    compiled = fixed(part).compile(lines.names)

    def value(line, t):
        return compiled((), lines.at(line, t))

    line, t = lines.samples()
    g = value(line.ravel(), t.ravel()).reshape(t.shape)
    size, positive = np.abs(g), g > 0
    changes = (positive[:, 1:] != positive[:, :-1]) & np.isfinite(g[:, 1:] + g[:, :-1])
    # The middle one of three is the closest, and all are on one side.
    here, left, right = size[:, 1:-1], size[:, :-2], size[:, 2:]
    closest = (here <= left) & (here <= right) & ((here < left) | (here < right))
    closest &= ~changes[:, 1:] & ~changes[:, :-1]

    i, k = _some(closest)
    sign = np.where(positive[i, k + 1], 1.0, -1.0)
    turn = _least(lambda s: sign * value(i, s), t[i, k], t[i, k + 2])
    # A turn that leads across zero lies between two more changes of sign.
    across = (value(i, turn) > 0) != positive[i, k + 1]
    j, n = _some(changes)
    crossed = np.concatenate([j, i[across], i[across]])
    low = np.concatenate([t[j, n], t[i, k][across], turn[across]])
    high = np.concatenate([t[j, n + 1], turn[across], t[i, k + 2][across]])
    return (crossed, *_narrowed(value, crossed, low, high)), (i, turn)


def _some(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a mask is true, evenly thinned to what is enough."""
    rows, columns = np.nonzero(mask)
    stride = 1 + len(rows) // _MOST
    return rows[::stride], columns[::stride]


def _least(function: Callable, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The minimum of a function of t [n] between low and high, by golden sections."""
    one, other = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_one, at_other = function(one), function(other)
    for _ in range(_HALVINGS if len(low) else 0):
        falls = at_one > at_other
        low, high = np.where(falls, one, low), np.where(falls, high, other)
        new = np.where(falls, low + _GOLDEN * (high - low), high - _GOLDEN * (high - low))
        at_new = function(new)
        one, other = np.where(falls, other, new), np.where(falls, new, one)
        at_one, at_other = np.where(falls, at_other, at_new), np.where(falls, at_new, at_one)
    return (low + high) / 2


def _narrowed(value: Callable, line, low, high) -> tuple[np.ndarray, np.ndarray]:
    """The two ends of a bracket around each change of sign, as close as numbers get."""
    positive = value(line, low) > 0
    for _ in range(_HALVINGS if len(low) else 0):
        middle = (low + high) / 2
        same = (value(line, middle) > 0) == positive
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return low, high
