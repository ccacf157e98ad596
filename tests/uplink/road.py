"""What the uplink's tests share: messages, receipts, and a road under a virtual clock."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from edge.clock import NS_PER_S, VirtualClock
from edge.uplink.events import Notice
from edge.uplink.mqtt_uplink import MqttUplink
from edge.uplink.outbox import MemoryOutbox
from edge.uplink.outgoing import Kind, Outgoing, VehicleTopics
from edge.uplink.session import Session
from edge.uplink.settings import SessionSettings
from edge.wire.receipt import NumberRange, Receipt, decode, encode
from simulator.virtual_link import LinkFaults, VirtualLink

STREAM = bytes(range(16))
TOPICS = VehicleTopics("LNVTEST0000000001")


def message(kind: Kind, first: int, last: int | None = None, *, size: int = 50) -> Outgoing:
    last = first if last is None else last
    body = f"{kind.name} {first} {last} ".encode()
    return Outgoing(
        kind=kind,
        topic=TOPICS.up(kind),
        payload=body + b"." * max(0, size - len(body)),
        stream=STREAM,
        first_number=first,
        last_number=last,
        record_count=last - first + 1,
    )


def numbers_of(payload: bytes) -> tuple[int, int]:
    _, first, last, _ = payload.split(b" ", 3)
    return int(first), int(last)


def status(online: bool) -> bytes:
    return b"online" if online else b"offline"


@dataclass
class PlainPlatform:
    """Takes messages, drops doubles, and answers with cumulative receipts."""

    answer: Callable[[str, bytes], None] | None = None
    acknowledges: bool = True
    arrivals: list[tuple[str, bytes]] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    bytes_of: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def take(self, topic: str, payload: bytes) -> None:
        first, last = numbers_of(payload)
        assert self.bytes_of.setdefault((first, last), payload) == payload, "a repeat has other bytes"
        self.arrivals.append((topic, payload))
        self.seen.update(range(first, last + 1))
        if self.acknowledges and self.answer is not None:
            self.answer(TOPICS.receipt, encode(self.receipt()))

    def receipt(self) -> Receipt:
        highest = max(self.seen)
        gaps: list[NumberRange] = []
        for number in sorted(set(range(1, highest)) - self.seen):
            if gaps and gaps[-1].last == number - 1:
                gaps[-1] = NumberRange(gaps[-1].first, number)
            else:
                gaps.append(NumberRange(number, number))
        watermark = gaps[0].first - 1 if gaps else highest
        return Receipt(STREAM, watermark, tuple(gaps), highest=highest)


class Road:
    """Outbox, session, virtual link and platform, driven in one thread."""

    def __init__(
        self,
        *,
        seed: int = 0,
        settings: SessionSettings | None = None,
        faults: LinkFaults | None = None,
        max_messages: int = 1000,
        max_bytes: int = 1_000_000,
        receive_maximum: int = 65_535,
        maximum_packet_size: int | None = None,
    ) -> None:
        self.clock = VirtualClock()
        self.outbox = MemoryOutbox(max_messages=max_messages, max_bytes=max_bytes)
        self.platform = PlainPlatform()
        self.link = VirtualLink(
            self.clock,
            random.Random(seed),  # noqa: S311 - a seed must replay the run
            self.platform.take,
            faults=faults,
            receive_maximum=receive_maximum,
            maximum_packet_size=maximum_packet_size,
        )
        self.platform.answer = self.link.send_down
        self.link.will = (TOPICS.status, b"offline")
        rng = random.Random(seed + 1)  # noqa: S311 - a seed must replay the run
        session = Session(settings or SessionSettings(), TOPICS, self.outbox, rng=rng, make_status=status)
        self.notices: list[Notice] = []
        self.uplink = MqttUplink(
            session=session,
            link=self.link,
            store=self.outbox,
            clock=self.clock,
            read_receipt=decode,
            notify=self.notices.append,
        )

    @property
    def told(self) -> list[str]:
        return [notice.text for notice in self.notices]

    def run_until(self, reached: Callable[[], bool], limit_s: float = 24 * 3600) -> None:
        """Step until `reached`; fails when the road falls silent or virtual time runs out."""
        end_ns = self.clock.boot_ns() + round(limit_s * NS_PER_S)
        while not reached():
            wake_ns = self.uplink.step()
            if reached():
                return
            assert wake_ns is not None, "the uplink sleeps for ever"
            assert self.clock.boot_ns() < end_ns, f"not reached in {limit_s} s: {self.uplink.hops()[0]}"
            self.clock.advance_to(wake_ns)

    def run_for(self, seconds: float) -> None:
        """Let virtual time pass."""
        end_ns = self.clock.boot_ns() + round(seconds * NS_PER_S)
        while self.clock.boot_ns() < end_ns:
            wake_ns = self.uplink.step()
            self.clock.advance_to(end_ns if wake_ns is None else min(end_ns, wake_ns))
        self.uplink.step()

    def empty(self) -> bool:
        return not self.outbox.counts().held.messages
