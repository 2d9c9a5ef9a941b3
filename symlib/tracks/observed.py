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


def read_observed(path: "str | Path", held_out: float = 0.1) -> tuple[Snapshots, Snapshots]:
    """Read trajectories from an .npz file, as snapshots to train and to test on.

    Args:
        path: a file with the array `states`, shape [systems, steps, bodies, 2 dim + 2], rows of
            [position, velocity, charge, mass] (ones where a charge or mass is unknown), in any
            units that go together, and either `accelerations`, shape [systems, steps, bodies,
            dim], or `dt`, the time between two steps, from which they are then computed.
        held_out: share of the systems, the last ones, in the test set; at least one. Systems
            are held out whole: neighbours in time are near copies.

    Returns:
        Training and test snapshots, float32.

    Raises:
        InputError: no such file, not an .npz, an array that is missing, one of the wrong shape
            or with NaN, fewer than two systems, or a share outside (0, 1).
    """
    if not 0 < held_out < 1:
        raise InputError(f"held_out must lie between 0 and 1, got {held_out!r}")
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
    systems = len(states)
    if systems < 2:
        raise InputError(f"{path}: at least 2 systems are needed, to hold one out")
    count = min(max(1, round(held_out * systems)), systems - 1)

    def part(rows) -> Snapshots:
        both = (states[rows], accelerations[rows])
        return Snapshots(*(a.reshape(-1, *a.shape[2:]).astype(np.float32) for a in both))

    return part(slice(-count)), part(slice(-count, None))


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
