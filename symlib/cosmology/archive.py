"""Arrays in an .npz file that is written whole or not at all."""

import os
import tempfile
from pathlib import Path

import numpy as np


def write_arrays(path: Path, compressed: bool = False, **arrays: np.ndarray) -> Path:
    """Write arrays under a temporary name beside `path`, then rename.

    Args:
        path: where the file goes; its folder is made if need be.
        compressed: deflate it (slow where arrays are large).
        **arrays: what it holds, under their names; none of object type.

    Returns:
        The path.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            (np.savez_compressed if compressed else np.savez)(file, allow_pickle=False, **arrays)
        # mkstemp makes a private file; a result is as readable as any other new file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path
