"""How far the road from tracks to a law carries, case by case (`symlib bench tracks`)."""

import json
import resource
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from symlib import symbolic
from symlib.choices import RANK, at_least, known
from symlib.discovery.tracks import TracksDiscovery, discover_tracks
from symlib.laws.potentials import PairPotential
from symlib.papers.own_tracks.cases import CASES, Case, simulate, table
from symlib.records.study import Study
from symlib.symbolic.algebra.expressions import evaluate
from symlib.symbolic.algebra.parsing import parse_equation
from symlib.tracks.reading.read import read
from symlib.training.presets import get_preset

NEAR, FAR = 0.1, 5.0  # distances between which the radial force is compared, in the case's units
VARIABLES = ("r", "m1", "m2", "q1", "q2")


@dataclass(frozen=True)
class TracksCase(Study):
    """One case of `cases.CASES`, watched with one seed.

    Args:
        case: its name; preset: how long is trained and searched; seed: of the world, of the
            network and of the search.
    """

    case: str
    preset: str = "laptop"
    seed: int = 0

    kind = "tracks case"
    stages = ("tracks", "regress", "judge")

    def path(self, folder: str | Path) -> Path:
        name = "".join(c if c.isalnum() else "-" for c in self.case)
        return Path(folder) / "own_tracks" / self.preset / f"{name}-{self.seed}.json"

    def inputs(self) -> list:
        case, sizes = CASES[self.case], get_preset(self.preset)
        # Functions are told by their text; what is as by default may be joined by other fields.
        told = {one.name: one.default for one in fields(case) if not callable(vars(case)[one.name])}
        watched = {name: value for name in told if (value := vars(case)[name]) != told[name]}
        recipe = sizes.recipe_for("bottleneck").inputs()
        return [json.dumps(watched, sort_keys=True, default=str), recipe, self.seed]

    def command(self) -> str:
        return f"symlib bench tracks --case '{self.case}' --preset {self.preset}"

    def check(self, engine: str = "auto") -> None:
        known("case", self.case, CASES)
        known("preset", self.preset, RANK)
        at_least("seed", self.seed, 0)
        symbolic.choose_engine(engine, say=False)

    def measure(self, *, engine: str, cache: Path | None, progress: bool) -> dict:
        """Make the world, read its table, walk the road, and compare with the truth."""
        case, began = CASES[self.case], time.perf_counter()
        found = discover_tracks(
            read(table(case, self.seed)), preset=self.preset, seed=self.seed, engine=engine,
            cache=cache, progress=progress, **case.options,
        )  # fmt: skip
        kept = {k: v for k, v in found.record.items() if k not in ("kind", "provenance", "seed")}
        return {
            **kept,
            "truth": case.law,
            "body_truth": case.body_law,
            **against_truth(case, self.seed, found),
            "walk_seconds": round(time.perf_counter() - began, 1),
            "peak_memory_gb": round(
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2, 2
            ),
        }


def against_truth(case: Case, seed: int, found: TracksDiscovery) -> dict:
    """The selected equation, and the front's best row, beside the law that made the tracks.

    Returns:
        recovered: the verdict on the selected row; front_recovered: the first row that is the law,
        or None; radial_error: of the selected row, the median and the largest relative error of
        the radial force over pairs between 0.1 and 5, where the force is not near zero;
        network_radial_error, baseline_radial_error: medians; scalar_error: largest relative error
        of the masses that were found, up to one factor; body_error: largest of the one-body
        accelerations at bodies of the tracks, relative to their mean size.
    """
    rows = [row["equation"] for row in found.record["front"]]
    verdicts = [_verdict(case, text) for text in rows]
    best = found.best
    right = [k for k, verdict in enumerate(verdicts) if verdict]
    out = {
        "recovered": bool(verdicts[best]),
        "verdict": verdicts[best].to_dict(),
        "front_recovered": right[0] if right else None,
    }
    out["radial_error"] = _radial_error(case, seed, rows[best])
    if right:
        out["front_radial_error"] = _radial_error(case, seed, rows[right[0]])
    table_ = found.record["radial"]
    out["network_radial_error"] = _curve_error(case, table_, "network")
    out["baseline_radial_error"] = _curve_error(case, table_, "baseline")
    if found.law.numbers.get("m") is not None and case.masses:
        true = simulate(replace(case, frames=2), seed)[2][0][0]
        ratio = found.law.numbers["m"] / true
        out["scalar_error"] = float(np.abs(ratio / np.exp(np.log(ratio).mean()) - 1).max())
    if case.body is not None:
        out["body_error"] = _body_error(case, seed, found.record["one_body"])
    return out


