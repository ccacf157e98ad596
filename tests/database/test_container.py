"""Container frames are taken apart as cantools does it, whatever they hold."""

from __future__ import annotations

import cantools.database.can
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.database.container import HEADER_BYTES, bytes_at, take_apart

IDS = (0, 1, 0x010000, 0xABCDEF)

pdus = st.tuples(st.sampled_from(IDS), st.binary(max_size=20)).map(
    lambda pdu: pdu[0].to_bytes(3, "big") + bytes([len(pdu[1])]) + pdu[1]
)
frames = st.lists(
    st.one_of(st.lists(pdus, max_size=5).map(b"".join), st.binary(max_size=64)).map(lambda data: data[:64]),
    max_size=6,
)


def container() -> cantools.database.can.Message:
    inner = [
        cantools.database.can.Message(1, f"Inner{header_id}", 20, [], header_id=header_id)
        for header_id in IDS
    ]
    return cantools.database.can.Message(0x100, "Outer", 64, [], contained_messages=inner)


def taken(
    several: list[bytes], *, little_endian: bool = False
) -> tuple[list[list[tuple[int, bytes]]], list[bool]]:
    data = np.full((len(several), 64), 0xEE, np.uint8)
    for row, one in enumerate(several):
        data[row, : len(one)] = np.frombuffer(one, np.uint8)
    found = take_apart(data, np.array([len(one) for one in several], np.uint16), little_endian=little_endian)
    contents = bytes_at(data, found.rows, found.begins + HEADER_BYTES, found.lengths, 64)
    by_frame: list[list[tuple[int, bytes]]] = [[] for _ in several]
    for row, header_id, length, content in zip(
        found.rows.tolist(), found.header_ids.tolist(), found.lengths.tolist(), contents, strict=True
    ):
        assert not content[length:].any()
        by_frame[row].append((header_id, content[:length].tobytes()))
    return by_frame, found.torn.tolist()


@given(several=frames)
def test_pdus_are_those_of_cantools(several: list[bytes]) -> None:
    codec = container()
    found, torn = taken(several)
    for data, ours, cut in zip(several, found, torn, strict=True):
        theirs = [
            (one if isinstance(one, int) else one.header_id, bytes(content))
            for one, content in codec.unpack_container(data, allow_truncated=True)
        ]
        if cut:
            # cantools hands out what there is of a PDU that would run past its frame.
            theirs.pop()
        assert ours == [pdu for pdu in theirs if pdu != (0, b"")]


def test_header_ids_may_be_little_endian() -> None:
    frame = bytes.fromhex("030201 02 aabb 010000 00 000000 01 cc")
    assert taken([frame], little_endian=True)[0] == [[(0x010203, b"\xaa\xbb"), (1, b""), (0, b"\xcc")]]


def test_a_pdu_past_the_end_of_its_frame_is_left_out_and_told() -> None:
    found, torn = taken([b"\0\0\1\1\x11" + b"\0\0\2\2\x22", b"\0\0\1\0"])
    assert found == [[(1, b"\x11")], [(1, b"")]]
    assert torn == [True, False]


def test_no_frames_hold_no_pdus() -> None:
    assert taken([]) == ([], [])
    assert taken([b"", b"\0\0\1"]) == ([[], []], [False, False])
