"""The vehicle as a whole: its parts put together and moved on, a second at a time."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from simulator.vehicle.alarms import Alarms
from simulator.vehicle.battery import CELLS, Battery
from simulator.vehicle.cabin import Cabin
from simulator.vehicle.channels import CHUNK_STEPS, STEP_NS, STEP_S, TICK_S, TICK_STEPS, Part, numbered
from simulator.vehicle.charging import Charging
from simulator.vehicle.controls import Controls
from simulator.vehicle.cycle import DriveCycle
from simulator.vehicle.driveline import Driveline
from simulator.vehicle.motion import Motion
from simulator.vehicle.route import Route
from simulator.vehicle.scenario import Phase, Scenario
from simulator.vehicle.supply import LowVoltage, Thermal
from simulator.vehicle.surroundings import Surroundings

Float64s = npt.NDArray[np.float64]

CELL_CHANNELS = numbered("cell_voltage_v", CELLS)
PACK_CHANNELS = ("pack_voltage_v", "pack_current_a")
BASE_LOAD_W = 260.0
SLEEP_LOAD_W = 14.0
AWAKE_LOAD_W = 95.0


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """The state of the vehicle over a second.

    Attributes:
        first_step: number of its first step of 10 ms since the start.
        values: float64 of shape (channels, 100).
    """

    first_step: int
    values: Float64s

    @property
    def end_ns(self) -> int:
        """When the next chunk begins."""
        return (self.first_step + CHUNK_STEPS) * STEP_NS


class Physics:
    """A reference vehicle without buses.

    The drive line and the pack's voltage and current move every 10 ms; everything slower is held for 100 ms;
    what nothing feeds back from is computed over the whole second at once.
    """

    def __init__(self, seed: int, scenario: Scenario) -> None:
        def draw(part: str) -> random.Random:
            return random.Random(f"{seed}:{part}")  # noqa: S311 - a reproducible simulation, nothing secret

        self._scenario = scenario
        self._route = Route(draw("route"))
        self._driveline = Driveline(DriveCycle(), scenario.ambient_c, scenario.odometer_km)
        self._battery = Battery(
            draw("battery"), scenario.soc_percent / 100, scenario.ambient_c, scenario.hot_probes
        )
        self._battery.carry(0.0)
        self._charging = Charging(draw("charging"), self._battery, scenario.ambient_c)
        self._thermal = Thermal(scenario.ambient_c)
        self._low_voltage = LowVoltage(draw("12 V"), scenario.ambient_c)
        self._controls = Controls(
            scenario,
            draw("controls"),
            self._driveline,
            self._battery,
            self._charging,
            self._thermal,
            self._low_voltage,
        )
        self._cabin = Cabin(draw("cabin"))
        self._surroundings = Surroundings(draw("surroundings"))
        self._alarms = Alarms(scenario.forced_alarms)
        self._motion = Motion(self._route, scenario, draw("motion"))
        parts: tuple[Part, ...] = (
            self._battery,
            self._charging,
            self._thermal,
            self._low_voltage,
            self._controls,
            self._cabin,
            self._surroundings,
            self._alarms,
        )
        self._slow = parts
        slow = tuple(name for part in self._slow for name in part.channels)
        names = (*self._driveline.channels, *PACK_CHANNELS, *CELL_CHANNELS, *slow, *self._motion.channels)
        self.rows: Mapping[str, int] = MappingProxyType({name: row for row, name in enumerate(names)})
        if len(self.rows) != len(names):
            raise ValueError("two parts of the vehicle have a channel of one name")
        self._fast_end = len(self._driveline.channels) + len(PACK_CHANNELS)
        self._cells_end = self._fast_end + CELLS
        self._slow_end = self._cells_end + len(slow)
        self._drive_heat_w = 0.0
        self._pack_heat_w = 0.0
        self._step = 0

    def advance(self) -> Chunk:
        """Move the vehicle on by a second."""
        values = np.empty((len(self.rows), CHUNK_STEPS))
        first_step = self._step
        for begin in range(0, CHUNK_STEPS, TICK_STEPS):
            self._tick(values[:, begin : begin + TICK_STEPS])
        state = {name: values[row] for name, row in self.rows.items() if row < self._slow_end}
        columns = self._motion.columns(first_step, state)
        for name, column in columns.items():
            values[self.rows[name]] = column
        return Chunk(first_step, values)

    def _tick(self, values: Float64s) -> None:
        time_s = self._step * STEP_S
        phase, phase_s = self._scenario.phase(time_s)
        battery, controls = self._battery, self._controls
        battery.begin_tick()
        self._charging.tick(phase, phase_s, self._scenario.ambient_c)
        controls.tick(phase, phase_s)
        self._run_steps(phase, phase_s, values[: self._fast_end])
        self._run_slow_parts(time_s, phase, phase_s)
        values[self._fast_end : self._cells_end] = battery.cell_voltages_v(values[self._fast_end - 1])
        slow = [value for part in self._slow for value in part.values()]
        values[self._cells_end : self._slow_end] = np.array(slow)[:, None]

    def _run_steps(self, phase: Phase, phase_s: float, values: Float64s) -> None:
        battery, driveline, controls = self._battery, self._driveline, self._controls
        slope = self._route.slope(driveline.distance_m)
        drive_limit_w, regen_limit_w = controls.drive_limit_w, controls.regen_limit_w
        auxiliary_w, enabled = controls.auxiliary_w, controls.enabled
        charge_a = self._charging.current_a
        driving = phase is Phase.DRIVE
        rows = []
        for step in range(TICK_STEPS):
            drive_s = phase_s + step * STEP_S if driving else None
            driveline.step(drive_s, slope, drive_limit_w, regen_limit_w, enabled=enabled)
            if not controls.high_voltage:
                battery.carry(0.0)
            elif self._charging.session:
                battery.carry(auxiliary_w / battery.open_circuit_v - charge_a)
            else:
                battery.step(driveline.electrical_w + auxiliary_w)
            rows.append((*driveline.row(), battery.voltage_v, battery.current_a))
        values[:] = np.array(rows).T
        self._step += TICK_STEPS

    def _run_slow_parts(self, time_s: float, phase: Phase, phase_s: float) -> None:
        battery, driveline, controls, thermal = self._battery, self._driveline, self._controls, self._thermal
        high_voltage = controls.high_voltage
        self._pack_heat_w = battery.end_tick(
            time_s, thermal.inlet_c, thermal.flow_share, thermal.heater_w, charging=self._charging.session
        )
        self._drive_heat_w = driveline.front.warm(thermal.drive_c, TICK_S)
        self._drive_heat_w += driveline.rear.warm(thermal.drive_c, TICK_S)
        thermal.tick(
            driveline.speed_mps,
            float(battery.probe_c.mean()),
            self._pack_heat_w,
            self._drive_heat_w,
            high_voltage=high_voltage,
        )
        awake = phase is not Phase.OFF
        load_w = BASE_LOAD_W if high_voltage else AWAKE_LOAD_W if awake else SLEEP_LOAD_W
        self._low_voltage.tick(load_w, high_voltage=high_voltage)
        self._cabin.tick(phase, phase_s, driveline.speed_mps)
        self._surroundings.tick(driveline.speed_mps, driveline.distance_m)
        measured = {
            name: value
            for part in (battery, self._low_voltage)
            for name, value in zip(part.channels, part.values(), strict=True)
        }
        self._alarms.tick(time_s, {**measured, **controls.judged()}, high_voltage=high_voltage)
