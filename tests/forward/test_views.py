"""Each destination gets of a record what it may have and nothing else, under the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.catalogue import builtin
from edge.clock import Timebase
from edge.forward.cose_composer import CoseComposer
from edge.forward.forwarder import Forwarder
from edge.forward.recent import Recent
from edge.forward.rules import ForwardRules
from edge.forward.view import RecordView, View, whole
from edge.places.precision import coarse
from edge.policy.admission import Admission
from edge.policy.classes import DataClass
from edge.policy.destinations import ConfiguredDestination, DestinationVerdict
from edge.policy.in_force import InForce
from edge.policy.rules import FULL, Basis, Policy, Precision, Purpose, Rule
from edge.policy.standing import Standing
from edge.records import Record, Value
from edge.uplink.outgoing import Kind, Outgoing
from edge.wire.cose import Signer, Verifier
from edge.wire.keys import SigningKey
from edge.wire.message import MESSAGE_WEIGHT, RecordMessage, decode
from tests.dispatch.test_dispatch import Desk
from tests.dispatch.test_dispatch import read as read_dispatched
from tests.forward.test_forwarder_machine import read
from tests.journal.journal_rig import CATALOGUE, KEY, PLATFORM, VEHICLE, Rig

OPERATION, POSITION = DataClass.OPERATION, DataClass.POSITION
SPEED, LON, LAT, CELLS = "vehicle.speed", "gnss.lon", "gnss.lat", "pack[1].cells"
HERE: Mapping[str, Value] = {LON: 116_397_128, LAT: 39_916_527}
KILOMETRE = Precision(cell_m=1000)


def verdict(*classes: DataClass, precision: Precision = FULL) -> DestinationVerdict:
    return DestinationVerdict(bool(classes), frozenset(classes), precision)


def view(*classes: DataClass, precision: Precision = FULL) -> RecordView:
    return RecordView(builtin(), lambda _: verdict(*classes, precision=precision))


def record(number: int = 1, values: Mapping[str, Value] | None = None, **more: bool) -> Record:
    kept = {SPEED: 123, **HERE} if values is None else values
    return Record(number, number * 10**9, Timebase(5), kept, "m-1/a", **more)


class TestRecordView:
    def test_who_may_have_everything_gets_the_record_itself(self) -> None:
        one = record(values=MappingProxyType({SPEED: 123, **HERE}), alarm=True)
        assert view(OPERATION, POSITION)(one) is one
        assert whole(one) is one

    def test_what_is_of_another_class_has_no_entry_and_all_else_stays(self) -> None:
        one = record(7, reissue=True)
        assert view(OPERATION)(one) == replace(one, values={SPEED: 123})
        assert view(POSITION)(one) == replace(one, values=HERE)
        assert view()(one) == replace(one, values={})

    def test_positions_come_as_exact_as_allowed(self) -> None:
        shown = view(OPERATION, POSITION, precision=KILOMETRE)(record())
        lon, lat = coarse(116_397_128, 39_916_527, KILOMETRE)
        assert shown.values == {SPEED: 123, LON: lon, LAT: lat}
        assert (lon, lat) != (116_397_128, 39_916_527)

    def test_an_alarm_is_operation(self) -> None:
        one = record(alarm=True)
        assert view(OPERATION)(one).alarm
        assert not view(POSITION)(one).alarm
        assert not view(OPERATION)(record()).alarm
        assert not view(POSITION)(record(values=HERE, alarm=True)).alarm

    def test_an_item_that_the_catalogue_does_not_know_goes_to_nobody(self) -> None:
        one = record(values={SPEED: 1, "#999[1]": 2, "vehicle.nonsense": 3})
        assert view(*DataClass)(one).values == {SPEED: 1}

    def test_the_mask_that_it_was_collected_under_decides(self) -> None:
        masks = {"m-1/a": verdict(OPERATION), "m-1/b": verdict(POSITION)}
        shown = RecordView(builtin(), masks.__getitem__)
        assert shown(record()).values == {SPEED: 123}
        assert shown(replace(record(), mask="m-1/b")).values == HERE

    @given(
        st.dictionaries(
            st.sampled_from([item.id.replace("[i]", "[1]") for item in builtin()]), st.integers()
        ),
        st.sets(st.sampled_from(list(DataClass))),
        st.booleans(),
    )
    def test_exactly_the_items_of_the_classes_that_are_allowed(
        self, values: dict[str, Value], classes: set[DataClass], alarm: bool
    ) -> None:
        one = record(values=values, alarm=alarm)
        shown = view(*classes)(one)
        expected = {
            name: value for name, value in values.items() if builtin().item(name).data_class in classes
        }
        assert shown == replace(one, values=expected, alarm=alarm and OPERATION in classes)
        assert view(*classes)(shown) is shown


VEHICLE_KEY = SigningKey.seeded(b"vehicle")


def composed(shown: View, records: list[Record]) -> RecordMessage:
    composer = CoseComposer("vehicle", builtin(), Signer(VEHICLE_KEY, vehicle="vehicle"), shown)
    made = composer.records(
        Kind.LIVE, records, stream=bytes(16), predecessor=None, boot=bytes(16), most_bytes=None
    )
    assert made.count == len(records)
    verifier = Verifier({"vehicle": [VEHICLE_KEY.public]})
    return decode(verifier.verify(made.payload, vehicle="vehicle").payload, builtin())


class TestComposer:
    def test_what_is_left_keeps_its_numbers(self) -> None:
        message = composed(view(POSITION), [record(1), record(2, {SPEED: 5}), record(3)])
        assert [(one.number, one.values) for one in message.records] == [(1, HERE), (2, {}), (3, HERE)]

    def test_records_of_which_nothing_is_left_go(self) -> None:
        message = composed(view(), [record(number, alarm=True) for number in range(1, 5)])
        assert message.records == tuple(record(number, {}) for number in range(1, 5))

    def test_what_is_not_shown_weighs_nothing(self) -> None:
        heavy = record(1, {**HERE, CELLS: (3300,) * (MESSAGE_WEIGHT + 1)})
        assert composed(view(POSITION), [heavy]).records[0].values == HERE


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "journal", checkpoint_blocks=100_000).start()
    yield made
    made.stop()


def forwarder_of(rig: Rig, shown: View) -> Forwarder:
    recent = Recent()
    rig.open.journal.on_commit.append(lambda done: recent.add(done.records, rig.clock.boot_ns()))
    return Forwarder(
        rig.open,
        ForwardRules(PLATFORM, VEHICLE, reissue_days=0),
        CoseComposer(VEHICLE, CATALOGUE, Signer(KEY, vehicle=VEHICLE), shown),
        recent,
        clock=rig.clock,
        boot=rig.boot,
        draw=rig.dice.randbytes,
        own_thread=False,
    )


def commit(rig: Rig, *values: Mapping[str, Value], mask: str = "mask", alarm: bool = False) -> None:
    for one in values:
        rig.after(1)
        made = Record(0, rig.clock.boot_ns(), rig.clock.timebase(), one, mask, alarm)
        assert rig.open.journal.add_record(made)
    assert rig.open.journal.commit()


def sent(forwarder: Forwarder, kind: Kind) -> list[Outgoing]:
    items = []
    while (found := forwarder.next(kind, 0)) is not None:
        items.append(found[1])
        forwarder.acknowledge(found[0])
    return items


def seen(items: list[Outgoing]) -> list[tuple[int, Mapping[str, Value]]]:
    return [(one.number, one.values) for item in items for one in read(item).records]


class TestForwarder:
    def test_the_journal_keeps_what_a_destination_does_not_get(self, rig: Rig) -> None:
        partly, wholly = forwarder_of(rig, view(OPERATION)), forwarder_of(rig, whole)
        commit(rig, {SPEED: 1, **HERE}, HERE, {SPEED: 3})
        for forwarder in (partly, wholly):
            forwarder.flush()
        assert seen(sent(partly, Kind.LIVE)) == [(1, {SPEED: 1}), (2, {}), (3, {SPEED: 3})]
        assert seen(sent(wholly, Kind.LIVE)) == [(1, {SPEED: 1, **HERE}), (2, HERE), (3, {SPEED: 3})]
        assert partly.empty()
        assert partly.hop().balanced

    def test_an_alarm_that_may_not_be_known_does_not_show_in_the_order(self, rig: Rig) -> None:
        forwarder = forwarder_of(rig, view(POSITION))
        commit(rig, HERE)
        commit(rig, HERE, alarm=True)
        assert sent(forwarder, Kind.ALARM) == []
        forwarder.flush()
        (message,) = sent(forwarder, Kind.LIVE)
        assert [(one.number, one.alarm) for one in read(message).records] == [(1, False), (2, False)]

    @pytest.mark.parametrize("live", [True, False], ids=["live", "backlog"])
    def test_after_a_withdrawal_what_waits_goes_without_what_was_withdrawn(
        self, rig: Rig, live: bool
    ) -> None:
        cn = frozenset({"CN"})
        rules = (
            Rule(OPERATION, Purpose.SERVICE, Basis.LAW, cn),
            Rule(POSITION, Purpose.SERVICE, Basis.CONSENT, cn, precision=KILOMETRE),
        )
        policy = Policy("test", 1, "strict", {(one.data_class, one.purpose): one for one in rules})
        agreed = {(POSITION, Purpose.SERVICE): 3}
        in_force = InForce(policy, Admission.of(policy, agreed))
        fleet = ConfiguredDestination("fleet", "fleet.example.cn", 8883, Purpose.SERVICE, "CN")
        forwarder = forwarder_of(rig, RecordView(CATALOGUE, Standing(fleet, in_force).verdict_of))
        mask = f"m-1/{in_force.now.name}"
        values = {SPEED: 1, **HERE}
        commit(rig, *[values] * 10, mask=mask)
        before = seen(sent(forwarder, Kind.LIVE))
        lon, lat = coarse(116_397_128, 39_916_527, KILOMETRE)
        assert before == [(number, {SPEED: 1, LON: lon, LAT: lat}) for number in range(1, 11)]
        commit(rig, *[values] * 10, mask=mask)
        in_force.revoke([3])
        in_force.adopt(Admission.of(policy, {}))
        if not live:
            rig.after(100)
        after = seen(sent(forwarder, Kind.LIVE if live else Kind.BACKLOG))
        assert after == [(number, {SPEED: 1}) for number in range(11, 21)]


def desk_with(shown: View, live_records: int) -> Desk:
    desk = Desk(live_records=live_records)
    desk.dispatch._view = shown  # the desk makes its own dispatch
    return desk


class TestDispatch:
    @settings(max_examples=40)
    @given(st.lists(st.sampled_from(["speed", "here", "both", "alarm", "none"]), max_size=12))
    def test_every_number_goes_and_only_what_may(self, kinds: list[str]) -> None:
        makes: dict[str, Callable[[int], Record]] = {
            "speed": lambda n: record(n, {SPEED: n}),
            "here": lambda n: record(n, HERE),
            "both": record,
            "alarm": lambda n: record(n, {SPEED: n}, alarm=True),
            "none": lambda n: record(n, {}),
        }
        records = [makes[kind](number) for number, kind in enumerate(kinds, 1)]
        desk = desk_with(view(POSITION), 3)
        desk.add(*records)
        desk.dispatch.flush()
        received = [one for message in desk.sent for one in read_dispatched(message).records]
        assert received == [view(POSITION)(one) for one in records]
        assert {message.kind for message in desk.sent} <= {Kind.LIVE}

    def test_an_alarm_that_may_be_known_goes_at_once(self) -> None:
        desk = desk_with(view(OPERATION), 3)
        desk.add(record(1), record(2, alarm=True))
        assert [message.kind for message in desk.sent] == [Kind.LIVE, Kind.ALARM]
        assert [one.values for message in desk.sent for one in read_dispatched(message).records] == [
            {SPEED: 123},
            {SPEED: 123},
        ]

    def test_what_waits_goes_as_may_be_when_it_goes(self) -> None:
        classes = {OPERATION, POSITION}
        desk = desk_with(RecordView(builtin(), lambda _: verdict(*classes)), 2)
        desk.add(record(1))
        classes.remove(POSITION)
        desk.add(record(2))
        assert [one.values for message in desk.sent for one in read_dispatched(message).records] == [
            {SPEED: 123},
            {SPEED: 123},
        ]

    def test_what_is_not_shown_weighs_nothing(self) -> None:
        desk = desk_with(view(POSITION), 1)
        desk.add(record(1, {**HERE, CELLS: (3300,) * (MESSAGE_WEIGHT + 1)}))
        assert desk.numbers() == [1]
        assert desk.dispatch.hop().set_aside == {}
