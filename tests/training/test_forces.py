"""Training on tracks: it learns, and whoever is interrupted ends where they would have."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import scene_of, tracks_of

from symlib.errors import InputError
from symlib.messages.radial import Radial
from symlib.networks.force_network import force_network
from symlib.training.forces import train_forces
from symlib.training.recipes import get_recipe

RECIPE = get_recipe("fast", steps=60, batch=8, precision="float32", compiled=False)
PLAIN = {"born_invariant": False, "invariant": False, "blind_until": 0.0, "augmentation": 0.0}


def recipe(**changes):
    return replace(RECIPE, **{**PLAIN, **changes})


LONG = recipe(steps=800, batch=32)


@pytest.fixture(scope="module")
def scene():
    return scene_of(tracks_of("softened", recordings=4, frames=60, bodies=4))


def trained(scene, model="bottleneck", seed=0, recipe=recipe(), data=None, **options):  # noqa: B008
    network = force_network(model, 2, scene.numbers["m"][:, None], [], False, seed)
    given = scene.arrays() if data is None else data
    return train_forces(network, given, recipe, seed=seed, progress=False, **options)


def same(one, other):
    pairs = zip(one.network.parameters(), other.network.parameters(), strict=True)
    return all(torch.equal(*both) for both in pairs)


def test_training_learns(scene):
    run = trained(scene, recipe=LONG)
    loss = scene.loss(Radial.predict(run.network, scene))
    assert loss < 0.25 * scene.trivial()
    assert run.history[-1]["prediction"] < 0.5 * run.history[0]["prediction"]


@pytest.mark.parametrize("model", ["bottleneck", "l1", "kl", "pruned"])
def test_an_interrupted_run_ends_where_another_does(scene, model, tmp_path):
    walk = recipe(turn_every=20, turn_until=0.9)
    whole = trained(scene, model, recipe=walk)
    file = tmp_path / "run.safetensors"
    stop = {"watch": lambda step, network: step == 30, "watch_every": 10}
    part = trained(scene, model, recipe=walk, checkpoint=file, **stop)
    assert part.steps == 30 and not same(part, whole)
    rest = trained(scene, model, recipe=walk, checkpoint=file)
    assert rest.resumed_at == 30 and rest.steps == 60
    assert same(rest, whole)


def test_a_checkpoint_of_other_tracks_is_refused(scene, tmp_path):
    file = tmp_path / "run.safetensors"
    trained(scene, recipe=recipe(steps=3), checkpoint=file)
    other = scene.arrays()
    other["acceleration"] = 2 * other["acceleration"]
    with pytest.raises(InputError, match="another data"):
        trained(scene, recipe=recipe(steps=3), data=other, checkpoint=file)


def test_what_counts_nothing_is_not_learned(scene):
    wrong = scene.arrays()
    # Half of the frames are nonsense, and are said to be.
    bad = np.arange(len(wrong["body"])) < len(wrong["body"]) // 2
    wrong["acceleration"] = np.where(bad[:, None], 100.0, wrong["acceleration"])
    wrong["weight"] = np.where(bad, 0.0, 1.0)
    run = trained(scene, recipe=LONG, data=wrong)
    good = scene.part(np.arange(len(scene.frames) // 2, len(scene.frames)))
    assert good.loss(Radial.predict(run.network, good)) < 0.5 * good.trivial()
