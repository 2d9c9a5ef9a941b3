"""The chapter on equations: its records, table 4 and the other tables of appendix C."""

import math
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import pandas as pd

from symlib import symbolic
from symlib.book.markdown import EMPTY, code, digits, front, table, yes_or_no
from symlib.choices import FLATHGN, LAWS, MESSAGE_MODELS, MODELS, RECIPES
from symlib.laws.variables import pair_names
from symlib.papers.cranmer2020 import data
from symlib.papers.cranmer2020.data import MODEL_NAMES, cell_name
from symlib.papers.cranmer2020.pages import runs
from symlib.papers.cranmer2020.study.eight_bodies import LAWS as EIGHT_LAWS
from symlib.papers.cranmer2020.study.eight_bodies import EightBodies
from symlib.papers.cranmer2020.study.raw_regression import WAYS, RawExperiment
from symlib.papers.cranmer2020.study.search_aids import TRIALS as AIDS
from symlib.papers.cranmer2020.study.search_aids import SearchTrial
from symlib.records.reading import RESULTS, read_records
from symlib.symbolic.verdict import force, landmarks, reference, snapping

NOT_YET = "*Not yet run.*"
# Whose equations stand beside the paper's: without what `fast` is told, and with it.
BESIDE = ("plain", "fast")
CHARGES = {("charge", dim, FLATHGN): (data.CHARGE_ENERGY, True) for dim in (2, 3)}
EXAMPLES = {**data.EXAMPLES_C, **CHARGES}
# What each way of predicting is.
_WAYS = (
    "the median, always",
    "raw regression, equation selected",
    "raw regression, most complex equation",
    "**equations of the messages**",
    "the network itself",
)


@dataclass(frozen=True)
class Chapter:
    """The runs that count of the cells, the pure regression, eight bodies, and the search's aids.

    `problems` has a line for each record that could not be read.
    """

    cells: pd.DataFrame
    raws: pd.DataFrame
    eights: pd.DataFrame
    aids: pd.DataFrame
    problems: list[str]

    @property
    def raw(self) -> dict | None:
        """The record of the pure regression; None where it is not on record."""
        return next(iter(self.raws.record[~self.raws.failed]), None)

    def eight(self, law: str = "spring", recipe: str = "fast") -> dict[str, dict]:
        """Records of eight bodies by model, Figure 5's of springs; what was not run is missing."""
        of = self.eights[(self.eights.law == law) & (self.eights.recipe == recipe)]
        return dict(zip(of.model, of.record, strict=True))

    def first(self, law: str, dim: int, model: str, recipe: str = "fast") -> dict | None:
        """The record of a cell's first seed that has a front; None where there is none."""
        records = runs.of_cell(self.cells, law, dim, model, recipe).record
        return next((one for one in records if "failed" not in one and one.get("front")), None)


def read_chapter(folder: Path | None = None) -> Chapter:
    """Read all that the chapter shows; besides cells the first seed of each.

    Args:
        folder: with cells/, discover/, eight_bodies/, search_aids/ and raw_regression-*.json in
            it; book/results when None.
    """
    cells, problems = runs.read_runs(folder)
    raws, more = read_records(folder or RESULTS, "raw_regression-*.json", "raw_regression")
    # The paper's own system; others can be asked for.
    paper = {"law": "r2", "bodies": 6, "dim": 2}
    raws = {name: one for name, one in raws.items() if paper.items() <= one.items()}
    eights, others = read_records(folder or RESULTS, "eight_bodies/*.json", "eight_bodies")
    tried, flaws = read_records(folder or RESULTS, "search_aids/*.json", "search_trial")
    unknown = [name for name, one in tried.items() if one["trial"] not in AIDS]
    tried = {name: one for name, one in tried.items() if name not in unknown}
    raw, eight, aids = (
        runs.counting(runs.frame(records, kind), by)
        for records, kind, by in (
            (raws, RawExperiment, ["law"]),
            (eights, EightBodies, ["law", "model", "recipe"]),
            (tried, SearchTrial, ["law", "dim", "trial"]),
        )
    )
    cells = runs.counting(cells[cells.law.isin(LAWS)])
    first = eight.groupby(["law", "model", "recipe"]).head(1)
    problems += [*more, *others, *flaws, *(f"record {name}: unknown trial" for name in unknown)]
    return Chapter(cells, raw.head(1), first, aids, problems)


def aids(chapter: Chapter) -> str:
    """What the search's aids are worth: by how many cells the law is recovered without each."""
    rows, tried = [], chapter.aids
    for name, title in AIDS.items():
        group = tried[tried.trial == name]
        if not len(group):
            continue
        yes = group.recovered.eq(True) & ~group.failed
        share = yes.groupby([group.law, group.dim]).mean()
        missed = [cell_name(*cell) for cell, one in share.items() if one <= 0.5]
        found = f"{len(share) - len(missed)} of {len(share)}"
        seeds = f"{len(group)}{runs.dagger(*group.standing)}"
        rows.append([title, found, ", ".join(missed) or "none", seeds])
    heads = ["the search", "laws recovered", "not recovered", "runs"]
    return table(heads, rows) if rows else NOT_YET


