"""No packet with one bit turned passes for a packet: all bits of a thousand packets."""

from __future__ import annotations

import os
import random

from edge.wire import vlink, vlink_frames
from tests.vlink.strategies import payload_of, told_by

LONG = os.environ.get("NEVGATE_FIRMWARE_LONG") == "1"


def packet_of(source: random.Random) -> bytearray:
    longest = 1000 if LONG or source.random() < 0.01 else 60
    told = told_by(source.randbytes(source.randrange(longest)), fd=source.random() < 0.2)
    message = vlink_frames.Frames(source.randrange(4), source.getrandbits(32), source.getrandbits(40), told)
    encoder = vlink.Encoder()
    encoder.sequence = source.getrandbits(16)
    return bytearray(encoder.encode(vlink.FRAMES, payload_of(message)))


def test_every_single_bit_error_in_a_thousand_packets_is_detected() -> None:
    source = random.Random(1)  # noqa: S311 - a seed that repeats, no secret
    bits = 0
    decoder = vlink.Decoder()
    skipped = parts = 0
    for _ in range(1_000):
        line = packet_of(source)
        for bit in range(8 * len(line)):
            line[bit // 8] ^= 1 << bit % 8
            flipped = bytes(line) + b"\0"
            line[bit // 8] ^= 1 << bit % 8
            decoder.feed(flipped, len(flipped))
            assert decoder.packet() is None, (line.hex(), bit)
            for part in flipped.split(b"\0"):
                parts += part != b""
                skipped += len(part)
        bits += 8 * len(line)
    assert bits > 300_000
    assert decoder.packets == 0
    assert decoder.bad_cobs + decoder.bad_crc + decoder.too_long == parts
    assert decoder.skipped_bytes == skipped
