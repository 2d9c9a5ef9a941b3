"""From what an engine found to a clean Pareto front.

Every equation is simplified and its constants refitted by MAE; the front's members are
varied (`variations.py`), and what beats the front joins it. The work is spread over
processes, and the result does not depend on how many run at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from symlib.errors import InputError
from symlib.records.record import available_cores
from symlib.symbolic.algebra.complexity import complexity
from symlib.symbolic.algebra.expressions import evaluate, form_of
from symlib.symbolic.algebra.parsing import equation_text, parse_equation
from symlib.symbolic.algebra.simplify import simplify_equation
from symlib.symbolic.search.constants import fit_constants, mean_absolute_error
from symlib.symbolic.search.processes import run_workers
from symlib.symbolic.search.selection import pareto_indices, scores
from symlib.symbolic.search.variations import distinct, smaller, variations

_MAX_CONSTANTS = 14
# sympy raises these on degenerate trees (0 * oo, a complex branch); such a candidate is no
# equation, and the search goes on without it.
_DEGENERATE = (
    InputError, TypeError, ValueError, OverflowError, ZeroDivisionError, RecursionError
)  # fmt: skip
# Rows for a first look at a candidate.
_GLANCE = 600
_SAVING = 3
# The least score of an equation that is varied further.
_WORTH = 0.005
# Of two equations of one complexity, the one with fewer fitted constants may have an error larger
# by this factor: r**2.95 counts like r**3, but says less.
PLAINER = 1.2


@dataclass(frozen=True)
class Candidate:
    """An equation with its complexity (of the simplified form) and its MAE."""

    equation: sp.Expr
    complexity: int
    loss: float


def front(candidates: Sequence[Candidate], plainer: float = PLAINER) -> list[Candidate]:
    """Pareto front, simplest first; of each complexity the plainest of the good equations.

    Args:
        candidates: equations.
        plainer: what a plainer equation's error may be, in units of the least one; 1 takes the
            least.
    """
    groups: dict[int, list[Candidate]] = {}
    for c in candidates:
        groups.setdefault(c.complexity, []).append(c)
    ordered = [_plainest(groups[level], plainer) for level in sorted(groups)]
    chosen = pareto_indices([c.complexity for c in ordered], [c.loss for c in ordered])
    return [ordered[i] for i in chosen]


def _plainest(rivals: Sequence[Candidate], plainer: float) -> Candidate:
    least = min(c.loss for c in rivals)
    good = [c for c in rivals if c.loss <= plainer * least]
    return min(good, key=lambda c: (_constants(c.equation), c.loss, str(c.equation)))


def _constants(expr: sp.Expr) -> int:
    return len(form_of(expr).values)


def candidate(expr: sp.Expr, names: Sequence[str], X, y, **options) -> Candidate | None:
    """Simplify, refit, simplify again; None where the equation has no finite values."""
    try:
        expr, _ = _fitted(simplify_equation(expr), names, X, y, **options)
        expr = simplify_equation(expr)
        loss = mean_absolute_error(evaluate(expr, X, names), y)
    except _DEGENERATE:
        return None
    return Candidate(expr, complexity(expr), loss) if np.isfinite(loss) else None


def glance(expr: sp.Expr, names, X, y, steps: int = 4) -> float | None:
    """MAE after a short refit on few rows, the equation as it is written."""
    try:
        return _fitted(expr, names, X[:_GLANCE], y[:_GLANCE], steps=steps)[1]
    except _DEGENERATE:
        return None


def _fitted(expr: sp.Expr, names, X, y, **options) -> tuple[sp.Expr, float]:
    form = form_of(expr)
    if len(form.values) > _MAX_CONSTANTS:
        raise InputError("equation: more constants than can be fitted")
    constants, loss = fit_constants(form, names, X, y, **options)
    if not np.isfinite(loss) or not np.all(np.isfinite(constants)):
        raise InputError("equation: no finite values")
    return form.fill(constants), loss


def _spread(request: dict, texts: list[str], X, y, parts: int) -> list[Candidate]:
    """Send texts to the workers, each to the next one in turn; collect their candidates."""
    split = [texts[i::parts] for i in range(parts)]
    tasks = [(request | {"equations": part}, {"X": X, "y": y}) for part in split if part]
    found = []
    for candidates in run_workers(f"{__name__}:handle", tasks):
        for text, loss in candidates:
            expr = parse_equation(text, request["names"])
            found.append(Candidate(expr, complexity(expr), loss))
    return found


def polish(
    texts: Sequence[str],
    names: Sequence[str],
    X: np.ndarray,
    y: np.ndarray,
    *,
    max_complexity: int,
    rounds: int,
    plainer: float = PLAINER,
    seed: int = 0,
    parts: int = 2,
    step: Callable[[], object] = lambda: None,
) -> list[Candidate]:
    """Pareto front from an engine's equations.

    Args:
        texts: what the engine found, over variables `names`.
        X, y: shape [n, len(names)] and [n]; rows in random order.
        max_complexity: more complex equations are left out.
        rounds: how often the front's members are varied; what came of it then loses parts that
            do nothing, until none is left.
        plainer: as for `front`.
        parts: the texts are first divided into so many, and each keeps its best few equations.
            A fixed number, or the result would depend on the machine.
        step: called after each round, for a progress display.
    """
    request = {"names": list(names), "max_complexity": max_complexity, "seed": seed}
    request["plainer"] = plainer
    # The best few at each complexity by a short refit, then a full refit of those.
    # Engines may leave out the simplest equation of all, from which scores are counted.
    texts = [*texts, repr(float(np.median(y)))]
    found = _spread(request | {"vary": False}, sorted(set(texts)), X, y, parts)
    step()
    current = front(found, plainer)

    def vary(how: str, tried: set[str]) -> bool:
        nonlocal current
        fresh = [text for text in _worth_varying(current) if text not in tried]
        tried.update(fresh)
        if fresh:
            bar = [[c.complexity, c.loss] for c in current]
            found = _spread(request | {"vary": how, "bar": bar}, fresh, X, y, available_cores())
            current = front([*current, *found], plainer)
        return bool(fresh)

    tried: set[str] = set()
    for _ in range(rounds):
        vary("every way", tried)
        step()
    # What the last round found may still have parts that do nothing.
    tidied: set[str] = set()
    while rounds and vary("smaller", tidied):
        pass
    return current


def _worth_varying(current: list[Candidate]) -> list[str]:
    """Members that gained something over the next simpler one; noise is not varied."""
    gains = scores([c.complexity for c in current], [c.loss for c in current])
    gains[:1] = np.inf
    return [
        equation_text(c.equation)
        for c, gain in zip(current, gains, strict=True)
        if gain > _WORTH and c.complexity > 1
    ]


def _wins(level: int, loss: float, bar: np.ndarray) -> bool:
    rivals = bar[bar[:, 0] <= level, 1]
    return not len(rivals) or loss < 0.995 * rivals.min()


def handle(request: dict, arrays: dict[str, np.ndarray]) -> list:
    """The worker's side of `polish`."""
    names, limit = request["names"], request["max_complexity"]
    X, y = arrays["X"], arrays["y"]
    if request["vary"]:
        kept = _beating(request, names, X, y, limit)
    else:
        kept = _best_of_each(request["equations"], names, X, y, limit)
    full = (candidate(expr, names, X, y, starts=3, seed=request["seed"]) for expr in kept)
    return [(equation_text(c.equation), c.loss) for c in full if c and c.complexity <= limit]


