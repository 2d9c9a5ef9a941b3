"""The versions of the stages that make a result.

A study walks some of these stages, in this order. Each has a version, an integer that is raised by
hand, with a line that says why, when a change of code changes what the stage gives. A record holds
the versions that made it, and is stale where one of them is behind; then that stage and those after
it run again. Code that gives the same may be moved, renamed and rewritten as often as one likes:
`tests/test_witness.py` runs every model at smoke scale, compares what each stage gives with the
values it has on record, and names the stage whose version is to be raised.
"""

from collections.abc import Mapping, Sequence

# From particles to a law, then from halos to a formula. The last line of each is its version.
HISTORY: dict[str, tuple[str, ...]] = {
    "simulate": ("Dopri8 with tolerance 1e-8 in float64; snapshots drawn without repetition",),
    "train": (
        "the recipes fast, sparse, noisy, energies and reference",
        "the recipes reference, plain and fast: rates by layer, encounters drawn more often",
    ),
    "listen": ("linear fits over all points and over the kept 90%",),
    "regress": ("Operon and PySR, polished fronts, the closest encounters left out",),
    "judge": (
        "by form and by values outside the training range",
        "and by form far away and beside every threshold, where a spike or a cutoff may hide",
    ),
    "tracks": (
        "smoothed, fitted by curves and by a network of forces, held against what was held out",
        "the front is of the tracks that were fitted, and the last usable frames judge its rows",
    ),
    "halos-refit": ("constants of Table 6's formulas from many starts, by mean |δ - δ̂|",),
    "halos-train": ("the halo network, components below a tenth silenced",),
    "halos-read": ("survey, kernel, and the equations of φᵉ and φᵛ refitted together",),
}
PARTICLES = ("simulate", "train", "listen", "regress", "judge")


def version(stage: str) -> int:
    """The version of a stage, at least 1."""
    return len(HISTORY[stage])


def versions(stages: Sequence[str]) -> dict[str, int]:
    """The versions of some stages as they are now, as a record holds them."""
    return {stage: version(stage) for stage in stages}


def first_behind(made_by: Mapping[str, int], stages: Sequence[str]) -> str | None:
    """The first of some stages that has changed since a record was made; None where none has.

    Args:
        made_by: the versions that made the record; a stage that it lacks counts as changed.
        stages: in their order.
    """
    return next((stage for stage in stages if made_by.get(stage) != version(stage)), None)
