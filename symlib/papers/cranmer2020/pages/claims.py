"""The paper's claims, one by one: what tests each, what was measured, and the verdict in code.

A claim about the paper's networks is tested by `reference` and `plain`, which are told no more than
those; what `fast` gives stands beside it and decides nothing. Verdicts count cells or runs: all of
them, and the claim is reproduced; some, and it is so in part, with the count.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from symlib.book.markdown import digits, table
from symlib.choices import FLATHGN, MESSAGE_MODELS, RANK, RECIPES
from symlib.papers.cranmer2020 import data
from symlib.papers.cranmer2020.data import MODEL_NAMES, cell_name
from symlib.papers.cranmer2020.pages import equations, scoreboard, tables
from symlib.papers.cranmer2020.pages.runs import dagger
from symlib.papers.cranmer2020.pages.scoreboard import (
    BETTER,
    COMPARED,
    FAST,
    MISSING,
    NOT_REPRODUCED,
    REPRODUCED,
    Board,
    Entry,
)
from symlib.papers.cranmer2020.pages.training import heard

UNTESTABLE = "not testable here"
BIASED = "tested only with more inductive bias"
CELLS = "book/results/cells/{}/{}"


@dataclass(frozen=True)
class Claim:
    """One claim of the paper.

    Args:
        title: what is claimed, in a few words.
        where: in the paper.
        said: the claim in a sentence or two.
        tested_by: the records, by their place, or why there are none.
        measured: a line for each thing that was measured.
        verdicts: by whom -> verdict; of one that hangs on no recipe the key is empty.
    """

    title: str
    where: str
    said: str
    tested_by: str
    measured: tuple[str, ...]
    verdicts: dict[str, str]

    @property
    def verdict(self) -> str:
        """All verdicts in a line."""
        return "; ".join(f"`{who}`: {what}" if who else what for who, what in self.verdicts.items())


def read_claims(folder: Path | None = None) -> tuple[list[Claim], list[str]]:
    """Every claim with what is on record about it, and a line for each record that is none.

    Args:
        folder: with cells/, eight_bodies/, cosmology/ and what else a page reads; book/results
            when None.
    """
    board, chapter = scoreboard.read_board(folder), equations.read_chapter(folder)
    halos = {one["formula"]: one for one in tables.cosmology(folder and folder / "cosmology")}
    claims = [
        *(_forces(board, model) for model in MESSAGE_MODELS[1:]),
        _standard(board),
        _sparse(board),
        _laws(
            board,
            "Symbolic regression finds the law in sparse messages",
            "Fitted to the most significant message, symbolic regression recovers the law: for all "
            "bottleneck models, for L1 but on charge, for KL on springs and 1/r.",
            MESSAGE_MODELS[1:],
        ),
        _laws(
            board,
            "It finds none in the standard model's",
            "From the standard model's messages no law is recovered.",
            MESSAGE_MODELS[:1],
        ),
        _form(board),
        _rule(),
        _losses(board),
        _energies(board),
        _energies_predict(board),
        _eight(chapter),
        _raw(chapter),
        _generalises(halos),
        _own_formula(halos),
        _order(halos),
        _one_component(halos),
        *_untestable(),
    ]
    return claims, list(dict.fromkeys(board.problems + chapter.problems))


def counted(yes: int, of: int, meant: int | None = None) -> str:
    """A verdict from how many of what was looked at are as the paper says.

    Args:
        yes, of: how many are, of how many that were looked at.
        meant: how many the claim is about; `of` when None.
    """
    if of == 0:
        return MISSING
    so_far = "" if meant in (None, of) else f", {meant - of} not yet run"
    count = f"({yes} of {of}{so_far})"
    if yes == of:
        return f"{REPRODUCED} {count}"
    return f"{NOT_REPRODUCED if yes == 0 else 'reproduced in part'} {count}"


# Claims about the tables.

_MEANT = {
    "bottleneck": "A network whose messages have as many components as space has dimensions learns "
    "messages that are linear combinations of the true force's components.",
    "l1": "So does one with a hundred components and an L1 penalty on them, but on charge.",
    "kl": "So, less well, does one that pays for its messages' divergence from a normal "
    "distribution.",
}


def _forces(board: Board, model: str) -> Claim:
    """Of one sparse model's column of table 1."""
    theirs = [row[model] for row in data.TABLE_1.values()]
    return Claim(
        f"{MODEL_NAMES[model]} messages are forces",
        "section 4.1, table 1",
        _MEANT[model] + f" R² {min(theirs):.3f} to {max(theirs):.3f}.",
        f"`{CELLS.format('*', '*')}/*-{model}-*.json`; each cell by the rules of the scoreboard, "
        "and better is as good",
        **_by_recipe(board, lambda recipe: _fits(board, recipe, model)),
    )


