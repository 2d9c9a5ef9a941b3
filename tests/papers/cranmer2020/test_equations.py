"""Raw regression, eight bodies, and what the chapter on equations makes of their records."""

import re
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regression import flaws, read_expected
from snapshots import random_snapshots

from symlib import cli, symbolic
from symlib.choices import MESSAGE_MODELS
from symlib.errors import InputError, UnknownChoice
from symlib.laws.potentials import LAWS
from symlib.laws.variables import pair_names
from symlib.messages import recording
from symlib.networks.graph_network import particle_network
from symlib.papers.cranmer2020.data import EXAMPLES_C, RAW_EQUATION, TABLE_4, TABLE_4_SELECTED
from symlib.papers.cranmer2020.pages import (
    encounters,
    equation_figures,
    equation_records,
    equation_tables,
)
from symlib.papers.cranmer2020.study import eight_bodies, raw_regression
from symlib.papers.cranmer2020.study.cells import Cell
from symlib.papers.cranmer2020.study.eight_bodies import EightBodies
from symlib.papers.cranmer2020.study.raw_regression import (
    RawExperiment,
    goodness,
    raw_features,
    raw_names,
)
from symlib.records.reading import BOOK, flaw_of
from symlib.records.record import read_record, write_record
from symlib.symbolic.algebra.complexity import complexity
from symlib.symbolic.algebra.expressions import evaluate
from symlib.training.presets import PRESETS

FRONT = [
    {"complexity": 1, "loss": 1.0, "score": 0.0, "equation": "0.1"},
    {"complexity": 7, "loss": 0.5, "score": 0.12, "equation": "0.123456*m2*dx/r**2"},
    {"complexity": 12, "loss": 0.4, "score": 0.04, "equation": "IF(r > 2.0, dx, 0.0) + 0.3"},
]


def put_cell(folder, law="r1", dim=2, model="bottleneck", seed=0, preset="laptop", **changes):
    """A record of a cell, as today's code would have made it; returns its file."""
    cell = Cell(law, dim, model, seed, preset)
    fits = {"force": {"all": 0.3, "kept90": 0.8}, "acceleration": {"all": 0.9, "kept90": 0.9876}}
    record = {
        "kind": "discovery", "law": law, "dim": dim, "bodies": 4, "model": model, "seed": seed,
        "preset": preset, "engine": "operon", "test_loss": 0.2, "trivial_loss": 8.0, "r2": fits,
        "recovered": True, "equation": FRONT[1]["equation"], "complexity": 7, "mae": 0.5,
        "front": FRONT, "seconds": 1.0, **cell.facts(), **changes,
    }  # fmt: skip
    if "failed" in changes:
        record = {key: record[key] for key in record if key not in ("r2", "recovered", "equation")}
    return write_record(cell.path(folder / "cells"), record)


def put_raw(folder, preset="laptop", seed=0, **changes):
    """A record of `symlib raw`; returns its file."""
    made = RawExperiment(preset=preset, seed=seed)
    fit = {"mae": 2.0, "median_error": 1.0, "r2": -0.00001, "r2_kept90": 0.1, "not_finite": 0.0}
    good = {**fit, "mae": 0.5, "median_error": 0.05, "r2": 0.9, "r2_kept90": 0.9996}
    ways = {way: good if way in ("equations", "network") else fit for way in raw_regression.WAYS}
    column = [float(value) for value in np.linspace(-3, 3, 40)]
    record = {
        "kind": "raw regression", "law": "r2", "bodies": 6, "dim": 2, "preset": preset,
        "seed": seed, "engine": "operon", "target": "acceleration of body 2 along x",
        "test_snapshots": 40, "goodness": ways,
        "raw": {"equation": "0.5*x1", "complexity": 3, "seconds": 61.4, "names": raw_names(6, 2),
                "front": FRONT},
        "factorised": {"messages": [
            {"equation": "m2*dx/r**3", "complexity": 9, "recovered": True, "seconds": 30.0},
            {"equation": "m2*dy", "complexity": 3, "recovered": False, "seconds": 31.0},
        ]},
        "sample": {name: column for name in ("truth", *raw_regression.WAYS[1:])},
        "seconds": 1.0, **made.facts(), **changes,
    }  # fmt: skip
    return write_record(made.path(folder), record)


