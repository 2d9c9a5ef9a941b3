"""What the recipe's parts are worth, as tables and a figure made from records of trials."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from symlib.book.figures import BLUE, GREY, ORANGE, STYLE
from symlib.book.markdown import table
from symlib.papers.cranmer2020.data import TABLE_1, cell_name
from symlib.papers.cranmer2020.pages.scoreboard import spread
from symlib.papers.cranmer2020.pages.scoreboard_tables import MODELS, OLD, digits
from symlib.papers.cranmer2020.study.trials import COMPONENTS, TRIALS, is_fresh, read_trials
from symlib.records.reading import RESULTS
from symlib.training.presets import Preset

Group = tuple[str, int, str]
FEW = 0.1  # a component speaks when its standard deviation is this share of the largest


def trials_on_record(folder: Path | None = None) -> tuple[dict[Group, dict[str, list]], list[str]]:
    """Records by law, dimension and model, then by trial in the order of `TRIALS`.

    Returns:
        The records, and a line for each file that could not be read.
    """
    records, problems = read_trials(folder or RESULTS / "trials")
    groups: dict[Group, dict[str, list]] = {}
    for record in records:
        group = groups.setdefault((record["law"], record["dim"], record["model"]), {})
        group.setdefault(record["trial"], []).append(record)
    return {
        where: {name: group[name] for name in TRIALS if name in group}
        for where, group in sorted(groups.items())
    }, problems


def fits(records: list[dict]) -> list[float]:
    """R² over the kept 90% of the better of force and acceleration, one per record."""
    return [max(fit["kept90"] for fit in record["r2"].values()) for record in records]


def heard(record: dict) -> int:
    """How many of the components on record are at least a tenth of the largest.

    On record are the fifteen most significant ones.
    """
    return int(np.sum(np.array(record["spectrum"]) >= FEW * max(record["spectrum"])))


def trial_table(group: dict[str, list]) -> str:
    """One setting: R², components that speak, test loss, for the recipe and each change.

    Where messages have a penalty, also the loss with it; silent messages would have 1.
    """
    everything = [record for records in group.values() for record in records]
    priced = any(record.get("message_cost") for record in everything)
    rows = []
    for name, records in group.items():
        loss = [record["test_loss"] / record["trivial_loss"] for record in records]
        few = sorted({heard(record) for record in records})
        r2 = fits(records)
        rows.append(
            [
                TRIALS[name][0] + ("" if all(map(is_fresh, records)) else f"\u00a0{OLD}"),
                f"{np.mean(r2):.4f}" + (f" ± {spread(tuple(r2)):.4f}" if len(r2) > 1 else ""),
                " to ".join(map(_count, dict.fromkeys([few[0], few[-1]]))),
                digits(float(np.mean(loss)), 2),
                *([_with_penalty(records)] if priced else []),
                len(records),
            ]
        )
    penalty = ["(loss + penalty) / trivial"] if priced else []
    heads = ["recipe", "R²", "components that speak", "loss / trivial", *penalty, "seeds"]
    return table(heads, rows)


def _count(number: int) -> str:
    return f"{number} or more" if number >= COMPONENTS else str(number)


def _with_penalty(records: list[dict]) -> str:
    """Loss and penalty in units of the trivial loss; a dash where a record lacks the penalty."""
    if not all("message_cost" in record for record in records):
        return "–"
    sums = [(one["test_loss"] + one["message_cost"]) / one["trivial_loss"] for one in records]
    return digits(float(np.mean(sums)), 2)


def all_trials(folder: Path | None = None) -> str:
    """A table for each setting, the paper's R² in its title; what is missing is said."""
    groups, problems = trials_on_record(folder)
    if not groups:
        return "*No trial is on record yet.*"
    parts = []
    for (law, dim, model), group in groups.items():
        theirs = TABLE_1.get((law, dim), {}).get(model)
        one = next(iter(group.values()))[0]
        parts.append(
            f"**{cell_name(law, dim)}, {MODELS[model]}** (preset `{one['preset']}`, "
            f"{one['steps']:,} steps; the paper's R² is {theirs:.3f})"
        )
        parts.append(trial_table(group))
    everything = [one for group in groups.values() for records in group.values() for one in records]
    if not all(map(is_fresh, everything)):
        parts.append(f"*{OLD} marks records of an earlier version of the code or of the recipe.*")
    parts += [f"*Left out: {problem}.*" for problem in problems]
    return "\n\n".join(parts)


def trial_figure(folder: Path | None = None) -> tuple[Figure, str]:
    """1 − R² of every trial, a dot a seed, one panel a setting; further left is better."""
    groups, _ = trials_on_record(folder)
    names = [name for name in TRIALS if any(name in group for group in groups.values())]
    with mpl.rc_context(STYLE):
        columns = 2 if len(groups) > 1 else 1
        rows = -(-max(1, len(groups)) // columns)
        size = (2.6 * columns + 2.2, 0.9 + rows * (0.9 + 0.22 * len(names)))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True, sharex=True)
        for panel in panels.flat[len(groups) :]:
            panel.set_visible(False)
        said = []
        for panel, (where, group) in zip(panels.flat, groups.items(), strict=False):
            for y, name in enumerate(names):
                lost = 1 - np.array(fits(group.get(name, [])))
                colour, marker = (BLUE, "o") if name == "fast" else (ORANGE, "s")
                panel.plot(lost, np.full(len(lost), y), marker, color=colour, ms=5, alpha=0.85)
            title = f"{cell_name(*where[:2])}, {MODELS[where[2]]}"
            panel.set(title=title, xscale="log", ylim=(len(names) - 0.5, -0.5))
            panel.set_yticks(range(len(names)))
            panel.set_yticklabels([TRIALS[name][0] for name in names])
            panel.grid(axis="x", color=GREY, alpha=0.3, lw=0.5)
            panel.label_outer()
            means = {name: float(np.mean(fits(records))) for name, records in group.items()}
            worst = min(means, key=means.get)
            shipped = f"as it is {means['fast']:.3f}, " if "fast" in means else ""
            said.append(f"{title}: {shipped}worst {TRIALS[worst][0]} {means[worst]:.3f}")
        for panel in panels[-1]:
            panel.set_xlabel("1 − R²  (less is better)")
    return figure, (
        "Dots on logarithmic axes, one panel for each law and model, one row for each change to "
        "the recipe: one minus R squared. R squared is: "
        f"{'; '.join(said) or 'no trial is on record'}."
    )


def recipe_table(preset: Preset) -> str:
    """What the recipe of each model is at a preset, in numbers."""
    recipes = {model: preset.recipe_for(model).to_dict() for model in MODELS}
    rows = []
    for name in preset.recipe.to_dict():
        if name != "name":
            values = (_plain(recipe[name]) for recipe in recipes.values())
            rows.append([f"`{name}`", *values])
    return table([f"preset `{preset.name}`", *MODELS.values()], rows)


def _plain(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
