"""Training: recipes, resuming, and what happens when the loss breaks."""

import os
import signal
import threading
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from snapshots import random_snapshots

from symlib.errors import InputError, NonFiniteLoss, UnknownChoice
from symlib.laws.potentials import LAWS
from symlib.messages.recording import prediction_losses, record_messages
from symlib.networks.fresh import fresh_network
from symlib.networks.graph_network import particle_network
from symlib.networks.graphs import snapshot_graphs
from symlib.training.checkpoints import load_checkpoint, read_checkpoint, save_checkpoint
from symlib.training.presets import SCHEDULES, get_preset
from symlib.training.recipes import Recipe, bear_invariant, get_recipe, optimiser
from symlib.training.sparsity import ordinary, sparsify, speaking, turn_to_principal_axes
from symlib.training.train import _encounters, train

PLAIN = get_recipe("fast", steps=20, batch=8, precision="float32", compiled=False)


def weights(run):
    return {name: value.clone() for name, value in run.network.state_dict().items()}


def test_training_learns():
    states, accelerations = random_snapshots("spring", count=4000)
    test = random_snapshots("spring", count=300, seed=1)
    recipe = replace(PLAIN, steps=400, batch=32)
    run = train("bottleneck", states, accelerations, recipe, progress=False)
    losses = prediction_losses(run.network, *test)
    assert losses["test_loss"] < 0.5 * losses["trivial_loss"]
    assert [row["step"] for row in run.history][-1] == 400
    assert record_messages(run.network, LAWS["spring"], test[0]).r2()["force"]["all"] > 0.3


@pytest.mark.parametrize("model", ["l1", "kl"])
def test_the_same_seed_gives_the_same_run(model):
    data = random_snapshots(count=100)
    recipe = replace(PLAIN, turn_every=5)
    first, again = (train(model, *data, recipe, seed=5, progress=False) for _ in range(2))
    other = train(model, *data, recipe, seed=6, progress=False)
    name = "edge_model.0.weight"
    assert all(torch.equal(weights(first)[key], weights(again)[key]) for key in weights(first))
    assert not torch.equal(weights(first)[name], weights(other)[name])


@pytest.mark.slow
def test_compiled_training_agrees_with_eager():
    data = random_snapshots(count=100)
    eager = train("l1", *data, PLAIN, progress=False)
    compiled = train("l1", *data, replace(PLAIN, compiled=True), progress=False)
    for key, value in weights(eager).items():
        torch.testing.assert_close(weights(compiled)[key], value, rtol=1e-3, atol=1e-4)


def test_a_network_born_invariant_ignores_translations():
    network = particle_network("l1", 2)
    states, _ = random_snapshots(count=20)
    moved = states.copy()
    moved[..., :2] += [5.0, -3.0]
    assert not torch.allclose(_predict(network, states), _predict(network, moved), atol=1e-3)
    bear_invariant(network, 2)
    torch.testing.assert_close(
        _predict(network, states), _predict(network, moved), rtol=1e-4, atol=1e-5
    )


def _predict(network, states):
    graphs = snapshot_graphs(states)
    with torch.no_grad():
        return network(graphs.x, graphs.edge_index)[0]


def test_messages_stay_blind_to_the_receiver_for_their_share_of_the_steps():
    data = random_snapshots(count=100)
    recipe = replace(PLAIN, blind_until=0.5)
    known = [2, 3, 5]  # the receiver's velocity and mass, in 2D
    seen, charge = {}, {}

    def look(step, network):
        seen[step] = network.edge_model[0].weight[:, known].abs().max().item()
        charge[step] = network.node_model[0].weight[:, 4].abs().max().item()

    train("bottleneck", *data, recipe, progress=False, watch=look, watch_every=1)
    for weights in (seen, charge):
        assert all(weights[step] == 0.0 for step in range(1, 11))
        assert all(weights[step] > 0.0 for step in range(11, 21))


