"""Real recordings through the whole road: what the platform stored is what cantools says, item for item."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asammdf
import cantools
import cantools.database.can

from edge.records import Missing
from simulator.platform.rows import StoredRecord
from tests.road.conftest import PROJECT, Bench
from tests.road.oracle import Expected, Oracle

KONA_BUSES = """
[[bus]]
name = "pcan"
recording_channel = "0"
[[bus.database]]
file = "{data}/pcan.dbc"
classes = "{dbc}/kona-pcan.classes.toml"
binding = "{dbc}/kona-pcan.binding.toml"
[[bus]]
name = "ccan"
recording_channel = "1"
[[bus.database]]
file = "{data}/pcan.dbc"
classes = "{dbc}/kona-pcan.classes.toml"
"""

CSS_BUSES = """
[[bus]]
name = "obd"
recording_channel = "1"
[[bus.database]]
file = "{data}/OBD-v4.4.dbc"
classes = "{dbc}/css-obd2.classes.toml"
binding = "{dbc}/css-obd2.binding.toml"
[[bus]]
name = "gnss"
recording_channel = "9"
[[bus.database]]
file = "{data}/canedge-internal-can9.dbc"
classes = "{dbc}/css-gnss.classes.toml"
binding = "{dbc}/css-gnss.binding.toml"
"""


def same(value: float) -> float:
    return value


def when(wanted: int) -> Callable[[float, float], float | None]:
    return lambda value, status: value if status == wanted else None


KONA_ITEMS = {
    "vehicle.state": Expected(("BodyState.IgnitionSw",), {0: 2, 3: 1, 2: 3, 4: 3}.get, "1", 1, 3),
    "vehicle.speed": Expected(
        ("IEB_386_WHEEL.WHL_SPD_RL", "IEB_386_WHEEL.WHL_SPD_RR"), lambda a, b: (a + b) / 2, "0.1", 0, 500
    ),
    "vehicle.odometer": Expected(("Odometer.Odometer",), same, "0.1", 0, 999_999.9),
    "vehicle.gear": Expected(("VCU_200.CURRENT_GEAR",), {0: 15, 5: 14, 6: 0, 7: 13}.get, "1", 0, 15),
    "hv.voltage": Expected(("Batt_HV_Status.VBatt",), same, "0.1", 0, 6000),
    "hv.current": Expected(("Batt_HV_Status.IBatt",), same, "0.1", -3000, 3000),
    "hv.soc": Expected(("BMS_542.SocDisp",), same, "1", 0, 100),
    "motor[1].speed": Expected(("VCU_291.Speed_signed",), same, "1", -32000, 45531),
    "motor[1].ctrl_temp": Expected(("InverterTemp.TempFast1",), same, "1", -40, 210),
    "motor[1].ctrl_voltage": Expected(("InverterStatus.V_Inverter",), same, "0.1", 0, 6000),
    "bat.max_temp": Expected(("BatteryCharging.uwe596_7_TAkkuH",), same, "1", -40, 210),
    "bat.min_temp": Expected(("BatteryCharging.uwe596_6_TAkkuL",), same, "1", -40, 210),
    "imu.accel_x": Expected(
        ("StabilityControl.LONG_ACCEL", "StabilityControl.LONG_ACCEL_STAT"),
        when(0),
        "0.001",
        -160,
        160,
    ),
    "imu.accel_y": Expected(
        ("StabilityControl.LAT_ACCEL", "StabilityControl.LAT_ACCEL_STAT"),
        when(0),
        "0.001",
        -160,
        160,
    ),
}
KONA_CONSTANTS: dict[str, int | str] = {"vehicle.run_mode": 1, "motor[1].index": 1}


def steps(record: StoredRecord) -> dict[str, int | str]:
    """A record's scalar values as the oracle writes them."""
    return {
        item_id: value.value if isinstance(value, Missing) else value
        for item_id, value in record.record.values.items()
        if not isinstance(value, tuple)
    }


def by_name(account: dict[str, Any]) -> dict[str, Any]:
    """The hops by the first word of their name."""
    return {hop["name"].split()[0]: hop for hop in account["hops"]}


def kona_database(path: Path) -> dict[int, cantools.database.can.Message]:
    """Load a Kona database with the two sections that it lacks put in."""
    text = path.read_text().replace("BO_ ", "BS_:\n\nBU_:\n\nBO_ ", 1)
    database = cantools.database.load_string(text, "dbc", strict=False)
    assert isinstance(database, cantools.database.can.Database)
    return {message.frame_id: message for message in database.messages}


