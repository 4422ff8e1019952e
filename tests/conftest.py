"""What several tests share: models, pictures and recordings; everything is made here or real."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"
REQUIRE_SHARED = "VERIFY_APP_REQUIRE_SHARED"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if (SHARED / "data").is_dir():
        return
    reason = f"needs the development data in {SHARED / 'data'}"
    for item in items:
        if item.get_closest_marker("shared_data") is not None:
            if os.environ.get(REQUIRE_SHARED) == "1":
                item.add_marker(pytest.mark.usefixtures("_shared_data_is_required"))
            else:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def _shared_data_is_required() -> None:
    pytest.fail(f"{REQUIRE_SHARED}=1, but there is no development data in {SHARED / 'data'}")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of development data; use it together with the marker ``shared_data``."""
    return SHARED / "data"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top folder of the checkout."""
    return REPOSITORY
