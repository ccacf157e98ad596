"""One gateway that tells a platform by MQTT and two by GB/T 32960.3 at once, over a drive in virtual time."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from edge.bus.memory import MemorySource
from edge.catalogue.item import Edition
from edge.clock import Timebase, TimeQuality
from edge.config.configuration import load_config
from edge.database.load import load_database
from edge.frames import FrameBatch
from edge.gateway import Gateway
from edge.loading import load
from edge.policy.classes import DataClass
from edge.wire.gbt.security.keys import KeyKind, make_key, public_half, verifier_of, write_gbt_key
from edge.wire.gbt.security.signatures import ReportVerifier
from edge.wire.key_files import write_signing_key
from simulator.gbt.register import Register, VehicleEntry
from simulator.platform.assembly import open_platform
from simulator.virtual_link import VirtualLink
from tests.gateway.rig import PLATFORM_KEY, VEHICLE_KEY, VIN, WALL_NS, S, SteppedClock
from tests.gbt_destination.stand import Far, FarLink
from tests.policy.lawful import lawful

BEGIN_NS = 2 * S
MOMENT_NS = S // 10
TABLES = """
[sampling]
uplink_period_s = 10
{sampling}
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
signature.key = "sign.pem"
"""

_load_once = cache(load_database)


@dataclass
class Listened(Far):
    """A platform that has each byte written down which reaches it."""

    wire: bytearray = field(default_factory=bytearray)


@dataclass
class Both:
    """What arrived.

    Attributes:
        store: of the platform that records went to by MQTT.
        far: the platforms of the standard, by edition.
        verifier: of the reports of 2025, with the vehicle's public key.
    """

    store: Path
    far: dict[Edition, Listened]
    verifier: ReportVerifier


class ListenedLink(FarLink):
    """A link that writes down what reaches the platform; what is sent into a cut does not."""

    def __init__(self, far: Listened, clock: SteppedClock) -> None:
        super().__init__(far, clock)
        self._wire = far.wire

    def send(self, data: bytes) -> None:
        if self._connection is not None:
            self._wire += data
        super().send(data)


def drive(
    folder: Path,
    patch: pytest.MonkeyPatch,
    buses: str,
    batches: Iterable[FrameBatch],
    *,
    cut_s: tuple[int, int] | None = None,
    period_s: int = 1,
    sampling: str = "",
) -> Both:
    """Let a vehicle drive and tell all three platforms.

    Args:
        folder: an empty one.
        patch: puts links in virtual time in the place of TCP.
        buses: tables of the configuration.
        batches: what the buses carry, in order.
        cut_s: from when to when the links of GB/T are cut, in seconds of the drive.
        period_s: between two reports to the platforms of GB/T.
        sampling: further lines of that table.
    """
    folder.mkdir()
    write_signing_key(folder / "vehicle.pem", VEHICLE_KEY)
    write_signing_key(folder / "platform.pem", PLATFORM_KEY)
    signing = make_key(KeyKind.ECC)
    write_gbt_key(folder / "sign.pem", signing)
    tables = TABLES.format(period_s=period_s, sampling=sampling)
    (folder / "nevgate.toml").write_text(
        f'[vehicle]\nvin = "{VIN}"\n{buses}\n[uplink]\nhost = "127.0.0.1"\ntls.enabled = false\n'
        f'[signing]\nkey = "vehicle.pem"\nplatform = "platform.pub.pem"\n{tables}'
    )
    clock = SteppedClock()
    clock.set_timebase(Timebase(WALL_NS, TimeQuality.NTP))
    verifier = verifier_of(public_half(signing))
    known = VehicleEntry(VIN.encode(), verifier=verifier)
    far = {"city": Listened(), "country": Listened(Register(vehicles={known.vin: known}))}
    patch.setattr("edge.loading.load_database", _load_once)
    patch.setattr(
        "edge.gbt_destination.destination.TcpLink",
        lambda settings: ListenedLink(far[settings.section.split("'")[1]], clock),
    )
    store = folder / "platform.db"
    keys = {VIN: [VEHICLE_KEY.public]}
    with open_platform(keys=keys, store=store, key=PLATFORM_KEY) as platform:

        def take(topic: str, payload: bytes) -> None:
            platform.receive(topic, payload, clock.wall_ns())
            for answer in platform.commit(clock.wall_ns(), all_receipts=True):
                link.send_down(answer.topic, answer.payload)

        link = VirtualLink(clock, random.Random(1), take)  # noqa: S311 - a seed must replay the run
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
        stop = threading.Event()
        clock.never_waited_on.append(stop)
        gateway.run(on_time(clock, list(batches)), stop=stop)
        assert gateway.finish(300)
    assert gateway.account().balanced, gateway.account().as_json()
    return Both(store, {Edition.Y2016: far["city"], Edition.Y2025: far["country"]}, verifier)


def moments(batch: FrameBatch) -> Iterator[FrameBatch]:
    """The same in pieces of at most 100 ms, as live buses are read at least so often."""
    begin = 0
    while begin < len(batch):
        end = int(np.searchsorted(batch.t_ns, int(batch.t_ns[begin]) + MOMENT_NS))
        yield batch.take(slice(begin, end))
        begin = end


def on_time(clock: SteppedClock, batches: list[FrameBatch]) -> MemorySource:
    """Live buses that carry `batches` when their time has come."""
    names: dict[str, None] = {}
    for batch in batches:
        names.update(dict.fromkeys(batch.buses))
    shift_ns = BEGIN_NS - int(batches[0].t_ns[0])

    def carried() -> Iterator[FrameBatch]:
        for batch in chain.from_iterable(map(moments, batches)):
            moved = replace(batch, t_ns=batch.t_ns + shift_ns, timebase=clock.timebase())
            clock.pass_until(int(moved.t_ns[-1]))
            yield moved

    return MemorySource(carried(), name="drive", buses=list(names), timebase=clock.timebase(), live=True)
