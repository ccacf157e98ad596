"""What every way to take frames from the kernel does alike; a subclass says how both ends are opened."""

from __future__ import annotations

import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from edge.bus.source import FrameSource
from edge.clock import SystemClock
from edge.frames import Frame, FrameBatch, FrameFlag
from tests.socketcan.veth import classic, flexible

EXT, RTR, ERR, FD = FrameFlag.EXTENDED, FrameFlag.REMOTE, FrameFlag.ERROR, FrameFlag.FD
BRS, ESI, LOCAL = FrameFlag.BITRATE_SWITCH, FrameFlag.ERROR_STATE, FrameFlag.TRANSMITTED
EFF_BIT, RTR_BIT, ERR_BIT = 0x80000000, 0x40000000, 0x20000000
IDS = (0, 1, 0x555, 0x7FF)
LONG_IDS = (0, 1, 0x7FF, 0x800, 0x15555555, 0x1FFFFFFF)
MIXED = 120
"""As many as fit into a socket's usual buffer: python-can is not told of more."""
OUTSIDE_US = "outside_us"
"""Property of a test: by how many microseconds at most a time lay outside of the sending of its frame."""
FD_LENGTHS = (*range(9), 12, 16, 20, 24, 32, 48, 64)

Packet = tuple[int, bytes]
"""Ethertype and ``struct can_frame`` or ``canfd_frame``; its size tells a CAN socket which of both it is."""
Plain = tuple[int, FrameFlag, bytes]
"""Id, flags without the mark of a local sender, data."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of one interface.

    Attributes:
        open_source: opens the source under test on it; with True, with the least room that the way allows,
            so that a stopped reader loses frames.
        send: sends frames, each until the interface has taken it.
        sender_is_local: whether the sender is on the interface itself, and not at the other end of its cable.
        dropped: frames that the medium itself has dropped so far, before any socket.
        set_up: sets the interface down, and with True up; None where the medium cannot.
        plug: takes the interface away, and with True puts it back, up; None where the medium cannot.
        within: reads where the interface is.
    """

    open_source: Callable[[bool], FrameSource]
    send: Callable[[Sequence[Packet]], None]
    sender_is_local: bool
    dropped: Callable[[], int]
    set_up: Callable[[bool], None] | None = None
    plug: Callable[[bool], None] | None = None
    within: Callable[[Callable[[], FrameBatch | None]], FrameBatch | None] = lambda read: read()


