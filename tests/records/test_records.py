"""Records and the tables made from them."""

import json
import math

import numpy as np
import pytest

from symlib.book.markdown import short
from symlib.errors import InputError
from symlib.papers.cranmer2020.pages import tables
from symlib.records.record import plain, provenance, read_record, write_record


def discovery(**changes) -> dict:
    fits = {"force": {"all": 0.9, "kept90": 0.995}, "acceleration": {"all": 0.3, "kept90": 0.4}}
    record = {
        "kind": "discovery", "law": "spring", "dim": 2, "model": "bottleneck", "preset": "ci",
        "seed": 0, "steps": 8000, "r2": fits, "test_loss": 0.5, "trivial_loss": 7.0,
        "equation": "(-1.272227425 + 1.2611299/r)*(dx + 0.58169888*dy)", "recovered": True,
        "provenance": {"hardware": {"cores": 2}},
    }  # fmt: skip
    return {**record, **changes}


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


def test_the_table_shows_the_largest_preset_and_names_what_it_left_out(tmp_path):
    write_record(tmp_path / "a.json", discovery())
    write_record(tmp_path / "b.json", discovery(preset="laptop", steps=40_000, recovered=False))
    write_record(tmp_path / "c.json", discovery(law="r1"))
    (tmp_path / "d.json").write_text("broken")
    write_record(tmp_path / "e.json", {"kind": "other"})
    text = tables.discoveries(folder=tmp_path)
    rows = [line for line in text.splitlines() if line.startswith("| ") and "R²" not in line]
    assert len(rows) == 2
    assert "r1-2" in rows[0] and "spring-2" in rows[1] and "| no |" in rows[1]
    assert "40,000 steps" in text and "Left out: record d.json" in text and "e.json" in text
    assert str(tmp_path) not in text


def test_a_run_that_the_grid_made_again_is_shown_as_the_grid_has_it(tmp_path):
    old, new = tmp_path / "discover", tmp_path / "cells" / "laptop"
    write_record(old / "a.json", discovery(preset="laptop", recovered=False, test_loss=0.9))
    write_record(new / "spring-2-bottleneck-0.json", discovery(preset="laptop", test_loss=0.0625))
    # Another seed of it, and a cell that broke down, replace nothing.
    write_record(new / "spring-2-bottleneck-1.json", discovery(preset="laptop", seed=1))
    write_record(old / "b.json", discovery(law="r1", preset="laptop", test_loss=0.75))
    failed = {"kind": "discovery", "failed": "NonFiniteLoss"}
    write_record(new / "r1-2-bottleneck-0.json", failed)
    text = tables.discoveries(folder=old)
    assert "0.0625" in text and "0.9 " not in text and "0.75" in text
    assert len([line for line in text.splitlines() if "seed" in line]) == 2


def test_a_table_without_records_says_so(tmp_path):
    assert "No run is on record" in tables.discoveries(folder=tmp_path)


def test_numbers_in_equations_are_rounded_and_names_are_not():
    assert short("m2*(-1.27222742*dx + 0.000123456*dy)/r**2") == (
        "m2*(-1.27*dx + 0.000123*dy)/r**2"
    )


def test_every_committed_record_can_be_read():
    records, problems = tables.read_discoveries()
    assert not problems
    for record in records:
        facts = record["provenance"]
        assert (
            facts["command"].startswith(("symlib discover", "symlib cell"))
            and facts["versions"]["symlib"]
        )
        energies = record["model"] == "flathgn"
        assert (record["seconds"] or 1) > 0
        assert set(record["r2"]) == {"force", "velocity" if energies else "acceleration"}
        assert not energies or {"pair_recovered", "self_recovered"} <= set(record)


def test_committed_records_of_halos_hold_what_a_reader_needs():
    found = tables.cosmology()
    rows = {record["formula"] for record in found}
    assert rows >= {"constant", "simple", "without_mass", "with_mass", "with_mass_cutoff"}
    for record in found:
        assert record["chapter"] == "cosmology" and record["preset"] == "laptop"
        assert 0 < record["error_fit"] < 0.4 and 0 < record["error_test"] < 1
        assert record["provenance"]["command"].startswith("symlib halos")
        assert isinstance(record["constants"], dict)


def test_committed_benchmarks_are_shown_and_absent_ones_said_to_be_absent(tmp_path):
    assert "odeint" in tables.bench_simulate() and "| r2-2 | symlib |" in tables.bench_simulate()
    for table in (tables.bench_simulate, tables.bench_training):
        assert "not on record" in table(tmp_path)
