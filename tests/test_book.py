"""Executing and rendering: what a reader is told, and what a page may show."""

import io
import json
import os
import sys

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from symlib.book import METRICS_VARIABLE, execute, page_source, record_metrics
from symlib.errors import InputError, UnknownChoice
from symlib.executor import ChapterFailed, Progress, execute_notebook, headline

PARAMETERS = 'preset = "ci"\nseed = 0\nengine = "auto"'


def chapter(folder, *sources, name="01_test", parameters=PARAMETERS):
    cells = [new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(source) for source in sources]
    path = folder / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Title"), *cells]), path)
    return path


def run(path, tmp_path, **parameters):
    stream = io.StringIO()
    output = tmp_path / "out" / path.name
    execute_notebook(path, output, parameters, stream=stream, environment={"CHAPTER_ONLY": "yes"})
    return nbformat.read(output, as_version=4), stream.getvalue()


def test_execution_shows_cells_and_uses_this_interpreter(tmp_path, monkeypatch):
    # A kernel that the user registered under the same name must not be taken.
    foreign = tmp_path / "foreign" / "kernels" / "python3" / "kernel.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text(json.dumps({"argv": ["false"], "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "foreign"))
    path = chapter(
        tmp_path, "import os, sys\nprint(sys.executable, seed, os.environ['CHAPTER_ONLY'])"
    )
    notebook, said = run(path, tmp_path, seed=7)
    assert notebook.cells[-1].outputs[0].text.split() == [sys.executable, "7", "yes"]
    assert "01_test: cell 3 of 3" in said and "import os, sys" in said
    assert "CHAPTER_ONLY" not in os.environ
    assert os.environ["JUPYTER_PATH"] == str(tmp_path / "foreign")


def test_a_failing_cell_is_named_and_the_notebook_kept(tmp_path):
    path = chapter(tmp_path, "fine = 1", "# divide\nwrong = fine / 0\n", "never = 2")
    with pytest.raises(ChapterFailed) as caught:
        run(path, tmp_path)
    message = str(caught.value)
    assert "chapter 01_test failed in cell 3 of 4" in message
    assert "wrong = fine / 0" in message
    assert "ZeroDivisionError: division by zero" in message
    output = tmp_path / "out" / path.name
    assert str(output) in message
    cells = [c for c in nbformat.read(output, as_version=4).cells if c.cell_type == "code"]
    executed = {c.source: c.execution_count for c in cells}
    assert executed["fine = 1"] and not executed["never = 2"]


def test_a_dying_kernel_is_a_failure(tmp_path):
    path = chapter(tmp_path, "import os\nos._exit(1)")
    with pytest.raises(ChapterFailed, match="DeadKernelError"):
        run(path, tmp_path)


@pytest.mark.parametrize("parameters", ["seed = int(0)", "seed: int = 0", "import os"])
def test_parameters_are_plain_values(tmp_path, parameters):
    with pytest.raises(InputError, match="parameters cell"):
        run(chapter(tmp_path, parameters=parameters), tmp_path, seed=1)


def test_unknown_parameter(tmp_path):
    with pytest.raises(InputError, match="does not set colour"):
        run(chapter(tmp_path), tmp_path, colour="red")


@pytest.mark.parametrize(
    "arguments",
    [{"preset": "huge"}, {"engine": "eureqa"}, {"chapters": ["99_none"]}],
)
def test_unknown_choices_list_the_known(arguments, tmp_path):
    with pytest.raises(UnknownChoice, match="choose one of"):
        execute(**arguments, out=tmp_path)


@pytest.mark.parametrize("seed", [-1, 0.5, "1", True])
def test_bad_seed(seed, tmp_path):
    with pytest.raises(InputError, match="seed"):
        execute(seed=seed, out=tmp_path)


def test_headline_skips_comments_and_cuts():
    assert headline("# why\n%matplotlib inline\nx = 1") == "x = 1"
    assert headline("# only this") == "# only this"
    assert headline("") == ""
    assert len(headline("x" * 100, 20)) == 20


def test_progress_on_a_terminal_keeps_one_line():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

        def fileno(self):
            raise OSError

    stream = Terminal()
    with Progress("01_test", 2, stream) as progress:
        progress.start("x = 1")
        progress.start("y = 2")
    assert "cell 2 of 2" in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_metrics_are_plain_json(tmp_path, monkeypatch):
    monkeypatch.setenv(METRICS_VARIABLE, str(tmp_path))
    given = {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": "x + 1", "e": False}
    path = record_metrics("01_test", given)
    assert json.loads(path.read_text()) == {"a": 0.5, "b": 3, "c": True, "d": "x + 1", "e": False}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("value", [float("nan"), np.inf, None, [1.0], np.array([1.0, 2.0])])
def test_other_metrics_are_refused(value, tmp_path, monkeypatch):
    monkeypatch.setenv(METRICS_VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match="'loss' must be a finite number"):
        record_metrics("01_test", {"loss": value})
    assert not list(tmp_path.iterdir())


def picture(alt=None):
    metadata = {"image/png": {"alt": alt}} if alt else {}
    return new_output("display_data", data={"image/png": "AA=="}, metadata=metadata)


def executed(*outputs, injected='preset = "ci"'):
    return new_notebook(
        cells=[
            new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
            new_code_cell("# Parameters\n" + injected, metadata={"tags": ["injected-parameters"]}),
            new_code_cell("show(figure)", outputs=list(outputs)),
        ]
    )


@pytest.mark.parametrize(("preset", "hidden"), [("ci", 1), ("laptop", 0)])
def test_a_page_shows_the_parameters_that_ran(preset, hidden, tmp_path):
    page = page_source(executed(injected=f'preset = "{preset}"'), tmp_path)
    tags = [cell.metadata.get("tags", []) for cell in page.cells]
    assert [number for number, tag in enumerate(tags) if "remove-cell" in tag] == [hidden]


def test_a_picture_takes_its_text_along(tmp_path):
    page = page_source(executed(picture("a falling line")), tmp_path)
    assert page.cells[-1].metadata["mystnb"] == {"image": {"alt": "a falling line"}}


@pytest.mark.parametrize("outputs", [[picture()], [picture("one"), picture("two")]])
def test_a_picture_without_its_own_text_is_refused(outputs, tmp_path):
    with pytest.raises(InputError, match="one figure"):
        page_source(executed(*outputs), tmp_path)


def test_a_chapter_that_failed_is_not_rendered(tmp_path):
    notebook = executed()
    notebook.cells[-1].metadata["papermill"] = {"exception": True, "status": "failed"}
    with pytest.raises(InputError, match="did not run to its end"):
        page_source(notebook, tmp_path)
