"""Framing: what goes in comes out, nothing else does, and what was set aside is counted."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.wire import vlink

payloads = st.binary(max_size=vlink.LIMIT - vlink.HEADER - vlink.CRC)
kinds = st.integers(0, 255)
bytes_of_few_values = st.lists(st.sampled_from([0, 0, 1, 2, 254, 255]), max_size=1024).map(bytes)


def packets_of(decoder: vlink.Decoder, *pieces: bytes) -> list[tuple[int, int, bytes]]:
    found = []
    for piece in pieces:
        decoder.feed(piece, len(piece))
        while packet := decoder.packet():
            found.append((packet[0], packet[1], bytes(packet[2])))
    return found


@given(st.binary(max_size=1024) | bytes_of_few_values)
@example(b"")
@example(bytes(range(1, 255)))
@example(bytes(range(1, 256)))
@example(bytes(range(1, 255)) + b"\0")
@example(bytes(1024))
@example(b"\1" * 1016)
def test_cobs_has_no_zero_little_overhead_and_a_way_back(plain: bytes) -> None:
    line, back = bytearray(1100), bytearray(1100)
    n = vlink.cobs_encode(plain, len(plain), line)
    assert 0 not in line[:n]
    assert len(plain) < n <= len(plain) + len(plain) // 254 + 1
    assert vlink.cobs_decode(line, n, back) == len(plain)
    assert back[: len(plain)] == plain


@pytest.mark.parametrize(
    ("plain", "line"),
    [
        ("", "01"),
        ("00", "01 01"),
        ("00 00", "01 01 01"),
        ("11 22 00 33", "03 11 22 02 33"),
        ("11 00 00 00", "02 11 01 01 01"),
    ],
)
def test_cobs_of_its_paper(plain: str, line: str) -> None:
    out = bytearray(16)
    n = vlink.cobs_encode(bytes.fromhex(plain), len(bytes.fromhex(plain)), out)
    assert out[:n] == bytes.fromhex(line)


@pytest.mark.parametrize(
    "line", ["", "02", "05 11 22", "03 11 00", "00", "01 00", "ff 11", "ff" + 254 * "11" + "01"]
)
def test_what_is_no_cobs_is_told(line: str) -> None:
    assert vlink.cobs_decode(bytes.fromhex(line), len(bytes.fromhex(line)), bytearray(64)) == -1


@given(st.lists(st.sampled_from([1, 1, 1, 2, 3, 255]), min_size=1, max_size=900).map(bytes))
@example(b"\xff" * 255)
@example(b"\xff" * 256)
@example(b"\xff" * 255 + b"\1\1")
def test_no_bytes_have_two_forms(line: bytes) -> None:
    plain, again = bytearray(1024), bytearray(1024)
    n = vlink.cobs_decode(line, len(line), plain)
    if n >= 0:
        assert again[: vlink.cobs_encode(plain, n, again)] == line


@given(bytes_of_few_values | st.binary(max_size=600))
def test_cobs_stays_within_its_room(line: bytes) -> None:
    out = bytearray(max(len(line) - 1, 0))
    assert vlink.cobs_decode(line, len(line), out) < max(len(line), 1)
    assert len(out) == max(len(line) - 1, 0)


def test_a_packet_one_byte_too_long_is_set_aside() -> None:
    longest, longer = vlink.Encoder(64), vlink.Encoder(65)
    decoder = vlink.Decoder(64)
    kept = bytes(range(1, 58))
    assert packets_of(decoder, longer.encode(1, kept + b"x") + longest.encode(1, kept)) == [(1, 0, kept)]
    assert (decoder.too_long, decoder.bad_crc, decoder.bad_cobs) == (1, 0, 0)


def test_a_packet_too_long_is_set_aside_also_where_its_line_is_not() -> None:
    decoder = vlink.Decoder()
    line = vlink.Encoder(vlink.LIMIT + 1).encode(1, bytes(vlink.LIMIT - vlink.HEADER - vlink.CRC + 1))
    assert len(line) < vlink.LINE_LIMIT
    assert packets_of(decoder, line) == []
    assert (decoder.too_long, decoder.skipped_bytes) == (1, len(line) - 1)


@given(st.lists(st.tuples(kinds, payloads), max_size=8), st.data())
def test_packets_come_back_however_the_line_is_cut(
    sent: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    encoder, decoder = vlink.Encoder(), vlink.Decoder()
    line = b"".join(encoder.encode(kind, payload) for kind, payload in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(line)), max_size=6)))
    pieces = [line[a:b] for a, b in zip([0, *cuts], [*cuts, len(line)], strict=True)]
    assert packets_of(decoder, *pieces) == [(kind, n, payload) for n, (kind, payload) in enumerate(sent)]
    assert (decoder.packets, decoder.bad_cobs, decoder.bad_crc, decoder.too_long) == (len(sent), 0, 0, 0)
    assert decoder.skipped_bytes == 0


@given(payloads)
def test_a_packet_is_laid_out_as_the_page_says(payload: bytes) -> None:
    encoder = vlink.Encoder()
    encoder.sequence = 0xABCD
    line = encoder.encode(0x46, payload)
    plain = bytearray(vlink.LIMIT)
    n = vlink.cobs_decode(line, len(line) - 1, plain)
    body = b"\x46\xcd\xab" + payload
    assert line.endswith(b"\0")
    assert len(line) <= vlink.LINE_LIMIT
    assert plain[:n] == body + zlib.crc32(body).to_bytes(4, "little")


def test_sequence_wraps() -> None:
    encoder, decoder = vlink.Encoder(), vlink.Decoder()
    encoder.sequence = 0xFFFF
    first, second = packets_of(decoder, encoder.encode(1, b""), encoder.encode(1, b""))
    assert (first[1], second[1]) == (0xFFFF, 0)
    assert vlink.missing_between(first[1], second[1]) == 0
    assert vlink.missing_between(0xFFFE, 3) == 4


def test_a_payload_longer_than_a_packet_is_refused() -> None:
    encoder = vlink.Encoder()
    with pytest.raises(ValueError, match="longer than a packet"):
        encoder.encode(1, bytes(vlink.LIMIT - vlink.HEADER - vlink.CRC + 1))
    with pytest.raises(ValueError, match="longer than a packet"):
        encoder.seal(1, vlink.LIMIT - vlink.CRC + 1)
    assert len(encoder.encode(1, b"\1" * (vlink.LIMIT - vlink.HEADER - vlink.CRC))) <= vlink.LINE_LIMIT


@given(st.lists(st.binary(max_size=3000), max_size=5), payloads)
def test_after_any_garbage_a_good_packet_is_found(garbage: list[bytes], payload: bytes) -> None:
    decoder = vlink.Decoder()
    packet = vlink.Encoder().encode(2, payload)
    assert packets_of(decoder, *garbage, b"\0" + packet)[-1] == (2, 0, payload)


@given(st.binary(min_size=1, max_size=5000).filter(lambda octets: 0 not in octets))
def test_what_is_skipped_is_counted_to_the_byte(garbage: bytes) -> None:
    decoder = vlink.Decoder()
    good = vlink.Encoder().encode(2, b"good")
    assert packets_of(decoder, good + garbage + b"\0\0" + good) == [(2, 0, b"good")] * 2
    assert decoder.skipped_bytes == len(garbage)
    assert decoder.bad_cobs + decoder.bad_crc + decoder.too_long == 1


@given(st.binary(max_size=6000), st.integers(1, 700))
def test_lines_and_counters_add_up_to_what_was_fed(line: bytes, piece: int) -> None:
    decoder = vlink.Decoder()
    packets_of(decoder, *(line[at : at + piece] for at in range(0, len(line), piece)), b"\0")
    written = [part for part in line.split(b"\0") if part]
    assert decoder.packets + decoder.bad_cobs + decoder.bad_crc + decoder.too_long == len(written)
    assert decoder.skipped_bytes == sum(map(len, written))


def test_endless_noise_without_delimiter_takes_no_memory_and_is_counted() -> None:
    decoder = vlink.Decoder(limit=64)
    noise = b"\xaa" * 10_000
    for _ in range(100):
        decoder.feed(noise, len(noise))
        assert decoder.packet() is None
    assert decoder.skipped_bytes == 1_000_000
    good = vlink.Encoder().encode(3, b"x")
    assert packets_of(decoder, b"\0" + good) == [(3, 0, b"x")]
    assert decoder.too_long == 1


def test_what_was_fed_is_not_lost_by_feeding_again() -> None:
    decoder = vlink.Decoder()
    two = vlink.Encoder().encode(1, b"") * 2
    decoder.feed(two, len(two))
    assert decoder.packet()
    with pytest.raises(ValueError, match="not yet said None"):
        decoder.feed(b"", 0)
    assert decoder.packet()
    assert decoder.packet() is None


def test_every_single_bit_error_is_detected() -> None:
    encoder = vlink.Encoder()
    line = bytearray(encoder.encode(2, bytes(range(40))))
    for bit in range(8 * len(line)):
        line[bit // 8] ^= 1 << bit % 8
        decoder = vlink.Decoder()
        assert packets_of(decoder, bytes(line), b"\0") == []
        line[bit // 8] ^= 1 << bit % 8
