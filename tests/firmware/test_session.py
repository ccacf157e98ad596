"""A session on the device, whatever the port takes and whenever the host speaks: each frame goes once."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.wire import vlink, vlink_frames, vlink_messages
from firmware.bridge import bridge as bridge_module
from firmware.bridge.board import Board
from firmware.bridge.bridge import Bridge
from firmware.bridge.ring import TICKS
from firmware.bridge.session import EVENTS_LOST
from simulator.board import traffic
from simulator.board.controller import PlayedController
from tests.vlink.small_machine import Small, SmallArray


@dataclass
class Clock:
    now_us: int = TICKS - 700_000
    """Wraps soon."""

    def ticks_us(self) -> int:
        return self.now_us & TICKS

    def ticks_ms(self) -> int:
        return self.now_us // 1_000 & TICKS


@dataclass
class Port:
    """Takes as many bytes as it is allowed to, and remembers them."""

    allowed: int = 1 << 30
    forgets: bool = False
    empty: bool = True
    taken: bytearray = field(default_factory=bytearray)
    waiting: bytes = b""

    def read_into(self, buffer: bytearray) -> int:
        n = min(len(buffer), len(self.waiting))
        buffer[:n] = self.waiting[:n]
        self.waiting = self.waiting[n:]
        return n

    def write(self, buffer: bytes, start: int, n: int) -> int:
        took = min(n, self.allowed)
        self.allowed -= took
        self.taken += buffer[start : start + took]
        return took

    def drained(self) -> bool:
        return self.empty


class Desk:
    """A bridge under a clock that is turned by hand."""

    def __init__(self, *rates: int, cells: int = 300, forgets: bool = False) -> None:
        self.clock = Clock()
        self.port = Port(forgets=forgets)
        self.fed = 0
        self.restarts = 0
        self.buses = tuple(
            PlayedController(self.clock, n, rate, 1_000, traffic.MIXED, 1 << 30)
            for n, rate in enumerate(rates)
        )
        board = Board("desk", "0.1", bytes(8), 7, cells, loader=self.restart)
        self.bridge = Bridge(self.buses, self.port, self.clock, SimpleNamespace(feed=self.feed), board)
        self.packets: list[tuple[int, int, bytes]] = []
        self._decoder = vlink.Decoder()
        self._sequence = 0

    def feed(self) -> None:
        self.fed += 1

    def restart(self) -> None:
        self.restarts += 1

    def turn(self, after_us: int = 0) -> None:
        self.clock.now_us += after_us
        self.bridge.turn()

    def say(self, kind: int, message: object) -> None:
        encoder = vlink.Encoder()
        encoder.sequence = self._sequence
        self._sequence += 1
        n = encoder.seal(kind, message.write(encoder.buffer, vlink.HEADER))  # type: ignore[attr-defined]
        self.port.waiting += bytes(encoder.line[:n])

    def hello(self, nonce: int = 1) -> None:
        self.port.waiting += b"\0"
        self.say(vlink.HOST_HELLO, vlink_messages.HostHello(1, nonce))

    def read(self) -> list[tuple[int, int, bytes]]:
        """Take what the port has; tell the packets in it."""
        came = bytes(self.port.taken)
        self.port.taken.clear()
        self._decoder.feed(came, len(came))
        packets = []
        while packet := self._decoder.packet():
            packets.append((packet[0], packet[1], bytes(packet[2])))
        return packets

    def kinds(self) -> list[int]:
        return [kind for kind, _, _ in self.read()]


@pytest.fixture(autouse=True)
def no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_module, "gc", SimpleNamespace(collect=lambda: None))


@dataclass
class Received:
    """What a host makes of packets."""

    nonce: int = 1
    awaited: int = 1
    sequence: int = 0
    numbers: dict[int, list[int]] = field(default_factory=lambda: {0: [], 1: []})

    def take(self, packets: list[tuple[int, int, bytes]]) -> None:
        for kind, told, payload in packets:
            if self.awaited:
                if kind != vlink.ACK or vlink_messages.read_ack(payload).number != self.awaited:
                    continue
                self.awaited = 0
                self.sequence = 0
            assert told == self.sequence
            self.sequence += 1
            if kind == vlink.FRAMES:
                frames = vlink_frames.read_frames(payload)
                self.numbers[frames.bus] += range(frames.first, frames.first + len(frames.frames))


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("turn"), st.sampled_from([100, 3_000, 6_000, 20_000])),
        st.tuples(st.just("take"), st.sampled_from([1, 5, 60, 500, 1_029, 1_030, 5_000])),
        st.tuples(st.just("hello"), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(MOVES)
def test_each_frame_goes_once_in_order_whatever_the_port_takes_and_however_often_the_host_says_hello(
    moves: list[tuple[str, int]],
) -> None:
    desk = Desk(4_000, 700)
    desk.hello(1)
    received = Received()
    desk.port.allowed = 0
    for name, value in [*moves, ("end", 0)]:
        if name == "hello":
            received.awaited = received.nonce = received.nonce + 1
            desk.hello(received.nonce)
            desk.turn()
        elif name == "turn":
            desk.turn(value)
        elif name == "take":
            desk.port.allowed = value
            desk.turn()
            desk.port.allowed = 0
        else:
            for bus in desk.buses:
                bus.play(0)
            desk.port.allowed = 1 << 30
            for _ in range(40):
                desk.turn(6_000)
        received.take(desk.read())
    numbers = received.numbers
    for number, kept in enumerate(desk.bridge.buses):
        assert kept.ring.waiting() == 0
        assert desk.bridge.outgoing.sent(number) == len(numbers[number])
        assert len(numbers[number]) == kept.ring.accepted() - kept.ring.dropped()
        assert numbers[number] == sorted(set(numbers[number]))


def settled(desk: Desk) -> Desk:
    desk.hello()
    desk.turn()
    assert desk.kinds()[:2] == [vlink.ACK, vlink.HELLO]
    return desk


@pytest.mark.parametrize("again", [1, 2])
def test_a_packet_that_lacks_only_its_delimiter_comes_once_to_a_host_that_says_hello_again(
    again: int,
) -> None:
    desk = settled(Desk(4_000))
    desk.turn()
    desk.port.allowed = 0
    desk.turn(20_000)
    desk.turn()
    waiting: Any = desk.bridge.outgoing._queue[desk.bridge.outgoing._first]
    assert waiting.kind == vlink.FRAMES
    desk.port.allowed = waiting.n - 1
    desk.turn()
    desk.port.allowed = 0
    for nonce in range(again):
        desk.hello(2 + nonce)
        desk.turn()
    desk.port.allowed = 1 << 30
    for _ in range(4):
        desk.turn()
    firsts = [
        vlink_frames.read_frames(payload).first for kind, _, payload in desk.read() if kind == vlink.FRAMES
    ]
    assert firsts == sorted(set(firsts))
    assert firsts[0] == 0


def test_a_session_begins_with_its_ack_then_hello_then_status() -> None:
    desk = Desk(0)
    desk.turn()
    assert not desk.port.taken
    desk.hello(0xFFFFFFFF)
    desk.turn()
    assert desk.port.taken[0] == 0
    packets = desk.read()
    assert [packet[:2] for packet in packets] == [(vlink.ACK, 0), (vlink.HELLO, 1)]
    assert vlink_messages.read_ack(packets[0][2]).number == 0xFFFFFFFF
    desk.turn()
    assert desk.kinds() == [vlink.STATUS]


def test_status_comes_each_second_and_only_the_newest_waits_for_a_host_that_takes_nothing() -> None:
    desk = settled(Desk(0))
    desk.turn()
    desk.read()
    for _ in range(11):
        desk.turn(100_000)
    assert desk.kinds() == [vlink.STATUS]
    desk.port.allowed = 0
    for _ in range(100):
        desk.turn(100_000)
    assert desk.bridge.outgoing.stalls == 1
    assert 8_500 <= desk.bridge.outgoing.stalled_ms <= 10_000
    desk.port.allowed = 1 << 30
    desk.turn()
    desk.turn()
    statuses = [vlink_messages.read_status(payload) for kind, _, payload in desk.read()]
    assert 2 <= len(statuses) <= 3
    assert statuses[-1].t_us - statuses[0].t_us >= 7_000_000


def test_numbers_stay_small_integers_of_32_bits_while_frames_move_and_while_nobody_takes_them() -> None:
    desk = settled(Desk(4_000))
    kept: Any = desk.bridge.buses[0]
    kept.ring.state = SmallArray(kept.ring.state)
    wrapped = False
    for step in range(700):
        desk.port.allowed = 0 if 100 < step < 600 else 1 << 30
        desk.clock.now_us += 2_000
        wrapped = wrapped or desk.clock.ticks_us() < 2_000
        desk.bridge.move(Small(desk.clock.ticks_us()))
    assert wrapped
    assert desk.bridge.outgoing.stalled_ms == 900
    assert kept.ring.dropped()
    assert desk.bridge.outgoing.sent(0) > 500


def test_counters_of_stalls_wrap_and_hold_no_status_up() -> None:
    desk = settled(Desk(0))
    desk.bridge.outgoing.stalled_ms = (1 << 32) + 5
    desk.bridge.session.decoder.bad_crc = 1 << 33
    status = desk.bridge.status(0)
    assert status.stalled_ms == 5
    assert status.rx_bad_packets == 0
    status.write(bytearray(512), 0)


def test_time_is_answered_when_nothing_stands_before_it() -> None:
    desk = settled(Desk(4_000))
    desk.port.allowed = 0
    desk.turn(20_000)
    desk.say(vlink.HOST_TIME, vlink_messages.TimeQuestion(5, 6))
    desk.turn(1_000)
    asked_us = desk.bridge.t_us()
    desk.turn(9_000)
    desk.port.allowed = 1 << 30
    desk.port.empty = False
    desk.turn(1_000)
    desk.turn(1_000)
    assert vlink.TIME not in desk.kinds()
    desk.port.empty = True
    desk.turn(1_000)
    packets = desk.read()
    assert packets[0][0] == vlink.TIME
    answer = vlink_messages.read_time_answer(packets[0][2])
    assert (answer.number, answer.host_ns) == (5, 6)
    assert (answer.rx_us, answer.tx_us) == (asked_us, desk.bridge.t_us())
    desk.turn(6_000)
    assert vlink.FRAMES in desk.kinds()


def test_the_loader_is_entered_when_the_ack_has_left() -> None:
    desk = settled(Desk(4_000))
    desk.say(vlink.COMMAND, vlink_messages.Command(9, vlink_messages.COMMAND_LOADER, b""))
    desk.port.allowed = 0
    desk.turn(20_000)
    desk.turn(20_000)
    before = desk.restarts
    # More comes than the port takes, so the line is never idle by itself.
    for _ in range(12):
        desk.port.allowed = 300
        desk.turn(20_000)
    assert (before, desk.restarts) == (0, 1)
    assert vlink.ACK in desk.kinds()


def test_events_wait_for_a_host_and_the_oldest_are_lost_with_notice() -> None:
    desk = Desk(0)
    for number in range(20):
        desk.bridge.session.tell(desk.clock.ticks_us(), 0xF000 + number, number, "x")
    desk.hello()
    events = []
    for _ in range(60):
        desk.turn(1_000)
        events += [
            vlink_messages.read_event(payload) for kind, _, payload in desk.read() if kind == vlink.EVENT
        ]
    assert [event.code for event in events] == [EVENTS_LOST, *range(0xF004, 0xF014)]
    assert events[0].argument == 4


def test_an_event_that_was_on_its_way_at_a_hello_is_told_again() -> None:
    desk = settled(Desk(0))
    desk.turn()
    desk.read()
    desk.port.allowed = 0
    desk.bridge.session.tell(desk.clock.ticks_us(), 0xF001, -5, "what")
    desk.turn()
    desk.port.allowed = 9
    desk.turn()
    desk.port.allowed = 1 << 30
    desk.hello(2)
    for _ in range(4):
        desk.turn()
    packets = desk.read()
    assert [packet[0] for packet in packets] == [vlink.ACK, vlink.HELLO, vlink.EVENT, vlink.STATUS]
    event = vlink_messages.read_event(packets[2][2])
    assert (event.code, event.argument, event.text) == (0xF001, -5, "what")


def test_a_port_that_forgets_gets_no_frames_while_nobody_speaks() -> None:
    for forgets in (True, False):
        desk = settled(Desk(100, forgets=forgets))
        for _ in range(70):
            desk.turn(100_000)
        desk.read()
        before = desk.bridge.outgoing.sent(0)
        desk.turn(100_000)
        desk.turn(100_000)
        assert (desk.bridge.outgoing.sent(0) == before) == forgets
        desk.bridge.session.tell(desk.clock.ticks_us(), 0xF001, 0, "")
        desk.turn(1_000)
        desk.turn(1_000)
        assert (vlink.EVENT not in desk.kinds()) == forgets
        desk.say(vlink.HOST_TIME, vlink_messages.TimeQuestion(5, 6))
        for _ in range(4):
            desk.turn(10_000)
        told = desk.kinds()
        assert vlink.FRAMES in told
        assert (vlink.EVENT in told) == forgets
        assert desk.bridge.buses[0].ring.dropped() == 0


def test_noise_from_the_host_is_counted_and_ends_nothing() -> None:
    desk = settled(Desk(400))
    desk.port.waiting += bytes(range(1, 256)) * 10 + b"\0"
    desk.port.waiting += vlink.Encoder().encode(vlink.COMMAND, b"short")
    desk.port.waiting += vlink.Encoder().encode(0x7F, b"")
    for _ in range(40):
        desk.turn(6_000)
    session = desk.bridge.session
    assert (session.bad_packets(), session.malformed, session.unknown) == (1, 1, 1)
    assert vlink.FRAMES in desk.kinds()
