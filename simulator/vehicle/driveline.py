"""The drive line: the driver's feet, two motors, friction brakes, and the mass that they move."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.vehicle.channels import STEP_S, numbered
from simulator.vehicle.cycle import KMH_PER_MPS, DriveCycle
from simulator.vehicle.motor import FRONT, REAR, RPM_PER_RADPS, Motor

MASS_KG = 2_085.0
ROTATING_SHARE = 1.05
DRAG_AREA_M2 = 0.56
AIR_KG_PER_M3 = 1.2
ROLLING = 0.0092
GRAVITY_MPS2 = 9.81
WHEEL_RADIUS_M = 0.347
FRONT_SHARE = 0.36
MOST_BRAKING_MPS2 = 8.5
DRIVELINE_EFFICIENCY = 0.975
STAND_STILL_MPS = 0.08
STAND_STILL_KMH, STAND_STILL_S = 0.3, 0.2
"""As StandStill's comment in the database says."""

COAST_MPS2 = 0.5
"""Deceleration up to which the brake pedal is left alone."""

HOLD_MPS = 0.5
KICK_DOWN_PERCENT = 95.0
PREVIEW_S = 0.5

GEAR_N, GEAR_R, GEAR_D, GEAR_P = 0, 13, 14, 15
"""Gears as GB/T 32960.3 codes them."""


