"""The film: what is recorded during training, and what is drawn from it."""

import json
from dataclasses import replace

import imageio.v2 as imageio
import numpy as np
import pytest
from PIL import Image

from symlib.errors import InputError
from symlib.files import ROOT
from symlib.papers.cranmer2020.film import making
from symlib.papers.cranmer2020.film import recording as film
from symlib.papers.cranmer2020.film.making import make_film
from symlib.papers.cranmer2020.film.recording import (
    Recorder,
    Recording,
    read_recording,
    record_film,
    when_to_look,
)
from symlib.training.presets import PRESETS


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(film, "STEPS", 20)


@pytest.fixture
def recording(tmp_path) -> Recording:
    return record_film("spring", 2, "l1", "smoke", path=tmp_path / "a.npz", progress=False, looks=4)


def test_a_run_is_looked_at_from_its_beginning_to_its_end(recording, tmp_path):
    steps = PRESETS["smoke"].training_steps
    assert recording.whole and recording.steps[-1] == steps
    assert np.all(np.diff(recording.steps) > 0)
    looks = len(recording)
    assert recording.spread.shape == (looks, 15) and np.all(np.diff(recording.spread) <= 0)
    assert recording.r2.shape == (looks, 2) and np.all(recording.r2 <= 1)
    assert recording.coefficients.shape == (looks, 3, 2)
    assert recording.messages.shape == recording.fitted.shape == (looks, film.DOTS, 2)
    assert recording.paths.shape == (looks, 20, 4, 2) and recording.truth.shape == (20, 4, 6)
    # A rollout begins where the truth does.
    for path in recording.paths:
        np.testing.assert_allclose(path[0], recording.truth[0, :, :2], rtol=1e-5)
    again = read_recording(tmp_path / "a.npz")
    np.testing.assert_allclose(again.messages, recording.messages, rtol=1e-6)
    assert (again.law, again.total, again.whole) == ("spring", steps, True)


def test_looks_are_closer_together_at_the_beginning():
    wanted = sorted(when_to_look(40_000, 90, 50))
    assert wanted[0] == 50 and wanted[-1] == 40_000 and 80 <= len(wanted) <= 90
    assert all(step % 50 == 0 for step in wanted)
    assert np.diff(wanted)[-1] > 5 * np.diff(wanted)[0]


def test_an_interrupted_run_goes_on_with_its_film(tmp_path, monkeypatch):
    path, cache = tmp_path / "a.npz", tmp_path / "cache"
    whole = record_film("spring", 2, "l1", "smoke", cache=cache / "other", progress=False, looks=6)
    look = Recorder.__call__

    def cut_off(self, step, network):
        look(self, step, network)
        if step >= 30:
            raise KeyboardInterrupt

    monkeypatch.setattr(Recorder, "__call__", cut_off)
    with pytest.raises(KeyboardInterrupt):
        record_film("spring", 2, "l1", "smoke", path=path, cache=cache, progress=False, looks=6)
    half = read_recording(path)
    assert not half.whole and half.steps[-1] <= 30
    monkeypatch.setattr(Recorder, "__call__", look)
    done = record_film("spring", 2, "l1", "smoke", path=path, cache=cache, progress=False, looks=6)
    assert done.whole and np.array_equal(done.steps, whole.steps)
    np.testing.assert_allclose(done.spread, whole.spread, rtol=1e-3)


def test_components_keep_their_place_and_sign_from_look_to_look(recording):
    count = len(recording)
    turned = np.array([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]] * count)
    turned[0, :, 0], turned[0, :, 1] = (0.0, -1.0, 0.0), (1.0, 0.0, 0.0)
    steady = making.steadied(replace(recording, coefficients=turned))
    np.testing.assert_allclose(steady.coefficients[0], turned[-1])
    np.testing.assert_allclose(steady.messages[0, :, 1], -recording.messages[0, :, 0])
    np.testing.assert_array_equal(steady.messages[-1], recording.messages[-1])


