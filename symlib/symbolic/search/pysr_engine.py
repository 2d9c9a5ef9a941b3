"""The engine `pysr`: the real PySRRegressor with the paper's settings, in its own process.

The settings below are keywords of `PySRRegressor` in pysr 2.7; a test holds them to the
installed version's source. Complexity inside the search counts as in appendix C, so that
PySR's own front has the right equations; complexity and score are computed anew afterwards.
"""

import tempfile
from collections.abc import Sequence

import numpy as np

from symlib.symbolic.search.budget import Budget
from symlib.symbolic.search.processes import WorkerFailed, run_worker

BINARY = ["+", "-", "*", "/", "^", "greater", "less", "cond"]
UNARY = ["exp", "log"]
# Appendix C: ^ exp log IF three times. A quotient is two operators, see `complexity.py`.
COMPLEXITY = {"^": 3, "exp": 3, "log": 3, "cond": 3, "/": 2}


def settings(budget: Budget, seed: int) -> dict:
    """Keywords for PySRRegressor; the worker adds the folder for its files."""
    return {
        "binary_operators": BINARY,
        "unary_operators": UNARY,
        "complexity_of_operators": COMPLEXITY,
        # A power's exponent stays a constant or a variable.
        "constraints": {"^": [-1, 1]},
        "elementwise_loss": "L1DistLoss()",
        "maxsize": budget.max_complexity,
        "niterations": budget.niterations,
        "populations": 31,
        "model_selection": "score",
        "random_state": seed,
        # Both are needed, or PySR warns that the seed alone decides nothing.
        "deterministic": True,
        "parallelism": "serial",
        "precision": 64,
        "batching": False,
        "progress": False,
        "verbosity": 0,
        "input_stream": "devnull",
    }


def search(
    X: np.ndarray, y: np.ndarray, names: Sequence[str], budget: Budget, seed: int
) -> list[str]:
    """PySR's hall of fame as text.

    Args:
        X, y: shapes [n, len(names)] and [n], the target scaled to order one.

    Raises:
        WorkerFailed: Julia or PySR ended without a result; the message holds their output.
    """
    request = {"names": list(names), "settings": settings(budget, seed)}
    found = run_worker(f"{__name__}:run", request, {"X": X, "y": y})
    if not found:
        raise WorkerFailed("PySR returned no equation")
    return found


def run(request: dict, arrays: dict[str, np.ndarray]) -> list[str]:
    """Fit PySRRegressor, in a process of its own: only there is Julia started.

    PySR writes its files into a temporary folder, which is removed.
    """
    from pysr import PySRRegressor

    settings = dict(request["settings"])
    # JSON has no tuples.
    constraints = settings["constraints"].items()
    settings["constraints"] = {name: tuple(value) for name, value in constraints}
    with tempfile.TemporaryDirectory(prefix="symlib-pysr-") as folder:
        regressor = PySRRegressor(
            **settings, output_directory=folder, temp_equation_file=False, tempdir=folder
        )
        regressor.fit(arrays["X"], arrays["y"], variable_names=list(request["names"]))
        return [str(equation) for equation in regressor.equations_["equation"]]
