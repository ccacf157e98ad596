"""What the kernel says beside datagrams is read exactly, in every layout that it has."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bus.socketcan.control_messages import read_said

SOCKET_LEVEL = 1
STAMP_OLD, STAMPING_OLD, STAMP_NEW, STAMPING_NEW, DROPS = 35, 37, 64, 65, 40
WIDTH = 128
Message = tuple[int, int, bytes]


def row(messages: Sequence[Message], long_bytes: int) -> bytes:
    """Control messages as put_cmsg lays them out where a long has so many bytes."""
    parts = []
    for level, kind, data in messages:
        head = struct.pack("=Q" if long_bytes == 8 else "=I", long_bytes + 8 + len(data))
        message = head + struct.pack("=ii", level, kind) + data
        parts.append(message + bytes(-len(message) % long_bytes))
    return b"".join(parts)


def read(rows: Sequence[bytes], long_bytes: int) -> list[tuple[int, int, int]]:
    control = np.frombuffer(b"".join(each.ljust(WIDTH, b"\xa5") for each in rows), np.uint8)
    lengths = np.array([len(each) for each in rows], np.uint64)
    said = read_said(control.reshape(len(rows), WIDTH), lengths, long_bytes=long_bytes)
    return list(zip(said.software_ns.tolist(), said.hardware_ns.tolist(), said.dropped.tolist(), strict=True))


def time(t_ns: int, word: str) -> bytes:
    return struct.pack(f"=2{word}", *divmod(t_ns, 10**9))


def stamping(software_ns: int, hardware_ns: int, *, new: bool, long_bytes: int) -> Message:
    word = "q" if new or long_bytes == 8 else "i"
    data = time(software_ns, word) + time(77, word) + time(hardware_ns, word)
    return SOCKET_LEVEL, STAMPING_NEW if new else STAMPING_OLD, data


times = st.integers(0, (2**31 - 1) * 10**9)


@st.composite
def datagrams(draw: st.DrawFn) -> tuple[int, list[tuple[bytes, tuple[int, int, int]]]]:
    """Rows of one machine, mixed as they never are in life, each with what it says."""
    long_bytes = draw(st.sampled_from((4, 8)))
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        messages: list[Message] = []
        software, hardware, dropped = 0, 0, 0
        match draw(st.integers(0, 3)):
            case 1:
                software, hardware = draw(times), draw(times)
                new = draw(st.booleans())
                messages.append(stamping(software, hardware, new=new, long_bytes=long_bytes))
            case 2:
                software = draw(times)
                messages.append((SOCKET_LEVEL, STAMP_NEW, time(software, "q")))
            case 3:
                software = draw(times)
                word = "q" if long_bytes == 8 else "i"
                messages.append((SOCKET_LEVEL, STAMP_OLD, time(software, word)))
        if draw(st.booleans()):
            dropped = draw(st.integers(0, 2**32 - 1))
            messages.append((SOCKET_LEVEL, DROPS, struct.pack("=I", dropped)))
        if draw(st.booleans()):
            other = (draw(st.sampled_from((0, 101, 263))), STAMP_OLD, b"\xff" * draw(st.integers(0, 16)))
            messages.insert(draw(st.integers(0, len(messages))), other)
        rows.append((row(messages, long_bytes), (software, hardware, dropped)))
    return long_bytes, rows


@given(datagrams())
def test_each_row_is_read_by_its_own_layout(
    made: tuple[int, list[tuple[bytes, tuple[int, int, int]]]],
) -> None:
    long_bytes, rows = made
    if rows:
        assert read([each for each, _ in rows], long_bytes) == [expected for _, expected in rows]


def test_a_stamp_after_2038_is_read_where_a_long_has_32_bits() -> None:
    late_ns = 4_000_000_000 * 10**9
    found = read([row([stamping(late_ns, 0, new=True, long_bytes=4)], 4)], 4)
    assert found == [(late_ns, 0, 0)]


@pytest.mark.parametrize("long_bytes", [4, 8])
@given(content=st.binary(max_size=WIDTH))
def test_no_bytes_whatsoever_bring_it_down(long_bytes: int, content: bytes) -> None:
    assert len(read([content, content], long_bytes)) == 2


def test_a_message_that_is_cut_off_says_nothing_and_those_before_it_do() -> None:
    whole = row([(SOCKET_LEVEL, DROPS, struct.pack("=I", 7))], 8)
    cut = row([stamping(10**18, 0, new=False, long_bytes=8)], 8)[:40]
    assert read([whole + cut], 8) == [(0, 0, 7)]


def test_rows_of_equal_length_and_other_content_are_kept_apart() -> None:
    count = struct.pack("=I", 7)
    rows = [row([(level, DROPS, count)], 8) for level in (0, SOCKET_LEVEL, 0, SOCKET_LEVEL)]
    assert [dropped for _, _, dropped in read(rows, 8)] == [0, 7, 0, 7]
