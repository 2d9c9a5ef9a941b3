"""A whitelist parser for equations: text in, sympy tree out, and nothing is ever run.

Equations reach symlib as text from search engines, from records and from readers. They
are read with Python's own grammar (`ast.parse` only builds a tree) and rebuilt node by
node; whatever is not on the list below is an `InputError`.
"""

import ast
import math
from collections.abc import Callable, Sequence

import sympy as sp

from symlib.errors import InputError
from symlib.symbolic.algebra.expressions import is_condition, symbol

MAX_LENGTH = 20_000
_SPELLINGS = {"^": "**", "−": "-", "×": "*", "·": "*", "Δ": "d", "∆": "d"}


def _if(condition, then, otherwise):
    if not is_condition(condition):
        condition = sp.Gt(condition, 0)
    return sp.Piecewise((then, condition), (otherwise, True))


def _step(relation):
    return lambda a, b: sp.Piecewise((sp.Integer(1), relation(a, b)), (sp.Integer(0), True))


# name -> (number of arguments or None for any, builder)
FUNCTIONS: dict[str, tuple[int | None, Callable]] = {
    "exp": (1, sp.exp),
    "log": (1, sp.log),
    "sqrt": (1, sp.sqrt),
    "abs": (1, sp.Abs),
    "sin": (1, sp.sin),
    "cos": (1, sp.cos),
    "tan": (1, sp.tan),
    "tanh": (1, sp.tanh),
    "sinh": (1, sp.sinh),
    "cosh": (1, sp.cosh),
    "floor": (1, sp.floor),
    "ceil": (1, sp.ceiling),
    "sign": (1, sp.sign),
    "neg": (1, lambda a: -a),
    "inv": (1, lambda a: 1 / a),
    "square": (1, lambda a: a**2),
    "cube": (1, lambda a: a**3),
    "pow": (2, lambda a, b: _raise(a, b)),
    "min": (None, sp.Min),
    "max": (None, sp.Max),
    "fmin": (None, sp.Min),
    "fmax": (None, sp.Max),
    "if": (3, _if),
    "ifelse": (3, _if),
    # SymbolicRegression.jl's cond(a, b) is b where a > 0, else 0.
    "cond": (2, lambda a, b: _if(a, b, sp.Integer(0))),
    "greater": (2, _step(sp.Gt)),
    "less": (2, _step(sp.Lt)),
    "greater_equal": (2, _step(sp.Ge)),
    "less_equal": (2, _step(sp.Le)),
}


def _number(value: float | int) -> sp.Expr:
    if isinstance(value, int) and abs(value) < 10**15:
        return sp.Integer(value)
    if not math.isfinite(float(value)):
        raise InputError("equation: a constant is too large for a 64-bit number")
    return sp.Float(float(value), 15)


def _raise(base, exponent):
    # Two numbers are folded in floating point: sympy would try 9**9**9 exactly.
    if base.is_Number and exponent.is_Number and not (abs(exponent) <= 8 and abs(base) < 1e6):
        try:
            return _number(float(base) ** float(exponent))
        except (OverflowError, ZeroDivisionError, TypeError) as error:
            raise InputError(f"equation: {base}**{exponent} is not a finite number") from error
    if exponent.is_Float and float(exponent).is_integer() and abs(float(exponent)) <= 64:
        exponent = sp.Integer(int(exponent))
    elif exponent.is_Float and float(2 * exponent).is_integer() and abs(float(exponent)) <= 64:
        exponent = sp.Rational(int(2 * exponent), 2)
    if exponent.is_Number and abs(exponent) > 1000:
        raise InputError(f"equation: the exponent {exponent} is too large")
    return base**exponent


def _divide(a, b):
    if b == 0:
        raise InputError("equation: division by zero")
    return a / b


_OPERATORS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: _divide,
    ast.Pow: _raise,
    ast.Gt: sp.Gt,
    ast.GtE: sp.Ge,
    ast.Lt: sp.Lt,
    ast.LtE: sp.Le,
    ast.UAdd: lambda a: a,
    ast.USub: lambda a: -a,
}


def parse_equation(text: str, names: Sequence[str]) -> sp.Expr:
    """Read an equation such as "(4.59*m2*dy - 15.5*m2*dx)/r^2" (appendix C's operators).

    Known: + - * / ^ (or **), comparisons, IF(condition, a, b), exp, log, sqrt, abs, min,
    max, floor, sign, sin, cos, tanh, and PySR's cond, greater, less, square, cube, inv,
    neg; numbers; the variables in `names`. "Δx" is read as "dx".

    Raises:
        InputError: anything else, with the part that could not be read.
    """
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"equation: expected text such as 'm2*dx/r^3', got {text!r}")
    if len(text) > MAX_LENGTH:
        raise InputError(f"equation: longer than {MAX_LENGTH} characters")
    source = text.strip()
    for old, new in _SPELLINGS.items():
        source = source.replace(old, new)
    known = {name: symbol(name) for name in names}

    def number(node):
        # In arithmetic a comparison is 1 or 0, as in Julia.
        value = go(node)
        return sp.Piecewise((1, value), (0, True)) if is_condition(value) else value

    def go(node):
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return _number(value)
            case ast.Name(id=name):
                if name not in known:
                    listed = ", ".join(known)
                    raise InputError(f"equation: unknown variable {name!r}; known are {listed}")
                return known[name]
            case ast.UnaryOp(op=op, operand=a) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](number(a))
            case ast.BinOp(left=a, op=op, right=b) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](number(a), number(b))
            case ast.Compare(left=a, ops=[op], comparators=[b]) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](number(a), number(b))
            case ast.Call(func=ast.Name(id=name), args=[first, *rest], keywords=[]):
                arity, build = FUNCTIONS.get(name.lower(), (0, number))
                if arity in (None, 1 + len(rest)):
                    # Only the first argument of an IF may be a condition.
                    read = go if name.lower() in ("if", "ifelse", "cond") else number
                    return build(read(first), *map(number, rest))
        part = ast.get_source_segment(source, node) or type(node).__name__
        raise InputError(f"equation: cannot read {part!r} in {text!r}")

    try:
        result = go(ast.parse(source, mode="eval").body)
    except InputError:
        raise
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, OverflowError) as err:
        raise InputError(f"equation: cannot read {text[:200]!r} ({type(err).__name__})") from err
    if is_condition(result):
        raise InputError(f"equation: {text!r} is a condition, not a number")
    if result.has(sp.zoo, sp.nan, sp.oo, -sp.oo, sp.I):
        raise InputError(f"equation: {text!r} is not a finite real number")
    if not all(math.isfinite(float(number)) for number in result.atoms(sp.Float)):
        raise InputError("equation: a constant is too large for a 64-bit number")
    return result


def equation_text(expr: sp.Expr) -> str:
    """The text of an equation, which `parse_equation` reads back to the same tree."""
    return _Text().doprint(expr)


class _Text(sp.printing.str.StrPrinter):
    def _print_Float(self, expr):
        return repr(float(expr))

    def _print_Abs(self, expr):
        return f"abs({self._print(expr.args[0])})"

    def _print_ceiling(self, expr):
        return f"ceil({self._print(expr.args[0])})"

    def _print_Piecewise(self, expr):
        *head, (last, _) = expr.args
        out = self._print(last)
        for value, condition in reversed(head):
            out = f"IF({self._print(condition)}, {self._print(value)}, {out})"
        return out
