"""Reads the frames out of blocks of the ring: compiled where they are all whole, else in NumPy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from edge import accelerated
from edge.accelerated import Accelerator
from edge.bus.socketcan.kernel_frames import cells_of
from edge.bus.socketcan.reception import Cells
from edge.bus.socketcan.ring_block import BLOCK_HEAD_BYTES, COUNT_WORD, SHORTEST_STEP, packets_of
from edge.frames import CLASSIC_BYTES, FD_BYTES


def ring_cells(blocks: npt.NDArray[np.uint8], *, protocols: bool) -> tuple[Cells, Mapping[str, int]]:
    """Copy the frames out of blocks that the kernel handed over.

    Args:
        blocks: see `packets_of`.
        protocols: whether packets have the ethertypes of CAN, and not those of the link that carries them.

    Returns:
        The frames, and how many were left out, by cause: with them, all that the blocks say they hold, as far
        as that much fits into them.
    """
    native = accelerated.native
    cells = None if native is None else _compiled(native, blocks, protocols=protocols)
    if cells is not None:
        return cells, {}
    packets, broken = packets_of(blocks)
    cells, unusable = cells_of(
        packets.frames,
        packets.size,
        wall_ns=packets.wall_ns,
        hardware=packets.hardware,
        local=np.zeros(len(packets), np.bool_),
        interface=packets.interface,
        protocol=packets.protocol if protocols else None,
    )
    return cells, {**broken, **unusable}


def _compiled(native: Accelerator, blocks: npt.NDArray[np.uint8], *, protocols: bool) -> Cells | None:
    """The frames of blocks that hold nothing but whole ones; None if they hold anything else."""
    block_bytes = blocks.shape[1]
    packets = blocks.view(np.uint32)[:, COUNT_WORD]
    if np.maximum.reduce(packets) > (block_bytes - BLOCK_HEAD_BYTES) // SHORTEST_STEP:
        return None
    count = int(np.add.reduce(packets))
    wall_ns = np.empty(count, np.int64)
    can_id = np.empty(count, np.uint32)
    interface = np.empty(count, np.int32)
    length, fd_flags, hardware, fd = np.empty((4, count), np.uint8)
    columns = (wall_ns, hardware, can_id, length, fd, fd_flags, interface)
    for width in (CLASSIC_BYTES, FD_BYTES):
        data = np.empty((count, width), np.uint8)
        read = native.ring_cells(blocks, block_bytes, protocols, *columns, data)
        if read is not False:
            break
    if not read:
        return None
    return Cells(
        wall_ns=wall_ns,
        hardware=hardware.view(np.bool_),
        can_id=can_id,
        length=length,
        fd=fd.view(np.bool_),
        fd_flags=fd_flags,
        local=np.zeros(count, np.bool_),
        interface=interface,
        data=data,
    )
