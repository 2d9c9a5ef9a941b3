"""What training looks like from inside: what messages say while a network trains (appendix D).

A `Recorder` is given to `symlib.training.train.train` as `watch`. Every so often it looks at the
messages on snapshots that the network does not train on, fits the largest by the true force and
rolls a test system out, and keeps that in an .npz file beside the checkpoint, so that a training
that was interrupted goes on with its film.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from symlib.choices import FLATHGN
from symlib.discovery import check, fit_network, prepare
from symlib.errors import InputError
from symlib.files import whole_file
from symlib.laws.potentials import PairPotential
from symlib.messages.motion import network_dynamics, rollout
from symlib.messages.recording import linear_fit, prediction_losses, record_messages
from symlib.papers.cranmer2020.study.cells import Cell
from symlib.records.stages import versions
from symlib.records.study import hash_of
from symlib.simulation import nbody

SHOWN = 15  # components in the row of squares
PROBES = 300  # held-out snapshots whose messages are looked at
DOTS = 400  # of their edges are drawn
STEPS = 300  # of the test system
TEST_SEED = 5000  # the test system is no simulation of the training set
TOLERANCE = 1e-3
EVERY = 50  # training steps between two chances to look
LOOKS = 90
FORMAT = "symlib-film-1"
QUANTITIES = ("force", "acceleration")
# What a recording holds of each look.
LOOK = ("steps", "losses", "spread", "r2", "coefficients", "messages", "fitted", "paths")


@dataclass
class Recording:
    """What a film is drawn from; one row of each array a look at the network.

    law, dim, model, preset, seed: of the run; key: a hash of its code; total: its
        steps, which an interrupted one has not reached.
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
        wanted: the steps at which to look, the last of the training among them.
        about: model, preset, seed and key, as the recording has them.
        path: .npz file to keep the recording in; None keeps it in memory. What it holds of the
            same run is gone on from: a run that is repeated is the same run.
    """

    law: PairPotential
    states: np.ndarray
    accelerations: np.ndarray
    wanted: set[int]
    about: dict
    path: Path | None = None
    # Each look twice: fitted by the force and by the acceleration.
    rows: list[dict[str, dict]] = field(default_factory=list)

    def __post_init__(self):
        self.states, self.accelerations = self.states[:PROBES], self.accelerations[:PROBES]
        snapshots, bodies, dim = self.accelerations.shape
        self.truth = nbody.simulate(
            self.law, dim, bodies, 1, STEPS, seed=TEST_SEED + self.about["seed"], progress=False
        ).states[0]
        edges = snapshots * bodies * (bodies - 1)
        self.dots = np.random.default_rng(0).permutation(edges)[:DOTS]
        if self.path is not None and Path(self.path).exists():
            self._go_on()

    @property
    def reached(self) -> int:
        """The step of the last look."""
        return int(self.rows[-1]["force"]["steps"]) if self.rows else 0

    def __call__(self, step: int, network) -> None:
        """Look at the network if it is time to."""
        if step not in self.wanted or step <= self.reached:
            return
        network.eval()
        heard = record_messages(network, self.law, self.states)
        dim = heard.dim
        found = rollout(
            network_dynamics(network), self.truth[None, 0], self.law.dt, STEPS, TOLERANCE
        )
        seen = {
            "steps": step,
            "losses": prediction_losses(network, self.states, self.accelerations)["test_loss"],
            "spread": heard.spread[:SHOWN],
            "messages": heard.top[self.dots],
            "paths": found[0, ..., :dim].astype(np.float32),
        }
        row = {}
        for quantity in QUANTITIES:
            truth = getattr(heard, quantity)
            alone = [linear_fit(heard.top[:, k : k + 1], truth) for k in range(dim)]
            row[quantity] = {
                **seen,
                "r2": np.array([fit.r2_kept for fit in alone]),
                "coefficients": np.concatenate([fit.coefficients for fit in alone], axis=1),
                "fitted": np.concatenate([fit.predicted for fit in alone], axis=1)[self.dots],
            }
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
        for k in range(len(before)):
            seen = {name: getattr(before, name)[k] for name in LOOK}
            # Only the better of the two quantities was kept; the other would not have won.
            other = {**seen, "r2": np.full_like(seen["r2"], -np.inf)}
            self.rows.append(dict.fromkeys(QUANTITIES, other) | {before.quantity: seen})

    def recording(self) -> Recording:
        """What was seen so far."""
        last = self.rows[-1]
        quantity = max(QUANTITIES, key=lambda name: last[name]["r2"].mean())
        median = np.median(self.accelerations, axis=(0, 1))
        return Recording(
            law=self.law.name,
            dim=self.accelerations.shape[2],
            total=max(self.wanted),
            quantity=quantity,
            trivial_loss=float(np.abs(self.accelerations - median).sum(axis=-1).mean()),
            truth=self.truth,
            **self.about,
            **{name: np.stack([row[quantity][name] for row in self.rows]) for name in LOOK},
        )


def record_film(
    law: str,
    dim: int = 2,
    model: str = "l1",
    preset="laptop",
    seed: int = 0,
    *,
    path: Path | None = None,
    cache: Path | None = None,
    progress: bool = True,
    looks: int = LOOKS,
) -> Recording:
    """Train a network and keep what its messages look like on the way.

    Args:
        law, dim, model, preset, seed: of the run, as for `symlib.discovery.discover`.
        path: .npz file for the recording, written with every look, so that an interrupted
            training goes on with its film; None keeps it in memory.
        cache: folder for simulations and checkpoints.
        progress: show what is going on.
        looks: how many.

    Raises:
        InputError: as `symlib.discovery.check`; FlatHGN, which sends no messages; a file of
            another run; a network that was trained to its end without being looked at.
    """
    found, preset = check(law, dim, model, preset, seed)
    if model == FLATHGN:
        raise InputError("model: flathgn sends no messages; film standard, bottleneck, l1 or kl")
    if looks < 2:
        raise InputError(f"looks: at least 2 are needed, got {looks!r}")
    data = prepare(found, dim, preset, seed, cache=cache, progress=progress)
    steps = preset.recipe_for(model).steps
    every = min(EVERY, max(1, steps // 100))
    key = key_of(Cell(law, dim, model, seed, preset.name))
    about = {"model": model, "preset": preset.name, "seed": seed, "key": key}
    wanted = when_to_look(steps, looks, every)
    recorder = Recorder(found, data.test.states, data.test.accelerations, wanted, about, path)
    # A finished run of the tables would be taken from the cache, and nothing seen of it.
    apart = None if cache is None else Path(cache) / "film"
    options = {"cache": apart, "progress": progress, "watch": recorder, "watch_every": every}
    fit_network(found, model, data, preset, seed, **options)
    if recorder.reached < steps:
        raise InputError(
            f"film: the network in {apart} was trained before and not looked at to its end; delete "
            "it there, so that it is trained again"
        )
    return recorder.recording()


def key_of(cell: Cell) -> str:
    """What tells a run from others, and from itself under other code."""
    return hash_of([cell.key(), versions(("simulate", "train", "listen"))])


def write_recording(path: Path, recording: Recording) -> Path:
    """Keep a recording in an .npz file, whole or not at all."""
    with whole_file(path, mode="wb") as file:
        np.savez_compressed(file, allow_pickle=False, format=FORMAT, **vars(recording))
    return Path(path)


def read_recording(path: Path) -> Recording:
    """A recording from its file.

    Raises:
        InputError: no such file, a damaged one, or one without recorded snapshots; the message
            says how to record them.
    """
    how = "record one with `symlib film --law spring --model l1 --recording FILE.npz`"
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["format"]) != FORMAT:
                raise ValueError(f"its format is {file['format']}")
            found = {item.name: file[item.name] for item in fields(Recording)}
    except FileNotFoundError as error:
        raise InputError(f"recording {path}: no such file; {how}") from error
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError(
            f"recording {path}: it holds no snapshots of messages taken during training ({error}), "
            f"and a finished network has forgotten them; {how}"
        ) from error
    return Recording(**{name: v.item() if v.ndim == 0 else v for name, v in found.items()})
