"""A board that says what it likes, in packets that are good: the gateway reads on, and keeps little of it."""

from __future__ import annotations

import logging
import random
import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.condition import Conditions
from edge.bus.vlink.board_report import Member
from edge.bus.vlink.source import TOLD_MAX, VlinkSource
from edge.bus.vlink.stamped_frames import MOVED
from edge.clock import NS_PER_S, VirtualClock
from edge.wire import vlink
from edge.wire.vlink_messages import read_host_hello, read_time_question
from tests.vlink.board import Board, Line
from tests.vlink.desk import Desk

EXTREMES = (0, 1, 2**31, 2**32 - 1, 2**52, 2**63 - 1, 2**63, 2**64 - 1)
BUSES = (0, 1, 2, 30, 255)


class Liar(Board):
    """Answers each question with something of the right form and any content, and says more besides."""

    def __init__(self, clock: VirtualClock, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - a test repeats its seed
        self.nonce = self.spoken_ns = 0
        super().__init__(clock)

    def say(self, kind: int, payload: bytes) -> None:
        self._out += self._encoder.encode(kind, payload[:1000])

    def number(self, octets: int) -> bytes:
        drawn = self.dice.choice(EXTREMES) if self.dice.random() < 0.7 else self.dice.getrandbits(64)
        value: int = drawn % 2 ** (8 * octets)
        return value.to_bytes(octets, "little")

    def text(self) -> bytes:
        said = self.dice.choice([b"", b"x" * 255, b"ok", b"\x1b[2J\r\n", b"%s%n{0}"])
        return bytes([len(said)]) + said

    def receive(self, data: bytes) -> None:
        self._decoder.feed(data, len(data))
        while (packet := self._decoder.packet()) is not None:
            kind, _, payload = packet
            if kind == vlink.HOST_HELLO:
                self.nonce = read_host_hello(bytes(payload)).nonce
                self.begin()
            elif kind == vlink.HOST_TIME:
                question = read_time_question(bytes(payload))
                self.say(
                    vlink.TIME,
                    struct.pack("<IQ", question.number, question.host_ns) + self.number(8) + self.number(8),
                )
            elif kind == vlink.COMMAND:
                self.say(vlink.ACK, bytes(payload[:4]) + self.number(1) + self.text())

    def begin(self) -> None:
        if self.dice.random() < 0.3:
            self._encoder.sequence = 0
        refused = self.dice.random() < 0.05
        self.say(vlink.ACK, struct.pack("<IB", self.nonce, refused) + self.text())
        self.greet()

    def greet(self) -> None:
        buses = self.dice.choice(BUSES)
        one = self.number(4) + self.number(4) + self.number(2) + self.number(1) + self.text()
        self.say(
            vlink.HELLO,
            b"\x01" + self.number(4) + self.number(4) + bytes([buses]) + one * buses + self.text() * 2
            + bytes(8) + self.number(4) + self.number(8),
        )  # fmt: skip

    def send(self, packets: int = 12) -> bytes:
        spoken_ns, self.spoken_ns = self.spoken_ns, self.clock.boot_ns()
        if self.spoken_ns - spoken_ns < 20_000_000:
            packets = 0
        for _ in range(packets):
            kind = self.dice.choice(
                [vlink.FRAMES, vlink.FRAMES, vlink.STATUS, vlink.EVENT, vlink.HELLO, 0x3F]
            )
            if kind == vlink.FRAMES:
                count = self.dice.choice([0, 1, 60])
                frame = b"\xff\xff\x08\x23\x01" + bytes(8)
                head = bytes([self.dice.choice(BUSES)]) + self.number(4) + self.number(8) + bytes([count])
                self.say(kind, head + frame * count)
            elif kind == vlink.STATUS:
                buses = self.dice.choice(BUSES)
                one = b"".join(self.number(4) for _ in range(5)) + self.dice.randbytes(4)
                self.say(kind, self.number(8) + bytes([buses]) + one * buses + self.dice.randbytes(37))
            elif kind == vlink.EVENT:
                self.say(kind, self.number(8) + self.number(2) + self.number(4) + self.text())
            elif kind == vlink.HELLO and self.dice.random() < 0.2:
                self.greet()
            else:
                self.say(kind, self.dice.randbytes(self.dice.randrange(40)))
        out, self._out = self._out, b""
        return out


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_the_gateway_reads_on_whatever_a_board_says(seed: int) -> None:
    listener = Listener()
    clock = VirtualClock(100 * NS_PER_S)
    board = Liar(clock, seed)
    conditions = Conditions()
    source = VlinkSource(
        (Member("pt"), Member("cabin", 1)),
        lambda: Line(board, clock),
        clock=clock,
        random_u32=lambda: seed,
        conditions=conditions,
    )
    last_ns = {0: 0, 1: 0}
    for _ in range(100):
        while (batch := source.read(0)) is not None and len(batch):
            for bus in (0, 1):
                times = batch.t_ns[batch.bus == bus]
                if len(times):
                    assert (np.diff(times) >= 0).all()
                    assert last_ns[bus] <= times[0]
                    last_ns[bus] = int(times[-1])
            assert batch.t_ns.max() <= clock.boot_ns()
        clock.advance_to(clock.boot_ns() + NS_PER_S // 10)
    hop = source.hop()
    assert hop.entered == hop.left + sum(hop.set_aside.values())
    assert len(source.said()) <= TOLD_MAX
    listener.stop()
    assert all(len(line) < 1000 and line.isprintable() for line in listener.lines)
    assert len(listener.lines) < 100


class Listener(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        self._logger = logging.getLogger("edge.bus.vlink")
        self._before = self._logger.level
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def stop(self) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._before)


def test_times_that_were_moved_to_stay_in_order_are_counted() -> None:
    bench = Desk()
    bench.read(1)
    bench.board.offer(0, 5)
    bench.board._zero_ns -= 3600 * NS_PER_S  # its clock is an hour ahead from now on
    bench.board.offer(0, 7)
    bench.read(0.07)
    assert bench.source.hop().facts[MOVED] == 7
