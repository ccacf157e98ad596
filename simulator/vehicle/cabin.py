"""The people in the cabin: seats, doors, windows, where the driver looks, microphones, keys, phones."""

from __future__ import annotations

import random
from collections.abc import Sequence

from simulator.vehicle.channels import TICK_S, numbered
from simulator.vehicle.scenario import Phase

ROAD, MIRROR_LEFT, MIRROR_RIGHT, MIRROR_INSIDE, CLUSTER, CENTRE, PASSENGER, LAP = range(1, 9)
GAZE = {
    ROAD: (0.0, -1.0, 4.0, 0.62),
    MIRROR_LEFT: (34.0, -6.0, 0.7, 0.06),
    MIRROR_RIGHT: (-46.0, -7.0, 0.6, 0.04),
    MIRROR_INSIDE: (-22.0, 8.0, 0.6, 0.08),
    CLUSTER: (1.0, -17.0, 0.7, 0.09),
    CENTRE: (-27.0, -19.0, 1.1, 0.07),
    PASSENGER: (-60.0, -2.0, 0.9, 0.02),
    LAP: (-4.0, -48.0, 1.3, 0.02),
}
"""Zone: yaw and pitch in degrees, mean dwell in seconds, weight."""

WAKE_WORD, LISTENING, CALL = 1, 2, 3
SEATS = 5
DOORS = 4
CHILD_SEAT = 2.0
PASSENGER_SHARE, CHILD_SHARE, THIRD_SHARE = 0.6, 0.35, 0.2
"""Shares of trips with a passenger, a child seat, and somebody in the rear right seat."""

WINDOW_CHANCE, SPEECH_CHANCE = 0.0006, 0.002
BLINK_CHANCE, YAWN_CHANCE, PHONE_CHANCE = 0.028, 0.0003, 0.0005
STIR_CHANCE = 0.1
"""Chances a tick."""

DISTRACTED_PERCENT = 45.0


