"""A table in a file or in memory: which columns it has, and some of them as numbers or names.

What a file is, is decided by how it begins, and its name must not say otherwise. Of a table no
more is loaded than the columns that are asked for.
"""

import codecs
import csv
import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet

from symlib.errors import InputError
from symlib.tracks.reading.columns import POSITION_T, TEXTS, short

LARGEST_FILE = 2_000_000_000  # bytes
LARGEST_TABLE = 400_000_000  # numbers
LARGEST_NUMBER = 1e30  # whose square float32 still holds, if one divides before one multiplies
HEAD = 65_536  # bytes, of which the delimiter is guessed
UNITS_BELOW = 3  # lines under the header of TrackMate's tables: two of names, one of units
# How files begin, and what they are then called.
BEGINNINGS = {
    b"PK\x03\x04": "zip",
    b"\x93NUMPY": ".npy",
    b"PAR1": ".parquet",
    b"\x1f\x8b": "gzip",
    b"\x89HDF": "HDF5",
    b"<?xml": "XML",
}
SUFFIXES = {".npz": "zip", ".npy": ".npy", ".parquet": ".parquet", ".pq": ".parquet"}
SUFFIXES |= dict.fromkeys((".csv", ".tsv", ".txt", ".dat"), "text")


def content(path: Path) -> str:
    """What a file holds: zip, .npy, .parquet, gzip, HDF5, XML or text.

    Raises:
        InputError: no such file, one above 2 GB, an empty one, or one whose name says otherwise.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file")
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            head = file.read(16)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if size > LARGEST_FILE:
        raise InputError(
            f"{path}: {size / 1e9:.1f} GB are too large, at most {LARGEST_FILE / 1e9:.0f} GB are "
            "read; cut it into fewer tracks or frames"
        )
    found = next((kind for start, kind in BEGINNINGS.items() if head.startswith(start)), "text")
    suffix = path.suffix.lower()
    if SUFFIXES.get(suffix, found) != found or not head:
        holds = f"holds {found}" if head else "is empty"
        raise InputError(f"{path}: is named {suffix or 'without a suffix'}, but {holds}")
    return found


@dataclass(frozen=True)
class Sheet:
    """A table, of which nothing but the header was read.

    what: how messages call it; columns: what it calls its columns.
    load: gives the columns with these places, under these places; and which of them hold texts.
    unit, first: what rows are called in messages, and the number of the first one.
    """

    what: str
    columns: list[str]
    load: Callable[[list[int], list[int]], pd.DataFrame]
    unit: str = "row"
    first: int = 0

    def rows(self, names: dict[str, str]) -> pd.DataFrame:
        """The columns that are asked for, under our names, without rows that are empty."""
        places = {ours: self.columns.index(theirs) for ours, theirs in names.items()}
        texts = {place for ours, place in places.items() if ours in TEXTS}
        loaded = self.load(sorted(set(places.values())), sorted(texts))
        numbers = pd.RangeIndex(self.first, self.first + len(loaded))
        columns = {ours: loaded[place].array for ours, place in places.items()}
        return pd.DataFrame(columns, index=numbers, copy=False).dropna(how="all")


def open_sheet(source: "Path | pd.DataFrame") -> Sheet:
    """A CSV, whatever its delimiter, a Parquet file, or a table in memory.

    Raises:
        InputError: another kind of file, or one that is broken.
    """
    if isinstance(source, pd.DataFrame):
        if any(source.index.names):
            fresh = [name for name in source.index.names if name not in source.columns]
            source = source.reset_index([name for name in fresh if name is not None])
        table = source.set_axis(range(source.shape[1]), axis=1)
        return Sheet("table", [str(name) for name in source], lambda places, _: table[places])
    kind = content(source)
    if kind == ".parquet":
        return _parquet(source)
    if kind != "text":
        hint = {
            "XML": "export TrackMate's spots table as CSV",
            "gzip": "unpack it first",
            "zip": "an .npz goes here only where whole tracks are read; save workbooks as CSV",
        }.get(kind, "save it as CSV, Parquet or .npz")
        raise InputError(f"{source}: holds {kind}, not a table; {hint}")
    return _text(source)


def _parquet(path: Path) -> Sheet:
    try:
        file = pyarrow.parquet.ParquetFile(path)
        names, count = file.schema_arrow.names, file.metadata.num_rows
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: a broken Parquet file ({first_line(error)})") from error

    def load(places: list[int], _) -> pd.DataFrame:
        not_too_large(path, count * len(places), f"{count} rows of {len(places)} columns")
        try:
            table = file.read(columns=[names[place] for place in places])
            loaded = table.to_pandas(ignore_metadata=True)
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            raise InputError(f"{path}: a broken Parquet file ({first_line(error)})") from error
        return loaded[[names[place] for place in places]].set_axis(places, axis=1)

    return Sheet(str(path), list(names), load)


def _text(path: Path) -> Sheet:
    encoding, lines = _head(path)
    header = lines[0].removeprefix("#").strip("\r\n")
    counts = {mark: header.count(mark) for mark in ",;\t|"}
    mark = max(counts, key=lambda one: counts[one])
    delimiter = mark if counts[mark] else r"\s+"
    columns = _fields(path, header, delimiter)
    if any(is_number(one) for one in columns):
        raise InputError(f"{path}: line 1 holds numbers; it must hold the names of the columns")
    below = 0
    if POSITION_T in columns and len(lines) > UNITS_BELOW:
        fields = (_fields(path, line, delimiter) for line in lines[1 : 1 + UNITS_BELOW])
        if not any(is_number(one) for line in fields for one in line):
            below = UNITS_BELOW
    first = _fields(path, lines[1 + below], delimiter) if len(lines) > 1 + below else []
    comma = delimiter in ";\t|" and not any("." in one for one in first)
    decimal = "," if comma and any(is_number(one.replace(",", ".")) for one in first) else "."

    def load(places: list[int], texts: list[int]) -> pd.DataFrame:
        try:
            with open(path, encoding=encoding) as file, warnings.catch_warnings():
                warnings.simplefilter("ignore", pd.errors.DtypeWarning)
                for _ in range(1 + below):
                    file.readline()
                # One field more than there should be: pandas passes over what is too much, unless
                # it has seen such a line.
                wide = len(columns) + 1
                line = (" " if delimiter == r"\s+" else delimiter).join(["nan"] * wide)
                loaded = pd.read_csv(
                    _After(line + "\n", file),
                    sep=delimiter,
                    names=list(range(wide)),
                    # A name is what stands there: 007 is not 7.
                    dtype=dict.fromkeys(texts, "category"),
                    usecols=[*places, wide - 1],
                    index_col=False,
                    skip_blank_lines=False,
                    skipinitialspace=True,
                    decimal=decimal,
                    low_memory=False,
                ).iloc[1:]
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: holds bytes that are no text") from error
        except (pd.errors.ParserError, csv.Error, ValueError) as error:
            raise InputError(f"{path}: {first_line(error)}") from error

        more = np.flatnonzero(loaded[wide - 1].notna())
        if len(more):
            raise InputError(
                f"{path}: line {2 + below + int(more[0])} has more fields than the header, which "
                f"names {len(columns)} columns"
            )
        return loaded[places]

    return Sheet(str(path), columns, load, "line", 2 + below)


class _After(io.TextIOBase):
    """A line, and after it what is left of a file."""

    def __init__(self, line: str, file: IO[str]):
        self.line, self.file = line, file

    def read(self, size: int | None = -1) -> str:
        line, self.line = self.line, ""
        return line or self.file.read(-1 if size is None else size)


def _head(path: Path) -> tuple[str, list[str]]:
    with open(path, "rb") as file:
        head = file.read(HEAD)
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        encoding = "latin-1"
        text = head.decode(encoding)
    if "\0" in text:
        raise InputError(f"{path}: holds bytes that are no text; CSV, Parquet and .npz are read")
    return encoding, text.splitlines()


def _fields(path: Path, line: str, delimiter: str) -> list[str]:
    if delimiter == r"\s+":
        return line.split()
    try:
        fields = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error as error:
        raise InputError(f"{path}: {error}") from error
    return [field.strip() for field in fields]


def numbers(sheet: Sheet, rows: pd.DataFrame, name: str, called: str) -> np.ndarray:
    """A column as float64, NaN where nothing stands.

    Args:
        name: ours; called: what the file calls it.

    Raises:
        InputError: something that is not a number, is infinite or above 1e30; the message names
            row and column.
    """
    column = rows[name]

    def refuse(where: np.ndarray, why: str):
        row = int(np.flatnonzero(where)[0])
        place = f"{sheet.unit} {rows.index[row]}, column {called}"
        raise InputError(f"{sheet.what}: {place}: {short(column.iloc[row])!r} {why}")

    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        refuse(np.ones(len(column), dtype=bool), "is a date; give numbers")
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_complex_dtype(column):
        refuse(np.ones(len(column), dtype=bool), "is not a number")
    if not pd.api.types.is_numeric_dtype(column):
        converted = pd.to_numeric(column.astype(object), errors="coerce")
        wrong = (converted.isna() & column.notna()).to_numpy()
        if wrong.any():
            refuse(wrong, "is not a number")
        column = converted
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        refuse(np.isinf(values), "is infinite")
    if (np.abs(values) > LARGEST_NUMBER).any():
        refuse(np.abs(values) > LARGEST_NUMBER, f"is above {LARGEST_NUMBER:g}; choose other units")
    return values


def labels(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Names, and which of them each row has, -1 where there is none.

    Whole numbers are written as such, and names are in their natural order: 2 before 10.
    """
    codes, found = pd.factorize(column)
    whole = (isinstance(one, float | np.floating) and float(one).is_integer() for one in found)
    texts = [str(int(one) if good else one).strip() for one, good in zip(found, whole, strict=True)]
    # Beside a gap pandas writes 3 as 3.0.
    if all(re.fullmatch(r"-?\d+\.0", one) for one in texts):
        texts = [one[:-2] for one in texts]
    names = sorted(set(texts) - {""}, key=natural)
    numbers = {name: number for number, name in enumerate(names)}
    places = np.array([*(numbers.get(one, -1) for one in texts), -1], dtype=np.int64)
    return places[codes], names


def natural(name: str) -> tuple:
    """What to sort names by: numbers in them by their size."""
    parts = re.split(r"(\d+)", name)
    return (*((int(one), "") if one.isdecimal() else (-1, one) for one in parts), name)


def is_number(text: str) -> bool:
    """Whether a text is a finite number or an infinity."""
    try:
        return not np.isnan(float(text))
    except ValueError:
        return False


def not_too_large(what, count: int, sizes: str) -> None:
    """Refuse a table above 4e8 numbers.

    Raises:
        InputError: the message says how large it would be, and what to do.
    """
    if count > LARGEST_TABLE:
        raise InputError(
            f"{what}: {sizes} are {count:.2g} numbers, and at most {LARGEST_TABLE:.0e} are read; "
            "take fewer frames or tracks"
        )


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
