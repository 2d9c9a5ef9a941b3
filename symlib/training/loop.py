"""The walk of a training run: step after step, interruptible, resumable, watched for NaN.

What a step does is a `Loop`'s to say: `symlib.training.train` has the one for particles,
`symlib.cosmology.network` the one for halos. What happens at a step depends on the seed and the
step's number alone, so a run that was killed and resumed ends where an uninterrupted one does.
"""

import shutil
import signal
import threading
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from symlib.choices import at_least
from symlib.errors import InputError, NonFiniteLoss
from symlib.networks.fresh import Network
from symlib.training.checkpoints import load_checkpoint, save_checkpoint
from symlib.training.recipes import Recipe, optimiser, use_bfloat16

SPARSE = ("l1", "kl", "pruned")  # the models whose messages are to become few


@dataclass
class Run:
    """A trained network and how it got there.

    network: on the CPU, in evaluation mode.
    history: one row per report: step, prediction (L_v), messages (L_e), alpha, seconds, and
        what else the loop tells.
    steps, seconds: the steps of the recipe and the wall time spent in them.
    resumed_at: the step from which this call went on (0 for a fresh run).
    earlier_seconds: what of `seconds` earlier calls spent.
    """

    network: Network
    recipe: Recipe
    seed: int
    history: list[dict] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    resumed_at: int = 0
    earlier_seconds: float = 0.0

    def facts(self) -> dict:
        """How it was trained, for a record; what came from a cache took the time it took then."""
        return {
            "training": self.recipe.to_dict(),
            "steps": self.steps,
            "training_seconds": round(self.seconds, 1),
            "network_from_cache": self.resumed_at == self.steps,
            "earlier_seconds": round(self.earlier_seconds, 1),
        }


class Loop(ABC):
    """One training step of one kind of data, with its loss compiled once.

    Args:
        run: the network, on its device, and the recipe.
        place: that device.
        trivial_loss: of the predictor that always says the median of the training targets.
    """

    def __init__(self, run: Run, place: torch.device, trivial_loss: float = 1.0):
        self.run, self.place, self.trivial_loss = run, place, trivial_loss
        self.sums, self.count = torch.zeros(2, device=place), 0
        self.bfloat16 = self.may_round = use_bfloat16(run.recipe, place)
        self.loss = _compiled(self.objective) if run.recipe.compiled else self.objective

    @abstractmethod
    def objective(self, *tensors) -> tuple[torch.Tensor, torch.Tensor]:
        """L, through which the gradient goes, and L_v and L_e without one, shape [2]."""

    @abstractmethod
    def batch(self, rng: np.random.Generator) -> tuple:
        """What `objective` takes, α₁ apart, of the snapshots that `rng` draws."""

    def before_update(self) -> None:  # noqa: B027, most loops leave gradients as they are
        """Change gradients before the optimiser sees them."""

    @abstractmethod
    def turn(self, adam: torch.optim.Optimizer) -> None:
        """Make messages fewer (`symlib.training.sparsity.sparsify`)."""

    def remarks(self) -> dict:
        """What else a row of the history holds."""
        return {}

    def alpha(self) -> float:
        """α₁ at this step."""
        factor = self.run.recipe.alpha_factor(self.run.steps, self.trivial_loss)
        return self.run.network.rule.alpha * factor

    def step(self, adam, schedule) -> torch.Tensor:
        """One optimisation step; returns L_v and L_e, NaN where the loss is not finite."""
        run = self.run
        rng = np.random.Generator(np.random.Philox(key=[run.seed, run.steps]))
        exact = run.steps >= run.recipe.float32_from * run.recipe.steps
        self.bfloat16 = self.may_round and not exact
        tensors = self.batch(rng)
        adam.zero_grad()
        total, parts = self.loss(*tensors, torch.tensor(self.alpha(), device=self.place))
        if self.place.type == "cpu" and not bool(torch.isfinite(total)):
            return parts * float("nan")
        total.backward()
        self.before_update()
        adam.step()
        schedule.step()
        self.sums += parts
        self.count += 1
        return parts

    def report(self, bar) -> None:
        """Add a row to the history: means since the last one."""
        run = self.run
        prediction, messages = (self.sums / max(self.count, 1)).tolist()
        self.sums.zero_()
        self.count = 0
        remarks = self.remarks()
        row = {"step": run.steps, "prediction": prediction, "messages": messages}
        run.history.append(
            {**row, "alpha": self.alpha(), **remarks, "seconds": round(run.seconds, 3)}
        )
        bar.set_postfix(loss=f"{prediction:.4f}", **remarks, refresh=False)


