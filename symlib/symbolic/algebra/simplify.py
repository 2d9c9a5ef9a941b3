"""The same equation, written as simply as `complexity` can tell.

Search engines return nested scale factors and repeated constants. sympy's `simplify` is
slow and does not minimise our count, so an equation is brought to a few written forms -
as it stands, expanded, with common factors gathered - and the least complex is kept. All
steps are identities, apart from rounding in the last digits.
"""

from collections import defaultdict

import sympy as sp

from symlib.symbolic.algebra.complexity import complexity
from symlib.symbolic.algebra.expressions import is_condition

# Expanding the product of several sums can explode; such an equation is kept as written.
_MAX_TERMS = 60
# A coefficient this far below its sum's largest one is left over from a cancellation; one that is
# farther below is meant, as exp(-100) in front of an exponential.
_ROUNDING, _MEANT = 1e-13, 1e-30


def normalise(expr: sp.Expr) -> sp.Expr:
    """Pull redundant constants out of powers, exponentials and logarithms."""
    if not expr.args or is_condition(expr):
        return expr
    if isinstance(expr, sp.Piecewise):
        return sp.Piecewise(*[(simplify_equation(v), condition) for v, condition in expr.args])
    expr = expr.func(*[normalise(arg) for arg in expr.args])
    if isinstance(expr, sp.Pow) and expr.base.is_Add and expr.exp.is_number:
        leading = max(
            (term.as_coeff_Mul()[0] for term in expr.base.args if not term.is_number),
            key=abs,
            default=sp.Integer(1),
        )
        if leading != 1 and leading != 0 and (expr.exp.is_Integer or leading > 0):
            inside = _divide(expr.base, leading)
            return sp.Pow(leading, expr.exp) * sp.Pow(inside, expr.exp)
    if isinstance(expr, sp.Pow) and expr.exp.is_Float and isinstance(expr.base, sp.Pow):
        inner = expr.base
        if inner.exp == -1:
            # Without a real value for a negative base, written either way.
            return sp.Pow(inner.base, -expr.exp)
    if isinstance(expr, sp.exp) and expr.args[0].is_Add:
        constant, rest = expr.args[0].as_coeff_Add()
        if constant != 0:
            return sp.exp(sp.Float(constant)) * sp.exp(rest)
    if isinstance(expr, sp.log) and expr.args[0].is_Mul:
        constant, rest = expr.args[0].as_coeff_Mul()
        if constant > 0 and constant != 1:
            return sp.log(sp.Float(constant)) + sp.log(rest)
    if isinstance(expr, sp.Mul):
        coefficient, rest = expr.as_coeff_Mul()
        if coefficient != 1 and isinstance(rest, sp.Piecewise):
            return sp.Piecewise(*[(normalise(coefficient * v), c) for v, c in rest.args])
        return _one_scale(expr)
    return expr


def _divide(total: sp.Add, leading: sp.Expr) -> sp.Expr:
    """The sum over a number; x / x is 1, which as 1.0 would count as a constant."""
    terms = []
    for term in total.args:
        coefficient, rest = term.as_coeff_Mul()
        terms.append(rest if coefficient == leading else coefficient / leading * rest)
    return sp.Add(*terms)


def _one_scale(product: sp.Mul) -> sp.Expr:
    """k (a x + b y)(c + d z) has one constant too many: write it with the fewest."""
    sums = [factor for factor in product.args if factor.is_Add]
    if not sums:
        return product
    others = sp.Mul(*[factor for factor in product.args if not factor.is_Add])
    units = []
    for total in sums:
        # Of the first term that has a variable.
        found = (term.as_coeff_Mul()[0] for term in total.args if not term.is_number)
        leading = next(found, sp.Integer(1))
        others *= leading
        units.append(_divide(total, leading))
    scale, others = others.as_coeff_Mul()
    forms = []
    for i, unit in enumerate(units):
        scaled = sp.Add(*[scale * term for term in unit.args])
        forms.append(sp.Mul(others, scaled, *units[:i], *units[i + 1 :]))
    forms.append(sp.Mul(scale, others, *units))
    for form in list(forms):
        forms += _multiplied_in(form)
    return min(forms, key=complexity)


def _multiplied_in(product: sp.Mul) -> list[sp.Expr]:
    """(a r + b) / r is dearer than a + b / r: each factor multiplied into each sum."""
    out = []
    for total in product.args:
        for factor in product.args:
            if total.is_Add and not factor.is_Add and not factor.is_number:
                others = [arg for arg in product.args if arg not in (total, factor)]
                out.append(sp.Mul(*others, sp.Add(*[term * factor for term in total.args])))
    return out


