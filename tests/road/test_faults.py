"""What breaks on the way is mended by itself, costs no record, and is told once in words that help."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from edge.bus.memory import MemorySource
from edge.clock import SystemClock
from edge.config.configuration import load_config
from edge.frames import FrameBatch
from edge.gateway import Gateway
from edge.loading import load
from simulator.broker import BrokerOptions, MosquittoBroker, find_mosquitto
from simulator.faults import CutProxy
from simulator.platform.reader import StoreReader
from simulator.vehicle.vehicle import ReferenceVehicle
from tests.road.conftest import PROJECT, Bench, set_up

CUT_S = float(os.environ.get("NEVGATE_CUT_S", "2"))
"""How long the network is cut; a minute shows more and takes a minute."""

REFERENCE_BUSES = "".join(
    f'[[bus]]\nname = "{name}"\n[[bus.database]]\nfile = "{PROJECT}/dbc/nev-{name}.dbc"\n'
    for name in ReferenceVehicle.buses
)
SAMPLING = "[sampling]\nuplink_period_s = 2\n"


def drive(duration_s: float, events: dict[int, Callable[[], object]], *, live: bool = False) -> MemorySource:
    """A drive of the reference vehicle, during which something is done before given batches (100 ms each).

    A live one is never waited for; its times run ahead of the clock, so that it takes no longer.
    """
    vehicle = ReferenceVehicle(1)
    start_ns = SystemClock().boot_ns() if live else 0

    def batches() -> Iterator[FrameBatch]:
        for place, batch in enumerate(vehicle.frames(duration_s)):
            if place in events:
                events[place]()
            yield replace(batch, t_ns=batch.t_ns + start_ns)

    return MemorySource(batches(), name="drive", buses=vehicle.buses, timebase=vehicle.timebase, live=live)


@dataclass(slots=True)
class Outcome:
    """What a run left behind: the gateway, whether all was acknowledged, and what the user was told."""

    gateway: Gateway
    finished: bool
    told: list[str] = field(default_factory=list)


def send(config: Path, source: MemorySource, *, drain_s: float = 60) -> Outcome:
    """Send a drive through a gateway."""
    told: list[str] = []
    gateway = Gateway(
        load(load_config(config)),
        clock=SystemClock(),
        rng=random.Random(1),  # noqa: S311 - jitter
        draw=os.urandom,
        notify=lambda notice: told.append(notice.text),
    )
    gateway.start()
    gateway.run(source, stop=threading.Event())
    return Outcome(gateway, gateway.finish(drain_s), told)


def assert_nothing_lost(bench: Bench, outcome: Outcome, records: int) -> None:
    """Every record made is stored once, and every hop balances."""
    assert outcome.finished
    assert outcome.gateway.account().balanced
    assert [stored.record.number for stored in bench.stored()] == list(range(1, records + 1))


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[tuple[Bench, MosquittoBroker]]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed: apt install mosquitto")
    (tmp_path / "broker").mkdir()
    broker = MosquittoBroker(tmp_path / "broker", BrokerOptions())
    with set_up(tmp_path, broker) as bench:
        yield bench, broker


def test_a_broker_killed_and_restarted_costs_no_record(mosquitto: tuple[Bench, MosquittoBroker]) -> None:
    bench, broker = mosquitto
    config = bench.configure(REFERENCE_BUSES + SAMPLING)
    outcome = send(
        config, drive(40, {100: broker.kill, 200: broker.restart, 300: broker.kill, 310: broker.restart})
    )
    assert_nothing_lost(bench, outcome, records=39)
    assert any("the connection was lost" in text or "nothing listens there" in text for text in outcome.told)
    assert any("connected again" in text for text in outcome.told)


def test_a_cut_network_costs_no_record(bench: Bench) -> None:
    with CutProxy(bench.port) as proxy:
        config = bench.configure(REFERENCE_BUSES + SAMPLING, port=proxy.port)

        def cut() -> None:
            proxy.cut()
            threading.Timer(CUT_S, proxy.mend).start()

        outcome = send(config, drive(30, {150: cut}), drain_s=60 + CUT_S)
    assert_nothing_lost(bench, outcome, records=29)
    assert len(outcome.told) <= 4


def test_a_payload_cut_short_on_the_way_is_refused_and_sent_whole_again(
    mosquitto: tuple[Bench, MosquittoBroker],
) -> None:
    # The embedded broker takes no client any more when the bytes turned over are those of a PUBACK.
    bench, _ = mosquitto
    with CutProxy(bench.port) as proxy:
        config = bench.configure(REFERENCE_BUSES + SAMPLING, port=proxy.port)
        outcome = send(config, drive(20, {60: proxy.corrupt, 100: proxy.drop}))
    assert_nothing_lost(bench, outcome, records=19)


def test_an_outbox_that_overflows_tells_the_platform_which_records_it_cost(bench: Bench) -> None:
    with CutProxy(bench.port) as proxy:
        proxy.cut()
        config = bench.configure(REFERENCE_BUSES + SAMPLING, port=proxy.port, uplink="queue_bytes = 10000")
        outcome = send(config, drive(60, {590: proxy.mend}, live=True))
    assert outcome.finished
    account = outcome.gateway.account()
    assert account.balanced
    uplink = next(hop for hop in account.hops if (hop.name, hop.unit) == ("uplink", "records"))
    lost = uplink.set_aside["queue full, never sent"]
    assert lost > 0
    assert len(bench.stored()) == uplink.entered - lost
    with StoreReader(bench.store) as reader:
        gaps = reader.gaps()
    assert all(gap.final for gap in gaps)
    assert sum(gap.last - gap.first + 1 for gap in gaps) == lost


def test_an_alarm_goes_out_at_once_and_is_stored_as_one(bench: Bench) -> None:
    config = bench.configure(REFERENCE_BUSES + "[sampling]\nuplink_period_s = 30\n")
    vehicle = ReferenceVehicle(1, "alarm")
    source = MemorySource(vehicle.frames(40), name="alarm", buses=vehicle.buses, timebase=vehicle.timebase)
    outcome = send(config, source)
    assert_nothing_lost(bench, outcome, records=39)
    kinds = {stored.record.alarm: stored.kind for stored in bench.stored()}
    assert kinds == {True: "alarm", False: "live"}
