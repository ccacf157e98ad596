"""The bus of the canaries: a database with a signal for each kind, and what is sent in a second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.frames import NO_FLAGS, Frame, FrameFlag
from tests.canary.planting import BYTES, SCALE, SHIFT, TEXT_BYTES, TEXT_EVERY_S, Kind, content
from tests.road.truck import broadcast, diagnostic

BUS = "car"
MS = 1_000_000
FIX, CABIN, EXTERIOR, TRACK, PAGED, AMID, STATE = 0x100, 0x110, 0x111, 0x112, 0x113, 0x120, 0x130
NAMED, SECRET, OWNER = 0x18FEE3FE, 0x18FEECFE, 0x18ABCDFE
STRANGER = 0x555
DIAGNOSTIC = 0x7E8
ANSWERED, DENIED = b"\x62\xc0\xde", b"\x62\xf1\x90"
STEPS_A_DEGREE = 1_000_000

_AMID = (
    # signal, first bit, byte order
    (Kind.CABIN_AMID, "Seat", 19, 1),
    (Kind.EXTERIOR_AMID, "Passer", 101, 0),
    (Kind.IDENTITY_AMID, "Keyring", 160, 1),
    (Kind.TRACK_AMID, "Heading", 219, 1),
    (Kind.UNCLASSIFIED, "Nameless", 280, 1),
    (Kind.HEALTH, "Faults", 344, 1),
    (Kind.OPERATION, "Counted", 400, 1),
)
AMID_NAMES = frozenset(name for _, name, _, _ in _AMID)
UNDESCRIBED_BIT = 456
"""What no signal describes of the message `Amid` begins here."""


def database() -> str:
    """The database as DBC."""
    amid = "".join(
        f' SG_ {name} : {bit}|{8 * BYTES}@{order}+ (1,0) [0|0] "" Ecu\n' for _, name, bit, order in _AMID
    )
    return f"""VERSION ""

NS_ :

BS_:

BU_: Ecu

BO_ {FIX} Fix: 8 Ecu
 SG_ Lon : 0|32@1- (0.000001,0) [0|0] "deg" Ecu
 SG_ Lat : 32|32@1- (0.000001,0) [0|0] "deg" Ecu

BO_ {CABIN} Cabin: 8 Ecu
 SG_ Driver : 0|56@1+ ({SCALE},{SHIFT}) [0|0] "" Ecu

BO_ {EXTERIOR} Around: 8 Ecu
 SG_ Plate : 8|56@1+ (1,0) [0|0] "" Ecu

BO_ {TRACK} Navi: 8 Ecu
 SG_ Track : 0|56@1+ (1,0) [0|0] "" Ecu

BO_ {PAGED} Paged: 8 Ecu
 SG_ Page M : 0|8@1+ (1,0) [0|0] "" Ecu
 SG_ Load m0 : 8|16@1+ (1,0) [0|0] "" Ecu
 SG_ Rear m1 : 8|56@1+ (1,0) [0|0] "" Ecu

BO_ {AMID} Amid: 64 Ecu
 SG_ Speed : 0|16@1+ (1,0) [0|0] "" Ecu
{amid}
BO_ {STATE} State: 8 Ecu
 SG_ Speed : 0|16@1+ (0.01,0) [0|0] "km/h" Ecu
 SG_ Alert : 16|8@1+ (1,0) [0|0] "" Ecu

BO_ {NAMED | 1 << 31} Named: 30 Ecu
 SG_ Load : 0|16@1+ (1,0) [0|0] "" Ecu
 SG_ Name1 : 32|64@1+ (1,0) [0|0] "" Ecu
 SG_ Name2 : 96|64@1+ (1,0) [0|0] "" Ecu
 SG_ Name3 : 160|64@1+ (1,0) [0|0] "" Ecu

BO_ {SECRET | 1 << 31} Secret: 22 Ecu
 SG_ Owner1 : 0|64@1+ (1,0) [0|0] "" Ecu
 SG_ Owner2 : 64|64@1+ (1,0) [0|0] "" Ecu

BO_ {OWNER | 1 << 31} Owner: 8 Ecu
 SG_ Key : 0|56@1+ (1,0) [0|0] "" Ecu

BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG","StandardCAN_FD";
BA_DEF_DEF_ "VFrameFormat" "StandardCAN";
BA_ "VFrameFormat" BO_ {NAMED | 1 << 31} 3;
BA_ "VFrameFormat" BO_ {SECRET | 1 << 31} 3;
BA_ "VFrameFormat" BO_ {OWNER | 1 << 31} 1;
BA_ "VFrameFormat" BO_ {AMID} 4;
"""


CLASSES = f"""
[operation]
signals = ["Amid.Speed", "Amid.Counted", "State.Speed", "Paged.Page", "Paged.Load", "Named.Load"]
[health]
signals = ["Amid.Faults", "State.Alert"]
[cabin]
signals = ["Cabin.*", "Amid.Seat", "Paged.Rear", "Named.Name?"]
[exterior]
signals = ["Around.*", "Amid.Passer"]
[identity]
signals = ["Owner.*", "Secret.*", "Amid.Keyring"]
[position]
signals = ["Fix.*", "Navi.*", "Amid.Heading"]
[unclassified]
signals = ["Amid.Nameless"]

