"""Charge port, on-board charger and off-board charger: from the plug going in to the target being reached."""

from __future__ import annotations

import random
from collections.abc import Sequence

from simulator.vehicle.battery import CELLS, HIGHEST_CELL_V, Battery
from simulator.vehicle.channels import TICK_S
from simulator.vehicle.scenario import Phase

LOCKED_AFTER_S = 1.0
HANDSHAKE_FROM_S = 1.5
CURRENT_FROM_S = 3.0
DC_TARGET = 0.8
AC_TARGET = 1.0
DC_RAMP_A_PER_S = 40.0
DC_CHARGER_A = 250.0
MAINS_V = 230.0
MAINS_A = 16.0
PHASES = 3
OBC_EFFICIENCY = 0.942
LEAST_CURRENT_A = 2.0

NOT_CHARGING, PARKED_CHARGING, COMPLETE = 3, 1, 4
"""Charge states as GB/T 32960.3 codes them (2, charging while driving, does not occur here)."""


class Charging:
    """What flows in through the charge port.

    Attributes:
        state: charge state as GB/T 32960.3 codes it.
        session: whether the high-voltage side is closed to a charger.
        current_a: into the pack's link, 0 or more.
        heat_c: on-board charger's temperature.
    """

    channels = (
        "charge_state", "plug_state", "plug_kind", "port_lock", "port_flap", "pilot_duty_percent",
        "cable_rating_a", "port_temp_c", "session_energy_kwh", "session_duration_s", "time_to_target_s",
        "target_soc_percent", "stop_reason", "obc_state", "obc_phases", "obc_limit_kw",
        "obc_efficiency_percent", "mains_v", "mains_a", "obc_output_v", "obc_output_a", "obc_temp_c",
        "charge_voltage_v", "charge_request_a", "charge_permitted", "charge_stage", "dc_contactor",
        "dc_demand_a", "dc_mode", "charger_v", "charger_a", "session_min", "dc_session",
    )  # fmt: skip

    def __init__(self, draw: random.Random, battery: Battery, ambient_c: float) -> None:
        self._draw = draw
        self._battery = battery
        self._ambient_c = ambient_c
        self._phase = Phase.OFF
        self._plugged_s = 0.0
        self._energy_kwh = 0.0
        self._lasted_s = 0.0
        self._port_c = ambient_c
        self._mains_v = 0.0
        self._request_a = 0.0
        self._stop_reason = 0
        self.state = NOT_CHARGING
        self.session = False
        self.current_a = 0.0
        self.heat_c = ambient_c

    @property
    def plugged(self) -> bool:
        """Whether a plug is in the port."""
        return self._phase in {Phase.AC_CHARGE, Phase.DC_CHARGE}

    @property
    def _target(self) -> float:
        return DC_TARGET if self._phase is Phase.DC_CHARGE else AC_TARGET

    def tick(self, phase: Phase, plugged_s: float, ambient_c: float) -> None:
        """Move on by a tick."""
        if phase is not self._phase and phase in {Phase.AC_CHARGE, Phase.DC_CHARGE}:
            self._energy_kwh = self._lasted_s = 0.0
            self._stop_reason = 0
            self.state = NOT_CHARGING
        self._phase = phase
        self._plugged_s = plugged_s if self.plugged else 0.0
        battery = self._battery
        if not self.plugged:
            self.state = NOT_CHARGING
        elif self.state == NOT_CHARGING and self._plugged_s >= CURRENT_FROM_S:
            self.state = PARKED_CHARGING
        if self.state == PARKED_CHARGING and battery.soc >= self._target:
            self.state, self._stop_reason = COMPLETE, 1
        self.session = self.plugged and self._plugged_s >= HANDSHAKE_FROM_S and self.state != COMPLETE
        self._request_a = self._wanted_a() if self.state == PARKED_CHARGING else 0.0
        step_a = DC_RAMP_A_PER_S * TICK_S
        self.current_a = max(0.0, min(self._request_a, self.current_a + step_a)) if self.session else 0.0
        if (
            self.state == PARKED_CHARGING
            and self._phase is Phase.AC_CHARGE
            and self._plugged_s > 2 * CURRENT_FROM_S
            and self.current_a < LEAST_CURRENT_A
        ):
            self.state, self._stop_reason = COMPLETE, 1
        self._energy_kwh += self.current_a * battery.voltage_v * TICK_S / 3.6e6
        self._lasted_s += TICK_S if self.state == PARKED_CHARGING else 0.0
        self._mains_v = MAINS_V + self._draw.gauss(0, 0.4) if self._on_mains else 0.0
        self._port_c += (ambient_c + 0.0005 * self.current_a**2 - self._port_c) * TICK_S / 180
        warm_c = 24.0 if self._on_mains and self.current_a > 0 else 0.0
        self.heat_c += (ambient_c + warm_c - self.heat_c) * TICK_S / 200

    @property
    def _on_mains(self) -> bool:
        return self._phase is Phase.AC_CHARGE and self._plugged_s >= LOCKED_AFTER_S

    def _wanted_a(self) -> float:
        limit_a = self._battery.charge_limit_a
        if self._phase is Phase.DC_CHARGE:
            return min(limit_a, DC_CHARGER_A)
        power_w = MAINS_V * MAINS_A * PHASES * OBC_EFFICIENCY
        return min(limit_a, power_w / self._battery.open_circuit_v)

    def _seconds_left(self) -> float:
        if self.current_a < LEAST_CURRENT_A:
            return 0.0
        left_ah = max(0.0, self._target - self._battery.soc) * self._battery.full_ah
        return min(65_535.0, left_ah / self.current_a * 3600)

    def values(self) -> Sequence[float]:
        """See `Part.values`."""
        battery, plugged = self._battery, self.plugged
        dc = self._phase is Phase.DC_CHARGE
        dc_session = dc and self.session
        locked = plugged and self._plugged_s >= LOCKED_AFTER_S
        charging = self.state == PARKED_CHARGING
        obc = self._on_mains
        by_voltage = charging and battery.charge_limit_a < DC_CHARGER_A * 0.3 and battery.soc > DC_TARGET
        stage = 3 if self.state == COMPLETE else (2 if by_voltage else 1) if charging else 0
        obc_a = self.current_a if obc else 0.0
        obc_w = obc_a * battery.voltage_v
        return (
            self.state, 2 if locked else float(plugged), (2 if dc else 1) if plugged else 0, float(locked),
            float(plugged), (5 if dc else 26.5) if plugged else 0,
            (250 if dc else 32) / 2 if plugged else 0, self._port_c, self._energy_kwh, self._lasted_s,
            self._seconds_left(), self._target * 100, self._stop_reason,
            (3 if self.state == COMPLETE else 2 if charging else 1) if obc else 0, PHASES if obc else 0,
            11.0 if obc else 0.0, OBC_EFFICIENCY * 100 if obc_a > 0 else 0.0, self._mains_v,
            obc_w / OBC_EFFICIENCY / PHASES / MAINS_V, battery.voltage_v if obc else 0.0, obc_a,
            self.heat_c, HIGHEST_CELL_V * CELLS, self._request_a, float(charging), stage,
            float(dc_session), -self._request_a if dc else 0.0, 1 if by_voltage else 2,
            battery.voltage_v if dc_session else 0.0, -self.current_a if dc else 0.0, self._lasted_s // 60,
            float(dc_session),
        )  # fmt: skip
