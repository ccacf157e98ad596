"""A bus with what the reference vehicle lacks: J1939 and ISO-TP segments, mixed pages, strangers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge.clock import Timebase
from edge.database.load import parse_database
from edge.frames import NO_FLAGS, Frame, FrameBatch, FrameFlag
from edge.policy.classed import ClassedDatabase
from edge.policy.classfile import load_classes
from tests.road.canary import Canaries

BUS = "truck"
PERIOD_NS = 100_000_000
MS = 1_000_000
LONG, SECRET = 0x18FEE3FE, 0x18FEECFE
MULTIPLEXED, HIDDEN, WIDE, MIXED, CHECKED, DIAGNOSTIC = 0x120, 0x121, 0x122, 0x123, 0x124, 0x7E8
ANNOUNCE, TRANSFER = 0x1CECFFFE, 0x1CEBFFFE
SEGMENTS = frozenset({DIAGNOSTIC, ANNOUNCE, TRANSFER})
PAGES = (0, 1, 2, 9)

DATABASE = f"""VERSION ""

NS_ :

BS_:

BU_: Ecu

BO_ {LONG | 1 << 31} Long: 30 Ecu
 SG_ Speed : 0|16@1+ (1,0) [0|0] "" Ecu
 SG_ Driver : 16|32@1+ (1,0) [0|0] "" Ecu
 SG_ Rate : 48|16@1+ (1,0) [0|0] "" Ecu
 SG_ Nameless : 64|48@1+ (1,0) [0|0] "" Ecu
 SG_ Load : 112|8@1+ (1,0) [0|0] "" Ecu

BO_ {SECRET | 1 << 31} Secret: 24 Ecu
 SG_ Name1 : 0|64@1+ (1,0) [0|0] "" Ecu
 SG_ Name2 : 64|64@1+ (1,0) [0|0] "" Ecu

BO_ {MULTIPLEXED} Multiplexed: 8 Ecu
 SG_ Page M : 0|4@1+ (1,0) [0|0] "" Ecu
 SG_ Voltage m0 : 8|16@1+ (0.1,0) [0|0] "" Ecu
 SG_ Seat m1 : 8|16@1+ (1,0) [0|0] "" Ecu
 SG_ Level m1 : 24|8@1+ (1,0) [0|0] "" Ecu
 SG_ Strange m2 : 8|48@1+ (1,0) [0|0] "" Ecu
 SG_ Plain : 56|8@1+ (1,0) [0|0] "" Ecu

BO_ {HIDDEN} Hidden: 8 Ecu
 SG_ Occupant M : 0|8@1+ (1,0) [0|0] "" Ecu
 SG_ Pressure m0 : 8|16@1+ (1,0) [0|0] "" Ecu
 SG_ Always : 48|16@1+ (1,0) [0|0] "" Ecu

BO_ {WIDE} Wide: 64 Ecu
 SG_ Current : 7|16@0+ (0.1,0) [0|0] "" Ecu
 SG_ Person1 : 64|32@1+ (1,0) [0|0] "" Ecu
 SG_ Person2 : 96|32@1+ (1,0) [0|0] "" Ecu
 SG_ Person3 : 128|32@1+ (1,0) [0|0] "" Ecu
 SG_ Person4 : 160|32@1+ (1,0) [0|0] "" Ecu
 SG_ Camera : 199|48@0+ (1,0) [0|0] "" Ecu
 SG_ Tail : 496|16@1+ (1,0) [0|0] "" Ecu

BO_ {MIXED} Mixed: 8 Ecu
 SG_ Fuel : 0|12@1+ (0.1,0) [0|0] "" Ecu
 SG_ Nobody : 32|32@1+ (1,0) [0|0] "" Ecu

BO_ {CHECKED} Checked: 8 Ecu
 SG_ Sum_Checksum : 0|8@1+ (1,0) [0|0] "" Ecu
 SG_ Value : 16|16@1+ (1,0) [0|0] "" Ecu
 SG_ Guest : 32|32@1+ (1,0) [0|0] "" Ecu

BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG","StandardCAN_FD";
BA_DEF_DEF_ "VFrameFormat" "StandardCAN";
BA_ "VFrameFormat" BO_ {LONG | 1 << 31} 3;
BA_ "VFrameFormat" BO_ {SECRET | 1 << 31} 3;
BA_ "VFrameFormat" BO_ {WIDE} 4;
"""

CLASSES = f"""
[operation]
signals = [
  "Long.Speed", "Long.Rate", "Long.Load", "Multiplexed.Page", "Multiplexed.Voltage", "Multiplexed.Level",
  "Multiplexed.Plain", "Hidden.Pressure", "Hidden.Always", "Wide.Current", "Wide.Tail", "Mixed.Fuel",
  "Checked.Value",
]

[cabin]
signals = ["Long.Driver", "Multiplexed.Seat", "Hidden.Occupant", "Wide.Person?", "Checked.Guest"]

[exterior]
signals = ["Wide.Camera"]

[identity]
signals = ["Secret.*"]

[health]
signals = ["Checked.Sum_Checksum"]

[[integrity]]
signal = "Checked.Sum_Checksum"
covers = "message"

[[isotp]]
ids = [{DIAGNOSTIC}]

[[isotp.allow]]
class = "operation"
service = 0x62
identifiers = [0x0101]
bytes = 8
"""

BINDING = """
[binding]
about = "Truck"

