"""Symbolic regression (appendix C): from a message to an equation, and to a verdict.

    found = regress(X, y, names)        # Pareto front, selected by the paper's rule
    found.sympy(), found.latex()
    recovered(found, "spring", dim=2)   # is it the law?

The names below load on first use: the search processes import this package too, and need
neither pandas nor JAX.
"""

from importlib import import_module

_NAMES = {
    "search.budget": ("BUDGETS", "Budget", "get_budget"),
    "verdict.body": ("recovered_body",),
    "verdict.energy": ("recovered_pair_energy", "recovered_self_energy"),
    "search.engines": ("choose_engine",),
    "algebra.parsing": ("equation_text", "parse_equation"),
    "search.regression": ("Regression", "regress"),
    "search.selection": ("scores",),
    "verdict.force": ("Verdict", "recovered"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