class Cabin:
    """People and things inside; everything here is drawn, nothing feeds back into the drive."""

    channels = (
        *numbered("door_open", DOORS), "boot_open", "door_lock", *numbered("window_percent", DOORS),
        *numbered("seat_occupied", SEATS), *numbered("belt_fastened", SEATS), "belt_warning",
        "passenger_airbag", "driver_weight_class", "passenger_weight_class", "gaze_yaw_deg",
        "gaze_pitch_deg", "head_yaw_deg", "head_pitch_deg", "gaze_zone", "gaze_quality_percent",
        "driver_present", "eyes_closed", "yawning", "phone_in_hand", "drowsiness_percent",
        "distraction_percent", "blink_rate_per_min", "hands_on", "attention_warning", "driver_profile",
        "face_hash", "recognition_percent", "occupant_count", "child_present", "rear_motion",
        "heart_rate_per_min", "breath_rate_per_min", "microphone_state", "microphone_muted", "call_active",
        "sound_level_db", "speaker_zone", "cabin_camera_state", "camera_shutter", "driver_camera_state",
        "face_count", "media_source", "volume_percent", "navigation_active", "cabin_humidity_percent",
        "co2_ppm", "key_inside", "key_near", "phone_inside", "phone_count", "key_signal_dbm",
        "phone_signal_dbm", "phone_hash", "voice_button", "dome_light_percent",
    )  # fmt: skip

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        passenger = draw.random() < PASSENGER_SHARE
        child = draw.random() < CHILD_SHARE
        self._people = [1, float(passenger), CHILD_SEAT * child, 0.0, float(draw.random() < THIRD_SHARE)]
        self._profile = draw.randrange(1, 4)
        self._face_hash = draw.getrandbits(32)
        self._phone_hash = draw.getrandbits(32)
        self._doors = [0.0] * DOORS
        self._door_left_s = [0.0] * DOORS
        self._windows = [0.0] * DOORS
        self._window_goals = [0.0] * DOORS
        self._seated = False
        self._belted = False
        self._zone, self._dwell_s = ROAD, 1.0
        self._yaw = self._pitch = self._head_yaw = self._head_pitch = 0.0
        self._closed_s = self._yawn_s = self._phone_s = 0.0
        self._drowsiness = draw.uniform(3, 9)
        self._distraction = 0.0
        self._microphone, self._microphone_s = WAKE_WORD, 0.0
        self._carbon_dioxide = 520.0
        self._heart = draw.uniform(62, 78)
        self._awake = False
        self._moving = False

    def tick(self, phase: Phase, phase_s: float, speed_mps: float) -> None:
        """Move on by a tick."""
        draw = self._draw
        self._awake = phase in {Phase.ON, Phase.READY, Phase.DRIVE, Phase.PARKED}
        self._moving = speed_mps > 0
        self._get_in_or_out(phase, phase_s)
        for place in range(DOORS):
            self._door_left_s[place] -= TICK_S
            self._doors[place] = float(self._door_left_s[place] > 0)
            if self._awake and draw.random() < WINDOW_CHANCE:
                self._window_goals[place] = draw.choice((0.0, 0.0, 15.0, 60.0, 100.0))
            gap = self._window_goals[place] - self._windows[place]
            self._windows[place] += max(-2.5, min(2.5, gap))
        self._look()
        self._speak()
        present = sum(1 for seat in self._people if seat) if self._seated else 0
        self._carbon_dioxide += (420 + 310 * present - self._carbon_dioxide) * TICK_S / 240
        self._heart += (70 + 0.15 * self._distraction - self._heart) * TICK_S / 30 + draw.gauss(0, 0.15)

    def _get_in_or_out(self, phase: Phase, phase_s: float) -> None:
        if self._awake and not self._seated:
            self._seated = True
            self._door_left_s = [1.6 if self._people[seat] else 0.0 for seat in (0, 1, 2, 4)]
        if not self._awake and self._seated and phase_s > 1:
            self._seated = self._belted = False
            self._door_left_s[0] = 3.0
        if phase in {Phase.READY, Phase.DRIVE, Phase.PARKED}:
            self._belted = True

    def _look(self) -> None:
        draw = self._draw
        self._dwell_s -= TICK_S
        if self._dwell_s <= 0:
            zones = list(GAZE)
            self._zone = draw.choices(zones, [GAZE[zone][3] for zone in zones])[0]
            self._dwell_s = draw.expovariate(1 / GAZE[self._zone][2])
        yaw, pitch, _, _ = GAZE[self._zone]
        self._yaw += 0.7 * (yaw - self._yaw) + draw.gauss(0, 0.5)
        self._pitch += 0.7 * (pitch - self._pitch) + draw.gauss(0, 0.4)
        self._head_yaw += 0.4 * (0.7 * yaw - self._head_yaw)
        self._head_pitch += 0.4 * (0.6 * pitch - self._head_pitch)
        away = self._zone in {CENTRE, PASSENGER, LAP}
        self._distraction += (100.0 * away - self._distraction) * TICK_S / 6
        self._drowsiness = max(0.0, min(100.0, self._drowsiness + draw.gauss(0.0005, 0.03)))
        self._closed_s = draw.uniform(0.1, 0.3) if draw.random() < BLINK_CHANCE else self._closed_s - TICK_S
        self._yawn_s = 4.0 if draw.random() < YAWN_CHANCE else self._yawn_s - TICK_S
        self._phone_s = 5.0 if draw.random() < PHONE_CHANCE else self._phone_s - TICK_S

    def _speak(self) -> None:
        draw = self._draw
        self._microphone_s -= TICK_S
        if self._microphone_s <= 0 and self._microphone != WAKE_WORD:
            self._microphone = WAKE_WORD
        elif self._microphone == WAKE_WORD and self._awake and draw.random() < SPEECH_CHANCE:
            self._microphone = draw.choice((LISTENING, LISTENING, CALL))
            self._microphone_s = draw.uniform(2, 6) if self._microphone == LISTENING else draw.uniform(20, 90)

    def values(self) -> Sequence[float]:
        """See `Part.values`."""
        draw = self._draw
        seats = self._people if self._seated else [0.0, 0.0, self._people[2], 0.0, 0.0]
        belts = [float(bool(seat) and self._belted) for seat in seats]
        present, awake = float(self._seated), float(self._awake)
        count = float(sum(1 for seat in seats if seat == 1))
        speaking = self._microphone in {LISTENING, CALL} and self._awake
        return (
            *self._doors, 0.0, float(self._moving), *self._windows, *seats, *belts,
            float(self._seated and not self._belted), float(seats[1] == 1), 3 * present,
            3 * float(seats[1] == 1), self._yaw, self._pitch, self._head_yaw, self._head_pitch,
            self._zone * present, (92 + draw.gauss(0, 1.5)) * present, present, float(self._closed_s > 0),
            float(self._yawn_s > 0), float(self._phone_s > 0), self._drowsiness, self._distraction,
            17 * present, float(self._zone != LAP) * present,
            0.0 if self._distraction < DISTRACTED_PERCENT else 1.0, self._profile * present,
            self._face_hash * present, 97.5 * present, count, float(self._people[2] == CHILD_SEAT),
            float(draw.random() < STIR_CHANCE) * present, self._heart * present,
            self._heart / 4.6 * present, self._microphone * awake, 0.0,
            float(self._microphone == CALL) * awake, 34 + 22 * awake + 12 * speaking + draw.gauss(0, 1.2),
            float(speaking), 2 * awake, 1.0, 2 * awake, count, 3 * awake, 34.0, awake, 41.0 + count,
            self._carbon_dioxide, present, present, present, count, -44 + draw.gauss(0, 2),
            -58 + draw.gauss(0, 3), self._phone_hash * present, float(self._microphone == LISTENING),
            80 * max(self._doors),
        )  # fmt: skip
