"""Worlds to try the road on: tracks of known laws, made by a simulator that is not ours.

scipy's `solve_ivp` integrates; what a camera would see of it is written as a table in long form,
with columns time, track, x, y (, vx, vy, ax, ay, mass, charge, recording) as trackpy users know
it. Each case says what is hidden from the reader and what would count as having found it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.integrate import solve_ivp
from scipy.spatial import cKDTree

Radial = Callable[[np.ndarray, dict], np.ndarray]


@dataclass(frozen=True)
class Case:
    """A law, and how it is watched.

    Args:
        name: how records call it.
        radial: acceleration of the receiver along the line to the sender, of the distance and of
            a mapping of m1, m2, q1, q2 (shape like the distance); positive attracts.
        law: the same as text over r, m1, m2, q1, q2, for the page.
        potential: of the same law, as `PairPotential` takes it, for the verdict.
        body: one-body acceleration, of positions and velocities, or None; body_law: as text.
        dim: of space; bodies, recordings, frames, dt: how much is seen.
        gives: which columns are written beside time, track, x, y: "v", "a", "mass", "charge".
        noise: of positions, as a share of their spread.
        missing: share of the samples that is lost.
        masses, charges: whether they differ between bodies; same_bodies: in all recordings.
        scale: units of length, time and mass that the table is written in.
        box: side of the square where bodies start; reach: forces end here (for neighbours).
        hidden: what the table does not tell: "scalars" where masses are unknown.
        options: of the road, as `symlib.discover` takes them.
    """

    name: str
    radial: Radial
    law: str
    potential: Callable
    body: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    body_law: str = ""
    dim: int = 2
    bodies: int = 6
    recordings: int = 10
    frames: int = 400
    dt: float = 0.02
    gives: tuple[str, ...] = ("v", "a", "mass")
    noise: float = 0.0
    missing: float = 0.0
    masses: bool = True
    charges: bool = False
    same_bodies: bool = False
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    box: float = 2.0
    speed: float = 0.5
    reach: float | None = None
    hidden: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def softened(r, s):
    """Softened gravity between the bodies."""
    return s["m2"] * r / (r**2 + 0.1) ** 1.5


def plummer(r, a, b):
    """Its potential."""
    return -a.mass * b.mass / jnp.sqrt(r**2 + 0.1)


SOFTENED = (softened, "m2*r/(r**2 + 0.1)**1.5", plummer)


def simulate(case: Case, seed: int) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Positions and velocities [frames, bodies, dim], and [mass, charge] of each recording."""
    rng = np.random.default_rng([seed, 77])
    n, seen, moved, known = case.bodies, [], [], []
    for _ in range(case.recordings):
        if not (case.same_bodies and known):
            mass = np.exp(rng.normal(0, 0.5, n)) if case.masses else np.ones(n)
            charge = rng.choice([-1.0, 1.0], n) * np.exp(rng.normal(0, 0.3, n))
            known.append(np.stack([mass, charge if case.charges else np.ones(n)]))
        else:
            known.append(known[0])
        start = rng.uniform(-case.box, case.box, (n, case.dim))
        speed = case.speed * rng.normal(size=(n, case.dim))
        times = case.dt * np.arange(case.frames)
        y0 = np.concatenate([start, speed]).ravel()
        out = solve_ivp(
            lambda _, y, k=known[-1]: _slope(case, y, k), (0, times[-1]), y0, "DOP853", times,
            rtol=1e-9, atol=1e-10,
        )  # fmt: skip
        states = out.y.T.reshape(len(times), 2, n, case.dim)
        seen.append(states[:, 0])
        moved.append(states[:, 1])
    return seen, moved, known


def accelerations(case: Case, x: np.ndarray, v: np.ndarray, known: np.ndarray) -> np.ndarray:
    """True accelerations, shape [bodies, dim]."""
    n = len(x)
    if case.reach is None:
        i, j = np.nonzero(~np.eye(n, dtype=bool))
    else:
        pairs = cKDTree(x).query_pairs(case.reach, output_type="ndarray")
        i, j = np.concatenate([pairs, pairs[:, ::-1]]).T
    offset = x[j] - x[i]
    r = np.sqrt((offset**2).sum(axis=1))
    mass, charge = known
    pull = case.radial(r, {"m1": mass[i], "m2": mass[j], "q1": charge[i], "q2": charge[j]})
    parts = (pull / r)[:, None] * offset
    a = np.stack([np.bincount(i, part, n) for part in parts.T], axis=1)
    return a if case.body is None else a + case.body(x, v)


def _slope(case: Case, y: np.ndarray, known: np.ndarray) -> np.ndarray:
    x, v = y.reshape(2, -1, case.dim)
    return np.concatenate([v, accelerations(case, x, v, known)]).ravel()