def device_of(device: str | None) -> torch.device:
    """The device asked for, or the GPU where there is one."""
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def walk(
    loop_of: Callable[[Run], Loop],
    run: Run,
    data: list,
    *,
    label: str,
    checkpoint: "str | Path | None" = None,
    checkpoint_every: float = 30.0,
    progress: bool = True,
    threads: int = 1,
    watch: Callable[[int, Network], bool | None] | None = None,
    watch_every: int = 100,
) -> Run:
    """Train `run.network`, which lies on its device, by its recipe to the end.

    Args:
        loop_of: makes the loop, once the checkpoint has been read.
        run: fresh.
        data: what tells the data set from others; a checkpoint of others is refused.
        label: what the progress bar says.
        checkpoint: file to resume from where it exists and to save to; None saves nothing.
        checkpoint_every: seconds between two saves.
        progress: show loss, speed and time left.
        threads: of one step's arithmetic on the CPU. The matrices are small, so a second
            thread gains little on an idle machine and waits for its turn on a busy one.
        watch: called as watch(step, network) every `watch_every` steps, to record what
            training looks like from inside; training ends early where it returns True.

    Returns:
        The run, its network on the CPU in evaluation mode.

    Raises:
        InputError: a checkpoint of another architecture, recipe, seed or data set.
        NonFiniteLoss: the loss became NaN or infinite; the last good checkpoint stays.
    """
    at_least("threads", threads, 1)
    network, recipe = run.network, run.recipe
    place = next(network.parameters()).device
    adam, schedule = optimiser(network, recipe)
    identity = {"recipe": recipe.inputs(), "seed": run.seed, "data": data}
    if checkpoint is not None and Path(checkpoint).exists():
        _resume(Path(checkpoint), run, adam, schedule, identity)
    loop = loop_of(run)
    bar = tqdm(
        total=recipe.steps,
        initial=run.steps,
        desc=label,
        unit="step",
        disable=not progress,
        mininterval=0.5,
    )

    def save():
        # A finite loss can still have an infinite gradient: such weights are not kept.
        if checkpoint is not None and _finite(network):
            facts = {"step": run.steps, "seconds": run.seconds, "history": run.history, **identity}
            save_checkpoint(Path(checkpoint), network, adam, facts)

    started, saved = time.perf_counter() - run.seconds, time.perf_counter()
    # On a GPU, asking for the loss waits for it; there it is looked at only now and then.
    look_every = 1 if place.type == "cpu" else 50
    report_every = max(1, min(100, recipe.steps // 20))
    threads_before = torch.get_num_threads()
    with _whole_steps() as interrupted:
        try:
            torch.set_num_threads(threads)
            while run.steps < recipe.steps:
                if interrupted:
                    raise KeyboardInterrupt
                parts = loop.step(adam, schedule)
                if (run.steps + 1) % look_every == 0 and not bool(torch.isfinite(parts).all()):
                    raise NonFiniteLoss(_explain(run.steps, parts, checkpoint))
                run.steps += 1
                if network.rule.name in SPARSE and recipe.turns(run.steps):
                    loop.turn(adam)
                run.seconds = time.perf_counter() - started
                bar.update()
                if run.steps % report_every == 0 or run.steps == recipe.steps:
                    loop.report(bar)
                if watch is not None and run.steps % watch_every == 0 and watch(run.steps, network):
                    break
                if time.perf_counter() - saved > checkpoint_every and run.steps % look_every == 0:
                    save()
                    saved = time.perf_counter()
            if interrupted:
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            # A second press may have cut a step in two: then the last regular save stands.
            if len(interrupted) < 2:
                save()
            raise
        finally:
            torch.set_num_threads(threads_before)
            bar.close()
    if not _finite(network):
        raise NonFiniteLoss(f"the weights are not finite after the last step, {run.steps}")
    save()
    network.to("cpu").eval()
    return run


@contextmanager
def _whole_steps() -> Iterator[list]:
    """Let Ctrl-C wait for the end of a step, so that what is saved is not half of one.

    Yields a list that holds something once Ctrl-C was pressed; a second press does not wait.
    """
    pressed: list[bool] = []
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return

    def note(*_):
        pressed.append(True)
        if len(pressed) > 1:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _finite(network) -> bool:
    return all(bool(torch.isfinite(weight).all()) for weight in network.parameters())


def _compiled(function):
    """torch.compile where a C++ compiler exists; else eager, with one notice."""
    if torch.cuda.is_available() or any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        return torch.compile(function, dynamic=False)
    warnings.warn(
        "no C++ compiler was found: training runs without torch.compile, more slowly", stacklevel=3
    )
    return function


def _resume(path: Path, run: Run, adam, schedule, identity: dict) -> None:
    facts = load_checkpoint(path, run.network, adam)
    for key, value in identity.items():
        if facts.get(key) != value:
            raise InputError(
                f"checkpoint {path}: written with another {key} ({facts.get(key)!r} instead of "
                f"{value!r}); give another file name, or delete it to start afresh"
            )
    # The schedule is a function of the step alone.
    schedule.last_epoch = facts["step"]
    run.steps = run.resumed_at = facts["step"]
    run.seconds = run.earlier_seconds = facts["seconds"]
    run.history = facts["history"]


def _explain(step: int, parts: torch.Tensor, checkpoint) -> str:
    names = ("prediction loss", "message penalty")
    bad = [n for n, v in zip(names, parts.tolist(), strict=True) if not np.isfinite(v)]
    kept = (
        f"the last good checkpoint is {checkpoint}"
        if checkpoint is not None
        else "no checkpoint was asked for"
    )
    return (
        f"step {step}: the {' and the '.join(bad) or 'loss'} is not finite; {kept}. A lower "
        "learning rate, or leaving out the snapshots with the largest accelerations, helps."
    )
