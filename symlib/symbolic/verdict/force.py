"""The verdict: is this equation the law?

An equation is recovered when, simplified, it is proportional to one component of the true
pairwise force, or of the acceleration (force / receiver's mass): any linear combination of
the components, any additive constant. It is judged by its form (`snapping.py`), by its values
on fresh points, most of them outside the range of the training data, and, in that form, far
beyond those and beside its own thresholds, where no point may lie by chance (`everywhere.py`).

Both bodies are taken at rest, which leaves out a drag such as the damped law's: that is the
receiver's alone, and no message needs to carry it. Of a law with an external field or a drag the
pair force is what is judged, and the reason says so; the rest has its own verdict (`body.py`).
The softening is a known small offset: an equation may have it (as (r + 0.01), fitted or exact)
or not. Charges are -1 or 1.

The same strictness holds for the paper's own successes: IF(r > 2, (a·d) r, 0) is no, since
the force beyond r = 2 goes as (r - 1), not as r².
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import sympy as sp

from symlib.choices import DIMENSIONS, known
from symlib.laws.potentials import PairPotential, get_law
from symlib.laws.variables import pair_names
from symlib.symbolic.algebra.expressions import Form, form_of, symbol
from symlib.symbolic.algebra.parsing import equation_text, parse_equation
from symlib.symbolic.algebra.simplify import expanded, simplify_equation
from symlib.symbolic.verdict.everywhere import departure
from symlib.symbolic.verdict.reference import Reference, references
from symlib.symbolic.verdict.snapping import IDENTITY, LARGEST, Snapped, span_fit

# How far a constant may move (relative), and an exponent.
CONSTANT_TOLERANCE = 0.10
EXPONENT_TOLERANCE = 0.03
# How far apart the constants of an IF's branches may be, relative to the mean force.
JUMP_TOLERANCE = 0.01
# Mean error on fresh points outside the training range, relative to the force there. Anywhere
# else, with constants moved into the law's form, the error of each single point.
VALUE_TOLERANCE = 0.05
# A constant added to r may be so many times the law's softening.
SOFTENING_TOLERANCE = 3


@dataclass(frozen=True)
class Verdict:
    """Whether an equation is the law, and why; true in a condition if it is.

    recovered, reason; equation: simplified; quantity: "force" or "acceleration", what it is
    proportional to (None if neither); coefficients: the direction a [dim]; constant: b;
    error: mean error on fresh points outside the training range, relative to the force
    there, of the best a · force + b (NaN where none exists).

    Of an energy (`energy.py`): quantity "pair energy" or "self energy"; one
    coefficient, the factor in front of the true energy; no constant; error: of the gradient.
    """

    recovered: bool
    reason: str
    equation: sp.Expr
    quantity: str | None = None
    coefficients: tuple[float, ...] | None = None
    constant: float | None = None
    error: float = float("nan")

    def __bool__(self) -> bool:
        return self.recovered

    def __str__(self) -> str:
        return f"{'recovered' if self.recovered else 'not recovered'}: {self.reason}"

    def to_dict(self) -> dict:
        """For JSON; the equation as text, a missing error as None."""
        out = asdict(self) | {"equation": equation_text(self.equation)}
        out["coefficients"] = None if self.coefficients is None else list(self.coefficients)
        out["error"] = self.error if np.isfinite(self.error) else None
        return out


def read_equation(equation, variables: Callable[[int], tuple[str, ...]], dim: int) -> sp.Expr:
    """An equation in these variables, simplified, from text, sympy or a `Regression`.

    Raises:
        InputError: another type, text that cannot be read, an unknown variable, or a dimension
            other than 2 or 3.
    """
    known("dim", dim, DIMENSIONS)
    if not isinstance(equation, sp.Basic) and callable(getattr(equation, "sympy", None)):
        equation = equation.sympy()
    if isinstance(equation, sp.Expr):
        equation = equation_text(equation)
    elif isinstance(equation, int | float) and not isinstance(equation, bool):
        equation = repr(equation)
    return simplify_equation(parse_equation(equation, variables(dim)))


def recovered(equation, law: "str | PairPotential", dim: int) -> Verdict:
    """Judge an equation against a law.

    Args:
        equation: text, a sympy expression, or a `Regression` (its selected equation), in
            m1 (receiver), m2 (sender), q1, q2, dx = x2 - x1, dy(, dz) and r.
        law: a name, "path/to/file.py:NAME" or a `PairPotential`.
        dim: 2 or 3.

    Raises:
        InputError: an equation that cannot be read, an unknown law, another dimension.
    """
    expr = read_equation(equation, pair_names, dim)
    law = get_law(law)
    if not expr.free_symbols:
        return of_pairs(
            Verdict(False, "the equation is a constant", expr), law, "force", "a message"
        )
    return of_pairs(judge(expr, references(law, dim, expr)), law, "force", "a message")


def of_pairs(verdict: Verdict, law: PairPotential, judged: str, carrier: str) -> Verdict:
    """The verdict, its reason saying what it leaves out where a law has terms of a single body.

    judged: what of the pair was judged, and carrier: what holds no more than that, in words.
    """
    terms = [("external field", law.external), ("drag", law.drag)]
    left = [name for name, function in terms if function is not None]
    if not left:
        return verdict
    left_out = f"the law's {' and '.join(left)} {'is' if len(left) == 1 else 'are'}"
    reason = f"{verdict.reason}; of the pair {judged}: {left_out} not in {carrier}"
    return replace(verdict, reason=reason)


def judge(expr: sp.Expr, truths: Sequence[Reference]) -> Verdict:
    """Yes if the equation agrees with one form of the truth, else the no of the closest."""
    found = [_judge(expr, reference) for reference in truths]
    yes = [verdict for verdict, _ in found if verdict]
    if yes:
        return min(yes, key=lambda verdict: verdict.error)
    verdict, _ = min(found, key=lambda pair: pair[1])
    return verdict


def _judge(expr: sp.Expr, reference: Reference) -> tuple[Verdict, float]:
    """Verdict against one form of the truth, and how far off it is (to choose a reason)."""
    basis, weight, train, what = reference.basis, reference.weight, reference.train, reference.what
    values = reference.values(expr)
    usable = np.abs(values) < LARGEST
    if not np.all(usable):
        where = f"{reference.names[-1]} = {reference.X[np.argmin(usable), -1]:.3g}"
        reason = f"{reference.compared} has no finite value at {where}"
        return Verdict(False, reason, expr), np.inf
    a, b = span_fit(values[train], basis[train], weight[train], reference.offset), None
    if reference.offset:
        a, b = a[:-1], float(a[-1])
    fit = basis @ a + (b or 0.0)
    force = weight * np.abs(basis @ a)
    error = float(np.mean((weight * np.abs(values - fit))[~train]))
    error /= max(float(np.mean(force[~train])), 1e-300)
    form = form_of(expr)
    moved = reference.snap(form)
    # Ranked: how well the form fits after moving constants, then before.
    distance = moved.residual + 1e-3 * min(error, 1e3)
    size = float(np.mean(weight * np.abs(values - (b or 0.0))))
    reason = _objection(expr, form, moved, reference) or ""
    if reason:
        distance += 1.0
    elif not np.any(np.abs(a) > 0) or float(np.mean(force)) < IDENTITY * size:
        reason = f"it has no part proportional to {what}"
    elif not error < VALUE_TOLERANCE:
        reason = (
            f"the form is that of {what}, but its constants are off: values outside the "
            f"training range differ by {error:.1%}"
        )
    else:
        reason = departure(form.fill(moved.constants), reference, VALUE_TOLERANCE) or ""
        distance += bool(reason)
    yes = not reason
    reason = reason or f"{reference.agreement(a)}; outside the training range within {error:.2%}"
    quantity = reference.quantity if yes else None
    return Verdict(yes, reason, expr, quantity, tuple(map(float, a)), b, error), distance


def _extra(term: sp.Expr, expr: sp.Expr, reference: Reference) -> str:
    """The objection to one term, with its share in what is compared."""
    train = reference.train
    part, whole = (
        float(np.mean(np.abs(reference.values(e)[train]) * reference.weight[train]))
        for e in (term, expr)
    )
    short = term.xreplace({n: sp.Float(n, 4) for n in term.atoms(sp.Float)})
    share = f"{part / max(whole, 1e-300):.2g} of {reference.compared}"
    return f"extra term {short} ({share}), which {reference.what} lacks"


def _objection(expr: sp.Expr, form: Form, moved: Snapped, reference: Reference) -> str | None:
    """Why the equation has not the law's form; None if it has."""
    what = reference.what
    if not moved.exact:
        extra = _foreign_terms(expr, reference)
        if extra is not None:
            return _extra(extra, expr, reference)
        return (
            f"it is not proportional to {what} for any constants{reference.apart}: at best "
            f"{min(moved.residual, 9.99):.1%} of {reference.compared} is left over"
        )
    values = reference.values(expr)
    force = float(np.mean(np.abs(values - np.median(values))[reference.train]))
    for i, (old, new) in enumerate(zip(form.values, moved.constants, strict=True)):
        if form.kinds[i] == "threshold":
            continue  # no derivative moves it
        change = abs(new - old) / max(abs(old), 1e-300)
        if form.kinds[i] == "exponent":
            if change > EXPONENT_TOLERANCE:
                return f"an exponent {old:.4g} would have to be {new:.4g} for {what}"
        elif change > CONSTANT_TOLERANCE and not (
            _is_softening(form, i, reference) or _small_jump(form, i, new - old, force)
        ):
            if abs(new) < 0.5 * abs(old):
                without = form.values.copy()
                without[i] = 0.0
                gone = simplify_equation(form.fill(form.values) - form.fill(without))
                return _extra(gone, expr, reference)
            return f"a constant {old:.4g} would have to be {new:.4g} for {what}"
    return None


