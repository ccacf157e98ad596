"""How the tests of this room read a source to its end, and what frames they make up."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from edge.bus.source import FrameSource
from edge.frames import NO_FLAGS, Frame, FrameBatch, FrameFlag, concatenate

FD_LENGTHS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)


def read_all(source: FrameSource) -> FrameBatch:
    """All frames of a source that never waits."""
    batches = []
    while (batch := source.read(0)) is not None:
        batches.append(batch)
    return concatenate(batches) if batches else FrameBatch.empty(source.buses)


def frames_of(batch: FrameBatch) -> list[Frame]:
    return [batch.frame(place) for place in range(len(batch))]


def without_time(frames: Iterable[Frame]) -> list[tuple[int, bytes, str, FrameFlag]]:
    return [(frame.arbitration_id, frame.data, frame.bus, frame.flags) for frame in frames]


@st.composite
def frames(
    draw: st.DrawFn,
    *,
    buses: tuple[str, ...] = ("0", "1"),
    resolution_ns: int = 1000,
    fd: bool = True,
    transmitted: bool = True,
) -> Frame:
    """A frame that a controller can have seen: data or, where the form allows, CAN FD."""
    flags = FrameFlag.EXTENDED if draw(st.booleans()) else NO_FLAGS
    limit = 0x1FFFFFFF if flags else 0x7FF
    length = draw(st.integers(0, 8))
    if fd and draw(st.booleans()):
        flags |= FrameFlag.FD | draw(
            st.sampled_from((NO_FLAGS, FrameFlag.BITRATE_SWITCH, FrameFlag.ERROR_STATE))
        )
        length = draw(st.sampled_from(FD_LENGTHS))
    if transmitted and draw(st.booleans()):
        flags |= FrameFlag.TRANSMITTED
    return Frame(
        t_ns=draw(st.integers(0, 2 * 10**9)) * resolution_ns,
        arbitration_id=draw(st.integers(0, limit)),
        data=draw(st.binary(min_size=length, max_size=length)),
        bus=draw(st.sampled_from(buses)),
        flags=flags,
    )
