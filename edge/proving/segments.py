"""Cuts messages into the frames of a transport protocol, as a sender does, and puts them on a bus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.frames import Frame, FrameBatch, FrameFlag

CLASSIC_BYTES = 8
_J1939_PACKET = 7
_MS_NS = 1_000_000
_GAP_NS = 1_000 * _MS_NS
_CONNECTION, _TRANSFER = 0xEC00, 0xEB00
_GLOBAL = 0xFF
_PRIORITY = 7
_REQUEST, _CLEAR, _DONE, _BROADCAST = 16, 17, 19, 32


@dataclass(frozen=True, slots=True)
class Address:
    """Who sends what to whom, in J1939.

    Attributes:
        pgn: of the message.
        source: address of the sender.
        destination: address of the receiver; 255 for all.
    """

    pgn: int
    source: int
    destination: int


def isotp(message: bytes, padding: bytes) -> tuple[bytes, ...]:
    """The frames of a diagnostic message in normal addressing (ISO 15765-2, 9.6).

    Args:
        message: 1 to 4095 bytes.
        padding: what the last frame is filled up with; at least 7 bytes.
    """
    if len(message) < CLASSIC_BYTES:
        return ((bytes([len(message)]) + message + padding)[:CLASSIC_BYTES],)
    frames = [bytes([0x10 | len(message) >> 8, len(message) & 0xFF]) + message[:6]]
    for number, begin in enumerate(range(6, len(message), 7), start=1):
        frames.append(bytes([0x20 | number & 0xF]) + message[begin : begin + 7])
    frames[-1] = (frames[-1] + padding)[:CLASSIC_BYTES]
    return tuple(frames)


def j1939(message: bytes, address: Address, padding: bytes) -> tuple[tuple[int, bytes], ...]:
    """The frames of a J1939 message of 9 to 1785 bytes, with their ids (SAE J1939-21, 5.10).

    Args:
        message: its bytes.
        address: a broadcast where the destination is 255, otherwise a connection, with the receiver's frames.
        padding: what the last packet is filled up with; at least 6 bytes.
    """
    group = address.pgn.to_bytes(3, "little")
    size = len(message).to_bytes(2, "little")
    chunks = [message[begin : begin + _J1939_PACKET] for begin in range(0, len(message), _J1939_PACKET)]
    packets = [bytes([number + 1]) + (chunk + padding)[:_J1939_PACKET] for number, chunk in enumerate(chunks)]
    to, back = (address.destination, address.source), (address.source, address.destination)
    control = _BROADCAST if address.destination == _GLOBAL else _REQUEST
    frames = [(_id(_CONNECTION, *to), bytes([control, *size, len(chunks), 0xFF]) + group)]
    if control == _REQUEST:
        frames.append((_id(_CONNECTION, *back), bytes([_CLEAR, len(chunks), 1, 0xFF, 0xFF]) + group))
    frames += [(_id(_TRANSFER, *to), packet) for packet in packets]
    if control == _REQUEST:
        frames.append((_id(_CONNECTION, *back), bytes([_DONE, *size, len(chunks), 0xFF]) + group))
    return tuple(frames)


def batch_of(
    bus: str, messages: Sequence[Sequence[tuple[int, bytes]]], *, extended: bool, t_ns: int
) -> FrameBatch:
    """The frames of messages one after the other, each in time and the messages far apart.

    Args:
        bus: their bus.
        messages: of each the ids and payloads of its frames.
        extended: whether the ids have 29 bits.
        t_ns: time of the first.
    """
    flags = FrameFlag.EXTENDED if extended else FrameFlag(0)
    frames = []
    for frames_of in messages:
        for identifier, data in frames_of:
            long = FrameFlag.FD if len(data) > CLASSIC_BYTES else FrameFlag(0)
            frames.append(Frame(t_ns, identifier, data, bus, flags | long))
            t_ns += _MS_NS
        t_ns += _GAP_NS
    return FrameBatch.from_frames(frames, buses=[bus])


def end_ns(batch: FrameBatch) -> int:
    """A time after all frames of a batch, when nothing of it is waited for any more."""
    return (int(np.max(batch.t_ns)) if len(batch) else 0) + 2 * _GAP_NS


def _id(group: int, destination: int, source: int) -> int:
    return _PRIORITY << 26 | group << 8 | destination << 8 | source
