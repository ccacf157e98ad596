"""`GbtDispatch`: records become reports of GB/T 32960.3 at once, where no journal holds them."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from edge.account import Hop
from edge.dispatch import CANNOT_BE_WRITTEN, Dispatch, Identity
from edge.forward.composer import Composer
from edge.forward.thinning import Thinning
from edge.records import Record
from edge.uplink.outbox import Loss
from edge.uplink.outgoing import Kind, Outgoing, VehicleTopics

NOT_DUE = "between two reports"
NOTHING_SAID = "nothing of it goes there"
NO_TIME = "made before the vehicle knew the time"

logger = logging.getLogger(__name__)


class GbtDispatch(Dispatch):
    """Hands each due record on as frames, and those of before an alarm as reissue.

    What is not due rests for as long as an alarm may ask for it. The standard has no way to tell what was
    lost: that is counted here alone.

    Args:
        identity: of the vehicle and its stream.
        composer: makes the frames.
        put: takes a message into the outbox.
        take_losses: hands out the number ranges that the outbox gave up.
        thinning: which records are due; None for all.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        composer: Composer,
        put: Callable[[Outgoing], None],
        take_losses: Callable[[], Iterable[Loss]],
        thinning: Thinning | None,
    ) -> None:
        self._identity = identity
        self._composer = composer
        self._put = put
        self._take_losses = take_losses
        self._thinning = thinning
        self._topics = VehicleTopics(identity.vehicle)
        self._resting: deque[Record] = deque()
        self._set_aside: Counter[str] = Counter()
        self._entered = 0
        self._messages = 0
        self._bytes = 0

    def add(self, record: Record) -> None:
        """See `Dispatch.add`."""
        self._entered += 1
        self.last_number = record.number
        if record.reissue or self._thinning is None:
            self._send(record, Kind.BACKLOG if record.reissue else self._kind(record))
            return
        found = self._thinning.take(self._composer.view(record))
        self._drop(found.dropped)
        if found.rests:
            self._resting.append(record)
            return
        self._send(record, self._kind(record))
        if found.released:
            released = set(found.released)
            for one in [one for one in self._resting if one.number in released]:
                self._send(replace(one, reissue=True), Kind.BACKLOG)
            self._resting = deque(one for one in self._resting if one.number not in released)

    def report_every(self, report_ns: int) -> None:
        """See `Thinning.report_every`."""
        if self._thinning is not None:
            self._thinning.report_every(report_ns)

    def flush(self) -> None:
        """See `Dispatch.flush`: what is not due is let go of."""
        if self._thinning is not None:
            self._drop(self._thinning.end())

    def gather_losses(self) -> int:
        """See `Dispatch.gather_losses`: the platform is told of none."""
        for _ in self._take_losses():
            pass
        return 0

    def report_losses(self, room: Callable[[], bool]) -> None:
        """See `Dispatch.report_losses`."""
        del room
        self.gather_losses()

    def hop(self) -> Hop:
        """See `Dispatch.hop`."""
        set_aside = dict(self._set_aside)
        if self._resting:
            set_aside["waiting for the next message"] = len(self._resting)
        return Hop(
            name="dispatch",
            unit="records",
            entered=self._entered,
            left=self._entered - sum(set_aside.values()),
            set_aside=set_aside,
            facts={"messages": self._messages, "bytes": self._bytes, **self._composer.facts()},
        )

    def _kind(self, record: Record) -> Kind:
        return Kind.ALARM if record.alarm and self._composer.view(record).alarm else Kind.LIVE

    def _drop(self, numbers: Iterable[int]) -> None:
        gone = set(numbers)
        if gone:
            self._set_aside[NOT_DUE] += len(gone)
            self._resting = deque(one for one in self._resting if one.number not in gone)

    def _send(self, record: Record, kind: Kind) -> None:
        identity = self._identity
        composed = self._composer.records(
            kind,
            [record],
            stream=identity.stream,
            predecessor=identity.predecessor,
            boot=identity.boot,
            most_bytes=None,
        )
        if not composed.count:
            self._set_aside[NO_TIME] += 1
        elif composed.unsaid:
            self._set_aside[NOTHING_SAID] += 1
        elif not composed.payload:
            self._set_aside[CANNOT_BE_WRITTEN] += 1
            if self._set_aside[CANNOT_BE_WRITTEN] == 1:
                logger.warning("record %d %s; further ones are only counted", record.number, composed.cause)
        else:
            self._messages += 1
            self._bytes += len(composed.payload)
            number = record.number
            topic = self._topics.up(kind)
            self._put(Outgoing(kind, topic, composed.payload, identity.stream, number, number, 1))
