"""`Converter`: records that a platform has verified and stored, as messages of GB/T 32960.3; no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from edge.account import Hop
from edge.clock import TimeQuality
from edge.records import Record
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.message import Message
from edge.wire.gbt.recording import RecordCodec
from edge.wire.gbt.told import Told
from edge.wire.message import MessageKind
from simulator.conversion.vin_book import VinBook
from simulator.platform.accepted import Accepted
from simulator.platform.rows import StoredRecord

TOLD_MOST = 10_000
"""So many differences are counted one by one, those beyond by their reason alone."""

Sign = Callable[[Message], Message]
"""Gives a report its signature (2025); raises `GbtError` where it cannot."""


class Aside(StrEnum):
    """Why a record is in no message."""

    NO_VIN = "no VIN is known of the vehicle"
    NO_TIME = "the wall time is not known"
    UNWRITABLE = "cannot be written as a report"
    NOTHING_SAID = "the edition has none of its items"


@dataclass(frozen=True, slots=True)
class Converted:
    """What became of one record.

    Attributes:
        messages: that say it, in order; none where it is set aside.
        told: what they say otherwise than the record.
        aside: why there are none.
        detail: more for people.
    """

    messages: tuple[Message, ...]
    told: tuple[Told, ...] = ()
    aside: Aside | None = None
    detail: str = ""


class Converter:
    """Converts records and counts what it cannot say. Equal records give equal messages.

    A record that came as backlog, by its message's kind or by its topic, becomes a reissue (command 03),
    every other a real-time report (02): as a terminal sends it that speaks the standard itself.

    Args:
        codec: of the edition, with its options and profile.
        vins: of the vehicles.
        sign: signs each report (2025); None for none.
    """

    def __init__(self, codec: RecordCodec, vins: VinBook, *, sign: Sign | None = None) -> None:
        self.codec = codec
        self._vins = vins
        self._sign = sign
        self._entered = 0
        self._left = 0
        self._messages = 0
        self._aside: Counter[Aside] = Counter()
        self._told: Counter[tuple[str, str]] = Counter()
        self._reasons: Counter[str] = Counter()

    def convert(self, vehicle: str, record: Record, *, late: bool) -> Converted:
        """Convert one record.

        Args:
            vehicle: the name that it is signed under.
            record: with the best wall time that is known.
            late: whether it is sent after its time; a record may say so itself.
        """
        self._entered += 1
        converted = self._convert(vehicle, record, late=late)
        if converted.aside is not None:
            self._aside[converted.aside] += 1
            return converted
        self._left += 1
        self._messages += len(converted.messages)
        for one in converted.told:
            self._reasons[one.why.value] += 1
            if (key := (one.item_id, one.why.value)) in self._told or len(self._told) < TOLD_MOST:
                self._told[key] += 1
        return converted

    def accepted(self, accepted: Accepted) -> Iterator[Converted]:
        """Convert the records of a message as it was judged; doubles are the caller's to know."""
        late = is_late(accepted.kind.topic, accepted.road.topic)
        for record in accepted.records:
            yield self.convert(accepted.vehicle, record, late=late)

    def stored(self, stored: StoredRecord, *, late: bool = False) -> Converted:
        """Convert a record of a platform's store, with its corrected time.

        Args:
            stored: the record.
            late: whether it is sent after its time, also if it came in time.
        """
        late = late or is_late(stored.kind, stored.road)
        return self.convert(stored.vehicle, timed(stored), late=late)

    def forget(self, converted: Converted) -> None:
        """Take back that a record was set aside: it will be tried again."""
        if converted.aside is not None:
            self._entered -= 1
            self._aside[converted.aside] -= 1

    def hop(self) -> Hop:
        """The account: records that entered, left in messages, or were set aside."""
        return Hop(
            "conversion",
            "records",
            self._entered,
            self._left,
            {cause.value: count for cause, count in sorted(self._aside.items()) if count},
            facts={"messages": self._messages},
        )

    def reasons(self) -> dict[str, int]:
        """How often something was said otherwise, by reason."""
        return dict(sorted(self._reasons.items()))

    def told(self) -> dict[tuple[str, str], int]:
        """The same by item and reason."""
        return dict(sorted(self._told.items()))

    def _convert(self, vehicle: str, record: Record, *, late: bool) -> Converted:
        vin = self._vins.vin(vehicle)
        if vin is None:
            return Converted((), aside=Aside.NO_VIN, detail=vehicle)
        if record.timebase.quality is TimeQuality.NONE:
            return Converted((), aside=Aside.NO_TIME)
        if late and not record.reissue:
            record = replace(record, reissue=True)
        try:
            messages, told = self.codec.messages(record, vin)
            if self._sign is not None:
                messages = tuple(self._sign(message) for message in messages)
        except GbtError as error:
            return Converted((), aside=Aside.UNWRITABLE, detail=str(error))
        if not _says_anything(messages):
            return Converted((), told, Aside.NOTHING_SAID)
        return Converted(messages, told)


def is_late(kind: str, road: str) -> bool:
    """Whether a message was sent after its time, by its signed kind and by the topic that it came on.

    Args:
        kind: last word of the topic of its kind.
        road: last word of the topic that it came on; empty where that is not known.
    """
    return MessageKind.BACKLOG.topic in {kind, road}


def timed(stored: StoredRecord) -> Record:
    """A stored record with the best wall time that the vehicle has told."""
    if stored.corrected is None:
        return stored.record
    return replace(stored.record, timebase=stored.corrected)


def _says_anything(messages: Iterable[Message]) -> bool:
    return any(getattr(message.content, "bodies", ()) for message in messages)
