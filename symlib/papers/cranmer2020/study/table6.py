"""Table 6 measured: each formula with its constants refitted, on halos that were not fitted.

Three kinds of halos are predicted, the easiest first: a random fifth held out of the same box
(its halos have neighbours that were fitted, and share matter with them), all halos of a second
realisation, and, in the cutoff experiment of section 4.3, the fifth with the largest δ after a
fit to the others.
"""

import time
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from symlib.book.markdown import table
from symlib.cosmology.catalogue import Catalogue
from symlib.cosmology.formulas import FORMULAS, PAPER, get_formula, paper_constants, pole
from symlib.cosmology.neighbours import Features, features
from symlib.cosmology.refit import mean_error, refit
from symlib.errors import InputError
from symlib.papers.cranmer2020.data import CUTOFF, TABLE_6
from symlib.records.record import plain, provenance
from symlib.training.presets import get_preset

CHAPTER = "cosmology"
CUT = "_cutoff"
HELD_SHARE = 0.2
HELD_OUT = ("a random 20%", "the 20% with the largest delta")  # without a cutoff, and with one
OURS = ("with_own_mass", "with_own_mass_cutoff")
BOOTSTRAP = {"ci": 20, "laptop": 100, "paper": 200}
# (fitted, held out); Table 6 gives one error a row.
PAPER_ERRORS = {row: (None, error) for row, error in TABLE_6.items()} | {
    "with_mass_cutoff": CUTOFF["with_mass_cutoff"],
    "network_cutoff": CUTOFF["network"],
}
ROWS = (*PAPER, *OURS)
LABELS = {name: formula.label for name, formula in FORMULAS.items()} | {
    "with_mass_cutoff": "Best, with mass and cutoff",
    "with_own_mass_cutoff": "With its own mass and cutoff (ours)",
    "network": "Graph network",
    "network_cutoff": "Graph network, with cutoff",
    "best_found": "Best found here",
    "best_found_cutoff": "Best found here, with cutoff",
}


def fitted_halos(delta: np.ndarray, seed: int = 0, cutoff: bool = False) -> np.ndarray:
    """Which halos are fitted, the others being held out: shape [halos], bool.

    Args:
        delta: of all halos.
        seed: of a random split.
        cutoff: instead of a random fifth, hold out the fifth with the largest δ.

    Raises:
        InputError: fewer than three halos.
    """
    held = round(HELD_SHARE * len(delta))
    if held == 0:
        raise InputError(f"catalogue: {len(delta)} halos are too few to hold any out")
    order = np.random.default_rng(seed).permutation(len(delta))
    if cutoff:
        order = np.argsort(delta, kind="stable")[::-1]
    fitted = np.ones(len(delta), bool)
    fitted[order[:held]] = False
    return fitted


def table6(
    catalogue: Catalogue,
    seed: int = 0,
    preset: str = "ci",
    second: Catalogue | None = None,
    rows: Sequence[str] = ROWS,
    command: str | None = None,
    progress: bool = False,
) -> list[dict]:
    """Every row of Table 6 as a record.

    Args:
        catalogue: halos to fit and to test on.
        seed: of the split, the random starts and the bootstrap.
        preset: how many resamplings the standard errors get: 20, 100 or 200.
        second: another realisation, predicted with the constants of the first.
        rows: which rows, the paper's five and our own two unless told otherwise.
        command: how to repeat it, for the provenance.
        progress: show which row is being fitted.

    Returns:
        Records of plain JSON values with chapter, kind, formula, error_fit, error_test,
        error_test_median and, a formula with a pole being easily ruined by one halo,
        error_test_without_worst and worst (the error and the mass of the halo held out that is
        missed most, 10¹⁴ h⁻¹ M☉), error_second (None without a second realisation; in a cutoff row
        over the halos above the cut),
        error_paper_constants (over all halos, with the paper's constants), constants and
        identified (each a value and its standard error), half_radius (Mpc/h), pole (the halo
        mass at which with_mass divides by zero, 10¹⁴ h⁻¹ M☉, or None), and provenance.

    Raises:
        UnknownChoice: no preset, or no formula, of that name.
        InputError: a box too small for its neighbours, or too few halos.
    """
    preset = get_preset(preset).name
    for row in rows:
        get_formula(row.removesuffix(CUT))
    data = features(catalogue)
    other = None if second is None else features(second)
    records = []
    for row in tqdm(rows, desc="Table 6", disable=not progress):
        began = time.perf_counter()
        measured = _measured(row, data, other, seed, BOOTSTRAP[preset])
        about = {
            "kind": "cosmology",
            "chapter": CHAPTER,
            "formula": row,
            "preset": preset,
            "seed": seed,
            "bootstrap": BOOTSTRAP[preset],
            "held_out": HELD_OUT[row.endswith(CUT)],
            "catalogue": _about(catalogue),
            "second": None if second is None else _about(second),
            "provenance": provenance(time.perf_counter() - began, command),
        }
        records.append(plain(about | measured))
    return records


