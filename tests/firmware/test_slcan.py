"""slcan: what LAWICEL's manual says, what python-can reads, what slcand and Linux send; nothing transmits."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import can
import pytest
import serial
from can.interfaces.slcan import slcanBus

from edge.wire import vlink, vlink_frames
from firmware.bridge.slcan import BITRATES, Slcan
from simulator.board import traffic
from simulator.board.behind_port import PlayedBus
from tests.firmware.bench import Bench, Host, bench


def made(bitrate: int = 500_000, data_bitrate: int = 0) -> Slcan:
    return Slcan(bitrate, data_bitrate, "1012", "BE01")


def said(slcan: Slcan, octets: bytes) -> bytes:
    slcan.feed(octets, len(octets))
    told = bytes(slcan.replies[: slcan.replied])
    slcan.replied = 0
    return told


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"V\r", b"V1012\r"),
        (b"N\r", b"NBE01\r"),
        (b"\r\r\r", b"\r\r\r"),
        (b"C\r", b"\x07"),
        (b"F\r", b"\x07"),
        (b"S6\rO\r", b"\r\r"),
        (b"S5\rO\r", b"\x07\x07"),
        (b"S5\rS6\rL\r", b"\x07\r\r"),
        (b"s001C\r", b"\r"),
        (b"s011C\r", b"\x07"),
        (b"s03\r", b"\x07"),
        (b"Sx\rS\rS66\r", b"\x07\x07\x07"),
        (b"O\rO\r", b"\r\x07"),
        (b"O\rS6\r", b"\r\x07"),
        (b"O\rZ1\r", b"\r\x07"),
        (b"Z1\rZ0\rZ2\r", b"\r\r\x07"),
        (b"O\rF\r", b"\rF00\r"),
        (b"O\rC\rC\r", b"\r\r\x07"),
        (b"M00000000\rmFFFFFFFF\rX1\rQ0\r", b"\r\r\r\r"),
        (b"M00000001\rX0\rU1\rW2\rP\r", b"\x07\x07\x07\x07\x07"),
        (b"Y2\r", b"\x07"),
        (b"S6\r\n", b"\r"),
        (b"V" * 41 + b"\rV\r", b"\x07V1012\r"),
        (b"\x00\xffV\rV\r", b"\x07V1012\r"),
    ],
)
def test_commands(octets: bytes, told: bytes) -> None:
    assert said(made(), octets) == told


@pytest.mark.parametrize("letter", "tTrRdDbBxA")
@pytest.mark.parametrize("before", [b"", b"O\r", b"L\r", b"S6\rO\r"])
def test_what_asks_to_send_is_refused(letter: str, before: bytes) -> None:
    slcan = made()
    said(slcan, before)
    assert said(slcan, letter.encode() + b"12380011223344556677\r") == b"\x07"


def test_each_bit_rate_is_that_of_the_board_or_refused() -> None:
    for built in BITRATES:
        answers = [said(made(built), b"S%d\r" % code) for code in range(10)]
        assert answers == [b"\r" if rate == built else b"\x07" for rate in BITRATES]
    assert said(made(data_bitrate=2_000_000), b"Y2\rY5\r") == b"\r\x07"


def test_replies_to_a_host_that_never_reads_are_bounded() -> None:
    slcan = made()
    slcan.feed(b"V\r" * 500, 1_000)
    assert slcan.replied <= len(slcan.replies)


def lines_of(frames: tuple[tuple[int, int, int, bytes], ...], t_us: int = 0, stamped: bool = False) -> bytes:
    slcan = made()
    slcan.stamped = stamped
    packet = bytearray(vlink.LIMIT)
    end = vlink_frames.Frames(0, 1, t_us, frames).write(packet, vlink.HEADER)
    line = bytearray(vlink.LINE_LIMIT)
    return bytes(line[: slcan.lines(packet, end, line)])


def test_lines() -> None:
    frames = (
        (0, 0x08, 0x123, bytes(range(8))),
        (999, 0x12, 0x1ABCDEF0, b"\xff\x01"),
        (1, 0x23, 0x7FF, b""),
        (0, 0x38, 0x1, b""),
        (0, 0x0F, 0x001, bytes(8)),
        (0, 0x84, 0x020, bytes(4)),
        (0, 0x49, 0x321, bytes(12)),
        (0, 0xDA, 0x321, bytes(16)),
    )
    told = lines_of(frames).split(b"\r")
    assert told == [
        b"t12380001020304050607",
        b"T1ABCDEF02FF01",
        b"r7FF3",
        b"R000000018",
        b"t00180000000000000000",
        b"d3219" + b"0" * 24,
        b"B00000321A" + b"0" * 32,
        b"",
    ]
    stamped = lines_of(frames[:3], 3_600_059_999_000, stamped=True)
    assert stamped == b"t12380001020304050607EA5F\rT1ABCDEF02FF01EA5F\rr7FF30000\r"


def test_the_most_that_a_payload_makes_fits_a_packets_line() -> None:
    for kind in (0x10, 0x18, 0x38, 0x08, 0x00, 0x20, 0x5F):
        size = 3 + (4 if kind & 0x10 else 2) + vlink_frames.data_length(kind)
        count = min(255, 400 // size)
        frames = ((0, kind, 1, bytes(vlink_frames.data_length(kind))),) * count
        assert len(lines_of(frames, stamped=True)) <= vlink.LINE_LIMIT


def test_flags() -> None:
    slcan = made()
    slcan.noted(0, 0, 0, 0)
    assert said(slcan, b"O\rF\r") == b"\rF00\r"
    slcan.noted(2, 1, 1, 5)
    slcan.noted(2, 1, 1, 5)
    assert said(slcan, b"F\rF\r") == b"FAD\rF24\r"
    slcan.noted(0, 1, 1, 5)
    assert said(slcan, b"F\r") == b"F00\r"


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("board"), PlayedBus(800)) as running:
        yield running


def check(messages: list[can.Message], count: int) -> None:
    data = bytearray(8)
    numbers = []
    for message in messages:
        if message.is_remote_frame:
            continue
        number = int.from_bytes(message.data[:4], "little")
        kind = traffic.frame(traffic.MIXED, 0, number, data)
        assert message.arbitration_id == traffic.identifier(kind, 0, number)
        assert message.is_extended_id == bool(kind & traffic.EXTENDED)
        assert bytes(message.data) == bytes(data[: kind & 15])
        numbers.append(number)
    assert len(messages) >= count
    assert numbers == sorted(set(numbers))
    # Remote frames carry no number; one frame in 64 is one.
    assert len(messages) - 1 == numbers[-1] - numbers[0] or messages[0].is_remote_frame


def test_python_can_reads_it(board: Bench) -> None:
    with slcanBus(board.board.port, bitrate=500_000, sleep_after_open=0, timeout=0.05) as reader:
        assert reader.get_version(2) == (10, 12)
        assert reader.get_serial_number(2) == "BE01"
        messages: list[can.Message] = []
        while len(messages) < 300:
            message = reader.recv(2)
            assert message
            messages.append(message)
        check(messages, 300)
        assert any(message.is_remote_frame for message in messages)
        assert any(message.is_extended_id for message in messages)
        before = board.report()["buses"][0]
        # It cannot be told: the program on the host has no way to know, the bus never sees it.
        reader.send(can.Message(arbitration_id=0x123, data=b"\x01", is_extended_id=False))
        assert reader.recv(2)
        assert board.report()["buses"][0]["starts"] == before["starts"]


def close(port: serial.Serial) -> bytes:
    """Close the channel; what comes behind the version comes from a closed one."""
    port.write(b"\rC\rZ0\rV\r")
    return read_until(port, b"V1012\r")


def read_until(port: serial.Serial, text: bytes) -> bytes:
    came = b""
    end = time.monotonic() + 10
    while text not in came:
        came += port.read(4_096)
        assert time.monotonic() < end, came
    return came


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"C\rS6\rF\rO\r", id="slcand -o -c -f -s6"),
        pytest.param(b"C\rs001C\rO\r", id="slcand -o -c -b 001C"),
        pytest.param(b"C\rS6\rL\r", id="Linux 6, listen-only on"),
        pytest.param(b"\r\r\rC\rS6\rZ1\rO\r", id="with times"),
    ],
)
def test_what_slcand_and_linux_send(board: Bench, start: bytes) -> None:
    with serial.Serial(board.board.port, timeout=0.05) as port:
        close(port)
        port.write(start)
        came = b""
        while came.count(b"\r") < 200:
            came += port.read(4_096)
        assert close(port).endswith(b"V1012\r")
        assert not port.read(10)
        begin = re.search(rb"[tTrR]", came)
        assert begin
        assert not came[: begin.start()].replace(b"\x07", b"").replace(b"F00", b"").strip(b"\r")
        lines = came[begin.start() :].split(b"\r")[:-1]
        stamp = 4 if b"Z1" in start else 0
        for line in lines:
            wide = 8 if line[:1] in b"TR" else 3
            length = 0 if line[:1] in b"rR" else 2 * int(line[1 + wide : 2 + wide])
            assert len(line) == 2 + wide + length + stamp, line


def test_hello_ends_slcan_and_no_frame_is_torn(board: Bench) -> None:
    with serial.Serial(board.board.port, timeout=0.02) as port:
        port.write(b"Z0\rO\r")
        read_until(port, b"\rt")
        host = Host(port)
        host.begin()
        host.until(lambda: len(host.frames) > 300)
        numbers = [frame[1] for frame in host.frames]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert not host.gaps
        port.write(b"V\rO\r\x00")
        host.say_hello()
        host.until(lambda: host.hellos == 2)
