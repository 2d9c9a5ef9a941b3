"""Hold what a chapter measured against what is on record.

A record, tests/expected/NN_name.json, has for each metric

    "test loss": {"value": 0.031, "tolerance": {"max": 0.05}, "reason": "three seeds: 0.028-0.04"}

where the tolerance is one or two of

    abs    |measured - value| is at most this
    rel    |measured - value| is at most this times |value|
    min    measured is at least this
    max    measured is at most this
    equal  measured is exactly the value (write true)

and the reason says why that much and no more. A metric on one side alone is a difference.
"""

import json
import math
from pathlib import Path

RULES = ("abs", "rel", "min", "max", "equal")
EXPECTED = Path(__file__).parent / "expected"


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def flaws(record: dict) -> list[str]:
    """What is wrong with a record itself."""
    found = []
    for name, entry in record.items():
        if not isinstance(entry, dict) or set(entry) != {"value", "tolerance", "reason"}:
            found.append(f"{name}: an entry has value, tolerance and reason, this one: {entry!r}")
            continue
        tolerance, value = entry["tolerance"], entry["value"]
        if not str(entry["reason"]).strip():
            found.append(f"{name}: the tolerance has no reason")
        if not isinstance(tolerance, dict) or not tolerance or set(tolerance) - set(RULES):
            found.append(f"{name}: a tolerance is some of {', '.join(RULES)}, not {tolerance!r}")
            continue
        if set(tolerance) != {"equal"} and not _is_number(value):
            found.append(f"{name}: {value!r} is no number, so its tolerance is equal alone")
            continue
        found += [f"{problem} (so its own value fails)" for problem in _judge(name, value, entry)]
    return found


def _judge(name: str, measured, entry: dict) -> list[str]:
    value, tolerance = entry["value"], entry["tolerance"]
    if "equal" in tolerance:
        same = type(measured) is type(value) and measured == value
        return [] if same else [f"{name}: measured {measured!r}, on record {value!r}"]
    if not _is_number(measured) or not math.isfinite(measured):
        return [f"{name}: measured {measured!r}, which is no finite number"]
    problems = []
    for rule, bound in tolerance.items():
        kept = {
            "abs": abs(measured - value) <= bound,
            "rel": abs(measured - value) <= bound * abs(value),
            "min": measured >= bound,
            "max": measured <= bound,
        }
        if not kept[rule]:
            problems.append(
                f"{name}: measured {measured:.6g}, on record {value:.6g}, "
                f"outside {rule} {bound:g} ({entry['reason']})"
            )
    return problems


def compare(measured: dict, record: dict) -> list[str]:
    """Every way in which measured metrics differ from the record; empty when they agree."""
    problems = flaws(record)
    if problems:
        return problems
    for name in sorted(set(measured) | set(record)):
        if name not in record:
            problems.append(f"{name}: measured {measured[name]!r}, but not on record")
        elif name not in measured:
            problems.append(f"{name}: on record, but the chapter did not measure it")
        else:
            problems += _judge(name, measured[name], record[name])
    return problems


def read_expected(chapter: str) -> dict:
    """The record of one chapter."""
    return json.loads((EXPECTED / f"{chapter}.json").read_text(encoding="utf-8"))
