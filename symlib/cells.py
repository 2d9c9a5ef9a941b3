"""The cells of the paper's tables: which there are, whether one is on record, and running one.

A cell is one law, dimension, model and seed at one preset. Its record is one JSON file,

    book/results/cells/{preset}/{law}-{dim}-{model}-{seed}.json

with two hashes in it: `key` of everything that went in, `code` of the modules that turned it
into a result. A cell whose record has both as they are now is done and is not run again. A
record with another hash is stale: a page still shows it, marked, and the grid runs it anew.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from symlib import experiments, results
from symlib.code_version import PACKAGE, code_version
from symlib.errors import InputError, MissingEngine, UnknownChoice
from symlib.paper import TABLE_1, TABLE_3, TABLE_5
from symlib.potentials import get_law
from symlib.presets import PRESETS, Preset, get_preset
from symlib.results import read_record, write_record
from symlib.symbolic.budget import get_budget

BODIES = 4
KIND = "discovery"
# What `make grid PRESET=ci` runs: the machinery, in seconds; no result of its own.
SMOKE = Preset(
    "smoke",
    systems=24,
    steps=40,
    snapshots=500,
    test_snapshots=100,
    recipe=replace(PRESETS["ci"].recipe, steps=60, precision="float32", compiled=False),
    energy_recipe=replace(PRESETS["ci"].energy_recipe, steps=40, compiled=False),
    budget={"searches": 1, "generations": 4, "population": 60, "rows": 200, "rounds": 0},
)
# From the smallest to the largest; a page shows the largest that is on record.
RANK = ("smoke", *PRESETS)
TABLES = {"1": TABLE_1, "3": TABLE_3, "5": TABLE_5}
SMOKE_ROWS = (("spring", 2), ("r1", 2))
SEEDS = {2: 3, 3: 1}  # by dimension
FRESH, STALE, UNVERSIONED = "fresh", "stale", "unversioned"


@dataclass(frozen=True)
class Cell:
    """One law, dimension, model and seed at one preset.

    Args:
        law: a built-in name, or "path/to/file.py:NAME".
        dim: 2 or 3.
        model: standard, bottleneck, l1, kl or flathgn.
        seed: of simulations, network, batches and symbolic search.
        preset: smoke, ci, laptop or paper.
    """

    law: str
    dim: int
    model: str
    seed: int
    preset: str

    @property
    def name(self) -> str:
        """{law}-{dim}-{model}-{seed}, with the plain name of a law of one's own."""
        return f"{self.law.rsplit(':')[-1].lower()}-{self.dim}-{self.model}-{self.seed}"

    def path(self, folder: str | Path) -> Path:
        """Where its record lies below `folder`."""
        return Path(folder) / self.preset / f"{self.name}.json"

    def key(self) -> str:
        """A hash of all that goes in: the law, every number of the preset, and the seed."""
        preset = grid_preset(self.preset)
        facts = [
            get_law(self.law).fingerprint(),
            [self.dim, BODIES, self.model, self.seed],
            [preset.systems, preset.steps, preset.snapshots, preset.test_snapshots],
            preset.recipe_for(self.model).to_dict(),
            asdict(get_budget(preset.budget)),
        ]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]

    def code(self) -> str:
        """A hash of the modules that turn those into a result."""
        return code_version(self.model)

    def facts(self) -> dict:
        """Both hashes, as a record holds them."""
        return {"key": self.key(), "code": self.code()}

    def command(self) -> str:
        """What runs it anew in a checkout."""
        return (
            f"symlib cell --law {self.law} --dim {self.dim} --model {self.model} "
            f"--seed {self.seed} --preset {self.preset}"
        )


def grid_preset(name: str) -> Preset:
    """A preset of the grid: those of `symlib.presets`, and smoke.

    Raises:
        UnknownChoice: no preset of that name.
    """
    if name not in RANK:
        raise UnknownChoice("preset", name, RANK)
    return SMOKE if name == SMOKE.name else get_preset(name)


def cell_of(record: dict) -> Cell:
    """The cell that a record is of."""
    return Cell(*(record[key] for key in ("law", "dim", "model", "seed", "preset")))


def default_folder(preset: str) -> Path:
    """Where records of cells lie: in the book's results, except smoke's, which are none."""
    root = PACKAGE.parent
    smoke = preset == SMOKE.name
    return root / "_build" / "cells" if smoke else root / "book" / "results" / "cells"


def preset_of_grid(name: str) -> str:
    """The preset that a grid runs: for ci, where all is to be quick, smoke.

    Raises:
        UnknownChoice: no preset of that name.
    """
    return SMOKE.name if name == "ci" else grid_preset(name).name


