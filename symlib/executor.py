"""Execute one chapter with papermill, show where it is, and say what went wrong.

papermill is the book's only executor. Here it gets the kernel of the interpreter that runs
symlib (never one that happens to be registered under the same name elsewhere), a display
that names the chapter and the cell with the seconds that have passed, and an error that a
reader can act on.
"""

import ast
import contextlib
import json
import os
import re
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TextIO

from symlib.errors import InputError

# A cell that says nothing for this long gets a sign of life in a log.
HEARTBEAT_SECONDS = 60.0
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class ChapterFailed(RuntimeError):
    """A cell of a chapter failed; the message names chapter, cell, error and the notebook."""


def without_colours(text: str) -> str:
    """Text as a terminal shows it, less the escape sequences for colours."""
    return _ESCAPES.sub("", text)


def headline(source: str, width: int = 60) -> str:
    """The first line of a cell that does something, cut to `width` characters."""
    lines = [line.strip() for line in source.splitlines()]
    said = [line for line in lines if line and not line.startswith(("#", "%"))]
    line = (said or lines or [""])[0]
    return line if len(line) <= width else line[: width - 1] + "…"


class Progress:
    """Which cell of which chapter is running, and for how long.

    On a terminal one line is kept up to date every second; elsewhere each cell gets a line
    of its own, and a long one another every minute.

    Args:
        label: the chapter, e.g. "01_nbody (1 of 3)".
        cells: how many code cells it has.
        stream: where to write; standard error when None.
    """

    def __init__(self, label: str, cells: int, stream: TextIO | None = None):
        self.label, self.cells = label, cells
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.cell, self.source = 0, ""
        self.began = self.cell_began = time.monotonic()
        self._done = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self):
        self._ticker.start()
        return self

    def __exit__(self, *error):
        self._done.set()
        self._ticker.join()
        if self.live:
            self.stream.write("\r\x1b[K")
        if error[0] is None:
            self._line(f"{self.label}: {self.cells} cells in {self.seconds:.0f} s")

    @property
    def seconds(self) -> float:
        """Seconds since the chapter began."""
        return time.monotonic() - self.began

    def start(self, source: str) -> None:
        """The next code cell begins."""
        self.cell += 1
        self.source, self.cell_began = source, time.monotonic()
        if self.live:
            self._redraw()
        else:
            self._line(f"{self._where()}  {self.seconds:5.0f} s  {headline(source)}")

    def _where(self) -> str:
        return f"{self.label}: cell {self.cell} of {self.cells}"

    def _line(self, text: str) -> None:
        print(text, file=self.stream, flush=True)

    def _redraw(self) -> None:
        spent = time.monotonic() - self.cell_began
        text = f"{self._where()}, {spent:.0f} s (chapter {self.seconds:.0f} s)"
        try:
            width = os.get_terminal_size(self.stream.fileno()).columns
        except OSError:
            width = 80
        # A line that wraps could not be drawn over.
        self.stream.write(f"\r\x1b[K{headline(f'{text}  {headline(self.source)}', width - 1)}")
        self.stream.flush()

    def _tick(self) -> None:
        while not self._done.wait(1.0 if self.live else HEARTBEAT_SECONDS):
            if self.live and self.cell:
                self._redraw()
            elif not self.live:
                spent = time.monotonic() - self.cell_began
                self._line(f"{self._where()}  {self.seconds:5.0f} s  (running for {spent:.0f} s)")


@contextlib.contextmanager
def _environment(**changes: str):
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def own_kernel():
    """Make `python3` mean this interpreter, whatever kernels the user has registered."""
    with tempfile.TemporaryDirectory(prefix="symlib-kernel-") as folder:
        spec = Path(folder, "kernels", "python3", "kernel.json")
        spec.parent.mkdir(parents=True)
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        # ipykernel warns at every start that it talks over loopback, and at an orderly end of the
        # interrupt that ends it.
        command.append("--log-level=CRITICAL")
        spec.write_text(
            json.dumps({"argv": command, "display_name": "Python 3", "language": "python"})
        )
        paths = [folder, *filter(None, [os.environ.get("JUPYTER_PATH")])]
        with _environment(JUPYTER_PATH=os.pathsep.join(paths)):
            yield


