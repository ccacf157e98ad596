"""Bodies that `test_golden` leaves out, made by hand alike: engines, fuel cells, extremes, alarms."""

from __future__ import annotations

import pytest

from edge.catalogue.item import Edition
from edge.records import Missing, Value
from edge.wire.gbt.field import table
from edge.wire.gbt.message import Report, read_message
from edge.wire.gbt.recording import RecordCodec, reports_of
from tests.gbt.grammar import VIN, record_of
from tests.gbt.test_golden import HEADER, MESSAGE_2016, MESSAGE_2025, TIME, by_hand

HYBRID_2016: dict[str, Value] = {
    "fc.voltage": 3205,
    "fc.current": 20_000,
    "fc.rate": 123,
    "fc.probes": (80, -40, Missing.ABNORMAL),
    "h2.max_temp": 655,
    "h2.max_temp_probe": 252,
    "h2.max_conc_mass": 4000,
    "h2.max_conc_sensor": 1,
    "h2.max_pressure": 700,
    "h2.max_pressure_sensor": 3,
    "fc.dcdc_state": 2,
    "engine.state": 1,
    "engine.speed": 1850,
    "engine.fuel_rate": 623,
    "bat.max_cell_v_pack": 1,
    "bat.max_cell_v_cell": 95,
    "bat.max_cell_v": 4105,
    "bat.min_cell_v_pack": 2,
    "bat.min_cell_v_cell": 7,
    "bat.min_cell_v": 4088,
    "bat.max_temp_pack": 1,
    "bat.max_temp_probe": 12,
    "bat.max_temp": 41,
    "bat.min_temp_pack": 2,
    "bat.min_temp_probe": 250,
    "bat.min_temp": -12,
    "alarm.max_level": 3,
    "alarm.flags": 1 << 18 | 1 << 11 | 1,
    "alarm.battery_codes": (0x0000A001, 0xFFFFFFFF),
    "alarm.motor_codes": (),
    "alarm.engine_codes": (0x12345678,),
    "alarm.other_codes": Missing.ABNORMAL,
}

HYBRID_MESSAGE_2016 = by_hand(
    "2323",
    "02",
    "fe",
    HEADER,
    "0047",  # 6 time + 22 fuel cell + 6 engine + 15 extremes + 22 alarm = 71 = 47
    TIME,
    # fuel cell: type and 18 + 3 bytes
    "03",
    "0c85",  # 320.5 V / 0.1 = 3205 = C85
    "4e20",  # 2000.0 A / 0.1 = 20000 = 4E20, no offset
    "007b",  # 1.23 kg/100 km / 0.01 = 123 = 7B
    "0003",  # probes
    "78 00 fe",  # 80 + 40 = 120 = 78, -40 + 40 = 0, abnormal
    "041f",  # (65.5 + 40) / 0.1 = 1055 = 41F: a tenth of a degree in 2016
    "fc",  # probe 252
    "0fa0",  # 4000 mg/kg = FA0
    "01",
    "02bc",  # 70.0 MPa / 0.1 = 700 = 2BC
    "03",
    "02",
    # engine: type and 5 bytes
    "04",
    "01",
    "073a",  # 1850 rpm = 73A
    "026f",  # 6.23 L/100 km / 0.01 = 623 = 26F
    # extremes: type and 14 bytes
    "06",
    "01 5f 1009",  # subsystem 1, cell 95 = 5F, 4.105 V / 0.001 = 4105 = 1009
    "02 07 0ff8",  # subsystem 2, cell 7, 4088 mV = FF8
    "01 0c 51",  # subsystem 1, probe 12, 41 + 40 = 81 = 51
    "02 fa 1c",  # subsystem 2, probe 250 = FA, -12 + 40 = 28 = 1C
    # alarm: type, level, bits, then counts with their codes: 1 + 1 + 4 + 9 + 1 + 5 + 1 = 22
    "07",
    "03",
    "00040801",  # bit 18: 40000, bit 11: 800, bit 0: 1
    "02 0000a001 ffffffff",
    "00",
    "01 12345678",
    "fe",  # abnormal: no list follows
)

