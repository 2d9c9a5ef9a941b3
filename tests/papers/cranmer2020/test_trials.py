"""What the recipe's parts are worth: trials, their records, and the page's tables."""

from dataclasses import replace

import pytest
import torch
from snapshots import random_snapshots

from symlib import cli
from symlib.errors import InputError, NonFiniteLoss
from symlib.networks.graph_network import particle_network
from symlib.papers.cranmer2020.data import TABLE_3
from symlib.papers.cranmer2020.pages import steps_figures, trial_tables
from symlib.papers.cranmer2020.study import trials as recipe_trials
from symlib.papers.cranmer2020.study.trials import (
    TRIALS,
    Trial,
    message_cost,
    read_trials,
    steps_trials,
    trials,
)
from symlib.records.record import write_record
from symlib.training.presets import get_preset


def made(name: str, seed: int, r2: float, **changes) -> dict:
    return {
        "kind": "trial", "law": "charge", "dim": 2, "model": "l1", "trial": name, "seed": seed,
        "preset": "ci", "steps": 8000, "test_loss": 2.0, "trivial_loss": 5.0,
        "r2": {"force": {"all": 0.1, "kept90": r2}, "acceleration": {"all": 0.0, "kept90": 0.0}},
        "spectrum": [1.0, 0.9, 0.05, 0.0], "recipe": {"float32_from": 1.0}, **changes,
    }  # fmt: skip


def test_a_trial_is_trained_once_and_again_when_something_changed(tmp_path):
    trial = Trial("spring", 2, "l1", "not-blind", 0, "smoke")
    found, new = trial.run(tmp_path, progress=False)
    assert new and found["recipe"]["blind_until"] == 0.0
    assert found["key"] == trial.facts()["key"] and len(found["spectrum"]) == 15
    assert found["test_loss"] > 0 and found["speaking"] <= 100
    again, new = trial.run(tmp_path, progress=False)
    assert not new and again == found
    write_record(trial.path(tmp_path), {**found, "made_by": {**found["made_by"], "train": 0}})
    assert not trial.is_done(tmp_path)
    assert "R²" in recipe_trials.line(found)


def test_a_record_of_another_trial_under_this_one_s_name_is_not_taken(tmp_path):
    trial, other = (Trial("spring", 2, "l1", name, 0, "ci") for name in ("fast", "not-blind"))
    write_record(trial.path(tmp_path), made("fast", 0, 0.9, law="spring", **trial.facts()))
    assert trial.is_done(tmp_path)
    trial.path(tmp_path).rename(other.path(tmp_path))
    assert not other.is_done(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"law": "gravity"}, "law: 'gravity' is not one of"),
        ({"model": "transformer"}, "model: 'transformer' is not one of"),
        ({"preset": "huge"}, "preset: 'huge' is not one of"),
        ({"recipe": {"float32_from": "late"}}, "recipe.float32_from: 'late' is not of type"),
        ({"r2": {"force": {"all": 0.1}}}, "r2.force: 'kept90' is a required property"),
        ({"spectrum": [1.0, "loud"]}, "spectrum.1: 'loud' is not of type"),
        ({"kind": "cell"}, "kind: 'trial' was expected"),
        ({"trial": "unheard-of"}, "unknown trial 'unheard-of'"),
    ],
)
def test_a_foreign_or_damaged_record_is_named_and_left_out(changes, said, tmp_path):
    write_record(tmp_path / "odd.json", {**made("fast", 0, 0.9), **changes})
    assert not Trial("charge", 2, "l1", "fast", 0).is_done(tmp_path)
    records, (problem,) = read_trials(tmp_path)
    assert records == [] and "odd.json" in problem and said in problem
    write_record(tmp_path / "good.json", made("fast", 0, 0.9))
    for text in (trial_tables.all_trials(tmp_path), steps_figures.steps_table(tmp_path)):
        assert "odd.json" in text and "0.9000" in text
    trial_tables.trial_figure(tmp_path)
    steps_figures.steps_figure(tmp_path)


