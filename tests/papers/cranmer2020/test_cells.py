"""Cells of the tables: which there are, what is in their key, and running one."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from symlib import cli, discovery
from symlib.choices import RANK, RECIPES
from symlib.errors import NonFiniteLoss, UnknownChoice
from symlib.papers.cranmer2020.study import cells
from symlib.papers.cranmer2020.study.cells import Cell
from symlib.records.record import read_record, write_record
from symlib.training.presets import PRESETS

CELL = Cell("spring", 2, "l1", 0, "smoke")


@pytest.fixture
def discover(monkeypatch):
    """`discover` in no time; its list grows by a cell with every call, which `breaks` may stop."""
    found = SimpleNamespace(calls=[], breaks=None)

    def fake(law, dim, model, preset, seed, **options):
        found.calls.append((law, dim, model, preset.name, seed))
        if found.breaks:
            raise found.breaks
        fits = {"force": {"all": 0.9, "kept90": 0.99}, "acceleration": {"all": 0.1, "kept90": 0.2}}
        record = {
            "kind": "discovery", "law": law, "dim": dim, "bodies": 4, "model": model,
            "preset": preset.name, "seed": seed, "recipe": preset.recipe, "engine": "operon",
            "test_loss": 0.1, "trivial_loss": 7.0, "r2": fits, "recovered": True, "seconds": 1.0,
            "provenance": {"command": "pytest"},
        }  # fmt: skip
        return SimpleNamespace(record=record)

    monkeypatch.setattr(discovery, "discover", fake)
    return found


def command(tmp_path, **changes) -> list[str]:
    given = {"law": "spring", "dim": 2, "model": "l1", "seed": 0, "preset": "smoke"}
    given |= {"out": tmp_path / "records", "cache": tmp_path / "cache"} | changes
    return ["cell", "--quiet", *(str(w) for k, v in given.items() for w in (f"--{k}", v))]


def test_the_cells_of_each_table():
    first = cells.wanted("1", "laptop")
    assert len(first) == 2 * 4 * 4 * 3 and len(set(first)) == len(first)
    assert cells.wanted("5", "laptop") == first
    third = cells.wanted("3", "laptop")
    assert len(third) == 2 * 6 * 5 * 3 and set(first) < set(third)
    papers = {replace(c, preset="paper", recipe="reference") for c in third}
    assert set(cells.wanted("all", "paper")) == papers
    assert {c.recipe for c in third} == {"fast"}
    assert cells.wanted("1", "laptop", "plain") == [replace(c, recipe="plain") for c in first]
    pruned = cells.wanted("pruned", "laptop", "plain")
    assert len(pruned) == 8 * 3 and {cell.model for cell in pruned} == {"pruned"}
    # A first seed of everything comes before a second of anything.
    assert [cell.seed for cell in third] == sorted(cell.seed for cell in third)
    smoke = cells.wanted("1", "ci")
    assert len(smoke) == 8 and {cell.preset for cell in smoke} == {"smoke"}
    for table, preset, known in (
        ("2", "laptop", "1, 3, 5, pruned, all"),
        ("1", "huge", ", ".join(RANK)),
    ):
        with pytest.raises(UnknownChoice, match=known):
            cells.wanted(table, preset)
    own = Cell("book/examples/my_laws.py:YUKAWA", 2, "kl", 1, "laptop")
    assert own.path("x").as_posix() == "x/laptop/fast/yukawa-2-kl-1.json"


CELLS = st.builds(
    Cell,
    st.sampled_from(["spring", "r1", "charge"]),
    st.sampled_from([2, 3]),
    st.sampled_from(["bottleneck", "l1", "flathgn"]),
    st.integers(0, 3),
    st.sampled_from(RANK),
    st.sampled_from(RECIPES),
)


@settings(deadline=None)
@given(CELLS, CELLS)
def test_two_cells_share_neither_key_nor_file_unless_they_are_the_same(one, other):
    assert (one == other) == (one.path("x") == other.path("x"))
    # Names are not hashed but what they stand for, so ask those of one preset.
    if one.preset == other.preset:
        assert (one == other) == (one.key() == other.key())


@pytest.mark.parametrize(
    "change",
    [
        {"systems": 25},
        {"snapshots": 501},
        {"changes": {"learning_rate": 1e-4}},
        {"budget": {"searches": 2}},
    ],
)
def test_every_number_of_a_preset_is_in_the_key(monkeypatch, change, tmp_path, discover):
    record, _ = CELL.run(tmp_path)
    monkeypatch.setitem(PRESETS, "smoke", replace(PRESETS["smoke"], **change))
    assert CELL.standing(record) == "stale" and not CELL.is_done(tmp_path)


def test_a_new_verdict_judges_the_stored_front(tmp_path, discover):
    record, _ = CELL.run(tmp_path)
    made_by = {**record["made_by"], "judge": 0}
    stored = {"equation": "-3.0*dx*(r - 1)/r", "verdict": {"reason": "of old"}}
    write_record(CELL.path(tmp_path), {**record, **stored, "recovered": False, "made_by": made_by})
    again, new = CELL.run(tmp_path)
    assert new and len(discover.calls) == 1 and CELL.standing(again) == "fresh"
    assert again["recovered"] is True and again["verdict"]["quantity"] == "force"
    assert again["seconds"] == record["seconds"]


def test_a_cell_is_told_in_a_line_and_not_run_twice_unless_it_failed(tmp_path, discover, capsys):
    discover.breaks = KeyboardInterrupt()
    assert cli.main(command(tmp_path)) == 130
    assert not (tmp_path / "records").exists()
    discover.breaks = NonFiniteLoss(f"loss at step 7; the checkpoint is {tmp_path}/cache/x")
    assert cli.main(command(tmp_path)) == 0 and cli.main(command(tmp_path)) == 0
    text = CELL.path(tmp_path / "records").read_text()
    assert "NonFiniteLoss: loss at step 7" in text and str(tmp_path) not in text
    assert capsys.readouterr().out.count("failed, NonFiniteLoss") == 2 == len(discover.calls)
    discover.breaks = None
    assert cli.main([*command(tmp_path), "--retry"]) == 0 and cli.main(command(tmp_path)) == 0
    made, again = capsys.readouterr().out.splitlines()
    assert made.startswith("spring-2 l1 seed 0, smoke, fast: R² 0.9900 (force)")
    assert again == f"on record: {made}" and len(discover.calls) == 3
    record = read_record(CELL.path(tmp_path / "records"))
    assert record["provenance"]["command"] == CELL.command()


@pytest.mark.parametrize(
    "changes",
    [
        {"law": "gravity"}, {"dim": 4}, {"model": "mlp"}, {"seed": -1}, {"preset": "huge"},
        {"engine": "eureqa"}, {"out": __file__},
    ],
)  # fmt: skip
def test_a_bad_argument_stops_at_once_and_leaves_nothing(tmp_path, changes, capsys, discover):
    assert cli.main(command(tmp_path, **changes)) == 2
    assert str(next(iter(changes.values()))) in capsys.readouterr().err
    assert not discover.calls and not (tmp_path / "records").exists()


def test_a_collapsed_model_is_on_record_with_its_loss_and_a_constant(tmp_path, monkeypatch):
    """Messages that ended all equal are a result, not a failure."""
    fit = discovery.laws.fit_network

    def silent(*arguments, **options):
        run = fit(*arguments, **options)
        with torch.no_grad():
            run.network.edge_model[-1].weight.zero_()
            run.network.edge_model[-1].bias.zero_()
        return run

    monkeypatch.setattr(discovery.laws, "fit_network", silent)
    assert cli.main(command(tmp_path)) == 0
    record = read_record(CELL.path(tmp_path / "records"))
    assert "failed" not in record and record["test_loss"] > 0
    assert record["equation"] == "0.0" and record["complexity"] == 1
    assert record["recovered"] is False and "constant" in record["verdict"]["reason"]
    assert record["r2"]["force"]["kept90"] == pytest.approx(0.0, abs=1e-6)
