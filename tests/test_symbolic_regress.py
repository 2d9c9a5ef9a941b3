"""regress(): the Operon engine end to end, its inputs, and its repeatability."""

import os

import numpy as np
import pytest
import sympy as sp

from symlib.errors import InputError
from symlib.symbolic import parse_equation, recovered, regress
from symlib.symbolic.budget import Budget
from symlib.symbolic.complexity import complexity
from symlib.symbolic.expressions import symbol
from symlib.symbolic.operon_engine import sign_products
from symlib.symbolic.polish import Candidate, front, polish
from symlib.symbolic.processes import WorkerFailed, run_worker
from symlib.symbolic.variations import merged, variations

NAMES = ["m1", "m2", "q1", "q2", "dx", "dy", "r"]
SMALL = Budget(searches=2, generations=25, population=300, rows=400, rounds=1, max_complexity=20)


def examples(n=800, seed=0):
    rng = np.random.default_rng(seed)
    d = rng.normal(size=(n, 2)) - rng.normal(size=(n, 2))
    masses = np.exp(rng.normal(size=(n, 2)))
    return np.column_stack([masses, np.ones((n, 2)), d, np.linalg.norm(d, axis=1)])


@pytest.fixture(scope="module")
def spring():
    X = examples()
    y = 40 * ((X[:, 4] - 0.6 * X[:, 5]) * (1 - 1 / X[:, 6]))
    y += 0.4 * np.random.default_rng(1).normal(size=len(y))
    found = regress(X, y, NAMES, engine="operon", seed=1, budget=SMALL, progress=False)
    return X, y, found


def test_the_front_is_a_front_of_what_its_equations_say(spring):
    X, y, found = spring
    table = found.equations_
    assert list(table.columns) == ["complexity", "loss", "score", "equation"]
    assert (np.diff(table.complexity) > 0).all()
    assert (np.diff(table.loss) < 0).all()
    assert table.score.iloc[0] == 0
    assert found.selected.score == table.score.max()
    for i, row in table.iterrows():
        # In the target's own unit.
        assert np.mean(np.abs(found.predict(X, i) - y)) == pytest.approx(row.loss, rel=1e-9)
        assert parse_equation(row.equation, NAMES) == found.sympy(i)
        # Columns that do not vary are left out.
        assert not found.sympy(i).free_symbols & {symbol("q1"), symbol("q2")}
    assert r"\Delta x" in found.latex() != found.latex(0)
    with pytest.raises(InputError, match="index"):
        found.sympy(99)
    with pytest.raises(InputError, match="X"):
        found.predict(np.zeros((3, 2)))


def test_spring_is_recovered_with_good_constants(spring):
    X, y, found = spring
    verdict = recovered(found, "spring", 2)
    assert verdict, (verdict.reason, found.equations_.to_string())
    assert np.mean(np.abs(found.predict(X) - y)) < 1.02 * 0.4 * np.sqrt(2 / np.pi)


# The second target has a promising split, so that both sides are searched as well.
@pytest.mark.parametrize(
    "target",
    [
        lambda X: 1.5 * X[:, 4] + X[:, 5] + 0.1 * np.sin(9 * X[:, 6]),
        pytest.param(lambda X: X[:, 1] * X[:, 4] / X[:, 6] ** 2, marks=pytest.mark.slow),
    ],
)
def test_the_same_seed_gives_the_same_equations(target):
    X = examples(300)
    tiny = {"searches": 2, "generations": 4, "population": 60, "rows": 200, "rounds": 0}
    first, second = (
        regress(X, target(X), NAMES, engine="operon", seed=3, budget=tiny, progress=False)
        for _ in range(2)
    )
    assert first.equations_.equals(second.equations_)


@pytest.fixture
def no_search(monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("a search was started")

    monkeypatch.setattr("symlib.symbolic.operon_engine.search", fail)
    monkeypatch.setattr("symlib.symbolic.pysr_engine.search", fail)


def bad(**changes):
    X = examples(50)
    return {"X": X, "y": X[:, 4] * 2, "names": NAMES, "engine": "operon"} | changes


NAN = examples(50)
NAN[3, 2] = np.nan


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (bad(X=NAN), r"X: 1 values .*\(3, 2\)"),
        (bad(y=np.full(50, np.inf)), "y: 50 values"),
        (bad(y=np.arange(49.0)), "y: X has 50"),
        (bad(X=np.zeros(50)), "X: expected 2 axes"),
        (bad(y=np.zeros((50, 1))), "y: expected 1 axes"),
        (bad(X=[["a"] * 7] * 50), "X: expected an array of numbers"),
        (bad(X=examples(5), y=np.arange(5.0)), "X: 5 examples are fewer"),
        (bad(X=np.ones((50, 7)), y=np.arange(50.0)), "X: no column"),
        (bad(names=NAMES[:-1]), "names: X has 7"),
        (bad(names="m1m2abc"), "names"),
        (bad(names=[*NAMES[:-1], "m1"]), "names: 'm1' occurs more than once"),
        (bad(names=[*NAMES[:-1], "r-1"]), "names: 'r-1'"),
        (bad(names=[*NAMES[:-1], "exp"]), "names: 'exp'"),
        (bad(names=[*NAMES[:-1], "lambda"]), "names: 'lambda'"),
        (bad(names=[*NAMES[:-1], 3]), "names"),
        (bad(budget="huge"), "budget .*laptop"),
        (bad(budget={"generation": 3}), "budget setting .*generations"),
        (bad(budget={"generations": 0}), "budget: generations"),
        (bad(budget=3), "budget .*laptop"),
        (bad(engine="eureqa"), "engine .*operon"),
    ],
)
def test_bad_input_is_refused_before_any_search(arguments, culprit, no_search):
    with pytest.raises(InputError, match=culprit):
        regress(**arguments, progress=False)


