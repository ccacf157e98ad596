import pytest

from edge.clock import NS_PER_S
from edge.vision.cameras.arrival import STALE_NS, Arrival

MS = NS_PER_S // 1000
PERIOD = 40 * MS
WAY = 5 * MS


def settled(arrival: Arrival, *, frames: int = 20, start: int = 0) -> int:
    """Let frames come as they should; returns the camera's time of the last."""
    told = start
    for _ in range(frames):
        told += PERIOD
        arrival.stamp(told, told + WAY)
    assert arrival.settled
    return told


def test_frames_are_stamped_by_the_camera_and_not_by_when_somebody_looked() -> None:
    arrival = Arrival()
    told = settled(arrival)
    stamp = arrival.stamp(told + PERIOD, told + PERIOD + WAY + 100 * MS)
    assert abs(stamp.t_ns - (told + PERIOD + WAY)) < MS
    assert not stamp.stale


def test_what_waited_in_a_buffer_is_stale_until_the_buffer_is_empty() -> None:
    arrival = Arrival()
    told = settled(arrival)
    now = told + WAY + 2 * NS_PER_S
    stale = []
    for _ in range(50):
        told += PERIOD
        now = max(now + MS, told + WAY)
        stamp = arrival.stamp(told, now)
        stale.append(stamp.stale)
        assert stamp.stale == (now - stamp.t_ns > STALE_NS)
        assert abs(stamp.t_ns - told - WAY) < 3 * MS
    assert all(stale[:20])
    assert not stale[-1]


def test_what_was_in_buffers_when_a_camera_was_opened_is_stale() -> None:
    arrival, now, told = Arrival(), 100 * NS_PER_S, 0
    stale = []
    for _ in range(60):
        told += PERIOD
        now = max(now + MS, 100 * NS_PER_S - NS_PER_S + told + WAY)
        stale.append(arrival.stamp(told, now).stale)
    assert all(stale[:20])
    assert not any(stale[30:])
    last = arrival.stamp(told + PERIOD, now + PERIOD)
    assert abs(last.t_ns - now - PERIOD) < MS


@pytest.mark.parametrize("parts_per_million", [-200, 200])
def test_a_clock_that_drifts_is_followed_for_hours(parts_per_million: int) -> None:
    arrival, told, now = Arrival(), 0, NS_PER_S
    for number in range(2 * 3600):
        told += NS_PER_S
        now = NS_PER_S + told + round(told * parts_per_million * 1e-6) + (number % 7) * MS
        stamp = arrival.stamp(told, now)
        assert number < 2 or not stamp.stale
        assert -10 * MS <= stamp.t_ns - now <= 0


@pytest.mark.parametrize("leap", [-NS_PER_S, -1000 * NS_PER_S, 1000 * NS_PER_S])
def test_a_clock_that_is_set_costs_no_frame(leap: int) -> None:
    arrival = Arrival()
    told = settled(arrival, start=2000 * NS_PER_S)
    for number in range(1, 10):
        now = told + WAY + number * PERIOD
        stamp = arrival.stamp(told + leap + number * PERIOD, now)
        assert not stamp.stale
        assert stamp.t_ns == now


def test_a_camera_without_a_clock_is_stamped_when_frames_come() -> None:
    arrival = Arrival()
    stamps = [arrival.stamp(0, number * PERIOD) for number in range(1, 5)]
    assert [stamp.stale for stamp in stamps] == [True, False, False, False]
    assert [stamp.t_ns for stamp in stamps[1:]] == [2 * PERIOD, 3 * PERIOD, 4 * PERIOD]
