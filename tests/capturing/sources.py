"""What the process of capture opens in tests: a bus that sends at a rate, and a sensor beside it."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge.account import Hop
from edge.bus.source import FrameSource
from edge.bus.tally import Tally
from edge.capture import Capture
from edge.capturing.opening import CapturePlan, Opened
from edge.capturing.pace import Pace
from edge.catalogue.catalogue import builtin
from edge.clock import NS_PER_S, Clock, Timebase
from edge.database.load import load_database
from edge.errors import SourceError
from edge.frames import FrameBatch
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.door import Door
from edge.sensors.observation import Observation
from edge.sensors.source import ItemSource, hop_of

MESSAGE = 256
DATABASE = """VERSION ""
BU_: ECU
BO_ 256 Mixed: 8 ECU
 SG_ Number : 0|32@1+ (1,0) [0|4294967295] "" ECU
 SG_ Cabin : 32|32@1+ (1,0) [0|4294967295] "" ECU
"""
CLASSES = '[operation]\nsignals = ["Mixed.Number"]\n[cabin]\nsignals = ["Mixed.Cabin"]\n'
OPERATION = frozenset({DataClass.OPERATION})
BOTH = frozenset({DataClass.OPERATION, DataClass.CABIN})


def write_databases(folder: Path) -> None:
    (folder / "mixed.dbc").write_text(DATABASE)
    (folder / "mixed.classes.toml").write_text(CLASSES)


def classed(folder: Path) -> ClassedDatabase:
    return load_classes(folder / "mixed.classes.toml", load_database(folder / "mixed.dbc"))


def canary(seed: str) -> bytes:
    """Four bytes that stand in no file and no message: only who knows the seed can make them."""
    return hashlib.sha256(seed.encode()).digest()[:4]


def plan(folder: Path, **arguments: object) -> CapturePlan:
    write_databases(folder)
    return CapturePlan(f"{__name__}:{open_flood.__name__}", {"folder": str(folder), **arguments})


class Flood(FrameSource):
    """Sends so many numbered frames a second until there are so many, then is silent, or ends.

    Every frame has a canary in the bits of its cabin signal.
    """

    def __init__(self, arguments: Mapping[str, Any], clock: Clock) -> None:
        self.live = bool(arguments.get("live", True))
        self._clock = clock
        self._rate = int(arguments.get("rate", 1000))
        self._count = int(arguments.get("count", 1 << 31))
        self._ends = bool(arguments.get("ends", False))
        self._error_at = int(arguments.get("error_at", 1 << 31))
        self._crash_at = int(arguments.get("crash_at", 1 << 31))
        self._batch = int(arguments.get("batch", 1 << 31))
        self._cabin = np.frombuffer(canary(str(arguments.get("seed", ""))), np.uint8)
        self._start_ns = clock.boot_ns()
        self._tally = Tally()
        self._closed = False

    @property
    def buses(self) -> tuple[str, ...]:
        return ("pt",)

    @property
    def timebase(self) -> Timebase:
        return self._clock.timebase()

    def read(self, timeout_s: float) -> FrameBatch | None:
        del timeout_s
        now_ns = self._clock.boot_ns()
        sent = self._tally.left
        if self._closed or (self._ends and sent >= self._count):
            return None
        due = self._count
        if self.live:
            due = min(due, (now_ns - self._start_ns) * self._rate // NS_PER_S)
        count = min(due - sent, self._batch)
        if sent + count >= self._error_at:
            raise SourceError("is unplugged", where="bus pt")
        if sent + count >= self._crash_at:
            raise ValueError(f"cannot understand {self._cabin.tobytes()!r}")
        numbers = np.arange(sent, sent + count, dtype=np.uint32)
        data = np.empty((count, 8), np.uint8)
        data[:, :4] = numbers.view(np.uint8).reshape(count, 4)
        data[:, 4:] = self._cabin
        batch = FrameBatch(
            t_ns=self._start_ns + numbers.astype(np.int64) * NS_PER_S // self._rate,
            bus=np.zeros(count, np.uint8),
            arbitration_id=np.full(count, MESSAGE, np.uint32),
            flags=np.zeros(count, np.uint16),
            length=np.full(count, 8, np.uint16),
            data=data,
            buses=self.buses,
            timebase=self.timebase,
        )
        self._tally.entered += count
        self._tally.hand_on(batch)
        return batch

    def close(self) -> None:
        self._closed = True

    def hop(self) -> Hop:
        return self._tally.hop("bus pt")


class Thermometer(ItemSource):
    """Says something at each reading."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: Counter[str] = Counter()

    @property
    def name(self) -> str:
        return "iio thermometer"

    @property
    def items(self) -> tuple[str, ...]:
        return ("bat.max_temp",)

    def read(self, timeout_s: float) -> tuple[Observation, ...] | None:
        del timeout_s
        self._counts.update(entered=1, left=1)
        return (Observation("bat.max_temp", self._clock.boot_ns(), 21.5),)

    def close(self) -> None:
        pass

    def hop(self) -> Hop:
        return hop_of(self.name, "readings", self._counts, {})


class _Stubborn(Door):
    """Does not come back from taking up another mask."""

    def adopt(self, collect: Collection[DataClass], admission: str = "") -> None:
        if admission != self._admission:
            time.sleep(3600)
        super().adopt(collect, admission)


def open_flood(
    arguments: Mapping[str, Any], collect: Collection[DataClass], admission: str, clock: Clock
) -> Opened:
    if arguments.get("refuse"):
        raise SourceError("is not there", where="bus pt", todo="Plug it in")
    once = arguments.get("only_once")
    if once:
        mark = Path(str(once))
        if mark.exists():
            raise SourceError("is not there", where="bus pt")
        mark.touch()
    kind = _Stubborn if arguments.get("stubborn") else Door
    door = kind({"pt": [classed(Path(arguments["folder"]))]}, frozenset(collect), admission)
    sensors = [Thermometer(clock)] if arguments.get("sensor") else []
    catalogue = builtin()
    source = Flood(arguments, clock)
    items = tuple(item for sensor in sensors for item in sensor.items)
    return Opened(
        Capture(source, door, sensors=sensors, catalogue=catalogue), door.mask, items, pace=Pace(0.02)
    )
