"""A gateway that has no descriptors left cannot start a camera's process, and goes on without."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

import pytest

from edge.capturing.rights import Rights
from edge.errors import VisionError
from edge.vision.process.started import StartedVision

_OPEN = Path("/proc/self/fd")


@pytest.mark.parametrize("free", [1, 3, 5])
def test_without_descriptors_it_is_an_error_that_is_known_and_none_is_left_open(free: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = len(list(_OPEN.iterdir()))
    held: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 32, hard))
    try:
        with suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(free):
            os.close(held.pop())
        with pytest.raises(VisionError, match="open files"):
            StartedVision(Rights(), "nobody:nothing")
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(list(_OPEN.iterdir())) == before
