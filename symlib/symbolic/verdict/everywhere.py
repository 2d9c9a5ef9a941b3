"""Is an equation with the law's form the law everywhere, or only where points happened to lie?

It is followed along lines that lead far beyond the points of `reference.py`, and to the places
that its own parts tell (`landmarks.py`): both sides of every threshold, poles, narrow peaks. Its
constants are those that were moved into the law's form, so that a percent off is no objection far
away; what counts is the difference from the truth, relative to the truth there.
"""

import numpy as np
import sympy as sp

from symlib.symbolic.verdict.landmarks import Places, first_component, landmarks
from symlib.symbolic.verdict.reference import (
    Reference,
    equation_comparisons,
    near_steps,
    stretched,
)
from symlib.symbolic.verdict.snapping import IDENTITY, LARGEST, span_fit

# Neighbours, nearer and farther by these, tell how large the truth is around a point.
_AROUND = (0.6, 1.6)
# Less than this, relative to the truth's usual size, is nothing.
_NOTHING = 1e-12


def departure(expr: sp.Expr, reference: Reference, tolerance: float) -> str | None:
    """Where an equation departs from the truth, in words; None where it does nowhere.

    Close to a step of the truth the equation may still be on the other side. There it may have
    any value of the truth's size, but no more steps than the truth has.

    Args:
        expr: the equation, its constants moved into the truth's form.
        reference: the truth.
        tolerance: relative to the truth around a place; of a step, to what the equation changes
            by over a distance like the one there.
    """
    with np.errstate(all="ignore"):
        return _departure(expr, reference, tolerance, landmarks(expr, reference.names))


def _departure(expr: sp.Expr, reference: Reference, tolerance: float, places: Places) -> str | None:
    X = places.X
    values, basis = reference.values(expr, X), reference.at(X)
    a = span_fit(reference.values(expr), reference.basis, reference.weight, reference.offset)
    a, b = (a[:-1], a[-1]) if reference.offset else (a, 0.0)
    true, factor = basis @ a, np.linalg.norm(a)

    size = factor * reference.size(basis)
    around = size
    for nearer in _AROUND:
        there = reference.at(stretched(X, reference.names, nearer))
        around = np.maximum(around, factor * reference.size(there))
    sizes = reference.size(reference.basis)
    usual = factor * np.median(sizes[sizes > 0])
    # A force that passes through zero is no measure there, and one that is zero all around.
    local = np.maximum(size, 0.1 * around)
    local = np.where(local == 0, IDENTITY * usual, np.maximum(local, _NOTHING * usual))
    known = np.isfinite(true) & (around < LARGEST)
    if reference.offset:
        # Beside a force that has faded, what a fitted constant is off by would be large.
        faint = known & (local <= np.quantile(local[known], 0.2))
        left = np.nanmedian((values - true)[faint] - b)
        b += left if abs(left) < IDENTITY * usual else 0.0

    missing = known & ~(np.abs(values) < LARGEST) & (local > _NOTHING * usual)
    if np.any(missing):
        return f"{reference.compared} has no finite value {_where(missing, places, reference)}"
    near, known_steps = _near(expr, reference, X)
    close = np.tile(near > 0, len(values) // len(X))
    allowed = np.where(close, 2 * np.maximum(local, around), tolerance * local)
    wrong = known & (np.abs(values - true - b) > np.maximum(allowed, _NOTHING * (abs(b) + usual)))
    if np.any(wrong):
        where = _where(wrong, places, reference)
        return f"it has the form of {reference.what}, but not {where}"
    if known_steps:
        steps = _extra_steps(expr, reference, places, tolerance * np.maximum(local, around), near)
        if np.any(steps):
            return f"it jumps {_where(steps, places, reference)}, where {reference.what} does not"
    return None


def _near(expr: sp.Expr, reference: Reference, X: np.ndarray) -> tuple[np.ndarray, bool]:
    """To how many steps of the truth each point is close, and whether it has no others."""
    names, count = reference.names, len(X)
    # With the reference's own points, most of which are close to none.
    X = np.concatenate([X, reference.points()])
    near, known = near_steps(lambda X: reference.steps(X)[0], X, names), reference.steps(X)[1]
    if not known:
        near += near_steps(lambda X: equation_comparisons(expr, X, names), X, names)
    return near[:count], known


def _extra_steps(expr, reference, places: Places, least: np.ndarray, near) -> np.ndarray:
    """Which points have a step beside them that the truth lacks; least: what is one, [n]."""
    names, before, after = reference.names, places.before, places.after
    levels, least = reference.levels(expr, places.X), reference.rise(least, places.X)
    # An energy may change with the constant properties as it likes.
    moved = places.moved[before]
    steps = (moved < 0) | (moved >= first_component(names))
    steps &= np.abs(levels[after] - levels[before]) > least[before]
    near = np.maximum(near[before], near[after])
    extra = steps & (near == 0)
    # As many as the truth has close by, along a line on which it meets each of its own once.
    straight = steps & (near > 0) & (moved == len(names) - 1)
    for line in np.unique(places.line[before[straight]]):
        here = straight & (places.line[before] == line)
        at = np.unique(np.round(np.log(places.X[before[here], -1]), 9))
        extra |= here & (len(at) > np.max(near[here]))
    out = np.zeros(len(places.X), dtype=bool)
    out[before[extra]] = True
    return out


def _where(which: np.ndarray, places: Places, reference: Reference) -> str:
    """The most ordinary one of some places, as a reason names it."""
    names, X = reference.names, places.X
    rows = np.flatnonzero(which) % len(X)
    sizes = [k for k, name in enumerate(names) if name[0] == "m"] + [len(names) - 1]
    row = rows[np.argmin(np.abs(np.log(X[rows][:, sizes])).sum(axis=1))]
    told = dict.fromkeys([names[places.moved[row]], names[-1]])
    return "at " + ", ".join(f"{name} = {X[row, names.index(name)]:.3g}" for name in told)
