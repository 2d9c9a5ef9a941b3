"""Figures: they draw, they say what they show, and they leave matplotlib alone."""

import matplotlib as mpl
import numpy as np
from snapshots import random_snapshots

from symlib.book import figures
from symlib.laws.potentials import LAWS
from symlib.messages.recording import record_messages
from symlib.networks.graph_network import particle_network
from symlib.training.loop import Run
from symlib.training.recipes import get_recipe


def test_every_figure_draws_and_has_a_text(tmp_path):
    before = dict(mpl.rcParams)
    states, _ = random_snapshots(count=40)
    network = particle_network("l1", 2)
    heard = record_messages(network, LAWS["spring"], states)
    history = [{"step": k, "prediction": 1 / k} for k in (10, 20, 30)]
    run = Run(network, get_recipe("fast", steps=30), 0, history=history, steps=30)
    times = np.linspace(0, 1, 6)
    wobble = {kind: np.full((3, 6), 0.1) for kind in ("network", "equation")}
    drawn = [
        figures.pair_force(LAWS.values()),
        figures.long_exposures({"spring": states[:, :]}),
        figures.loss_curve(run, 3.0, 0.1),
        figures.spectra([{"law": "r1", "dim": 2, "model": "l1", "spectrum": [0.3, 0.2, 0.01]}]),
        figures.messages_and_forces(heard, "force"),
        figures.rollout_errors(times, {4: wobble, 8: wobble}),
        figures.rollout_paths({"truth": states, "equation": states}),
    ]
    for number, (figure, alt) in enumerate(drawn):
        figure.savefig(tmp_path / f"{number}.png")
        assert len(alt) > 60 and alt.endswith(".")
        assert (tmp_path / f"{number}.png").stat().st_size > 5000
    assert dict(mpl.rcParams) == before


def test_radial_force_has_the_sign_of_attraction():
    assert figures._radial(LAWS["r2"], 1.0) > 0
    assert figures._radial(LAWS["charge"], 1.0) < 0
    assert figures._radial(LAWS["spring"], 2.0) > 0 > figures._radial(LAWS["spring"], 0.5)
