"""Which version of the code made a result: a hash of every module that can change it.

The modules are those that `symlib.experiments` reaches by its imports, so one that is added
later counts from its first day. What is hashed is what Python reads, not what people do:
comments, docstrings and line breaks may change and a record stays fresh.
"""

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
ROOT = "experiments"
# They name, check and store; a preset's numbers are hashed as numbers.
WITHOUT_EFFECT = frozenset({"errors", "files", "presets", "results"})
# Read by FlatHGN alone.
ENERGIES = frozenset({"energies", "energy_discovery", "hamiltonian", "symbolic.energy_verdict"})
# Read by the models whose messages are to become few.
SPARSITY = frozenset({"sparsity"})


@functools.cache
def code_version(model: str | None = None) -> str:
    """A short hash of the code between a law and its record.

    Args:
        model: leave out what this model has no use for; None leaves out nothing.
    """
    leave_out = WITHOUT_EFFECT
    for names, only in ((ENERGIES, ("flathgn",)), (SPARSITY, ("l1", "kl"))):
        if model is not None and model not in only:
            leave_out |= names
    digest = hashlib.sha256()
    for name in modules(leave_out):
        digest.update(f"{name}\n{meaning(_file(name).read_text(encoding='utf-8'))}\n".encode())
    return digest.hexdigest()[:12]


def modules(leave_out: frozenset[str] = WITHOUT_EFFECT) -> list[str]:
    """The modules of symlib that `symlib.experiments` imports, directly or not, sorted.

    Args:
        leave_out: neither these nor what only they import.
    """
    found, waiting = set(), [ROOT]
    while waiting:
        name = waiting.pop()
        if name in found or name in leave_out:
            continue
        found.add(name)
        waiting += _imported(name)
    return sorted(found)


def meaning(source: str) -> str:
    """What a module's source says to Python: its syntax tree, without docstrings."""
    return _dump(ast.parse(source))


def _file(name: str) -> Path | None:
    path = PACKAGE.joinpath(*name.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def _imported(name: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(_file(name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            paths = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            paths = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for path in paths:
            inner = path.removeprefix("symlib.")
            if inner != path and _file(inner):
                yield inner
    # A package's modules may be imported late, or run as workers by their names.
    for path in sorted((PACKAGE / name).glob("[!_]*.py")):
        yield f"{name}.{path.stem}"


def _dump(node) -> str:
    """Like ast.dump, but the same in every version of Python: what is empty is left out."""
    if isinstance(node, list):
        return f"[{','.join(map(_dump, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = []
    for field, value in ast.iter_fields(node):
        if field == "body" and isinstance(value, list):
            value = [item for item in value if not _is_docstring(item)]
        if value not in (None, []) and field not in ("ctx", "kind", "type_comment"):
            parts.append(f"{field}={_dump(value)}")
    return f"{type(node).__name__}({','.join(parts)})"


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
