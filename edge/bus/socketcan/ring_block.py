"""Walks the blocks of a TPACKET_V3 ring (linux/if_packet.h): the packets of many at once, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.bus.socketcan.kernel_frames import FD_BYTES
from edge.bus.socketcan.reception import Bools

NS_PER_S = 1_000_000_000

BLOCK_HEAD_BYTES = 48
"""``struct tpacket_block_desc``."""
STATUS_WORD, COUNT_WORD, FIRST_WORD = 2, 3, 4
"""Places of ``block_status``, ``num_pkts`` and ``offset_to_first_pkt`` in it, in words of 4 bytes."""

PACKET_HEAD_BYTES = 68
"""``TPACKET3_HDRLEN``: ``struct tpacket3_hdr`` and ``struct sockaddr_ll``."""
ALIGNMENT = 8
"""``V3_ALIGNMENT``: packets begin at multiples of it."""
SHORTEST_STEP = 72
"""A packet's head alone, aligned."""

DATA_AT = 96
"""Where the data of a packet begin with a ``SOCK_DGRAM`` socket, as far as the kernel says nothing else."""

BLOCK_BROKEN = "block of the ring broken off"
CUT_SHORT = "cut short in the ring"

_HARDWARE = np.uint32(1 << 31)
"""``TP_STATUS_TS_RAW_HARDWARE``."""

_ROW_BYTES = DATA_AT + FD_BYTES
_COMMON_STEP = 56
"""Divides the steps of classic frames (112) and of CAN FD (168), so that few places are to be looked at."""

_HEAD = np.dtype(
    {
        "names": ["sec", "nsec", "snaplen", "size", "status", "mac", "protocol"],
        "formats": ["u4", "u4", "u4", "u4", "u4", "u2", ">u2"],
        "offsets": [4, 8, 12, 16, 20, 24, 50],
        "itemsize": _ROW_BYTES,
    }
)
_STEP_WORD = 0
"""Place of ``tp_next_offset`` in a packet's head, in words of 4 bytes."""

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Packets:
    """N packets out of a ring, in order.

    Attributes:
        wall_ns: int64, the stamp, Unix time in nanoseconds.
        hardware: bool, whether the controller made the stamp.
        size: int64, bytes that the packet had; `frames` may hold fewer.
        protocol: uint16, its ethertype.
        frames: uint8 of shape (N, 72): its first bytes; what is beyond `size` means nothing.
    """

    wall_ns: npt.NDArray[np.int64]
    hardware: Bools
    size: npt.NDArray[np.int64]
    protocol: npt.NDArray[np.uint16]
    frames: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.size)


def packets_of(blocks: npt.NDArray[np.uint8]) -> tuple[Packets, Mapping[str, int]]:
    """Copy the packets out of retired blocks.

    Nothing that the blocks say of themselves is trusted: what would reach out of its block, or into the next
    packet, is left out and counted; where the chain of a block's packets breaks, those that the block says
    would follow are counted.

    Args:
        blocks: of shape (B, bytes of a block), blocks one behind the other in memory; copied at once.

    Returns:
        The packets in order of block and of place in it, and how many were left out, by cause.
    """
    count, block_bytes = blocks.shape
    memory = np.empty(blocks.size + _ROW_BYTES, np.uint8)
    memory[: blocks.size] = blocks.reshape(-1)
    memory[blocks.size :] = 0
    words = memory[: blocks.size].view(np.uint32)
    heads = words.reshape(count, -1)
    fitting = (block_bytes - BLOCK_HEAD_BYTES) // SHORTEST_STEP
    packets = np.minimum(heads[:, COUNT_WORD], fitting).astype(np.int64)
    first = heads[:, FIRST_WORD].astype(np.int64)
    base = np.arange(count) * block_bytes
    malformed: dict[str, int] = {}
    found = _evenly(words, base, first, packets, block_bytes)
    if found is None:
        found = _chained(words, base, first, packets, block_bytes)
        broken = int(packets.sum()) - len(found[0])
        if broken:
            malformed[BLOCK_BROKEN] = broken
    return _copied(memory, *found, malformed), malformed


def _evenly(
    words: npt.NDArray[np.uint32], base: Places, first: Places, packets: Places, block_bytes: int
) -> tuple[Places, Places] | None:
    """Places of packets that all lie equally far apart, and the bytes that each has; None if they do not."""
    most = int(packets.max(initial=0))
    start = int(first[0]) if most else 0
    if not packets.all() or not _may_begin(start, block_bytes) or (first != start).any():
        return None
    step = int(words[(base[packets.argmax()] + start) >> 2]) if most > 1 else SHORTEST_STEP
    if step < SHORTEST_STEP or step % ALIGNMENT:
        return None
    if start + (most - 1) * step + PACKET_HEAD_BYTES > block_bytes:
        return None
    ends = packets.cumsum()
    places = np.arange(ends[-1]) * step + (base + start - (ends - packets) * step).repeat(packets)
    room = words[(places >> 2) + _STEP_WORD].astype(np.int64)
    room[ends - 1] = step
    if (room != step).any():
        return None
    room[ends - 1] = block_bytes + base - places[ends - 1]
    return places, room


