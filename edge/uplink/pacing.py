"""Which message goes next, and whether one may go at all: slots, pauses, sizes."""

from __future__ import annotations

import random
from dataclasses import dataclass

from edge.uplink.backlog_pace import BacklogPace
from edge.uplink.backoff import Backoff
from edge.uplink.events import Connected
from edge.uplink.flight import Flight
from edge.uplink.outgoing import Kind, Outgoing, VehicleTopics
from edge.uplink.settings import SessionSettings, ns

LARGER_THAN_PACKET = "larger than the largest packet that the broker takes"

_PAUSE_FIRST_S = 5.0
_PAUSE_CAP_S = 60.0
_LENGTH_BYTES_MORE = 3
_PACED = frozenset({Kind.EVENT, Kind.BACKLOG, Kind.MEDIA})
_IN_PIECES = frozenset({Kind.BACKLOG, Kind.MEDIA})
"""Made when they can go, as large as the link takes them."""


@dataclass(slots=True)
class _Pause:
    backoff: Backoff
    until_ns: int = 0


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a message may not be sent: the account's cause, and words for a person."""

    cause: str
    what: str
    todo: str = ""


def packet_bytes(topic: str, payload_bytes: int, protocol: str) -> int:
    """Bytes of a QoS 1 PUBLISH packet without properties (MQTT 5.0, 2.1.4 and 3.3)."""
    remaining = 2 + len(topic.encode()) + 2 + (1 if protocol == "5" else 0) + payload_bytes
    length_bytes = 1
    while remaining >> (7 * length_bytes):
        length_bytes += 1
    return 1 + length_bytes + remaining


