"""Goals are judged from records: reached, missed by name, or not yet run."""

import pytest

from symlib.papers.cranmer2020.pages.goals import GOALS, goals_table
from symlib.papers.cranmer2020.pages.scoreboard import read_board
from symlib.papers.cranmer2020.study.cells import Cell
from symlib.records.record import write_record


def put(folder, law, model, r2=0.999, recovered=True, loss=0.01, dim=2, seed=0):
    cell = Cell(law, dim, model, seed, "laptop")
    fits = {"force": {"all": r2, "kept90": r2}, "acceleration": {"all": 0.0, "kept90": 0.0}}
    record = {
        "kind": "discovery", "law": law, "dim": dim, "model": model, "seed": seed,
        "preset": "laptop", "r2": fits, "recovered": recovered, "test_loss": loss,
        "trivial_loss": 5.0, **cell.facts(),
    }  # fmt: skip
    write_record(cell.path(folder / "cells"), record)


def line(folder, title: str) -> list[str]:
    text = goals_table(read_board(folder))
    found = next(row for row in text.splitlines() if row.startswith(f"| {title} |"))
    return [part.strip() for part in found.strip("|").split("|")][1:]


def test_without_records_nothing_is_reached_or_missed(tmp_path):
    text = goals_table(read_board(tmp_path))
    for goal in GOALS:
        reached, missed, waiting = line(tmp_path, goal.title)
        assert reached.startswith("0 of ") and missed == "none"
        assert waiting == reached.removeprefix("0 of ")
    assert "0 of the 0 cells" in text


def test_a_goal_names_the_rows_that_miss_it(tmp_path):
    put(tmp_path, "spring", "l1", r2=0.9999)
    put(tmp_path, "r1", "l1", r2=0.98, recovered=False)
    put(tmp_path, "charge", "l1", r2=0.95)
    assert line(tmp_path, "L1: R² at least 0.99 but on charge") == ["1 of 6", "1/r-2", "4"]
    assert line(tmp_path, "L1: R² at least 0.9 on charge") == ["1 of 2", "none", "1"]
    assert line(tmp_path, "L1: law recovered") == ["2 of 8", "1/r-2", "5"]


def test_means_and_shares_of_the_seeds_decide(tmp_path):
    for seed, (r2, recovered) in enumerate([(0.98, True), (1.0, False), (1.0, True)]):
        put(tmp_path, "spring", "bottleneck", r2=r2, recovered=recovered, seed=seed)
    assert line(tmp_path, "Bottleneck: R² at least 0.99") == ["1 of 8", "none", "7"]
    assert line(tmp_path, "Bottleneck: law recovered") == ["1 of 8", "none", "7"]
    # The same cell stands in both tables, with the seeds that are asked for.
    assert "2 of the 2 cells" in goals_table(read_board(tmp_path))


@pytest.mark.parametrize(("loss", "missed"), [(0.01, "none"), (0.5, "Damped-2 (1)")])
def test_losses_are_held_against_the_paper_s(tmp_path, loss, missed):
    put(tmp_path, "damped", "standard", loss=loss)
    put(tmp_path, "r2", "standard", loss=1e6)  # ruled by rare encounters: no goal
    assert line(tmp_path, "Loss no worse than the paper's")[1] == missed
