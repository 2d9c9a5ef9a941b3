"""The witness: what each stage gives, against values on record.

Every model walks the road at smoke scale, in float32, and so does a small universe of halos. Where
a stage gives something else than tests/witness.json holds, a change of code has changed results.
Was that meant? Then give the stage a line in symlib/records/stages.py, which raises its version,
and write the values anew:

    make witness

The tolerances are wide enough for another processor, and narrow beside any change that matters.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from halos import halos_of

from symlib import discovery, symbolic
from symlib.choices import FLATHGN, LAWS, MODELS
from symlib.discovery.tracks import discover_tracks
from symlib.laws.potentials import get_law
from symlib.messages import recording
from symlib.messages.energies import record_energies
from symlib.papers.cranmer2020.study.halo_network import NETWORK_PRESETS, network_experiment
from symlib.papers.cranmer2020.study.table6 import table6
from symlib.papers.own_tracks.cases import CASES, table
from symlib.records.stages import HISTORY, version
from symlib.simulation.nbody import simulate
from symlib.tracks.reading.read import read
from symlib.training.presets import OneRecipe, get_preset

VALUES = Path(__file__).with_name("witness.json")
STEPS = 20
# Relative, of a number; that of training is what another processor's sums make of those steps.
TOLERANCE = {
    "simulate": 1e-6,
    "train": 2e-2,
    "listen": 2e-2,
    "regress": 5e-2,
    "tracks": 2e-2,
    "halos-refit": 1e-3,
    "halos-train": 2e-2,
    "halos-read": 5e-2,
}
# An equation of each kind, and one that is none, to be judged.
JUDGED = {
    "r2": [
        "3.1*m2*m1*dx/(r**3 + 0.02)", "m2*dx/r**3", "m2*dx/r**2", "m2*dx/r**2.95 + 0.1",
        "IF(r > 20, 0, m2*dx/r**3)", "m2*dx/r**3 + IF(abs(r - 2) < 0.001, 9, 0)",
    ],
    "r1": ["0.5*m2*dx/r**2 - m2*dy/r**2", "m2*dx/r"],
    "spring": ["-2.0*dx*(r - 1)/r", "-2.0*dx*(r - 1.2)/r", "dx - dx/r + 0.5", "dx"],
    "charge": ["q1*q2*dx/r**3", "q2*dx/r**3"],
    "damped": ["dy*(r - 1)/r", "dy/r"],
    "discontinuous": [
        "IF(r > 2, (r - 1)*dx/r, 0)", "IF(r > 2, dx*r, 0)",
        "IF(r > 2, IF(r < 2.01, 9, dx - dx/r), 0)",
    ],
}  # fmt: skip


def simulated(law: str, dim: int) -> dict:
    found = simulate(law, dim, 4, 6, 40, seed=3, progress=False)
    states = found.states
    drawn = found.snapshots(20, seed=1)
    return {
        "end": np.abs(states[:, -1, :, : 2 * dim]).mean(axis=(0, 1)),
        "drawn": np.abs(drawn.states).mean(),
        "accelerations": np.abs(drawn.accelerations).mean(axis=(0, 1)),
    }


# Every model by the default recipe, and what else each of the others does.
WALKS = (
    *((model, "fast") for model in MODELS),
    ("bottleneck", "plain"),
    ("flathgn", "plain"),
    ("l1", "reference"),
)


@cache
def walk(model: str, recipe: str) -> dict:
    """What one model gives at smoke scale, stage by stage."""
    preset, law = get_preset("smoke", recipe), get_law("spring")
    # Few steps, or the last digits of another processor's sums grow to the first; but each part of
    # a recipe has its turn in them.
    recipe = replace(preset.recipe_for(model), steps=STEPS, precision="float32")
    if recipe.turn_every:
        recipe = replace(recipe, turn_every=4)
    preset = OneRecipe.of(preset, recipe)
    options = {"progress": False}
    data = discovery.prepare(law, 2, preset, 0, **options)
    run = discovery.fit_network(law, model, data, preset, 0, **options)
    losses = recording.prediction_losses(run.network, *data.test)
    trained = {**losses, "alpha": run.history[-1]["alpha"], "penalty": run.history[-1]["messages"]}
    listen = record_energies if model == FLATHGN else recording.record_messages
    heard = listen(run.network, law, data.test.states)
    said = {f"1 - R², {name}": 1 - fit["kept90"] for name, fit in heard.r2().items()}
    if model != FLATHGN:
        said["spectrum"] = heard.spread[:5]
    return {"train": trained, "listen": said}


def searched() -> dict:
    """A search whose answer does not hang on the last digit: the loss at each complexity."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(400, 3))
    target = 1.3 * inputs[:, 0] * inputs[:, 1] + 0.02 * rng.normal(size=400)
    budget = {"searches": 1, "generations": 10, "population": 200, "rows": 300, "rounds": 1}
    found = symbolic.regress(
        inputs, target, ["a", "b", "c"], engine="operon", budget=budget, progress=False
    )
    return {
        "constant": found.equations_["loss"].iloc[0],
        "selected": found.selected["loss"],
        "complexity": found.selected["complexity"],
    }


