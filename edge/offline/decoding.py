"""Decodes a whole recording, batch by batch in bounded memory, and sums up what was in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np

from edge.bus.source import FrameSource
from edge.database.model import Database, SignalRef
from edge.database.near import did_you_mean
from edge.decode.plan import DecodePlan
from edge.errors import DatabaseError
from edge.frames import FrameBatch
from edge.offline.summary import Summary
from edge.offline.tables import TableWriter
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.door import Door

__all__ = ["ANY_BUS", "OfflineDecoder", "Summary", "decode_recording", "refs_of"]

ANY_BUS = ""


class OfflineDecoder:
    """Decodes batches of any buses: a bus gets its plan, and with a policy its door, when it is first met."""

    def __init__(
        self,
        databases: Mapping[str, Sequence[Database]],
        *,
        patterns: Sequence[str] = (),
        classed: Mapping[str, ClassedDatabase] | None = None,
        collect: Collection[DataClass] = (),
        writer: TableWriter | None = None,
    ) -> None:
        """Make ready to decode.

        Args:
            databases: by bus name; those under `ANY_BUS` serve every bus, after its own.
            patterns: which signals (``Message.Signal`` or ``bus:Message.Signal``, with * and ?); empty: all.
            classed: with a policy, the classed form of each database by its SHA-256; None without a policy.
            collect: with a policy, the classes to collect.
            writer: where values go, besides the summary.

        Raises:
            DatabaseError: if a pattern matches no signal of any database.
        """
        self._databases = databases
        self._patterns = tuple(patterns)
        self._classed = classed
        self._collect = frozenset(collect)
        self._writer = writer
        self._plans: dict[str, DecodePlan] = {}
        self._doors: dict[str, Door] = {}
        self.summary = Summary()
        self._check_patterns()

    def decode(self, batch: FrameBatch) -> None:
        """Decode `batch` into the summary and to the writer.

        Rows are written bus by bus, in the order in which the batch meets them, those of a bus in the order
        of frames, those of a frame in the order of the database: nothing depends on earlier batches, unless
        a door puts messages together.
        """
        self.summary.frames += len(batch)
        present = [np.flatnonzero(batch.bus == number) for number in range(len(batch.buses))]
        for rows in sorted(filter(len, present), key=lambda rows: int(rows[0])):
            bus = batch.buses[int(batch.bus[rows[0]])]
            self._decode_bus(bus, batch if len(rows) == len(batch) else batch.take(rows))

    def finish(self, *, part: bool = False) -> Summary:
        """Close the writer, and add what the doors counted.

        Args:
            part: the table is a part of one; what was not collected is said at the end of the whole.
        """
        for bus, door in self._doors.items():
            self.summary.masks[bus] = door.mask
            for cause, count in door.hop().set_aside.items():
                self.summary.not_admitted[cause] = self.summary.not_admitted.get(cause, 0) + count
        if self._writer is not None:
            if part:
                self._writer.end()
            else:
                self._writer.close(self.summary.policy, self.summary.withheld)
        return self.summary

    def _decode_bus(self, bus: str, batch: FrameBatch) -> None:
        plan = self._plans.get(bus) or self._meet(bus)
        door = self._doors.get(bus)
        if door is not None:
            batch = door.admit(batch)
        if not len(batch):
            return
        decoded = plan.decode(batch)
        self.summary.decoded += decoded.frames_decoded
        self.summary.unknown += decoded.frames_unknown
        self.summary.unknown_multiplexer += decoded.frames_unknown_multiplexer
        self.summary.short += decoded.frames_short
        self.summary.too_short += decoded.frames_too_short
        self.summary.not_data += decoded.frames_not_data
        columns = {ref: decoded.columns[ref] for ref in plan.refs if ref in decoded.columns}
        self.summary.add(columns)
        if self._writer is not None:
            self._writer.write(batch.t_ns, columns)

    def _meet(self, bus: str) -> DecodePlan:
        databases = [*self._databases.get(bus, ()), *self._databases.get(ANY_BUS, ())]
        withheld: frozenset[SignalRef] = frozenset()
        if self._classed is not None:
            door = Door({bus: [self._classed[one.sha256] for one in databases]}, self._collect)
            self._doors[bus] = door
            withheld = door.withheld()
        wanted = [ref for ref in refs_of(bus, databases) if self._asked(ref)] if self._patterns else None
        plan = self._plans[bus] = DecodePlan({bus: databases}, wanted=wanted, withheld=withheld)
        self.summary.withheld |= {ref for ref in plan.withheld if not self._patterns or self._asked(ref)}
        return plan

    def _asked(self, ref: SignalRef) -> bool:
        return any(_matches(pattern, ref) for pattern in self._patterns)

    def _check_patterns(self) -> None:
        refs = [ref for bus, several in self._databases.items() for ref in refs_of(bus, several)]
        for pattern in self._patterns:
            name = pattern.partition(":")[2] or pattern
            if not any(_matches(name, ref) for ref in refs):
                names = {f"{ref.message}.{ref.signal}" for ref in refs}
                raise DatabaseError(
                    f"no signal matches '{pattern}'",
                    todo=did_you_mean(name, names) or "Write it as Message.Signal, with * and ? if you like",
                )


def decode_recording(source: FrameSource, decoder: OfflineDecoder, *, part: bool = False) -> Summary:
    """Read `source` to its end through `decoder`; the caller closes the source. For `part` see `finish`."""
    while (batch := source.read(0.0)) is not None:
        decoder.decode(batch)
    return decoder.finish(part=part)


def refs_of(bus: str, databases: Sequence[Database]) -> list[SignalRef]:
    """Every signal of `databases` on `bus`, those of contained PDUs too."""
    return [
        SignalRef(bus, one.name, signal.name)
        for database in databases
        for message in database.messages
        for one in (message, *message.contained)
        for signal in one.signals
    ]


def _matches(pattern: str, ref: SignalRef) -> bool:
    name = f"{ref.message}.{ref.signal}"
    return fnmatchcase(str(ref) if ":" in pattern else name, pattern)
