"""Table 6 measured: each formula with its constants refitted, on halos that were not fitted.

Three kinds of halos are predicted, the easiest first: a random fifth held out of the same box
(its halos have neighbours that were fitted, and share matter with them), all halos of a second
realisation, and, in the cutoff experiment of section 4.3, the fifth with the largest δ after a
fit to the others.
"""

import dataclasses
import time
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from symlib.cosmology.catalogue import Catalogue
from symlib.cosmology.formulas import FORMULAS, PAPER, get_formula, paper_constants, pole
from symlib.cosmology.neighbours import Features, features
from symlib.cosmology.refit import Refitted, held_out, mean_error, refit
from symlib.errors import InputError
from symlib.markdown import table
from symlib.paper import CUTOFF, TABLE_6
from symlib.presets import get_preset
from symlib.results import plain, provenance

CHAPTER = "cosmology"
CUT = "_cutoff"
KEPT = 0.8  # of the halos in the cutoff experiment, those with the smallest δ
# 215,854 halos in (1000 Mpc/h)³.
PAPER_NUMBER_DENSITY = 2.15854e-4  # (h / Mpc)³
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


def heaviest(catalogue: Catalogue, number_density: float = PAPER_NUMBER_DENSITY) -> Catalogue:
    """The heaviest halos of a catalogue, as many per volume as asked for.

    Constants that stand before a sum over neighbours depend on how many neighbours there are,
    so the paper's are to be compared with ours at the paper's number density.

    Args:
        number_density: halos per (Mpc/h)³.

    Raises:
        InputError: more halos than the catalogue has, or none.
    """
    count = round(number_density * catalogue.box**3)
    if not 0 < count <= len(catalogue):
        raise InputError(
            f"number_density: {number_density:g} makes {count} halos in this box, "
            f"and the catalogue has {len(catalogue)}"
        )
    kept = np.sort(np.argsort(-catalogue.masses, kind="stable")[:count])
    columns = {
        name: getattr(catalogue, name)[kept]
        for name in ("positions", "velocities", "masses", "delta")
    }
    return dataclasses.replace(catalogue, **columns)


def small_delta(delta: np.ndarray, share: float = KEPT) -> np.ndarray:
    """Which halos the cutoff keeps: the given share with the smallest δ, shape [halos], bool."""
    order = np.argsort(delta, kind="stable")
    kept = np.zeros(len(delta), bool)
    kept[order[: round(share * len(delta))]] = True
    return kept


