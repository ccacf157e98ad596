"""A recording whose channels the configuration does not name is no silent success."""

import logging

import pytest

from edge.bus.channels import MatchedChannels
from edge.bus.memory import MemorySource
from edge.errors import SourceError
from edge.frames import Frame, FrameBatch


def source(*buses: str) -> MemorySource:
    return MemorySource([FrameBatch.from_frames([Frame(1, 2, b"", bus=bus) for bus in buses])])


def test_no_matching_channel_is_an_error_that_names_the_label() -> None:
    matched = MatchedChannels(source("can0"), ["powertrain"], "drive.log")
    assert matched.read(0) is not None
    with pytest.raises(SourceError, match='recording_channel = "can0"'):
        matched.read(0)


def test_some_strange_channels_are_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    matched = MatchedChannels(source("powertrain", "can1"), ["powertrain"], "drive.log")
    with caplog.at_level(logging.WARNING):
        while matched.read(0) is not None:
            pass
    assert "can1" in caplog.text


def test_matching_channels_are_quiet(caplog: pytest.LogCaptureFixture) -> None:
    matched = MatchedChannels(source("powertrain"), ["powertrain", "body"], "drive.log")
    while matched.read(0) is not None:
        pass
    assert not caplog.text
