"""Writes the bits that may pass of frames that the door lets through, and clears all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edge.frames import CLASSIC_BYTES, FD_BYTES, FrameBatch, Indices, UInt8s, UInt16s
from edge.policy.layers import raw_values
from edge.policy.masks import Int32s, MaskSet, Row, split_by_row


def masked(
    masks: MaskSet,
    batch: FrameBatch,
    places: Indices,
    rows: Int32s,
    whole: Mapping[int, bytes],
    forced: Mapping[int, bytes],
) -> FrameBatch:
    """Some frames of a batch with the bits that their rows let pass.

    Args:
        masks: whose rows they are.
        batch: frames.
        places: those that are let through, rising.
        rows: the mask row of each of them.
        whole: by place in `batch`, the bytes of reassembled messages, where it has others.
        forced: likewise of messages that pass as they are.

    Returns:
        They alone; `data` is as wide as the longest of them needs.
    """
    payloads = {**whole, **forced}
    messages = {
        at: payloads[place]
        for at, place in (enumerate(places.tolist()) if payloads else ())
        if place in payloads
    }
    kept = batch.take(places)
    width = _width(max([batch.data.shape[1], *(len(payload) for payload in messages.values())]))
    padded = -(-width // CLASSIC_BYTES) * CLASSIC_BYTES
    data = np.ascontiguousarray(kept.widened(padded).data)
    for at, payload in messages.items():
        data[at] = 0
        data[at, : len(payload)] = np.frombuffer(payload, np.uint8)
    mask = masks.base(rows, padded)
    for number, group in split_by_row(rows, np.flatnonzero(masks.multiplexed[rows])):
        row = masks.rows[number]
        mask[group] |= row.by_multiplexers(data[group], kept.length[group], padded)
    by_rule = np.zeros(len(batch), np.bool_)
    by_rule[list(forced)] = True
    mask[by_rule[places]] = 0xFF
    words = mask.view(np.uint64)
    # No mask reaches past the end of its row: only frames shorter than that could pass bytes they lack.
    cut = np.flatnonzero(kept.length < masks.ends[rows])
    if len(cut):
        words[cut] &= _within(kept.length[cut], padded)
    words &= data.view(np.uint64)
    return replace(kept, data=mask[:, :width])


def without_withheld(row: Row, payload: bytes) -> bytes:
    """Clear the bits of withheld signals in a message that is laid out as a single frame."""
    data = np.frombuffer(payload, np.uint8)[np.newaxis]
    cleared: UInt8s = data[0].copy()
    hidden = {(judged.signal.bits, judged.signal.signed) for judged in row.withheld}
    for judged in row.withheld:
        # A multiplexer that must not be looked at, or is not there, may have any value.
        present = all(
            int(raw_values(data, multiplexer)[0]) in values
            for multiplexer, values in judged.presence
            if multiplexer not in hidden and max(multiplexer[0]) // 8 < len(payload)
        )
        if present:
            for bit in judged.signal.bits:
                if bit // 8 < len(payload):
                    cleared[bit // 8] &= 0xFF ^ (1 << bit % 8)
    return cleared.tobytes()


def _width(longest: int) -> int:
    """Columns of a batch whose longest frame has `longest` bytes, see `FrameBatch.data`."""
    return next((size for size in (CLASSIC_BYTES, FD_BYTES) if longest <= size), longest)


def _within(length: UInt16s, width: int) -> npt.NDArray[np.uint64]:
    """Mask the bytes that a frame has, so that nothing past its length passes: words of (frames, width)."""
    lengths = np.where(np.arange(width) < np.arange(width + 1)[:, None], np.uint8(0xFF), np.uint8(0))
    taken: npt.NDArray[np.uint64] = lengths.view(np.uint64).take(np.minimum(length, width), axis=0)
    return taken
