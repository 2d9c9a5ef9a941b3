"""A law's potential as a formula, read off the JAX program that computes it.

The verdict compares an equation with the true force. The potential is Python code, the
user's own perhaps; JAX traces it into a short program of primitive operations, and each of
these has a counterpart in sympy. So the true force is known as a formula, differentiated
exactly and with the softening at will, for any law made of the operations below.
"""

from functools import reduce
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

from symlib.potentials import Body, PairPotential
from symlib.symbolic.expressions import symbol

R, M1, M2, Q1, Q2 = (symbol(name) for name in ("r", "m1", "m2", "q1", "q2"))
BODIES = 4


class Untraceable(Exception):
    """A potential made of an operation without a counterpart here."""


def _select(which, *cases):
    if len(cases) != 2:
        raise Untraceable("select_n")
    if which in (sp.true, sp.false):
        return cases[1] if which == sp.true else cases[0]
    return sp.Piecewise((cases[1], which), (cases[0], True))


_PRIMITIVES = {
    "add": lambda a, b: a + b,
    "add_any": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "pow": lambda a, b: a**b,
    "square": lambda a: a**2,
    "sqrt": sp.sqrt,
    "rsqrt": lambda a: 1 / sp.sqrt(a),
    "exp": sp.exp,
    "exp2": lambda a: 2**a,
    "expm1": lambda a: sp.exp(a) - 1,
    "log": sp.log,
    "log1p": lambda a: sp.log(1 + a),
    "logistic": lambda a: 1 / (1 + sp.exp(-a)),
    "tanh": sp.tanh,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "abs": sp.Abs,
    # As comparisons, because sympy differentiates Max to a Heaviside step.
    "max": lambda a, b: sp.Piecewise((a, sp.Ge(a, b)), (b, True)),
    "min": lambda a, b: sp.Piecewise((a, sp.Le(a, b)), (b, True)),
    "gt": sp.Gt,
    "ge": sp.Ge,
    "lt": sp.Lt,
    "le": sp.Le,
    "and": sp.And,
    "or": sp.Or,
    "not": sp.Not,
    "select_n": _select,
    "convert_element_type": lambda a: a,
    "copy": lambda a: a,
    "copy_p": lambda a: a,
    "stop_gradient": lambda a: a,
    "reshape": lambda a: a,
    "squeeze": lambda a: a,
    "broadcast_in_dim": lambda a: a,
}
_CALLS = ("pjit", "jit", "closed_call", "custom_jvp_call", "custom_vjp_call", "remat")


def _literal(value) -> sp.Expr:
    array = np.asarray(value)
    if array.size != 1:
        raise Untraceable("an array inside the potential")
    number = array.reshape(()).item()
    if isinstance(number, bool):
        return sp.true if number else sp.false
    return sp.Integer(int(number)) if float(number).is_integer() else sp.Float(number, 17)


def _run(jaxpr, constants, arguments):
    """Interpret a program on sympy expressions; what is known as numbers stays numbers."""
    values = dict(zip(jaxpr.constvars, constants, strict=True))
    values |= dict(zip(jaxpr.invars, arguments, strict=True))

    def read(atom):
        return atom.val if hasattr(atom, "val") else values[atom]

    def formula(value):
        return value if isinstance(value, sp.Basic) else _literal(value)

    for equation in jaxpr.eqns:
        inputs = [read(atom) for atom in equation.invars]
        primitive = equation.primitive
        if primitive.name in _CALLS:
            inner = equation.params.get("jaxpr") or equation.params.get("call_jaxpr")
            program, inside = (
                (inner.jaxpr, inner.consts) if hasattr(inner, "jaxpr") else (inner, ())
            )
            outputs = _run(program, inside, inputs)
        elif not any(isinstance(value, sp.Basic) for value in inputs):
            outputs = primitive.bind(*inputs, **equation.params)
            outputs = outputs if primitive.multiple_results else [outputs]
        elif primitive.name == "integer_pow":
            outputs = [formula(inputs[0]) ** int(equation.params["y"])]
        elif primitive.name in _PRIMITIVES:
            outputs = [_PRIMITIVES[primitive.name](*map(formula, inputs))]
        else:
            raise Untraceable(primitive.name)
        values |= dict(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def potential_formula(law: PairPotential, dim: int) -> sp.Expr:
    """U(r, m1, m2, q1, q2) in the softened distance r; receiver 1, sender 2, both at rest.

    Raises:
        Untraceable: the potential uses an operation without a counterpart here, or more
            than distance, masses and charges.
    """
    here, there, still = (jnp.asarray(v) for v in ([0.3] * dim, [-0.7] * dim, [0.0] * dim))

    def scalar(r, m1, m2, q1, q2):
        a = Body(here, still, m1, q1, BODIES)
        return law.function(r, a, Body(there, still, m2, q2, BODIES))

    with jax.enable_x64(True):
        closed = jax.make_jaxpr(scalar)(*[jnp.asarray(v) for v in (1.3, 0.7, 1.9, 1.0, -1.0)])
        outputs = _run(closed.jaxpr, closed.consts, [R, M1, M2, Q1, Q2])
    if len(outputs) != 1:
        raise Untraceable("several outputs")
    found = outputs[0]
    return found if isinstance(found, sp.Basic) else _literal(found)


def strength(law: PairPotential, dim: int) -> sp.Expr:
    """dU/dr: the force on body 1 is this times (x2 - x1) / distance. See `potential_formula`."""
    derivative = sp.diff(potential_formula(law, dim), R)
    if derivative.has(sp.Derivative, sp.DiracDelta):
        raise Untraceable("a step without a derivative")
    return derivative


def true_forces(law: PairPotential, dim: int, columns: dict[str, np.ndarray]) -> np.ndarray:
    """Force on body 1 by autodiff of the law itself, shape [n, dim], both bodies at rest.

    columns: m1, m2, q1, q2, dx, dy(, dz), each of shape [n].
    """
    d = np.column_stack([columns[name] for name in ("dx", "dy", "dz")[:dim]])
    still = np.zeros_like(d)
    receiver = np.column_stack([np.zeros_like(d), still, columns["q1"], columns["m1"]])
    sender = np.column_stack([d, still, columns["q2"], columns["m2"]])
    with jax.enable_x64(True):
        force = jax.jit(jax.vmap(lambda a, b: law.force(a, b, BODIES)))
        return np.asarray(force(jnp.asarray(receiver), jnp.asarray(sender)))


def conditions(expr: sp.Expr) -> list:
    """Every comparison inside a formula; Max and Min compare, too."""
    found = []
    for arg in sp.preorder_traversal(expr):
        if isinstance(arg, sp.Max | sp.Min):
            found += [sp.Ge(a, b) for a, b in combinations(arg.args, 2)]
        else:
            found.append(arg)
    found = [arg for arg in found if arg.is_Relational]
    return reduce(lambda seen, one: seen if one in seen else [*seen, one], found, [])
