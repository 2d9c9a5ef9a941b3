"""Arrays and the facts about them in one .npz file, written whole or not at all, never pickled."""

import json
from pathlib import Path

import numpy as np

from symlib.errors import InputError
from symlib.files import whole_file


def write_arrays(path: str | Path, facts: dict, compressed: bool = False, **arrays) -> Path:
    """Write arrays, and facts about them as a JSON text.

    Args:
        path: where the file goes; its folder is made if need be.
        facts: plain JSON values.
        compressed: deflate it (slow where arrays are large).
        **arrays: what it holds, under their names; none of object type.

    Raises:
        InputError: the file cannot be written, or facts are not plain JSON.
    """
    write = np.savez_compressed if compressed else np.savez
    try:
        text = np.array(json.dumps(facts, allow_nan=False))
        with whole_file(path, mode="wb") as file:
            write(file, allow_pickle=False, facts=text, **arrays)
    except (OSError, TypeError, ValueError) as error:
        raise InputError(f"{path}: cannot be written ({error})") from error
    return Path(path)


def read_arrays(path: str | Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Facts and arrays of such a file.

    Raises:
        InputError: the file is missing, damaged, or of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return dict(json.loads(str(arrays.pop("facts")))), arrays
    # Damage shows in zip, zlib, numpy or JSON, and each has errors of its own for it.
    except Exception as error:
        raise InputError(f"{path}: missing, damaged, or not one of symlib's ({error})") from error
