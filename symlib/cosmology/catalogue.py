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
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from symlib.cosmology.archive import write_arrays
from symlib.errors import InputError

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
_CRITICAL_DENSITY = 2.775e11  # h² M☉ / Mpc³


@dataclass(frozen=True)
class DensitySlice:
    """Density of a slab, projected along z, for a picture.

    values: shape [cells, cells] (x, y), in units of the mean, float32. low, high: the slab's
    limits in z, Mpc/h.
    """

    values: np.ndarray
    low: float
    high: float


@dataclass(frozen=True)
class Catalogue:
    """Halos of one simulated box, checked when made.

    Args:
        box: side of the periodic box, Mpc/h.
        positions: shape [halos, 3], Mpc/h, in [0, box).
        velocities: shape [halos, 3], peculiar, km/s.
        masses: shape [halos], h⁻¹ M☉.
        delta: shape [halos], dimensionless, at least -1.
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
            if not (isinstance(value, int | float) and np.isfinite(value) and value > 0):
                raise InputError(f"{name}: a positive number, got {value!r}")
        for name in COLUMNS:
            column = np.asarray(getattr(self, name))
            if column.dtype.kind not in "fiu":
                raise InputError(f"{name}: numbers are needed, got {column.dtype}")
            object.__setattr__(self, name, column.astype(np.float32))
        _check_shapes(self)
        _check_values(self)

    def __len__(self) -> int:
        return len(self.masses)

    def in_slice(self) -> np.ndarray:
        """Which halos lie in the picture's slab, shape [halos]; InputError without a slice."""
        if self.slice is None:
            raise InputError("slice: this catalogue has no density slice")
        z = self.positions[:, 2]
        return (z >= self.slice.low) & (z < self.slice.high)


def _check_shapes(catalogue: Catalogue):
    count = len(np.atleast_1d(catalogue.masses))
    if count == 0:
        raise InputError("masses: no halos at all; use more particles or a larger box")
    for name in COLUMNS:
        column, wanted = getattr(catalogue, name), (count,)
        if name in ("positions", "velocities"):
            wanted = (count, 3)
        if column.shape != wanted:
            raise InputError(f"{name}: shape {column.shape}, where {wanted} is needed")
        bad = int((~np.isfinite(column)).sum())
        if bad:
            raise InputError(f"{name}: {bad} of {column.size} values are NaN or infinite")


def _check_values(catalogue: Catalogue):
    low, high = catalogue.positions.min(), catalogue.positions.max()
    if low < 0 or high >= catalogue.box:
        raise InputError(
            f"positions: from {low:g} to {high:g}, outside the box [0, {catalogue.box:g}) Mpc/h; "
            "wrap them, or give positions and box in Mpc/h (not kpc/h)"
        )
    least, particle = catalogue.masses.min(), catalogue.particle_mass
    if least < 0.999 * particle:
        raise InputError(
            f"masses: the smallest, {least:g}, is below one particle's {particle:g} h⁻¹ M☉; "
            "masses must be in h⁻¹ M☉, not in units of 10¹⁰ or 10¹⁴ of them"
        )
    most = _CRITICAL_DENSITY * catalogue.box**3
    if catalogue.masses.sum(dtype=np.float64) > most:
        raise InputError(
            f"masses: their sum is more than a box of critical density holds ({most:g} h⁻¹ M☉); "
            "masses must be in h⁻¹ M☉ and the box in Mpc/h"
        )
    if len(catalogue) >= _ENOUGH_TO_JUDGE:
        speed = float(np.sqrt((catalogue.velocities.astype(np.float64) ** 2).sum(1).mean()))
        if not _RMS_SPEEDS[0] <= speed <= _RMS_SPEEDS[1]:
            raise InputError(
                f"velocities: {speed:g} km/s root-mean-square, where halos have some hundreds; "
                "velocities must be peculiar ones in km/s"
            )
    if catalogue.delta.min() < -1:
        raise InputError(f"delta: down to {catalogue.delta.min():g}; a density cannot be negative")


def check_linking(catalogue: Catalogue, radius: float) -> float:
    """The linking radius in Mpc/h, if the box is at least twice as large.

    Raises:
        InputError: the radius is not positive, or two halos could be neighbours both ways
            round the box.
    """
    if not (np.isfinite(radius) and radius > 0):
        raise InputError(f"radius: a positive length in Mpc/h, got {radius!r}")
    if catalogue.box < 2 * radius:
        raise InputError(
            f"radius: {radius:g} Mpc/h needs a box of at least {2 * radius:g} Mpc/h, "
            f"and this one has {catalogue.box:g}"
        )
    return float(radius)


def write_catalogue(path: str | Path, catalogue: Catalogue) -> Path:
    """Write a catalogue, whole or not at all.

    Raises:
        InputError: the provenance is not plain JSON, or the file cannot be written.
    """
    facts = {
        "format": FORMAT,
        "box": catalogue.box,
        "particle_mass": catalogue.particle_mass,
        "units": COLUMNS,
        "provenance": catalogue.provenance,
    }
    arrays = {name: getattr(catalogue, name) for name in COLUMNS}
    if catalogue.slice is not None:
        facts["slice"] = {"low": catalogue.slice.low, "high": catalogue.slice.high}
        # Half precision is plenty for a picture; its largest number is 65,504.
        arrays["slice"] = np.minimum(catalogue.slice.values, 60_000).astype(np.float16)
    try:
        arrays["facts"] = np.array(json.dumps(facts, allow_nan=False))
        return write_arrays(Path(path), compressed=True, **arrays)
    except (TypeError, ValueError) as error:
        raise InputError(f"catalogue {path}: provenance is not plain JSON ({error})") from error
    except OSError as error:
        raise InputError(f"catalogue {path}: cannot be written ({error})") from error


def read_catalogue(path: str | Path) -> Catalogue:
    """Read a catalogue and check it.

    Raises:
        InputError: the file is missing, truncated, foreign, lacks a column, or holds values
            that `Catalogue` refuses; the message names file and column.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile) or "facts" not in archive:
                raise InputError(f"catalogue {path}: not one of symlib's halo catalogues")
            arrays = {name: archive[name] for name in archive.files}
        facts = json.loads(str(arrays.pop("facts")))
    except FileNotFoundError as error:
        raise InputError(f"catalogue {path}: no such file") from error
    except InputError:
        raise
    except (OSError, ValueError, EOFError, KeyError, AttributeError, TypeError) as error:
        raise InputError(f"catalogue {path}: damaged, or no catalogue ({error})") from error
    except (zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"catalogue {path}: truncated or damaged ({error})") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise InputError(f"catalogue {path}: not one of symlib's halo catalogues")
    missing = [name for name in COLUMNS if name not in arrays]
    missing += [name for name in ("box", "particle_mass", "provenance") if name not in facts]
    if missing:
        raise InputError(f"catalogue {path}: no column {', '.join(missing)}")
    picture = None
    if "slice" in arrays and "slice" in facts:
        picture = DensitySlice(arrays["slice"].astype(np.float32), **facts["slice"])
    try:
        return Catalogue(
            facts["box"],
            *(arrays[name] for name in COLUMNS),
            particle_mass=facts["particle_mass"],
            provenance=facts["provenance"],
            slice=picture,
        )
    except InputError as error:
        raise InputError(f"catalogue {path}: {error}") from error
