"""Units: the dimensions that an equation's constants must have, and equations in a user's units.

An equation is found in dimensionless variables, each divided by a scale (r' = r / L).
`in_user_units` writes it for the variables as they were measured. Its constants then have units:
`constant_dimensions` finds them, such that every sum adds like to like and every function is of
a number, and `constant_units` writes them in the user's words.

    constant_units(parse_equation("6.7e-11*m2/r^2", ["m2", "r"]),
                   {"m2": MASS, "r": LENGTH}, Dimension(length=1, time=-2),
                   {"length": "m", "time": "s", "mass": "kg"})     # [(6.7e-11, "m^3 kg^-1 s^-2")]
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

import numpy as np
import sympy as sp
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanAtom
from sympy.polys.matrices import DomainMatrix

from symlib.errors import InputError
from symlib.symbolic.algebra.complexity import complexity
from symlib.symbolic.algebra.expressions import Form, evaluate, form_of, is_condition, symbol
from symlib.symbolic.algebra.parsing import equation_text
from symlib.symbolic.algebra.simplify import normalise, simplify_equation

# A fitted exponent is taken as the nearest fraction with no larger a denominator.
_DENOMINATOR = 10_000
# Where more constants than this have no dimension of their own, fewest is not looked for.
_SEARCHED = 10
# Simplified and as it stood, an equation must agree to this, relative, or it stays as it stood.
_AGREEMENT = 1e-9
# What keeps or swaps its arguments' dimension; every other function is of a number.
_CARRYING = (sp.Abs, sp.Min, sp.Max)
_OF_ANYTHING = (sp.sign, sp.Heaviside)


class Dimension(NamedTuple):
    """Exponents of length, time, mass and charge: an acceleration is Dimension(1, -2)."""

    length: int | Fraction = 0
    time: int | Fraction = 0
    mass: int | Fraction = 0
    charge: int | Fraction = 0


NUMBER = Dimension()
LENGTH, TIME = Dimension(length=1), Dimension(time=1)
MASS, CHARGE = Dimension(mass=1), Dimension(charge=1)
# How a unit is written where exponents are equal: lengths first, then masses.
_ORDER = ("length", "mass", "time", "charge")


@dataclass(frozen=True)
class ConstantDimensions:
    """The dimensions of an equation's constants.

    values, dimensions: of each constant, in the order of `form_of`; a zero, which needs none, is
    left out. redundant: which of them have no dimension of their own, only together, as in
    a (b x): of all ways that with the fewest units is here. logarithms: the arguments of
    logarithms that are no numbers, and their dimensions: log(r) is read as log(r / unit).
    """

    values: tuple[float, ...]
    dimensions: tuple[Dimension, ...]
    redundant: tuple[int, ...] = ()
    logarithms: tuple[tuple[str, Dimension], ...] = ()

    def notes(self, units: Mapping[str, str]) -> list[str]:
        """What a reader must know beside the units, in words; units: as for `constant_units`."""
        out = [
            f"log({argument}) is read as log({argument} / unit), the unit being "
            f"{unit_text(dimension, units)}"
            for argument, dimension in self.logarithms
        ]
        if self.redundant:
            listed = ", ".join(f"{self.values[k]:.4g}" for k in self.redundant)
            out.append(f"only together have these constants units of their own: {listed}")
        return out


def constant_dimensions(
    expr: sp.Expr, dims: Mapping[str, Dimension], result: Dimension
) -> ConstantDimensions | None:
    """The dimensions of an equation's constants, such that the equation is consistent.

    Terms of a sum are alike, and so are the sides of a comparison, the branches of a condition
    and the arguments of abs, min and max; other functions are of a number, and so is an exponent.

    Args:
        expr: the equation, in variables as they are measured.
        dims: of every variable.
        result: of the equation's value.

    Returns:
        None where no dimensions make the equation consistent, as in r + m.

    Raises:
        InputError: a variable whose dimension is not given.
    """
    form = form_of(expr)
    for units_of_logs in (False, True):
        walk = _Walk(form, dims, units_of_logs)
        walk.equal(walk.of(form.expr), _known(result))
        found = _fewest(walk.equations, walk.count, walk.zeros)
        if found is not None:
            break
    else:
        return None
    solution, undetermined = found
    told = [k for k in range(len(form.values)) if form.values[k] != 0]
    return ConstantDimensions(
        values=tuple(float(form.values[k]) for k in told),
        dimensions=tuple(solution[k] for k in told),
        redundant=tuple(i for i, k in enumerate(told) if k in undetermined),
        logarithms=tuple(
            (equation_text(_filled(form, argument)), solution[k])
            for k, argument in walk.logs.items()
            if any(solution[k])
        ),
    )


def _filled(form: Form, part: sp.Basic) -> sp.Basic:
    """A part of a form with the form's own constants."""
    return part.xreplace(
        {s: sp.Float(v, 15) for s, v in zip(form.symbols, form.values, strict=True)}
    )


