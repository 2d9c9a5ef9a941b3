"""How far the loss falls with more and with more exact steps: a table and a figure of records."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from symlib.book.figures import BLUE, GREEN, GREY, ORANGE, grid, styled
from symlib.book.markdown import table
from symlib.papers.cranmer2020.data import TABLE_3, cell_name
from symlib.papers.cranmer2020.pages.scoreboard_tables import MODELS, OLD, digits
from symlib.papers.cranmer2020.pages.trial_tables import fits
from symlib.papers.cranmer2020.study.trials import STEPS, is_fresh, read_trials
from symlib.records.reading import RESULTS

TICKS = tuple(digit * 10.0**power for power in range(-3, 2) for digit in (1, 2, 5))
# Whether the last third is in float32 -> colour, marker and line, label.
SERIES = {
    False: (BLUE, "o-", "ours, the recipe"),
    True: (GREEN, "s:", "ours, the last third in float32"),
}
NONE = "*No trial of fewer or more steps is on record yet.*"


def steps_on_record(
    folder: Path | None = None,
) -> tuple[dict[tuple[str, int, str], list[dict]], list[str]]:
    """Records by law, dimension and model, in the order of their steps.

    Args:
        folder: where the records lie; book/results/steps when None.

    Returns:
        The records, and a line for each file that could not be read.
    """
    records, problems = read_trials(folder or RESULTS / "steps")
    groups: dict[tuple[str, int, str], list[dict]] = {}
    for record in sorted(records, key=lambda one: (one["steps"], _late(one), one["seed"])):
        if record["trial"] in STEPS:
            groups.setdefault((record["law"], record["dim"], record["model"]), []).append(record)
    return dict(sorted(groups.items())), problems


def steps_table(folder: Path | None = None) -> str:
    """Loss and R² of each length of training, beside the paper's loss (Table 3)."""
    groups, problems = steps_on_record(folder)
    rows, stale = [], False
    for (law, dim, model), records in groups.items():
        theirs = TABLE_3[law, dim][model]
        for record in records:
            old = "" if is_fresh(record) else f" {OLD}"
            stale |= bool(old)
            rows.append(
                [
                    cell_name(law, dim),
                    MODELS[model],
                    f"{record['steps']:,}",
                    "float32" if _late(record) else "same",
                    digits(record["test_loss"], 3) + old,
                    digits(theirs, 2),
                    f"{fits([record])[0]:.4f}",
                    record["seed"],
                ]
            )
    heads = ["cell", "model", "steps", "last third", "loss", "paper's loss", "R²", "seed"]
    parts = [table(heads, rows) if rows else NONE]
    if stale:
        parts.append(f"*{OLD} marks records of an earlier version of the code or of the recipe.*")
    return "\n\n".join(parts + [f"*Left out: {problem}.*" for problem in problems])


@styled
def steps_figure(folder: Path | None = None) -> tuple[Figure, str]:
    """Test loss against training steps, a dot a run, the paper's loss as a line."""
    groups, _ = steps_on_record(folder)
    figure, panels = grid(1, max(1, len(groups)), 0.8 + 2.6 * max(1, len(groups)), 2.9)
    said = []
    for panel, ((law, dim, model), records) in zip(panels, groups.items(), strict=False):
        theirs = TABLE_3[law, dim][model]
        steps = [record["steps"] for record in records]
        losses = [record["test_loss"] for record in records]
        for late, (colour, marker, label) in SERIES.items():
            runs = [record for record in records if _late(record) == late]
            panel.loglog(
                [record["steps"] for record in runs],
                [record["test_loss"] for record in runs],
                marker, color=colour, ms=6, lw=1.2, label=label,
            )  # fmt: skip
        panel.axhline(theirs, color=ORANGE, ls="--", lw=1.8, label="the paper's, Table 3")
        panel.set(title=f"{cell_name(law, dim)}, {MODELS[model]}", xlabel="training steps")
        panel.set_xlim(min(steps) / 1.6, max(steps) * 1.6)
        panel.set_ylim(min([*losses, theirs]) / 1.4, max([*losses, theirs]) * 1.4)
        panel.xaxis.set_major_locator(FixedLocator(sorted(set(steps))))
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        panel.xaxis.set_minor_locator(NullLocator())
        ticks = [at for at in TICKS if panel.get_ylim()[0] < at < panel.get_ylim()[1]]
        panel.yaxis.set_major_locator(FixedLocator(ticks))
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.grid(axis="y", color=GREY, alpha=0.3, lw=0.5)
        ours = ", ".join(
            f"{digits(one['test_loss'], 3)} at {one['steps']:,}{' float32' * _late(one)}"
            for one in records
        )
        said.append(f"{cell_name(law, dim)} {MODELS[model]}: {ours}, paper {digits(theirs, 2)}")
    panels[0].set_ylabel("test loss (dimensionless)")
    if groups:
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure, (
        "Test loss against the number of training steps on logarithmic axes, one panel a law, the "
        f"paper's loss as a dashed line. {'; '.join(said) or 'No trial is on record'}."
    )


def _late(record: dict) -> bool:
    return record["recipe"].get("float32_from", 1.0) < 1
