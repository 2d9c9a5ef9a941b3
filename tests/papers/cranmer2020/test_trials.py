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
    CONTROL_SETTINGS,
    STEPS_SETTINGS,
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
        "spectrum": [1.0, 0.9, 0.05, 0.0], "training": {"float32_from": 1.0}, **changes,
    }  # fmt: skip


def test_a_trial_is_trained_with_the_one_thing_changed(tmp_path):
    trial = Trial("spring", 2, "l1", "not-blind", 0, "smoke")
    found, new = trial.run(tmp_path, progress=False)
    assert new and trial.is_done(tmp_path) and found["training"]["blind_until"] == 0.0
    assert found["test_loss"] > 0 and len(found["spectrum"]) == 15 and found["speaking"] <= 100
    assert "R²" in recipe_trials.line(found)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"law": "gravity"}, "law: 'gravity' is not one of"),
        ({"training": {"float32_from": "late"}}, "training.float32_from: 'late' is not of type"),
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
    assert out.count("failed, NonFiniteLoss: the loss is nan") == 6 and out.count("R² 0.9") == 12
    runs, problems = training.on_record("steps", tmp_path)
    assert len(runs) == 12 and len(problems) == 6
    assert cli.main([*command, "--cache", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("on record") == 18


def test_each_trial_changes_what_it_says_and_is_no_repetition():
    whole = list(trials("ci"))
    assert len(whole) == len(set(whole))
    for trial in whole:
        of = TRIALS[trial.trial][1]
        shipped = get_preset("ci", of).recipe_for(trial.model).to_dict()
        changed = trial.recipe().to_dict()
        differing = {name for name, value in changed.items() if value != shipped[name]}
        assert bool(differing) == (trial.trial != of), trial
        assert trial.trial != "not-turned" or differing == {"turn_every"}
        assert "steps" not in differing
    # The first seed of everything comes before the second of anything.
    seeds = [trial.seed for trial in whole]
    assert seeds == sorted(seeds) and set(seeds) == set(recipe_trials.SEEDS)
    with pytest.raises(InputError, match="not-blind"):
        Trial("spring", 2, "l1", "without-luck", 0)


def test_the_page_shows_means_over_seeds_and_the_paper_s_r2(tmp_path):
    now = Trial("charge", 2, "l1", "fast", 0).facts()
    write_record(tmp_path / "trials" / "a0.json", made("fast", 0, 0.90, message_cost=1.5, **now))
    write_record(tmp_path / "trials" / "a1.json", made("fast", 1, 0.94, message_cost=1.5, **now))
    write_record(tmp_path / "trials" / "b.json", made("plain", 0, 0.004))
    write_record(tmp_path / "trials" / "c.json", made("even", 0, 0.003, test_loss=4.0))
    runs, problems = training.on_record("trials", tmp_path)
    text = training.trial_tables(runs, training.PRIORS)
    assert not problems and "the paper's R² is 0.004" in text
    # Loss, with its penalty, R², components that speak, seeds; the second seed is of another key.
    ours = ["0.40", "0.70", "0.9200 ± 0.0283", "2", "2"]
    assert row(text, f"{TRIALS['fast'][0]}\u00a0†")[1:] == ours
    assert row(text, f"{TRIALS['plain'][0]}\u00a0†")[1:] == ["0.40", "–", "0.0040", "2", "1"]
    figure, words = training.trial_figure(runs, training.PRIORS, "r2")
    assert "with more inductive bias 0.080" in words and "faster 1.0" in words
    assert sum(len(axes.lines) for axes in figure.axes) == 3
    # What is training and what is prior are told apart.
    assert TRIALS["even"][0] not in text and TRIALS["even"][0] not in words
    text = training.trial_tables(runs, training.TRAINING)
    assert row(text, f"{TRIALS['even'][0]}\u00a0†")[1] == "0.80" and TRIALS["fast"][0] not in text
    _, words = training.trial_figure(runs, training.TRAINING, "loss")
    assert "faster 0.40, plain, all snapshots drawn alike 0.80" in words
    # A seed of today's recipe has no mark, and without a penalty there is no column for one.
    text = training.trial_tables(runs[runs.file == "trials/a0.json"], training.PRIORS)
    assert "†" not in text
    text = training.trial_tables(runs.assign(message_cost=0.0), training.PRIORS)
    assert "penalty" not in text


def test_a_page_without_trials_says_so(tmp_path):
    runs, problems = training.on_record("trials", tmp_path)
    assert not problems and training.trial_tables(runs, training.PRIORS) == training.NONE
    assert training.steps_table(runs) == training.NONE


def test_what_is_training_and_what_is_prior_is_told_apart():
    """From reference to plain only how the objective is walked down, from plain only the rest."""
    walking = {
        "steps", "learning_rate", "first_rate", "last_rate", "warmup", "decay_from", "beta2",
        "encounters", "precision", "compiled", "float32_from", "name",
    }  # fmt: skip
    for names, far in ((training.TRAINING, "plain"), (training.PRIORS, "fast")):
        for name in names[2:]:
            assert TRIALS[name][1] == far
            model = TRIALS[name][3][0]
            whole = get_preset("ci", far).recipe_for(model).to_dict()
            part = Trial("spring", 2, model, name, 0).recipe().to_dict()
            changed = {field for field in whole if whole[field] != part[field]}
            assert (changed <= walking) == (far == "plain")
    assert set(training.TRAINING + training.PRIORS) == {
        name for name, (*_, models) in TRIALS.items() if models
    }


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


def test_the_recipe_table_has_every_number_of_every_recipe_and_model():
    preset = get_preset("laptop")
    text = training.recipe_table(preset)
    for name in preset.recipe_for("l1").to_dict():
        assert (f"`{name}`" in text) == (name != "name")
    heads = [part.strip() for part in text.splitlines()[0].strip("|").split("|")]
    alphas = dict(zip(heads, row(text, "`alpha_start`"), strict=True))
    assert alphas["fast: L1"] == "100" and alphas["fast: KL"] == "0.001"
    assert alphas["plain: Standard, Bottleneck, L1, KL"] == "1"
    steps = dict(zip(heads, row(text, "`steps`"), strict=True))
    assert steps["reference: FlatHGN"] == "20000"
    changed = replace(preset, changes={"batch": 77})
    assert "77" in training.recipe_table(changed)


def test_fewer_and_more_steps_change_nothing_but_steps():
    whole = list(steps_trials("laptop"))
    assert len(whole) == len(set(whole)) and not set(whole) & set(trials())
    assert all("bench steps --preset laptop" in trial.command() for trial in whole)
    assert all("bench recipe --preset ci" in trial.command() for trial in trials())
    for of, settings in (("fast", STEPS_SETTINGS), ("reference", CONTROL_SETTINGS)):
        some = [trial for trial in whole if TRIALS[trial.trial][1] == of]
        lengths = []
        for trial in some:
            shipped = get_preset("laptop", of).recipe_for(trial.model).to_dict()
            assert {**trial.recipe().to_dict(), "steps": shipped["steps"]} == shipped
            lengths.append(trial.recipe().steps / shipped["steps"])
        assert lengths == sorted(lengths) and set(lengths) == {0.25, 1, 4}
        assert {(trial.law, trial.dim, trial.model) for trial in some} == {*settings}
    # Only where the paper's loss means something: no rare encounters.
    assert {trial.law for trial in whole} == {"spring", "r1", "discontinuous"}


def test_the_control_and_energies_stand_beside_the_paper(tmp_path):
    fits = {"force": {"all": 0.1, "kept90": 0.021}, "acceleration": {"all": 0.3, "kept90": 0.412}}
    about = {"law": "r1", "preset": "laptop", "model": "standard"}
    one = {**made("reference-quarter", 0, 0.0, **about), "r2": fits}
    write_record(tmp_path / "steps" / "one.json", one)
    put = {**made("distance", 0, 0.99, law="r1", test_loss=0.0931), "model": "flathgn"}
    del put["spectrum"]
    write_record(tmp_path / "trials" / "two.json", put)
    steps, problems = training.on_record("steps", tmp_path)
    control = training.control_table(training.of_recipe(steps, "reference"))
    assert "| 0.021 | 0.412 | 0.000 | 2.00\u00a0† | 0 |" in control and not problems
    assert training.of_recipe(steps, "fast").empty
    trials, problems = training.on_record("trials", tmp_path)
    told = training.energy_table(trials[training.of_energies(trials)])
    assert "| 0.0931 | 0.050 | 0.9900 | 1 |" in told and not problems


def test_losses_stand_beside_the_papers_in_the_order_of_steps(tmp_path):
    now = Trial("spring", 2, "bottleneck", "fast", 0, "laptop").facts()
    common = {"law": "spring", "model": "bottleneck", "preset": "laptop"}
    for name, seed, steps, loss, facts in (
        ("four-times-steps", 0, 160_000, 0.0321, {}),
        ("fast", 0, 40_000, 0.0654, now),
        ("fast", 1, 40_000, 0.0754, {}),
    ):
        about = {"steps": steps, "test_loss": loss}
        one = made(name, seed, 0.99, **{**common, **about, **facts})
        write_record(tmp_path / "steps" / f"{name}-{seed}.json", one)
    runs, _ = training.on_record("steps", tmp_path)
    theirs = TABLE_3["spring", 2]["bottleneck"]
    first, second, third = training.steps_table(runs).splitlines()[2:]
    assert f"| 40,000 | 0.0654 | {theirs} | 0.9900 | 0 |" in first
    assert f"| 40,000 | 0.0754\u00a0† | {theirs} | 0.9900 | 1 |" in second
    assert f"| 160,000 | 0.0321\u00a0† | {theirs} |" in third
    figure, words = training.steps_figure(runs)
    mean, ours, paper = figure.axes[0].lines
    assert list(mean.get_xdata()) == [40_000, 160_000]
    assert list(ours.get_ydata()) == [0.0654, 0.0754, 0.0321]
    assert list(paper.get_ydata()) == [theirs] * 2
    assert "0.0704 at 40,000, 0.0321 at 160,000, paper 0.046" in words


@pytest.mark.parametrize("kind", ["recipe", "steps"])
def test_a_number_of_seeds_below_one_is_refused_before_any_work(kind, capsys):
    assert cli.main(["bench", kind, "--seeds", "0"]) == 2
    assert "seeds: a whole number" in capsys.readouterr().err
