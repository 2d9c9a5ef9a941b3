"""The truth that an equation is compared with: points, and the force's components there.

Points are of two kinds: like the training data (distances mostly 0.3 to 4, lognormal
masses), and beyond them (distances from 0.1 to 10, heavier and lighter bodies).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import sympy as sp

from symlib.potentials import PairPotential
from symlib.symbolic.expressions import Form, evaluate, symbol
from symlib.symbolic.law_form import Untraceable, conditions, strength, true_forces
from symlib.symbolic.snapping import Snapped, snap

_POINTS = 400
# Points this close to a threshold of the law or the equation are left out: where exactly a
# step lies is a constant like others, but no derivative moves it.
_STEP_BAND = 0.04


@dataclass(frozen=True)
class Reference:
    """One form of the truth on a fixed set of points.

    what: in words, e.g. "the force of r2"; quantity: "force" or "acceleration"; softening;
    names: of the variables; X: [n, variables]; basis: [n, dim]; weight: [n], 1 / the force's
    typical size; train: [n], points like the training data.

    `energy_verdict.py` has another kind, whose values are the gradients of an energy.
    """

    what: str
    quantity: str
    softening: float
    names: tuple[str, ...]
    X: np.ndarray
    basis: np.ndarray
    weight: np.ndarray
    train: np.ndarray

    # Whether an additive constant is allowed, and how a reason speaks of the comparison.
    offset = True
    compared = "the equation"
    apart = ""

    def agreement(self, a: np.ndarray) -> str:
        """A yes in words; a: the coefficients that were found."""
        return f"proportional to a component of {self.what}"

    def run(self, form: Form) -> Callable[[Sequence[float]], np.ndarray]:
        """function(constants) -> what is compared with the truth, [n]."""
        compiled = form.compile(self.names)
        return lambda constants: compiled(constants, self.X)

    def values(self, expr: sp.Expr) -> np.ndarray:
        """What is compared with the truth, [n]."""
        return self.run(Form(expr, (), np.empty(0), ()))(())

    def snap(self, form: Form) -> Snapped:
        """The form's constants, moved into the span of the truth (`snapping.py`)."""
        return snap(self.run(form), form.values, self.basis, self.weight, self.offset)

    def terms(self, terms: list[sp.Expr]) -> list[sp.Expr]:
        """Those terms of a sum that have to be like the truth."""
        return terms


def points(dim: int, seed: int = 20200619) -> tuple[np.ndarray, np.ndarray]:
    """X [n, variables] in the order m1, m2, q1, q2, dx, dy(, dz), r; and which are ordinary."""
    rng = np.random.default_rng(seed)
    n = 2 * _POINTS
    train = np.arange(n) < _POINTS
    d = rng.normal(size=(n, dim))
    near = rng.uniform(np.log(0.3), np.log(4), n)
    side = rng.random(n) < 0.5
    far = np.where(
        side, rng.uniform(np.log(0.1), np.log(0.3), n), rng.uniform(np.log(4), np.log(10), n)
    )
    distance = np.exp(np.where(train, near, far))
    d *= (distance / np.linalg.norm(d, axis=1))[:, None]
    masses = np.exp(rng.normal(size=(n, 2)) * np.where(train, 1.0, 1.5)[:, None])
    charges = rng.choice([-1.0, 1.0], size=(n, 2))
    return np.column_stack([masses, charges, d, np.linalg.norm(d, axis=1)]), train


def weights(size: np.ndarray, r: np.ndarray) -> np.ndarray:
    """1 / the typical force, so that a law's far and near ranges count alike.

    Typical is the force itself, but no less than a tenth of what it is at comparable
    distances: where a force passes through zero, a relative error says nothing.
    """
    level = np.log(r)
    local = np.array([np.median(size[np.abs(level - x) < 0.5]) for x in level])
    nearby = np.array([np.max(local[np.abs(level - x) < 0.5]) for x in level])
    floor = max(1e-3 * float(np.median(size)), 1e-3 * float(np.mean(size)), 1e-300)
    return 1.0 / np.maximum(np.maximum(size, 0.1 * nearby), floor)