def table6(
    catalogue: Catalogue,
    seed: int = 0,
    preset: str = "ci",
    second: Catalogue | None = None,
    starts: dict[str, Sequence[Sequence[float]]] | None = None,
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
        starts: formula -> constants to start from beside the paper's.
        rows: which rows, the paper's five and our own two unless told otherwise.
        command: how to repeat it, for the provenance.
        progress: show which row is being fitted.

    Returns:
        Records of plain JSON values with chapter, kind, formula, error_fit, error_test,
        error_test_median (a formula with a pole may be ruined by one halo), error_second (None
        without a second realisation; in a cutoff row over the halos above the cut),
        error_paper_constants (over all halos, with the paper's constants), constants and
        identified (each a value and its standard error), half_radius (Mpc/h), pole (the halo
        mass at which with_mass divides by zero, 10¹⁴ h⁻¹ M☉, or None), and provenance.

    Raises:
        UnknownChoice: no preset, or starts of no formula, of that name.
        InputError: a box too small for its neighbours, or too few halos.
    """
    preset = get_preset(preset).name
    starts = starts or {}
    for name in [*starts, *(row.removesuffix(CUT) for row in rows)]:
        get_formula(name)
    data = features(catalogue)
    other = None if second is None else features(second)
    test = held_out(len(data), seed)
    kept = small_delta(data.delta)
    records = []
    for row in tqdm(rows, desc="Table 6", disable=not progress):
        began = time.perf_counter()
        cutoff, name = row.endswith(CUT), row.removesuffix(CUT)
        fitted = kept if cutoff else ~test
        found = refit(
            name,
            data,
            fitted,
            ~fitted,
            starts=starts.get(name, ()),
            bootstrap=BOOTSTRAP[preset],
            seed=seed,
        )
        missed = np.abs(get_formula(name)(data, found.values) - data.delta)[~fitted]
        on_second, unseen = None, 0
        if other is not None:
            asked = other.delta > data.delta[kept].max() if cutoff else np.ones(len(other), bool)
            unseen = int(asked.sum())
            on_second = found.error(other, asked) if unseen else None
        records.append(
            plain(
                {
                    "kind": "cosmology",
                    "chapter": CHAPTER,
                    "formula": row,
                    "preset": preset,
                    "seed": seed,
                    **_measured(found, data, row),
                    "error_test_median": float(np.median(missed)),
                    "error_second": on_second,
                    "bootstrap": BOOTSTRAP[preset],
                    "halos": {
                        "fit": int(fitted.sum()),
                        "test": int((~fitted).sum()),
                        "second": unseen,
                    },
                    "held_out": "the 20% with the largest delta" if cutoff else "a random 20%",
                    "catalogue": _about(catalogue),
                    "second": None if second is None else _about(second),
                    "provenance": provenance(time.perf_counter() - began, command),
                }
            )
        )
    return records


def _measured(found: Refitted, data: Features, row: str) -> dict:
    def known(values: dict) -> dict:
        return {
            key: {"value": value, "standard_error": found.standard_errors[key]}
            for key, value in values.items()
        }

    combined, none = known(found.identified), (None, None)
    return {
        "error_fit": found.error_fit,
        "error_test": found.error_test,
        "error_paper_constants": (
            mean_error(found.formula, data, paper_constants(row)) if row in PAPER else None
        ),
        "paper": dict(zip(("error_fit", "error_test"), PAPER_ERRORS.get(row, none), strict=True)),
        "constants": known(found.constants),
        "identified": combined,
        "half_radius": combined.get("half_radius"),
        "pole": pole(found.formula, found.values),
        "starts": list(found.starts),
    }


def _about(catalogue: Catalogue) -> dict:
    made = catalogue.provenance
    return {
        "box": catalogue.box,
        "halos": len(catalogue),
        "least_mass": float(catalogue.masses.min()),
        "universe": made.get("universe"),
        "command": made.get("command"),
    }


def markdown(records: Sequence[dict], digits: int = 3) -> str:
    """Table 6 as Markdown beside the paper's errors, one row a record.

    Args:
        records: of `table6`, or any with formula and error_fit; error_test, error_second,
            constants (names to numbers, or to value and standard_error) and half_radius are
            shown where they are there.
        digits: significant digits of a constant.
    """
    rows = []
    for record in records:
        row = record["formula"]
        theirs = [error for error in PAPER_ERRORS.get(row, ()) if error is not None]
        errors = [record.get(key) for key in ("error_fit", "error_test", "error_second")]
        cells = [
            LABELS.get(row, row),
            *("" if error is None else f"{error:.4f}" for error in errors),
            ", then ".join(f"{error:g}" for error in theirs),
            _constants(record.get("constants") or {}, digits),
        ]
        rows.append(cells)
    return table(
        ["formula", "fitted", "held out", "second realisation", "paper", "constants"], rows
    )


def _constants(constants: dict, digits: int) -> str:
    shown = []
    for name, given in constants.items():
        value, error = given, None
        if isinstance(given, dict):
            value, error = given["value"], given.get("standard_error")
        text = f"{name} = {value:.{digits}g}"
        if error == 0:
            text += " (fixed)"
        elif error is not None:
            text += f" ± {error:.1g}"
        shown.append(text)
    return ", ".join(shown)


def constants_of(record: dict) -> tuple[str, np.ndarray]:
    """The formula of a record, and its constants as that formula takes them.

    Raises:
        UnknownChoice: the record is of no formula of Table 6, e.g. of the network.
    """
    name = get_formula(record["formula"].removesuffix(CUT)).name
    return name, np.array([known["value"] for known in record["constants"].values()])
