"""What training looks like from inside: snapshots of the messages for the film (appendix D).

A `Recorder` is given to `symlib.training.train.train` as `watch`. Every so often it looks at the
messages on snapshots that the network does not train on, fits the largest by the true force and
rolls a test system out, and keeps that in an .npz file beside the checkpoint, so that a training
that was interrupted goes on with its film.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from symlib.errors import InputError
from symlib.files import whole_file
from symlib.laws.potentials import PairPotential
from symlib.messages.motion import network_dynamics, rollout
from symlib.messages.recording import linear_fit, prediction_losses, record_messages
from symlib.simulation import nbody

SHOWN = 15  # components in the row of squares
PROBES = 300  # held-out snapshots whose messages are looked at
DOTS = 400  # of their edges are drawn
STEPS = 300  # of the test system
TEST_SEED = 5000  # the test system is no simulation of the training set
TOLERANCE = 1e-3
FORMAT = "symlib-film-1"


@dataclass
class Recording:
    """What a film is drawn from; one row of each array a look at the network.

    law, dim, model, preset, seed: of the run; key: a hash of its code; total: its
        steps, which an interrupted one has not reached; dt: time between two test states.
    quantity: force or acceleration, whichever the last messages are closer to.
    truth: the test system, shape [states, bodies, 2 dim + 2].
    steps, losses: training step and test loss, shape [looks]; trivial_loss: of the median.
    spread: standard deviations of the largest components, [looks, 15], sorted.
    r2: kept-90% R² of the dim largest components, each on its own, [looks, dim].
    coefficients: of their fits by the truth's components, [looks, dim + 1, dim], constant last.
    messages, fitted: those components and their fits on some edges, [looks, edges, dim].
    paths: the predicted test system, [looks, states, bodies, dim]; NaN where it broke down.
    """

    law: str
    dim: int
    model: str
    preset: str
    seed: int
    key: str
    total: int
    dt: float
    quantity: str
    trivial_loss: float
    truth: np.ndarray
    steps: np.ndarray
    losses: np.ndarray
    spread: np.ndarray
    r2: np.ndarray
    coefficients: np.ndarray
    messages: np.ndarray
    fitted: np.ndarray
    paths: np.ndarray

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def whole(self) -> bool:
        """Whether the run was looked at to its end."""
        return int(self.steps[-1]) >= self.total


def when_to_look(steps: int, looks: int, every: int) -> set[int]:
    """Steps at which to look: multiples of `every`, closer together at the beginning."""
    at = steps * np.linspace(0, 1, looks) ** 2
    return {steps, *(max(every, round(step / every) * every) for step in at)}


@dataclass
class Recorder:
    """Looks at a network while it trains; give it to `train` as `watch`.

    Args:
        law: the true law.
        states, accelerations: held-out snapshots, shapes [snapshots, bodies, 2 dim + 2] and
            [snapshots, bodies, dim].
        steps: of the training run.
        about: model, preset, seed and key, as the recording has them.
        path: .npz file to keep the recording in; None keeps it in memory. What it holds of the
            same run is gone on from: a run that is repeated is the same run.
        looks: how many.
        every: `watch_every` of the training.
    """

    law: PairPotential
    states: np.ndarray
    accelerations: np.ndarray
    steps: int
    about: dict
    path: Path | None = None
    looks: int = 90
    every: int = 50
    rows: list[dict] = field(default_factory=list)

    def __post_init__(self):
        self.states = np.asarray(self.states)[:PROBES]
        self.accelerations = np.asarray(self.accelerations)[:PROBES]
        self.wanted = when_to_look(self.steps, self.looks, self.every)
        dim, bodies = self.accelerations.shape[2], self.states.shape[1]
        self.truth = nbody.simulate(
            self.law, dim, bodies, 1, STEPS, seed=TEST_SEED + self.about["seed"], progress=False
        ).states[0]
        edges = len(self.states) * bodies * (bodies - 1)
        self.dots = np.random.default_rng(0).permutation(edges)[:DOTS]
        if self.path is not None and Path(self.path).exists():
            self._go_on()

    def __call__(self, step: int, network) -> None:
        """Look at the network if it is time to."""
        if step not in self.wanted or (self.rows and step <= self.rows[-1]["steps"]):
            return
        network.eval()
        heard = record_messages(network, self.law, self.states)
        dim = heard.dim
        row = {"steps": step, "spread": heard.spread[:SHOWN]}
        row["losses"] = prediction_losses(network, self.states, self.accelerations)["test_loss"]
        for quantity in ("force", "acceleration"):
            truth = getattr(heard, quantity)
            alone = [linear_fit(heard.top[:, k : k + 1], truth) for k in range(dim)]
            row[quantity] = {
                "r2": np.array([fit.r2_kept for fit in alone]),
                "coefficients": np.concatenate([fit.coefficients for fit in alone], axis=1),
                "messages": heard.top[self.dots],
                "fitted": np.concatenate([fit.predicted for fit in alone], axis=1)[self.dots],
            }
        found = rollout(
            network_dynamics(network), self.truth[None, 0], self.law.dt, STEPS, TOLERANCE
        )
        row["paths"] = found[0, ..., :dim].astype(np.float32)
        network.train()
        self.rows.append(row)
        if self.path is not None:
            write_recording(self.path, self.recording())

    def _go_on(self) -> None:
        """Take over what was recorded before a run was cut off."""
        before = read_recording(self.path)
        if before.key != self.about["key"]:
            raise InputError(
                f"recording {self.path}: of another run ({before.law}-{before.dim} {before.model}, "
                f"preset {before.preset}, seed {before.seed}); name another file or delete it"
            )
        for k, at in enumerate(before.steps):
            names = ("r2", "coefficients", "messages", "fitted")
            seen = {name: getattr(before, name)[k] for name in names}
            rest = {name: getattr(before, name)[k] for name in ("spread", "losses", "paths")}
            # Only the better of the two quantities was kept; the other would not have won.
            other = {**seen, "r2": np.full_like(seen["r2"], -np.inf)}
            pair = (seen, other) if before.quantity == "force" else (other, seen)
            both = dict(zip(("force", "acceleration"), pair, strict=True))
            self.rows.append({"steps": int(at), **rest, **both})

    def recording(self) -> Recording:
        """What was seen so far.

        Raises:
            InputError: nothing was.
        """
        if not self.rows:
            raise InputError("film: the training recorded no snapshots of its messages")
        last = self.rows[-1]
        quantity = max(("force", "acceleration"), key=lambda name: last[name]["r2"].mean())
        median = np.median(self.accelerations, axis=(0, 1))
        trivial = np.abs(self.accelerations - median).sum(axis=-1).mean()
        stacked = {
            name: np.stack([row[name] for row in self.rows])
            for name in ("steps", "losses", "spread", "paths")
        }
        for name in ("r2", "coefficients", "messages", "fitted"):
            stacked[name] = np.stack([row[quantity][name] for row in self.rows])
        return Recording(
            law=self.law.name,
            dim=self.accelerations.shape[2],
            total=self.steps,
            dt=self.law.dt,
            quantity=quantity,
            trivial_loss=float(trivial),
            truth=self.truth,
            **self.about,
            **stacked,
        )


def write_recording(path: Path, recording: Recording) -> Path:
    """Keep a recording in an .npz file, whole or not at all; numbers as float32."""
    arrays = {}
    for item in fields(Recording):
        value = np.asarray(getattr(recording, item.name))
        arrays[item.name] = value.astype(np.float32) if value.dtype.kind == "f" else value
    with whole_file(path, mode="wb") as file:
        np.savez_compressed(file, allow_pickle=False, format=FORMAT, **arrays)
    return Path(path)


def read_recording(path: Path) -> Recording:
    """A recording from its file.

    Raises:
        InputError: no such file, a damaged one, or one without recorded snapshots; the message
            says how to record them.
    """
    path = Path(path)
    how = "record one with `symlib film --law spring --model l1 --recording FILE.npz`"
    if not path.is_file():
        raise InputError(f"recording {path}: no such file; {how}")
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file.get("format")) != FORMAT:
                raise InputError(
                    f"recording {path}: it holds no snapshots of messages taken during training; "
                    f"a finished network has forgotten them, so train it again: {how}"
                )
            found = {item.name: file[item.name] for item in fields(Recording)}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError(
            f"recording {path}: not a recording of symlib film ({error}); {how}"
        ) from error
    plain = {name: value.item() if value.ndim == 0 else value for name, value in found.items()}
    if len(plain["steps"]) == 0:
        raise InputError(f"recording {path}: it holds no snapshots; {how}")
    return Recording(**plain)
