"""The Snakefile and its profiles: what is run, in what order things go on, and who may run it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from symlib import cli
from symlib.files import ROOT
from symlib.papers.cranmer2020.study import cells
from symlib.records.record import read_record, write_record
from symlib.training.presets import PRESETS

psutil = pytest.importorskip("psutil")
pytest.importorskip("snakemake", reason="pip install 'symlib[grid]'")


def words(folder: Path, *more: str) -> list[str]:
    """The grid's smallest table, with everything that it writes below a folder."""
    command = [sys.executable, "-m", "symlib.cli", "grid", "--table", "1", "--preset", "ci"]
    for name in ("out", "cache", "work"):
        command += [f"--{name}", str(folder / name)]
    return [*command, *more]


def run(folder: Path, *more: str) -> str:
    done = subprocess.run(
        words(folder, *more), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def wait(process, until) -> None:
    deadline = time.monotonic() + 240
    while not until():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)


def finished(cell: cells.Cell, **changes) -> dict:
    fits = {"force": {"all": 0.9, "kept90": 0.99}, "acceleration": {"all": 0.1, "kept90": 0.2}}
    record = {
        "kind": "discovery", "law": cell.law, "dim": cell.dim, "bodies": 4, "model": cell.model,
        "preset": cell.preset, "seed": cell.seed, "engine": "operon", "test_loss": 1.0,
        "trivial_loss": 7.0, "r2": fits, "recovered": True, "seconds": 1.0,
        **cell.facts(),
    }  # fmt: skip
    return {**record, **changes}


@pytest.mark.slow
def test_a_dry_run_lists_what_is_not_on_record_as_of_now(tmp_path):
    fresh, stale, failed, damaged, *missing = wanted = cells.wanted("1", "ci")
    out = tmp_path / "out"
    write_record(fresh.path(out), finished(fresh))
    write_record(stale.path(out), finished(stale, made_by={"simulate": 0}))
    write_record(failed.path(out), finished(failed, failed="NonFiniteLoss: at step 7"))
    damaged.path(out).write_text("{")
    said = run(tmp_path, "--dry-run")
    for cell in wanted:
        listed = f"output: {cell.path(out)}" in said
        assert listed == (cell in (stale, damaged, *missing)), cell
    # Nothing was done to any of them.
    assert read_record(stale.path(out))["made_by"] == {"simulate": 0}
    assert len([*out.rglob("*.json")]) == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--table", "2"], "1, 3, 5, pruned, all"),
        (["--preset", "huge"], "laptop"),
        (["--engine", "eureqa"], "operon"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_a_bad_argument_is_told_before_snakemake_starts(arguments, said, tmp_path, capsys):
    assert cli.main(["grid", *arguments, "--work", str(tmp_path / "work")]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "work").exists()


def test_two_grids_in_one_checkout_are_kept_apart(tmp_path, capsys):
    with FileLock(tmp_path / "lock"):
        assert cli.main(["grid", "--preset", "ci", "--work", str(tmp_path), "--dry-run"]) == 2
    assert "already" in capsys.readouterr().err


@pytest.mark.slow
def test_a_dry_run_with_the_cluster_s_profile(tmp_path):
    # Its executor is a plugin that need not be installed; all else is taken as it is.
    profile = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
    assert profile.pop("executor") == "slurm"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(profile))
    command = [sys.executable, "-m", "snakemake", "--profile", str(tmp_path), "--dry-run"]
    command += ["--directory", str(tmp_path / "work"), "--config", "table=3", "preset=paper"]
    done = subprocess.run(
        [*command, "gpus=1", f"out={tmp_path / 'out'}"], cwd=ROOT, capture_output=True, text=True
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert said.count("rule cell:") == 180
    asked = next(line for line in said.splitlines() if "resources:" in line)
    for resource in ("mem_mb=16000", "runtime=2880", "gpu=1", "cpus_per_task=4", "nodes=1"):
        assert resource in asked


@pytest.mark.skipif(not shutil.which("make"), reason="no make here")
def test_make_grid_hands_its_variables_on():
    command = ["make", "-n", "grid", "TABLE=3", "PRESET=laptop", "RETRY=1", "JOBS=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "symlib.cli grid --table 3 --preset laptop --engine auto --retry --jobs 1" in " ".join(
        done.stdout.replace("\\\n", " ").split()
    )


@pytest.mark.slow
def test_a_killed_grid_goes_on_where_it_stopped(tmp_path):
    out = tmp_path / "out"
    *others, first, second = cells.wanted("1", "ci")
    for cell in others:
        write_record(cell.path(out), finished(cell))
    write_record(first.path(out), finished(first, made_by={"simulate": 0}))

    def one_is_done() -> bool:
        # Made by other code, the first stays in place until it is made anew.
        assert first.path(out).exists()
        return first.is_done(out) or second.is_done(out)

    process = subprocess.Popen(
        words(tmp_path, "--jobs", "1"), cwd=ROOT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait(process, one_is_done)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = [cell for cell in (first, second) if cell.is_done(out)]
    before = {cell: read_record(cell.path(out)) for cell in (*others, *done)}
    said = run(tmp_path, "--jobs", "1")
    assert all(cell.is_done(out) for cell in (*others, first, second))
    assert all(read_record(cell.path(out)) == record for cell, record in before.items())
    for cell in (first, second):
        record = read_record(cell.path(out))
        assert record["steps"] == PRESETS["smoke"].training_steps and record["front"]
    # Cells of one law share their simulation.
    assert len([*(tmp_path / "cache").glob("*.traj")]) == 1
    # A cell that was killed between its record and Snakemake's own note of it is looked at again.
    lines = [line for line in said.splitlines() if "seed 0, smoke, fast: R²" in line]
    assert sum("on record" not in line for line in lines) == 2 - len(done)
    assert ">>> 1 of " in said and "steps (100%)" in said
    assert "Nothing to be done" in run(tmp_path)


@pytest.mark.slow
def test_a_grid_that_is_told_to_end_takes_its_cells_with_it(tmp_path):
    process = subprocess.Popen(
        words(tmp_path, "--jobs", "1"), cwd=ROOT, stdout=subprocess.PIPE, text=True
    )

    def is_cell(child) -> bool:
        # A process may end between being listed and being asked.
        try:
            return "cell" in child.cmdline()
        except psutil.Error:
            return False

    found = []
    try:
        root = psutil.Process(process.pid)
        wait(process, lambda: found.extend(filter(is_cell, root.children(recursive=True))) or found)
        process.terminate()
        process.communicate(timeout=400)
        assert process.returncode == 143
        assert not any(child.is_running() for child in found)
    finally:
        process.kill()
