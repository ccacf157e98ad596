"""The merging rule: order of time within the horizon, none dropped, late ones counted, one timebase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.memory import MemorySource
from edge.bus.merge import merge
from edge.bus.source import FrameSource
from edge.clock import Timebase, TimeQuality, VirtualClock
from edge.errors import SourceError
from edge.frames import Frame, FrameBatch
from tests.bus.reading import frames_of, read_all

S = 10**9


def frame(t_ms: int, bus: str = "a", number: int = 1) -> Frame:
    return Frame(t_ms * 1_000_000, number, b"", bus)


def source(
    *frames: Frame, size: int = 1, timebase: Timebase | None = None, live: bool = False
) -> MemorySource:
    batches = [
        FrameBatch.from_frames(frames[begin : begin + size], timebase=timebase)
        for begin in range(0, len(frames), size)
    ]
    return MemorySource(batches, live=live)


def merged(*sources: FrameSource, horizon_s: float = 1.0) -> tuple[list[Frame], int]:
    with merge(sources, horizon_s=horizon_s) as together:
        batch = read_all(together)
        hop = together.hop()
    assert hop.balanced
    assert not hop.set_aside
    return frames_of(batch), hop.facts["late"]


def by_the_rule(arrived: Sequence[Frame], horizon_ns: int) -> tuple[list[Frame], int]:
    """The rule as its words say it, one frame at a time."""
    waiting: list[tuple[int, str, int, Frame]] = []
    handed: list[Frame] = []
    newest = -(10**18)
    for place, each in enumerate(arrived):
        newest = max(newest, each.t_ns)
        waiting.append((each.t_ns, each.bus, place, each))
        going = sorted(entry[:3] for entry in waiting if entry[0] <= newest - horizon_ns)
        handed += [arrived[entry[2]] for entry in going]
        waiting = [entry for entry in waiting if entry[0] > newest - horizon_ns]
    handed += [arrived[entry[2]] for entry in sorted(entry[:3] for entry in waiting)]
    late = sum(
        each.t_ns < max((before.t_ns for before in handed[:place]), default=each.t_ns)
        for place, each in enumerate(handed)
    )
    return handed, late


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc")), max_size=40),
    st.integers(0, 20),
    st.integers(1, 7),
)
def test_one_recording_is_handed_on_exactly_by_the_rule(
    drawn: list[tuple[int, str]], horizon_ms: int, size: int
) -> None:
    arrived = [frame(t_ms, bus, number) for number, (t_ms, bus) in enumerate(drawn)]
    result, late = merged(source(*arrived, size=size), horizon_s=horizon_ms / 1000)
    assert (result, late) == by_the_rule(arrived, horizon_ms * 1_000_000)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 500), max_size=20), min_size=1, max_size=4), st.integers(1, 5))
def test_recordings_in_order_merge_into_order_without_late_frames(times: list[list[int]], size: int) -> None:
    sources = [
        source(*(frame(t_ms, f"bus{place}", t_ms) for t_ms in sorted(each)), size=size)
        for place, each in enumerate(times)
    ]
    result, late = merged(*sources)
    assert late == 0
    assert result == sorted(result, key=lambda each: (each.t_ns, each.bus))
    assert Counter(each.t_ns // 1_000_000 for each in result) == Counter(t for each in times for t in each)


def test_equal_times_go_by_name_of_bus_then_arrival() -> None:
    result, _ = merged(source(frame(1, "b", 1), frame(1, "a", 2), frame(1, "b", 3), frame(1, "a", 4)))
    assert [each.arbitration_id for each in result] == [2, 4, 1, 3]


def test_late_frame_is_handed_on_at_once_and_counted() -> None:
    with merge([source(frame(0), frame(2000), frame(2001), frame(500, number=9))]) as together:
        numbers = []
        while (batch := together.read(0)) is not None:
            numbers.append([each.t_ns // 1_000_000 for each in frames_of(batch)])
        assert [number for each in numbers for number in each] == [0, 500, 2000, 2001]
        assert together.hop().facts["late"] == 0
    result, late = merged(source(frame(0), frame(1500), frame(2600), frame(500, number=9), frame(2700)))
    assert [each.t_ns // 1_000_000 for each in result] == [0, 1500, 500, 2600, 2700]
    assert late == 1


def test_recordings_are_moved_to_the_wall_time_of_the_best_one() -> None:
    rtc = Timebase(1000 * S, TimeQuality.RTC)
    gnss = Timebase(2000 * S, TimeQuality.GNSS)
    with merge(
        [source(frame(0, "a"), timebase=rtc), source(frame(-999_500, "b"), timebase=gnss)]
    ) as together:
        assert together.timebase == gnss
        batch = read_all(together)
    assert batch.timebase == gnss
    assert [(each.bus, each.t_ns) for each in frames_of(batch)] == [
        ("a", -1000 * S),
        ("b", -999_500_000_000),
    ]


def test_recordings_without_wall_time_share_one_clock() -> None:
    result, _ = merged(source(frame(5, "a")), source(frame(3, "b")))
    assert [each.bus for each in result] == ["b", "a"]


def test_known_and_unknown_wall_time_do_not_mix_unless_aligned_at_the_start() -> None:
    def sources() -> list[FrameSource]:
        return [
            source(frame(100, "a"), frame(300, "a")),
            source(frame(7_000, "b"), frame(7_100, "b"), timebase=Timebase(S, TimeQuality.RTC)),
        ]

    with pytest.raises(SourceError, match="does not say when it was recorded"):
        merge(sources())
    with merge(sources(), align="start") as together:
        batch = read_all(together)
        assert together.hop().balanced
    assert [(each.bus, each.t_ns // 1_000_000) for each in frames_of(batch)] == [
        ("a", 7_000),
        ("b", 7_000),
        ("b", 7_100),
        ("a", 7_200),
    ]


def drain(source: FrameSource, into: list[Frame]) -> None:
    while (batch := source.read(0)) is not None:
        into += frames_of(batch)


class FailingSource(MemorySource):
    def read(self, timeout_s: float) -> FrameBatch | None:
        batch = super().read(timeout_s)
        if batch is None:
            raise SourceError("went away", where="bus b")
        return batch


def test_failing_source_costs_no_other_frame_and_is_raised_at_the_end() -> None:
    failing = FailingSource([FrameBatch.from_frames([frame(1, "b")])])
    with merge([failing, source(frame(0, "a"), frame(5, "a"), frame(9000, "a"))]) as together:
        frames: list[Frame] = []
        with pytest.raises(SourceError, match="went away"):
            drain(together, frames)
        assert [each.t_ns // 1_000_000 for each in frames] == [0, 1, 5, 9000]
        assert together.read(0) is None
        assert [str(error) for error in together.failures] == ["bus b: went away"]
        assert together.hop().facts["failed sources"] == 1


class QueueSource(MemorySource):
    """A live source whose batches come when the test puts them there."""

    def __init__(self, bus: str) -> None:
        self.queue: list[FrameBatch] = []
        super().__init__([], buses=[bus], timebase=Timebase(7, TimeQuality.NTP), live=True)

    def read(self, timeout_s: float) -> FrameBatch | None:
        del timeout_s
        if not self.queue and self._closed:
            return None
        batch = self.queue.pop(0) if self.queue else FrameBatch.empty(self.buses)
        self._tally.entered += len(batch)
        self._tally.hand_on(batch)
        return batch


def test_live_frames_wait_only_until_every_bus_has_shown_a_younger_one() -> None:
    a, b = QueueSource("a"), QueueSource("b")
    clock = VirtualClock(10 * S)
    with merge([a, b], horizon_s=1.0, clock=clock) as together:
        a.queue.append(FrameBatch.from_frames([frame(10_000, "a"), frame(10_020, "a")]))
        assert times(together.read(0)) == []
        b.queue.append(FrameBatch.from_frames([frame(10_010, "b"), frame(10_015, "b")]))
        assert times(together.read(0)) == [10_000, 10_010]
        assert together.hop().set_aside == {"waiting to be handed on": 2}
        clock.advance_to(11 * S + 16_000_000)
        assert times(together.read(0)) == [10_015]
        clock.advance_to(12 * S)
        assert times(together.read(0)) == [10_020]
        assert together.hop().balanced
        assert not together.hop().set_aside


class KnowingSource(QueueSource):
    """Knows up to when it has handed on all."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.complete: int | None = None

    @property
    def complete_ns(self) -> int | None:
        return self.complete


