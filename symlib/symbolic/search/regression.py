"""regress(): from examples of a message to an equation (appendix C).

The steps: choose an engine, let it search on a subsample, simplify and refit what it found
(`polish.py`), take the Pareto front, and select by the paper's rule (`selection.py`). The
result speaks PySR's words. Complexity, loss and score are computed here, on the simplified
equations, alike for both engines.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
import sympy as sp
from tqdm import tqdm

from symlib.errors import InputError
from symlib.laws.variables import AXES
from symlib.records.record import available_cores
from symlib.symbolic.algebra.complexity import complexity
from symlib.symbolic.algebra.expressions import evaluate, form_of, symbol
from symlib.symbolic.algebra.parsing import equation_text, parse_equation
from symlib.symbolic.algebra.simplify import simplify_equation
from symlib.symbolic.search import operon_engine, pysr_engine
from symlib.symbolic.search.budget import EXAMPLES, Budget, get_budget
from symlib.symbolic.search.checks import checked
from symlib.symbolic.search.constants import fit_constants, mean_absolute_error
from symlib.symbolic.search.engines import choose_engine
from symlib.symbolic.search.polish import PLAINER, Candidate, front, polish
from symlib.symbolic.search.selection import scores, select
from symlib.symbolic.search.split import find_split, join


@dataclass(frozen=True)
class Regression:
    """The outcome of `regress`, in PySR's words.

    equations_: the Pareto front, columns complexity, loss (MAE, in the target's unit), score
    and equation (text that `parse_equation` reads), simplest first; best: the number of the row
    with the largest score; names: the variables; engine; seconds: wall time; seed.
    """

    equations_: pd.DataFrame
    best: int
    names: tuple[str, ...]
    engine: str
    seconds: float
    seed: int
    _expressions: tuple[sp.Expr, ...] = field(repr=False)

    @property
    def selected(self) -> pd.Series:
        """The row of `equations_` with the largest score."""
        return self.equations_.iloc[self.best]

    def rows(self) -> list[dict]:
        """The front as plain rows, for a record."""
        columns = ["complexity", "loss", "score", "equation"]
        return self.equations_[columns].to_dict("records")

    def facts(self, verdict=None) -> dict:
        """The selected equation, the front and, where it was judged, the verdict: for a record."""
        equation, level, loss = (self.selected[k] for k in ("equation", "complexity", "loss"))
        found = {"equation": str(equation), "complexity": int(level), "mae": float(loss)}
        if verdict is not None:
            found |= {"recovered": bool(verdict), "verdict": verdict.to_dict()}
        return found | {"front": self.rows()}

    def sympy(self, index: int | None = None) -> sp.Expr:
        """The selected equation, or that of row `index`, as a sympy expression."""
        try:
            return self._expressions[self.best if index is None else index]
        except IndexError:
            raise InputError(
                f"index: there are {len(self._expressions)} equations, got {index}"
            ) from None

    def latex(self, index: int | None = None, precision: int = 3) -> str:
        """The equation in LaTeX, constants to `precision` significant digits."""
        expr = self.sympy(index)
        rounded = expr.xreplace({n: sp.Float(n, precision) for n in expr.atoms(sp.Float)})
        offsets = {symbol(f"d{axis}"): rf"\Delta {axis}" for axis in AXES}
        return sp.latex(rounded, symbol_names=offsets)

    def predict(self, X, index: int | None = None) -> np.ndarray:
        """Values of the equation, shape [n], for X of shape [n, len(names)]."""
        X = np.asarray(X, dtype=float)
        if X.ndim != 2 or X.shape[1] != len(self.names):
            raise InputError(f"X: expected shape [n, {len(self.names)}], got {list(X.shape)}")
        return evaluate(self.sympy(index), X, self.names)


def regress(
    X,
    y,
    names: Sequence[str],
    *,
    engine: str = "auto",
    seed: int = 0,
    budget: "str | Budget | Mapping[str, int]" = "ci",
    progress: bool = True,
) -> Regression:
    """Search for an equation y = f(X) (appendix C).

    Args:
        X: examples, shape [n, k]; y: the target, shape [n]; dimensionless. The search sees
            5,000 of them, the refit of the constants all. A target that never varies is its
            constant, without a search.
        names: of the k columns, e.g. ["m1", "m2", "q1", "q2", "dx", "dy", "r"] with m1 the
            receiver's mass, dx = x2 - x1 and r the distance without softening. Columns that
            do not vary are left out of the search.
        engine: "operon", "pysr", or "auto": PySR where a usable Julia already is.
        seed: the same seed gives the same equations.
        budget: "ci" (half a minute on 2 cores), "laptop", "paper", or explicit numbers.
        progress: show a progress bar on stderr.

    Raises:
        InputError: X, y, names, engine or budget that cannot be worked with.
        MissingEngine: engine="pysr" without Julia.
    """
    started = time.perf_counter()
    X, y, names = checked(X, y, names)
    budget = get_budget(budget)
    engine = choose_engine(engine, say=progress)
    if np.ptp(y) <= 1e-12 * np.max(np.abs(y)):  # rounding apart
        value = sp.Float(float(y[0]))
        found = [Candidate(value, complexity(value), 0.0)]
        return _regression(found, names, engine, seed, 1.0, 0.0)
    rng = np.random.default_rng(seed)

    varying = [i for i in range(X.shape[1]) if np.ptp(X[:, i]) > 0]
    used = [names[i] for i in varying]
    order = rng.permutation(len(y))
    rows = order[:EXAMPLES]
    scale = float(np.mean(np.abs(y - np.median(y))))
    few_X, few_y = X[rows][:, varying], y[rows] / scale

    rounds = budget.rounds if "variations" in budget.aids else 0
    plainer = PLAINER if "plainer" in budget.aids else 1.0
    steps = budget.searches + 4 + rounds if engine == "operon" else 2 + rounds
    with tqdm(total=steps, desc=f"symbolic regression ({engine})", disable=not progress) as bar:
        clean = partial(
            polish, names=used, max_complexity=budget.max_complexity, plainer=plainer, seed=seed,
            step=bar.update,
        )  # fmt: skip
        split = find_split(few_X, few_y) if engine == "operon" else None
        above = split.above(few_X) if split else None
        sides: list[list[str]] = []
        if engine == "pysr":
            texts = pysr_engine.search(few_X, few_y, used, budget, seed)
            bar.update()
        else:
            texts, *sides = operon_engine.search(
                few_X, few_y, used, budget, seed, above, bar.update
            )
        found = clean(texts, X=few_X, y=few_y, rounds=rounds)
        if above is not None:

            def of_side(texts, side):
                return clean(texts, X=few_X[side], y=few_y[side], rounds=0, parts=1)

            with ThreadPoolExecutor(available_cores()) as pool:
                high, low = pool.map(of_side, sides, (above, ~above))
            found = [*found, *_joined(high, low, split, few_X, few_y, used)]
        bar.update(steps - bar.n)

    scaled = [_final(c, scale, names, X, y, seed) for c in front(found, plainer)]
    # Rounding apart, undoing the scale may add a constant: the front is formed anew.
    final = front([c for c in scaled if c], plainer)
    final = [c for c in final if c.complexity <= budget.max_complexity]
    return _regression(final, names, engine, seed, scale, time.perf_counter() - started)


def _joined(high, low, split, X, y, names) -> list[Candidate]:
    out = []
    for above in high:
        for below in low[:3]:
            form = form_of(join(above.equation, below.equation, split, X, y, names))
            constants, loss = fit_constants(form, names, X, y)
            expr = simplify_equation(form.fill(constants))
            out.append(Candidate(expr, complexity(expr), loss))
    return out


def _final(found: Candidate, scale: float, names, X, y, seed: int) -> Candidate | None:
    """In the target's own scale, constants refitted on every example."""
    scaled = simplify_equation(sp.Float(scale) * found.equation)
    form = form_of(scaled)
    constants, _ = fit_constants(form, names, X, y, starts=4, steps=25, seed=seed)
    # What the table shows as text and what `sympy()` returns are the same tree.
    expr = parse_equation(equation_text(simplify_equation(form.fill(constants))), names)
    loss = mean_absolute_error(evaluate(expr, X, names), y)
    return Candidate(expr, complexity(expr), loss) if np.isfinite(loss) else None


def _regression(final, names, engine, seed, scale, seconds) -> Regression:
    levels, losses = [c.complexity for c in final], [c.loss for c in final]
    table = pd.DataFrame(
        {
            "complexity": levels,
            "loss": losses,
            "score": scores(levels, losses, scale),
            "equation": [equation_text(c.equation) for c in final],
        }
    )
    best, expressions = select(levels, losses, scale), tuple(c.equation for c in final)
    return Regression(table, best, tuple(names), engine, seconds, seed, expressions)