def test_a_worker_that_dies_says_why(tmp_path, monkeypatch):
    (tmp_path / "dying.py").write_text("raise SystemExit('out of luck')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    with pytest.raises(WorkerFailed, match="out of luck"):
        run_worker("dying:run", {}, {})


def test_variations_hold_what_a_search_tends_to_miss():
    found = variations(parse_equation("1.1*m2*dx/r^3 + 0.3*m1", NAMES), NAMES)
    assert len(found) == len(set(found))
    for text in (
        "1.1*m2*dx/r^3", "1.1*m2*(dx + 0.1*dy)/r^3 + 0.3*m1", "1.1*m2*dx/r^2 + 0.3*m1"
    ):  # fmt: skip
        assert parse_equation(text, NAMES) in found
    # Two sums that are nearly proportional become one.
    found = list(merged(parse_equation("1.36*dy + 0.6*dx - (0.61*dx + 1.37*dy)/r - 0.002", NAMES)))
    assert any(len(e.atoms(sp.Float)) <= 5 and not e.is_Mul for e in found)
    assert all(e.subs({"r": 1}).is_Add for e in found)
    # exp(exp(1e9)) has more digits than there is time to write.
    expr = parse_equation("dx*exp(r*exp(q1*exp(20.0) + 30.0)) + dy*exp(exp(9.0*r))", NAMES)
    found = variations(expr, NAMES)
    assert len(found) > 40
    assert not any(e.has(sp.nan, sp.oo) for e in found)


def test_what_the_last_round_finds_loses_the_parts_that_do_nothing():
    X = examples()
    y = X[:, 4] / X[:, 6] ** 3 + 0.01 * np.random.default_rng(1).normal(size=len(X))
    kept = X[:, 6] > 0.5
    text = "(1.1*dx + 0.02*m2 - 0.01*q1)/(r + 0.02)**3 + 0.03"
    found = polish([text], NAMES, X[kept], y[kept], max_complexity=35, rounds=1)
    law = [c for c in found if c.equation.free_symbols == {symbol("dx"), symbol("r")}]
    assert min(c.loss for c in law) < 0.01, [str(c.equation) for c in found]


def test_a_target_that_never_varies_is_its_constant(no_search):
    found = regress(examples(20), np.full(20, 0.25), NAMES, seed=3)
    assert found.sympy() == 0.25 and found.names == tuple(NAMES)
    assert [row["complexity"] for row in found.rows()] == [1]
    verdict = recovered(found, "spring", 2)
    assert not verdict and "constant" in verdict.reason


def test_products_of_signs_are_offered_to_the_search():
    X = np.column_stack([examples(50), np.where(np.arange(50) % 2, 1.0, -1.0)])
    X[:, 2] = np.where(np.arange(50) % 3, 1.0, -1.0)
    names = [*NAMES, "sign0"]
    wider, seen, meaning = sign_products(X, names)
    # q2 is the same everywhere; a variable may have the name that would be given.
    assert seen == [*names, "sign0x"] and meaning == {"sign0x": "(q1 * sign0)"}
    np.testing.assert_array_equal(wider[:, -1], X[:, 2] * X[:, -1])
    np.testing.assert_array_equal(wider[:, :-1], X)
    assert sign_products(examples(5), NAMES)[1:] == (NAMES, {})


def test_a_force_between_charges_is_found_though_no_charge_alone_tells_of_it():
    rng = np.random.default_rng(2)
    X = examples(3000)
    X[:, 2:4] = rng.choice([-1.0, 1.0], size=(3000, 2))
    X = X[X[:, 6] > 0.3]
    y = X[:, 2] * X[:, 3] * (0.8 * X[:, 4] - 0.6 * X[:, 5]) / X[:, 6] ** 3
    y += 0.05 * rng.normal(size=len(y))
    budget = Budget(searches=4, generations=40, population=500, rounds=2, max_complexity=20)
    found = regress(X, y, NAMES, seed=0, budget=budget, engine="operon", progress=False)
    assert recovered(found, "charge", 2), found.equations_.to_string()


def test_of_two_equations_of_one_complexity_the_plainer_is_taken():
    def made(text, loss):
        expr = parse_equation(text, NAMES)
        return Candidate(expr, complexity(expr), loss)

    fitted, whole = made("1.2*dx/r**2.95", 0.10), made("1.2*dx/r**3", 0.11)
    assert fitted.complexity == whole.complexity
    simple = made("1.2*dx", 0.5)
    assert front([fitted, whole, simple]) == [simple, whole]
    # Not where it is much worse, nor where a simpler one is better than it.
    assert front([fitted, made("1.2*dx/r**3", 0.13)]) == [fitted]
    assert front([whole, made("1.2*dx", 0.105)]) == [made("1.2*dx", 0.105)]


def test_a_fitted_exponent_becomes_a_whole_one_where_that_costs_little():
    X = examples()
    X = X[X[:, 6] > 0.5]
    y = X[:, 4] / X[:, 6] ** 2.99 + 0.02 * np.random.default_rng(1).normal(size=len(X))
    found = polish(["1.1*dx/r**2.97"], NAMES, X, y, max_complexity=12, rounds=1)
    best = found[-1].equation
    assert sp.Pow(symbol("r"), -3) in best.atoms(sp.Pow), [str(c.equation) for c in found]
