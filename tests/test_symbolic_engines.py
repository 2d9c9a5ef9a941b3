"""Engines: which one runs, the contract with the installed PySR, and the worker protocol."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from symlib.errors import MissingEngine, UnknownChoice
from symlib.symbolic import engines, pysr_engine, recovered, regress
from symlib.symbolic.budget import Budget
from symlib.symbolic.engines import choose_engine, find_julia
from symlib.symbolic.processes import run_worker

NAMES = ["m1", "m2", "dx", "dy", "r"]


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without Julia."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
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


def test_no_julia(nowhere):
    assert find_julia() is None
    assert choose_engine("auto") == "operon"


def test_pysr_without_julia_fails_at_once_and_says_what_to_run(nowhere):
    X, y = data()
    started = time.perf_counter()
    with pytest.raises(MissingEngine, match="import pysr") as caught:
        regress(X, y, NAMES, engine="pysr")
    assert time.perf_counter() - started < 2
    assert "operon" in str(caught.value)


@pytest.mark.parametrize("name", ["julia", "juliaup"])
def test_julia_on_path(nowhere, monkeypatch, name):
    found = program(nowhere / "bin" / name)
    monkeypatch.setenv("PATH", str(found.parent))
    assert find_julia() == str(found)
    assert choose_engine("auto") == "pysr"
    assert choose_engine("operon") == "operon"


def test_julia_by_variable(nowhere, monkeypatch):
    found = program(nowhere / "my-julia")
    monkeypatch.setenv("PYTHON_JULIAPKG_EXE", str(found))
    assert find_julia() == str(found)
    monkeypatch.setenv("PYTHON_JULIAPKG_EXE", str(nowhere / "gone"))
    assert find_julia() is None


def test_a_resolved_juliapkg_project(nowhere):
    found = program(nowhere / "install" / "julia")
    meta = nowhere / "project" / "pyjuliapkg" / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"executable": str(found)}))
    assert find_julia() == str(found)
    meta.write_text(json.dumps({"executable": str(nowhere / "gone")}))
    assert find_julia() is None
    meta.write_text("{ damaged")
    assert find_julia() is None


def test_auto_says_once_which_engine_it_took(nowhere, capsys, monkeypatch):
    monkeypatch.setattr(engines, "_said", set())
    choose_engine("auto")
    choose_engine("auto")
    assert capsys.readouterr().err.count("operon") == 1
    choose_engine("operon")
    assert capsys.readouterr().err == ""


def test_unknown_engine():
    with pytest.raises(UnknownChoice, match="auto, operon, pysr"):
        choose_engine("eureqa")


def test_finding_out_imports_nothing_of_julia():
    code = (
        "import sys; from symlib.symbolic import choose_engine, regress; choose_engine('auto');"
        "print([m for m in sys.modules if m.split('.')[0] in ('pysr', 'juliacall', 'juliapkg')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- the contract with the installed PySR, read from its source -----------------------------


@pytest.fixture(scope="module")
def pysr_source() -> dict[str, ast.Module]:
    folder = Path(importlib.util.find_spec("pysr").origin).parent
    return {
        name: ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
        for name in ("sr", "export_sympy")
    }


def _method(tree: ast.Module, name: str) -> ast.FunctionDef:
    regressor = next(
        n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "PySRRegressor"
    )
    return next(n for n in regressor.body if isinstance(n, ast.FunctionDef) and n.name == name)


def _worker_keywords(call: str) -> set[str]:
    source = Path(pysr_engine.__file__).with_name("pysr_worker.py").read_text(encoding="utf-8")
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    names = {
        keyword.arg
        for n in calls
        if getattr(n.func, "id", getattr(n.func, "attr", None)) == call
        for keyword in n.keywords
        if keyword.arg
    }
    assert names, f"the worker no longer calls {call}"
    return names


def test_every_keyword_exists_in_the_installed_pysr(pysr_source):
    arguments = _method(pysr_source["sr"], "__init__").args
    known = {a.arg for a in [*arguments.args, *arguments.kwonlyargs]}
    passed = set(pysr_engine.settings(Budget(), 0)) | _worker_keywords("PySRRegressor")
    assert passed <= known, passed - known
    fit = _method(pysr_source["sr"], "fit").args
    assert _worker_keywords("fit") <= {a.arg for a in [*fit.args, *fit.kwonlyargs]}


def test_values_of_choices_exist_in_the_installed_pysr(pysr_source):
    arguments = _method(pysr_source["sr"], "__init__").args
    notes = {
        a.arg: {n.value for n in ast.walk(a.annotation) if isinstance(n, ast.Constant)}
        for a in [*arguments.args, *arguments.kwonlyargs]
        if a.annotation
    }
    settings = pysr_engine.settings(Budget(), 0)
    for name in ("parallelism", "model_selection", "precision"):
        assert settings[name] in notes[name], name
    assert settings["elementwise_loss"] in ast.unparse(pysr_source["sr"])


def test_columns_and_attributes_read_exist_in_the_installed_pysr(pysr_source):
    tree = pysr_source["sr"]
    strings = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    assert {"complexity", "loss", "equation"} <= strings
    assigned = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    assert "equations_" in assigned


def test_the_operators_are_known_to_pysrs_export_and_to_the_parser(pysr_source):
    from symlib.symbolic.parsing import FUNCTIONS

    text = ast.unparse(pysr_source["export_sympy"])
    for name in [n for n in (*pysr_engine.BINARY, *pysr_engine.UNARY) if n.isalpha()]:
        assert f"'{name}':" in text, name
        assert name in FUNCTIONS, name
    assert set(pysr_engine.COMPLEXITY) <= {*pysr_engine.BINARY, *pysr_engine.UNARY}


# --- the worker protocol, with a stand-in for pysr ------------------------------------------

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


@pytest.fixture
def stand_in(nowhere, monkeypatch):
    folder = nowhere / "modules"
    (folder / "pysr").mkdir(parents=True)
    (folder / "pysr" / "__init__.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("STAND_IN_LOG", str(nowhere / "log.json"))
    monkeypatch.setenv("PATH", str(program(nowhere / "bin" / "julia").parent))
    return nowhere / "log.json"


def test_regress_through_the_pysr_worker(stand_in):
    X, y = data()
    found = regress(X, y, NAMES, engine="pysr", seed=7, budget={"rounds": 0}, progress=False)
    assert found.engine == "pysr"
    assert recovered(found, "r1", 2), found.equations_.to_string()
    assert found.get_best().loss < 1e-6 * np.mean(np.abs(y))
    log = json.loads(stand_in.read_text())
    assert (log["random_state"], log["deterministic"], log["parallelism"]) == (
        "7",
        "True",
        "serial",
    )
    assert log["constraints"] == "{'^': (-1, 1)}"
    assert not os.path.exists(log["output_directory"])


def test_the_workers_answer_is_pysrs_table(stand_in):
    X, y = data(50)
    request = {"names": NAMES, "settings": pysr_engine.settings(Budget(), 1)}
    answer = run_worker("symlib.symbolic.pysr_worker", request, {"X": X, "y": y})
    assert [row["complexity"] for row in answer["equations"]] == [1, 9, 30]


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
