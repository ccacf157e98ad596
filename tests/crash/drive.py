"""A small vehicle: its database, a gateway's configuration for it, and recordings drawn by a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from threading import Event

from edge.clock import NS_PER_S, Clock
from edge.config.configuration import Config
from edge.frames import Frame, FrameBatch
from edge.loading import Loaded, load
from edge.records import Record
from edge.wire.key_files import public_path, write_signing_key
from edge.wire.keys import SigningKey

BUS = "pt"
VEHICLE_KEY, PLATFORM_KEY = SigningKey.seeded(b"crash: vehicle"), SigningKey.seeded(b"crash: platform")
UPLINK_PERIOD_S = 5.0
NEVER = Event()

_MOTION, _FIX, _ALARMS = 256, 257, 260
_DATABASE = f"""VERSION ""

NS_ :

BS_:

BU_: ECU

BO_ {_MOTION} Motion: 8 ECU
 SG_ Speed : 0|16@1+ (0.01,0) [0|300] "km/h" ECU
 SG_ Counter : 16|32@1+ (1,0) [0|0] "" ECU

BO_ {_FIX} Fix: 8 ECU
 SG_ Latitude : 0|32@1- (0.0000001,0) [-90|90] "deg" ECU
 SG_ Longitude : 32|32@1- (0.0000001,0) [-180|180] "deg" ECU

BO_ {_ALARMS} Alarms: 8 ECU
 SG_ Hot : 0|1@1+ (1,0) [0|1] "" ECU
"""
_CLASSES = """
[operation]
signals = ["Motion.*", "Alarms.*"]
[position]
signals = ["Fix.*"]
"""
_BINDING = """
[items."vehicle.speed"]
signal = "Motion.Speed"
[items."gnss.datum"]
constant = "WGS84"
[items."gnss.lat"]
signal = "Fix.Latitude"
[items."gnss.lon"]
signal = "Fix.Longitude"
[items."alarm.flags"]
latched = true
[items."alarm.flags".bits]
battery_high_temperature = "Alarms.Hot"
[items."alarm.flags".levels]
battery_high_temperature = 3
[items."alarm.max_level"]
derive = "max_level"
of = "alarm.flags"
"""


def write_vehicle(folder: Path) -> None:
    """Put the database and the keys of the vehicle and its platform into `folder`."""
    write_signing_key(folder / "vehicle.pem", VEHICLE_KEY)
    write_signing_key(folder / "platform.pem", PLATFORM_KEY)
    (folder / "small.dbc").write_text(_DATABASE)
    (folder / "small.classes.toml").write_text(_CLASSES)
    (folder / "small.binding.toml").write_text(_BINDING)


def configured(folder: Path, *, vehicle: str, journal: Path, port: int) -> Loaded:
    """Load the configuration of a gateway; its samples of every second become records at an alarm."""
    return load(
        Config.model_validate(
            {
                "vehicle": {"vin": vehicle},
                "bus": [{"name": BUS, "database": [{"file": folder / "small.dbc"}]}],
                "sampling": {
                    "collect_period_s": 2.0,
                    "uplink_period_s": UPLINK_PERIOD_S,
                    "edition": "2016",
                },
                "uplink": {"host": "127.0.0.1", "port": port, "tls": {"enabled": False}},
                "journal": {"folder": journal, "frames": True, "block_period_s": 0.05},
                "signing": {
                    "key": folder / "vehicle.pem",
                    "platform": public_path(folder / "platform.pem"),
                },
            }
        )
    )


def recording(random: Random, clock: Clock, *, seconds: int, longest_pause_s: float) -> Iterator[FrameBatch]:
    """A batch for each second of a drive that has just ended, with alarms, as fast as the pauses allow."""
    timebase = clock.timebase()
    begin_ns = clock.boot_ns() - (seconds + 1) * NS_PER_S
    hot_until = 0
    for second in range(seconds):
        if second >= hot_until and random.random() < 0.02:
            hot_until = second + random.randint(1, 4)
        at_ns = begin_ns + second * NS_PER_S
        speed, counter = random.randrange(30_000), random.getrandbits(32)
        place = [random.randrange(-(9 * 10**8), 9 * 10**8) for _ in range(2)]
        yield FrameBatch.from_frames(
            [
                Frame(at_ns, _ALARMS, bytes([second < hot_until, *bytes(7)]), BUS),
                Frame(
                    at_ns + 1_000,
                    _MOTION,
                    speed.to_bytes(2, "little") + counter.to_bytes(4, "little") + bytes(2),
                    BUS,
                ),
                Frame(
                    at_ns + 2_000,
                    _FIX,
                    b"".join(each.to_bytes(4, "little", signed=True) for each in place),
                    BUS,
                ),
            ],
            buses=[BUS],
            timebase=timebase,
        )
        if longest_pause_s:
            clock.wait(NEVER, random.uniform(0, longest_pause_s))


def digest(record: Record) -> str:
    """What a record says, its number apart; whether it is sent late is no part of it."""
    said = (
        record.t_ns,
        record.timebase,
        sorted(record.values.items()),
        record.mask,
        record.alarm,
    )
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]