def _small_jump(form: Form, i: int, move: float, force: float) -> bool:
    """The branches of an IF each have a constant: they may differ by a fitted one's error."""
    return form.kinds[i] == "branch" and abs(move) < JUMP_TOLERANCE * force


def _is_softening(form: Form, i: int, reference: Reference) -> bool:
    """A constant added to r, or to a multiple of r, and not much larger than the softening."""
    constant, r = form.symbols[i], symbol("r")
    known = {s: sp.Float(float(v)) for s, v in zip(form.symbols, form.values, strict=True)}

    def softens(home: sp.Add) -> bool:
        factor = (home - constant).xreplace(known) / r
        if not factor.is_number:
            return False
        largest = SOFTENING_TOLERANCE * reference.softening * abs(float(factor))
        return abs(float(known[constant])) <= largest

    homes = [n for n in sp.preorder_traversal(form.expr) if n.is_Add and constant in n.args]
    return bool(homes) and all(softens(home) for home in homes)


def _foreign_terms(expr: sp.Expr, reference: Reference) -> sp.Expr | None:
    """Terms of the expanded sum that have to vanish for the rest to have the law's form."""
    terms = reference.terms(expanded(expr))
    if not 1 < len(terms) <= 30:
        return None
    weights = [sp.Symbol(f"_c{i}", real=True) for i in range(len(terms))]
    total = sp.Add(*[w * term for w, term in zip(weights, terms, strict=True)])
    form = Form(total, tuple(weights), np.ones(len(terms)), ("coefficient",) * len(terms))
    moved = reference.snap(form)
    gone = [t for t, factor in zip(terms, moved.constants, strict=True) if abs(factor) < 0.5]
    if not moved.exact or not gone or len(gone) == len(terms):
        return None
    return sp.Add(*gone)
