"""From a FlatHGN to two equations and two verdicts: the end of the road for energies.

`symlib.discovery.discover` walks the common part (simulate, train) and comes here for
what a FlatHGN asks for in place of messages.
"""

from dataclasses import dataclass

from symlib import symbolic
from symlib.laws.potentials import PairPotential
from symlib.messages.energies import Energies, record_energies, symmetries, velocity_loss
from symlib.messages.recording import near_median
from symlib.networks.flathgn import FlatHGN

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
    **search,
) -> tuple["symbolic.Regression", "symbolic.Regression"]:
    """Symbolic regression of the pair energy and of the self energy (appendix C).

    As with messages, the tenth of the examples farthest from the median is left out.

    Args:
        states: training snapshots, shape [snapshots, bodies, 2 dim + 2].
        **search: engine, seed, budget and progress of `symlib.symbolic.regress`.

    Returns:
        The regressions of the pair energy and of the self energy.
    """
    bodies = states.shape[1]
    count = max(1, REFIT_PAIRS // (bodies * (bodies - 1) // 2))
    training = record_energies(network, law, states[:count])
    pair, own = near_median(training.pair), near_median(training.own)
    return (
        symbolic.regress(
            training.pair_inputs[pair], training.pair[pair], training.pair_names, **search
        ),
        symbolic.regress(training.own_inputs[own], training.own[own], training.own_names, **search),
    )


def read_energies(
    network: FlatHGN,
    law: PairPotential,
    train_states,
    test_states,
    **search,
) -> EnergyReading:
    """Record, regress and judge both energies; `search` goes to `symlib.symbolic.regress`."""
    dim = network.outputs
    energies = record_energies(network, law, test_states)
    pair, own = regress_energies(network, law, train_states, **search)
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
    pair = reading.pair.facts(reading.pair_verdict)
    own = reading.own.facts(reading.own_verdict)
    return {
        "velocity_loss": velocity_loss(network, test_states),
        "r2": reading.energies.r2(),
        "symmetries": symmetries(network, test_states[:1000]),
        **pair,
        **{f"self_{key}": fact for key, fact in own.items()},
        "pair_recovered": pair["recovered"],
        "recovered": pair["recovered"] and own["recovered"],
    }
