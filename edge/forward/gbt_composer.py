"""`GbtComposer`: records as whole frames of GB/T 32960.3, signed where that is asked for, not encrypted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from edge.clock import Timebase, TimeQuality
from edge.forward.composer import Composed, Composer
from edge.forward.view import View, whole
from edge.records import Missing, Record, Value
from edge.uplink.outgoing import Kind
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import Message, Report, message_of
from edge.wire.gbt.recording import RecordCodec
from edge.wire.gbt.stream import Skipped, StreamDecoder
from edge.wire.gbt.told import Told
from edge.wire.loss import LossRange

MOST_RECORDS = 20
"""Of one payload: what is under way when a connection ends goes again as a whole."""

Sign = Callable[[Message], Message]
"""Gives a report its signature; raises `GbtError` where it cannot."""

TimeOf = Callable[[bytes], Timebase | None]
"""How times of a boot relate to wall time, as is known now; None for another boot than the present."""

logger = logging.getLogger(__name__)


def _is_missing(value: Value) -> bool:
    """Whether a field that every report of its type has stands empty, as for what is not collected."""
    return isinstance(value, Missing) or (
        isinstance(value, tuple) and all(isinstance(one, Missing) for one in value)
    )


class GbtComposer(Composer):
    """Composes reports for a platform that speaks GB/T 32960.3.

    A payload is one or several frames, one behind the other; those of one record stay together. A frame has
    whole seconds of Beijing time and no number. What a report says otherwise than its record is counted by
    reason, and named once in the log. A record of which the report would say nothing is left out. One that
    was made before the clock was set waits until the vehicle knows the time, and is set aside if that boot
    has ended meanwhile.

    Args:
        codec: of the edition, with its options and profile.
        vin: 17 characters: the standard knows no pseudonym.
        view: what the destination may have of a record.
        time_of: see `TimeOf`.
        sign: signs each report (2025); None for none.
    """

    def __init__(
        self,
        codec: RecordCodec,
        vin: str,
        view: View = whole,
        *,
        time_of: TimeOf = lambda _: None,
        sign: Sign | None = None,
    ) -> None:
        super().__init__(view)
        self._codec = codec
        self._vin = vin.encode("ascii")
        self._time_of = time_of
        self._sign = sign
        self._told: Counter[str] = Counter()
        self._named: set[tuple[str, str]] = set()
        self._record_bytes = 600.0

    def records(
        self,
        kind: Kind,
        records: Sequence[Record],
        *,
        stream: bytes,
        predecessor: bytes | None,
        boot: bytes,
        most_bytes: int | None,
    ) -> Composed:
        """See `Composer.records`; the standard has neither streams nor numbers."""
        del stream, predecessor
        parts: list[bytes] = []
        for record in records[: self.likely(most_bytes)]:
            timed = self._timed(record, boot)
            if timed is None:
                break
            try:
                frames, told = self._frames(kind, timed)
            except GbtError as error:
                return self._so_far(parts) or Composed(b"", 1, f"cannot be written as a report: {error}")
            if not frames:
                return self._so_far(parts) or Composed(b"", 1, unsaid=True)
            if parts and most_bytes is not None and sum(map(len, parts)) + len(frames) > most_bytes:
                break
            parts.append(frames)
            self._note(told)
        return self._so_far(parts) or Composed(b"", 0, "the vehicle does not know the time yet")

    def likely(self, most_bytes: int | None) -> int:
        """See `Composer.likely`."""
        if most_bytes is None:
            return MOST_RECORDS
        return max(1, min(MOST_RECORDS, int(most_bytes / self._record_bytes)))

    def gap(self, entry: LossRange, *, stream: bytes, predecessor: bytes | None, boot: bytes) -> bytes:
        """See `Composer.gap`: the standard cannot say that something will not come."""
        del entry, stream, predecessor, boot
        return b""

    def items_in(self, payload: bytes) -> frozenset[str] | None:
        """See `Composer.items_in`; what cannot be read might hold anything."""
        found: set[str] = set()
        decoder = StreamDecoder()
        for frame in (*decoder.feed(payload), *decoder.flush()):
            try:
                message = None if isinstance(frame, Skipped) else message_of(frame)
                if message is None or not isinstance(message.content, Report):
                    return None
                values = self._codec.hear([message.content]).record.values
                found.update(name for name, value in values.items() if not _is_missing(value))
            except GbtError:
                return None
        return frozenset(found)

    def facts(self) -> Mapping[str, int]:
        """See `Composer.facts`: how often items were said otherwise, by reason."""
        return {f"said otherwise: {why}": count for why, count in sorted(self._told.items())}

    def _so_far(self, parts: Sequence[bytes]) -> Composed | None:
        if not parts:
            return None
        payload = b"".join(parts)
        self._record_bytes = len(payload) / len(parts)
        return Composed(payload, len(parts))

    def _timed(self, record: Record, boot: bytes) -> Record | None:
        """The record with wall time if that can be had; None if it may still be learnt."""
        if record.timebase.quality is not TimeQuality.NONE:
            return record
        known = self._time_of(boot)
        if known is None:
            return record
        return None if known.quality is TimeQuality.NONE else replace(record, timebase=known)

    def _frames(self, kind: Kind, record: Record) -> tuple[bytes, Sequence[Told]]:
        """The frames of a record; none if they would say nothing."""
        shown = self.view(record)
        if not shown.values:
            return b"", ()
        said = self._codec.say(shown)
        if not any(report.bodies for report in said.reports):
            return b"", ()
        late = record.reissue or kind is Kind.BACKLOG
        command = Command.REISSUE if late else Command.REAL_TIME
        frames = []
        for report in said.reports:
            message = Message(self._codec.edition, command, Response.COMMAND, self._vin, report)
            frames.append((message if self._sign is None else self._sign(message)).write())
        return b"".join(frames), said.told

    def _note(self, told: Sequence[Told]) -> None:
        for one in told:
            self._told[one.why.value] += 1
            if (one.item_id, one.why.value) not in self._named:
                self._named.add((one.item_id, one.why.value))
                logger.info("in reports of %s, %s: %s", self._codec.edition.value, one.item_id, one.why.value)
