"""Arrays in an .npz file that is written whole or not at all."""

from pathlib import Path

import numpy as np

from symlib.files import whole_file


def write_arrays(path: Path, compressed: bool = False, **arrays: np.ndarray) -> Path:
    """Write arrays whole or not at all.

    Args:
        path: where the file goes; its folder is made if need be.
        compressed: deflate it (slow where arrays are large).
        **arrays: what it holds, under their names; none of object type.

    Returns:
        The path.
    """
    write = np.savez_compressed if compressed else np.savez
    with whole_file(path, mode="wb") as file:
        write(file, allow_pickle=False, **arrays)
    return Path(path)