class SocketCanConformance(ABC):
    """Opened as a class of tests by each way.

    Attributes:
        column: what is tested, on what: the heading of its column in docs/conformance.md.
        buses: what the source says that it reads; frames are sent on the first.
        no_fd: why the medium carries no CAN FD; empty if it does.
        no_remote: why the medium carries no remote frames; empty if it does.
        no_errors: why no error frame can be made on it; empty if they can.
        tells_local: whether frames that this machine sent are marked.
        counts_losses: whether what the kernel had no room for is in the account, to the frame.
        burst: frames that a stopped reader finds all the same when it goes on, with room as by default.
        patience_s: how long frames are waited for.
        slack_ns: how far a time may lie outside of the sending: the accuracy of converting wall time.
    """

    column: ClassVar[tuple[str, str]]
    buses: ClassVar[tuple[str, ...]] = ("pt",)
    no_fd: ClassVar[str] = ""
    no_remote: ClassVar[str] = ""
    no_errors: ClassVar[str] = ""
    tells_local: ClassVar[bool] = False
    counts_losses: ClassVar[bool] = True
    burst: ClassVar[int] = 20_000
    patience_s: ClassVar[float] = 10.0
    slack_ns: ClassVar[int] = 1_000_000

    @classmethod
    @abstractmethod
    def ends(cls) -> AbstractContextManager[Ends]:
        """Make an interface that is up, alone, and takes CAN FD."""

    @pytest.fixture(name="both", scope="class")
    @classmethod
    def make_ends(cls) -> Iterator[Ends]:
        with cls.ends() as made:
            yield made

    @pytest.fixture(name="source")
    def make_source(self, both: Ends) -> Iterator[FrameSource]:
        with both.open_source(False) as opened:
            yield opened

    def taken(self, source: FrameSource, count: int) -> FrameBatch:
        """Read until there are `count` frames, or for as long as is waited; then what came too much."""
        batches: list[FrameBatch] = []
        end_s = time.monotonic() + self.patience_s
        while sum(map(len, batches)) < count and time.monotonic() < end_s:
            batch = source.read(0.05)
            assert batch is not None
            batches.append(batch)
        more = source.read(0.02)
        assert more is not None
        return joined([*batches, more])

    def sent_and_taken(self, both: Ends, source: FrameSource, *packets: Packet) -> list[Plain]:
        both.send(packets)
        return plain(self.taken(source, len(packets)))

    def await_stamps(self, both: Ends, source: FrameSource) -> None:
        """Wait until the kernel stamps frames as they come: it begins a moment after it was asked to."""
        clock = SystemClock()
        for _ in range(500):
            both.send([classic(0x1)])
            after_ns = clock.boot_ns()
            time.sleep(0.002)
            if int(self.taken(source, 1).t_ns[-1]) <= after_ns + self.slack_ns // 2:
                return
        pytest.fail("the kernel does not stamp frames")

    def need_fd(self) -> None:
        if self.no_fd:
            pytest.skip(self.no_fd)

    def test_ids_of_11_and_29_bits_are_kept_apart(self, both: Ends, source: FrameSource) -> None:
        packets = [classic(number, b"id") for number in IDS]
        packets += [classic(number | EFF_BIT, b"id") for number in LONG_IDS]
        assert self.sent_and_taken(both, source, *packets) == [
            *((number, FrameFlag(0), b"id") for number in IDS),
            *((number, EXT, b"id") for number in LONG_IDS),
        ]

    def test_ids_of_fd_frames_are_kept_apart(self, both: Ends, source: FrameSource) -> None:
        self.need_fd()
        packets = [flexible(number, b"id") for number in IDS]
        packets += [flexible(number | EFF_BIT, b"id") for number in LONG_IDS]
        assert self.sent_and_taken(both, source, *packets) == [
            *((number, FD, b"id") for number in IDS),
            *((number, FD | EXT, b"id") for number in LONG_IDS),
        ]

    def test_remote_frames_carry_the_length_that_they_ask_for(self, both: Ends, source: FrameSource) -> None:
        if self.no_remote:
            pytest.skip(self.no_remote)
        lengths = range(9)
        packets = [classic(0x123 | RTR_BIT, length=length) for length in lengths]
        packets += [classic(0x123 | RTR_BIT | EFF_BIT, length=length) for length in lengths]
        assert self.sent_and_taken(both, source, *packets) == [
            *((0x123, RTR, bytes(length)) for length in lengths),
            *((0x123, RTR | EXT, bytes(length)) for length in lengths),
        ]

    def test_both_bits_of_fd_frames_are_told(self, both: Ends, source: FrameSource) -> None:
        self.need_fd()
        found = self.sent_and_taken(
            both, source, *(flexible(0x123, b"flag", flags=bits) for bits in range(4))
        )
        assert found == [(0x123, FD | more, b"flag") for more in (FrameFlag(0), BRS, ESI, BRS | ESI)]

    def test_error_frames_are_told_with_their_class_and_data(self, both: Ends, source: FrameSource) -> None:
        if self.no_errors:
            pytest.skip(self.no_errors)
        passive = bytes((0, 0x20, 0, 0, 0, 0, 130, 2))
        found = self.sent_and_taken(
            both,
            source,
            classic(0x204 | ERR_BIT, passive),
            classic(0x040 | ERR_BIT, bytes(8)),
            classic(0x123, b"data"),
        )
        assert found == [(0x204, ERR, passive), (0x040, ERR, bytes(8)), (0x123, FrameFlag(0), b"data")]
        facts = source.hop().facts
        assert (facts["error"], facts["data"]) == (2, 1)

    def test_classic_frames_of_every_length(self, both: Ends, source: FrameSource) -> None:
        contents = [bytes(range(0xF0, 0xF0 + length)) for length in range(9)]
        found = self.sent_and_taken(both, source, *(classic(0x10, content) for content in contents))
        assert found == [(0x10, FrameFlag(0), content) for content in contents]

    def test_fd_frames_of_every_length(self, both: Ends, source: FrameSource) -> None:
        self.need_fd()
        contents = [bytes(range(255, 255 - length, -1)) for length in FD_LENGTHS]
        found = self.sent_and_taken(both, source, *(flexible(0x10, content) for content in contents))
        assert found == [(0x10, FD, content) for content in contents]

    def test_what_stands_past_the_end_of_a_frame_is_not_handed_on(
        self, both: Ends, source: FrameSource
    ) -> None:
        self.need_fd()
        short = struct.pack("=IBBBB8s", 0x10, 2, 0, 0, 0, b"ab" + b"\xee" * 6)
        longer = struct.pack("=IBBBB64s", 0x11, 12, 0, 0, 0, b"abcdefghijkl" + b"\xee" * 52)
        both.send([(0x000C, short), (0x000D, longer)])
        batch = self.taken(source, 2)
        assert plain(batch) == [(0x10, FrameFlag(0), b"ab"), (0x11, FD, b"abcdefghijkl")]
        assert 0xEE not in batch.data

    def test_kinds_mixed_stay_in_order(self, both: Ends, source: FrameSource) -> None:
        self.need_fd()
        packets = []
        for number in range(MIXED):
            content = struct.pack("<Q", number)
            packets.append(flexible(number, content) if number % 3 else classic(number, content))
        both.send(packets)
        batch = self.taken(source, len(packets))
        assert numbers(batch) == list(range(MIXED))
        assert batch.has(FD).tolist() == [bool(number % 3) for number in range(MIXED)]

    def test_each_time_lies_between_before_and_after_its_sending(
        self, both: Ends, source: FrameSource, record_property: Callable[[str, object], None]
    ) -> None:
        clock = SystemClock()
        self.await_stamps(both, source)
        bounds = []
        for number in range(50):
            before_ns = clock.boot_ns()
            both.send([classic(number)])
            bounds.append((before_ns, clock.boot_ns()))
        t_ns = self.taken(source, len(bounds)).t_ns
        assert len(t_ns) == len(bounds)
        early_ns = max(before_ns - at_ns for (before_ns, _), at_ns in zip(bounds, t_ns.tolist(), strict=True))
        late_ns = max(at_ns - after_ns for (_, after_ns), at_ns in zip(bounds, t_ns.tolist(), strict=True))
        record_property(OUTSIDE_US, max(early_ns, late_ns, 0) / 1000)
        assert early_ns <= self.slack_ns
        assert late_ns <= self.slack_ns

    def test_times_never_run_backwards(self, both: Ends, source: FrameSource) -> None:
        parts = []
        for _ in range(20):
            both.send([classic(number) for number in range(50)])
            parts.append(self.taken(source, 50))
        t_ns = joined(parts).t_ns
        assert len(t_ns) == 1000
        assert (np.diff(t_ns) >= 0).all()

    def test_a_reader_that_was_away_for_a_burst_finds_all_of_it(
        self, both: Ends, source: FrameSource
    ) -> None:
        dropped = both.dropped()
        send_numbered(both, self.burst)
        found = numbers(self.taken(source, self.burst))
        missing = both.dropped() - dropped
        assert len(found) == self.burst - missing
        assert found == sorted(set(found))
        hop = source.hop()
        assert (hop.entered, hop.left, dict(hop.set_aside)) == (len(found), len(found), {})

    def test_offered_is_received_and_lost_to_the_frame(self, both: Ends) -> None:
        if not self.counts_losses:
            pytest.skip("this way is not told what the kernel has dropped")
        dropped = both.dropped()
        offered = 0
        with both.open_source(True) as source:
            found: list[int] = []
            for _ in range(3):
                offered += send_numbered(both, 3000, offered)
                while batch := source.read(0.02):
                    found += numbers(batch)
            assert found == sorted(set(found))
            hop = source.hop()
            lost = sum(hop.set_aside.values())
            assert all(cause.startswith("lost: ") for cause in hop.set_aside)
            assert lost > 1000
            assert hop.balanced
            assert hop.left == len(found)
            assert hop.entered + both.dropped() - dropped == offered

    def test_a_loss_right_before_the_end_is_counted(self, both: Ends) -> None:
        if not self.counts_losses:
            pytest.skip("this way is not told what the kernel has dropped")
        dropped = both.dropped()
        with both.open_source(True) as source:
            send_numbered(both, 3000)
        while source.read(0) is not None:
            pass
        hop = source.hop()
        assert hop.balanced
        assert sum(hop.set_aside.values()) > 1000
        assert hop.entered + both.dropped() - dropped == 3000

    def test_frames_of_this_machine_are_marked_where_that_can_be_told(
        self, both: Ends, source: FrameSource
    ) -> None:
        both.send([classic(0x1), classic(0x2, bytes(8)) if self.no_fd else flexible(0x2, bytes(64))])
        marked = self.taken(source, 2).has(LOCAL).tolist()
        assert marked == [self.tells_local and both.sender_is_local] * 2

    def test_nothing_comes_that_was_not_sent(self, both: Ends, source: FrameSource) -> None:
        batch = source.read(0.1)
        assert batch is not None
        assert (len(batch), batch.buses, source.hop().entered) == (0, self.buses, 0)
        assert self.sent_and_taken(both, source, classic(0x1)) == [(0x1, FrameFlag(0), b"")]

    def test_what_came_before_the_close_is_still_read(self, both: Ends) -> None:
        source = both.open_source(False)
        send_numbered(both, 100)
        source.close()
        found: list[int] = []
        while (batch := source.read(0.1)) is not None:
            found += numbers(batch)
        assert found == list(range(100))
        hop = source.hop()
        assert (hop.entered, hop.left, hop.balanced) == (100, 100, True)

    def test_frames_come_again_after_down_and_up(self, both: Ends) -> None:
        if both.set_up is None:
            pytest.skip("this medium cannot be set down")
        self.comes_again_after(both, both.set_up)

    def test_frames_come_again_after_the_interface_was_gone_and_is_back(self, both: Ends) -> None:
        if both.plug is None:
            pytest.skip("this medium cannot be taken away")
        self.comes_again_after(both, both.plug)

    def comes_again_after(self, both: Ends, change: Callable[[bool], None]) -> None:
        """Have the interface go and come back; what is sent before it is open again is lost to it."""
        with both.open_source(False) as source:
            found: list[int] = []

            def read_until(condition: Callable[[], bool], failing: str) -> None:
                end_s = time.monotonic() + 3 * self.patience_s
                while not condition():
                    assert time.monotonic() < end_s, f"{failing}: {source.hop()}"
                    batch = both.within(lambda: source.read(0.05))
                    assert batch is not None
                    found.extend(numbers(batch.take(~batch.has(ERR))))

            send_numbered(both, 10)
            read_until(lambda: len(found) == 10, "nothing comes before")
            change(False)
            read_until(lambda: bool(getattr(source, "outage", "")), "it is not noticed")
            change(True)
            sent = 10

            def comes() -> bool:
                nonlocal sent
                with suppress(OSError):
                    sent += send_numbered(both, 1, sent)
                return len(found) > 10

            read_until(comes, "nothing comes again")
            read_until(lambda: not getattr(source, "outage", ""), "it is not seen to be back")
            assert found == sorted(set(found))
            assert set(found) <= set(range(sent))
            hop = source.hop()
            assert hop.balanced
            assert {"outages", "link down", "link gone"} & hop.facts.keys()


