"""`make grid`: hand the Snakefile to Snakemake on this machine, and say how long it will take.

Snakemake does the work: which cells are to be run, how many at a time, what to do after one
failed or all were killed. Here it is told about the machine, two grids are kept apart, and
beside its count of finished cells stands an estimate of the time left.
"""

import contextlib
import importlib.util
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from symlib.errors import InputError
from symlib.files import ROOT

PROGRESS = re.compile(r"^(\d+) of (\d+) steps \(")


def run_grid(
    table: str,
    preset: str,
    *,
    recipe: str | None = None,
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
        table: 1, 3, 5, pruned or all.
        preset: laptop or paper; ci is two rows and few steps.
        recipe: reference, plain or fast; the preset's own if None.
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
    import psutil  # Snakemake needs it as well
    import torch

    cells = wanted(table, preset, recipe)
    work = (work or ROOT / "_build" / "grid").resolve()
    out = (out or default_folder(preset_of_grid(preset))).resolve()
    config = {
        "table": table,
        "preset": preset,
        "recipe": cells[0].recipe,
        "engine": engine,
        "out": out,
        "cache": (cache or ROOT / "_build" / "cache").resolve(),
        "retry": int(retry),
        # One where there is any: cells on one machine would all take the first.
        "gpus": (gpus := int(torch.cuda.is_available())),
    }
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    words += ["--workflow-profile", str(ROOT / "profiles" / "default")]
    words += ["--directory", str(work), "--cores", str(jobs or "all")]
    memory = psutil.virtual_memory().total // 10**6
    words += ["--resources", f"mem_mb={memory}", f"gpu={gpus}"]
    # A killed Snakemake leaves its lock behind; ours goes with this process.
    words += ["--nolock", "--config", *(f"{key}={value}" for key, value in config.items())]
    # One seed of every cell says more than three of some.
    words += ["--prioritize", *(str(cell.path(out)) for cell in cells if not cell.seed)]
    words += ["--dry-run"] if dry_run else ["--quiet", "host", "rules", "reason"]
    work.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(work / "lock", timeout=0):
            return _follow(words)
    except Timeout as error:
        raise InputError("a grid is running in this checkout already; wait for it") from error


def _follow(words: list[str]) -> int:
    import psutil

    began, status = time.monotonic(), []
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:

        def end(*_):
            """Be to Snakemake and its cells what Ctrl-C, which reaches them all, would be."""
            status.append(143)
            snakemake = psutil.Process(process.pid)
            for one in [*snakemake.children(recursive=True), snakemake]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(signal.SIGINT)

        before = signal.signal(signal.SIGTERM, end)
        try:
            for text in process.stdout:
                print(text, end="", flush=True)
                found = PROGRESS.match(text)
                done, total = (int(number) for number in found.groups()) if found else (0, 0)
                if done < total:
                    # The last of Snakemake's steps is the rule that asks for all cells.
                    left = (time.monotonic() - began) / done * (total - 1 - done)
                    told = f"{done} of {total - 1} cells done, about {tqdm.format_interval(left)}"
                    print(f">>> {told} left", flush=True)
        except KeyboardInterrupt:
            print(process.stdout.read(), end="", flush=True)
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
    return status[0] if status else process.returncode
