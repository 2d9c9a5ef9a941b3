"""The chapter on training: what the recipe's parts are worth, and how far the loss falls."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from symlib.book.figures import BLUE, GREEN, GREY, ORANGE, grid, styled
from symlib.book.markdown import EMPTY, digits, measured, table
from symlib.papers.cranmer2020.data import MODEL_NAMES, TABLE_1, TABLE_3, cell_name
from symlib.papers.cranmer2020.pages.runs import CELL, dagger, frame
from symlib.papers.cranmer2020.study.trials import COMPONENTS, TRIALS, Trial
from symlib.records.reading import RESULTS, read_records
from symlib.training.presets import Preset

FEW = 0.1  # a component speaks when its standard deviation is this share of the largest
NONE = "*No trial is on record yet.*"


def on_record(kind: str, folder: Path | None = None) -> tuple[pd.DataFrame, list[str]]:
    """Trials by setting, their steps, and the order of `TRIALS`; a line for each file that is none.

    Args:
        kind: trials, of the recipe, or steps, of fewer and more of them.
        folder: where a folder of that name lies; book/results when None.
    """
    records, problems = read_records(folder or RESULTS, f"{kind}/*.json", "trial")
    for name, one in list(records.items()):
        if "failed" in one or one["trial"] not in TRIALS:
            flaw = (
                f"failed, {one['failed']}" if "failed" in one else f"unknown trial {one['trial']!r}"
            )
            problems.append(f"record {name}: {flaw}")
            del records[name]
    runs = frame(records, Trial)
    late = [one["recipe"].get("float32_from", 1.0) < 1 for one in runs.record]
    runs = runs.assign(order=runs.trial.map([*TRIALS].index), late=late)
    return runs.sort_values([*CELL, "steps", "order", "seed"]), problems


def heard(record: dict) -> int:
    """How many of the fifteen components on record are at least a tenth of the largest."""
    return int(np.sum(np.array(record["spectrum"]) >= FEW * max(record["spectrum"])))


def trial_table(group: pd.DataFrame) -> str:
    """One setting: R², components that speak, test loss, for the recipe and each change.

    Where messages have a penalty, also the loss with it; silent messages would have 1.
    """
    priced = group.message_cost.fillna(0).any()
    rows = []
    for name, runs in group.groupby("trial", sort=False):
        cost = (runs.test_loss + runs.message_cost) / runs.trivial_loss
        few = sorted(set(map(heard, runs.record)))
        counts = [f"{n} or more" if n >= COMPONENTS else str(n) for n in few]
        losses = [(runs.test_loss / runs.trivial_loss).mean(), cost.mean(skipna=False)]
        rows.append(
            [
                TRIALS[name][0] + dagger(*runs.standing),
                measured(runs.r2, 4),
                " to ".join(dict.fromkeys([counts[0], counts[-1]])),
                *(digits(loss, 2) for loss in losses[: 1 + priced]),
                len(runs),
            ]
        )
    penalty = ["(loss + penalty) / trivial"] if priced else []
    heads = ["recipe", "R²", "components that speak", "loss / trivial", *penalty, "seeds"]
    return table(heads, rows)


def all_trials(runs: pd.DataFrame) -> str:
    """A table for each setting, the paper's R² in its title."""
    parts = []
    for (law, dim, model), group in runs.groupby(CELL):
        one, theirs = next(group.itertuples()), TABLE_1[law, dim][model]
        parts.append(
            f"**{cell_name(law, dim)}, {MODEL_NAMES[model]}** (preset `{one.preset}`, "
            f"{one.steps:,} steps; the paper's R² is {theirs:.3f})"
        )
        parts.append(trial_table(group))
    return "\n\n".join(parts) or NONE


def costliest(runs: pd.DataFrame, count: int = 3) -> str:
    """For each setting the single changes that cost most of R², the worst first.

    Args:
        runs: of `on_record`; the paper's recipe, which changes everything at once, is left out.
        count: how many changes.
    """
    rows = []
    for (law, dim, model), group in runs[runs.trial != "reference"].groupby(CELL):
        means = group.groupby("trial").r2.mean()
        changed = means.drop("fast", errors="ignore").sort_values()[:count]
        told = [f"{TRIALS[name][0]} ({value:.4f})" for name, value in changed.items()]
        whole = f"{means['fast']:.4f}" if "fast" in means else EMPTY
        told += [EMPTY] * (count - len(told))
        rows.append([f"{cell_name(law, dim)}, {MODEL_NAMES[model]}", whole, *told])
    order = ("worst", "second", "third", *(f"{k}th" for k in range(4, count + 1)))
    return table(["setting", "the recipe as it is", *order[:count]], rows) if rows else NONE


