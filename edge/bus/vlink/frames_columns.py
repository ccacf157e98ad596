"""Frames out of many packets of vlink at once, as columns: the fast twin of `edge.wire.vlink_frames`."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from edge.frames import CLASSIC_BYTES, FD_BYTES, FrameFlag, Int64s, UInt8s, UInt16s, UInt32s
from edge.wire.vlink_frames import (
    EXTENDED_IDS,
    KIND_BITRATE_SWITCH,
    KIND_ERROR,
    KIND_ERROR_STATE,
    KIND_EXTENDED,
    KIND_FD,
    KIND_REMOTE,
    STANDARD_IDS,
    data_length,
)

_HEAD = struct.Struct("<BIQB")
_FRAME_HEAD = 5
_MORE_OF_EXTENDED = 2


def _flags(kind: int) -> int:
    flags = FrameFlag(0)
    if kind & KIND_EXTENDED:
        flags |= FrameFlag.EXTENDED
    if kind & KIND_FD:
        flags |= FrameFlag.FD
        if kind & KIND_ERROR_STATE:
            flags |= FrameFlag.ERROR_STATE
        if kind & KIND_BITRATE_SWITCH:
            flags |= FrameFlag.BITRATE_SWITCH
    else:
        if kind & KIND_REMOTE:
            flags |= FrameFlag.REMOTE
        if kind & KIND_ERROR:
            flags |= FrameFlag.ERROR
    return int(flags)


_LENGTHS = np.array([data_length(kind) for kind in range(256)], np.uint16)
_FLAGS = np.array([_flags(kind) for kind in range(256)], np.uint16)
_SIZES = tuple(
    _FRAME_HEAD + (_MORE_OF_EXTENDED if kind & KIND_EXTENDED else 0) + data_length(kind)
    for kind in range(256)
)


@dataclass(frozen=True, slots=True, eq=False)
class FrameColumns:
    """N frames out of P packets, in the packets' order.

    Attributes:
        bus: uint8, N; the bus's number in HELLO.
        number: uint32, N; among the frames that the firmware took from this bus since boot, modulo 2^32.
        t_us: int64, N; by the device's clock.
        arbitration_id: uint32, N.
        flags: uint16, N; bits of `FrameFlag`.
        length: uint16, N.
        data: uint8 of shape (N, 8), or (N, 64) where one is longer; bytes past `length` are 0. Not shown by
            `repr`: these frames have not been through a door.
        packet_bus: uint8, P.
        packet_first: uint32, P; the number of each packet's first frame.
        packet_frames: int64, P; how many frames each has.
        malformed: how many payloads were none, and are in no column.
    """

    bus: UInt8s
    number: UInt32s
    t_us: Int64s
    arbitration_id: UInt32s
    flags: UInt16s
    length: UInt16s
    data: UInt8s = field(repr=False)
    packet_bus: UInt8s
    packet_first: UInt32s
    packet_frames: Int64s
    malformed: int

    def __len__(self) -> int:
        return len(self.t_us)


def frame_columns(payloads: Iterable[bytes]) -> FrameColumns:
    """Read the payloads of many FRAMES packets.

    Args:
        payloads: as the decoder handed them out. One that is malformed anywhere is set aside whole.
    """
    starts: list[int] = []
    heads: list[tuple[int, int, int, int]] = []
    sound: list[bytes] = []
    malformed = 0
    base = 0
    for payload in payloads:
        offsets = _offsets(payload)
        if offsets is None:
            malformed += 1
            continue
        heads.append(_HEAD.unpack_from(payload))
        starts += [base + offset for offset in offsets] if base else offsets
        sound.append(payload)
        base += len(payload)
    return _columns(sound, heads, np.array(starts, np.intp), malformed)


def _offsets(payload: bytes) -> list[int] | None:
    """Tell where each frame of a payload begins; None where they do not fill it to its last byte."""
    length = len(payload)
    if length < _HEAD.size:
        return None
    count = payload[_HEAD.size - 1]
    if not count:
        return [] if length == _HEAD.size else None
    # On most buses most packets hold frames of one kind.
    size = _SIZES[payload[_HEAD.size + 2]] if length > _HEAD.size + 2 else length
    if length == _HEAD.size + count * size:
        kinds = payload[_HEAD.size + 2 :: size]
        if kinds == kinds[:1] * count:
            return list(range(_HEAD.size, length, size))
    offsets = []
    at = _HEAD.size
    try:
        for _ in itertools.repeat(None, count):
            offsets.append(at)
            at += _SIZES[payload[at + 2]]
    except IndexError:
        return None
    return offsets if at == length else None


def _columns(
    payloads: list[bytes],
    heads: list[tuple[int, int, int, int]],
    starts: npt.NDArray[np.intp],
    malformed: int,
) -> FrameColumns:
    octets = np.frombuffer(b"".join([*payloads, bytes(FD_BYTES)]), np.uint8)
    packet_bus = np.array([head[0] for head in heads], np.uint8)
    packet_first = np.array([head[1] for head in heads], np.uint32)
    packet_t_us = np.array([head[2] for head in heads], np.uint64).view(np.int64)
    counts = np.array([head[3] for head in heads], np.int64)
    packet = np.repeat(np.arange(len(heads)), counts)
    kind = octets[starts + 2]
    extended = (kind & KIND_EXTENDED) != 0
    wide = np.where(extended, 0xFFFFFFFF, 0xFFFF).astype(np.uint32)
    arbitration_id = _rows(octets, starts + 3, 4).view("<u4")[:, 0].astype(np.uint32) & wide
    too_wide = arbitration_id > np.where(extended, EXTENDED_IDS, STANDARD_IDS)
    if too_wide.any():
        bad = set(packet[too_wide].tolist())
        others = frame_columns(payload for n, payload in enumerate(payloads) if n not in bad)
        return replace(others, malformed=malformed + len(bad))

    delta = _rows(octets, starts, 2).view("<u2")[:, 0].astype(np.int64)
    since = np.cumsum(delta)
    first = np.cumsum(counts) - counts
    position = np.arange(len(starts)) - first[packet]
    length = _LENGTHS[kind]
    width = FD_BYTES if length.max(initial=0) > CLASSIC_BYTES else CLASSIC_BYTES
    data = _rows(octets, starts + _FRAME_HEAD + _MORE_OF_EXTENDED * extended, width)
    data *= np.arange(width) < length[:, np.newaxis]
    return FrameColumns(
        bus=packet_bus[packet],
        number=packet_first[packet] + position.astype(np.uint32),
        t_us=packet_t_us[packet] + since - since[first[packet]],
        arbitration_id=arbitration_id,
        flags=_FLAGS[kind],
        length=length,
        data=data,
        packet_bus=packet_bus,
        packet_first=packet_first,
        packet_frames=counts,
        malformed=malformed,
    )


def _rows(octets: UInt8s, starts: npt.NDArray[np.intp], width: int) -> UInt8s:
    """Copy `width` bytes from each start on."""
    rows: UInt8s = np.lib.stride_tricks.sliding_window_view(octets, width)[starts]
    return rows