def constant_units(
    expr: sp.Expr, dims: Mapping[str, Dimension], result: Dimension, units: Mapping[str, str]
) -> list[tuple[float, str]] | None:
    """An equation's constants with their units, in the user's names.

    Args:
        expr, dims, result: as for `constant_dimensions`, which also says which constants are
            redundant and which logarithms are of no number.
        units: names of the units of length, time, mass and charge, as far as they are needed:
            {"length": "um", "time": "s", "mass": "kg"}.

    Returns:
        (value, unit) of each constant, such as (2.5, "um^3 kg^-1 s^-2"), the unit of a number
        being empty; None where the equation is not consistent.

    Raises:
        InputError: a variable without dimension, or a unit that is needed and not named.
    """
    found = constant_dimensions(expr, dims, result)
    if found is None:
        return None
    texts = (unit_text(dimension, units) for dimension in found.dimensions)
    return list(zip(found.values, texts, strict=True))


def unit_text(dimension: Dimension, units: Mapping[str, str]) -> str:
    """A dimension in named units, "um^3 kg^-1 s^-2"; empty for a number.

    A unit that is made of others, such as "mm/s", is taken apart where pint is there and can
    read it; else it is put in brackets.

    Raises:
        InputError: a unit that is needed is not named.
    """
    exponents: dict[str, Fraction] = {}
    for base in _ORDER:
        power = Fraction(getattr(dimension, base))
        if power == 0:
            continue
        if not units.get(base):
            raise InputError(f"units: no unit of {base} is named; one constant needs it")
        for name, exponent in _parts(units[base]):
            exponents[name] = exponents.get(name, Fraction(0)) + power * exponent
    ordered = sorted(exponents.items(), key=lambda item: -item[1])
    return " ".join(name + _exponent_text(power) for name, power in ordered if power != 0)


def _parts(unit: str) -> list[tuple[str, Fraction]]:
    """A unit as powers of named ones."""
    unit = unit.strip()
    if unit.isidentifier():
        return [(unit, Fraction(1))]
    try:
        import pint

        registry = pint.get_application_registry()
        # A sum of units or a number in front is none that could be raised to a power.
        items = registry.Quantity(1, registry.Unit(unit)).unit_items()
        parts = [(f"{registry.Unit(name):~}", _fraction(float(power))) for name, power in items]
    except Exception:  # pint is not there, or has errors of many kinds for what it cannot read
        return [(f"({unit})", Fraction(1))]
    return parts


def _exponent_text(power: Fraction) -> str:
    if power == 1:
        return ""
    if power.denominator == 1:
        return f"^{power.numerator}"
    return f"^({power})" if power.denominator < 10 else f"^{float(power):.4g}"


def _fraction(value: float) -> Fraction:
    return Fraction(value).limit_denominator(_DENOMINATOR)


@dataclass(frozen=True)
class _Linear:
    """A dimension with unknowns in it: unknown -> factor, and what is known."""

    unknowns: dict[int, Fraction]
    known: tuple[Fraction, ...]

    def plus(self, other: "_Linear", times: Fraction = Fraction(1)) -> "_Linear":
        """This one and so many times another."""
        unknowns = dict(self.unknowns)
        for k, factor in other.unknowns.items():
            unknowns[k] = unknowns.get(k, Fraction(0)) + times * factor
        pairs = zip(self.known, other.known, strict=True)
        return _Linear(unknowns, tuple(one + times * two for one, two in pairs))