def table_4(chapter: Chapter, law: str) -> str:
    """The paper's front of one law (2D, bottleneck) and ours, the selected rows in bold.

    Args:
        law: r2 or r1.
    """
    cell, parts = cell_name(law, 2), []
    for recipe in BESIDE:
        ours, shown = chapter.first(law, 2, "bottleneck", recipe), NOT_YET
        if ours:
            made = f"Preset `{ours['preset']}`, seed {ours['seed']}, engine `{ours.get('engine')}`"
            verdict = "recovered" if ours["recovered"] else "not recovered"
            rows = front(ours["front"], ours.get("complexity"))
            shown = f"{rows}\n\n*{made}; the law was {verdict}.*"
        parts.append(f"**{cell} here, `{recipe}`**\n\n{shown}")
    theirs = front(paper_front(law), data.TABLE_4_SELECTED[law, 2], ".4g")
    return "\n\n".join([*parts, f"**{cell} in the paper**\n\n{theirs}"])


def paper_front(law: str) -> list[dict]:
    """The paper's rows of table 4 with the scores of its own rule, simplest first."""
    columns = ["equation", "loss", "complexity"]
    rows = pd.DataFrame(data.TABLE_4[law, 2][::-1], columns=columns)
    return rows.assign(score=symbolic.scores(rows.complexity, rows.loss)).to_dict("records")


@cache
def paper_front_judged(law: str) -> str:
    """The paper's rows of table 4 with our verdict on each, the one that it shades in bold."""
    rows = []
    for row in paper_front(law):
        verdict = symbolic.recovered(row["equation"], law, 2)
        told = [str(row["complexity"]), f"{row['score']:.3f}", code(row["equation"])]
        told += [yes_or_no(bool(verdict)), verdict.reason.replace("**", "^")]
        bold = "**" if row["complexity"] == data.TABLE_4_SELECTED[law, 2] else ""
        rows.append([f"{bold}{text}{bold}" for text in told[:4]] + told[4:])
    return table(["complexity", "score", "the paper's equation", "the law?", "why"], rows)


def tolerances() -> str:
    """How far an equation may be off and still be the law, as the verdict's code has it."""
    closest, farthest = reference.BEYOND
    near, far = reference.ORDINARY
    (least, most), (light, heavy) = landmarks.LENGTHS, landmarks.MASSES
    beyond = f"r from {closest:g} to {near:g} and from {far:g} to {farthest:g}"
    everywhere = f"r from {least:g} to {most:,g}, masses from {light:g} to {heavy:,g}"
    rows = [
        ["form", "any constant", f"{force.CONSTANT_TOLERANCE:.0%}"],
        ["", "an exponent", f"{force.EXPONENT_TOLERANCE:.0%}"],
        ["", "where the law has a step, its place", f"{reference.STEP_TOLERANCE:.0%}"],
        ["", "a constant added to r", f"{force.SOFTENING_TOLERANCE} times the softening"],
        [
            "",
            "between the constants of an IF's branches",
            f"{force.JUMP_TOLERANCE:.0%} of the mean force",
        ],
        ["", "what is then left over", f"{snapping.IDENTITY:.4%} of the force"],
        [
            "values",
            f"as the equation stands, mean error outside the training range ({beyond})",
            f"{force.VALUE_TOLERANCE:.0%} of the force there",
        ],
        [
            "everywhere",
            f"in the law's form, each point ({everywhere}, both sides of every threshold)",
            f"{force.VALUE_TOLERANCE:.0%} of the force there",
        ],
    ]
    return table(["compared by", "what may differ", "by how much"], rows)


def examples(chapter: Chapter) -> str:
    """Appendix C's successes and failures, and what came out here in the same cells."""
    rows = []
    for (law, dim, model), (equation, theirs) in EXAMPLES.items():
        verdict = bool(judged(law, dim, model))
        said = "" if verdict == theirs else f"; by our verdict {yes_or_no(verdict)}"
        row = [f"{cell_name(law, dim)}, {MODEL_NAMES[model]}", code(equation)]
        row.append(yes_or_no(theirs) + said)
        # A FlatHGN is asked for two energies; the paper's example is of the pair's.
        asked = "pair_recovered" if model == FLATHGN else "recovered"
        for recipe in BESIDE:
            group = runs.of_cell(chapter.cells, law, dim, model, recipe)
            first = next(group[~group.failed].itertuples(), None)
            if first is None:
                row += ["failed" if len(group) else "not yet run", EMPTY]
                continue
            yes = sum(one.get(asked) is True for one in group.record)
            share = f"{yes} of {len(group)}" + runs.dagger(*group.standing)
            row += [code(first.equation), share]
        rows.append(row)
    heads = [head for recipe in BESIDE for head in (f"`{recipe}`, first seed", "law, of seeds")]
    return table(["cell", "the paper's equation", "the law?", *heads], rows)


