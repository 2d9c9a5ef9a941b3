"""What each aid of the symbolic search is worth: leave it out and look (the page on equations).

The networks are those of the tables' cells, of the reported seeds, from the cache. A trial searches
their leading messages again, without one aid or with none, and leaves a small record,

    book/results/search_aids/{law}-{dim}-{model}-{trial}-{seed}.json
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from symlib import symbolic
from symlib.discovery import check, fit_network, prepare, search_of
from symlib.laws.potentials import get_law
from symlib.messages.recording import regress_message
from symlib.papers.cranmer2020.data import TABLE_1
from symlib.records.stages import PARTICLES
from symlib.records.study import Study
from symlib.symbolic.search.budget import AIDS, EXAMPLES, Budget
from symlib.training.presets import get_preset

# Name and what a reader sees; every aid by itself, and the search that the paper describes.
TRIALS = {
    "all": "as it is",
    "ordinary": "rare messages are not left out",
    "views": "every search sees all, by absolute error",
    "products": "no products of charges",
    "variations": "no variations of what was found",
    "plainer": "no preference for fewer constants",
    "rows": f"{EXAMPLES:,} examples a search",
    "none": "none of them: the paper's search",
}


@dataclass(frozen=True)
class SearchTrial(Study):
    """One search of a trained network's leading message, without an aid.

    Args:
        law, dim, model, seed, preset: of the cell, by the recipe `fast`, that was trained.
        trial: a key of `TRIALS`.
    """

    law: str
    dim: int
    model: str
    trial: str
    seed: int
    preset: str = "laptop"

    kind = "search trial"
    stages = PARTICLES

    def path(self, folder: str | Path) -> Path:
        return Path(folder) / f"{self.law}-{self.dim}-{self.model}-{self.trial}-{self.seed}.json"

    def budget(self) -> Budget:
        """The preset's search with the change made."""
        budget = search_of(get_preset(self.preset, "fast"))
        if self.trial == "none":
            return budget.without_aids()
        if self.trial == "rows":
            return replace(budget, rows=EXAMPLES)
        return replace(budget, aids=tuple(aid for aid in AIDS if aid != self.trial))

    def inputs(self) -> list:
        """The law, the sizes, the recipe, the search and the seed."""
        return [
            get_law(self.law).fingerprint(),
            [self.dim, self.model, self.seed],
            get_preset(self.preset, "fast").inputs(self.model),
            self.budget().inputs(),
        ]

    def command(self) -> str:
        return f"symlib bench search --preset {self.preset} --seeds {self.seed + 1}"

    def check(self, engine: str = "auto") -> None:
        check(self.law, self.dim, self.model, self.preset, self.seed, engine=engine)

    def measure(self, *, engine: str, cache: Path | None, progress: bool) -> dict:
        """Search once, and judge."""
        law, preset = get_law(self.law), get_preset(self.preset, "fast")
        options = {"cache": cache, "progress": progress}
        data = prepare(law, self.dim, preset, self.seed, **options)
        run = fit_network(law, self.model, data, preset, self.seed, **options)
        found = regress_message(
            run.network, data.train.states, engine=engine, seed=self.seed, budget=self.budget(),
            progress=progress,
        )  # fmt: skip
        verdict = symbolic.recovered(found, law, self.dim)
        return {"engine": found.engine, **found.facts(verdict), "seconds": round(found.seconds, 1)}


def search_trials(preset: str = "laptop", seeds: Iterable[int] = range(1)) -> Iterator[SearchTrial]:
    """All of them on the bottleneck's messages, the first seed of each before the second."""
    for seed in seeds:
        for law, dim in TABLE_1:
            for name in TRIALS:
                yield SearchTrial(law, dim, "bottleneck", name, seed, preset)


def line(found: dict) -> str:
    """A record in one line."""
    name = f"{found['law']}-{found['dim']} {found['model']} {found['trial']} seed {found['seed']}"
    if "failed" in found:
        return f"{name}: failed, {found['failed']}"
    return f"{name}: law {'' if found['recovered'] else 'not '}recovered, {found['equation']}"
