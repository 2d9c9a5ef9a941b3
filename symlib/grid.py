"""`make grid`: hand the Snakefile to Snakemake on this machine, and say how long it will take.

Snakemake does the work: which cells are to be run, how many at a time, what to do after one
failed or all were killed. Here it is told about the machine, two grids are kept apart, and
beside its count of finished cells stands an estimate of the time left.
"""

import argparse
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

ROOT = Path(__file__).resolve().parent.parent
PROGRESS = re.compile(r"^(\d+) of (\d+) steps \(")


def main(arguments: list[str] | None = None) -> int:
    """Run the grid; returns Snakemake's exit status, 2 for a bad argument."""
    parser = argparse.ArgumentParser(prog="python -m symlib.grid", description=__doc__)
    parser.add_argument("--table", default="1", help="1, 3, 5 or all")
    parser.add_argument(
        "--preset", default="laptop", help="ci (two rows, few steps), laptop, paper"
    )
    parser.add_argument("--engine", default="auto", help="auto, operon or pysr")
    parser.add_argument("--out", type=Path, help="folder for records")
    parser.add_argument("--cache", type=Path, help="folder for simulations and checkpoints")
    parser.add_argument("--work", type=Path, help="Snakemake's own folder")
    parser.add_argument("--jobs", type=int, help="cells at a time; one per core if not given")
    parser.add_argument("--retry", action="store_true", help="also run what failed before")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be run")
    options = parser.parse_args(arguments)
    try:
        work = (options.work or ROOT / "_build" / "grid").resolve()
        words = snakemake_command(options, work)
        with _alone(work) as lock:
            return _follow(words, lock)
    except InputError as error:
        print(f"grid: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("grid: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def snakemake_command(options: argparse.Namespace, work: Path) -> list[str]:
    """The command line for Snakemake on this machine, with `work` for its own files.

    Raises:
        InputError: Snakemake is not installed, or an unknown table, preset or engine.
    """
    from symlib.cells import default_folder, preset_of_grid, wanted
    from symlib.symbolic import choose_engine

    if importlib.util.find_spec("snakemake") is None:
        raise InputError("snakemake is not installed: pip install 'symlib[grid]'")
    cells = wanted(options.table, options.preset)
    choose_engine(options.engine)
    if options.jobs is not None and options.jobs < 1:
        raise InputError(f"--jobs: at least 1, got {options.jobs}")
    out = (options.out or default_folder(preset_of_grid(options.preset))).resolve()
    config = {
        "table": options.table,
        "preset": options.preset,
        "engine": options.engine,
        "out": out,
        "cache": (options.cache or ROOT / "_build" / "cache").resolve(),
        "retry": int(options.retry),
        "gpus": (gpus := _gpus()),
    }
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    words += ["--workflow-profile", str(ROOT / "profiles" / "default")]
    words += ["--directory", str(work), "--cores", str(options.jobs or _cores())]
    words += ["--resources", f"mem_mb={_memory()}", f"gpu={gpus}"]
    # A killed Snakemake leaves its lock behind; ours goes with the process that holds it.
    words += ["--nolock", "--config", *(f"{key}={value}" for key, value in config.items())]
    # One seed of every cell says more than three of some.
    words += ["--prioritize", *(str(cell.path(out)) for cell in cells if not cell.seed)]
    return words + (["--dry-run"] if options.dry_run else ["--quiet", "host", "rules", "reason"])


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


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(main())
