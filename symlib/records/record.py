"""Records: what was measured, and everything needed to measure it again.

A record is one small JSON file, written whole or not at all. Beside its metrics it carries
its provenance: the command, the versions, the hardware, the wall time and the commit.
Every number that a page shows comes from an executed cell or from a record.
"""

import importlib.metadata
import json
import math
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from symlib import __version__
from symlib.errors import InputError
from symlib.files import ROOT, write_whole

FORMAT = "symlib-record-1"
PACKAGES = ("jax", "diffrax", "torch", "torch-geometric", "pyoperon", "pysr", "numpy", "sympy")


def provenance(seconds: float, command: str | None = None) -> dict:
    """Where a number comes from.

    Args:
        seconds: wall time of the measurement.
        command: how to repeat it; the running program's own command line when None.

    Returns:
        command, date (UTC), versions, hardware, seconds, commit (with "+changes" where the
        tree differed from it, None outside a checkout).
    """
    if command is None:
        # Someone else's folders are of no use to the reader.
        words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv]
        # `python -m symlib.cli` is the same command.
        words[0] = words[0].replace("cli.py", "symlib")
        command = shlex.join(words)
    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"symlib": __version__, "python": platform.python_version(), **_versions()},
        "hardware": hardware(),
        "seconds": round(seconds, 1),
        "commit": _commit(),
    }


def hardware() -> dict:
    """Processor, its cores as this process may use them, and the GPU where there is one."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"processor": _processor(), "cores": available_cores(), "gpu": gpu}


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def write_record(path: str | Path | None, record: dict) -> str | Path | None:
    """Write a record as JSON, whole or not at all.

    Args:
        path: the file; "-" is standard output, and None nowhere.
        record: what it holds.

    Returns:
        `path`.

    Raises:
        InputError: the record holds something that is not plain JSON (NaN among it), or the
            file cannot be written.
    """
    try:
        text = json.dumps({"format": FORMAT, **record}, indent=2, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"record {path}: not plain JSON values ({error})") from error
    if str(path) == "-":
        print(text)
    elif path is not None:
        try:
            write_whole(Path(path), text + "\n")
        except OSError as error:
            raise InputError(f"record {path}: cannot be written ({error})") from error
    return path


def read_record(path: str | Path) -> dict:
    """Read a record back.

    Raises:
        InputError: the file is missing, damaged, or not a record.
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"record {path}: no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"record {path}: damaged or not JSON ({error})") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise InputError(f"record {path}: not one of symlib's records")
    return record


def plain(value):
    """A value as JSON takes it: numpy numbers become plain ones, NaN and infinity None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str | bool | int | None.__class__):
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def _versions() -> dict:
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    here = ROOT / "symlib"

    def git(*arguments):
        return subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        commit = git("rev-parse", "--short=12", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+changes" if changed else "")
