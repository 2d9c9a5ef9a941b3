"""The chapter on training: what each part of it is worth, and how far the loss falls.

From `reference` to `plain` it is training that changes, and what counts is the loss; from `plain`
to `fast` it is what the network is told, and what counts is the messages.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from symlib.book.figures import BLUE, GREY, ORANGE, grid, styled
from symlib.book.markdown import digits, measured, table
from symlib.choices import FLATHGN, RECIPES
from symlib.papers.cranmer2020.data import MODEL_NAMES, TABLE_1, TABLE_3, cell_name
from symlib.papers.cranmer2020.pages.runs import CELL, dagger, frame
from symlib.papers.cranmer2020.study.trials import COMPONENTS, TRIALS, Trial
from symlib.records.reading import RESULTS, read_records
from symlib.training.presets import Preset, get_preset

FEW = 0.1  # a component speaks when its standard deviation is this share of the largest
NONE = "*No trial is on record yet.*"
# Both ends of each way, and the changes to the recipe at its far end.
TRAINING, PRIORS = (
    (near, *(name for name, (_, of, _, models) in TRIALS.items() if of == far and models))
    for near, far in (("reference", "plain"), ("plain", "fast"))
)


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
    runs = runs.assign(order=runs.trial.map([*TRIALS].index))
    return runs.sort_values([*CELL, "steps", "order", "seed"]), problems


def of_energies(runs: pd.DataFrame) -> pd.Series:
    """Which of the trials are FlatHGN's."""
    return runs.model == FLATHGN


def heard(record: dict) -> int:
    """How many of the fifteen components on record are at least a tenth of the largest."""
    return int(np.sum(np.array(record["spectrum"]) >= FEW * max(record["spectrum"])))


def trial_table(group: pd.DataFrame) -> str:
    """One setting: test loss, R², components that speak, by recipe and change.

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
                *(digits(loss, 2) for loss in losses[: 1 + priced]),
                measured(runs.r2, 4),
                " to ".join(dict.fromkeys([counts[0], counts[-1]])),
                len(runs),
            ]
        )
    penalty = ["(loss + penalty) / trivial"] if priced else []
    heads = ["recipe", "loss / trivial", *penalty, "R²", "components that speak", "seeds"]
    return table(heads, rows)


def trial_tables(runs: pd.DataFrame, names: tuple[str, ...]) -> str:
    """A table for each setting, the paper's R² in its title.

    Args:
        runs: from `on_record`.
        names: the trials that are shown, `TRAINING` or `PRIORS`.
    """
    parts = []
    for (law, dim, model), group in runs[runs.trial.isin(names)].groupby(CELL):
        one, theirs = next(group.itertuples()), TABLE_1[law, dim][model]
        parts.append(
            f"**{cell_name(law, dim)}, {MODEL_NAMES[model]}** (preset `{one.preset}`, "
            f"{one.steps:,} steps; the paper's R² is {theirs:.3f})"
        )
        parts.append(trial_table(group))
    return "\n\n".join(parts) or NONE


@styled
def trial_figure(runs: pd.DataFrame, names: tuple[str, ...], what: str) -> tuple[Figure, str]:
    """Every trial as a dot a seed, one panel a setting; further left is less.

    Args:
        runs: from `on_record`, at least one of these names.
        names: the trials that are shown, `TRAINING` or `PRIORS`.
        what: "loss", as a share of the trivial predictor's, or "r2", as 1 − R².
    """
    runs = runs[runs.trial.isin(names)]
    runs = runs.assign(shown=runs.test_loss / runs.trivial_loss if what == "loss" else 1 - runs.r2)
    label = {"loss": "test loss / trivial loss", "r2": "1 − R²"}[what]
    groups = list(runs.groupby(CELL))
    names = tuple(name for name in TRIALS if name in set(runs.trial))
    rows = max(1, -(-len(groups) // 2))
    height = 0.9 + rows * (0.9 + 0.22 * len(names))
    figure, panels = grid(rows, 2, 7.4, height, sharey=True, sharex=True)
    for panel in panels[len(groups) :]:
        panel.set_visible(False)
    said = []
    for panel, ((law, dim, model), group) in zip(panels, groups, strict=False):
        for run in group.itertuples():
            colour, marker = (BLUE, "o") if run.trial in RECIPES else (ORANGE, "s")
            at = names.index(run.trial)
            panel.plot(run.shown, at, marker, color=colour, ms=5, alpha=0.85)
        title = f"{cell_name(law, dim)}, {MODEL_NAMES[model]}"
        panel.set(title=title, xscale="log", ylim=(len(names) - 0.5, -0.5))
        panel.set_yticks(range(len(names)), [TRIALS[name][0] for name in names])
        panel.set_xlabel(label)
        panel.grid(axis="x", color=GREY, alpha=0.3, lw=0.5)
        panel.label_outer()
        means = group.groupby("trial", sort=False).shown.mean()
        each = (f"{TRIALS[name][0]} {digits(mean, 2)}" for name, mean in means.items())
        said.append(f"{title}: {', '.join(each)}")
    return figure, (
        "Dots on logarithmic axes, one panel for each law and model, one row for each recipe or "
        f"change to it: {label}. {'; '.join(said) or 'No trial is on record'}."
    )


def steps_table(runs: pd.DataFrame) -> str:
    """Loss and R² of each length of training, beside the paper's loss (Table 3)."""
    rows = []
    for run in runs.itertuples():
        loss = digits(run.test_loss, 3) + dagger(run.standing)
        theirs = digits(TABLE_3[run.law, run.dim][run.model], 2)
        who = [cell_name(run.law, run.dim), MODEL_NAMES[run.model], f"{run.steps:,}"]
        rows.append([*who, loss, theirs, f"{run.r2:.4f}", run.seed])
    heads = ["cell", "model", "steps", "loss", "paper's loss", "R²", "seed"]
    return table(heads, rows) if rows else NONE


