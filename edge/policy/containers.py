"""Takes containers apart at the door: each PDU that passes goes on in a frame of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edge.database.container import HEADER_BYTES, bytes_at, take_apart
from edge.frames import CLASSIC_BYTES, FD_BYTES, FrameBatch, FrameFlag, Indices, UInt8s
from edge.policy.masks import UNKNOWN_ROW, Int32s, MaskSet


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A batch whose containers were taken apart.

    Attributes:
        batch: each container is replaced by the PDUs of it that pass, in their order: a frame each, with the
            id and the time of the container, that has the PDU's header and its bytes, unmasked.
        sources: the place that each frame had before.
        rows: the mask row of each.
        starts: by place before, the place now of a frame that is no container.
        emptied: containers of which no PDU passes.
        further: PDUs that pass, without the first of each frame.
        refused: PDUs that do not pass, by cause.
        refused_rows: the rows of those that are described.
    """

    batch: FrameBatch
    sources: Indices
    rows: Int32s
    starts: Indices
    emptied: int
    further: int
    refused: Mapping[str, int]
    refused_rows: Int32s


def open_containers(
    batch: FrameBatch, rows: Int32s, containers: Indices, whole: Mapping[int, bytes], masks: MaskSet
) -> Opened:
    """Take the containers of a batch apart.

    Args:
        batch: frames.
        rows: the mask row of each.
        containers: the places of the containers among them, rising.
        whole: by place, the bytes of reassembled messages, where `batch` has others.
        masks: what passes.
    """
    data = _bytes_of(batch, containers, whole)
    outer = rows[containers]
    pdus = take_apart(data, batch.length[containers], little_endian=masks.little_endian[outer])
    own = masks.find_pdus(outer[pdus.rows], pdus.header_ids)
    sizes = HEADER_BYTES + pdus.lengths
    known, keeps = own != UNKNOWN_ROW, masks.keeps[own]
    short, long = sizes < masks.shortest[own], sizes > masks.longest[own]
    causes = {
        "unknown header id": ~known,
        "nothing allowed": known & ~keeps,
        "too short for its checksum": short,
        "longer than its checksum covers": long & ~short,
        "past the end of its frame": pdus.torn,
    }
    passes = np.flatnonzero(keeps & ~short & ~long)
    copies = np.ones(len(batch), np.intp)
    copies[containers] = found = np.bincount(pdus.rows[passes], minlength=len(containers))
    sources = np.repeat(np.arange(len(batch)), copies)
    inside = np.zeros(len(batch), np.bool_)
    inside[containers] = True
    at = inside[sources]
    longest = int(sizes[passes].max(initial=0))
    width = max(
        batch.data.shape[1],
        next((width for width in (CLASSIC_BYTES, FD_BYTES) if longest <= width), longest),
    )
    taken = batch.take(sources).widened(width)
    taken.data[at] = bytes_at(data, pdus.rows[passes], pdus.begins[passes], sizes[passes], width)
    flags, length, taken_rows = taken.flags.copy(), taken.length.copy(), rows[sources]
    flags[at] |= np.uint16(FrameFlag.REASSEMBLED)
    length[at] = sizes[passes]
    taken_rows[at] = own[passes]
    return Opened(
        batch=replace(taken, flags=flags, length=length),
        sources=sources,
        rows=taken_rows,
        starts=np.cumsum(copies) - copies,
        emptied=int(np.count_nonzero(found == 0)),
        further=len(passes) - int(np.count_nonzero(found)),
        refused={cause: int(np.count_nonzero(which)) for cause, which in causes.items()},
        refused_rows=np.delete(own, passes),
    )


def _bytes_of(batch: FrameBatch, places: Indices, whole: Mapping[int, bytes]) -> UInt8s:
    """The bytes of some frames, whatever they were put together from."""
    messages = {
        at: whole[place] for at, place in (enumerate(places.tolist()) if whole else ()) if place in whole
    }
    chosen = batch.take(places)
    data = chosen.widened(max([CLASSIC_BYTES, *(len(message) for message in messages.values())])).data
    for at, message in messages.items():
        data[at, : len(message)] = np.frombuffer(message, np.uint8)
    return data