def parameters_of(notebook, path: Path) -> dict:
    """The defaults in a notebook's cell tagged `parameters`.

    Raises:
        InputError: there is not exactly one such cell, or it holds more than assignments of
            plain values.
    """
    cells = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    if len(cells) != 1:
        raise InputError(
            f"{path} has {len(cells)} cells tagged 'parameters'; it needs one, which sets "
            "preset, seed and engine"
        )
    return assignments(cells[0].source, path)


def assignments(source: str, path: Path) -> dict:
    """Names and plain values that a cell assigns, read without running it."""
    values = {}
    for statement in ast.parse(source).body:
        try:
            (target,) = statement.targets
            values[target.id] = ast.literal_eval(statement.value)
        except (AttributeError, ValueError) as error:
            raise InputError(
                f"{path}: a parameters cell holds lines like `seed = 0` alone, "
                f"but line {statement.lineno} is: {ast.unparse(statement)}"
            ) from error
    return values


def _failure(error: Exception, progress: Progress, chapter: str, output: Path) -> ChapterFailed:
    what = getattr(error, "ename", "") or type(error).__name__
    said = str(getattr(error, "evalue", "") or error).strip()
    trace = without_colours("\n".join(getattr(error, "traceback", None) or []))
    # In a traceback an arrow marks the line that each frame was in: the cell's own first, the
    # place of the error last.
    arrows = [line.strip() for line in trace.splitlines() if re.match(r"\s*-+> ?\d", line)]
    lines = [f"chapter {chapter} failed in cell {progress.cell} of {progress.cells}:"]
    lines += [f"    {line}" for line in dict.fromkeys([headline(progress.source, 90), *arrows])]
    lines.append(f"    {what}: {headline(said, 300)}")
    lines.append(f"the executed notebook, up to that cell: {output}")
    return ChapterFailed("\n".join(lines))


def execute_notebook(
    source: Path,
    output: Path,
    parameters: dict,
    *,
    label: str = "",
    environment: dict[str, str] | None = None,
    stream: TextIO | None = None,
) -> float:
    """Execute one notebook with papermill.

    Args:
        source: the notebook; it is only read.
        output: where the executed copy goes. It is saved as cells finish, so after a
            failure it shows how far the chapter came.
        parameters: values for the cell tagged `parameters`; that cell must set each name.
        label: the chapter's name in the display and in errors.
        environment: variables for the kernel alone.
        stream: where the display goes; standard error when None.

    Returns:
        Seconds that it took.

    Raises:
        InputError: no usable `parameters` cell.
        ChapterFailed: a cell failed, or the kernel died.
    """
    # Imported late: papermill takes a second, and a chapter's metrics cell needs none of it.
    import nbformat
    import papermill
    from papermill.engines import NBClientEngine, papermill_engines

    notebook = nbformat.read(source, as_version=4)
    unknown = set(parameters) - set(parameters_of(notebook, source))
    if unknown:
        raise InputError(f"{source}: the parameters cell does not set {', '.join(sorted(unknown))}")
    # papermill adds one cell, with the values that were asked for.
    cells = bool(parameters) + sum(cell.cell_type == "code" for cell in notebook.cells)
    chapter = source.stem
    progress = Progress(label or chapter, cells, stream)

    class ReportingEngine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, **kwargs):
            begin = nb_man.cell_start

            def cell_start(cell, cell_index=None, **options):
                if cell.cell_type == "code":
                    progress.start(cell.source)
                return begin(cell, cell_index, **options)

            nb_man.cell_start = cell_start
            return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)

    output.parent.mkdir(parents=True, exist_ok=True)
    output.unlink(missing_ok=True)
    papermill_engines.register("symlib", ReportingEngine)
    try:
        with progress, own_kernel(), _environment(**(environment or {})):
            papermill.execute_notebook(
                source,
                output,
                parameters=parameters,
                engine_name="symlib",
                kernel_name="python3",
                language="python",
                cwd=output.parent,
                progress_bar=False,
            )
    except Exception as error:
        raise _failure(error, progress, chapter, output) from error
    return progress.seconds
