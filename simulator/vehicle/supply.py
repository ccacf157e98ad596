"""Heat and small power: coolant loops, climate, the 12 V net and the converter that feeds it."""

from __future__ import annotations

import random
from collections.abc import Sequence

from simulator.vehicle.channels import TICK_S

COOL_FROM_C = 30.0
HEAT_BELOW_C = 8.0
DRIVE_COOLANT_J_PER_K = 42_000.0
BATTERY_COOLANT_J_PER_K = 26_000.0
FULL_FLOW_LPM = 18.0
CHILLER_FROM = 0.3
LOW_VOLTAGE_AH = 60.0
DCDC_EFFICIENCY = 0.93
DCDC_OUTPUT_V = 14.2


class Thermal:
    """Coolant of drive and battery, radiator, chiller, heater, and the cabin's climate.

    Attributes:
        inlet_c: coolant at the pack's inlet.
        drive_c: coolant at the motors' inlet.
        flow_share: battery coolant flow, 0 to 1.
        heater_w: battery heater.
        climate_w: compressor and cabin heater.
        cabin_c: air in the cabin.
    """

    channels = (
        "coolant_inlet_c", "coolant_outlet_c", "drive_coolant_c", "drive_coolant_out_c",
        "battery_flow_lpm", "drive_flow_lpm", "battery_pump_percent", "drive_pump_percent", "fan_percent",
        "compressor_rpm", "compressor_kw", "heater_kw", "valve_mode", "refrigerant_high_bar",
        "refrigerant_low_bar", "ambient_c", "cabin_temp_c", "blower_percent", "climate_on",
        "recirculation", "eps_temp_c", "imu_temp_c", "terminal_temp_c", "adc_temp_c",
    )  # fmt: skip

    def __init__(self, ambient_c: float) -> None:
        self._ambient_c = ambient_c
        self.inlet_c = ambient_c
        self._outlet_c = ambient_c
        self.drive_c = ambient_c
        self._drive_out_c = ambient_c
        self.cabin_c = ambient_c + 6.0
        self.flow_share = 0.0
        self._drive_flow = 0.0
        self.heater_w = 0.0
        self.climate_w = 0.0
        self._compressor_w = 0.0
        self._electronics_c = ambient_c
        self._awake = False

    def tick(
        self, speed_mps: float, pack_c: float, pack_heat_w: float, drive_heat_w: float, *, high_voltage: bool
    ) -> None:
        """Move on by a tick, with the heat that battery and drive gave to their coolant."""
        ambient_c = self._ambient_c
        self._awake = high_voltage
        hot = max(0.0, min(1.0, (pack_c - COOL_FROM_C) / 6))
        self.heater_w = 5_000.0 if high_voltage and pack_c < HEAT_BELOW_C else 0.0
        self.flow_share = max(0.25 if high_voltage else 0.0, hot if high_voltage else 0.0)
        self._drive_flow = min(1.0, 0.3 + drive_heat_w / 6_000) if high_voltage else 0.0
        chiller_w = 6_000.0 * hot if high_voltage else 0.0
        wind = 180.0 + 22.0 * speed_mps
        self.inlet_c += (
            (pack_heat_w - chiller_w - 60.0 * (self.inlet_c - ambient_c)) * TICK_S / BATTERY_COOLANT_J_PER_K
        )
        self._outlet_c = self.inlet_c + pack_heat_w / (70.0 * FULL_FLOW_LPM * max(self.flow_share, 0.1))
        self.drive_c += (drive_heat_w - wind * (self.drive_c - ambient_c)) * TICK_S / DRIVE_COOLANT_J_PER_K
        self._drive_out_c = self.drive_c + drive_heat_w / (70.0 * FULL_FLOW_LPM * max(self._drive_flow, 0.1))
        miss_k = self.cabin_c - 22.0
        cabin_w = min(4_500.0, 700.0 * abs(miss_k) + 250.0) if high_voltage else 0.0
        self._compressor_w = (cabin_w if miss_k > 0 else 0.35 * cabin_w) / 2.6 + chiller_w / 2.4
        self.climate_w = self._compressor_w + (cabin_w / 2.6 if miss_k < 0 else 0.0)
        pull_k_per_s = -miss_k / 150 if high_voltage else 0.0
        self.cabin_c += (pull_k_per_s + (ambient_c + 6.0 - self.cabin_c) / 1_500) * TICK_S
        target_c = ambient_c + (14.0 if high_voltage else 2.0)
        self._electronics_c += (target_c - self._electronics_c) * TICK_S / 200

    def values(self) -> Sequence[float]:
        """See `Part.values`."""
        awake = float(self._awake)
        compressor_kw = self._compressor_w / 1000
        valve = 0 if not self._awake else 3 if self.heater_w else 2 if self.flow_share > CHILLER_FROM else 1
        return (
            self.inlet_c, self._outlet_c, self.drive_c, self._drive_out_c, FULL_FLOW_LPM * self.flow_share,
            FULL_FLOW_LPM * self._drive_flow, 100 * self.flow_share, 100 * self._drive_flow,
            max(0.0, min(100.0, 3 * (self.drive_c - self._ambient_c - 10))) * awake,
            min(8_500.0, 800 * awake + 2_400 * compressor_kw), compressor_kw, self.heater_w / 1000, valve,
            6.5 + 3.1 * compressor_kw, 6.5 - 0.9 * min(compressor_kw, 4.0), self._ambient_c, self.cabin_c,
            min(90.0, 20 + 6 * abs(self.cabin_c - 22.0)) * awake, awake, 0.0, self._electronics_c + 3,
            self._electronics_c + 5, self._electronics_c + 2, self._electronics_c + 21 * awake,
        )  # fmt: skip


