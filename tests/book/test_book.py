"""Executing and rendering: what a reader is told, and what a page may show."""

import ast
import json
import os
import sys

import nbformat
import numpy as np
import pytest
from book_site import small_book
from nbformat.v4 import new_code_cell, new_notebook, new_output

from symlib.book.building import (
    DEFAULTS,
    METRICS_VARIABLE,
    BookFailed,
    chapter_names,
    execute,
    find_root,
    main,
    page_source,
    record_metrics,
    render,
)
from symlib.errors import InputError
from symlib.records.record import write_record


def run(root, *sources, **options):
    """Execute a book of one chapter; returns the executed notebook's file."""
    cells = [new_code_cell("seed = 0", metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(source) for source in sources]
    (root / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=cells), root / "notebooks" / "01_test.ipynb")
    execute(root=root, out=root / "out", **options)
    return root / "out" / "01_test.ipynb"


def test_execution_uses_this_interpreter_and_says_how_far_it_is(tmp_path, monkeypatch, capfd):
    # A kernel that the user registered under the same name must not be taken.
    foreign = tmp_path / "foreign" / "kernels" / "python3" / "kernel.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text(json.dumps({"argv": ["false"], "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "foreign"))
    source = f"import os, sys\nprint(sys.executable, seed, os.environ['{METRICS_VARIABLE}'])"
    cells = nbformat.read(run(tmp_path, source, seed=7), as_version=4).cells
    assert cells[-1].outputs[0].text.split() == [sys.executable, "7", str(tmp_path / "metrics")]
    assert os.environ["JUPYTER_PATH"] == str(tmp_path / "foreign")
    assert METRICS_VARIABLE not in os.environ
    assert "01_test (1 of 1): 100%" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("# divide\nwrong = fine / 0\n", "ZeroDivisionError: division by zero"),
        ("import os\nos._exit(1)", "DeadKernelError"),
    ],
)
def test_a_failing_cell_is_named_and_the_notebook_kept_but_not_shown(wrong, said, tmp_path):
    with pytest.raises(BookFailed) as caught:
        run(tmp_path, "fine = 1", wrong, "never = 2")
    output, message = tmp_path / "out" / "01_test.ipynb", str(caught.value)
    assert "chapter 01_test failed in code cell 3 of 4" in message
    assert said in message and str(output) in message
    assert ("wrong = fine / 0" in message) == ("Zero" in said)
    notebook = nbformat.read(output, as_version=4)
    counts = {cell.source: cell.get("execution_count") for cell in notebook.cells}
    assert counts["fine = 1"] and not counts["never = 2"]
    with pytest.raises(InputError, match="did not run to its end"):
        page_source(notebook, output)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--preset", "huge", "choose one of ci"),
        ("--engine", "eureqa", "choose one of auto"),
        ("--seed", "-1", "seed: a whole number"),
        ("99_none", None, "choose one of 01_nbody"),
    ],
)
def test_bad_values_are_refused_before_any_execution(option, value, said, monkeypatch, capsys):
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("executed"))
    assert main(["execute", *filter(None, [option, value])]) == 1
    assert said in capsys.readouterr().err


def test_chapters_start_from_the_defaults_that_papermill_need_not_add():
    for name in chapter_names():
        notebook = nbformat.read(find_root() / "notebooks" / f"{name}.ipynb", as_version=4)
        tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
        (cell,) = tagged
        lines = ast.parse(cell.source).body
        values = {line.targets[0].id: ast.literal_eval(line.value) for line in lines}
        assert DEFAULTS.items() <= values.items(), name


def test_metrics_are_plain_json(tmp_path, monkeypatch):
    monkeypatch.setenv(METRICS_VARIABLE, str(tmp_path))
    given = {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": "x + 1", "e": False}
    path = record_metrics("01_test", given)
    assert json.loads(path.read_text()) == {"a": 0.5, "b": 3, "c": True, "d": "x + 1", "e": False}
    for value in (float("nan"), np.inf, None, [1.0], np.array([1.0, 2.0])):
        with pytest.raises(InputError, match="'loss' must be a finite number"):
            record_metrics("02_test", {"loss": value})
    assert list(tmp_path.iterdir()) == [path]


def shown(*texts):
    """The page of an executed notebook that shows pictures with these texts."""
    outputs = [
        new_output("display_data", {"image/png": "AA=="}, metadata={"image/png": {"alt": alt}})
        for alt in texts
    ]
    cell = new_code_cell("show(figure)", outputs=outputs)
    return page_source(new_notebook(cells=[cell]), "01_test.ipynb")


def test_a_picture_takes_its_own_text_along():
    assert shown("falls").cells[-1].metadata["mystnb"] == {"image": {"alt": "falls"}}
    for texts in ([None], ["one", "two"]):
        with pytest.raises(InputError, match="one figure"):
            shown(*texts)


FRONT = [{"complexity": 3, "loss": 0.5, "score": 1.0, "equation": "dx*r"}]


@pytest.mark.slow
def test_a_part_of_a_page_that_cannot_be_made_fails_the_build(tmp_path):
    page = "# Title\n\n```{pareto-front} absent.json\n```\n\n```{pareto-front} empty.json\n```\n"
    root = small_book(tmp_path, page)
    write_record(root / "book" / "empty.json", {"law": "spring"})
    with pytest.raises(BookFailed) as caught:
        render(root / "executed", tmp_path / "html", root=root)
    for said in ("absent.json: no such file", "empty.json: the record of one discovery"):
        assert said in str(caught.value)


@pytest.mark.slow
def test_parts_of_pages_are_made_from_files(tmp_path):
    page = "# Title\n\n```{pareto-front} run.json\n```\n\n```{scoreboard-totals}\n```\n"
    root = small_book(tmp_path, page)
    facts = {"law": "spring", "dim": 2, "model": "l1", "complexity": 3}
    write_record(root / "book" / "run.json", {**facts, "front": FRONT})
    site = render(root / "executed", tmp_path / "html", root=root).parent
    text = (site / "book" / "index.html").read_text(encoding="utf-8")
    assert 'data-equation="dx*r"' in text and "spring-2, l1: 1 equations" in text
    assert "Table 1: messages and forces" in text and "THEBE_JS_URL" not in text
