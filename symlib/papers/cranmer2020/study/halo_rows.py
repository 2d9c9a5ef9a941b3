"""The rows of Table 6 as studies, each with a record (`symlib halos`).

    symlib halos --catalogue book/data/halos-1.npz --second book/data/halos-2.npz \\
        --preset laptop --out book/results/cosmology

The paper's formulas with their constants refitted, the network, the best formula found in it, and
the last two once more with the densest fifth held out. What is on record is left alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from symlib import symbolic
from symlib.choices import known
from symlib.cosmology.catalogue import Catalogue, read_catalogue
from symlib.papers.cranmer2020.study.halo_network import NETWORK_PRESETS, network_experiment
from symlib.papers.cranmer2020.study.table6 import BOOTSTRAP, CUT, ROWS, table6
from symlib.records.study import Study
from symlib.symbolic.search.budget import get_budget

NETWORK_ROWS = ("network", "best_found", "network_cutoff", "best_found_cutoff")
READ = ("halos-train", "halos-read")


@dataclass(frozen=True)
class HaloRow(Study):
    """One row of Table 6 on one catalogue.

    Args:
        formula: a row of `symlib.papers.cranmer2020.study.table6.ROWS`, or of NETWORK_ROWS.
        preset: ci, laptop or paper.
        seed: of the split, the weights, the batches, the search, the starts and the bootstrap.
        catalogue: halos to fit and to test on.
        second: another realisation, to predict.
        given: the options that name both on the command line.
    """

    formula: str
    preset: str
    seed: int
    catalogue: Catalogue
    second: Catalogue | None = None
    given: str = ""

    kind = "cosmology"

    @property
    def stages(self) -> tuple[str, ...]:
        """Formulas are refitted, networks trained and read."""
        return stages_of(self.formula)

    def path(self, folder: str | Path) -> Path:
        return Path(folder) / f"{self.formula}-{self.preset}-{self.seed}.json"

    def about(self) -> dict:
        """What the record holds of the fields; the catalogues say themselves what they are."""
        return {"formula": self.formula, "preset": self.preset, "seed": self.seed}

    def inputs(self) -> list:
        """The catalogues, and every number of the preset that this row has to do with."""
        halos = [identity(one) for one in (self.catalogue, self.second) if one is not None]
        if self.formula in ROWS:
            return [halos, self.formula, self.seed, BOOTSTRAP[self.preset]]
        preset = NETWORK_PRESETS[self.preset]
        found = self.formula.startswith("best_found")
        budget = get_budget(preset.budget).inputs() if found else None
        return [halos, self.formula, self.seed, preset.recipe.inputs(), preset.hidden, budget]

    def command(self) -> str:
        return f"symlib halos {self.given} --preset {self.preset} --seed {self.seed}"

    def check(self, engine: str = "auto") -> None:
        known("preset", self.preset, NETWORK_PRESETS)
        symbolic.choose_engine(engine, say=False)

    def measure(self, *, engine: str, cache: Path | None, progress: bool) -> dict:
        """Fit the formula, or train the network and read it."""
        if self.formula in ROWS:
            rows = [self.formula]
            (record,) = table6(self.catalogue, self.seed, self.preset, self.second, rows=rows)
        else:
            # The network of two rows is the same, and the second time it is in the cache.
            record = network_experiment(
                self.catalogue, self.preset, self.seed, second=self.second, engine=engine,
                equations=self.formula.startswith("best_found"), cutoff=self.formula.endswith(CUT),
                cache=cache, progress=progress,
            ).records[-1]  # fmt: skip
        return {key: value for key, value in record.items() if key != "provenance"}


def stages_of(formula: str) -> tuple[str, ...]:
    """The stages that make a row of Table 6."""
    return READ if formula in NETWORK_ROWS else ("halos-refit",)


def identity(catalogue: Catalogue) -> list:
    """What tells a catalogue from others, as plain values."""
    columns = (catalogue.masses, catalogue.delta)
    sums = [float(f"{column.sum(dtype='float64'):.9g}") for column in columns]
    return [float(catalogue.box), len(catalogue), *sums]


def halo_rows(
    catalogue: Path, second: Path | None, preset: str, seed: int = 0
) -> Iterator[HaloRow]:
    """All rows on a catalogue, in the order of Table 6.

    Raises:
        InputError: a catalogue that cannot be read.
    """
    paths = {"catalogue": Path(catalogue), **({"second": Path(second)} if second else {})}
    halos = {name: read_catalogue(path) for name, path in paths.items()}
    # Someone else's folders are of no use to the reader of a record.
    given = " ".join(
        f"--{name} {path.name if path.is_absolute() else path}" for name, path in paths.items()
    )
    for formula in (*ROWS, *NETWORK_ROWS):
        yield HaloRow(formula, preset, seed, halos["catalogue"], halos.get("second"), given)


def line(record: dict) -> str:
    """A record in one line: errors on the halos fitted, held out, and of the second realisation."""
    if "failed" in record:
        return f"{record['formula']:22} failed, {record['failed']}"
    errors = [record.get(key) for key in ("error_fit", "error_test", "error_second")]
    shown = ", ".join("-" if error is None else f"{error:.4f}" for error in errors)
    return f"{record['formula']:22} {shown}"
