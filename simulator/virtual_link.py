"""A broker and the way to it under a virtual clock: a seed replays every delay, cut, loss and double."""

from __future__ import annotations

import heapq
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from edge.clock import Clock
from edge.uplink.events import (
    RECEIVE_MAXIMUM_DEFAULT,
    Arrived,
    Connected,
    Disconnected,
    LinkEvent,
    Puback,
    Refused,
    Subscribed,
)
from edge.uplink.link import Link
from edge.uplink.pacing import packet_bytes
from edge.uplink.reasons import CONNECTION_LOST, STOPPED, close_reason
from simulator.bottleneck import Bottleneck

_SERVER_UNAVAILABLE = 0x88
_NS_PER_MS = 1_000_000
_CONNECT_BYTES = 150
_PUBACK_BYTES = 4
_SUBACK_BYTES = 6


@dataclass(frozen=True, slots=True)
class LinkFaults:
    """What goes wrong, as probabilities from 0 to 1.

    Attributes:
        refuse: a connection is refused.
        cut: the connection breaks while a packet travels, either way; what travels behind it is lost as well.
        lose: the broker acknowledges a message and then loses it.
        duplicate: the broker hands a message on twice.
        forget: the broker forgets the session between two connections, with what it queued for it.
        refuse_message: a message is answered with one of `refusal_codes`.
        refusal_codes: PUBACK reason codes of such answers.
        delay_ms: shortest and longest time that a packet travels.
    """

    refuse: float = 0.0
    cut: float = 0.0
    lose: float = 0.0
    duplicate: float = 0.0
    forget: float = 0.0
    refuse_message: float = 0.0
    refusal_codes: Sequence[int] = (0x97, 0x80, 0x10, 0x91)
    delay_ms: tuple[int, int] = (1, 200)