def send_numbered(both: Ends, count: int, first: int = 0) -> int:
    """Send `count` frames with rising numbers from `first` in them; tell how many."""
    both.send([classic(number & 0x7FF, struct.pack("<Q", number)) for number in range(first, first + count)])
    return count


def numbers(batch: FrameBatch) -> list[int]:
    """What `send_numbered` has put into the frames."""
    found: list[int] = np.ascontiguousarray(batch.data[:, :8]).view("<u8")[:, 0].tolist()
    return found


def plain(batch: FrameBatch) -> list[Plain]:
    frames: list[Frame] = [batch.frame(place) for place in range(len(batch))]
    return [(frame.arbitration_id, frame.flags & ~LOCAL, frame.data) for frame in frames]


def joined(batches: Sequence[FrameBatch]) -> FrameBatch:
    """All frames, whatever the timebase of each batch."""
    full = [batch for batch in batches if len(batch)]
    if not full:
        return FrameBatch.empty()
    width = max(batch.data.shape[1] for batch in full)

    def column(name: str) -> Any:  # noqa: ANN401 - of whatever type it is
        return np.concatenate([getattr(batch, name) for batch in full])

    return FrameBatch(
        t_ns=column("t_ns"),
        bus=column("bus"),
        arbitration_id=column("arbitration_id"),
        flags=column("flags"),
        length=column("length"),
        data=np.concatenate([batch.widened(width).data for batch in full]),
        buses=full[0].buses,
    )
