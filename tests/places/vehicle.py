"""A made-up vehicle whose position comes whole, in halves, or multiplexed, and drives to test with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from edge.catalogue.binding import load_binding
from edge.catalogue.bound import Binding
from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S
from edge.database.load import parse_database
from edge.database.model import Database
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.places.guard import PlaceGuard
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.rules import Area, Datum

BUS = "chassis"
MS = NS_PER_S // 1000
STEP = 1_000_000
WHOLE, STATUS, LON, LAT, MULTIPLEXED, OTHER = 0x100, 0x101, 0x102, 0x103, 0x104, 0x200

DBC = b"""VERSION ""

NS_ :

BS_:

BU_: Ecu

BO_ 256 Whole: 12 Ecu
 SG_ Latitude : 0|32@1- (0.0000001,0) [-90|90] "deg" Ecu
 SG_ Longitude : 32|32@1- (0.0000001,0) [-180|180] "deg" Ecu
 SG_ FixValid : 64|1@1+ (1,0) [0|1] "" Ecu
 SG_ Datum : 72|2@1+ (1,0) [1|3] "" Ecu

BO_ 257 Status: 2 Ecu
 SG_ FixValid : 0|1@1+ (1,0) [0|1] "" Ecu
 SG_ Datum : 8|2@1+ (1,0) [1|3] "" Ecu

BO_ 258 Lon: 5 Ecu
 SG_ Longitude : 0|32@1- (0.0000001,0) [-180|180] "deg" Ecu
 SG_ FixValid : 32|1@1+ (1,0) [0|1] "" Ecu

BO_ 259 Lat: 5 Ecu
 SG_ Latitude : 0|32@1- (0.0000001,0) [-90|90] "deg" Ecu
 SG_ FixValid : 32|1@1+ (1,0) [0|1] "" Ecu

BO_ 260 Multiplexed: 6 Ecu
 SG_ Path M : 0|8@1+ (1,0) [0|2] "" Ecu
 SG_ Longitude m0 : 8|32@1- (0.0000001,0) [-180|180] "deg" Ecu
 SG_ Latitude m1 : 8|32@1- (0.0000001,0) [-90|90] "deg" Ecu
 SG_ Speed m2 : 8|16@1+ (0.01,0) [0|300] "km/h" Ecu

BO_ 512 Other: 8 Ecu
 SG_ Value : 0|64@1+ (1,0) [0|0] "" Ecu
"""

BINDINGS = {
    "whole": """
        [items."gnss.lon"]
        signal = "Whole.Longitude"
        valid_when = "Whole.FixValid == 1"
        [items."gnss.lat"]
        signal = "Whole.Latitude"
        valid_when = "Whole.FixValid == 1"
        """,
    "datum": """
        [items."gnss.datum"]
        signal = "Whole.Datum"
        [items."gnss.lon"]
        signal = "Whole.Longitude"
        [items."gnss.lat"]
        signal = "Whole.Latitude"
        """,
    "status": """
        [items."gnss.valid"]
        signal = "Status.FixValid"
        [items."gnss.datum"]
        signal = "Status.Datum"
        [items."gnss.lon"]
        signal = "Whole.Longitude"
        [items."gnss.lat"]
        signal = "Whole.Latitude"
        """,
    "halves": """
        [items."gnss.lon"]
        signal = "Lon.Longitude"
        valid_when = "Lon.FixValid == 1"
        [items."gnss.lat"]
        signal = "Lat.Latitude"
        valid_when = "Lat.FixValid == 1"
        """,
    "multiplexed": """
        [items."gnss.lon"]
        signal = "Multiplexed.Longitude"
        [items."gnss.lat"]
        signal = "Multiplexed.Latitude"
        """,
}

POSITION_AND_CABIN = frozenset({DataClass.POSITION, DataClass.CABIN})
SQUARE = ((10.0, 50.0), (10.02, 50.0), (10.02, 50.02), (10.0, 50.02))
INSIDE, OUTSIDE = (10.01, 50.01), (10.2, 50.2)


def area(
    corners: Sequence[tuple[float, float]] = SQUARE,
    *,
    withhold: frozenset[DataClass] = POSITION_AND_CABIN,
    margin_m: float = 100.0,
    datum: Datum = Datum.WGS84,
    name: str = "plant",
) -> Area:
    return Area(name, tuple(corners), datum, withhold, margin_m)


@cache
def database() -> ClassedDatabase:
    return ClassedDatabase(parse_database(DBC, Path("made_up.dbc")), {})


@cache
def binding(name: str) -> Binding:
    return bound(BINDINGS[name])


def bound(text: str, spoken: Database | None = None) -> Binding:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made_up.binding.toml"
        path.write_text(text, encoding="utf-8")
        return load_binding(path, spoken or database().database, builtin())


def guard(name: str = "whole", *areas: Area, default_datum: Datum | None = Datum.WGS84) -> PlaceGuard:
    return PlaceGuard.of(
        areas or (area(),), {BUS: (database(),)}, {BUS: (binding(name),)}, default_datum=default_datum
    )


def raw(degrees: float) -> bytes:
    return round(degrees * 10_000_000).to_bytes(4, "little", signed=True)


def whole(t_ns: int, lon: float, lat: float, *, valid: bool = True, datum: int = 1) -> Frame:
    return Frame(t_ns, WHOLE, raw(lat) + raw(lon) + bytes([valid, datum, 0, 0]), bus=BUS, flags=FrameFlag.FD)


def status(t_ns: int, *, valid: bool = True, datum: int = 1) -> Frame:
    return Frame(t_ns, STATUS, bytes([valid, datum]), bus=BUS)


def half(t_ns: int, axis: int, degrees: float, *, valid: bool = True) -> Frame:
    return Frame(t_ns, axis, raw(degrees) + bytes([valid]), bus=BUS)


def path(t_ns: int, number: int, degrees: float) -> Frame:
    return Frame(t_ns, MULTIPLEXED, bytes([number, *raw(degrees), 0]), bus=BUS)


def other(t_ns: int) -> Frame:
    return Frame(t_ns, OTHER, bytes(8), bus=BUS)


def batch(frames: Iterable[Frame]) -> FrameBatch:
    return FrameBatch.from_frames(frames, buses=[BUS])


def judged(
    guard: PlaceGuard, frames: Sequence[Frame], cuts: Iterable[int] = ()
) -> list[frozenset[DataClass]]:
    """What is withheld from each frame, with the batch cut at `cuts`."""
    edges = sorted({0, len(frames), *(cut for cut in cuts if 0 < cut < len(frames))})
    found: list[frozenset[DataClass]] = []
    for start, stop in pairwise(edges):
        part = batch(frames[start:stop])
        reached = 0
        for stretch, withheld in guard.judge(part):
            assert stretch.start == reached < stretch.stop
            found += [withheld] * (stretch.stop - stretch.start)
            reached = stretch.stop
        assert reached == len(part)
    return found