def test_the_kona_recording_arrives_as_cantools_reads_it(bench: Bench, shared_data: Path) -> None:
    data = shared_data / "kona-ev"
    recording = next(data.glob("230112-7-*.csv"))
    config = bench.configure(KONA_BUSES.format(data=data, dbc=PROJECT / "dbc"))
    account, _ = bench.nevgate("replay", recording, "--config", config)

    frames = []
    with recording.open(newline="") as file:
        for row in csv.DictReader(file):
            payload = bytes(int(row[f"D{place}"], 16) for place in range(1, int(row["LEN"]) + 1))
            bus = {"0": "pcan", "1": "ccan"}[row["Bus"]]
            frames.append((int(row["Time Stamp"]) * 1000, bus, int(row["ID"], 16), payload))
    messages = {
        (bus, identifier): message
        for bus in ("pcan", "ccan")
        for identifier, message in kona_database(data / "pcan.dbc").items()
    }
    oracle = Oracle(messages, {"pcan": KONA_ITEMS})
    expected = oracle.run(frames)

    assert account["balanced"]
    hops = by_name(account)
    assert hops["recording"]["entered"] == 39_546
    assert hops["door"]["facts"]["frames that a database describes"] == oracle.decoded == 29_586
    assert not any(hops["recording"]["set_aside"].values())
    stored = bench.stored()
    assert [record.record.number for record in stored] == list(range(1, len(expected) + 1))
    assert {record.record.t_ns: steps(record) for record in stored} == {
        t_ns: record | KONA_CONSTANTS for t_ns, record in expected.items()
    }


OBD_ITEMS = {
    "vehicle.speed": Expected(("OBD_RX.S01PID0D_VehicleSpeed",), same, "0.1", 0, 500, fresh_s=15),
    "vehicle.odometer": Expected(("OBD_RX.S01PIDA6_Odometer",), same, "0.1", 0, 999_999.9, fresh_s=15),
    "hv.soc": Expected(("OBD_RX.S01PID5B_HybrBatPackRemLife",), same, "1", 0, 100, fresh_s=15),
    "engine.speed": Expected(("OBD_RX.S01PID0C_EngineRPM",), same, "1", 0, 60_000, fresh_s=15),
}
GNSS_ITEMS = {
    "gnss.valid": Expected(("GnssPos.PositionValid",), same, "1", 0, 1),
    "gnss.lat": Expected(("GnssPos.Latitude", "GnssPos.PositionValid"), when(1), "0.000001", -90, 90),
    "gnss.lon": Expected(("GnssPos.Longitude", "GnssPos.PositionValid"), when(1), "0.000001", -180, 180),
    "imu.accel_x": Expected(("ImuData.AccelerationX", "ImuData.ImuValid"), when(1), "0.001", -160, 160),
    "imu.accel_y": Expected(("ImuData.AccelerationY", "ImuData.ImuValid"), when(1), "0.001", -160, 160),
    "imu.accel_z": Expected(("ImuData.AccelerationZ", "ImuData.ImuValid"), when(1), "0.001", -160, 160),
}


def mf4_frames(path: Path) -> list[tuple[int, str, int, bytes]]:
    """Read the frames of an MF4 recording with asammdf alone."""
    frames = []
    with asammdf.MDF(path) as mdf:
        groups: Any = mdf.groups
        for index, group in enumerate(groups):
            names = {channel.name for channel in group.channels}
            if "CAN_DataFrame.ID" not in names or not group.channel_group.cycles_nr:
                continue
            columns = [
                mdf.get(f"CAN_DataFrame.{name}", group=index)
                for name in ("ID", "BusChannel", "DataLength", "DataBytes")
            ]
            rows = zip(columns[0].timestamps, *(column.samples for column in columns), strict=True)
            for t_s, identifier, channel, length, data in rows:
                bus = {1: "obd", 9: "gnss"}[int(channel)]
                payload = bytes(data[: int(length)])
                frames.append((round(float(t_s) * 1e9), bus, int(identifier) & 0x1FFFFFFF, payload))
    return frames


def test_the_drive_with_obd_and_gnss_arrives_as_cantools_reads_it(bench: Bench, shared_data: Path) -> None:
    data = shared_data / "css-drive"
    recording = next(data.glob("gnss-obd2-*.MF4"))
    config = bench.configure(CSS_BUSES.format(data=data, dbc=PROJECT / "dbc"))
    account, _ = bench.nevgate("replay", recording, "--config", config)

    messages: dict[tuple[str, int], cantools.database.can.Message] = {}
    for bus, file in (("obd", "OBD-v4.4.dbc"), ("gnss", "canedge-internal-can9.dbc")):
        database = cantools.database.load_file(data / file)
        assert isinstance(database, cantools.database.can.Database)
        messages |= {(bus, message.frame_id): message for message in database.messages}
    oracle = Oracle(messages, {"obd": OBD_ITEMS, "gnss": GNSS_ITEMS})
    expected = oracle.run(mf4_frames(recording))

    assert account["balanced"]
    hops = by_name(account)
    assert hops["recording"]["entered"] == 72_009
    assert oracle.unknown_multiplexer == 550
    assert hops["door"]["facts"]["frames that a database describes"] == oracle.decoded + 550
    stored = bench.stored()
    assert {record.record.t_ns: steps(record) for record in stored} == {
        t_ns: record | {"gnss.datum": 1} for t_ns, record in expected.items()
    }