def _verdict(case: Case, text: str):
    length, time_, weight = case.scale
    expr = parse_equation(text, VARIABLES)
    # The verdict speaks the case's own units, and of a message: a component of the vector.
    sizes = {"r": length, "m1": weight, "m2": weight, "q1": 1.0, "q2": 1.0}
    renamed = {s: s * sizes[s.name] for s in expr.free_symbols}
    message = parse_equation("dx/r", ("dx", "r")) * expr.subs(renamed) * time_**2 / length
    law = PairPotential(case.name, case.potential, case.dt, softening=0.0)
    return symbolic.recovered(message, law, case.dim)


def _pairs(case: Case, seed: int, count: int = 2000) -> dict[str, np.ndarray]:
    """Distances and bodies of the world, in the case's own units."""
    rng = np.random.default_rng(seed)
    seen, _, known = simulate(replace(case, recordings=1, frames=min(case.frames, 400)), seed)
    x = seen[0][rng.integers(0, len(seen[0]), count)]
    i = rng.integers(0, case.bodies, count)
    j = (i + rng.integers(1, case.bodies, count)) % case.bodies
    rows = np.arange(count)
    r = np.sqrt(((x[rows, j] - x[rows, i]) ** 2).sum(axis=1))
    mass, charge = known[0]
    found = {"r": r, "m1": mass[i], "m2": mass[j], "q1": charge[i], "q2": charge[j]}
    far = FAR if case.reach is None else case.options.get("neighbours", case.reach)
    inside = (r > NEAR) & (r < far)
    return {name: values[inside] for name, values in found.items()}


def _radial_error(case: Case, seed: int, text: str) -> dict:
    length, time_, weight = case.scale
    seen = _pairs(case, seed)
    true = case.radial(seen["r"], seen)
    sizes = {"r": length, "m1": weight, "m2": weight, "q1": 1.0, "q2": 1.0}
    X = np.stack([seen[name] * sizes[name] for name in VARIABLES], axis=1)
    value = evaluate(parse_equation(text, VARIABLES), X, VARIABLES) * time_**2 / length
    if "scalars" in case.hidden:
        # Masses are known up to one factor, which the law's constant takes up.
        value = value * np.median(true / value)
    error = np.abs(value - true) / np.maximum(np.abs(true), 0.02 * np.abs(true).max())
    return {"median": float(np.median(error)), "largest": float(error.max())}


def _curve_error(case: Case, radial: dict, name: str) -> float | None:
    length, time_, weight = case.scale
    r = np.array(radial["r"]) / length
    sizes = {"m": weight, "q": 1.0}
    seen = {k: np.full(len(r), v / sizes[k[0]]) for k, v in radial["typical"].items()}
    for lacking in VARIABLES[1:]:
        seen.setdefault(lacking, np.ones(len(r)))
    true = case.radial(r, seen)
    value = np.array([np.nan if v is None else v for v in radial[name]]) * time_**2 / length
    inside = (r > NEAR) & (r < FAR) & np.isfinite(value)
    if "scalars" in case.hidden or not inside.any():
        return None
    size = np.maximum(np.abs(true), 0.02 * np.abs(true[inside]).max())
    return float(np.median((np.abs(value - true) / size)[inside]))


def _body_error(case: Case, seed: int, texts: list[str]) -> float:
    seen, moved, _ = simulate(replace(case, recordings=1), seed)
    x, v = seen[0].reshape(-1, 2), moved[0].reshape(-1, 2)
    assert case.body is not None
    true, names = case.body(x, v), ("x", "y", "vx", "vy")
    X = np.column_stack([x, v])
    value = np.stack([evaluate(parse_equation(t, names), X, names) for t in texts], axis=1)
    return float(np.abs(value - true).max() / np.abs(true).mean())


def line(record: dict) -> str:
    """A record in one line."""
    name = f"{record['case']}, seed {record['seed']}, {record['preset']}"
    if "failed" in record:
        return f"{name}: failed, {record['failed']}"
    word = "recovered" if record["recovered"] else "not recovered"
    if not record["recovered"] and record["front_recovered"] is not None:
        word += " (a row of the front)"
    return (
        f"{name}: {word}, radial error {record['radial_error']['median']:.2g}, "
        f"{record['walk_seconds']:.0f} s, {record['peak_memory_gb']} GB: {record['law']}"
    )
