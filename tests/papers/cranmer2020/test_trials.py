"""What the recipe's parts are worth: trials, their records, and the page's tables."""

from dataclasses import replace

import pytest
import torch
from put_records import row
from snapshots import random_snapshots

from symlib import cli
from symlib.errors import InputError, NonFiniteLoss
from symlib.networks.graph_network import particle_network
from symlib.papers.cranmer2020.data import TABLE_3
from symlib.papers.cranmer2020.pages import training
from symlib.papers.cranmer2020.study import trials as recipe_trials
from symlib.papers.cranmer2020.study.trials import (
    TRIALS,
    Trial,
    message_cost,
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


def test_a_trial_is_trained_with_the_one_thing_changed(tmp_path):
    trial = Trial("spring", 2, "l1", "not-blind", 0, "smoke")
    found, new = trial.run(tmp_path, progress=False)
    assert new and trial.is_done(tmp_path) and found["recipe"]["blind_until"] == 0.0
    assert found["test_loss"] > 0 and len(found["spectrum"]) == 15 and found["speaking"] <= 100
    assert "R²" in recipe_trials.line(found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"law": "gravity"}, "law: 'gravity' is not one of"),
        ({"recipe": {"float32_from": "late"}}, "recipe.float32_from: 'late' is not of type"),
        ({"trial": "unheard-of"}, "unknown trial 'unheard-of'"),
        ({"failed": "NonFiniteLoss"}, "failed, NonFiniteLoss"),
    ],
)
def test_a_foreign_or_failed_record_is_named_and_left_out(changes, said, tmp_path):
    write_record(tmp_path / "trials" / "odd.json", {**made("fast", 0, 0.9), **changes})
    (tmp_path / "trials" / "torn.json").write_text("{")
    write_record(tmp_path / "trials" / "good.json", made("fast", 0, 0.9))
    runs, problems = training.on_record("trials", tmp_path)
    assert list(runs.file) == ["trials/good.json"] and len(problems) == 2
    assert "odd.json" in problems[-1] + problems[0] and said in " ".join(problems)


def test_a_trial_that_breaks_down_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    def measure(trial, **_):
        if trial.law == "r1":
            raise NonFiniteLoss("the loss is nan at step 3")
        return {**made(trial.trial, 0, 0.9), "training_seconds": 1.0}

    monkeypatch.setattr(Trial, "measure", measure)
    command = ["bench", "steps", "--preset", "ci", "--out", str(tmp_path / "steps"), "--quiet"]
    assert cli.main([*command, "--cache", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "r1-2 bottleneck fast seed 0: failed, NonFiniteLoss" in out
    assert out.count("failed, NonFiniteLoss: the loss is nan") == 5 and out.count("R² 0.9") == 10
    runs, problems = training.on_record("steps", tmp_path)
    assert len(runs) == 10 and len(problems) == 5
    assert cli.main([*command, "--cache", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("on record") == 15


def test_each_trial_changes_what_it_says_and_is_no_repetition():
    whole = list(trials("ci"))
    assert len(whole) == len(set(whole))
    for trial in whole:
        shipped, changed = get_preset("ci").recipe_for(trial.model).to_dict(), trial.recipe()
        differing = {name for name, value in changed.to_dict().items() if value != shipped[name]}
        assert bool(differing) == (trial.trial != "fast"), trial
        assert trial.trial != "not-turned" or differing == {"turn_every"}
        assert changed.steps == shipped["steps"]
    # The first seed of everything comes before the second of anything.
    seeds = [trial.seed for trial in whole]
    assert seeds == sorted(seeds) and set(seeds) == set(recipe_trials.SEEDS)
    with pytest.raises(InputError, match="not-blind"):
        Trial("spring", 2, "l1", "without-luck", 0)


def test_the_page_shows_means_over_seeds_and_the_paper_s_r2(tmp_path):
    now = Trial("charge", 2, "l1", "fast", 0).facts()
    write_record(tmp_path / "trials" / "a0.json", made("fast", 0, 0.90, message_cost=1.5, **now))
    write_record(tmp_path / "trials" / "a1.json", made("fast", 1, 0.94, message_cost=1.5, **now))
    write_record(tmp_path / "trials" / "b.json", made("reference", 0, 0.004))
    runs, problems = training.on_record("trials", tmp_path)
    text = training.all_trials(runs)
    assert not problems and "the paper's R² is 0.004" in text
    # R², components that speak, loss, with its penalty, seeds; the second seed is of another key.
    ours = ["0.9200 ± 0.0283", "2", "0.40", "0.70", "2"]
    assert row(text, f"{TRIALS['fast'][0]}\u00a0†")[1:] == ours
    assert row(text, f"{TRIALS['reference'][0]}\u00a0†")[1:] == ["0.0040", "2", "0.40", "–", "1"]
    figure, words = training.trial_figure(runs)
    assert "0.920" in words and "0.004" in words
    assert sum(len(axes.lines) for axes in figure.axes) == 3
    # A seed of today's recipe has no mark, and without a penalty there is no column for one.
    text = training.all_trials(runs[:1].assign(message_cost=0.0))
    assert "†" not in text and "penalty" not in text


def test_the_page_ranks_single_changes_by_what_they_cost(tmp_path):
    found = {"fast": 0.99, "not-blind": 0.97, "half-rate": 0.98, "not-invariant": 0.9}
    for name, r2 in {**found, "reference": 0.1}.items():
        write_record(tmp_path / "trials" / f"{name}.json", made(name, 0, r2))
    text = training.costliest(training.on_record("trials", tmp_path)[0], count=2)
    worst, second = (
        f"{TRIALS[name][0]} ({found[name]:.4f})" for name in ("not-invariant", "not-blind")
    )
    assert row(text, "Charge-2, L1")[1:] == ["0.9900", worst, second]


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


def test_the_recipe_table_has_every_number_of_every_model():
    preset = get_preset("laptop")
    text = training.recipe_table(preset)
    for name in preset.recipe.to_dict():
        assert (f"`{name}`" in text) == (name != "name")
    assert row(text, "`alpha_start`")[1:] == ["1", "1", "100", "0.001", "1"]
    assert row(text, "`alpha_rise`")[1:] == ["0", "0", "0.2", "0", "0"]
    changed = replace(preset, recipe=replace(preset.recipe, batch=77))
    assert "77" in training.recipe_table(changed)


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
        write_record(tmp_path / "steps" / f"{name}.json", one)
    runs, _ = training.on_record("steps", tmp_path)
    theirs = TABLE_3["spring", 2]["bottleneck"]
    first, second, third = training.steps_table(runs).splitlines()[2:]
    assert f"| 40,000 | same | 0.0654 | {theirs} | 0.9900 | 0 |" in first
    assert f"| 40,000 | float32 | 0.0512\u00a0† | {theirs} |" in second
    assert f"| 160,000 | same | 0.0321\u00a0† | {theirs} |" in third
    figure, words = training.steps_figure(runs)
    ours, exact, paper = figure.axes[0].lines
    assert list(exact.get_ydata()) == [0.0512]
    assert list(ours.get_xdata()) == [40_000, 160_000] and list(paper.get_ydata()) == [theirs] * 2
    assert "0.0654 at 40,000, 0.0512 at 40,000 float32, 0.0321 at 160,000" in words


@pytest.mark.parametrize("kind", ["recipe", "steps"])
def test_a_number_of_seeds_below_one_is_refused_before_any_work(kind, capsys):
    assert cli.main(["bench", kind, "--seeds", "0"]) == 2
    assert "seeds: a whole number" in capsys.readouterr().err
