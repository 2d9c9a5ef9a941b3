"""The whole road: from a law to a verdict (`laws`), from tracks to a law (`tracks`)."""

import inspect
from pathlib import Path

import pandas as pd

from symlib.choices import LAWS
from symlib.discovery import laws, tracks
from symlib.discovery.laws import (
    Data,
    Discovery,
    check,
    default_cache,
    fit_network,
    judge,
    judge_again,
    listen,
    prepare,
    regress,
    search_of,
    summary,
    train,
)
from symlib.discovery.tracks import TracksDiscovery, discover_tracks
from symlib.errors import InputError
from symlib.laws.potentials import PairPotential
from symlib.tracks.recordings import Tracks


def discover(what, *arguments, **options) -> "Discovery | TracksDiscovery":
    """From a law to a verdict, or from tracks to a law.

    Args:
        what: a law (a built-in name, "path/to/file.py:NAME", or a `PairPotential`), or tracks (a
            file, a pandas frame, or what `symlib.read` gave).
        *arguments, **options: of a law those of `symlib.discovery.laws.discover` (dim, model,
            preset, seed, ...), of tracks those of `symlib.discovery.tracks.discover_tracks` (model,
            preset, seed, columns, fps, masses, ...).

    Returns:
        What was found; its `record` is plain JSON, and `save` writes it.

    Raises:
        InputError: neither a law nor tracks, an option of the other, or what either refuses.
    """
    law = _is_law(what)
    road = laws.discover if law else tracks.discover_tracks
    has = list(inspect.signature(road).parameters)[1:]
    strange = [name for name in options if name not in has]
    if strange:
        raise InputError(
            f"discover: {', '.join(strange)} is no option where {'a law' if law else 'tracks'} "
            f"{'is' if law else 'are'} given; these are {', '.join(has)}"
        )
    return road(what, *arguments, **options)


def _is_law(what) -> bool:
    if isinstance(what, PairPotential):
        return True
    if isinstance(what, Tracks | pd.DataFrame | Path):
        return False
    if not isinstance(what, str):
        raise InputError(
            "discover: a law, or tracks (a file, a pandas frame, or from symlib.read), got "
            f"{type(what).__name__}"
        )
    if what in LAWS or ".py" in what:
        return True
    # A word that is no file is the name of a law that is not there.
    return not (Path(what).suffix or Path(what).is_file())


__all__ = [
    "Data",
    "Discovery",
    "TracksDiscovery",
    "check",
    "default_cache",
    "discover",
    "discover_tracks",
    "fit_network",
    "judge",
    "judge_again",
    "listen",
    "prepare",
    "regress",
    "search_of",
    "summary",
    "train",
]