HYBRID_2025: dict[str, Value] = {
    "engine.speed": 60_000,
    "pack[1].voltage": 7728,
    "pack[1].current": 1234,
    "pack[1].cells": (4015, Missing.ABNORMAL, 60_000),
    "pack[50].voltage": Missing.INVALID,
    "pack[50].current": -30_000,
    "pack[50].cells": Missing.INVALID,
    "pack[1].probes": (25, Missing.INVALID),
    "pack[50].probes": (-40,),
    "scap.system": 1,
    "scap.voltage": 4800,
    "scap.current": 30_000,
    "scap.cells": (2700, 2650),
    "scap.probes": (33,),
    "scap.max_cell_v_pack": 1,
    "scap.max_cell_v_cell": 300,
    "scap.max_cell_v": 2700,
    "scap.min_cell_v_pack": 1,
    "scap.min_cell_v_cell": 65_531,
    "scap.min_cell_v": 2650,
    "scap.max_temp_pack": 1,
    "scap.max_temp_probe": 256,
    "scap.max_temp": 210,
    "scap.min_temp_pack": 250,
    "scap.min_temp_probe": 1,
    "scap.min_temp": Missing.INVALID,
}

HYBRID_MESSAGE_2025 = by_hand(
    "2424",
    "02",
    "fe",
    HEADER,
    "004c",  # 6 time + 3 engine + 22 voltages + 11 temperatures + 15 super-cap + 19 extremes = 76 = 4C
    TIME,
    # engine: type and 2 bytes
    "04",
    "ea60",  # 60000 rpm
    # voltages: type, packs, then number, V, A, units, their voltages: 1 + 1 + 13 + 7 = 22
    "07",
    "02",
    "01",
    "1e30",  # 772.8 V / 0.1 = 7728 = 1E30
    "7a02",  # (123.4 A + 3000 A) / 0.1 = 31234 = 7A02
    "0003",
    "0faf fffe ea60",  # 4015 mV = FAF, abnormal, 60000 mV = EA60
    "32",  # pack 50
    "ffff",  # invalid
    "0000",  # (-3000 + 3000) / 0.1
    "ffff",  # the number of units is invalid: none follow
    # temperatures: type, packs, then number, probes, values: 1 + 1 + 5 + 4 = 11
    "08",
    "02",
    "01",
    "0002",
    "41 ff",  # 25 + 40 = 65 = 41, invalid
    "32",
    "0001",
    "00",  # -40 + 40
    # super-capacitor: type, number, V, A, cells, probes: 1 + 1 + 2 + 2 + 2 + 4 + 2 + 1 = 15
    "31",
    "01",
    "12c0",  # 480.0 V / 0.1 = 4800 = 12C0
    "ea60",  # (3000 + 3000) / 0.1 = 60000 = EA60
    "0002",
    "0a8c 0a5a",  # 2700 mV = A8C, 2650 mV = A5A
    "0001",
    "49",  # 33 + 40 = 73 = 49
    # its extremes: type and 18 bytes
    "32",
    "01 012c 0a8c",  # cell 300 = 12C, 2700 mV
    "01 fffb 0a5a",  # cell 65531 = FFFB, 2650 mV
    "01 0100 fa",  # probe 256 = 100, 210 + 40 = 250 = FA
    "fa 0001 ff",  # system 250 = FA, probe 1, invalid
)

CASES = [
    (Edition.Y2016, HYBRID_2016, HYBRID_MESSAGE_2016),
    (Edition.Y2025, HYBRID_2025, HYBRID_MESSAGE_2025),
]


@pytest.mark.parametrize(("edition", "values", "message"), CASES, ids=["2016", "2025"])
def test_a_record_of_further_bodies(edition: Edition, values: dict[str, Value], message: bytes) -> None:
    codec = RecordCodec(edition)
    said, told = codec.messages(record_of(values), VIN)
    assert told == ()
    assert [one.write().hex(" ") for one in said] == [message.hex(" ")]
    heard = codec.hear(reports_of([read_message(message)]))
    assert heard.told == ()
    assert heard.record.values == values


def test_every_body_of_both_editions_is_in_a_message_made_by_hand() -> None:
    for edition, messages in (
        (Edition.Y2016, (MESSAGE_2016, HYBRID_MESSAGE_2016)),
        (Edition.Y2025, (MESSAGE_2025, HYBRID_MESSAGE_2025)),
    ):
        contents = [read_message(one).content for one in messages]
        there = {body.type_id for one in contents if isinstance(one, Report) for body in one.bodies}
        assert there == set(table(edition).bodies)
