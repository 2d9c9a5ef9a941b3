"""The scoreboard: every number on it is a record's, and what is wrong with a record is said."""

import re
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regression import flaws, read_expected

from symlib.papers.cranmer2020.pages import (
    scoreboard,
    scoreboard_figures,
    scoreboard_tables,
    tables,
)
from symlib.papers.cranmer2020.pages.scoreboard import (
    BETTER,
    EQUAL,
    FAILED,
    MISSING,
    NEITHER,
    WORSE,
    judge,
    read_board,
)
from symlib.papers.cranmer2020.study.cells import Cell
from symlib.records.reading import BOOK
from symlib.records.record import read_record, write_record

PAGES = (
    scoreboard_tables.totals,
    scoreboard_tables.table_1,
    scoreboard_tables.table_3,
    scoreboard_tables.table_5,
    scoreboard_tables.table_6,
    scoreboard_tables.notes,
)


def page(folder) -> str:
    board = read_board(folder)
    return "\n\n".join(show(board) for show in PAGES)


def row(text: str, cell: str, model: str, table: int = 0) -> list[str]:
    """A cell's line of the page's tables 1, 3 and 5, of which `table` is the position."""
    lines = [line for line in text.splitlines() if line.startswith(f"| {cell} | {model} |")]
    return [part.strip() for part in lines[table].strip("|").split("|")]


def put(folder, law="spring", dim=2, model="l1", seed=0, preset="laptop", r2=0.9, **changes):
    """A record of a cell, as today's code would have made it; returns its file."""
    cell = Cell(law, dim, model, seed, preset)
    record = {
        "kind": "discovery", "law": law, "dim": dim, "bodies": 4, "model": model, "seed": seed,
        "preset": preset, "engine": "operon", "test_loss": 0.2, "trivial_loss": 8.0,
        "r2": {
            "force": {"all": r2 / 4, "kept90": r2 / 2},
            "acceleration": {"all": r2 - 0.1, "kept90": r2},
        },
        "recovered": True, "seconds": 1.0, **cell.facts(),
    }  # fmt: skip
    record.update(changes)
    if "failed" in changes:
        record = {key: record[key] for key in record if key not in ("r2", "recovered")}
    return write_record(cell.path(folder / "cells"), record)


def test_ours_is_mean_and_spread_over_seeds_of_the_better_quantity(tmp_path):
    for seed, r2 in enumerate((0.7, 0.8, 0.9)):
        put(tmp_path, seed=seed, r2=r2, recovered=seed > 0, test_loss=0.1 * (seed + 1))
    text = page(tmp_path)
    expected = ["Spring-2", "L1", "1.000", "0.800 ± 0.100", "▼", "1.000"]
    assert row(text, "Spring-2", "L1") == [*expected, "0.700 ± 0.100", "▼", "3", "laptop"]
    assert row(text, "Spring-2", "L1", 1)[2:7] == [
        "0.045", "0.200 ± 0.100", "▼", "8.00", "0.025",
    ]  # fmt: skip
    assert row(text, "Spring-2", "L1", 2)[2:] == ["yes", "2 of 3", "●", "laptop"]
    assert "| Table 1: messages and forces | 32 | 0 | 0 | 1 | 0 | 0 | 31 |" in text


def test_a_number_goes_with_its_record(tmp_path):
    files = [put(tmp_path, seed=seed, r2=0.6 + 0.1 * seed) for seed in range(2)]
    assert row(page(tmp_path), "Spring-2", "L1")[3] == "0.650 ± 0.071"
    files[0].unlink()
    assert row(page(tmp_path), "Spring-2", "L1")[3] == "0.700"
    files[1].unlink()
    assert row(page(tmp_path), "Spring-2", "L1")[3:5] == ["–", "·"]


def test_without_records_the_page_has_no_number_of_ours(tmp_path):
    text = page(tmp_path)
    for name in ("Spring-2", "Charge-3"):
        for model in ("Bottleneck", "KL"):
            assert row(text, name, model)[3] == row(text, name, model, 1)[3] == "–"
    for line in text.splitlines():
        assert "not yet run" not in line or "±" not in line
    board = read_board(tmp_path)
    assert {entry.mark for entry in board.entries} == {MISSING}
    assert not any(entry.values or entry.runs for entry in board.entries)


