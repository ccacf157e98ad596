"""Walks the blocks of a TPACKET_V3 ring (linux/if_packet.h): the packets of many at once, as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.bus.socketcan.kernel_frames import CLASSIC_BYTES, FD_BYTES
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
        "names": ["sec", "nsec", "snaplen", "size", "status", "mac", "protocol", "interface"],
        "formats": ["u4", "u4", "u4", "u4", "u4", "u2", ">u2", "i4"],
        "offsets": [4, 8, 12, 16, 20, 24, 50, 52],
        "itemsize": _ROW_BYTES,
    }
)
_STEP_WORD, _SECOND_WORD, _NANOSECOND_WORD, _SIZE_WORD, _STATUS_WORD = 0, 1, 2, 4, 5
"""Places in a packet's head of what ``tp_…`` calls next_offset, sec, nsec, len and status, likewise."""
_CONSTANT_WORDS = slice(3, 13, 3)
"""``tp_snaplen``, ``tp_mac`` with ``tp_net``, ``tp_vlan_tpid``, and ``sll_family`` with ``sll_protocol``."""
_INTERFACE_WORD = 13
"""Place of ``sll_ifindex``."""
_DATA_HALF = 12
"""Place of ``tp_mac``, in words of 2 bytes."""
_PROTOCOL_AT = 50

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Packets:
    """N packets out of a ring, in order.

    Attributes:
        wall_ns: int64, the stamp, Unix time in nanoseconds.
        hardware: bool, whether the controller made the stamp.
        size: int64, bytes that the packet had; `frames` may hold fewer. One number if all are alike.
        protocol: uint16, its ethertype. One number if all are alike.
        interface: int32, by which number the kernel knows the interface that it came from.
        frames: uint8 of shape (N, 72), or (N, 16) if all are of 16 bytes: its first bytes; what is beyond
            `size` means nothing.
    """

    wall_ns: npt.NDArray[np.int64]
    hardware: Bools
    size: npt.NDArray[np.int64] | int
    protocol: npt.NDArray[np.uint16] | int
    interface: npt.NDArray[np.int32]
    frames: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.frames)


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
    alike = _alike(blocks)
    if alike is not None:
        return alike, {}
    count, block_bytes = blocks.shape
    memory = np.empty(blocks.size + _ROW_BYTES, np.uint8)
    memory[: blocks.size] = blocks.reshape(-1)
    memory[blocks.size :] = 0
    words = memory[: blocks.size].view(np.uint32)
    heads = words.reshape(count, block_bytes // 4)
    fitting = (block_bytes - BLOCK_HEAD_BYTES) // SHORTEST_STEP
    packets = np.minimum(heads[:, COUNT_WORD], fitting).astype(np.int64)
    first = heads[:, FIRST_WORD].astype(np.int64)
    found = _chained(words, np.arange(count) * block_bytes, first, packets, block_bytes)
    malformed: dict[str, int] = {}
    if broken := int(packets.sum()) - len(found[0]):
        malformed[BLOCK_BROKEN] = broken
    return _copied(memory, *found, malformed), malformed


def _alike(blocks: npt.NDArray[np.uint8]) -> Packets | None:
    """The packets of blocks that hold nothing but whole frames of one kind; None if these do not.

    Such packets lie at equal distances. They are copied from there, and then it is looked whether what was
    copied says so itself.
    """
    heads = blocks.view(np.uint32)
    size = int(heads[0, (BLOCK_HEAD_BYTES >> 2) + _SIZE_WORD]) if len(blocks) else 0
    if size not in {CLASSIC_BYTES, FD_BYTES}:
        return None
    step = DATA_AT + size
    fitting = (blocks.shape[1] - BLOCK_HEAD_BYTES) // step
    packets = heads[:, COUNT_WORD]
    if (
        np.maximum.reduce(packets) > fitting
        or not np.minimum.reduce(packets)
        or np.count_nonzero(heads[:, FIRST_WORD] != BLOCK_HEAD_BYTES)
    ):
        return None
    rows = blocks[:, BLOCK_HEAD_BYTES : BLOCK_HEAD_BYTES + fitting * step].view(f"V{step}")
    picked = rows[np.arange(fitting) < packets[:, None]].view(np.uint8).reshape(-1, step)
    words = picked.view(np.uint32)
    steps = words[:, _STEP_WORD]
    like = words[0, _CONSTANT_WORDS]
    if (
        np.count_nonzero(steps[packets.cumsum() - 1])
        or np.count_nonzero(steps != step) != len(blocks)
        or np.count_nonzero(words[:, _SIZE_WORD] != size)
        or np.count_nonzero(words[:, _CONSTANT_WORDS] != like)
        or like[0] != size
        or picked.view(np.uint16)[0, _DATA_HALF] != DATA_AT
    ):
        return None
    return Packets(
        wall_ns=words[:, _SECOND_WORD] * np.int64(NS_PER_S) + words[:, _NANOSECOND_WORD],
        hardware=words[:, _STATUS_WORD] >= _HARDWARE,
        size=size,
        protocol=int(picked[0, _PROTOCOL_AT]) << 8 | int(picked[0, _PROTOCOL_AT + 1]),
        interface=words[:, _INTERFACE_WORD].view(np.int32),
        frames=picked[:, DATA_AT:],
    )


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
    protocol = head["protocol"].astype(np.uint16)
    packets = Packets(
        wall_ns=head["sec"] * np.int64(NS_PER_S) + head["nsec"],
        hardware=(head["status"] & _HARDWARE) != 0,
        size=size,
        protocol=protocol,
        interface=head["interface"],
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
        protocol=protocol[whole],
        interface=packets.interface[whole],
        frames=frames[whole],
    )
