"""Your own trajectories, where nobody knows the law.

The road of `symlib.experiments` begins with a law, because the verdict needs one. Here it begins
with a file of what was seen: positions and velocities of some bodies, with their masses and
charges where they are known. Accelerations that were not measured come from the velocities; the
messages of a trained network become equations as always; and in place of a verdict there is the
error of those equations on systems that were held out, beside the network's.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from symlib.errors import InputError
from symlib.graphs import complete_graph
from symlib.messages import _raw_messages, well_learned
from symlib.models import GraphNetwork
from symlib.symbolic import Regression, constant, regress, varies
from symlib.variables import pair_names, pair_variables


@dataclass(frozen=True)
class Observed:
    """Snapshots of one kind of system, in any units that go together.

    states: shape [snapshots, bodies, 2 dim + 2], rows of [position, velocity, charge, mass].
    accelerations: shape [snapshots, bodies, dim].
    system: the number of the system that each snapshot is of, shape [snapshots].
    """

    states: np.ndarray
    accelerations: np.ndarray
    system: np.ndarray

    @property
    def dim(self) -> int:
        """Dimension of space."""
        return self.accelerations.shape[2]

    def split(self, held_out: float = 0.1) -> tuple["Observed", "Observed"]:
        """Divide by systems into training and test: neighbours in time are near copies.

        Args:
            held_out: share of the systems, the last ones, in the test set; at least one.

        Raises:
            InputError: fewer than two systems, or a share outside (0, 1).
        """
        numbers = np.unique(self.system)
        if len(numbers) < 2:
            raise InputError("split: at least 2 systems are needed, to hold one out")
        if not 0 < held_out < 1:
            raise InputError(f"held_out must lie between 0 and 1, got {held_out!r}")
        count = min(max(1, round(held_out * len(numbers))), len(numbers) - 1)
        test = np.isin(self.system, numbers[-count:])
        return self._part(~test), self._part(test)

    def _part(self, rows) -> "Observed":
        return Observed(self.states[rows], self.accelerations[rows], self.system[rows])


@dataclass(frozen=True)
class Heard:
    """Messages of a trained network, one row per pair of bodies.

    values: the components, most significant first, shape [pairs, components].
    names, inputs: the variables of appendix C and their values, shape [pairs, variables]:
        m1 (receiver), m2 (sender), q1, q2, dx = x2 - x1, dy, (dz,) and the distance r.
    """

    values: np.ndarray
    names: tuple[str, ...]
    inputs: np.ndarray


def read_observed(path: "str | Path") -> Observed:
    """Read trajectories from an .npz file.

    Args:
        path: a file with the array `states`, shape [systems, steps, bodies, 2 dim + 2], rows of
            [position, velocity, charge, mass] (ones where a charge or mass is unknown), and
            either `accelerations`, shape [systems, steps, bodies, dim], or `dt`, the time
            between two steps, from which accelerations are then computed.

    Raises:
        InputError: no such file, not an .npz, an array that is missing, or one of the wrong
            shape or with NaN.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except (OSError, EOFError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not an .npz file of plain arrays ({error})") from error
    if "states" not in arrays:
        raise InputError(f"{path}: has no array `states`, only {', '.join(arrays) or 'nothing'}")
    states = arrays["states"]
    if states.ndim != 4 or states.shape[3] not in (6, 8) or states.shape[2] < 2:
        raise InputError(
            f"{path}: states must have shape [systems, steps, bodies, 2 dim + 2] with dim 2 or 3 "
            f"and at least 2 bodies, got {list(states.shape)}"
        )
    if not np.issubdtype(states.dtype, np.floating) or not np.isfinite(states).all():
        raise InputError(f"{path}: states hold what is not a finite number; leave that out")
    if "accelerations" in arrays:
        accelerations = arrays["accelerations"]
        needed = (*states.shape[:3], (states.shape[3] - 2) // 2)
        if accelerations.shape != needed or not np.isfinite(accelerations).all():
            raise InputError(
                f"{path}: accelerations must be finite and of shape {list(needed)}, got "
                f"{list(accelerations.shape)}"
            )
    elif "dt" in arrays:
        states, accelerations = differences(states, arrays["dt"])
    else:
        raise InputError(f"{path}: has neither `accelerations` nor `dt`; one of them is needed")
    systems, steps = states.shape[:2]
    return Observed(
        states.reshape(-1, *states.shape[2:]).astype(np.float32),
        accelerations.reshape(-1, *accelerations.shape[2:]).astype(np.float32),
        np.repeat(np.arange(systems), steps),
    )


def differences(states, dt) -> tuple[np.ndarray, np.ndarray]:
    """Accelerations from velocities, by central differences.

    The first and the last step of each system are lost. The error is of the order of dt², so
    a close pass that takes few steps comes out too gentle.

    Args:
        states: shape [systems, steps, bodies, 2 dim + 2], at least three steps.
        dt: time between two steps.

    Returns:
        The inner states, shape [systems, steps - 2, bodies, 2 dim + 2], and their
        accelerations, [systems, steps - 2, bodies, dim].

    Raises:
        InputError: fewer than three steps, or a dt that is not positive.
    """
    dt = np.asarray(dt)
    if dt.size != 1 or not np.isfinite(dt).all() or not float(dt.item()) > 0:
        raise InputError(f"dt: one positive number is needed, got {dt!r}")
    if states.shape[1] < 3:
        raise InputError(f"states: at least 3 steps are needed, got {states.shape[1]}")
    dim = (states.shape[3] - 2) // 2
    velocity = states[..., dim : 2 * dim].astype(np.float64)
    return states[:, 1:-1], (velocity[:, 2:] - velocity[:, :-2]) / (2 * float(dt.item()))


def hear(network: GraphNetwork, states, chunk: int = 4096) -> Heard:
    """Messages of a trained network, without a law to hold them against.

    Args:
        network: from `symlib.training`.
        states: shape [snapshots, bodies, 2 dim + 2].
        chunk: snapshots evaluated at once.

    Raises:
        InputError: states of the wrong shape or not finite.
    """
    states = np.asarray(states)
    raw, rule = _raw_messages(network, states, chunk), network.rule
    order = np.argsort(-rule.importance(raw).numpy(), kind="stable")
    sender, receiver = complete_graph(states.shape[1]).numpy()
    first, second = (states[:, k].reshape(-1, states.shape[2]) for k in (receiver, sender))
    dim = (states.shape[2] - 2) // 2
    return Heard(
        rule.mean(raw).numpy().astype(np.float64)[:, order],
        pair_names(dim),
        pair_variables(first, second),
    )


def regress_messages(
    network: GraphNetwork,
    states,
    *,
    engine: str = "auto",
    seed: int = 0,
    budget: "str | Mapping[str, int]" = "ci",
    progress: bool = True,
) -> tuple[Regression, ...]:
    """An equation for each of the most significant messages, as many as space has dimensions.

    As in `symlib.experiments`, messages that are `well_learned` are taken, and one that never
    varies, as in a network whose penalty silenced it, is its constant.

    Args:
        network: from `symlib.training`.
        states: training snapshots, shape [snapshots, bodies, 2 dim + 2].
        engine, seed, budget, progress: as in `symlib.symbolic.regress`.
    """
    heard = hear(network, states)
    found = []
    for component in range((np.shape(states)[2] - 2) // 2):
        target = heard.values[:, component]
        kept = well_learned(target, heard.inputs[:, heard.names.index("r")])
        names = list(heard.names)
        if not varies(target[kept]):
            found.append(constant(target[kept], names, engine=engine, seed=seed))
            continue
        found.append(
            regress(
                heard.inputs[kept],
                target[kept],
                names,
                engine=engine,
                seed=seed,
                budget=budget,
                progress=progress,
            )
        )
    return tuple(found)
