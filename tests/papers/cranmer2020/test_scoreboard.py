"""The scoreboard: every number on it is a record's, and what is wrong with a record is said."""

import shutil

import pytest
from put_records import put, row

from symlib.book.markdown import digits
from symlib.papers.cranmer2020.pages import runs, scoreboard
from symlib.papers.cranmer2020.pages.scoreboard import (
    BETTER,
    EQUAL,
    FAILED,
    GOALS,
    MISSING,
    NEITHER,
    WORSE,
    judge,
    read_board,
)
from symlib.records.record import read_record, write_record


def shown(folder, table="1", cell="Spring-2", model="L1") -> list[str]:
    """What a table has on a cell, after its name and model."""
    return row(scoreboard.cells(read_board(folder), table), cell, model)[2:]


def notes(folder) -> str:
    board = read_board(folder)
    return runs.notes(board.runs, board.problems)


def goal(folder, title: str) -> list[str]:
    return row(scoreboard.goals_table(read_board(folder)), title)[1:]


def test_ours_is_mean_and_spread_over_seeds_of_the_better_quantity(tmp_path):
    files = [
        put(tmp_path, seed=seed, r2=r2, recovered=seed > 0, test_loss=0.1 * (seed + 1))
        for seed, r2 in enumerate((0.7, 0.8, 0.9))
    ]
    ours = ["1.000", "0.800 ± 0.100", "▼", "1.000", "0.700 ± 0.100", "▼"]
    assert shown(tmp_path) == [*ours, "3", "laptop"]
    assert shown(tmp_path, "3")[:5] == ["0.045", "0.200 ± 0.100", "▼", "8.00", "0.025"]
    assert shown(tmp_path, "5") == ["yes", "2 of 3", "●", "3", "laptop"]
    text = scoreboard.totals(read_board(tmp_path))
    assert "| Table 1: messages and forces | 32 | 0 | 0 | 1 | 0 | 0 | 31 |" in text
    # A number goes with its record.
    files[0].unlink()
    assert shown(tmp_path)[1] == "0.850 ± 0.071"
    files[1].unlink()
    assert shown(tmp_path)[1] == "0.900"
    files[2].unlink()
    assert shown(tmp_path)[1:3] == ["–", "·"]
    assert {entry.mark for entry in read_board(tmp_path).entries} == {MISSING}


def test_the_largest_preset_counts_with_all_its_seeds(tmp_path):
    put(tmp_path, preset="smoke", r2=0.1)
    put(tmp_path, preset="ci", r2=0.2)
    assert shown(tmp_path)[1] == "0.200"
    put(tmp_path, preset="laptop", seed=2, r2=0.3)
    put(tmp_path, preset="paper", failed="NonFiniteLoss")
    assert shown(tmp_path)[1] == "0.300"
    put(tmp_path, preset="paper", seed=1, r2=0.4)
    assert shown(tmp_path)[1] == "0.400" and shown(tmp_path)[-2:] == ["1 + 1 failed", "paper"]


def test_records_of_other_code_are_shown_marked_until_there_are_new_ones(tmp_path):
    put(tmp_path, seed=0, r2=0.2, made_by={"simulate": 0})
    put(tmp_path, seed=1, r2=0.4, key=None)
    assert shown(tmp_path)[1] == "0.300 ± 0.141" and shown(tmp_path)[-1] == "laptop\u00a0†"
    stale, unversioned = notes(tmp_path).split("do not say what made")
    assert "l1-0.json" in stale and "l1-1.json" in unversioned
    put(tmp_path, seed=2, r2=0.5)
    assert shown(tmp_path)[1] == "0.500" and shown(tmp_path)[-2:] == ["1", "laptop"]
    assert "l1-0.json" in notes(tmp_path)


def test_failed_runs_are_named_and_recovered_nothing(tmp_path):
    put(tmp_path, seed=0)
    for seed in (1, 2):
        put(tmp_path, seed=seed, failed="NonFiniteLoss: at step 7")
    assert shown(tmp_path)[-2] == "1 + 2 failed"
    assert shown(tmp_path, "5")[1:3] == ["1 of 3", "▼"]
    assert "`cells/laptop/spring-2-l1-1.json`: NonFiniteLoss: at step 7" in notes(tmp_path)
    put(tmp_path, law="r1", failed="MemoryError: ")
    assert shown(tmp_path, cell="1/r-2")[2] == "✗" and "3 of them" in notes(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "bench"}, "kind"),
        ({"preset": "huge"}, "preset"),
        ({"r2": {"force": 0.5}}, "r2.force"),
        ({"seed": 3}, "it belongs to cells/laptop/spring-2-l1-3.json"),
    ],
)
def test_a_foreign_record_is_named_and_left_out(tmp_path, changes, said):
    path = put(tmp_path)
    write_record(path, {**read_record(path), **changes})
    put(tmp_path, law="r1")
    assert f"record cells/laptop/spring-2-l1-0.json: {said}" in notes(tmp_path)
    assert shown(tmp_path)[1] == "–" and shown(tmp_path, cell="1/r-2")[1] == "0.900"
    assert str(tmp_path) not in notes(tmp_path)


