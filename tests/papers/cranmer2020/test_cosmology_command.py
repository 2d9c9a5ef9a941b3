"""`symlib universe` and `symlib halos`: from a box to records, and refusals before long work."""

import dataclasses
import inspect

import pytest
from halos import halos_of, universe

from symlib import cli
from symlib.cosmology.catalogue import write_catalogue
from symlib.cosmology.universe.simulation import Universe
from symlib.papers.cranmer2020.pages import tables
from symlib.papers.cranmer2020.study import halo_network as experiments
from symlib.papers.cranmer2020.study import table6
from symlib.records.record import read_record


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_the_options_of_a_universe_are_its_settings():
    given = inspect.signature(cli.universe).parameters
    for name, value in dataclasses.asdict(Universe()).items():
        assert given[name].default == value


def test_bad_arguments_are_told_before_any_work(tmp_path, capsys):
    out = tmp_path / "records"
    assert run("halos", "--catalogue", tmp_path / "none.npz", "--out", out) == 2
    assert "none.npz" in capsys.readouterr().err
    path = tmp_path / "halos.npz"
    write_catalogue(path, halos_of("with_mass"))
    assert run("halos", "--catalogue", path, "--preset", "evening", "--out", out) == 2
    assert "evening" in capsys.readouterr().err
    assert run("halos", "--catalogue", path, "--out", path) == 2
    assert "name a folder" in capsys.readouterr().err
    assert not out.exists()


@pytest.fixture
def small(monkeypatch):
    """A network of seconds."""
    preset = experiments.NETWORK_PRESETS["ci"]
    recipe = dataclasses.replace(
        preset.recipe, steps=900, batch=32, learning_rate=5e-3, turn_every=60, alpha_start=10.0,
        precision="float32", compiled=False,
    )  # fmt: skip
    budget = {"searches": 2, "generations": 15, "rounds": 1, "max_complexity": 20}
    monkeypatch.setitem(
        experiments.NETWORK_PRESETS,
        "ci",
        dataclasses.replace(preset, recipe=recipe, hidden=32, budget=budget),
    )


@pytest.mark.slow
def test_every_row_gets_a_record_and_is_not_made_twice(tmp_path, small, capsys):
    first, second, out = tmp_path / "1.npz", tmp_path / "2.npz", tmp_path / "records"
    write_catalogue(first, universe(1200, seed=1, radius=35.0, box=300.0))
    write_catalogue(second, universe(1200, seed=2, radius=35.0, box=300.0))
    arguments = ["halos", "--catalogue", first, "--second", second, "--out", out, "--quiet"]
    arguments += ["--cache", tmp_path / "cache"]
    assert run(*arguments) == 0
    rows = {*table6.ROWS, "network", "best_found", "network_cutoff", "best_found_cutoff"}
    found = {path.stem: read_record(path) for path in out.glob("*.json")}
    assert set(found) == {f"{row}-ci-0" for row in rows}
    for record in found.values():
        assert record["chapter"] == "cosmology" and record["error_test"] > 0
        assert record["error_second"] > 0 and "provenance" in record and "constants" in record
    formula, constant = found["best_found-ci-0"], found["constant-ci-0"]
    assert formula["equation"]["composed"] and formula["tried"]
    assert formula["error_test"] <= formula["error_before_refit"]
    assert formula["error_test"] < 0.9 * constant["error_test"]
    assert tables.cosmology(out)[0]["formula"] == "constant"
    assert len(tables.cosmology(out)) == len(rows)
    capsys.readouterr()
    (out / "simple-ci-0.json").unlink()
    assert run(*arguments) == 0
    told = capsys.readouterr().out
    assert "on record: constant" in told and "on record: simple" not in told
    assert (out / "simple-ci-0.json").exists()
