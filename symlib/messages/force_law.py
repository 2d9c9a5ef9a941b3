"""Laws of pairs and bodies as equations, held against tracks.

    a_i = Σ_j f(r_ij, m_i, m_j, q_i, q_j) r̂_ij  (+ g(x_i, v_i))

Whatever search proposed f and g, their constants are fitted again where they matter, on
accelerations, and what an equation is worth is its error on tracks that were not fitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import sympy as sp
from scipy.optimize import least_squares
from scipy.sparse import csr_matrix

from symlib.symbolic.algebra.complexity import complexity
from symlib.symbolic.algebra.expressions import compile_expression, form_of, symbol
from symlib.symbolic.algebra.simplify import simplify_equation
from symlib.tracks.baseline import KIND, Scene
from symlib.tracks.scales import Scales

ROWS = 6_000  # bodies in frames, on which constants are fitted
EXACT = 0.01  # of an acceleration: errors smaller than that do not make it count for more
LOST = 1e3  # the residual where an equation has no finite value


@dataclass(frozen=True)
class ForceEquation:
    """One law, in units of order one.

    pair: acceleration along the line to the sender, over r, m1, m2, q1, q2; positive attracts.
    body: acceleration of one body, an equation for each component over x, vx, ..., or nothing.
    source: "network", "curves" or what else proposed it.
    numbers: of the tracks, where they were fitted along.
    """

    pair: sp.Expr
    body: tuple[sp.Expr, ...] = ()
    source: str = ""
    numbers: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def complexity(self) -> int:
        """Of all its parts."""
        return complexity(self.pair) + sum(complexity(part) for part in self.body)

    def along(self, scene: Scene) -> np.ndarray:
        """Acceleration along the line of each edge."""
        return values_of(self.pair, scene.pairs({**scene.numbers, **self.numbers}))

    def __call__(self, scene: Scene) -> np.ndarray:
        """Accelerations, shape [rows, dim]; zero where an edge has no finite value."""
        found = scene.pooled(np.nan_to_num(self.along(scene), nan=0.0, posinf=0.0, neginf=0.0))
        for k, part in enumerate(self.body):
            found[:, k] += values_of(part, scene.bodies({**scene.numbers, **self.numbers}))
        return found


def values_of(expr: sp.Expr, seen: dict[str, np.ndarray]) -> np.ndarray:
    """An equation on columns by name, shape [n]."""
    slots = {symbol(name): k for k, name in enumerate(seen)}
    columns = list(seen.values())
    with np.errstate(all="ignore"):
        values = compile_expression(expr, slots)(columns)
    return np.broadcast_to(np.asarray(values, dtype=float), columns[0].shape)


class Refit:
    """Fits the constants of equations on one set of tracks, which it prepares once.

    Args:
        scene: what is fitted.
        rows: how many bodies in frames, all along, are looked at.
        scales: where equations are in the user's units, what is of size one in the scene.
    """

    def __init__(self, scene: Scene, rows: int = ROWS, scales: Scales | None = None):
        self.scales = scales
        every = max(1, -(-len(scene.frames.body) // rows))
        self.scene = scene = scene.part(np.arange(0, len(scene.frames), every))
        a = scene.frames.acceleration
        size = np.abs(a).sum(axis=1) + np.median(np.abs(a)) + 1e-300
        self.weight = np.sqrt(scene.weight) / np.hypot(scene.frames.error, EXACT * size)
        r = np.maximum(scene.pairs()["r"], 1e-12)
        shape = (len(a), len(scene.edges))
        place = (scene.edges.receiver, np.arange(len(scene.edges)))
        self.gather = [csr_matrix((part / r, place), shape) for part in scene.offset().T]

    def __call__(
        self,
        law: ForceEquation,
        counts: np.ndarray | None = None,
        evaluations: int = 40,
        free: bool = True,
    ) -> ForceEquation:
        """The same form with constants (and numbers, if `free`) that fit best.

        Args:
            counts: what each frame counts, shape [frames], for a bootstrap.
        """
        forms = [form_of(part) for part in (law.pair, *law.body)]
        names = list(law.numbers) if free else []
        sizes = [len(form.values) for form in forms]
        start = np.concatenate(
            [*(form.values for form in forms), *(_inside(n, law.numbers[n]) for n in names)]
        )
        if not len(start):
            return law
        run = self._residuals(forms, law, names, counts)
        with np.errstate(all="ignore"):
            found = least_squares(run, start, loss="soft_l1", x_scale="jac", max_nfev=evaluations).x
        if not np.abs(run(found)).mean() <= np.abs(run(start)).mean():
            found = start
        parts = np.split(found, np.cumsum([*sizes, *(len(law.numbers[n]) for n in names)])[:-1])
        pair, *body = (form.fill(p) for form, p in zip(forms, parts, strict=False))
        fitted = zip(names, parts[len(forms) :], strict=True)
        numbers = {**law.numbers, **{n: _outside(n, p) for n, p in fitted}}
        return replace(law, pair=pair, body=tuple(body), numbers=numbers)

    def _residuals(self, forms, law, names, counts):
        scene, a = self.scene, self.scene.frames.acceleration
        pairs, bodies = scene.pairs({**scene.numbers, **law.numbers}), scene.bodies()
        unit = 1.0
        if self.scales is not None:
            unit = 1 / self.scales.acceleration
            pairs, bodies = (
                {n: v if n.startswith(KIND) else v * self.scales.of(n) for n, v in seen.items()}
                for seen in (pairs, bodies)
            )
        receiver = scene.frames.body[scene.edges.receiver]
        sender = scene.frames.body[scene.edges.sender]
        compiled = []
        for form, seen in zip(forms, [pairs] + [bodies] * (len(forms) - 1), strict=True):
            symbols = [*(symbol(name) for name in seen), *form.symbols]
            slots = {one: k for k, one in enumerate(symbols)}
            compiled.append(compile_expression(form.expr, slots))
        weight = self.weight
        if counts is not None:
            weight = weight * np.sqrt(np.repeat(counts, np.diff(scene.frames.offset)))

        def run(values):
            left, total = values, np.zeros(a.shape)
            constants = []
            for form in forms:
                constants.append(left[: len(form.values)])
                left = left[len(form.values) :]
            for name in names:
                number = _outside(name, left[: len(law.numbers[name])])
                left = left[len(number) :]
                pairs[f"{name}1"], pairs[f"{name}2"] = number[receiver], number[sender]
            with np.errstate(all="ignore"):
                f = compiled[0]([*pairs.values(), *constants[0]])
                f = np.broadcast_to(np.asarray(f, dtype=float), receiver.shape)
                for k, gather in enumerate(self.gather):
                    total[:, k] = gather @ f
                for k, part in enumerate(compiled[1:]):
                    total[:, k] += part([*bodies.values(), *constants[k + 1]])
            miss = ((unit * total - a) * weight[:, None]).ravel()
            return np.clip(np.nan_to_num(miss, nan=LOST, posinf=LOST, neginf=-LOST), -1e6, 1e6)

        return run

    def errors(self, law: ForceEquation, draws: int = 30, seed: int = 0) -> list[np.ndarray]:
        """Standard deviations of the constants of each part, by a bootstrap over windows.

        Whole windows are drawn, long ones cut into stretches, as neighbours in time share their
        errors.
        """
        rng = np.random.default_rng(seed)
        window = self.scene.frames.window
        stretch = max(1, len(window) // 20)
        block = np.unique(
            np.stack([window, np.arange(len(window)) // stretch]), axis=1, return_inverse=True
        )[1].ravel()
        found = []
        for _ in range(draws):
            drawn = rng.integers(0, block.max() + 1, block.max() + 1)
            counts = np.bincount(drawn, minlength=block.max() + 1)[block]
            again = self(law, counts.astype(float), evaluations=12, free=False)
            found.append([form_of(part).values for part in (again.pair, *again.body)])
        return [np.std(np.stack(part), axis=0) for part in zip(*found, strict=True)]


def _inside(name: str, values: np.ndarray) -> np.ndarray:
    return np.log(values) if name == "m" else values


def _outside(name: str, values: np.ndarray) -> np.ndarray:
    # The gauge: a common factor of the masses belongs to the law's constants.
    return np.exp(np.clip(values - values.mean(), -50, 50)) if name == "m" else values


@dataclass(frozen=True)
class Row:
    """One row of a front: an equation, its error on the tracks that were fitted and on others.

    loss, held_out: L_v of accelerations on the fitted and on the held-out tracks.
    trajectory: mean squared residual along held-out trajectories in units of the noise, where
        rows are compared by that; fitted_trajectory: on the fitted ones.
    blocks, fitted_blocks: of what rows are compared by, in each of some stretches of the
        held-out and of the fitted tracks.
    counts: of what number of residuals, held out and fitted, the means of trajectories are.
    """

    law: ForceEquation
    loss: float
    held_out: float
    blocks: np.ndarray
    fitted_blocks: np.ndarray
    trajectory: float | None = None
    fitted_trajectory: float | None = None
    counts: tuple[int, int] = (0, 0)

    @property
    def measure(self) -> float:
        """What rows are compared by, on held-out tracks."""
        return self.held_out if self.trajectory is None else self.trajectory

    @property
    def fitted(self) -> float:
        """The same on the tracks that were fitted."""
        return self.loss if self.fitted_trajectory is None else self.fitted_trajectory


def row(law: ForceEquation, train: Scene, test: Scene) -> Row:
    """An equation's errors L_v."""
    inside, outside = (_blocks(law, scene) for scene in (train, test))
    return Row(law, train.loss(law(train)), test.loss(law(test)), outside, inside)