def test_every_committed_number_goes_with_its_records(tmp_path):
    copy = tmp_path / "results"
    shutil.copytree(tables.RESULTS, copy)
    whole = read_board(copy)
    assert not whole.problems
    filled = [entry for entry in whole.entries if entry.values]
    assert {entry.table for entry in filled} >= {"1", "3", "5"}
    by_place: dict[tuple, list] = {}
    for entry in filled:
        by_place.setdefault((entry.row, entry.model), []).append(entry)
    # A few places suffice, spread over all of them: each costs a reading of everything.
    places = [*by_place][:: max(1, len(by_place) // 4)]
    before = page(copy)
    for place in places:
        names = {run.name for entry in by_place[place] for run in entry.runs}
        held = {name: (copy / name).read_bytes() for name in names}
        for name in names:
            (copy / name).unlink()
        assert page(copy) != before, place
        now = {(e.table, e.row, e.model): e for e in read_board(copy).entries}
        for entry in by_place[place]:
            left = now[entry.table, entry.row, entry.model]
            assert not {run.name for run in left.runs} & names
        for name, content in held.items():
            (copy / name).write_bytes(content)
    assert page(copy) == before


def test_the_largest_preset_counts_with_all_its_seeds(tmp_path):
    put(tmp_path, preset="smoke", r2=0.1)
    put(tmp_path, preset="ci", r2=0.2)
    assert row(page(tmp_path), "Spring-2", "L1")[3] == "0.200"
    put(tmp_path, preset="laptop", seed=2, r2=0.3)
    assert row(page(tmp_path), "Spring-2", "L1")[3] == "0.300"
    put(tmp_path, preset="paper", failed="NonFiniteLoss")
    assert row(page(tmp_path), "Spring-2", "L1")[3] == "0.300"
    put(tmp_path, preset="paper", seed=1, r2=0.4)
    assert row(page(tmp_path), "Spring-2", "L1")[3] == "0.400"
    assert row(page(tmp_path), "Spring-2", "L1")[-2:] == ["1 + 1 failed", "paper"]


def test_records_of_other_code_are_shown_marked_until_there_are_new_ones(tmp_path):
    put(tmp_path, seed=0, r2=0.2, made_by={"simulate": 0})
    put(tmp_path, seed=1, r2=0.4, key=None)
    text = page(tmp_path)
    assert row(text, "Spring-2", "L1")[3] == "0.300 ± 0.141"
    assert row(text, "Spring-2", "L1")[-1] == "laptop\u00a0†"
    notes = scoreboard_tables.notes(read_board(tmp_path))
    stale, unversioned = notes.split("do not say which code")
    assert "l1-0.json" in stale and "l1-1.json" in unversioned
    put(tmp_path, seed=2, r2=0.5)
    assert row(page(tmp_path), "Spring-2", "L1")[3] == "0.500"
    assert row(page(tmp_path), "Spring-2", "L1")[-2:] == ["1", "laptop"]
    assert "l1-0.json" in page(tmp_path)


def test_failed_runs_are_named_and_recovered_nothing(tmp_path):
    put(tmp_path, seed=0)
    for seed in (1, 2):
        put(tmp_path, seed=seed, failed="NonFiniteLoss: at step 7")
    text = page(tmp_path)
    assert row(text, "Spring-2", "L1")[-2] == "1 + 2 failed"
    assert row(text, "Spring-2", "L1", 2)[3:5] == ["1 of 3", "▼"]
    assert "`cells/laptop/spring-2-l1-1.json`: NonFiniteLoss: at step 7" in text
    put(tmp_path, law="r1", failed="MemoryError: ")
    assert row(page(tmp_path), "1/r-2", "L1")[4] == "✗"
    assert "2 of them" not in page(tmp_path) and "3 of them" in page(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "bench"}, "kind"),
        ({"preset": "huge"}, "preset"),
        ({"dim": "2"}, "dim"),
        ({"test_loss": "low"}, "test_loss"),
        ({"r2": {"force": 0.5}}, "r2.force"),
        ({"recovered": "perhaps"}, "recovered"),
        ({"seed": 3}, "it belongs to cells/laptop/spring-2-l1-3.json"),
    ],
)
def test_a_foreign_record_is_named_and_left_out(tmp_path, changes, said):
    path = put(tmp_path)
    write_record(path, {**read_record(path), **changes})
    put(tmp_path, law="r1")
    text = page(tmp_path)
    assert f"record cells/laptop/spring-2-l1-0.json: {said}" in text
    assert row(text, "Spring-2", "L1")[3] == "–" and row(text, "1/r-2", "L1")[3] == "0.900"
    assert str(tmp_path) not in text


@pytest.mark.parametrize("place", ["cells/laptop", "discover", "cosmology"])
@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}'])
def test_a_damaged_record_is_named_and_left_out(tmp_path, place, text):
    path = tmp_path / place / "bad.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    board = read_board(tmp_path)
    assert len(board.problems) == 1 and f"{place}/bad.json" in board.problems[0]
    assert "1 more could not be read" in page(tmp_path)


