"""The damped law as the authors' public code simulates it: the drag depends on a body's number.

By equation 6 a body feels the potential of each pair that it is in, so the term r₁·ṙ₁/n of the
damped potential (appendix B) drags each body alike, by (n − 1)/n of its velocity. The authors'
simulate.py (MilesCranmer/symbolic_deep_learning) adds up each pair once, i before j, and the term
is the first body's alone: the first body is dragged by (n − 1)/n, the next by (n − 2)/n, the last
not at all. A network on graphs does not see that number, whatever it learns.

Here the law is simulated in that way, and predictors that know everything but the number are
compared: the acceleration with a body's drag k v / (n m) replaced by k̂ v / (n m), k the number of
pairs in which the body comes first. Their loss is |k − k̂| Σ_c |v_c| / (n m), averaged over bodies.
"""

from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from symlib.choices import DIMENSIONS, at_least, known
from symlib.laws.potentials import LAWS, PairPotential
from symlib.records.study import Study
from symlib.simulation.integrator import batched_accelerations
from symlib.simulation.nbody import initial_conditions, simulate

BODIES, STEPS = 4, 1000
EVERY = 10  # of the steps one is looked at: the next ones are much like it
BATCH = 250  # systems in memory at a time
# Width of the cells in which one drag is fitted, in the logarithms of mass and speed.
WIDTH = 0.4


def by_number() -> PairPotential:
    """The damped law with a drag that a body's charge scales; the spring has no use for charges."""
    return PairPotential(
        "damped by number",
        lambda r, a, b: (r - 1) ** 2 + a.charge * jnp.dot(a.position, a.velocity) / a.bodies,
        dt=LAWS["damped"].dt,
        conservative=False,
    )


def pairs_first(bodies: int = BODIES) -> np.ndarray:
    """In how many pairs each body comes first, [bodies]: n − 1, n − 2, ..., 0."""
    return np.arange(bodies)[::-1]


@dataclass(frozen=True)
class DampedDrag(Study):
    """What it costs not to know a body's number.

    Args:
        dim: 2 or 3.
        systems: how many are simulated, a thousand steps each.
        seed: of their initial conditions.
    """

    dim: int = 2
    systems: int = 2000
    seed: int = 0

    kind = "damped drag"
    stages = ("simulate",)

    def path(self, folder: str | Path) -> Path:
        return Path(folder) / "damped_drag" / f"{self.dim}-{self.systems}-{self.seed}.json"

    def inputs(self) -> list:
        """The law, the sizes and the seed."""
        sizes = [self.dim, BODIES, self.systems, STEPS, EVERY, self.seed]
        return [by_number().fingerprint(), sizes, WIDTH]

    def command(self) -> str:
        return f"symlib bench drag --systems {self.systems} --seed {self.seed}"

    def check(self, engine: str = "auto") -> None:
        known("dim", self.dim, DIMENSIONS)
        # Half of them fit what is tested on the other half.
        at_least("systems", self.systems, 4)
        at_least("seed", self.seed, 0)

    def measure(self, *, engine: str, cache: Path | None, progress: bool) -> dict:
        """Simulate in batches, and compare predictors of the drag."""
        law = by_number()
        initial = initial_conditions(self.dim, BODIES, self.systems, self.seed)
        initial[..., -2] = pairs_first() / (BODIES - 1)
        states, failed = [], 0
        for start in range(0, self.systems, BATCH):
            batch = initial[start : start + BATCH]
            found = simulate(law, self.dim, steps=STEPS, initial=batch, progress=progress)
            states.append(found.states[:, ::EVERY])
            failed += len(batch) - len(found.states)
        return {
            "bodies": BODIES,
            "steps": STEPS,
            "share_failed": failed / self.systems,
            **what_it_costs(law, np.concatenate(states)),
        }


def what_it_costs(law: PairPotential, states: np.ndarray) -> dict:
    """The losses of predictors that do not see a body's number, for a record.

    Args:
        law: from `by_number`.
        states: shape [systems, steps, bodies, 2 dim + 2], bodies in the order of their numbers.

    Returns:
        trivial_loss, of the median acceleration of each component; and for each predictor its
        loss, with the standard error over systems. "none": no drag at all, which is the best that a
        Hamiltonian can do. "one": one drag for all bodies, the best, in `pairs`. "own": the best
        drag for each mass and speed, fitted on half of the systems and tested on the other, and the
        other way round.
    """
    dim, bodies = (states.shape[-1] - 2) // 2, states.shape[2]
    velocity, mass = states[..., dim : 2 * dim], states[..., -1]
    # Loss for each pair by which k̂ is wrong; shape [systems, steps, bodies].
    weight = np.abs(velocity).sum(axis=-1) / (bodies * mass)
    speed = np.linalg.norm(velocity, axis=-1)
    pairs = np.broadcast_to(pairs_first(bodies), weight.shape)
    # Cells of mass and speed, by one number.
    by_mass, by_speed = (
        (place - place.min()).astype(int)
        for place in (np.floor(np.log(values) / WIDTH) for values in (mass, speed))
    )
    cells = by_mass * (by_speed.max() + 1) + by_speed

    def told(guess) -> dict:
        of_systems = (np.abs(pairs - guess) * weight).mean(axis=(1, 2))
        error = of_systems.std(ddof=1) / np.sqrt(len(of_systems))
        return {"loss": of_systems.mean(), "standard_error": error}

    # Between two whole numbers the loss is a straight line.
    best = int(np.argmin([told(guess)["loss"] for guess in range(bodies)]))
    own, half = np.full(weight.shape, best), np.arange(len(states)) % 2
    for tested in (half == 0, half == 1):
        there = cells[~tested].ravel()
        losses = [
            np.bincount(there, wrong[~tested].ravel(), cells.max() + 1)
            for wrong in (np.abs(pairs - guess) * weight for guess in range(bodies))
        ]
        known_cells = np.bincount(there, minlength=cells.max() + 1) > 0
        own[tested] = np.where(known_cells, np.argmin(losses, axis=0), best)[cells[tested]]
    accelerations = batched_accelerations(law, states.reshape(-1, *states.shape[2:]))
    away = np.abs(accelerations - np.median(accelerations, axis=(0, 1)))
    return {
        "trivial_loss": away.sum(axis=-1).mean(),
        "predictors": {"none": told(0), "one": {**told(best), "pairs": best}, "own": told(own)},
    }


def line(record: dict) -> str:
    """A record in one line."""
    name = f"damped-{record['dim']}, drag by number"
    if "failed" in record:
        return f"{name}: failed, {record['failed']}"
    shown = (f"{way} {found['loss']:.3f}" for way, found in record["predictors"].items())
    return f"{name}: loss {', '.join(shown)}, trivial {record['trivial_loss']:.3g}"
