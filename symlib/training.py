"""Training a graph network on snapshots (appendix A.1).

    L = L_v + α₁ L_e + α₂ L_n

One function, `train`. What happens at a step depends on the seed and the step's number
alone, so a run that was killed and resumed ends where an uninterrupted one does.
"""

import shutil
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from symlib.checkpoints import load_optimiser, load_weights, save_checkpoint
from symlib.errors import InputError, NonFiniteLoss
from symlib.graphs import complete_graph
from symlib.hamiltonian import FlatHGN
from symlib.models import WEIGHT_PENALTY, GraphNetwork, weight_penalty
from symlib.networks import FLATHGN, fresh_network
from symlib.recipes import (
    Recipe,
    bear_invariant,
    optimiser,
    stay_blind,
    turn_to_principal_axes,
    use_bfloat16,
)


@dataclass
class Run:
    """A trained network and how it got there.

    network: on the CPU, in evaluation mode.
    history: one row per report: step, prediction (L_v), messages (L_e), alpha, seconds.
    steps, seconds: the steps of the recipe and the wall time spent in them.
    resumed_at: the step from which this call went on (0 for a fresh run).
    """

    network: GraphNetwork | FlatHGN
    recipe: Recipe
    seed: int
    history: list[dict] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    resumed_at: int = 0


