"""`make grid`: hand the Snakefile to Snakemake on this machine, and say how long it will take.

Snakemake does the work: which cells are to be run, how many at a time, what to do after one
failed or all were killed. Here it is told about the machine, two grids are kept apart, and
beside its count of finished cells stands an estimate of the time left.
"""

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from symlib.errors import InputError
from symlib.files import ROOT

PROGRESS = re.compile(r"^(\d+) of (\d+) steps \(")


def run_grid(
    table: str,
    preset: str,
    *,
    engine: str = "auto",
    out: Path | None = None,
    cache: Path | None = None,
    work: Path | None = None,
    jobs: int | None = None,
    retry: bool = False,
    dry_run: bool = False,
) -> int:
    """Run a table's cells; returns Snakemake's exit status.

    Args:
        table: 1, 3, 5 or all.
        preset: laptop or paper; ci is two rows and few steps.
        engine: auto, operon or pysr.
        out, cache: folders for records, and for simulations and checkpoints.
        work: Snakemake's own folder.
        jobs: cells at a time; one per core when None.
        retry: also run what failed before.
        dry_run: only say what would be run.

    Raises:
        InputError: Snakemake is not installed, an unknown table or preset, or a grid that is
            running in this checkout already.
    """
    from symlib.papers.cranmer2020.study.cells import default_folder, preset_of_grid, wanted

    if importlib.util.find_spec("snakemake") is None:
        raise InputError("snakemake is not installed: pip install 'symlib[grid]'")
    cells = wanted(table, preset)
    work = (work or ROOT / "_build" / "grid").resolve()
    out = (out or default_folder(preset_of_grid(preset))).resolve()
    config = {
        "table": table,
        "preset": preset,
        "engine": engine,
        "out": out,
        "cache": (cache or ROOT / "_build" / "cache").resolve(),
        "retry": int(retry),
        "gpus": (gpus := _gpus()),
    }
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    words += ["--workflow-profile", str(ROOT / "profiles" / "default")]
    words += ["--directory", str(work), "--cores", str(jobs or _cores())]
    words += ["--resources", f"mem_mb={_memory()}", f"gpu={gpus}"]
    # A killed Snakemake leaves its lock behind; ours goes with the process that holds it.
    words += ["--nolock", "--config", *(f"{key}={value}" for key, value in config.items())]
    # One seed of every cell says more than three of some.
    words += ["--prioritize", *(str(cell.path(out)) for cell in cells if not cell.seed)]
    words += ["--dry-run"] if dry_run else ["--quiet", "host", "rules", "reason"]
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        with _alone(work) as lock:
            return _follow(words, lock)
    finally:
        signal.signal(signal.SIGTERM, before)


def time_left(done: int, total: int, seconds: float) -> str:
    """How far a grid is and how long the rest may take, at the pace so far.

    Args:
        done, total: cells; seconds: since the start.
    """
    left = seconds / done * (total - done)
    if left < 90:
        rest = f"{left:.0f} s"
    elif left < 5400:
        rest = f"{left / 60:.0f} min"
    else:
        rest = f"{left / 3600:.1f} h"
    return f"{done} of {total} cells done" + (f", about {rest} left" if done < total else "")


def _follow(words: list[str], lock: int) -> int:
    began = time.monotonic()
    with subprocess.Popen(
        words,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=[lock],
    ) as process:
        try:
            for text in process.stdout:
                print(text, end="", flush=True)
                found = PROGRESS.match(text)
                # The last of Snakemake's steps is the rule that asks for all cells.
                done, total = (int(number) for number in found.groups()) if found else (0, 0)
                if done < total:
                    left = time_left(done, total - 1, time.monotonic() - began)
                    print(f">>> {left}", flush=True)
        except (KeyboardInterrupt, SystemExit) as stop:
            # Ctrl-C has reached Snakemake and its cells as well; `kill` has not.
            if isinstance(stop, SystemExit):
                _interrupt(process.pid)
            print(process.stdout.read(), end="", flush=True)
            raise
    return process.returncode


def _interrupt(root: int) -> None:
    """Ctrl-C for a process and everything below it."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(root)
        for process in [*parent.children(recursive=True), parent]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGINT)


def _terminated(*_) -> None:
    raise SystemExit(143)


@contextlib.contextmanager
def _alone(work: Path) -> Iterator[int]:
    """Keep a second grid out for as long as this process or its Snakemake lives."""
    import fcntl

    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError("a grid is running in this checkout already; wait for it") from error
        yield file.fileno()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _memory() -> int:
    """Physical memory in MB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6


def _gpus() -> int:
    """One where there is any: cells on one machine would all take the first."""
    import torch

    return int(torch.cuda.is_available())