def wanted(table: str, preset: str) -> list[Cell]:
    """The cells of a table: three seeds in two dimensions, one in three.

    Args:
        table: 1, 3, 5 (the cells of table 1), or all.
        preset: laptop or paper; smoke, or ci which means it, is two rows and one seed.

    Raises:
        UnknownChoice: no such table or preset.
    """
    if table != "all" and table not in TABLES:
        raise UnknownChoice("table", table, [*TABLES, "all"])
    preset = preset_of_grid(preset)
    rows: dict[tuple[str, int], dict] = {}
    for name in TABLES if table == "all" else (table,):
        for row, cells in TABLES[name].items():
            rows[row] = {**rows.get(row, {}), **cells}
    if preset == SMOKE.name:
        rows = {row: rows[row] for row in SMOKE_ROWS}
    seeds = {2: 1, 3: 1} if preset == SMOKE.name else SEEDS
    return [
        Cell(law, dim, model, seed, preset)
        for seed in range(max(seeds.values()))
        for (law, dim), models in rows.items()
        for model in models
        if seed < seeds[dim]
    ]


def standing(record: dict, cell: Cell) -> str:
    """Whether a record is of this version: fresh, stale, or unversioned (it does not say)."""
    if not record.get("key") or not record.get("code"):
        return UNVERSIONED
    same = record["key"] == cell.key() and record["code"] == cell.code()
    return FRESH if same else STALE


def is_done(cell: Cell, folder: str | Path, *, engine: str = "auto", retry: bool = False) -> bool:
    """Whether a cell is on record as it would be made now.

    Args:
        cell: the cell.
        folder: where the records lie.
        engine: a symbolic engine that the record must have used; auto is content with any.
        retry: a cell that failed is not done.
    """
    try:
        record = read_record(cell.path(folder))
    except InputError:
        return False
    if record.get("kind") != KIND or standing(record, cell) != FRESH:
        return False
    if "failed" in record:
        return not retry
    return engine in ("auto", record.get("engine"))


def run_cell(
    cell: Cell,
    folder: str | Path,
    *,
    engine: str = "auto",
    cache: Path | None = None,
    retry: bool = False,
    progress: bool = True,
) -> tuple[dict, bool]:
    """Run one cell unless it is on record.

    A cell that breaks down leaves a record with its reason under `failed`, so that the grid
    goes on and a page can name it.

    Args:
        cell: what to run.
        folder: where the records lie.
        engine: auto, operon or pysr.
        cache: folder for simulations, which the cells of one law share, and checkpoints.
        retry: run a cell again that failed.
        progress: show what is going on.

    Returns:
        The record, and whether it was made just now.

    Raises:
        InputError, MissingEngine: what cannot work, before any work.
    """
    preset = grid_preset(cell.preset)
    law, preset = experiments.check(
        cell.law, cell.dim, cell.model, preset, cell.seed, BODIES, engine
    )
    path = cell.path(folder)
    if is_done(cell, folder, engine=engine, retry=retry):
        return read_record(path), False
    facts = cell.facts()
    began = time.perf_counter()
    options = {"bodies": BODIES, "cache": cache, "progress": progress}
    try:
        if cache is not None:
            with _alone(Path(cache), cell):
                experiments.prepare(law, cell.dim, preset, cell.seed, **options)
        found = experiments.discover(
            cell.law, cell.dim, cell.model, preset, cell.seed, engine=engine, **options
        )
        record = {**found.record, **facts}
        record["provenance"] = {**record["provenance"], "command": cell.command()}
    except MissingEngine:
        raise
    except Exception as error:
        seconds = time.perf_counter() - began
        record = {
            "kind": KIND,
            **asdict(cell),
            "bodies": BODIES,
            "failed": _reason(error, cache),
            "seconds": round(seconds, 1),
            **facts,
            "provenance": results.provenance(seconds, cell.command()),
        }
    write_record(path, record)
    return record, True


def line(record: dict) -> str:
    """A record in one line."""
    name = f"{record['law']}-{record['dim']} {record['model']} seed {record['seed']}"
    name = f"{name}, {record['preset']}"
    if "failed" in record:
        return f"{name}: failed, {record['failed']}"
    fits = {key: fit["kept90"] for key, fit in record["r2"].items()}
    best = max(fits, key=fits.get)
    return (
        f"{name}: R² {fits[best]:.4f} ({best}), loss {record['test_loss']:.3g} of trivial "
        f"{record['trivial_loss']:.3g}, law {'' if record['recovered'] else 'not '}recovered, "
        f"{record['seconds']:.0f} s"
    )


@contextlib.contextmanager
def _alone(cache: Path, cell: Cell) -> Iterator[None]:
    """One process at a time simulates a law; the others wait and read its file."""
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        yield
        return
    cache.mkdir(parents=True, exist_ok=True)
    name = f".{cell.name.removesuffix(f'-{cell.model}-{cell.seed}')}-{cell.seed}.lock"
    with (cache / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _reason(error: Exception, cache: Path | None) -> str:
    """What went wrong, in a line, without the folders of the machine it went wrong on."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    for folder in (cache, Path.cwd(), Path.home()):
        if folder is not None and len(str(folder)) > 1:
            text = text.replace(str(folder), "…")
    return text if len(text) <= 300 else text[:299] + "…"