def test_records_of_discover_count_and_cells_come_before_them(tmp_path):
    path = put(tmp_path, r2=0.4, key=None)
    (tmp_path / "discover").mkdir()
    shutil.move(path, tmp_path / "discover" / "any-name.json")
    assert row(page(tmp_path), "Spring-2", "L1")[3] == "0.400"
    put(tmp_path, failed="MemoryError: ")
    assert row(page(tmp_path), "Spring-2", "L1")[3] == "0.400"
    put(tmp_path, r2=0.6)
    assert row(page(tmp_path), "Spring-2", "L1")[3] == "0.600"


def test_a_record_cannot_have_a_file_run(tmp_path):
    trap = tmp_path / "trap.py"
    trap.write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\nLAW = None\n")
    put(tmp_path)
    path = tmp_path / "cells" / "laptop" / "spring-2-l1-0.json"
    text = path.read_text().replace('"spring"', f'"{trap}:LAW"')
    (path.parent / "law-2-l1-0.json").write_text(text)
    read_board(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_table_6_reads_the_cosmology_chapter_s_records(tmp_path):
    for preset, seed, error in (("ci", 0, 0.9), ("laptop", 0, 0.1), ("laptop", 1, 0.3)):
        record = {"kind": "cosmology", "formula": "simple", "preset": preset, "seed": seed}
        write_record(
            tmp_path / "cosmology" / f"simple-{preset}-{seed}.json",
            {**record, "error_test": error, "made_by": {"halos-refit": 1}},
        )
    assert "| Simple | 0.121 | 0.200 ± 0.141 | ● | 2 | laptop |" in page(tmp_path)
    assert "| Constant | 0.421 | – | · | – | – |" in page(tmp_path)


def test_marks():
    loss = {"half_digit": 0.0005, "higher": False}
    fit = {"half_digit": 0.0005, "higher": True}
    assert judge((), 0.5, **fit) == MISSING and judge((), 0.5, **fit, runs=2) == FAILED
    assert judge((0.9996,), 1.0, **fit) == EQUAL and judge((0.9,), 1.0, **fit) == WORSE
    assert judge((0.6,), 0.5, **fit) == BETTER and judge((0.6,), 0.5, **loss) == WORSE
    # A spread that reaches the paper's value; without it the same mean is better.
    assert judge((0.5, 0.7), 0.5, **fit) == EQUAL and judge((0.59, 0.61), 0.5, **fit) == BETTER


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
    st.floats(0.01, 1),
    st.booleans(),
)
def test_a_mark_turns_round_with_its_direction(values, theirs, higher):
    values = tuple(values)
    options = {"half_digit": 0.0005}
    turned = {BETTER: WORSE, WORSE: BETTER, EQUAL: EQUAL}
    one = judge(values, theirs, higher=higher, **options)
    assert judge(values, theirs, higher=not higher, **options) == turned[one]


@pytest.mark.parametrize(
    ("value", "count", "text"),
    [(49, 2, "49"), (0.3, 2, "0.30"), (0.05, 2, "0.050"), (1234.0, 3, "1230"), (0, 3, "0"),
     (0.0882, 3, "0.0882"), (12.0, 2, "12"), (6.9, 3, "6.90")],
)  # fmt: skip
def test_digits_keep_their_zeros(value, count, text):
    assert scoreboard_tables.digits(value, count) == text


def test_messages_of_the_standard_model_are_neither_better_nor_worse(tmp_path):
    put(tmp_path, model="standard", r2=0.99, recovered=True)
    board = read_board(tmp_path)
    for table, mark in (("1", NEITHER), ("3", WORSE), ("5", NEITHER)):
        entry = next(entry for entry in board.table(table) if entry.values)
        assert entry.mark == mark and board.count(table, mark, "standard") == 1
    put(tmp_path, model="standard", failed="NonFiniteLoss: at step 5")
    assert {entry.mark for entry in read_board(tmp_path).table("1")} == {FAILED, MISSING}


def test_the_squares_say_in_words_what_they_show(tmp_path):
    put(tmp_path)
    figure, alt = scoreboard_figures.squares(read_board(tmp_path))
    assert len(figure.axes) == 3 and "table 1: 0 better, 0 equal, 1 worse" in alt
    figure.savefig(tmp_path / "figure.png")


def test_the_chapter_shows_every_table_and_its_metrics_are_on_record():
    source = (BOOK.parent / "notebooks" / "05_tables.py").read_text(encoding="utf-8")
    for show in PAGES:
        assert f"scoreboard_tables.{show.__name__}(board)" in source
    expected = read_expected("05_tables")
    assert not flaws(expected)
    board = read_board()
    for table in scoreboard_tables.TITLES:
        assert expected[f"table {table}: cells"]["value"] == len(board.table(table))
    # No value of a table is typed into the page.
    assert not re.search(r"\d\.\d{2}", source.split("# %%", 1)[1])
    assert scoreboard.MARKS == (BETTER, EQUAL, WORSE, NEITHER, FAILED, MISSING)
