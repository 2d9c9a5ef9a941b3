"""Tables of the book, made from records.

A number that a page shows comes from an executed cell or from a record under book/results/;
a record that cannot be read is named on the page and left out.
"""

from pathlib import Path

from symlib.errors import InputError
from symlib.presets import PRESETS
from symlib.results import read_record

RESULTS = Path(__file__).resolve().parent.parent / "book" / "results"


def read_discoveries(folder: Path | None = None) -> tuple[list[dict], list[str]]:
    """All records of `symlib discover` in a folder, and what is wrong with the others."""
    found, problems = [], []
    for path in sorted((folder or RESULTS / "discover").glob("*.json")):
        try:
            record = read_record(path)
            if record.get("kind") != "discovery":
                raise InputError(f"record {path.name}: not of symlib discover")
            found.append(record)
        except InputError as error:
            problems.append(str(error).replace(str(path), path.name))
    return found, problems


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
    """A Markdown table of discoveries, one row each.

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
        records, source = largest_preset(records), "on record"
    if not records:
        return "*No run is on record yet.*"
    lines = [
        "| law | model | seed | R² force | R² acceleration | loss (trivial) "
        "| equation | recovered |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for record in sorted(records, key=lambda r: (r["law"], r["dim"], r["model"], r["seed"])):
        fits = [record["r2"][name]["kept90"] for name in ("force", "acceleration")]
        lines.append(
            f"| {Path(record['law']).name}-{record['dim']} | {record['model']} | {record['seed']} "
            f"| {fits[0]:.4f} | {fits[1]:.4f} "
            f"| {record['test_loss']:.3g} ({record['trivial_loss']:.3g}) "
            f"| `{short(record['equation'])}` | {'yes' if record['recovered'] else 'no'} |"
        )
    made = {
        f"preset `{r['preset']}`, {r['steps']:,} steps, "
        f"{r['provenance']['hardware']['cores']} cores"
        for r in records
    }
    lines += ["", f"*R² over the kept 90%, {source}: {'; '.join(sorted(made))}.*"]
    lines += [f"\n*Left out: {problem}.*" for problem in problems]
    return "\n".join(lines)


def short(equation: str, digits: int = 3) -> str:
    """An equation's text with its numbers rounded to a few significant digits."""
    import re

    def rounded(match) -> str:
        return f"{float(match.group()):.{digits}g}"

    return re.sub(r"(?<![A-Za-z_\d.])\d+\.\d+(?:[eE][-+]?\d+)?", rounded, equation)
