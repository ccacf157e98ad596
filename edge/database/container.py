"""Takes AUTOSAR container frames apart into the PDUs that they hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.database.model import Message
from edge.frames import Indices, Int64s, UInt8s, UInt16s

HEADER_BYTES = 4
"""The short header: a 24-bit id and an 8-bit length (AUTOSAR SWS I-PDU Multiplexer)."""

_ID_BYTES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Pdus:
    """The PDUs of some container frames, frame by frame, in the order in which they stand there.

    Attributes:
        rows: the frame of each, never falling.
        header_ids: what names each.
        begins: the byte at which the header of each begins.
        lengths: bytes of each, without its header.
        torn: of each frame (bool), whether it ends in a PDU that would run past its end, which is left out.
    """

    rows: Indices
    header_ids: Int64s
    begins: Int64s
    lengths: Int64s
    torn: npt.NDArray[np.bool_]


def take_apart(
    data: UInt8s, lengths: UInt16s, *, little_endian: bool | npt.NDArray[np.bool_] = False
) -> Pdus:
    """Find the PDUs of container frames.

    Padding (a header of id 0 and length 0, or fewer bytes than a header has) is no PDU. As in cantools, what
    follows padding is read on, and a PDU that would run past its frame ends it.

    Args:
        data: uint8 of shape (frames, W).
        lengths: bytes in use of each frame.
        little_endian: the byte order of header ids, of all frames or of each.
    """
    swapped = np.broadcast_to(np.asarray(little_endian), len(data))
    ends = np.minimum(lengths, data.shape[1]).astype(np.int64)
    torn = np.zeros(len(data), np.bool_)
    rows = np.flatnonzero(ends >= HEADER_BYTES)
    begins = np.zeros(len(rows), np.int64)
    found: list[tuple[Indices, Int64s, Int64s, Int64s]] = []
    while len(rows):
        header = data[rows[:, None], begins[:, None] + np.arange(HEADER_BYTES)]
        named = header_ids(header, swapped[rows])
        size = header[:, _ID_BYTES].astype(np.int64)
        after = begins + HEADER_BYTES + size
        whole = after <= ends[rows]
        torn[rows[~whole]] = True
        real = whole & ((named | size) != 0)
        found.append((rows[real], named[real], begins[real], size[real]))
        more = whole & (after + HEADER_BYTES <= ends[rows])
        rows, begins = rows[more], after[more]
    if not found:
        none = np.zeros(0, np.int64)
        return Pdus(np.zeros(0, np.intp), none, none, none, torn)
    rows, names, begins, sizes = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(rows, kind="stable")
    return Pdus(rows[order], names[order], begins[order], sizes[order], torn)


def header_ids(data: UInt8s, little_endian: npt.NDArray[np.bool_]) -> Int64s:
    """The header ids with which some bytes begin.

    Args:
        data: uint8 of shape (N, W), W at least 3.
        little_endian: the byte order of each.
    """
    one, two, three = (data[:, place].astype(np.int64) for place in range(_ID_BYTES))
    return np.where(little_endian, three << 16 | two << 8 | one, one << 16 | two << 8 | three)


def bytes_at(data: UInt8s, rows: Indices, begins: Int64s, sizes: Int64s, width: int) -> UInt8s:
    """Some bytes of some frames: uint8 of shape (len(rows), width), padded with 0.

    Args:
        data: uint8 of shape (frames, W).
        rows: the frame of each.
        begins: where each begins in its frame.
        sizes: how many bytes each has, all of them within the frame.
        width: columns of the result, at least the greatest of `sizes`.
    """
    columns = np.arange(width)
    places = np.minimum(begins[:, None] + columns, data.shape[1] - 1)
    taken: UInt8s = data[rows[:, None], places]
    taken[columns >= sizes[:, None]] = 0
    return taken


def little_endian_headers(container: Message) -> bool:
    """The byte order of header ids in a container's frames, as its database says."""
    return container.codec.header_byte_order == "little_endian"
