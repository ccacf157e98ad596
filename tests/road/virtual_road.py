"""The whole road in one thread under a virtual clock: a gateway, a broker that is none, and a platform."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from edge.bus.source import FrameSource
from edge.clock import NS_PER_S, VirtualClock
from edge.config.configuration import Config, load_config
from edge.database.load import load_database
from edge.gateway import Gateway
from edge.loading import load
from edge.policy.policy_choice import PolicyChoice
from edge.uplink.mqtt_uplink import MqttUplink
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from simulator.platform.assembly import open_platform
from simulator.platform.platform import Platform
from simulator.virtual_link import VirtualLink

VIN = "LNVGATE00XDEM0001"
LINK_SEED = 3
DRAIN_S = 600

_load_once = cache(load_database)


class SteppedClock(VirtualClock):
    """A virtual clock that lets the uplink work whenever somebody waits."""

    def __init__(self) -> None:
        super().__init__(boot_ns=NS_PER_S)
        self.uplink: MqttUplink | None = None

    def wait(self, wake: threading.Event, timeout_s: float) -> bool:
        if self.uplink is not None:
            self.uplink.step()
        return super().wait(wake, timeout_s)


@dataclass(slots=True)
class Left:
    """Everything that left a gateway or stayed behind it.

    Attributes:
        published: topic and bytes of each message, in order.
        retained: the retained bytes by topic.
        account: as ``--json`` prints it.
        view: what a person watching was shown, each time.
        refused: ids that the door refused.
        told: notices.
        store: the platform's database as SQL.
        store_bytes: its file.
    """

    published: list[tuple[str, bytes]]
    retained: dict[str, bytes]
    account: str
    view: list[str]
    refused: str
    told: list[str]
    store: str
    store_bytes: bytes


def drive(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    config: str,
    choice: PolicyChoice,
    source: Callable[[], FrameSource],
) -> Left:
    """Send frames through a gateway to a platform, seeded in all that is drawn.

    Args:
        monkeypatch: puts the virtual link in the place of MQTT.
        folder: an empty one.
        config: tables of buses and sampling.
        choice: the policy.
        source: opens the frames.
    """
    folder.mkdir()
    write_signing_key(folder / "vehicle.pem", SigningKey.seeded(b"vehicle"))
    platform_key = SigningKey.seeded(b"platform")
    write_signing_key(folder / "platform.pem", platform_key)
    (folder / "nevgate.toml").write_text(
        f'[vehicle]\nvin = "{VIN}"\n{config}\n[uplink]\nhost = "127.0.0.1"\ntls.enabled = false\n'
        '[signing]\nkey = "vehicle.pem"\nplatform = "platform.pub.pem"\n'
    )
    store = folder / "platform.db"
    with open_platform(
        keys={VIN: [SigningKey.seeded(b"vehicle").public]}, store=store, key=platform_key
    ) as platform:
        left = _drive(monkeypatch, load_config(folder / "nevgate.toml"), choice, platform, source)
    with sqlite3.connect(store) as connection:
        left.store = "\n".join(connection.iterdump())
    connection.close()
    left.store_bytes = store.read_bytes()
    return left


def _drive(
    monkeypatch: pytest.MonkeyPatch,
    config: Config,
    choice: PolicyChoice,
    platform: Platform,
    source: Callable[[], FrameSource],
) -> Left:
    clock = SteppedClock()
    left = Left([], {}, "", [], "", [], "", b"")

    def deliver(topic: str, payload: bytes) -> None:
        left.published.append((topic, payload))
        platform.receive(topic, payload, clock.wall_ns())
        for publication in platform.commit(clock.wall_ns(), all_receipts=True):
            link.send_down(publication.topic, publication.payload)

    link = VirtualLink(clock, random.Random(LINK_SEED), deliver)  # noqa: S311 - a seed must replay the run

    class SteppedUplink(MqttUplink):
        def start(self) -> None:
            clock.uplink = self

        def stop(self, drain_s: float) -> bool:
            self.ask_to_stop(drain_s)
            while not self.done:
                wake_ns = self.step()
                clock.advance_to(clock.boot_ns() + NS_PER_S if wake_ns is None else wake_ns)
            return super().stop(0)

    def watch(gateway: Gateway) -> None:
        clock.advance_to(clock.boot_ns() + NS_PER_S // 10)
        if clock.uplink is not None:
            clock.uplink.step()
        left.view.append(repr(gateway.view()))

    monkeypatch.setattr("edge.loading.load_database", _load_once)
    monkeypatch.setattr("edge.destination.MqttUplink", SteppedUplink)
    monkeypatch.setattr("edge.destination.MqttLink", lambda *_: link)
    drawn = random.Random(5)  # noqa: S311 - a seed must replay the run
    gateway = Gateway(
        load(config),
        clock=clock,
        rng=random.Random(7),  # noqa: S311 - a seed must replay the run
        draw=drawn.randbytes,
        notify=lambda notice: left.told.append(notice.text),
        choice=choice,
    )
    gateway.start()
    gateway.run(source(), stop=threading.Event(), watch=watch)
    assert gateway.finish(DRAIN_S)
    account = gateway.account()
    assert account.balanced
    left.account = json.dumps(account.as_json())
    left.view.append(repr(gateway.view()))
    left.refused = repr(gateway.door.refused_ids())
    left.retained = dict(link.retained)
    return left
