"""Energies of a FlatHGN: recording, symmetries, rollouts, figures, and the record."""

from dataclasses import replace

import numpy as np
import pytest
from hamiltonians import true_hamiltonian
from snapshots import random_snapshots
from test_rollout import Equation

from symlib import discovery
from symlib.discovery import summary
from symlib.laws.potentials import LAWS, accelerations
from symlib.messages.energies import record_energies, symmetries, velocity_loss
from symlib.messages.energy_motion import energy_drift, equation_dynamics, learned_drift
from symlib.messages.motion import network_dynamics, rollout
from symlib.networks.flathgn import FlatHGN
from symlib.networks.fresh import fresh_network
from symlib.papers.cranmer2020.pages import energy_figures, tables
from symlib.simulation.nbody import simulate
from symlib.training.presets import get_preset
from symlib.training.recipes import bear_invariant


def truth(law="spring", dim=2, **extra) -> FlatHGN:
    return true_hamiltonian(LAWS[law], dim, **extra)


PAIR = {2: ("m1", "m2", "q1", "q2", "dx", "dy", "r")}
PAIR[3] = (*PAIR[2][:-1], "dz", "r")
OWN = {2: ("m", "q", "px", "py", "p"), 3: ("m", "q", "px", "py", "pz", "p")}


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("law", ["spring", "charge", "r1"])
def test_true_energies_are_recorded_as_the_truth(law, dim):
    states, _ = random_snapshots(law, dim, count=30)
    read = record_energies(truth(law, dim), LAWS[law], states)
    assert read.pair.shape == (180,) and read.own.shape == (120,)
    np.testing.assert_allclose(read.pair, read.potential, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(read.pair_force, read.force, rtol=2e-2, atol=2e-3)
    unknown = record_energies(truth(law, dim), None, states)
    assert unknown.force is None and np.array_equal(unknown.pair, read.pair)
    mass, p = read.own_inputs[:, 0], read.own_inputs[:, -1]
    np.testing.assert_allclose(read.own, p**2 / (2 * mass), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(read.own_velocity, read.velocity, rtol=1e-4, atol=1e-5)
    assert read.pair_names == PAIR[dim] and read.own_names == OWN[dim]
    found = read.r2()
    assert found["force"]["kept90"] > 0.9999 and found["velocity"]["all"] > 0.9999


def test_what_no_data_can_tell_is_left_out():
    states, _ = random_snapshots(count=20)
    antisymmetric = truth(extra=lambda rows: rows[:, :1] - rows[:, 6:7])
    resting = truth(own_extra=lambda rows: 5 * rows[:, -1:] + 3)
    plain = record_energies(truth(), LAWS["spring"], states)
    np.testing.assert_allclose(
        record_energies(antisymmetric, LAWS["spring"], states).pair, plain.pair, atol=1e-4
    )
    np.testing.assert_allclose(
        record_energies(resting, LAWS["spring"], states).own, plain.own, atol=1e-3
    )


def test_symmetries_are_zero_for_the_truth_and_see_each_violation():
    states, _ = random_snapshots(count=50)
    kept = symmetries(truth(), states)
    assert max(kept.values()) < 1e-4
    for options, name in (
        ({"extra": lambda rows: 0.1 * (rows[:, :1] + rows[:, 6:7])}, "translation"),
        ({"extra": lambda rows: 0.1 * rows[:, 2:3] ** 2}, "pair_momentum"),
        ({"own_extra": lambda rows: rows[:, :1] ** 2}, "self_translation"),
        ({"own_extra": lambda rows: rows[:, :1] ** 2}, "self_position"),
    ):
        broken = symmetries(truth(**options), states)
        assert broken[name] > 0.05, name
    born = fresh_network("flathgn", 2)
    bear_invariant(born, 2)
    assert symmetries(born, states)["translation"] < 1e-4


def test_velocity_loss_is_hamiltons_other_equation():
    states, _ = random_snapshots(count=20)
    assert velocity_loss(truth(), states) < 1e-6
    off = truth()
    off.node_model.factor = 1.1
    expected = 0.1 * np.abs(states[..., 2:4]).sum(axis=-1).mean()
    assert velocity_loss(off, states) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "law, dim, text",
    [
        ("spring", 2, "(r - 0.99)^2"),
        ("charge", 3, "q1*q2/(r + 0.01) + 0.3*q1"),
        ("r1", 2, "m1*m2*log(r + 0.01)"),
    ],
)
def test_equations_move_bodies_as_the_law_does(law, dim, text):
    states, targets = random_snapshots(law, dim, count=10)
    motion = equation_dynamics(Equation(text, PAIR[dim]), Equation("0.5*p^2/m + m", OWN[dim]))
    found = motion(states)
    np.testing.assert_allclose(found[..., :dim], states[..., dim : 2 * dim], rtol=1e-9)
    np.testing.assert_allclose(found[..., dim:], targets, rtol=1e-6, atol=1e-6)


def test_a_learned_energy_is_kept_by_its_own_motion_and_not_by_another():
    law = LAWS["spring"]
    network = fresh_network("flathgn", 2)
    start, _ = random_snapshots(count=2)
    own = rollout(network_dynamics(network), start, 0.05, 20, tolerance=1e-8)
    other = rollout(lambda s: np.asarray(accelerations(law, s)), start, 0.05, 20, tolerance=1e-4)
    assert learned_drift(network, own)[:, -1].max() < 1e-6
    assert learned_drift(network, other)[:, -1].min() > 1e-4


def test_the_true_energy_is_kept_by_the_truth_alone():
    law = LAWS["spring"]
    states = simulate(law, 2, 4, 2, 50, seed=0, progress=False).states
    assert energy_drift(law, states).max() < 1e-4
    faster = states.copy()
    faster[:, 25:, :, 2:4] *= 1.5
    assert energy_drift(law, faster)[:, 25:].min() > 0.1


def test_figures_draw_and_have_texts(tmp_path):
    law = LAWS["spring"]
    states = simulate(law, 2, 4, 2, 40, seed=0, progress=False).states
    read = record_energies(truth(), law, states[0])
    kinds = ("truth", "message passing", "FlatHGN", "equation")
    drift = energy_drift(law, states)
    records = [
        {"law": "spring", "dim": 2, "test_loss": loss, "trivial_loss": 7.0} for loss in (0.01, 0.03)
    ]
    assert "Spring-2 0.02 (paper 0.016)" in energy_figures.table_3_column(records)[1]
    for number, (figure, alt) in enumerate(
        (
            energy_figures.energies_and_truth(read, "$(r-1)^2$"),
            energy_figures.long_rollouts(
                law.dt * np.arange(40),
                {kind: states[0] for kind in kinds},
                {kind: drift for kind in kinds},
                0.2,
            ),
            energy_figures.table_3_column(records),
        )
    ):
        figure.savefig(tmp_path / f"{number}.png")
        assert len(alt) > 60 and alt.endswith(".")


@pytest.mark.slow
def test_discover_by_energies_writes_a_record_like_any_other(tmp_path):
    preset = get_preset("ci")
    tiny = replace(
        preset,
        systems=30,
        steps=100,
        snapshots=2000,
        test_snapshots=200,
        energy_steps=150,
        changes={"precision": "float32", "compiled": False},
        budget={"searches": 1, "generations": 5, "population": 100, "rounds": 0},
    )
    found = discovery.discover("spring", 2, "flathgn", tiny, 0, cache=tmp_path, progress=False)
    record = found.record
    assert record["kind"] == "discovery" and record["model"] == "flathgn"
    assert {"pair_recovered", "self_recovered", "recovered", "equation", "self_equation"} <= set(
        record
    )
    assert record["recovered"] == (record["pair_recovered"] and record["self_recovered"])
    assert record["test_loss"] < record["trivial_loss"] and record["recipe"] == "fast"
    assert set(record["r2"]) == {"force", "velocity"}
    assert found.messages is None and found.energies.pair is found.regression
    assert "pair energy" in summary(record) and "self energy" in summary(record)
    table = tables.flathgn([record])
    assert "Spring-2, seed 0" in table and "0.016" in table
    again = discovery.discover("spring", 2, "flathgn", tiny, 0, cache=tmp_path, progress=False)
    assert again.record["network_from_cache"]
    assert again.record["equation"] == record["equation"]
