"""The damped law of the authors' code: whose drag it is, and what it costs not to know that."""

import jax
import numpy as np
import pytest
from snapshots import random_snapshots

from symlib import cli
from symlib.errors import InputError
from symlib.laws.potentials import LAWS
from symlib.papers.cranmer2020.pages import drag
from symlib.papers.cranmer2020.pages.runs import read_runs
from symlib.papers.cranmer2020.study import damped_drag
from symlib.papers.cranmer2020.study.damped_drag import DampedDrag, by_number, pairs_first
from symlib.records.reading import flaw_of
from symlib.records.record import read_record, write_record
from symlib.simulation.integrator import batched_accelerations


@pytest.mark.parametrize("dim", [2, 3])
def test_the_drag_is_that_of_a_sum_over_pairs_i_before_j(dim):
    states = random_snapshots(count=5, dim=dim)[0].astype(np.float64)
    bodies = states.shape[1]

    def summed(state):
        pairs = [(i, j) for i in range(bodies) for j in range(i + 1, bodies)]
        return sum(LAWS["damped"].energy(state[i], state[j], bodies) for i, j in pairs)

    with jax.enable_x64(True):
        wanted = -jax.vmap(jax.grad(summed))(states)[..., :dim] / states[..., -1:]
    states[..., -2] = pairs_first(bodies) / (bodies - 1)
    np.testing.assert_allclose(batched_accelerations(by_number(), states), wanted, atol=1e-9)


def test_what_each_predictor_loses_is_counted_by_hand():
    # Two bodies, the first dragged for one pair; of mass 1, so that a loss is half of Σ|v|.
    states = np.zeros((4, 3, 2, 6))
    states[..., 1, 0] = 1.0
    states[..., -1] = 1.0
    states[..., 0, 2:4] = [3.0, 1.0]
    states[..., 1, 2:4] = [0.1, 0.1]
    found = damped_drag.what_it_costs(by_number(), states)["predictors"]
    assert found["none"]["loss"] == pytest.approx((0.5 * 4.0 + 0) / 2)
    # The fast one decides for both; by speed each is known.
    assert found["one"]["pairs"] == 1
    assert found["one"]["loss"] == pytest.approx((0 + 0.5 * 0.2) / 2)
    assert found["own"]["loss"] == 0.0


def test_a_small_run_leaves_a_record_that_the_page_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(damped_drag, "STEPS", 30)
    command = ["bench", "drag", "--systems", "6", "--quiet", "--out", str(tmp_path)]
    assert cli.main(command) == 0
    record = read_record(DampedDrag(2, 6).path(tmp_path))
    assert flaw_of(record, "damped_drag") is None and record["share_failed"] == 0
    assert record["provenance"]["command"] == "symlib bench drag --systems 6 --seed 0"
    losses = {way: one["loss"] for way, one in record["predictors"].items()}
    assert 0 < losses["one"] <= losses["none"] and losses["own"] > 0
    told = f"{losses['one']:.2f} ± {record['predictors']['one']['standard_error']:.2f}"
    text = drag.damped(read_runs(tmp_path)[0], tmp_path)
    assert f"one drag for all bodies | {told}" in text and "†" not in text
    assert "0.30, 0.33, 0.30 | 0.41, 0.45, 0.40" in text
    capsys.readouterr()
    assert cli.main(command) == 0 and capsys.readouterr().out.count("on record") == 2
    # One that cannot be read is named.
    write_record(tmp_path / "damped_drag" / "2-9-0.json", {"kind": "bench"})
    assert "Left out: record damped_drag/2-9-0.json" in drag.damped(
        read_runs(tmp_path)[0], tmp_path
    )


@pytest.mark.parametrize(("dim", "systems", "seed"), [(4, 10, 0), (2, 3, 0), (2, 10, -1)])
def test_bad_sizes_stop_at_once(dim, systems, seed):
    with pytest.raises(InputError):
        DampedDrag(dim, systems, seed).check()
