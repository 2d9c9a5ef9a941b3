"""Where a command writes its record: a file, standard output, or nowhere."""

import json
from pathlib import Path

from symlib.errors import InputError
from symlib.results import write_record


def writable(path: Path | None, option: str = "--json") -> None:
    """Refuse a result file that cannot be written, before the work whose result it is."""
    if path is None or str(path) == "-":
        return
    if path.is_dir():
        raise InputError(f"{option} {path}: is a folder; name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe = path.with_name(f".{path.name}.probe")
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"{option} {path}: cannot be written ({error})") from error


def write(path: Path | None, record: dict) -> None:
    """Write a record where it was asked for; "-" is standard output."""
    if path is None:
        return
    if str(path) == "-":
        print(json.dumps(record, indent=2))
    else:
        write_record(path, record)
