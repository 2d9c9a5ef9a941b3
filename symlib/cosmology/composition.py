"""Equations of φᵉ and φᵛ put together into one formula for δ̂ (appendix E).

    δ̂_i = φᵛ(Σ_j φᵉ(m_i, m_j, r_ij, |v_i − v_j|, |v_i|), m_i, |v_i|)

sympy composes: the sum takes the place of e1, and what depends on the receiver alone is taken
out of it. A constant in φᵉ therefore becomes that constant times the number of neighbours, which
is a sum of its own and no constant: halos in crowds have more of them. A common factor of φᵉ is
another matter: φᵛ can undo it, so the constants of a composed formula are known only up to that.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
import torch
from torch_geometric.data import Data

from symlib.cosmology.network import LENGTH, surroundings
from symlib.symbolic.algebra.expressions import evaluate, form_of, symbol
from symlib.symbolic.algebra.parsing import equation_text
from symlib.symbolic.algebra.simplify import simplify_equation
from symlib.symbolic.search.refit import mean_absolute_error, soft_fit

PAIR_NAMES = ("m1", "m2", "r", "dv", "v1")
NODE_NAMES = ("e1", "m1", "v1")
DISTANCE = 10.0  # Mpc/h, the unit of r in equations
_OF_THE_PAIR = ("m2", "r", "dv")
_READABLE = 4  # sums that a reader can take in; more are left as one


@dataclass(frozen=True)
class PairTable:
    """Some halos and all their pairs, as the equations' variables.

    pairs: columns m1, m2, r, dv, v1, shape [pairs, 5]. receiver: whose pair it is, a row of
    `nodes`, shape [pairs]. nodes: columns m1, v1, shape [halos, 2].
    """

    pairs: np.ndarray
    receiver: np.ndarray
    nodes: np.ndarray

    @classmethod
    def of(cls, graph: Data, rows) -> "PairTable":
        """The pairs that end in some halos, halo by halo, in the order of `rows`."""
        *inputs, receiver = surroundings(graph, torch.as_tensor(np.asarray(rows)))
        first, second, apart = (values.double().numpy() for values in inputs)
        receiver = receiver.numpy()
        r = np.linalg.norm(apart, axis=1) * (LENGTH / DISTANCE)
        speed = np.linalg.norm(first[:, :3], axis=1)
        relative = np.linalg.norm(second[:, :3] - first[receiver, :3], axis=1)
        pairs = [first[receiver, 3], second[:, 3], r, relative, speed[receiver]]
        return cls(np.column_stack(pairs), receiver, np.column_stack([first[:, 3], speed]))

    def summed(self, values: np.ndarray) -> np.ndarray:
        """Sums over each halo's pairs: [pairs] -> [halos]."""
        return np.bincount(self.receiver, weights=values, minlength=len(self.nodes))


@dataclass(frozen=True)
class Composed:
    """A formula for δ̂ of two levels: φᵉ, over m1, m2, r, dv, v1, and φᵛ, over e1, m1, v1."""

    edge: sp.Expr
    node: sp.Expr

    @cached_property
    def expr(self) -> sp.Expr:
        """The two as one, with sympy's `Sum` over j = 1 … N, and indexed m2, r, dv."""
        return self.node.xreplace({symbol("e1"): summed(self.edge)})

    def predict(self, table: PairTable) -> np.ndarray:
        """δ̂ of the table's halos, shape [halos]; not finite where the formula is undefined."""
        e = table.summed(evaluate(self.edge, table.pairs, PAIR_NAMES))
        return evaluate(self.node, np.column_stack([e, table.nodes]), NODE_NAMES)

    def error(self, table: PairTable, delta) -> float:
        """Mean |δ − δ̂|, infinite where a prediction is not finite."""
        return mean_absolute_error(self.predict(table), np.asarray(delta, np.float64))

    def to_dict(self) -> dict:
        """Both equations and the composed one as text."""
        texts = {"edge": equation_text(self.edge), "node": equation_text(self.node)}
        return {**texts, "composed": str(self.expr)}

    def latex(self) -> str:
        """The composed formula in LaTeX, constants to three significant digits."""
        short = {number: sp.Float(number, 3) for number in self.expr.atoms(sp.Float)}
        return sp.latex(self.expr.xreplace(short))


def summed(edge: sp.Expr) -> sp.Expr:
    """Σ_j of an equation of φᵉ, factors and terms of the receiver alone taken out."""
    j, number = sp.Symbol("j", integer=True), sp.Symbol("N", integer=True, positive=True)
    indexed = {symbol(n): sp.IndexedBase(n, real=True)[j] for n in _OF_THE_PAIR}
    # Products are spread, powers of sums are not: a tenth power would become a page.
    spread = sp.expand(edge, power_base=False, power_exp=False, multinomial=False)
    terms = sp.Add.make_args(spread)
    terms = terms if len(terms) <= _READABLE else sp.Add.make_args(edge)
    total = sp.Integer(0)
    for term in terms:
        own, pair = term.as_independent(*indexed, as_Add=False)
        total += own * (number if pair == 1 else sp.Sum(pair.xreplace(indexed), (j, 1, number)))
    return total


def refit_composed(found: Composed, table: PairTable, delta, moves: int = 600) -> Composed:
    """Fit all constants of both levels to δ, by mean absolute error.

    Smooth steps first (least squares with a loss that is linear for large residuals), then
    `moves` of a simplex on the mean absolute error itself, which also moves thresholds.
    """
    delta = np.asarray(delta, np.float64)
    edge, node = form_of(found.edge), form_of(found.node)
    run_edge, run_node = edge.compile(PAIR_NAMES), node.compile(NODE_NAMES)
    start, count = np.concatenate([edge.values, node.values]), len(edge.values)
    if not len(start):
        return found
    scale = np.where(start == 0, 1.0, np.abs(start))

    def residuals(unit):
        e = table.summed(run_edge((unit * scale)[:count], table.pairs))
        return run_node((unit * scale)[count:], np.column_stack([e, table.nodes])) - delta

    options = {"max_nfev": 30, "diff_step": 1e-5}
    best = soft_fit(residuals, start / scale, [0.02], moves, **options)[0] * scale
    filled = edge.fill(best[:count]), node.fill(best[count:])
    return Composed(*map(simplify_equation, filled))
