"""The accelerator reads out of the kernel's ring what NumPy reads, whatever stands there."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.socketcan import ring_cells as module
from edge.bus.socketcan.reception import Cells
from edge.bus.socketcan.ring_block import packets_of
from edge.bus.socketcan.ring_cells import ring_cells
from tests.accelerator.with_and_without import both, native, needs_accelerator, using
from tests.socketcan.blocks import BLOCK_BYTES, HARDWARE_STAMP, Packet, array_of, block_of

pytestmark = needs_accelerator

IDS = (0, 0x123, 0x7FF, 0x80000000, 0x9FFFFFFF, 0x40000123, 0xC0000123, 0x20000004, 0x60000004)
FD_LENGTHS = (*range(9), 12, 16, 20, 24, 32, 48, 64)
COLUMNS = [column.name for column in fields(Cells)]


def sound(*, fd: bool) -> st.SearchStrategy[Packet]:
    """A frame as it comes from a bus; behind its length stands what was there before."""
    return st.builds(
        lambda can_id, length, flags, filler, wall_ns, status: Packet(
            0x000D if fd else 0x000C,
            struct.pack("=IBB2x", can_id, length, flags) + bytes([filler]) * (64 if fd else 8),
            wall_ns,
            status,
        ),
        st.sampled_from(IDS),
        st.sampled_from(FD_LENGTHS) if fd else st.integers(0, 8),
        st.integers(0, 255),
        st.integers(0, 255),
        st.integers(0, (1 << 32) * 10**9 - 1),
        st.sampled_from((0, 1 << 29, HARDWARE_STAMP)),
    )


ODD = st.one_of(
    st.builds(
        Packet,
        st.sampled_from((0x000C, 0x000D, 0x000E, 0x0800)),
        st.binary(min_size=16, max_size=16) | st.binary(min_size=72, max_size=72) | st.binary(max_size=90),
    ),
    st.builds(
        Packet,
        st.just(0x000C),
        st.just(bytes(16)),
        mac=st.sampled_from((67, 68, 80, 96, 99, 104)),
        snaplen=st.none() | st.sampled_from((0, 15, 16, 17, 24, 72, (1 << 32) - 1)),
        step=st.none() | st.sampled_from((0, 8, 71, 72, 104, 112, 120, 168, 4000, (1 << 32) - 8)),
    ),
)


def assert_alike(blocks: npt.NDArray[np.uint8], *, protocols: bool = True) -> None:
    (mine, my_causes), (theirs, their_causes) = both(lambda: ring_cells(blocks, protocols=protocols))
    assert my_causes == their_causes
    for name in COLUMNS:
        one, other = getattr(mine, name), getattr(theirs, name)
        assert (name, one.dtype, one.shape) == (name, other.dtype, other.shape)
        assert one.tobytes() == other.tobytes(), name


def by_accelerator(blocks: npt.NDArray[np.uint8]) -> bool:
    return module._compiled(native(), blocks, protocols=True) is not None


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from((sound(fd=False), sound(fd=True), sound(fd=False) | sound(fd=True))).flatmap(
        lambda packets: st.lists(st.lists(packets, max_size=40), min_size=1, max_size=4)
    ),
    st.integers(-(1 << 31), (1 << 31) - 1),
)
def test_frames_of_a_bus(content: list[list[Packet]], interface: int) -> None:
    blocks = array_of([block_of(packets) for packets in content])
    for block, packets in zip(blocks, content, strict=True):
        if packets:
            struct.pack_into("=i", block, 48 + 52, interface)
    assert by_accelerator(blocks)
    assert_alike(blocks)
    assert_alike(blocks, protocols=False)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(sound(fd=False) | sound(fd=True) | ODD, max_size=30), min_size=1, max_size=4),
    st.booleans(),
)
def test_packets_whatever_their_heads_say(content: list[list[Packet]], protocols: bool) -> None:
    assert_alike(array_of([block_of(packets) for packets in content]), protocols=protocols)


def whole(content: Sequence[Packet]) -> bytearray:
    return bytearray(block_of(content))


WORDS = (0, 1, 48, 68, 72, 96, 112, 168, 3980, 3984, 4028, 4032, 4096, 1 << 31, (1 << 32) - 8, (1 << 32) - 1)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(sound(fd=False) | sound(fd=True), min_size=1, max_size=36),
    st.lists(
        st.tuples(
            st.sampled_from((12, 16, *range(48, 400, 4))) | st.integers(0, BLOCK_BYTES - 4),
            st.sampled_from(WORDS) | st.integers(0, (1 << 32) - 1),
        ),
        max_size=4,
    ),
)
def test_blocks_that_no_kernel_writes(packets: list[Packet], scribbles: list[tuple[int, int]]) -> None:
    scribbled = whole(packets)
    for place, value in scribbles:
        struct.pack_into("=I", scribbled, place, value)
    # The last block has nothing behind it: what reaches past it would be read outside.
    assert_alike(array_of([block_of(packets), bytes(scribbled)]))
    assert_alike(array_of([bytes(scribbled)]))


FRAME = Packet(0x000C, struct.pack("=IB3x8s", 0x123, 8, b"8 bytes."))


def test_a_block_that_says_more_than_it_holds_is_left_to_numpy() -> None:
    full = [FRAME] * ((BLOCK_BYTES - 48) // 112)
    assert by_accelerator(array_of([block_of(full)]))
    for count in (len(full) + 1, 57, (1 << 32) - 1):
        blocks = array_of([block_of(full, count=count)])
        assert not by_accelerator(blocks)
        assert_alike(blocks)


def test_the_last_frame_may_end_where_its_block_ends_and_not_behind() -> None:
    block = whole([FRAME])
    head = bytes(block[48:160])
    for first in range(BLOCK_BYTES - 128, BLOCK_BYTES, 8):
        struct.pack_into("=I", block, 16, first)
        fits = first + 112 <= BLOCK_BYTES
        block[first : first + 112] = head[: BLOCK_BYTES - first]
        blocks = array_of([bytes(block)])
        assert by_accelerator(blocks) == fits
        assert_alike(blocks)


@pytest.mark.parametrize(
    "odd",
    [
        [replace(FRAME, snaplen=15)],
        [replace(FRAME, mac=67), FRAME],
        [replace(FRAME, step=64), FRAME],
        [replace(FRAME, step=116), FRAME],
        [replace(FRAME, step=BLOCK_BYTES - 48 + 8), FRAME],
        [replace(FRAME, step=104), FRAME],
        [replace(FRAME, data=FRAME.data + b"more")],
        [replace(FRAME, protocol=0x000D)],
        [replace(FRAME, data=struct.pack("=IB11x", 0x123, 9))],
        [replace(FRAME, data=struct.pack("=IB11x", 0x800, 8))],
    ],
)
def test_one_odd_packet_leaves_its_block_to_numpy(odd: list[Packet]) -> None:
    blocks = array_of([block_of(odd)])
    assert not by_accelerator(blocks)
    assert_alike(blocks)


def with_head(first: int, *, step: int, mac: int = 96) -> npt.NDArray[np.uint8]:
    """A block of zeros but for a packet's head at `first`; a step leads to another packet."""
    block = bytearray(block_of([], filler=0, count=2 if step else 1, first=first))
    struct.pack_into("=IIIIIIH", block, first, step, 1, 1, 16, 16, 1, mac)
    struct.pack_into(">H", block, first + 50, 0x000C)
    return array_of([bytes(block)])


