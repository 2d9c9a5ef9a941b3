"""Hold what a chapter measured against what is on record.

A record, tests/expected/NN_name.json, has for each metric

    "test loss": {"value": 0.031, "tolerance": {"max": 0.05}, "reason": "three seeds: 0.028-0.04"}

where the tolerance is one or two of `RULES`, or {"equal": true}, and the reason says why that much
and no more. A metric on one side alone is a difference.
"""

import json
import math
from pathlib import Path

RULES = {
    "abs": lambda measured, value, bound: abs(measured - value) <= bound,
    "rel": lambda measured, value, bound: abs(measured - value) <= bound * abs(value),
    "min": lambda measured, value, bound: measured >= bound,
    "max": lambda measured, value, bound: measured <= bound,
}
EXPECTED = Path(__file__).parent / "expected"


def sound(entry) -> bool:
    """Whether a record's entry has a reason, a known tolerance, and a value that keeps to it."""
    if not isinstance(entry, dict) or set(entry) != {"value", "tolerance", "reason"}:
        return False
    tolerance = set(entry["tolerance"])
    known = tolerance == {"equal"} or (tolerance and tolerance <= set(RULES))
    return bool(known and entry["reason"].strip()) and kept(entry["value"], entry)


def kept(measured, entry: dict) -> bool:
    """Whether a value lies within an entry's tolerance."""
    value, tolerance = entry["value"], entry["tolerance"]
    if "equal" in tolerance:
        return type(measured) is type(value) and measured == value
    if type(measured) not in (int, float) or not math.isfinite(measured):
        return False
    return all(RULES[rule](measured, value, bound) for rule, bound in tolerance.items())


def compare(measured: dict, record: dict) -> list[str]:
    """Every way in which measured metrics differ from the record; empty when they agree."""
    problems = []
    for name in sorted(measured.keys() | record.keys()):
        if name not in record:
            problems.append(f"{name}: measured {measured[name]!r}, but not on record")
        elif not sound(record[name]):
            problems.append(f"{name}: the record is unsound: {record[name]!r}")
        elif name not in measured:
            problems.append(f"{name}: on record, but the chapter did not measure it")
        elif not kept(measured[name], record[name]):
            problems.append(f"{name}: measured {measured[name]!r}, on record {record[name]!r}")
    return problems


def read_expected(chapter: str) -> dict:
    """The record of one chapter."""
    return json.loads((EXPECTED / f"{chapter}.json").read_text(encoding="utf-8"))
