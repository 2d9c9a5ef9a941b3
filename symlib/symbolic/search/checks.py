"""What `regress` refuses, before any long work."""

import keyword
import re
from collections.abc import Sequence

import numpy as np

from symlib.errors import InputError
from symlib.symbolic.algebra.parsing import FUNCTIONS as PARSED

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
# Names that the parser, sympy or PySR give a meaning of their own.
_TAKEN = frozenset({*PARSED, "atan", "e", "E", "I", "N", "O", "Q", "S", "pi", "oo", "zoo", "nan"})


def _array(name: str, value, dimensions: int) -> np.ndarray:
    try:
        out = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: expected an array of numbers ({error})") from error
    if out.ndim != dimensions:
        raise InputError(f"{name}: expected {dimensions} axes, got shape {list(out.shape)}")
    bad = ~np.isfinite(out)
    if bad.any():
        raise InputError(
            f"{name}: {int(bad.sum())} values are NaN or infinite, the first at index "
            f"{tuple(int(i) for i in np.argwhere(bad)[0])}; leave those examples out"
        )
    return out


def checked(X, y, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """X [n, k], y [n] and names [k] as floats and strings.

    Raises:
        InputError: naming the argument that cannot be worked with.
    """
    X, y = _array("X", X, 2), _array("y", y, 1)
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise InputError(f"names: expected a list of strings, got {names!r}")
    names = list(names)
    if len(X) != len(y):
        raise InputError(f"y: X has {len(X)} examples, but y has {len(y)}")
    if len(names) != X.shape[1]:
        raise InputError(f"names: X has {X.shape[1]} columns, but there are {len(names)} names")
    for name in names:
        if not _NAME.match(name) or keyword.iskeyword(name) or name in _TAKEN:
            raise InputError(
                f"names: {name!r} cannot be a variable; use letters, digits and underscores, "
                "and no function's name"
            )
        if names.count(name) > 1:
            raise InputError(f"names: {name!r} occurs more than once")
    if len(y) < max(X.shape[1], 2):
        raise InputError(f"X: {len(y)} examples are fewer than its {X.shape[1]} variables")
    if not np.any(np.ptp(X, axis=0) > 0):
        raise InputError("X: no column varies")
    return X, y, names