class LowVoltage:
    """The 12 V net.

    Attributes:
        voltage_v: at the battery's poles.
        input_w: what the converter takes from high voltage.
    """

    channels = (
        "lv_voltage_v", "lv_current_a", "lv_soc_percent", "lv_temp_c", "dcdc_state", "dcdc_output_v",
        "dcdc_output_a", "dcdc_temp_c",
    )  # fmt: skip

    def __init__(self, draw: random.Random, ambient_c: float) -> None:
        self._draw = draw
        self.soc = 0.86
        self.voltage_v = 12.6
        self.input_w = 0.0
        self._current_a = 0.0
        self._output_a = 0.0
        self._working = False
        self._dcdc_c = ambient_c
        self._ambient_c = ambient_c

    def tick(self, load_w: float, *, high_voltage: bool) -> None:
        """Move on by a tick under `load_w`."""
        self._working = high_voltage
        if high_voltage:
            charge_a = 40.0 * max(0.0, 0.98 - self.soc) + 0.4
            self.voltage_v = DCDC_OUTPUT_V - 0.15 + self._draw.gauss(0, 0.006)
            self._output_a = load_w / DCDC_OUTPUT_V + charge_a
            self._current_a = -charge_a
        else:
            self._output_a = 0.0
            self._current_a = load_w / 12.4
            self.voltage_v = 12.1 + 0.65 * self.soc - 0.005 * self._current_a + self._draw.gauss(0, 0.004)
        self.soc -= self._current_a * TICK_S / 3600 / LOW_VOLTAGE_AH
        self.input_w = self._output_a * DCDC_OUTPUT_V / DCDC_EFFICIENCY
        self._dcdc_c += (self._ambient_c + 8 + 0.16 * self._output_a - self._dcdc_c) * TICK_S / 150

    def values(self) -> Sequence[float]:
        """See `Part.values`."""
        return (
            self.voltage_v, self._current_a, self.soc * 100, self._ambient_c + 3,
            1 if self._working else 2, DCDC_OUTPUT_V if self._working else 0.0, self._output_a,
            self._dcdc_c,
        )  # fmt: skip
