"""`Counted`: fixed fields whose last one counts the numbers behind it, read and written in one go."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from edge.wire.gbt.steps import CODES, List, Raws, Run, Span, Step, short


class Counted(Step):
    """A `Run` and the `List` that its last field counts; most of what vehicles send is made of these.

    Args:
        run: without texts.
        numbers: of one fixed width.
    """

    def __init__(self, run: Run, numbers: List) -> None:
        self.slots = run.slots + numbers.slots
        self._run = run
        self._numbers = numbers
        self._codec = run.codec
        self._fixed = run.slots
        self._width = numbers.field.width
        self._code = CODES[self._width]
        self._missing_from = numbers.counts.missing_from

    def read(self, data: bytes, position: int, values: list[Any]) -> int:
        """See `Step.read`."""
        start = position + self._codec.size
        if start > len(data):
            return self._run.read(data, position, values)
        values += self._codec.unpack_from(data, position)
        count = values[-1]
        if not count or count >= self._missing_from:
            values.append(())
            return start
        end: int = start + count * self._width
        if end > len(data):
            raise short(data, self._numbers.field)
        if self._width == 1:
            values.append(tuple(data[start:end]))
        else:
            values.append(struct.unpack_from(f">{count}{self._code}", data, start))
        return end

    def write(self, values: Raws, slot: int, out: list[bytes]) -> None:
        """See `Step.write`."""
        place = slot + self._fixed
        elements = values[place]
        count = len(elements)
        if count != values[place - 1]:
            self._numbers.counts.check(values, count, self._numbers.field)
        out.append(self._codec.pack(*values[slot:place]))
        if not count:
            return
        if self._width == 1:
            out.append(bytes(elements))
        else:
            out.append(struct.pack(f">{count}{self._code}", *elements))

    def spans(self, values: Raws, slot: int, offset: int, path: str) -> Iterator[Span]:
        """See `Step.spans`."""
        yield from self._run.spans(values, slot, offset, path)
        yield from self._numbers.spans(values, slot + self._fixed, offset + self._codec.size, path)
