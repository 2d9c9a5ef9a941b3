"""A study is measured once, and again from the first stage that changed."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from symlib.errors import NonFiniteLoss
from symlib.records import stages
from symlib.records.reading import flaw_of, read_records
from symlib.records.record import read_record, write_record
from symlib.records.study import FRESH, STALE, UNVERSIONED, Study


@dataclass(frozen=True)
class Toy(Study):
    """A number, doubled by one stage and named by the next."""

    number: int = 1
    preset: str = "ci"

    kind: ClassVar[str] = "toy"
    stages: ClassVar[tuple[str, ...]] = ("train", "judge")
    calls: ClassVar[list] = []
    breaks: ClassVar[Exception | None] = None

    def path(self, folder):
        return Path(folder) / f"toy-{self.number}.json"

    def inputs(self):
        return [self.number]

    def command(self):
        return f"toy {self.number}"

    def check(self, engine="auto"):
        pass

    def measure(self, **_):
        self.calls.append("measure")
        if self.breaks:
            raise self.breaks
        return {
            "engine": "operon",
            "double": 2 * self.number,
            "said": "even",
            "earlier_seconds": 7.0,
        }

    def again(self, stage, record, **options):
        self.calls.append(stage)
        return {"double": record["double"], "said": "two", "seconds": record["seconds"]}


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setattr(Toy, "calls", [])
    # Whatever has become of the stages since.
    for stage in Toy.stages:
        monkeypatch.setitem(stages.HISTORY, stage, ("the first",))
    return Toy()


def behind(path, **changes) -> dict:
    record = read_record(path)
    write_record(path, record | {"made_by": record["made_by"] | changes})
    return read_record(path)


def test_what_is_on_record_is_not_measured_again(toy, tmp_path):
    record, new = toy.run(tmp_path)
    assert new and record["double"] == 2 and record["made_by"] == stages.versions(toy.stages)
    # What lay in the cache took the time that it took then.
    assert 7.0 <= record["seconds"] == record["provenance"]["seconds"] < 8.0
    assert record["provenance"]["command"] == "toy 1" and toy.standing(record) == FRESH
    assert toy.run(tmp_path) == (record, False) and toy.calls == ["measure"]
    assert not toy.is_done(tmp_path, engine="pysr") and not Toy(2).is_done(tmp_path)
    # The preset's name is no input.
    assert Toy(1, "laptop").standing(record) == FRESH != Toy(2).standing(record)


def test_only_the_stages_that_changed_run_again(toy, tmp_path):
    toy.run(tmp_path)
    assert toy.standing(behind(toy.path(tmp_path), judge=0)) == STALE
    record, new = toy.run(tmp_path)
    assert new and toy.calls == ["measure", "judge"] and record["said"] == "two"
    behind(toy.path(tmp_path), train=0)
    record, _ = toy.run(tmp_path)
    assert toy.calls[-1] == "measure" and record["said"] == "even"


def test_a_record_that_does_not_say_what_made_it_is_measured_again(toy, tmp_path):
    record, _ = toy.run(tmp_path)
    old = {key: value for key, value in record.items() if key != "made_by"}
    assert toy.standing(old) == UNVERSIONED
    write_record(toy.path(tmp_path), old | {"kind": "toy"})
    assert not toy.is_done(tmp_path)
    for text in ("", "{", '{"format": "symlib-record-1", "kind": "other"}'):
        toy.path(tmp_path).write_text(text)
        assert not toy.is_done(tmp_path)
    toy.run(tmp_path)
    assert toy.is_done(tmp_path)


def test_what_breaks_down_is_on_record_and_tried_again_when_asked(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(Toy, "breaks", NonFiniteLoss(f"at step 7, see {tmp_path}/x"))
    record, _ = toy.run(tmp_path, cache=tmp_path)
    assert record["failed"] == "NonFiniteLoss: at step 7, see …/x"
    assert toy.run(tmp_path)[1] is False and toy.run(tmp_path, retry=True)[1] is True
    monkeypatch.setattr(Toy, "breaks", None)
    assert "failed" not in toy.run(tmp_path, retry=True)[0]


@pytest.mark.parametrize(
    "fault", [OSError(28, "no space left"), MemoryError(), KeyboardInterrupt(), RuntimeError("x")]
)
def test_a_fault_of_the_machine_is_no_result(toy, tmp_path, monkeypatch, fault):
    monkeypatch.setattr(Toy, "breaks", fault)
    with pytest.raises(type(fault)):
        toy.run(tmp_path)
    assert not toy.path(tmp_path).exists()


def test_a_failure_never_replaces_results(toy, tmp_path, monkeypatch):
    toy.run(tmp_path)
    before = behind(toy.path(tmp_path), train=0)
    monkeypatch.setattr(Toy, "breaks", NonFiniteLoss("at step 7"))
    with pytest.raises(NonFiniteLoss):
        toy.run(tmp_path)
    assert read_record(toy.path(tmp_path)) == before


def test_a_raised_version_makes_records_stale(toy, tmp_path, monkeypatch):
    record, _ = toy.run(tmp_path)
    before = stages.versions(toy.stages)
    monkeypatch.setitem(stages.HISTORY, "judge", (*stages.HISTORY["judge"], "a stricter rule"))
    assert stages.version("judge") == before["judge"] + 1 and toy.standing(record) == STALE
    assert stages.first_behind(record["made_by"], toy.stages) == "judge"
    assert toy.run(tmp_path)[0]["made_by"] == {**before, "judge": before["judge"] + 1}


def test_records_are_read_by_their_schema_and_others_named(tmp_path):
    good = {"kind": "cosmology", "formula": "simple", "preset": "ci", "seed": 0, "error_test": 0.1}
    write_record(tmp_path / "good.json", good)
    write_record(tmp_path / "odd.json", good | {"seed": "0"})
    (tmp_path / "torn.json").write_text("{")
    found, problems = read_records(tmp_path, "*.json", "cosmology")
    assert list(found) == ["good.json"] and len(problems) == 2
    assert problems[0].startswith("record odd.json: seed: '0' is not of type 'integer'")
    assert problems[1].startswith("record torn.json: damaged") and str(tmp_path) not in problems[1]
    assert flaw_of(good, "cosmology") is None