def _best_of_each(texts, names, X, y, limit, per_complexity: int = 2) -> list[sp.Expr]:
    """The best few equations of each complexity."""
    ranked: dict[int, list] = {}
    for text in texts:
        try:
            expr = simplify_equation(parse_equation(text, names))
        except InputError:
            continue  # without a real value, as the square root of -1
        level = complexity(expr)
        loss = glance(expr, names, X, y) if level <= limit else None
        if loss is not None:
            ranked.setdefault(level, []).append((loss, text, expr))
    out = []
    for _, group in sorted(ranked.items()):
        group.sort(key=lambda item: item[:2])
        out += [expr for _, _, expr in group[:per_complexity]]
    return out


def _beating(request, names, X, y, limit) -> list[sp.Expr]:
    """Variations that beat the front that they would join."""
    bar = np.array(request["bar"])
    few_X, few_y = X[:_GLANCE], y[:_GLANCE]
    every = request["vary"] == "every way"
    out: list[sp.Expr] = []
    for text in request["equations"]:
        parent = parse_equation(text, names)
        # The front's losses are of all rows, a glance's of few: compare ratios to the parent.
        own = mean_absolute_error(evaluate(parent, X, names), y)
        few = mean_absolute_error(evaluate(parent, few_X, names), few_y)
        factor = own / few if few > 0 else 1.0
        ways = variations(parent, names) if every else distinct(parent, smaller(parent))
        for variation in ways:
            # Simplifying is the dear step, so it is left to what may win: it seldom takes
            # more than `_SAVING` off the complexity of a variation.
            level = complexity(variation) - _SAVING
            loss = glance(variation, names, X, y) if level <= limit else None
            if loss is None:
                continue
            loss *= factor
            plainer = loss <= request["plainer"] * own and _constants(variation) < _constants(
                parent
            )
            if not plainer and not _wins(level, loss, bar):
                continue
            simpler = simplify_equation(variation)
            level = complexity(simpler)
            if level <= limit and (
                _wins(level, loss, bar) or (plainer and level <= complexity(parent))
            ):
                out.append(simpler)
    return out
