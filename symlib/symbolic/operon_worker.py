"""One Operon search, in a process of its own: `python -m symlib.symbolic.operon_worker`.

Imports nothing of symlib's but the protocol, so that it starts fast. The answer holds the
equations of the Pareto front and the best of the final population at each length, as text
with the in-engine scale and intercept terms written out.
"""

import sys
import warnings

import numpy as np

from symlib.symbolic.processes import serve

# Decimals of a constant. Data are scaled to order one before they come here.
_DECIMALS = 12


def search(request: dict, arrays: dict[str, np.ndarray]) -> dict:
    """Run one search; see `operon_engine.tasks` for what a request holds."""
    import pyoperon
    from pyoperon.sklearn import SymbolicRegressor

    X, y = arrays["X"], arrays["y"]
    settings = dict(request["settings"])
    # Distinct seeds for the search and nothing else: one thread makes the run repeatable.
    regressor = SymbolicRegressor(**settings, n_threads=1, random_state=request["seed"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        regressor.fit(X, y)
        found: dict[str, float] = {}
        for solution in regressor.pareto_front_:
            text = regressor.get_model_string(solution["tree"], _DECIMALS, request["names"])
            found[text] = 0.0
        best: dict[int, list[tuple[float, object]]] = {}
        for individual in regressor.individuals_:
            tree = individual.Genotype
            best.setdefault(tree.Length, []).append((individual.GetFitness(0), tree))
        for ranked in best.values():
            ranked.sort(key=lambda pair: pair[0])
            for _, tree in ranked[: request["per_length"]]:
                values = regressor.evaluate_model(tree, X)
                if not np.all(np.isfinite(values)):
                    continue
                scale, offset = pyoperon.FitLeastSquares(values, y)
                text = regressor.get_model_string(tree, _DECIMALS, request["names"])
                found.setdefault(f"{scale!r} * ({text}) + {offset!r}", 0.0)
    return {"equations": list(found), "evaluations": regressor.stats_["evaluation_count"]}


if __name__ == "__main__":
    sys.exit(serve(search))