def test_live_frames_wait_for_no_silent_bus_that_says_it_is_complete() -> None:
    a, b, c = KnowingSource("a"), KnowingSource("b"), KnowingSource("c")
    with merge([a, b, c], horizon_s=1.0, clock=VirtualClock(10 * S)) as together:
        a.queue.append(FrameBatch.from_frames([frame(10_000, "a"), frame(10_020, "a"), frame(10_030, "a")]))
        a.complete = b.complete = 11 * S
        assert times(together.read(0)) == []
        c.complete = 10 * S + 20_000_000
        assert times(together.read(0)) == [10_000]
        b.queue.append(FrameBatch.from_frames([frame(10_010, "b")]))
        c.complete += 1
        assert times(together.read(0)) == [10_010, 10_020]
        assert together.hop().facts["late"] == 0


def test_live_frames_that_lay_unread_for_longer_than_the_horizon_are_in_order() -> None:
    a, b = KnowingSource("a"), KnowingSource("b")
    with merge([a, b], horizon_s=0.2, clock=VirtualClock(11 * S)) as together:
        a.queue.append(FrameBatch.from_frames([frame(t_ms, "a") for t_ms in range(10_000, 11_000, 100)]))
        b.queue.append(FrameBatch.from_frames([frame(t_ms, "b") for t_ms in range(10_000, 11_000, 50)]))
        a.complete = b.complete = 11 * S
        batch = together.read(0)
        assert times(batch) == sorted([*range(10_000, 11_000, 100), *range(10_000, 11_000, 50)])
        assert batch is not None
        assert [batch.buses[bus] for bus in batch.bus[:3]] == ["a", "b", "b"]
        assert together.hop().facts["late"] == 0
        a.queue.append(FrameBatch.from_frames([frame(10_900, "a"), frame(10_950, "a"), frame(11_000, "a")]))
        assert times(together.read(0)) == [10_900, 10_950]
        assert together.hop().facts["late"] == 1


