"""The verdict on learned energies: is this the pair potential, is that p²/2m (appendix C)?

FlatHGN's energies act through their derivatives alone: an energy may carry any function of
the masses and charges and any factor, which the paper grants too. So an equation's gradient
is compared with the true one, in the same ways as a message with the force (`force.py`). Taking
the gradient is what differs; the constants that move are still the energy's own. And since a
gradient does not show them, jumps of the energy in space are looked for (`everywhere.py`).

    recovered_pair_energy("0.0019*q1*q2/r - 0.0112 - 0.00143*q1", "charge", dim=2)
    recovered_self_energy("0.49*p^2/m + 0.1*m", dim=2)

The sum over the edges holds each pair twice, so that of a learned pair energy only
H_pair(1, 2) + H_pair(2, 1) shows in the dynamics: that is what to regress.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp

from symlib.laws.potentials import PairPotential, get_law
from symlib.laws.variables import body_names, pair_names
from symlib.symbolic.algebra.expressions import Form, evaluate, symbol
from symlib.symbolic.verdict.force import Verdict, judge, of_pairs, read_equation
from symlib.symbolic.verdict.reference import Reference, points, references, weights

# Flat apart from their steps: a derivative treats them as constants.
_STEPS = (sp.floor, sp.ceiling, sp.sign)


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

    def run(self, form: Form, X: np.ndarray | None = None) -> Callable[[np.ndarray], np.ndarray]:
        """function(constants) -> the gradient, component after component."""
        components = [
            Form(part, form.symbols, form.values, form.kinds).compile(self.names)
            for part in gradient(form.expr, self.vector, self.names[-1])
        ]
        places = self.points() if X is None else X
        return lambda constants: np.concatenate([part(constants, places) for part in components])

    def points(self) -> np.ndarray:
        """Its points, each once."""
        return self.X[: len(self.X) // len(self.vector)]

    def size(self, basis: np.ndarray) -> np.ndarray:
        """Length of the true gradient, for each of its components."""
        dim = len(self.vector)
        return np.tile(np.linalg.norm(basis.reshape(dim, -1), axis=0), dim)

    def levels(self, expr: sp.Expr, X: np.ndarray) -> np.ndarray:
        """The energy itself, whose jumps its gradient does not show."""
        return evaluate(expr, X, self.names)

    def rise(self, size: np.ndarray, X: np.ndarray) -> np.ndarray:
        """Of an energy it is the gradient times the distance."""
        return size[: len(X)] * X[:, -1]

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

    def column(basis):
        return basis.T.reshape(-1, 1)

    stacked = {
        "what": what,
        "quantity": quantity,
        "X": np.tile(truth.X, (dim, 1)),
        "basis": column(truth.basis),
        "weight": np.tile(truth.weight, dim),
        "train": np.tile(truth.train, dim),
        "at": lambda X: column(truth.at(X)),
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
        of the gradient. The energy may jump where the law's force does, and nowhere else in space.

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
    return of_pairs(_judge(expr, truths, "the distance"), law, "energy", "a pair energy")


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
    return _judge(expr, [_kinetic(dim)], "the momentum")


@lru_cache(maxsize=2)
def _kinetic(dim: int) -> GradientReference:
    """p / m at points with momenta like the separations of a pair: mostly 0.3 to 4."""
    X, train = points(dim)
    X = np.delete(X, [1, 3], axis=1)
    names = body_names(dim)

    def velocities(X):
        return X[:, 2 : 2 + dim] / X[:, :1]

    velocity = velocities(X)
    what, quantity = "the kinetic energy p²/2m", "self energy"
    truth = Reference(
        what=what,
        quantity=quantity,
        softening=0.0,
        names=names,
        X=X,
        basis=velocity,
        weight=weights(np.linalg.norm(velocity, axis=1), X[:, -1]),
        train=train,
        at=velocities,
        steps=lambda X: (np.empty((0, 2, len(X))), True),
    )
    return _stacked(truth, what, quantity, names[2 : 2 + dim])


def _judge(expr: sp.Expr, truths: list[GradientReference], on: str) -> Verdict:
    if not np.any(truths[0].values(expr)):
        return Verdict(False, f"it does not depend on {on}", expr)
    return judge(expr, truths)
