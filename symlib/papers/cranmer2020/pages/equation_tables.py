"""Table 4 and the other tables of appendix C as Markdown, made from records."""

from symlib import symbolic
from symlib.book.markdown import short
from symlib.choices import FLATHGN
from symlib.laws.variables import pair_names
from symlib.papers.cranmer2020.data import (
    CHARGE_ENERGY,
    EXAMPLES_C,
    MESSAGE_MODELS,
    TABLE_3,
    TABLE_4,
    TABLE_4_SELECTED,
    cell_name,
)
from symlib.papers.cranmer2020.pages.equation_records import Records, front_of
from symlib.papers.cranmer2020.pages.scoreboard import Run
from symlib.papers.cranmer2020.pages.scoreboard_tables import EMPTY, MODELS, OLD, digits
from symlib.papers.cranmer2020.study.raw_regression import WAYS
from symlib.records.study import FRESH

NOT_YET = "*Not yet run.*"
_EXAMPLES = {
    **EXAMPLES_C,
    ("charge", 2, FLATHGN): (CHARGE_ENERGY, True),
    ("charge", 3, FLATHGN): (CHARGE_ENERGY, True),
}
# What each way of predicting is, and what it is given.
_WAYS = {
    "trivial": "the median, always",
    "raw": "raw regression, equation selected",
    "raw_most_complex": "raw regression, most complex equation",
    "equations": "**equations of the messages**",
    "network": "the network itself",
}


def table_4(records: Records, law: str) -> str:
    """The paper's front of one law (2D, bottleneck) and ours, the selected rows in bold.

    Args:
        records: from `equation_records.read_chapter`.
        law: r2 or r1.
    """
    lines = [
        f"**{cell_name(law, 2)} here**",
        "",
        front(records.first(law, 2, "bottleneck")),
        "",
        f"**{cell_name(law, 2)} in the paper**",
        "",
        _head(),
    ]
    rows, selected = TABLE_4[law, 2][::-1], TABLE_4_SELECTED[law, 2]
    scores = paper_scores(law)
    for (equation, loss, level), score in zip(rows, scores, strict=True):
        lines.append(_row(level, f"{loss:.4g}", score, equation, level == selected))
    best = int(scores.argmax())
    at = [level for *_, level in rows].index(selected)
    remark = f"selects the row that the paper shades, of complexity {selected}"
    if best != at:
        remark = (
            f"selects complexity {rows[best][2]} (score {scores[best]:.3f}), while the paper "
            f"shades {selected} (score {scores[at]:.3f})"
        )
    lines += ["", f"*The rule, applied to the paper's own errors, {remark}.*"]
    return "\n".join(lines)


def paper_scores(law: str):
    """Scores of the paper's rows by its own rule, simplest first."""
    rows = TABLE_4[law, 2][::-1]
    return symbolic.scores([level for *_, level in rows], [loss for _, loss, _ in rows])


def front(record: dict | None) -> str:
    """A record's Pareto front, the selected row in bold, and where it comes from."""
    if record is None or not front_of(record):
        return NOT_YET
    lines = [_head()]
    for row in front_of(record):
        level = row["complexity"]
        chosen = level == record.get("complexity")
        lines.append(_row(level, f"{row['loss']:.3g}", row["score"], row["equation"], chosen))
    word = "recovered" if record["recovered"] else "not recovered"
    lines += ["", f"*{_made(record)}; the law was {word}.*"]
    return "\n".join(lines)


