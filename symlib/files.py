"""Write a file whole or not at all, so that a run that is stopped leaves no half of one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from symlib.errors import InputError

# Of a checkout; elsewhere there is no book below it.
ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def whole_file(path: Path, **options) -> Iterator[IO]:
    """Open a file under a temporary name beside `path` and rename it when all went well.

    Args:
        path: where the file goes; its folder is made if need be.
        **options: of `open`: mode ("w" or "wb"), encoding, newline.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, **options) as file:
            yield file
        # mkstemp makes a private file; a result is as readable as any other new file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str) -> Path:
    """Write `text`, as UTF-8, whole or not at all.

    Args:
        path: where the file goes; its folder is made if need be.
        text: what it holds.

    Returns:
        The path.
    """
    with whole_file(path, mode="w", encoding="utf-8") as file:
        file.write(text)
    return Path(path)


def writable(path: Path | None, option: str = "--json") -> None:
    """Refuse a result file that cannot be written, before the work whose result it is.

    Args:
        path: None and "-", standard output, are never refused.
        option: how the message calls it.

    Raises:
        InputError: a folder, or a place where no file can be made.
    """
    if path is None or str(path) == "-":
        return
    if path.is_dir():
        raise InputError(f"{option} {path}: is a folder; name a file")
    _probe(path.parent, f"{option} {path}")


def writable_folder(folder: Path, option: str = "--out") -> None:
    """Refuse a folder for results into which no file can be written.

    Raises:
        InputError: a file, or a place where no folder can be made.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{option} {folder}: is a file; name a folder")
    _probe(folder, f"{option} {folder}")


def _probe(folder: Path, what: str) -> None:
    # The folder that is there already is asked: nothing is made for work that is refused later.
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"{what}: cannot be written, for {folder} is a file")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"{what}: cannot be written ({error})") from error
