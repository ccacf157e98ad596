"""Sorts the PDUs of AUTOSAR container frames by what describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.database.container import HEADER_BYTES, bytes_at, little_endian_headers, take_apart
from edge.database.model import Message
from edge.frames import CLASSIC_BYTES


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
) -> Mapping[int, Contained]:
    """Unpack container frames, see `take_apart`; PDUs that are not described are left out.

    Returns:
        What was found by place in `container.contained`.
    """
    pdus = take_apart(data, lengths, little_endian=little_endian_headers(container))
    place_of = {inner.header_id: place for place, inner in enumerate(container.contained)}
    found: dict[int, Contained] = {}
    for header_id in np.unique(pdus.header_ids).tolist():
        place = place_of.get(header_id)
        if place is not None:
            own = np.flatnonzero(pdus.header_ids == header_id)
            rows, sizes = pdus.rows[own], pdus.lengths[own]
            width = max(CLASSIC_BYTES, int(sizes.max()))
            content = bytes_at(data, rows, pdus.begins[own] + HEADER_BYTES, sizes, width)
            found[place] = Contained(rows, content, sizes.astype(np.uint16))
    return found