def test_a_film_is_written_and_shown_with_its_text_and_record(recording, tmp_path):
    folder = tmp_path / "films"
    written = make_film(recording=tmp_path / "a.npz", out=folder / "spring.mp4", progress=False)
    kinds = ("json", "mp4", "png", "webp")
    assert sorted(path.name for path in folder.iterdir()) == [f"spring.{kind}" for kind in kinds]
    reader = imageio.get_reader(folder / "spring.mp4")
    assert reader.get_meta_data()["size"] == (1280, 720)
    assert abs(reader.count_frames() - written["frames"]) <= 1
    looping = Image.open(folder / "spring.webp")
    assert looping.is_animated and looping.size == (640, 360) and looping.info["loop"] == 0
    # The largest component's square is black.
    still = np.asarray(Image.open(folder / "spring.png"))
    assert still.shape == (720, 1280, 3) and still[130:180, 50:100].min() < 20

    record = making.read_film(folder / "spring.json")
    assert record["r2"] == pytest.approx(recording.r2[-1].tolist(), abs=1e-5)
    assert f"{record['r2'][0]:.4f}" in record["text"] and record["files"]["spring.mp4"] < 5_000_000
    assert "symlib film --law spring" in record["provenance"]["command"]
    text = making.facts(record)
    assert f"{record['r2'][0]:.4f}" in text and f"| {record['components_that_speak']} |" in text
    html = making.film_html({**record, "text": 'a "quoted" <text>'}, "../_static/film/")
    assert "&quot;quoted&quot; &lt;text&gt;" in html and 'src="../_static/film/spring.mp4"' in html
    loop = making.film_html(record, "_static/film", playing=True)
    assert "prefers-reduced-motion" in loop and "spring.webp" in loop and "alt=" in loop
    (folder / "spring.mp4").unlink()
    with pytest.raises(InputError, match=r"spring\.mp4 is missing"):
        making.read_film(folder / "spring.json")
    (folder / "spring.json").write_text(json.dumps({**record, "kind": "cell"}))
    with pytest.raises(InputError, match="not of symlib film"):
        making.read_film(folder / "spring.json")


def test_a_law_of_ones_own_is_filmed_and_its_recording_kept_in_the_cache(tmp_path):
    law = f"{ROOT}/book/examples/my_laws.py:YUKAWA"
    options = {"cache": tmp_path / "cache", "progress": False, "looks": 3}
    first = make_film(law, 3, "kl", "smoke", out=tmp_path / "a", **options)
    (kept,) = (tmp_path / "cache" / "film").glob("yukawa-3-kl-0-*.npz")
    before = kept.stat().st_mtime_ns
    again = make_film(law, 3, "kl", "smoke", out=tmp_path / "b", **options)
    assert again["r2"] == pytest.approx(first["r2"]) and kept.stat().st_mtime_ns == before


def test_what_happened_during_training_is_a_figure(recording):
    figure, text = making.history(recording)
    left, right = figure.axes
    assert len(left.lines) == 15 and len(right.lines) == 2
    np.testing.assert_allclose(right.lines[0].get_ydata(), 1 - recording.r2[:, 0], atol=1e-6)
    assert f"{1 - recording.r2[-1, 0]:.2g}" in text
    figure, text = making.stills(recording, [0, len(recording) - 1])
    assert len(figure.axes) == 2 and f"{recording.total}" in text and "R squared" in text


def test_bad_input_says_what_to_do(recording, tmp_path):
    with pytest.raises(InputError, match="sends no messages"):
        record_film("spring", 2, "flathgn", "smoke", progress=False)
    with pytest.raises(InputError, match="at least 2"):
        record_film("spring", 2, "l1", "smoke", looks=1, progress=False)
    np.savez(tmp_path / "other.npz", weight=np.zeros(3))
    (tmp_path / "broken.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:500])
    for name, said in (
        ("absent", "no such file"),
        ("other", "no snapshots"),
        ("broken", "no snap"),
    ):
        with pytest.raises(InputError, match=rf"{name}\.npz: .*{said}.*symlib film"):
            read_recording(tmp_path / f"{name}.npz")
    with pytest.raises(InputError, match="of another run"):
        record_film("r1", 2, "kl", "smoke", path=tmp_path / "a.npz", progress=False)
