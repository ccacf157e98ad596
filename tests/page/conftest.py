"""What the page's tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.page.browser_like import Visitor
from tests.page.served import Served, make, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Hand out a page that is served."""
    with serving(make(tmp_path)) as page:
        yield page


@pytest.fixture
def visitor(served: Served) -> Visitor:
    """Hand out somebody who visits it."""
    return Visitor(served)
