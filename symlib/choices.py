"""The names that arguments may take.

They stand apart from what they name, so that a wrong one is told at once, before torch and JAX
take seconds to load.
"""

from collections.abc import Iterable
from numbers import Integral, Real
from pathlib import Path

from symlib.errors import InputError, UnknownChoice

LAWS = ("r2", "r1", "spring", "damped", "charge", "discontinuous")
MESSAGE_MODELS = ("standard", "bottleneck", "l1", "kl")
PRUNED = "pruned"  # not in the paper
LOSSES = ("auto", "acceleration", "trajectory")  # what equations are held against
SELECTIONS = ("held-out", "paper")  # rules by which a row of a front becomes the answer
FLATHGN = "flathgn"
TRACKS_MODELS = (*MESSAGE_MODELS, PRUNED)  # what learns from tracks
MODELS = (*TRACKS_MODELS, FLATHGN)
DIMENSIONS = (2, 3)
TABLES = ("1", "3", "5", PRUNED, "all")  # that a grid makes
SMOKE = "smoke"
PRESETS = ("ci", "laptop", "paper")
# From the smallest to the largest; a page shows the largest that is on record.
RANK = (SMOKE, *PRESETS)
RECIPES = ("reference", "plain", "fast")
ENGINES = ("operon", "pysr")


def known(what: str, given, choices: Iterable) -> None:
    """Refuse what is not among the choices.

    Raises:
        UnknownChoice: it is not; the message lists them.
    """
    choices = tuple(choices)
    if given not in choices:
        raise UnknownChoice(what, given, choices)


def known_law(spec: str) -> None:
    """Refuse a law that is neither built in nor in a file that is there.

    Raises:
        InputError: no such law, or no such file.
    """
    if spec in LAWS:
        return
    if ".py" not in spec:
        raise UnknownChoice("law", spec, [*LAWS, "path/to/file.py:NAME"])
    path = spec.rpartition(":")[0]
    if not path.endswith(".py"):
        raise InputError(f"law {spec!r}: write it as path/to/file.py:NAME")
    if not Path(path).is_file():
        raise InputError(f"law {spec!r}: there is no file {path}")


def positive(what: str, given: float) -> float:
    """A finite number above zero.

    Raises:
        InputError: it is none.
    """
    if isinstance(given, bool) or not isinstance(given, Real) or not 0 < given < float("inf"):
        raise InputError(f"{what}: a positive number, got {given!r}")
    return float(given)


def at_least(what: str, given: int, least: int) -> int:
    """A whole number that is not too small.

    Raises:
        InputError: it is, or is no whole number.
    """
    if isinstance(given, bool) or not isinstance(given, Integral) or given < least:
        raise InputError(f"{what}: a whole number, at least {least}, got {given!r}")
    return int(given)
