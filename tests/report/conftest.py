"""The simulated week, lived once for all tests of the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.forging import Copy, copy_of
from tests.report.week import Week, live_a_week


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    return live_a_week(tmp_path_factory.mktemp("week"))


@pytest.fixture
def copy(week: Week, tmp_path: Path) -> Copy:
    return copy_of(week.folder, tmp_path / "copy")
