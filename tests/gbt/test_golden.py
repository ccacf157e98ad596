"""Messages made by hand from the standard's tables, with the arithmetic beside each byte."""

from __future__ import annotations

from edge.catalogue.item import Edition
from edge.records import Missing, Value
from edge.wire.gbt.message import Message, Report, Values, read_message
from edge.wire.gbt.recording import RecordCodec, reports_of
from tests.gbt.grammar import T_S, VIN, record_of


def by_hand(*pieces: str) -> bytes:
    """A message of hex pieces up to the check code, which is the plain exclusive or, byte by byte."""
    data = bytes.fromhex("".join(pieces))
    code = 0
    for byte in data[2:]:
        code ^= byte
    return data + bytes((code,))


HEADER = "4c4e564741544530305844454d30303031 01"
"""LNVGATE00XDEM0001 in ASCII (L 4C, N 4E, V 56, G 47, A 41, T 54, E 45, 0 30, 0 30, X 58, D 44, E 45, M 4D,
0 30, 0 30, 0 30, 1 31), then encryption 01: none."""

# T_S is 2026-03-01 00:00:00 UTC; Beijing is 8 hours ahead: year 26 = 1A, month 3, day 1, hour 8, 0, 0.
TIME = "1a 03 01 08 00 00"

RECORD_2016: dict[str, Value] = {
    "vehicle.state": 1,
    "vehicle.charge_state": 3,
    "vehicle.run_mode": 1,
    "vehicle.speed": 1234,
    "vehicle.odometer": 1_234_567,
    "hv.voltage": 3856,
    "hv.current": -153,
    "hv.soc": 87,
    "hv.dcdc_state": 1,
    "vehicle.gear": 14,
    "vehicle.drive_force": 1,
    "vehicle.brake_force": 0,
    "hv.insulation": 5000,
    "vehicle.accel_pedal": 23,
    "vehicle.brake_pedal": Missing.INVALID,
    "motor[1].index": 1,
    "motor[1].state": 1,
    "motor[1].ctrl_temp": 45,
    "motor[1].speed": -3000,
    "motor[1].torque": 1250,
    "motor[1].temp": Missing.ABNORMAL,
    "motor[1].ctrl_voltage": 3850,
    "motor[1].bus_current": -150,
    "gnss.valid": 1,
    "gnss.lon": -121_473_701,
    "gnss.lat": 31_230_416,
    "pack[1].voltage": 3856,
    "pack[1].current": -153,
    "pack[1].cells": (3957, 3960, Missing.INVALID),
    "pack[1].probes": (25, -40, 210),
}

MESSAGE_2016 = by_hand(
    "2323",  # start of 2016
    "02",  # real-time
    "fe",  # a command
    HEADER,
    "004d",  # 6 time + 21 vehicle + 14 motors + 10 position + 18 voltages + 8 temperatures = 77 = 4D
    TIME,
    # vehicle: type and 20 bytes
    "01",
    "01",  # 1 started
    "03",  # 3 not charging
    "01",  # 1 electric
    "04d2",  # 123.4 km/h / 0.1 = 1234 = 4D2
    "0012d687",  # 123456.7 km / 0.1 = 1234567 = 12D687
    "0f10",  # 385.6 V / 0.1 = 3856 = F10
    "2677",  # (-15.3 A + 1000 A) / 0.1 = 9847 = 2677
    "57",  # 87 %
    "01",  # 1 working
    "2e",  # bit 5 drive force: 20, bit 4 no brake force, 14 D: 0E
    "1388",  # 5000 kohm
    "17",  # 23 %
    "ff",  # invalid
    # motors: type, count, 12 bytes
    "02",
    "01",
    "01",  # number
    "01",  # 1 consuming
    "55",  # 45 + 40 = 85 = 55
    "4268",  # -3000 + 20000 = 17000 = 4268
    "5302",  # (125.0 + 2000) / 0.1 = 21250 = 5302
    "fe",  # abnormal
    "0f0a",  # 385.0 V / 0.1 = 3850 = F0A
    "267a",  # (-15.0 A + 1000 A) / 0.1 = 9850 = 267A
    # position: type and 9 bytes
    "05",
    "04",  # bit 0 valid: 0, bit 1 north: 0, bit 2 west: 4
    "073d8aa5",  # 121.473701 deg * 10^6 = 121473701 = 73D8AA5
    "01dc89d0",  # 31.230416 deg * 10^6 = 31230416 = 1DC89D0
    # voltages: type, count, then number, V, A, cells in all, first here, count here, cells
    "08",
    "01",
    "01",
    "0f10",  # 385.6 V
    "2677",  # -15.3 A, offset 1000 A here too
    "0003",
    "0001",
    "03",
    "0f75 0f78 ffff",  # 3957 mV, 3960 mV, invalid
    # temperatures: type, count, number, probes, values
    "09",
    "01",
    "01",
    "0003",
    "41 00 fa",  # 25 + 40 = 65 = 41, -40 + 40 = 0, 210 + 40 = 250 = FA
)


