"""How trajectories lie on disk: a folder of plain arrays and one manifest.

    NAME.traj/manifest.json            what was asked, what was kept, a checksum of every file
    NAME.traj/chunk-00000.phase.npy    [systems, steps, bodies, 2 dim]: position, velocity
    NAME.traj/chunk-00000.bodies.npy   [systems, bodies, 2]: charge, mass, which never change

Every file is written under a temporary name and renamed, and the manifest names a chunk
only when its files are in place. So a run that was stopped leaves whole chunks and a
manifest that knows them, and the same call goes on from there. A chunk that is read is
mapped into memory, not loaded; its checksum is taken once, before its first use.
Nothing here is pickled.
"""

import io
import json
import os
import zlib
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

import symlib
from symlib.errors import InputError
from symlib.files import write_whole

FORMAT = "symlib-trajectories"
VERSION = 1
MANIFEST = "manifest.json"
_REQUEST_KEYS = {
    "law": str,
    "law_probe": list,
    "dim": int,
    "bodies": int,
    "steps": int,
    "dt": (int, float),
    "softening": (int, float),
    "systems": int,
    "seed": int,
    "tolerance": (int, float),
    "max_steps": int,
    "dtype": str,
    "initial": (str, type(None)),
}


def _checksum(path: Path) -> str:
    value = 0
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            value = zlib.crc32(block, value)
    return f"{value:08x}"


def _write_array(path: Path, array: np.ndarray) -> dict:
    array = np.ascontiguousarray(array)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
    parts = [header.getvalue(), memoryview(array).cast("B") if array.size else b""]
    temporary = path.with_name(f".{path.name}.tmp")
    checksum = 0
    try:
        with temporary.open("wb") as file:
            for part in parts:
                file.write(part)
                checksum = zlib.crc32(part, checksum)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return {"bytes": sum(len(part) for part in parts), "crc32": f"{checksum:08x}"}


def _same(ours, theirs) -> bool:
    if isinstance(ours, list):
        # Energies at fixed points: libraries may differ in the last digits, laws do not.
        return len(ours) == len(theirs) and np.allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    return ours == theirs


