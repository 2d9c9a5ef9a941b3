"""The road of appendix E in one call: a catalogue becomes a network, equations, and records.

Held out is the random fifth that Table 6's formulas are tested on, or, in the cutoff experiment of
section 4.3, the fifth with the largest δ.
"""

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from symlib import symbolic
from symlib.choices import at_least
from symlib.cosmology.catalogue import Catalogue
from symlib.cosmology.network import HIDDEN, halo_graph, train_halos
from symlib.cosmology.reading import (
    Composed,
    HaloEquations,
    PairTable,
    Survey,
    half_radius,
    kernel,
    read_equations,
    survey,
)
from symlib.papers.cranmer2020.study.table6 import (
    CHAPTER,
    CUT,
    HELD_OUT,
    fitted_halos,
    paper_errors,
)
from symlib.records.record import plain, provenance
from symlib.records.stages import version
from symlib.records.study import hash_of
from symlib.symbolic.algebra.expressions import form_of
from symlib.training.loop import Run
from symlib.training.presets import get_preset
from symlib.training.recipes import Recipe
from symlib.training.sparsity import speaking

_CHUNK = 4000  # halos whose pairs are tabulated at once


@dataclass(frozen=True)
class NetworkPreset:
    """How much work the network gets.

    Args:
        name: ci, laptop or paper.
        recipe: how it is trained; a batch is a number of centre halos.
        hidden: width of the hidden layers (500 in the paper).
        budget: of the symbolic regressions.
    """

    name: str
    recipe: Recipe
    hidden: int
    budget: str


_RECIPE = Recipe(
    "halos",
    steps=24_000,
    batch=16,
    learning_rate=2e-3,
    warmup=0.1,
    alpha_start=100.0,
    alpha_until=0.4,
    turn_every=400,
    turn_until=0.6,
)
# A narrow network bears a higher rate.
_SHORT = replace(_RECIPE, steps=5_000, learning_rate=4e-3, turn_every=150)
NETWORK_PRESETS = {
    "ci": NetworkPreset("ci", _SHORT, 100, "ci"),
    "laptop": NetworkPreset("laptop", _RECIPE, HIDDEN, "laptop"),
    "paper": NetworkPreset("paper", replace(_RECIPE, steps=200_000, batch=64), HIDDEN, "paper"),
}


@dataclass(frozen=True)
class HaloDiscovery:
    """What one walk produced.

    equations: None where none were asked for. fit, test: numbers of the halos trained on and
    held out. records: plain JSON values, one for the network and, with equations, one for the
    best formula found.
    """

    run: Run
    survey: Survey
    kernel: pd.DataFrame
    equations: HaloEquations | None
    fit: np.ndarray
    test: np.ndarray
    records: list[dict]


