"""What all rooms' tests share: where the real recordings, databases and pictures are."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# How long an example takes says more of the machine than of the code. How many there are is bounded by the
# time that all tests together may take.
hypothesis.settings.register_profile(
    "any machine", deadline=None, max_examples=int(os.environ.get("NEVGATE_EXAMPLES", "50"))
)
hypothesis.settings.load_profile("any machine")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Hand out the folder of real recordings and databases beside the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real recordings, ../shared/data, is not beside the project")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def log_left_as_it_was() -> Iterator[None]:
    """Take away what a command that a test ran in this process has set up to log to its standard error."""
    yield
    root = logging.getLogger()
    for handler in list(root.handlers):
        if type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
