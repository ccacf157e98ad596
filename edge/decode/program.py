"""The flat pass by the compiled accelerator: the constants of all fields as one table of structures."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, IntFlag
from itertools import repeat

import numpy as np
import numpy.typing as npt

from edge.accelerated import Accelerator
from edge.database.model import SignalRef
from edge.decode.field import Field, Kind, half_floats, offset_is_void
from edge.decode.message import Column

FIELD = np.dtype(
    [
        ("first_byte", np.int64),
        ("scale", np.uint64),
        ("offset", np.uint64),
        ("left", np.uint8),
        ("right", np.uint8),
        ("operation", np.uint8),
        ("flags", np.uint8),
        ("spare", np.uint8, 4),
    ]
)
"""As ``Field`` in nevgate_accelerator.c; scale and offset are the bits of a double or of an integer."""


class Operation(IntEnum):
    """What is done with the raw bits."""

    INTEGER = 0
    LINEAR_INTEGER = 1
    LINEAR = 2
    LINEAR_UNSIGNED = 3
    DOUBLE = 4
    SINGLE = 5
    HALF = 6


class Trait(IntFlag):
    """How, besides."""

    BIG_ENDIAN = 1
    SIGNED = 2
    SCALED = 4
    MOVED = 8


_FLOATS = {64: Operation.DOUBLE, 32: Operation.SINGLE, 16: Operation.HALF}


class Program:
    """What `FlatTable` holds, laid out for the accelerator: values equal its own to the bit."""

    def __init__(self, groups: Sequence[Sequence[tuple[SignalRef, Field]]]) -> None:
        """Lay out `groups`; in each, fields whose values are of one type come one after the other."""
        self._groups: list[_Group] = []
        fields: list[Field] = []
        for group in groups:
            pairs = sorted(group, key=lambda pair: pair[1].dtype.str)
            types = [field.dtype.str for _, field in pairs]
            runs = [(np.dtype(one), types.index(one), types.count(one)) for one in dict.fromkeys(types)]
            low = len(fields)
            fields += [field for _, field in pairs]
            self._groups.append(_Group(low, len(fields), [ref for ref, _ in pairs], runs))
        self._table = np.zeros(len(fields), FIELD)
        for place, field in enumerate(fields):
            self._table[place] = _constants(field)
        self._bytes = self._table.view(np.uint8)

    def decode(
        self,
        native: Accelerator,
        segments: Sequence[tuple[int, int, int]],
        order: npt.NDArray[np.int64],
        data: npt.NDArray[np.uint8],
        columns: dict[SignalRef, Column],
    ) -> None:
        """As `FlatTable.decode`; a segment is the number of its group, its beginning and its count."""
        work: list[tuple[int, int, int, int, int]] = []
        total = 0
        for number, begin, count in segments:
            group = self._groups[number]
            work.append((group.low, group.high, begin, count, total))
            total += (group.high - group.low) * count
        out = np.empty(total, np.uint64)
        native.decode(self._bytes, half_floats(), data, data.shape[1], order, np.array(work, np.int64), out)
        for (number, begin, count), (*_, place) in zip(segments, work, strict=True):
            group = self._groups[number]
            rows = order[begin : begin + count]
            lines: list[npt.NDArray[np.float64] | npt.NDArray[np.int64] | npt.NDArray[np.uint64]] = []
            for dtype, first, several in group.runs:
                low = place + first * count
                lines.extend(out[low : low + several * count].view(dtype).reshape(several, count))
            # As Column(...) for each, without the detour over its own __new__.
            made = map(tuple.__new__, repeat(Column), zip(repeat(rows), lines, strict=False))
            columns.update(zip(group.refs, made, strict=True))


class _Group:
    """Fields `low` to `high` of the table, their references, and runs of one type: type, first, how many."""

    __slots__ = ("high", "low", "refs", "runs")

    def __init__(
        self, low: int, high: int, refs: list[SignalRef], runs: list[tuple[np.dtype[np.generic], int, int]]
    ) -> None:
        self.low = low
        self.high = high
        self.refs = refs
        self.runs = runs


def _constants(field: Field) -> tuple[int, int, int, int, int, int, int, tuple[int, ...]]:
    conversion = field.conversion
    flags = Trait.BIG_ENDIAN if field.window.big_endian else Trait(0)
    flags |= Trait.SIGNED if field.signed else Trait(0)
    scale = offset = 0
    if field.kind is Kind.INTEGER:
        operation = Operation.INTEGER
    elif field.kind is Kind.LINEAR_INTEGER:
        operation = Operation.LINEAR_INTEGER
        scale, offset = (
            _bits(np.array(int(one), field.dtype)) for one in (conversion.scale, conversion.offset)
        )
    else:
        moved = not offset_is_void(field)
        linear = Operation.LINEAR_UNSIGNED if field.word64 else Operation.LINEAR
        operation = _FLOATS[len(field.signal.bits)] if field.kind is Kind.FLOAT else linear
        flags |= Trait.SCALED if field.kind is Kind.LINEAR or moved else Trait(0)
        flags |= Trait.MOVED if moved else Trait(0)
        scale, offset = (_bits(np.array(float(one))) for one in (conversion.scale, conversion.offset))
    return (field.window.first_byte, scale, offset, field.left, field.right, operation, flags, (0, 0, 0, 0))


def _bits(number: npt.NDArray[np.generic]) -> int:
    return int(number.view(np.uint64))
