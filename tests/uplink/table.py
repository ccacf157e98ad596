"""`Table`: a session at which a test plays the link and the clock."""

from __future__ import annotations

import random

from edge.clock import NS_PER_S
from edge.uplink.events import (
    Action,
    Connected,
    Event,
    Notice,
    Puback,
    Publish,
    ReceiptArrived,
    Subscribed,
    Tick,
    WakeAt,
)
from edge.uplink.outbox import MemoryOutbox
from edge.uplink.outgoing import Outgoing
from edge.uplink.session import Phase, Session
from edge.uplink.settings import SessionSettings
from edge.wire.receipt import NumberRange, Receipt
from tests.uplink.road import STREAM, TOPICS, status


class Table:
    """A session at which a test plays the link and the clock."""

    def __init__(self, settings: SessionSettings | None = None, *, max_messages: int = 100) -> None:
        self.outbox = MemoryOutbox(max_messages=max_messages, max_bytes=10_000_000)
        self.session = Session(
            settings or SessionSettings(where="broker.example:8883"),
            TOPICS,
            self.outbox,
            rng=random.Random(1),  # noqa: S311 - a seed must replay the run
            make_status=status,
        )
        self.now_s = 0.0
        self.actions: list[Action] = []
        self.tokens: list[int] = []

    def tell(self, event: Event, after_s: float = 0.0) -> list[Action]:
        self.now_s += after_s
        self.actions = self.session.handle(event, round(self.now_s * NS_PER_S))
        self.tokens += [each.token for each in self.published() if each.topic != TOPICS.status]
        return self.actions

    def online(self, connected: Connected | None = None, *, answer_status: bool = True) -> list[Action]:
        """Bring it to the state in which it sends, and hand out what it does first."""
        self.tell(Tick())
        self.tell(connected or Connected(session_present=False))
        if self.session.phase is Phase.SUBSCRIBING:
            self.tell(Subscribed(TOPICS.receipt, 1))
        if not answer_status:
            return self.actions
        return self.tell(Puback(self.published(TOPICS.status)[0].token))

    def put(self, *messages: Outgoing) -> list[Action]:
        for each in messages:
            self.outbox.put(each)
        return self.tell(Tick())

    def published(self, topic: str | None = None) -> list[Publish]:
        found = [action for action in self.actions if isinstance(action, Publish)]
        return [each for each in found if topic in {None, each.topic}]

    def told(self) -> list[str]:
        return [action.text for action in self.actions if isinstance(action, Notice)]

    def wake_s(self) -> float:
        (wake,) = (action for action in self.actions if isinstance(action, WakeAt))
        return wake.t_ns / NS_PER_S

    def receipt(self, highest: int, *missing: tuple[int, int]) -> list[Action]:
        gaps = tuple(NumberRange(*gap) for gap in missing)
        watermark = gaps[0].first - 1 if gaps else highest
        return self.tell(ReceiptArrived(Receipt(STREAM, watermark, gaps, highest=highest)))

    def held(self) -> int:
        return self.outbox.counts().held.messages


def kinds(actions: list[Action]) -> list[type]:
    return [type(action) for action in actions if not isinstance(action, WakeAt | Notice)]