def network_experiment(
    catalogue: Catalogue,
    preset: str | NetworkPreset = "ci",
    seed: int = 0,
    *,
    second: Catalogue | None = None,
    engine: str = "auto",
    equations: bool = True,
    cutoff: bool = False,
    cache: str | Path | None = None,
    progress: bool = True,
) -> HaloDiscovery:
    """Train the network on four fifths of the halos, read it, and measure it on the rest.

    Args:
        preset: ci, laptop or paper.
        seed: decides the split, the weights, the batches and the symbolic search.
        second: another realisation to predict; in the cutoff experiment its halos above the cut.
        engine: auto, operon or pysr.
        equations: whether to regress φᵉ and φᵛ.
        cutoff: hold out the fifth with the largest δ instead of a random one.
        cache: folder for the checkpoint, so that an interrupted call goes on; None keeps none.

    Raises:
        InputError: a box smaller than 100 Mpc/h, too few halos, a negative seed, or an unknown
            preset or engine.
        MissingEngine: PySR was asked for and there is no Julia.
        NonFiniteLoss: training broke down.
    """
    began = time.perf_counter()
    if not isinstance(preset, NetworkPreset):
        preset = NETWORK_PRESETS[get_preset(preset).name]
    at_least("seed", seed, 0)
    if equations:
        symbolic.choose_engine(engine, say=False)
    graph = halo_graph(catalogue)
    fitted = fitted_halos(catalogue.delta, seed, cutoff)
    fit, test = np.flatnonzero(fitted), np.flatnonzero(~fitted)
    run = train_halos(
        graph,
        fit,
        preset.recipe,
        hidden=preset.hidden,
        seed=seed,
        checkpoint=_checkpoint(cache, catalogue, preset, seed, cutoff),
        progress=progress,
    )
    seen = survey(run.network, graph)
    shape = kernel(seen, graph)
    other, unseen = None, ()
    if second is not None:
        other = halo_graph(second)
        unseen = np.flatnonzero((second.delta > catalogue.delta[fit].max()) | (not cutoff))

    places = {"error_fit": (graph, fit), "error_test": (graph, test), "error_second": None}
    if len(unseen):
        places["error_second"] = (other, unseen)

    def errors(error) -> dict:
        return {name: error(*place) if place else None for name, place in places.items()}

    def network_error(where, rows) -> float:
        return (seen if where is graph else survey(run.network, where)).error(where, rows)

    common = {
        "kind": "cosmology",
        "chapter": CHAPTER,
        "preset": preset.name,
        "seed": seed,
        "halos": {"fit": len(fit), "test": len(test)},
        "held_out": HELD_OUT[cutoff],
        "catalogue": {"box": catalogue.box, "halos": len(catalogue)},
    }
    network = {
        **common,
        "formula": "network" + CUT * cutoff,
        **errors(network_error),
        "paper": paper_errors("network" + CUT * cutoff),
        "constants": {},
        "spectrum": seen.spread,
        "components": speaking(run.network),
        "dominance": seen.dominance(),
        "half_radius": half_radius(shape),
        "hidden": preset.hidden,
        **run.facts(),
    }
    found, records = None, [network]
    if equations:
        found = read_equations(
            seen, graph, fit, preset.budget, engine=engine, seed=seed, progress=progress
        )
        formula = {
            **common,
            "formula": "best_found" + CUT * cutoff,
            "engine": found.edge.engine,
            **errors(partial(formula_error, found.refitted)),
            "error_before_refit": formula_error(found.composed, graph, test),
            "constants": _constants(found.refitted),
            "tried": found.tried,
            "edge_front": found.edge.rows(),
            "node_front": found.node.rows(),
            "equation": found.refitted.to_dict(),
        }
        records.append(formula)
    made = provenance(time.perf_counter() - began)
    records = [plain({**record, "provenance": made}) for record in records]
    return HaloDiscovery(run, seen, shape, found, fit, test, records)


def formula_error(formula: Composed, graph, rows) -> float:
    """Mean |δ − δ̂| of a composed formula over some halos, a few thousand at a time."""
    total, rows = 0.0, np.asarray(rows)
    for start in range(0, len(rows), _CHUNK):
        some = rows[start : start + _CHUNK]
        total += len(some) * formula.error(PairTable.of(graph, some), graph.y[some, 0].numpy())
    return total / len(rows)


def _constants(formula: Composed) -> dict[str, float]:
    """The numbers in both equations, in the order in which they are written."""
    return {
        f"{name}{k + 1}": float(value)
        for name, equation in (("edge", formula.edge), ("node", formula.node))
        for k, value in enumerate(form_of(equation).values)
    }


def _checkpoint(cache, catalogue: Catalogue, preset: NetworkPreset, seed: int, cutoff: bool):
    """A file named after everything that went into the weights."""
    if cache is None:
        return None
    sums = [float(getattr(catalogue, n).sum(dtype=np.float64)) for n in ("masses", "delta")]
    facts = [catalogue.box, len(catalogue), *sums, preset.recipe.inputs(), preset.hidden, seed]
    key = hash_of([*facts, cutoff, version("halos-train")])
    kind = "cutoff" if cutoff else "all"
    return Path(cache) / f"halos-{kind}-{key}.safetensors"
