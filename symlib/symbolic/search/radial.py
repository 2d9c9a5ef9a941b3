"""Every short radial form, one after another, held against a curve with error bars.

A search that grows expressions rarely meets r / (r² + c)^1.5, and meets it the later the better
the simpler stand-ins are. Of one variable all forms that physics textbooks are made of can be
tried instead: sums of one or two terms

    k · r^a · g(r),    g = 1, (r + c)^p, (r² + c)^p, exp(−c r), exp(−c r²)

with small whole or half exponents; two terms share c. It is a prior, and named as one where
equations are shown: what is not in the list is left to the search engines.
"""

import functools
import itertools
from dataclasses import dataclass

import numpy as np
import sympy as sp
from scipy.optimize import minimize_scalar

from symlib.symbolic.algebra.complexity import complexity
from symlib.symbolic.algebra.expressions import symbol

POWERS = (-4, -3, -2, -1, 0, 1, 2, 3)
EXPONENTS = (-6, -5, -4, -3, -2.5, -2, -1.5, -1, -0.5)
SCALES = np.geomspace(1e-3, 10, 40)  # of c, in units of a typical distance or its inverse
KEPT = 4  # of each complexity


@dataclass(frozen=True)
class Term:
    """k r^power · shape(r; c); kind is one of "power", "shifted", "softened", "exp", "gauss"."""

    kind: str
    power: float
    exponent: float = 0.0

    def values(self, r: np.ndarray, c: float) -> np.ndarray:
        """At k = 1."""
        shape: np.ndarray = {
            "power": lambda: np.ones(len(r)),
            "shifted": lambda: (r + c) ** self.exponent,
            "softened": lambda: (r**2 + c) ** self.exponent,
            "exp": lambda: np.exp(-c * r),
            "gauss": lambda: np.exp(-c * r**2),
        }[self.kind]()
        return r**self.power * shape

    def expression(self, c: float) -> sp.Expr:
        """The term as an equation in r."""
        r, constant = symbol("r"), sp.Float(c)

        def power(base, exponent):
            return base ** sp.Rational(round(2 * exponent), 2)

        shape = {
            "power": lambda: sp.Integer(1),
            "shifted": lambda: power(r + constant, self.exponent),
            "softened": lambda: power(r**2 + constant, self.exponent),
            "exp": lambda: sp.exp(-constant * r),
            "gauss": lambda: sp.exp(-constant * r**2),
        }[self.kind]()
        return power(r, self.power) * shape


def terms() -> list[Term]:
    """All terms, those without a constant first."""
    found = [Term("power", a) for a in POWERS]
    found += [Term("shifted", a, p) for a in (0, 1) for p in EXPONENTS]
    found += [Term("softened", a, p) for a in (0, 1, 2, 3) for p in EXPONENTS]
    found += [Term(kind, a) for kind in ("exp", "gauss") for a in (-2, -1, 0, 1, 2)]
    return found


@dataclass(frozen=True)
class RadialForm:
    """A sum of terms with fitted constants.

    members, parts: the terms and what multiplies each; c: their common constant; misfit: mean
    squared, in units of the errors.
    """

    members: tuple[Term, ...]
    parts: tuple[float, ...]
    c: float
    misfit: float

    def expression(self) -> sp.Expr:
        """As an equation in r."""
        found = zip(self.parts, self.members, strict=True)
        return sp.Add(*[sp.Float(k) * term.expression(self.c) for k, term in found])


def radial_forms(r, y, error) -> list[RadialForm]:
    """Forms that follow a curve, the best few of each complexity, simplest first.

    Args:
        r: distances, of order one, shape [n]; y: the curve there; error: its standard
            deviations, positive.
    """
    r, y, error = (np.asarray(one, dtype=float) for one in (r, y, error))
    single = terms()
    sums = [(term,) for term in single] + list(itertools.combinations(single, 2))
    # Terms of a sum share their constant, so they are of one kind, bare powers apart.
    sums = [s for s in sums if len({t.kind for t in s} - {"power"}) <= 1]
    fitted = (_fit(members, r, y, 1 / error) for members in sums)
    found = [(form, _level(form.members)) for form in fitted if form]
    found.sort(key=lambda pair: (pair[1], pair[0].misfit))
    kept: list[RadialForm] = []
    best = np.inf
    for _, group in itertools.groupby(found, key=lambda pair: pair[1]):
        forms = [form for form, _ in group][:KEPT]
        kept += [form for form in forms if form.misfit < 1.5 * best]
        best = min([best, *(form.misfit for form in forms)])
    return kept


@functools.cache
def _level(members: tuple[Term, ...]) -> int:
    """The complexity of a form, which is that of any constants."""
    return complexity(RadialForm(members, (1.5,) * len(members), 0.7, 0.0).expression())


def _fit(members, r, y, weight) -> RadialForm | None:
    c = 1.0
    if any(term.kind != "power" for term in members):
        c = min(SCALES, key=lambda c: _linear(members, r, y, weight, c)[0])
        near = minimize_scalar(
            lambda log_c: _linear(members, r, y, weight, np.exp(log_c))[0],
            bounds=(np.log(c) - 0.3, np.log(c) + 0.3),
            method="bounded",
            options={"xatol": 1e-7},
        )
        c = float(np.exp(near.x))
    misfit, parts = _linear(members, r, y, weight, c)
    return RadialForm(members, tuple(parts), c, misfit) if np.isfinite(misfit) else None


def _linear(members, r, y, weight, c) -> tuple[float, np.ndarray]:
    """Mean squared misfit in units of the errors, and the coefficients."""
    with np.errstate(all="ignore"):
        design = np.stack([term.values(r, c) for term in members], axis=1) * weight[:, None]
    if not np.isfinite(design).all():
        return np.inf, np.zeros(len(members))
    size = np.sqrt((design**2).sum(axis=0)) + 1e-300
    gram = (design / size).T @ (design / size)
    right = (design / size).T @ (y * weight)
    try:
        parts = np.linalg.solve(gram + 1e-12 * np.eye(len(gram)), right)
    except np.linalg.LinAlgError:
        return np.inf, np.zeros(len(members))
    miss = y * weight - (design / size) @ parts
    return float((miss**2).mean()), parts / size
