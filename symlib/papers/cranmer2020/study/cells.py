"""The cells of the paper's tables: which there are, whether one is on record, and running one.

A cell is one law, dimension, model and seed at one preset, by one recipe. Its record is one JSON
file,

    book/results/cells/{preset}/{recipe}/{law}-{dim}-{model}-{seed}.json

A cell that is on record as it would be made now is done and is not run again (see
`symlib.records.study`). One whose record is stale is run anew; a page shows it till then, marked.
"""

from dataclasses import dataclass
from pathlib import Path

from symlib import discovery
from symlib.choices import PRUNED, SMOKE, known
from symlib.files import ROOT
from symlib.laws.potentials import get_law
from symlib.papers.cranmer2020.data import TABLE_1, TABLE_3, TABLE_5
from symlib.records.stages import PARTICLES
from symlib.records.study import Study
from symlib.training.presets import get_preset

BODIES = 4
# The paper's, and the model that is not the paper's, on the laws of its first table.
TABLES = {"1": TABLE_1, "3": TABLE_3, "5": TABLE_5, PRUNED: dict.fromkeys(TABLE_1, (PRUNED,))}
SMOKE_ROWS = (("spring", 2), ("r1", 2))
SEEDS = 3


@dataclass(frozen=True)
class Cell(Study):
    """One law, dimension, model and seed at one preset, by one recipe.

    Args:
        law: a built-in name, or "path/to/file.py:NAME".
        dim: 2 or 3.
        model: standard, bottleneck, l1, kl, pruned or flathgn.
        seed: of simulations, network, batches and symbolic search.
        preset: smoke, ci, laptop or paper.
        recipe: reference, plain or fast: how it is trained, and searched.
    """

    law: str
    dim: int
    model: str
    seed: int
    preset: str
    recipe: str = "fast"

    kind = "discovery"
    stages = PARTICLES

    @property
    def name(self) -> str:
        """{law}-{dim}-{model}-{seed}, with the plain name of a law of one's own."""
        return f"{self.law.rsplit(':')[-1].lower()}-{self.dim}-{self.model}-{self.seed}"

    def path(self, folder: str | Path) -> Path:
        return Path(folder) / self.preset / self.recipe / f"{self.name}.json"

    def inputs(self) -> list:
        """The law, every number of the preset, and the seed."""
        preset = get_preset(self.preset, self.recipe)
        return [
            get_law(self.law).fingerprint(),
            [self.dim, BODIES, self.model, self.seed],
            preset.inputs(self.model),
            discovery.search_of(preset).inputs(),
        ]

    def command(self) -> str:
        return (
            f"symlib cell --law {self.law} --dim {self.dim} --model {self.model} "
            f"--seed {self.seed} --preset {self.preset} --recipe {self.recipe}"
        )

    def check(self, engine: str = "auto") -> None:
        discovery.check(
            self.law, self.dim, self.model, self.preset, self.seed, BODIES, engine, self.recipe
        )

    def measure(self, *, engine: str, cache: Path | None, progress: bool) -> dict:
        """The whole road, from the law to the verdict."""
        found = discovery.discover(
            self.law, self.dim, self.model, get_preset(self.preset, self.recipe), self.seed,
            engine=engine, bodies=BODIES, cache=cache, progress=progress,
        )  # fmt: skip
        return {key: value for key, value in found.record.items() if key != "provenance"}

    def again(self, stage: str, record: dict, **options) -> dict:
        """A new verdict needs the stored front alone."""
        if stage != "judge":
            return self.measure(**options)
        kept = {key: value for key, value in record.items() if key not in ("provenance", "failed")}
        return {**kept, **discovery.judge_again(record)}


def cell(law: str, dim: int, model: str, seed: int, preset: str, recipe: str | None = None) -> Cell:
    """A cell, by the preset's own recipe where none is named."""
    return Cell(law, dim, model, seed, preset, recipe or get_preset(preset).recipe)


def cell_of(record: dict) -> Cell:
    """The cell that a record is of."""
    return Cell(*(record[key] for key in ("law", "dim", "model", "seed", "preset", "recipe")))


def default_folder(preset: str) -> Path:
    """Where records of cells lie: in the book's results, except smoke's, which are none."""
    smoke = preset == SMOKE
    return ROOT / "_build" / "cells" if smoke else ROOT / "book" / "results" / "cells"


def preset_of_grid(name: str) -> str:
    """The preset that a grid runs: for ci, where all is to be quick, smoke.

    Raises:
        UnknownChoice: no preset of that name.
    """
    return SMOKE if name == "ci" else get_preset(name).name


def wanted(table: str, preset: str, recipe: str | None = None) -> list[Cell]:
    """The cells of a table, three seeds of each, the first seed of all before the second.

    Args:
        table: 1, 3, 5 (the cells of table 1), pruned, or all (of the paper's).
        preset: laptop or paper; smoke, or ci which means it, is two rows and one seed.
        recipe: reference, plain or fast; the preset's own if None.

    Raises:
        UnknownChoice: no such table or preset.
    """
    known("table", table, (*TABLES, "all"))
    preset = preset_of_grid(preset)
    # Table 3 has every row and every model of the others.
    rows = TABLES["3" if table == "all" else table]
    seeds = SEEDS
    if preset == SMOKE:
        rows, seeds = {row: rows[row] for row in SMOKE_ROWS}, 1
    return [
        cell(law, dim, model, seed, preset, recipe)
        for seed in range(seeds)
        for (law, dim), models in rows.items()
        for model in models
    ]


def line(record: dict) -> str:
    """A record in one line."""
    name = f"{record['law']}-{record['dim']} {record['model']}"
    how = f"{record['preset']}, {record['recipe']}"
    told = told_in_a_line(record, f"{name} seed {record['seed']}, {how}")
    if "failed" in record:
        return told
    return f"{told}, law {'' if record['recovered'] else 'not '}recovered"


def told_in_a_line(record: dict, name: str) -> str:
    """What a record that has R² and losses says, or why it failed."""
    if "failed" in record:
        return f"{name}: failed, {record['failed']}"
    fits = {key: fit["kept90"] for key, fit in record["r2"].items()}
    best = max(fits, key=fits.get)
    # A run whose network came from a cache may not know what training took.
    took = "" if record["seconds"] is None else f", {record['seconds']:.0f} s"
    return (
        f"{name}: R² {fits[best]:.4f} ({best}), loss {record['test_loss']:.3g} of trivial "
        f"{record['trivial_loss']:.3g}{took}"
    )
