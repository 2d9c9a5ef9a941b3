"""Cells of the tables: which there are, when one is done, and what a broken one leaves behind."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from symlib import cli, discovery
from symlib.choices import RANK
from symlib.errors import InputError, NonFiniteLoss, UnknownChoice
from symlib.papers.cranmer2020.study import cells
from symlib.papers.cranmer2020.study.cells import Cell
from symlib.records.record import read_record, write_record
from symlib.training.presets import PRESETS, get_preset

CELL = Cell("spring", 2, "l1", 0, "smoke")


class Found:
    """What `discover` returns, as far as a cell looks at it."""

    def __init__(self, law, dim, model, preset, seed, loss):
        fits = {"force": {"all": 0.9, "kept90": 0.99}, "acceleration": {"all": 0.1, "kept90": 0.2}}
        self.record = {
            "kind": "discovery", "law": law, "dim": dim, "bodies": 4, "model": model,
            "preset": preset.name, "seed": seed, "engine": "operon", "test_loss": loss,
            "trivial_loss": 7.0, "r2": fits, "recovered": True, "seconds": 1.0,
            "provenance": {"command": "pytest"},
        }  # fmt: skip


@pytest.fixture
def discover(monkeypatch):
    """`discover` in no time; its list grows by a cell with every call."""
    calls = []

    def fake(law, dim, model, preset, seed, **options):
        calls.append((law, dim, model, preset.name, seed))
        return Found(law, dim, model, preset, seed, loss=0.1 * len(calls))

    monkeypatch.setattr(discovery, "discover", fake)
    return calls


def test_the_cells_of_each_table():
    first = cells.wanted("1", "laptop")
    assert len(first) == 4 * 4 * 3 + 4 * 4 * 1 and len(set(first)) == len(first)
    assert cells.wanted("5", "laptop") == first
    third = cells.wanted("3", "laptop")
    assert len(third) == 6 * 5 * 3 + 6 * 5 * 1 and set(first) < set(third)
    assert set(cells.wanted("all", "paper")) == {replace(c, preset="paper") for c in third}
    # A first seed of everything comes before a second of anything.
    assert [cell.seed for cell in third] == sorted(cell.seed for cell in third)
    smoke = cells.wanted("1", "ci")
    assert len(smoke) == 8 and {cell.preset for cell in smoke} == {"smoke"}
    for table, preset in (("2", "laptop"), ("1", "huge")):
        with pytest.raises(UnknownChoice):
            cells.wanted(table, preset)


CELLS = st.builds(
    Cell,
    st.sampled_from(["spring", "r1", "charge"]),
    st.sampled_from([2, 3]),
    st.sampled_from(["bottleneck", "l1", "flathgn"]),
    st.integers(0, 3),
    st.sampled_from(RANK),
)


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
        {"recipe": replace(PRESETS["smoke"].recipe, learning_rate=1e-4)},
        {"budget": {"searches": 2}},
    ],
)
def test_every_number_of_a_preset_is_in_the_key(monkeypatch, change):
    before = CELL.key()
    monkeypatch.setitem(PRESETS, "smoke", replace(PRESETS["smoke"], **change))
    assert CELL.key() != before


def test_a_finished_cell_is_not_run_twice_and_a_changed_input_is(tmp_path, discover, monkeypatch):
    first, new = CELL.run(tmp_path)
    assert new and CELL.is_done(tmp_path) and len(discover) == 1
    assert first["provenance"]["command"] == CELL.command()
    again, new = CELL.run(tmp_path)
    assert not new and again == first and len(discover) == 1
    monkeypatch.setitem(PRESETS, "smoke", replace(PRESETS["smoke"], systems=25))
    assert CELL.standing(first) == "stale" and not CELL.is_done(tmp_path)
    _, new = CELL.run(tmp_path)
    assert new and len(discover) == 2 and CELL.is_done(tmp_path)


def test_a_new_verdict_judges_the_stored_front(tmp_path, discover, monkeypatch):
    record, _ = CELL.run(tmp_path)
    made_by = {**record["made_by"], "judge": 0}
    stored = {"equation": "-3.0*dx*(r - 1)/r", "verdict": {"reason": "of old"}}
    write_record(CELL.path(tmp_path), {**record, **stored, "recovered": False, "made_by": made_by})
    again, new = CELL.run(tmp_path)
    assert new and len(discover) == 1 and CELL.standing(again) == "fresh"
    assert again["recovered"] is True and again["verdict"]["quantity"] == "force"
    assert again["seconds"] == record["seconds"]


def command(tmp_path, **changes) -> list[str]:
    given = {"law": "spring", "dim": 2, "model": "l1", "seed": 0, "preset": "smoke"}
    given |= {"out": tmp_path / "records", "cache": tmp_path / "cache"} | changes
    return ["cell", "--quiet", *(str(w) for k, v in given.items() for w in (f"--{k}", v))]


def test_a_cell_that_fails_is_on_record_with_its_reason(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(discovery, "prepare", lambda *a, **k: None)
    runs = []

    def broken(*arguments, **options):
        runs.append(arguments)
        raise NonFiniteLoss(f"loss at step 7; the checkpoint is {options['cache']}/x")

    monkeypatch.setattr(discovery, "discover", broken)
    assert cli.main(command(tmp_path)) == 0
    record = read_record(CELL.path(tmp_path / "records"))
    assert "NonFiniteLoss: loss at step 7" in record["failed"]
    assert str(tmp_path) not in CELL.path(tmp_path / "records").read_text()
    assert record["seed"] == 0 and record["provenance"]["versions"]["torch"]
    assert "failed, NonFiniteLoss" in capsys.readouterr().out
    # It is done, until someone asks for another try.
    assert cli.main(command(tmp_path)) == 0 and len(runs) == 1
    assert cli.main([*command(tmp_path), "--retry"]) == 0 and len(runs) == 2


def test_an_interrupt_is_no_failure(tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(discovery, "prepare", interrupted)
    assert cli.main(command(tmp_path)) == 130
    assert not (tmp_path / "records").exists()


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
    assert not discover and not (tmp_path / "records").exists()


def test_a_missing_engine_stops_at_once(tmp_path, monkeypatch, discover):
    monkeypatch.setattr("symlib.symbolic.search.engines.find_julia", lambda: None)
    assert cli.main(command(tmp_path, engine="pysr")) == 3
    assert not discover


def test_a_cell_is_printed_in_one_line(tmp_path, discover, monkeypatch, capsys):
    monkeypatch.setattr(discovery, "prepare", lambda *a, **k: None)
    for start in ("spring-2 l1 seed 0", "on record: spring-2 l1 seed 0"):
        assert cli.main(command(tmp_path)) == 0
        out = capsys.readouterr().out
        assert out.startswith(start) and out.count("\n") == 1 and "R² 0.9900 (force)" in out


def test_records_of_a_law_of_ones_own_have_a_plain_name():
    cell = Cell("book/examples/my_laws.py:YUKAWA", 2, "kl", 1, "laptop")
    assert cell.path("x").as_posix() == "x/laptop/yukawa-2-kl-1.json"


def test_an_unknown_preset_lists_those_of_the_grid():
    with pytest.raises(InputError, match="smoke, ci, laptop, paper"):
        get_preset("huge")


def test_a_collapsed_model_is_on_record_with_its_loss_and_a_constant(tmp_path, monkeypatch):
    """Messages that ended all equal are a result, not a failure."""
    fit = discovery.fit_network

    def silent(*arguments, **options):
        run = fit(*arguments, **options)
        with torch.no_grad():
            run.network.edge_model[-1].weight.zero_()
            run.network.edge_model[-1].bias.zero_()
        return run

    monkeypatch.setattr(discovery, "fit_network", silent)
    assert cli.main(command(tmp_path)) == 0
    record = read_record(CELL.path(tmp_path / "records"))
    assert "failed" not in record and record["test_loss"] > 0
    assert record["equation"] == "0.0" and record["complexity"] == 1
    assert record["recovered"] is False and "constant" in record["verdict"]["reason"]
    assert record["r2"]["force"]["kept90"] == pytest.approx(0.0, abs=1e-6)