@pytest.mark.parametrize("first", [40, 44, 52, 100])
def test_packets_begin_behind_the_head_and_at_words(first: int) -> None:
    assert by_accelerator(with_head(48, step=0))
    assert not by_accelerator(with_head(first, step=0))
    assert_alike(with_head(first, step=0))


def test_a_step_out_of_the_block_leads_to_no_data_there() -> None:
    blocks = with_head(48, step=65528, mac=60000)
    assert not by_accelerator(blocks)
    assert_alike(blocks)


@pytest.mark.parametrize("which", range(8))
def test_columns_that_do_not_fit_are_refused(which: int) -> None:
    blocks = array_of([block_of([FRAME] * 3)])
    columns: Any = [
        np.zeros(3, np.int64),
        np.zeros(3, np.uint8),
        np.zeros(3, np.uint32),
        np.zeros(3, np.uint8),
        np.zeros(3, np.uint8),
        np.zeros(3, np.uint8),
        np.zeros(3, np.int32),
        np.zeros((3, 8), np.uint8),
    ]
    assert native().ring_cells(blocks, BLOCK_BYTES, True, *columns)
    assert native().ring_cells(blocks, BLOCK_BYTES, True, *[column[:2].copy() for column in columns]) is None
    for wrong in (columns[which][:2], columns[which].astype(np.complex128)):
        with pytest.raises(ValueError, match=r"."):
            native().ring_cells(blocks, BLOCK_BYTES, True, *columns[:which], wrong, *columns[which + 1 :])
    for block_bytes in (0, -1, 47, 4095):
        with pytest.raises(ValueError, match="blocks"):
            native().ring_cells(blocks, block_bytes, True, *columns)


def test_without_the_accelerator_the_ring_is_read_in_numpy() -> None:
    blocks = array_of([block_of([FRAME])])
    with using(None):
        cells, _ = ring_cells(blocks, protocols=True)
    assert cells.data.tobytes() == b"8 bytes." == packets_of(blocks)[0].frames[0, 8:16].tobytes()