def _known(dimension: Iterable) -> _Linear:
    return _Linear({}, tuple(Fraction(one) for one in dimension))


_NUMBER = _known(NUMBER)


@dataclass
class _Walk:
    """A walk through an equation's tree that collects what its dimensions must fulfil.

    Unknown k < len(form.symbols) is the dimension of a constant; those after are of the units of
    logarithms, `logs`. equations: each a dimension that is a number's; zeros: unknowns of
    constants that are zero.
    """

    form: Form
    dims: Mapping[str, Dimension]
    units_of_logs: bool
    equations: list[_Linear] = field(default_factory=list)
    logs: dict[int, sp.Basic] = field(default_factory=dict)

    def __post_init__(self):
        self.constants = {s: k for k, s in enumerate(self.form.symbols)}
        self.zeros = {k for k, value in enumerate(self.form.values) if value == 0}

    @property
    def count(self) -> int:
        return len(self.constants) + len(self.logs)

    def equal(self, one: _Linear, other: _Linear) -> None:
        self.equations.append(one.plus(other, Fraction(-1)))

    def alike(self, parts: Sequence[sp.Basic]) -> _Linear:
        """The dimension that all of some parts have."""
        first, *others = [self.of(part) for part in parts]
        for other in others:
            self.equal(first, other)
        return first

    def of(self, node: sp.Basic) -> _Linear:
        """The dimension of one part; what it asks of its own parts is noted."""
        if node in self.constants:
            return _Linear({self.constants[node]: Fraction(1)}, _NUMBER.known)
        if isinstance(node, sp.Symbol):
            if node.name not in self.dims:
                raise InputError(f"dimensions: none is given for the variable {node.name!r}")
            return _known(self.dims[node.name])
        if not node.args or isinstance(node, BooleanAtom):
            return _NUMBER
        if isinstance(node, sp.Mul):
            total = _NUMBER
            for factor in node.args:
                total = total.plus(self.of(factor))
            return total
        if isinstance(node, sp.Pow):
            return self._power(node)
        if isinstance(node, sp.Add | Relational) or node.func in _CARRYING:
            return self.alike(node.args)
        if isinstance(node, sp.Piecewise):
            for _, condition in node.args:
                self.of(condition)
            return self.alike([value for value, _ in node.args])
        for argument in node.args:
            inside = self.of(argument)
            if is_condition(node) or node.func in _OF_ANYTHING:
                continue
            if isinstance(node, sp.log) and self.units_of_logs:
                unknown = len(self.constants) + len(self.logs)
                self.logs[unknown] = argument
                inside = inside.plus(_Linear({unknown: Fraction(-1)}, _NUMBER.known))
            self.equal(inside, _NUMBER)
        return _NUMBER

    def _power(self, node: sp.Pow) -> _Linear:
        base, exponent = self.of(node.base), node.exp
        self.equal(self.of(exponent), _NUMBER)
        if exponent.free_symbols <= set(self.constants):
            power = float(_filled(self.form, exponent))
            return _NUMBER.plus(base, _fraction(power))
        self.equal(base, _NUMBER)
        return _NUMBER


def _fewest(
    equations: list[_Linear], count: int, zeros: set[int]
) -> tuple[list[Dimension], set[int]] | None:
    """The unknown dimensions, as few of them as possible other than a number's.

    Args:
        equations: dimensions that must be a number's; count: of unknowns; zeros: those that may
            have any dimension.

    Returns:
        A dimension for each unknown, and those that the equations leave open; None without any.
    """
    rows = [[one.unknowns.get(k, Fraction(0)) for k in range(count)] for one in equations]
    sides = [[-part for part in one.known] for one in equations]
    everything = _solve(rows, sides, range(count))
    if everything is None:
        return None
    solution, open_ = everything
    # Zeros apart: those are told nowhere.
    candidates = sorted(open_ - zeros)
    settled = [k for k in range(count) if k not in candidates]
    if not candidates or len(candidates) > _SEARCHED:
        return solution, set(candidates)
    for size in range(len(candidates) + 1):
        ways = []
        for some in combinations(candidates, size):
            found = _solve(rows, sides, sorted({*settled, *some}))
            if found is not None:
                exponents = [part for k in candidates for part in found[0][k]]
                price = (sum(map(bool, exponents)), sum(part * part for part in exponents))
                ways.append((price, some, found[0]))
        if ways:
            return min(ways, key=lambda way: way[:2])[2], set(candidates)
    raise AssertionError("all of them together are a solution")


