"""A platform's store as the cursor: what is accepted goes to the other platform, over crashes, and once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Timebase, TimeQuality, VirtualClock
from edge.records import Record
from edge.wire.gbt.beijing import unix_seconds
from edge.wire.gbt.frame import Command
from edge.wire.gbt.message import Message, Report
from edge.wire.message import MessageKind
from edge.wire.time_corrections import TimeCorrection
from simulator.conversion.converter import Aside
from simulator.conversion.forward_ledger import ForwardLedger
from simulator.conversion.forward_rules import rules_of
from simulator.conversion.vin_book import VinBook
from simulator.conversion.waiting import TOO_OLD
from simulator.conversion.waiting_store import WaitingStore
from simulator.platform.store import StoreError
from tests.conversion.scripted import Bench, ScriptedPlatform, converter, success
from tests.simulator.platform_rig import BOOT, NOW_NS, VEHICLE, Rig
from tests.simulator.platform_rig import record as rig_record

RULES = rules_of(Edition.Y2016)
DESTINATION = "government"


class Service:
    """A platform that takes records, and the forwarding beside it, which can crash."""

    def __init__(self, folder: Path) -> None:
        self.rig = Rig(folder / "platform.db")
        self.clock = VirtualClock(boot_ns=NS_PER_S, timebase=Timebase(NOW_NS, TimeQuality.NTP))
        self.platform = ScriptedPlatform()
        self.warned: list[str] = []
        self.bench: Bench | None = None
        self.waiting: WaitingStore | None = None

    def take(
        self, *numbers: int, kind: MessageKind = MessageKind.LIVE, road: MessageKind | None = None
    ) -> None:
        self.take_records(*map(rig_record, numbers), kind=kind, road=road)

    def take_records(
        self, *records: Record, kind: MessageKind = MessageKind.LIVE, road: MessageKind | None = None
    ) -> None:
        payload = self.rig.vehicle.message(*records, kind=kind)
        self.rig.send(payload, self.rig.vehicle.topic(road or kind))
        self.rig.platform.commit(self.rig.now_ns)

    def start(
        self,
        *,
        reissue_days: float = 0.0,
        again: bool = False,
        vins: VinBook | None = None,
        commit_s: float = 0.5,
    ) -> Bench:
        """Start the forwarding; without `stop` before, the last one has crashed."""
        ledger = ForwardLedger(self.rig.path, DESTINATION)
        self.waiting = WaitingStore(
            ledger,
            converter(vins=vins),
            self.clock,
            reissue_days=reissue_days,
            refused_again=again,
            warn=self.warned.append,
        )
        self.bench = Bench(
            replace(RULES, commit_s=commit_s),
            self.waiting,
            self.platform,
            clock=self.clock,
            numbers=ledger.next_login,
        )
        return self.bench

    def stop(self) -> None:
        assert self.bench is not None
        self.bench.stop()
        self.bench.run(60)
        assert self.bench.session.ended

    def said(self) -> list[tuple[int, int]]:
        """Command and number of each report that the other platform has, by its time."""
        return [(message.command, number_of(message)) for message in self.platform.reports()]


def number_of(message: Message) -> int:
    assert isinstance(message.content, Report)
    seconds = unix_seconds(message.content.time)
    assert seconds is not None
    return seconds - NOW_NS // NS_PER_S


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(tmp_path)
    yield made
    made.rig.store.close()


def test_what_comes_while_the_session_stands_is_live_and_what_waited_is_reissue(service: Service) -> None:
    service.take(1, 2, 3)
    bench = service.start()
    service.take(4, 5)
    service.take(6, kind=MessageKind.BACKLOG)
    service.take(7, kind=MessageKind.LIVE, road=MessageKind.BACKLOG)
    service.take(8, kind=MessageKind.ALARM)
    bench.run(2)
    assert service.said() == [(3, 1), (3, 2), (3, 3), (2, 4), (2, 5), (2, 8), (3, 6), (3, 7)]
    assert service.waiting is not None
    assert service.waiting.hop().left == 8
    assert service.waiting.hop().balanced


def test_a_double_goes_once_and_a_conflict_never_instead_of_the_first(service: Service) -> None:
    bench = service.start()
    service.take(1, 2)
    service.take(2, 3)
    service.take_records(rig_record(3, speed=777))
    bench.run(2)
    assert service.said() == [(2, 1), (2, 2), (2, 3)]


def test_what_was_accepted_and_not_forwarded_survives_a_crash_and_nothing_goes_twice_after_a_stop(
    service: Service,
) -> None:
    bench = service.start()
    service.take(1, 2, 3)
    bench.run(5)
    service.stop()
    service.take(4, 5)
    service.platform.script = lambda message: success(message) if message.command == 5 else []
    bench = service.start()
    bench.run(5)
    assert service.said()[3:] == [(3, 4), (3, 5)]
    service.platform.script = success
    bench = service.start()
    bench.run(5)
    service.stop()
    assert service.said()[5:] == [(3, 4), (3, 5)]
    service.start().run(5)
    assert len(service.said()) == 7
    sessions = [one.content.raws[1] for one in service.platform.heard if one.command == 5]  # type: ignore[union-attr]
    assert sessions == [1, 2, 3, 4]


def test_a_crash_repeats_at_most_what_came_since_the_cursor_was_kept(service: Service) -> None:
    bench = service.start(commit_s=2)
    service.take(*range(1, 41))
    bench.run(3)
    service.take(*range(41, 51))
    bench.run(0.5)
    service.start().run(5)
    assert service.said()[50:] == [(3, number) for number in range(41, 51)]


def test_records_without_time_wait_for_the_correction_that_gives_it(service: Service) -> None:
    untimed = [replace(rig_record(number), timebase=Timebase()) for number in (1, 2, 3)]
    bench = service.start()
    service.take_records(*untimed)
    service.take(4)
    bench.run(2)
    assert service.said() == [(2, 4)]
    assert service.waiting is not None
    assert service.waiting.untimed() == 3
    right = Timebase(NOW_NS, TimeQuality.GNSS)
    service.rig.send(
        service.rig.vehicle.corrections(TimeCorrection(BOOT, NS_PER_S, 2 * NS_PER_S, right)),
        service.rig.vehicle.topic(MessageKind.EVENT),
    )
    service.rig.platform.commit(NOW_NS)
    bench.run(2)
    assert service.said()[1:] == [(3, 1), (3, 2)]
    assert service.waiting.untimed() == 1
    assert service.waiting.hop().balanced


def test_a_corrected_time_is_the_one_that_is_said(service: Service) -> None:
    service.take(1)
    right = Timebase(NOW_NS + 100 * NS_PER_S, TimeQuality.GNSS)
    service.rig.send(
        service.rig.vehicle.corrections(TimeCorrection(BOOT, 0, 9 * NS_PER_S, right)),
        service.rig.vehicle.topic(MessageKind.EVENT),
    )
    service.rig.platform.commit(NOW_NS)
    service.start().run(2)
    assert service.said() == [(3, 101)]


def test_backlog_beyond_the_reissue_window_stays_and_is_counted(service: Service) -> None:
    service.take(1, 2)
    service.clock.set_timebase(Timebase(NOW_NS + 3 * 86_400 * NS_PER_S + NS_PER_S // 2, TimeQuality.NTP))
    service.start(reissue_days=3).run(2)
    assert service.said() == [(3, 2)]
    assert service.waiting is not None
    assert service.waiting.hop().set_aside == {TOO_OLD: 1}
    service.stop()
    service.start().run(2)
    assert service.said() == [(3, 2)]


def test_a_vehicle_without_vin_is_told_once_and_goes_when_it_has_one(service: Service) -> None:
    service.take(1, 2)
    service.start(vins=VinBook(only=True)).run(2)
    service.stop()
    assert service.said() == []
    assert service.warned == [f"no VIN is known of the vehicle '{VEHICLE}': its records do not go"]
    vins = VinBook({VEHICLE: b"LNVGATE00XDEM0009"})
    service.start(vins=vins).run(2)
    service.stop()
    assert service.said() == []
    service.start(vins=vins, again=True).run(2)
    assert service.said() == [(3, 1), (3, 2)]
    assert service.platform.reports()[0].vin == b"LNVGATE00XDEM0009"


def test_destinations_have_cursors_of_their_own(service: Service) -> None:
    service.take(1, 2)
    service.start().run(2)
    service.stop()
    with ForwardLedger(service.rig.path, "city") as city:
        _, waiting = city.begin()
    assert [list(numbers) for numbers in waiting.values()] == [[(1, 2)]]


def test_live_records_go_before_backlog_however_much_there_is(service: Service) -> None:
    service.take(*range(1, 201))
    held: list[Message] = []

    def script(message: Message) -> list[Message]:
        if message.command in {Command.REAL_TIME, Command.REISSUE}:
            held.append(message)
            return []
        return success(message)

    service.platform.script = script
    bench = service.start()
    bench.run(1)
    assert len(held) == RULES.frames_most // 2
    service.take(201, 202)
    bench.run(1)
    assert [(one.command, number_of(one)) for one in held[-2:]] == [(2, 201), (2, 202)]


def test_numbers_of_logins_begin_anew_each_beijing_day_and_no_number_comes_twice(service: Service) -> None:
    day_ns = 86_400 * NS_PER_S
    with ForwardLedger(service.rig.path, DESTINATION) as ledger:
        assert [ledger.next_login(NOW_NS) for _ in range(3)] == [1, 2, 3]
    with ForwardLedger(service.rig.path, DESTINATION) as ledger:
        assert ledger.next_login(NOW_NS) == 4
        assert [ledger.next_login(NOW_NS + day_ns) for _ in range(2)] == [1, 2]
        assert ledger.next_login(NOW_NS) == 3
    midnight_s = (NOW_NS // NS_PER_S + 8 * 3600) // 86_400 * 86_400 - 8 * 3600 + 3 * 86_400
    with ForwardLedger(service.rig.path, DESTINATION) as ledger:
        assert ledger.next_login((midnight_s - 1) * NS_PER_S) == 1
        assert ledger.next_login(midnight_s * NS_PER_S) == 1


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such store"):
        ForwardLedger(tmp_path / "absent.db", DESTINATION)
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="no platform store"):
        ForwardLedger(tmp_path / "empty.db", DESTINATION)
    (tmp_path / "noise.db").write_bytes(b"noise" * 1000)
    with pytest.raises(StoreError):
        ForwardLedger(tmp_path / "noise.db", DESTINATION)


def test_what_says_nothing_in_an_edition_is_set_aside(service: Service) -> None:
    service.take_records(replace(rig_record(1), values={"imu.accel_x": 5}))
    service.start().run(2)
    assert service.said() == []
    assert service.waiting is not None
    assert service.waiting.hop().set_aside == {Aside.NOTHING_SAID.value: 1}