def table(case: Case, seed: int) -> pd.DataFrame:
    """What the camera wrote down, in long form."""
    rng = np.random.default_rng([seed, 78])
    length, time, weight = case.scale
    seen, moved, known = simulate(case, seed)
    spread = np.std(np.concatenate(seen, axis=0))
    rows = []
    for number, (x, v, k) in enumerate(zip(seen, moved, known, strict=True)):
        a = np.stack([accelerations(case, *both, k) for both in zip(x, v, strict=True)])
        x = x + case.noise * spread * rng.normal(size=x.shape)
        frame, body = np.indices(x.shape[:2])
        track = body if case.same_bodies else body + number * case.bodies
        columns: dict[str, Any] = {
            "recording": np.full(frame.size, number),
            "time": (frame * case.dt * time).ravel(),
            "track": track.ravel(),
        }
        wanted = {"x": (x, length)}
        if "v" in case.gives:
            wanted["v"] = (v, length / time)
        if "a" in case.gives:
            wanted["a"] = (a, length / time**2)
        for letter, (values, unit) in wanted.items():
            for axis, name in enumerate("xyz"[: case.dim]):
                columns[name if letter == "x" else letter + name] = (
                    unit * values[..., axis]
                ).ravel()
        if "mass" in case.gives:
            columns["mass"] = weight * np.broadcast_to(k[0], frame.shape).ravel()
        if "charge" in case.gives:
            columns["charge"] = np.broadcast_to(k[1], frame.shape).ravel()
        rows.append(pd.DataFrame(columns))
    found = pd.concat(rows, ignore_index=True)
    if case.missing:
        found = found[rng.random(len(found)) >= case.missing]
    return found


CASES = {
    one.name: one
    for one in (
        Case("softened", *SOFTENED),
        Case("other units", *SOFTENED, scale=(1e3, 1e-2, 1e-6)),
        Case("noise 0.1%", *SOFTENED, gives=("mass",), noise=1e-3),
        Case("noise 1%", *SOFTENED, gives=("mass",), noise=1e-2),
        Case("noise 5%", *SOFTENED, gives=("mass",), noise=5e-2),
        Case("positions only", *SOFTENED, gives=("mass",)),
        Case("unknown masses", *SOFTENED, gives=("v", "a"), same_bodies=True, hidden=("scalars",)),
        Case(
            "attraction with a core",
            lambda r, s: 2 * (r + 0.3) ** -3.0 - 4 * (r + 0.3) ** -5.0,
            "2*(r + 0.3)**-3 - 4*(r + 0.3)**-5",
            lambda r, a, b: (r + 0.3) ** -4.0 - (r + 0.3) ** -2.0,
            masses=False,
        ),
        Case(
            "gaussian",
            lambda r, s: 6 * r * np.exp(-(r**2)),
            "6*r*exp(-r**2)",
            lambda r, a, b: -3 * jnp.exp(-(r**2)),
            masses=False,
        ),
        Case(
            "screened, in space",
            lambda r, s: s["m2"] * np.exp(-r / 2) * (1 / (2 * r) + 1 / r**2),
            "m2*exp(-r/2)*(1/(2*r) + 1/r**2)",
            lambda r, a, b: -a.mass * b.mass * jnp.exp(-r / 2) / r,
            dim=3,
        ),
        Case(
            "quartic spring",
            lambda r, s: 2 * r - 2 + 0.4 * r**3,
            "2*r - 2 + 0.4*r**3",
            lambda r, a, b: (r - 1) ** 2 + 0.1 * r**4,
            masses=False,
            bodies=4,
        ),
        Case(
            "charge and mass",
            lambda r, s: (s["m2"] - s["q1"] * s["q2"] / s["m1"]) / (r + 0.2) ** 2,
            "(m2 - q1*q2/m1)/(r + 0.2)**2",
            lambda r, a, b: (a.charge * b.charge - a.mass * b.mass) / (r + 0.2),
            charges=True,
            gives=("v", "a", "mass", "charge"),
        ),
        Case(
            "trap and drag",
            *SOFTENED,
            body=lambda x, v: -0.5 * x - 0.1 * v,
            body_law="-0.5*x - 0.1*v",
            options={"one_body": True},
        ),
        Case(
            "one video",
            lambda r, s: s["m2"] * r / (r**2 + 0.1),
            "m2*r/(r**2 + 0.1)",
            lambda r, a, b: 0.5 * a.mass * b.mass * jnp.log(r**2 + 0.1),
            gives=("mass",),
            noise=1e-3,
            recordings=1,
            frames=20_000,
            bodies=8,
            missing=0.05,
        ),
        Case(
            "crowd",
            lambda r, s: -4.0 * np.exp(-3.0 * r),
            "-4*exp(-3*r)",
            lambda r, a, b: 4 / 3 * jnp.exp(-3 * r),
            masses=False,
            bodies=200,
            recordings=1,
            frames=150,
            box=8.0,
            reach=3.0,
            options={"neighbours": 2.0},
        ),
    )
}
