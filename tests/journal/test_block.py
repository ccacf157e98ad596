"""A block's header has one encoding, and its hashes bind everything that they are said to bind."""

from __future__ import annotations

from dataclasses import fields, replace
from hashlib import sha256
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clock import TimeQuality
from edge.errors import JournalError
from edge.journal.block import (
    BlockHeader,
    BlockKind,
    commit,
    first_link,
    leaf,
    link,
    read_header,
    write_header,
)

HEADER = BlockHeader(
    number=7,
    kind=BlockKind.RECORDS,
    data_class="position",
    boot=bytes(range(16)),
    from_ns=1_000,
    to_ns=2_000,
    wall_offset_ns=1_764_000_000_000_000_000,
    time_quality=TimeQuality.GNSS,
    previous=3,
    key_id=bytes(range(8)),
    count=2,
    first_number=41,
    last_number=42,
    mask="all",
)
INT64 = st.integers(-(2**63), 2**63 - 1)
POSITIVE = st.integers(1, 2**63 - 1)


@st.composite
def headers(draw: st.DrawFn) -> BlockHeader:
    number = draw(POSITIVE)
    from_ns, to_ns = sorted((draw(INT64), draw(INT64)))
    records = sorted((draw(POSITIVE), draw(POSITIVE))) if draw(st.booleans()) else [0, 0]
    return BlockHeader(
        number,
        draw(st.sampled_from(BlockKind)),
        draw(st.text(max_size=20)),
        draw(st.binary(min_size=16, max_size=16)),
        from_ns,
        to_ns,
        draw(INT64),
        draw(st.sampled_from(TimeQuality)),
        draw(st.integers(0, number - 1)),
        draw(st.binary(min_size=8, max_size=8)),
        draw(st.integers(0, 2**63 - 1)),
        records[0],
        records[1],
        draw(st.text(max_size=20)),
    )


@given(headers())
@settings(max_examples=75, deadline=None)
def test_a_header_survives_in_deterministic_encoding(header: BlockHeader) -> None:
    data = write_header(header)
    assert read_header(data) == header
    assert cbor2.dumps(cbor2.loads(data), canonical=True) == data


def test_the_header_s_fields_stand_in_the_order_of_the_format() -> None:
    assert cbor2.loads(write_header(HEADER)) == [
        *(1, 7, 2, "position", bytes(range(16)), 1_000, 2_000, 1_764_000_000_000_000_000, 3),
        *(3, bytes(range(8)), 2, 41, 42, "all"),
    ]


def test_each_changed_byte_of_a_header_is_refused_or_another_header() -> None:
    data = write_header(HEADER)
    accepted = 0
    for place in range(len(data)):
        for byte in range(256):
            changed = data[:place] + bytes([byte]) + data[place + 1 :]
            try:
                assert write_header(read_header(changed)) == changed
            except JournalError:
                continue
            accepted += 1
    assert accepted > len(data)


def test_each_truncation_of_a_header_is_refused() -> None:
    data = write_header(HEADER)
    for end in range(len(data)):
        with pytest.raises(JournalError):
            read_header(data[:end])
    with pytest.raises(JournalError):
        read_header(data + b"\0")


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 0},
        {"number": 2**63},
        {"previous": 7},
        {"previous": -1},
        {"from_ns": 2_001},
        {"to_ns": 2**63},
        {"count": -1},
        {"first_number": 0},
        {"first_number": 43},
        {"boot": bytes(15)},
        {"key_id": bytes(9)},
        {"data_class": "é" * 65},
        {"mask": "m" * 129},
    ],
)
def test_a_header_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(JournalError):
        replace(HEADER, **wrong)


def test_unknown_versions_kinds_and_qualities_are_refused() -> None:
    values = cbor2.loads(write_header(HEADER))
    for place, wrong in ((0, 2), (2, 0), (2, 12), (8, 4)):
        with pytest.raises(JournalError):
            read_header(cbor2.dumps([*values[:place], wrong, *values[place + 1 :]]))


def test_the_leaf_binds_every_field_of_the_header() -> None:
    seen = {leaf(write_header(HEADER), bytes(32), bytes(32))}
    other: dict[str, Any] = {
        **dict.fromkeys(("number", "to_ns", "wall_offset_ns", "count", "first_number"), None),
        "kind": BlockKind.FRAMES,
        "data_class": "",
        "boot": bytes(16),
        "time_quality": TimeQuality.NONE,
        "key_id": bytes(8),
        "mask": "",
    }
    for field in fields(BlockHeader):
        value = other.get(field.name)
        changed = replace(HEADER, **{field.name: getattr(HEADER, field.name) + 1 if value is None else value})
        seen.add(leaf(write_header(changed), bytes(32), bytes(32)))
    assert len(seen) == len(fields(BlockHeader)) + 1


def test_hashes_are_those_of_the_format() -> None:
    header, ciphertext_hash, commitment = write_header(HEADER), bytes([1] * 32), commit(bytes(16), b"text")
    assert commitment == sha256(bytes(16) + b"text").digest()
    expected = sha256(b"\0" + header + ciphertext_hash + commitment).digest()
    assert leaf(header, ciphertext_hash, commitment) == expected
    assert first_link(bytes(16)) == sha256(b"\3" + bytes(16)).digest()
    assert link(bytes(32), expected) == sha256(b"\2" + bytes(32) + expected).digest()


def test_a_salt_and_a_stream_of_another_length_are_refused() -> None:
    with pytest.raises(JournalError):
        commit(bytes(15), b"\0text")
    with pytest.raises(JournalError):
        first_link(bytes(32))
