"""`gnss.valid` is 1 with a fix and 0 without one, and no position is told then, whoever gives it."""

import json
from abc import ABC, abstractmethod
from functools import reduce
from operator import xor
from pathlib import Path

import cantools.database
import cantools.database.can
import pytest

from edge.catalogue.binding import load_binding
from edge.catalogue.catalogue import builtin
from edge.clock import Timebase
from edge.database.load import load_database
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.records import Missing, Record
from edge.sensors.gpsd import GpsdReader
from edge.sensors.nmea import NMEA_ITEMS, NmeaReader
from edge.sensors.observation import Observation
from edge.vehicle.sampler import Sampler
from tests.vehicle.state import S, State

DBC = Path(__file__).parents[2] / "dbc"
LATITUDE, LONGITUDE = 39.968724, 116.342387


def test_the_catalogue_calls_1_a_fix_and_the_status_bit_of_the_standard_the_reverse() -> None:
    item = builtin().item("gnss.valid")
    assert dict(item.names) == {0: "no_fix", 1: "fix"}
    assert {encoding.words for encoding in item.editions.values()} == {"status bit0"}
    assert "the wire bit is 0" in item.note


class Giver(ABC):
    """Somebody who says where the vehicle is."""

    @abstractmethod
    def record(self, *, fix: bool) -> Record:
        """The record of the instant after the giver has said whether there is a fix, and a position."""

    def test_a_fix_is_1_and_has_a_position(self) -> None:
        values = self.record(fix=True).values
        assert values["gnss.valid"] == builtin().item("gnss.valid").value_named("fix") == 1
        assert (values["gnss.lat"], values["gnss.lon"]) == (39_968_724, 116_342_387)

    def test_no_fix_is_0_and_has_no_position_although_one_is_said(self) -> None:
        values = self.record(fix=False).values
        assert values["gnss.valid"] == builtin().item("gnss.valid").value_named("no_fix") == 0
        assert (values["gnss.lat"], values["gnss.lon"]) == (Missing.INVALID, Missing.INVALID)


def observed(observations: list[Observation]) -> Record:
    sampler = Sampler({}, builtin(), observed=NMEA_ITEMS)
    for observation in observations:
        sampler.observe(observation)
    return sampler.sample(2 * S, Timebase(), State())


class TestNmea(Giver):
    def record(self, *, fix: bool) -> Record:
        status, mode = ("A", "A") if fix else ("V", "N")
        content = f"GNRMC,083559.00,{status},3958.12344,N,11620.54322,E,0.0,77.5,091202,,,{mode},V"
        checksum = reduce(xor, content.encode(), 0)
        return observed(NmeaReader().feed(f"${content}*{checksum:02X}\r\n".encode(), S))


class TestGpsd(Giver):
    def record(self, *, fix: bool) -> Record:
        report = {"class": "TPV", "mode": 3 if fix else 1, "lat": LATITUDE, "lon": LONGITUDE}
        return observed(GpsdReader().feed(json.dumps(report).encode() + b"\n", S))


def bound(binding: Path, dbc: Path, message: str, signals: dict[str, float]) -> Record:
    """What the binding makes of one frame that cantools encodes."""
    database = load_database(dbc)
    oracle = cantools.database.load_file(dbc, strict=False)
    assert isinstance(oracle, cantools.database.can.Database)
    sampler = Sampler({"bus": [load_binding(binding, database, builtin())]}, builtin())
    latest = LatestValues(DecodePlan({"bus": [database]}, wanted=sampler.wanted))
    codec = oracle.get_message_by_name(message)
    data = codec.encode(
        {**dict.fromkeys((signal.name for signal in codec.signals), 0.0), **signals}, strict=False
    )
    flags = FrameFlag.FD if codec.is_fd else FrameFlag(0)
    latest.update(FrameBatch.from_frames([Frame(S, codec.frame_id, data, flags=flags, bus="bus")]))
    return sampler.sample(2 * S, Timebase(), latest.snapshot())


class TestReferenceVehicle(Giver):
    def record(self, *, fix: bool) -> Record:
        signals = {"FixValid": int(fix), "Datum": 1, "Latitude": LATITUDE, "Longitude": LONGITUDE}
        return bound(DBC / "nev-chassis.binding.toml", DBC / "nev-chassis.dbc", "GNSS_Position", signals)


class TestLogger(Giver):
    @pytest.fixture(autouse=True)
    def database(self, shared_data: Path) -> None:
        self.dbc = shared_data / "css-drive" / "canedge-internal-can9.dbc"

    def record(self, *, fix: bool) -> Record:
        signals = {"PositionValid": int(fix), "Latitude": LATITUDE, "Longitude": LONGITUDE}
        return bound(DBC / "css-gnss.binding.toml", self.dbc, "GnssPos", signals)