def test_encounters_are_drawn_more_often_and_the_objective_stays_what_it_is():
    _, accelerations = random_snapshots("r2", count=4000)
    targets = torch.tensor(accelerations)
    cumulative, counts = _encounters(targets)
    odds, largest = np.diff(cumulative, prepend=0.0), np.abs(accelerations).max(axis=(1, 2))
    assert cumulative[-1] == 1.0 and np.all(np.diff(odds[np.argsort(largest)]) > -1e-12)
    # A weighted mean over what is drawn is the mean over all, whatever is averaged.
    value = np.abs(accelerations).sum(axis=(1, 2))
    assert np.sum(odds * counts.numpy() * value) == pytest.approx(value.mean(), rel=1e-5)
    # And the largest of them weigh less in it than their share.
    drawn = np.searchsorted(cumulative, np.random.default_rng(0).random(50_000), side="right")
    estimate = counts.numpy()[drawn] * value[drawn]
    assert estimate.mean() == pytest.approx(value.mean(), rel=0.05)
    assert estimate.std() < 0.5 * value.std()


@pytest.mark.parametrize("model", ["l1", "kl", "flathgn"])
def test_weights_count_a_node_with_the_messages_that_it_receives(model):
    """Twice the weight on one snapshot is that snapshot twice."""
    states, accelerations = random_snapshots(count=3)
    network = fresh_network(model, 2)

    def losses(which, weight=None):
        graphs = snapshot_graphs(states[which], accelerations[which])
        return network.losses(graphs.x, graphs.edge_index, graphs.y, None, weight)

    weight = torch.tensor([2.0, 1.0, 1.0]).repeat_interleave(4) * 3 / 4
    for one, other in zip(losses([0, 0, 1, 2]), losses([0, 1, 2], weight), strict=True):
        torch.testing.assert_close(one, other)


def test_layers_have_rates_of_their_own_and_the_last_step_is_of_none():
    recipe = get_recipe("plain", steps=100, learning_rate=1e-3, first_rate=5.0, last_rate=2.0)
    network = particle_network("l1", 2)
    adam, _ = optimiser(network, recipe)
    rates = {id(w): group["initial_lr"] for group in adam.param_groups for w in group["params"]}
    for perceptron in (network.edge_model, network.node_model):
        assert rates[id(perceptron.first.weight)] == pytest.approx(5e-3)
        assert rates[id(perceptron[2].weight)] == pytest.approx(1e-3)
        for weight in (perceptron.last.weight, perceptron.first.bias, perceptron[2].bias):
            assert rates[id(weight)] == pytest.approx(2e-3)
    assert len(rates) == len([*network.parameters()])
    factors = np.array([recipe.rate_factor(step) for step in range(101)])
    assert factors[0] == pytest.approx(0.1) and np.all(factors[9:31] == 1.0)
    assert np.all(np.diff(factors[30:]) < 0) and factors[100] == 0.0
    # The paper's: one rate, and a cycle.
    adam, schedule = optimiser(network, get_recipe("reference", steps=100))
    assert len(adam.param_groups) == 1
    assert isinstance(schedule, torch.optim.lr_scheduler.OneCycleLR)


@pytest.mark.parametrize("model", ["bottleneck", "flathgn"])
def test_a_network_that_stays_invariant_ignores_translations_after_training_too(model):
    data = random_snapshots(count=100)
    preset = replace(get_preset("smoke", "fast"), training_steps=30, energy_steps=30)
    run = train(model, *data, preset.recipe_for(model), progress=False)
    moved = data[0].copy()
    moved[..., :2] += [5.0, -3.0]
    predictions = [_accelerations(run.network, states) for states in (data[0], moved)]
    torch.testing.assert_close(*predictions, rtol=1e-3, atol=1e-4)


def _accelerations(network, states):
    graphs = snapshot_graphs(states)
    return network(graphs.x, graphs.edge_index)[0].detach()


