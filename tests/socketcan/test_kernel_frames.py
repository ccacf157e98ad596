"""Structures of the kernel become the same columns as a plain reading gives, whatever lies in them."""

from __future__ import annotations

import struct
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.formats import rows
from edge.bus.socketcan import kernel_frames
from edge.bus.socketcan.kernel_frames import cells_of
from edge.bus.socketcan.reception import Cells

FEW = settings(max_examples=40, deadline=None)

FD_LENGTHS = (*range(9), 12, 16, 20, 24, 32, 48, 64)
Plain = tuple[int, int, bool, int, bytes]


def classic(can_id: int, length: int, data: bytes = b"", *, padding: bytes = b"\xee" * 8) -> bytes:
    return struct.pack("=IBBBB", can_id, length, 0xAA, 0xBB, 0xCC) + (data + padding)[:8]


def flexible(
    can_id: int, length: int, flags: int, data: bytes = b"", *, padding: bytes = b"\xee" * 64
) -> bytes:
    return struct.pack("=IBBBB", can_id, length, flags, 0xBB, 0xCC) + (data + padding)[:64]


def read(packets: list[tuple[int, bytes]], *, with_protocol: bool = True) -> tuple[Cells, dict[str, int]]:
    """Read (ethertype, packet) pairs at once; the n-th is stamped n."""
    width = 80
    frames = np.frombuffer(
        b"".join((packet + b"\x99" * width)[:width] for _, packet in packets), np.uint8
    ).reshape(-1, width)
    count = len(packets)
    cells, malformed = cells_of(
        frames,
        np.array([len(packet) for _, packet in packets], np.uint32),
        wall_ns=np.arange(count, dtype=np.int64),
        hardware=np.arange(count) % 2 == 1,
        local=np.arange(count) % 3 == 1,
        protocol=np.array([kind for kind, _ in packets], np.uint16) if with_protocol else None,
    )
    return cells, dict(malformed)


def read_plainly(packets: list[tuple[int, bytes]]) -> tuple[list[tuple[int, Plain]], dict[str, int]]:
    """The same, one after the other, as linux/can.h says it."""
    found: list[tuple[int, Plain]] = []
    malformed: Counter[str] = Counter()
    for place, (kind, packet) in enumerate(packets):
        fd = len(packet) == 72
        if kind == 0x000E:
            malformed["CAN XL frame"] += 1
            continue
        if (kind, len(packet)) not in {(0x000C, 16), (0x000D, 72)}:
            malformed["of a size that no such frame has"] += 1
            continue
        can_id, length, flags = struct.unpack_from("=IBB", packet)
        if fd and length not in FD_LENGTHS:
            malformed[rows.refusal(0, 8, length)] += 1
        elif not fd and length > 8:
            malformed[rows.refusal(0, 0, length)] += 1
        elif not can_id & 0xA0000000 and can_id & 0x1FFFFFFF > 0x7FF:
            malformed[rows.refusal(0x800, 0, 0)] += 1
        else:
            if fd:
                can_id &= ~0x40000000
            remote = can_id & 0x60000000 == 0x40000000
            data = b"" if remote else packet[8 : 8 + length]
            found.append((place, (can_id, length, fd, flags if fd else 0, data)))
    return found, dict(malformed)


def plain(cells: Cells) -> list[tuple[int, Plain]]:
    width = cells.data.shape[1]
    out = []
    for row in range(len(cells)):
        length, can_id = int(cells.length[row]), int(cells.can_id[row])
        carried = 0 if can_id & 0x60000000 == 0x40000000 else length
        data = cells.data[row].tobytes()
        assert data[carried:] == bytes(width - carried)
        place = int(cells.wall_ns[row])
        assert bool(cells.hardware[row]) == (place % 2 == 1)
        assert bool(cells.local[row]) == (place % 3 == 1)
        out.append((place, (can_id, length, bool(cells.fd[row]), int(cells.fd_flags[row]), data[:carried])))
    return out


ids = st.one_of(st.integers(0, 0x7FF), st.integers(0, 0xFFFFFFFF))
PACKETS = st.one_of(
    st.tuples(st.just(0x000C), st.builds(classic, ids, st.integers(0, 8), st.binary(max_size=8))),
    st.tuples(
        st.just(0x000D),
        st.builds(flexible, ids, st.sampled_from(FD_LENGTHS), st.integers(0, 255), st.binary(max_size=64)),
    ),
    st.tuples(st.sampled_from([0x000C, 0x000D, 0x000E, 0x0800]), st.binary(max_size=90)),
    st.tuples(st.sampled_from([0x000C, 0x000D, 0x000E]), st.binary(min_size=16, max_size=16)),
    st.tuples(st.sampled_from([0x000C, 0x000D, 0x000E]), st.binary(min_size=72, max_size=72)),
)


@FEW
@given(st.lists(PACKETS, max_size=30))
def test_same_as_a_plain_reading(packets: list[tuple[int, bytes]]) -> None:
    cells, malformed = read(packets)
    assert (plain(cells), malformed) == read_plainly(packets)
    assert len(cells) + sum(malformed.values()) == len(packets)


@FEW
@given(st.lists(st.tuples(ids, st.integers(0, 8), st.binary(max_size=8)), min_size=1, max_size=30))
def test_a_bus_without_fd_stays_narrow(frames: list[tuple[int, int, bytes]]) -> None:
    packets = [(0x000C, classic(*frame)) for frame in frames]
    cells, malformed = read(packets)
    assert cells.data.shape == (len(cells), 8)
    assert (plain(cells), malformed) == read_plainly(packets)


@pytest.mark.parametrize("flags", range(8))
@pytest.mark.parametrize("number", [0x1, 0x7FF, 0x800, 0x1FFFFFFF])
def test_each_kind_of_id_on_a_bus_of_its_own(flags: int, number: int) -> None:
    packets = [(0x000C, classic(flags << 29 | number, length, b"12345678")) for length in (8, 3)]
    cells, malformed = read(packets)
    assert (plain(cells), malformed) == read_plainly(packets)


def test_size_alone_tells_the_kind_where_no_ethertype_is_known() -> None:
    packets = [
        (0, classic(1, 1, b"a")),
        (0, flexible(2, 12, 5, b"b" * 12)),
        (0, b"x" * 20),
        (0, b"\x80" * 20),
    ]
    cells, malformed = read(packets, with_protocol=False)
    assert [(bool(fd), int(length)) for fd, length in zip(cells.fd, cells.length, strict=True)] == [
        (False, 1),
        (True, 12),
    ]
    assert malformed == {"of a size that no such frame has": 1, "CAN XL frame": 1}


def test_columns_hold_nothing_of_the_memory_they_were_read_from() -> None:
    frames = np.frombuffer(classic(1, 8, b"abcdefgh"), np.uint8).reshape(1, 16).copy()
    cells, _ = cells_of(
        frames,
        np.array([16]),
        wall_ns=np.zeros(1, np.int64),
        hardware=np.zeros(1, np.bool_),
        local=np.zeros(1, np.bool_),
    )
    frames[:] = 0
    assert (cells.can_id[0], cells.data[0].tobytes()) == (1, b"abcdefgh")


def test_causes_are_those_of_every_other_source() -> None:
    assert rows.refusal(0, 0, 9) == kernel_frames.DATA_TOO_LONG
    assert rows.refusal(0, 8, 9) == kernel_frames.NO_FD_LENGTH
    assert rows.refusal(0x800, 0, 0) == kernel_frames.ID_OUT_OF_RANGE
