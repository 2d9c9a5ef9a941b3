"""Write a file whole or not at all, so that a run that is stopped leaves no half of one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


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