def judged(law: str, dim: int, model: str) -> symbolic.Verdict:
    """Our verdict on the paper's equation for a cell of appendix C's examples."""
    judge = symbolic.recovered_pair_energy if model == FLATHGN else symbolic.recovered
    return judge(EXAMPLES[law, dim, model][0], law, dim)


def with_if(record: dict | None) -> str:
    """The three simplest equations with an IF on a record's front, the selected one in bold."""
    if record is None:
        return NOT_YET
    found = [row for row in record["front"] if "IF(" in row["equation"]]
    none = f"None of the {len(record['front'])} equations on the front has an IF."
    return front(found[:3], record.get("complexity")) if found else none


def raw(record: dict | None) -> str:
    """Raw regression beside the factorised way, on the same held-out snapshots."""
    if record is None:
        return NOT_YET
    rows, trivial = [], record["goodness"]["trivial"]["median_error"] or math.nan
    for way, name in zip(WAYS, _WAYS, strict=True):
        found = record["goodness"][way]
        errors = [digits(found["mae"], 3), digits(found["median_error"], 3)]
        left = f"{digits(100 * found['median_error'] / trivial, 2)}%"
        rows.append([name, *errors, left, _r2(found["r2"]), _r2(found["r2_kept90"])])
    heads = ("mean error", "median error", "of the trivial", "R², all", "R², kept 90%")
    return (
        f"{table(['predicted by', *heads], rows)}\n\n*The {record['target']} of "
        f"{record['bodies']} bodies under {cell_name(record['law'], record['dim'])}; preset "
        f"`{record['preset']}`, {record.get('test_snapshots', 0):,} held-out snapshots.*"
    )


def raw_equations(record: dict | None) -> str:
    """What both ways found, how long each search took, and the verdict on the messages."""
    if record is None:
        return NOT_YET
    found, pair = record["raw"], len(pair_names(record["dim"]))
    given = len(found["names"])
    searches = [("raw, selected", given, found), ("raw, most complex", given, found["front"][-1])]
    for number, one in enumerate(record["factorised"]["messages"], start=1):
        searches.append((f"message {number}", pair, one))
    rows = []
    for name, variables, one in searches:
        seconds = f"{one['seconds']:.0f}" if "seconds" in one else "same search"
        verdict = yes_or_no(one["recovered"]) if "recovered" in one else EMPTY
        level = one.get("complexity", EMPTY)
        rows.append([name, variables, code(one["equation"]), level, seconds, verdict])
    return table(["search", "variables", "equation", "complexity", "seconds", "the law?"], rows)


def shares(chapter: Chapter) -> str:
    """By cell, recipe and model in how many of the seeds the law was recovered, and in total."""

    def share(group: pd.DataFrame) -> str:
        return f"{group.recovered.eq(True).sum()} of {len(group)}" if len(group) else EMPTY

    rows = []
    for recipe in RECIPES:
        mine = chapter.cells[chapter.cells.recipe == recipe]
        if not len(mine):
            continue
        for law, dim in data.TABLE_3:
            groups = [runs.of_cell(mine, law, dim, model) for model in MODELS]
            cells = (share(one) + runs.dagger(*one.standing) for one in groups)
            rows.append([cell_name(law, dim), f"`{recipe}`", *cells])
        sums = (share(mine[mine.model == model]) for model in MODELS)
        rows.append(["**all**", f"**`{recipe}`**", *(f"**{total}**" for total in sums)])
    heads = ["cell", "recipe", *(MODEL_NAMES[model] for model in MODELS)]
    return table(heads, rows) if rows else NOT_YET


def eight(chapter: Chapter) -> str:
    """R², losses and spectrum of the models trained on eight bodies, by law, recipe and model."""
    rows = []
    for law, recipe in product(EIGHT_LAWS, RECIPES):
        records = chapter.eight(law, recipe)
        # The paper has springs alone; of what else was run a row that is not there is no gap.
        paper = (law, recipe) == (EIGHT_LAWS[0], "fast")
        for model in MESSAGE_MODELS if paper else records:
            record = records.get(model, {"failed": "", "preset": EMPTY})
            if "failed" in record:
                said = ["failed" if model in records else "not yet run", *[EMPTY] * 5]
            else:
                fits = (record["r2"][quantity] for quantity in ("force", "acceleration"))
                said = [_r2(fit[which]) for fit in fits for which in ("all", "kept90")]
                first, _, *others = record["spectrum"]
                # A bottleneck has no third message.
                third = digits(others[0] / first, 2) if others else EMPTY
                said += [digits(record["test_loss"] / record["trivial_loss"], 2), third]
            who = [cell_name(law, 2), f"`{recipe}`", MODEL_NAMES[model]]
            rows.append([*who, *said, record["preset"]])
    fits = ("R² of force, all", "kept 90%", "R² of acceleration, all", "kept 90%")
    heads = ["cell", "recipe", "model", *fits, "loss / trivial", "third message / first", "preset"]
    return table(heads, rows)


def _r2(value: float | None) -> str:
    # Adding zero makes a rounded -0.0 an ordinary one.
    return EMPTY if value is None else f"{round(value, 3) + 0.0:.3f}".replace("-", "−")
