"""Functions that run in a process of their own: `python -m symlib.symbolic.search.processes`.

Julia in one process with torch or JAX is known to crash (PythonCall.jl, reports 215 and
384), and Operon's searches run side by side best as single-threaded processes, which also
makes each one repeatable. A task is a folder: `request.json` (settings) and `data.npz`
(arrays, read without pickle); the answer is `result.json` in the same folder, which is
temporary and removed afterwards.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from symlib.records.record import available_cores

_SINGLE_THREADED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Task = tuple[Mapping, Mapping[str, np.ndarray]]


class WorkerFailed(RuntimeError):
    """A search process ended without a result; the message holds the end of its output."""


def run_worker(worker: str, request: Mapping, arrays: Mapping[str, np.ndarray]) -> Any:
    """Call a function in a process of its own.

    Args:
        worker: "module:function", of (request, arrays); its answer can be written as JSON.
        request: settings, as JSON; arrays: named arrays of numbers.

    Raises:
        WorkerFailed: the process ended without an answer.
    """
    with tempfile.TemporaryDirectory(prefix="symlib-") as folder:
        path = Path(folder)
        (path / "request.json").write_text(json.dumps(request), encoding="utf-8")
        np.savez(path / "data.npz", **arrays)  # type: ignore[arg-type]  # none is allow_pickle
        with open(path / "output.txt", "wb") as output:
            done = subprocess.run(
                [sys.executable, "-m", __name__, worker, folder],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | dict.fromkeys(_SINGLE_THREADED, "1"),
            )
        result = path / "result.json"
        if done.returncode or not result.is_file():
            tail = (path / "output.txt").read_text(encoding="utf-8", errors="replace")[-2000:]
            raise WorkerFailed(f"{worker} ended with code {done.returncode}, no result.\n{tail}")
        return json.loads(result.read_text(encoding="utf-8"))


def run_workers(
    worker: str, tasks: Sequence[Task], done: Callable[[], object] = lambda: None
) -> list:
    """Run several tasks side by side, one per core; answers in the order of the tasks.

    Args:
        tasks: pairs (request, arrays); done: called whenever one has finished.
    """

    def one(task):
        answer = run_worker(worker, *task)
        done()
        return answer

    with ThreadPoolExecutor(available_cores()) as pool:
        return list(pool.map(one, tasks))


def _serve(worker: str, folder: str) -> None:
    module, _, function = worker.partition(":")
    request = json.loads(Path(folder, "request.json").read_text(encoding="utf-8"))
    with np.load(Path(folder, "data.npz"), allow_pickle=False) as arrays:
        answer = getattr(import_module(module), function)(request, dict(arrays))
    Path(folder, "result.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    _serve(*sys.argv[1:])
