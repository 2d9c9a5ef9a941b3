"""What a file calls its columns, and what the tools for tracking call theirs."""

from collections.abc import Mapping

from symlib.choices import known
from symlib.errors import InputError, UnknownChoice
from symlib.tracks.reading.units import pairs

TEXTS = ("track", "type", "recording")  # the other columns hold numbers
NAMES = (
    *("time", "track", "x", "y", "z"),
    *("vx", "vy", "vz", "ax", "ay", "az"),
    *("mass", "charge", "type", "recording"),
)
NEEDED = ("time", "track", "x", "y")
FRAME, POSITION_T = "FRAME", "POSITION_T"
TOOLS = {
    # trackpy.link: https://soft-matter.github.io/trackpy
    "trackpy": {"time": "frame", "track": "particle"},
    # The spots table of TrackMate: https://imagej.net/plugins/trackmate
    "trackmate": {
        "time": POSITION_T,
        "track": "TRACK_ID",
        **{axis: f"POSITION_{axis.upper()}" for axis in "xyz"},
    },
}
# A blob's brightness stands in trackpy's column `mass`.
BRIGHTNESS = {"trackpy": "mass"}
MANY = 12  # names, from which on a message shows the first alone
LONG = 40  # characters, from which on it shows the beginning alone


def checked_columns(
    columns: "str | Mapping[str, str] | None",
) -> tuple[dict[str, str], str | None]:
    """What the file calls things, by our name, and the tool whose names it has.

    Args:
        columns: a mapping, or "time=frame,track=particle", where an empty text leaves the thing
            out; or trackpy or trackmate.

    Raises:
        InputError: none of these, or not one of our names.
    """
    if isinstance(columns, str) and columns.strip() and "=" not in columns:
        known("columns", columns, (*TOOLS, "time=...,track=...,x=...,y=..."))
        return {}, columns
    found = pairs("columns", columns)
    for name in found:
        if name not in NAMES:
            raise UnknownChoice("name in columns", name, NAMES)
    return found, None


def choose_columns(
    what: str, there: list[str], columns: dict[str, str], tool: str | None, counted: bool
) -> tuple[dict[str, str], list[str]]:
    """Which columns of a file are read.

    Args:
        what: how messages call the file.
        there: the columns that it has.
        columns: from `checked_columns`; goes before a tool's.
        tool: trackpy, trackmate or None: the plain names `NAMES`, or, where one that is needed
            is not there, the tool whose names are.
        counted: whether times are numbers of frames (TrackMate writes both).

    Returns:
        The file's name of each of ours, and what a user should be told, a sentence each.

    Raises:
        InputError: a column that is not there; the message lists those that are.
    """
    told = []
    if tool is None and not _complete({name: name for name in NAMES} | columns, there):
        fitting = [one for one in TOOLS if _complete(_of_tool(one, there, counted, columns), there)]
        if fitting:
            tool = fitting[0]
            told.append(f"The columns are those of {tool} and were taken as such.")
    if tool is None:
        names = {name: name for name in NAMES} | columns
    else:
        names = _of_tool(tool, there, counted, columns)
        bright = BRIGHTNESS.get(tool)
        if bright in there and bright not in names.values():
            told.append(f"The column {bright} of {tool} is a brightness, and was not taken.")
    wanted = [name for name in NAMES if name in NEEDED or columns.get(name)]
    missing = [names[name] or f"for {name}" for name in wanted if names[name] not in there]
    if missing:
        raise InputError(
            f"{what}: has no column {', '.join(missing)}, only {some(there)}; say which is which "
            "by columns='time=...,track=...,x=...,y=...'"
        )
    names = {name: names[name] for name in NAMES if names[name] and names[name] in there}
    for kind in "va":
        axes = [axis for axis in "xyz" if axis in names]
        have = [axis for axis in axes if kind + axis in names]
        if have and have != axes:
            lacks = next(kind + axis for axis in axes if axis not in have)
            raise InputError(
                f"{what}: has the column {names[kind + have[0]]}, but none for {lacks}"
            )
    for name in names:
        if there.count(names[name]) > 1:
            raise InputError(f"{what}: has several columns that are called {names[name]}")
    return names, told


def _of_tool(tool: str, there: list[str], counted: bool, columns: dict) -> dict[str, str]:
    names = {name: name for name in NAMES} | TOOLS[tool]
    if names["time"] == POSITION_T and (counted or POSITION_T not in there):
        names["time"] = FRAME
    if tool in BRIGHTNESS:
        names["mass"] = ""
    return names | columns


def _complete(names: dict[str, str], there: list[str]) -> bool:
    return all(names[name] in there for name in NEEDED)


def some(names) -> str:
    """A list for a message, cut short where it is long."""
    names = [short(name) for name in names]
    more = f", ... ({len(names)} in all)" if len(names) > MANY else ""
    return (", ".join(names[:MANY]) + more) or "nothing"


def short(text) -> str:
    """A text of a file for a message: one line, and not a long one."""
    line = " ".join(str(text).split())
    return line if len(line) <= LONG else line[: LONG - 3] + "..."
