"""Frames of four buses at full load, out of the reference vehicle, as the kernel has them in memory."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import cantools
import numpy as np
import numpy.typing as npt
from cantools.database.can import Database

from edge.bus.socketcan.kernel_frames import EXTENDED
from edge.frames import FrameFlag
from simulator.vehicle.vehicle import ReferenceVehicle

DATABASES = Path(__file__).parents[3] / "dbc"

BUSES = ("powertrain", "battery", "body", "drive")
"""Those of the reference vehicle with classic frames; `drive` is a second powertrain bus, 5 s ahead."""
SOURCE = {"drive": "powertrain"}
RATE = 8_000
"""Frames a second on each bus: all that 1 Mbit/s carries of 8 bytes."""
CYCLE = 16_000
"""Frames of a bus until they come again, in the order in which the vehicle sends them."""

ALARM_BUS, ALARM_MESSAGE, ALARM_LEVEL = "powertrain", "VCU_Alarms", "AlarmHighestLevel"
FRAME = np.dtype([("id", "u4"), ("length", "u1"), ("rest", "V3"), ("data", "u1", (8,))])
"""``struct can_frame`` (linux/can.h)."""

Frames = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is sent.

    Attributes:
        frames: of all buses in turn: frame n goes out on bus n modulo 4.
        alarmed: the same, with the highest alarm level 4 in each frame that has one.
        alarm_id: id of these.
    """

    frames: Frames
    alarmed: Frames
    alarm_id: int

    def of(self, bus: str) -> Frames:
        """The frames of one bus in order."""
        return self.frames[BUSES.index(bus) :: len(BUSES)]


def made() -> Traffic:
    """Drive the reference vehicle until each bus has enough frames."""
    columns = {bus: _driven(SOURCE.get(bus, bus), 5.0 if bus in SOURCE else 0.0) for bus in BUSES}
    frames = np.zeros(CYCLE * len(BUSES), FRAME)
    for place, bus in enumerate(BUSES):
        frames[place :: len(BUSES)] = columns[bus]
    database = can_database(DATABASES / f"nev-{ALARM_BUS}.dbc")
    message = database.get_message_by_name(ALARM_MESSAGE)
    alarmed = frames.copy()
    places = np.arange(len(frames)) % len(BUSES)
    for row in np.flatnonzero((frames["id"] == message.frame_id) & (places == BUSES.index(ALARM_BUS))):
        said = message.decode_simple(frames["data"][row].tobytes(), decode_choices=False)
        raised = message.encode({**said, ALARM_LEVEL: 4}, strict=False)
        alarmed["data"][row] = np.frombuffer(raised, np.uint8)
    return Traffic(frames, alarmed, message.frame_id)


def can_database(file: Path) -> Database:
    """A DBC file as cantools reads it."""
    database = cantools.database.load_file(file)
    assert isinstance(database, Database)
    return database


def databases(folder: Path) -> dict[str, Path]:
    """Lay the databases with their classes and bindings into a folder; give the file of each bus.

    Of two buses with one database, only the first has a binding.
    """
    found = {}
    for bus in BUSES:
        name = f"nev-{SOURCE.get(bus, bus)}"
        place = folder / bus
        place.mkdir()
        for ending in (".dbc", ".classes.toml", *([] if bus in SOURCE else [".binding.toml"])):
            if (DATABASES / f"{name}{ending}").exists():
                shutil.copy(DATABASES / f"{name}{ending}", place)
        found[bus] = place / f"{name}.dbc"
    return found


def _driven(bus: str, from_s: float) -> Frames:
    """Frames that the reference vehicle sends on a bus."""
    vehicle = ReferenceVehicle(1)
    found: list[Frames] = []
    count, duration_s = 0, 10.0
    while count < CYCLE:
        found, count = [], 0
        vehicle = ReferenceVehicle(1)
        for batch in vehicle.frames(from_s + duration_s):
            own = (batch.bus == batch.buses.index(bus)) & (batch.length <= 8) & (batch.t_ns >= from_s * 1e9)
            rows = np.zeros(int(own.sum()), FRAME)
            extended = batch.has(FrameFlag.EXTENDED)[own]
            rows["id"] = batch.arbitration_id[own] | extended * np.uint32(EXTENDED)
            rows["length"] = batch.length[own]
            rows["data"] = batch.data[own, :8]
            found.append(rows)
            count += len(rows)
        duration_s *= 1.2 * CYCLE / max(count, 1)
    return np.concatenate(found)[:CYCLE]
