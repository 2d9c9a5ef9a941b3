"""The records that the chapter on equations reads, and what is wrong with the others.

Of each experiment the largest preset on record counts, and there the first seed. A record that
cannot be read is named and left out; one of another code version is shown and marked.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from symlib.choices import MESSAGE_MODELS, RANK
from symlib.papers.cranmer2020.pages import scoreboard
from symlib.papers.cranmer2020.pages.scoreboard import Run
from symlib.papers.cranmer2020.study import eight_bodies, raw_regression
from symlib.records.reading import RESULTS, read_records
from symlib.records.study import FRESH


@dataclass(frozen=True)
class Records:
    """Everything that the chapter shows.

    cells: by law, dimension and model the runs that count, seed by seed.
    raw: the pure regression, None where it is not on record.
    eight: figure 5's records by model, in the paper's order; what was not run is missing.
    old: names of shown records of raw and eight that other code made.
    problems: a line for each record that could not be read.
    """

    cells: dict[tuple[str, int, str], list[Run]]
    raw: dict | None = None
    eight: dict[str, dict] = field(default_factory=dict)
    old: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def first(self, law: str, dim: int, model: str) -> dict | None:
        """The record of a cell's first seed that has a front; None where there is none."""
        runs = (run.record for run in self.cells.get((law, dim, model), ()) if not run.failed)
        return next((record for record in runs if front_of(record)), None)


def read_chapter(folder: Path | None = None) -> Records:
    """Read all that the chapter shows.

    Args:
        folder: with cells/, discover/, eight_bodies/ and raw_regression-*.json in it;
            book/results when None.
    """
    folder = folder or RESULTS
    runs, problems = scoreboard.read_runs(folder)
    old: list[str] = []
    raws, more = read_records(folder, "raw_regression-*.json", "raw_regression")
    raw = [record for record in _largest(raws.values()) if _paper_system(record)]
    eights, others = read_records(folder, "eight_bodies/*.json", "eight_bodies")
    eight = _largest(eights.values())
    problems += more + others
    shown = {}
    for model in MESSAGE_MODELS:
        of_model = [r for r in eight if r["model"] == model]
        if of_model:
            shown[model] = of_model[0]
    for record, made in [(r, _raw_experiment(r)) for r in raw[:1]] + [
        (r, eight_bodies.EightBodies(r["model"], r["preset"], r["seed"])) for r in shown.values()
    ]:
        if made.standing(record) != FRESH:
            old.append(made.path("").as_posix())
    return Records(scoreboard.choose(runs), raw[0] if raw else None, shown, old, problems)


def front_of(record: dict) -> list[dict]:
    """A record's Pareto front, simplest first; empty where it has none."""
    return record.get("front") or []


def _largest(records: Iterable[dict]) -> list[dict]:
    """By model, where there are models, those at the largest preset, the first seed first."""
    best: dict[str, int] = {}
    records = list(records)
    for record in records:
        # A run that broke down does not hide a smaller one's results.
        rank = -1 if "failed" in record else RANK.index(record["preset"])
        model = record.get("model", "")
        best[model] = max(best.get(model, -1), rank)
    kept = [
        record
        for record in records
        if best[record.get("model", "")]
        == (-1 if "failed" in record else RANK.index(record["preset"]))
    ]
    return sorted(kept, key=lambda record: record["seed"])


def _raw_experiment(record: dict) -> raw_regression.RawExperiment:
    names = ("law", "bodies", "dim", "preset", "seed")
    return raw_regression.RawExperiment(*(record[name] for name in names))


def _paper_system(record: dict) -> bool:
    return (record["law"], record["bodies"], record["dim"]) == ("r2", 6, 2)