class Driveline:
    """Speed, distance, pedals, torques. Everything here moves every 10 ms.

    Attributes:
        speed_mps: of the vehicle.
        distance_m: since the start.
        accel_mps2: along the road.
        gear: as GB/T 32960.3 codes it.
        electrical_w: what both inverters take; negative while they recuperate.
        friction_n: braking force of the friction brakes.
    """

    channels = (
        "speed_kmh", "distance_m", "odometer_km", "accel_long_mps2", "standstill", "direction",
        "drive_force", "brake_force", "accel_pedal_percent", "brake_pedal_percent", "brake_switch",
        "kick_down", "regen_torque_nm", "friction_torque_nm", *numbered("motor_request_nm", 2),
        *numbered("motor_torque_nm", 2), *numbered("motor_speed_rpm", 2), *numbered("motor_mech_kw", 2),
        *numbered("motor_electrical_kw", 2),
    )  # fmt: skip

    def __init__(self, cycle: DriveCycle, ambient_c: float, odometer_km: float) -> None:
        self._cycle = cycle
        self.front = Motor(FRONT, ambient_c)
        self.rear = Motor(REAR, ambient_c)
        self.speed_mps = 0.0
        self.distance_m = 0.0
        self.accel_mps2 = 0.0
        self.gear = GEAR_P
        self.electrical_w = 0.0
        self.friction_n = 0.0
        self.accel_pedal = 0.0
        self.brake_pedal = 0.0
        self._odometer_km = odometer_km
        self._standing_s = 1.0

    @property
    def standing(self) -> bool:
        """Whether the vehicle has stood for 200 ms."""
        return self._standing_s >= STAND_STILL_S

    def step(
        self,
        drive_s: float | None,
        slope: float,
        drive_limit_w: float,
        regen_limit_w: float,
        *,
        enabled: bool,
    ) -> None:
        """Move on by a step.

        Args:
            drive_s: seconds of the drive cycle; None while the driver wants to stand.
            slope: rise over run.
            drive_limit_w: most that the battery gives.
            regen_limit_w: most that it takes.
            enabled: whether the inverters run.
        """
        speed = self.speed_mps
        force_n = self._wanted_force_n(drive_s, slope)
        wheel_radps = speed / WHEEL_RADIUS_M
        torque_nm, friction_n = self._blend(force_n, speed, drive_limit_w, regen_limit_w)
        if not enabled:
            friction_n, torque_nm = max(0.0, -force_n), 0.0
        self.front.step(wheel_radps, torque_nm * FRONT_SHARE / FRONT.ratio, STEP_S, enabled=enabled)
        self.rear.step(wheel_radps, torque_nm * (1 - FRONT_SHARE) / REAR.ratio, STEP_S, enabled=enabled)
        self.electrical_w = self.front.electrical_w + self.rear.electrical_w
        self._move(friction_n, slope)

    def _wanted_force_n(self, drive_s: float | None, slope: float) -> float:
        speed = self.speed_mps
        if drive_s is None:
            wanted_mps2 = -1.6 if speed > 0 else -0.5
        else:
            ahead = self._cycle.speed_mps(drive_s + PREVIEW_S)
            wanted_mps2 = max(-4.0, min(3.2, (ahead - speed) / PREVIEW_S))
            if ahead < STAND_STILL_MPS and speed < HOLD_MPS:
                wanted_mps2 = -0.8
        self._set_pedals(wanted_mps2, slope)
        return wanted_mps2 * MASS_KG * ROTATING_SHARE + resistance_n(speed, slope)

    def _set_pedals(self, wanted_mps2: float, slope: float) -> None:
        force_n = wanted_mps2 * MASS_KG * ROTATING_SHARE + resistance_n(self.speed_mps, slope)
        most_n = min(16_000.0, 290_000.0 / max(self.speed_mps, 1.0))
        accel = (
            max(0.0, min(100.0, 100 * (force_n + 1_500.0) / (most_n + 1_500.0)))
            if wanted_mps2 > -COAST_MPS2
            else 0.0
        )
        brake = max(0.0, min(100.0, 100 * (-wanted_mps2 - COAST_MPS2) / MOST_BRAKING_MPS2))
        if wanted_mps2 < 0 and self.speed_mps < STAND_STILL_MPS:
            accel, brake = 0.0, 14.0
        self.accel_pedal += (accel - self.accel_pedal) * 0.12
        self.brake_pedal += (brake - self.brake_pedal) * 0.15

    def _blend(
        self, force_n: float, speed: float, drive_limit_w: float, regen_limit_w: float
    ) -> tuple[float, float]:
        """Split the wanted force into motor torque at the wheels and friction force."""
        moving = max(speed, 1.5)
        if force_n >= 0:
            return min(force_n, 0.93 * drive_limit_w / moving) * WHEEL_RADIUS_M, 0.0
        fade = max(0.0, min(1.0, (speed - 1.5) / 2.5))
        both_nm = self.front.limit_nm() * FRONT.ratio + self.rear.limit_nm() * REAR.ratio
        regen_n = fade * min(
            -force_n, regen_limit_w / moving, both_nm / WHEEL_RADIUS_M, 0.3 * MASS_KG * GRAVITY_MPS2
        )
        return -regen_n * WHEEL_RADIUS_M, -force_n - regen_n

    def _move(self, friction_n: float, slope: float) -> None:
        speed = self.speed_mps
        torque_nm = self.front.torque_nm * FRONT.ratio + self.rear.torque_nm * REAR.ratio
        drive_n = torque_nm / WHEEL_RADIUS_M
        drive_n *= DRIVELINE_EFFICIENCY if drive_n > 0 else 1 / DRIVELINE_EFFICIENCY
        net_n = drive_n - resistance_n(speed, slope) - friction_n
        after = max(0.0, speed + net_n / (MASS_KG * ROTATING_SHARE) * STEP_S)
        if after < STAND_STILL_MPS and self.brake_pedal > 1.0 and net_n <= 0:
            after = 0.0
        self.accel_mps2 = (after - speed) / STEP_S
        self.distance_m += 0.5 * (speed + after) * STEP_S
        self.speed_mps = after
        self.friction_n = friction_n
        self._standing_s = self._standing_s + STEP_S if after * KMH_PER_MPS < STAND_STILL_KMH else 0.0

    def row(self) -> Sequence[float]:
        """The present value of each of `channels`."""
        front, rear = self.front, self.rear
        wheel_nm = front.torque_nm * FRONT.ratio + rear.torque_nm * REAR.ratio
        friction_nm = self.friction_n * WHEEL_RADIUS_M
        return (
            self.speed_mps * KMH_PER_MPS, self.distance_m, self._odometer_km + self.distance_m / 1000,
            self.accel_mps2, float(self.standing), float(self.speed_mps > 0), float(wheel_nm > 1),
            float(friction_nm > 1 or wheel_nm < -1), self.accel_pedal, self.brake_pedal,
            float(self.brake_pedal > 1), float(self.accel_pedal > KICK_DOWN_PERCENT), max(0.0, -wheel_nm),
            friction_nm, front.request_nm, rear.request_nm, front.torque_nm, rear.torque_nm,
            front.speed_radps * RPM_PER_RADPS, rear.speed_radps * RPM_PER_RADPS, front.mechanical_w / 1000,
            rear.mechanical_w / 1000, front.electrical_w / 1000, rear.electrical_w / 1000,
        )  # fmt: skip


def resistance_n(speed_mps: float, slope: float) -> float:
    """Air, rolling and hill, as a force against the motion; the sine of the slope is taken as the slope."""
    rolling_n = ROLLING * MASS_KG * GRAVITY_MPS2 if speed_mps > 0 else 0.0
    return 0.5 * AIR_KG_PER_M3 * DRAG_AREA_M2 * speed_mps**2 + rolling_n + MASS_KG * GRAVITY_MPS2 * slope