def _solve(rows, sides, columns: Iterable[int]) -> tuple[list[Dimension], set[int]] | None:
    """Solve for the unknowns in some columns, the others zero, by exact elimination.

    Returns:
        A dimension for each unknown, those that are free being a number's; and the ones whose
        value the equations do not settle.
    """
    columns = list(columns)
    count = len(rows[0])
    table = [
        [sp.Rational(one.numerator, one.denominator) for one in [*(row[k] for k in columns), *side]]
        for row, side in zip(rows, sides, strict=True)
    ]
    reduced, pivots = (
        DomainMatrix.from_list_sympy(len(table), len(table[0]), table).to_field().rref()
    )
    if any(pivot >= len(columns) for pivot in pivots):
        return None
    dense = reduced.to_Matrix()
    solution = [NUMBER] * count
    open_ = {columns[j] for j in range(len(columns)) if j not in pivots}
    for i, j in enumerate(pivots):
        parts = [dense[i, len(columns) + side] for side in range(len(NUMBER))]
        solution[columns[j]] = Dimension(*(Fraction(int(one.p), int(one.q)) for one in parts))
        if any(dense[i, k] != 0 for k in range(len(columns)) if k not in pivots):
            open_.add(columns[j])
    return solution, open_


def in_user_units(expr: sp.Expr, scales: Mapping[str, float], result_scale: float) -> sp.Expr:
    """An equation of scaled variables, written for the variables as they were measured.

    Args:
        expr: found in variables that were divided by their scales, r' = r / L, for a target that
            was divided by `result_scale`.
        scales: of the variables; one that is not named was not divided.
        result_scale: of the target.

    Returns:
        `result_scale` times the equation, each variable s replaced by s / scale, with the
        constants merged as `simplify_equation` does. Where that would lose a term that is small
        only beside the others' units, constants are merged factor by factor.

    Raises:
        InputError: a scale that is not a positive number.
    """
    every = {**scales, "the result": result_scale}
    for name, scale in every.items():
        if not (np.isfinite(scale) and scale > 0):
            raise InputError(f"scale of {name}: must be a positive number, got {scale!r}")
    simple = simplify_equation(expr)
    divided = {symbol(name): symbol(name) / sp.Float(scale, 15) for name, scale in scales.items()}
    scaled = _tidy_comparisons(sp.Float(result_scale, 15) * simple.xreplace(divided))
    names = sorted(variable.name for variable in expr.free_symbols)
    sizes = np.array([float(scales.get(name, 1.0)) for name in names])
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50, len(names)))
    truth = result_scale * evaluate(expr, points, names)
    forms = sorted([normalise(scaled), scaled], key=complexity)
    for form in (simplify_equation(scaled), *forms):
        written = _rounded(_tidy_comparisons(form))
        values = evaluate(written, points * sizes, names)
        with np.errstate(all="ignore"):
            off = np.abs(values - truth) > _AGREEMENT * np.abs(truth)
        if not np.any(off & np.isfinite(truth)):
            break
    return written


def _rounded(expr: sp.Expr) -> sp.Expr:
    """Constants without what rounding has left in their last digits; 1.0 x is x."""
    short = {one: sp.Float(f"{float(one):.14g}", 15) for one in expr.atoms(sp.Float)}
    ones = {one: sp.Integer(int(float(new))) for one, new in short.items() if abs(float(new)) == 1}
    return expr.xreplace(short | ones)


def _tidy_comparisons(expr: sp.Basic) -> sp.Basic:
    """0.2 r > 2 written as r > 10."""

    def tidy(condition):
        if condition.lhs.is_number:
            condition = condition.reversed
        factor, variable = condition.lhs.as_coeff_Mul()
        if not condition.rhs.is_number or factor in (0, 1):
            return condition
        turned = condition if factor > 0 else condition.reversedsign
        return turned.func(variable, condition.rhs / factor)

    return expr.xreplace({one: tidy(one) for one in expr.atoms(Relational)})
