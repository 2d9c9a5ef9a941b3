"""What the halo network says: its messages, and equations for φᵉ and φᵛ (appendix E).

    survey()          one pass over all edges: messages, their sums, predictions
    kernel()          φᵉ₁ against separation, for light and heavy senders
    read_equations()  symbolic regression of φᵉ₁ and then of φᵛ, composed and refitted

    δ̂_i = φᵛ(Σ_j φᵉ(m_i, m_j, r_ij, |v_i − v_j|, |v_i|), m_i, |v_i|)

Variables of the equations, and their units: m1 and m2, the masses of receiver and sender in
10¹⁴ h⁻¹ M☉; r, their separation in 10 Mpc/h; dv and v1, their relative speed and the
receiver's own in 300 km/s; e1, the summed message.

sympy composes: the sum takes the place of e1, and what depends on the receiver alone is taken
out of it. A constant in φᵉ therefore becomes that constant times the number of neighbours, which
is a sum of its own and no constant: halos in crowds have more of them. A common factor of φᵉ is
another matter: φᵛ can undo it, so the constants of a composed formula are known only up to that.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import sympy as sp
import torch
from torch_geometric.data import Data

from symlib import symbolic
from symlib.cosmology.neighbours import LINKING
from symlib.cosmology.network import LENGTH, HaloNetwork, edges_into, surroundings
from symlib.errors import InputError
from symlib.symbolic.algebra.expressions import evaluate, form_of, symbol
from symlib.symbolic.algebra.parsing import equation_text
from symlib.symbolic.algebra.simplify import simplify_equation
from symlib.symbolic.search.constants import mean_absolute_error, soft_fit

PAIR_NAMES = ("m1", "m2", "r", "dv", "v1")
NODE_NAMES = ("e1", "m1", "v1")
DISTANCE = 10.0  # Mpc/h, the unit of r in equations
_OF_THE_PAIR = ("m2", "r", "dv")
_READABLE = 4  # sums that a reader can take in; more are left as one
EXAMPLES = 20_000  # edges, and at most as many halos, that a regression is given
REFIT_HALOS = 4_000
TRY_HALOS = 800  # to compare equations of φᵉ by, and as many to fit them
LEAST_SCORE, LEAST_NODE_SCORE = 0.004, 0.02  # drop of log(MAE) per unit of complexity
WITHIN = 1.02
_SHELLS = 50  # of separation, from which edges are drawn in equal numbers
_LEAST_EDGES = 10  # that make a quartile


@dataclass(frozen=True)
class Survey:
    """The network on every edge and halo of a graph.

    spread: standard deviation of each message component over the edges, largest first. message:
    the most significant one, φᵉ₁, divided by its standard deviation and with the sign that grows
    with δ̂ (φᵛ absorbs any factor), shape [edges]. pooled: its sums e_i, and predicted: δ̂,
    shape [halos].
    """

    spread: np.ndarray
    message: np.ndarray
    pooled: np.ndarray
    predicted: np.ndarray

    def dominance(self) -> float:
        """The largest standard deviation over the tenth; infinite if that is 0."""
        first, tenth = self.spread[[0, 9]]
        return float(first / tenth) if tenth > 0 else float("inf")

    def error(self, graph: Data, rows) -> float:
        """Mean |δ − δ̂| over some halos."""
        return float(np.abs(graph.y[:, 0].numpy() - self.predicted)[np.asarray(rows)].mean())


def survey(network: HaloNetwork, graph: Data, centres: int = 128) -> Survey:
    """Messages, sums and predictions for every halo, `centres` at a time.

    Raises:
        InputError: every message component is constant, so training failed.
    """
    everyone = torch.arange(graph.num_nodes)
    sums = torch.zeros(2, network.rule.components, dtype=torch.float64)
    predicted, message = [], []
    with torch.no_grad():
        varies = (network.edge_model.last.weight != 0).any(dim=1)
        some = everyone[:: max(1, graph.num_nodes // 512)]
        top = int(network.messages(*surroundings(graph, some)).std(dim=0).argmax())
        for part in torch.split(everyone, centres):
            found, raw = network(*surroundings(graph, part))
            predicted.append(found[:, 0].double())
            message.append(raw[:, top].double())
            raw = raw.double()
            sums += torch.stack([raw, raw**2]).sum(dim=1)
    mean, square = sums / graph.num_edges
    # A silenced component is the same on every edge, up to rounding.
    spread = (square - mean**2).clamp(min=0).sqrt() * varies
    if not spread[top] > 0:
        raise InputError("network: no message component varies; train it for longer")
    predicted, message = torch.cat(predicted).numpy(), (torch.cat(message) / spread[top]).numpy()
    pooled = np.bincount(graph.edge_index[1], message, graph.num_nodes)
    sign = np.sign(np.cov(pooled, predicted)[0, 1]) or 1.0
    return Survey(np.sort(spread.numpy())[::-1], sign * message, sign * pooled, predicted)


def kernel(seen: Survey, graph: Data, shells: int = 25, classes: int = 3) -> pd.DataFrame:
    """φᵉ₁ against separation, for classes of sender mass with equal numbers of edges.

    Returns:
        Quartiles, columns 0.25, 0.5 and 0.75, of each class of mass (10¹⁴ h⁻¹ M☉) and shell of
        separation (Mpc/h), the row's two intervals; NaN where a shell has fewer than ten edges.
    """
    r = graph.edge_attr.norm(dim=1).double().numpy() * LENGTH
    mass = graph.x[graph.edge_index[0], 3].double().numpy()
    of_mass = np.quantile(mass, np.linspace(0, 1, classes + 1))
    of_r = np.linspace(0, max(LINKING, r.max()), shells + 1)
    groups = []
    for values, edges in ((mass, of_mass), (r, of_r)):
        edges[-1] = np.nextafter(edges[-1], np.inf)
        groups.append(pd.cut(values, edges, right=False, duplicates="drop"))
    found = pd.Series(seen.message).groupby(groups, observed=False)
    return found.quantile([0.25, 0.5, 0.75]).unstack().where(found.size() >= _LEAST_EDGES)


def half_radius(found: pd.DataFrame) -> float:
    """Where the median of `kernel` falls to half of its way down, Mpc/h; a mean over classes.

    From its largest value to that at the largest separations; a top-hat of 20 Mpc/h that
    was smoothed symmetrically gives 20. NaN where it does not fall.
    """
    radii = [np.nan]
    for _, curve in found[0.5].groupby(level=0, observed=False):
        curve = curve.droplevel(0).dropna()
        x, y = [shell.mid for shell in curve.index], curve.to_numpy()
        if len(x) < 4:
            continue
        half = (y[: len(y) // 4].max() + np.median(y[-len(y) // 4 :])) / 2
        for k in np.flatnonzero((y[1:] < half) & (y[:-1] >= half))[:1]:
            radii.append(np.interp(-half, -y[k : k + 2], x[k : k + 2]))
    return float(pd.Series(radii).mean())


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


@dataclass(frozen=True)
class HaloEquations:
    """Equations of the network's two functions, and of δ̂.

    edge, node: regressions of φᵉ₁ and φᵛ. tried: the pairs of equations that were composed:
    their rows in the two fronts, common complexity, and error after a quick refit, on fitted
    halos kept aside. composed: the chosen composition as found; refitted: with constants fitted
    to δ itself, which undoes the error that the two approximations accumulate (appendix E).
    """

    edge: symbolic.Regression
    node: symbolic.Regression
    tried: list[dict]
    composed: Composed
    refitted: Composed


def read_equations(
    seen: Survey,
    graph: Data,
    rows,
    budget="ci",
    *,
    engine: str = "auto",
    seed: int = 0,
    progress: bool = True,
) -> HaloEquations:
    """Regress φᵉ₁ on edges and φᵛ on halos, compose, and refit to δ (appendix E).

    Which equations of the two fronts go into the formula is decided by δ, on halos that are
    neither refitted nor held out: the simplest pair that comes within 2% of the least error. A
    message's own scores are no guide here, for what counts is a sum of two hundred of them.

    Args:
        seen: from `survey`, of this graph.
        rows: the halos that the network was trained on, shape [halos]; only messages that they
            receive are used.
        budget, engine, seed, progress: of `symlib.symbolic.regress`, whose errors are raised.
    """
    rng = np.random.default_rng(seed)
    options = dict(engine=engine, seed=seed, budget=budget, progress=progress)
    some = np.sort(rng.permutation(rows)[:EXAMPLES])
    table = PairTable.of(graph, some)
    message = seen.message[edges_into(graph, torch.from_numpy(some))[0]]
    # Evenly in separation: drawn as they come, nine in ten would lie where the message is silent,
    # and a mean absolute error would call silence a good equation.
    r = table.pairs[:, PAIR_NAMES.index("r")]
    shell = np.minimum((r / r.max() * _SHELLS).astype(int), _SHELLS - 1)
    parts = [rng.permutation(np.flatnonzero(shell == s)) for s in range(_SHELLS)]
    chosen = np.concatenate([part[: -(-EXAMPLES // _SHELLS)] for part in parts])
    edge = symbolic.regress(table.pairs[chosen], message[chosen], list(PAIR_NAMES), **options)
    inputs = np.column_stack([seen.pooled[some], table.nodes])
    node = symbolic.regress(inputs, seen.predicted[some], list(NODE_NAMES), **options)
    few = rng.permutation(rows)[:REFIT_HALOS]
    tried, composed, quick = _choose(edge, node, graph, few)
    refitted = refit_composed(quick, PairTable.of(graph, few), graph.y[few, 0].numpy())
    return HaloEquations(edge, node, tried, composed, refitted)


def _choose(edge, node, graph: Data, rows) -> tuple[list[dict], Composed, Composed]:
    """What was tried, the chosen composition as found, and the same after its quick refit.

    First every worthwhile equation of φᵉ with the selected one of φᵛ, then the best of these with
    every worthwhile one of φᵛ.
    """
    part = min(TRY_HALOS, len(rows) // 2)
    parts = rows[:part], rows[part : 2 * part]
    fit, aside = ((PairTable.of(graph, some), graph.y[some, 0].numpy()) for some in parts)
    tried, formulas = [], []

    def attempt(of_edge: int, of_node: int) -> None:
        found = Composed(edge.sympy(of_edge), node.sympy(of_node))
        quick = refit_composed(found, *fit, moves=200)
        levels = [int(q.equations_["complexity"][k]) for q, k in ((edge, of_edge), (node, of_node))]
        row = {"edge": of_edge, "node": of_node, "complexity": sum(levels)}
        tried.append({**row, "error": quick.error(*aside)})
        formulas.append((found, quick))

    def best() -> int:
        least = min(row["error"] for row in tried)
        near = [k for k, row in enumerate(tried) if row["error"] <= WITHIN * least]
        return min(near, key=lambda k: tried[k]["complexity"])

    for index in _worthwhile(edge, LEAST_SCORE):
        attempt(index, node.best)
    if not tried:
        raise InputError("seen: no equation of the message depends on anything; train for longer")
    of_edge = tried[best()]["edge"]
    for index in _worthwhile(node, LEAST_NODE_SCORE):
        if index != node.best and symbol("e1") in node.sympy(index).free_symbols:
            attempt(of_edge, index)
    return tried, *formulas[best()]


def _worthwhile(found, least: float) -> list[int]:
    """Rows of a front whose equations vary, and fit notably better than simpler ones."""
    good = np.flatnonzero(found.equations_["score"] >= least)
    return [int(k) for k in good if found.sympy(k).free_symbols]
