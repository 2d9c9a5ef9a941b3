"""Records, and the tables made from those of single runs."""

import json
import math

import numpy as np
import pytest
from put_records import put, row

from symlib.book.markdown import short
from symlib.choices import MESSAGE_MODELS
from symlib.errors import InputError
from symlib.papers.cranmer2020.pages import tables
from symlib.papers.cranmer2020.pages.runs import read_runs
from symlib.records.record import plain, provenance, read_record, write_record


def test_a_record_comes_back_as_it_went(tmp_path):
    path = write_record(tmp_path / "deep" / "a.json", {"value": 1.5, "provenance": provenance(2.0)})
    record = read_record(path)
    assert record["value"] == 1.5
    facts = record["provenance"]
    assert facts["seconds"] == 2.0 and facts["hardware"]["cores"] >= 1
    assert facts["versions"]["torch"] and facts["command"] and facts["date"].endswith("+00:00")
    assert [*path.parent.iterdir()] == [path]


def test_what_is_no_plain_json_is_refused_and_the_old_record_stays(tmp_path):
    path = write_record(tmp_path / "a.json", {"value": 1})
    for bad in (math.nan, np.zeros(2), object()):
        with pytest.raises(InputError, match=r"a\.json"):
            write_record(path, {"value": bad})
    assert read_record(path)["value"] == 1


def test_plain_makes_json_of_numpy():
    value = plain({"a": np.float64(1.5), "b": np.arange(3), "c": math.inf, 3: (True, None, "x")})
    assert value == {"a": 1.5, "b": [0, 1, 2], "c": None, "3": [True, None, "x"]}
    json.dumps(value, allow_nan=False)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', "\x80\x04N."])
def test_damaged_and_foreign_records_are_named(tmp_path, text):
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"bad\.json"):
        read_record(path)
    with pytest.raises(InputError, match="no such file"):
        read_record(tmp_path / "absent.json")


def test_runs_are_shown_at_the_largest_preset_and_as_the_grid_has_made_them_again(tmp_path):
    common = {"steps": 40_000, "provenance": {"hardware": {"cores": 2}}}
    (tmp_path / "discover").mkdir()
    # What was discovered lies in discover/, under any name.
    for name, law, preset, loss in (
        ("a", "spring", "ci", 0.3), ("b", "spring", "laptop", 0.9), ("c", "r1", "laptop", 0.75),
    ):  # fmt: skip
        path = put(tmp_path, law, preset=preset, test_loss=loss, **common)
        path.rename(tmp_path / "discover" / f"{name}.json")
    put(tmp_path, "spring", test_loss=0.0625, recovered=False, **common)
    # Another seed of it, and a cell that broke down, replace nothing.
    put(tmp_path, "spring", seed=1, **common)
    put(tmp_path, "r1", failed="NonFiniteLoss")
    (tmp_path / "discover" / "d.json").write_text("broken")
    text = tables.discoveries(*tables.on_record(*MESSAGE_MODELS, folder=tmp_path))
    assert row(text, "1/r-2, L1, seed 0")[4:] == ["0.750 (8.00)", "laptop, fast"]
    spring = ["`0.123*m2*dx/r^2`", "no", "0.9000 (acceleration)", "0.0625 (8.00)"]
    assert row(text, "Spring-2, L1, seed 0")[1:] == [*spring, "laptop, fast"]
    assert text.count("seed") == 2 and "40,000 steps" in text
    assert "Left out: record discover/d.json" in text and str(tmp_path) not in text
    assert "No run is on record" in tables.discoveries([])


def test_numbers_in_equations_are_rounded_and_names_are_not():
    equation = "m2*(-1.27222742*dx + 0.000123456*dy)/r**2"
    assert short(equation) == "m2*(-1.27*dx + 0.000123*dy)/r**2"


def test_every_committed_record_can_be_read():
    runs, problems = read_runs()
    assert not problems and {"bottleneck", "flathgn"} <= set(runs.model[runs.discovered])
    for record in runs.record[~runs.failed]:
        facts, energies = record["provenance"], record["model"] == "flathgn"
        assert facts["command"].startswith(("symlib discover", "symlib cell"))
        assert facts["versions"]["symlib"] and (record["seconds"] or 1) > 0
        assert set(record["r2"]) == {"force", "velocity" if energies else "acceleration"}
        assert not energies or {"pair_recovered", "self_recovered"} <= set(record)
    halos = tables.cosmology()
    rows = {record["formula"] for record in halos}
    assert rows >= {"constant", "simple", "without_mass", "with_mass", "with_mass_cutoff"}
    for record in halos:
        assert 0 < record["error_fit"] < 0.4 and 0 < record["error_test"] < 1
        assert record["provenance"]["command"].startswith("symlib halos")


def test_committed_benchmarks_are_shown_and_absent_ones_said_to_be_absent(tmp_path):
    assert "odeint" in tables.bench_simulate() and "| r2-2 | symlib |" in tables.bench_simulate()
    for table in (tables.bench_simulate, tables.bench_training):
        assert "not on record" in table(tmp_path)