def train(
    model: str,
    states,
    accelerations,
    recipe: Recipe,
    *,
    seed: int = 0,
    checkpoint: "str | Path | None" = None,
    checkpoint_every: float = 30.0,
    progress: bool = True,
    device: str | None = None,
    threads: int = 1,
    watch: Callable[[int, GraphNetwork], bool | None] | None = None,
    watch_every: int = 100,
) -> Run:
    """Train a network to predict the accelerations of all bodies.

    Args:
        model: standard, bottleneck, l1, kl or flathgn.
        states: shape [snapshots, bodies, 2 dim + 2], dimensionless.
        accelerations: shape [snapshots, bodies, dim], dimensionless.
        recipe: steps, batch, schedule (see `symlib.recipes`).
        seed: decides weights, batches, augmentation and noise.
        checkpoint: file to resume from where it exists and to save to; None saves nothing.
        checkpoint_every: seconds between two saves.
        progress: show loss, speed and time left.
        device: "cpu", "cuda", or None for the GPU where there is one.
        threads: of one step's arithmetic on the CPU. The matrices are small, so a second
            thread gains little on an idle machine and waits for its turn on a busy one.
        watch: called as watch(step, network) every `watch_every` steps, to record what
            training looks like from inside; training ends early where it returns True.

    Returns:
        A `Run`.

    Raises:
        InputError: arrays of the wrong shape or not finite, or a checkpoint of another
            architecture, recipe, seed or data set.
        NonFiniteLoss: the loss became NaN or infinite; the last good checkpoint stays.
    """
    if threads < 1:
        raise InputError(f"threads: at least one is needed, got {threads!r}")
    inputs, targets = _tensors(states, accelerations)
    if model == FLATHGN:
        _check_masses(inputs)
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    network = fresh_network(model, targets.shape[2], seed)
    if recipe.born_invariant:
        bear_invariant(network, targets.shape[2])
    network.to(place)
    adam, schedule = optimiser(network, recipe)
    run = Run(network, recipe, seed)
    identity = {"recipe": recipe.to_dict(), "seed": seed, "data": _fingerprint(inputs, targets)}
    if checkpoint is not None and Path(checkpoint).exists():
        _resume(Path(checkpoint), run, adam, schedule, identity)
    loop = _Loop(run, inputs.to(place), targets.to(place), place)
    bar = tqdm(
        total=recipe.steps,
        initial=run.steps,
        desc=f"train {model}",
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
                if network.rule.name == "l1" and recipe.turns(run.steps):
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


class _Loop:
    """One training step, with its loss compiled once and its edges built once."""

    def __init__(self, run: Run, inputs, targets, place):
        self.run, self.inputs, self.targets, self.place = run, inputs, targets, place
        self.dim, self.bodies = targets.shape[2], targets.shape[1]
        self.edges = complete_graph(self.bodies, run.recipe.batch).to(place)
        self.calmest = _calmest(targets) if run.recipe.calm_start < 1 else None
        self.sums, self.count = torch.zeros(2, device=place), 0
        self.bfloat16 = self.may_round = use_bfloat16(run.recipe, place)
        self.loss = _compiled(self.objective) if run.recipe.compiled else self.objective

    def objective(self, x, y, noise, alpha):
        """L and the parts that are reported: the gradient goes through the first."""
        network = self.run.network
        with torch.autocast(self.place.type, torch.bfloat16, enabled=self.bfloat16):
            fit, prediction, messages = network.losses(x, self.edges, y, noise)
        total = fit + alpha * messages + WEIGHT_PENALTY * weight_penalty(network)
        return total, torch.stack([prediction.detach(), messages.detach()])

    def step(self, adam, schedule) -> torch.Tensor:
        run, rule = self.run, self.run.network.rule
        rng = np.random.Generator(np.random.Philox(key=[run.seed, run.steps]))
        self.bfloat16 = self.may_round and not run.recipe.exact(run.steps)
        chosen = self._choose(rng).to(self.place)
        shift = run.recipe.augmentation * rng.standard_normal((run.recipe.batch, 1, self.dim))
        x = self.inputs[chosen].clone()
        x[..., : self.dim] += torch.from_numpy(shift.astype(np.float32)).to(self.place)
        y = self.targets[chosen].flatten(0, 1)
        noise = None
        if rule.stochastic:
            generator = torch.Generator(self.place).manual_seed(int(rng.integers(2**62)))
            shape = (self.edges.shape[1], rule.components)
            noise = torch.randn(shape, generator=generator, device=self.place)
        alpha = torch.tensor(rule.alpha * run.recipe.alpha_factor(run.steps), device=self.place)
        adam.zero_grad()
        total, parts = self.loss(x.flatten(0, 1), y, noise, alpha)
        if self.place.type == "cpu" and not bool(torch.isfinite(total)):
            return parts * float("nan")
        total.backward()
        if run.recipe.born_invariant and run.steps < run.recipe.blind_until * run.recipe.steps:
            stay_blind(run.network)
        adam.step()
        schedule.step()
        self.sums += parts
        self.count += 1
        return parts

    def _choose(self, rng) -> torch.Tensor:
        recipe = self.run.recipe
        if self.calmest is None:
            return torch.from_numpy(rng.integers(0, len(self.inputs), recipe.batch))
        count = max(1, round(recipe.calm_share(self.run.steps) * len(self.inputs)))
        return self.calmest[torch.from_numpy(rng.integers(0, count, recipe.batch))]

    def turn(self, adam) -> None:
        x = self.inputs[:512]
        edges = complete_graph(self.bodies, len(x)).to(self.place)
        with torch.no_grad():
            raw = self.run.network.messages(x.flatten(0, 1), edges)
        turn_to_principal_axes(self.run.network, raw, adam)

    def report(self, bar) -> None:
        run = self.run
        prediction, messages = (self.sums / max(self.count, 1)).tolist()
        self.sums.zero_()
        self.count = 0
        alpha = run.network.rule.alpha * run.recipe.alpha_factor(run.steps)
        run.history.append(
            {
                "step": run.steps,
                "prediction": prediction,
                "messages": messages,
                "alpha": alpha,
                "seconds": round(run.seconds, 3),
            }
        )
        bar.set_postfix(loss=f"{prediction:.4f}", refresh=False)


def _calmest(targets: torch.Tensor) -> torch.Tensor:
    """Indices of the snapshots, those with the smallest largest acceleration first."""
    return torch.argsort(targets.abs().amax(dim=(1, 2)), stable=True).cpu()


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
    facts = load_weights(path, run.network)
    for key, value in identity.items():
        if facts.get(key) != value:
            raise InputError(
                f"checkpoint {path}: written with another {key} ({facts.get(key)!r} instead of "
                f"{value!r}); give another file name, or delete it to start afresh"
            )
    load_optimiser(path, adam)
    # The schedule is a function of the step alone.
    schedule.last_epoch = facts["step"]
    run.steps = run.resumed_at = facts["step"]
    run.seconds, run.history = facts["seconds"], facts["history"]


def _tensors(states, accelerations) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = torch.from_numpy(np.array(states, dtype=np.float32))
    targets = torch.from_numpy(np.array(accelerations, dtype=np.float32))
    if inputs.ndim != 3 or inputs.shape[2] not in (6, 8):
        raise InputError(
            "states: shape [snapshots, bodies, 2 dim + 2], rows of [position, velocity, charge, "
            "mass], with dim 2 or 3 is needed, "
            f"got {tuple(inputs.shape)}"
        )
    if len(inputs) == 0:
        raise InputError("states: no snapshots were given")
    expected = (*inputs.shape[:2], (inputs.shape[2] - 2) // 2)
    if targets.shape != expected:
        raise InputError(f"accelerations: shape {expected} is needed, got {tuple(targets.shape)}")
    for name, values in (("states", inputs), ("accelerations", targets)):
        bad = int((~torch.isfinite(values)).any(dim=2).any(dim=1).sum())
        if bad:
            raise InputError(f"{name}: {bad} snapshots hold NaN or infinity; leave them out")
    return inputs, targets


def _check_masses(inputs: torch.Tensor) -> None:
    """Momenta are m v and accelerations a force over m: without masses there is no FlatHGN."""
    bad = int((inputs[..., -1] <= 0).any(dim=1).sum())
    if bad:
        raise InputError(
            f"states: {bad} of {len(inputs)} snapshots hold a mass that is zero or negative (the "
            "last column); flathgn works in momenta m v and needs every mass to be positive"
        )


def _fingerprint(inputs: torch.Tensor, targets: torch.Tensor) -> list:
    """Cheap and sensitive: shape and exact sums of the data."""
    return [list(inputs.shape), inputs.double().sum().item(), targets.double().sum().item()]


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
