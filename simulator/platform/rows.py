"""The rows of the platform's store as values, and how they are read back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cbor2

from edge.clock import Timebase, TimeQuality
from edge.records import Record
from simulator.platform.body import decode_body
from simulator.platform.sequence import Sequence as NumberSequence
from simulator.platform.sequence import Span

StreamKey = tuple[str, bytes, bytes]
"""Vehicle, the stream's 16 bytes, and the id of the device's key, empty for signatures.

Whose a stream is belongs to what it is: a device that says the gateway's 16 bytes takes nothing from it.
"""

Parameters = Sequence[str | int | bytes | None]

_STREAMS = (
    "SELECT id, vehicle, stream, predecessor, records, first_seen_ns, last_seen_ns, received, lost,"
    " uncertain, doubles, conflicts, recovered, repeated_with_fewer, device_key FROM stream"
)
_RECORDS = (
    "SELECT s.vehicle, s.stream, r.number, r.t_ns, r.wall_ns, r.quality, r.alarm, k.name, l.items, r.body,"
    " m.kind, m.provable, m.boot, m.received_ns, m.sha256, c.wall_offset_ns, c.quality, m.road"
    " FROM record r JOIN stream s ON s.id = r.stream"
    " JOIN message m ON m.id = r.message JOIN layout l ON l.id = r.layout JOIN mask k ON k.id = r.mask"
    " LEFT JOIN correction c ON c.id = (SELECT b.id FROM correction b WHERE b.vehicle = s.vehicle"
    " AND b.boot = m.boot AND r.t_ns BETWEEN b.from_ns AND b.to_ns AND b.quality >= r.quality"
    " AND s.device_key = (SELECT a.device_key FROM message d JOIN stream a ON a.id = d.stream"
    " WHERE d.id = b.message)"
    " ORDER BY b.quality DESC, b.id DESC LIMIT 1)"
)

BEST_WALL_NS = "ifnull(r.t_ns + c.wall_offset_ns, r.wall_ns)"
"""A record's wall time as it is known best, for the clauses of `read_records`."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One message as it came, which proves its records.

    Attributes:
        sha256: of `signed`.
        kind: the message's kind: live, alarm, backlog, event.
        key_id: which of the vehicle's keys signed it.
        provable: whether the signature convinces third parties; a shared-key code (COSE_Mac0) does not.
        boot: the boot in which its records were made, 16 bytes.
        received_ns: Unix time in nanoseconds.
        signed: the message as it came.
        road: the last word of the topic that it came on; empty where that was not noted.
    """

    sha256: bytes
    kind: str
    key_id: bytes
    provable: bool
    boot: bytes
    received_ns: int
    signed: bytes
    road: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """One payload that was not taken in.

    Attributes:
        received_ns: Unix time in nanoseconds.
        topic: where it came in, cut short.
        cause: a fixed short name.
        detail: what was wrong with this one.
        size: bytes of the payload.
        sha256: of the payload.
        head: its first bytes.
    """

    received_ns: int
    topic: str
    cause: str
    detail: str
    size: int
    sha256: bytes
    head: bytes


@dataclass(slots=True)
class Stream:
    """One stream as the store holds it; another key that uses its 16 bytes has a stream of its own.

    Attributes:
        row: its row in the store.
        vehicle: the signed vehicle.
        stream: its 16 bytes.
        sequence: its numbers.
        predecessor: the 16 bytes of the stream that it continues, where the vehicle knew.
        records: how many are stored.
        first_seen_ns: Unix time of its first message.
        last_seen_ns: Unix time of its latest message.
        repeated_with_fewer: how many records came again with some of their items and no other.
        device_key: id of the one key of a device that its messages are authenticated under; empty where they
            are signed.
    """

    row: int
    vehicle: str
    stream: bytes
    sequence: NumberSequence
    predecessor: bytes | None
    records: int
    first_seen_ns: int
    last_seen_ns: int
    repeated_with_fewer: int = 0
    device_key: bytes = b""

    @property
    def key(self) -> StreamKey:
        """What tells it from every other."""
        return self.vehicle, self.stream, self.device_key


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record with where it came from.

    Attributes:
        vehicle: the signed vehicle.
        stream: its 16 bytes.
        record: as the vehicle made it.
        kind: of the message that brought it.
        provable: whether its signature convinces third parties.
        boot: the boot whose monotonic time the record carries, 16 bytes.
        received_ns: Unix time at which it came, in nanoseconds.
        message_sha256: of the signed bytes that prove it.
        corrected: what the vehicle has said since of the record's wall time; None where it said nothing.
        road: the last word of the topic that it came on; empty where that was not noted.
    """

    vehicle: str
    stream: bytes
    record: Record
    kind: str
    provable: bool
    boot: bytes
    received_ns: int
    message_sha256: bytes
    corrected: Timebase | None = None
    road: str = ""


def pack_spans(spans: Iterable[Span]) -> bytes:
    """Spans as one blob."""
    return cbor2.dumps([edge for span in spans for edge in span])


def unpack_spans(blob: bytes) -> list[Span]:
    """The opposite of `pack_spans`."""
    edges: list[int] = cbor2.loads(blob)
    return list(zip(edges[::2], edges[1::2], strict=True))


def read_streams(
    connection: sqlite3.Connection, where: str = "", parameters: Parameters = ()
) -> list[Stream]:
    """The streams that the clause `where` chooses, in the order in which they were first seen."""
    rows = connection.execute(f"{_STREAMS} {where} ORDER BY id", parameters)
    streams = []
    for *state, received, lost, uncertain, doubles, conflicts, recovered, fewer, device_key in rows:
        sequence = NumberSequence.restored(*map(unpack_spans, (received, lost, uncertain)))
        sequence.doubles, sequence.conflicts, sequence.recovered = doubles, conflicts, recovered
        row, vehicle, stream, predecessor, records, first_seen_ns, last_seen_ns = state
        streams.append(
            Stream(
                row,
                vehicle,
                stream,
                sequence,
                predecessor,
                records,
                first_seen_ns,
                last_seen_ns,
                fewer,
                device_key,
            )
        )
    return streams


def read_records(
    connection: sqlite3.Connection, where: str = "", parameters: Parameters = (), *, order: str = "r.rowid"
) -> Iterator[StoredRecord]:
    """The records that the clause `where` chooses.

    `r` is the record, `s` its stream, `m` its message, and `c` the time correction that holds for it, by the
    rule of `edge.wire.time_corrections.corrected`, of those that are signed as the record is, or under its
    device's key.
    """
    rows = connection.execute(f"{_RECORDS} {where} ORDER BY {order}", parameters)
    for vehicle, stream, number, t_ns, wall_ns, quality, alarm, mask, items, body, *origin in rows:
        kind, provable, boot, received_ns, sha256, offset_ns, better, road = origin
        layout = items.split("\n") if items else []
        record = Record(
            number=number,
            t_ns=t_ns,
            timebase=Timebase(wall_ns - t_ns, TimeQuality(quality)),
            values=decode_body(layout, body),
            mask=mask,
            alarm=bool(alarm),
        )
        corrected = None if offset_ns is None else Timebase(offset_ns, TimeQuality(better))
        yield StoredRecord(
            vehicle, stream, record, kind, bool(provable), boot, received_ns, sha256, corrected, road
        )