class Pacing:
    """The slots in flight and who may use them.

    One slot is kept for alarms; event, backlog and media fill at most half of the slots, and of the link only
    what `BacklogPace` lets them, so that they never stand in the way.

    A message on which connections broke twice is sent alone, until it is clear whether it is why.

    Args:
        settings: the rules in numbers.
        topics: of the vehicle.
        flight: what was sent.
        rng: source of the pauses' random part.
    """

    def __init__(
        self, settings: SessionSettings, topics: VehicleTopics, flight: Flight, rng: random.Random
    ) -> None:
        self._settings = settings
        self._topics = topics
        self._flight = flight
        self._rng = rng
        self._pace = BacklogPace(settings.constrained_bytes, fixed=settings.constrained)
        self._connection = Connected(session_present=False)
        self._limit: int | None = None
        self._topic_pauses: dict[str, _Pause] = {}
        self._pause_all: _Pause | None = None

    def begin(self, connection: Connected) -> None:
        """A connection is up, with limits of its own; pauses end."""
        self._connection = connection
        self._pace.begin()
        self._topic_pauses.clear()
        self._pause_all = None

    def window(self) -> int:
        """How many messages may be in flight now."""
        window = max(1, min(self._settings.in_flight, self._connection.receive_maximum))
        return window if self._limit is None else min(window, self._limit)

    def narrow(self) -> None:
        """Halve the window: there was too much at once."""
        self._limit = max(1, self.window() // 2)

    def widen(self) -> None:
        """Double a window that was narrowed, up to what it would be."""
        if self._limit is not None:
            self._limit *= 2
            if self._limit >= self._settings.in_flight:
                self._limit = None

    def choose(self, in_flight: list[int], now_ns: int) -> tuple[int, Outgoing] | None:
        """The message to be sent now, if any.

        Args:
            in_flight: positions of what is in flight, 0 for a status.
            now_ns: the time.
        """
        busy, window = len(in_flight), self.window()
        if _resting(self._pause_all, now_ns) or any(map(self._flight.suspect, in_flight)):
            return None
        for kind in Kind:
            if busy >= self._slots(kind, window) or self._closed(kind):
                continue
            if kind in _PACED and not self._pace.open(now_ns):
                return None
            found = self._flight.first(kind)
            if found is None or _resting(self._topic_pauses.get(found[1].topic), now_ns):
                continue
            if kind in _PACED and not self._pace.admits(self._packet_bytes(found[1]), now_ns):
                return None
            return None if busy and self._flight.suspect(found[0]) else found
        return None

    def sent(self, token: int, item: Outgoing, now_ns: int) -> None:
        """A message was published."""
        self._pace.sent(token, self._packet_bytes(item), now_ns, paced=item.kind in _PACED)

    def status_sent(self, token: int, payload_bytes: int, now_ns: int) -> None:
        """The status was published; small and the first of all, it shows what the way to the broker takes."""
        size = packet_bytes(self._topics.status, payload_bytes, self._connection.protocol)
        self._pace.sent(token, size, now_ns, paced=False)

    def answered(self, token: int, now_ns: int) -> None:
        """The broker has answered a message or the status, with whatever code."""
        self._pace.answered(token, now_ns)

    def resumes_ns(self) -> list[int]:
        """When the link will have room for backlog that waits, if nothing is answered before."""
        resume_ns = self._pace.resume_ns()
        return [] if resume_ns is None else [resume_ns]

    def unfit(self, item: Outgoing) -> Unfit | None:
        """Why `item` may not be sent on this connection; None if it may."""
        size = self._packet_bytes(item)
        most = self._largest_packet()
        if most is not None and size > most:
            return Unfit(
                LARGER_THAN_PACKET,
                f"set a message aside ({item}): as a packet it has {size:,} bytes, and at most {most:,} may "
                "be sent",
                "Shorten sampling.uplink_period_s, or have the broker's Maximum Packet Size raised",
            )
        return None

    def largest_payload(self, kind: Kind) -> int | None:
        """Bytes of the largest payload that should be made for `kind` now; None if nothing limits it.

        For backlog and media it follows the link. What was made before and is larger goes all the same,
        alone.
        """
        packet = self._largest_packet()
        limits = []
        if packet is not None:
            empty = packet_bytes(self._topics.up(kind), 0, self._connection.protocol)
            limits.append(packet - empty - _LENGTH_BYTES_MORE)
        if kind in _IN_PIECES:
            limits.append(self._pace.largest_payload)
        return min(limits, default=None)

    def pause_topic(self, topic: str, now_ns: int) -> None:
        """Let a topic rest, longer each time until `accepted`."""
        pause = self._topic_pauses.get(topic)
        if pause is None:
            pause = self._topic_pauses[topic] = self._new_pause()
        _prolong(pause, now_ns)

    def pause_all(self, now_ns: int) -> None:
        """Let every topic rest, longer each time until `accepted`."""
        if self._pause_all is None:
            self._pause_all = self._new_pause()
        _prolong(self._pause_all, now_ns)

    def accepted(self, topic: str) -> None:
        """The broker took a message on `topic`, so it need not rest again."""
        self._topic_pauses.pop(topic, None)
        self._pause_all = None

    def pauses_end_ns(self) -> list[int]:
        """When each pause ends, or has ended without a message accepted since."""
        pauses = [*self._topic_pauses.values(), *([self._pause_all] if self._pause_all else [])]
        return [pause.until_ns for pause in pauses]

    @staticmethod
    def _slots(kind: Kind, window: int) -> int:
        match kind:
            case Kind.ALARM:
                return window
            case Kind.LIVE:
                return max(1, window - 1)
            case Kind.EVENT | Kind.BACKLOG | Kind.MEDIA:
                return max(1, window // 2)

    def _closed(self, kind: Kind) -> bool:
        most = 1 if self._settings.constrained else self._settings.backlog_open
        return kind in _IN_PIECES and self._flight.open(kind) >= most

    def _packet_bytes(self, item: Outgoing) -> int:
        return packet_bytes(item.topic, len(item.payload), self._connection.protocol)

    def _largest_packet(self) -> int | None:
        limits = (self._connection.maximum_packet_size, self._settings.maximum_packet_size)
        return min((limit for limit in limits if limit is not None), default=None)

    def _new_pause(self) -> _Pause:
        return _Pause(Backoff(ns(_PAUSE_FIRST_S), ns(_PAUSE_CAP_S), self._rng))


def _resting(pause: _Pause | None, now_ns: int) -> bool:
    return pause is not None and now_ns < pause.until_ns


def _prolong(pause: _Pause, now_ns: int) -> None:
    if now_ns >= pause.until_ns:
        pause.until_ns = now_ns + pause.backoff.next_ns()
