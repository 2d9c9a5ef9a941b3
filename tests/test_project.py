"""What holds the repository's files together: pairs, environments, lock, pages, references."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml
from jupytext.compare import compare_notebooks
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from symlib.book.building import chapter_names
from symlib.discovery import judge
from symlib.laws.potentials import PairPotential, get_law

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# What conda-forge calls differently.
CONDA_NAMES = {"pytorch": "torch", "pytorch_geometric": "torch-geometric"}
PICTURES = {".png", ".jpg", ".gif", ".svg", ".npz", ".mp4", ".webp"}


def requirements() -> list[Requirement]:
    """Everything that pyproject.toml asks for, extras and build system included."""
    project = PROJECT["project"]
    lines = [*project["dependencies"], *PROJECT["build-system"]["requires"]]
    for extra in project["optional-dependencies"].values():
        lines += extra
    return [Requirement(line) for line in lines]


def tracked() -> list[Path]:
    """The files of the repository, new ones included, as git sees them."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / line for line in listing if (ROOT / line).is_file()]


def test_notebook_pairs_agree():
    scripts = sorted((ROOT / "notebooks").glob("*.py"))
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert [path.stem for path in scripts] == [path.stem for path in notebooks]
    for script, twin in zip(scripts, notebooks, strict=True):
        notebook = nbformat.read(twin, as_version=4)
        compare_notebooks(jupytext.read(script), notebook, "py:percent")
        assert not any(cell.get("outputs") for cell in notebook.cells), twin.name


def test_environment_yml_has_the_same_dependencies():
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    lines = [entry for entry in entries if isinstance(entry, str)]
    lines += [line for entry in entries if isinstance(entry, dict) for line in entry["pip"]]
    theirs = {}
    for line in lines:
        needed = Requirement(line)
        name = CONDA_NAMES.get(needed.name, needed.name)
        theirs[canonicalize_name(name)] = needed.specifier
    ours = {canonicalize_name(needed.name): needed.specifier for needed in requirements()}
    assert str(theirs.pop("python")) == PROJECT["project"]["requires-python"]
    theirs.pop("pip")
    assert theirs == ours


def lock() -> list[Requirement]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_lock_pins_one_version_of_everything():
    pins = {}
    for pin in lock():
        (specifier,) = pin.specifier
        assert specifier.operator == "==" and not specifier.version.endswith("*"), pin
        assert canonicalize_name(pin.name) not in pins, f"{pin.name} is pinned twice"
        pins[canonicalize_name(pin.name)] = specifier.version
    for needed in requirements():
        version = pins.get(canonicalize_name(needed.name))
        assert version, f"requirements.lock does not pin {needed.name}: run make lock"
        assert version in needed.specifier, f"{needed} against the pin {version}: run make lock"


def test_contents_exist_and_every_page_is_listed():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [toc["root"]]
    listed += [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    there = {f"book/{path.stem}" for path in (ROOT / "book").glob("*.md")}
    there |= {f"notebooks/{path.stem}" for path in (ROOT / "notebooks").glob("*.py")}
    assert sorted(listed) == sorted(there)


def test_the_landing_page_has_the_times_that_the_chapters_say():
    page = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \{doc\}`\.\./notebooks/(\w+)`.* \| (.+) \| (.+) \|$", page, re.M)
    assert sorted(name for name, _, _ in rows) == chapter_names(ROOT)
    for name, read, run in rows:
        text = (ROOT / "notebooks" / f"{name}.py").read_text(encoding="utf-8")
        said = f"**Time to read:** {read}. **Time to run:** {run}"
        assert said in " ".join(text.replace("\n#", "").split()), name


def test_a_displayed_equation_on_a_page_can_be_referred_to():
    for path in (ROOT / "book").glob("*.md"):
        lines = path.read_text(encoding="utf-8").splitlines()
        ends = [line for line in lines if line.startswith("$$")][1::2]
        assert all(line.startswith("$$ (") for line in ends), path.name


def test_no_page_is_configured_to_ask_another_host():
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    assert (ROOT / "book" / "_static" / config["mathjax_path"]).is_file()
    assert config["nb_ipywidgets_js"] == {}
    for name in (*config["html_js_files"], *config["html_css_files"]):
        assert "http" not in (ROOT / "book" / "_static" / name).read_text(encoding="utf-8")


def test_every_citation_is_in_the_bibliography():
    entries = (ROOT / "book" / "bibliography.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{([^,]+),", entries, re.MULTILINE)
    assert len(keys) == len(set(keys))
    cited = set()
    for path in [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.py")]:
        for found in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", path.read_text(encoding="utf-8")):
            cited |= {key.strip() for key in found.split(",")}
    assert cited and cited <= set(keys)


def test_the_example_laws_of_the_book_load():
    for name in ("YUKAWA", "CUBIC", "TRAPPED"):
        assert isinstance(get_law(f"{ROOT}/book/examples/my_laws.py:{name}"), PairPotential)


def test_the_verdicts_that_a_page_asks_for_are_those_that_it_speaks_of(monkeypatch):
    monkeypatch.chdir(ROOT)
    page = (ROOT / "book" / "your_own_law.md").read_text(encoding="utf-8")
    (law,) = re.findall(r'trapped = "(.+)"', page)
    asked = re.findall(r'judge\("(.+)", trapped(?:, of="(\w+)")?\)', page)
    assert [of for _, of in asked] == ["", "body"]
    for equation, of in asked:
        verdict = judge(equation, law, of or "force")
        assert verdict, verdict.reason
        assert ("of the pair force" in verdict.reason) is (of == "")


def test_no_machine_is_named():
    # A path of someone's home or of one machine's disk does not work for the next reader.
    local = re.compile(r"(?<![\w.])/(?:home|root|Users|work|tmp|opt|mnt)/\w")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in tracked()
        if path.suffix not in PICTURES and path != Path(__file__)
        for line in path.read_text(encoding="utf-8").splitlines()
        if local.search(line)
    ]
    assert not found, "\n".join(found)


def test_importing_symlib_changes_nothing():
    code = (
        "import sys, symlib, symlib.book.building, symlib.cli\n"
        "slow = {'torch', 'pysr', 'juliacall', 'papermill', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported at once: {slow}' if slow else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_docstrings_reach_sphinx_as_they_read():
    sys.path.insert(0, str(ROOT / "book" / "_ext"))
    try:
        from plain_docstrings import restructure
    finally:
        sys.path.pop(0)
    given = """The |r| of `a*b` in equations_:

    x = a * b | c_

* a point
  of two_ lines

kept: which, as
    a mask
both, of: these

Args:
    r_: y_
"""
    expected = """The \\|r\\| of ``a*b`` in equations\\_::

    x = a * b | c_

* a point
  of two\\_ lines

* **kept**: which, as
  a mask
* **both, of**: these

Args:
    r\\_: y\\_
"""
    assert restructure(given.splitlines()) == expected.splitlines()
