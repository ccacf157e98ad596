"""One bus out of a reception: every frame is handed on or named, whatever happens to the interface."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest

from edge.bus.socketcan.bus_state import ControllerState
from edge.bus.socketcan.kernel_frames import cells_of
from edge.bus.socketcan.reception import Cells, Reception
from edge.bus.socketcan.source import SocketCanSource
from edge.clock import NS_PER_S, SystemClock, Timebase, TimeQuality, VirtualClock
from edge.errors import SourceError
from edge.frames import Frame, FrameBatch, FrameFlag
from tests.socketcan.veth import NEAR, Cable, cable, classic, flexible

BASE = Timebase(1_700_000_000 * NS_PER_S, TimeQuality.NTP)
WAIT_S = 10.0


class Played(Reception):
    """Gives what a test has put in: packets, none in time, or an error of the system."""

    tells_local = True

    def __init__(self, *script: Sequence[tuple[int, bytes]] | int, way: str = "ring") -> None:
        self.way = way
        self.script = deque(script)
        self.lately: list[Sequence[tuple[int, bytes]]] = []
        self.dropped = 0
        self.wall_ns = BASE.wall_ns(0)
        self.local = self.hardware = False
        self.finished = self.closed = False
        self._malformed: Mapping[str, int] = {}

    def fileno(self) -> int:
        return 7

    def take(self, timeout_s: float) -> Cells:  # noqa: ARG002 - the clock is virtual: nobody waits
        assert not self.closed
        if self.finished and self.lately:
            return self._cells(self.lately.pop(0))
        if self.finished or not self.script:
            return Cells.none()
        following = self.script.popleft()
        if isinstance(following, int):
            raise OSError(following, os.strerror(following))
        return self._cells(following)

    def _cells(self, packets: Sequence[tuple[int, bytes]]) -> Cells:
        frames = np.frombuffer(b"".join(data.ljust(72, b"\0") for _, data in packets), np.uint8)
        count = len(packets)
        if not count:
            return Cells.none()
        cells, self._malformed = cells_of(
            frames.reshape(count, 72),
            np.array([len(data) for _, data in packets], np.int64),
            wall_ns=np.full(count, self.wall_ns),
            hardware=np.full(count, self.hardware),
            local=np.full(count, self.local),
            protocol=np.array([kind for kind, _ in packets], np.uint16),
        )
        return cells

    def lost(self) -> int:
        dropped, self.dropped = self.dropped, 0
        return dropped

    def malformed(self) -> Mapping[str, int]:
        malformed, self._malformed = self._malformed, {}
        return malformed

    def finish(self) -> None:
        self.finished = True

    def close(self) -> None:
        self.closed = True


class Opener:
    """Opens one reception after the other; None is an interface that is not there."""

    def __init__(self, *receptions: Reception | None) -> None:
        self.receptions = deque(receptions)
        self.tried = 0

    def __call__(self) -> Reception:
        self.tried += 1
        following = self.receptions.popleft() if self.receptions else None
        if following is None:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return following


def source_of(
    *receptions: Reception | None, clock: VirtualClock | None = None, patience_s: float | None = None
) -> SocketCanSource:
    return SocketCanSource(
        name="pt",
        where="socketcan can0",
        open_reception=Opener(*receptions),
        clock=clock or VirtualClock(0, BASE),
        patience_s=patience_s,
    )


def frames_of(batch: FrameBatch | None) -> list[Frame]:
    assert batch is not None
    return [batch.frame(place) for place in range(len(batch))]


def rest(source: SocketCanSource) -> list[Frame]:
    found: list[Frame] = []
    while (batch := source.read(0)) is not None:
        found += frames_of(batch)
    return found


def test_frames_with_all_that_the_controller_said() -> None:
    clock = VirtualClock(50, BASE)
    reception = Played(
        [
            classic(0x123, b"abc"),
            classic(0x80000123, b""),
            classic(0x40000001, length=4),
            classic(0xC0000001, length=2),
            flexible(0x9ABCDEF0, b"x" * 64, flags=1),
            flexible(0x2, b"y" * 12, flags=6),
            classic(0xA0000040, bytes(8)),
        ]
    )
    reception.wall_ns = BASE.wall_ns(50)
    with source_of(reception, clock=clock) as source:
        flag = FrameFlag
        assert frames_of(source.read(0)) == [
            Frame(50, 0x123, b"abc", "pt"),
            Frame(50, 0x123, b"", "pt", flag.EXTENDED),
            Frame(50, 0x1, bytes(4), "pt", flag.REMOTE),
            Frame(50, 0x1, bytes(2), "pt", flag.REMOTE | flag.EXTENDED),
            Frame(50, 0x1ABCDEF0, b"x" * 64, "pt", flag.EXTENDED | flag.FD | flag.BITRATE_SWITCH),
            Frame(50, 0x2, b"y" * 12, "pt", flag.FD | flag.ERROR_STATE),
            Frame(50, 0x40, bytes(8), "pt", flag.ERROR),
        ]
        hop = source.hop()
    assert (hop.name, hop.entered, hop.left, hop.balanced) == ("bus pt", 7, 7, True)
    assert {name: hop.facts[name] for name in ("data", "remote", "error", "fd")} == {
        "data": 4,
        "remote": 2,
        "error": 1,
        "fd": 2,
    }


def test_frames_of_this_machine_are_marked_where_that_is_known() -> None:
    reception = Played([classic(1)], way="raw")
    reception.local = True
    with source_of(reception) as source:
        assert [frame.flags for frame in frames_of(source.read(0))] == [FrameFlag.TRANSMITTED]


def test_nothing_in_time_is_an_empty_batch_of_the_bus() -> None:
    with source_of(Played()) as source:
        batch = source.read(0.3)
    assert batch is not None
    assert (len(batch), batch.buses) == (0, ("pt",))


@pytest.mark.parametrize(
    ("way", "cause"), [("ring", "lost: kernel ring full"), ("raw", "lost: socket buffer full")]
)
def test_losses_and_malformed_frames_balance(way: str, cause: str) -> None:
    reception = Played([classic(1), (0x000E, b"\x80" * 40), classic(2, length=9)], way=way)
    reception.dropped = 17
    with source_of(reception) as source:
        source.read(0)
        hop = source.hop()
    assert hop.set_aside == {cause: 17, "CAN XL frame": 1, "data longer than a frame": 1}
    assert (hop.entered, hop.left, hop.balanced) == (20, 1, True)


def test_losses_are_asked_for_while_reading() -> None:
    clock = VirtualClock(0, BASE)
    reception = Played()
    with source_of(reception, clock=clock) as source:
        for _ in range(3):
            reception.dropped = 5
            clock.advance_to(clock.boot_ns() + 2 * NS_PER_S)
            source.read(0)
        assert not reception.dropped
        assert source.hop().set_aside == {"lost: kernel ring full": 15}


def test_what_waits_at_the_end_can_be_read_after_closing() -> None:
    reception = Played([classic(1)], [classic(9)])
    reception.lately = [[classic(2), classic(3)], [classic(4)]]
    source = source_of(reception)
    source.read(0)
    reception.dropped = 3
    source.close()
    source.close()
    assert reception.closed
    waiting = source.hop()
    assert (waiting.entered, waiting.left, waiting.balanced) == (7, 1, True)
    assert waiting.set_aside == {"lost: kernel ring full": 3, "waiting to be handed on": 3}
    assert [frame.arbitration_id for frame in rest(source)] == [2, 3, 4]
    assert source.hop().set_aside == {"lost: kernel ring full": 3}
    assert source.read(0) is None


def test_interface_that_goes_down_is_waited_for_with_the_same_socket(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reception = Played([classic(1)], errno.ENETDOWN, [], [], [classic(2)])
    with source_of(reception) as source, caplog.at_level(logging.INFO):
        assert len(frames_of(source.read(0))) == 1
        assert not frames_of(source.read(0))
        assert source.outage == "Network is down"
        assert [frame.arbitration_id for frame in frames_of(source.read(1))] == [2]
        assert not source.outage
        assert not reception.closed
        facts = source.hop().facts
    assert (facts["outages"], facts["reopened"]) == (1, 1)
    assert [record.message for record in caplog.records] == [
        "bus pt: nothing comes: Network is down",
        "bus pt: is back",
    ]


def test_interface_that_is_gone_is_opened_anew_after_growing_delays() -> None:
    clock = VirtualClock(0, BASE)
    gone, back = Played([classic(1)], errno.ENODEV), Played([classic(3)])
    gone.lately = [[classic(2)]]
    gone.dropped = 4
    opener = Opener(gone, *[None] * 8, back)
    with SocketCanSource(name="pt", where="w", open_reception=opener, clock=clock) as source:
        found = frames_of(source.read(0)) + frames_of(source.read(0))
        assert [frame.arbitration_id for frame in found] == [1, 2]
        assert gone.closed
        assert source.outage == "No such device"
        assert source.fileno() == -1
        tried = []
        while opener.tried < 10:
            before = opener.tried
            found = frames_of(source.read(0.1))
            if opener.tried > before:
                tried.append(clock.boot_ns() / NS_PER_S)
        assert [frame.arbitration_id for frame in found] == [3]
        assert np.diff(tried) == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0], abs=0.11)
        hop = source.hop()
    assert (hop.facts["outages"], hop.facts["reopened"]) == (1, 1)
    assert (hop.entered, hop.left, hop.set_aside) == (7, 3, {"lost: kernel ring full": 4})


def test_another_controller_has_another_clock() -> None:
    gone, back = Played([classic(1)], errno.ENODEV), Played([classic(2)])
    gone.hardware = back.hardware = True
    gone.wall_ns, back.wall_ns = 4294 * NS_PER_S, 1
    with source_of(gone, back) as source:
        assert len(frames_of(source.read(0))) == 1
        assert len(frames_of(source.read(1))) == 1
        facts = source.hop().facts
    assert facts["stamped by the controller"] == 2
    assert "device clock anchored anew" not in facts


def test_patience_ends() -> None:
    with (
        source_of(Played(errno.ENODEV), patience_s=3.0) as source,
        pytest.raises(SourceError, match=r"away for \d s: .*No such device"),
    ):
        source.read(10.0)


def test_socket_that_fails_again_and_again_is_opened_anew() -> None:
    failing = Played(errno.ENETDOWN, errno.ENETDOWN)
    with source_of(failing, Played([classic(5)])) as source:
        assert [frame.arbitration_id for frame in frames_of(source.read(1))] == [5]
    assert failing.closed


def test_interface_that_cannot_be_opened_says_why() -> None:
    with pytest.raises(SourceError, match="cannot be opened: No such device") as raised:
        source_of(None)
    assert raised.value.where == "bus pt (socketcan can0)"
    assert isinstance(raised.value.__cause__, OSError)


def test_error_frames_tell_the_state_of_the_bus(caplog: pytest.LogCaptureFixture) -> None:
    passive = classic(0x20000004, b"\x00\x20\x00\x00\x00\x00\x00\x00")
    overflow = classic(0x20000004, b"\x00\x01\x00\x00\x00\x00\x00\x00")
    bus_off = classic(0x20000040, bytes(8))
    with source_of(Played([classic(1), passive, overflow, bus_off])) as source:
        with caplog.at_level(logging.INFO):
            source.read(0)
        hop = source.hop()
        assert source.bus_state.state == ControllerState.BUS_OFF
    assert hop.facts["bus-off"] == 1
    assert hop.at_least == {"controller overflow": 1}
    assert hop.entered == hop.left == 4
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


def test_bus_that_flaps_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    flapping = [
        classic(0x20000004, b"\x00\x20\x00\x00\x00\x00\x00\x00"),
        classic(0x20000004, b"\x00\x40\x00\x00\x00\x00\x00\x00"),
    ] * 50
    with source_of(Played(flapping, flapping)) as source, caplog.at_level(logging.INFO):
        source.read(0)
        source.read(0)
    assert len(caplog.records) == 6


def test_reading_held_up_between_the_clocks_does_not_move_stamps() -> None:
    clock = HeldUp()
    reception = Played([classic(1)], [classic(2)])
    reception.wall_ns = BASE.wall_ns(5)
    with source_of(reception, clock=clock) as source:
        clock.advance_to(10)
        clock.wrong = 1
        assert [frame.t_ns for frame in frames_of(source.read(0))] == [5]
        assert "wall clock set" not in source.hop().facts


class HeldUp(VirtualClock):
    """Some readings of both clocks are 50 ms apart."""

    def __init__(self) -> None:
        super().__init__(0, BASE)
        self.wrong = 0

    def timebase(self) -> Timebase:
        if self.wrong:
            self.wrong -= 1
            return Timebase(BASE.wall_offset_ns + 25_000_000, TimeQuality.NTP)
        return BASE


@pytest.fixture(scope="module")
def wire() -> Iterator[Cable]:
    with cable() as made:
        yield made


@pytest.fixture
def live(wire: Cable) -> Iterator[SocketCanSource]:
    with SocketCanSource(
        name="pt", where=f"socketcan {NEAR}", open_reception=wire.ring, clock=SystemClock()
    ) as source:
        yield source


def read_until(source: SocketCanSource, count: int) -> list[Frame]:
    found: list[Frame] = []
    end_s = time.monotonic() + WAIT_S
    while len(found) < count and time.monotonic() < end_s:
        found += frames_of(source.read(0.05))
    return found


def test_on_a_cable_down_and_up_again(wire: Cable, live: SocketCanSource) -> None:
    for number in range(3):
        wire.send([classic(number, b"before")])
        assert [frame.arbitration_id for frame in read_until(live, 1)] == [number]
        wire.down()
        while not live.outage:
            assert not frames_of(live.read(0.05))
        wire.up()
    wire.send([classic(3, b"after")])
    assert [frame.arbitration_id for frame in read_until(live, 1)] == [3]
    hop = live.hop()
    assert (hop.facts["outages"], hop.facts["reopened"]) == (3, 3)
    assert (hop.entered, hop.left, hop.set_aside) == (4, 4, {})


def test_on_a_cable_unplugged_and_plugged_in_again(wire: Cable, live: SocketCanSource) -> None:
    wire.send([classic(1)])
    wire.unplug()
    try:
        assert [frame.arbitration_id for frame in read_until(live, 1)] == [1]
        while live.fileno() >= 0:
            assert not frames_of(live.read(0.05))
        assert live.outage == "No such device"
    finally:
        wire.plug()
    end_s = time.monotonic() + WAIT_S
    while live.outage and time.monotonic() < end_s:
        live.read(0.05)
    wire.send([classic(2)])
    assert [frame.arbitration_id for frame in read_until(live, 1)] == [2]
    hop = live.hop()
    assert (hop.facts["outages"], hop.facts["reopened"], hop.entered, hop.left) == (1, 1, 2, 2)


def test_on_a_cable_times_lie_between_sending_and_reading(wire: Cable, live: SocketCanSource) -> None:
    clock = SystemClock()
    earliest_ns = clock.boot_ns()
    found: list[Frame] = []
    for _ in range(20):
        wire.send([classic(number) for number in range(20)])
        sent_ns = clock.boot_ns()
        frames = read_until(live, 20)
        assert earliest_ns - 1_000_000 <= frames[0].t_ns
        assert frames[-1].t_ns <= sent_ns + 1_000_000
        earliest_ns = sent_ns
        found += frames
    times = [frame.t_ns for frame in found]
    assert times == sorted(times)
    assert not {"stamped on arrival", "wall clock set"} & live.hop().facts.keys()


def test_on_a_cable_the_account_balances_under_overload(wire: Cable) -> None:
    dropped = wire.dropped()
    with SocketCanSource(
        name="pt",
        where="ring",
        open_reception=lambda: wire.ring(ring_bytes=1 << 15),
        clock=SystemClock(),
    ) as source:
        with wire.flood(50_000, 0.3, mixed=True) as sender:
            handed_on = len(frames_of(source.read(WAIT_S)))
            sent = int(sender.communicate(timeout=WAIT_S)[0])
        source.close()
        handed_on += len(rest(source))
        hop = source.hop()
    offered = sent - (wire.dropped() - dropped)
    assert hop.balanced
    assert (hop.entered, hop.left) == (offered, handed_on)
    assert hop.left + hop.set_aside["lost: kernel ring full"] == offered
