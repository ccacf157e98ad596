"""Hostile bytes: whatever they say, one error type, bounded memory, and never a second meaning."""

from __future__ import annotations

import tracemalloc

import cbor2
import pytest
import zstandard

from edge.errors import WireError
from edge.wire.bits import BitWriter
from edge.wire.limits import DEFAULT_LIMITS
from edge.wire.message import decode, encode
from edge.wire.record_columns import Field
from edge.wire.strict_cbor import CborValue, read_cbor, write_cbor
from tests.wire import fuzz_message
from tests.wire.fuzz_message import KEYS, mixed_message

GOOD = encode(mixed_message(), KEYS, compress=False)
ZSTD_MAGIC_BYTES = 4


def fields() -> dict[int, CborValue]:
    value = read_cbor(GOOD)
    assert isinstance(value, dict)
    return value


def refused(data: bytes) -> str:
    with pytest.raises(WireError) as caught:
        decode(data, KEYS)
    return str(caught.value)


def test_every_truncation_is_refused() -> None:
    for length in range(len(GOOD)):
        refused(GOOD[:length])


def test_every_changed_byte_is_refused_or_another_message_with_a_way_back() -> None:
    other = 0
    for place in range(len(GOOD)):
        for flip in (1 << place % 8,) if place % 4 else (1 << place % 8, 0xFF):
            changed = bytearray(GOOD)
            changed[place] ^= flip
            try:
                read = decode(bytes(changed), KEYS)
            except WireError:
                continue
            again = encode(read, KEYS, compress=False)
            assert decode(again, KEYS) == read
            assert read != mixed_message(), f"byte {place} means nothing"
            other += 1
    assert other > 0


def test_a_short_run_of_the_fuzzer_finds_nothing() -> None:
    findings = fuzz_message.run(800, seed=20)
    assert findings.failures == []
    assert min(findings.refused[target] for target in fuzz_message.SEEDS) > 20
    assert findings.accepted["message"] + findings.accepted["body"] > 20


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81" * 100_000,
        b"\x9f" * 100_000,
        b"\xd8\x1c" * 1000 + b"\x00",
        b"\xa1\x01" * 50_000,
        bytes.fromhex("9bffffffffffffffff"),
        bytes.fromhex("bb7fffffffffffffff"),
        bytes.fromhex("5b7fffffffffffffff"),
        bytes.fromhex("7a7fffffff"),
        bytes.fromhex("d81c81d81d00"),
        bytes.fromhex("c4821b7fffffffffffffff01"),
        bytes.fromhex("d8236a282861612b292b29242b"),
        bytes.fromhex("c11b7fffffffffffffff"),
        bytes.fromhex("c249010000000000000000"),
        bytes.fromhex("1b8000000000000000"),
        bytes.fromhex("f97e00"),
        bytes.fromhex("fb3ff0000000000000"),
        bytes.fromhex("f6"),
        bytes.fromhex("1c"),
        bytes.fromhex("ff"),
        bytes.fromhex("61ff"),
        bytes.fromhex("1800"),
        bytes.fromhex("a201010101"),
        bytes.fromhex("a202010101"),
        bytes.fromhex("a1613101"),
        bytes.fromhex("a12001"),
        GOOD + b"\x00",
        b"\xd9\xd9\xf7" + GOOD,
    ],
    ids=lambda data: data[:12].hex() + ("…" if len(data) > 12 else ""),
)
def test_cbor_outside_the_subset_is_refused(data: bytes) -> None:
    refused(data)
    with pytest.raises(WireError):
        read_cbor(data[: -len(GOOD)] + GOOD[:1] if data.endswith(GOOD) else data)


@pytest.mark.parametrize("field", sorted(fields()))
def test_each_field_has_its_type_and_is_needed(field: int) -> None:
    optional = {Field.PREDECESSOR, Field.LOSSES}
    without = {key: value for key, value in fields().items() if key != field}
    if field in optional:
        decode(write_cbor(without), KEYS)
    else:
        refused(write_cbor(without))
    wrongs: list[CborValue] = ["text" * 50, b"\x01", -1, 2**63 - 1, [], [1], {}, {1: 1}]
    for wrong in wrongs:
        if type(wrong) is type(fields()[field]) and field in {
            Field.FIRST_NUMBER,
            Field.FIRST_TIME,
            Field.PERIOD,
        }:
            continue
        if wrong != fields()[field] and not (field == Field.WALL_OFFSET and isinstance(wrong, int)):
            refused(write_cbor({**fields(), field: wrong}))


