"""Units: kept as the user wrote them, once each is known to be one of its kind.

Nothing is converted. What the units are decides how an equation's constants are to be read.
"""

import functools
import tokenize
from collections.abc import Mapping

import pint

from symlib.errors import InputError, UnknownChoice

DIMENSIONS = {
    "length": "[length]",
    "time": "[time]",
    "mass": "[mass]",
    "charge": "[current] * [time]",
}
ARBITRARY = "arbitrary"


def checked_units(units: "str | Mapping[str, str] | None") -> dict[str, str]:
    """Units of length, time, mass and charge.

    Args:
        units: a mapping, or a text such as "length=um,time=s"; any unit that pint knows, or
            "arbitrary", which is also what a quantity that is not named has.

    Returns:
        Those that are not arbitrary, as they were written.

    Raises:
        InputError: another quantity, a unit that pint does not know, or one of another quantity.
    """
    found = {}
    for quantity, unit in pairs("units", units).items():
        if quantity not in DIMENSIONS:
            raise UnknownChoice("quantity in units", quantity, DIMENSIONS)
        if unit == ARBITRARY:
            continue
        wanted = registry().get_dimensionality(DIMENSIONS[quantity])
        try:
            dimension = registry().parse_units(unit).dimensionality
        # What pint raises at a text that is no unit depends on the text.
        except (pint.PintError, ValueError, TypeError, AttributeError, AssertionError) as error:
            raise InputError(f"units: pint knows no unit {unit!r} ({quantity})") from error
        except (tokenize.TokenError, SyntaxError, OverflowError, RecursionError) as error:
            raise InputError(f"units: pint knows no unit {unit!r} ({quantity})") from error
        if dimension != wanted:
            raise InputError(f"units: {unit!r} is no unit of {quantity}, but of {dimension}")
        found[quantity] = unit
    return found


def pairs(what: str, given: "str | Mapping[str, str] | None") -> dict[str, str]:
    """A mapping of texts, or the same written as "name=text,name=text".

    Raises:
        InputError: neither.
    """
    if given is None:
        return {}
    if isinstance(given, str):
        parts = [part.partition("=") for part in given.split(",") if part.strip()]
        if any(not equals or not name.strip() for name, equals, _ in parts):
            raise InputError(f"{what}: write them as name=text,name=text, got {given!r}")
        return {name.strip(): text.strip() for name, _, text in parts}
    if isinstance(given, Mapping):
        return {str(name): str(text) for name, text in given.items()}
    raise InputError(f"{what}: a mapping or name=text,name=text is needed, got {given!r}")


@functools.cache
def registry() -> pint.UnitRegistry:
    """One of our own, so that no one else's is changed."""
    return pint.UnitRegistry()