def test_a_trial_that_breaks_down_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    def measure(trial, **_):
        if trial.law == "r1":
            raise NonFiniteLoss("the loss is nan at step 3")
        return {**made(trial.trial, 0, 0.9), "training_seconds": 1.0}

    monkeypatch.setattr(Trial, "measure", measure)
    command = ["bench", "steps", "--preset", "ci", "--out", str(tmp_path), "--quiet"]
    assert cli.main([*command, "--cache", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "r1-2 bottleneck fast seed 0: failed, NonFiniteLoss" in out
    assert out.count("failed, NonFiniteLoss: the loss is nan") == 5 and out.count("R² 0.9") == 10
    _, problems = read_trials(tmp_path)
    assert len(problems) == 5 and all("failed" in problem for problem in problems)


def test_each_trial_changes_what_it_says_and_is_no_repetition():
    whole = list(trials("ci"))
    assert len(whole) == len(set(whole))
    for trial in whole:
        shipped = get_preset("ci").recipe_for(trial.model)
        differing = {
            name for name, value in trial.recipe().to_dict().items()
            if value != shipped.to_dict()[name]
        }  # fmt: skip
        assert bool(differing) == (trial.trial != "fast"), trial
        if trial.trial == "not-turned":
            assert differing == {"turn_every"}
        assert trial.recipe().steps == shipped.steps
    # The first seed of everything comes before the second of anything.
    seeds = [trial.seed for trial in whole]
    assert seeds == sorted(seeds) and set(seeds) == set(recipe_trials.SEEDS)
    assert {trial.seed for trial in trials("ci", range(1))} == {0}


def test_an_unknown_trial_lists_those_there_are():
    with pytest.raises(InputError, match="not-blind"):
        Trial("spring", 2, "l1", "without-luck", 0)


def test_the_page_shows_means_over_seeds_and_names_what_it_left_out(tmp_path):
    for seed, r2 in ((0, 0.90), (1, 0.94)):
        write_record(tmp_path / f"a{seed}.json", made("fast", seed, r2))
    write_record(tmp_path / "b.json", made("reference", 0, 0.004))
    (tmp_path / "c.json").write_text("{")
    write_record(tmp_path / "d.json", made("unheard-of", 0, 0.5))
    text = trial_tables.all_trials(tmp_path)
    assert f"{TRIALS['fast'][0]}\u00a0† |" in text and "† marks records" in text
    now = Trial("charge", 2, "l1", "fast", 0).facts()
    fresh = tmp_path / "fresh"
    write_record(fresh / "a.json", made("fast", 0, 0.9, **now))
    assert "†" not in trial_tables.all_trials(fresh)
    assert "0.9200 ± 0.0283" in text and "0.0040 |" in text
    assert "| 2 | 0.40 | 2 |" in text  # components that speak, loss, seeds
    assert "Left out" in text and "c.json" in text and "d.json" in text
    assert text.index(TRIALS["fast"][0]) < text.index(TRIALS["reference"][0])
    figure, words = trial_tables.trial_figure(tmp_path)
    assert "0.920" in words and "0.004" in words
    shown = [line for axes in figure.axes for line in axes.lines if len(line.get_xdata())]
    assert sum(len(line.get_xdata()) for line in shown) == 3
    assert len(read_trials(tmp_path)[1]) == 2


@pytest.mark.parametrize("model", ["bottleneck", "l1", "kl"])
def test_silent_messages_cost_nothing_and_others_what_the_penalty_says(model):
    network = particle_network(model, 2)
    states, _ = random_snapshots(count=20)
    costs = message_cost(network, states)
    assert costs == 0 if model == "bottleneck" else costs > 0
    with torch.no_grad():
        network.edge_model[-1].weight.zero_()
        network.edge_model[-1].bias.zero_()
    assert message_cost(network, states) == 0
    if model == "kl":
        # Two components of mean 3: 3² / 2 each.
        with torch.no_grad():
            network.edge_model[-1].bias[:2] = 3.0
        assert message_cost(network, states) == pytest.approx(9.0)


def test_where_messages_have_a_price_the_page_adds_it_to_the_loss(tmp_path):
    write_record(tmp_path / "a.json", made("fast", 0, 0.9, message_cost=1.5))
    write_record(tmp_path / "b.json", made("reference", 0, 0.9))
    text = trial_tables.all_trials(tmp_path)
    assert "(loss + penalty) / trivial" in text
    assert "| 2 | 0.40 | 0.70 | 1 |" in text and "| 2 | 0.40 | – | 1 |" in text
    write_record(tmp_path / "free" / "a.json", made("fast", 0, 0.9))
    assert "penalty" not in trial_tables.all_trials(tmp_path / "free")


def test_without_records_the_page_says_so(tmp_path):
    assert "No trial is on record" in trial_tables.all_trials(tmp_path)
    assert "no trial is on record" in trial_tables.trial_figure(tmp_path)[1]


def test_the_recipe_table_has_every_number_of_every_model():
    preset = get_preset("laptop")
    text = trial_tables.recipe_table(preset)
    for name in preset.recipe.to_dict():
        assert (f"`{name}`" in text) == (name != "name")
    row = next(line for line in text.splitlines() if "`alpha_start`" in line)
    assert row.split("|")[2:-1] == [" 1 ", " 1 ", " 100 ", " 0.001 ", " 1 "]
    row = next(line for line in text.splitlines() if "`alpha_rise`" in line)
    assert row.split("|")[2:-1] == [" 0 ", " 0 ", " 0.2 ", " 0 ", " 0 "]
    changed = replace(preset, recipe=replace(preset.recipe, batch=77))
    assert "77" in trial_tables.recipe_table(changed)


def test_fewer_and_more_steps_change_nothing_but_steps_and_digits():
    whole = list(steps_trials("laptop"))
    assert len(whole) == len(set(whole)) and not set(whole) & set(trials("laptop"))
    shipped = get_preset("laptop").recipe.to_dict()
    for trial in whole:
        recipe = trial.recipe().to_dict()
        kept = {name: shipped[name] for name in ("steps", "float32_from")}
        assert {**recipe, **kept} == shipped
        assert recipe["float32_from"] == (2 / 3 if "float32" in trial.trial else 1)
    lengths = [trial.recipe().steps / shipped["steps"] for trial in whole]
    assert lengths == sorted(lengths) and set(lengths) == {0.25, 1, 4}
    # Only where the paper's loss means something: no rare encounters.
    assert {trial.law for trial in whole} == {"spring", "r1", "discontinuous"}


def test_lengths_of_training_leave_records_and_are_not_trained_twice(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recipe_trials, "STEPS_SETTINGS", (("r1", 2, "bottleneck"),))
    command = ["bench", "steps", "--preset", "smoke", "--out", str(tmp_path / "steps")]
    command += ["--cache", str(tmp_path / "cache"), "--quiet"]
    assert cli.main(command) == 0
    first = capsys.readouterr().out
    assert first.count("\n") == 5 and "on record" not in first
    assert cli.main(command) == 0
    assert capsys.readouterr().out.count("on record") == 5
    records, problems = read_trials(tmp_path / "steps")
    assert len(records) == 5 and not problems
    assert {one["provenance"]["command"] for one in records} == {
        "symlib bench steps --preset smoke --seeds 1"
    }
    text = steps_figures.steps_table(tmp_path / "steps")
    for one in records:
        assert f"| {one['steps']:,} |" in text


def test_losses_stand_beside_the_papers_in_the_order_of_steps(tmp_path):
    now = Trial("spring", 2, "bottleneck", "fast", 0, "laptop").facts()
    common = {"law": "spring", "model": "bottleneck", "preset": "laptop"}
    for name, steps, loss, exact, facts in (
        ("four-times-steps", 160_000, 0.0321, 1.0, {}),
        ("fast", 40_000, 0.0654, 1.0, now),
        ("float32-late", 40_000, 0.0512, 2 / 3, {}),
    ):
        about = {"steps": steps, "test_loss": loss, "recipe": {"float32_from": exact}}
        one = made(name, 0, 0.99, **{**common, **about, **facts})
        write_record(tmp_path / f"{name}.json", one)
    (tmp_path / "torn.json").write_text("{")
    text = steps_figures.steps_table(tmp_path)
    theirs = TABLE_3["spring", 2]["bottleneck"]
    assert f"| 40,000 | same | 0.0654 | {theirs} | 0.9900 | 0 |" in text
    assert f"| 40,000 | float32 | 0.0512 † | {theirs} |" in text
    assert f"| 160,000 | same | 0.0321 † | {theirs} |" in text and "† marks records" in text
    assert text.index("40,000") < text.index("160,000") and "torn.json" in text
    figure, words = steps_figures.steps_figure(tmp_path)
    ours, exact, paper = figure.axes[0].lines
    assert list(exact.get_ydata()) == [0.0512]
    assert list(ours.get_xdata()) == [40_000, 160_000] and list(paper.get_ydata()) == [theirs] * 2
    assert "0.0654 at 40,000, 0.0512 at 40,000 float32, 0.0321 at 160,000" in words
    assert "No trial" in steps_figures.steps_table(tmp_path / "empty")
    assert "No trial" in steps_figures.steps_figure(tmp_path / "empty")[1]


@pytest.mark.parametrize("kind", ["recipe", "steps"])
def test_a_number_of_seeds_below_one_is_refused_before_any_work(kind, capsys):
    assert cli.main(["bench", kind, "--seeds", "0"]) == 2
    assert "seeds: a whole number" in capsys.readouterr().err