@pytest.mark.parametrize("recipe", ["plain", "fast"])
def test_pruned_messages_end_as_many_as_space_has_dimensions(recipe):
    data = random_snapshots(count=100)
    preset = replace(get_preset("smoke", recipe), training_steps=60)
    run = train("pruned", *data, preset.recipe_for("pruned"), progress=False)
    assert speaking(run.network) == 2
    heard = record_messages(run.network, LAWS["spring"], data[0])
    assert heard.spread[1] > 0 and heard.spread[2] == 0


@pytest.mark.parametrize("model", ["l1", "kl"])
def test_turning_to_principal_axes_changes_no_prediction_and_orders_the_messages(model):
    network = particle_network(model, 2)
    states, _ = random_snapshots(count=100)
    graphs = snapshot_graphs(states)
    adam, _ = optimiser(network, PLAIN)
    before = _predict(network, states)
    with torch.no_grad():
        raw = network.messages(graphs.x, graphs.edge_index)
        turn_to_principal_axes(network, raw, adam)
        turned = network.messages(graphs.x, graphs.edge_index)
    torch.testing.assert_close(_predict(network, states), before, rtol=1e-4, atol=1e-5)
    covariance, old = (torch.cov(values[:, :100].T.double()) for values in (turned, raw))
    spread = covariance.diagonal().clone()
    assert torch.all(spread[:5].diff() < 0)
    assert covariance[:5, :5].fill_diagonal_(0).abs().max() < 1e-4 * spread[0]
    torch.testing.assert_close(spread.sum(), old.trace(), rtol=1e-4, atol=0)
    if model == "kl":
        # A new axis has a mean of the old log variances: their sum on an edge stays as it was.
        noise, old = turned[:, 100:], raw[:, 100:]
        torch.testing.assert_close(noise.sum(dim=1), old.sum(dim=1), rtol=1e-4, atol=1e-4)
        assert noise.max() <= old.max() and noise.min() >= old.min()