def _measured(row: str, data: Features, other: Features | None, seed: int, bootstrap: int) -> dict:
    cutoff, name = row.endswith(CUT), row.removesuffix(CUT)
    fitted = fitted_halos(data.delta, seed, cutoff)
    found = refit(name, data, fitted, bootstrap=bootstrap, seed=seed)
    missed = np.abs(get_formula(name)(data, found.values) - data.delta)[~fitted]
    worst = int(np.argmax(missed))
    asked = np.zeros(0, bool)
    if other is not None:
        asked = (other.delta > data.delta[fitted].max()) | (not cutoff)

    def known(values: dict) -> dict:
        return {
            key: {"value": value, "standard_error": found.standard_errors[key]}
            for key, value in values.items()
        }

    identified = known(found.identified)
    return {
        "error_fit": found.error(data, fitted),
        "error_test": found.error(data, ~fitted),
        "error_test_median": np.median(missed),
        "error_test_without_worst": np.delete(missed, worst).mean(),
        "worst": {"error": missed[worst], "mass": data.masses[~fitted][worst]},
        "error_second": found.error(other, asked) if asked.any() else None,
        "error_paper_constants": (
            mean_error(name, data, paper_constants(row)) if row in PAPER else None
        ),
        "paper": paper_errors(row),
        "constants": known(found.constants),
        "identified": identified,
        "half_radius": identified.get("half_radius"),
        "pole": pole(name, found.values),
        "starts": found.starts,
        "halos": {"fit": fitted.sum(), "test": (~fitted).sum(), "second": asked.sum()},
    }


def paper_errors(row: str) -> dict:
    """The paper's errors of a row by their names, None where it gives none."""
    return dict(zip(("error_fit", "error_test"), PAPER_ERRORS.get(row, (None, None)), strict=True))


def _about(catalogue: Catalogue) -> dict:
    made = catalogue.provenance
    return {
        "box": catalogue.box,
        "halos": len(catalogue),
        "least_mass": float(catalogue.masses.min()),
        "universe": made.get("universe"),
        "command": made.get("command"),
    }


def markdown(records: Sequence[dict]) -> str:
    """Table 6 as Markdown beside the paper's errors, one row a record.

    Args:
        records: of `table6`, or any with formula and error_fit; error_test, error_second and
            constants (names to numbers, or to value and standard_error) are shown where they
            are there.
    """
    rows = []
    for record in records:
        errors = [record.get(key) for key in ("error_fit", "error_test", "error_second")]
        theirs = [error for error in paper_errors(record["formula"]).values() if error is not None]
        constants = (record.get("constants") or {}).items()
        rows.append(
            [
                LABELS.get(record["formula"], record["formula"]),
                *("" if error is None else f"{error:.4f}" for error in errors),
                ", then ".join(f"{error:g}" for error in theirs),
                ", ".join(f"{name} = {_constant(given)}" for name, given in constants),
            ]
        )
    heads = ["formula", "fitted", "held out", "second realisation", "paper", "constants"]
    return table(heads, rows)


def cutoff_markdown(records: Sequence[dict]) -> str:
    """The rows with a cutoff as Markdown: how far each goes beyond what it was fitted to.

    Args:
        records: of `table6` or of the network, of which those with a cutoff are shown; what a
            record lacks is left open.
    """
    rows = []
    for record in records:
        if not record["formula"].endswith(CUT):
            continue
        fitted, held = record["error_fit"], record["error_test"]
        without, median = record.get("error_test_without_worst"), record.get("error_test_median")
        theirs = (error for error in paper_errors(record["formula"]).values() if error is not None)
        found = (fitted, held, without, median)
        rows.append(
            [
                LABELS[record["formula"]],
                *("" if error is None else f"{error:.4f}" for error in found),
                f"{held / fitted:.2f}",
                ", then ".join(f"{error:g}" for error in theirs),
                "" if record.get("pole") is None else f"{record['pole']:.3g}",
            ]
        )
    heads = ("fitted", "held out", "without the worst halo", "median", "held out / fitted", "paper")
    return table(["formula", *heads, "pole at M ="], rows)


def worst_markdown(records: Sequence[dict]) -> str:
    """What the one halo that with_mass misses most costs where the densest are held out."""
    for record in records:
        worst = record.get("worst")
        if record["formula"] == "with_mass_cutoff" and worst and record["pole"] is not None:
            count, kept = record["halos"]["test"], record["error_test_without_worst"]
            return (
                f"{LABELS[record['formula']]} divides by zero at M = {record['pole']:.5g}, and of "
                f"the {count:,} halos held out one has M = {worst['mass']:.5g}: its "
                f"error is {worst['error']:,.0f}. With it the mean is {record['error_test']:.3f}, "
                f"without it {kept:.3f}, and the median is {record['error_test_median']:.3f}."
            )
    return "*No row with a pole is on record.*"


def paper_constants_markdown(records: Sequence[dict]) -> str:
    """The paper's constants in our units, and how well they do on our halos, as Markdown.

    Args:
        records: of `table6`; rows that the paper does not have are left out.
    """
    rows = []
    for record in records:
        row = record["formula"]
        if row not in PAPER or record.get("error_paper_constants") is None:
            continue
        printed, ours = PAPER[row], paper_constants(row)
        rows.append(
            [
                LABELS[row],
                *(
                    ", ".join(f"C{k} = {value:.3g}" for k, value in enumerate(constants, 1))
                    for constants in (printed, ours)
                ),
                f"{record['error_paper_constants']:.4f}",
                f"{record['error_fit']:.4f}",
            ]
        )
    heads = ("as printed", "in our units", "mean error with them", "fitted again")
    return table(["formula", *heads], rows)


def _constant(given: dict | float) -> str:
    if not isinstance(given, dict):
        return f"{given:.3g}"
    value, error = f"{given['value']:.3g}", given["standard_error"]
    return f"{value} ± {error:.1g}" if error else f"{value} (fixed)"


def constants_of(record: dict) -> tuple[str, np.ndarray]:
    """The formula of a record, and its constants as that formula takes them.

    Raises:
        UnknownChoice: the record is of no formula of Table 6, e.g. of the network.
    """
    name = get_formula(record["formula"].removesuffix(CUT)).name
    return name, np.array([known["value"] for known in record["constants"].values()])
