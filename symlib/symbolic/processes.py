"""Search engines run in processes of their own.

Julia in one process with torch or JAX is known to crash (PythonCall.jl, reports 215 and
384), and Operon's searches run side by side best as single-threaded processes, which also
makes each one repeatable. A request is a folder: `request.json` (settings) and `data.npz`
(arrays, read without pickle); the worker answers with `result.json` in the same folder,
which is temporary and removed afterwards.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

_SINGLE_THREADED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerFailed(RuntimeError):
    """A search process ended without a result; the message holds the end of its output."""


def run_worker(
    module: str,
    request: Mapping,
    arrays: Mapping[str, np.ndarray],
    *,
    environment: Mapping[str, str] | None = None,
    show_output: bool = False,
) -> dict:
    """Run `python -m module FOLDER` on a request and return its result.

    Args:
        module: its `main` is `serve(handler)`.
        request: settings, as JSON; arrays: named arrays of numbers.
        environment: variables to add to the process's own.
        show_output: let the worker write to this process's stderr as it goes.

    Raises:
        WorkerFailed: the process ended without a result.
    """
    with tempfile.TemporaryDirectory(prefix="symlib-") as folder:
        path = Path(folder)
        (path / "request.json").write_text(json.dumps(dict(request)), encoding="utf-8")
        np.savez(path / "data.npz", **arrays)
        env = os.environ | {name: "1" for name in _SINGLE_THREADED} | dict(environment or {})
        with open(path / "output.txt", "wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, folder],
                stdin=subprocess.DEVNULL,
                stdout=None if show_output else output,
                stderr=None if show_output else subprocess.STDOUT,
                env=env,
            )
            try:
                code = process.wait()
            except BaseException:
                process.kill()
                process.wait()
                raise
        result = path / "result.json"
        if code or not result.is_file():
            tail = (path / "output.txt").read_text(encoding="utf-8", errors="replace")[-2000:]
            raise WorkerFailed(f"{module} ended with code {code} and no result.\n{tail}")
        return json.loads(result.read_text(encoding="utf-8"))


def run_workers(
    module: str,
    tasks: list[tuple[Mapping, Mapping[str, np.ndarray]]],
    *,
    processes: int | None = None,
    done: Callable[[int], None] | None = None,
) -> list[dict]:
    """Run several requests side by side; results in the order of the tasks.

    Args:
        tasks: pairs (request, arrays); processes: how many at once, default one per core;
        done: called with a task's number when it has finished.
    """

    def one(numbered):
        number, (request, arrays) = numbered
        result = run_worker(module, request, arrays)
        if done:
            done(number)
        return result

    with ThreadPoolExecutor(processes or available_cores()) as pool:
        return list(pool.map(one, enumerate(tasks)))


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def serve(handler: Callable[[dict, dict[str, np.ndarray]], dict]) -> int:
    """The worker's side: read the folder named on the command line, answer, exit code."""
    folder = Path(sys.argv[1])
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    with np.load(folder / "data.npz", allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    answer = json.dumps(handler(request, arrays))
    temporary = folder / "result.json.part"
    temporary.write_text(answer, encoding="utf-8")
    os.replace(temporary, folder / "result.json")
    return 0
