"""Trajectories of one's own: the file, the differences, and the road from there to equations."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from symlib.errors import InputError
from symlib.messages.motion import symbolic_dynamics
from symlib.messages.recording import regress_messages
from symlib.networks.fresh import fresh_network
from symlib.tracks.observed import differences, read

EXAMPLE = Path(__file__).parents[2] / "book" / "examples" / "my_data.py"


def states(systems=3, steps=6, bodies=4, dim=2, seed=0):
    made = np.random.default_rng(seed).normal(size=(systems, steps, bodies, 2 * dim + 2))
    made[..., -1] = np.exp(made[..., -1])
    return made


def saved(folder, **arrays):
    path = folder / "seen.npz"
    np.savez(path, **arrays)
    return path


def test_a_file_with_accelerations_is_taken_as_it_is_and_systems_are_held_out_whole(tmp_path):
    seen, pull = states(10), np.random.default_rng(1).normal(size=(10, 6, 4, 2))
    path = saved(tmp_path, states=seen, accelerations=pull, dt=0.1)
    training, held_out = (part.snapshots() for part in read(path).split(0.2))
    assert training.states.dtype == training.accelerations.dtype == np.float32
    np.testing.assert_allclose(training.states, seen[:8].reshape(48, 4, 6), rtol=1e-6)
    np.testing.assert_allclose(training.accelerations, pull[:8].reshape(48, 4, 2), rtol=1e-6)
    np.testing.assert_allclose(held_out.accelerations, pull[8:].reshape(12, 4, 2), rtol=1e-6)
    # Never all of them, never none.
    few = read(saved(tmp_path, states=states(2), dt=0.1)).split(0.9)
    assert [part.count for part in few] == [4, 4]


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-3, 1.0), st.floats(-5, 5), st.integers(3, 8))
def test_differences_of_a_steady_pull_are_exact(dt, pull, steps):
    seen = np.ones((1, steps, 2, 6))
    seen[0, :, 0, 2] = pull * dt * np.arange(steps)
    inner, found = differences(seen, dt)
    assert inner.shape == (1, steps - 2, 2, 6) and found.shape == (1, steps - 2, 2, 2)
    np.testing.assert_allclose(found[0, :, 0, 0], pull, atol=1e-9)
    np.testing.assert_allclose(found[0, :, 1], 0, atol=1e-9)


def test_differences_come_close_to_the_true_accelerations(tmp_path):
    # Bodies that swing: x = cos(t + phase), v = -sin, a = -cos.
    dt, phases = 0.02, np.random.default_rng(3).uniform(0, 6, size=(5, 1, 4, 2))
    angle = phases + dt * np.arange(40)[:, None, None]
    charge, mass = np.zeros(angle.shape[:3]), np.ones(angle.shape[:3])
    seen = np.concatenate(
        [np.cos(angle), -np.sin(angle), charge[..., None], mass[..., None]], axis=-1
    )
    data = read(saved(tmp_path, states=seen, dt=dt)).snapshots()
    np.testing.assert_allclose(data.accelerations, -data.states[..., :2], atol=dt**2 / 6 + 1e-5)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"positions": states()}, "no array `states`, only positions"),
        ({"states": states()}, "neither `accelerations` nor `dt`"),
        ({"states": states()[0], "dt": 0.1}, r"shape \[systems, steps, bodies"),
        ({"states": states()[..., :5], "dt": 0.1}, "shape"),
        ({"states": states(bodies=1), "dt": 0.1}, "at least 2 bodies"),
        ({"states": states() * np.nan, "dt": 0.1}, "not a finite number"),
        ({"states": states(1), "dt": 0.1}, "at least 2 systems"),
        ({"states": states(), "dt": 0.0}, "dt: one positive number"),
        ({"states": states(), "dt": np.ones(3)}, "dt: one positive number"),
        ({"states": states(steps=2), "dt": 0.1}, "at least 3 steps"),
        ({"states": states(), "accelerations": np.zeros((3, 6, 4, 3))}, "accelerations must be"),
        ({"states": states(), "accelerations": np.full((3, 6, 4, 2), np.inf)}, "finite"),
        ({"states": states().astype(object), "dt": 0.1}, "not an .npz file of plain arrays"),
    ],
)
def test_what_cannot_be_read_is_named(arrays, said, tmp_path):
    with pytest.raises(InputError, match=said):
        read(saved(tmp_path, **arrays)).split()


def test_no_file_and_no_npz(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "absent.npz")
    for content in (b"", b"hello", b"PK\x03\x04"):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"not an \.npz"):
            read(tmp_path / "bad.npz")
    np.save(tmp_path / "one.npy", states())
    with pytest.raises(InputError, match=r"not an \.npz"):
        read(tmp_path / "one.npy")


def test_some_snapshots_are_drawn_without_repetition(tmp_path):
    data = read(saved(tmp_path, states=states(), dt=0.1))
    some, again = data.snapshots(5, seed=1), data.snapshots(5, seed=1)
    assert some.states.shape == (5, 4, 6) and np.array_equal(some.states, again.states)
    assert len(np.unique(some.states[:, 0, 0])) == 5
    with pytest.raises(InputError, match="count must lie between 1 and 12"):
        data.snapshots(13)


@pytest.mark.parametrize("share", [0, 1, -0.5])
def test_bad_splits(share, tmp_path):
    with pytest.raises(InputError, match="test_fraction"):
        read(saved(tmp_path, states=states(), dt=0.1)).split(share)


def test_silent_messages_are_constants_and_their_dynamics_stand_still():
    network, seen = fresh_network("bottleneck", 2), states()[0].astype(np.float32)
    with torch.no_grad():
        network.edge_model[-1].weight.zero_()
        network.edge_model[-1].bias.copy_(torch.tensor([0.5, 0.0]))
    equations = regress_messages(network, seen, engine="operon", progress=False)
    assert sorted(equation.predict(np.ones((1, 7)))[0] for equation in equations) == [0.0, 0.5]
    dynamics = symbolic_dynamics(equations, seen, np.ones((len(seen), 4, 2)))
    assert np.array_equal(dynamics(seen), np.zeros((len(seen), 4, 2)))


@pytest.mark.slow
def test_the_example_of_the_book_runs(tmp_path):
    example = runpy.run_path(str(EXAMPLE))
    path = tmp_path / "seen.npz"
    example["write_example"](path, systems=40, steps=60)
    budget = {"searches": 1, "generations": 5, "population": 100, "rounds": 0}
    equations, dynamics, losses = example["find_equations"](
        path, steps=300, budget=budget, engine="operon", progress=False
    )
    assert len(equations) == 2 and dynamics.matrix.shape == (2, 2)
    assert losses["test_loss"] < 0.9 * losses["trivial_loss"]
    assert np.isfinite(losses["equation_loss"])
    assert len(example["report"](equations, dynamics, losses)["equations"]) == 2
