"""Pacing hands each frame on when it is due by the clock, at any speed, and loses none."""

from __future__ import annotations

import pytest

from edge.bus.memory import MemorySource
from edge.bus.pace import paced
from edge.clock import VirtualClock
from edge.frames import Frame, FrameBatch
from tests.bus.reading import frames_of

MS = 1_000_000


def recording(*times_ms: int, size: int = 100) -> MemorySource:
    frames = [Frame(t_ms * MS, number, b"") for number, t_ms in enumerate(times_ms)]
    return MemorySource(
        [FrameBatch.from_frames(frames[begin : begin + size]) for begin in range(0, len(frames), size)]
    )


def handed_on(
    source: MemorySource, clock: VirtualClock, speed: float, timeout_s: float
) -> list[tuple[int, int]]:
    """Each frame's id with the clock's time in milliseconds at which it came."""
    came = []
    with paced(source, clock=clock, speed=speed) as slow:
        while (batch := slow.read(timeout_s)) is not None:
            came += [(frame.arbitration_id, clock.boot_ns() // MS) for frame in frames_of(batch)]
        assert slow.hop().balanced
        assert not slow.hop().set_aside
    return came


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize(("speed", "due"), [(1.0, [50, 60, 60, 150]), (10.0, [50, 51, 51, 60])])
def test_frames_come_when_they_are_due(size: int, speed: float, due: list[int]) -> None:
    came = handed_on(recording(7_000, 7_010, 7_010, 7_100, size=size), VirtualClock(50 * MS), speed, 10.0)
    assert came == list(enumerate(due))


def test_read_returns_empty_when_nothing_is_due_in_time() -> None:
    clock = VirtualClock()
    with paced(recording(0, 1000), clock=clock, speed=1.0) as slow:
        sizes = [len(slow.read(0.25) or ()) for _ in range(5)]
        assert slow.hop().balanced
    assert sizes == [1, 0, 0, 0, 1]
    assert clock.boot_ns() == 1000 * MS


def test_frame_older_than_one_before_it_goes_with_that_one_in_place() -> None:
    assert handed_on(recording(0, 20, 10, 30), VirtualClock(), 1.0, 1.0) == [
        (0, 0),
        (1, 20),
        (2, 20),
        (3, 30),
    ]


def test_what_is_not_due_yet_is_named_in_the_account() -> None:
    slow = paced(recording(0, 1000, 2000), clock=VirtualClock(), speed=1.0)
    slow.read(0)
    assert slow.hop().set_aside == {"waiting to be handed on": 2}
    assert slow.hop().left == 1
    slow.close()
    assert slow.hop().balanced
    assert slow.read(0) is None


def test_no_speed_is_as_fast_as_it_goes() -> None:
    source = recording(0, 10_000)
    assert paced(source, clock=VirtualClock(), speed=None) is source
    with pytest.raises(ValueError, match="positive"):
        paced(source, clock=VirtualClock(), speed=0)