def clear_of_steps(steps, X, names) -> np.ndarray:
    """Which points [n] are not close to a threshold of these comparisons."""
    clear = np.ones(len(X), dtype=bool)
    for condition in steps:
        # A charge is -1 or 1, on a known side of any threshold.
        if {s.name for s in condition.free_symbols} <= {"q", "q1", "q2"}:
            continue
        left, right = (evaluate(side, X, names) for side in (condition.lhs, condition.rhs))
        with np.errstate(all="ignore"):
            clear &= ~(np.abs(left - right) <= _STEP_BAND * (np.abs(left) + np.abs(right)) / 2)
    # A comparison that is close everywhere is no threshold in space.
    return clear if clear.mean() > 0.1 else np.ones(len(X), dtype=bool)


@lru_cache(maxsize=32)
def _truth(law: PairPotential, dim: int) -> tuple[sp.Expr | None, tuple[np.ndarray, ...]]:
    """The law's formula (None: by values only), and its force, softened or not, at `points`."""
    names = pair_variables(dim)
    X, _ = points(dim)
    columns = {name: X[:, i] for i, name in enumerate(names)}
    d, r = X[:, 4 : 4 + dim], X[:, -1]
    formula = _trusted_formula(law, dim, X, names)
    forces = []
    for softening in dict.fromkeys((0.0, law.softening)):
        if formula is None:
            bare = replace(law, softening=softening, validate=False)
            force = true_forces(bare, dim, columns)
        else:
            moved = formula.xreplace({symbol("r"): symbol("r") + sp.Float(softening)})
            force = evaluate(moved, X, names)[:, None] * d / r[:, None]
        forces.append(force)
        if softening:
            forces.append(force * (r / (r + softening))[:, None])
    return formula, tuple(forces)


def pair_variables(dim: int) -> list[str]:
    """What an equation of two bodies may contain, in the order of the columns of X."""
    return ["m1", "m2", "q1", "q2", *("dx", "dy", "dz")[:dim], "r"]


def thresholds(law: PairPotential, dim: int) -> list | None:
    """The comparisons inside the law's formula; None where it has no formula."""
    formula, _ = _truth(law, dim)
    return None if formula is None else conditions(formula)


def references(law: PairPotential, dim: int, equation: sp.Expr) -> tuple[Reference, ...]:
    """Force and acceleration, without softening, with it in the distance, and throughout.

    A potential that cannot be written as a formula (see `law_form.py`) is judged by its
    values; its thresholds, if it has some, are then not known and not spared.
    """
    return _references(law, dim, tuple(conditions(equation)))


@lru_cache(maxsize=32)
def _references(law: PairPotential, dim: int, steps: tuple) -> tuple[Reference, ...]:
    names = pair_variables(dim)
    X, train = points(dim)
    _, forces = _truth(law, dim)
    clear = clear_of_steps([*steps, *(thresholds(law, dim) or [])], X, names)
    out = []
    for force in forces:
        for quantity, basis in (("force", force), ("acceleration", force / X[:, :1])):
            keep = clear & np.all(np.isfinite(basis), axis=1)
            weight = weights(np.linalg.norm(basis[keep], axis=1), X[keep, -1])
            out.append(
                Reference(
                    f"the {quantity} of {law.name}",
                    quantity,
                    law.softening,
                    tuple(names),
                    X[keep],
                    basis[keep],
                    weight,
                    train[keep],
                )
            )
    return tuple(out)


def _trusted_formula(law: PairPotential, dim: int, X, names) -> sp.Expr | None:
    """dU/dr as a formula, if it agrees with the law's own gradient."""
    try:
        formula = strength(law, dim)
        r = symbol("r")
        softened = formula.xreplace({r: r + sp.Float(law.softening)})
        mine = evaluate(softened, X, names)[:, None] * X[:, 4 : 4 + dim] / X[:, -1:]
    except (Untraceable, ValueError, TypeError):
        return None
    truth = true_forces(law, dim, {name: X[:, i] for i, name in enumerate(names)})
    agree = np.abs(mine - truth) <= 1e-6 * np.abs(truth) + 1e-9 * np.median(np.abs(truth))
    return formula if agree.all(axis=1).mean() > 0.98 else None
