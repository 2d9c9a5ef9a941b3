"""A halo catalogue: five columns, a slice of the density for a figure, and where they come from.

    column      shape      unit
    positions   [halos, 3] comoving Mpc/h, in [0, box)
    velocities  [halos, 3] peculiar, km/s
    masses      [halos]    h⁻¹ M☉
    delta       [halos]    dimensionless: matter within 20 Mpc/h over its mean, less one

On disk it is one compressed .npz: a float32 array per column, and `facts`, a JSON text with
the units, the box, the mass of a particle and the provenance. Nothing is pickled.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from symlib.errors import InputError
from symlib.files import whole_file

FORMAT = "symlib-halos-1"
COLUMNS = {
    "positions": "comoving Mpc/h, in [0, box)",
    "velocities": "peculiar, km/s",
    "masses": "h^-1 Msun",
    "delta": "dimensionless",
}
# No halo population of this universe moves slower or faster on average, at any redshift.
_RMS_SPEEDS = 10.0, 3000.0  # km/s
_ENOUGH_TO_JUDGE = 100  # halos
CRITICAL_DENSITY = 2.77536627e11  # h² M☉ / Mpc³


@dataclass(frozen=True)
class DensitySlice:
    """Density of a slab, low ≤ z < high (Mpc/h), projected along z, for a picture.

    values: shape [cells, cells] (x, y), in units of the mean, float32.
    """

    values: np.ndarray
    low: float
    high: float


@dataclass(frozen=True)
class Catalogue:
    """Halos of one simulated box, checked when made; the columns are at the module's head.

    Args:
        box: side of the periodic box, Mpc/h.
        particle_mass: mass of a simulation particle, h⁻¹ M☉.
        provenance: plain JSON values: settings, seed, versions, command.
        slice: a picture's density, or None.

    Raises:
        InputError: a column of the wrong shape, with NaN or infinity, with positions outside
            the box, without halos, or in another unit; the message names the column.
    """

    box: float
    positions: np.ndarray
    velocities: np.ndarray
    masses: np.ndarray
    delta: np.ndarray
    particle_mass: float
    provenance: dict = field(default_factory=dict)
    slice: DensitySlice | None = None

    def __post_init__(self):
        for name in ("box", "particle_mass"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0 < value < np.inf):
                raise InputError(f"{name}: a positive number, got {value!r}")
        count = np.size(self.masses)
        if count == 0:
            raise InputError("masses: no halos at all; use more particles or a larger box")
        for name in COLUMNS:
            shape = (count, 3) if name in ("positions", "velocities") else (count,)
            column = np.asarray(getattr(self, name))
            if column.dtype.kind not in "fiu" or column.shape != shape:
                got = f"{column.dtype} of shape {column.shape}"
                raise InputError(f"{name}: numbers of shape {shape} are needed, got {got}")
            bad = int((~np.isfinite(column)).sum())
            if bad:
                raise InputError(f"{name}: {bad} of {column.size} values are NaN or infinite")
            object.__setattr__(self, name, column.astype(np.float32))
        check_inside("positions", self.positions, self.box)
        least, total = self.masses.min(), self.masses.sum(dtype=np.float64)
        if least < 0.999 * self.particle_mass or total > CRITICAL_DENSITY * self.box**3:
            raise InputError(
                f"masses: from {least:g}, less than a particle's {self.particle_mass:g} h⁻¹ M☉, "
                f"or {total:g} in all, more than a box of critical density holds; masses must be "
                "in h⁻¹ M☉, not in units of 10¹⁰ or 10¹⁴ of them, and the box in Mpc/h"
            )
        speed = np.sqrt((self.velocities.astype(np.float64) ** 2).sum(1).mean())
        if count >= _ENOUGH_TO_JUDGE and not _RMS_SPEEDS[0] <= speed <= _RMS_SPEEDS[1]:
            raise InputError(
                f"velocities: {speed:g} km/s root-mean-square, where halos have some hundreds; "
                "velocities must be peculiar ones in km/s"
            )
        if self.delta.min() < -1:
            raise InputError(f"delta: down to {self.delta.min():g}, below an empty sphere's -1")

    def __len__(self) -> int:
        return len(self.masses)

    def in_slice(self) -> np.ndarray:
        """Which halos lie in the picture's slab, shape [halos]; InputError without a slice."""
        if self.slice is None:
            raise InputError("slice: this catalogue has no density slice")
        z = self.positions[:, 2]
        return (z >= self.slice.low) & (z < self.slice.high)


def check_inside(name: str, positions: np.ndarray, box: float) -> None:
    """Refuse, by an InputError, positions that are not finite or not all in [0, box)."""
    low, high = positions.min(), positions.max()
    if not (low >= 0 and high < box):
        raise InputError(
            f"{name}: from {low:g} to {high:g}, outside the box [0, {box:g}) Mpc/h; "
            "wrap them, or give positions and box in Mpc/h (not kpc/h)"
        )


def write_catalogue(path: str | Path, catalogue: Catalogue) -> Path:
    """Write a catalogue, whole or not at all.

    Raises:
        InputError: the provenance is not plain JSON, or the file cannot be written.
    """
    facts = {name: getattr(catalogue, name) for name in ("box", "particle_mass", "provenance")}
    facts |= {"format": FORMAT, "units": COLUMNS}
    arrays = {name: getattr(catalogue, name) for name in COLUMNS}
    if catalogue.slice is not None:
        facts["slice"] = {"low": catalogue.slice.low, "high": catalogue.slice.high}
        # Half precision is plenty for a picture; its largest number is 65,504.
        arrays["slice"] = np.minimum(catalogue.slice.values, 60_000).astype(np.float16)
    return write_arrays(path, facts, compressed=True, **arrays)


def read_catalogue(path: str | Path) -> Catalogue:
    """Read a catalogue and check it.

    Raises:
        InputError: the file is missing, truncated, foreign, lacks a column, or holds values
            that `Catalogue` refuses; the message names file and column.
    """
    facts, arrays = read_arrays(path)
    if facts.get("format") != FORMAT:
        raise InputError(f"{path}: not one of symlib's halo catalogues")
    try:
        columns = {name: arrays[name] for name in COLUMNS}
        columns |= {name: facts[name] for name in ("box", "particle_mass", "provenance")}
        if "slice" in arrays:
            columns["slice"] = DensitySlice(arrays["slice"].astype("f4"), **facts["slice"])
        return Catalogue(**columns)
    except KeyError as error:
        raise InputError(f"{path}: no column {error}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def write_arrays(path: str | Path, facts: dict, compressed: bool = False, **arrays) -> Path:
    """Write arrays, deflated if asked (slow where they are large), and plain JSON facts.

    Raises:
        InputError: the file cannot be written, or facts are not plain JSON.
    """
    write = np.savez_compressed if compressed else np.savez
    try:
        text = np.array(json.dumps(facts, allow_nan=False))
        with whole_file(path, mode="wb") as file:
            write(file, allow_pickle=False, facts=text, **arrays)
    except (OSError, TypeError, ValueError) as error:
        raise InputError(f"{path}: cannot be written ({error})") from error
    return Path(path)


def read_arrays(path: str | Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Facts and arrays of such a file; InputError if it is missing, damaged or of another kind."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
        return dict(json.loads(str(arrays.pop("facts")))), arrays
    # Damage shows in zip, zlib, numpy or JSON, and each has errors of its own for it.
    except Exception as error:
        raise InputError(f"{path}: missing, damaged, or not one of symlib's ({error})") from error
