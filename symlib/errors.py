"""The errors that symlib raises on purpose.

Everything a user can get wrong (an argument, a file, a law of their own) ends in an
`InputError` whose message names the culprit and says what to do; it is raised before
any long work begins.
"""


class InputError(ValueError):
    """An argument, file or user-supplied function that symlib cannot work with."""


class UnknownChoice(InputError):
    """A name that is not among the known ones; the message lists those.

    Args:
        what: what kind of thing was asked for, e.g. "law".
        given: the name that was given.
        choices: the names that exist.
    """

    def __init__(self, what: str, given: object, choices):
        listed = ", ".join(str(choice) for choice in choices)
        super().__init__(f"unknown {what} {given!r}: choose one of {listed}")


class MissingEngine(RuntimeError):
    """A symbolic-regression engine that this machine cannot run; says how to install it."""


class NonFiniteLoss(RuntimeError):
    """Training met a loss that is not finite; the last good checkpoint was kept."""
