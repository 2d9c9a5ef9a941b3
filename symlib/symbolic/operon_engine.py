"""The engine `operon`: several short searches, from several points of view.

A pair force is heavy-tailed - a few close encounters among heavy bodies rule every mean -
so one search easily settles on an equation of the largest points alone. Hence several:
over all examples and over the ordinary ones (without the 10% largest), with two sets of
operators; and, because Operon has no IF, over the two sides of the most promising split
(`split.py`), joined into a Piecewise afterwards.
"""

from collections.abc import Callable, Sequence

import numpy as np

from symlib.symbolic.budget import Budget
from symlib.symbolic.processes import run_workers
from symlib.symbolic.split import Split, find_split

_WORKER = "symlib.symbolic.operon_worker"
_ALGEBRAIC = "add,sub,mul,div,square,constant,variable"
_GENERAL = "add,sub,mul,div,pow,exp,log,constant,variable"
# Without the most distant tenth, least squares inside the engine sees the ordinary points.
_ORDINARY = 0.9


def _settings(budget: Budget, symbols: str, generations: int) -> dict:
    return {
        "allowed_symbols": symbols,
        "objectives": ["mae", "length"],
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
    ordinary = np.abs(y - np.median(y)) <= np.quantile(np.abs(y - np.median(y)), _ORDINARY)
    everywhere, usual = np.arange(len(y)), np.flatnonzero(ordinary)

    def sample(rows):
        return rng.permutation(rows)[: budget.rows]

    tasks = []
    for i in range(budget.searches):
        rows = sample(usual if i % 2 else everywhere)
        symbols = _GENERAL if i % 4 == 3 else _ALGEBRAIC
        settings = _settings(budget, symbols, budget.generations)
        tasks.append(_task(names, settings, int(rng.integers(2**31)), X, y, rows))
    split = find_split(X, y, names)
    if split:
        above = X[:, split.column] > split.threshold
        generations = max(budget.generations // 2, 1)
        for side in (above, ~above):
            settings = _settings(budget, _ALGEBRAIC, generations)
            rows = sample(np.flatnonzero(side))
            tasks.append(_task(names, settings, int(rng.integers(2**31)), X, y, rows))
    answers = run_workers(_WORKER, tasks, done=lambda number: step("search"))
    found = [answer["equations"] for answer in answers]
    everything = [text for part in found[: budget.searches] for text in part]
    if not split:
        return everything, None
    return everything, (split, found[-2], found[-1])
