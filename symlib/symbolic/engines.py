"""Which engine searches: PySR, where a Julia already is, or Operon.

Importing pysr, juliacall or juliapkg may start a download of Julia, and so may running a
`julia` that is only juliaup's launcher. So whether a Julia is there is read off the
environment and the file system alone.
"""

import importlib.util
import json
import logging
import os
import shutil
import sys
from pathlib import Path

from symlib.choices import ENGINES
from symlib.errors import MissingEngine, UnknownChoice

INSTALL_JULIA = f'{Path(sys.executable).name} -c "import pysr"'
log = logging.getLogger(__name__)
_said: set[str] = set()


def _juliapkg_projects() -> list[Path]:
    """Where juliapkg keeps its project, in its own order of precedence."""
    chosen = os.environ.get("PYTHON_JULIAPKG_PROJECT")
    if chosen:
        return [Path(chosen)]
    prefix = sys.prefix if sys.prefix != sys.base_prefix else os.environ.get("CONDA_PREFIX")
    if prefix:
        return [Path(prefix) / "julia_env"]
    separator = ";" if os.name == "nt" else ":"
    depot = os.environ.get("JULIA_DEPOT_PATH", "").split(separator)[0]
    home = Path(depot) if depot else Path.home() / ".julia"
    return [home / "environments" / "pyjuliapkg"]


def find_julia() -> str | None:
    """Where a usable Julia is, or None; nothing is run, imported or downloaded.

    Looked for: PYTHON_JULIAPKG_EXE, julia and juliaup on PATH, a resolved juliapkg project.
    """
    chosen = os.environ.get("PYTHON_JULIAPKG_EXE")
    if chosen:
        # juliapkg fails on a wrong one rather than look further, and so does this.
        return shutil.which(chosen)
    for program in ("julia", "juliaup"):
        found = shutil.which(program)
        if found:
            return found
    for project in _juliapkg_projects():
        try:
            meta = json.loads((project / "pyjuliapkg" / "meta.json").read_text(encoding="utf-8"))
            executable = shutil.which(str(meta["executable"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if executable:
            return executable
    return None


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _say(message: str, aloud: bool) -> None:
    """Once per process: an engine's choice is news only the first time."""
    log.debug(message)
    if aloud and message not in _said:
        _said.add(message)
        print(message, file=sys.stderr)


def choose_engine(engine: str, *, say: bool = True) -> str:
    """ "operon" or "pysr" for a request that may be "auto".

    Args:
        engine: "auto", "operon" or "pysr"; say: tell on stderr which one "auto" took.

    Raises:
        UnknownChoice: another name.
        MissingEngine: an engine that this machine cannot run, with how to install it.
    """
    if engine not in ("auto", *ENGINES):
        raise UnknownChoice("engine", engine, ["auto", *ENGINES])
    julia = find_julia()
    if engine == "pysr":
        if not _installed("pysr"):
            raise MissingEngine("engine 'pysr': install it with `pip install pysr`")
        if julia is None:
            raise MissingEngine(
                "engine 'pysr' needs Julia, and none was found (PYTHON_JULIAPKG_EXE, julia or "
                f"juliaup on PATH, a resolved juliapkg project). `{INSTALL_JULIA}` downloads "
                "and installs it; engine='operon' needs nothing more"
            )
        return engine
    if engine == "auto" and julia and _installed("pysr"):
        _say(f"symbolic engine: pysr, with Julia at {julia} (engine='operon' for Operon)", say)
        return "pysr"
    if not _installed("pyoperon"):
        raise MissingEngine("engine 'operon': install it with `pip install pyoperon`")
    if engine == "auto":
        _say(
            "symbolic engine: operon, since no Julia was found; for PySR run "
            f"`{INSTALL_JULIA}` once, which installs Julia",
            say,
        )
    return "operon"
