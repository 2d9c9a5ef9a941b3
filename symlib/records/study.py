"""A study: a long run that leaves a record, and need not be run again while that holds.

What a study measures, how it is called, and where its record lies is for each study to say. All of
them share this: a record holds a hash of everything that went in and the versions of the stages
that made it (`symlib.records.stages`); what is on record as it would be made now is not run again;
of what is not, only the stages that changed and those after them are.
"""

import hashlib
import json
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from symlib.errors import InputError, NonFiniteLoss
from symlib.records.record import plain, provenance, read_record, write_record
from symlib.records.stages import first_behind, versions

FRESH, STALE, UNVERSIONED = "fresh", "stale", "unversioned"


@dataclass(frozen=True)
class Study(ABC):
    """Something to be measured; its fields say what.

    A kind of study gives `kind`, the word in its records; `stages`, the ones it walks; and the
    methods below.
    """

    kind: ClassVar[str]
    stages: ClassVar[tuple[str, ...]]

    @abstractmethod
    def path(self, folder: str | Path) -> Path:
        """Where its record lies below `folder`."""

    @abstractmethod
    def inputs(self) -> list:
        """All that goes in, as plain values: names of presets do not count, their numbers do."""

    @abstractmethod
    def command(self) -> str:
        """What measures it again in a checkout."""

    @abstractmethod
    def check(self, engine: str = "auto") -> None:
        """Refuse what cannot work before any work (`InputError`, `MissingEngine`)."""

    @abstractmethod
    def measure(self, *, engine: str, cache: Path | None, progress: bool) -> dict:
        """Do the work; what was measured as a part of the record."""

    def again(self, stage: str, record: dict, **options) -> dict:
        """What was measured, anew from `stage` on; an older record holds what came before.

        Simulations and networks are in the cache under names that hold their stages' versions,
        so a study that can take everything from there has no need of this.
        """
        return self.measure(**options)

    def about(self) -> dict:
        """The study's own fields, as a record holds them."""
        return {spec.name: getattr(self, spec.name) for spec in fields(self)}

    def key(self) -> str:
        """A short hash of `inputs`."""
        return hash_of([self.kind, self.inputs()])

    def facts(self) -> dict:
        """What makes a record fresh: the hash of the inputs and the versions of the stages."""
        return {"key": self.key(), "made_by": versions(self.stages)}

    def standing(self, record: dict) -> str:
        """Whether a record is as it would be made now: fresh, stale, or unversioned."""
        if not record.get("key") or not isinstance(record.get("made_by"), dict):
            return UNVERSIONED
        if record["key"] != self.key():
            return STALE
        return STALE if first_behind(record["made_by"], self.stages) else FRESH

    def on_record(self, folder: str | Path) -> dict | None:
        """The record of this kind where it belongs; None where there is none that can be read."""
        try:
            record = read_record(self.path(folder))
        except InputError:
            return None
        return record if record.get("kind") == self.kind else None

    def is_done(self, folder: str | Path, *, engine: str = "auto", retry: bool = False) -> bool:
        """Whether it is on record as it would be made now.

        Args:
            folder: where the records lie.
            engine: a symbolic engine that the record must have used; auto is content with any.
            retry: what broke down is not done.
        """
        record = self.on_record(folder)
        if record is None or self.standing(record) != FRESH:
            return False
        if "failed" in record:
            return not retry
        return engine in ("auto", record.get("engine", engine))

    def run(
        self,
        folder: str | Path,
        *,
        engine: str = "auto",
        cache: Path | None = None,
        retry: bool = False,
        progress: bool = True,
    ) -> tuple[dict, bool]:
        """Measure it, unless it is on record.

        A study that breaks down leaves a record with its reason under `failed`, so that a grid
        goes on and a page can name it; never in the place of results.

        Args:
            folder: where the records lie.
            engine: auto, operon or pysr.
            cache: folder for simulations and checkpoints; None keeps none.
            retry: run again what broke down.
            progress: show what is going on.

        Returns:
            The record, and whether it was made just now.

        Raises:
            InputError, MissingEngine: what cannot work, before any work.
            OSError, MemoryError: the machine's fault, of which nothing is put on record.
        """
        self.check(engine)
        path, older = self.path(folder), self.on_record(folder)
        if older is not None and self.is_done(folder, engine=engine, retry=retry):
            return older, False
        options: dict[str, Any] = {"engine": engine, "cache": cache, "progress": progress}
        facts, began = self.facts(), time.perf_counter()
        try:
            stage = self._from(older, engine)
            if older is None or stage is None:
                measured = self.measure(**options)
            else:
                measured = self.again(stage, older, **options)
        except (NonFiniteLoss, ArithmeticError, ValueError) as error:
            if older is not None and "failed" not in older:
                raise
            measured = {"failed": _reason(error, cache)}
        # Part of the work may have been done earlier, and lain in the cache.
        spent = time.perf_counter() - began + measured.pop("earlier_seconds", 0.0)
        seconds = measured.pop("seconds", round(spent, 1))
        record = {
            "kind": self.kind,
            **self.about(),
            **measured,
            "seconds": seconds,
            **facts,
            "provenance": {**provenance(0, self.command()), "seconds": seconds},
        }
        write_record(path, plain(record))
        return read_record(path), True

    def _from(self, older: dict | None, engine: str) -> str | None:
        """The stage from which a record is to be made anew; None for all of it."""
        if older is None or "failed" in older or older.get("key") != self.key():
            return None
        if engine not in ("auto", older.get("engine", engine)):
            return None
        stage = first_behind(older.get("made_by") or {}, self.stages)
        return None if stage == self.stages[0] else stage


def hash_of(values) -> str:
    """A short hash of plain values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def _reason(error: Exception, cache: Path | None) -> str:
    """What went wrong, in a line, without the folders of the machine it went wrong on."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    for folder in (cache, Path.cwd(), Path.home()):
        if folder is not None and len(str(folder)) > 1:
            text = text.replace(str(folder), "…")
    return text if len(text) <= 300 else text[:299] + "…"
