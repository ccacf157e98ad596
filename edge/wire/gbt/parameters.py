"""`Parameters`: the list of a terminal's parameters, whose values have as many bytes as their ids say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.field import Field
from edge.wire.gbt.steps import PLAIN, Counts, Raws, Span, Step, short


class Parameters(Step):
    """Ids, each with a value of its own kind; behind an id that nobody describes, all that is left.

    A value is ``(id, number or bytes)``. The length of a name is the parameter before it; without that it
    reaches to the end.
    """

    slots = 1

    def __init__(self, field: Field, counts: Counts, parameters: Mapping[int, Field]) -> None:
        self.field = field
        self.counts = counts
        self.parameters = parameters

    def read(self, data: bytes, position: int, values: list[Any]) -> int:
        """See `Step.read`."""
        entries: list[tuple[int, int | bytes]] = []
        while len(entries) < self.counts.of(values):
            if position >= len(data):
                raise short(data, self.field)
            key = data[position]
            width = self._width(key, entries)
            end = len(data) if width is None else position + 1 + width
            if end > len(data):
                raise short(data, self.parameters[key])
            octets = data[position + 1 : end]
            number = width is not None and self.parameters[key].kind not in PLAIN
            entries.append((key, int.from_bytes(octets) if number else octets))
            position = end
            if width is None:
                break
        values.append(tuple(entries))
        return position

    def write(self, values: Raws, slot: int, out: list[bytes]) -> None:
        """See `Step.write`."""
        written: list[tuple[int, int | bytes]] = []
        for key, raw in values[slot]:
            width = self._width(key, written)
            octets = raw.to_bytes(width or 1) if isinstance(raw, int) else raw
            if width is not None and len(octets) != width:
                raise GbtError(f"parameter {key:02X} has {width} bytes")
            if width is None and len(written) + 1 < len(values[slot]):
                raise GbtError(f"nothing can follow parameter {key:02X}, whose length is not known")
            out.append(bytes((key,)) + octets)
            written.append((key, raw))
        count = self.counts.of(values)
        if not (len(written) == count or (written and self._open(written) and len(written) < count)):
            raise GbtError(f"{len(written)} parameters where {count} are told")

    def spans(self, values: Raws, slot: int, offset: int, path: str) -> Iterator[Span]:
        """See `Step.spans`."""
        before: list[tuple[int, int | bytes]] = []
        for key, raw in values[slot]:
            yield Span(offset, 1, self.field, f"{path}parameter[{key:02X}]", key)
            width = self._width(key, before)
            length = len(raw) if isinstance(raw, bytes) else width or 1
            if length:
                described = self.parameters.get(key, self.field)
                yield Span(offset + 1, length, described, f"{path}parameter[{key:02X}].value", raw)
            offset += 1 + length
            before.append((key, raw))

    def _open(self, entries: Sequence[tuple[int, int | bytes]]) -> bool:
        return self._width(entries[-1][0], entries[:-1]) is None

    def _width(self, key: int, before: Sequence[tuple[int, int | bytes]]) -> int | None:
        field = self.parameters.get(key)
        if field is None:
            return None
        if field.width:
            return field.width
        told = before[-1] if before else (-1, 0)
        return told[1] if told[0] == key - 1 and isinstance(told[1], int) else None
