"""What follows from speed and road, a chunk at a time: wheels, steering, position, currents."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from simulator.vehicle.channels import CHUNK_STEPS, STEP_S, numbered
from simulator.vehicle.cycle import KMH_PER_MPS
from simulator.vehicle.driveline import GRAVITY_MPS2, WHEEL_RADIUS_M
from simulator.vehicle.route import Route
from simulator.vehicle.scenario import Scenario

Float64s = npt.NDArray[np.float64]

TRACK_M = 1.62
WHEELBASE_M = 2.92
STEERING_RATIO = 15.4
PULSES_A_TURN = 48
PULSE_WRAP = 65_536
NM_PER_BAR = 62.0
METRES_FROM_MIDDLE = {"left": -TRACK_M / 2, "right": TRACK_M / 2}
FIX_3D, FIX_NONE = 3, 0
SATELLITES_SEEN = 19
POWER_METER_KW = 290.0
TURNING_NM = 0.5


class Motion:
    """Fast quantities that nothing feeds back from."""

    channels = (
        "speed_display_kmh", "accel_track1_v", "accel_track2_v", *numbered("wheel_speed_kmh", 4),
        *numbered("wheel_pulses", 4), "accel_lat_mps2", "yaw_rate_degps", "slope_percent",
        *numbered("brake_pressure_bar", 4), "master_pressure_bar", "rod_travel_mm", "brake_request_nm",
        "steering_angle_deg", "steering_rate_degps", "steering_torque_nm", "assist_torque_nm",
        *numbered("imu_accel_mps2", 3), *numbered("imu_rate_degps", 3), "roll_deg", "pitch_deg",
        "gnss_valid", "gnss_fix_kind", "gnss_latitude_deg", "gnss_longitude_deg", "gnss_altitude_m",
        "gnss_accuracy_m", "gnss_vertical_accuracy_m", "gnss_speed_mps", "gnss_course_deg",
        "gnss_vertical_mps", "gnss_satellites", "gnss_hdop", "utc_year", "utc_month", "utc_day",
        "utc_hour", "utc_minute", "utc_second", "gnss_time_valid", *numbered("ride_height_mm", 4),
        "lane_curvature_per_m", "adc_accel_mps2", "power_meter_percent", *numbered("motor_voltage_v", 2),
        *numbered("motor_current_a", 2), *numbered("motor_phase_a", 2),
        *numbered("motor_modulation_percent", 2), *numbered("motor_state", 2), "hall_current_a",
        "link_voltage_v",
    )  # fmt: skip

    def __init__(self, route: Route, scenario: Scenario, draw: random.Random) -> None:
        self._route = route
        self._scenario = scenario
        self._noise = np.random.Generator(np.random.PCG64(draw.getrandbits(64)))
        self._angle_before = 0.0
        self._fix_before = (0.0, 0.0, 0.0)

    def columns(self, first_step: int, state: Mapping[str, Float64s]) -> dict[str, Float64s | float]:
        """The chunk's columns by channel (float64 of the chunk's steps, or one number for all of them).

        Args:
            first_step: steps since the start.
            state: the chunk's columns of drive line, battery and controls.
        """
        columns: dict[str, Float64s | float] = {}
        columns.update(self._wheels(state))
        columns.update(self._inertial(state, columns))
        columns.update(self._position(first_step, state))
        columns.update(self._electrical(state))
        return columns

    def _wheels(self, state: Mapping[str, Float64s]) -> dict[str, Float64s | float]:
        speed_kmh, metres, pedal = state["speed_kmh"], state["distance_m"], state["accel_pedal_percent"]
        curvature = self._route.curvature_per_m(metres)
        angle = np.degrees(np.arctan(curvature * WHEELBASE_M)) * STEERING_RATIO
        rate = np.diff(angle, prepend=self._angle_before) / STEP_S
        if state["speed_kmh"][0] == 0:
            rate[0] = 0.0
        self._angle_before = float(angle[-1])
        friction_nm = state["friction_torque_nm"]
        pressure = friction_nm / NM_PER_BAR
        track1 = 0.7 + 3.4 * pedal / 100
        columns: dict[str, Float64s | float] = {
            "speed_display_kmh": np.where(speed_kmh > 0, 1.02 * speed_kmh + 0.8, 0.0),
            "accel_track1_v": track1,
            "accel_track2_v": track1 / 2,
            "steering_angle_deg": angle,
            "steering_rate_degps": rate,
            "steering_torque_nm": angle * 0.012,
            "assist_torque_nm": angle * 0.09,
            "master_pressure_bar": pressure,
            "rod_travel_mm": 0.38 * state["brake_pedal_percent"],
            "brake_request_nm": friction_nm + state["regen_torque_nm"],
            "lane_curvature_per_m": curvature,
            "adc_accel_mps2": 0.0,
            "slope_percent": 100 * self._route.slopes(metres),
        }
        for place, (side, share) in enumerate(
            (("left", 0.6), ("right", 0.6), ("left", 0.4), ("right", 0.4)), 1
        ):
            stretch = 1 + curvature * METRES_FROM_MIDDLE[side]
            columns[f"wheel_speed_kmh[{place}]"] = speed_kmh * stretch
            turns = metres / (2 * np.pi * WHEEL_RADIUS_M)
            columns[f"wheel_pulses[{place}]"] = np.floor(turns * PULSES_A_TURN + 7_000 * place) % PULSE_WRAP
            columns[f"brake_pressure_bar[{place}]"] = pressure * share
        return columns

    def _inertial(
        self, state: Mapping[str, Float64s], road: Mapping[str, Float64s | float]
    ) -> dict[str, Float64s | float]:
        speed_mps = state["speed_kmh"] / KMH_PER_MPS
        curvature, slope = road["lane_curvature_per_m"], np.asarray(road["slope_percent"]) / 100
        along = state["accel_long_mps2"]
        across = speed_mps**2 * curvature
        yaw_rate = np.degrees(speed_mps * curvature)
        roll = 0.45 * across
        pitch = -0.5 * along + np.degrees(np.arctan(slope))
        noise = self._noise.standard_normal((6, CHUNK_STEPS))
        columns: dict[str, Float64s | float] = {
            "accel_lat_mps2": across,
            "yaw_rate_degps": yaw_rate,
            "imu_accel_mps2[1]": along + GRAVITY_MPS2 * slope + 0.02 * noise[0],
            "imu_accel_mps2[2]": across + 0.02 * noise[1],
            "imu_accel_mps2[3]": GRAVITY_MPS2 + (0.02 + 0.004 * speed_mps) * noise[2],
            "imu_rate_degps[1]": 0.05 * noise[3],
            "imu_rate_degps[2]": 0.05 * noise[4],
            "imu_rate_degps[3]": yaw_rate + 0.03 * noise[5],
            "roll_deg": roll,
            "pitch_deg": pitch,
        }
        for place, (lean, dive) in enumerate(((-1, -1), (1, -1), (-1, 1), (1, 1)), 1):
            columns[f"ride_height_mm[{place}]"] = 6.0 * lean * roll + 9.0 * dive * -along / GRAVITY_MPS2
        return columns

    def _position(self, first_step: int, state: Mapping[str, Float64s]) -> dict[str, Float64s | float]:
        route, metres = self._route, state["distance_m"]
        times_s = (first_step + np.arange(CHUNK_STEPS)) * STEP_S
        valid = np.ones(CHUNK_STEPS, np.bool_)
        for loss in self._scenario.fix_losses:
            valid &= ~((loss.start_s <= times_s) & (times_s < loss.end_s))
        fixes = np.stack([route.latitude_deg(metres), route.longitude_deg(metres), route.altitude_m(metres)])
        held = np.maximum.accumulate(np.where(valid, np.arange(CHUNK_STEPS), -1))
        before = np.array(self._fix_before)[:, None]
        fixes = np.where(held >= 0, fixes[:, np.maximum(held, 0)], before)
        self._fix_before = (float(fixes[0, -1]), float(fixes[1, -1]), float(fixes[2, -1]))
        utc = self._scenario.start + timedelta(seconds=first_step * STEP_S)
        speed_mps = state["speed_kmh"] / KMH_PER_MPS
        return {
            "gnss_valid": valid.astype(np.float64),
            "gnss_fix_kind": np.where(valid, FIX_3D, FIX_NONE).astype(np.float64),
            "gnss_latitude_deg": fixes[0],
            "gnss_longitude_deg": fixes[1],
            "gnss_altitude_m": fixes[2],
            "gnss_accuracy_m": np.where(valid, 1.3, 600.0),
            "gnss_vertical_accuracy_m": np.where(valid, 2.4, 600.0),
            "gnss_speed_mps": np.where(valid, speed_mps, 0.0),
            "gnss_course_deg": route.course_deg(metres),
            "gnss_vertical_mps": speed_mps * route.slopes(metres),
            "gnss_satellites": np.where(valid, SATELLITES_SEEN, 0).astype(np.float64),
            "gnss_hdop": np.where(valid, 0.8, 99.0),
            "utc_year": utc.year,
            "utc_month": utc.month,
            "utc_day": utc.day,
            "utc_hour": utc.hour,
            "utc_minute": utc.minute,
            "utc_second": utc.second,
            "gnss_time_valid": valid.astype(np.float64),
        }

    def _electrical(self, state: Mapping[str, Float64s]) -> dict[str, Float64s | float]:
        pack_v, pack_a, closed = state["pack_voltage_v"], state["pack_current_a"], state["main_contactor"]
        link_v = pack_v * closed
        columns: dict[str, Float64s | float] = {
            "hall_current_a": pack_a * 1.004 + 0.15 * self._noise.standard_normal(CHUNK_STEPS),
            "link_voltage_v": link_v,
        }
        both_kw = np.zeros(CHUNK_STEPS)
        for motor in (1, 2):
            power_kw, torque_nm = state[f"motor_electrical_kw[{motor}]"], state[f"motor_torque_nm[{motor}]"]
            both_kw = both_kw + power_kw
            enabled = state[f"motor_enable[{motor}]"] > 0
            columns[f"motor_voltage_v[{motor}]"] = link_v
            columns[f"motor_current_a[{motor}]"] = 1000 * power_kw / np.maximum(pack_v, 1.0)
            columns[f"motor_phase_a[{motor}]"] = np.abs(torque_nm) * 1.75
            columns[f"motor_modulation_percent[{motor}]"] = np.minimum(
                100.0, state[f"motor_speed_rpm[{motor}]"] / 90.0
            )
            turning = np.where(torque_nm > TURNING_NM, 1.0, np.where(torque_nm < -TURNING_NM, 2.0, 4.0))
            columns[f"motor_state[{motor}]"] = np.where(enabled, turning, 3.0)
        columns["power_meter_percent"] = 100 * both_kw / POWER_METER_KW
        return columns
