"""Your own trajectories, where nobody knows the law.

The road of `symlib.discovery` begins with a law, because the verdict needs one. Here it begins
with a file of what was seen: positions and velocities of some bodies, with their masses and
charges where they are known. Accelerations that were not measured come from the velocities; the
messages of a trained network become equations as always; and in place of a verdict there is the
error of those equations on systems that were held out, beside the network's.
"""

import zipfile
from pathlib import Path

import numpy as np

from symlib.errors import InputError
from symlib.laws.snapshots import Snapshots


class Tracks:
    """What was seen of some systems, with the accelerations of all bodies.

    Args:
        states: shape [systems, steps, bodies, 2 dim + 2], rows of [position, velocity, charge,
            mass].
        accelerations: shape [systems, steps, bodies, dim], in the same units.
    """

    law = None  # nobody knows it

    def __init__(self, states, accelerations):
        self.states, self.accelerations = states, accelerations
        self.count = states.shape[0] * states.shape[1]

    def __len__(self) -> int:
        return len(self.states)

    def split(self, test_fraction: float = 0.1) -> "tuple[Tracks, Tracks]":
        """Training and test tracks; systems whole, for neighbours in time are near copies.

        Args:
            test_fraction: share of the systems, the last ones, in the test set; at least one.

        Raises:
            InputError: a share outside (0, 1), or fewer than two systems.
        """
        if not 0 < test_fraction < 1:
            raise InputError(f"test_fraction must lie between 0 and 1, got {test_fraction!r}")
        if len(self) < 2:
            raise InputError("tracks: at least 2 systems are needed, to hold one out")
        held = min(max(1, round(test_fraction * len(self))), len(self) - 1)
        parts = (slice(-held), slice(-held, None))
        train, test = (Tracks(self.states[part], self.accelerations[part]) for part in parts)
        return train, test

    def snapshots(self, count: int | None = None, seed: int = 0) -> Snapshots:
        """Snapshots, float32: all in their order, or so many drawn at random without repetition.

        Raises:
            InputError: a count below 1 or above the number of snapshots.
        """
        both = (self.states, self.accelerations)
        flat = [a.reshape(-1, *a.shape[2:]).astype(np.float32) for a in both]
        if count is None or count == self.count:
            return Snapshots(*flat)
        if not 1 <= count <= self.count:
            raise InputError(f"count must lie between 1 and {self.count}, got {count}")
        drawn = np.random.default_rng(seed).choice(self.count, size=count, replace=False)
        return Snapshots(*(a[drawn] for a in flat))


def read(path: "str | Path") -> Tracks:
    """Read tracks from an .npz file.

    Args:
        path: a file with the array `states`, shape [systems, steps, bodies, 2 dim + 2], rows of
            [position, velocity, charge, mass] (ones where a charge or mass is unknown), in any
            units that go together, and either `accelerations`, shape [systems, steps, bodies,
            dim], or `dt`, the time between two steps, from which they are then computed.

    Raises:
        InputError: no such file, not an .npz, an array that is missing, or one of the wrong shape
            or with NaN.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
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
    return Tracks(states, accelerations)


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
