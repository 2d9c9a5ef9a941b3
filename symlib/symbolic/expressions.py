"""Equations as sympy trees, evaluated without generated code.

Everything in `symlib.symbolic` speaks of an equation as a sympy expression over real
symbols named like the columns of X. This module makes those symbols, evaluates an
equation on arrays by walking its tree (sympy's own `lambdify` writes Python source and
runs it), and separates an equation's form from its constants, which is what a refit and
the verdict need.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
from sympy.core.relational import Relational
from sympy.logic.boolalg import And, BooleanAtom, BooleanFunction, Not, Or

from symlib.errors import InputError

Compiled = Callable[[Sequence[np.ndarray]], np.ndarray]

_FUNCTIONS = {
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
}
_RELATIONS = {
    sp.StrictGreaterThan: np.greater,
    sp.GreaterThan: np.greater_equal,
    sp.StrictLessThan: np.less,
    sp.LessThan: np.less_equal,
    sp.Equality: np.equal,
    sp.Unequality: np.not_equal,
}


def symbol(name: str) -> sp.Symbol:
    """The symbol of one column: real, so that sympy keeps |x| apart from x."""
    return sp.Symbol(name, real=True)


def is_condition(expr: sp.Basic) -> bool:
    """Whether this is a comparison or a combination of some (sympy counts symbols as such)."""
    return isinstance(expr, Relational | BooleanFunction | BooleanAtom)


def _power(base: Compiled, exponent: sp.Expr, slots: dict) -> Compiled:
    if exponent.is_Integer and abs(int(exponent)) <= 4:
        n = int(exponent)

        def integer(v):
            x = base(v)
            out = x
            for _ in range(abs(n) - 1):
                out = out * x
            return out if n > 0 else 1.0 / out

        return integer
    if exponent == sp.Rational(1, 2):
        return lambda v: np.sqrt(base(v))
    if exponent.is_number:
        value = float(exponent)
        return lambda v: np.power(np.asarray(base(v), dtype=float), value)
    other = compile_expression(exponent, slots)
    return lambda v: np.power(np.asarray(base(v), dtype=float), other(v))


def compile_expression(expr: sp.Basic, slots: dict[sp.Symbol, int]) -> Compiled:
    """Turn a tree into nested functions of a sequence of arrays.

    Args:
        expr: a sympy expression of sums, products, powers, the usual functions,
            comparisons and Piecewise.
        slots: which element of the sequence each symbol reads.

    Raises:
        InputError: a symbol without a slot, or a function that is not known here.
    """

    def go(node):
        return compile_expression(node, slots)

    if isinstance(expr, sp.Symbol):
        if expr not in slots:
            known = ", ".join(str(key) for key in slots)
            raise InputError(f"equation: unknown variable {expr.name!r}; known are {known}")
        slot = slots[expr]
        return lambda v: v[slot]
    if isinstance(expr, BooleanAtom):
        truth = bool(expr)
        return lambda v: np.asarray(truth)
    if expr.is_number:
        try:
            value = float(expr)
        except (TypeError, OverflowError):
            value = float("nan")
        return lambda v: value
    parts = [go(arg) for arg in expr.args] if not isinstance(expr, sp.Piecewise) else []
    if isinstance(expr, sp.Add):

        def total(v):
            out = parts[0](v)
            for part in parts[1:]:
                out = out + part(v)
            return out

        return total
    if isinstance(expr, sp.Mul):

        def product(v):
            out = parts[0](v)
            for part in parts[1:]:
                out = out * part(v)
            return out

        return product
    if isinstance(expr, sp.Pow):
        return _power(parts[0], expr.exp, slots)
    if expr.func in _FUNCTIONS:
        function, inner = _FUNCTIONS[expr.func], parts[0]
        return lambda v: function(inner(v))
    if isinstance(expr, sp.Min | sp.Max):
        pick = np.minimum if isinstance(expr, sp.Min) else np.maximum

        def extreme(v):
            out = parts[0](v)
            for part in parts[1:]:
                out = pick(out, part(v))
            return out

        return extreme
    if isinstance(expr, Relational):
        compare = _RELATIONS[expr.func]
        return lambda v: compare(parts[0](v), parts[1](v))
    if isinstance(expr, And | Or):
        join = np.logical_and if isinstance(expr, And) else np.logical_or

        def joined(v):
            out = parts[0](v)
            for part in parts[1:]:
                out = join(out, part(v))
            return out

        return joined
    if isinstance(expr, Not):
        return lambda v: np.logical_not(parts[0](v))
    if isinstance(expr, sp.Piecewise):
        branches = [(go(value), go(condition)) for value, condition in expr.args]

        def piecewise(v):
            out = np.nan
            for value, condition in reversed(branches):
                out = np.where(condition(v), value(v), out)
            return out

        return piecewise
    raise InputError(f"equation: {expr.func.__name__} is not an operator that is known here")


def evaluate(expr: sp.Expr, X: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Values of an equation, shape [n], for X of shape [n, len(names)].

    Points outside a function's domain come back as NaN or infinity, without a warning.
    """
    X = np.asarray(X, dtype=float)
    slots = {symbol(name): i for i, name in enumerate(names)}
    with np.errstate(all="ignore"):
        values = compile_expression(expr, slots)([X[:, i] for i in range(X.shape[1])])
    return np.broadcast_to(np.asarray(values, dtype=float), (len(X),)).copy()


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

    def fill(self, values: Sequence[float]) -> sp.Expr:
        """The equation with these constants."""
        return self.expr.xreplace(
            {s: sp.Float(float(v), 15) for s, v in zip(self.symbols, values, strict=True)}
        )

    def compile(self, names: Sequence[str]) -> Callable[[Sequence[float], np.ndarray], np.ndarray]:
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


def form_of(expr: sp.Expr) -> Form:
    """Separate an equation into its form and its constants."""
    symbols, values, kinds = [], [], []

    def constant(number, kind):
        value = float(number)
        symbols.append(sp.Symbol(f"_c{len(symbols)}", real=True))
        values.append(value)
        kinds.append(kind)
        return symbols[-1]

    def go(node, kind):
        if node.is_Number:
            return constant(node, kind) if sp.S(node).is_finite else node
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
        if isinstance(node, sp.Add):
            inner = "branch" if kind == "branch" else "offset"
            return sp.Add(*[go(a, inner) for a in node.args])
        if isinstance(node, Relational):
            return node.func(*[go(a, "threshold") for a in node.args])
        if isinstance(node, sp.Piecewise):
            return sp.Piecewise(
                *[
                    (go(value, "branch"), go(condition, "threshold"))
                    for value, condition in node.args
                ]
            )
        return node.func(*[go(a, "offset") for a in node.args])

    tree = go(sp.sympify(expr) if isinstance(expr, int | float) else expr, "offset")
    return Form(tree, tuple(symbols), np.array(values, dtype=float), tuple(kinds))
