"""How complex an equation is (appendix C).

Every operator, constant and variable counts once; ^, exp, log and IF three times. Applied
to the equations of Table 4 as they are printed, the rule needs two readings, and with them
it gives the paper's number for every row of both laws:

- a quotient a / b is the product of a with the inverse of b, two operators;
- a small whole power is a product (r^2 is r * r, r^3 is r * r * r) where that is cheaper
  than ^ and its exponent.

A negative number is one constant; a sign that is no number's is an operator, unless a sum
absorbs it as a subtraction. A square root is ^ with the exponent 1/2. abs, min, max, floor
and comparisons count once.
"""

import sympy as sp
from sympy.core.relational import Relational

_THREE = (sp.exp, sp.log)


def _product(factors) -> int:
    return sum(complexity(factor) for factor in factors) + len(factors) - 1


def _quotient(expr: sp.Mul) -> int:
    coefficient, rest = expr.as_coeff_Mul()
    above, below = [], []
    if abs(coefficient) != 1:
        above.append(sp.Float(float(coefficient)))
    for factor in sp.Mul.make_args(rest):
        if isinstance(factor, sp.Pow) and factor.exp.is_number and factor.exp.is_negative:
            below.append(sp.Pow(factor.base, -factor.exp))
        elif factor != 1:
            above.append(factor)
    total = int(coefficient == -1)
    if above:
        total += _product(above)
    if below:
        total += _product(below) + (2 if above else 1)
    return total


def complexity(expr: sp.Basic) -> int:
    """Complexity of the tree as it stands (dimensionless); simplify it first.

    Whoever wants the complexity of what an equation says, rather than of how it is written,
    passes it through `symlib.symbolic.algebra.simplify.simplify_equation`.
    """
    if expr.is_Symbol or expr.is_number or expr in (sp.true, sp.false):
        return 1
    if isinstance(expr, sp.Add):
        negative = [term.is_Mul and term.as_coeff_Mul()[0] == -1 for term in expr.args]
        terms = [-t if less else t for t, less in zip(expr.args, negative, strict=True)]
        # A sum of nothing but negative terms needs one sign of its own.
        return _product(terms) + all(negative)
    if isinstance(expr, sp.Mul):
        return _quotient(expr)
    if isinstance(expr, sp.Pow):
        base, exponent = expr.args
        if exponent.is_number and exponent.is_negative:
            return 1 + complexity(sp.Pow(base, -exponent))
        by_power = complexity(base) + 3 + complexity(exponent)
        if exponent.is_Integer:
            return min(by_power, _product([base] * int(exponent)))
        return by_power
    if isinstance(expr, sp.Piecewise):
        otherwise = sum(condition == sp.true for _, condition in expr.args)
        inner = sum(complexity(part) for pair in expr.args for part in pair)
        return inner - otherwise + 3 * (len(expr.args) - otherwise)
    if isinstance(expr, Relational | sp.Min | sp.Max | sp.And | sp.Or):
        return _product(expr.args)
    return (3 if isinstance(expr, _THREE) else 1) + sum(map(complexity, expr.args))
