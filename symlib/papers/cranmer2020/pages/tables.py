"""Tables of the book, made from records.

A number that a page shows comes from an executed cell or from a record under book/results/;
a record that cannot be read is named on the page and left out.
"""

from pathlib import Path

from symlib.book.markdown import short, table, yes_or_no
from symlib.choices import FLATHGN
from symlib.errors import InputError
from symlib.papers.cranmer2020.data import TABLE_3
from symlib.records.reading import RESULTS
from symlib.records.record import read_record
from symlib.training.presets import PRESETS


def read_discoveries(folder: Path | None = None) -> tuple[list[dict], list[str]]:
    """All records of `symlib discover` in a folder, and what is wrong with the others.

    Of a run that the tables' grid has made again since, the grid's record is taken.
    """
    found, problems = [], []
    folder = folder or RESULTS / "discover"
    for path in sorted(folder.glob("*.json")):
        try:
            record = _discovery(path)
            again = folder.parent / "cells" / str(record.get("preset")) / _cell_file(record)
            newer = _discovery(again) if again.is_file() else {"failed": "not run"}
            found.append(record if "failed" in newer else newer)
        except InputError as error:
            problems.append(str(error).replace(str(path), path.name))
    return found, problems


def _cell_file(record: dict) -> str:
    parts = [record.get(key) for key in ("law", "dim", "model", "seed")]
    return f"{'-'.join(map(str, parts)).replace('/', '')}.json"


def _discovery(path: Path) -> dict:
    record = read_record(path)
    if record.get("kind") != "discovery":
        raise InputError(f"record {path.name}: not of symlib discover")
    return record


def cosmology(folder: Path | None = None) -> list[dict]:
    """The records of `symlib halos` at the largest preset, in the order of Table 6."""
    from symlib.papers.cranmer2020.study.table6 import LABELS

    found = []
    for path in sorted((folder or RESULTS / "cosmology").glob("*.json")):
        record = read_record(path)
        if record.get("kind") == "cosmology" and record.get("formula") in LABELS:
            found.append(record)
    rank = {name: k for k, name in enumerate(PRESETS)}
    best = max((rank.get(record["preset"], -1) for record in found), default=-1)
    order = {name: k for k, name in enumerate(LABELS)}
    found = [record for record in found if rank.get(record["preset"], -1) == best]
    return sorted(found, key=lambda record: (order[record["formula"]], record["seed"]))


def on_record(model: str | None = None, folder: Path | None = None) -> list[dict]:
    """The readable records of `symlib discover` at the largest preset, of one model or all."""
    records = largest_preset(read_discoveries(folder)[0])
    return [record for record in records if model in (None, record["model"])]


def largest_preset(records: list[dict]) -> list[dict]:
    """Of each law, dimension and model only the runs at the largest preset on record."""
    rank = {name: k for k, name in enumerate(PRESETS)}
    best: dict[tuple, int] = {}
    for record in records:
        key = (record["law"], record["dim"], record["model"])
        best[key] = max(best.get(key, -1), rank.get(record["preset"], -1))
    return [
        record
        for record in records
        if rank.get(record["preset"], -1) == best[record["law"], record["dim"], record["model"]]
    ]


def discoveries(records: list[dict] | None = None, folder: Path | None = None) -> str:
    """A Markdown table of discoveries by message passing, one row each.

    Args:
        records: of `symlib discover`; those on record at the largest preset when None.
        folder: where the records lie; book/results/discover when None.

    Returns:
        The table, with preset, seed, steps and hardware, and a line for each record that
        could not be read.
    """
    problems: list[str] = []
    source = "just measured"
    if records is None:
        records, problems = read_discoveries(folder)
        records = [r for r in largest_preset(records) if r["model"] != FLATHGN]
        source = "on record"
    if not records:
        return "*No run is on record yet.*"
    rows = []
    for record in sorted(records, key=lambda r: (r["law"], r["dim"], r["model"], r["seed"])):
        fits = {name: fit["kept90"] for name, fit in record["r2"].items()}
        best = max(fits, key=fits.get)
        # A user's law is given as path/to/file.py:NAME; the name is enough to tell it by.
        law = f"{record['law'].split(':')[-1].lower()}-{record['dim']}"
        rows.append(
            [
                f"{law}, {record['model']}, seed {record['seed']}",
                f"{fits[best]:.4f} ({best})",
                f"{record['test_loss']:.3g} ({record['trivial_loss']:.3g})",
                f"`{short(record['equation'])}`",
                yes_or_no(record["recovered"]),
            ]
        )
    lines = [table(["run", "R²", "loss (trivial)", "equation", "recovered"], rows)]
    what = "R² of the better of force and acceleration over the kept 90%"
    lines += ["", f"*{what}, {source}: {_made(records)}.*"]
    lines += [f"\n*Left out: {problem}.*" for problem in problems]
    return "\n".join(lines)


def flathgn(records: list[dict] | None = None, folder: Path | None = None) -> str:
    """A Markdown table of FlatHGN's losses (Table 3) and of what its energies said.

    Args:
        records: of `symlib discover --model flathgn`; those on record when None.
        folder: where the records lie; book/results/discover when None.
    """
    problems: list[str] = []
    source = "just measured"
    if records is None:
        records, problems = read_discoveries(folder)
        records = [r for r in largest_preset(records) if r["model"] == FLATHGN]
        source = "on record"
    if not records:
        return "*No run is on record yet.*"
    losses, said = [], []
    for record in sorted(records, key=lambda r: (r["law"], r["dim"], r["seed"])):
        theirs = TABLE_3.get((record["law"], record["dim"]), {}).get(FLATHGN)
        name = f"{record['law'].split(':')[-1].lower()}-{record['dim']}, seed {record['seed']}"
        losses.append(
            [
                name,
                f"{record['test_loss']:.3g}",
                "" if theirs is None else f"{theirs:g}",
                f"{record['trivial_loss']:.3g}",
                f"{record['r2']['force']['kept90']:.4f}",
                f"{record['r2']['velocity']['kept90']:.4f}",
            ]
        )
        said.append(
            [
                name,
                f"`{short(record['equation'])}`",
                yes_or_no(record["pair_recovered"]),
                f"`{short(record['self_equation'])}`",
                yes_or_no(record["self_recovered"]),
            ]
        )
    lines = [
        table(["run", "loss", "paper", "trivial", "R² of force", "R² of velocity"], losses),
        "",
        table(["run", "pair energy", "recovered", "self energy", "recovered"], said),
    ]
    lines += ["", f"*R² over the kept 90%, {source}: {_made(records)}.*"]
    lines += [f"\n*Left out: {problem}.*" for problem in problems]
    return "\n".join(lines)


def _made(records: list[dict]) -> str:
    """Preset, steps and cores of some records, each combination once."""
    made = {
        f"preset `{r['preset']}`, {r['steps']:,} steps, "
        f"{r['provenance']['hardware']['cores']} cores"
        for r in records
    }
    return "; ".join(sorted(made))


def bench_training(folder: Path | None = None) -> str:
    """A Markdown table of the record of `symlib bench training`."""
    path = (folder or RESULTS) / "bench_training.json"
    if not path.exists():
        return "*This benchmark is not on record yet.*"
    from symlib.papers.cranmer2020.study.bench_training import table

    return table(read_record(path))


def bench_simulate(folder: Path | None = None) -> str:
    """A Markdown table of the record of `symlib bench simulate`."""
    path = (folder or RESULTS) / "bench_simulate.json"
    if not path.exists():
        return "*This benchmark is not on record yet.*"
    from symlib.papers.cranmer2020.study.bench_simulate import table

    return table(read_record(path))
