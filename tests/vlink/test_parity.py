"""CPython and MicroPython run the same codec: whatever comes from the line, they say the same of it."""

from __future__ import annotations

import os
import random
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.vlink.frames_columns import frame_columns
from edge.wire import vlink, vlink_frames
from tests.firmware.micropython import command, environment
from tests.vlink.programs import peer
from tests.vlink.strategies import Message, messages, payload_of, told_by

LONG = os.environ.get("NEVGATE_FIRMWARE_LONG") == "1"
FRAMES = 1_000_000 if LONG else 100_000
PROGRAM = Path(peer.__file__)


class Micropython:
    """The peer on MicroPython, asked over its standard input and output."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def answer(self, request: bytes) -> bytes:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(struct.pack("<I", len(request)) + request)
        self._process.stdin.flush()
        head = self._process.stdout.read(4)
        assert len(head) == 4, "MicroPython has ended"
        return self._process.stdout.read(struct.unpack("<I", head)[0])


@pytest.fixture(scope="module")
def micropython() -> Iterator[Micropython]:
    process = subprocess.Popen(
        command(PROGRAM, [], "16m"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment([])
    )
    yield Micropython(process)
    process.kill()
    process.wait(timeout=20)


def request_of(*pieces: bytes) -> bytes:
    return b"".join(struct.pack("<H", len(piece)) + piece for piece in pieces)


def cut(line: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(line[at : at + size])
        at += size
    return [*pieces, line[at:]]


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """What may come from a line: packets, some of them broken, noise between."""
    encoder = vlink.Encoder()
    parts: list[bytes] = []
    for kind, message in draw(st.lists(messages, max_size=5)):
        parts.append(encoder.encode(kind, payload_of(message)))
        if draw(st.booleans()):
            parts.append(draw(st.binary(max_size=20)))
    line = bytearray(b"".join(parts))
    for _ in range(draw(st.integers(0, 4))):
        if line:
            at = draw(st.integers(0, len(line) - 1))
            line[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(line)


@settings(max_examples=1_000 if LONG else 100)
@given(lines(), st.lists(st.integers(0, 200), max_size=4))
def test_both_say_the_same_of_any_line(micropython: Micropython, line: bytes, sizes: list[int]) -> None:
    request = request_of(*cut(line, sizes))
    assert micropython.answer(request) == peer.answer(request)


@settings(max_examples=1_000 if LONG else 60)
@given(st.sampled_from(sorted(peer.READERS)), st.binary(max_size=200))
def test_both_read_or_refuse_the_same_payloads(micropython: Micropython, kind: int, payload: bytes) -> None:
    request = request_of(vlink.Encoder().encode(kind, payload))
    assert micropython.answer(request) == peer.answer(request)


@settings(max_examples=30)
@given(messages)
def test_micropython_writes_what_cpython_wrote(micropython: Micropython, sent: tuple[int, Message]) -> None:
    kind, message = sent
    line = vlink.Encoder().encode(kind, payload_of(message))
    assert line in micropython.answer(request_of(line))


def test_noise_and_broken_packets_in_bulk(micropython: Micropython) -> None:
    source = random.Random(6)  # noqa: S311 - a seed that repeats, no secret
    encoder = vlink.Encoder()
    for _ in range(200 if LONG else 20):
        parts = []
        for _ in range(40):
            packet = bytearray(encoder.encode(vlink.FRAMES, source.randbytes(source.randrange(200))))
            for _ in range(source.choice((0, 0, 1, 3))):
                packet[source.randrange(len(packet))] = source.randrange(256)
            parts.append(bytes(packet[: source.choice((len(packet), source.randrange(len(packet))))]))
            parts.append(source.choice((b"", b"\0", source.randbytes(source.randrange(3000)))))
        line = b"".join(parts)
        request = request_of(
            *cut(line, [source.randrange(3000) for _ in range(20)]), b"\0", encoder.encode(3, b"")
        )
        told = micropython.answer(request)
        assert told == peer.answer(request)
        assert struct.pack("<BH", 3, (encoder.sequence - 1) % 65536) + b"\xff" in told


def test_frames_by_the_hundred_thousand(micropython: Micropython) -> None:
    """CPython writes frames; MicroPython reads them, spells them out and writes them anew."""
    source = random.Random(100)  # noqa: S311 - a seed that repeats, no secret
    encoder = vlink.Encoder()
    count = 0
    while count < FRAMES:
        pieces, payloads, spelled = [], [], []
        for _ in range(80):
            told = told_by(source.randbytes(800), fd=source.random() < 0.3)
            message = vlink_frames.Frames(
                source.randrange(256), source.getrandbits(32), source.getrandbits(63), told
            )
            payloads.append(payload_of(message))
            pieces.append(encoder.encode(vlink.FRAMES, payloads[-1]))
            spelled.append(peer.values_of(message))
        answered = micropython.answer(request_of(*pieces))
        expected = [
            b"\xff".join(
                (struct.pack("<BH", vlink.FRAMES, (encoder.sequence - 80 + n) % 65536) + payload, text, piece)
            )
            for n, (payload, text, piece) in enumerate(zip(payloads, spelled, pieces, strict=True))
        ]
        assert answered == b"\xff".join(expected) + struct.pack("<IIIII", 80, 0, 0, 0, 0)
        columns = frame_columns(payloads)
        assert columns.malformed == 0
        count += len(columns)


def test_every_single_bit_error_is_seen_on_micropython(micropython: Micropython) -> None:
    source = random.Random(8)  # noqa: S311 - a seed that repeats, no secret
    for _ in range(40 if LONG else 4):
        message = vlink_frames.Frames(0, 7, 99, told_by(source.randbytes(90), fd=False))
        line = bytearray(vlink.Encoder().encode(vlink.FRAMES, payload_of(message)))
        flipped = []
        for bit in range(8 * len(line)):
            line[bit // 8] ^= 1 << bit % 8
            flipped.append(bytes(line) + b"\0")
            line[bit // 8] ^= 1 << bit % 8
        told = micropython.answer(request_of(*flipped))
        assert len(told) == 20
        packets, cobs, crc, long, skipped = struct.unpack("<IIIII", told)
        parts = [part for line in flipped for part in line.split(b"\0") if part]
        assert (packets, cobs + crc + long, skipped) == (0, len(parts), sum(map(len, parts)))