def put_eight(folder, model="l1", preset="laptop", seed=0, **changes):
    """A record of `symlib eight`; returns its file."""
    made = EightBodies(model, preset, seed)
    part = {
        "r2": {"all": 0.9, "kept90": 0.987}, "coefficients": [0.5, -0.25, 0.0],
        "message": [0.1, 0.2, 0.4], "combination": [0.1, 0.25, 0.35],
    }  # fmt: skip
    fits = {"force": {"all": 0.9, "kept90": 0.987}, "acceleration": {"all": 0.1, "kept90": 0.2}}
    record = {
        "kind": "eight bodies", "law": "spring", "dim": 2, "bodies": 8, "model": model,
        "preset": preset, "seed": seed, "test_loss": 0.4, "trivial_loss": 8.0, "r2": fits,
        "quantity": "force", "components": [part, part], "spectrum": [0.5, 0.4, 0.001],
        "seconds": 1.0, **made.facts(), **changes,
    }  # fmt: skip
    return write_record(made.path(folder), record)


def page(folder) -> str:
    """Every table of the chapter."""
    records = equation_records.read_chapter(folder)
    shown = [equation_tables.table_4(records, law) for law in ("r2", "r1")]
    shown += [make(records.raw) for make in (equation_tables.raw, equation_tables.raw_equations,
                                             equation_tables.raw_said)]  # fmt: skip
    for make in (equation_tables.examples, equation_tables.shares, equation_tables.selected,
                 equation_tables.eight, equation_tables.notes):  # fmt: skip
        shown.append(make(records))
    shown.append(equation_tables.with_if(records, "discontinuous", 2, "l1"))
    return "\n\n".join(shown)


# The paper's equations.


@pytest.mark.parametrize("row", TABLE_4)
def test_table_4_can_be_read_and_scored_as_the_paper_says(row):
    rows = TABLE_4[row]
    levels, losses = [level for *_, level in rows], [loss for _, loss, _ in rows]
    assert levels == sorted(levels, reverse=True) and losses == sorted(losses)
    for equation, _, _ in rows:
        symbolic.parse_equation(equation, pair_names(2))
    assert TABLE_4_SELECTED[row] in levels
    assert len(equation_tables.paper_scores(row[0])) == len(rows)


def test_what_the_rule_makes_of_the_paper_s_own_errors_is_said(tmp_path):
    records = equation_records.read_chapter(tmp_path)
    assert "selects the row that the paper shades" in equation_tables.table_4(records, "r1")
    text = equation_tables.table_4(records, "r2")
    assert "selects complexity 12 (score 0.435), while the paper shades 16" in text


def test_our_verdict_agrees_with_the_paper_but_for_the_discontinuous_law(tmp_path):
    places = [*EXAMPLES_C, ("charge", 2, "flathgn"), ("charge", 3, "flathgn")]
    ours = {place: bool(equation_tables.judged(*place)) for place in places}
    theirs = {place: yes for place, (_, yes) in EXAMPLES_C.items()}
    differ = {place for place in theirs if theirs[place] != ours[place]}
    # Its force grows with r - 1; the paper's equation, and what it expects, with r squared.
    assert differ == {("discontinuous", 2, "l1")}
    assert ours["charge", 2, "flathgn"] and ours["charge", 3, "flathgn"]
    assert symbolic.recovered("IF(r > 2, (0.15*dy + 0.19*dx)*(1 - 1/r), 0)", "discontinuous", 2)
    text = equation_tables.examples(equation_records.read_chapter(tmp_path))
    assert text.count("yes; by our verdict no") == 1 and "no; by our" not in text
    assert symbolic.parse_equation(RAW_EQUATION, raw_names(6, 2)).free_symbols


# Raw regression.


