"""Execute every chapter at the ci preset and hold its metrics against the record."""

import json

import pytest
from regression import EXPECTED, compare, read_expected

from symlib.book.building import chapter_names, execute, find_root

CHAPTERS = chapter_names(find_root())


def test_every_chapter_is_on_record():
    assert CHAPTERS
    assert sorted(path.stem for path in EXPECTED.glob("*.json")) == CHAPTERS


@pytest.mark.notebook
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter(chapter, executed_chapters):
    (metrics,) = execute("ci", seed=0, chapters=[chapter], out=executed_chapters)
    assert metrics.is_file(), f"{chapter} recorded no metrics: see record_metrics"
    measured = json.loads(metrics.read_text(encoding="utf-8"))
    problems = compare(measured, read_expected(chapter))
    if problems:
        pytest.fail(
            f"{chapter} differs from tests/expected/{chapter}.json:\n  "
            + "\n  ".join(problems)
            + f"\nall that it measured:\n{json.dumps(measured, indent=2)}",
            pytrace=False,
        )
