"""Stills all the way: a journal's road, Mosquitto, the platform; cut amid it, resumed after a restart."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from edge.account import Account
from edge.clock import SystemClock
from edge.config.uplink import UplinkSection
from edge.destination import Destination, Sender
from edge.forward.media.allowance import MediaAllowance, everything_leaves, nothing_leaves
from edge.forward.rules import ForwardRules
from edge.journal.damage.integrity import Scrub
from edge.journal.upkeep.bounds import Bounds, endless
from edge.journal.upkeep.limits import BoundsSettings
from edge.journal_road import JournalRoad
from edge.records import Record
from edge.vision.media import Media
from simulator.faults import CutProxy
from simulator.platform.assembly import open_platform
from simulator.platform.media_rows import MediaState
from simulator.platform.reader import StoreReader
from simulator.platform.serve import BrokerAccess, PlatformService
from tests.journal.journal_rig import CATALOGUE, KEY, PLATFORM, VEHICLE, Rig
from tests.media.made import still
from tests.simulator.platform_rig import PLATFORM_KEY
from tests.uplink.live import mosquitto, until

SLOW_BYTES_PER_S = 60_000


@contextmanager
def road(
    folder: Path, port: int, media: MediaAllowance = everything_leaves
) -> Iterator[tuple[JournalRoad, Rig]]:
    """A road through the journal in a folder, at work."""
    rig = Rig(folder)
    rig.clock = SystemClock()  # type: ignore[assignment] # what is live has real time
    rig.start()
    clock = rig.clock
    section = UplinkSection.model_validate(
        {"host": "127.0.0.1", "port": port, "tls": {"enabled": False}, "acknowledge": "receipt"}
    )

    def sender(stream: bytes, last_number: Callable[[], int]) -> Sender:
        dice = random.Random(1)  # noqa: S311 - a test's jitter
        return Sender(VEHICLE, stream, KEY, clock, dice, last_number, lambda _: None)

    made = JournalRoad(
        rig.open,
        vehicle=VEHICLE,
        keys=CATALOGUE,
        destinations=[Destination(section, PLATFORM_KEY.public, media=media)],
        rules=[ForwardRules(PLATFORM, VEHICLE, live_records=1)],
        make_sender=sender,
        folder=folder,
        bounds=Bounds(
            BoundsSettings(), destinations=(PLATFORM,), clock=clock, boot=rig.open.boot, space=endless
        ),
        scrub=Scrub(clock),
        salvaged=(),
        clock=clock,
        draw=rig.dice.randbytes,
        link=None,
    )
    made.start()
    try:
        yield made, rig
    finally:
        made.stop(0.0)
        made.close()


@contextmanager
def platform(port: int, store: Path) -> Iterator[PlatformService]:
    with (
        open_platform(
            keys={VEHICLE: [KEY.public]}, store=store, key=PLATFORM_KEY, receipt_interval_s=0.05
        ) as inner,
        PlatformService(inner, BrokerAccess("127.0.0.1", port)) as service,
    ):
        service.wait_ready(30.0)
        yield service


def received(store: Path) -> list[tuple[MediaState, int]]:
    with StoreReader(store) as reader:
        return [(one.state, one.received.count()) for one in reader.media()]


def here(store: Path) -> list[bytes | None]:
    with StoreReader(store) as reader:
        return [reader.media_content(one) for one in reader.media()]


def taken(rig: Rig, seed: int, size: int) -> Media:
    now_ns = rig.clock.boot_ns()
    return replace(still(seed, size=size), from_ns=now_ns, to_ns=now_ns)


def test_stills_arrive_whole_over_a_link_that_is_cut_and_a_restart(tmp_path: Path) -> None:
    store = tmp_path / "platform.db"
    with mosquitto(tmp_path / "broker") as broker, CutProxy(broker.port()) as proxy:
        with platform(broker.port(), store) as service:
            proxy.throttle(SLOW_BYTES_PER_S)
            with road(tmp_path / "journal", proxy.port) as (first, rig):
                kept = [taken(rig, 1, 60_000), taken(rig, 2, 90_000)]
                for one in kept:
                    first.take_media(one)
                until(lambda: [size for _, size in received(store)] > [8_000], "some chunks")
                now = Record(0, rig.clock.boot_ns(), rig.clock.timebase(), {"vehicle.speed": 5}, "mask", True)
                first.take_record(now)
                until(lambda: service.hops()[1].left == 1, "the alarm")
                assert here(store)[0] is None
                proxy.cut()
                before = first.hops()
            assert Account.of(before).balanced
            first_size = received(store)[0][1]
            assert 8_000 < first_size < 60_000
            proxy.mend()
            with road(tmp_path / "journal", proxy.port) as (second, _):
                until(second.settled, "the acknowledgement of everything")
                (hop,) = [one for one in second.hops() if one.name.startswith("media ")]
                assert (hop.entered, hop.left, dict(hop.set_aside)) == (2, 2, {})
                assert hop.facts["bytes acknowledged"] < 150_000
        assert here(store) == [one.content for one in kept]


def test_where_nothing_may_leave_nothing_does_and_it_is_said(tmp_path: Path) -> None:
    store = tmp_path / "platform.db"
    with mosquitto(tmp_path / "broker") as broker, platform(broker.port(), store):
        with road(tmp_path / "journal", broker.port(), nothing_leaves) as (made, rig):
            made.take_media(taken(rig, 1, 9_000))
            until(made.settled, "the end")
            (hop,) = [one for one in made.hops() if one.name.startswith("media ")]
            assert dict(hop.set_aside) == {"withheld: nothing of class exterior goes there": 1}
        assert here(store) == []