@given(st.integers(2, 8), st.sampled_from([2, 3]))
def test_every_raw_feature_has_a_name_of_its_own_that_can_be_read(bodies, dim):
    names = raw_names(bodies, dim)
    assert len(set(names)) == len(names) == bodies * (2 * dim + 2)
    total = symbolic.parse_equation(" + ".join(names), names)
    assert len(total.free_symbols) == len(names)
    states = np.arange(3 * bodies * (2 * dim + 2), dtype=float).reshape(3, bodies, -1)
    rows = raw_features(states)
    assert rows.shape == (3, len(names))
    column = dict(zip(names, rows.T, strict=True))
    assert (column["x2"] == states[:, 1, 0]).all() and (column["m1"] == states[:, 0, -1]).all()
    assert (column[f"vy{bodies}"] == states[:, -1, dim + 1]).all()


@pytest.mark.parametrize("dim", [2, 3])
def test_the_true_equation_is_the_acceleration_apart_from_the_softening(dim):
    states, accelerations = random_snapshots("r2", dim, bodies=6, count=200)
    names = raw_names(6, dim)
    truth = symbolic.parse_equation(raw_regression.true_equation(6, dim), names)
    found = evaluate(truth, raw_features(states), names)
    apart = np.abs(found - accelerations[:, 1, 0]) / np.abs(accelerations[:, 1, 0])
    assert np.median(apart) < 0.1
    assert complexity(truth) > 100


def test_features_of_another_shape_are_refused():
    for shape in ((5, 6), (5, 4, 7)):
        with pytest.raises(InputError, match="states: shape"):
            raw_features(np.zeros(shape))


def test_goodness_by_hand():
    truth = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 100.0])
    predicted = truth + np.array([0.0] * 9 + [50.0])
    fit = goodness(predicted, truth, 3.0)
    assert fit["mae"] == 5.0 and fit["median_error"] == 0.0 and fit["r2_kept90"] == 1.0
    assert fit["r2"] < 1 and fit["not_finite"] == 0.0
    broken = predicted.copy()
    broken[:5] = np.nan, np.inf, -np.inf, 3.0, 4.0
    replaced = goodness(broken, truth, 2.0)
    assert replaced["not_finite"] == pytest.approx(0.3) and replaced["mae"] == pytest.approx(5.3)
    for one, other in ((truth[:3], truth), (truth[:, None], truth[:, None]), (truth[:0],) * 2):
        with pytest.raises(InputError, match="goodness"):
            goodness(one, other, 0.0)


@given(st.integers(2, 60), st.integers(0, 100))
def test_the_mean_explains_nothing_and_the_truth_everything(count, seed):
    truth = np.random.default_rng(seed).normal(size=count)
    assert goodness(np.full(count, truth.mean()), truth, 0.0)["r2"] == pytest.approx(0, abs=1e-12)
    assert goodness(truth, truth, 0.0)["r2"] == 1.0


@pytest.fixture
def tiny(monkeypatch):
    """The smoke preset, smaller still."""
    recipe = replace(PRESETS["smoke"].recipe, steps=10)
    budget = {"searches": 1, "generations": 2, "population": 30, "rows": 100, "rounds": 0}
    small = replace(
        PRESETS["smoke"], systems=20, steps=20, snapshots=200, test_snapshots=40, recipe=recipe,
        budget={**budget, "max_complexity": 8},
    )  # fmt: skip
    monkeypatch.setitem(PRESETS, "smoke", small)


