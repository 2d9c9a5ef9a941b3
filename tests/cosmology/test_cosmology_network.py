"""The halo network: graphs, batches, training, reading, composition."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sympy as sp
import torch
from halos import universe
from hypothesis import given, settings
from hypothesis import strategies as st

from symlib.cosmology.catalogue import COLUMNS
from symlib.cosmology.network import (
    _Loop,
    halo_graph,
    halo_network,
    speaking,
    surroundings,
    train_halos,
)
from symlib.cosmology.reading import (
    NODE_NAMES,
    PAIR_NAMES,
    Composed,
    PairTable,
    _choose,
    kernel,
    refit_composed,
    survey,
)
from symlib.errors import InputError, NonFiniteLoss
from symlib.papers.cranmer2020.pages.halo_figures import halo_kernel, halo_spectrum
from symlib.papers.cranmer2020.study.halo_network import NETWORK_PRESETS
from symlib.papers.cranmer2020.study.table6 import fitted_halos
from symlib.symbolic.algebra.expressions import evaluate, symbol
from symlib.symbolic.algebra.parsing import parse_equation
from symlib.training.loop import Run

BOX = 120.0
PLAIN = replace(
    NETWORK_PRESETS["ci"].recipe, steps=20, batch=8, turn_every=5, precision="float32",
    compiled=False,
)  # fmt: skip


def predict(network, graph):
    """δ̂ of all halos of a graph, and the messages."""
    with torch.no_grad():
        return network(*surroundings(graph, torch.arange(graph.num_nodes)))


def test_shapes_and_units():
    catalogue = universe()
    graph = halo_graph(catalogue)
    assert graph.x.shape == (150, 4) and graph.y.shape == (150, 1)
    assert graph.edge_attr.shape == (graph.num_edges, 3)
    assert float(graph.edge_attr.norm(dim=1).max()) <= 2.0 + 1e-6  # 50 Mpc/h in units of 25
    np.testing.assert_allclose(graph.x[:, 3], catalogue.masses / 1e14, rtol=1e-6)
    network = halo_network(16)
    predicted, raw = predict(network, graph)
    assert predicted.shape == (150, 1) and raw.shape == (graph.num_edges, 100)
    assert halo_network().edge_model[0].out_features == 500
    # A few centres with their neighbours are predicted as among all.
    centres = torch.tensor([3, 77, 12])
    part, raw = network(*surroundings(graph, centres))
    assert len(raw) == int(torch.isin(graph.edge_index[1], centres).sum())
    torch.testing.assert_close(part, predicted[centres])


@settings(max_examples=8, deadline=None)
@given(st.tuples(*[st.floats(0, 119)] * 3), st.integers(0, 2**31))
def test_moving_and_renumbering_halos_changes_no_prediction(shift, seed):
    here, network = universe(60), halo_network(16, seed=1)
    order = np.random.default_rng(seed).permutation(60)
    positions = np.mod(here.positions.astype(np.float64) + shift, BOX).astype(np.float32)
    positions[positions >= BOX] = 0.0
    columns = {name: getattr(here, name)[order] for name in COLUMNS}
    there = replace(here, **columns | {"positions": positions[order]})
    np.testing.assert_allclose(
        predict(network, halo_graph(there))[0], predict(network, halo_graph(here))[0][order],
        atol=2e-4,
    )  # fmt: skip


def test_training_learns_a_sum_over_neighbours_with_few_components():
    catalogue = universe(1200, radius=35.0, box=300.0)
    graph = halo_graph(catalogue)
    fitted = fitted_halos(catalogue.delta)
    rows, held_out = np.flatnonzero(fitted), np.flatnonzero(~fitted)
    recipe = replace(PLAIN, steps=900, batch=32, learning_rate=5e-3, turn_every=60)
    recipe = replace(recipe, alpha_start=10.0, alpha_until=0.4)
    run = train_halos(graph, rows, recipe, hidden=32, progress=False)
    seen = survey(run.network, graph)
    trivial = np.abs(catalogue.delta - np.median(catalogue.delta))[held_out].mean()
    assert seen.error(graph, held_out) < 0.8 * trivial
    assert speaking(run.network) <= 3
    assert seen.dominance() > 1000
    assert run.history[-1]["components"] == speaking(run.network)
    assert np.corrcoef(seen.pooled, seen.predicted)[0, 1] > 0.3
    found = kernel(seen, graph, shells=10, classes=2)
    middle = found[0.5].to_numpy().reshape(2, 10)
    assert np.nanmax(middle[:, :3]) > np.nanmedian(middle[:, -2:])
    for figure, alt in (halo_spectrum(seen.spread), halo_kernel(found)):
        assert len(alt) > 60 and figure.axes


def test_the_survey_agrees_with_the_network():
    graph, network = halo_graph(universe(80)), halo_network(16, senders=10.0)
    seen = survey(network, graph, centres=7)
    predicted, raw = predict(network, graph)
    np.testing.assert_allclose(seen.predicted, predicted[:, 0], atol=1e-5)
    spread = raw.double().std(dim=0, correction=0).sort(descending=True).values
    np.testing.assert_allclose(seen.spread, spread, rtol=1e-4, atol=1e-8)
    assert np.std(seen.message) == pytest.approx(1.0, rel=1e-6)
    np.testing.assert_allclose(
        seen.pooled, np.bincount(graph.edge_index[1], seen.message, 80), atol=1e-6
    )


def test_padding_changes_nothing():
    graph, network = halo_graph(universe(80)), halo_network(16)
    losses = []
    for room in (1024, 4096):
        loop = _Loop(Run(network, PLAIN, 0), graph, torch.arange(80), torch.device("cpu"))
        loop.room = room
        total, parts = loop.objective(*loop.batch(np.random.default_rng(0)), 0.01)
        losses.append([float(total.detach()), *parts.tolist()])
    np.testing.assert_allclose(*losses, rtol=1e-5)


EDGES = ("2.5*m2/(7+r**4)+0.1*m1*m2-0.03", "(m2+0.4)*v1/(1+r**2)", "IF(r < 2, m2, 0)", "0.2+0*r")
NODES = ("-0.2+e1/(3.8+0.08*m1)", "0.1*e1+0.01*v1", "e1**2/(1+e1**2)")


def composed(edge, node):
    return Composed(parse_equation(edge, PAIR_NAMES), parse_equation(node, NODE_NAMES))


def by_its_sums(expr, table):
    """A composed formula from its own text, each sum taken over the pairs."""
    j, number = sp.Symbol("j", integer=True), sp.Symbol("N", integer=True, positive=True)
    back = {sp.IndexedBase(name, real=True)[j]: symbol(name) for name in ("m2", "r", "dv")}
    columns = dict(zip(("m1", "v1"), table.nodes.T, strict=True))
    columns["N"] = table.summed(np.ones(len(table.pairs)))
    sums = {total: symbol(f"s{k}") for k, total in enumerate(expr.atoms(sp.Sum))}
    for total, name in sums.items():
        inner = evaluate(total.function.xreplace(back), table.pairs, PAIR_NAMES)
        columns[name.name] = table.summed(inner)
    plain = expr.xreplace(sums).xreplace({number: symbol("N")})
    return evaluate(plain, np.column_stack(list(columns.values())), list(columns))


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("node", NODES)
def test_composition_by_sympy_equals_evaluating_both(edge, node):
    table = PairTable.of(halo_graph(universe(60)), np.arange(20))
    both = composed(edge, node)
    np.testing.assert_allclose(by_its_sums(both.expr, table), both.predict(table), rtol=1e-9)
    for total in both.expr.atoms(sp.Sum):
        assert not {s.name for s in total.function.free_symbols} & {"m1", "v1"}
    assert both.latex()


def test_a_composed_formula_is_refitted_to_what_it_says():
    halos = universe(200)
    table = PairTable.of(halo_graph(halos), np.arange(200))
    truth = composed("IF(r < 2, m2, 0)", "e1 - 0.5").predict(table)
    np.testing.assert_allclose(truth, halos.delta, atol=1e-5)
    truth = composed("m2/(1.3+(r/2)**6)", "-0.2+0.7*e1").predict(table)
    start = composed("m2/(1.0+(r/2)**6)", "-0.1+1.0*e1")
    fitted = refit_composed(start, table, truth)
    assert fitted.error(table, truth) < 0.02 * start.error(table, truth)


def front(names, *texts):
    """What `_choose` needs of a regression, without the search; the second row is selected."""
    rows = pd.DataFrame({"complexity": range(1, len(texts) + 1), "score": 0.1})
    return SimpleNamespace(equations_=rows, best=1, sympy=lambda k: parse_equation(texts[k], names))


def test_the_formula_is_chosen_by_what_it_predicts():
    edge = front(PAIR_NAMES, "1.5", "m2", "m2/(1+(r/1.9)**30)", "m2*v1*dv")
    node = front(NODE_NAMES, "0.3+0*m1", "0.8*e1", "0.9*e1-0.4", "e1*m1")
    tried, found, quick = _choose(edge, node, halo_graph(universe(200)), np.arange(200))
    assert len(tried) == 3 + 2
    assert found.edge == edge.sympy(2) and found.node == node.sympy(2)
    errors = {(row["edge"], row["node"]): row["error"] for row in tried}
    assert errors[2, 2] == min(errors.values()) and errors[2, 2] < 0.2 * errors[1, 1]
    assert quick.edge != found.edge


def test_bad_input_is_named(tmp_path):
    graph = halo_graph(universe(60))
    kept = {"hidden": 8, "checkpoint": tmp_path / "halos.safetensors", "progress": False}
    train_halos(graph, np.arange(50), PLAIN, **kept)
    with pytest.raises(InputError, match="another data"):
        train_halos(graph, np.arange(49), PLAIN, **kept)
    with pytest.raises(InputError, match="fewer than a batch"):
        train_halos(graph, [1, 2], PLAIN, progress=False)
    with pytest.raises(InputError, match="from 0 to 59"):
        train_halos(graph, np.arange(61), PLAIN, progress=False)
    graph.y[3] = float("nan")
    with pytest.raises(NonFiniteLoss, match="no checkpoint was asked for"):
        train_halos(graph, np.arange(60), replace(PLAIN, batch=60), hidden=8, progress=False)