def test_a_record_in_the_edition_of_2016() -> None:
    codec = RecordCodec(Edition.Y2016)
    (message,), told = codec.messages(record_of(RECORD_2016), VIN)
    assert told == ()
    assert message.write().hex(" ") == MESSAGE_2016.hex(" ")
    heard = codec.hear(reports_of([read_message(MESSAGE_2016)]))
    assert heard.told == ()
    assert heard.record.values == RECORD_2016
    assert heard.record.t_ns == T_S * 10**9


RECORD_2025: dict[str, Value] = {
    "vehicle.state": 1,
    "vehicle.charge_state": 3,
    "vehicle.run_mode": 1,
    "vehicle.speed": 2500,
    "vehicle.odometer": 0,
    "hv.voltage": 8004,
    "hv.current": -20_000,
    "hv.soc": Missing.ABNORMAL,
    "hv.dcdc_state": 2,
    "vehicle.gear": Missing.INVALID,
    "vehicle.gear_invalid": 1,
    "vehicle.drive_force": 0,
    "vehicle.brake_force": 1,
    "hv.insulation": Missing.INVALID,
    "motor[2].index": 2,
    "motor[2].state": 2,
    "motor[2].ctrl_temp": -40,
    "motor[2].speed": -32_000,
    "motor[2].torque": -125_000,
    "motor[2].temp": 0,
    "h2.max_temp": 200,
    "h2.max_temp_probe": 253,
    "h2.max_conc_volume": 12_345,
    "h2.max_conc_sensor": 1,
    "h2.max_pressure": 350,
    "h2.max_pressure_sensor": 2,
    "fc.dcdc_state": 1,
    "h2.remaining": 64,
    "fc.dcdc_temp": 30,
    "gnss.valid": 0,
    "gnss.datum": 2,
    "gnss.lon": 0,
    "gnss.lat": -1,
    "alarm.max_level": 4,
    "alarm.flags": 1 << 23 | 1 << 1,
    "alarm.battery_codes": (0x01020304,),
    "alarm.motor_codes": (),
    "alarm.engine_codes": Missing.INVALID,
    "alarm.other_codes": (),
    "alarm.levels": (23, 4, 1, 3),
    "stack[1].voltage": 2345,
    "stack[1].current": 678,
    "stack[1].h2_inlet_p": 1500,
    "stack[1].air_inlet_p": -1000,
    "stack[1].air_inlet_t": 15,
    "stack[1].coolant_probes": (65, 66),
}