@dataclass
class TrajectoryFolder:
    """A folder of trajectories, being written or being read.

    Args:
        path: the folder.
        request: what was asked (the keys of `_REQUEST_KEYS`).
        chunk: systems per chunk, the failed ones counted in.
        chunks: for every finished chunk its failed systems and its files' sizes and checksums.
        made_with: versions of the packages that made it.
    """

    path: Path
    request: dict
    chunk: int
    chunks: dict[int, dict] = field(default_factory=dict)
    made_with: dict[str, str] = field(default_factory=dict)
    _verified: set[int] = field(default_factory=set, repr=False)

    @property
    def chunk_count(self) -> int:
        return -(-self.request["systems"] // self.chunk)

    def members(self, index: int) -> range:
        """The numbers of the systems that chunk `index` was asked to hold."""
        first = index * self.chunk
        return range(first, min(first + self.chunk, self.request["systems"]))

    def kept(self, index: int) -> np.ndarray:
        """The numbers of the systems that chunk `index` does hold, in order."""
        return np.setdiff1d(np.asarray(self.members(index)), self.chunks[index]["failed"])

    def missing(self) -> list[int]:
        """Chunks that are still to be made."""
        return [index for index in range(self.chunk_count) if index not in self.chunks]

    def _file(self, index: int, kind: str) -> Path:
        return self.path / f"chunk-{index:05d}.{kind}.npy"

    def _shape(self, index: int, kind: str) -> tuple[int, ...]:
        ask = self.request
        kept = len(self.members(index)) - len(self.chunks[index]["failed"])
        if kind == "phase":
            return (kept, ask["steps"], ask["bodies"], 2 * ask["dim"])
        return (kept, ask["bodies"], 2)

    def save_manifest(self):
        write_whole(
            self.path / MANIFEST,
            json.dumps(
                {
                    "format": FORMAT,
                    "version": VERSION,
                    "request": self.request,
                    "made_with": self.made_with,
                    "chunk": self.chunk,
                    "chunks": {str(index): self.chunks[index] for index in sorted(self.chunks)},
                    "failed": sorted(n for entry in self.chunks.values() for n in entry["failed"]),
                    "complete": not self.missing(),
                },
                indent=1,
            )
            + "\n",
        )

    def write_chunk(self, index: int, failed: list[int], phase: np.ndarray, bodies: np.ndarray):
        """Store one chunk, then enter it in the manifest."""
        dtype = self.request["dtype"]
        files = {
            "phase": _write_array(self._file(index, "phase"), phase.astype(dtype, copy=False)),
            "bodies": _write_array(self._file(index, "bodies"), bodies.astype(dtype, copy=False)),
        }
        self.chunks[index] = {"failed": sorted(failed), "files": files}
        self.save_manifest()

    def read_chunk(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Map one chunk's (phase, bodies) arrays into memory.

        Raises:
            InputError: a file is gone, cut short, changed, or not the array it should be.
        """
        arrays = []
        for kind, entry in sorted(self.chunks[index]["files"].items(), reverse=True):
            file = self._file(index, kind)
            self._check_size(file, entry)
            if index not in self._verified and _checksum(file) != entry["crc32"]:
                raise InputError(f"{file} is damaged (its checksum differs); {_REMAKE}")
            try:
                array = np.load(file, mmap_mode="r", allow_pickle=False)
            except (ValueError, OSError) as error:
                raise InputError(f"{file} is not a numpy array file; {_REMAKE}") from error
            expected = self._shape(index, kind)
            if array.shape != expected or array.dtype != np.dtype(self.request["dtype"]):
                raise InputError(
                    f"{file} holds {array.dtype} of shape {array.shape}, the manifest says "
                    f"{self.request['dtype']} of shape {expected}; {_REMAKE}"
                )
            arrays.append(array)
        self._verified.add(index)
        return arrays[0], arrays[1]

    @staticmethod
    def _check_size(file: Path, entry: dict):
        if not file.is_file():
            raise InputError(f"{file} is missing; run the same simulation again to remake it")
        if file.stat().st_size != entry["bytes"]:
            raise InputError(
                f"{file} is truncated or altered ({file.stat().st_size} bytes, "
                f"the manifest says {entry['bytes']}); {_REMAKE}"
            )

    def drop_broken(self):
        """Forget the chunks whose files are gone or of the wrong size: they are to be remade."""
        for index in list(self.chunks):
            try:
                for kind, entry in self.chunks[index]["files"].items():
                    self._check_size(self._file(index, kind), entry)
            except InputError:
                del self.chunks[index]

    def check_complete(self):
        """Raise InputError, without reading any data, if a chunk is missing or cut short."""
        if missing := self.missing():
            raise InputError(
                f"{self.path} is unfinished: {len(missing)} of {self.chunk_count} chunks are "
                "missing; run the same simulation with the same path again, it goes on from there"
            )
        for index, chunk in self.chunks.items():
            for kind, entry in chunk["files"].items():
                self._check_size(self._file(index, kind), entry)


_REMAKE = "delete this file and run the same simulation again, which remakes only what is missing"


def open_folder(path: Path) -> TrajectoryFolder:
    """Read and check a folder's manifest; no data yet.

    Raises:
        InputError: not a folder of trajectories, or one of another format or version.
    """
    path = Path(path)
    manifest = path / MANIFEST
    if not path.is_dir() or not manifest.is_file():
        raise InputError(
            f"{path} is not a folder of trajectories (no {MANIFEST}); "
            "make one with simulate(..., path=...)"
        )
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError) as error:
        raise InputError(
            f"{manifest} is not JSON; delete the folder and simulate again ({error})"
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(
            f"{manifest} is not a manifest of trajectories (format {FORMAT!r} expected); "
            "point to a folder that simulate() wrote"
        )
    if content.get("version") != VERSION:
        raise InputError(
            f"{manifest} is of version {content.get('version')!r}, this symlib reads {VERSION}; "
            "use the symlib that wrote it, or simulate again"
        )
    try:
        folder = TrajectoryFolder(
            path,
            content["request"],
            content["chunk"],
            {int(index): entry for index, entry in content["chunks"].items()},
            content["made_with"],
        )
        _check_types(folder)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{manifest} is damaged ({type(error).__name__}: {error}); "
            "delete the folder and simulate again"
        ) from error
    return folder


def _check_types(folder: TrajectoryFolder):
    for key, kind in _REQUEST_KEYS.items():
        if not isinstance(folder.request[key], kind):
            raise TypeError(f"{key} is {folder.request[key]!r}")
    if folder.request["dim"] not in (2, 3) or folder.request["dtype"] not in DTYPES:
        raise ValueError("dim or dtype out of range")
    if not isinstance(folder.chunk, int) or folder.chunk < 1:
        raise ValueError(f"chunk is {folder.chunk!r}")
    for index, entry in folder.chunks.items():
        if not 0 <= index < folder.chunk_count:
            raise ValueError(f"there is no chunk {index}")
        if not set(entry["failed"]) <= set(folder.members(index)):
            raise ValueError(f"failed systems of chunk {index}")
        for kind in ("phase", "bodies"):
            int(entry["files"][kind]["bytes"]), str(entry["files"][kind]["crc32"])


DTYPES = ("float64", "float32")


def prepare_folder(path: Path, request: dict, chunk: int) -> TrajectoryFolder:
    """A folder to write into: a new one, or one with the same request to go on with.

    A folder that exists keeps its own chunk size.

    Raises:
        InputError: the path cannot be written, or holds something else.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise InputError(f"path {path} is a file; trajectories go into a folder of their own")
    if path.is_dir() and any(path.iterdir()):
        folder = open_folder(path)
        differing = [key for key in request if not _same(request[key], folder.request[key])]
        if differing:
            shown = ", ".join(
                f"{key} {folder.request[key]!r} there, {request[key]!r} asked" for key in differing
            )
            raise InputError(
                f"path {path} holds another simulation ({shown}); "
                "choose another path, or delete that folder"
            )
        folder.drop_broken()
        return folder
    made_with = {name: version(name) for name in ("jax", "diffrax", "numpy")}
    folder = TrajectoryFolder(
        path, request, chunk, made_with={"symlib": symlib.__version__, **made_with}
    )
    try:
        folder.save_manifest()
    except OSError as error:
        raise InputError(f"path {path} cannot be written: {error}") from error
    return folder