def _standard(board: Board) -> Claim:
    return Claim(
        "The standard model's messages are no forces",
        "section 4.1, table 1",
        "Without a bottleneck or a penalty the messages are not linear combinations of forces: R² "
        "at most 0.036. This is the control on which the argument rests.",
        f"`{CELLS.format('*', '*')}/*-standard-*.json`; R² below {scoreboard.NO_FORCE}",
        **_by_recipe(board, lambda recipe: _fits(board, recipe, "standard")),
    )


def _fits(board: Board, recipe: str, model: str) -> tuple[str, str]:
    run, verdict = _marked(board, "1", recipe, (model,))
    return _range("R²", [one.mean for one in run], 3), verdict


def _sparse(board: Board) -> Claim:
    """Components that speak, of the L1 models."""

    def look(recipe):
        said, verdict = [], MISSING
        for model in ("l1", "standard"):
            records = [one for one in _runs(board, recipe, model).record if one.get("spectrum")]
            few = [heard(one) for one in records]
            if model == "l1":
                verdict = counted(sum(heard(one) == one["dim"] for one in records), len(few))
            if few:
                said.append(f"{MODEL_NAMES[model]} {min(few)} to {max(few)} (of 15 on record)")
        return "; ".join(said), verdict

    return Claim(
        "L1 makes messages sparse",
        "section 4.1, appendix D",
        "Under the L1 penalty the list of message components grows sparse by itself: in the end as "
        "many speak as space has dimensions.",
        f"`{CELLS.format('*', '*')}/*-l1-*.json`, run by run: components whose standard deviation "
        "is a tenth of the largest or more are as many as dimensions",
        **_by_recipe(board, look),
    )


def _laws(board: Board, title: str, said: str, models: tuple[str, ...]) -> Claim:
    """Table 5: what is found, and what is not."""

    def look(recipe):
        run, verdict = _marked(board, "5", recipe, models)
        found = {model: [one.mean > 0.5 for one in run if one.model == model] for model in models}
        each = (f"{MODEL_NAMES[model]} {sum(yes)} of {len(yes)}" for model, yes in found.items())
        return ", ".join(each) if run else "", verdict

    return Claim(
        title,
        "section 4.1, table 5",
        said,
        f"`{CELLS.format('*', '*')}/*.json`, table 5 cell by cell, by the rules of the "
        "scoreboard; below: cells whose law more than half of the seeds recover",
        **_by_recipe(board, look),
    )


def _form(board: Board) -> Claim:
    """Table 4: which masses stand in the equations."""

    def look(recipe):
        runs = _runs(board, recipe, "bottleneck")
        runs = runs[runs.law.isin(("r1", "r2"))]
        right = [_has(text, "m2") and not _has(text, "m1") for text in runs.equation]
        said = f"{sum(right)} of {len(right)}" if right else ""
        return said, counted(sum(right), len(right))

    return Claim(
        "Messages carry the sender's mass",
        "table 4, appendix C",
        "On 1/r and 1/r² the equations have the sender's mass and not the receiver's: messages are "
        "what the sender does, and φᵛ, which knows the receiver, needs no more.",
        f"`{CELLS.format('*', '*')}/r[12]-*-bottleneck-*.json`: selected equations with m2 and "
        "without m1",
        **_by_recipe(board, look),
    )


