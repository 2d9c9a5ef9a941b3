"""Records back from a folder, held against their schema.

A record that is damaged, or not of its kind, is named with what is wrong and left out; it stops
neither a page nor the reading of the others. The schemas lie beside the records.
"""

import json
from functools import cache
from pathlib import Path

import jsonschema
from jsonschema.protocols import Validator

from symlib.errors import InputError
from symlib.files import ROOT
from symlib.records.record import read_record

BOOK = ROOT / "book"
RESULTS, DATA = BOOK / "results", BOOK / "data"
SCHEMAS = RESULTS / "schemas"


def read_records(folder: Path, pattern: str, schema: str) -> tuple[dict[str, dict], list[str]]:
    """All records of one kind in a folder.

    Args:
        folder: where they lie.
        pattern: which files, e.g. "cells/*/*.json".
        schema: what they are held against, a name in book/results/schemas.

    Returns:
        The records by name, their place below `folder`, sorted; and a line for each file that is
        none.
    """
    found, problems = {}, []
    for path in sorted(Path(folder).glob(pattern)):
        name = path.relative_to(folder).as_posix()
        try:
            record = read_record(path)
            flaw = flaw_of(record, schema)
            if flaw:
                raise InputError(f"record {name}: {flaw}")
            found[name] = record
        except InputError as error:
            problems.append(str(error).replace(str(path), name))
    return found, problems


def flaw_of(record: dict, schema: str) -> str | None:
    """What keeps a record from being one of its kind, in a line; None where nothing does."""
    error = jsonschema.exceptions.best_match(_validator(schema).iter_errors(record))
    if error is None:
        return None
    where = ".".join(str(part) for part in error.absolute_path)
    return f"{where}: {error.message[:120]}" if where else error.message[:120]


@cache
def _validator(schema: str) -> Validator:
    text = (SCHEMAS / f"{schema}.json").read_text(encoding="utf-8")
    return jsonschema.validators.validator_for(found := json.loads(text))(found)
