"""One gateway that tells a platform by MQTT and two by GB/T 32960.3 at once, over a drive in virtual time."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edge.bus.memory import MemorySource
from edge.catalogue.catalogue import builtin
from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.config import load_config
from edge.frames import FrameBatch
from edge.gateway import Gateway
from edge.loading import load
from edge.policy.classes import DataClass
from edge.wire.gbt.frame import Command
from edge.wire.gbt.message import Message, Report
from edge.wire.gbt.recording import RecordCodec
from edge.wire.key_files import write_signing_key
from simulator.conversion.converter import Converter
from simulator.conversion.vin_book import VinBook
from simulator.platform.accepted import Accepted
from simulator.platform.judge import Judge
from simulator.platform.keyring import Keyring
from simulator.virtual_link import VirtualLink
from tests.gateway.rig import PLATFORM_KEY, VEHICLE_KEY, VIN, WALL_NS, Platform, S, SteppedClock
from tests.gbt_destination.stand import Far, FarLink
from tests.policy.lawful import lawful

BEGIN_NS = 2 * S
TABLES = """
[sampling]
uplink_period_s = 10
[journal]
folder = "journal"
[[destination]]
name = "city"
protocol = "gb/t 32960-2016"
host = "127.0.0.1"
port = 32960
tls.enabled = false
report_period_s = {period_s}
[[destination]]
name = "country"
protocol = "gb/t 32960-2025"
host = "127.0.0.1"
port = 32961
tls.enabled = false
report_period_s = {period_s}
"""


@dataclass
class Both:
    """What arrived.

    Attributes:
        mqtt: topic and signed bytes of each message of records.
        far: the platforms of the standard, by edition.
    """

    mqtt: list[tuple[str, bytes]]
    far: dict[Edition, Far]

    def converted(self, edition: Edition) -> dict[int, list[Message]]:
        """What the records that came by MQTT say in an edition, by second."""
        judge = Judge(Keyring({VIN: [VEHICLE_KEY.public]}), builtin())
        converter = Converter(RecordCodec(edition), VinBook())
        messages: dict[int, list[Message]] = {}
        for topic, payload in self.mqtt:
            accepted = judge.judge(topic, payload)
            assert isinstance(accepted, Accepted)
            records = zip(accepted.records, converter.accepted(accepted), strict=True)
            for record, one in records:
                second = record.timebase.wall_ns(record.t_ns) // NS_PER_S
                # What came twice after a cut says the same twice.
                messages[second] = list(one.messages)
        assert converter.hop().balanced
        return messages

    def reported(self, edition: Edition) -> dict[int, list[Message]]:
        """What came over TCP, by second, in order; of what came twice, the last."""
        messages: dict[int, list[Message]] = {}
        for one in self.far[edition].reports:
            messages.setdefault(one.time_s, []).append(one.message)
        return messages


def late(messages: Iterable[Message]) -> bool:
    """Whether they are a reissue."""
    return {message.command for message in messages} == {Command.REISSUE}


def as_reissue(messages: Iterable[Message]) -> list[Message]:
    """The same as reissue."""
    return [replace(message, command=Command.REISSUE) for message in messages]


def drive(
    folder: Path,
    patch: pytest.MonkeyPatch,
    buses: str,
    batches: Iterable[FrameBatch],
    *,
    cut_s: tuple[int, int] | None = None,
    period_s: int = 1,
) -> Both:
    """Let a vehicle drive and tell all three platforms.

    Args:
        folder: an empty one.
        patch: puts links in virtual time in the place of TCP.
        buses: tables of the configuration.
        batches: what the buses carry, in order.
        cut_s: from when to when the links of GB/T are cut, in seconds of the drive.
        period_s: between two reports to the platforms of GB/T.
    """
    folder.mkdir()
    write_signing_key(folder / "vehicle.pem", VEHICLE_KEY)
    write_signing_key(folder / "platform.pem", PLATFORM_KEY)
    (folder / "nevgate.toml").write_text(
        f'[vehicle]\nvin = "{VIN}"\n{buses}\n[uplink]\nhost = "127.0.0.1"\ntls.enabled = false\n'
        f'[signing]\nkey = "vehicle.pem"\nplatform = "platform.pub.pem"\n{TABLES.format(period_s=period_s)}'
    )
    clock = SteppedClock()
    clock.set_timebase(Timebase(WALL_NS, TimeQuality.NTP))
    far = {"city": Far(), "country": Far()}
    patch.setattr(
        "edge.gbt_destination.destination.TcpLink",
        lambda settings: FarLink(far[settings.section.split("'")[1]], clock),
    )
    mqtt: list[tuple[str, bytes]] = []
    platform = Platform()

    def take(topic: str, payload: bytes) -> None:
        before = len(platform.messages)
        platform.take(topic, payload)
        if len(platform.messages) > before:
            mqtt.append((topic, payload))

    link = VirtualLink(clock, random.Random(1), take)  # noqa: S311 - a seed must replay the run
    platform.answer = link.send_down
    gateway = Gateway(
        load(load_config(folder / "nevgate.toml")),
        clock=clock,
        rng=random.Random(3),  # noqa: S311 - a seed must replay the run
        draw=random.Random(5).randbytes,  # noqa: S311 - a seed must replay the run
        notify=lambda _: None,
        link=link,
        choice=lawful(*DataClass),
    )
    clock.uplinks = list(gateway.road.uplinks)
    if cut_s is not None:
        for one in far.values():
            clock.at += [(BEGIN_NS + cut_s[0] * S, one.cut), (BEGIN_NS + cut_s[1] * S, one.heal)]
    names: dict[str, None] = {}
    listed = list(batches)
    for batch in listed:
        names.update(dict.fromkeys(batch.buses))
    shift_ns = BEGIN_NS - int(listed[0].t_ns[0])

    def on_time() -> Iterator[FrameBatch]:
        for batch in listed:
            moved = replace(batch, t_ns=batch.t_ns + shift_ns, timebase=clock.timebase())
            clock.pass_until(int(moved.t_ns[-1]))
            yield moved

    source = MemorySource(on_time(), name="drive", buses=list(names), timebase=clock.timebase(), live=True)
    stop = threading.Event()
    clock.never_waited_on.append(stop)
    gateway.run(source, stop=stop)
    assert gateway.finish(300)
    assert gateway.account().balanced, gateway.account().as_json()
    return Both(mqtt, {Edition.Y2016: far["city"], Edition.Y2025: far["country"]})


def reports(messages: Iterable[Message]) -> list[Report]:
    """Their data units."""
    return [message.content for message in messages if isinstance(message.content, Report)]
