"""A platform and an uplink on real connections, for tests with real brokers."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from edge.clock import SystemClock
from edge.uplink.events import Arrived, Connected, Disconnected, Notice, Refused
from edge.uplink.mqtt import MqttLink
from edge.uplink.mqtt_settings import MqttSettings, Will
from edge.uplink.mqtt_uplink import MqttUplink
from edge.uplink.outbox import MemoryOutbox
from edge.uplink.session import Session
from edge.uplink.settings import SessionSettings
from edge.wire.receipt import decode, encode
from simulator.broker import BrokerOptions, MosquittoBroker, find_mosquitto
from tests.uplink.road import TOPICS, PlainPlatform, status

LIMIT_S = 30.0
QUICK = SessionSettings(
    retry_first_s=0.05,
    retry_cap_s=0.2,
    late_first_s=0.1,
    late_cap_s=0.2,
    receipt_timeout_s=1.0,
    resend_pause_s=0.2,
    settled_after_s=5.0,
)


def until(reached: Callable[[], bool], what: str = "it") -> None:
    """Wait for a condition; fails after `LIMIT_S`."""
    end = time.monotonic() + LIMIT_S
    pause = threading.Event()
    while not reached():
        assert time.monotonic() < end, f"{what} did not happen within {LIMIT_S} s"
        pause.wait(0.01)


def mosquitto(folder: Path, options: BrokerOptions | None = None) -> MosquittoBroker:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed: apt install mosquitto")
    return MosquittoBroker(folder, options)


class LivePlatform:
    """Subscribes at a real broker, comes back after every break, and answers with receipts."""

    def __init__(self, port: int) -> None:
        self.inner = PlainPlatform(self._answer)
        self.statuses: list[bytes] = []
        self.subscribed = threading.Event()
        self._wake = threading.Event()
        self._link = MqttLink(MqttSettings("127.0.0.1", port, "platform", tls=None))
        self._link.attach(self._wake)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def has_seen(self, count: int) -> bool:
        return len(self.inner.seen) >= count

    def _answer(self, topic: str, payload: bytes) -> None:
        self._link.publish(2, topic, payload, retain=False)

    def _run(self) -> None:
        self._link.connect()
        while not self._closed.is_set():
            self._wake.wait(0.2)
            self._wake.clear()
            arrived = False
            for event in self._link.poll():
                match event:
                    case Connected():
                        self._link.subscribe(f"nev/v1/{TOPICS.vehicle}/up/+")
                        self._link.subscribe(TOPICS.status)
                        self.subscribed.set()
                    case Refused() | Disconnected():
                        self._closed.wait(0.05)
                        self._link.connect()
                    case Arrived(topic=TOPICS.status):
                        self.statuses.append(event.payload)
                    case Arrived():
                        self.inner.acknowledges = False
                        self.inner.take(event.topic, event.payload)
                        arrived = True
                    case _:
                        pass
            if arrived:
                self._answer(TOPICS.receipt, encode(self.inner.receipt()))
        self._link.disconnect(with_will=False)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self.subscribed.wait(LIMIT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._thread.join()


@dataclass
class LiveUplink:
    """An uplink on its own thread, stopped at the end of the test."""

    settings: MqttSettings
    rules: SessionSettings = QUICK
    drain_s: float = 0.0

    def __post_init__(self) -> None:
        self.notices: list[Notice] = []
        self.outbox = MemoryOutbox(max_messages=10_000, max_bytes=50_000_000)
        session = Session(
            replace(self.rules, where=self.settings.where),
            TOPICS,
            self.outbox,
            rng=random.Random(3),  # noqa: S311 - a test's jitter
            make_status=status,
        )
        self.uplink = MqttUplink(
            session=session,
            link=MqttLink(replace(self.settings, will=Will(TOPICS.status, lambda: status(False)))),
            store=self.outbox,
            clock=SystemClock(),
            read_receipt=decode,
            notify=self.notices.append,
        )

    @property
    def told(self) -> list[str]:
        return [notice.text for notice in self.notices]

    def empty(self) -> bool:
        return not self.outbox.counts().held.messages

    def __enter__(self) -> Self:
        self.uplink.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.uplink.stop(self.drain_s)
        assert not self.uplink.alive