@styled
def steps_figure(runs: pd.DataFrame) -> tuple[Figure, str]:
    """Test loss against training steps, a dot a run, the paper's loss as a line."""
    groups = list(runs.groupby(CELL))
    figure, panels = grid(1, max(1, len(groups)), 0.8 + 2.6 * max(1, len(groups)), 2.9)
    said = []
    for panel, ((law, dim, model), group) in zip(panels, groups, strict=False):
        name, theirs = f"{cell_name(law, dim)}, {MODEL_NAMES[model]}", TABLE_3[law, dim][model]
        means = group.groupby("steps").test_loss.mean()
        panel.loglog(means.index, means, "-", color=BLUE, lw=1)
        panel.loglog(group.steps, group.test_loss, "o", color=BLUE, label="ours, `fast`")
        panel.axhline(theirs, color=ORANGE, ls="--", lw=1.8, label="the paper's, Table 3")
        panel.set(title=name, xlabel="training steps")
        panel.set_xlim(group.steps.min() / 1.6, group.steps.max() * 1.6)
        panel.set_ylim(min(group.test_loss.min(), theirs) / 1.4, group.test_loss.max() * 1.4)
        panel.set_xticks(means.index, [f"{steps:,}" for steps in means.index])
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter("{x:g}")
        panel.minorticks_off()
        panel.grid(axis="y", color=GREY, alpha=0.3, lw=0.5)
        ours = ", ".join(f"{digits(loss, 3)} at {steps:,}" for steps, loss in means.items())
        said.append(f"{name}: {ours}, paper {digits(theirs, 2)}")
    panels[0].set_ylabel("test loss (dimensionless)")
    if groups:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure, (
        "Test loss against the number of training steps on logarithmic axes, one panel a law, the "
        f"paper's loss as a dashed line. {'; '.join(said) or 'No trial is on record'}."
    )


def of_recipe(runs: pd.DataFrame, recipe: str) -> pd.DataFrame:
    """The trials that are of a recipe, or of one with something about it changed."""
    return runs[[TRIALS[name][1] == recipe for name in runs.trial]]


def control_table(runs: pd.DataFrame) -> str:
    """What the paper's own training says of messages after fewer and more steps."""
    rows = []
    for run in runs.itertuples():
        fits = (f"{run.record['r2'][what]['kept90']:.3f}" for what in ("force", "acceleration"))
        who = [cell_name(run.law, run.dim), MODEL_NAMES[run.model], f"{run.steps:,}"]
        theirs = f"{TABLE_1[run.law, run.dim][run.model]:.3f}"
        loss = digits(run.test_loss, 3) + dagger(run.standing)
        rows.append([*who, *fits, theirs, loss, run.seed])
    heads = [
        "cell",
        "model",
        "steps",
        "R² of force",
        "of acceleration",
        "paper's R²",
        "loss",
        "seed",
    ]
    return table(heads, rows) if rows else NONE


def energy_table(runs: pd.DataFrame) -> str:
    """FlatHGN's trials: loss beside the paper's, and how close H_pair's forces are to the law's."""
    rows = []
    for (law, dim, name), group in runs.groupby(["law", "dim", "trial"], sort=False):
        force = [one["r2"]["force"]["kept90"] for one in group.record]
        theirs = digits(TABLE_3[law, dim][FLATHGN], 2)
        about = [cell_name(law, dim), TRIALS[name][0] + dagger(*group.standing)]
        rows.append([*about, measured(group.test_loss), theirs, measured(force, 4), len(group)])
    heads = ["cell", "recipe", "loss", "paper's loss", "R² of force", "seeds"]
    return table(heads, rows) if rows else NONE


def recipe_table(preset: Preset) -> str:
    """The three recipes at a preset, in numbers; models that are trained alike share a column."""
    columns: dict[tuple, list[str]] = {}
    for recipe in RECIPES:
        for model, title in MODEL_NAMES.items():
            numbers = get_preset(preset, recipe).recipe_for(model).to_dict()
            columns.setdefault((recipe, *numbers.items()), []).append(title)
    heads = [f"{recipe}: {', '.join(titles)}" for (recipe, *_), titles in columns.items()]
    rows = []
    for name in dict(next(iter(columns))[1:]):
        if name == "name":
            continue
        values = (dict(numbers)[name] for _, *numbers in columns)
        rows.append([f"`{name}`", *(_plain(value) for value in values)])
    return table([f"preset `{preset.name}`", *heads], rows)


def _plain(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
