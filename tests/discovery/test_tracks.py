"""From tracks to a law, and which of the two doors `symlib.discover` opens."""

import inspect
import signal

import numpy as np
import pytest
import sympy as sp
from small_tracks import LAW, small_preset, small_table

import symlib
from symlib import cli
from symlib.discovery import laws, tracks
from symlib.errors import InputError
from symlib.records.reading import flaw_of
from symlib.records.record import read_record
from symlib.training import forces, presets


@pytest.mark.slow
def test_a_file_becomes_a_law_and_an_interrupted_call_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(presets.PRESETS, "ci", small_preset())
    path, cache, out = tmp_path / "seen.csv", tmp_path / "cache", tmp_path / "out" / "found.json"
    small_table().rename(columns={"time": "t", "track": "who"}).to_csv(path, index=False)
    command = ["discover", path, "--columns", "time=t,track=who", "--units", "length=um,time=s"]
    command = [*map(str, [*command, "--preset", "ci", "--cache", cache, "--json", out])]

    batch = forces._Loop.batch

    def pressed(loop, rng):
        if loop.run.steps == 20:
            signal.raise_signal(signal.SIGINT)
        return batch(loop, rng)

    with monkeypatch.context() as patch:
        patch.setattr(forces._Loop, "batch", pressed)
        assert cli.main(command) == 130
    assert "goes on" in capsys.readouterr().err and not out.exists()
    assert len([*cache.glob("tracks-2-bottleneck-*.safetensors")]) == 1

    walked = []

    def counted(loop, rng):
        walked.append(loop.run.steps)
        return batch(loop, rng)

    with monkeypatch.context() as patch:
        patch.setattr(forces._Loop, "batch", counted)
        assert cli.main(command) == 0
    # The step in which Ctrl-C came was finished, and none is walked twice.
    assert walked == list(range(21, 40))
    said = capsys.readouterr()
    # The bar shows what knowing nothing would cost beside the loss.
    assert "trivial=" in said.err
    record = read_record(out)
    assert record["steps"] == 40
    assert flaw_of(record, "tracks") is None
    assert record["reading"] == {
        "file": "seen.csv",
        "columns": "time=t,track=who",
        "units": {"length": "um", "time": "s"},
    }
    # Nobody said what masses are measured in.
    assert record["equations"][0]["units"] is None
    found = sp.lambdify(sp.symbols("m2 r"), sp.sympify(record["law"]))
    truth = sp.lambdify(sp.symbols("m2 r"), sp.sympify(LAW))
    r = np.linspace(0.2, 5, 50)
    np.testing.assert_allclose(found(1.7, r), truth(1.7, r), rtol=1e-4)
    assert record["law"] in said.out and record["learned"] == "learned"
    assert record["loss"]["equation"] < 1e-3 * record["loss"]["trivial"]
    sizes = {len(record["radial"][name]) for name in ("r", "network", "equation", "baseline")}
    assert len(sizes) == 1 and record["windows"]["frames"] == 150
    assert record["front"][record["best"]]["equation"] == record["law"]


@pytest.fixture
def opened(monkeypatch):
    """Which door was opened, and with what; neither is walked through."""
    calls = []
    for module, name in ((laws, "discover"), (tracks, "discover_tracks")):
        # What a door takes is read off its signature.
        walk = getattr(module, name)

        def door(what, *arguments, _of=name, **options):
            calls.append((_of, options))

        door.__signature__ = inspect.signature(walk)
        monkeypatch.setattr(module, name, door)
    return calls


def test_a_law_goes_one_way_and_tracks_go_the_other(opened, tmp_path):
    path = tmp_path / "seen.csv"
    small_table().to_csv(path, index=False)
    named = tmp_path / "tracks"
    named.write_bytes(path.read_bytes())
    law = symlib.PairPotential("mine", lambda r, a, b: r, dt=0.01)
    for what in ("spring", "my_laws.py:YUKAWA", law, "gravity"):
        symlib.discover(what, dim=3)
    assert [name for name, _ in opened] == ["discover"] * 4
    opened.clear()
    for what in (path, str(path), str(named), small_table(), symlib.read(path), "absent.csv"):
        symlib.discover(what, one_body=True)
    assert [name for name, _ in opened] == ["discover_tracks"] * 6


def test_an_option_of_the_other_door_is_refused(opened):
    with pytest.raises(InputError, match=r"dim is no option where tracks are given.*one_body"):
        symlib.discover(small_table(), dim=3)
    with pytest.raises(InputError, match=r"fps, masses is no option where a law is given.*bodies"):
        symlib.discover("spring", fps=25, masses=1.0)
    with pytest.raises(InputError, match=r"a law, or tracks.*got int"):
        symlib.discover(3)
    assert not opened


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "flathgn"}, "unknown model 'flathgn'.*pruned"),
        ({"select": "best"}, "unknown select 'best'.*held-out"),
        ({"loss": "energy"}, "unknown loss 'energy'.*trajectory"),
        ({"neighbours": -1.0}, "neighbours: a positive number"),
        ({"neighbours": 1e-9}, "no two bodies are ever within"),
        ({"seeds": 0}, "seeds: a whole number"),
        ({"loss": "trajectory"}, "accelerations were measured"),
        ({"window": 9}, "window: accelerations were measured"),
        ({"columns": "trackpi"}, "unknown columns 'trackpi'.*trackpy"),
    ],
)
def test_what_cannot_be_done_is_said_before_training(options, said, monkeypatch):
    monkeypatch.setattr(tracks, "_train", lambda *_: pytest.fail("it trained"))
    with pytest.raises(InputError, match=said):
        tracks.discover_tracks(small_table(), progress=False, **options)


def test_tracks_that_were_read_take_no_more_telling():
    with pytest.raises(InputError, match="fps, units: these tracks were read already"):
        tracks.discover_tracks(symlib.read(small_table()), fps=25, units="length=um")


def test_another_mass_is_another_checkpoint(monkeypatch, tmp_path):
    class Seen(Exception):
        pass

    seen = []

    def train(*_, checkpoint, **__):
        seen.append(checkpoint)
        raise Seen

    monkeypatch.setattr(tracks, "train_forces", train)
    table = small_table()
    for heavy in (table.mass, table.mass, table.mass**2):
        with pytest.raises(Seen):
            tracks.discover_tracks(
                table.assign(mass=heavy), cache=tmp_path, preset=small_preset(), progress=False
            )
    first, again, other = seen
    assert first == again != other