def _without_rounding(terms):
    sizes = [abs(float(term.as_coeff_Mul()[0])) for term in terms]
    largest = max(sizes, default=0.0)
    low, high = _MEANT * largest, _ROUNDING * largest
    kept = (t for t, size in zip(terms, sizes, strict=True) if not low < size <= high)
    return [term for term in kept if term != 0]


def _factors(term) -> tuple[sp.Expr, dict]:
    """Coefficient of one term, and its other factors: base -> numeric exponent."""
    coefficient, rest = term.as_coeff_Mul()
    out: dict[sp.Expr, sp.Expr] = {}
    for factor in sp.Mul.make_args(rest):
        base, exponent = factor.as_base_exp()
        if not exponent.is_number or isinstance(factor, sp.exp):
            base, exponent = factor, sp.Integer(1)
        if base.is_number:
            coefficient *= factor
        else:
            out[base] = out.get(base, 0) + exponent
    return coefficient, out


def _gather(terms: list[tuple[sp.Expr, dict]]) -> sp.Expr:
    """Sum of the terms, common factors taken out one after another, the dearest first."""
    # Exponents are kept apart from sympy, which writes abs(x)^2 as x^2: taking that out of
    # abs(x)^3 would never end.
    choices = defaultdict(list)
    for i, (_, part) in enumerate(terms):
        for base, exponent in part.items():
            choices[base].append((exponent, i))
    best, best_saving = None, 0
    for base, found in choices.items():
        for step in sorted({exponent for exponent, _ in found}, key=float):
            members = {i for e, i in found if e * step > 0 and abs(e) >= abs(step)}
            cost = complexity(sp.Pow(base, step)) + (2 if step < 0 else 1)
            saving = (len(members) - 1) * cost
            if len(members) > 1 and saving > best_saving:
                best, best_saving = (base, step, members), saving
    if best is None:
        written = [
            coefficient * sp.Mul(*[sp.Pow(base, e) for base, e in part.items()])
            for coefficient, part in terms
        ]
        return sp.Add(*written)
    base, step, members = best
    inside, outside = [], []
    for i, (coefficient, part) in enumerate(terms):
        if i not in members:
            outside.append((coefficient, part))
            continue
        left = part | {base: part[base] - step}
        inside.append((coefficient, {b: e for b, e in left.items() if e != 0}))
    return sp.Add(sp.Mul(sp.Pow(base, step), _gather(inside)), _gather(outside))


def expanded(expr: sp.Expr) -> list[sp.Expr]:
    """Terms of the fully expanded sum."""
    return _without_rounding(sp.Add.make_args(sp.expand_mul(sp.expand_multinomial(expr))))


def _terms_after_expansion(expr: sp.Expr) -> int:
    if expr.is_Add:
        return sum(_terms_after_expansion(arg) for arg in expr.args)
    if expr.is_Mul:
        out = 1
        for arg in expr.args:
            out *= _terms_after_expansion(arg)
        return out
    if isinstance(expr, sp.Pow) and expr.exp.is_Integer and expr.exp > 0:
        return min(_terms_after_expansion(expr.base) ** int(expr.exp), 10**6)
    return max((_terms_after_expansion(arg) for arg in expr.args), default=1)


def _floats(expr: sp.Expr) -> sp.Expr:
    """Rational coefficients as floats; exponents and whole numbers stay."""
    if isinstance(expr, sp.Pow):
        return sp.Pow(_floats(expr.base), expr.exp if expr.exp.is_number else _floats(expr.exp))
    if expr.is_Rational and not expr.is_Integer:
        return sp.Float(expr)
    if expr.is_Float and abs(expr) == 1:
        return sp.Integer(int(expr))
    if not expr.args:
        return expr
    return expr.func(*[_floats(arg) for arg in expr.args])


def simplify_equation(expr: sp.Expr) -> sp.Expr:
    """The least complex of a few equivalent ways to write the equation."""
    expr = _floats(expr)
    forms = [expr]
    tidy = normalise(expr)
    forms.append(tidy)
    if isinstance(tidy, sp.Piecewise):
        forms.append(sp.Piecewise(*[(simplify_equation(v), c) for v, c in tidy.args]))
    elif _terms_after_expansion(tidy) <= _MAX_TERMS:
        terms = expanded(tidy)
        forms += [sp.Add(*terms), _gather([_factors(term) for term in terms])]
    usable = [form for form in forms if not form.has(sp.nan, sp.zoo, sp.oo, -sp.oo)]
    return min(usable or [expr], key=complexity)
