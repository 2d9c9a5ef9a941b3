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
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from symlib.symbolic.budget import Budget
from symlib.symbolic.processes import run_workers
from symlib.symbolic.split import Split, find_split

_WORKER = "symlib.symbolic.operon_worker"
_ALGEBRAIC = "add,sub,mul,div,square,constant,variable"
_GENERAL = "add,sub,mul,div,pow,exp,log,constant,variable"
# Without the most distant tenth, least squares inside the engine sees the ordinary points.
_ORDINARY = 0.9


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


def _task(names, settings, seed, X, y, rows):
    request = {"names": list(names), "seed": seed, "per_length": 2, "settings": settings}
    return request, {"X": X[rows], "y": y[rows]}


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
    new, taken = {}, "".join(names)
    for i, j in pairs:
        name = f"sign{len(new)}"
        while name in taken:
            name += "x"
        new[name] = f"({names[i]} * {names[j]})"
    return products, [*names, *new], new


def _written_out(text: str, meaning: dict[str, str]) -> str:
    for name, what in meaning.items():
        text = re.sub(rf"\b{name}\b", what, text)
    return text


def search(
    X: np.ndarray,
    y: np.ndarray,
    names: Sequence[str],
    budget: Budget,
    seed: int,
    step: Callable[[str], None] = lambda what: None,
) -> tuple[list[str], tuple[Split, list[str], list[str]] | None]:
    """Equations over all examples; and, where a split promises something, over its sides.

    Args:
        X, y: shapes [n, len(names)] and [n], the target scaled to order one.
        step: called when a search has finished.

    Returns:
        Equations as text, and (split, equations above it, equations below it) or None.
    """
    rng = np.random.default_rng(seed)
    columns, seen, meaning = sign_products(X, names)
    ordinary = np.abs(y - np.median(y)) <= np.quantile(np.abs(y - np.median(y)), _ORDINARY)
    everywhere, usual = np.arange(len(y)), np.flatnonzero(ordinary)

    def sample(rows):
        return rng.permutation(rows)[: budget.rows]

    tasks = []
    for i in range(budget.searches):
        rows = sample(usual if i % 2 else everywhere)
        symbols = _GENERAL if i % 4 == 3 else _ALGEBRAIC
        settings = _settings(budget, symbols, budget.generations, "mae" if i % 4 < 2 else "mse")
        tasks.append(_task(seen, settings, int(rng.integers(2**31)), columns, y, rows))
    split = find_split(X, y, names)
    if split:
        above = X[:, split.column] > split.threshold
        generations = max(budget.generations // 2, 1)
        for side in (above, ~above):
            settings = _settings(budget, _ALGEBRAIC, generations)
            rows = sample(np.flatnonzero(side))
            tasks.append(_task(seen, settings, int(rng.integers(2**31)), columns, y, rows))
    answers = run_workers(_WORKER, tasks, done=lambda number: step("search"))
    found = [[_written_out(text, meaning) for text in answer["equations"]] for answer in answers]
    everything = [text for part in found[: budget.searches] for text in part]
    if not split:
        return everything, None
    return everything, (split, found[-2], found[-1])