@pytest.mark.slow
def test_both_ways_run_and_are_found_on_record(tiny, tmp_path, capsys, monkeypatch):
    command = ["raw", "--law", "spring", "--bodies", "3", "--preset", "smoke", "--quiet"]
    command += ["--out", str(tmp_path), "--cache", str(tmp_path / "cache")]
    assert cli.main(command) == 0
    path = tmp_path / "raw_regression-spring-2-3-smoke-0.json"
    record = read_record(path)
    assert list(record["goodness"]) == list(raw_regression.WAYS)
    assert record["raw"]["names"] == raw_names(3, 2) and equation_records.front_of(record["raw"])
    assert len(record["factorised"]["messages"]) == 2 and record["recipe"]["steps"] == 10
    assert {len(column) for column in record["sample"].values()} == {40}
    assert record["provenance"]["command"].startswith("symlib raw --law spring --bodies 3")
    assert str(tmp_path) not in path.read_text() and path.stat().st_size < 60_000
    out = capsys.readouterr().out
    assert record["raw"]["equation"] in out and "message 2" in out
    monkeypatch.setattr(RawExperiment, "measure", None)
    assert cli.main(command) == 0 and "on record" in capsys.readouterr().out
    assert flaw_of(record, "raw_regression") is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--law", "gravity"], "unknown law 'gravity'"),
        (["--bodies", "1"], "bodies"),
        (["--dim", "4"], "dim"),
        (["--preset", "huge"], "unknown preset 'huge'"),
        (["--seed", "-1"], "seed"),
        (["--engine", "eureqa"], "unknown engine"),
        (["--out", __file__], "is a file"),
    ],
)
def test_a_bad_argument_of_raw_stops_at_once(arguments, said, capsys, monkeypatch):
    monkeypatch.setattr(RawExperiment, "measure", None)
    assert cli.main(["raw", "--preset", "smoke", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_raw_records_are_told_apart_by_system_and_by_what_goes_in(tmp_path, monkeypatch):
    paper = RawExperiment()
    assert paper.path("x").as_posix() == "x/raw_regression-laptop-0.json"
    others = [RawExperiment(law="r1"), RawExperiment(bodies=5), RawExperiment(dim=3)]
    assert len({one.path("x") for one in (paper, *others)}) == 4
    assert len({one.facts()["key"] for one in (paper, *others, RawExperiment(seed=1))}) == 5
    path = put_raw(tmp_path)
    assert paper.is_done(tmp_path) and not paper.is_done(tmp_path, engine="pysr")
    assert not RawExperiment(seed=1).is_done(tmp_path)
    for text in ("", "{", '{"format": "symlib-record-1"}'):
        path.write_text(text)
        assert not paper.is_done(tmp_path)


# Eight bodies.


@pytest.mark.slow
def test_eight_bodies_run_once_model_by_model(tiny, tmp_path, capsys):
    command = ["eight", "--preset", "smoke", "--quiet", "--out", str(tmp_path / "out")]
    command += ["--cache", str(tmp_path / "cache")]
    assert cli.main([*command, "--model", "kl"]) == 0
    assert cli.main(command) == 0
    out = capsys.readouterr().out
    assert out.count("on record: ") == 1 and out.count("8 bodies, kl") == 2
    files = sorted((tmp_path / "out" / "eight_bodies").glob("*.json"))
    assert len(files) == 4 and all(file.stat().st_size < 60_000 for file in files)
    records = equation_records.read_chapter(tmp_path / "out")
    assert list(records.eight) == list(MESSAGE_MODELS) and not records.problems
    assert not records.old


def test_what_the_messages_say_is_what_the_messages_module_says():
    states, _ = random_snapshots(bodies=8, count=30)
    heard = recording.record_messages(particle_network("l1", 2), LAWS["spring"], states)
    told = eight_bodies.what_they_say(heard)
    assert told["r2"] == heard.r2()
    best = told["r2"][told["quantity"]]["kept90"]
    each = [part["r2"]["kept90"] for part in told["components"]]
    assert np.mean(each) == pytest.approx(best)
    assert len(told["spectrum"]) == 15 and len(told["components"][0]["message"]) == 400
    truth = getattr(heard, told["quantity"])
    weights = np.array(told["components"][0]["coefficients"])
    combination = truth @ weights[:-1] + weights[-1]
    shown = np.array(told["components"][0]["combination"])
    assert np.isin(shown.round(2), combination.round(2)).mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "flathgn"], "unknown model 'flathgn'"),
        (["--preset", "huge"], "unknown preset"),
        (["--seed", "-1"], "seed"),
        (["--out", __file__], "is a file"),
    ],
)
def test_a_bad_argument_of_eight_stops_at_once(arguments, said, capsys, monkeypatch):
    monkeypatch.setattr(eight_bodies.discovery, "prepare", None)
    assert cli.main(["eight", "--preset", "smoke", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_changed_input_is_run_anew(tmp_path, monkeypatch):
    run = EightBodies("l1", "smoke")
    put_eight(tmp_path, preset="smoke")
    assert run.is_done(tmp_path)
    monkeypatch.setitem(PRESETS, "smoke", replace(PRESETS["smoke"], systems=25))
    assert not run.is_done(tmp_path)
    with pytest.raises(UnknownChoice):
        EightBodies("l1", "huge").facts()


# Tables and figures.


def test_without_records_the_page_says_so(tmp_path):
    text = page(tmp_path)
    assert "not yet run" in text and text.count(equation_tables.NOT_YET) >= 6
    records = equation_records.read_chapter(tmp_path)
    _, alt = equation_figures.figure5(records.eight)
    assert alt.count("not yet run") == 4 and records.first("r1", 2, "bottleneck") is None


def test_every_number_is_a_record_s_and_goes_with_it(tmp_path):
    files = {
        "| **7** | **0.5** | **0.120** | **`0.123*m2*dx/r^2`** |": put_cell(tmp_path),
        "| raw, selected | 36 | `0.5*x1` | 3 | 61 | – |": put_raw(tmp_path),
        "| L1 | 0.900 | 0.987 | 0.100 | 0.200 | 0.050 | 0.0020 | laptop |": put_eight(tmp_path),
        "| 12 | 0.400 | 0.040 | `IF(r > 2, dx, 0) + 0.3` |": put_cell(
            tmp_path, law="discontinuous", model="l1", recovered=False
        ),
        "| Charge-2, FlatHGN | `0.0019*q1*q2/r - 0.0112 - 0.00143*q1 - 0.00112*q1*q2` | yes "
        "| `q1*q2/r` | yes | 0.9876 (acceleration) | laptop |": put_cell(
            tmp_path, law="charge", model="flathgn", recovered=False, pair_recovered=True,
            equation="q1*q2/r",
        ),
    }  # fmt: skip
    text = page(tmp_path)
    for line in files:
        assert line in text, line
    assert "messages 5.0%. Of 2 messages 1 gave the law" in text and "| −0.000 |" not in text
    assert "today's code" in text
    for line, file in files.items():
        file.unlink()
        assert line not in page(tmp_path), line


def test_shares_count_every_seed_and_failures_as_such(tmp_path):
    put_cell(tmp_path, seed=0)
    put_cell(tmp_path, seed=1, recovered=False)
    put_cell(tmp_path, seed=2, failed="NonFiniteLoss: at step 7")
    put_cell(tmp_path, law="spring", dim=3, model="kl")
    text = page(tmp_path)
    assert "| 1/r-2 | – | 1 of 3 | – | – | – |" in text
    assert "| **all** | – | **1 of 3** | – | **1 of 1** | – |" in text
    assert "| 1/r-2 | 2 | the run failed | no | – | laptop |" in text


def test_the_largest_preset_counts_and_old_records_are_marked(tmp_path):
    put_eight(tmp_path, preset="paper", failed="NonFiniteLoss")
    put_eight(tmp_path, preset="ci", test_loss=1.0)
    put_raw(tmp_path, preset="ci", made_by={"simulate": 0})
    put_raw(tmp_path, preset="smoke")
    put_raw(tmp_path, seed=1, preset="ci")
    put_cell(tmp_path, key="0" * 12)
    records = equation_records.read_chapter(tmp_path)
    assert records.eight["l1"]["preset"] == "ci"
    assert (records.raw["preset"], records.raw["seed"]) == ("ci", 0)
    assert records.old == ["raw_regression-ci-0.json"]
    assert "laptop †" in equation_tables.selected(records)
    put_eight(tmp_path, preset="laptop")
    assert equation_records.read_chapter(tmp_path).eight["l1"]["preset"] == "laptop"


@pytest.mark.parametrize(
    ("put", "changes", "said"),
    [
        (put_raw, {"kind": "bench"}, "kind"),
        (put_raw, {"preset": "huge"}, "preset"),
        (put_raw, {"goodness": {"raw": 1}}, "goodness"),
        (put_raw, {"sample": {"truth": [1.0]}}, "sample"),
        (put_raw, {"raw": {"front": []}}, "raw"),
        (put_raw, {"factorised": {"messages": [1]}}, "factorised.messages.0"),
        (put_eight, {"model": "mlp"}, "model"),
        (put_eight, {"r2": {"force": 0.5}}, "r2"),
        (put_eight, {"quantity": "energy"}, "quantity"),
        (put_eight, {"components": [{}, {}]}, "components."),
        (put_eight, {"seed": "0"}, "seed"),
    ],
)
def test_a_foreign_record_is_named_and_left_out(tmp_path, put, changes, said):
    path = put(tmp_path)
    write_record(path, {**read_record(path), **changes})
    text = page(tmp_path)
    name = path.relative_to(tmp_path).as_posix()
    assert f"Left out: record {name}: {said}" in text and str(tmp_path) not in text
    records = equation_records.read_chapter(tmp_path)
    assert records.raw is None and not records.eight


@pytest.mark.parametrize("put", [put_raw, put_eight, put_cell])
@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_record_is_named_and_left_out(tmp_path, put, text):
    path = put(tmp_path)
    path.write_text(text)
    assert f"{path.relative_to(tmp_path).as_posix()}: " in page(tmp_path)
    assert not equation_records.read_chapter(tmp_path).eight


@pytest.mark.parametrize("front", [None, []])
def test_a_front_that_cannot_be_shown_is_none(tmp_path, front):
    put_cell(tmp_path, front=front)
    records = equation_records.read_chapter(tmp_path)
    assert records.first("r1", 2, "bottleneck") is None and equation_tables.NOT_YET in page(
        tmp_path
    )
    with pytest.raises(InputError, match="no front"):
        equation_figures.figure6({"front": front})


def test_every_figure_draws_and_has_a_text(tmp_path):
    before = dict(mpl.rcParams)
    put_cell(tmp_path), put_raw(tmp_path), put_eight(tmp_path)
    records = equation_records.read_chapter(tmp_path)
    states, _ = random_snapshots(count=40)
    drawn = [
        equation_figures.long_exposures({name: states for name in LAWS}),
        equation_figures.long_exposures({"spring": states[:2]}),
        equation_figures.figure5(records.eight),
        equation_figures.figure6(records.first("r1", 2, "bottleneck")),
        equation_figures.raw_against_factorised(records.raw),
    ]
    for number, (figure, alt) in enumerate(drawn):
        figure.savefig(tmp_path / f"{number}.png")
        assert len(alt) > 60 and alt.endswith(".")
        assert (tmp_path / f"{number}.png").stat().st_size > 5000
    assert len(drawn[0][0].axes) == 6 and len(drawn[1][0].axes) == 1
    assert "0.9996" in drawn[4][1] and "L1, force: 0.987, 0.987" in drawn[2][1]
    assert dict(mpl.rcParams) == before


def test_the_liveliest_system_is_the_one_that_turns():
    times = np.linspace(0, 6, 50)
    states = np.zeros((2, 50, 2, 6))
    states[..., -1] = 1.0
    states[..., 2] = 1.0
    # Two bodies that circle each other, and drift together.
    for body, sign in ((0, 1), (1, -1)):
        states[1, :, body, 2] = sign * np.cos(times) + 5.0
        states[1, :, body, 3] = sign * np.sin(times)
    states[0, :, 1, 2] = -1.0
    assert equation_figures.liveliest(states) == 1
    mass = states[..., -1:]
    assert np.allclose((mass * equation_figures.centred(states)[..., :4]).sum(axis=-2), 0)


def test_the_chapter_shows_every_table_and_its_metrics_are_on_record():
    source = (BOOK.parent / "notebooks" / "06_equations.py").read_text(encoding="utf-8")
    for name in ("table_4", "raw", "raw_said", "raw_equations", "examples", "with_if", "shares",
                 "selected", "eight", "notes"):  # fmt: skip
        assert f"equation_tables.{name}(" in source
    for name in ("long_exposures", "figure5", "figure6", "raw_against_factorised"):
        assert f"equation_figures.{name}(" in source
    expected = read_expected("06_equations")
    assert not flaws(expected) and set(re.findall(r'^        "([^"]+)":', source, re.M)) == set(
        expected
    )
    # No measured number is typed into the page.
    assert not re.search(r"^# .*\d\.\d", source.split("# %%", 1)[1], re.M)


def test_equations_with_an_if_are_listed_and_the_selected_one_is_named(tmp_path):
    cell = ("discontinuous", 2, "l1")
    place = {"law": cell[0], "dim": cell[1], "model": cell[2]}
    assert "not yet run" in equation_tables.with_if(equation_records.read_chapter(tmp_path), *cell)
    branches = [
        {"complexity": 12 + 2 * k, "loss": 0.4 / (k + 1), "score": 0.1, "equation": equation}
        for k, equation in enumerate(
            [
                "IF(r > 2.0, dx, 0.0)",
                "IF(r > 2.0, dy, 0.0)",
                "IF(r > 2.0, r*dx, 0.0)",
                "IF(r > 1, 1, 0)",
            ]
        )
    ]
    put_cell(tmp_path, **place, front=FRONT[:2] + branches, complexity=14)
    text = equation_tables.with_if(equation_records.read_chapter(tmp_path), *cell)
    rows = [line for line in text.splitlines() if "IF(" in line]
    assert len(rows) == 3 and [("selected" in row) for row in rows] == [False, True, False]
    put_cell(tmp_path, **place, front=FRONT[:2])
    text = equation_tables.with_if(equation_records.read_chapter(tmp_path), *cell)
    assert "none of the 2 equations" in text


@given(
    st.integers(1, 300),
    st.integers(2, 3),
    st.integers(0, 2**16),
)
def test_the_largest_forces_hold_the_most_variance(count, dim, seed):
    forces = np.random.default_rng(seed).standard_cauchy((count + 1, dim))
    held = encounters.variance_held(forces)
    assert held.shape == (count + 1,) and held[-1] == pytest.approx(1)
    gains = np.diff(held, prepend=0)
    assert np.all(gains >= 0) and np.all(np.diff(gains) <= 1e-12)
    # Whichever of them, as many others hold no more.
    n = seed % count + 1
    squares = ((forces - forces.mean(axis=0)) ** 2).sum(axis=1)
    assert held[n - 1] >= squares[:n].sum() / squares.sum() - 1e-12
    assert encounters.held_by(held, n / (count + 1)) == held[n - 1]
    assert encounters.held_by(held, 0.0) == held[0]


def test_one_encounter_holds_what_it_is_worth():
    forces = np.zeros((1000, 2))
    forces[7] = 3, 4
    held = encounters.variance_held(forces)
    # Its share: its squared distance from the mean, 25 (1 - 1/n)², of 25 (1 - 1/n).
    assert encounters.held_by(held) == pytest.approx(0.999)
    figure, words = encounters.encounter_figure({"$1/r$": held, "spring": held})
    assert len(figure.axes[0].lines) == 3 and "1/r 100%" in words and "$" not in words


def test_forces_that_hold_no_variance_are_refused():
    for forces in (np.ones((5, 2)), np.full((5, 2), np.nan), np.zeros((0, 2)), np.ones(4)):
        with pytest.raises(InputError, match="forces"):
            encounters.variance_held(forces)


def test_edge_forces_are_those_on_the_receiver():
    states = random_snapshots("r2", count=6)[0]
    forces = encounters.edge_forces(LAWS["r2"], states)
    assert forces.shape == (6 * 4 * 3, 2)
    # Newton's third law: they sum to nothing in every snapshot.
    total = forces.reshape(6, 12, 2).sum(axis=1)
    np.testing.assert_allclose(total, 0, atol=1e-9 * np.abs(forces).max())
