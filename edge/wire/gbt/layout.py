"""`Layout`: the rows of one part compiled to struct formats: to read, to write, to tell what lies where."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby
from types import MappingProxyType
from typing import Any

from edge.catalogue.item import Edition
from edge.wire.gbt.counted import Counted
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.field import Field, FieldKind, table
from edge.wire.gbt.parameters import Parameters
from edge.wire.gbt.steps import PLAIN, REST, Counts, Group, List, Octets, Raws, Run, Span, Step


class Layout:
    """How one part lies in bytes.

    Args:
        fields: its rows, in order.
        group: the group whose inside is meant; empty for the whole part.
        parameters: the parameters of terminals by id, for parts that list them.

    Attributes:
        fields: the rows that have a value of their own, in order of the values.
        names: theirs.
        codec: the struct of all of it, where every field has a fixed width; else None.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        group: str = "",
        parameters: Mapping[int, Field] = MappingProxyType({}),
    ) -> None:
        self._parameters = parameters
        rows = [row for row in fields if row.group == group and row.kind is not FieldKind.BITS]
        self.fields = tuple(rows)
        self.names = tuple(row.name for row in rows)
        self.inner = {row.name: Layout(fields, row.name) for row in rows if row.kind is FieldKind.GROUP}
        self._steps: list[tuple[int, Step]] = []
        slot = 0
        for fixed, run in groupby(rows, _is_fixed):
            here = list(run)
            steps = [Run(here)] if fixed else [self._step(row) for row in here]
            for step in steps:
                slot = self._append(slot, step)
        first = self._steps[0][1] if len(self._steps) == 1 else None
        self.codec = first.codec if isinstance(first, Run) and not first.lengths else None
        self._reads = [step.read for _, step in self._steps]
        self._writes = [(slot, step.write) for slot, step in self._steps]

    def _append(self, slot: int, step: Step) -> int:
        """Append a step whose values begin at `slot`, and hand out where the next ones begin."""
        start, run = self._steps[-1] if self._steps else (0, None)
        if (
            isinstance(step, List)
            and step.field.kind not in PLAIN
            and isinstance(run, Run)
            and not run.lengths
            and step.counts.slot == slot - 1
            and not step.counts.summed
        ):
            self._steps[-1] = start, Counted(run, step)
            return slot + step.slots
        self._steps.append((slot, step))
        return slot + step.slots

    def _step(self, row: Field) -> Step:
        if row.kind is FieldKind.GROUP:
            return Group(row, self.inner[row.name], Counts(row, self.names, self.fields))
        if row.kind is FieldKind.PARAMETERS:
            return Parameters(row, Counts(row, self.names, self.fields), self._parameters)
        if row.count:
            return List(row, Counts(row, self.names, self.fields))
        return Octets(row, None if row.size == REST else self.names.index(row.size))

    def read(self, data: bytes, position: int = 0) -> tuple[Raws, int]:
        """Read the part that begins at `position`.

        Returns:
            Its raw values, and where it ends.

        Raises:
            GbtError: the data end within it.
        """
        codec = self.codec
        if codec is not None and position + codec.size <= len(data):
            return codec.unpack_from(data, position), position + codec.size
        values: list[Any] = []
        for read in self._reads:
            position = read(data, position, values)
        return tuple(values), position

    def write(self, values: Raws) -> bytes:
        """Write what `read` gave.

        Raises:
            GbtError: a number does not fit its width, or a list is not as long as it is told to be.
        """
        out: list[bytes] = []
        self.add(values, out)
        return b"".join(out)

    def add(self, values: Raws, out: list[bytes]) -> None:
        """Add to `out` what `write` gives; see there."""
        if len(values) != len(self.fields):
            raise GbtError(f"{len(values)} values where there are {len(self.fields)} fields")
        try:
            if self.codec is not None:
                out.append(self.codec.pack(*values))
                return
            for slot, write in self._writes:
                write(values, slot, out)
        except (struct.error, ValueError, TypeError, OverflowError) as error:
            raise GbtError(f"a value does not fit its field: {error}") from error

    def spans(self, values: Raws, offset: int = 0, path: str = "") -> Iterator[Span]:
        """Tell where each value lies, when the part begins at `offset`."""
        for slot, step in self._steps:
            for span in step.spans(values, slot, offset, path):
                yield span
                offset = span.offset + span.length


@cache
def layouts(edition: Edition) -> Mapping[str, Layout]:
    """The layout of each part of an edition but of the frame, and of single parameters."""
    parts = table(edition).parts
    known = {int(part.split()[1], 16): rows[0] for part, rows in parts.items() if _is_parameter(part)}
    return MappingProxyType(
        {
            part: Layout(rows, parameters=known)
            for part, rows in parts.items()
            if part != "frame" and not _is_parameter(part)
        }
    )


def _is_parameter(part: str) -> bool:
    return part.startswith("parameter ")


def _is_fixed(row: Field) -> bool:
    return bool(row.width) and not row.count
