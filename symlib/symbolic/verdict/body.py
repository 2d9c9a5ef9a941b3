"""The verdict on what acts on a body alone: a law's external field and its drag.

A message is judged as the pair force (`force.py`); what no other body exerts is in none. An
equation of it is one of an acceleration, component by component, and is held against that
component in the same ways and with the same tolerances as a message is against the force. But an
acceleration has a unit, which a message has not: the factor must be 1, and no constant may be
added.

    recovered_body("-0.5*x/m - 0.1*vx/m", law, dim=2)
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

from symlib.choices import known
from symlib.laws.potentials import Body, PairPotential, get_law
from symlib.laws.variables import AXES, state_names
from symlib.symbolic.verdict.force import CONSTANT_TOLERANCE, Verdict, judge, read_equation
from symlib.symbolic.verdict.reference import (
    BODIES,
    Reference,
    chunks,
    compared_at,
    comparisons_in,
    equation_comparisons,
    near_steps,
    points,
    weights,
)

QUANTITY = "body acceleration"
# How long position and velocity are together: a column that a reference has and no equation.
_LENGTH = "|x, v|"


@dataclass(frozen=True)
class BodyReference(Reference):
    """One component of a body's own acceleration; basis: [n, 1]."""

    offset = False

    def agreement(self, a: np.ndarray) -> str:
        """A yes in words; a: the one factor."""
        return f"{a[0]:.4g} times {self.what}"


def recovered_body(
    equation, law: "str | PairPotential", dim: int, axis: str | None = None
) -> Verdict:
    """Is this a component of the acceleration that a body has without any other one?

    That is (the external field's force + the drag) / mass.

    Args:
        equation: text, a sympy expression, or a `Regression`, in m, q, x, y(, z), vx, vy(, vz).
        law: a name, "path/to/file.py:NAME" or a `PairPotential`.
        dim: 2 or 3.
        axis: x, y or z, the component that the equation is of; None: any one that it agrees with,
            which the reason names.

    Returns:
        A `Verdict` whose one coefficient is the factor in front of the component, which may be as
        far from 1 as any constant; without an additive constant. Of a component that is zero
        everywhere the equation is 0.

    Raises:
        InputError: an equation that cannot be read, an unknown law or axis, another dimension.
    """
    expr = read_equation(equation, state_names, dim)
    law = get_law(law)
    axes = AXES[:dim]
    if axis is not None:
        known("axis", axis, axes)
        axes = (axis,)
    if not law.has_body_terms:
        reason = f"{law.name} has no external field and no drag"
        return Verdict(False, reason, expr)
    truths = _references(law, dim, expr)
    if expr == 0 and any(truths[k] is None for k in axes):
        still = next(k for k in axes if truths[k] is None)
        return Verdict(True, f"zero, as {_what(law, still)} is everywhere", expr, QUANTITY)
    there = [reference for k in axes if (reference := truths[k]) is not None]
    if not there:
        return Verdict(False, f"{_what(law, axes[0])} is zero everywhere", expr)
    if not np.any(there[0].values(expr)):
        return Verdict(False, f"it is zero, and {there[0].what} is not", expr)
    return _of_unit_factor(judge(expr, there))


def _of_unit_factor(verdict: Verdict) -> Verdict:
    """A yes to anything but the acceleration itself becomes a no."""
    if not verdict or verdict.coefficients is None:
        return verdict
    (factor,) = verdict.coefficients
    if abs(factor - 1) <= CONSTANT_TOLERANCE:
        return verdict
    reason = f"it is {verdict.reason}, where the factor must be 1"
    return replace(verdict, recovered=False, reason=reason, quantity=None)


def _what(law: PairPotential, axis: str) -> str:
    return f"the {axis} acceleration that {law.name} gives one body"


def _references(law: PairPotential, dim: int, equation: sp.Expr) -> dict[str, BodyReference | None]:
    """The truth on each axis; None where it is zero everywhere."""
    X, _, names = _points(dim)
    near, known_steps = _near(law, dim)
    if not known_steps:
        near = near + near_steps(lambda X: equation_comparisons(equation, X, names), X, names)
    return {axis: _reference(law, dim, axis, (near == 0).tobytes()) for axis in AXES[:dim]}


@lru_cache(maxsize=32)
def _reference(law: PairPotential, dim: int, axis: str, clear: bytes) -> BodyReference | None:
    X, train, names = _points(dim)
    at = partial(_component, law, dim, AXES.index(axis))
    basis = at(X)
    keep = np.frombuffer(clear, dtype=bool) & np.isfinite(basis[:, 0])
    if not np.any(basis[keep]):
        return None
    return BodyReference(
        what=_what(law, axis),
        quantity=QUANTITY,
        softening=0.0,
        names=names,
        X=X[keep],
        basis=basis[keep],
        weight=weights(np.abs(basis[keep, 0]), X[keep, -1]),
        train=train[keep],
        at=at,
        steps=lambda X: compared_at(X, *_comparing(law, dim)),
    )


@lru_cache(maxsize=2)
def _points(dim: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Bodies whose position and velocity together are as long as a pair's distances."""
    X, train = points(2 * dim)
    return np.delete(X, [1, 3], axis=1), train, (*state_names(dim), _LENGTH)


@lru_cache(maxsize=32)
def _near(law: PairPotential, dim: int) -> tuple[np.ndarray, bool]:
    """To how many of the law's thresholds the points are close, and whether they are all."""
    X, _, names = _points(dim)
    compared, known_steps = _comparing(law, dim)
    return near_steps(lambda X: compared_at(X, compared, True)[0], X, names), known_steps


@lru_cache(maxsize=32)
def _comparing(law: PairPotential, dim: int) -> tuple[Callable, bool]:
    def terms(row):
        m, q, *phase, _ = row
        x, v = jnp.stack(phase).reshape(2, dim)
        body = Body(x, v, m, q, BODIES)
        return law.external_energy(body), law.drag_force(body)

    return comparisons_in(terms, 2 * dim + 3)


@lru_cache(maxsize=32)
def _compiled(law: PairPotential) -> Callable:
    return jax.jit(jax.vmap(lambda state: law.body_force(state, BODIES)))


def _component(law: PairPotential, dim: int, axis: int, X: np.ndarray) -> np.ndarray:
    """One component of the acceleration at X, [n, 1]."""
    with jax.enable_x64(True):
        parts = [
            np.asarray(_compiled(law)(np.column_stack([c[:, 2 : 2 + 2 * dim], c[:, 1], c[:, 0]])))
            for c in chunks(X)
        ]
    return (np.concatenate(parts)[: len(X), axis] / X[:, 0])[:, None]
