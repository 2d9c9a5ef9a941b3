"""The paper's claims: each verdict is a count of records, by recipes that are told no more."""

import pytest
from put_records import put, put_eight, put_raw

from symlib.papers.cranmer2020.data import TABLE_1
from symlib.papers.cranmer2020.pages import claims
from symlib.papers.cranmer2020.pages.claims import counted, read_claims
from symlib.papers.cranmer2020.pages.scoreboard import MISSING, NOT_REPRODUCED, REPRODUCED
from symlib.papers.cranmer2020.study.raw_regression import WAYS
from symlib.records.record import write_record


def claim(folder, title: str) -> claims.Claim:
    found, _ = read_claims(folder)
    return next(one for one in found if one.title.startswith(title))


def halo(folder, formula: str, error: float, **changes) -> None:
    record = {"kind": "cosmology", "formula": formula, "preset": "laptop", "seed": 0}
    write_record(
        folder / "cosmology" / f"{formula}.json", {**record, "error_test": error, **changes}
    )


def raw(folder, **errors) -> None:
    """A record of the pure regression with these median errors."""
    fit = {"mae": 1.0, "r2": 0.0, "r2_kept90": 0.0}
    put_raw(folder, goodness={way: {**fit, "median_error": errors.get(way, 1.0)} for way in WAYS})


def test_nothing_on_record_is_not_yet_run_and_what_cannot_be_tested_says_why(tmp_path):
    found, problems = read_claims(tmp_path)
    assert not problems and len({one.title for one in found}) == len(found)
    # The rule is tested on the paper's own numbers; the last two by nothing here.
    assert claims.tally(found) == {
        "reproduced": 0, "in part": 1, "not reproduced": 0, "not yet run": 29, "not tested": 2,
    }  # fmt: skip
    text = claims.in_full(found)
    assert "neither free nor open" in text and "another universe" in text
    assert len(claims.overview(found).splitlines()) == len(found) + 2


@pytest.mark.parametrize(
    ("yes", "of", "meant", "said"),
    [
        (0, 0, 8, "not yet run"),
        (8, 8, 8, "reproduced (8 of 8)"),
        (2, 2, 8, "reproduced (2 of 2, 6 not yet run)"),
        (3, 8, 8, "reproduced in part (3 of 8)"),
        (0, 4, None, "not reproduced (0 of 4)"),
    ],
)
def test_a_verdict_is_a_count(yes, of, meant, said):
    assert counted(yes, of, meant) == said


def test_the_standard_model_is_the_control_and_fast_decides_nothing(tmp_path):
    for recipe, r2 in (("reference", 0.03), ("plain", 0.6), ("fast", 0.98)):
        put(tmp_path, model="standard", recipe=recipe, r2=r2, recovered=recipe != "reference")
    control = claim(tmp_path, "The standard model's")
    assert control.verdicts == {
        "reference": "reproduced (1 of 1, 7 not yet run)",
        "plain": "not reproduced (0 of 1, 7 not yet run)",
    }
    assert any("R² 0.980 in one cell" in line for line in control.measured)
    laws = claim(tmp_path, "It finds none")
    assert set(laws.verdicts) == {"reference", "plain"}
    assert laws.verdicts["reference"].startswith("reproduced (1 of 1")
    assert laws.verdicts["plain"].startswith("not reproduced")
    # Old records are marked.
    put(tmp_path, model="standard", recipe="plain", r2=0.6, key="older")
    lines = claim(tmp_path, "The standard model's").measured
    assert [line.endswith("†") for line in lines] == [False, True, False]


def test_sparse_models_are_counted_cell_by_cell(tmp_path):
    for law, dim in TABLE_1:
        put(tmp_path, law, dim, "bottleneck", recipe="reference", r2=0.999)
        put(tmp_path, law, dim, "bottleneck", recipe="plain", r2=0.5)
    put(tmp_path, "spring", 2, "bottleneck", recipe="plain", r2=0.999)
    assert claim(tmp_path, "Bottleneck").verdicts == {
        "reference": "reproduced (8 of 8)", "plain": "reproduced in part (1 of 8)",
    }  # fmt: skip


