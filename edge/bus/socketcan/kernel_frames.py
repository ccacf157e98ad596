"""Turns `struct can_frame` and `struct canfd_frame` as they lie in memory into columns, many at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from edge.bus.socketcan.reception import Bools, Cells

CLASSIC_BYTES, FD_BYTES = 16, 72
"""``CAN_MTU`` and ``CANFD_MTU``: sizes of the two structures."""

CLASSIC_PROTOCOL, FD_PROTOCOL, XL_PROTOCOL = 0x000C, 0x000D, 0x000E
"""``ETH_P_CAN``, ``ETH_P_CANFD``, ``ETH_P_CANXL`` (linux/if_ether.h)."""

EXTENDED, REMOTE, ERROR = 0x80000000, 0x40000000, 0x20000000
"""``CAN_EFF_FLAG``, ``CAN_RTR_FLAG``, ``CAN_ERR_FLAG`` in `Cells.can_id` (linux/can.h)."""

BITRATE_SWITCH, ERROR_STATE = 0x01, 0x02
"""``CANFD_BRS`` and ``CANFD_ESI`` in `Cells.fd_flags`."""

XL_FRAME = "CAN XL frame"
NO_FRAME_SIZE = "of a size that no such frame has"
DATA_TOO_LONG = "data longer than a frame"
NO_FD_LENGTH = "length that no FD frame has"
ID_OUT_OF_RANGE = "id out of range"

_XL_MARK = 0x80
"""``CANXL_XLF`` in the flags of ``struct canxl_frame``, where other frames have their length."""
_STANDARD_MAX, _BEYOND_STANDARD = 0x7FF, 0x1FFFF800
_PROTOCOL_OF = {CLASSIC_BYTES: CLASSIC_PROTOCOL, FD_BYTES: FD_PROTOCOL}
_DATA_AT = 8
_CLASSIC_DATA, _FD_DATA = 8, 64
_LONGEST = 256

_FITS = np.zeros(2 * _LONGEST, np.bool_)
_FITS[: _CLASSIC_DATA + 1] = True
_FITS[_LONGEST + np.array([*range(9), 12, 16, 20, 24, 32, 48, 64])] = True
"""By length, whether a frame may have it: first of classic frames, then of CAN FD (ISO 11898-1:2015)."""

_IN_USE = (np.arange(_FD_DATA) < np.arange(_FD_DATA + 1)[:, None]).astype(np.uint8) * np.uint8(0xFF)
_IN_USE_CLASSIC = np.ascontiguousarray(_IN_USE[: _CLASSIC_DATA + 1, :_CLASSIC_DATA]).view(np.uint64)[:, 0]
_IN_USE_FD = _IN_USE.view(np.uint64)
"""For each length the bytes that it covers, as masks of 8 bytes."""


def cells_of(
    frames: npt.NDArray[np.uint8],
    size: npt.NDArray[np.integer] | int,
    *,
    wall_ns: npt.NDArray[np.int64],
    hardware: Bools,
    local: Bools,
    interface: npt.NDArray[np.int32] | None = None,
    protocol: npt.NDArray[np.integer] | int | None = None,
) -> tuple[Cells, Mapping[str, int]]:
    """Read N frames of the kernel.

    The size tells classic frames from those of CAN FD, as in the kernel itself. What cannot have been on a
    bus is left out and counted. A remote frame carries no data, whatever stands in its bytes, and its length
    is the one asked for; CAN FD knows no remote frames, so that flag is taken off there.

    Args:
        frames: of shape (N, W), each row beginning with a structure; W is at least 16, and at least 72 unless
            all are classic. Not changed, and nothing of it is kept.
        size: bytes that the kernel gave of each; one number if it is the same for all.
        wall_ns: stamps, as in `Cells`.
        hardware: whose stamp it is, as in `Cells`.
        local: who sent it, as in `Cells`.
        interface: where it came from, as in `Cells`; None if there is but one.
        protocol: ethertypes, where they are known; None trusts the size, and a mark of CAN XL.
            One number if it is the same for all.

    Returns:
        The frames, and how many were left out, by cause.
    """
    count = len(frames)
    if not count:
        return Cells.none(), {}
    malformed: dict[str, int] = {}
    if interface is None:
        interface = np.zeros(count, np.int32)
    if isinstance(size, int) and protocol in {None, _PROTOCOL_OF.get(size, -1)} and size in _PROTOCOL_OF:
        fd = np.full(count, size == FD_BYTES)
    else:
        fd = np.broadcast_to(size, count) == FD_BYTES
        known = fd | (np.broadcast_to(size, count) == CLASSIC_BYTES)
        if protocol is not None:
            known &= protocol == np.where(fd, FD_PROTOCOL, CLASSIC_PROTOCOL)
        if not known.all():
            xl = (frames[:, 4] & _XL_MARK) != 0 if protocol is None else protocol == XL_PROTOCOL
            _count(malformed, XL_FRAME, ~known & xl)
            _count(malformed, NO_FRAME_SIZE, ~known & ~xl)
            frames, fd, wall_ns, hardware, local, interface = (
                column[known] for column in (frames, fd, wall_ns, hardware, local, interface)
            )
    head = frames[:, :_DATA_AT].copy()
    can_id = head.view(np.uint32)[:, 0]
    length = head[:, 4]
    flexible = bool(np.count_nonzero(fd))
    ordinary = not flexible and _all_ordinary(can_id, length)
    if not ordinary:
        fits = _FITS[length + fd * np.uint16(_LONGEST)]
        in_range = ((can_id & _BEYOND_STANDARD) == 0) | ((can_id & (EXTENDED | ERROR)) != 0)
        good = fits & in_range
        if not good.all():
            _count(malformed, DATA_TOO_LONG, ~fits & ~fd)
            _count(malformed, NO_FD_LENGTH, ~fits & fd)
            _count(malformed, ID_OUT_OF_RANGE, fits & ~in_range)
            frames, head, can_id, length, fd, wall_ns, hardware, local, interface = (
                column[good]
                for column in (frames, head, can_id, length, fd, wall_ns, hardware, local, interface)
            )
    if flexible:
        fd_flags = np.where(fd, head[:, 5], np.uint8(0))
        can_id = np.where(fd, can_id & ~np.uint32(REMOTE), can_id)
        data = np.zeros((len(frames), _FD_DATA), np.uint8)
        data[:, :_CLASSIC_DATA] = frames[:, _DATA_AT : _DATA_AT + _CLASSIC_DATA]
        if fd.all():
            data[:] = frames[:, _DATA_AT:FD_BYTES]
        else:
            data[fd] = frames[fd, _DATA_AT:FD_BYTES]
        words = data.view(np.uint64)
        words &= _IN_USE_FD[_carried(can_id, length)]
    else:
        fd_flags = np.zeros(len(frames), np.uint8)
        data = frames[:, _DATA_AT : _DATA_AT + _CLASSIC_DATA].copy()
        words = data.view(np.uint64)
        words[:, 0] &= _IN_USE_CLASSIC[length if ordinary else _carried(can_id, length)]
    return Cells(
        wall_ns=wall_ns,
        hardware=hardware,
        can_id=can_id,
        length=length,
        fd=fd,
        fd_flags=fd_flags,
        local=local,
        interface=interface,
        data=data,
    ), malformed


def _all_ordinary(can_id: npt.NDArray[np.uint32], length: npt.NDArray[np.uint8]) -> bool:
    """Whether all are frames of data with standard ids, or all with extended ones, as on most buses."""
    if not len(can_id) or np.maximum.reduce(length) > _CLASSIC_DATA:
        return False
    highest = np.maximum.reduce(can_id)
    return bool(
        highest <= _STANDARD_MAX or (np.minimum.reduce(can_id) >= EXTENDED and highest < EXTENDED | ERROR)
    )


def _carried(can_id: npt.NDArray[np.uint32], length: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bytes of data that a frame carries: none in a remote frame, whatever it asks for."""
    remote = (can_id & (REMOTE | ERROR)) == REMOTE
    return np.where(remote, np.uint8(0), length) if remote.any() else length


def _count(malformed: dict[str, int], cause: str, which: Bools) -> None:
    found = int(np.count_nonzero(which))
    if found:
        malformed[cause] = found
