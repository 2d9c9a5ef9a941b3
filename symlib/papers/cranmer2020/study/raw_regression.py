"""Symbolic regression of raw data against the way through a network (appendix C).

The paper gave the features of all six bodies of a 1/r² system straight to symbolic regression
and found nothing. Here that way and the factorised one get the same simulations, as many
examples, and the same budget for every search, and are judged on the same held-out snapshots:

* raw: the acceleration of body 2 along x as a function of every body's position, velocity, charge
  and mass;
* factorised: a bottleneck network is trained on the same snapshots, each of its messages is
  regressed, and the equations, summed over senders and turned by one fitted matrix, predict
  the same acceleration.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symlib import discovery, symbolic
from symlib.errors import InputError
from symlib.laws.potentials import get_law
from symlib.laws.variables import AXES
from symlib.messages import motion, recording
from symlib.records.stages import PARTICLES
from symlib.records.study import Study
from symlib.symbolic.search.budget import get_budget
from symlib.training.presets import get_preset

MODEL = "bottleneck"
# Particle 2, along x: the acceleration that the paper's example is of.
BODY, AXIS = 1, 0
# Snapshots on which the matrix between messages and accelerations is fitted.
MATRIX_ROWS = 5000
# Held-out rows that a record keeps, for a figure.
SAMPLE = 300
# What predicts, in the order of the tables.
WAYS = ("trivial", "raw", "raw_most_complex", "equations", "network")


@dataclass(frozen=True)
class RawExperiment(Study):
    """Which system is regressed: a law, bodies, dimension, preset and seed."""

    law: str = "r2"
    bodies: int = 6
    dim: int = 2
    preset: str = "laptop"
    seed: int = 0

    kind = "raw regression"
    stages = PARTICLES

    def path(self, folder: str | Path) -> Path:
        """Where its record lies below `folder`; the paper's own system has the short name."""
        system = f"{self.law.rsplit(':')[-1].lower()}-{self.dim}-{self.bodies}-"
        paper = (self.law, self.bodies, self.dim) == ("r2", 6, 2)
        name = f"raw_regression-{'' if paper else system}{self.preset}-{self.seed}.json"
        return Path(folder) / name

    def inputs(self) -> list:
        """The law, the sizes, the recipe, the budget and the seed."""
        preset = get_preset(self.preset)
        return [
            get_law(self.law).fingerprint(),
            [self.dim, self.bodies, self.seed, MATRIX_ROWS, recording.REFIT_EDGES],
            preset.inputs(MODEL),
            get_budget(preset.budget).inputs(),
        ]

    def command(self) -> str:
        return (
            f"symlib raw --law {self.law} --bodies {self.bodies} --dim {self.dim} "
            f"--preset {self.preset} --seed {self.seed}"
        )

    def check(self, engine: str = "auto") -> None:
        discovery.check(self.law, self.dim, MODEL, self.preset, self.seed, self.bodies, engine)

    def again(self, stage: str, record: dict, **options) -> dict:
        """A new verdict needs the messages' equations alone."""
        if stage != "judge":
            return self.measure(**options)
        kept = {key: value for key, value in record.items() if key not in ("provenance", "failed")}
        messages = []
        for one in record["factorised"]["messages"]:
            verdict = symbolic.recovered(one["equation"], self.law, self.dim)
            messages.append({**one, "recovered": bool(verdict), "verdict": verdict.to_dict()})
        return {**kept, "factorised": {**record["factorised"], "messages": messages}}

    def measure(self, *, engine: str, cache: Path | None, progress: bool) -> dict:
        """Both ways on the same system."""
        law, preset = get_law(self.law), get_preset(self.preset)
        options = {"cache": cache, "progress": progress}
        search = {
            "engine": engine, "seed": self.seed, "budget": preset.budget, "progress": progress
        }  # fmt: skip
        data = discovery.prepare(law, self.dim, preset, self.seed, bodies=self.bodies, **options)
        states, accelerations = data.train.states, data.train.accelerations
        # As many examples as the messages have, and those farthest out left out alike.
        target = accelerations[: recording.REFIT_EDGES, BODY, AXIS].astype(np.float64)
        kept = recording.near_median(target)
        names = raw_names(self.bodies, self.dim)
        features = raw_features(states[: recording.REFIT_EDGES])[kept]
        raw = symbolic.regress(features, target[kept], names, **search)

        run = discovery.fit_network(law, MODEL, data, preset, self.seed, **options)
        found = recording.regress_messages(run.network, states, **search)
        dynamics = motion.symbolic_dynamics(
            found, states[:MATRIX_ROWS], accelerations[:MATRIX_ROWS]
        )

        truth = data.test.accelerations[:, BODY, AXIS].astype(np.float64)
        trivial, held_out = float(np.median(target)), raw_features(data.test.states)
        network = motion.network_dynamics(run.network)
        predictions = {
            "trivial": np.full(len(truth), trivial),
            "raw": raw.predict(held_out),
            "raw_most_complex": raw.predict(held_out, -1),
            "equations": dynamics(data.test.states)[:, BODY, AXIS],
            "network": _in_parts(network, data.test.states)[:, BODY, AXIS],
        }
        return {
            "target": f"acceleration of body {BODY + 1} along {AXES[AXIS]}",
            "engine": raw.engine,
            "budget": get_budget(preset.budget).inputs(),
            "systems": preset.systems,
            "share_failed": data.trajectories.share_failed,
            "train_snapshots": len(states),
            "test_snapshots": len(truth),
            "goodness": {way: goodness(predictions[way], truth, trivial) for way in WAYS},
            "raw": {
                "engine": raw.engine,
                "names": names,
                "examples": int(kept.sum()),
                **raw.facts(),
                "seconds": round(raw.seconds, 1),
            },
            "factorised": {
                "r2": recording.record_messages(run.network, law, data.test.states).r2(),
                "matrix": dynamics.matrix.tolist(),
                "quantity": dynamics.quantity,
                "messages": [
                    {
                        **one.facts(symbolic.recovered(one, law, self.dim)),
                        "seconds": round(one.seconds, 1),
                    }
                    for one in found
                ],
            },
            **run.facts(),
            "sample": _sample(truth, predictions, trivial, self.seed),
        }


