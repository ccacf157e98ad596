"""Takes in the records of a judged message: each number once, whatever is new, and evidence of the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from edge.records import Record
from edge.wire.loss import Exactness
from simulator.platform.accepted import Accepted
from simulator.platform.books import Tally
from simulator.platform.rejected import Cause, RejectedError
from simulator.platform.repeats import Repeat, compare
from simulator.platform.rows import Evidence, Stream
from simulator.platform.sequence import Arrival
from simulator.platform.store import Store

SPANS_AT_MOST = 65_536
"""A stream's numbers may fall into so many spans; a message that would open more is rejected."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that an operator must look at.

    Attributes:
        vehicle: the signed vehicle.
        stream: 16 bytes.
        text: one sentence that says what happened.
    """

    vehicle: str
    stream: bytes
    text: str


class RecordIntake:
    """Stores what messages of records bring.

    Args:
        store: keeps it.
        alert: told what an operator must look at.
    """

    def __init__(self, store: Store, alert: Callable[[Alert], None]) -> None:
        self._store = store
        self._alert = alert

    def take(self, stream: Stream, accepted: Accepted, payload: bytes, now_ns: int) -> Tally:
        """Take in one message of `stream`; one that brings nothing new leaves counts only.

        Raises:
            RejectedError: if the stream's numbers fall into too many spans.
            StoreError: if the store cannot be written.
        """
        sequence = stream.sequence
        if len(sequence.settled) + len(accepted.records) + len(accepted.losses) > SPANS_AT_MOST:
            raise RejectedError(
                Cause.FRAGMENTED, f"the stream has {len(sequence.settled)} separate spans of numbers already"
            )
        digest = hashlib.sha256(payload).digest()
        if self._store.knows_message(digest):
            tally = Tally(known=True, doubles=len(accepted.records))
        else:
            evidence = Evidence(
                sha256=digest,
                kind=accepted.kind.topic,
                key_id=accepted.key_id,
                provable=accepted.provable,
                boot=accepted.boot,
                received_ns=now_ns,
                signed=payload,
                road=accepted.road.topic,
            )
            tally = self._add(stream, accepted, evidence)
        sequence.doubles += tally.doubles
        sequence.conflicts += tally.conflicts
        stream.repeated_with_fewer += tally.fewer
        return tally

    def _add(self, stream: Stream, accepted: Accepted, evidence: Evidence) -> Tally:
        """Store what a message brings that is not here yet; a message all known leaves nothing behind."""
        tally = Tally()
        fresh: list[Record] = []
        conflicting: list[int] = []
        fewer: list[int] = []
        for record in accepted.records:
            arrival = stream.sequence.arrive(record.number)
            if arrival is not Arrival.SEEN:
                fresh.append(record)
                tally.recovered += arrival is Arrival.NEW_BUT_REPORTED_LOST
                continue
            match self._repeat(stream, record, accepted.boot):
                case Repeat.DOUBLE:
                    tally.doubles += 1
                case Repeat.FEWER_ITEMS:
                    fewer.append(record.number)
                case Repeat.OTHER_CONTENTS:
                    conflicting.append(record.number)
        tally.stored, tally.conflicts, tally.fewer = len(fresh), len(conflicting), len(fewer)
        tally.news = bool(fresh or conflicting or fewer or accepted.losses)
        if tally.news:
            message = self._store.add_message(stream, evidence)
            self._store.add_records(stream, message, fresh)
            self._add_losses(stream, message, accepted)
            for number in conflicting:
                self._store.add_conflict(stream, message, number, evidence.received_ns)
            for number in fewer:
                self._store.add_conflict(stream, message, number, evidence.received_ns, fewer_items=True)
        if conflicting:
            more = f" and {len(conflicting) - 1} more" if len(conflicting) > 1 else ""
            text = (
                f"number {conflicting[0]}{more} came again with other contents; the first is kept,"
                " the second message as evidence"
            )
            self._alert(Alert(stream.vehicle, stream.stream, text))
        return tally

    def _repeat(self, stream: Stream, again: Record, boot: bytes) -> Repeat:
        first = self._store.record(stream, again.number)
        if first is None:
            return Repeat.OTHER_CONTENTS
        return compare(first.record, first.boot, again, boot)

    def _add_losses(self, stream: Stream, message: int, accepted: Accepted) -> None:
        for loss in accepted.losses:
            if loss.exactness is Exactness.INTERVAL:
                stream.sequence.report_uncertain(loss.first, loss.last)
            else:
                stream.sequence.report_lost(loss.first, loss.last)
            self._store.add_loss(stream, message, loss)
