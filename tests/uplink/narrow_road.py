"""A road of finite rate with more backlog than will ever go, on which live messages are timed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from edge.clock import NS_PER_S, VirtualClock
from edge.uplink.mqtt_uplink import MqttUplink
from edge.uplink.outbox import MemoryOutbox
from edge.uplink.outgoing import Kind, Outgoing
from edge.uplink.pacing import packet_bytes
from edge.uplink.session import Session
from edge.uplink.settings import SessionSettings
from edge.wire.receipt import decode
from simulator.virtual_link import LinkFaults, VirtualLink
from tests.uplink.road import TOPICS, message, numbers_of

LIVE_BYTES = 400
UNNOTICED_S = 0.005


def packet(kind: Kind, payload_bytes: int) -> int:
    return packet_bytes(TOPICS.up(kind), payload_bytes, "5")


class EndlessStore(MemoryOutbox):
    """Makes a backlog message as large as is allowed, whenever one is asked for."""

    def __init__(self) -> None:
        super().__init__(max_messages=1_000_000, max_bytes=10**10)
        self.uplink: MqttUplink | None = None
        self._made = 0

    def next(self, kind: Kind, after: int) -> tuple[int, Outgoing] | None:
        found = super().next(kind, after)
        if found is None and kind is Kind.BACKLOG and self.uplink is not None:
            self._made += 1
            size = self.uplink.largest_payload(kind)
            assert size is not None
            self.put(message(kind, self._made, size=size))
            return super().next(kind, after)
        return found


@dataclass(frozen=True)
class Timed:
    """One live message: when it was put, and how long it took to the broker."""

    put_s: float
    took_s: float


class NarrowRoad:
    """An uplink over a link of finite rate.

    Args:
        bits_per_s: the link's rate, each way.
        round_trip_ms: what the way there and back takes beside that.
        jitter_ms: by how much longer the way may take, each way.
        seed: of the jitter and of when live messages are put.
    """

    def __init__(self, bits_per_s: float, round_trip_ms: int, *, jitter_ms: int = 0, seed: int = 0) -> None:
        self.clock = VirtualClock()
        self.store = EndlessStore()
        self.arrivals: list[tuple[float, Kind, int]] = []
        self._rng = random.Random(seed)  # noqa: S311 - a seed must replay the run
        one_way_ms = round_trip_ms // 2
        self.link = VirtualLink(
            self.clock,
            random.Random(seed),  # noqa: S311 - a seed must replay the run
            self._take,
            faults=LinkFaults(delay_ms=(one_way_ms, one_way_ms + jitter_ms)),
            bits_per_s=bits_per_s,
        )
        session = Session(
            SessionSettings(acknowledge="puback"),
            TOPICS,
            self.store,
            rng=random.Random(seed),  # noqa: S311 - a seed must replay the run
            make_status=lambda _online: bytes(200),
        )
        self.uplink = MqttUplink(
            session=session,
            link=self.link,
            store=self.store,
            clock=self.clock,
            read_receipt=decode,
            notify=lambda _notice: None,
        )
        self.store.uplink = self.uplink
        self._put_s: dict[int, float] = {}
        self._timed: dict[int, Timed] = {}

    @property
    def now_s(self) -> float:
        return self.clock.boot_ns() / NS_PER_S

    def run_until(self, end_s: float) -> None:
        end_ns = round(end_s * NS_PER_S)
        while self.clock.boot_ns() < end_ns:
            wake_ns = self.uplink.step()
            self.clock.advance_to(end_ns if wake_ns is None else min(end_ns, wake_ns))
        self.uplink.step()

    def put(self, kind: Kind, size: int = LIVE_BYTES) -> None:
        number = 1_000_000 + len(self._put_s)
        self._put_s[number] = self.now_s
        self.uplink.put(message(kind, number, size=size))
        self.uplink.step()

    def drive(self, seconds: float, *, live_period_s: float) -> None:
        """Put live messages nearly regularly, so that they meet the backlog at any moment of it."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.run_until(min(end_s, self.now_s + live_period_s * self._rng.uniform(0.95, 1.05)))
            self.put(Kind.LIVE)

    def timed(self) -> Sequence[Timed]:
        """What has arrived, after what waits has had the time to."""
        return list(self._timed.values())

    def used(self, kind: Kind, from_s: float, to_s: float, bits_per_s: float) -> float:
        """The part of the link that messages of `kind` took."""
        sizes = [
            packet(kind, size) for at_s, its, size in self.arrivals if its is kind and from_s <= at_s < to_s
        ]
        return sum(sizes) * 8 / (to_s - from_s) / bits_per_s

    def _take(self, topic: str, payload: bytes) -> None:
        kind = next(kind for kind in Kind if topic == TOPICS.up(kind))
        self.arrivals.append((self.now_s, kind, len(payload)))
        first, _ = numbers_of(payload)
        put_s = self._put_s.get(first)
        if kind is Kind.LIVE and put_s is not None:
            self._timed[first] = Timed(put_s, self.now_s - put_s)


def longest_s(bits_per_s: float, round_trip_ms: float) -> float:
    """The bound: a live message itself, one backlog message of 4 KB (or 5 ms), and the round trip."""
    own_s = packet(Kind.LIVE, LIVE_BYTES) * 8 / bits_per_s
    backlog_s = packet(Kind.BACKLOG, 4096) * 8 / bits_per_s
    return own_s + max(backlog_s, UNNOTICED_S) + round_trip_ms / 1e3
