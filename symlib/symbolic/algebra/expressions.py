"""Equations as sympy trees, evaluated without generated code.

Everything in `symlib.symbolic` speaks of an equation as a sympy expression over real
symbols named like the columns of X. This module makes those symbols, evaluates an
equation on arrays by walking its tree (sympy's own `lambdify` writes Python source and
runs it), and separates an equation's form from its constants, which is what a refit and
the verdict need.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add, mul
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.relational import Relational
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import BooleanAtom, BooleanFunction

from symlib.errors import InputError

# Of an array or a number for each slot; what has no variable is a number.
Compiled = Callable[[Sequence], Any]

# Of any number of arguments; those of two are applied from left to right.
_OPERATIONS: dict[type, Callable] = {
    sp.Add: add,
    sp.Mul: mul,
    sp.Min: np.minimum,
    sp.Max: np.maximum,
    sp.exp: np.exp,
    sp.log: np.log,
    sp.Abs: np.abs,
    sp.sin: np.sin,
    sp.cos: np.cos,
    sp.tan: np.tan,
    sp.sinh: np.sinh,
    sp.cosh: np.cosh,
    sp.tanh: np.tanh,
    sp.atan: np.arctan,
    sp.floor: np.floor,
    sp.ceiling: np.ceil,
    sp.sign: np.sign,
    sp.Heaviside: np.heaviside,
    sp.Gt: np.greater,
    sp.Ge: np.greater_equal,
    sp.Lt: np.less,
    sp.Le: np.less_equal,
    sp.Eq: np.equal,
    sp.Ne: np.not_equal,
    sp.And: np.logical_and,
    sp.Or: np.logical_or,
    sp.Not: np.logical_not,
}


def symbol(name: str) -> sp.Symbol:
    """The symbol of one column: real, so that sympy keeps |x| apart from x."""
    return sp.Symbol(name, real=True)


def is_condition(expr: sp.Basic) -> bool:
    """Whether this is a comparison or a combination of some (sympy counts symbols as such)."""
    return isinstance(expr, Relational | BooleanFunction | BooleanAtom)


def _power(base: Compiled, exponent: sp.Expr, slots: dict) -> Compiled:
    if exponent.is_Integer and 0 < abs(exponent) <= 4:
        n = int(exponent)

        def integer(v):
            product = reduce(mul, [base(v)] * abs(n))
            return product if n > 0 else 1.0 / product

        return integer
    if exponent == sp.Rational(1, 2):
        return lambda v: np.sqrt(base(v))
    power = compile_expression(exponent, slots)
    return lambda v: np.power(np.asarray(base(v), dtype=float), power(v))


def compile_expression(expr: sp.Basic, slots: dict[sp.Symbol, int]) -> Compiled:
    """Turn a tree into nested functions of a sequence of arrays.

    Args:
        expr: a sympy expression of sums, products, powers, the usual functions,
            comparisons and Piecewise.
        slots: which element of the sequence each symbol reads.

    Raises:
        InputError: a symbol without a slot, or a function that is not known here.
    """
    if isinstance(expr, sp.Symbol):
        if expr not in slots:
            known = ", ".join(str(key) for key in slots)
            raise InputError(f"equation: unknown variable {expr.name!r}; known are {known}")
        slot = slots[expr]
        return lambda v: v[slot]
    if isinstance(expr, BooleanAtom):
        truth = np.asarray(bool(expr))
        return lambda v: truth
    if expr.is_number:
        try:
            value = float(expr)
        except (TypeError, OverflowError):
            value = float("nan")
        return lambda v: value
    if isinstance(expr, sp.Pow):
        return _power(compile_expression(expr.base, slots), expr.exp, slots)
    if isinstance(expr, sp.Piecewise):
        branches = [[compile_expression(part, slots) for part in pair] for pair in expr.args]

        def piecewise(v):
            out: np.ndarray | float = np.nan
            for value, condition in reversed(branches):
                out = np.where(condition(v), value(v), out)
            return out

        return piecewise
    if expr.func not in _OPERATIONS:
        raise InputError(f"equation: {expr.func.__name__} is not an operator that is known here")
    operation = _OPERATIONS[expr.func]
    parts = [compile_expression(arg, slots) for arg in expr.args]
    if len(parts) == 1:
        return lambda v: operation(parts[0](v))
    return lambda v: reduce(operation, [part(v) for part in parts])


def evaluate(expr: sp.Expr, X: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Values of an equation, shape [n], for X of shape [n, len(names)].

    Points outside a function's domain come back as NaN or infinity, without a warning.
    """
    return fixed(expr).compile(names)((), np.asarray(X, dtype=float)).copy()


@dataclass(frozen=True)
class Form:
    """An equation's form, apart from its constants.

    expr: the tree with every free constant replaced by one of `symbols`; values: what
    those constants were; kinds: "coefficient", "offset" (in a sum), "branch" (added in one
    branch of an IF), "exponent" or "threshold".
    Integer and half-integer exponents belong to the form; other exponents are constants.
    """

    expr: sp.Expr
    symbols: tuple[sp.Symbol, ...]
    values: np.ndarray
    kinds: tuple[str, ...]

    def fill(self, values: Iterable[float]) -> sp.Expr:
        """The equation with these constants."""
        return self.expr.xreplace(
            {s: sp.Float(float(v), 15) for s, v in zip(self.symbols, values, strict=True)}
        )

    def compile(self, names: Sequence[str]) -> Callable[[Iterable[float], np.ndarray], np.ndarray]:
        """function(constants, X) -> values [n]."""
        k = len(names)
        slots = {symbol(name): i for i, name in enumerate(names)}
        slots |= {s: k + i for i, s in enumerate(self.symbols)}
        inner = compile_expression(self.expr, slots)

        def run(constants, X):
            columns = [X[:, i] for i in range(k)]
            with np.errstate(all="ignore"):
                values = inner([*columns, *constants])
            return np.broadcast_to(np.asarray(values, dtype=float), (len(X),))

        return run


def fixed(expr: sp.Expr) -> Form:
    """An equation as a form without constants to move."""
    return Form(expr, (), np.empty(0), ())


def form_of(expr: sp.Expr) -> Form:
    """Separate an equation into its form and its constants."""
    symbols: list[sp.Symbol] = []
    values, kinds = [], []

    def go(node, kind):
        if node.is_Number:
            if not node.is_finite:
                return node
            symbols.append(sp.Symbol(f"_c{len(symbols)}", real=True))
            values.append(float(node))
            kinds.append(kind)
            return symbols[-1]
        if not node.args:
            return node
        if isinstance(node, sp.Pow):
            base, exponent = node.args
            structural = exponent.is_Rational and (2 * exponent).is_Integer
            return sp.Pow(
                go(base, "coefficient"), exponent if structural else go(exponent, "exponent")
            )
        if isinstance(node, sp.Mul):
            return sp.Mul(*[a if a == -1 else go(a, "coefficient") for a in node.args])
        inside = "offset"
        if isinstance(node, ExprCondPair) or (isinstance(node, sp.Add) and kind == "branch"):
            inside = "branch"
        if isinstance(node, Relational):
            inside = "threshold"
        return node.func(*[go(a, inside) for a in node.args])

    tree = go(sp.sympify(expr) if isinstance(expr, int | float) else expr, "offset")
    return Form(tree, tuple(symbols), np.array(values, dtype=float), tuple(kinds))
