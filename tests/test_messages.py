"""Messages: what they are fitted to and how the fit is scored."""

import jax
import numpy as np
import pytest
from snapshots import random_snapshots

from symlib.errors import InputError
from symlib.messages import linear_fit, near_median, prediction_losses, record, well_learned
from symlib.models import particle_network
from symlib.potentials import LAWS


@pytest.mark.parametrize("dim", [2, 3])
def test_record_lines_up_messages_inputs_and_forces(dim):
    states, _ = random_snapshots("r1", dim, bodies=3, count=4)
    found = record(particle_network("bottleneck", dim), LAWS["r1"], states)
    assert found.values.shape == (4 * 3 * 2, dim) and found.top.shape == found.values.shape
    assert found.names == ("m1", "m2", "q1", "q2", *("dx", "dy", "dz")[:dim], "r")
    column = dict(zip(found.names, found.inputs.T, strict=True))
    offset = np.stack([column[name] for name in ("dx", "dy", "dz")[:dim]], axis=1)
    softened = column["r"] + 0.01
    # 1/r: U = m1 m2 log r', so the receiver is pulled towards the sender.
    expected = (column["m1"] * column["m2"] / softened / column["r"])[:, None] * offset
    np.testing.assert_allclose(found.force, expected, rtol=1e-10)
    np.testing.assert_allclose(found.acceleration, expected / column["m1"][:, None], rtol=1e-10)
    # Rows go receiver by receiver: the second edge is body 0 hearing body 2.
    np.testing.assert_allclose(offset[1], states[0, 2, :dim] - states[0, 0, :dim])


@pytest.mark.parametrize("model", ["standard", "kl"])
def test_components_are_ranked_by_their_importance_with_or_without_a_law(model):
    states, _ = random_snapshots(count=50)
    network = particle_network(model, 2)
    found = record(network, LAWS["spring"], states)
    assert np.all(np.diff(found.importance) <= 0)
    np.testing.assert_allclose(found.spread, found.values.std(axis=0))
    heard = record(network, None, states, chunk=20)
    assert heard.force is None and heard.dim == 2
    np.testing.assert_allclose(heard.values, found.values, atol=1e-5)
    np.testing.assert_array_equal(heard.inputs, found.inputs)


def test_linear_messages_are_recognised_and_others_are_not():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(4000, 2))
    mixed = truth @ np.array([[1.0, 0.3], [-0.4, 2.0]]) + [3.0, -1.0]
    fit = linear_fit(mixed, truth)
    assert fit.r2_all == pytest.approx(1.0) and fit.r2_kept == pytest.approx(1.0)
    np.testing.assert_allclose(fit.coefficients, [[1.0, 0.3], [-0.4, 2.0], [3.0, -1.0]], atol=1e-9)
    np.testing.assert_allclose(fit.predicted, mixed, atol=1e-9)
    assert linear_fit(rng.normal(size=(4000, 2)), truth).r2_all < 0.01
    assert linear_fit(truth**3, truth).r2_kept < 0.99


def test_trimming_drops_the_outliers_and_only_a_tenth():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(2000, 2))
    message = truth + 0.0
    message[:150] += 50 * rng.normal(size=(150, 2))
    fit = linear_fit(message, truth)
    assert fit.r2_all < 0.5 and fit.r2_kept > 0.999999
    assert np.all(fit.kept.sum(axis=0) == 1800)


def test_r2_does_not_depend_on_the_scale_of_a_message():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(500, 3))
    message = truth + 0.1 * rng.normal(size=(500, 3))
    fits = [linear_fit(scale * message + 7, truth) for scale in (1e-6, 1.0, 1e5)]
    assert np.ptp([fit.r2_kept for fit in fits]) < 1e-6


def test_a_constant_message_explains_nothing():
    assert linear_fit(np.ones((100, 1)), np.random.default_rng(3).normal(size=(100, 2))).r2_all == 0


def test_the_trivial_loss_is_that_of_the_median():
    states, accelerations = random_snapshots("spring", count=300)
    losses = prediction_losses(particle_network("kl", 2), states, accelerations)
    flat = accelerations.reshape(-1, 2)
    expected = np.abs(flat - np.median(flat, axis=0)).sum(axis=1).mean()
    assert losses["trivial_loss"] == pytest.approx(expected, rel=1e-3)
    assert losses["test_loss"] > 0


def test_bad_input_names_the_argument():
    network = particle_network("bottleneck", 2)
    with pytest.raises(InputError, match="states"):
        record(network, LAWS["spring"], np.zeros((2, 3, 8)))
    with pytest.raises(InputError, match="states"):
        record(network, None, np.zeros((0, 3, 6)))
    with pytest.raises(InputError, match="NaN"):
        record(network, LAWS["spring"], np.full((2, 3, 6), np.nan))
    with pytest.raises(InputError, match="NaN"):
        linear_fit(np.full((5, 1), np.nan), np.ones((5, 2)))
    with pytest.raises(InputError, match="dropped"):
        linear_fit(np.ones((5, 1)), np.ones((5, 2)), dropped=1.5)


def test_recording_leaves_jax_in_single_precision():
    states, _ = random_snapshots(count=2)
    record(particle_network("bottleneck", 2), LAWS["spring"], states)
    assert jax.numpy.zeros(1).dtype == "float32"


def test_a_regression_is_spared_close_encounters_and_the_largest_messages():
    rng = np.random.default_rng(0)
    distance = rng.uniform(0.5, 3.0, size=1000)
    values = rng.choice([-1.0, 1.0], size=1000) / distance**2
    # Where the law says ten thousand, a saturated message passes through the median.
    distance[:10], values[:10] = 0.01, 0.0
    assert near_median(values)[:10].all() and near_median(values).sum() == 900
    kept = well_learned(values, distance)
    assert not kept[:10].any() and 860 < kept.sum() < 900
    assert np.abs(values[kept]).max() < np.abs(values).max()