[items."engine.speed"]
signal = "Long.Speed"
unit = "rpm"
range = [0, 60000]

[items."fc.voltage"]
signal = "Multiplexed.Voltage"
unit = "V"
range = [0, 2000]

[items."fc.current"]
signal = "Wide.Current"
unit = "A"
range = [0, 2000]

[items."engine.fuel_rate"]
signal = "Mixed.Fuel"
unit = "L/100km"
"""


def write(folder: Path) -> ClassedDatabase:
    """Write database, classes and binding into `folder`; load the first two."""
    (folder / "truck.dbc").write_text(DATABASE)
    (folder / "truck.classes.toml").write_text(CLASSES)
    (folder / "truck.binding.toml").write_text(BINDING)
    path = folder / "truck.dbc"
    return load_classes(folder / "truck.classes.toml", parse_database(path.read_bytes(), path))


def plain(begin_ns: int, timebase: Timebase) -> FrameBatch:
    """What needs no transport in the 100 ms from `begin_ns`: its own messages, and frames of no one."""
    turn = begin_ns // PERIOD_NS

    def word(number: int) -> bytes:
        return (number % 5000).to_bytes(2, "little")

    def made(place: int, identifier: int, data: bytes, bus: str = BUS, flags: FrameFlag = NO_FLAGS) -> Frame:
        return Frame(begin_ns + place * MS, identifier, data, bus, flags)

    current = word(turn)[::-1]
    frames = [
        made(1, HIDDEN, bytes(6) + word(turn)),
        made(2, WIDE, current + bytes(60) + word(turn), flags=FrameFlag.FD),
        made(3, MIXED, word(turn) + bytes(6)),
        made(4, CHECKED, bytes(2) + word(turn) + bytes(4)),
        made(5, MIXED, word(turn) + bytes(62), flags=FrameFlag.FD),
        made(6, MIXED, word(turn) + bytes(1)),
        made(7, 0x555, bytes(8)),
        made(8, 0x18AABBCC, bytes(8), flags=FrameFlag.EXTENDED),
        made(9, 0x004, bytes(8), flags=FrameFlag.ERROR),
        made(10, MIXED, bytes(8), flags=FrameFlag.REMOTE),
        made(11, WIDE, bytes(64), flags=FrameFlag.ERROR | FrameFlag.FD),
        made(12, MIXED, bytes(8), bus="stranger"),
        made(13, 0x321, bytes(8), bus="body", flags=FrameFlag.REMOTE),
        *(
            made(20 + page, MULTIPLEXED, bytes([page]) + word(turn) + bytes(4) + word(turn)[:1])
            for page in PAGES
        ),
    ]
    return FrameBatch.from_frames(frames, timebase=timebase)


def segmented(
    begin_ns: int, canaries: Canaries, classed: ClassedDatabase, draw: np.random.Generator
) -> Iterator[Frame]:
    """A second of messages in segments, of which the bits that may not be collected are drawn."""
    names = {message.name: message for message in classed.database.messages}
    speed = (begin_ns // PERIOD_NS % 3000).to_bytes(2, "little")
    for place, (name, size) in enumerate((("Long", 30), ("Secret", 24))):
        content = canaries.payload(BUS, names[name], speed + bytes(size - 2), draw.bytes(size))
        filler = draw.bytes(-size % 7)
        yield from broadcast(begin_ns + place * 400 * MS, names[name].arbitration_id, content, filler)
    allowed = b"\x62\x01\x01" + speed + bytes(6)
    identification = b"\x62\xf1\x90" + canaries.hide(draw.bytes(17))
    longer = b"\x62\x01\x01" + canaries.hide(draw.bytes(20))
    for place, message in enumerate((allowed, identification, longer)):
        yield from diagnostic(begin_ns + (820 + 40 * place) * MS, message)
    yield Frame(begin_ns + 990 * MS, DIAGNOSTIC, b"\x07\x62\xf1\x91" + draw.bytes(4), BUS)


def broadcast(t_ns: int, identifier: int, content: bytes, filler: bytes, bus: str = BUS) -> Iterator[Frame]:
    """A broadcast announce message and its packets (SAE J1939-21, 5.10.1), the last one filled up."""
    group = identifier >> 8 & 0x3FFFF
    packets = -(-len(content) // 7)
    size = len(content).to_bytes(2, "little")
    announce = bytes([32]) + size + bytes([packets, 0xFF]) + group.to_bytes(3, "little")
    yield Frame(t_ns, ANNOUNCE, announce, bus, FrameFlag.EXTENDED)
    for number in range(packets):
        chunk = (content + filler)[7 * number : 7 * number + 7]
        at_ns = t_ns + (number + 1) * 50 * MS
        yield Frame(at_ns, TRANSFER, bytes([number + 1]) + chunk, bus, FrameFlag.EXTENDED)


def diagnostic(t_ns: int, message: bytes, bus: str = BUS) -> Iterator[Frame]:
    """First and consecutive frames (ISO 15765-2)."""
    head = (0x1000 | len(message)).to_bytes(2, "big")
    yield Frame(t_ns, DIAGNOSTIC, head + message[:6], bus)
    for number, start in enumerate(range(6, len(message), 7), 1):
        chunk = message[start : start + 7].ljust(7, b"\xaa")
        yield Frame(t_ns + number * 5 * MS, DIAGNOSTIC, bytes([0x20 | number & 0xF]) + chunk, bus)