def test_live_frames_that_were_received_before_the_close_are_handed_on_after_it() -> None:
    a = MemorySource([FrameBatch.from_frames([frame(10_000, "a"), frame(10_020, "a")])], live=True)
    b = QueueSource("b")
    together = merge([a, b], horizon_s=1.0, clock=VirtualClock(10 * S))
    assert times(together.read(0)) == []
    b.queue.append(FrameBatch.from_frames([frame(10_010, "b")]))
    together.close()
    frames: list[Frame] = []
    drain(together, frames)
    assert [each.t_ns // 1_000_000 for each in frames] == [10_000, 10_010, 10_020]
    assert together.hop().balanced
    assert not together.hop().set_aside


def times(batch: FrameBatch | None) -> list[int]:
    assert batch is not None
    return [int(t_ns) // 1_000_000 for t_ns in batch.t_ns]


def test_account_of_a_merge_closed_halfway_balances() -> None:
    together = merge([source(frame(0), frame(1), frame(5000), frame(5001))])
    assert times(together.read(0)) == [0, 1]
    together.close()
    hop = together.hop()
    assert hop.balanced
    assert hop.left == 2
    assert sum(hop.set_aside.values()) == hop.entered - 2


def test_wide_and_narrow_batches_merge() -> None:
    wide = Frame(1, 2, bytes(range(64)), "fd")
    result, _ = merged(source(frame(0)), source(wide))
    assert sorted(len(each.data) for each in result) == [0, 64]


def test_merging_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one source"):
        merge([])


def test_dtype_of_what_is_merged_is_that_of_the_currency() -> None:
    with merge([source(frame(0, "a"), frame(1, "b"))]) as together:
        batch = read_all(together)
    assert batch.t_ns.dtype == np.dtype(np.int64)
    assert batch.bus.dtype == np.dtype(np.uint8)
