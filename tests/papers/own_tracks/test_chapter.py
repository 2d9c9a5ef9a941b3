"""What the chapter on tracks of one's own shows: its video, its tables, its fish."""

import json
from dataclasses import replace

import numpy as np
import pytest

import symlib
from symlib.errors import InputError
from symlib.papers.own_tracks import fish, pages
from symlib.papers.own_tracks.study import TracksCase
from symlib.papers.own_tracks.video import FPS, PIXELS, VIDEO, watch


def test_the_video_is_what_trackpy_writes_and_the_truth_is_what_moved_it(tmp_path):
    truth = watch(tmp_path / "tracks.csv", 3, replace(VIDEO, frames=200, noise=0.0, missing=0.0))
    seen = symlib.read(tmp_path / "tracks.csv", columns="trackpy", fps=FPS)
    (one,) = seen.recordings
    assert len(seen.names) == 6 and np.isnan(seen.mass).all()
    assert any("brightness" in line for line in seen.left_out)
    assert any("1 of 7 tracks" in line for line in seen.left_out)
    np.testing.assert_allclose(one.position / PIXELS, truth.position, atol=1e-5)
    # Positions, velocities and accelerations of one motion, in seconds.
    for value, slope in (
        (truth.position, truth.velocity),
        (truth.velocity, truth.acceleration),
    ):
        found = (value[2:] - value[:-2]) * FPS / 2
        np.testing.assert_allclose(found, slope[1:-1], atol=2e-3)
    # The pull along the line and the trap, with the masses as the road would find them.
    assert np.log(truth.mass).mean() == pytest.approx(0, abs=1e-12)
    away = truth.position[0] - truth.position[0, :1]
    r = np.sqrt((away[1:] ** 2).sum(axis=1))
    sent = (truth.pull(r, truth.mass[1:]) / r)[:, None] * away[1:]
    own = -truth.trap * (truth.position[0, 0] - truth.middle)
    np.testing.assert_allclose(sent.sum(axis=0) + own, truth.acceleration[0, 0], atol=1e-9)


def record(case, seed, recovered=True, front=2, noise=None):
    row = {"complexity": 9, "held_out": 0.1, "trajectory": None, "equation": "m2*r", "one_body": []}
    return {
        "format": "symlib-record-1",
        "kind": "tracks case",
        "case": case,
        "preset": "laptop",
        "seed": seed,
        "law": "0.5*m2*r",
        "front": [row],
        "best": 0,
        "noise": noise or {},
        "recovered": recovered,
        "front_recovered": front,
        "radial_error": {"median": 0.0123, "largest": 0.5},
        "walk_seconds": 100.0 + seed,
        "peak_memory_gb": 1.25,
        **TracksCase(case, "laptop", seed).facts(),
    }


def put(folder, one):
    path = TracksCase(one["case"], one["preset"], one["seed"]).path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(one))


def lines(text, name):
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_cases_are_counted_by_seed_and_what_is_not_on_record_is_said_to_be_missing(tmp_path):
    known = {"acceleration": 0.2, "acceleration_spread": 2.0}
    put(tmp_path, record("softened", 0))
    put(tmp_path, record("softened", 1, recovered=False))
    put(tmp_path, record("gaussian", 0, recovered=False, front=None) | {"key": "old"})
    put(tmp_path, record("noise 1%", 0, noise=known))
    cases, problems = pages.read_cases(tmp_path)
    assert not problems
    text = pages.cases_table(cases)
    assert lines(text, "softened")[3:6] == ["1 of 2, and 1 in the front", "1.2%, 1.2%", "100"]
    assert lines(text, "gaussian")[3] == "0 of 1\u00a0†"
    assert lines(text, "crowd")[3] == pages.MISSING
    noise = pages.noise_table(cases)
    assert lines(noise, "1%")[1:4] == ["10%", "1 of 1", "1.2%"]
    assert lines(noise, "5%")[1:] == [pages.MISSING] * 4


def test_a_failed_or_damaged_record_is_no_result(tmp_path):
    one = record("softened", 0)
    put(
        tmp_path,
        {k: one[k] for k in ("format", "kind", "case", "preset", "seed")} | {"failed": "x"},
    )
    put(tmp_path, {k: v for k, v in record("crowd", 0).items() if k != "front"})
    cases, problems = pages.read_cases(tmp_path)
    assert lines(pages.cases_table(cases), "softened")[3:5] == ["0 of 1\u00a0†", "–"]
    assert len(problems) == 1 and "front" in problems[0]


def test_the_fish_need_their_package_and_their_very_file(tmp_path, monkeypatch):
    monkeypatch.setattr(fish, "PACKAGE", "no_such_package")
    with pytest.raises(InputError, match="pip install"):
        fish.fish()
    folder = tmp_path / "other_fish"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").touch()
    np.save(folder / fish.FILE, np.zeros((300, 100, 2)))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(fish, "PACKAGE", "other_fish")
    with pytest.raises(InputError, match="is not the file"):
        fish.fish()
    assert pages.MISSING in pages.fish_text(pages.read_fish(tmp_path))


def test_smoothers_stand_side_by_side(tmp_path):
    assert pages.MISSING in pages.smoothers_table(tmp_path)
    one = {"data": "gravity", "noise": 0.01, "smoother": "ours", "tried": 1, "rms": 0.125}
    other = one | {"smoother": "theirs", "tried": 14, "rms": 0.25}
    results = {"dt": {"gravity": 0.01}, "results": [one, other]}
    both = {"format": "symlib-record-1", "kind": "smoothing", **results}
    (tmp_path / "own_tracks").mkdir()
    (tmp_path / "own_tracks" / "smoothing.json").write_text(json.dumps(both))
    text = pages.smoothers_table(tmp_path)
    assert lines(text, "ours")[1:] == ["chosen from the data", "–", "0.12", "–"]
    assert lines(text, "theirs")[1:3] == ["best of 14, by the truth", "–"]