def _has(equation: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", equation) is not None


def _rule() -> Claim:
    """The selection rule on the paper's own errors."""
    told, yes = [], 0
    for (law, dim), shaded in data.TABLE_4_SELECTED.items():
        best = max(equations.paper_front(law), key=lambda row: row["score"])["complexity"]
        yes += best == shaded
        told.append(
            f"{cell_name(law, dim)}: the largest score is at complexity {best}, the paper shades "
            f"{shaded}"
        )
    return Claim(
        "The largest drop of the error selects the equation",
        "appendix C, table 4",
        "The equation with the largest drop of log error per unit of complexity is the one that is "
        "shaded in table 4.",
        "the paper's own errors in its table 4, put into its own rule",
        tuple(told),
        {"": counted(yes, len(told))},
    )


def _losses(board: Board) -> Claim:
    """Table 3: the price of sparse messages."""
    pairs = [(row, model) for row in data.TABLE_3 for model in ("bottleneck", "l1")]
    worst = max(data.TABLE_3[row][model] / data.TABLE_3[row]["standard"] for row, model in pairs)

    def look(recipe):
        ratios = [_over_standard(board, row, model, recipe) for row, model in pairs]
        ratios = [ratio for ratio in ratios if np.isfinite(ratio)]
        yes = sum(ratio <= worst * (1 + 1e-9) for ratio in ratios)
        return _range("loss / standard's", ratios, 2), counted(yes, len(ratios), len(pairs))

    return Claim(
        "Sparse messages predict as well",
        "table 3",
        "A bottleneck or an L1 penalty costs hardly any accuracy: at most "
        f"{worst:.2f} times the standard model's loss.",
        f"`{CELLS.format('*', '*')}/*.json`: losses of both models over the standard model's in "
        "the same row, no more than the paper's largest ratio",
        **_by_recipe(board, look),
    )


def _energies(board: Board) -> Claim:
    """The potential of charges."""

    def look(recipe):
        runs = _runs(board, recipe, FLATHGN)
        charges, others = (
            [one.get("pair_recovered") is True for one in some.record]
            for some in (runs[runs.law == "charge"], runs[runs.law != "charge"])
        )
        said = f"charge {sum(charges)} of {len(charges)}, other laws {sum(others)} of {len(others)}"
        return said if len(runs) else "", counted(sum(charges), len(charges))

    return Claim(
        "FlatHGN's pair energy is the potential",
        "appendix C, “Discovering potentials using FlatHGN”",
        "Symbolic regression of the pair energy gives q₁q₂/r on a charge simulation, up to a "
        "function of masses and charges alone.",
        f"`{CELLS.format('*', '*')}/charge-*-flathgn-*.json`, run by run",
        **_by_recipe(board, look),
    )


def _energies_predict(board: Board) -> Claim:
    """Table 3's last column beside its first."""
    paper = {row: cells[FLATHGN] < cells["standard"] for row, cells in data.TABLE_3.items()}

    def look(recipe):
        ratios = {row: _over_standard(board, row, FLATHGN, recipe) for row in paper}
        lower = {row: ratio < 1 for row, ratio in ratios.items() if np.isfinite(ratio)}
        named = ", ".join(cell_name(*row) for row, yes in lower.items() if yes) or "none"
        agree = sum(yes == paper[row] for row, yes in lower.items())
        return f"lower on {named}" if lower else "", counted(agree, len(lower), len(paper))

    theirs = ", ".join(cell_name(*row) for row, yes in paper.items() if yes)
    return Claim(
        "FlatHGN's losses beside the standard model's",
        "table 3",
        f"Its loss is below the standard model's on {theirs}, and above it elsewhere.",
        f"`{CELLS.format('*', '*')}/*-flathgn-*.json` and `*-standard-*.json`: on which side the "
        "loss lies, row by row",
        **_by_recipe(board, look),
    )


def _over_standard(board: Board, row, model: str, recipe: str) -> float:
    """A loss over the standard model's in the same row; NaN where one is not on record."""
    one, control = (board.entry("3", row, m, recipe).mean for m in (model, "standard"))
    return one / control


# Claims with studies of their own.


def _eight(chapter: equations.Chapter) -> Claim:
    """As the table's springs: sparse messages no worse, the standard model's no forces."""
    verdicts, told = {}, []
    for recipe in RECIPES:
        found = {
            m: one for m, one in chapter.eight("spring", recipe).items() if "failed" not in one
        }
        best = {m: max(fit["kept90"] for fit in one["r2"].values()) for m, one in found.items()}
        for model, r2 in best.items():
            how = f"`{recipe}`, preset `{found[model]['preset']}`"
            told.append(f"{MODEL_NAMES[model]}: R² {r2:.3f}, {how}")
        if recipe in COMPARED:
            theirs = data.TABLE_1["spring", 2]
            as_theirs = (
                r2 < scoreboard.NO_FORCE if m == "standard" else r2 > theirs[m] - 0.01
                for m, r2 in best.items()
            )
            verdicts[recipe] = counted(sum(as_theirs), len(best), len(MESSAGE_MODELS))
    return Claim(
        "Messages are forces among eight bodies too",
        "figure 5",
        "On springs between eight bodies the messages of the bottleneck, L1 and KL models are "
        "linear combinations of the forces.",
        "`book/results/eight_bodies/spring-*.json`; the standard model's R² below "
        f"{scoreboard.NO_FORCE}, the others' at most 0.01 below table 1's of springs in the plane",
        tuple(told),
        verdicts,
    )


def _raw(chapter: equations.Chapter) -> Claim:
    """Reproduced where raw regression keeps half the trivial error and the messages' a tenth."""
    record, told, verdict = chapter.raw, (), MISSING
    if record:
        fits = record["goodness"]
        left = {
            way: fits[way]["median_error"] / fits["trivial"]["median_error"]
            for way in ("raw", "raw_most_complex", "equations")
        }
        fails = min(left["raw"], left["raw_most_complex"]) > 0.5
        works = left["equations"] < 0.1
        word = REPRODUCED if fails and works else NOT_REPRODUCED
        verdict = f"{word}, with a network by `fast`"
        told = (
            f"raw regression: {100 * left['raw']:.0f}% of the trivial predictor's median error, "
            f"its most complex equation {100 * left['raw_most_complex']:.0f}%",
            f"equations of the messages: {digits(100 * left['equations'], 2)}%",
        )
    return Claim(
        "Symbolic regression alone fails",
        "appendix C, “Pure eureqa experiment”",
        "Given the raw features of six bodies, symbolic regression finds nothing; after a network "
        "has cut the problem into pairs it finds the law.",
        "`book/results/raw_regression-*.json`; both ways by Operon with the same examples, budget "
        "and aids, the network by `fast`. It fails with more than half of the trivial predictor's "
        "median error, and works with less than a tenth",
        told,
        {"": verdict},
    )


# Claims about halos, which are ours and not the paper's: how formulas stand to each other.

_BESIDE = "`book/results/cosmology/*.json`, on our universe"


def _generalises(halos: dict) -> Claim:
    told, verdict = _held_out(halos, "best_found_cutoff", "the formula read off our network")
    return Claim(
        "The network's formula generalises better than the network",
        "abstract, section 4.3",
        "Fitted to the 80% of the halos with smaller overdensity, the formula read off the network "
        "errs less on the other 20% than the network itself: 0.089 against 0.142.",
        _BESIDE + ": errors on the halos held out",
        told,
        {"": verdict},
    )


def _own_formula(halos: dict) -> Claim:
    told, verdict = _held_out(halos, "with_mass_cutoff", "the paper's formula, constants refitted")
    own = halos.get("with_own_mass_cutoff")
    if own:
        told += (f"with the halo's own mass added (ours): {digits(own['error_test'], 3)}",)
    return Claim(
        "The paper's own formula does so",
        "section 4.3, table 6",
        "The same, of the formula “best, with mass” as the paper prints it.",
        _BESIDE + ": errors on the halos held out; the formula's denominator can vanish, and "
        "the cosmology chapter shows where",
        told,
        {"": verdict},
    )


def _held_out(halos: dict, formula: str, what: str) -> tuple[tuple[str, ...], str]:
    found, network = halos.get(formula), halos.get("network_cutoff")
    if not found or not network:
        return (), MISSING
    ours, theirs = found["error_test"], network["error_test"]
    told = (f"{what}: {digits(ours, 3)}", f"the network: {digits(theirs, 3)}")
    return told, REPRODUCED if ours < theirs else NOT_REPRODUCED


def _order(halos: dict) -> Claim:
    rows = [name for name in data.TABLE_6 if name in halos]
    pairs = [(a, b) for k, a in enumerate(rows) for b in rows[k + 1 :]]
    agree = [
        (halos[a]["error_test"] < halos[b]["error_test"]) == (data.TABLE_6[a] < data.TABLE_6[b])
        for a, b in pairs
    ]
    ranked = sorted(rows, key=lambda name: halos[name]["error_test"])
    errors = (f"{name.replace('_', ' ')} {digits(halos[name]['error_test'], 3)}" for name in ranked)
    return Claim(
        "The order of the formulas",
        "table 6",
        "With mass (0.088) is best, then without mass (0.120) and the simple sum (0.121), then a "
        "constant (0.421).",
        _BESIDE + ": which of two formulas errs less, pair by pair",
        (", ".join(errors),) if rows else (),
        {"": counted(sum(agree), len(agree))},
    )


def _one_component(halos: dict) -> Claim:
    record = halos.get("network")
    told = ()
    if record:
        told = (f"{record['components']} of {len(record['spectrum'])} components speaks",)
    return Claim(
        "The halo network needs one message component",
        "appendix E",
        "Of a hundred components one has a standard deviation that counts.",
        "`book/results/cosmology/network-*.json`; our network's components are turned and "
        "silenced while it trains, so that few are left is not its own doing alone",
        told,
        {"": BIASED if told else MISSING},
    )


def _untestable() -> list[Claim]:
    return [
        Claim(
            "The constants and errors of table 6",
            "table 6",
            "Seven constants of each formula, for halos of a Quijote simulation.",
            "our halos are of another universe, an eighth as large, and the paper does not name "
            "its unit of length",
            (),
            {"": UNTESTABLE},
        ),
        Claim(
            "eureqa and PySR give equivalent results",
            "appendix C",
            "Given enough time, both find the same equations at this simplicity.",
            "eureqa is neither free nor open, and there is no Julia on the machine of these "
            "records; our equations are Operon's",
            (),
            {"": UNTESTABLE},
        ),
    ]


# What all of them need.


def _by_recipe(board: Board, look: Callable[[str], tuple[str, str]]) -> dict:
    """What each recipe's records say and how they decide, for a `Claim`.

    Args:
        board: the records.
        look: of a recipe, what was measured in words, empty where nothing was, and the verdict.
    """
    looked = {recipe: look(recipe) for recipe in RECIPES}
    return {
        "measured": tuple(_by(board, recipe, said) for recipe, (said, _) in looked.items()),
        "verdicts": {recipe: looked[recipe][1] for recipe in COMPARED},
    }


def _marked(
    board: Board, name: str, recipe: str, models: tuple[str, ...]
) -> tuple[list[Entry], str]:
    """The cells of some columns of a table that have been run, and the verdict by their marks."""
    entries = [one for one in board.table(name, recipe) if one.model in models]
    run = [one for one in entries if one.values]
    yes = sum(one.mark in (REPRODUCED, BETTER) for one in run)
    return run, counted(yes, len(run), len(entries))


def _runs(board: Board, recipe: str, model: str) -> pd.DataFrame:
    """The runs that count of a model in the rows of table 3, without those that broke down."""
    runs = board.counted
    mine = (runs.model == model) & (runs.recipe == recipe) & ~runs.failed
    rows = pd.Series(list(zip(runs.law, runs.dim, strict=True)), runs.index, dtype=object)
    return runs[mine & rows.isin([*data.TABLE_3])]


def _by(board: Board, recipe: str, said: str) -> str:
    """A line of what was measured by a recipe, a dagger where some of its records are old."""
    runs = board.counted[board.counted.recipe == recipe]
    who = f"`{recipe}`" + ", with more inductive bias" * (recipe == FAST)
    if not said:
        return f"{who}: not yet run"
    presets = ", ".join(f"`{preset}`" for preset in RANK if preset in set(runs.preset))
    return f"{who}, {presets}: {said}{dagger(*runs.standing)}"


def _range(what: str, values: Sequence[float], decimals: int) -> str:
    if not values:
        return ""
    low, high = min(values), max(values)
    if len(values) == 1:
        return f"{what} {low:.{decimals}f} in one cell"
    return f"{what} {low:.{decimals}f} to {high:.{decimals}f} over {len(values)} cells"


# On the page.


def overview(claims: list[Claim]) -> str:
    """Every claim with its verdict, a row each."""
    rows = [[k, one.title, one.where, one.verdict] for k, one in enumerate(claims, start=1)]
    return table(["", "claim", "in the paper", "verdict"], rows)


def in_full(claims: list[Claim]) -> str:
    """Every claim: what is said, what tests it, what was measured, the verdict."""
    parts = []
    for number, one in enumerate(claims, start=1):
        lines = [
            f"**{number}. {one.title}** ({one.where}). {one.said}",
            "",
            f"- *Tested by* {one.tested_by}.",
            *(f"- *Measured*, {line}." for line in one.measured),
            f"- **Verdict:** {one.verdict}.",
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


KINDS = ("reproduced", "in part", "not reproduced", "not yet run", "not tested")


def tally(claims: list[Claim]) -> dict[str, int]:
    """How many verdicts there are of each kind, in the order of `KINDS`."""
    kinds = [_kind(verdict) for one in claims for verdict in one.verdicts.values()]
    return {kind: kinds.count(kind) for kind in KINDS}


def _kind(verdict: str) -> str:
    if verdict in (UNTESTABLE, BIASED):
        return "not tested"
    if "in part" in verdict:
        return "in part"
    return next(kind for kind in KINDS if verdict.startswith(kind))