@styled
def trial_figure(runs: pd.DataFrame) -> tuple[Figure, str]:
    """1 − R² of every trial, a dot a seed, one panel a setting; further left is better."""
    groups = list(runs.groupby(CELL))
    names = [name for name in TRIALS if name in set(runs.trial)]
    rows = max(1, -(-len(groups) // 2))
    height = 0.9 + rows * (0.9 + 0.22 * len(names))
    figure, panels = grid(rows, 2, 7.4, height, sharey=True, sharex=True)
    for panel in panels[len(groups) :]:
        panel.set_visible(False)
    said = []
    for panel, ((law, dim, model), group) in zip(panels, groups, strict=False):
        for run in group.itertuples():
            colour, marker = (BLUE, "o") if run.trial == "fast" else (ORANGE, "s")
            at = names.index(run.trial)
            panel.plot(1 - run.r2, at, marker, color=colour, ms=5, alpha=0.85)
        title = f"{cell_name(law, dim)}, {MODEL_NAMES[model]}"
        panel.set(title=title, xscale="log", ylim=(len(names) - 0.5, -0.5))
        panel.set_yticks(range(len(names)), [TRIALS[name][0] for name in names])
        panel.set_xlabel("1 − R²  (less is better)")
        panel.grid(axis="x", color=GREY, alpha=0.3, lw=0.5)
        panel.label_outer()
        means = group.groupby("trial").r2.mean()
        shipped = f"as it is {means['fast']:.3f}, " if "fast" in means else ""
        said.append(f"{title}: {shipped}worst {TRIALS[means.idxmin()][0]} {means.min():.3f}")
    return figure, (
        "Dots on logarithmic axes, one panel for each law and model, one row for each change to "
        "the recipe: one minus R squared. R squared is: "
        f"{'; '.join(said) or 'no trial is on record'}."
    )


def steps_table(runs: pd.DataFrame) -> str:
    """Loss and R² of each length of training, beside the paper's loss (Table 3)."""
    rows = []
    for run in runs.itertuples():
        loss = digits(run.test_loss, 3) + dagger(run.standing)
        theirs = digits(TABLE_3[run.law, run.dim][run.model], 2)
        digital = "float32" if run.late else "same"
        who = [cell_name(run.law, run.dim), MODEL_NAMES[run.model], f"{run.steps:,}", digital]
        rows.append([*who, loss, theirs, f"{run.r2:.4f}", run.seed])
    heads = ["cell", "model", "steps", "last third", "loss", "paper's loss", "R²", "seed"]
    return table(heads, rows) if rows else NONE


@styled
def steps_figure(runs: pd.DataFrame) -> tuple[Figure, str]:
    """Test loss against training steps, a dot a run, the paper's loss as a line."""
    groups = list(runs.groupby(CELL))
    figure, panels = grid(1, max(1, len(groups)), 0.8 + 2.6 * max(1, len(groups)), 2.9)
    said = []
    for panel, ((law, dim, model), group) in zip(panels, groups, strict=False):
        name, theirs = f"{cell_name(law, dim)}, {MODEL_NAMES[model]}", TABLE_3[law, dim][model]
        for late, shown in group.groupby("late"):
            label = "ours, the last third in float32" if late else "ours, the recipe"
            colour, line = (GREEN, "s:") if late else (BLUE, "o-")
            panel.loglog(shown.steps, shown.test_loss, line, color=colour, label=label)
        panel.axhline(theirs, color=ORANGE, ls="--", lw=1.8, label="the paper's, Table 3")
        panel.set(title=name, xlabel="training steps")
        panel.set_xlim(group.steps.min() / 1.6, group.steps.max() * 1.6)
        panel.set_ylim(min(group.test_loss.min(), theirs) / 1.4, group.test_loss.max() * 1.4)
        panel.set_xticks(group.steps.unique(), [f"{steps:,}" for steps in group.steps.unique()])
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter("{x:g}")
        panel.minorticks_off()
        panel.grid(axis="y", color=GREY, alpha=0.3, lw=0.5)
        ours = ", ".join(
            f"{digits(one.test_loss, 3)} at {one.steps:,}{' float32' * one.late}"
            for one in group.itertuples()
        )
        said.append(f"{name}: {ours}, paper {digits(theirs, 2)}")
    panels[0].set_ylabel("test loss (dimensionless)")
    if groups:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure, (
        "Test loss against the number of training steps on logarithmic axes, one panel a law, the "
        f"paper's loss as a dashed line. {'; '.join(said) or 'No trial is on record'}."
    )


def recipe_table(preset: Preset) -> str:
    """What the recipe of each model is at a preset, in numbers."""
    recipes = {model: preset.recipe_for(model).to_dict() for model in MODEL_NAMES}
    rows = pd.DataFrame(recipes, dtype=object).drop("name").fillna(EMPTY)
    plain = rows.map(lambda value: f"{value:g}" if isinstance(value, float) else str(value))
    cells = ([f"`{name}`", *values] for name, *values in plain.itertuples())
    return table([f"preset `{preset.name}`", *MODEL_NAMES.values()], cells)
