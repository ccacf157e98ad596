"""Blocks of the ring give the packets that a plain walk through them gives, whatever lies in them."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.socketcan.ring_block import Packets, packets_of
from tests.socketcan.blocks import BLOCK_BYTES, HARDWARE_STAMP, Packet, array_of, block_of

FEW = settings(max_examples=40, deadline=None)

Plain = tuple[int, bool, int, int, bytes]


def walk_plainly(blocks: npt.NDArray[np.uint8]) -> tuple[list[Plain], dict[str, int]]:
    """One packet after the other, as Documentation/networking/packet_mmap.rst walks a block, with checks."""
    found: list[Plain] = []
    malformed: Counter[str] = Counter()
    for block in blocks:
        memory = block.tobytes()
        size_of_block = len(memory)
        count, place = struct.unpack_from("=II", memory, 12)
        count = min(count, (size_of_block - 48) // 72)
        valid = place >= 48 and place % 8 == 0 and place + 68 <= size_of_block
        for nth in range(count):
            if not valid:
                malformed["block of the ring broken off"] += count - nth
                break
            step, sec, nsec, snaplen, size, status, mac = struct.unpack_from("=IIIIIIH", memory, place)
            (protocol,) = struct.unpack_from(">H", memory, place + 50)
            following = place + step
            valid = step % 8 == 0 and step >= 72 and following + 68 <= size_of_block
            room = step if valid and nth < count - 1 else size_of_block - place
            if mac < 68 or mac + snaplen > room or snaplen < min(size, 72):
                malformed["cut short in the ring"] += 1
            else:
                data = memory[place + mac : place + mac + min(size, 72)]
                found.append((sec * 10**9 + nsec, bool(status & HARDWARE_STAMP), size, protocol, data))
            place = following
    return found, dict(malformed)


def plain(packets: Packets) -> list[Plain]:
    size = np.broadcast_to(packets.size, len(packets))
    protocol = np.broadcast_to(packets.protocol, len(packets))
    return [
        (
            int(packets.wall_ns[row]),
            bool(packets.hardware[row]),
            int(size[row]),
            int(protocol[row]),
            packets.frames[row, : min(int(size[row]), 72)].tobytes(),
        )
        for row in range(len(packets))
    ]


def walk(blocks: npt.NDArray[np.uint8]) -> tuple[list[Plain], dict[str, int]]:
    packets, malformed = packets_of(blocks)
    return plain(packets), dict(malformed)


def of_size(*sizes: int) -> st.SearchStrategy[Packet]:
    return st.builds(
        lambda size, seed, wall_ns, status: Packet(
            0x000C if size == 16 else 0x000D, bytes((seed + at) % 256 for at in range(size)), wall_ns, status
        ),
        st.sampled_from(sizes),
        st.integers(0, 255),
        st.integers(0, (1 << 32) * 10**9 - 1),
        st.sampled_from([0, 1 << 29, 1 << 31]),
    )


ODD = st.builds(
    Packet,
    st.integers(0, 0xFFFF),
    st.binary(max_size=90),
    mac=st.sampled_from([0, 60, 67, 68, 72, 80, 96, 99, 104]),
    snaplen=st.none() | st.integers(0, 200) | st.integers(0, (1 << 32) - 1),
    step=st.none() | st.sampled_from([0, 8, 56, 71, 72, 104, 112, 168, 4000, (1 << 32) - 8]),
)
FULL = (BLOCK_BYTES - 48) // 112


@FEW
@given(st.lists(st.lists(of_size(16), min_size=1, max_size=FULL), min_size=1, max_size=5))
def test_classic_frames_alone(content: list[list[Packet]]) -> None:
    blocks = array_of([block_of(packets) for packets in content])
    found, malformed = walk(blocks)
    assert (found, malformed) == walk_plainly(blocks)
    assert [data for *_, data in found] == [packet.data for packets in content for packet in packets]


@FEW
@given(st.lists(st.lists(of_size(16, 72), max_size=40), min_size=1, max_size=5))
def test_classic_and_fd_frames_mixed(content: list[list[Packet]]) -> None:
    blocks = array_of([block_of(packets) for packets in content])
    found, malformed = walk(blocks)
    assert (found, malformed) == walk_plainly(blocks)
    assert not malformed


@FEW
@given(st.lists(st.lists(of_size(16, 72, 12, 20, 90, 2060) | ODD, max_size=30), min_size=1, max_size=4))
def test_any_packets_whatever_their_heads_say(content: list[list[Packet]]) -> None:
    blocks = array_of([block_of(packets) for packets in content])
    assert walk(blocks) == walk_plainly(blocks)


@FEW
@given(
    st.lists(of_size(16, 72), max_size=40),
    st.none() | st.integers(0, 60) | st.integers(0, (1 << 32) - 1),
    st.sampled_from([0, 8, 40, 44, 48, 56, 1000, 4024, 4028, 4032, 4096, 1 << 31]),
    st.lists(st.tuples(st.integers(0, BLOCK_BYTES - 4), st.integers(0, (1 << 32) - 1)), max_size=6),
)
def test_blocks_that_no_kernel_writes(
    packets: list[Packet], count: int | None, first: int, scribbles: list[tuple[int, int]]
) -> None:
    garbled = bytearray(block_of(packets, count=count))
    struct.pack_into("=I", garbled, 16, first)
    whole = block_of(packets, count=count)
    scribbled = bytearray(whole)
    for place, value in scribbles:
        struct.pack_into("=I", scribbled, place, value)
    blocks = array_of([bytes(garbled), whole, bytes(scribbled), b"\xff" * BLOCK_BYTES, bytes(BLOCK_BYTES)])
    assert walk(blocks) == walk_plainly(blocks)


@FEW
@given(
    st.sampled_from([16, 72]).flatmap(
        lambda size: st.lists(st.lists(of_size(size), min_size=1, max_size=FULL), min_size=1, max_size=3)
    ),
    st.integers(0, 2),
    st.one_of(st.sampled_from([8, 12, 16, 20]), st.integers(12, 40).map(lambda word: 4 * word)),
    st.integers(0, 20),
    st.one_of(st.integers(0, 200), st.integers(0, (1 << 32) - 1)),
)
def test_one_word_wrong_in_blocks_of_equal_packets(
    content: list[list[Packet]], which: int, word: int, packet: int, value: int
) -> None:
    blocks = array_of([block_of(packets) for packets in content])
    step = 96 + len(content[0][0].data)
    place = word if word < 48 else min(word + packet * step, BLOCK_BYTES - 4)
    blocks[which % len(blocks), place : place + 4] = np.frombuffer(struct.pack("=I", value), np.uint8)
    assert walk(blocks) == walk_plainly(blocks)


FRAME = Packet(0x000C, b"c" * 16)


@pytest.mark.parametrize(
    "content",
    [
        [FRAME, replace(FRAME, step=0), replace(FRAME, step=112)],
        [FRAME, FRAME, replace(FRAME, step=72)],
        [FRAME, FRAME, replace(FRAME, step=112)],
        [FRAME, replace(FRAME, snaplen=300), FRAME],
        [FRAME, replace(FRAME, protocol=0x000D), FRAME],
        [FRAME, replace(FRAME, size=20), FRAME],
        [Packet(0x000C, b"c" * 20), FRAME, replace(FRAME, step=72)],
        [replace(FRAME, snaplen=8)] * 3,
        [replace(FRAME, protocol=0x000E)] * 3,
        [replace(FRAME, mac=80, step=112)] * 3,
        [replace(FRAME, status=HARDWARE_STAMP), FRAME, FRAME],
    ],
)
def test_packets_that_are_nearly_alike(content: list[Packet]) -> None:
    blocks = array_of([block_of([FRAME] * 3), block_of(content)])
    assert walk(blocks) == walk_plainly(blocks)
    assert walk(blocks[1:]) == walk_plainly(blocks[1:])


def test_blocks_without_packets() -> None:
    empty, full = block_of([FRAME], count=0), block_of([FRAME] * 3)
    for blocks in ([empty], [empty, full], [full, empty], [full, empty, full]):
        assert walk(array_of(blocks)) == walk_plainly(array_of(blocks))
    assert walk(np.empty((0, BLOCK_BYTES), np.uint8)) == ([], {})


def test_every_packet_that_a_block_promises_is_accounted_for() -> None:
    frame = Packet(0x000C, b"c" * 16)
    broken = block_of([frame, frame, Packet(0x000C, b"d" * 16, step=111), frame, frame])
    found, malformed = walk(array_of([block_of([frame] * 30), broken, block_of([frame] * 7)]))
    assert len(found) == 30 + 3 + 7
    assert malformed == {"block of the ring broken off": 2}


def test_data_do_not_reach_into_the_next_packet() -> None:
    frame = Packet(0x000C, b"c" * 16)
    found, malformed = walk(array_of([block_of([frame, Packet(0x000D, b"d" * 72, step=112), frame])]))
    assert len(found) == 1
    assert malformed["cut short in the ring"] >= 1


@pytest.mark.parametrize("block_bytes", [4096, 16384, 65536])
def test_every_size_of_a_page(block_bytes: int) -> None:
    packets = [Packet(0x000C, struct.pack("=QQ", nth, nth)) for nth in range(2000)]
    blocks = array_of([block_of(packets, block_bytes=block_bytes)] * 3, block_bytes)
    found, malformed = walk(blocks)
    assert len(found) == 3 * min(2000, (block_bytes - 48) // 112)
    assert (found, malformed) == walk_plainly(blocks)


def test_packets_hold_nothing_of_the_ring() -> None:
    blocks = array_of([block_of([Packet(0x000C, b"c" * 16), Packet(0x000D, b"d" * 72)])])
    packets, _ = packets_of(blocks)
    before = plain(packets)
    blocks[:] = 0
    assert plain(packets) == before