def raw_names(bodies: int, dim: int) -> list[str]:
    """Names of the raw features: x1, y1, (z1,) vx1, ..., q1, m1, x2, and so on."""
    of_body = (*AXES[:dim], *(f"v{axis}" for axis in AXES[:dim]), "q", "m")
    return [f"{name}{number}" for number in range(1, bodies + 1) for name in of_body]


def raw_features(states) -> np.ndarray:
    """States [snapshots, bodies, 2 dim + 2] as rows of `raw_names`, dimensionless.

    Raises:
        InputError: another shape.
    """
    states = np.asarray(states, dtype=np.float64)
    if states.ndim != 3 or states.shape[2] not in (6, 8):
        raise InputError(
            f"states: shape [snapshots, bodies, 2 dim + 2] is needed, got {states.shape}"
        )
    return states.reshape(len(states), -1)


def true_equation(bodies: int, dim: int) -> str:
    """The 1/r² acceleration of body 2 along x in the raw variables, without softening."""
    terms = []
    for other in (k for k in range(1, bodies + 1) if k != BODY + 1):
        squares = " + ".join(f"({axis}{other} - {axis}2)^2" for axis in AXES[:dim])
        terms.append(f"m{other}*(x{other} - x2)/({squares})^1.5")
    return " + ".join(terms)


def goodness(predicted, truth, trivial: float) -> dict:
    """How well an acceleration is predicted.

    Args:
        predicted, truth: shape [n], dimensionless.
        trivial: what stands in for a prediction that is not finite.

    Returns:
        mae, median_error (of the absolute error), r2 over all points, r2_kept90 over the 90%
        with the smallest residuals, not_finite: the share of predictions that were replaced.
    """
    predicted, truth = (np.asarray(a, dtype=np.float64) for a in (predicted, truth))
    if predicted.shape != truth.shape or truth.ndim != 1 or not len(truth):
        raise InputError(f"goodness: two rows alike, got {predicted.shape} and {truth.shape}")
    finite = np.isfinite(predicted)
    error = np.abs(np.where(finite, predicted, trivial) - truth)
    kept = np.argsort(error, kind="stable")[: max(2, round((1 - recording.DROPPED) * len(error)))]
    return {
        "mae": float(error.mean()),
        "median_error": float(np.median(error)),
        "r2": _r2(error, truth),
        "r2_kept90": _r2(error[kept], truth[kept]),
        "not_finite": float(1 - finite.mean()),
    }


def summary(record: dict) -> str:
    """A record in a few lines: how well each way predicts, and what it found."""
    head = (
        f"{record['law']}-{record['dim']}, {record['bodies']} bodies, preset {record['preset']}, "
        f"seed {record['seed']}, {record['seconds']:.0f} s: {record.get('target')}"
    )
    if "failed" in record:
        return f"{head}: failed, {record['failed']}"
    fits = [
        f"  {way:17} MAE {fit['mae']:.4g}, median {fit['median_error']:.3g}, R² "
        f"{fit['r2']:.3f} (all) {fit['r2_kept90']:.4f} (kept 90%)"
        for way, fit in record["goodness"].items()
    ]
    said = [
        f"  message {number}         {message['equation']} ({message['seconds']} s), "
        f"{'' if message['recovered'] else 'not '}recovered"
        for number, message in enumerate(record["factorised"]["messages"], start=1)
    ]
    raw = f"  raw equation      {record['raw']['equation']} ({record['raw']['seconds']} s)"
    return "\n".join([head, *fits, raw, *said])


def _in_parts(accelerations: motion.Accelerations, states, chunk: int = 500) -> np.ndarray:
    states = np.asarray(states, dtype=np.float64)
    with motion.one_thread():
        return np.concatenate(
            [accelerations(states[k : k + chunk]) for k in range(0, len(states), chunk)]
        )


def _sample(truth, predictions: dict, trivial: float, seed: int) -> dict:
    rows = np.random.default_rng(seed).permutation(len(truth))[:SAMPLE]
    columns = {"truth": truth, **{way: predictions[way] for way in WAYS if way != "trivial"}}
    return {
        name: [float(f"{value:.4g}") for value in np.nan_to_num(column[rows], nan=trivial)]
        for name, column in columns.items()
    }


def _r2(error: np.ndarray, truth: np.ndarray) -> float:
    total = ((truth - truth.mean()) ** 2).sum()
    return 0.0 if total == 0 else float(1 - (error**2).sum() / total)
