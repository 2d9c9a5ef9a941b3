"""The README's lines, run; and what importing the package costs."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest

import symlib
from symlib.training.presets import PRESETS


@pytest.fixture
def small(monkeypatch):
    """The lines as they stand, at a scale of seconds."""
    monkeypatch.setitem(PRESETS, "ci", PRESETS["smoke"])


@pytest.mark.slow
def test_the_ten_lines_of_the_readme_run(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = symlib.__doc__
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    assert sum("symlib." in line for line in lines) >= 6
    # A thousand systems of a thousand steps are the default, and take a minute.
    sizes = "dim=2, systems=20, steps=60)  # or"
    code = "\n".join(lines).replace("dim=2)  # or", sizes)
    exec(compile(code, "README", "exec"), {})
    record = json.loads((tmp_path / "spring.json").read_text(encoding="utf-8"))
    assert (
        record["law"] == "spring" and record["test_loss"] > 0 and record["stages"]["training"] > 0
    )
    assert "recovered: " in capsys.readouterr().out


def test_the_readme_has_the_same_lines():
    readme = (symlib.files.ROOT / "README.md").read_text(encoding="utf-8")
    for line in symlib.__doc__.splitlines():
        if line.startswith("    "):
            assert line[4:].strip() in readme, line


@pytest.mark.slow
def test_the_readmes_lines_from_a_table_to_an_equation_run(small, tmp_path, monkeypatch, capsys):
    from symlib.papers.own_tracks.video import VIDEO, watch

    readme = (symlib.files.ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = [one for one in re.findall(r"```python\n(.*?)```", readme, re.S) if "fps" in one]
    assert len([line for line in code.splitlines() if line]) == 5
    monkeypatch.chdir(tmp_path)
    watch("tracks.csv", 0, replace(VIDEO, frames=800, bodies=3))
    exec(compile(code, "README", "exec"), {})
    record = json.loads((tmp_path / "law.json").read_text(encoding="utf-8"))
    assert record["kind"] == "tracks" and record["windows"]["bodies"] == 3
    assert record["law"] in capsys.readouterr().out


@pytest.mark.slow
def test_tracks_go_the_same_road(small, tmp_path):
    import numpy as np

    seen = symlib.simulate("spring", dim=2, systems=20, steps=60, progress=False)
    np.savez(tmp_path / "tracks.npz", states=seen.states, dt=seen.law.dt)
    train, test = symlib.read(tmp_path / "tracks.npz").split()
    run = symlib.train(train, progress=False)
    heard = symlib.listen(run, test)
    assert heard.force is None and heard.values.shape == (heard.inputs.shape[0], 2)
    budget = {"searches": 1, "generations": 2, "population": 30, "rounds": 0}
    found = symlib.regress(heard, budget=budget, engine="operon", progress=False)
    assert symlib.judge(found, "spring").reason


def test_energies_are_heard_regressed_and_judged(small):
    data = symlib.simulate("spring", dim=2, systems=20, steps=60, progress=False)
    heard = symlib.listen(symlib.train(data, "flathgn", "smoke", progress=False), data)
    budget = {"searches": 1, "generations": 2, "population": 30, "rounds": 0}
    found = symlib.regress(heard, budget=budget, engine="operon", progress=False)
    assert "r" in found.names and not symlib.judge(found, "charge", of="pair energy")
    assert symlib.judge("3*(r - 1)**2", "spring", of="pair energy")


def test_importing_symlib_loads_nothing():
    code = (
        "import sys, symlib\n"
        "slow = {'torch', 'jax', 'numpy', 'pandas', 'sympy'} & set(sys.modules)\n"
        "sys.exit(f'imported at once: {slow}' if slow else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_not_there_is_said_to_be_none():
    assert {"discover", "read"} <= set(dir(symlib))
    with pytest.raises(AttributeError, match="no attribute 'learn'"):
        symlib.learn  # noqa: B018
