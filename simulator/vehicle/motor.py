"""A drive motor with its inverter: what torque it can give, what that costs, how warm it gets."""

from __future__ import annotations

from dataclasses import dataclass

RPM_PER_RADPS = 9.549296585513721
COPPER_HEAT_J_PER_K = 16_000.0
CONTROLLER_HEAT_J_PER_K = 5_200.0
MOTOR_TO_COOLANT_W_PER_K = 75.0
CONTROLLER_TO_COOLANT_W_PER_K = 110.0
CONTROLLER_SHARE = 0.3
"""Share of the losses that the inverter has; the rest heats the stator."""

DERATE_FROM_C = 145.0
DERATE_TO_C = 165.0


@dataclass(frozen=True, slots=True)
class MotorData:
    """What the maker says of a motor.

    Attributes:
        peak_nm: torque up to base speed.
        peak_kw: mechanical power above it.
        ratio: turns of the motor to one of the wheel.
        standby_w: what inverter and control take while enabled.
        friction_w_per_radps: losses that grow with speed.
        iron_w_per_radps2: losses that grow with its square.
        copper_w_per_nm2: losses that grow with the square of torque.
    """

    peak_nm: float
    peak_kw: float
    ratio: float
    standby_w: float
    friction_w_per_radps: float
    iron_w_per_radps2: float
    copper_w_per_nm2: float


FRONT = MotorData(220.0, 115.0, 9.34, 45.0, 0.28, 0.00082, 0.062)
REAR = MotorData(340.0, 185.0, 9.52, 55.0, 0.34, 0.00105, 0.047)


class Motor:
    """One motor. Positive torque and speed drive forward.

    Attributes:
        torque_nm: what it gives now.
        request_nm: what it is asked for.
        speed_radps: of its shaft.
        mechanical_w: at the shaft, positive drives.
        electrical_w: at the inverter's direct-current side, positive takes from the battery.
        winding_c: stator temperature.
        controller_c: inverter temperature.
    """

    LAG_S = 0.035

    def __init__(self, data: MotorData, temperature_c: float) -> None:
        self.data = data
        self.torque_nm = 0.0
        self.request_nm = 0.0
        self.speed_radps = 0.0
        self.mechanical_w = 0.0
        self.electrical_w = 0.0
        self.winding_c = temperature_c
        self.controller_c = temperature_c
        self.rotor_c = temperature_c
        self.oil_c = temperature_c
        self._loss_j = 0.0

    @property
    def derate(self) -> float:
        """1 while cool, down to 0.2 when the winding is at its limit."""
        over = (self.winding_c - DERATE_FROM_C) / (DERATE_TO_C - DERATE_FROM_C)
        return max(0.2, min(1.0, 1.0 - 0.8 * over))

    def limit_nm(self) -> float:
        """Greatest torque in either direction at the present speed and temperature."""
        return self.derate * min(self.data.peak_nm, self.data.peak_kw * 1000 / max(self.speed_radps, 1.0))

    def step(self, wheel_radps: float, request_nm: float, step_s: float, *, enabled: bool) -> None:
        """Move on by `step_s` with the wheels turning at `wheel_radps`."""
        data = self.data
        self.speed_radps = speed = wheel_radps * data.ratio
        limit = self.limit_nm()
        self.request_nm = max(-limit, min(limit, request_nm)) if enabled else 0.0
        self.torque_nm += (self.request_nm - self.torque_nm) * step_s / (self.LAG_S + step_s)
        self.mechanical_w = self.torque_nm * speed
        loss_w = 0.0
        if enabled:
            loss_w = (
                data.standby_w
                + data.friction_w_per_radps * speed
                + data.iron_w_per_radps2 * speed * speed
                + data.copper_w_per_nm2 * self.torque_nm * self.torque_nm
            )
        self.electrical_w = self.mechanical_w + loss_w
        self._loss_j += loss_w * step_s

    def warm(self, coolant_c: float, tick_s: float) -> float:
        """Take the losses since the last call as heat; return the power given to the coolant in W."""
        heat_j, self._loss_j = self._loss_j, 0.0
        from_winding_w = MOTOR_TO_COOLANT_W_PER_K * (self.winding_c - coolant_c)
        from_controller_w = CONTROLLER_TO_COOLANT_W_PER_K * (self.controller_c - coolant_c)
        self.winding_c += ((1 - CONTROLLER_SHARE) * heat_j - from_winding_w * tick_s) / COPPER_HEAT_J_PER_K
        self.controller_c += (
            CONTROLLER_SHARE * heat_j - from_controller_w * tick_s
        ) / CONTROLLER_HEAT_J_PER_K
        self.rotor_c += (self.winding_c - self.rotor_c) * tick_s / 90.0
        self.oil_c += (0.5 * (self.winding_c + coolant_c) - self.oil_c) * tick_s / 240.0
        return from_winding_w + from_controller_w