def test_the_form_of_equations_and_the_spectrum_are_read_from_runs(tmp_path):
    put(tmp_path, "r1", model="bottleneck", recipe="plain", equation="m2*dx/r**2")
    put(tmp_path, "r1", 3, "bottleneck", recipe="plain", equation="m1*m2*dx/r**2")
    put(tmp_path, "spring", model="bottleneck", recipe="plain", equation="dx")
    form = claim(tmp_path, "Messages carry")
    assert form.verdicts["plain"] == "reproduced in part (1 of 2)"
    put(tmp_path, recipe="plain", spectrum=[1.0, 0.9, 0.05, 0.0])
    put(tmp_path, recipe="plain", seed=1, spectrum=[1.0, 0.9, 0.5, 0.0])
    put(tmp_path, model="standard", recipe="plain", spectrum=[1.0] * 15)
    sparse = claim(tmp_path, "L1 makes")
    assert sparse.verdicts["plain"] == "reproduced in part (1 of 2)"
    assert any("L1 2 to 3" in line and "Standard 15 to 15" in line for line in sparse.measured)


def test_losses_are_compared_within_a_row(tmp_path):
    for model, loss in (("standard", 0.1), ("bottleneck", 0.11), ("l1", 0.2), ("flathgn", 0.05)):
        put(tmp_path, model=model, recipe="plain", test_loss=loss, pair_recovered=False)
    said = claim(tmp_path, "Sparse messages predict").verdicts["plain"]
    assert said == "reproduced in part (1 of 2, 22 not yet run)"
    # On springs the paper's FlatHGN is better, too.
    said = claim(tmp_path, "FlatHGN's losses").verdicts["plain"]
    assert said == "reproduced (1 of 1, 11 not yet run)"
    put(tmp_path, "charge", model="flathgn", recipe="plain", pair_recovered=True, recovered=False)
    assert claim(tmp_path, "FlatHGN's pair").verdicts["plain"] == "reproduced (1 of 1)"


def test_raw_regression_must_fail_where_the_network_works(tmp_path):
    raw(tmp_path, equations=0.04)
    assert claim(tmp_path, "Symbolic regression alone").verdict.startswith(REPRODUCED)
    raw(tmp_path, equations=0.04, raw=0.2)
    assert claim(tmp_path, "Symbolic regression alone").verdict.startswith(NOT_REPRODUCED)
    raw(tmp_path, equations=0.4)
    assert claim(tmp_path, "Symbolic regression alone").verdict.startswith(NOT_REPRODUCED)


def test_formulas_are_held_against_the_network_on_the_same_halos(tmp_path):
    halo(tmp_path, "network_cutoff", 0.3)
    assert claim(tmp_path, "The paper's own formula").verdict == MISSING
    halo(tmp_path, "with_mass_cutoff", 0.9)
    halo(tmp_path, "best_found_cutoff", 0.2)
    assert claim(tmp_path, "The paper's own formula").verdict == NOT_REPRODUCED
    assert claim(tmp_path, "The network's formula").verdict == REPRODUCED
    for formula, error in (("with_mass", 0.06), ("simple", 0.09), ("without_mass", 0.1)):
        halo(tmp_path, formula, error)
    # The paper's simple sum is just behind the formula without mass.
    assert claim(tmp_path, "The order").verdict == "reproduced in part (2 of 3)"


def test_what_only_fast_has_done_is_no_test(tmp_path):
    put_eight(tmp_path)
    # What is told more decides nothing.
    eight = claim(tmp_path, "Messages are forces among eight")
    assert eight.verdict == "`reference`: not yet run; `plain`: not yet run"
    assert any("`fast`" in one for one in eight.measured)
    put_eight(tmp_path, recipe="plain")
    eight = claim(tmp_path, "Messages are forces among eight")
    assert "`plain`: not reproduced (0 of 1, 3 not yet run)" in eight.verdict
