"""Which classes of the conformance suite run in every test run, and which only when all is asked for."""

from __future__ import annotations

import pytest

from tests.socketcan import on_vcan


class TestRingOnVcan(on_vcan.TestRingOnVcan):
    pass


class TestRawOnVcan(on_vcan.TestRawOnVcan):
    pass


@pytest.mark.long
class TestPythonCanOnVcan(on_vcan.TestPythonCanOnVcan):
    pass
