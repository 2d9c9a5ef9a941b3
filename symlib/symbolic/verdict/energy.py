"""The verdict on learned energies: is this the pair potential, is that p²/2m (appendix C)?

FlatHGN's energies act through their derivatives alone: an energy may carry any function of
the masses and charges and any factor, which the paper grants too. So an equation's gradient
is compared with the true one, in the same two ways as a message with the force: by its form
and by its values on fresh points (`verdict.py`). Taking the gradient is what differs; the
constants that move are still the energy's own.

    recovered_pair_energy("0.0019*q1*q2/r - 0.0112 - 0.00143*q1", "charge", dim=2)
    recovered_self_energy("0.49*p^2/m + 0.1*m", dim=2)

The sum over the edges holds each pair twice, so that of a learned pair energy only
H_pair(1, 2) + H_pair(2, 1) shows in the dynamics: that is what to regress.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import sympy as sp

from symlib.laws.potentials import PairPotential, get_law
from symlib.laws.variables import body_names, pair_names
from symlib.symbolic.algebra.expressions import Form, evaluate, symbol
from symlib.symbolic.verdict.force import Verdict, judge, read_equation
from symlib.symbolic.verdict.reference import (
    Reference,
    clear_of,
    law_comparisons,
    points,
    references,
    weights,
)

# Flat apart from their steps: a derivative treats them as constants.
_STEPS = (sp.floor, sp.ceiling, sp.sign)
# A jump that counts as one, relative to what the energy changes by over a distance r.
_JUMP = 0.05
# Straight lines along which a jump is looked for.
_LINES = 20


@dataclass(frozen=True)
class GradientReference(Reference):
    """The gradient of a true energy; an equation's values are those of its own gradient.

    The components follow one another in one column: X [dim n, variables], basis [dim n, 1].
    vector: the names of the coordinates; the last of `names` is the vector's length.
    """

    vector: tuple[str, ...]

    offset = False
    compared = "its gradient"
    apart = ", functions of masses and charges apart"

    def agreement(self, a: np.ndarray) -> str:
        """A yes in words; a: the one factor."""
        return f"{a[0]:.4g} times {self.what}, functions of masses and charges apart"

    def run(self, form: Form) -> Callable[[np.ndarray], np.ndarray]:
        """function(constants) -> the gradient, component after component."""
        n = len(self.X) // len(self.vector)
        components = [
            Form(part, form.symbols, form.values, form.kinds).compile(self.names)
            for part in gradient(form.expr, self.vector, self.names[-1])
        ]
        X = self.X[:n]
        return lambda constants: np.concatenate([part(constants, X) for part in components])

    def terms(self, terms: list[sp.Expr]) -> list[sp.Expr]:
        """Those that change with the vector."""
        moving = {*self.vector, self.names[-1]}
        return [term for term in terms if moving & {s.name for s in term.free_symbols}]


def gradient(energy: sp.Expr, vector: tuple[str, ...], length: str) -> list[sp.Expr]:
    """Components of an energy's gradient, where the length stands for the vector's length.

    Component k is ∂E/∂d_k + (∂E/∂r) d_k / r, for a vector d of length r.
    """
    energy = energy.replace(sp.Abs, lambda x: x * sp.sign(x))
    held = {step: sp.Dummy(real=True) for step in energy.atoms(*_STEPS) if step.free_symbols}
    back = {dummy: step for step, dummy in held.items()}
    flat, r = energy.xreplace(held), symbol(length)
    radial = sp.diff(flat, r) / r
    components = [sp.diff(flat, symbol(k)) + radial * symbol(k) for k in vector]
    return [part.xreplace(back) for part in components]


def _stacked(truth: Reference, what: str, quantity: str, vector) -> GradientReference:
    """A truth with a vector for each point, as one with a column of the components."""
    dim = len(vector)
    stacked = {
        "what": what,
        "quantity": quantity,
        "X": np.tile(truth.X, (dim, 1)),
        "basis": truth.basis.T.reshape(-1, 1),
        "weight": np.tile(truth.weight, dim),
        "train": np.tile(truth.train, dim),
    }
    return GradientReference(**(vars(truth) | stacked), vector=tuple(vector))


def recovered_pair_energy(equation, law: "str | PairPotential", dim: int) -> Verdict:
    """Is this a · U + f(m1, m2, q1, q2), with U the law's potential (appendix C)?

    Args:
        equation: of the symmetrised pair energy, H_pair(1, 2) + H_pair(2, 1): text, a sympy
            expression, or a `Regression`, in the variables of a message; dimensionless.
        law: a name, "path/to/file.py:NAME" or a `PairPotential`. Both bodies are taken at
            rest, with or without the softening, charges are -1 or 1, as for a force.
        dim: 2 or 3.

    Returns:
        A `Verdict` whose one coefficient is a (any number but zero), and whose error is that
        of the gradient. The energy may jump where the law's force does, and nowhere else.

    Raises:
        InputError: an equation that cannot be read, an unknown law, another dimension.
    """
    expr = read_equation(equation, pair_names, dim)
    law = get_law(law)
    # U depends on d = x2 - x1, and the force on body 1 is -dU/dx1 = dU/dd.
    truths = [
        _stacked(truth, f"the potential of {law.name}", "pair energy", truth.names[4 : 4 + dim])
        for truth in references(law, dim, expr)
        if truth.quantity == "force"
    ]
    return _judge(expr, truths, "the distance", lambda X: law_comparisons(law, dim, X))


def recovered_self_energy(equation, dim: int) -> Verdict:
    """Is this a · p²/2m + f(m, q), p the momentum (appendix A.4)?

    Args:
        equation: text, a sympy expression, or a `Regression`, in m, q, momentum px, py(, pz)
            and p = |p|; px² + py² (+ pz²) will do in place of p².
        dim: 2 or 3.

    Returns:
        A `Verdict` whose one coefficient is a, 1 where H is in the simulation's own unit.

    Raises:
        InputError: an equation that cannot be read, or another dimension.
    """
    expr = read_equation(equation, body_names, dim)
    return _judge(expr, [_kinetic(dim)], "the momentum", lambda X: ([], True))


@lru_cache(maxsize=2)
def _kinetic(dim: int) -> GradientReference:
    """p / m at points with momenta like the separations of a pair: mostly 0.3 to 4."""
    X, train = points(dim)
    X = np.delete(X, [1, 3], axis=1)
    velocity = X[:, 2 : 2 + dim] / X[:, :1]
    names = body_names(dim)
    weight = weights(np.linalg.norm(velocity, axis=1), X[:, -1])
    what, quantity = "the kinetic energy p²/2m", "self energy"
    truth = Reference(what, quantity, 0.0, names, X, velocity, weight, train)
    return _stacked(truth, what, quantity, names[2 : 2 + dim])


def _judge(expr: sp.Expr, truths: list[GradientReference], on: str, comparisons) -> Verdict:
    """By form and values, and then no to an energy that jumps in space.

    Its gradient does not show that. Followed along straight lines past the origin, each change
    must be the slope's integral.

    Args:
        comparisons: of X: the truth's own, at whose thresholds anything may happen, and whether
            it has no other steps.
    """
    truth = truths[0]
    if not np.any(truth.values(expr)):
        return Verdict(False, f"it does not depend on {on}", expr)
    verdict = judge(expr, truths)
    names, vector = truth.names, truth.vector
    if not verdict or not expr.has(sp.Piecewise, *_STEPS):
        return verdict
    components = gradient(expr, vector, names[-1])
    first = names.index(vector[0])
    rng = np.random.default_rng(0)
    for row in truth.X[:_LINES]:
        nearest = np.exp(rng.uniform(np.log(0.1), 0.0))
        side, ahead = np.linalg.qr(rng.normal(size=(len(vector), 2)))[0].T
        # Steps in proportion to the distance, out to 10 on either side.
        s = np.linspace(-1.0, 1.0, 2001) * np.arcsinh(10.0 / nearest)
        d = nearest * (side + np.sinh(s)[:, None] * ahead)
        path = np.tile(row, (len(s), 1))
        path[:, first:] = np.column_stack([d, np.linalg.norm(d, axis=1)])
        slopes = np.column_stack([evaluate(part, path, names) for part in components])
        along = slopes @ ahead
        change = np.diff(evaluate(expr, path, names))
        smooth = 0.5 * (along[1:] + along[:-1]) * np.diff(d @ ahead)
        size = np.linalg.norm(slopes, axis=1) * path[:, -1]
        jumps = np.abs(change - smooth) > _JUMP * np.maximum(size[1:], np.median(size))
        if np.any(jumps):
            allowed, known = comparisons(path)
            clear = clear_of(allowed, len(path))
            jumps &= known & clear[1:] & clear[:-1]
        if np.any(jumps):
            x, r = path[np.argmax(jumps), -1], names[-1]
            reason = f"it jumps at {r} = {x:.3g}, where {truth.what} does not"
            return replace(verdict, recovered=False, reason=reason, quantity=None)
    return verdict
