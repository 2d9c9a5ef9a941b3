"""CONTRIBUTING.md, followed to the letter in a copy of the repository: a law and a paper."""

import json
import os
import re
import shutil
import subprocess
import sys

import jupytext
import pytest
from regression import compare

from symlib.files import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# "`a/file.py`, what it is:", and then what it holds.
FILES = dict(
    re.findall(r"^`([\w./]+)`[^\n]*:\n\n```\w+\n(.*?)```$", TEXT, re.MULTILINE | re.DOTALL)
)
LAW = re.search(r"^```python\n(_builtin\(.*?)```$", TEXT, re.MULTILINE | re.DOTALL)[1]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The package and the files that it is built by, with all that the text adds."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "symlib", root / "symlib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "_toc.yml"):
        shutil.copy(ROOT / name, root)
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    laws, choices = root / "symlib" / "laws" / "potentials.py", root / "symlib" / "choices.py"
    text = laws.read_text(encoding="utf-8")
    place = text.index("    )\n}", text.index("LAWS: dict"))
    laws.write_text(f"{text[:place]}        {LAW},\n{text[place:]}", encoding="utf-8")
    text = choices.read_text(encoding="utf-8")
    choices.write_text(re.sub(r"^LAWS = \(", 'LAWS = ("yukawa", ', text, flags=re.M))
    return root


def run(copy, *arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
    )


def lint(copy) -> subprocess.CompletedProcess:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    return run(copy, "-c", code)


def test_the_text_has_three_small_files_a_chapter_and_its_metrics():
    names = {name.rsplit("/", 1)[-1] for name in FILES}
    assert names == {
        "__init__.py", "data.py", "study.py", "figures.py", "99_hooke.py", "99_hooke.json",
    }  # fmt: skip


def test_a_law_that_is_built_in_is_simulated_and_judged(copy):
    code = (
        "import symlib\n"
        "seen = symlib.simulate('yukawa', systems=5, steps=20, progress=False)\n"
        "assert len(seen) == 5\n"
        "assert symlib.judge('2*m2*m1*dx*exp(-r)*(1/r + 1/r**2)/r', 'yukawa')\n"
        "assert not symlib.judge('m2*m1*dx*exp(-r)/r', 'yukawa')\n"
    )
    done = run(copy, "-c", code)
    assert done.returncode == 0, done.stderr
    assert "yukawa" in run(copy, "-m", "symlib.cli", "laws").stdout


def test_a_paper_is_measured_recorded_drawn_and_held_to_its_metrics(copy):
    script = copy / "notebooks" / "99_hooke.py"
    jupytext.write(jupytext.read(script), script.with_suffix(".ipynb"))
    done = run(copy, "-m", "symlib.book", "execute")
    assert done.returncode == 0, done.stderr
    measured = json.loads((copy / "_build" / "metrics" / "99_hooke.json").read_text())
    expected = json.loads((copy / "tests" / "expected" / "99_hooke.json").read_text())
    assert compare(measured, expected) == []
    record = json.loads((copy / "book" / "results" / "hooke1678" / "stiffness-0.json").read_text())
    assert record["made_by"] == {"simulate": 1} and record["provenance"]["command"]
    assert abs(record["stiffness"] - 2) < 0.01


def test_the_house_lets_the_paper_in_and_keeps_an_arrow_back_out(copy):
    done = lint(copy)
    assert done.returncode == 0, done.stdout
    law = copy / "symlib" / "laws" / "variables.py"
    text = law.read_text(encoding="utf-8")
    law.write_text(text + "\nfrom symlib.papers.hooke1678 import data  # noqa\n", encoding="utf-8")
    done = lint(copy)
    law.write_text(text, encoding="utf-8")
    assert done.returncode == 1 and "symlib.laws is not allowed to import symlib.papers" in (
        done.stdout
    )
