"""The drive cycle: the speed that the driver wants, town first, then suburb, then motorway, and again."""

from __future__ import annotations

from itertools import pairwise

URBAN: tuple[tuple[float, float], ...] = (
    (0, 0), (4, 0), (10, 27), (15, 33), (21, 31), (27, 12), (31, 0), (37, 0), (46, 42), (58, 48), (66, 44),
    (72, 18), (77, 26), (88, 39), (96, 36), (104, 0), (116, 0), (121, 17), (127, 22), (134, 0), (140, 0),
)  # fmt: skip
SUBURBAN: tuple[tuple[float, float], ...] = (
    (0, 0), (3, 0), (14, 52), (26, 63), (45, 66), (58, 59), (66, 35), (73, 41), (88, 70), (110, 74),
    (126, 71), (140, 46), (150, 22), (155, 0), (166, 0),
)  # fmt: skip
EXTRA_URBAN: tuple[tuple[float, float], ...] = (
    (0, 0), (2, 0), (17, 62), (30, 84), (48, 97), (70, 109), (100, 118), (128, 121), (146, 112), (160, 92),
    (176, 98), (192, 67), (205, 34), (214, 0), (226, 0),
)  # fmt: skip
"""Parts of the cycle as (second, km/h) with straight lines between; each begins and ends standing."""

KMH_PER_MPS = 3.6


class DriveCycle:
    """The wanted speed over time; after its end it begins anew.

    Attributes:
        duration_s: length of one round.
    """

    def __init__(self, *parts: tuple[tuple[float, float], ...]) -> None:
        points: list[tuple[float, float]] = []
        begin = 0.0
        for part in parts or (URBAN, SUBURBAN, EXTRA_URBAN):
            points += [(begin + second, speed / KMH_PER_MPS) for second, speed in part]
            begin = points[-1][0]
        self.duration_s = begin
        self._pieces = tuple(
            (left[0], right[0], left[1], (right[1] - left[1]) / (right[0] - left[0]))
            for left, right in pairwise(points)
            if right[0] > left[0]
        )
        self._place = 0

    def speed_mps(self, time_s: float) -> float:
        """Wanted speed `time_s` after the start; quick for times that ascend."""
        time_s %= self.duration_s
        pieces = self._pieces
        place = self._place if pieces[self._place][0] <= time_s else 0
        while pieces[place][1] <= time_s:
            place += 1
        self._place = place
        begin_s, _, speed, slope = pieces[place]
        return speed + slope * (time_s - begin_s)