class VirtualLink(Link):
    """A link to a broker that exists only here.

    As TCP does, it delivers in order what it delivers: a cut takes away a tail, never a middle.

    Args:
        clock: the virtual clock.
        rng: source of everything that happens by chance.
        deliver: called with topic and payload of each message that the broker hands to the platform.
        faults: what goes wrong; may be replaced at any time.
        receive_maximum: what the broker names.
        maximum_packet_size: what the broker names.
        bits_per_s: how fast MQTT's bytes go, each way for itself, in order; None for as fast as one likes.
            `set_rate` changes it. `LinkFaults.delay_ms` is the time that each packet travels after that.
    """

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        deliver: Callable[[str, bytes], None],
        *,
        faults: LinkFaults | None = None,
        receive_maximum: int = RECEIVE_MAXIMUM_DEFAULT,
        maximum_packet_size: int | None = None,
        bits_per_s: float | None = None,
    ) -> None:
        self.faults = faults or LinkFaults()
        self._clock = clock
        self._rng = rng
        self._deliver = deliver
        self._receive_maximum = receive_maximum
        self._maximum_packet_size = maximum_packet_size
        self._narrows = {} if bits_per_s is None else {way: Bottleneck(bits_per_s) for way in ("up", "down")}
        self._travelling: list[tuple[int, int, int, Callable[[], None]]] = []
        self._sequence = 0
        self._connection = 0
        self._up = False
        self._last_arrival_ns = {"up": 0, "down": 0}
        self._subscriptions: set[str] = set()
        self._session_exists = False
        self._queued: list[tuple[str, bytes]] = []
        self._unanswered = 0
        self._happened: list[LinkEvent] = []
        self.retained: dict[str, bytes] = {}
        self.will: tuple[str, bytes] | None = None
        self.most_unanswered = 0

    def attach(self, wake: threading.Event) -> None:
        """See `Link.attach`; a virtual link says by `due_ns` when it has something."""
        del wake

    def due_ns(self) -> int | None:
        """See `Link.due_ns`."""
        if self._happened:
            return self._clock.boot_ns()
        times = [narrow.due_ns() for narrow in self._narrows.values()]
        times.append(self._travelling[0][0] if self._travelling else None)
        return min((at_ns for at_ns in times if at_ns is not None), default=None)

    def set_rate(self, bits_per_s: float) -> None:
        """Have a link that was made with a rate go at another from now on, both ways."""
        for narrow in self._narrows.values():
            narrow.set_rate(bits_per_s, self._clock.boot_ns())

    def queued_bytes(self, way: Literal["up", "down"] = "up") -> int:
        """Bytes of MQTT packets that wait at the sender's end of a link with a rate."""
        return self._narrows[way].queued_bytes(self._clock.boot_ns()) if self._narrows else 0

    def poll(self) -> Sequence[LinkEvent]:
        """See `Link.poll`."""
        now_ns = self._clock.boot_ns()
        for narrow in self._narrows.values():
            narrow.run(now_ns)
        while self._travelling and self._travelling[0][0] <= now_ns:
            _, _, connection, arrive = heapq.heappop(self._travelling)
            if connection == self._connection:
                arrive()
        events, self._happened = self._happened, []
        return events

    def connect(self) -> None:
        """See `Link.connect`."""
        self._connection += 1
        self._clear()
        self._send("up", _CONNECT_BYTES, self._accept)

    def subscribe(self, topic: str) -> None:
        """See `Link.subscribe`."""

        def arrive() -> None:
            self._subscriptions.add(topic)
            self._send("down", _SUBACK_BYTES, lambda: self._happened.append(Subscribed(topic, 1)))

        self._send("up", packet_bytes(topic, 1, "5"), arrive)

    def publish(self, token: int, topic: str, payload: bytes, *, retain: bool) -> None:
        """See `Link.publish`."""
        self._unanswered += 1
        self.most_unanswered = max(self.most_unanswered, self._unanswered)

        def arrive() -> None:
            code = 0
            if not retain and self._chance(self.faults.refuse_message):
                code = self._rng.choice(list(self.faults.refusal_codes))
            elif retain:
                self.retained[topic] = payload
            elif not self._chance(self.faults.lose):
                self._deliver(topic, payload)
                if self._chance(self.faults.duplicate):
                    self._deliver(topic, payload)
            self._send("down", _PUBACK_BYTES, lambda: self._answer(token, code))

        self._send("up", packet_bytes(topic, len(payload), "5"), arrive)

    def disconnect(self, *, with_will: bool) -> None:
        """See `Link.disconnect`."""
        if self._up:
            self._end(with_will=with_will)
            self._happened.append(Disconnected(STOPPED))
        else:
            self._connection += 1
            self._happened.append(Refused(STOPPED))

    def send_down(self, topic: str, payload: bytes) -> None:
        """Have the platform publish to the gateway; kept in the session while the gateway is away."""
        if topic not in self._subscriptions:
            return
        if self._up:
            size = packet_bytes(topic, len(payload), "5")
            self._send("down", size, lambda: self._happened.append(Arrived(topic, payload)))
        else:
            self._queued.append((topic, payload))

    def cut(self) -> None:
        """Break the connection now, as losing the network does."""
        if self._up:
            self._end(with_will=True)
            self._happened.append(Disconnected(CONNECTION_LOST))

    def _accept(self) -> None:
        if self._chance(self.faults.refuse):
            self._connection += 1
            self._happened.append(Refused(close_reason(_SERVER_UNAVAILABLE)))
            return
        if self._chance(self.faults.forget):
            self._session_exists = False
            self._subscriptions.clear()
            self._queued.clear()
        self._up = True
        self._unanswered = 0
        self._happened.append(
            Connected(
                session_present=self._session_exists,
                receive_maximum=self._receive_maximum,
                maximum_packet_size=self._maximum_packet_size,
            )
        )
        self._session_exists = True
        queued, self._queued = self._queued, []
        for topic, payload in queued:
            self.send_down(topic, payload)

    def _answer(self, token: int, code: int) -> None:
        self._unanswered -= 1
        self._happened.append(Puback(token, code))

    def _send(self, way: str, size: int, arrive: Callable[[], None]) -> None:
        now_ns = self._clock.boot_ns()
        if self._narrows:
            self._narrows[way].put(size, lambda left_ns: self._travel(way, arrive, left_ns), now_ns)
        else:
            self._travel(way, arrive, now_ns)

    def _clear(self) -> None:
        for narrow in self._narrows.values():
            narrow.clear()

    def _travel(self, way: str, arrive: Callable[[], None], left_ns: int) -> None:
        shortest, longest = self.faults.delay_ms
        at_ns = left_ns + self._rng.randint(shortest, longest) * _NS_PER_MS
        at_ns = max(at_ns, self._last_arrival_ns[way] + 1)
        self._last_arrival_ns[way] = at_ns
        broken = self._up and self._chance(self.faults.cut)
        self._sequence += 1
        heapq.heappush(
            self._travelling, (at_ns, self._sequence, self._connection, self.cut if broken else arrive)
        )

    def _end(self, *, with_will: bool) -> None:
        self._up = False
        self._connection += 1
        self._clear()
        if with_will and self.will is not None:
            self.retained[self.will[0]] = self.will[1]

    def _chance(self, probability: float) -> bool:
        return probability > 0 and self._rng.random() < probability
