"""Which engine searches: PySR, where a Julia already is, or Operon.

Importing pysr, juliacall or juliapkg may start a download of Julia, and so may running a
`julia` that is only juliaup's launcher. So whether a Julia is there is read off the
environment and the file system alone.
"""

import json
import os
import shutil
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from symlib.choices import ENGINES, known
from symlib.errors import MissingEngine

INSTALL_JULIA = f'{Path(sys.executable).name} -c "import pysr"'


def _juliapkg_project() -> Path:
    """Where juliapkg keeps its project, in its own order of precedence."""
    chosen = os.environ.get("PYTHON_JULIAPKG_PROJECT")
    if chosen:
        return Path(chosen)
    prefix = sys.prefix if sys.prefix != sys.base_prefix else os.environ.get("CONDA_PREFIX")
    if prefix:
        return Path(prefix) / "julia_env"
    depot = os.environ.get("JULIA_DEPOT_PATH", "").split(os.pathsep)[0]
    home = Path(depot) if depot else Path.home() / ".julia"
    return home / "environments" / "pyjuliapkg"


def find_julia() -> str | None:
    """Where a usable Julia is, or None; nothing is run, imported or downloaded.

    Looked for: PYTHON_JULIAPKG_EXE, julia and juliaup on PATH, a resolved juliapkg project.
    """
    chosen = os.environ.get("PYTHON_JULIAPKG_EXE")
    if chosen:
        # juliapkg fails on a wrong one rather than look further, and so does this.
        return shutil.which(chosen)
    found = shutil.which("julia") or shutil.which("juliaup")
    if found:
        return found
    meta = _juliapkg_project() / "pyjuliapkg" / "meta.json"
    try:
        return shutil.which(json.loads(meta.read_text(encoding="utf-8"))["executable"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@cache
def _say(message: str) -> None:
    """Once per process: an engine's choice is news only the first time."""
    print(message, file=sys.stderr)


def choose_engine(engine: str, *, say: bool = True) -> str:
    """ "operon" or "pysr" for a request that may be "auto".

    Args:
        engine: "auto", "operon" or "pysr"; say: tell on stderr which one "auto" took.

    Raises:
        UnknownChoice: another name.
        MissingEngine: an engine that this machine cannot run, with how to install it.
    """
    known("engine", engine, ("auto", *ENGINES))
    julia, chosen = find_julia(), engine
    if engine == "auto":
        chosen = "pysr" if julia and find_spec("pysr") else "operon"
        reason = f"with Julia at {julia} (engine='operon' for Operon)"
        if chosen == "operon":
            reason = f"since no Julia was found; for PySR run `{INSTALL_JULIA}` once, which "
            reason += "installs Julia"
        if say:
            _say(f"symbolic engine: {chosen}, {reason}")
    module = {"operon": "pyoperon", "pysr": "pysr"}[chosen]
    if not find_spec(module):
        raise MissingEngine(f"engine {chosen!r}: install it with `pip install {module}`")
    if chosen == "pysr" and julia is None:
        raise MissingEngine(
            "engine 'pysr' needs Julia, and none was found (PYTHON_JULIAPKG_EXE, julia or "
            f"juliaup on PATH, a resolved juliapkg project). `{INSTALL_JULIA}` downloads "
            "and installs it; engine='operon' needs nothing more"
        )
    return chosen
