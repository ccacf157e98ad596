"""The vehicle control: key, gear, high voltage, limits and counters, as the scenario's phase asks."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from simulator.vehicle.battery import Battery
from simulator.vehicle.channels import TICK_S, numbered
from simulator.vehicle.charging import PARKED_CHARGING, Charging
from simulator.vehicle.driveline import GEAR_D, GEAR_P, Driveline
from simulator.vehicle.motor import RPM_PER_RADPS, Motor
from simulator.vehicle.scenario import Phase, Scenario
from simulator.vehicle.supply import LowVoltage, Thermal

PRECHARGE_S = 0.4
KELVIN = 273.15
SHORTEST_TRIP_KM = 0.1
FRONT_WHEELS = 2
RECUPERATION_LIMIT_W = 120_000.0
DRIVE_LIMIT_W = 290_000.0
AWAKE = frozenset({Phase.ON, Phase.READY, Phase.DRIVE, Phase.PARKED})
DRIVABLE = frozenset({Phase.READY, Phase.DRIVE, Phase.PARKED})
LAMP_FROM_DERATE = 0.75
TOWN_KWH_PER_100KM = 14.5

STATE_ON, STATE_OFF = 1, 2
"""Vehicle states as GB/T 32960.3 codes them."""

ICCID = "89860126801234567890"
PACK_CODE = "0NVPE10830150BA5B0000017"


def as_pages(text: str, *, page_bytes: int = 6) -> tuple[float, ...]:
    """ASCII text as little-endian numbers of six characters, as the identification messages have it."""
    data = text.encode("ascii")
    return tuple(
        float(int.from_bytes(data[begin : begin + page_bytes], "little"))
        for begin in range(0, len(data), page_bytes)
    )


class Controls:
    """States that the driver's doings lead to.

    Attributes:
        phase: of the scenario.
        phase_s: how long it has lasted.
        high_voltage: whether the main contactors are closed.
        auxiliary_w: climate, heater and 12 V together, from high voltage, over the tick.
        enabled: whether the inverters run.
    """

    channels = (
        "vehicle_state", "key_position", "ready", "hv_state", "wake_reason", "state_duration_s", "trip_km",
        "range_km", "trip_energy_kwh", "trip_regen_kwh", "consumption_kwh_100km", "gear", "gear_target",
        "gear_invalid", "park_lock", "hill_hold", "lever", "park_brake", "reversing_light",
        *numbered("motor_mode", 2), *numbered("motor_enable", 2), "drive_limit_kw", "regen_limit_kw",
        "limit_reason", "derate_lamp", "aux_power_kw", *numbered("controller_temp_c", 2),
        *numbered("motor_temp_c", 2), *numbered("igbt_temp_c", 2), *numbered("rotor_temp_c", 2),
        *numbered("board_temp_c", 2), *numbered("gear_oil_temp_c", 2), *numbered("motor_max_nm", 2),
        *numbered("motor_min_nm", 2), *numbered("motor_derate_percent", 2), "main_contactor",
        "precharge_relay", "bms_state", "hvil_closed", "insulation_state", "insulation_pos_kohm",
        "insulation_neg_kohm", "insulation_kohm", "uptime_s", "operating_h", "terminal15", "climate_a",
        "dcdc_input_a", *numbered("brake_temp_c", 4), *numbered("tyre_kpa", 4),
        *numbered("tyre_temp_c", 4), *numbered("vin", 3), *numbered("pack_code", 4), *numbered("iccid", 4),
        "controller_max_c", "winding_max_c", "motor_max_rpm",
    )  # fmt: skip

    def __init__(
        self,
        scenario: Scenario,
        draw: random.Random,
        driveline: Driveline,
        battery: Battery,
        charging: Charging,
        thermal: Thermal,
        low_voltage: LowVoltage,
    ) -> None:
        self._scenario = scenario
        self._draw = draw
        self._driveline = driveline
        self._battery = battery
        self._charging = charging
        self._thermal = thermal
        self._low_voltage = low_voltage
        self.phase = Phase.OFF
        self.phase_s = 0.0
        self.high_voltage = False
        self.auxiliary_w = 0.0
        self._precharging = False
        self._on = False
        self._state_s = 0.0
        self._uptime_s = 0.0
        self._trip_begin = (0.0, 0.0, 0.0)
        self._brake_c = [scenario.ambient_c] * 4
        self._tyre_c = [scenario.ambient_c + draw.uniform(-1, 1) for _ in range(4)]
        self._tyre_cold_kpa = [draw.uniform(246, 256) for _ in range(4)]
        self._insulation_kohm = [draw.uniform(5_000, 7_000), draw.uniform(5_000, 7_000)]
        self._codes = (*as_pages(scenario.vin), *as_pages(PACK_CODE), *as_pages(ICCID))

    @property
    def enabled(self) -> bool:
        """Whether the inverters run."""
        return self.high_voltage and self.phase in DRIVABLE

    @property
    def drive_limit_w(self) -> float:
        """Most that the drive may take."""
        battery = self._battery
        sag_v = battery.open_circuit_v - battery.discharge_limit_a * battery.resistance_ohm
        return min(DRIVE_LIMIT_W, battery.discharge_limit_a * sag_v)

    @property
    def regen_limit_w(self) -> float:
        """Most that the drive may give back."""
        return min(RECUPERATION_LIMIT_W, self._battery.charge_limit_a * self._battery.open_circuit_v)

    def tick(self, phase: Phase, phase_s: float) -> None:
        """Move on by a tick."""
        self.phase, self.phase_s = phase, phase_s
        self._uptime_s += TICK_S
        on = phase in AWAKE
        self._state_s = 0.0 if on != self._on else self._state_s + TICK_S
        if on and not self._on:
            battery = self._battery
            self._trip_begin = (self._driveline.distance_m, battery.discharged_kwh, battery.charged_kwh)
        self._on = on
        wanted = phase in DRIVABLE or self._charging.session
        begun = phase is Phase.READY and phase_s < PRECHARGE_S
        self._precharging = wanted and begun and not self.high_voltage
        self.high_voltage = wanted and not self._precharging
        if phase is Phase.DRIVE:
            self._driveline.gear = GEAR_D
        elif self._driveline.standing:
            self._driveline.gear = GEAR_P
        thermal = self._thermal
        loads_w = thermal.climate_w + thermal.heater_w + self._low_voltage.input_w
        self.auxiliary_w = loads_w if self.high_voltage else 0.0
        self._wear()

    def _wear(self) -> None:
        driveline, ambient_c = self._driveline, self._scenario.ambient_c
        heat_w = driveline.friction_n * driveline.speed_mps
        for place in range(4):
            share = 0.32 if place < FRONT_WHEELS else 0.18
            away_w = (6 + 1.1 * driveline.speed_mps) * (self._brake_c[place] - ambient_c)
            self._brake_c[place] += (share * heat_w - away_w) * TICK_S / 4_200
            warm_c = ambient_c + 0.55 * driveline.speed_mps
            self._tyre_c[place] += (warm_c - self._tyre_c[place]) * TICK_S / 400
        for side in range(2):
            drawn = self._insulation_kohm[side] + self._draw.gauss(0, 12)
            self._insulation_kohm[side] = max(4_200.0, min(8_000.0, drawn))

    def judged(self) -> Mapping[str, float]:
        """Quantities that alarms are judged by and no single part knows."""
        driveline = self._driveline
        return {
            "pack_voltage_v": self._battery.voltage_v,
            "insulation_kohm": min(self._insulation_kohm),
            "controller_max_c": max(driveline.front.controller_c, driveline.rear.controller_c),
            "winding_max_c": max(driveline.front.winding_c, driveline.rear.winding_c),
            "motor_max_rpm": max(driveline.front.speed_radps, driveline.rear.speed_radps) * RPM_PER_RADPS,
        }

    def _bms_state(self) -> int:
        if self._precharging:
            return 2
        if self._charging.session:
            return 5 if self.phase is Phase.DC_CHARGE else 4
        return 3 if self.high_voltage else 1

    def _trip(self) -> tuple[float, float, float, float]:
        battery = self._battery
        metres, given, taken = self._trip_begin
        trip_km = (self._driveline.distance_m - metres) / 1000
        regen_kwh = battery.charged_kwh - taken
        energy_kwh = battery.discharged_kwh - given - regen_kwh
        per_100km = max(0.0, min(100.0, energy_kwh / trip_km * 100)) if trip_km > SHORTEST_TRIP_KM else 0.0
        return trip_km, energy_kwh, regen_kwh, per_100km

    def _tyre_kpa(self) -> Sequence[float]:
        cold_k = self._scenario.ambient_c + KELVIN
        return [
            cold * (warm + KELVIN) / cold_k
            for cold, warm in zip(self._tyre_cold_kpa, self._tyre_c, strict=True)
        ]

    def values(self) -> Sequence[float]:
        """See `Part.values`."""
        driveline, battery, phase = self._driveline, self._battery, self.phase
        motors: tuple[Motor, Motor] = (driveline.front, driveline.rear)
        trip_km, energy_kwh, regen_kwh, per_100km = self._trip()
        on, driving = phase in AWAKE, driveline.gear == GEAR_D
        enabled = float(self.enabled)
        plugged = self._charging.plugged
        derate = min(motor.derate for motor in motors)
        link_v = max(battery.voltage_v, 1.0)
        plus_kohm, minus_kohm = self._insulation_kohm
        charging = self._charging.state == PARKED_CHARGING
        remaining_kwh = battery.soc * battery.full_ah * battery.open_circuit_v / 1000
        return (
            STATE_ON if on else STATE_OFF, 3 if self.enabled else 2 if on else 0, enabled,
            1 if self._precharging else 2 if self.high_voltage else 0, 1 if on else 2 if plugged else 0,
            min(65_535.0, self._state_s), trip_km, remaining_kwh / TOWN_KWH_PER_100KM * 100, energy_kwh,
            regen_kwh, per_100km, driveline.gear, GEAR_D if phase is Phase.DRIVE else GEAR_P, 0.0,
            float(not driving), float(driving and driveline.standing),
            3 if driving and self.phase_s < 1 else 0, float(not driving), 0.0, enabled, enabled, enabled,
            enabled, self.drive_limit_w / 1000, self.regen_limit_w / 1000, 3 if derate < 1 else 0,
            float(derate < LAMP_FROM_DERATE), self.auxiliary_w / 1000,
            *(motor.controller_c for motor in motors), *(motor.winding_c for motor in motors),
            *(motor.controller_c + 4 for motor in motors), *(motor.rotor_c for motor in motors),
            *(0.5 * (motor.controller_c + self._scenario.ambient_c) for motor in motors),
            *(motor.oil_c for motor in motors), *(motor.limit_nm() for motor in motors),
            *(-motor.limit_nm() for motor in motors), *(100 * motor.derate for motor in motors),
            float(self.high_voltage), float(self._precharging), self._bms_state(), 1.0,
            1.0 if self.high_voltage or charging else 0.0, plus_kohm, minus_kohm,
            min(plus_kohm, minus_kohm), self._uptime_s, 1_204.5 + self._uptime_s / 3600, float(on),
            self._thermal.climate_w / link_v, self._low_voltage.input_w / link_v, *self._brake_c,
            *self._tyre_kpa(), *self._tyre_c, *self._codes, *list(self.judged().values())[2:],
        )  # fmt: skip