def _chained(
    words: npt.NDArray[np.uint32], base: Places, first: Places, packets: Places, block_bytes: int
) -> tuple[Places, Places]:
    """Places of packets by the chain of each block, as far as it leads, and the bytes that each has."""
    found = _followed(words, base, first, packets, block_bytes, _COMMON_STEP)
    if len(found[0]) == packets.sum():
        return found
    return _followed(words, base, first, packets, block_bytes, ALIGNMENT)


def _followed(
    words: npt.NDArray[np.uint32],
    base: Places,
    first: Places,
    packets: Places,
    block_bytes: int,
    grain: int,
) -> tuple[Places, Places]:
    """Follow the chains of all blocks at once, by steps that are multiples of `grain`.

    Where a step leads is looked up for every place at which a packet could be. From that follows where two
    steps lead, four, and so on (pointer doubling), so that a chain of N packets takes log2(N) look-ups.
    """
    slots = (block_bytes - BLOCK_HEAD_BYTES) // grain + 1
    nowhere = len(base) * slots
    within = first[:, None] + np.arange(slots) * grain
    places = (base[:, None] + within).reshape(-1)
    begins = (first >= BLOCK_HEAD_BYTES) & (first % ALIGNMENT == 0)
    possible = np.flatnonzero((begins[:, None] & (within + PACKET_HEAD_BYTES <= block_bytes)).reshape(-1))
    step = np.zeros(nowhere + 1, np.int64)
    step[possible] = words[(places[possible] >> 2) + _STEP_WORD]
    target = within.reshape(-1)[possible] + step[possible]
    leads = (
        (step[possible] % grain == 0)
        & (step[possible] >= SHORTEST_STEP)
        & (target + PACKET_HEAD_BYTES <= block_bytes)
    )
    leading = possible[leads]
    following = np.full(nowhere + 1, nowhere)
    following[leading] = leading + step[leading] // grain
    starts = np.arange(len(base)) * slots
    chains = np.where(begins & (first + PACKET_HEAD_BYTES <= block_bytes), starts, nowhere)[:, None]
    most = int(packets.max(initial=0))
    onward = following
    while chains.shape[1] < most:
        chains = np.concatenate([chains, onward[chains]], axis=1)
        onward = onward[onward]
    order = np.arange(chains.shape[1])
    counted = order < packets[:, None]
    last = (order == packets[:, None] - 1)[counted]
    block = base.repeat(packets)
    slot = chains[counted]
    known = slot != nowhere
    slot, last, block = slot[known], last[known], block[known]
    room = np.where(last | (following[slot] == nowhere), block + block_bytes - places[slot], step[slot])
    return places[slot], room


def _may_begin(offset: int, block_bytes: int) -> bool:
    """Whether the first packet of a block may lie at `offset`."""
    return BLOCK_HEAD_BYTES <= offset <= block_bytes - PACKET_HEAD_BYTES and offset % ALIGNMENT == 0


def _copied(
    memory: npt.NDArray[np.uint8], places: Places, room: Places, malformed: dict[str, int]
) -> Packets:
    """The packets at `places` of `memory`, which goes on for `_ROW_BYTES` behind the blocks."""
    count = len(places)
    rows = np.ndarray((len(memory) - _ROW_BYTES) // ALIGNMENT + 1, f"V{_ROW_BYTES}", memory, 0, (ALIGNMENT,))
    picked = rows[places >> 3]
    head = picked.view(_HEAD)
    mac, snaplen, size = (head[name].astype(np.int64) for name in ("mac", "snaplen", "size"))
    if (mac == DATA_AT).all():
        frames = picked.view(np.uint8).reshape(count, _ROW_BYTES)[:, DATA_AT:]
    else:
        ends = len(memory) - FD_BYTES
        data = np.ndarray(ends + 1, f"V{FD_BYTES}", memory, 0, (1,))
        frames = data[np.minimum(places + mac, ends)].view(np.uint8).reshape(count, FD_BYTES)
    packets = Packets(
        wall_ns=head["sec"] * np.int64(NS_PER_S) + head["nsec"],
        hardware=(head["status"] & _HARDWARE) != 0,
        size=size,
        protocol=head["protocol"].astype(np.uint16),
        frames=frames,
    )
    whole = (mac >= PACKET_HEAD_BYTES) & (mac + snaplen <= room) & (snaplen >= np.minimum(size, FD_BYTES))
    if whole.all():
        return packets
    malformed[CUT_SHORT] = count - int(np.count_nonzero(whole))
    return Packets(
        wall_ns=packets.wall_ns[whole],
        hardware=packets.hardware[whole],
        size=size[whole],
        protocol=packets.protocol[whole],
        frames=frames[whole],
    )
