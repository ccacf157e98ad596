"""What all rooms' tests share: where the real recordings, databases and pictures are."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Hand out the folder of real recordings and databases beside the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real recordings, ../shared/data, is not beside the project")
    return SHARED_DATA