def test_kl_axes_that_only_change_places_take_their_noise_along():
    network = particle_network("kl", 2)
    adam, _ = optimiser(network, PLAIN)
    last = network.edge_model[-1]
    before = last.weight.clone()
    # Independent messages, the loudest last.
    raw = torch.zeros(4000, 200)
    generator = torch.Generator().manual_seed(0)
    raw[:, :100] = torch.linalg.qr(torch.randn(4000, 100, generator=generator))[0]
    raw[:, :100] -= raw[:, :100].mean(dim=0)
    raw[:, :100] = torch.linalg.qr(raw[:, :100])[0] * torch.arange(1.0, 101.0)
    turn_to_principal_axes(network, raw, adam)
    torch.testing.assert_close(last.weight[100:], before[100:].flip(0), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(
        last.weight[:100].abs(), before[:100].flip(0).abs(), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("model", ["l1", "kl"])
def test_what_has_become_small_is_silenced_for_good(model):
    data = random_snapshots(count=100)
    recipe = replace(PLAIN, turn_every=5, turn_until=0.8, silence_below=0.95)
    network = train(model, *data, recipe, progress=False).network
    count = speaking(network)
    assert 1 <= count < 100
    heard = record_messages(network, LAWS["spring"], data[0])
    assert np.count_nonzero(heard.spread) == count
    if model == "kl":
        # A component that says nothing has the prior's variance: it costs what cannot be saved.
        assert np.allclose(np.sort(heard.importance)[: 100 - count], 0.5)


def test_a_component_that_speaks_in_close_encounters_alone_is_silenced():
    network = particle_network("l1", 2)
    messages = torch.zeros(1000, 100)
    generator = torch.Generator().manual_seed(0)
    messages[:, :2] = torch.randn(1000, 2, generator=generator)
    messages[:50, 2] = 30.0  # a twentieth of the edges
    adam, _ = optimiser(network, PLAIN)
    assert ordinary(messages, network.rule, 1.0) is messages
    kept = ordinary(messages, network.rule, 0.9)
    assert len(kept) == 900 and kept[:, 2].abs().max() == 0.0
    spread = messages.std(dim=0)
    assert spread[2] > spread[:2].max()  # all edges taken, it would be the loudest
    sparsify(network, lambda: messages, adam, 0.5, kept=0.9)
    alive = (network.edge_model[-1].weight != 0).any(dim=1)
    assert alive[:2].all() and not alive[2:].any()


def test_alpha_may_rise_before_it_arrives_at_its_value_from_above():
    recipe = get_recipe("fast", steps=100, alpha_start=30.0, alpha_until=0.5)
    falling = [recipe.alpha_factor(step) for step in range(101)]
    assert falling[0] == pytest.approx(30.0) and np.all(np.diff(falling[:51]) < 0)
    assert falling[50:] == [1.0] * 51
    assert {get_recipe("reference").alpha_factor(step) for step in (0, 500, 99_999)} == {1.0}
    rising = replace(recipe, alpha_rise=0.2)
    factors = [rising.alpha_factor(step) for step in range(101)]
    assert factors[0] == 1.0 and factors[20:] == falling[20:]
    assert np.all(np.diff(factors[:14]) > 0) and max(factors) < max(falling)
    # What comes from below is left as it is.
    noisy = replace(recipe, **SCHEDULES["kl"], alpha_rise=0.2)
    plain = replace(noisy, alpha_rise=0.0)
    assert all(noisy.alpha_factor(step) == plain.alpha_factor(step) for step in range(101))


def as_if_nothing_had_happened(path, model, data, recipe, **options):
    """Resume the run of a checkpoint, and hold it against one that was not interrupted."""
    resumed = train(model, *data, recipe, progress=False, checkpoint=path, **options)
    straight = train(model, *data, recipe, progress=False, **options)
    assert resumed.steps == straight.steps == recipe.steps
    for key, value in weights(straight).items():
        torch.testing.assert_close(weights(resumed)[key], value, rtol=0, atol=1e-7)
    assert [row["step"] for row in resumed.history] == [row["step"] for row in straight.history]
    return resumed


class Killed(BaseException):
    """What no one catches, and no one saves anything for."""


@pytest.mark.parametrize("model", ["l1", "kl", "flathgn"])
def test_a_killed_run_resumes_and_ends_as_if_nothing_had_happened(model, tmp_path):
    path, data = tmp_path / "run.safetensors", random_snapshots(count=100)
    recipe = replace(PLAIN, steps=60, turn_every=20)

    def kill(step, network):
        if step == 45:
            raise Killed

    with pytest.raises(Killed):
        train(
            model, *data, recipe, seed=2, progress=False, checkpoint=path, checkpoint_every=0.0,
            watch=kill, watch_every=1,
        )  # fmt: skip
    assert as_if_nothing_had_happened(path, model, data, recipe, seed=2).resumed_at == 44


def test_ctrl_c_waits_for_the_step_and_the_run_goes_on_as_if_nothing_had_happened(tmp_path):
    path, data = tmp_path / "run.safetensors", random_snapshots(count=50)
    recipe, handler = replace(PLAIN, steps=60), signal.getsignal(signal.SIGINT)
    # Pressed in the midst of whatever step it is then.
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))

    def start(step, network):
        if step == 1:
            timer.start()
        time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        train("l1", *data, recipe, progress=False, checkpoint=path, watch=start, watch_every=1)
    assert signal.getsignal(signal.SIGINT) is handler
    assert 1 <= read_checkpoint(path)[0]["step"] < 60
    as_if_nothing_had_happened(path, "l1", data, recipe)


def test_a_loss_that_breaks_stops_training_and_keeps_the_last_good_checkpoint(tmp_path):
    path = tmp_path / "run.safetensors"
    data = random_snapshots(count=50)

    def poison(step, network):
        if step == 10:
            with torch.no_grad():
                network.node_model[0].weight[0, 0] = float("nan")

    with pytest.raises(NonFiniteLoss, match=r"step 10.*run\.safetensors"):
        train(
            "bottleneck", *data, PLAIN, progress=False, checkpoint=path, checkpoint_every=0.0,
            watch=poison, watch_every=1,
        )  # fmt: skip
    network = particle_network("bottleneck", 2)
    assert load_checkpoint(path, network)["step"] <= 10
    assert all(torch.isfinite(weight).all() for weight in network.parameters())


