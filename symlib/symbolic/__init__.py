"""Symbolic regression (appendix C): from a message to an equation, and to a verdict.

    found = regress(X, y, names)        # Pareto front, selected by the paper's rule
    found.sympy(), found.latex()
    recovered(found, "spring", dim=2)   # is it the law?

The names below load on first use: the search processes import this package too, and need
neither pandas nor JAX.
"""

from importlib import import_module

_HOME = {
    "regress": "regression",
    "Regression": "regression",
    "constant": "regression",
    "varies": "checks",
    "Budget": "budget",
    "BUDGETS": "budget",
    "recovered": "verdict",
    "Verdict": "verdict",
    "recovered_pair_energy": "energy_verdict",
    "recovered_self_energy": "energy_verdict",
    "parse_equation": "parsing",
    "equation_text": "parsing",
    "complexity": "complexity",
    "simplify_equation": "simplify",
    "pareto_indices": "selection",
    "scores": "selection",
    "select": "selection",
    "refit": "refit",
    "find_julia": "engines",
    "choose_engine": "engines",
    "ENGINES": "engines",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
