"""Small changes to an equation: candidates that a search overlooks or leaves untidy.

Each is generic - it knows nothing of any law - and each competes on the Pareto front like
what the engine itself found: leave a term or a factor out, change an exponent, let one
variable become a combination of two, multiply by a variable, add a constant, write two
sums that are nearly proportional as one.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import chain

import sympy as sp

from symlib.symbolic.algebra.expressions import is_condition, symbol
from symlib.symbolic.algebra.simplify import expanded

# How far apart the ratios of two sums' coefficients may be for them to be tried as one sum.
_PROPORTIONAL = 0.15
_SEED_CONSTANT = 0.1
# Of e, as a double can hold it.
_LARGEST_EXPONENT = 700.0


def _places(
    expr: sp.Basic, path: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], sp.Basic]]:
    yield path, expr
    for i, arg in enumerate(expr.args):
        if isinstance(expr, sp.Pow) and i == 1 and arg.is_number:
            continue
        if not is_condition(arg):
            yield from _places(arg, (*path, i))


def _replace(expr: sp.Basic, path: tuple[int, ...], new: sp.Basic) -> sp.Basic:
    if not path:
        return new
    args = list(expr.args)
    args[path[0]] = _replace(args[path[0]], path[1:], new)
    return _built(expr.func, args)


def _built(function, args: list[sp.Basic]) -> sp.Basic:
    """function(*args), or nan where that is a number too large to be meant.

    Of exp(exp(1e9)), which a change of one number can leave behind, sympy would compute every
    digit before the point.
    """
    if function in (sp.exp, sp.Pow) and all(arg.is_number for arg in args):
        try:
            scale = 1.0 if function is sp.exp else math.log(abs(float(args[0])))
            if not abs(scale * float(args[-1])) < _LARGEST_EXPONENT:
                return sp.nan
        except (TypeError, ValueError, OverflowError):
            return sp.nan
    return function(*args)


def smaller(expr: sp.Expr) -> Iterator[sp.Expr]:
    """Without one term of a sum or one factor of a product."""
    for path, node in _places(expr):
        if node.is_Add or node.is_Mul:
            for i, arg in enumerate(node.args):
                if node.is_Mul and arg.is_number:
                    continue
                yield _replace(expr, path, node.func(*node.args[:i], *node.args[i + 1 :]))


def exponents(expr: sp.Expr) -> Iterator[sp.Expr]:
    """One exponent rounded to a whole or half number, or a whole one moved by one."""
    for path, node in _places(expr):
        if not isinstance(node, sp.Pow) or not node.exp.is_number:
            continue
        value = float(node.exp)
        if node.exp.is_Rational:
            choices = (
                {node.exp - 1, node.exp + 1}
                if node.exp.is_Integer
                else {node.exp - sp.Rational(1, 2), node.exp + sp.Rational(1, 2)}
            )
        else:
            choices = {sp.Integer(round(value)), sp.Rational(round(2 * value), 2)}
        for choice in sorted(choices, key=float):
            yield _replace(expr, path, sp.Pow(node.base, choice))
    for path, node in _places(expr):
        if node.is_Symbol:
            for power in (-1, 2):
                yield _replace(expr, path, sp.Pow(node, power))


def combinations(expr: sp.Expr, variables: Sequence[sp.Symbol]) -> Iterator[sp.Expr]:
    """One variable becomes another one, or a combination of itself with another."""
    for path, node in _places(expr):
        if not node.is_Symbol:
            continue
        for other in variables:
            if other != node:
                yield _replace(expr, path, node + sp.Float(_SEED_CONSTANT) * other)
                yield _replace(expr, path, other)


def larger(expr: sp.Expr, variables: Sequence[sp.Symbol]) -> Iterator[sp.Expr]:
    """Times or divided by a variable, as a whole or in one term; plus a constant or a term."""
    constant = sp.Float(_SEED_CONSTANT)
    for variable in variables:
        for factor in (variable, 1 / variable):
            yield expr * factor
            if expr.is_Add:
                for i, term in enumerate(expr.args):
                    yield sp.Add(*expr.args[:i], term * factor, *expr.args[i + 1 :])
        yield expr + constant * variable
    for path, node in _places(expr):
        if node.is_Add and not any(arg.is_number for arg in node.args):
            yield _replace(expr, path, node + constant)
        if node.is_Symbol:
            yield _replace(expr, path, node + constant)
    yield expr + constant


def _proportional(first: dict, second: dict) -> float | None:
    """Mean ratio of two sums' coefficients, where they have the same terms and agree."""
    if len(first) < 2 or set(first) != set(second):
        return None
    size = max(abs(value) for value in first.values())
    ratios = [second[key] / first[key] for key in first if abs(first[key]) > 0.05 * size]
    middle = sum(ratios) / len(ratios)
    if not middle or any(abs(ratio / middle - 1) > _PROPORTIONAL for ratio in ratios):
        return None
    return middle


def merged(expr: sp.Expr) -> Iterator[sp.Expr]:
    """a x + b y + (c x + d y) f becomes (a x + b y)(1 + k f) where c/a is close to d/b."""
    terms = expanded(expr)
    if not 4 <= len(terms) <= 24:
        return
    split = []
    for term in terms:
        coefficient, rest = term.as_coeff_Mul()
        split.append((float(coefficient), frozenset(sp.Mul.make_args(rest))))
    factors = sorted({f for _, parts in split for f in parts}, key=sp.default_sort_key)
    groups: dict[sp.Expr, dict] = {}
    for factor in factors:
        groups[factor] = {p - {factor}: c for c, p in split if factor in p}
    for factor, inside in groups.items():
        without = {p: c for c, p in split if factor not in p}
        candidates = [(sp.Integer(1), {k: v for k, v in without.items() if k in inside})]
        candidates += [(other, group) for other, group in groups.items() if other != factor]
        for other, group in candidates:
            ratio = _proportional(group, inside)
            if ratio is None:
                continue
            common = sp.Add(*[sp.Float(c) * sp.Mul(*key) for key, c in group.items()])
            used = {key | {factor} for key in inside}
            used |= {key | ({other} if other != 1 else set()) for key in group}
            rest = [sp.Float(c) * sp.Mul(*p) for c, p in split if p not in used]
            yield sp.Add(common * (other + sp.Float(ratio) * factor), *rest)


def distinct(expr: sp.Expr, *sources: Iterator[sp.Expr]) -> list[sp.Expr]:
    """Finite equations of the sources, each once, in their order; without `expr` itself."""
    found: dict[sp.Expr, None] = {}
    for candidate in chain(*sources):
        if candidate.free_symbols and not candidate.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
            found.setdefault(candidate)
    found.pop(expr, None)
    return list(found)


def variations(expr: sp.Expr, names: Sequence[str]) -> list[sp.Expr]:
    """All of them, each once, in a fixed order; without the equation itself."""
    variables = [symbol(name) for name in names]
    return distinct(
        expr,
        smaller(expr),
        merged(expr),
        exponents(expr),
        larger(expr, variables),
        combinations(expr, variables),
    )
