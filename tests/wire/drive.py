"""A seeded drive of 80 moving values a second, as the wire's tests and benches need it; no vehicle model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.clock import Timebase, TimeQuality
from edge.records import Record, Value
from edge.wire.item_keys import KeyTable
from edge.wire.message import MessageKind, RecordMessage

CELLS = 41
PROBES = 12
MOTORS = 2
NS_PER_S = 1_000_000_000
START_NS = 5_012_345_678_901
WALL_OFFSET_NS = 1_764_000_000_123_456_789

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Drive:
    """N seconds of a drive.

    Attributes:
        scalars: by item id, whole steps of its resolution, N each; 27 of them.
        cells: millivolts, of shape (N, 41).
        probes: degrees Celsius, of shape (N, 12).
    """

    scalars: dict[str, list[int]]
    cells: npt.NDArray[np.int64]
    probes: npt.NDArray[np.int64]


def drive(seconds: int, seed: int) -> Drive:
    """Make a town drive: speed follows set points, all else follows speed, each sensor with noise of its own.

    Noise has a standard deviation of about one step of the item's resolution where sensors do (cell voltages,
    pedals, torque), more for currents; temperatures are sampled at 1 degree and drift.
    """
    random = np.random.default_rng(seed)
    set_point = np.repeat(random.uniform(0, 80, seconds // 20 + 1), 20)[:seconds]
    speed_kmh = np.zeros(seconds)
    for second in range(1, seconds):
        pull = np.clip((set_point[second] - speed_kmh[second - 1]) * 0.25, -7.0, 5.0)
        speed_kmh[second] = max(0.0, speed_kmh[second - 1] + pull + random.normal(0, 0.25))
    gain = np.gradient(speed_kmh).astype(np.float64) / 3.6
    power_kw = 1.9 * gain * speed_kmh / 3.6 + 0.02 * speed_kmh + 6e-6 * speed_kmh**3 + 1.2
    current_a = power_kw * 1000 / 380 + random.normal(0, 0.3, seconds)
    voltage_v = 385 - 0.09 * current_a - np.arange(seconds) * 0.002
    torque = gain * 62 + random.normal(0, 0.15, seconds)
    heat = np.cumsum(np.abs(power_kw)) * 0.002

    def noisy(signal: Floats, deviation: float, resolution: float) -> list[int]:
        steps = np.rint((signal + random.normal(0, deviation, seconds)) / resolution)
        return steps.astype(np.int64).tolist()  # type: ignore[no-any-return] # a list of int, says NumPy's tolist

    heading = np.cumsum(random.normal(0, 0.03, seconds))
    metres = speed_kmh / 3.6
    open_circuit = 3.72 + random.normal(0, 0.006, CELLS)
    resistance = 0.0009 * (1 + random.normal(0, 0.04, CELLS))
    cell_v = open_circuit - np.outer(current_a, resistance) + random.normal(0, 0.001, (seconds, CELLS))
    probe_c = (
        24 + random.normal(0, 1.2, PROBES) + 0.25 * heat[:, None] + random.normal(0, 0.2, (seconds, PROBES))
    )
    cells = np.rint(cell_v * 1000).astype(np.int64)
    probes = np.rint(probe_c).astype(np.int64)
    scalars = {
        "vehicle.speed": noisy(speed_kmh, 0.05, 0.1),
        "vehicle.odometer": noisy(23_456.7 + np.cumsum(metres) / 1000, 0.0, 0.1),
        "hv.voltage": noisy(voltage_v, 0.1, 0.1),
        "hv.current": noisy(current_a, 0.1, 0.1),
        "hv.soc": noisy(71 - np.arange(seconds) * 0.004, 0.0, 1),
        "hv.insulation": noisy(np.full(seconds, 4_200.0), 6.0, 1),
        "vehicle.accel_pedal": noisy(np.clip(gain * 22 + 8, 0, 100), 0.6, 1),
        "vehicle.brake_pedal": noisy(np.clip(-gain * 18, 0, 100), 0.3, 1),
        "gnss.lon": noisy(116.391 + np.cumsum(metres * np.sin(heading)) / 85_000, 2e-6, 1e-6),
        "gnss.lat": noisy(39.907 + np.cumsum(metres * np.cos(heading)) / 111_000, 2e-6, 1e-6),
        "bat.max_cell_v": cells.max(axis=1).tolist(),
        "bat.min_cell_v": cells.min(axis=1).tolist(),
        "bat.max_temp": probes.max(axis=1).tolist(),
        "bat.min_temp": probes.min(axis=1).tolist(),
        "pack[1].voltage": noisy(voltage_v, 0.1, 0.1),
    }
    for motor, share in zip(range(1, MOTORS + 1), (0.6, 0.4), strict=True):
        name = f"motor[{motor}]"
        scalars[f"{name}.speed"] = noisy(speed_kmh * 82, 4.0, 1)
        scalars[f"{name}.torque"] = noisy(torque * share * 4, 0.2, 0.1)
        scalars[f"{name}.temp"] = noisy(42 + heat * share, 0.3, 1)
        scalars[f"{name}.ctrl_temp"] = noisy(38 + heat * share * 0.8, 0.3, 1)
        scalars[f"{name}.ctrl_voltage"] = noisy(voltage_v - 0.4, 0.15, 0.1)
        scalars[f"{name}.bus_current"] = noisy(current_a * share, 0.15, 0.1)
    return Drive(scalars, cells, probes)


def records(trip: Drive, *, first: int = 1, arrays: bool) -> list[Record]:
    """The records of a drive: cells and probes as two arrays, or as 53 further items of one value each."""
    timebase = Timebase(WALL_OFFSET_NS, TimeQuality.GNSS)
    made = []
    for second in range(len(trip.cells)):
        values: dict[str, Value] = {item_id: steps[second] for item_id, steps in trip.scalars.items()}
        if arrays:
            values["pack[1].cells"] = tuple(trip.cells[second].tolist())
            values["pack[1].probes"] = tuple(trip.probes[second].tolist())
        else:
            values.update({f"cell[{n}].v": v for n, v in enumerate(trip.cells[second].tolist(), start=1)})
            values.update({f"probe[{n}].t": v for n, v in enumerate(trip.probes[second].tolist(), start=1)})
        made.append(
            Record(first + second, START_NS + second * NS_PER_S, timebase, values, mask="3f9c11d2a0b7e456")
        )
    return made


def walking_records(seconds: int, seed: int, *, signals: int = 80, step: float = 2.0) -> list[Record]:
    """Records of items that know nothing of each other: random walks of `step` steps deviation a second."""
    random = np.random.default_rng(seed)
    starts = random.integers(-2000, 20_000, signals)
    walks = starts + np.rint(np.cumsum(random.normal(0, step, (seconds, signals)), axis=0)).astype(np.int64)
    timebase = Timebase(WALL_OFFSET_NS, TimeQuality.GNSS)
    return [
        Record(
            1 + second,
            START_NS + second * NS_PER_S,
            timebase,
            {f"signal[{n}].value": value for n, value in enumerate(walks[second].tolist(), start=1)},
            mask="3f9c11d2a0b7e456",
        )
        for second in range(seconds)
    ]


def drive_keys() -> KeyTable:
    """Wire keys for all that this module makes: dense, as a catalogue numbers its rows."""
    names = list(drive(2, 0).scalars)
    plain = [name for name in names if "[" not in name]
    motor = [name.split("].")[1] for name in names if name.startswith("motor[1]")]
    table = {name: (key, 0) for key, name in enumerate(plain, start=1)}
    for key, name in enumerate(motor, start=30):
        table.update({f"motor[{n}].{name}": (key, n) for n in range(1, MOTORS + 1)})
    table |= {"pack[1].voltage": (50, 1), "pack[1].cells": (51, 1), "pack[1].probes": (52, 1)}
    table |= {f"cell[{n}].v": (60, n) for n in range(1, CELLS + 1)}
    table |= {f"probe[{n}].t": (61, n) for n in range(1, PROBES + 1)}
    table |= {f"signal[{n}].value": (70, n) for n in range(1, 201)}
    return KeyTable(table)


def message_of(made: list[Record], kind: MessageKind = MessageKind.LIVE) -> RecordMessage:
    """A message with ids that cannot be compressed."""
    random = np.random.default_rng(7)
    return RecordMessage(kind, "LNEVGATE000000001", random.bytes(16), random.bytes(16), tuple(made))
