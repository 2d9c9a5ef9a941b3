"""The commands: the whole road end to end, and refusals before any long work."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_tracks import small_table

from symlib import cli, discovery
from symlib.laws.potentials import get_law
from symlib.records.record import read_record
from symlib.training import presets

FIELDS = {
    "law", "dim", "model", "preset", "seed", "engine", "steps", "seconds", "test_loss",
    "trivial_loss", "r2", "equation", "complexity", "recovered", "provenance",
}  # fmt: skip


@pytest.fixture
def tiny(monkeypatch):
    """The road at a scale of seconds: what comes out need not be the law."""
    preset = presets.PRESETS["ci"]
    small = replace(
        preset, systems=30, steps=50, snapshots=500, test_snapshots=100,
        training_steps=150, changes={"precision": "float32", "compiled": False},
        budget={"searches": 1, "generations": 5, "population": 100, "rounds": 0},
    )  # fmt: skip
    monkeypatch.setitem(presets.PRESETS, "ci", small)
    return small


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


@pytest.mark.slow
@pytest.mark.parametrize("model", ["bottleneck", "kl"])
def test_discover_goes_the_whole_road_and_again_from_its_cache(tiny, tmp_path, capsys, model):
    path, cache = tmp_path / "out" / "record.json", tmp_path / "cache"
    command = [
        "discover",
        "--law",
        "spring",
        "--model",
        model,
        "--preset",
        "ci",
        "--cache",
        cache,
    ]
    assert run(*command, "--json", path) == 0
    record = read_record(path)
    assert set(record) >= FIELDS
    assert record["steps"] == 150 and record["engine"] in ("operon", "pysr")
    for quantity in ("force", "acceleration"):
        assert set(record["r2"][quantity]) == {"all", "kept90"}
    out = capsys.readouterr().out
    assert record["equation"] in out and "verdict" in out and "trivial" in out
    assert run(*command, "--json", path) == 0
    again = read_record(path)
    assert again["network_from_cache"] and again["equation"] == record["equation"]


@pytest.mark.slow
def test_discover_takes_a_law_from_a_file(tiny, tmp_path):
    file = tmp_path / "laws.py"
    file.write_text(
        "import jax.numpy as jnp\n"
        "from symlib.laws.potentials import PairPotential\n"
        'YUKAWA = PairPotential("yukawa", lambda r, a, b: -a.mass * b.mass * jnp.exp(-r) / r, '
        "dt=0.005)\n"
    )
    path = tmp_path / "record.json"
    command = ["discover", "--law", f"{file}:YUKAWA", "--dim", 3, "--preset", "ci", "--fresh"]
    assert run(*command, "--quiet", "--json", path) == 0
    assert read_record(path)["dim"] == 3
    assert "yukawa" in read_record(path)["verdict"]["reason"] or not read_record(path)["recovered"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--law", "gravity"], "unknown law 'gravity'.*spring"),
        (["--law", "spring", "--model", "gnn"], "unknown model 'gnn'.*bottleneck"),
        (["--law", "spring", "--preset", "huge"], "unknown preset 'huge'.*laptop"),
        (["--law", "spring", "--engine", "gp"], "unknown engine 'gp'.*operon"),
        (["--law", "spring", "--dim", "4"], "dim"),
        (["--law", "spring", "--bodies", "1"], "bodies"),
        (["--law", "spring", "--seed", "-1"], "seed"),
        (["--law", "nowhere.py:LAW"], "no file nowhere.py"),
        (["--law", "spring", "--json", "."], "folder"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments, words, capsys):
    assert run("discover", *arguments) == 2
    told(capsys, words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one of the two; neither was given"),
        (["FILE", "--law", "spring"], "one of the two; both were given"),
        (["absent.csv"], "absent.csv: there is no such file"),
        (["FILE", "--dim", "3"], "--dim goes with --law alone"),
        (["FILE", "--bodies", "4"], "--bodies goes with --law alone"),
        (["FILE", "--recipe", "plain"], "--recipe goes with --law alone"),
        (["--law", "spring", "--one-body"], "--one-body goes with a file of tracks alone"),
        (["--law", "spring", "--seeds", "2"], "--seeds goes with a file of tracks alone"),
        (["FILE", "--model", "flathgn"], "unknown model 'flathgn'"),
        (["FILE", "--columns", "trackpi"], "unknown columns 'trackpi'.*trackmate"),
        (["FILE", "--columns", "when=t"], "unknown name in columns 'when'.*time"),
        (["FILE", "--units", "length=s"], "'s' is no unit of length"),
        (["FILE", "--fps", "-25"], "fps: a positive number"),
        (["FILE", "--fps", "nan"], "fps: a positive number"),
        (["FILE", "--neighbours", "0"], "neighbours: a positive number"),
        (["FILE", "--window", "3"], "window: a whole number, at least 7"),
        (["FILE", "--seeds", "0"], "seeds"),
        (["FILE", "--select", "best"], "unknown select 'best'"),
        (["FILE", "--loss", "energy"], "unknown loss 'energy'"),
        (["FILE", "--json", "."], "is a folder"),
    ],
)
def test_bad_arguments_with_tracks_are_refused_at_once(arguments, words, tmp_path, capsys):
    file = tmp_path / "seen.csv"
    file.write_text("time,track,x,y\n")
    assert run("discover", *(file if word == "FILE" else word for word in arguments)) == 2
    told(capsys, words)


def told(capsys, words):
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert re.search(words, line), line


def counted(seen, frame=0.05):
    """The same with numbers of frames in place of times."""
    return seen.assign(time=(seen.time / frame).round().astype(int))


BAD_TRACKS = [
    (counted, ["--dt", "0.5"], "dt is 10 times smaller, 0.05 in place of 0.5"),
    (counted, [], "times are whole numbers.*fps"),
    (counted, ["--dt", "0.05", "--fps", "20"], "fps, dt: one of them"),
    (lambda seen: seen.assign(mass=0.0), [], "mass of track .* is 0; masses are positive"),
    (lambda seen: seen.assign(mass=-seen.mass), [], "mass of track .* is -.*positive"),
    (lambda seen: seen, ["--masses", "-2"], "mass of track .* is -2"),
    (lambda seen: seen, ["--masses", "absent.csv"], "absent.csv: there is no such file"),
    (lambda seen: seen.drop(columns="x"), [], "no column x, only recording, time, track, y"),
    (
        lambda seen: seen.rename(columns={"vx": "vy", "vy": "vx"}), [],
        "axes of positions and velocities are swapped",
    ),
    (lambda seen: pd.concat([seen, seen.iloc[[7]]]), [], "line 602: .* already, in line 9"),
    (lambda seen: seen[seen.time < 0.12][["time", "track", "x", "y"]], [], "seen together|too few"),
    (lambda seen: seen[(seen.time < 0.12) & (seen.recording == 0)], [], "too few"),
    (lambda seen: seen.assign(y=1e31), [], "column y: .* above 1e"),
    (lambda seen: seen.assign(x=np.inf), [], "column x: .* is infinite"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "arguments", "words"), BAD_TRACKS)
def test_bad_tracks_end_in_one_line_before_training(
    spoil, arguments, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("symlib.discovery.tracks._train", lambda *_: pytest.fail("it trained"))
    file = tmp_path / "seen.csv"
    spoil(small_table()).to_csv(file, index=False)
    assert run("discover", file, "--fresh", "--quiet", *arguments) == 2
    told(capsys, words)


def test_pysr_without_julia_says_how_to_have_it(monkeypatch, capsys):
    monkeypatch.setattr("symlib.symbolic.search.engines.find_julia", lambda: None)
    assert run("discover", "--law", "spring", "--engine", "pysr") == 3
    assert "import pysr" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--help"], 0, "discover"),
        (["discover", "--law", "gravity"], 2, "unknown law"),
        (["film", "--model", "flathgn"], 2, "unknown model"),
        (["discover", "--law", "spring", "--engine", "pysr"], 3, "import pysr"),
        (["discover", "absent.csv"], 2, "no such file"),
        (["discover", __file__, "--dim", "3"], 2, "goes with --law alone"),
        (["discover", __file__, "--units", "length=s"], 2, "no unit of length"),
    ],
)
def test_help_and_refusals_come_before_anything_slow_is_loaded(tmp_path, arguments, status, said):
    """As a user meets it: a fresh process, with no Julia anywhere."""
    program = (
        "import sys; from symlib.cli import main; code = main(sys.argv[1:])\n"
        "slow = {'torch', 'jax', 'pandas', 'sympy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded {slow}' if slow else code)"
    )
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == status and said in done.stdout + done.stderr, done.stderr


def test_a_law_may_be_called_anything():
    law = replace(get_law("spring"), name="my law / 2 (new)")
    assert discovery.laws._file_name(law) == "my_law_2_new_"


def test_laws_are_listed(capsys):
    assert run("laws") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("r2", "r1", "spring", "damped", "charge", "discontinuous"))
