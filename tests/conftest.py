"""What all rooms' tests share: where the real recordings, databases and pictures are."""

import contextlib
import importlib
import logging
import os
import sys
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


def pytest_sessionstart(session: pytest.Session) -> None:
    """Let each of several workers rewrite the asserts of its share of modules; the others find that done.

    All workers collect all tests: in a fresh clone each would rewrite each module, which takes longer than
    all else there is to collecting.
    """
    worker: dict[str, object] | None = getattr(session.config, "workerinput", None)
    everything = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if worker is None or not everything or sys.dont_write_bytecode:
        return
    share, shares = int(str(worker["workerid"]).removeprefix("gw")), int(str(worker["workercount"]))
    for path in sorted(Path(__file__).parent.rglob("test_*.py"))[share::shares]:
        # What is wrong with a module is said when it is collected.
        with contextlib.suppress(Exception, pytest.fail.Exception, pytest.skip.Exception):
            importlib.import_module(".".join(path.relative_to(session.config.rootpath).with_suffix("").parts))


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
