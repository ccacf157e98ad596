"""Any record, as either edition says it, read back: equal, but for what is told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S
from edge.records import Missing, Record, Value
from edge.wire.gbt.message import Body, Report, read_message
from edge.wire.gbt.options import MissingList, Options, Overflow
from edge.wire.gbt.recording import RecordCodec, reports_of
from edge.wire.gbt.told import Why
from tests.gbt.grammar import T_S, VIN, editions, examples, record_of, records, reports

CHOICES = [
    Options(),
    Options(overflow=Overflow.LIMIT, discharge_positive=False, unit_bytes=8_192),
    Options(unstated_codes=False, missing_lists=MissingList.EMPTY, pedals=False),
]
CODECS = {
    (edition, choice): RecordCodec(edition, CHOICES[choice]) for edition in Edition for choice in range(3)
}


def there_and_back(record: Record, codec: RecordCodec) -> tuple[Record, dict[str, Value | None]]:
    """The record read back from the bytes, and what was told when it was written."""
    messages, told = codec.messages(record, VIN)
    sent = [message.write() for message in messages]
    read = [read_message(data) for data in sent]
    assert [message.write() for message in read] == sent
    assert max(map(len, sent)) <= codec.options.unit_bytes + 25
    heard = codec.hear(reports_of(read), number=record.number, reissue=read[0].command == 3)
    assert not heard.told
    return heard.record, {one.item_id: one.said for one in told}


@given(records(), editions, st.integers(0, 2))
@settings(max_examples=examples(110), deadline=None)
def test_a_record_comes_back_equal_but_for_what_is_told(
    record: Record, edition: Edition, choice: int
) -> None:
    back, told = there_and_back(record, CODECS[edition, choice])
    expected = {**record.values, **told}
    assert back.values == {item_id: value for item_id, value in expected.items() if value is not None}
    assert back.t_ns == T_S * NS_PER_S
    assert back.reissue == record.reissue
    again, told_again = there_and_back(back, CODECS[edition, choice])
    assert again.values == back.values
    assert {item_id for item_id, said in told_again.items() if said != back.values.get(item_id)} == set()


FULL: dict[Edition, dict[str, Value]] = {
    Edition.Y2016: {
        "vehicle.state": 1, "vehicle.charge_state": 3, "vehicle.run_mode": 1, "vehicle.speed": 2200,
        "vehicle.odometer": 9_999_999, "hv.voltage": 10_000, "hv.current": -10_000, "hv.soc": 100,
        "hv.dcdc_state": 2, "vehicle.gear": 14, "vehicle.drive_force": 1, "vehicle.brake_force": 0,
        "hv.insulation": 60_000, "vehicle.accel_pedal": 100, "vehicle.brake_pedal": 101,
    },
    Edition.Y2025: {
        "vehicle.state": 1, "vehicle.charge_state": 3, "vehicle.run_mode": 1, "vehicle.speed": 5000,
        "vehicle.odometer": 9_999_999, "hv.voltage": 60_000, "hv.current": 30_000, "hv.soc": 0,
        "hv.dcdc_state": 1, "vehicle.gear": 13, "vehicle.drive_force": 0, "vehicle.brake_force": 1,
        "vehicle.gear_invalid": 0, "hv.insulation": 0,
    },
}  # fmt: skip


@pytest.mark.parametrize("edition", Edition)
def test_nothing_is_told_of_a_body_whose_every_item_is_there_and_fits(edition: Edition) -> None:
    back, told = there_and_back(record_of(dict(FULL[edition])), RecordCodec(edition))
    assert back.values == FULL[edition]
    assert told == {}


def test_the_older_edition_tells_what_is_beyond_it_and_never_clips_silently() -> None:
    wide: dict[str, Value] = {
        **FULL[Edition.Y2016],
        "vehicle.speed": 2201,
        "hv.voltage": 10_001,
        "hv.current": 10_001,
        "vehicle.gear_invalid": 0,
    }
    back, told = there_and_back(record_of(wide), RecordCodec(Edition.Y2016))
    beyond = dict.fromkeys(("vehicle.speed", "hv.voltage", "hv.current"), Missing.ABNORMAL)
    assert told == {**beyond, "vehicle.gear_invalid": None}
    assert back.values["hv.voltage"] is Missing.ABNORMAL
    limited, _ = there_and_back(record_of(wide), RecordCodec(Edition.Y2016, Options(overflow=Overflow.LIMIT)))
    assert [limited.values[one] for one in beyond] == [2200, 10_000, 10_000]


def test_a_thermal_event_is_the_highest_alarm_of_2016_and_stays_an_alarm() -> None:
    record = record_of({"alarm.max_level": 4, "alarm.flags": 1 << 23 | 1 << 5})
    back, told = there_and_back(record, RecordCodec(Edition.Y2016))
    assert (back.values["alarm.max_level"], back.values["alarm.flags"]) == (3, 1 << 5)
    assert (told["alarm.max_level"], told["alarm.flags"]) == (3, 1 << 5)
    assert back.alarm
    assert there_and_back(record, RecordCodec(Edition.Y2025))[0].values["alarm.max_level"] == 4


def test_cells_beyond_200_go_on_in_further_messages_and_come_back_in_any_order() -> None:
    cells = tuple(3000 + place for place in range(450))
    record = record_of(
        {"pack[1].voltage": 3900, "pack[1].current": -5, "pack[1].cells": cells, "pack[2].cells": cells[:3]}
    )
    codec = RecordCodec(Edition.Y2016)
    said = codec.say(record)
    frames = [
        [(pack[4], pack[5], len(pack[6])) for pack in report.bodies[0].raws[1]] for report in said.reports
    ]
    assert frames == [[(1, 200, 200), (1, 3, 3)], [(201, 200, 200)], [(401, 50, 50)]]
    assert [pack[3] for report in said.reports for pack in report.bodies[0].raws[1]] == [450, 3, 450, 450]
    heard = codec.hear(said.reports[::-1])
    assert heard.record.values["pack[1].cells"] == cells
    partial = codec.hear(said.reports[::2])
    assert partial.record.values["pack[1].cells"] == (*cells[:200], *[Missing.INVALID] * 200, *cells[400:])
    assert [one.why for one in partial.told] == [Why.INCOMPLETE]


def test_a_gap_told_by_a_few_bytes_costs_no_memory() -> None:
    codec = RecordCodec(Edition.Y2016)
    members = tuple((pack, 0, 10_000, 65_531, 65_000, 1, (3000,)) for pack in range(1, 251))
    heard = codec.hear([Report(bytes((26, 3, 1, 8, 0, 0)), (Body(8, (250, members)),))])
    assert sum(len(value) for value in heard.record.values.values() if isinstance(value, tuple)) < 70_000


@given(st.data())
@settings(max_examples=examples(40), deadline=None)
def test_any_report_becomes_a_record_that_says_the_same_again(data: st.DataObject) -> None:
    edition = data.draw(editions)
    report = data.draw(reports(edition))
    timed = Report(bytes((26, 3, 1, 8, 0, 0)), report.bodies, report.rest, report.signature)
    codec = CODECS[edition, 0]
    heard = codec.hear([timed])
    again = codec.hear(codec.say(heard.record).reports)
    assert {key: value for key, value in again.record.values.items() if key in heard.record.values} == dict(
        heard.record.values
    )
