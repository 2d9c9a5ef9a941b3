"""Engines: which one runs, the contract with the installed PySR, and its process."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from symlib.errors import MissingEngine, UnknownChoice
from symlib.symbolic import recovered, regress
from symlib.symbolic.algebra.parsing import FUNCTIONS
from symlib.symbolic.search import engines, pysr_engine
from symlib.symbolic.search.budget import Budget
from symlib.symbolic.search.engines import choose_engine, find_julia

NAMES = ["m1", "m2", "dx", "dy", "r"]


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without Julia."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("PYTHON_JULIAPKG_PROJECT", str(tmp_path / "project"))
    monkeypatch.delenv("PYTHON_JULIAPKG_EXE", raising=False)
    return tmp_path


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\necho this must not be run >&2\nexit 1\n")
    path.chmod(0o755)
    return path


def data(n=400):
    rng = np.random.default_rng(0)
    d = rng.normal(size=(n, 2))
    X = np.column_stack([np.exp(rng.normal(size=(n, 2))), d, np.linalg.norm(d, axis=1)])
    return X, 3.0 * X[:, 1] * (X[:, 2] - 0.5 * X[:, 3]) / X[:, 4] ** 2


def test_without_julia_operon_searches_and_pysr_says_what_to_run(nowhere, capsys):
    engines._say.cache_clear()
    assert find_julia() is None
    assert [choose_engine("auto"), choose_engine("auto"), choose_engine("operon")] == ["operon"] * 3
    assert capsys.readouterr().err.count("operon") == 1
    with pytest.raises(MissingEngine, match=r"import pysr.*operon"):
        regress(*data(), NAMES, engine="pysr")
    with pytest.raises(UnknownChoice, match="auto, operon, pysr"):
        choose_engine("eureqa")


@pytest.mark.parametrize("name", ["julia", "juliaup", "my-julia"])
def test_julia_on_path_or_by_variable(nowhere, monkeypatch, name):
    found = program(nowhere / "bin" / name)
    if name == "my-julia":
        monkeypatch.setenv("PYTHON_JULIAPKG_EXE", str(nowhere / "gone"))
        assert find_julia() is None
        monkeypatch.setenv("PYTHON_JULIAPKG_EXE", str(found))
    else:
        monkeypatch.setenv("PATH", str(found.parent))
    assert find_julia() == str(found)
    assert choose_engine("auto") == "pysr"
    assert choose_engine("operon") == "operon"


def test_a_resolved_juliapkg_project(nowhere):
    found = program(nowhere / "install" / "julia")
    meta = nowhere / "project" / "pyjuliapkg" / "meta.json"
    meta.parent.mkdir(parents=True)
    for text, julia in (
        (json.dumps({"executable": str(found)}), str(found)),
        (json.dumps({"executable": str(nowhere / "gone")}), None),
        ("{ damaged", None),
    ):
        meta.write_text(text)
        assert find_julia() == julia


def test_finding_out_imports_nothing_of_julia():
    code = (
        "import sys; from symlib.symbolic import choose_engine, regress; choose_engine('auto');"
        "print([m for m in sys.modules if m.split('.')[0] in ('pysr', 'juliacall', 'juliapkg')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- the contract with the installed PySR, read from its source -----------------------------


def source(module: str) -> ast.Module:
    folder = Path(importlib.util.find_spec("pysr").origin).parent
    return ast.parse((folder / f"{module}.py").read_text(encoding="utf-8"))


def arguments(method: str) -> dict[str, ast.arg]:
    """What a method of the installed PySRRegressor takes."""
    body = next(n for n in source("sr").body if getattr(n, "name", "") == "PySRRegressor").body
    found = next(n for n in body if getattr(n, "name", "") == method).args
    return {a.arg: a for a in [*found.args, *found.kwonlyargs]}


def passed(call: str) -> set[str]:
    """Keywords that the engine itself writes into a call."""
    tree = ast.parse(Path(pysr_engine.__file__).read_text(encoding="utf-8"))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    calls = [n for n in calls if getattr(n.func, "id", getattr(n.func, "attr", "")) == call]
    names = {keyword.arg for n in calls for keyword in n.keywords if keyword.arg}
    assert names, f"the engine no longer calls {call}"
    return names


def test_keywords_choices_and_columns_exist_in_the_installed_pysr():
    settings, known = pysr_engine.settings(Budget(), 0), arguments("__init__")
    assert {*settings, *passed("PySRRegressor")} <= set(known)
    assert passed("fit") <= set(arguments("fit"))
    for name in ("parallelism", "model_selection", "precision"):
        choices = ast.walk(known[name].annotation)
        assert settings[name] in {getattr(n, "value", None) for n in choices}, name
    text = ast.unparse(source("sr"))
    for read in (settings["elementwise_loss"], ".equations_", "'equation'"):
        assert read in text, read


def test_the_operators_are_known_to_pysrs_export_and_to_the_parser():
    text = ast.unparse(source("export_sympy"))
    for name in [n for n in (*pysr_engine.BINARY, *pysr_engine.UNARY) if n.isalpha()]:
        assert f"'{name}':" in text, name
        assert name in FUNCTIONS, name
    assert set(pysr_engine.COMPLEXITY) <= {*pysr_engine.BINARY, *pysr_engine.UNARY}


STAND_IN = """
import json, os, pathlib
import pandas as pd

class PySRRegressor:
    def __init__(self, **settings):
        assert os.path.isdir(settings["output_directory"])
        self.settings = settings
    def fit(self, X, y, variable_names=None):
        assert X.shape == (len(y), len(variable_names))
        pathlib.Path(self.settings["output_directory"], "hall_of_fame.csv").write_text("x")
        shown = {k: str(v) for k, v in self.settings.items()}
        pathlib.Path(os.environ["STAND_IN_LOG"]).write_text(json.dumps(shown))
        self.equations_ = pd.DataFrame({
            "complexity": [1, 9, 30], "loss": [1.0, 0.5, 0.1], "score": [0.0, 0.1, 0.2],
            "equation": ["0.3", "(m2 * dx) / r", "((m2 * (dx - (dy * 0.4))) / (r ^ 2.0)) * 0.9"],
        })
        return self
"""


def test_regress_through_a_stand_in_for_pysr(nowhere, monkeypatch):
    folder, log = nowhere / "modules", nowhere / "log.json"
    (folder / "pysr").mkdir(parents=True)
    (folder / "pysr" / "__init__.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("STAND_IN_LOG", str(log))
    monkeypatch.setenv("PATH", str(program(nowhere / "bin" / "julia").parent))
    X, y = data()
    found = regress(X, y, NAMES, engine="pysr", seed=7, budget={"rounds": 0}, progress=False)
    assert found.engine == "pysr"
    assert recovered(found, "r1", 2), found.equations_.to_string()
    assert found.selected.loss < 1e-6 * np.mean(np.abs(y))
    told = json.loads(log.read_text())
    wanted = {"random_state": "7", "deterministic": "True", "parallelism": "serial"}
    assert wanted.items() <= told.items()
    assert told["constraints"] == "{'^': (-1, 1)}"
    assert not os.path.exists(told["output_directory"])


@pytest.mark.julia
@pytest.mark.slow
def test_the_real_pysr_recovers_1_over_r():
    if find_julia() is None:
        pytest.skip("no Julia")
    X, y = data()
    budget = {"niterations": 20, "max_complexity": 25}
    first, second = (
        regress(X, y, NAMES, engine="pysr", seed=0, budget=budget, progress=False) for _ in range(2)
    )
    assert recovered(first, "r1", 2), first.equations_.to_string()
    assert first.equations_.equals(second.equations_)
