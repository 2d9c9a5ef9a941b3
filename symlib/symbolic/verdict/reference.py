"""The truth that an equation is compared with: points, and the force's components there.

Points are of two kinds: like the training data (`ORDINARY` distances, lognormal masses), and
outside of it (`BEYOND`, heavier and lighter bodies). An equation that
agrees there is followed farther out, and to the places that its own parts tell (`landmarks.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

from symlib.laws.potentials import Body, PairPotential
from symlib.laws.variables import pair_names
from symlib.symbolic.algebra.expressions import Form, evaluate, fixed
from symlib.symbolic.verdict.landmarks import first_component
from symlib.symbolic.verdict.snapping import Snapped, snap

_POINTS = 400
BODIES = 4
# Distances of the two kinds of points; the second kind's leave the first kind's out.
ORDINARY, BEYOND = (0.3, 4.0), (0.1, 10.0)
# How far from a step of the law one of the equation may lie (relative). Where exactly a step lies
# is a constant like others, but no derivative moves it: so points this close are left out.
STEP_TOLERANCE = 0.08
# The law is evaluated at many points in chunks of one size, for which it is compiled once.
_CHUNK = 4096
# In a law's program: what compares, what calls another program, what may hide a step.
_COMPARING = ("gt", "ge", "lt", "le", "max", "min")
_CALLING = ("pjit", "jit", "closed_call", "custom_jvp_call", "custom_vjp_call", "remat")
_STEPPING = ("floor", "ceil", "round", "sign", "rem", "eq", "ne", "while", "scan", "cond")


@dataclass(frozen=True)
class Reference:
    """One form of the truth on a fixed set of points.

    what: in words, e.g. "the force of r2"; quantity: "force" or "acceleration"; softening;
    names: of the variables; X: [n, variables]; basis: [n, dim]; weight: [n], 1 / the force's
    typical size; train: [n], points like the training data; at: basis at other points; steps:
    what the truth compares at other points, and whether it has no steps but those
    (`law_comparisons`).

    `energy.py` has another kind, whose values are the gradients of an energy.
    """

    what: str
    quantity: str
    softening: float
    names: tuple[str, ...]
    X: np.ndarray
    basis: np.ndarray
    weight: np.ndarray
    train: np.ndarray
    at: Callable[[np.ndarray], np.ndarray]
    steps: Callable[[np.ndarray], tuple[np.ndarray, bool]]

    # Whether an additive constant is allowed, and how a reason speaks of the comparison.
    offset = True
    compared = "the equation"
    apart = ""

    def agreement(self, a: np.ndarray) -> str:
        """A yes in words; a: the coefficients that were found."""
        return f"proportional to a component of {self.what}"

    def run(self, form: Form, X: np.ndarray | None = None) -> Callable[[np.ndarray], np.ndarray]:
        """function(constants) -> what is compared with the truth at X, by default its own."""
        compiled = form.compile(self.names)
        return lambda constants: compiled(constants, self.X if X is None else X)

    def values(self, expr: sp.Expr, X: np.ndarray | None = None) -> np.ndarray:
        """What is compared with the truth, at X or its own points."""
        return self.run(fixed(expr), X)(np.empty(0))

    def points(self) -> np.ndarray:
        """Its points, each once."""
        return self.X

    def size(self, basis: np.ndarray) -> np.ndarray:
        """How large the truth is at each point, from its basis there."""
        return np.linalg.norm(basis, axis=1)

    def levels(self, expr: sp.Expr, X: np.ndarray) -> np.ndarray:
        """What must not jump where the truth has no step, [n]."""
        return self.values(expr, X)

    def rise(self, size: np.ndarray, X: np.ndarray) -> np.ndarray:
        """By how much that changes over a distance like the one at X, [n], from a size there."""
        return size

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
    (closest, farthest), (low, high) = np.log(BEYOND), np.log(ORDINARY)
    near = rng.uniform(low, high, n)
    side = rng.random(n) < 0.5
    far = np.where(side, rng.uniform(closest, low, n), rng.uniform(high, farthest, n))
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


def stretched(X: np.ndarray, names: tuple[str, ...], factor: float) -> np.ndarray:
    """The same points with every vector, and its length, so many times as long."""
    out = X.copy()
    out[:, first_component(names) :] *= factor
    return out


def near_steps(compared: Callable, X: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """To how many thresholds each of some points [n, variables] is close.

    Args:
        compared: of X: pairs (left, right) of what is compared, each of shape [n].
    """
    near, pairs = np.zeros(len(X), dtype=int), compared(X)
    if not len(pairs):
        return near
    factor = 1 + STEP_TOLERANCE
    sides = [compared(stretched(X, names, by)) for by in (1 / factor, factor)]
    for (left, right), nearer, farther in zip(pairs, *sides, strict=True):
        with np.errstate(all="ignore"):
            close = (nearer[0] > nearer[1]) != (farther[0] > farther[1])
            # A charge is -1 or 1, on a known side of any threshold.
            if len(np.unique(np.column_stack([left, right]), axis=0)) > 4:
                band = STEP_TOLERANCE * (np.abs(left) + np.abs(right)) / 2
                close |= np.abs(left - right) <= band
        near += close
    # A comparison that is close everywhere is no threshold in space.
    return near if np.mean(near == 0) > 0.1 else np.zeros(len(X), dtype=int)


def equation_comparisons(expr: sp.Expr, X: np.ndarray, names: Sequence[str]) -> list:
    """(left, right) of every comparison inside an equation; Max and Min compare, too."""
    pairs = [(c.lhs, c.rhs) for c in expr.atoms(sp.core.relational.Relational)]
    for extreme in expr.atoms(sp.Max, sp.Min):
        pairs += combinations(extreme.args, 2)
    return [[evaluate(side, X, names) for side in pair] for pair in pairs]


def law_comparisons(law: PairPotential, dim: int, X: np.ndarray) -> tuple[np.ndarray, bool]:
    """(left, right) of every comparison inside a law's potential, at rest and not softened.

    Returns:
        The comparisons, [comparisons, 2, n], and whether these are all the places where the law
        may have a step.
    """
    return compared_at(X, *_comparing(law, dim))


def compared_at(X: np.ndarray, compared: Callable, known: bool) -> tuple[np.ndarray, bool]:
    """What `comparisons_in` found, at X: [comparisons, 2, n]; and whether it is all."""
    with jax.enable_x64(True):
        found = np.concatenate([compared(jnp.asarray(chunk)) for chunk in chunks(X)])
    return found[: len(X)].transpose(1, 2, 0), known


@lru_cache(maxsize=32)
def _comparing(law: PairPotential, dim: int) -> tuple[Callable, bool]:
    def potential(row):
        m1, m2, q1, q2, *d, r = row
        still = jnp.zeros(dim)
        here = Body(still, still, m1, q1, BODIES)
        return law.function(r, here, Body(jnp.stack(d), still, m2, q2, BODIES))

    return comparisons_in(potential, dim + 5)


def comparisons_in(function: Callable, width: int) -> tuple[Callable, bool]:
    """function(X [n, width]) -> what is compared [n, comparisons, 2]; and whether it is all.

    A law is Python code, the user's own perhaps; JAX traces its function of a row [width] into a
    short program, which is walked through here.
    """
    known = True

    def compared(row):
        found: list = []

        def walk(program, constants, arguments) -> list:
            nonlocal known
            values = dict(zip(program.constvars, constants, strict=True))
            values |= dict(zip(program.invars, arguments, strict=True))

            def read(atom):
                return atom.val if hasattr(atom, "val") else values[atom]

            for equation in program.eqns:
                name, inputs = equation.primitive.name, [read(atom) for atom in equation.invars]
                known &= name not in _STEPPING
                if name in _COMPARING:
                    # Of two vectors each number with its counterpart.
                    sides = [jnp.ravel(side) for side in jnp.broadcast_arrays(*inputs)]
                    found.extend(jnp.stack(sides, axis=-1))
                if name in _CALLING:
                    inner = equation.params.get("jaxpr") or equation.params["call_jaxpr"]
                    program_inside = getattr(inner, "jaxpr", inner)
                    outputs = walk(program_inside, getattr(inner, "consts", ()), inputs)
                else:
                    outputs = equation.primitive.bind(*inputs, **equation.params)
                    outputs = outputs if equation.primitive.multiple_results else [outputs]
                values |= dict(zip(equation.outvars, outputs, strict=True))
            return [read(atom) for atom in program.outvars]

        traced = jax.make_jaxpr(function)(row)
        walk(traced.jaxpr, traced.consts, [row])
        return jnp.stack(found) if found else jnp.zeros((0, 2))

    with jax.enable_x64(True):
        jax.eval_shape(compared, jax.ShapeDtypeStruct((width,), np.float64))
    return jax.jit(jax.vmap(compared)), known


def chunks(X: np.ndarray) -> list[np.ndarray]:
    """X in chunks of one size, the last filled up with its last point."""
    size = min(_CHUNK, len(X))
    filled = np.concatenate([X, np.repeat(X[-1:], -len(X) % size, axis=0)])
    return np.split(filled, len(filled) // size)


@lru_cache(maxsize=32)
def _compiled(law: PairPotential) -> Callable:
    return jax.jit(jax.vmap(lambda a, b: law.force(a, b, BODIES)))


def true_forces(law: PairPotential, dim: int, X: np.ndarray) -> np.ndarray:
    """Force on body 1 by autodiff of the law itself, shape [n, dim], both bodies at rest."""
    parts = []
    for chunk in chunks(X):
        m1, m2, q1, q2 = chunk[:, :4].T
        d, still = chunk[:, 4 : 4 + dim], np.zeros((len(chunk), dim))
        receivers = np.column_stack([still, still, q1, m1])
        senders = np.column_stack([d, still, q2, m2])
        with jax.enable_x64(True):
            parts.append(_compiled(law)(jnp.asarray(receivers), jnp.asarray(senders)))
    return np.concatenate(parts)[: len(X)]


def _ways(law: PairPotential) -> list[tuple[PairPotential, bool]]:
    """The law not softened, softened in the distance, and in the direction, too."""
    bare, soft = (replace(law, softening=s, validate=False) for s in (0.0, law.softening))
    return [(bare, False), (soft, False), (soft, True)] if law.softening else [(bare, False)]


def _true(
    law: PairPotential, dim: int, throughout: bool, quantity: str, X: np.ndarray
) -> np.ndarray:
    """Force or acceleration at X, [n, dim]; throughout: softened in the direction, too."""
    force = true_forces(law, dim, X)
    if throughout:
        force = force * (X[:, -1:] / (X[:, -1:] + law.softening))
    return force if quantity == "force" else force / X[:, :1]


@lru_cache(maxsize=32)
def _near(law: PairPotential, dim: int) -> tuple[np.ndarray, bool]:
    """To how many of the law's thresholds `points` are close, and whether they are all."""
    X, _ = points(dim)
    near = near_steps(lambda X: law_comparisons(law, dim, X)[0], X, pair_names(dim))
    return near, law_comparisons(law, dim, X)[1]


def references(law: PairPotential, dim: int, equation: sp.Expr) -> list[Reference]:
    """Force and acceleration, without softening, with it in the distance, and throughout."""
    X, _ = points(dim)
    names = pair_names(dim)
    near, known = _near(law, dim)
    if not known:
        # A step of such a law may lie wherever the equation has one.
        near = near + near_steps(lambda X: equation_comparisons(equation, X, names), X, names)
    return _references(law, dim, (near == 0).tobytes())


@lru_cache(maxsize=32)
def _references(law: PairPotential, dim: int, clear: bytes) -> list[Reference]:
    X, train = points(dim)
    out = []
    for one, throughout in _ways(law):
        for quantity in ("force", "acceleration"):
            at = partial(_true, one, dim, throughout, quantity)
            basis = at(X)
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
                    at=at,
                    steps=partial(law_comparisons, law, dim),
                )
            )
    return out
