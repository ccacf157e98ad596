"""Takes AUTOSAR container frames apart into the PDUs that they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.database.model import Message

_HEADER_BYTES = 4
_ID_BYTES = 3


@dataclass(frozen=True, slots=True)
class Contained:
    """The PDUs of one kind found in some container frames.

    Attributes:
        rows: the places of their frames, ascending (a frame may hold a PDU more than once).
        data: their payloads (N, W), padded with 0.
        lengths: their bytes in use.
    """

    rows: npt.NDArray[np.intp]
    data: npt.NDArray[np.uint8]
    lengths: npt.NDArray[np.uint16]


def unpack(
    container: Message, data: npt.NDArray[np.uint8], lengths: npt.NDArray[np.uint16]
) -> tuple[Mapping[int, Contained], int]:
    """Unpack container frames (AUTOSAR SWS I-PDU Multiplexer, short header: 24-bit id, 8-bit length).

    As in cantools, a PDU that would run past its frame ends the frame's unpacking; the ones before it are
    kept.

    Returns:
        What was found by place in `container.contained`, and how many frames ended in a damaged PDU or held
        one that is not described.
    """
    place_of = {inner.header_id: place for place, inner in enumerate(container.contained)}
    found: dict[int, list[tuple[int, bytes]]] = {}
    odd = 0
    for row, (payload, length) in enumerate(zip(data, lengths.tolist(), strict=True)):
        content = payload[:length].tobytes()
        position, sound = 0, True
        while position + _HEADER_BYTES <= len(content):
            header_id = int.from_bytes(content[position : position + _ID_BYTES], "big")
            begin = position + _HEADER_BYTES
            end = begin + content[position + _ID_BYTES]
            if end > len(content):
                sound = False
                break
            place = place_of.get(header_id)
            if place is not None:
                found.setdefault(place, []).append((row, content[begin:end]))
            elif header_id or end > begin:
                sound = False
            position = end
        odd += not sound
    return {place: _contained(items) for place, items in found.items()}, odd


def _contained(items: list[tuple[int, bytes]]) -> Contained:
    width = max(8, *(len(content) for _, content in items))
    data = np.zeros((len(items), width), np.uint8)
    for place, (_, content) in enumerate(items):
        data[place, : len(content)] = np.frombuffer(content, np.uint8)
    return Contained(
        rows=np.array([row for row, _ in items], np.intp),
        data=data,
        lengths=np.array([len(content) for _, content in items], np.uint16),
    )
