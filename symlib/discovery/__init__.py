"""The whole road: from a law to a verdict (`laws`), from tracks to a law (`tracks`)."""

from symlib.discovery.laws import (
    Data,
    Discovery,
    check,
    default_cache,
    discover,
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

__all__ = [
    "Data",
    "Discovery",
    "check",
    "default_cache",
    "discover",
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
