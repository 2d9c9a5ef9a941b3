"""What test files share: the chapters that this run executed."""

import pytest
from hypothesis import settings

# A first call compiles, and a busy machine is slow.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def executed_chapters(tmp_path_factory):
    """Where chapters go that are executed, and where those look that want to see them."""
    return tmp_path_factory.mktemp("chapters") / "notebooks"


def pytest_collection_modifyitems(items):
    # The browser looks at the site of the executed chapters, so it comes after them.
    items.sort(key=lambda item: {"site", "executed_chapters"} <= set(item.fixturenames))
