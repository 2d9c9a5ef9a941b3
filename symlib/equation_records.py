"""The records that the chapter on equations reads, and what is wrong with the others.

Of each experiment the largest preset on record counts, and there the first seed. A record that
cannot be read is named and left out; one of another code version is shown and marked.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from symlib import eight_bodies, raw_regression, scoreboard
from symlib.cells import RANK
from symlib.errors import InputError
from symlib.paper import MESSAGE_MODELS
from symlib.results import read_record
from symlib.scoreboard import Run
from symlib.tables import RESULTS


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


def read_records(folder: Path | None = None) -> Records:
    """Read all that the chapter shows.

    Args:
        folder: with cells/, discover/, eight_bodies/ and raw_regression-*.json in it;
            book/results when None.
    """
    folder = folder or RESULTS
    runs, problems = scoreboard.read_runs(folder)
    old: list[str] = []
    raw = _largest(_read(folder, "raw_regression-*.json", _raw_flaw, problems))
    raw = [record for record in raw if _paper_system(record)]
    eight = _largest(_read(folder, "eight_bodies/*.json", _eight_flaw, problems))
    shown = {}
    for model in MESSAGE_MODELS:
        of_model = [r for r in eight if r["model"] == model]
        if of_model:
            shown[model] = of_model[0]
    for record, made in [(r, _raw_experiment(r)) for r in raw[:1]] + [
        (r, eight_bodies.EightBodies(r["model"], r["preset"], r["seed"])) for r in shown.values()
    ]:
        if any(record.get(name) != value for name, value in made.facts().items()):
            old.append(made.path("").as_posix())
    return Records(scoreboard.choose(runs), raw[0] if raw else None, shown, old, problems)


def front_of(record: dict) -> list[dict]:
    """A record's Pareto front, simplest first; empty where it has none that can be shown."""
    rows = record.get("front")
    if not isinstance(rows, list) or not rows:
        return []
    kinds = {"complexity": int, "loss": int | float, "score": int | float, "equation": str}
    for row in rows:
        if not isinstance(row, dict) or not _has(row, kinds):
            return []
    return rows


def _read(folder: Path, pattern: str, flaw: Callable[[dict], str | None], problems: list[str]):
    found = []
    for path in sorted(folder.glob(pattern)):
        name = path.relative_to(folder).as_posix()
        try:
            record = read_record(path)
            problem = flaw(record)
            if problem:
                raise InputError(f"record {name}: {problem}")
            found.append(record)
        except InputError as error:
            problems.append(str(error).replace(str(path), name))
    return found


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


def _raw_flaw(record: dict) -> str | None:
    if record.get("kind") != raw_regression.KIND:
        return "not of symlib raw"
    problem = _common_flaw(record, {"law": str, "bodies": int, "dim": int})
    if problem:
        return problem
    fits = record.get("goodness")
    numbers = {"mae": float | int, "median_error": float | int, "r2": float | int | None}
    numbers["r2_kept90"] = float | int | None
    if not isinstance(fits, dict) or not all(
        isinstance(fits.get(way), dict) and _has(fits[way], numbers) for way in raw_regression.WAYS
    ):
        return "no goodness of each way"
    sample = record.get("sample")
    columns = ("truth", *raw_regression.WAYS[1:])
    if not isinstance(sample, dict) or not _columns([sample.get(name) for name in columns]):
        return "no sample"
    if not front_of(record.get("raw") or {}):
        return "no front of the raw search"
    found = record.get("factorised")
    told = found.get("messages") if isinstance(found, dict) else None
    kinds = {"equation": str, "recovered": bool, "seconds": float | int}
    if not isinstance(told, list) or not told or not all(_has(one, kinds) for one in told):
        return "no equations of the messages"
    kinds = {"equation": str, "complexity": int, "seconds": float | int, "names": list}
    return None if _has(record["raw"], kinds) else "the raw search is not told"


def _eight_flaw(record: dict) -> str | None:
    if record.get("kind") != eight_bodies.KIND:
        return "not of symlib eight"
    problem = _common_flaw(record, {"model": str})
    if problem or "failed" in record:
        return problem
    if record["model"] not in MESSAGE_MODELS:
        return f"unknown model {record['model']!r}"
    fits = record.get("r2")
    kinds = {"all": float | int, "kept90": float | int}
    if not isinstance(fits, dict) or not all(
        _has(fits.get(name) or {}, kinds) for name in ("force", "acceleration")
    ):
        return "no R²"
    if record.get("quantity") not in fits or not _has(
        record, {"test_loss": float | int, "trivial_loss": float | int, "spectrum": list}
    ):
        return "no quantity, loss or spectrum"
    parts = record.get("components")
    if not isinstance(parts, list) or len(parts) != record.get("dim"):
        return "no components"
    for part in parts:
        if not isinstance(part, dict) or not _has(part.get("r2") or {}, kinds):
            return "no R² of each component"
        if not _columns([part.get("message"), part.get("combination")]):
            return "no sample of messages"
        if not _columns([part.get("coefficients")]) or len(part["coefficients"]) != len(parts) + 1:
            return "no coefficients"
    return None


def _common_flaw(record: dict, kinds: dict) -> str | None:
    for key, kind in {"preset": str, "seed": int, **kinds}.items():
        if not isinstance(record.get(key), kind):
            return f"{key} is {record.get(key)!r}"
    return None if record["preset"] in RANK else f"unknown preset {record['preset']!r}"


def _has(row, kinds: dict) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(k), kind) for k, kind in kinds.items())


def _columns(columns: list) -> bool:
    """Whether these are columns of numbers, all of one length."""
    if not all(isinstance(column, list) and column for column in columns):
        return False
    numbers = all(isinstance(value, int | float) for column in columns for value in column)
    return numbers and len({len(column) for column in columns}) == 1