def _blocks(law: ForceEquation, scene: Scene, parts: int = 20) -> np.ndarray:
    miss = np.abs(law(scene) - scene.frames.acceleration).sum(axis=1) * scene.weight
    pieces = np.array_split(miss / scene.weight.mean(), min(parts, len(miss)))
    return np.array([piece.mean() for piece in pieces])


def front(rows: Sequence[Row]) -> list[Row]:
    """Rows that no simpler one beats on the tracks that were fitted, simplest first.

    Held-out tracks are for judging these rows; a front of them would be ruled by a few stretches.
    """
    kept: list[Row] = []
    for one in sorted(rows, key=lambda one: (one.law.complexity, one.fitted)):
        if np.isfinite(one.fitted) and (not kept or one.fitted < kept[-1].fitted):
            kept.append(one)
    return kept


def by_held_out(rows: Sequence[Row], trivial: float) -> int:
    """The simplest row that is as good as the best on held-out tracks.

    As good: what it is measured by is larger by less than two standard errors of the difference,
    taken over stretches of the tracks; and of accelerations, where there may be no noise to speak
    of, also by less than 2% of the best or 1e-4 of the trivial error. Along trajectories, where
    noise is what is left, it is also by less than constants in excess must earn, ln N / N each of
    N residuals (Schwarz, Ann. Stat. 6, 461, 1978). Held-out stretches may be too few to tell rows
    apart: among those that are as good there, the same is asked of the tracks that were fitted,
    which tell more.

    Args:
        rows: a front; trivial: the error of whoever says the median acceleration.
    """

    constants = [
        sum(len(form_of(part).values) for part in (one.law.pair, *one.law.body)) for one in rows
    ]

    def as_good(places: list[int], blocks, which: int) -> list[int]:
        means = {k: float(blocks(rows[k]).mean()) for k in places}
        best = min(means, key=lambda k: means[k])
        kept = []
        for k in places:
            excess = blocks(rows[k]) - blocks(rows[best])
            allowed = 2 * excess.std() / np.sqrt(len(excess))
            if rows[k].trajectory is None:
                # A few stretches with close encounters can make a standard error of any size.
                allowed = min(allowed, 0.2 * means[best])
                allowed = max(allowed, 0.02 * means[best], 1e-4 * trivial)
            elif count := rows[k].counts[which]:
                excess_constants = constants[best] - constants[k]
                allowed = max(allowed, means[best] * excess_constants * np.log(count) / count)
            if means[k] - means[best] <= allowed:
                kept.append(k)
        return kept

    left = as_good(list(range(len(rows))), lambda one: one.blocks, 0)
    return as_good(left, lambda one: one.fitted_blocks, 1)[0]


def tidy(law: ForceEquation) -> ForceEquation:
    """The same law written as simply as it can be."""
    body = tuple(simplify_equation(part) for part in law.body)
    return replace(law, pair=simplify_equation(law.pair), body=body)