MESSAGE_2025 = by_hand(
    "2424",  # start of 2025
    "03",  # reissue
    "fe",
    HEADER,
    "0060",  # 6 + 19 vehicle + 12 motors + 13 hydrogen + 11 position + 19 alarm + 16 stacks = 96 = 60
    TIME,
    "01",
    "01 03 01",
    "09c4",  # 250.0 km/h = 2500 = 9C4
    "00000000",
    "1f44",  # 800.4 V = 8004 = 1F44
    "2710",  # (-2000 A + 3000 A) / 0.1 = 10000 = 2710
    "fe",  # abnormal
    "02",
    "90",  # bit 7 gear invalid: 80, bit 4 brake force: 10
    "ffff",  # invalid
    "02",
    "01",
    "02",  # number
    "02",  # 2 generating
    "00",  # -40 + 40
    "0000",  # -32000 + 32000
    "000124f8",  # (-12500 N.m + 20000 N.m) / 0.1 = 75000 = 124F8
    "28",  # 0 + 40 = 28
    "03",
    "003c",  # 20 degC + 40 = 60 = 3C
    "fd",  # probe 253
    "3039",  # 1.2345 % / 0.0001 = 12345 = 3039
    "01",
    "015e",  # 35.0 MPa / 0.1 = 350 = 15E
    "02",
    "01",
    "40",  # 64 %
    "46",  # 30 + 40 = 70 = 46
    "05",
    "03",  # bit 0 no valid fix: 1, bit 1 south: 2
    "02",  # GCJ02
    "00000000",
    "00000001",  # 0.000001 deg south
    "06",
    "04",
    "00800002",  # bit 23: 800000, bit 1: 2
    "01 01020304",
    "00",
    "ff",  # invalid: no list follows
    "00",
    "02 17 04 01 03",  # bit 23 = 17 at level 4, bit 1 at level 3
    "30",
    "01",
    "01",
    "0929",  # 234.5 V = 2345 = 929
    "02a6",  # 67.8 A = 678 = 2A6
    "09c4",  # (150.0 kPa + 100) / 0.1 = 2500 = 9C4
    "0000",  # (-100 + 100) / 0.1
    "37",  # 15 + 40 = 55 = 37
    "0002",
    "69 6a",  # 65 + 40 = 105 = 69, 66 + 40 = 106 = 6A
)


def test_a_record_in_the_edition_of_2025() -> None:
    codec = RecordCodec(Edition.Y2025)
    record = record_of(RECORD_2025, reissue=True)
    (message,), told = codec.messages(record, VIN)
    assert told == ()
    assert message.write().hex(" ") == MESSAGE_2025.hex(" ")
    heard = codec.hear(reports_of([read_message(MESSAGE_2025)]), reissue=True)
    assert heard.told == ()
    assert heard.record.values == RECORD_2025
    assert heard.record.alarm


def test_the_logins_of_both_editions() -> None:
    iccid = "3839383630303030303030303030303030303031"  # 89860000000000000001
    old = by_hand("2323", "01fe", HEADER, "0024", TIME, "0007", iccid, "02", "03", "414231 414232")
    # 6 time + 2 session + 20 ICCID + 1 subsystems + 1 length + 2 codes of 3 = 36 = 24
    assert read_message(old).content == Values(
        "command 01", (bytes.fromhex(TIME), 7, bytes.fromhex(iccid), 2, 3, (b"AB1", b"AB2"))
    )
    code = "30" * 23  # 24 characters, the last one different
    new = by_hand(
        "2424", "01fe", HEADER, "0067", TIME, "0007", iccid, "02", "0201", code, "31", code, "32", code, "33"
    )
    # 6 + 2 + 20 + 1 systems + 2 counts of packs (2 and 1) + 3 codes of 24 = 103 = 67
    packs = tuple(b"0" * 23 + end for end in (b"1", b"2", b"3"))
    assert read_message(new).content == Values(
        "command 01", (bytes.fromhex(TIME), 7, bytes.fromhex(iccid), 2, (2, 1), packs)
    )
    assert [read_message(one).write() for one in (old, new)] == [old, new]


def test_a_signature_is_kept_apart_from_the_bodies() -> None:
    signed = by_hand("2424", "02fe", HEADER, "0011", TIME, "80 0001 aa", "ff", "02", "0001 5a", "0000")
    # 6 time + 4 custom block + 1 mark + 1 algorithm + 2 + 1 R + 2 + 0 S = 17 = 11
    content = read_message(signed).content
    assert isinstance(content, Report)
    assert content.signature == (2, 1, b"\x5a", 0, b"")
    assert [body.raws for body in content.bodies] == [(b"\xaa",)]
    assert Message(Edition.Y2025, 2, 0xFE, VIN, content).write() == signed
