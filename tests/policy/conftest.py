"""What all tests of this room share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.policy.both_ways import every_door_both_ways


@pytest.fixture(scope="module", autouse=True)
def _both_ways() -> Iterator[None]:
    with every_door_both_ways():
        yield