def examples(records: Records) -> str:
    """Appendix C's successes and failures, and what came out here in the same cells."""
    lines = [
        "| cell | the paper's equation | the law? | selected here (first seed) | the law? "
        "| R², kept 90% | preset |",
        "|---|---|---|---|---|---|---|",
    ]
    for (law, dim, model), (equation, yes) in _EXAMPLES.items():
        runs = records.cells.get((law, dim, model), [])
        first = next((run.record for run in runs if _told(run)), None)
        ours = bool(judged(law, dim, model))
        said = _yes(yes) if ours == yes else f"{_yes(yes)}; by our verdict {_yes(ours)}"
        cells = [f"{cell_name(law, dim)}, {MODELS[model]}", f"`{text(equation)}`", said]
        if first is None:
            cells += [_missing(runs), EMPTY, EMPTY, EMPTY]
        else:
            cells += [
                f"`{text(first['equation'])}`",
                _share(runs, model),
                _fit(first),
                first["preset"] + _mark(runs),
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def judged(law: str, dim: int, model: str) -> "symbolic.Verdict":
    """Our verdict on the paper's equation for a cell of appendix C's examples."""
    equation, _ = _EXAMPLES[law, dim, model]
    judge = symbolic.recovered_pair_energy if model == FLATHGN else symbolic.recovered
    return judge(equation, law, dim)


def with_if(records: Records, law: str, dim: int, model: str) -> str:
    """The three simplest equations with an IF on a cell's front, the selected one named."""
    record = records.first(law, dim, model)
    cell = f"{cell_name(law, dim)}, {MODELS[model]}"
    if record is None:
        return f"{cell}: not yet run."
    rows = front_of(record)
    found = [row for row in rows if "IF(" in row["equation"]][:3]
    if not found:
        return f"{cell}: none of the {len(rows)} equations on the front has an IF."
    lines = [f"{cell}: the simplest equations with an IF on the front.", ""]
    lines += ["| complexity | MAE | score | equation |", "|---|---|---|---|"]
    for row in found:
        cells = [str(row["complexity"]), digits(row["loss"], 3), f"{row['score']:.3f}"]
        cells.append(f"`{text(row['equation'])}`")
        if row["complexity"] == record.get("complexity"):
            cells = [f"**{part}**" for part in cells[:3]] + [f"{cells[3]} **selected**"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def raw(record: dict | None) -> str:
    """Raw regression beside the factorised way, on the same held-out snapshots."""
    if record is None:
        return NOT_YET
    lines = [
        "| predicted by | mean error | median error | R², all | R², kept 90% |",
        "|---|---|---|---|---|",
    ]
    for way in WAYS:
        fit = record["goodness"][way]
        cells = [_WAYS[way], digits(fit["mae"], 3), digits(fit["median_error"], 3)]
        cells += [_r2(fit["r2"]), _r2(fit["r2_kept90"])]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        f"*The {record['target']} of {record['bodies']} bodies under {cell_name_of(record)}; "
        f"preset `{record['preset']}`, {record.get('test_snapshots', 0):,} held-out snapshots.*",
    ]
    return "\n".join(lines)


def raw_equations(record: dict | None) -> str:
    """What both ways found, how long each search took, and the verdict on the messages."""
    if record is None:
        return NOT_YET
    found = record["raw"]
    most = front_of(found)[-1]
    lines = [
        "| search | variables | equation | complexity | seconds | the law? |",
        "|---|---|---|---|---|---|",
        f"| raw, selected | {len(found['names'])} | `{text(found['equation'])}` "
        f"| {found['complexity']} | {found['seconds']:.0f} | {EMPTY} |",
        f"| raw, most complex | {len(found['names'])} | `{text(most['equation'])}` "
        f"| {most['complexity']} | same search | {EMPTY} |",
    ]
    variables = len(pair_names(record["dim"]))
    for number, message in enumerate(record["factorised"]["messages"], start=1):
        lines.append(
            f"| message {number} | {variables} | `{text(message['equation'])}` "
            f"| {message.get('complexity', EMPTY)} | {message['seconds']:.0f} "
            f"| {_yes(message['recovered'])} |"
        )
    return "\n".join(lines)


def raw_said(record: dict | None) -> str:
    """How much of the trivial predictor's median error each way leaves, in words."""
    if record is None:
        return NOT_YET
    fits = record["goodness"]

    def left(way: str) -> str:
        trivial = fits["trivial"]["median_error"]
        share = 100 * fits[way]["median_error"] / trivial if trivial else 100.0
        return f"{digits(share, 2)}%"

    found = record["factorised"]["messages"]
    yes = sum(message["recovered"] for message in found)
    return (
        f"Of the trivial predictor's median error, raw regression leaves {left('raw')} with the "
        f"equation that it selects and {left('raw_most_complex')} with the most complex one that "
        f"it found; the network leaves {left('network')}, the equations of its messages "
        f"{left('equations')}. Of {len(found)} messages {yes} gave the law."
    )


def shares(records: Records) -> str:
    """By cell and model in how many of the seeds the law was recovered, and in total."""
    models = (*MESSAGE_MODELS, FLATHGN)
    lines = [
        f"| cell | {' | '.join(MODELS[model] for model in models)} |",
        f"|---|{'---|' * len(models)}",
    ]
    total = {model: [0, 0] for model in models}
    for law, dim in TABLE_3:
        cells = [cell_name(law, dim)]
        for model in models:
            runs = records.cells.get((law, dim, model), [])
            yes = sum(run.record.get("recovered", False) for run in runs)
            total[model][0] += yes
            total[model][1] += len(runs)
            cells.append(f"{yes} of {len(runs)}{_mark(runs)}" if runs else EMPTY)
        lines.append(f"| {' | '.join(cells)} |")
    sums = [f"**{yes} of {runs}**" if runs else EMPTY for yes, runs in total.values()]
    lines.append(f"| **all** | {' | '.join(sums)} |")
    return "\n".join(lines)


def selected(records: Records, model: str = "bottleneck") -> str:
    """The equation that every seed of a model selected."""
    lines = ["| cell | seed | equation | the law? | R², kept 90% | preset |", "|---|" + 5 * "---|"]
    for law, dim in TABLE_3:
        for run in records.cells.get((law, dim, model), []):
            record = run.record
            cells = [cell_name(law, dim), str(record["seed"])]
            if _told(run):
                cells += [f"`{text(record['equation'])}`", _yes(record["recovered"]), _fit(record)]
            else:
                cells += ["the run failed", "no", EMPTY]
            lines.append(f"| {' | '.join([*cells, record['preset'] + _mark([run])])} |")
    return "\n".join(lines) if len(lines) > 2 else NOT_YET


def eight(records: Records) -> str:
    """R², losses and spectrum of the models trained on eight bodies."""
    lines = [
        "| model | R² of force, all | kept 90% | R² of acceleration, all | kept 90% "
        "| loss / trivial | third message / first | preset |",
        "|---|" + 7 * "---|",
    ]
    for model in MESSAGE_MODELS:
        record = records.eight.get(model)
        cells = [MODELS[model]]
        if record is None:
            cells += ["not yet run", *[EMPTY] * 6]
        elif "failed" in record:
            cells += ["failed", *[EMPTY] * 5, record["preset"]]
        else:
            for quantity in ("force", "acceleration"):
                cells += [_r2(record["r2"][quantity][which]) for which in ("all", "kept90")]
            spectrum = record["spectrum"]
            # A bottleneck has no third message.
            third = digits(spectrum[2] / spectrum[0], 2) if len(spectrum) > 2 else EMPTY
            ratio = digits(record["test_loss"] / record["trivial_loss"], 2)
            cells += [ratio, third, record["preset"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def notes(records: Records) -> str:
    """Records that were left out, and shown ones of another code version."""
    lines = [f"- Left out: {problem}" for problem in records.problems]
    lines += [f"- Of another code version: `{name}`" for name in records.old]
    if any(run.standing != FRESH for runs in records.cells.values() for run in runs):
        lines.append(
            f"- {OLD} marks records of another code version, or of one that they do not tell; the "
            "scoreboard names them."
        )
    return "\n".join(lines) or "Every record could be read, and is of today's code."


def cell_name_of(record: dict) -> str:
    """A record's cell as the paper's tables write it."""
    return cell_name(record["law"], record["dim"])


def text(equation: str, digits: int = 3) -> str:
    """An equation in short, as the paper writes powers."""
    return short(equation, digits).replace("**", "^")


def _head() -> str:
    return "| complexity | MAE | score | equation |\n|---|---|---|---|"


def _row(level: int, loss: str, score: float, equation: str, chosen: bool) -> str:
    cells = [str(level), loss, f"{score:.3f}", f"`{text(equation)}`"]
    return f"| {' | '.join(f'**{cell}**' if chosen else cell for cell in cells)} |"


def _made(record: dict) -> str:
    return f"Preset `{record['preset']}`, seed {record['seed']}, engine `{record.get('engine')}`"


def _told(run: Run) -> bool:
    return not run.failed and isinstance(run.record.get("equation"), str)


def _fit(record: dict) -> str:
    fits = {name: fit.get("kept90") for name, fit in record["r2"].items()}
    # A FlatHGN's velocities come from its self energy, which is not what the row is about.
    fits = {name: fit for name, fit in fits.items() if fit is not None and name != "velocity"}
    if not fits:
        return EMPTY
    best = max(fits, key=fits.get)
    return f"{fits[best]:.4f} ({best})"


def _share(runs: list[Run], model: str) -> str:
    # A FlatHGN is asked for two energies; the paper's example is of the pair's.
    asked = "pair_recovered" if model == FLATHGN else "recovered"
    yes = sum(run.record.get(asked) is True for run in runs)
    return f"{yes} of {len(runs)} seeds" if len(runs) > 1 else _yes(bool(yes))


def _missing(runs: list[Run]) -> str:
    return "failed" if runs else "not yet run"


def _mark(runs: list[Run]) -> str:
    return f" {OLD}" if any(run.standing != FRESH for run in runs) else ""


def _r2(value: float | None) -> str:
    # Adding zero makes a rounded -0.0 an ordinary one.
    return EMPTY if value is None else f"{round(value, 3) + 0.0:.3f}".replace("-", "−")


def _yes(value: bool) -> str:
    return "yes" if value else "no"
