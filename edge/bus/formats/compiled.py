"""Blocks of text read by the compiled accelerator: the same columns as `read_lines` of each format gives."""

from __future__ import annotations

import numpy as np

from edge.accelerated import Accelerator, Array
from edge.bus.formats.fields import Columns, line_count
from edge.frames import CLASSIC_BYTES, FD_BYTES, Int64s


def candump(native: Accelerator, block: bytes) -> Columns:
    """As `edge.bus.formats.candump.read_lines` of the lines of `block`, which ends with a line feed."""
    columns = _empty(line_count(block), CLASSIC_BYTES)
    names, longest = native.candump(block, *_arrays(columns))
    if longest:
        columns = _empty(len(columns.good), FD_BYTES)
        names, _ = native.candump(block, *_arrays(columns))
    columns.channel = columns.channel.astype(np.intp, copy=False)
    columns.labels = {name.decode(): place for place, name in enumerate(names)}
    return columns


def gvret(native: Accelerator, block: bytes, *, directed: bool) -> Columns:
    """As `edge.bus.formats.gvret.read_lines` of the lines of `block`, which ends with a line feed."""
    columns = _empty(line_count(block), CLASSIC_BYTES)
    native.gvret(directed, block, *_arrays(columns))
    columns.channel, columns.labels = numbered(columns.channel[columns.good], columns.channel)
    return columns


def numbered(used: Int64s, numbers: Int64s) -> tuple[Int64s, dict[str, int]]:
    """Places of `numbers` among the different ones of `used`, and these as labels; all are small."""
    known = np.flatnonzero(np.bincount(used))
    place = np.zeros(int(known[-1]) + 1 if len(known) else 1, np.intp)
    place[known] = np.arange(len(known))
    return place.take(numbers, mode="clip"), {str(number): at for at, number in enumerate(known.tolist())}


def _empty(count: int, width: int) -> Columns:
    return Columns(
        good=np.empty(count, np.bool_),
        t_ns=np.empty(count, np.int64),
        channel=np.empty(count, np.int64),
        labels={},
        arbitration_id=np.empty(count, np.uint32),
        flags=np.empty(count, np.uint16),
        length=np.empty(count, np.uint16),
        data=np.empty((count, width), np.uint8),
    )


def _arrays(columns: Columns) -> tuple[Array, ...]:
    return (
        columns.good,
        columns.t_ns,
        columns.channel,
        columns.arbitration_id,
        columns.flags,
        columns.length,
        columns.data,
    )