[[isotp]]
ids = [{DIAGNOSTIC}]

[[isotp.allow]]
class = "cabin"
service = 0x62
identifiers = [0xC0DE]
bytes = {TEXT_BYTES[Kind.CABIN_ANSWER]}
"""

BINDING = """
[items."vehicle.speed"]
signal = "State.Speed"
range = [0, 500]
"""

FIX_BINDING = """
[items."gnss.lon"]
signal = "Fix.Lon"
range = [-180, 180]
[items."gnss.lat"]
signal = "Fix.Lat"
range = [-90, 90]
"""
"""Added where the position comes from the bus."""


def write(folder: Path) -> None:
    """Write database, classes and bindings into `folder`."""
    (folder / "car.dbc").write_text(database())
    (folder / "car.classes.toml").write_text(CLASSES)
    (folder / "sensor.binding.toml").write_text(BINDING)
    for name, datum in (("bus", "WGS84"), ("bus-gcj02", "GCJ02")):
        told = f'[items."gnss.datum"]\nconstant = "{datum}"\n'
        (folder / f"{name}.binding.toml").write_text(f"{BINDING}{FIX_BINDING}{told}")


@dataclass(frozen=True, slots=True)
class Fixed:
    """A position in steps of 1e-6 degrees."""

    lon: int
    lat: int


def second_of_frames(second: int, t_ns: int, fix: Fixed | None, *, alert: bool) -> list[Frame]:
    """What is sent in a second.

    Args:
        second: of the run.
        t_ns: at which it begins, boot-monotonic.
        fix: the position, where it comes over the bus.
        alert: whether the condition of the event is there.
    """
    return sorted(_frames(second, t_ns, fix, alert=alert), key=lambda frame: frame.t_ns)


def _frames(second: int, t_ns: int, fix: Fixed | None, *, alert: bool) -> Iterator[Frame]:
    def made(at_ms: int, identifier: int, data: bytes, flags: FrameFlag = NO_FLAGS) -> Frame:
        return Frame(t_ns + at_ms * MS, identifier, data, BUS, flags)

    def bits(kind: Kind) -> bytes:
        return content(kind, second)

    # The position comes first: by it the rest of the second is judged.
    if fix is not None:
        data = fix.lon.to_bytes(4, "little", signed=True) + fix.lat.to_bytes(4, "little", signed=True)
        yield made(0, FIX, data)
    speed = (second * 7 % 12_000).to_bytes(2, "little")
    yield made(10, CABIN, bits(Kind.CABIN) + b"\x5a")
    yield made(11, EXTERIOR, b"\xa5" + bits(Kind.EXTERIOR))
    yield made(12, TRACK, bits(Kind.TRACK) + b"\x00")
    yield made(13, PAGED, b"\x00" + speed + bytes(5))
    yield made(14, PAGED, b"\x01" + bits(Kind.CABIN_PAGE))
    yield made(15, STATE, speed + bytes([alert]) + bytes(5))
    yield made(16, OWNER, bits(Kind.IDENTITY) + b"\x00", FrameFlag.EXTENDED)
    yield made(17, STRANGER, b"\x01" + bits(Kind.STRANGER))
    yield made(18, AMID, amid(second), FrameFlag.FD)
    yield made(500, CABIN, bits(Kind.CABIN) + b"\x5a")
    yield made(501, AMID, amid(second), FrameFlag.FD)
    if second % TEXT_EVERY_S == 0:
        named = speed + bytes(2) + bits(Kind.CABIN_NAME) + bytes(2)
        yield from broadcast(t_ns + 30 * MS, NAMED, named, bytes(5), BUS)
        yield from broadcast(t_ns + 400 * MS, SECRET, bits(Kind.IDENTITY_NAME), bytes(6), BUS)
        yield from diagnostic(t_ns + 700 * MS, ANSWERED + bits(Kind.CABIN_ANSWER), BUS)
        yield from diagnostic(t_ns + 750 * MS, DENIED + bits(Kind.ANSWER), BUS)


def amid(second: int) -> bytes:
    """A frame in which signals of all classes stand side by side, off the bytes, and bits of no signal."""
    whole = second % 65_536
    for kind, _, bit, order in _AMID:
        bits = content(kind, second)
        if order:
            whole |= int.from_bytes(bits, "little") << bit
        else:
            whole |= _backwards(int.from_bytes(bits, "big"), bit)
    return (whole | int.from_bytes(content(Kind.UNDESCRIBED, second), "little") << UNDESCRIBED_BIT).to_bytes(
        64, "little"
    )


def _backwards(value: int, start: int) -> int:
    """A big-endian signal (DBC byte order 0) as bits of a little-endian number."""
    placed, bit = 0, start
    for place in reversed(range(8 * BYTES)):
        placed |= (value >> place & 1) << bit
        bit = bit + 15 if bit % 8 == 0 else bit - 1
    return placed
