"""Blocks of a ring as the kernel writes them, and as it never would, made for tests."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BLOCK_BYTES = 4096
SOFTWARE_STAMP, HARDWARE_STAMP = 1 << 29, 1 << 31


@dataclass(frozen=True)
class Packet:
    protocol: int
    data: bytes
    wall_ns: int = 1_700_000_000_000_000_000
    status: int = SOFTWARE_STAMP
    mac: int = 96
    snaplen: int | None = None
    step: int | None = None
    size: int | None = None

    @property
    def kept(self) -> int:
        return min(len(self.data), 72)

    def length(self) -> int:
        """Bytes that the kernel takes for it: `TOTAL_PKT_LEN_INCL_ALIGN` of af_packet.c."""
        return -(-(self.mac + self.kept) // 8) * 8


def block_of(
    packets: Sequence[Packet],
    *,
    block_bytes: int = BLOCK_BYTES,
    count: int | None = None,
    first: int = 48,
    filler: int = 0x5A,
) -> bytes:
    """One block as prb_fill_curr_block() fills it; a packet's `snaplen`, `step` and `size` may say otherwise.

    Only as many packets as fit are written.
    """
    block = bytearray([filler]) * block_bytes
    place, last = first, None
    written = 0
    for packet in packets:
        length = packet.length()
        if place + length > block_bytes:
            break
        seconds, nanoseconds = divmod(packet.wall_ns, 10**9)
        struct.pack_into(
            "=IIIIIIHH",
            block,
            place,
            length if packet.step is None else packet.step,
            seconds,
            nanoseconds,
            packet.kept if packet.snaplen is None else packet.snaplen,
            len(packet.data) if packet.size is None else packet.size,
            packet.status,
            packet.mac,
            packet.mac,
        )
        struct.pack_into(">H", block, place + 50, packet.protocol)
        block[place + packet.mac : place + packet.mac + packet.kept] = packet.data[: packet.kept]
        last = place if packet.step is None else None
        place += length
        written += 1
    if last is not None:
        struct.pack_into("=I", block, last, 0)
    struct.pack_into("=IIIIII", block, 0, 1, 48, 1, written if count is None else count, first, place)
    return bytes(block)


def array_of(blocks: Sequence[bytes], block_bytes: int = BLOCK_BYTES) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join(blocks), np.uint8).reshape(-1, block_bytes).copy()
