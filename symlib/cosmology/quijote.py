"""The halo catalogues of the Quijote simulations, read from their own group files.

    catalogue = read_quijote("groups_004", delta=my_delta)

A snapshot's groups lie in files group_tab_NNN.0, .1, ... Each starts with 24 bytes: groups in
the file, groups in all, ids in the file (int32 each), ids in all (uint64), number of files
(uint32). Then follow, for the file's groups one array after the other: length and offset
(int32), mass (float32, 10¹⁰ h⁻¹ M☉), position (3 float32, comoving kpc/h), velocity
(3 float32, km/s over 1 + z), six lengths and six masses by particle type, and in some runs a
star-formation rate or a type. The byte order is found from the header.

δ is not in these files. It is taken from the user, or counted from particle positions, such
as a snapshot's, whole or thinned at random.
"""

import re
from pathlib import Path

import numpy as np

from symlib.cosmology.catalogue import Catalogue, check_inside
from symlib.cosmology.universe.halos import overdensity, tree_of
from symlib.errors import InputError

BOX = 1000.0  # Mpc/h, of every Quijote simulation
REDSHIFTS = {0: 3.0, 1: 2.0, 2: 1.0, 3: 0.5, 4: 0.0}  # of Quijote's snapshots
_HEADER = np.dtype(
    [("groups", "i4"), ("all_groups", "i4"), ("ids", "i4"), ("all_ids", "u8"), ("files", "u4")]
)
_COLUMNS = {
    "lengths": ("i4", 1),
    "offsets": ("i4", 1),
    "masses": ("f4", 1),
    "positions": ("f4", 3),
    "velocities": ("f4", 3),
    "type_lengths": ("i4", 6),
    "type_masses": ("f4", 6),
}
_BYTES = 4 * sum(width for _, width in _COLUMNS.values())
_MOST_FILES = 100_000
_NAME = re.compile(r"group_tab_(\d+)\.\d+")


def read_groups(path: str | Path, redshift: float | None = None) -> tuple[dict, dict]:
    """Read all group files of a snapshot.

    Args:
        path: the folder of the group files (groups_004, say), or one of them.
        redshift: of the snapshot; Quijote's own for its number when None.

    Returns:
        What `Catalogue` takes of it, in its units: positions, velocities, masses and
        particle_mass. And where it is from: simulation, snapshot, redshift and files.

    Raises:
        InputError: a file that is missing, truncated, or not in this format; sub-files that
            do not belong together; no groups at all; a snapshot of unknown redshift.
    """
    first, snapshot = _first_file(Path(path))
    redshift = REDSHIFTS.get(snapshot) if redshift is None else redshift
    if redshift is None:
        raise InputError(f"redshift: give it; Quijote has no snapshot {snapshot} ({first})")
    header, part = _read_file(first)
    count, parts = header["all_groups"], [part]
    for index in range(1, header["files"]):
        found, part = _read_file(first.with_suffix(f".{index}"))
        if any(found[name] != header[name] for name in ("files", "all_groups")):
            raise InputError(f"{first.stem}.{index}: its header does not belong to {first}")
        parts.append(part)
    columns = {name: np.concatenate([part[name] for part in parts]) for name in _COLUMNS}
    lengths, masses = columns["lengths"], columns["masses"].astype(np.float64) * 1e10
    if len(masses) != count or count == 0:
        raise InputError(
            f"{first}: no groups, or not all: {count} announced, its files hold {len(masses)}"
        )
    each = masses / np.maximum(lengths, 1)
    if not (each.min() > 0 and each.max() < 1.01 * each.min() and lengths.min() > 0):
        raise InputError(f"{first}: masses are not in proportion to numbers of particles; damaged?")
    groups = {
        "positions": columns["positions"] / np.float32(1000),
        "velocities": columns["velocities"] * np.float32(1 + redshift),
        "masses": masses,
        "particle_mass": float(np.median(each)),
    }
    source = {"simulation": "Quijote", "snapshot": snapshot, "redshift": float(redshift)}
    return groups, {**source, "files": header["files"]}


def read_quijote(
    path: str | Path,
    *,
    delta: np.ndarray | None = None,
    particles: np.ndarray | None = None,
    box: float = BOX,
    redshift: float | None = None,
) -> Catalogue:
    """A Quijote group catalogue with δ.

    Args:
        path, redshift: as of `read_groups`.
        delta: δ of each group in the files' order, shape [halos].
        particles: positions of the dark matter, Mpc/h, shape [n, 3], whole or thinned at
            random; δ is counted within 20 Mpc/h. Give this or `delta`.
        box: side, Mpc/h.

    Raises:
        InputError: as `read_groups`; neither or both of delta and particles; columns that
            `Catalogue` refuses.
    """
    if (delta is None) == (particles is None):
        raise InputError("delta: give either delta or particles; the group files have no δ")
    groups, source = read_groups(path, redshift)
    source["delta"] = "given" if particles is None else "counted"
    try:
        groups["positions"] = _wrapped("positions", groups["positions"], box)
        if particles is not None:
            tree = tree_of(_wrapped("particles", particles, box), box)
            delta = overdensity(groups["positions"], tree)
        return Catalogue(box=float(box), delta=delta, provenance=source, **groups)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _wrapped(name: str, positions, box: float) -> np.ndarray:
    """Checked positions; float32 may have rounded some up to the far face."""
    positions = np.asarray(positions)
    if positions.ndim != 2 or positions.shape[1] != 3 or not len(positions):
        raise InputError(f"{name}: shape [n, 3] is needed, got {positions.shape}")
    positions = np.where(positions == np.float32(box), 0, positions)
    check_inside(name, positions, box)
    return positions


def _first_file(path: Path) -> tuple[Path, int]:
    """A snapshot's first file and its number, from that file's folder or one of its files."""
    files = path.iterdir() if path.is_dir() else [path]
    snapshots = {found[1] for file in files if (found := _NAME.fullmatch(file.name))}
    if len(snapshots) != 1:
        raise InputError(
            f"{path}: files group_tab_NNN.0, .1, ... of one snapshot are needed, found those of "
            f"{', '.join(sorted(snapshots)) or 'none'}; give the folder groups_NNN or one file"
        )
    (number,) = snapshots
    return (path if path.is_dir() else path.parent) / f"group_tab_{number}.0", int(number)


def _read_file(path: Path) -> tuple[dict, dict]:
    """Header and columns of one file, in the byte order in which the header makes sense."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); all are needed") from error
    start = _HEADER.itemsize
    for order in "<>":
        values = np.frombuffer(content[:start].ljust(start, b"\0"), _HEADER.newbyteorder(order))[0]
        header = dict(zip(_HEADER.names, values.tolist(), strict=True))
        count, body = header["groups"], len(content) - start
        # A star-formation rate and a type may follow, four bytes each.
        whole = body in [count * (_BYTES + extra) for extra in (0, 4, 8)]
        if whole and count <= header["all_groups"] and 1 <= header["files"] <= _MOST_FILES:
            break
    else:
        raise InputError(f"{path}: truncated, or no group file: {len(content)} bytes do not fit")
    columns = {}
    for name, (kind, width) in _COLUMNS.items():
        values = np.frombuffer(content, order + kind, count * width, start)
        start += values.nbytes
        columns[name] = values.reshape(count, width) if width > 1 else values
    return header, columns
