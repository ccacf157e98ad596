"""The high-voltage battery: 108 cells in series that differ a little."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from simulator.vehicle.channels import STEP_S, TICK_S, numbered
from simulator.vehicle.scenario import HotProbe

Float64s = npt.NDArray[np.float64]

CELLS = 108
PROBES = 36
MODULES = 12
CELLS_A_MODULE = CELLS // MODULES
PROBES_A_MODULE = PROBES // MODULES
BALANCING_PAGES = 4

CELL_AH = 152.0
CELL_OHM = 0.00052
PROBE_HEAT_J_PER_K = 8_600.0
PROBE_TO_COOLANT_W_PER_K = 9.0
LOWEST_CELL_V = 2.8
HIGHEST_CELL_V = 4.2

SOC_GRID = np.array([0, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100]) / 100.0
OPEN_CIRCUIT_V = np.array(
    [3.02, 3.31, 3.44, 3.50, 3.54, 3.59, 3.63, 3.68, 3.77, 3.86, 3.96, 4.07, 4.13, 4.19]
)
"""Open-circuit voltage of a nickel-rich cell over its state of charge."""

BALANCING_FROM_V = 0.006
SOH_PERCENT = 96.5
VENT_C = 100.0
SWELL_C = 80.0


class Battery:
    """Charge, current and heat of the pack. Positive current discharges.

    The terminal voltage is the sum of open-circuit voltages less current times the sum of resistances; both
    sums are held for a tick of 100 ms, the current moves every step.

    Attributes:
        voltage_v: at the terminals.
        current_a: positive discharges.
        open_circuit_v: sum over the cells, at the beginning of the tick.
        resistance_ohm: sum over the cells, at their temperatures.
        soc: mean state of charge, 0 to 1.
        discharged_kwh: energy given since the start; `charged_kwh` likewise.
    """

    channels = (
        "soc_percent", "pack_ocv_v", "pack_resistance_ohm", "remaining_ah", "remaining_kwh", "soh_percent",
        "full_ah", "charged_total_kwh", "discharged_total_kwh", "full_cycles", "charge_limit_a",
        "discharge_limit_a", "charge_limit_kw", "discharge_limit_kw", "cell_max_v", "cell_min_v",
        "cell_max_number", "cell_min_number", "cell_mean_v", "cell_spread_mv",
        *numbered("module_voltage_v", MODULES), *numbered("probe_temp_c", PROBES), "probe_max_c",
        "probe_min_c", "probe_max_number", "probe_min_number", "probe_mean_c", "probe_spread_k",
        "module_board_c", "busbar_temp_c", *numbered("balancing", BALANCING_PAGES), "vent_detected",
        "pack_pressure_kpa",
    )  # fmt: skip

    def __init__(
        self, draw: random.Random, soc: float, ambient_c: float, hot_probes: Sequence[HotProbe]
    ) -> None:
        generator = np.random.Generator(np.random.PCG64(draw.getrandbits(64)))
        self.cell_ah = CELL_AH * SOH_PERCENT / 100 * (1 + 0.008 * generator.standard_normal(CELLS))
        self.cell_soc = np.clip(soc + 0.0035 * generator.standard_normal(CELLS), 0.0, 1.0)
        self._cell_fresh_ohm = CELL_OHM * (1 + 0.045 * generator.standard_normal(CELLS))
        self._probe_own_c = ambient_c + 0.6 * generator.standard_normal(PROBES)
        self._probe_heat_share = 1 + 0.06 * generator.standard_normal(PROBES)
        self.probe_c = self._probe_own_c.copy()
        self._hot_probes = hot_probes
        self.full_ah = CELLS / float(np.sum(1 / self.cell_ah))
        self.voltage_v = 0.0
        self.current_a = 0.0
        self.open_circuit_v = 0.0
        self.resistance_ohm = 0.0
        self.discharged_kwh = 0.0
        self.charged_kwh = 0.0
        self._tick_a2s = 0.0
        self._tick_as = 0.0
        self._busbar_c = ambient_c
        self._balancing: tuple[float, ...] = (0.0,) * BALANCING_PAGES
        self.charge_limit_a = 0.0
        self.discharge_limit_a = 0.0
        self.begin_tick()

    @property
    def soc(self) -> float:
        """Mean state of charge, 0 to 1."""
        return float(np.mean(self.cell_soc))

    def begin_tick(self) -> None:
        """Take the last tick's charge out of the cells; hold voltages and resistances for the next."""
        self.cell_soc = np.clip(self.cell_soc - self._tick_as / 3600 / self.cell_ah, 0.0, 1.0)
        self._tick_as = 0.0
        cell_c = np.repeat(self.probe_c.reshape(MODULES, PROBES_A_MODULE).mean(axis=1), CELLS_A_MODULE)
        self.cell_ohm = self._cell_fresh_ohm * (1 + 0.9 * np.exp(-(cell_c + 5) / 18))
        self.cell_open_v = np.interp(self.cell_soc, SOC_GRID, OPEN_CIRCUIT_V)
        self.open_circuit_v = float(np.sum(self.cell_open_v))
        self.resistance_ohm = float(np.sum(self.cell_ohm))
        self._set_limits()

    def _set_limits(self) -> None:
        coldest, warmest = float(self.probe_c.min()), float(self.probe_c.max())
        derate = max(0.0, min(1.0, (coldest + 20) / 30, (62 - warmest) / 14))
        soc = self.soc
        charge_a = 260.0 * derate * max(0.0, min(1.0, (1.02 - soc) / 0.35))
        headroom_v = HIGHEST_CELL_V - float(self.cell_open_v.max())
        self.charge_limit_a = max(0.0, min(charge_a, headroom_v / float(self.cell_ohm.mean())))
        discharge_a = 720.0 * derate * max(0.0, min(1.0, soc / 0.12))
        room_v = float(self.cell_open_v.min()) - LOWEST_CELL_V
        self.discharge_limit_a = max(0.0, min(discharge_a, room_v / float(self.cell_ohm.mean())))

    def step(self, power_w: float) -> None:
        """Give `power_w` for a step (negative takes it in)."""
        root = self.open_circuit_v**2 - 4 * self.resistance_ohm * power_w
        self.carry((self.open_circuit_v - math.sqrt(max(0.0, root))) / (2 * self.resistance_ohm))

    def carry(self, current_a: float) -> None:
        """Carry `current_a` for a step (negative charges)."""
        self.current_a = current_a
        self.voltage_v = self.open_circuit_v - current_a * self.resistance_ohm
        self._tick_as += current_a * STEP_S
        self._tick_a2s += current_a * current_a * STEP_S
        energy_kwh = self.voltage_v * current_a * STEP_S / 3.6e6
        if energy_kwh > 0:
            self.discharged_kwh += energy_kwh
        else:
            self.charged_kwh -= energy_kwh

    def end_tick(
        self, time_s: float, inlet_c: float, flow_share: float, heater_w: float, *, charging: bool
    ) -> float:
        """Warm the probes by the tick's current; return the heat given to the coolant in W.

        Args:
            time_s: time since the start.
            inlet_c: coolant at the first module; it warms along the modules.
            flow_share: 0 to 1, share of the full coolant flow.
            heater_w: power of the heater, spread evenly.
            charging: cells are balanced only then.
        """
        heat_w = (
            self._tick_a2s / TICK_S * self.resistance_ohm / PROBES * self._probe_heat_share
            + heater_w / PROBES
        )
        self._tick_a2s = 0.0
        coolant_c = inlet_c + np.repeat(np.arange(MODULES) * 0.12, PROBES_A_MODULE)
        away_w = PROBE_TO_COOLANT_W_PER_K * (0.08 + 0.92 * flow_share) * (self._probe_own_c - coolant_c)
        self._probe_own_c = self._probe_own_c + (heat_w - away_w) * TICK_S / PROBE_HEAT_J_PER_K
        self.probe_c = self._probe_own_c.copy()
        for hot in self._hot_probes:
            place = hot.probe - 1
            self.probe_c[place] += (hot.peak_c - self.probe_c[place]) * hot.share(time_s)
        self._busbar_c += (
            (float(self.probe_c.mean()) + 0.0002 * self.current_a**2 - self._busbar_c) * TICK_S / 120
        )
        self._balancing = self._balance(charging=charging)
        return float(np.sum(away_w))

    def _balance(self, *, charging: bool) -> tuple[float, ...]:
        if not charging:
            return (0.0,) * BALANCING_PAGES
        over = (self.cell_open_v - self.cell_open_v.min() > BALANCING_FROM_V).reshape(BALANCING_PAGES, -1)
        weights = 2.0 ** np.arange(over.shape[1])
        return tuple(float(page @ weights) for page in over)

    def cell_voltages_v(self, currents_a: Float64s) -> Float64s:
        """Voltage of each cell at each current of the tick, float64 of shape (108, steps)."""
        voltages: Float64s = self.cell_open_v[:, None] - self.cell_ohm[:, None] * currents_a[None, :]
        return voltages

    def values(self) -> Sequence[float]:
        """See `Part.values`."""
        cells = self.cell_open_v - self.cell_ohm * self.current_a
        probes = self.probe_c
        soc = self.soc
        hottest = float(probes.max())
        return (
            soc * 100, self.open_circuit_v, self.resistance_ohm, soc * self.full_ah,
            soc * self.full_ah * self.open_circuit_v / 1000, SOH_PERCENT, self.full_ah,
            7_310.4 + self.charged_kwh, 7_160.8 + self.discharged_kwh, 121.8 + self.discharged_kwh / 58,
            self.charge_limit_a, self.discharge_limit_a, self.charge_limit_a * self.open_circuit_v / 1000,
            self.discharge_limit_a * self.open_circuit_v / 1000, float(cells.max()), float(cells.min()),
            float(cells.argmax() + 1), float(cells.argmin() + 1), float(cells.mean()),
            float(cells.max() - cells.min()) * 1000, *cells.reshape(MODULES, -1).sum(axis=1).tolist(),
            *probes.tolist(), hottest, float(probes.min()), float(probes.argmax() + 1),
            float(probes.argmin() + 1), float(probes.mean()), hottest - float(probes.min()),
            float(probes.mean()) + 4.5, self._busbar_c, *self._balancing, float(hottest > VENT_C),
            101.3 + 1.9 * max(0.0, hottest - SWELL_C),
        )  # fmt: skip
