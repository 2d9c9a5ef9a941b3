"""The road from tracks to a law in scikit-learn's manner.

    from symlib import ForceLaw

    found = ForceLaw(preset="laptop").fit("tracks.npz")
    print(found.equation_, found.score("other_tracks.npz"))
    found.predict(positions)                                  # [..., bodies, dim], your units
    found.simulate(positions[0], velocities[0], dt=0.01, steps=500)

scikit-learn's tables, a row a sample, are not what a law of pairs is found in: a sample here is a
frame with all bodies that are seen in it. So parameters, cloning, fitting and scoring are
scikit-learn's, and what is fitted and predicted from are tracks.
"""

from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sympy as sp
from scipy.integrate import solve_ivp
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from symlib.choices import at_least
from symlib.discovery.tracks import TracksDiscovery, discover_tracks
from symlib.errors import InputError
from symlib.symbolic.algebra.expressions import symbol
from symlib.tracks.baseline import KIND, Scene
from symlib.tracks.neighbours import edges_of
from symlib.tracks.reading.read import read
from symlib.tracks.recordings import Frames, Tracks
from symlib.tracks.smoothing import smooth
from symlib.training.presets import Preset

TOLERANCE = 1e-9  # of one integration step, relative, and absolute in units of order one
ARGUMENTS = {"m": "masses", "q": "charges", KIND: "kinds"}  # that tell what a body is
# As a receiver's and a sender's variables are written in LaTeX.
WRITTEN = {
    "r": "r_{ij}",
    "m1": "m_i",
    "m2": "m_j",
    "q1": "q_i",
    "q2": "q_j",
    "m": "m_i",
    "q": "q_i",
}
WRITTEN |= {axis: f"{axis}_i" for axis in "xyz"} | {
    f"v{axis}": rf"\dot{{{axis}}}_i" for axis in "xyz"
}


