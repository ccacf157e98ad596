"""A gateway whose disk fails, with one platform or two: everything arrives once, and the account says how."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edge.account import Hop
from edge.forward.held import VOLATILE_MESSAGES
from edge.gateway import Gateway
from edge.journal_road import JournalRoad
from edge.records import Record
from edge.uplink.mqtt_settings import MqttSettings
from edge.wire.account_message import AccountMessage, StreamLedger
from edge.wire.account_message import decode as decode_account
from edge.wire.cose import Verifier
from edge.wire.message import RecordMessage, decode
from edge.wire.up_kinds import UpKind, peek_kind
from simulator.virtual_link import LinkFaults, VirtualLink
from tests.gateway.rig import VEHICLE_KEY, VIN, Platform, Rig, S, recording
from tests.gateway.test_journal_road import journal
from tests.journal.faulty_disk import Fault, faulty
from tests.journal.journal_rig import CATALOGUE

UNREACHABLE = LinkFaults(refuse=1.0)


def road_of(gateway: Gateway) -> JournalRoad:
    assert isinstance(gateway.road, JournalRoad)
    return gateway.road


def hop(gateway: Gateway, name: str, unit: str = "records") -> Hop:
    (found,) = [each for each in gateway.account().hops if (each.name, each.unit) == (name, unit)]
    return found


def messages(platform: Platform) -> list[RecordMessage]:
    verifier = Verifier({VIN: [VEHICLE_KEY.public]})
    return [decode(verifier.verify(each, vehicle=VIN).payload, CATALOGUE) for each in platform.messages]


def accounts(platform: Platform) -> list[AccountMessage]:
    return [decode_account(each) for each in platform.statements if peek_kind(each) is UpKind.ACCOUNT]


def speed_of(record: Record) -> int:
    """In tenths of km/h; in `recording` it rises by ten a second."""
    speed = record.values["vehicle.speed"]
    assert isinstance(speed, int)
    return speed


Doing = Callable[[], object]


def when(at: Mapping[int, Doing], rig: Rig, every: Doing) -> Callable[[Gateway], None]:
    """What is watched: after so many batches something happens, and time passes after each."""
    seen = Counter[str]()

    def watch(_: Gateway) -> None:
        seen["batches"] += 1
        at.get(seen["batches"], lambda: None)()
        rig.clock.pass_until(rig.clock.boot_ns() + S)
        every()

    return watch


def test_records_go_past_a_journal_that_cannot_be_written_and_return(tmp_path: Path) -> None:
    with faulty(tmp_path / "journal") as disk:
        rig = Rig(tmp_path, uplink=journal(tmp_path))
        rig.connect()

        def broken(fault: Fault) -> None:
            disk.fault = fault

        def balanced() -> None:
            assert rig.gateway.account().balanced

        def nothing_waits_for_company() -> None:
            assert set(hop(rig.gateway, "dispatch").set_aside) == set()

        at = {
            20: lambda: broken(Fault.READ_ONLY),
            43: lambda: broken(Fault.NONE),
            60: nothing_waits_for_company,
        }
        rig.gateway.run(recording(80), stop=rig.stop, watch=when(at, rig, balanced))
        assert rig.gateway.finish(60)
        own = rig.gateway.identity.stream
        assert len(rig.platform.streams) == 2
        (past,) = set(rig.platform.streams) - {own}
        begun = [
            each for each in messages(rig.platform) if each.stream == past and each.records[0].number == 1
        ]
        assert [each.predecessor for each in begun] == [own]
        speeds = [
            (each.stream, record.number, speed_of(record))
            for each in messages(rig.platform)
            for record in each.records
        ]
        assert sorted(speed for *_, speed in speeds) == [10 * second for second in range(80)]
        assert len({(stream, number) for stream, number, _ in speeds}) == 80
        for stream in (own, past):
            ordered = [speed for _, _, speed in sorted(each for each in speeds if each[0] == stream)]
            assert ordered == sorted(ordered), "numbers rise with time in either stream"
            assert rig.platform.streams[stream].missing() == []
        account = rig.gateway.account()
        assert account.balanced
        through, beside = hop(rig.gateway, "journal"), hop(rig.gateway, "dispatch")
        handed_back = sum(through.set_aside.values())
        assert through.left == hop(rig.gateway, "forward to platform").left
        assert through.left + beside.entered == 80
        assert beside.entered > handed_back > 0
        assert hop(rig.gateway, "uplink").left == 80
        assert rig.platform.streams[own].watermark == through.left


def test_a_disk_that_fails_for_the_last_records_costs_none_of_them(tmp_path: Path) -> None:
    with faulty(tmp_path / "journal") as disk:
        rig = Rig(tmp_path, uplink=journal(tmp_path, block_period_s=60))
        rig.connect()

        def broken() -> None:
            disk.fault = Fault.FULL

        rig.gateway.run(recording(23), stop=rig.stop, watch=when({20: broken}, rig, lambda: None))
        rig.gateway.finish(60)
        disk.fault = Fault.NONE
        arrived = [record for each in messages(rig.platform) for record in each.records]
        assert sorted(map(speed_of, arrived)) == [10 * second for second in range(23)]
        assert rig.gateway.account().balanced


def test_what_a_thread_hands_back_after_the_flush_is_sent_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty(tmp_path / "journal") as disk:
        rig = Rig(tmp_path, uplink=journal(tmp_path, block_period_s=60))
        rig.connect()
        road = road_of(rig.gateway)
        rig.gateway.run(recording(3), stop=rig.stop)
        with monkeypatch.context() as threaded:
            threaded.setattr(road, "_writer", object())
            road.flush()
            disk.fault = Fault.READ_ONLY
            assert not road._journal.commit()
            assert not road.settled()
            road.step()
            assert hop(rig.gateway, "dispatch").left == 3
        rig.clock.pass_until(rig.clock.boot_ns() + 5 * S)
        assert sorted(speed_of(record) for each in messages(rig.platform) for record in each.records) == [
            0,
            10,
            20,
        ]
        disk.fault = Fault.NONE
        rig.gateway.finish(5)


def test_a_queue_in_memory_that_is_full_stops_nothing(tmp_path: Path) -> None:
    with faulty(tmp_path / "journal") as disk:
        rig = Rig(tmp_path, uplink=journal(tmp_path), sampling="uplink_period_s = 1", faults=UNREACHABLE)
        disk.fault = Fault.READ_ONLY
        seconds = VOLATILE_MESSAGES + 300
        rig.gateway.run(recording(seconds), stop=rig.stop)
        rig.gateway.finish(5)
        uplink = hop(rig.gateway, "uplink")
        assert rig.gateway.account().balanced
        assert VOLATILE_MESSAGES <= uplink.set_aside["waiting to be acknowledged"] <= VOLATILE_MESSAGES + 10
        assert uplink.entered == seconds
        disk.fault = Fault.NONE


class TwoPlatforms(Rig):
    """A rig whose gateway has a second destination, called maker."""

    def __init__(self, folder: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, lines: str) -> None:
        self.maker = Platform()

        def second_link(_: MqttSettings) -> VirtualLink:
            chance = random.Random(9)  # noqa: S311 - a seed must replay the run
            self.maker_link = VirtualLink(self.clock, chance, self.maker.take)
            self.maker.answer = self.maker_link.send_down
            return self.maker_link

        monkeypatch.setattr("edge.destination.MqttLink", second_link)
        super().__init__(
            folder,
            uplink=f"{journal(kept)}[[destination]]\n"
            f'name = "maker"\nhost = "127.0.0.2"\ntls.enabled = false\n{lines}\n',
        )
        self.clock.uplinks = [*self.gateway.road.uplinks]


RECEIPTS = 'platform = "platform.pub.pem"'
PUBACKS = 'acknowledge = "puback"'


@pytest.mark.parametrize("lines", [RECEIPTS, PUBACKS], ids=["receipt", "puback"])
def test_two_platforms_get_everything_each_in_its_own_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str
) -> None:
    rig = TwoPlatforms(tmp_path, tmp_path, monkeypatch, lines)
    rig.connect()

    def cut() -> None:
        rig.maker_link.faults = UNREACHABLE
        rig.maker_link.cut()

    def mended() -> None:
        rig.maker_link.faults = LinkFaults()

    watch = when({20: cut, 150: mended}, rig, lambda: None)
    rig.gateway.run(recording(200), stop=rig.stop, watch=watch)
    assert rig.gateway.finish(120)
    for platform in (rig.platform, rig.maker):
        assert platform.received == [(1, 200)]
    assert len({record.number for each in messages(rig.maker) for record in each.records}) == 200
    assert any("backlog" in topic for topic in rig.maker.topics)
    assert not any("backlog" in topic for topic in rig.platform.topics)
    account = rig.gateway.account()
    assert account.balanced
    assert [hop.left for hop in account.hops if hop.name.startswith("forward to")] == [200, 200]
    assert accounts(rig.platform)[-1].ledger is not None
    assert (accounts(rig.maker)[-1].ledger is None) == (lines == PUBACKS)


def test_a_ledger_is_of_the_same_moment_as_the_last_number(tmp_path: Path) -> None:
    rig = Rig(tmp_path, uplink=f"account_period_s = 60\n{journal(tmp_path)}")
    rig.connect()
    rig.gateway.run(recording(400), stop=rig.stop, watch=when({}, rig, lambda: None))
    assert rig.gateway.finish(60)
    told = accounts(rig.platform)
    assert len(told) > 5
    for each in told:
        assert each.ledger is not None
        assert each.ledger.total == each.last_number
        assert each.account.balanced


def test_what_one_platform_has_does_not_count_for_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = TwoPlatforms(tmp_path / "first", tmp_path, monkeypatch, RECEIPTS)
    rig.maker_link.faults = UNREACHABLE
    rig.connect()
    rig.gateway.run(recording(30), stop=rig.stop, watch=when({}, rig, lambda: None))
    ledgers = [forwarder.ledger() for forwarder in road_of(rig.gateway).forwarders]
    assert ledgers[0].acknowledged > 0
    assert ledgers[1] == StreamLedger(0, ledgers[1].total, 0)
    assert not rig.gateway.finish(5)
    later = TwoPlatforms(tmp_path / "later", tmp_path, monkeypatch, RECEIPTS)
    later.connect()
    assert later.gateway.finish(60)
    assert later.maker.received == [(1, 30)]
    assert later.platform.messages == []