def test_an_unknown_field_and_a_later_version_are_refused() -> None:
    assert "unknown fields" in refused(write_cbor({**fields(), 40: 1}))
    assert "version 2" in refused(write_cbor({**fields(), Field.VERSION: 2}))


def test_cbor2_reads_the_same_fields_as_the_strict_reader() -> None:
    assert cbor2.loads(GOOD) == fields()
    assert cbor2.dumps(fields(), canonical=True) == GOOD


def bomb(records: int, columns: int, shape: int) -> bytes:
    """A body of few bytes that claims `columns` arrays of `shape - 2` elements in each record."""
    writer = BitWriter()
    writer.golomb(columns)
    for _ in range(columns):
        writer.golomb(1)
        writer.golomb(0)
        writer.bits(0, 1)
    for base in [0] * 6 + [shape] * columns + [1] * columns:
        writer.sized(base)
        if records > 1:
            writer.bits(15, 4)
    return write_cbor({**fields(), Field.RECORDS: records, Field.MASKS: ["x"], Field.BODY: writer.to_bytes()})


@pytest.mark.parametrize(
    ("records", "columns", "shape"),
    [
        (1, 1, 2**62),
        (1, 1, 2**63 - 1),
        (4096, 1, 4096),
        (4096, 4096, 1),
        (1, 4096, 4096),
        (2, 1, DEFAULT_LIMITS.values),
    ],
)
def test_a_small_message_cannot_claim_a_large_one(records: int, columns: int, shape: int) -> None:
    data = bomb(records, columns, shape)
    tracemalloc.start()
    try:
        assert "exceed" in refused(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000


def test_the_largest_claim_that_is_allowed_costs_bounded_memory() -> None:
    data = bomb(64, 1, DEFAULT_LIMITS.values // 64 + 2)
    assert len(data) < 400
    tracemalloc.start()
    try:
        read = decode(data, KEYS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(read.records) == 64
    assert peak < 60_000_000


def compressed(body: bytes, size: int | None = None) -> bytes:
    claimed = len(body) if size is None else size
    packed = zstandard.ZstdCompressor(write_checksum=False).compress(body)
    return write_cbor({**fields(), Field.BODY: packed, Field.BODY_BYTES: claimed})


def test_a_compressed_body_must_be_of_the_size_it_says() -> None:
    body = fields()[Field.BODY]
    assert isinstance(body, bytes)
    assert decode(compressed(body), KEYS) == mixed_message()
    for claimed in (
        1,
        len(body) - 1,
        len(body) + 1,
        DEFAULT_LIMITS.body_bytes,
        DEFAULT_LIMITS.body_bytes + 1,
        -1,
    ):
        refused(compressed(body, claimed))
    refused(write_cbor({**fields(), Field.BODY: b"no zstd frame", Field.BODY_BYTES: 5}))


def test_a_zstd_bomb_is_refused_before_it_is_unpacked() -> None:
    bombs = [compressed(bytes(2**27)), compressed(bytes(2**27), DEFAULT_LIMITS.body_bytes)]
    streamed = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(2**27))
    bombs.append(write_cbor({**fields(), Field.BODY: streamed, Field.BODY_BYTES: 1000}))
    tracemalloc.start()
    try:
        for data in bombs:
            refused(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_bytes_after_a_zstd_frame_are_refused() -> None:
    body = fields()[Field.BODY]
    assert isinstance(body, bytes)
    packed = zstandard.ZstdCompressor(write_checksum=False).compress(body)
    skippable = bytes.fromhex("502a4d1804000000deadbeef")
    for tail in (b"\x00", packed, skippable, packed[:ZSTD_MAGIC_BYTES]):
        refused(write_cbor({**fields(), Field.BODY: packed + tail, Field.BODY_BYTES: len(body)}))
    refused(write_cbor({**fields(), Field.BODY: skippable + packed, Field.BODY_BYTES: len(body)}))
