"""How long a search may take, in numbers of searches and generations.

Counts, not seconds: the same seed gives the same equation on any machine.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from symlib.choices import at_least, known
from symlib.errors import UnknownChoice

EXAMPLES = 5000  # of a message, that a regression is given (appendix C)
# What this book's search has beyond the paper's description:
AIDS = (
    "ordinary",  # closest encounters and the tenth farthest from the median are left out
    "views",  # some searches see ordinary examples only, and some squared errors
    "products",  # products of charges are inputs
    "variations",  # the front's members are varied by hand-written rules
    "plainer",  # of one complexity, fewer constants win if the error is within 20%
)


@dataclass(frozen=True)
class Budget:
    """What one regression may spend.

    Args:
        searches: independent Operon searches over all examples; half as many again look at
            the two sides of a split (see `split.py`).
        generations, population: of each search.
        rows: examples that one search looks at.
        rounds: how often the front's members are varied afterwards.
        max_complexity: the most complex equation considered.
        niterations: iterations of PySR.
        aids: what helps the search beyond the paper's description, some of `AIDS`.
    """

    searches: int = 4
    generations: int = 40
    population: int = 500
    rows: int = 1000
    rounds: int = 3
    max_complexity: int = 35
    niterations: int = 40
    aids: tuple[str, ...] = AIDS

    def __post_init__(self):
        for aid in self.aids:
            known("aid", aid, AIDS)
        for field in fields(self)[:-1]:
            least = 0 if field.name == "rounds" else 1
            at_least(f"budget: {field.name}", getattr(self, field.name), least)

    def without_aids(self) -> "Budget":
        """The search that appendix C describes: 5,000 examples and none of the aids."""
        return replace(self, rows=EXAMPLES, aids=())

    def inputs(self) -> dict:
        """Its numbers, for a hash; of the aids what differs from all of them."""
        numbers = asdict(self)
        if self.aids == AIDS:
            del numbers["aids"]
        return numbers


BUDGETS = {
    "ci": Budget(),
    "laptop": Budget(searches=6, generations=60, rounds=4, niterations=200),
    "paper": Budget(searches=24, generations=200, population=1000, rounds=6, niterations=1000),
}


def get_budget(budget: "str | Budget | Mapping[str, Any]") -> Budget:
    """A budget by name, or from explicit numbers, e.g. {"searches": 2, "generations": 20}.

    Raises:
        UnknownChoice: no budget of that name; InputError: an unknown or impossible number.
    """
    if isinstance(budget, Budget):
        return budget
    if isinstance(budget, Mapping):
        for name in budget:
            known("budget setting", name, [field.name for field in fields(Budget)])
        return Budget(**budget)
    if not isinstance(budget, str) or budget not in BUDGETS:
        raise UnknownChoice("budget", budget, [*BUDGETS, "a Budget", "a mapping of its numbers"])
    return BUDGETS[budget]