def test_checkpoints_that_do_not_fit_are_refused_and_kept(tmp_path):
    path, (states, targets) = tmp_path / "run.safetensors", random_snapshots(count=50)
    options = {"progress": False, "checkpoint": path}
    train("bottleneck", states, targets, PLAIN, **options)
    kept = path.read_bytes()
    for model, factor, recipe, seed, said in (
        ("l1", 1, PLAIN, 0, "another architecture"),
        ("bottleneck", 1, PLAIN, 1, "another seed"),
        ("bottleneck", 1, replace(PLAIN, batch=9), 0, "another recipe"),
        ("bottleneck", 2, PLAIN, 0, "another data"),
    ):
        with pytest.raises(InputError, match=said):
            train(model, factor * states, targets, recipe, seed=seed, **options)
    assert path.read_bytes() == kept
    for damaged in (kept[: len(kept) // 2], b"not a checkpoint at all"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"run\.safetensors: damaged"):
            train("bottleneck", states, targets, PLAIN, **options)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="not written by"):
        read_checkpoint(path)
    with pytest.raises(InputError, match="no such file"):
        read_checkpoint(tmp_path / "absent")


def test_a_checkpoint_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    network = particle_network("bottleneck", 2)
    adam, _ = optimiser(network, PLAIN)
    save_checkpoint(path, network, adam, {"step": 1})
    kept = path.read_bytes()

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr("symlib.files.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, network, adam, {"step": 2})
    assert path.read_bytes() == kept and list(tmp_path.iterdir()) == [path]


def test_without_a_compiler_training_runs_eagerly_with_one_notice(monkeypatch):
    monkeypatch.setattr("symlib.training.loop.shutil.which", lambda name: None)
    monkeypatch.setattr("symlib.training.loop.torch.cuda.is_available", lambda: False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(
            "bottleneck", *random_snapshots(count=50), replace(PLAIN, compiled=True, steps=3),
            progress=False,
        )  # fmt: skip
    assert sum("compiler" in str(warning.message) for warning in caught) == 1


@pytest.mark.parametrize(
    ("states", "accelerations", "word"),
    [
        (np.zeros((5, 4, 5)), np.zeros((5, 4, 2)), "states"),
        (np.zeros((5, 4, 6)), np.zeros((5, 4, 3)), "accelerations"),
        (np.zeros((0, 4, 6)), np.zeros((0, 4, 2)), "no snapshots"),
        (np.full((5, 4, 6), np.nan), np.zeros((5, 4, 2)), "states: 5 snapshots"),
        (np.zeros((5, 4, 6)), np.full((5, 4, 2), np.inf), "accelerations: 5"),
    ],
)
def test_bad_data_is_refused_before_training(states, accelerations, word):
    with pytest.raises(InputError, match=word):
        train("bottleneck", states, accelerations, PLAIN, progress=False)


def test_bad_recipes_are_refused():
    with pytest.raises(UnknownChoice, match="reference, plain, fast"):
        get_recipe("magic")
    for change in ({"steps": 0}, {"batch": -1}, {"warmup": 0.0}, {"augmentation": -1.0}):
        with pytest.raises(InputError, match=next(iter(change))):
            get_recipe("fast", **change)
    with pytest.raises(InputError, match="alpha_rise"):
        replace(PLAIN, alpha_rise=-0.1)
    with pytest.raises(InputError, match="invariant needs born_invariant"):
        get_recipe("plain", invariant=True)
    with pytest.raises(InputError, match="no field"):
        get_recipe("fast", speed=3)
    with pytest.raises(UnknownChoice, match="float32"):
        Recipe("x", steps=1, precision="float8")