class ForceLaw(RegressorMixin, BaseEstimator):
    """A law of pairs, a_i = Σ_j f r̂_ij (+ g(x_i, v_i)), found in tracks.

    Lengths, times, masses and charges are in the user's units everywhere.

    Args:
        model, preset, seed, engine, one_body, neighbours, select, loss, seeds, window: as for
            `symlib.discovery.tracks.discover_tracks`; they are checked by `fit`.
        cache, progress: the same.

    After fitting there are

    * `equation_`: f as text, positive where it attracts; `one_body_`: g, a text a component, or
      an empty list.
    * `equations_`: the front as a pandas DataFrame, simplest first: complexity, loss and held_out
      (mean |a − â|, summed over components, on tracks that were fitted and on those that were
      not), score (appendix C), equation, source and picked; one_body, where that was looked for,
      and trajectory (mean squared residual held out, in units of the noise), where rows were
      compared by that.
    * `best_`: which row of `equations_` was picked.
    * `scalars_`: a pandas DataFrame of the masses and charges that were found, a row a track;
      empty where they were known or not needed.
    * `discovery_`: everything else, a `TracksDiscovery`.
    """

    def __init__(
        self,
        model: str = "bottleneck",
        preset: "str | Preset" = "ci",
        seed: int = 0,
        engine: str = "auto",
        one_body: bool = False,
        neighbours: float | None = None,
        select: str = "held-out",
        loss: str = "auto",
        seeds: int = 1,
        window: int | None = None,
        cache: "str | Path | None" = None,
        progress: bool = False,
    ):
        self.model = model
        self.preset = preset
        self.seed = seed
        self.engine = engine
        self.one_body = one_body
        self.neighbours = neighbours
        self.select = select
        self.loss = loss
        self.seeds = seeds
        self.window = window
        self.cache = cache
        self.progress = progress

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.target_tags.required = False
        return tags

    def fit(self, tracks, y=None) -> "ForceLaw":
        """Find the law.

        Args:
            tracks: from `symlib.read`, or a file or a pandas DataFrame that it reads as it is.
            y: ignored; accelerations are measured in the tracks or estimated from them.

        Raises:
            InputError: tracks that cannot be read or worked with, or an argument that is none.
            MissingEngine: PySR was asked for and there is no Julia.
            NonFiniteLoss: training broke down.
        """
        found = discover_tracks(
            tracks,
            self.model,
            self.preset,
            self.seed,
            engine=self.engine,
            one_body=self.one_body,
            neighbours=self.neighbours,
            select=self.select,
            loss=self.loss,
            seeds=self.seeds,
            window=self.window,
            cache=None if self.cache is None else Path(self.cache),
            progress=self.progress,
        )
        self.discovery_: TracksDiscovery = found
        self.best_: int = found.best
        self.equation_: str = found.record["law"]
        self.one_body_: list[str] = found.record["one_body"]
        rows = pd.DataFrame(found.record["front"])
        rows["picked"] = rows.index == found.best
        columns = ["complexity", "loss", "held_out", "score", "equation", "source", "picked"]
        columns += ["one_body"] if self.one_body else []
        columns += ["trajectory"] if found.record["compared_by"] == "trajectory" else []
        self.equations_: pd.DataFrame = rows[columns]
        self.scalars_ = pd.DataFrame.from_dict(found.record["scalars"], orient="index")
        return self

    def predict(
        self, states, *, velocities=None, masses=None, charges=None, kinds=None
    ) -> "np.ndarray | list[np.ndarray]":
        """Accelerations by the law that was picked.

        What the law does not speak of need not be given. What bodies are, where that is not
        given, is taken from the fitted tracks if there are as many, in the order of their names.

        Args:
            states: positions, shape [..., bodies, dim], NaN where a body is not there; or a
                mapping with `positions` and the other arguments; or tracks as for `fit`.
            velocities: shape of the positions.
            masses, charges, kinds: shape [bodies] or [..., bodies], or one for all.

        Returns:
            Accelerations, shape of the positions, NaN where a body is not there; of tracks a list
            with those of each recording, shape [frames, bodies, dim].

        Raises:
            InputError: shapes that do not fit together, or something that the law needs is missing.
        """
        check_is_fitted(self)
        told = {"velocities": velocities, "masses": masses, "charges": charges, "kinds": kinds}
        if isinstance(states, Mapping):
            given = {**{k: v for k, v in told.items() if v is not None}, **states}
            if "positions" not in given or not given.keys() <= {"positions", *told}:
                raise InputError(
                    f"states: positions and perhaps {', '.join(told)} are needed, got "
                    + (", ".join(map(str, states)) or "nothing")
                )
            return self.predict(given.pop("positions"), **given)
        if isinstance(states, Tracks | str | Path | pd.DataFrame):
            if any(value is not None for value in told.values()):
                raise InputError(f"states: tracks bring their own {', '.join(told)}")
            return self._of_tracks(states if isinstance(states, Tracks) else read(states))
        dim = self.discovery_.tracks.dim
        position = _array("positions", states)
        if position.ndim < 2 or position.shape[-1] != dim:
            raise InputError(
                f"positions: shape [..., bodies, {dim}] is needed, got {list(position.shape)}"
            )
        velocity = None
        if self._moving():
            if velocities is None:
                raise InputError("velocities: the law needs them")
            velocity = _array("velocities", velocities)
            if velocity.shape != position.shape:
                raise InputError(
                    f"velocities: shape {list(position.shape)} is needed, as of the positions, "
                    f"got {list(velocity.shape)}"
                )
            velocity = velocity.reshape(-1, *position.shape[-2:])
        numbers = {
            name: values.reshape(-1, position.shape[-2])
            for name, values in self._numbers(position.shape[:-1], masses, charges, kinds).items()
        }
        found = self._accelerations(position.reshape(-1, *position.shape[-2:]), velocity, numbers)
        return found.reshape(position.shape)

    def score(self, tracks, y=None) -> float:
        """The share of the variance of the accelerations that the law explains (R²).

        Where accelerations were not measured they are estimated as in `fit`, and noise in them
        counts against the law.

        Args:
            tracks: as for `fit`; y: ignored.

        Raises:
            InputError: tracks that cannot be read or worked with.
        """
        check_is_fitted(self)
        given = tracks if isinstance(tracks, Tracks) else read(tracks)
        self._check_dim(given)
        if any(one.acceleration is None for one in given.recordings):
            given = smooth(given, self.window)
        frames = given.frames()
        numbers = {name: values[frames.body] for name, values in self._numbers_of(given).items()}
        a = frames.acceleration
        miss = self._law(frames, numbers) - a
        spread = ((a - a.mean(axis=0)) ** 2).sum()
        if not spread > 0:
            raise InputError("tracks: all accelerations are the same, so there is no variance")
        return float(1 - (miss**2).sum() / spread)

    def simulate(
        self, positions, velocities, dt: float, steps: int, masses=None, charges=None, kinds=None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Let bodies move by the law that was picked (DOP853).

        Args:
            positions, velocities: where bodies begin, shape [bodies, dim].
            dt: time between two frames.
            steps: frames, the first of which is the beginning.
            masses, charges, kinds: of the bodies, as for `predict`.

        Returns:
            Positions and velocities, shape [steps, bodies, dim] each; NaN from where the
            integration broke down.

        Raises:
            InputError: shapes that do not fit together, a dt that is not positive, fewer than one
                step, or something that the law needs is missing.
        """
        check_is_fitted(self)
        dim = self.discovery_.tracks.dim
        position, velocity = _array("positions", positions), _array("velocities", velocities)
        if position.ndim != 2 or position.shape[1] != dim or velocity.shape != position.shape:
            raise InputError(
                f"positions, velocities: shape [bodies, {dim}] is needed, got "
                f"{list(position.shape)} and {list(velocity.shape)}"
            )
        if not np.isfinite([position, velocity]).all():
            raise InputError("positions, velocities: all must be finite")
        if not (isinstance(dt, Real) and 0 < dt < np.inf):
            raise InputError(f"dt: a positive time is needed, got {dt!r}")
        steps = at_least("steps", steps, 1)
        numbers = self._numbers(position.shape[:-1], masses, charges, kinds)
        numbers = {name: values[None] for name, values in numbers.items()}
        scales, moving, shape = self.discovery_.scales, self._moving(), (2, *position.shape)
        # In units of order one, so that one tolerance fits all.
        sizes = np.array([scales.length, scales.velocity])[:, None, None]

        def slope(_, state):
            x, v = state.reshape(shape) * sizes
            a = self._accelerations(x[None], v[None] if moving else None, numbers)[0]
            return np.concatenate([v / scales.velocity, a / scales.acceleration]).ravel()

        times = float(dt) / scales.time * np.arange(steps)
        start = np.stack([position, velocity]) / sizes
        out = np.full((steps, *shape), np.nan)
        out[0] = start
        if steps > 1:
            solved = solve_ivp(
                slope,
                (0.0, times[-1]),
                start.ravel(),
                method="DOP853",
                t_eval=times,
                rtol=TOLERANCE,
                atol=TOLERANCE,
            )
            out[: solved.y.shape[1]] = solved.y.T.reshape(-1, *shape)
        out *= sizes
        return out[:, 0], out[:, 1]

    def latex(self, index: int | None = None, precision: int = 3) -> str:
        """The law in LaTeX, in the user's units, of body i pulled by bodies j.

        Args:
            index: a row of `equations_`; None is the one that was picked.
            precision: significant digits of the constants.

        Raises:
            InputError: no such row.
        """
        check_is_fitted(self)
        rows = self.discovery_.front
        index = self.best_ if index is None else index
        if not -len(rows) <= index < len(rows):
            raise InputError(f"index: there are {len(rows)} equations, got {index}")
        law = self.discovery_.in_user_units(index)

        def written(expr: sp.Expr) -> str:
            expr = expr.xreplace({n: sp.Float(n, precision) for n in expr.atoms(sp.Float)})
            return sp.latex(expr, symbol_names={symbol(k): v for k, v in names.items()})

        names = {**WRITTEN}
        for kind in sorted(set(self.discovery_.tracks.kind or ())):
            for end, body in (("", "i"), ("1", "i"), ("2", "j")):
                names[f"{KIND}{kind}{end}"] = rf"\left[{body} \in \text{{{kind}}}\right]"
        pull = written(law.pair)
        text = rf"\ddot{{\mathbf{{x}}}}_i = \sum_j \left({pull}\right) \hat{{\mathbf{{r}}}}_{{ij}}"
        if law.body:
            parts = r" \\ ".join(written(part) for part in law.body)
            text += rf" + \begin{{pmatrix}} {parts} \end{{pmatrix}}"
        return text

    def _speaks_of(self) -> set[str]:
        """The variables of the law."""
        law = self.discovery_.law
        return {str(name) for part in (law.pair, *law.body) for name in part.free_symbols}

    def _moving(self) -> bool:
        """Whether the law needs velocities."""
        return any(name.startswith("v") for name in self._speaks_of())

    def _needed(self) -> set[str]:
        """What the law needs to know of a body: m, q, or kinds (`KIND`)."""
        names = self._speaks_of()
        found = {name[0] for name in names if name[0] in "mq"}
        return found | ({KIND} if any(name.startswith(KIND) for name in names) else set())

    def _fitted(self, name: str) -> np.ndarray | None:
        """Masses, charges or kinds of the fitted tracks, as far as they are known or were found."""
        law, tracks, scales = (getattr(self.discovery_, k) for k in ("law", "tracks", "scales"))
        if name in law.numbers:
            return law.numbers[name] * scales.of(name)
        if name == KIND:
            return None if tracks.kind is None else np.array(tracks.kind)
        values = tracks.mass if name == "m" else tracks.charge
        return values if np.isfinite(values).all() else None

    def _numbers(self, shape: tuple[int, ...], masses, charges, kinds) -> dict[str, np.ndarray]:
        """What the law needs to know of each body, in the user's units; of shape [..., bodies]."""
        found = {}
        given = {"m": masses, "q": charges, KIND: kinds}
        for name in sorted(self._needed()):
            argument, values = ARGUMENTS[name], given[name]
            if values is None:
                values = self._fitted(name)
                if values is None or len(values) != shape[-1]:
                    raise InputError(f"{argument}: the law needs them, one for each body")
            values = np.asarray(values) if name == KIND else _array(argument, values)
            if name != KIND and not np.isfinite(values).all():
                raise InputError(f"{argument}: all must be finite")
            try:
                found[name] = np.broadcast_to(values, shape)
            except ValueError:
                raise InputError(
                    f"{argument}: shape [{shape[-1]}], or one for all, is needed, got "
                    f"{list(values.shape)}"
                ) from None
        return self._by_name(found)

    def _numbers_of(self, tracks: Tracks) -> dict[str, np.ndarray]:
        """The same of each of some tracks; numbers that were found are known by a track's name."""
        found = {}
        own = {"m": tracks.mass, "q": tracks.charge, KIND: tracks.kind}
        place = {name: k for k, name in enumerate(self.discovery_.tracks.names)}
        for name in sorted(self._needed()):
            values = own[name]
            if name in self.discovery_.law.numbers:
                strange = [track for track in tracks.names if track not in place]
                if strange:
                    raise InputError(
                        f"tracks: {ARGUMENTS[name]} were found for the fitted tracks, and "
                        f"{strange[0]} is none of them"
                    )
                fitted = self._fitted(name)
                assert fitted is not None
                values = fitted[[place[track] for track in tracks.names]]
            if values is None or (name != KIND and not np.isfinite(values).all()):
                raise InputError(f"tracks: the law needs the {ARGUMENTS[name]} of all bodies")
            found[name] = np.asarray(values)
        return self._by_name(found)

    def _by_name(self, numbers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Kinds as the numbers that the law speaks of, one for each kind that was fitted."""
        if KIND not in numbers:
            return numbers
        kinds = numbers.pop(KIND)
        fitted = sorted(set(self.discovery_.tracks.kind or ()))
        strange = sorted({str(one) for one in kinds.ravel()} - set(fitted))
        if strange:
            raise InputError(f"kinds: {strange[0]!r} was not fitted; known are {', '.join(fitted)}")
        return numbers | {KIND + kind: (kinds == kind).astype(float) for kind in fitted}

    def _of_tracks(self, tracks: Tracks) -> list[np.ndarray]:
        """Accelerations of each recording."""
        self._check_dim(tracks)
        moving = self._moving()
        if moving and any(one.velocity is None for one in tracks.recordings):
            tracks = smooth(tracks, self.window)
        numbers = self._numbers_of(tracks)
        return [
            self._accelerations(
                one.position,
                one.velocity if moving else None,
                {
                    name: np.broadcast_to(values[one.bodies], one.position.shape[:2])
                    for name, values in numbers.items()
                },
            )
            for one in tracks.recordings
        ]

    def _check_dim(self, tracks: Tracks) -> None:
        dim = self.discovery_.tracks.dim
        if tracks.dim != dim:
            raise InputError(f"tracks: the law is of {dim} dimensions, and these have {tracks.dim}")

    def _accelerations(
        self, position: np.ndarray, velocity: np.ndarray | None, numbers: dict[str, np.ndarray]
    ) -> np.ndarray:
        """Of states [snapshots, bodies, dim], numbers of shape [snapshots, bodies]."""
        seen = np.isfinite(position).all(axis=2)
        if velocity is not None:
            seen &= np.isfinite(velocity).all(axis=2)
        counts = seen.sum(axis=1)
        rows = int(counts.sum())
        found = np.full(position.shape, np.nan)
        if not rows:
            return found
        still = np.zeros((rows, position.shape[2]))
        frames = Frames(
            offset=np.concatenate([[0], np.cumsum(counts)]),
            window=np.arange(len(counts)),
            body=np.zeros(rows, dtype=np.int64),
            position=position[seen],
            velocity=still if velocity is None else velocity[seen],
            acceleration=still,
            error=np.zeros(rows),
        )
        found[seen] = self._law(frames, {name: values[seen] for name, values in numbers.items()})
        return found

    def _law(self, frames: Frames, numbers: dict[str, np.ndarray]) -> np.ndarray:
        """Accelerations of rows by the law; numbers of each row. All in the user's units."""
        found = self.discovery_
        scales, edges = found.scales, edges_of(frames, found.record["neighbours"], False)
        inside = {
            name: values if name.startswith(KIND) else values / scales.of(name)
            for name, values in numbers.items()
        }
        # A row is a body of its own here, with its own numbers.
        rows = replace(scales.inside(frames), body=np.arange(len(frames.body)))
        scene = Scene(rows, edges, inside, np.ones(len(frames.body)))
        return replace(found.law, numbers={})(scene) * scales.acceleration


def _array(what: str, given: Any) -> np.ndarray:
    try:
        return np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise InputError(f"{what}: an array of numbers is needed, got {given!r:.60}") from None


__all__ = ["ForceLaw"]
