"""The truth that an equation is compared with: points, and the force's components there.

Points are of two kinds: like the training data (distances mostly 0.3 to 4, lognormal
masses), and beyond them (distances from 0.1 to 10, heavier and lighter bodies).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

from symlib.laws.potentials import Body, PairPotential
from symlib.laws.variables import pair_names
from symlib.symbolic.algebra.expressions import Form, evaluate, fixed
from symlib.symbolic.verdict.snapping import Snapped, snap

_POINTS = 400
_BODIES = 4
# Points this close to a threshold of the law or the equation are left out: where exactly a
# step lies is a constant like others, but no derivative moves it.
_STEP_BAND = 0.04
# In a law's program: what compares, what calls another program, what may hide a step.
_COMPARING = ("gt", "ge", "lt", "le", "max", "min")
_CALLING = ("pjit", "jit", "closed_call", "custom_jvp_call", "custom_vjp_call", "remat")
_STEPPING = ("floor", "ceil", "round", "sign", "rem", "eq", "ne", "while", "scan", "cond")


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

    def run(self, form: Form) -> Callable[[np.ndarray], np.ndarray]:
        """function(constants) -> what is compared with the truth, [n]."""
        compiled = form.compile(self.names)
        return lambda constants: compiled(constants, self.X)

    def values(self, expr: sp.Expr) -> np.ndarray:
        """What is compared with the truth, [n]."""
        return self.run(fixed(expr))(np.empty(0))

    def snap(self, form: Form) -> Snapped:
        """The form's constants, moved into the span of the truth (`snapping.py`)."""
        return snap(self.run(form), form.values, self.basis, self.weight, self.offset)

    def terms(self, terms: list[sp.Expr]) -> list[sp.Expr]:
        """Those terms of a sum that have to be like the truth."""
        return terms


def points(dim: int, seed: int = 20200619) -> tuple[np.ndarray, np.ndarray]:
    """X [n, variables] in the order of `pair_names`; and which of them are ordinary, [n]."""
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


def clear_of(comparisons, count: int) -> np.ndarray:
    """Which points [count] are not close to a threshold.

    Args:
        comparisons: pairs (left, right) of what is compared, each of shape [count].
    """
    clear = np.ones(count, dtype=bool)
    for left, right in comparisons:
        # A charge is -1 or 1, on a known side of any threshold.
        if len(np.unique(np.column_stack([left, right]), axis=0)) > 4:
            with np.errstate(all="ignore"):
                clear &= ~(np.abs(left - right) <= _STEP_BAND * (np.abs(left) + np.abs(right)) / 2)
    # A comparison that is close everywhere is no threshold in space.
    return clear if clear.mean() > 0.1 else np.ones(count, dtype=bool)


def equation_comparisons(expr: sp.Expr, X: np.ndarray, names: Sequence[str]) -> list:
    """(left, right) of every comparison inside an equation; Max and Min compare, too."""
    pairs = [(c.lhs, c.rhs) for c in expr.atoms(sp.core.relational.Relational)]
    for extreme in expr.atoms(sp.Max, sp.Min):
        pairs += combinations(extreme.args, 2)
    return [[evaluate(side, X, names) for side in pair] for pair in pairs]


def law_comparisons(law: PairPotential, dim: int, X: np.ndarray) -> tuple[list, bool]:
    """(left, right) of every comparison inside a law's potential, at rest and not softened.

    The potential is Python code, the user's own perhaps; JAX traces it into a short program,
    which is walked through here.

    Returns:
        The comparisons, and whether these are all the places where the law may have a step.
    """

    def potential(row):
        m1, m2, q1, q2, *d, r = row
        still = jnp.zeros(dim)
        here = Body(still, still, m1, q1, _BODIES)
        return law.function(r, here, Body(jnp.stack(d), still, m2, q2, _BODIES))

    found, known = [], True

    def walk(program, constants, arguments) -> list:
        nonlocal known
        values = dict(zip(program.constvars, constants, strict=True))
        values |= dict(zip(program.invars, arguments, strict=True))

        def read(atom):
            return atom.val if hasattr(atom, "val") else values[atom]

        for equation in program.eqns:
            name, inputs = equation.primitive.name, [read(atom) for atom in equation.invars]
            known &= name not in _STEPPING
            if name in _COMPARING and all(np.size(side) in (1, len(X)) for side in inputs):
                found.append([np.broadcast_to(np.ravel(side), len(X)) for side in inputs])
            if name in _CALLING:
                inner = equation.params.get("jaxpr") or equation.params["call_jaxpr"]
                outputs = walk(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), inputs)
            else:
                outputs = equation.primitive.bind(*inputs, **equation.params)
                outputs = outputs if equation.primitive.multiple_results else [outputs]
            values |= dict(zip(equation.outvars, outputs, strict=True))
        return [read(atom) for atom in program.outvars]

    with jax.enable_x64(True):
        traced = jax.make_jaxpr(jax.vmap(potential))(jnp.asarray(X))
        walk(traced.jaxpr, traced.consts, [jnp.asarray(X)])
    return found, known


def true_forces(law: PairPotential, dim: int, X: np.ndarray) -> np.ndarray:
    """Force on body 1 by autodiff of the law itself, shape [n, dim], both bodies at rest."""
    m1, m2, q1, q2 = X[:, :4].T
    d, still = X[:, 4 : 4 + dim], np.zeros((len(X), dim))
    receivers = np.column_stack([still, still, q1, m1])
    senders = np.column_stack([d, still, q2, m2])
    with jax.enable_x64(True):
        force = jax.jit(jax.vmap(lambda a, b: law.force(a, b, _BODIES)))
        return np.asarray(force(jnp.asarray(receivers), jnp.asarray(senders)))


@lru_cache(maxsize=32)
def _truth(law: PairPotential, dim: int) -> tuple[list, list[np.ndarray]]:
    """The law's comparisons, and its force, softened or not, at `points`."""
    X, _ = points(dim)
    forces = []
    for softening in dict.fromkeys((0.0, law.softening)):
        force = true_forces(replace(law, softening=softening, validate=False), dim, X)
        forces.append(force)
        if softening:
            # Softened in the direction, too.
            forces.append(force * (X[:, -1:] / (X[:, -1:] + softening)))
    return law_comparisons(law, dim, X)[0], forces


def references(law: PairPotential, dim: int, equation: sp.Expr) -> list[Reference]:
    """Force and acceleration, without softening, with it in the distance, and throughout."""
    X, _ = points(dim)
    compared = [*_truth(law, dim)[0], *equation_comparisons(equation, X, pair_names(dim))]
    return _references(law, dim, clear_of(compared, len(X)).tobytes())


@lru_cache(maxsize=32)
def _references(law: PairPotential, dim: int, clear: bytes) -> list[Reference]:
    X, train = points(dim)
    out = []
    for force in _truth(law, dim)[1]:
        for quantity, basis in (("force", force), ("acceleration", force / X[:, :1])):
            keep = np.frombuffer(clear, dtype=bool) & np.all(np.isfinite(basis), axis=1)
            out.append(
                Reference(
                    what=f"the {quantity} of {law.name}",
                    quantity=quantity,
                    softening=law.softening,
                    names=pair_names(dim),
                    X=X[keep],
                    basis=basis[keep],
                    weight=weights(np.linalg.norm(basis[keep], axis=1), X[keep, -1]),
                    train=train[keep],
                )
            )
    return out
