"""The engine `operon`: several short searches, from several points of view.

A pair force is heavy-tailed - a few close encounters among heavy bodies rule every mean -
so one search easily settles on an equation of the largest points alone. Hence several:
over all examples and over the ordinary ones (without the 10% largest); with two sets of
operators; by absolute and by squared errors (Operon scales equations by least squares, after
which one that is half right can have a larger absolute error than a constant); and, because
Operon has no IF, over the two sides of the most promising split (`split.py`), joined into a
Piecewise afterwards.

Of columns that are signs, as charges are, the searches see the products too: whether two
bodies attract is in q1 q2, of which neither q1 nor q2 alone tells anything, so no search would
climb to it by steps that gain.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from symlib.symbolic.search.budget import Budget
from symlib.symbolic.search.processes import run_workers

_ALGEBRAIC = "add,sub,mul,div,square,constant,variable"
_GENERAL = "add,sub,mul,div,pow,exp,log,constant,variable"
# Without the most distant tenth, least squares inside the engine sees the ordinary points.
_ORDINARY = 0.9
# Of the last population, at each length.
_PER_LENGTH = 2
# Decimals of a constant. Data are scaled to order one before they come here.
_DECIMALS = 12


def _settings(budget: Budget, symbols: str, generations: int, objective: str = "mae") -> dict:
    return {
        "allowed_symbols": symbols,
        "objectives": [objective, "length"],
        "optimizer_iterations": 4,
        "max_length": 25,
        "max_depth": 8,
        "population_size": budget.population,
        "pool_size": budget.population,
        "generations": generations,
        # Generations alone end a search: a limit on time would make it irreproducible.
        "max_evaluations": 10**9,
        "epsilon": 0,
    }


def sign_products(X: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, list[str], dict]:
    """X with a column for each product of two columns of signs, -1 and 1.

    Args:
        X: shape [n, len(names)].

    Returns:
        X and names, both extended, and what each new name stands for, e.g. (q1 * q2).
    """
    signs = [i for i in range(X.shape[1]) if set(np.unique(X[:, i])) == {-1.0, 1.0}]
    pairs = list(combinations(signs, 2))
    products = np.column_stack([X, *(X[:, i] * X[:, j] for i, j in pairs)])
    new: dict[str, str] = {}
    taken = "".join(names)
    for i, j in pairs:
        name = f"sign{len(new)}"
        while name in taken:
            name += "x"
        new[name] = f"({names[i]} * {names[j]})"
    return products, [*names, *new], new


def search(
    X: np.ndarray,
    y: np.ndarray,
    names: Sequence[str],
    budget: Budget,
    seed: int,
    above: np.ndarray | None = None,
    step: Callable[[], object] = lambda: None,
) -> list[list[str]]:
    """Equations over all examples; and, where a split promises something, over its sides.

    Args:
        X, y: shapes [n, len(names)] and [n], the target scaled to order one.
        above: which examples lie above the split, shape [n], or None without one.
        step: called when a search has finished.

    Returns:
        Equations as text: over all, and then, with a split, those above it and those below.
    """
    rng = np.random.default_rng(seed)
    columns, seen = X, list(names)
    meaning: dict[str, str] = {}
    if "products" in budget.aids:
        columns, seen, meaning = sign_products(X, names)
    ordinary = np.abs(y - np.median(y)) <= np.quantile(np.abs(y - np.median(y)), _ORDINARY)
    tasks = []

    def add(rows, symbols, generations, objective="mae"):
        rows = rng.permutation(np.flatnonzero(rows))[: budget.rows]
        settings = _settings(budget, symbols, generations, objective)
        request = {"names": seen, "seed": int(rng.integers(2**31)), "settings": settings}
        tasks.append((request, {"X": columns[rows], "y": y[rows]}))

    views = "views" in budget.aids
    for i in range(budget.searches):
        rows = ordinary if views and i % 2 else np.ones(len(y), dtype=bool)
        symbols = _GENERAL if i % 4 == 3 else _ALGEBRAIC
        objective = "mse" if views and i % 4 >= 2 else "mae"
        add(rows, symbols, budget.generations, objective)
    if above is not None:
        for side in (above, ~above):
            add(side, _ALGEBRAIC, max(budget.generations // 2, 1))
    answers = run_workers(f"{__name__}:run", tasks, step)
    for name, product in meaning.items():
        answers = [[re.sub(rf"\b{name}\b", product, text) for text in one] for one in answers]
    everywhere = [text for one in answers[: budget.searches] for text in one]
    return [everywhere, *answers[budget.searches :]]


def run(request: dict, arrays: dict[str, np.ndarray]) -> list[str]:
    """One search, in a process of its own.

    Returns:
        The equations of the Pareto front and the best of the final population at each length,
        as text with the in-engine scale and intercept terms written out.
    """
    import pyoperon
    from pyoperon import sklearn

    def error(y, predicted) -> float:
        with np.errstate(all="ignore"):
            return float(((y - predicted) ** 2).mean())

    # Its own, scikit-learn's, raises where one equation of the front has no finite value, and all
    # others would be lost with it.
    sklearn.mean_squared_error = error
    X, y = arrays["X"], arrays["y"]
    # One thread makes the run repeatable.
    regressor = sklearn.SymbolicRegressor(
        **request["settings"], n_threads=1, random_state=request["seed"]
    )

    def text(tree) -> str:
        return regressor.get_model_string(tree, _DECIMALS, request["names"])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regressor.fit(X, y)
        found = [
            text(solution["tree"])
            for solution in regressor.pareto_front_
            if np.isfinite(solution["mean_squared_error"])
        ]
        best: dict[int, list] = {}
        for individual in sorted(regressor.individuals_, key=lambda one: one.GetFitness(0)):
            best.setdefault(individual.Genotype.Length, []).append(individual.Genotype)
        for trees in best.values():
            for tree in trees[:_PER_LENGTH]:
                values = regressor.evaluate_model(tree, X)
                if np.all(np.isfinite(values)):
                    scale, offset = pyoperon.FitLeastSquares(values, y)
                    found.append(f"{scale!r} * ({text(tree)}) + {offset!r}")
    return list(dict.fromkeys(found))