def halos() -> dict:
    catalogue = halos_of("simple", noise=0.02)
    (row,) = table6(catalogue, 0, "ci", rows=["simple"])
    preset = NETWORK_PRESETS["ci"]
    recipe = replace(
        preset.recipe, steps=40, batch=8, turn_every=10, precision="float32", compiled=False
    )
    small = replace(preset, recipe=recipe, hidden=16)
    network = network_experiment(catalogue, small, 0, equations=False, progress=False)
    (record,) = network.records
    return {
        "halos-refit": {
            "error": row["error_fit"],
            "constants": [known["value"] for known in row["constants"].values()],
        },
        "halos-train": {"error_fit": record["error_fit"]},
        "halos-read": {"half_radius": record["half_radius"], "spread": network.survey.spread[:3]},
    }


def measured() -> dict:
    """Everything, by stage and by what was measured."""
    found: dict[str, dict] = {stage: {} for stage in HISTORY}
    found["simulate"] = {f"{law}-{dim}": simulated(law, dim) for law in LAWS for dim in (2, 3)}
    for model, recipe in WALKS:
        for stage, values in walk(model, recipe).items():
            found[stage][f"{model}, {recipe}"] = values
    found["regress"]["product"] = searched()
    found["judge"] = {
        law: {equation: bool(symbolic.recovered(equation, law, 2)) for equation in equations}
        for law, equations in JUDGED.items()
    }
    found["judge"]["self energy"] = {
        equation: bool(symbolic.recovered_self_energy(equation, 2))
        for equation in ("0.5*p**2/m", "0.5*p**2")
    }
    found["tracks"] = {"softened": tracks()}
    for stage, values in halos().items():
        found[stage]["halos"] = values
    return plain(found)


def tracks() -> dict:
    """A small world on the road from tracks to a law."""
    case = replace(CASES["softened"], recordings=3, frames=60, bodies=4)
    walk = discover_tracks(read(table(case, 0)), preset="smoke", progress=False)
    # Which equation a search of seconds ends in is not for another processor to repeat.
    return {name: walk.record["loss"][name] for name in ("baseline", "network", "trivial")}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, bool):
        return value
    if np.ndim(value):
        return [plain(item) for item in np.ravel(value)]
    return float(f"{float(value):.7g}")


def differences(stage: str, ours: dict, theirs: dict) -> list[str]:
    found = []
    for place in sorted(set(ours) | set(theirs)):
        for name in sorted(set(ours.get(place, {})) | set(theirs.get(place, {}))):
            one, other = ours.get(place, {}).get(name), theirs.get(place, {}).get(name)
            same = one == other
            if not same and None not in (one, other) and np.shape(one) == np.shape(other):
                same = np.allclose(one, other, rtol=TOLERANCE.get(stage, 0), atol=1e-9)
            if not same:
                found.append(f"{place}, {name}: {one}, on record {other}")
    return found


@pytest.fixture(scope="module")
def now():
    return measured()


@pytest.mark.parametrize("stage", HISTORY)
def test_a_stage_gives_what_is_on_record(stage, now):
    on_record = json.loads(VALUES.read_text(encoding="utf-8"))
    told = differences(stage, now[stage], on_record["values"][stage])
    assert not told, (
        f"the stage {stage!r} gives other results: give it a line in symlib/records/stages.py if "
        "that was meant, and say `make witness`\n" + "\n".join(told)
    )
    assert on_record["made_by"][stage] == version(stage), "say `make witness`"


def test_a_difference_is_seen():
    value = {"spring": {"loss": 1.0, "parts": [1.0, 2.0]}}
    assert not differences("train", value, {"spring": {"loss": 1.001, "parts": [1.0, 2.0]}})
    for other in ({"loss": 1.1, "parts": [1.0, 2.0]}, {"loss": 1.0}, {"loss": 1.0, "parts": [1.0]}):
        assert len(differences("train", value, {"spring": other})) == 1


if __name__ == "__main__":
    made_by = {stage: version(stage) for stage in HISTORY}
    text = json.dumps({"made_by": made_by, "values": measured()}, indent=1)
    VALUES.write_text(text + "\n", encoding="utf-8")
