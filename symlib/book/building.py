"""Execute the chapters and render the book.

A chapter is notebooks/NN_name.ipynb. `execute` runs staged copies of the chapters with
papermill at a preset, `render` makes the site from the executed copies alone, with execution
off: what a page shows is what ran. `make book` does both. A chapter shows its figures with
`show` and ends with `record_metrics`, whose numbers the tests hold against those on record.

    _build/notebooks/   the executed chapters
    _build/metrics/     what each of them measured
    _build/html/        the site
"""

import argparse
import base64
import contextlib
import io
import json
import math
import numbers
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from symlib import choices
from symlib.errors import InputError, MissingEngine
from symlib.files import ROOT, write_whole

METRICS_VARIABLE = "SYMLIB_METRICS_DIR"
# What every chapter's cell tagged `parameters` sets.
DEFAULTS = {"preset": "ci", "seed": 0, "engine": "auto"}


class BookFailed(RuntimeError):
    """A cell of a chapter failed, or jupyter-book stopped or warned; the message says which."""


def find_root() -> Path:
    """The checkout that holds the book: the working directory's, else this package's."""
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, ROOT):
        if (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise InputError("the book's sources are not here: run this in a checkout of the repository")


def chapter_names(root: Path | None = None) -> list[str]:
    """Names of the chapters in their order, e.g. ["01_nbody"]."""
    folder = (root or find_root()) / "notebooks"
    return sorted(path.stem for path in folder.glob("[0-9][0-9]_*.ipynb"))


def record_metrics(chapter: str, metrics: dict[str, float | bool | str]) -> Path:
    """Write down what a chapter measured; the last cell of every chapter calls this.

    Args:
        chapter: the chapter's name, e.g. "01_nbody".
        metrics: name -> a finite number, a yes or no, or a short text such as an equation;
            InputError for anything else.

    Returns:
        The JSON file, in the folder that SYMLIB_METRICS_DIR names, else in _build/metrics.
    """
    plain = {}
    for name, value in metrics.items():
        # A numpy scalar as the plain value that it holds.
        value = value.item() if getattr(value, "ndim", None) == 0 else value
        number = isinstance(value, numbers.Real) and math.isfinite(value)
        if not number and not isinstance(value, str):
            raise InputError(
                f"chapter {chapter}: metric {name!r} must be a finite number, a yes or no, or "
                f"text, got {value!r}"
            )
        plain[name] = value
    named = os.environ.get(METRICS_VARIABLE)
    folder = Path(named) if named else find_root() / "_build" / "metrics"
    return write_whole(folder / f"{chapter}.json", json.dumps(plain, indent=2) + "\n")


def show(figure, alt: str) -> None:
    """Show a figure in a chapter, with the text that stands for it where it cannot be seen.

    Args:
        figure: a matplotlib figure.
        alt: what the picture shows, in a sentence or two; InputError if it is empty.
    """
    from IPython.display import display

    text = " ".join(alt.split())
    if not text:
        raise InputError("show: alt must say what the figure shows")
    picture = io.BytesIO()
    # Drawn here and not by the inline backend, so that it is the same whoever runs it.
    figure.savefig(picture, format="png", dpi=150, bbox_inches="tight")
    data = {"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": text}
    display(data, raw=True, metadata={"image/png": {"alt": text}})


def execute(
    preset: str = "ci",
    seed: int = 0,
    engine: str = "auto",
    chapters: list[str] | None = None,
    out: Path | None = None,
    *,
    root: Path | None = None,
) -> list[Path]:
    """Execute chapters with papermill, in order; the first failing cell stops it.

    Args:
        preset, seed, engine: what every chapter is given (`symlib.discovery.discover`).
        chapters: which ones; all when None.
        out: folder for the executed copies, _build/notebooks when None, with `metrics/` beside it.
        root: the checkout; found from the working directory when None.

    Returns:
        The file with the metrics of each chapter, which its last cell wrote.

    Raises:
        InputError: an unknown preset, engine or chapter, or a seed that is no whole number.
        MissingEngine: PySR was asked for and this machine cannot run it.
        BookFailed: a cell failed, or the kernel died; the message names the cell, the error and
            the executed notebook, which is saved as cells finish.
    """
    # Imported late, with PyTorch behind it: a chapter's metrics cell needs none of it.
    import papermill

    from symlib.discovery import check

    root = root or find_root()
    known = chapter_names(root)
    choices.known("preset", preset, choices.PRESETS)
    check("spring", 2, "standard", preset, seed, engine=engine)
    wanted = known if chapters is None else list(chapters)
    for name in wanted:
        choices.known("chapter", name, known)
    out = Path(out or root / "_build" / "notebooks").resolve()
    out.mkdir(parents=True, exist_ok=True)
    metrics = out.parent / "metrics"
    # What papermill is given it adds to the page, which says the defaults itself.
    changes = {"preset": preset, "seed": seed, "engine": engine}.items() - DEFAULTS.items()
    # The kernel of this interpreter, whatever others are registered as `python3`.
    here = {METRICS_VARIABLE: str(metrics), "JUPYTER_PATH": f"{sys.prefix}/share/jupyter"}
    for number, name in enumerate(wanted, start=1):
        notebook = out / f"{name}.ipynb"
        # Old files must not pass for those of this run.
        notebook.unlink(missing_ok=True)
        (metrics / f"{name}.json").unlink(missing_ok=True)
        try:
            with _environment(**here):
                papermill.execute_notebook(
                    root / "notebooks" / f"{name}.ipynb",
                    notebook,
                    dict(changes),
                    kernel_name="python3",
                    language="python",
                    cwd=out,
                    progress_bar={"desc": f"{name} ({number} of {len(wanted)})", "mininterval": 0},
                    # ipykernel warns at every start that it talks over loopback.
                    extra_arguments=["--log-level=CRITICAL"],
                )
        except Exception as error:
            raise BookFailed(_failure(error, notebook)) from error
    return [metrics / f"{name}.json" for name in wanted]


@contextlib.contextmanager
def _environment(**changes: str):
    before = dict(os.environ)
    os.environ |= changes
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


def _failure(error: Exception, notebook: Path) -> str:
    import nbformat

    cells = nbformat.read(notebook, as_version=4).cells if notebook.is_file() else []
    code = [cell for cell in cells if cell.cell_type == "code"]
    begun = sum(bool(cell.metadata.papermill.get("start_time")) for cell in code)
    lines = [f"chapter {notebook.stem} failed in code cell {begun} of {len(code)}:"]
    # papermill's own error has a cell's; in its traceback an arrow marks each frame's line.
    name, said = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", error)
    lines += [f"    {line}" for line in re.findall(r"^-+> ?\d.*", str(error), re.MULTILINE)]
    lines += [f"    {name}: {said}", f"the executed notebook, up to that cell: {notebook}"]
    return "\n".join(lines)


def page_source(notebook, path: Path):
    """An executed notebook, changed so that the text given to `show` is its picture's alternative.

    Raises:
        InputError: the notebook, of that path, did not run to its end, a picture has no text, or
            one cell shows two pictures (the book can give only one text to a cell's pictures).
    """
    ran = notebook.metadata.get("papermill")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if ran and (ran.get("exception") or not all(cell.execution_count for cell in code)):
        raise InputError(f"{path} did not run to its end: execute it again with `make book`")
    for cell in code:
        pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        texts = [picture.metadata.get("image/png", {}).get("alt") for picture in pictures]
        if None in texts or len(texts) > 1:
            raise InputError(
                f"{path}: a cell must show one figure, with show(figure, alt); this "
                f"one shows {len(texts)}, {texts.count(None)} of them without text:\n{cell.source}"
            )
        if texts:
            cell.metadata["mystnb"] = {"image": {"alt": texts[0]}}
    return notebook


def render(
    executed: Path | None = None, site: Path | None = None, *, root: Path | None = None
) -> Path:
    """Render the book from executed chapters, warnings being errors.

    Args:
        executed: folder with the executed chapters; _build/notebooks when None.
        site: folder that the site goes to; _build/html when None. An older site there is
            replaced when the new one is complete, and kept when rendering fails.
        root: the checkout; found from the working directory when None.

    Returns:
        The page to open, site/index.html.

    Raises:
        InputError: a chapter was not executed, or not to its end.
        BookFailed: jupyter-book failed or warned.
    """
    import nbformat

    root = root or find_root()
    executed = Path(executed or root / "_build" / "notebooks").resolve()
    site = Path(site or root / "_build" / "html").resolve()
    work = site.parent / "site"
    # What jupyter-book reads: configuration, prose (CONTRIBUTING.md is a page), executed chapters.
    shutil.rmtree(work, ignore_errors=True)
    source = work / "source"
    (source / "notebooks").mkdir(parents=True)
    for path in (*root.glob("_*.yml"), *root.glob("*.md")):
        shutil.copy(path, source)
    shutil.copytree(root / "book", source / "book", ignore=shutil.ignore_patterns("__pycache__"))
    for name in chapter_names(root):
        path = executed / f"{name}.ipynb"
        if not path.is_file():
            raise InputError(f"{path} is missing: execute the chapters first, with `make book`")
        page = page_source(nbformat.read(path, as_version=4), path)
        write_whole(source / "notebooks" / path.name, nbformat.writes(page) + "\n")
    log = site.parent / "render.log"
    program = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", program, "build", ".", "--path-output", str(work)]
    command += ["--all", "--warningiserror", "--keep-going"]
    # One language, so that the log reads the same everywhere.
    here = {"cwd": source, "env": {**os.environ, "LC_ALL": "C.UTF-8"}}
    with open(log, "w", encoding="utf-8") as file:
        done = subprocess.run(command, **here, stdout=file, stderr=subprocess.STDOUT)
    if done.returncode:
        lines = re.sub(r"\x1b\[[\d;]*m", "", log.read_text(encoding="utf-8")).splitlines()
        said = [line for line in lines if re.search("WARNING|ERROR|Error: ", line)] or lines[-30:]
        raise BookFailed("\n".join([*said, f"rendering the book failed; the whole log is {log}"]))
    shutil.rmtree(site, ignore_errors=True)
    os.replace(work / "_build" / "html", site)
    return site / "index.html"


def main(arguments: list[str] | None = None) -> int:
    """The two steps of `make book`; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m symlib.book")
    steps = parser.add_subparsers(dest="step", required=True)
    run = steps.add_parser("execute", help="execute chapters with papermill")
    run.add_argument("chapters", nargs="*", help="e.g. 01_nbody; all when none is named")
    for name, value in DEFAULTS.items():
        run.add_argument(f"--{name}", type=type(value), default=value)
    steps.add_parser("render", help="render the book from the chapters executed last")
    options = parser.parse_args(arguments)
    try:
        if options.step == "execute":
            execute(options.preset, options.seed, options.engine, options.chapters or None)
        else:
            print("rendering the book", flush=True)
            print(f"open {render()}")
    except (InputError, MissingEngine, BookFailed) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0