@pytest.mark.parametrize("place", ["cells/laptop", "discover", "cosmology"])
def test_a_damaged_record_is_named_and_left_out(tmp_path, place):
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "bad.json").write_text("{")
    assert f"{place}/bad.json" in notes(tmp_path) and "1 more could not be read" in notes(tmp_path)


def test_records_of_discover_count_and_finished_cells_come_before_them(tmp_path):
    path = put(tmp_path, r2=0.4, key=None)
    (tmp_path / "discover").mkdir()
    shutil.move(path, tmp_path / "discover" / "any-name.json")
    assert shown(tmp_path)[1] == "0.400"
    put(tmp_path, failed="MemoryError: ")
    assert shown(tmp_path)[1] == "0.400"
    put(tmp_path, r2=0.6)
    assert shown(tmp_path)[1] == "0.600"


def test_a_record_cannot_have_a_file_run(tmp_path):
    trap = tmp_path / "trap.py"
    trap.write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\nLAW = None\n")
    path = put(tmp_path)
    text = path.read_text().replace('"spring"', f'"{trap}:LAW"')
    (path.parent / "law-2-l1-0.json").write_text(text)
    assert len(read_board(tmp_path).runs) == 2 and not (tmp_path / "sprung").exists()


def test_table_6_reads_the_cosmology_chapter_s_records(tmp_path):
    for preset, seed, error in (("ci", 0, 0.9), ("laptop", 0, 0.1), ("laptop", 1, 0.3)):
        record = {"kind": "cosmology", "formula": "simple", "preset": preset, "seed": seed}
        record |= {"error_test": error, "made_by": {"halos-refit": 1}}
        write_record(tmp_path / "cosmology" / f"simple-{preset}-{seed}.json", record)
    text = scoreboard.cells(read_board(tmp_path), "6")
    assert row(text, "Simple")[1:] == ["0.121", "0.200 ± 0.141", "●", "2", "laptop"]
    assert row(text, "Constant")[1:] == ["0.421", "–", "·", "–", "–"]


def test_marks():
    loss = {"half_digit": 0.0005, "higher": False}
    fit = {"half_digit": 0.0005, "higher": True}
    assert judge((0.9996,), 1.0, **fit) == EQUAL and judge((0.9,), 1.0, **fit) == WORSE
    assert judge((0.6,), 0.5, **fit) == BETTER and judge((0.6,), 0.5, **loss) == WORSE
    # A spread that reaches the paper's value; without it the same mean is better.
    assert judge((0.5, 0.7), 0.5, **fit) == EQUAL and judge((0.59, 0.61), 0.5, **fit) == BETTER


@pytest.mark.parametrize(
    ("value", "count", "text"),
    [(49, 2, "49"), (0.3, 2, "0.30"), (1234.0, 3, "1230"), (0, 3, "0"), (6.9, 3, "6.90")],
)
def test_digits_keep_their_zeros(value, count, text):
    assert digits(value, count) == text


def test_messages_of_the_standard_model_are_neither_better_nor_worse(tmp_path):
    put(tmp_path, model="standard", r2=0.99)
    board = read_board(tmp_path)
    for table, mark in (("1", NEITHER), ("3", WORSE), ("5", NEITHER)):
        assert board.count(table, mark, "standard") == 1
    put(tmp_path, model="standard", failed="NonFiniteLoss: at step 5")
    assert {entry.mark for entry in read_board(tmp_path).table("1")} == {FAILED, MISSING}


def test_the_squares_say_in_words_what_they_show(tmp_path):
    put(tmp_path)
    figure, alt = scoreboard.squares(read_board(tmp_path))
    assert len(figure.axes) == 3 and "table 1: 0 better, 0 equal, 1 worse" in alt
    figure.savefig(tmp_path / "figure.png")


def test_a_goal_names_the_rows_that_miss_it(tmp_path):
    for title, *_ in GOALS:
        reached, missed, waiting = goal(tmp_path, title)
        assert (reached, missed) == (f"0 of {waiting}", "none")
    put(tmp_path, "spring", r2=0.9999)
    put(tmp_path, "r1", r2=0.98, recovered=False)
    put(tmp_path, "charge", r2=0.95)
    assert goal(tmp_path, "L1: R² at least 0.99 but on charge") == ["1 of 6", "1/r-2", "4"]
    assert goal(tmp_path, "L1: R² at least 0.9 on charge") == ["1 of 2", "none", "1"]
    assert goal(tmp_path, "L1: law recovered") == ["2 of 8", "1/r-2", "5"]
    # The mean over seeds decides, and more than half of them.
    for seed, (r2, recovered) in enumerate([(0.98, True), (1.0, False), (1.0, True)]):
        put(tmp_path, "spring", model="bottleneck", r2=r2, recovered=recovered, seed=seed)
    assert goal(tmp_path, "Bottleneck: R² at least 0.99") == ["1 of 8", "none", "7"]
    assert goal(tmp_path, "Bottleneck: law recovered") == ["1 of 8", "none", "7"]
    assert "2 of the 8 cells" in scoreboard.goals_table(read_board(tmp_path))

    # Losses against the paper's, but where rare encounters rule them.
    put(tmp_path, "damped", model="standard", test_loss=0.01)
    put(tmp_path, "r2", model="standard", test_loss=1e6)
    assert goal(tmp_path, "Loss no worse than the paper's")[1] == "1/r-2 (1), Spring-2 (2)"
