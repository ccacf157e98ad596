"""What is around the vehicle: road users, people, lanes, signs, weather."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.vehicle.channels import TICK_S, numbered

CAR, TRUCK, MOTORCYCLE, BICYCLE, PEDESTRIAN = range(1, 6)
OBJECTS = 6
PEOPLE = 4
SATELLITES = 12
ULTRASONIC_SENSORS = 12
NOTHING_MM = 5_500.0
SIGHT_M = 180.0
NEAREST_M = 2.0
PLATE_M = 40.0
FLASH_S = 0.35
CRAWL_MPS = 4.0
WET_PERCENT = 8.0
LEFT, RIGHT = 1, 2
MOTORWAY_MPS, TRUNK_MPS = 24.0, 17.0
FACING_SHARE = 0.5


@dataclass(slots=True)
class RoadUser:
    """Somebody in front, relative to the vehicle."""

    kind: int
    distance_m: float
    lateral_m: float
    speed_mps: float


@dataclass(slots=True)
class Walker:
    """Somebody on the pavement."""

    distance_m: float
    lateral_m: float
    heading_deg: float
    face: bool


class Surroundings:
    """Others on the road; they are drawn, and the driver does not react to them."""

    channels = (
        "object_count", *numbered("object_distance_m", OBJECTS), *numbered("object_lateral_m", OBJECTS),
        *numbered("object_speed_mps", OBJECTS), *numbered("object_kind", OBJECTS),
        *numbered("object_confidence_percent", OBJECTS), "people_count",
        *numbered("person_distance_m", PEOPLE), *numbered("person_lateral_m", PEOPLE),
        *numbered("person_face", PEOPLE), *numbered("person_heading_deg", PEOPLE),
        *numbered("lane_offset_m", 2), "lane_angle_rad", "lane_quality", "sign_kind", "plates_visible",
        *numbered("ultrasonic_mm", ULTRASONIC_SENSORS), "speed_limit_kmh", "road_class", "destination_km",
        "destination_min", "cruise_state", "lane_keep_state", "time_gap_s", "adc_load_percent",
        "rain_percent", "brightness_lx", "wiper_mode", "wiper_parked", "side_light", "low_beam",
        "indicator_left", "indicator_right", "hazard", "stalk_indicator", "outside_pressure_hpa",
        "solar_w_m2", "modem_signal_dbm", *numbered("satellite_signal_db", SATELLITES),
    )  # fmt: skip

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._users = [self._appear(place) for place in range(OBJECTS)]
        self._walkers = [self._step_out() for _ in range(PEOPLE)]
        self._offset_m = 0.0
        self._angle_rad = 0.0
        self._rain = 0.0
        self._indicator, self._indicator_s = 0, 0.0
        self._time_s = 0.0
        self._speed_mps = 0.0
        self._distance_km = 0.0
        self._satellites_db = [draw.uniform(30, 47) for _ in range(SATELLITES)]

    def _appear(self, place: int) -> RoadUser:
        draw = self._draw
        kind = CAR if place == 0 else draw.choice((CAR, CAR, CAR, TRUCK, MOTORCYCLE, BICYCLE, PEDESTRIAN))
        lateral = draw.gauss(0, 0.3) if place == 0 else draw.choice((-3.5, 3.5, 7.0)) + draw.gauss(0, 0.4)
        own = {BICYCLE: 4.5, PEDESTRIAN: 1.3}.get(kind, draw.uniform(8, 20))
        return RoadUser(kind, draw.uniform(25, SIGHT_M), lateral, own)

    def _step_out(self) -> Walker:
        draw = self._draw
        return Walker(
            draw.uniform(10, 70),
            draw.choice((-6.0, 6.0)) + draw.gauss(0, 1),
            draw.uniform(0, 360),
            draw.random() < FACING_SHARE,
        )

    def tick(self, speed_mps: float, distance_m: float) -> None:
        """Move on by a tick, with the vehicle's speed and distance."""
        draw = self._draw
        self._time_s += TICK_S
        self._speed_mps = speed_mps
        self._distance_km = distance_m / 1000
        for place, user in enumerate(self._users):
            if place == 0:
                user.speed_mps += (speed_mps - user.speed_mps) * TICK_S / 2
            user.distance_m += (user.speed_mps - speed_mps) * TICK_S
            if not NEAREST_M < user.distance_m < SIGHT_M:
                self._users[place] = self._appear(place)
        for place, walker in enumerate(self._walkers):
            walker.distance_m -= speed_mps * TICK_S
            walker.lateral_m += draw.gauss(0, 0.05)
            if walker.distance_m < 1:
                self._walkers[place] = self._step_out()
        self._offset_m += -self._offset_m * TICK_S / 4 + draw.gauss(0, 0.01)
        self._angle_rad = draw.gauss(0, 0.002)
        self._rain = max(0.0, min(100.0, self._rain + draw.gauss(0, 0.15)))
        self._indicator_s -= TICK_S
        if self._indicator_s <= 0:
            self._indicator = draw.choice((0, 0, 0, 1, 2)) if speed_mps > 0 else 0
            self._indicator_s = draw.uniform(3, 6)
        self._satellites_db = [max(20.0, min(50.0, one + draw.gauss(0, 0.2))) for one in self._satellites_db]

    def _road(self) -> tuple[float, int]:
        """Speed limit in km/h and class of the road."""
        if self._speed_mps > MOTORWAY_MPS:
            return 120.0, 1
        return (80.0, 2) if self._speed_mps > TRUNK_MPS else (60.0, 3)

    def values(self) -> Sequence[float]:
        """See `Part.values`."""
        users, walkers, draw = self._users, self._walkers, self._draw
        limit_kmh, road = self._road()
        blink = float(self._time_s % (2 * FLASH_S) < FLASH_S)
        crawling = self._speed_mps < CRAWL_MPS
        near = [
            min(NOTHING_MM, abs(walkers[place % PEOPLE].distance_m) * 1000) if crawling else NOTHING_MM
            for place in range(ULTRASONIC_SENSORS)
        ]
        plates = sum(user.kind in {CAR, TRUCK} and user.distance_m < PLATE_M for user in users)
        gap_s = min(10.0, users[0].distance_m / max(self._speed_mps, 1.0))
        wet = self._rain > WET_PERCENT
        return (
            OBJECTS, *(user.distance_m for user in users), *(user.lateral_m for user in users),
            *(user.speed_mps - self._speed_mps for user in users), *(user.kind for user in users),
            *(90.0 - 0.2 * user.distance_m for user in users), PEOPLE,
            *(one.distance_m for one in walkers), *(one.lateral_m for one in walkers),
            *(float(one.face) for one in walkers), *(one.heading_deg for one in walkers),
            1.75 - self._offset_m, -1.75 - self._offset_m, self._angle_rad, 9, 1.0, float(plates), *near,
            limit_kmh, road, max(0.0, 42.0 - self._distance_km), max(0.0, 51.0 - 1.2 * self._distance_km),
            1, 1, gap_s, 46 + draw.gauss(0, 3), self._rain, 18_000 + 2_000 * draw.random(), 2.0 * wet,
            float(not wet), 1.0, float(wet), blink * (self._indicator == LEFT),
            blink * (self._indicator == RIGHT), 0.0, self._indicator, 1_011.4, 540 + draw.gauss(0, 8),
            -81 + draw.gauss(0, 3), *self._satellites_db,
        )  # fmt: skip
