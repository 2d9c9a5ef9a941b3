"""Equations: parser, complexity, simplification, selection, refit."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from symlib.errors import InputError
from symlib.papers.cranmer2020.data import TABLE_4
from symlib.symbolic.algebra.complexity import complexity
from symlib.symbolic.algebra.expressions import evaluate, form_of, symbol
from symlib.symbolic.algebra.parsing import equation_text, parse_equation
from symlib.symbolic.algebra.simplify import simplify_equation
from symlib.symbolic.search.constants import fit_constants
from symlib.symbolic.search.selection import pareto_indices, scores, select
from symlib.symbolic.search.split import Split, find_split, join

NAMES = ["m1", "m2", "q1", "q2", "dx", "dy", "r"]


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    d = rng.normal(size=(300, 2))
    return np.column_stack(
        [
            np.exp(rng.normal(size=(300, 2))),
            rng.choice([-1.0, 1.0], (300, 2)),
            d,
            np.linalg.norm(d, axis=1),
        ]
    )


@pytest.mark.parametrize("row", [row for rows in TABLE_4.values() for row in rows], ids=str)
def test_complexity_is_the_papers_for_every_row_of_table_4_and_simplifying_keeps_it(row, X):
    text, _, level = row
    before = parse_equation(text, NAMES)
    after = simplify_equation(before)
    assert complexity(before) == level >= complexity(after)
    values = evaluate(before, X, NAMES)
    np.testing.assert_allclose(evaluate(after, X, NAMES), values, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("-3.5", 1),
        ("-dx", 2),
        ("dx - dy", 3),
        ("exp(r)", 4),
        ("log(r)", 4),
        ("r^2.7", 5),
        ("r^4", 5),
        ("sqrt(r)", 5),
        ("dx/r", 4),
        ("1/r", 2),
        ("abs(dx)", 2),
        ("IF(r > 2, dx, 0)", 3 + 3 + 1 + 1),
    ],
)
def test_complexity_counts(text, count):
    assert complexity(parse_equation(text, NAMES)) == count


@pytest.mark.parametrize(("law", "level", "score"), [("r1", 16, None), ("r2", 12, 0.435)])
def test_selection_on_table_4_is_the_rule_to_the_letter(law, level, score):
    # By the printed MAEs of 1/r², the drop to -142 m2 dy / r^3 is the largest by a hair, before
    # 0.416 of complexity 20; that of the row which the paper shades is 0.319.
    _, losses, levels = zip(*TABLE_4[law, 2], strict=True)
    order = pareto_indices(levels, losses)
    front = [levels[i] for i in order], [losses[i] for i in order]
    chosen = select(*front)
    assert front[0][chosen] == level
    assert score is None or scores(*front)[chosen] == pytest.approx(score, abs=5e-4)


def test_front_drops_what_a_simpler_equation_matches():
    assert pareto_indices([5, 1, 3, 3, 7], [1.0, 9.0, 2.0, 1.0, 1.0]) == [1, 3]
    assert pareto_indices([1, 2], [np.nan, 1.0]) == [1]


def test_an_exact_fit_has_a_finite_score_and_wins_once():
    found = scores([1, 3, 7, 9], [1.0, 0.5, 1e-16, 0.0], scale=2.0)
    assert np.all(np.isfinite(found))
    assert found[3] == 0
    assert select([1, 3, 7, 9], [1.0, 0.5, 1e-16, 0.0], scale=2.0) == 2


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "dx.real", "dx[0]", "(lambda: 1)()", "[dx]",
        "dx if r else 1", "open(r)", "'dx'", "dx; dy", "dx = 1", "unknown", "m2*dx/", "",
        "IF(r>2, dx)", "exp(dx, r)", "r > 2", "9**9**9**9", "1/0", "exp", "dx @ dy", "True",
        "dx and dy", "1e999", "(" * 500 + "r", "sqrt(-1)", "f'{dx}'", "exp(x=r)", "exp(*r)",
        "x" * 30_000, "0 < r < 1", "m1/exp(-999.0)",
    ],
)  # fmt: skip
def test_anything_off_the_whitelist_is_refused(text):
    with pytest.raises(InputError, match="equation"):
        parse_equation(text, NAMES)


def test_parser_reads_what_engines_write():
    dx, r = symbol("dx"), symbol("r")
    assert parse_equation("Δx^2 − 3", NAMES) == dx**2 - 3
    assert parse_equation("((-2.0) * dx) ^ 2.0", NAMES) == 4.0 * dx**2
    step = sp.Piecewise((1, r > 2), (0, True))
    assert parse_equation("greater(r, 2)", NAMES) == step
    assert parse_equation("dx * (r > 2)", NAMES) == dx * step
    assert parse_equation("cond(r - 2, dx)", NAMES) == sp.Piecewise((dx, r - 2 > 0), (0, True))
    assert parse_equation("IF(r > 2, dx, 0)", NAMES) == sp.Piecewise((dx, r > 2), (0, True))
    assert parse_equation("square(fmax(dx, r))", NAMES) == sp.Max(dx, r) ** 2


leaves = st.sampled_from(["m1", "m2", "dx", "dy", "r"]) | st.floats(0.01, 100).map(repr)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.sampled_from(["2", "3", "-1", "0.5"])).map(
            lambda t: f"(abs({t[0]}) + 1)^{t[1]}"
        ),
        inner.map(lambda t: f"exp(-abs({t}))"),
        st.tuples(inner, inner).map(lambda t: f"IF(r > 1.5, {t[0]}, {t[1]})"),
    ),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None)
@given(trees)
@example("(abs(0.8 + r) + 1)^3 / IF(r > 1.5, dy, 90.1)")
def test_text_round_trips_and_simplification_keeps_the_values(text):
    rng = np.random.default_rng(1)
    X = np.exp(rng.normal(size=(50, len(NAMES))) * 0.5)
    try:
        expr = parse_equation(text, NAMES)
    except InputError:
        return  # e.g. a division by a difference of equal terms
    values = evaluate(expr, X, NAMES)
    again = evaluate(parse_equation(equation_text(expr), NAMES), X, NAMES)
    np.testing.assert_allclose(again, values, rtol=1e-9)
    simple = simplify_equation(expr)
    fine = np.isfinite(values) & (np.abs(values) < 1e8)
    size = np.abs(values[fine]).max(initial=1.0)
    np.testing.assert_allclose(
        evaluate(simple, X, NAMES)[fine], values[fine], rtol=1e-6, atol=1e-6 * size
    )
    assert complexity(simple) <= complexity(expr) + 2


def test_redundant_constants_of_an_engine_are_folded():
    text = "1.5*(2.06 - 2.04/(3.0*r))*(-0.79*dx + 0.198*dy)*2.0 + 0.5 - 0.25"
    simple = simplify_equation(parse_equation(text, NAMES))
    assert complexity(simple) == 14
    assert len(form_of(simple).values) == 4


def test_a_narrow_peak_is_no_rounding_error():
    # Expanded, its coefficient is exp(-6250000), and what that is multiplied by is as large.
    text = "dx*(1 - 1/r) + 100*exp(-1000000*(r - 2.5)^2)"
    simple = simplify_equation(parse_equation(text, NAMES))
    X = np.ones((1, len(NAMES)))
    X[0, NAMES.index("r")] = 2.5
    assert evaluate(simple, X, NAMES) == pytest.approx(100.6)


def fitted(text, X, y, starts):
    form = form_of(parse_equation(text, NAMES))
    constants, loss = fit_constants(form, NAMES, X, y, starts=starts)
    return form.fill(constants), loss


def test_constants_are_found_despite_outliers(X):
    rng = np.random.default_rng(3)
    truth = parse_equation("(1.3*dx - 0.4*dy)*m2/r^3 + 0.25", NAMES)
    y = evaluate(truth, X, NAMES)
    y += 0.01 * rng.normal(size=len(y))
    y[:10] += 100.0
    found, loss = fitted("(0.7*dx + 0.2*dy)*m2/r^3 + 1", X, y, 3)
    assert loss < 1.05 * np.mean(np.abs(evaluate(truth, X, NAMES) - y))
    assert min(abs(form_of(simplify_equation(found)).values - 0.25)) < 0.02


def test_an_exponent_is_found(X):
    y = evaluate(parse_equation("2.0*dx/r^2.3", NAMES), X, NAMES)
    found, loss = fitted("1.0*dx/r^2.01 + 0.1", X, y, 2)
    exponents = [e for e in found.atoms(sp.Pow) if e.base == symbol("r")]
    assert float(exponents[0].exp) == pytest.approx(-2.3, rel=1e-3)
    assert loss < 1e-4


def test_a_step_is_found_and_joined(X):
    y = np.where(X[:, -1] > 1.7, 3 * X[:, 4] + 0.1, 0.1)
    split = find_split(X, y)
    assert NAMES[split.column] == "r"
    above, below = parse_equation("3*dx + 0.1", NAMES), parse_equation("0.1", NAMES)
    expr = join(above, below, Split(split.column, 1.2), X, y, NAMES)
    np.testing.assert_allclose(evaluate(expr, X, NAMES), y, atol=1e-12)
    assert float(max(expr.atoms(sp.Float), key=float)) == pytest.approx(1.7, abs=0.05)


def test_unknown_functions_are_refused_at_evaluation(X):
    with pytest.raises(InputError, match="gamma"):
        evaluate(sp.gamma(symbol("r")), X, NAMES)
    with pytest.raises(InputError, match="unknown variable 'w'"):
        evaluate(symbol("w") + 1, X, NAMES)
