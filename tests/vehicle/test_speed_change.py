"""A collision is a change of speed of more than 8 km/h within 150 ms, from speed or from acceleration."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.database.model import SignalRef
from edge.vehicle.speed_change import MotionSignal, Quantity, SpeedChange

MS = 1_000_000
REF = SignalRef("pt", "Crash", "Signal")
SPEED = MotionSignal(REF, Quantity.SPEED, 1 / 3.6)
ACCELERATION = MotionSignal(REF, Quantity.ACCELERATION, 1.0)
G = 9.80665


def holds(
    signal: MotionSignal, values: list[float], times_ms: list[float], cuts: list[int] | None = None
) -> list[bool]:
    change = SpeedChange(signal)
    t_ns = np.array([round(at * MS) for at in times_ms], np.int64)
    found: list[bool] = []
    for begin, end in pairwise([0, *(cuts or []), len(values)]):
        judged, _ = change.judge(np.array(values[begin:end], np.float64), t_ns[begin:end])
        found += judged.tolist()
    return found


def test_more_than_eight_km_h_within_150_ms_is_one_and_eight_is_none() -> None:
    times = [0.0, 50, 100, 150]
    assert holds(SPEED, [50, 50, 46, 42], times) == [False] * 4
    assert holds(SPEED, [50, 50, 46, 41.99], times) == [False, False, False, True]
    assert holds(SPEED, [50, 50, 46, 41.99], times, [1, 2, 3]) == [False, False, False, True]
    assert any(holds(SPEED, [50, 48, 45, 41.99], times, [1, 2, 3]))


def test_the_same_change_over_a_longer_time_is_braking() -> None:
    assert not any(holds(SPEED, [50, 47, 44, 41], [0, 51, 102, 153]))
    assert any(holds(SPEED, [50, 47, 44, 41], [0, 50, 100, 150]))


def test_being_hit_from_behind_counts_too() -> None:
    assert holds(SPEED, [10, 10, 20], [0, 100, 200]) == [False, False, True]


@pytest.mark.parametrize(("deceleration_g", "is_one"), [(1.0, False), (1.4, False), (1.6, True), (20, True)])
def test_acceleration_is_integrated_over_the_window(deceleration_g: float, is_one: bool) -> None:
    # 8 km/h in 150 ms are 1.51 g.
    times = [float(at) for at in range(0, 400, 10)]
    values = [-deceleration_g * G if 100 <= at <= 300 else 0.0 for at in times]
    assert any(holds(ACCELERATION, values, times)) == is_one


def test_what_a_signal_of_a_wide_unit_says_is_scaled() -> None:
    in_g = MotionSignal(REF, Quantity.ACCELERATION, G)
    assert any(holds(in_g, [0, 5, 5, 5], [0, 50, 100, 150]))
    assert not any(holds(ACCELERATION, [0, 5, 5, 5], [0, 50, 100, 150]))


def test_a_gap_between_readings_is_no_collision() -> None:
    assert not any(holds(SPEED, [120, 0, 0], [0, 5_000, 5_010]))
    assert not any(holds(ACCELERATION, [50, 50], [0, 1_000]))


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), 655.35, -5])
def test_what_is_no_reading_is_left_out(broken: float) -> None:
    bounded = MotionSignal(REF, Quantity.SPEED, 1 / 3.6, 0, 300)
    assert not any(holds(bounded, [50, broken, 50], [0, 10, 20]))


def test_an_acceleration_beyond_the_sensor_s_range_counts_as_its_end() -> None:
    bounded = MotionSignal(REF, Quantity.ACCELERATION, 1.0, -20, 20)
    times = [float(at) for at in range(0, 200, 10)]
    assert any(holds(bounded, [-32.7 if at >= 50 else 0.0 for at in times], times))
    assert not any(holds(bounded, [-32.7 if at == 50 else 0.0 for at in times], times))


def test_a_reading_that_comes_late_is_left_out() -> None:
    assert not any(holds(SPEED, [50, 50, 30], [0, 1_000, 500]))


def test_what_is_shown_is_the_change() -> None:
    change = SpeedChange(SPEED)
    judged, shown = change.judge(np.array([50.0, 38.0]), np.array([0, 100 * MS]))
    assert judged.tolist() == [False, True]
    assert shown.tolist()[1] == pytest.approx(12)
    assert str(change) == "pt.Crash.Signal changed the speed within 0.15 s by > 8 km/h"


SAMPLES = st.lists(
    st.tuples(st.integers(0, 60), st.floats(-60, 60, allow_nan=False, width=32)), min_size=1, max_size=60
)


@settings(max_examples=50, deadline=None)
@given(SAMPLES, st.sampled_from([SPEED, ACCELERATION]), st.sets(st.integers(1, 59)))
def test_batches_make_no_difference_and_each_pair_of_readings_is_compared(
    drawn: list[tuple[int, float]], signal: MotionSignal, cuts: set[int]
) -> None:
    times = np.cumsum([step for step, _ in drawn]).astype(float).tolist()
    values = [value for _, value in drawn]
    whole = holds(signal, values, times)
    assert holds(signal, values, times, sorted(cut for cut in cuts if cut < len(values))) == whole
    speed_m_s = [0.0]
    if signal is SPEED:
        speed_m_s = [value / 3.6 for value in values]
    else:
        for (before, now), (first, second) in zip(pairwise(times), pairwise(values), strict=True):
            speed_m_s.append(speed_m_s[-1] + (first + second) / 2 * (now - before) / 1000)
    for place, found in enumerate(whole):
        inside = [other for other in range(place + 1) if times[place] - times[other] <= 150]
        greatest = max(abs(speed_m_s[place] - speed_m_s[other]) * 3.6 for other in inside)
        assert found == (greatest > 8) or abs(greatest - 8) < 1e-5
