"""From a FlatHGN to two equations and two verdicts: the end of the road for energies.

`symlib.experiments.discover` walks the common part (simulate, train) and comes here for
what a FlatHGN asks for in place of messages.
"""

from dataclasses import dataclass

from symlib import symbolic
from symlib.energies import Energies, record_energies, symmetries, velocity_loss
from symlib.hamiltonian import FlatHGN
from symlib.messages import near_median
from symlib.potentials import PairPotential
from symlib.presets import Preset

# Examples on which the selected equations' constants are refitted.
REFIT_PAIRS = 60_000


@dataclass(frozen=True)
class EnergyReading:
    """What was read off a FlatHGN.

    energies: on held-out snapshots. pair, own: the regressions of pair energy and self energy;
    pair_verdict, own_verdict: their verdicts.
    """

    energies: Energies
    pair: "symbolic.Regression"
    own: "symbolic.Regression"
    pair_verdict: "symbolic.Verdict"
    own_verdict: "symbolic.Verdict"


def regress_energies(
    network: FlatHGN,
    law: PairPotential,
    states,
    preset: Preset,
    seed: int,
    *,
    engine: str = "auto",
    progress: bool = True,
) -> tuple["symbolic.Regression", "symbolic.Regression"]:
    """Symbolic regression of the pair energy and of the self energy (appendix C).

    As with messages, the tenth of the examples farthest from the median is left out.

    Args:
        states: training snapshots, shape [snapshots, bodies, 2 dim + 2].

    Returns:
        The regressions of the pair energy and of the self energy.
    """
    bodies = states.shape[1]
    count = max(1, REFIT_PAIRS // (bodies * (bodies - 1) // 2))
    training = record_energies(network, law, states[:count])
    found = []
    for names, inputs, energy in (
        (training.pair_names, training.pair_inputs, training.pair),
        (training.own_names, training.own_inputs, training.own),
    ):
        kept = near_median(energy)
        found.append(
            symbolic.regress(
                inputs[kept],
                energy[kept],
                list(names),
                engine=engine,
                seed=seed,
                budget=preset.budget,
                progress=progress,
            )
        )
    return found[0], found[1]


def read_energies(
    network: FlatHGN,
    law: PairPotential,
    train_states,
    test_states,
    preset: Preset,
    seed: int,
    *,
    engine: str = "auto",
    progress: bool = True,
) -> EnergyReading:
    """Record, regress and judge both energies."""
    dim = network.outputs
    energies = record_energies(network, law, test_states)
    pair, own = regress_energies(
        network, law, train_states, preset, seed, engine=engine, progress=progress
    )
    return EnergyReading(
        energies,
        pair,
        own,
        symbolic.recovered_pair_energy(pair, law, dim),
        symbolic.recovered_self_energy(own, dim),
    )


def energy_facts(network: FlatHGN, reading: EnergyReading, test_states) -> dict:
    """The part of a discovery's record that messages fill in other models.

    `equation` and its company are the pair energy's, which the paper shows; the self energy's
    have names of their own. `recovered` asks for both.
    """
    pair, own = reading.pair, reading.own
    return {
        "velocity_loss": velocity_loss(network, test_states),
        "r2": reading.energies.r2(),
        "symmetries": symmetries(network, test_states[:1000]),
        "equation": str(pair.selected["equation"]),
        "complexity": int(pair.selected["complexity"]),
        "mae": float(pair.selected["loss"]),
        "self_equation": str(own.selected["equation"]),
        "self_complexity": int(own.selected["complexity"]),
        "self_mae": float(own.selected["loss"]),
        "recovered": bool(reading.pair_verdict) and bool(reading.own_verdict),
        "pair_recovered": bool(reading.pair_verdict),
        "self_recovered": bool(reading.own_verdict),
        "verdict": reading.pair_verdict.to_dict(),
        "self_verdict": reading.own_verdict.to_dict(),
        "front": pair.rows(),
        "self_front": own.rows(),
    }
