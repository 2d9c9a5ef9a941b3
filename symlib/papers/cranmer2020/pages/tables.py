"""Tables of single runs, of halos and of the benchmarks, made from records.

A number that a page shows comes from an executed cell or from a record under book/results/;
a record that cannot be read is named on the page and left out.
"""

from collections.abc import Iterable
from pathlib import Path

from symlib.book.markdown import code, digits, table, yes_or_no
from symlib.choices import FLATHGN, RANK, RECIPES
from symlib.papers.cranmer2020.data import TABLE_3, cell_name
from symlib.papers.cranmer2020.pages.runs import counting, frame, read_runs, runs_table
from symlib.papers.cranmer2020.study.table6 import LABELS
from symlib.records.reading import RESULTS, read_records
from symlib.records.record import read_record

NOT_ON_RECORD = "*This benchmark is not on record yet.*"


def cosmology(folder: Path | None = None) -> list[dict]:
    """The records of `symlib halos` at the largest preset, in the order of Table 6.

    Args:
        folder: where they lie; book/results/cosmology when None.
    """
    found, _ = read_records(folder or RESULTS / "cosmology", "*.json", "cosmology")
    found = [one for one in found.values() if "failed" not in one and one["formula"] in LABELS]
    best = max((RANK.index(record["preset"]) for record in found), default=0)
    found = [record for record in found if record["preset"] == RANK[best]]
    return sorted(found, key=lambda one: ([*LABELS].index(one["formula"]), one["seed"]))


def on_record(*models: str, folder: Path | None = None) -> tuple[list[dict], list[str]]:
    """The runs of some models that `symlib discover` was asked for, and what could not be read.

    Args:
        models: whose.
        folder: with discover/ and cells/ in it; book/results when None. Of a run that the tables'
            grid has made again since, the grid's record is taken.
    """
    runs, problems = read_runs(folder)
    runs = runs[runs.discovered & runs.model.isin(models) & ~runs.failed]
    return list(counting(runs).record), problems


def discoveries(records: list[dict], problems: Iterable[str] = ()) -> str:
    """Discoveries by message passing, one row each, and how they were made.

    Args:
        records: of `symlib discover`, just made or `on_record`.
        problems: a line for each that could not be read.
    """
    return "\n\n".join([runs_table(frame(dict(enumerate(records)))), *_made(records, problems)])


def flathgn(records: list[dict], problems: Iterable[str] = ()) -> str:
    """FlatHGN's losses (Table 3), and what its energies said; arguments as above."""
    if not records:
        return "*No run is on record yet.*"
    losses, said = [], []
    for run in frame(dict(enumerate(records))).itertuples():
        name, record = f"{cell_name(run.law, run.dim)}, seed {run.seed}", run.record
        paper = TABLE_3.get((run.law, run.dim), {}).get(FLATHGN)
        fits = (f"{record['r2'][what]['kept90']:.4f}" for what in ("force", "velocity"))
        loss = [digits(run.test_loss, 3), digits(paper, 2), digits(run.trivial_loss, 3)]
        losses.append([name, *loss, *fits])
        pair = [code(run.equation), yes_or_no(record["pair_recovered"])]
        own = [code(record["self_equation"]), yes_or_no(record["self_recovered"])]
        said.append([name, *pair, *own])
    parts = [
        table(["run", "loss", "paper", "trivial", "R² of force", "R² of velocity"], losses),
        table(["run", "pair energy", "recovered", "self energy", "recovered"], said),
    ]
    return "\n\n".join([*parts, *_made(records, problems)])


def _made(records: list[dict], problems: Iterable[str]) -> list[str]:
    """Preset, steps and cores of some records, each combination once; and what was left out."""
    made = {
        f"preset `{one['preset']}`, {one['steps']:,} steps, "
        f"{one['provenance']['hardware']['cores']} cores"
        for one in records
    }
    said = [f"R² over the kept 90%; {'; '.join(sorted(made))}"] if made else []
    return [f"*{text}.*" for text in [*said, *(f"Left out: {problem}" for problem in problems)]]


def bench_training(folder: Path | None = None) -> str:
    """A Markdown table of the record of `symlib bench training`."""
    path = (folder or RESULTS) / "bench_training.json"
    if not path.exists():
        return NOT_ON_RECORD
    from symlib.papers.cranmer2020.study.bench_training import table

    record = read_record(path)
    # One that was made before there were three recipes is none.
    return table(record) if set(record["contestants"]) == set(RECIPES) else NOT_ON_RECORD


def bench_simulate(folder: Path | None = None) -> str:
    """A Markdown table of the record of `symlib bench simulate`."""
    path = (folder or RESULTS) / "bench_simulate.json"
    if not path.exists():
        return NOT_ON_RECORD
    from symlib.papers.cranmer2020.study.bench_simulate import table

    return table(read_record(path))
