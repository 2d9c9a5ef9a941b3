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


def _split(expr: sp.Mul):
    """Factors of a product: sign, above the bar, below the bar."""
    coefficient, rest = expr.as_coeff_Mul()
    above, below = [], []
    negative = coefficient == -1
    if abs(coefficient) != 1:
        above.append(sp.Float(float(coefficient)))
    for factor in sp.Mul.make_args(rest):
        if factor == 1:
            continue
        if isinstance(factor, sp.Pow) and factor.exp.is_number and factor.exp.is_negative:
            below.append(sp.Pow(factor.base, -factor.exp))
        else:
            above.append(factor)
    return negative, above, below


def _product(factors) -> int:
    return sum(complexity(factor) for factor in factors) + len(factors) - 1


def complexity(expr: sp.Basic) -> int:
    """Complexity of the tree as it stands (dimensionless); simplify it first.

    Whoever wants the complexity of what an equation says, rather than of how it is written,
    passes it through `symlib.symbolic.simplify.simplify_equation`.
    """
    if expr.is_Symbol or expr.is_number or expr in (sp.true, sp.false):
        return 1
    if isinstance(expr, sp.Add):
        total, signs = len(expr.args) - 1, 0
        for term in expr.args:
            negative = isinstance(term, sp.Mul) and term.as_coeff_Mul()[0] == -1
            signs += negative
            total += complexity(-term if negative else term)
        return total + (signs == len(expr.args))
    if isinstance(expr, sp.Mul):
        negative, above, below = _split(expr)
        total = int(negative)
        if above:
            total += _product(above) + (2 if below else 0)
        else:
            total += 1 if below else 0
        return total + (_product(below) if below else 0)
    if isinstance(expr, sp.Pow):
        base, exponent = expr.args
        if exponent.is_number and exponent.is_negative:
            return 1 + complexity(sp.Pow(base, -exponent))
        by_power = complexity(base) + 3 + complexity(exponent)
        if exponent.is_Integer:
            n = int(exponent)
            return min(by_power, n * complexity(base) + n - 1)
        return by_power
    inner = sum(complexity(arg) for arg in expr.args if not isinstance(expr, sp.Piecewise))
    if isinstance(expr, _THREE):
        return 3 + inner
    if isinstance(expr, sp.Piecewise):
        total = 0
        for value, condition in expr.args:
            total += complexity(value)
            if condition != sp.true:
                total += 3 + complexity(condition)
        return total
    if isinstance(expr, Relational | sp.Min | sp.Max | sp.And | sp.Or):
        return inner + len(expr.args) - 1
    return 1 + inner
