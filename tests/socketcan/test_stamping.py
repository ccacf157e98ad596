"""Stamps of a column become boot times that are true, or the time of arrival, and never run backwards."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.socketcan.stamping import Stamping
from edge.clock import Timebase, TimeQuality

FEW = settings(max_examples=40, deadline=None)

MS, S = 10**6, 10**9
BASE = Timebase(1_700_000_000 * S, TimeQuality.NTP)


def times(
    stamping: Stamping,
    stamps: list[int],
    now_ns: int,
    base: Timebase = BASE,
    *,
    hardware: bool | list[bool] = False,
) -> list[int]:
    made = np.array(stamps, np.int64)
    by = np.full(len(stamps), hardware) if isinstance(hardware, bool) else np.array(hardware)
    found: list[int] = stamping.boot_ns(made, by, now_ns, base).tolist()
    return found


def wall(*boot_ns: int, base: Timebase = BASE) -> list[int]:
    return [base.wall_ns(each) for each in boot_ns]


def test_wall_stamps_are_moved_exactly() -> None:
    stamping = Stamping(9 * S)
    assert times(stamping, wall(9 * S + 1, 9 * S + 2, 10 * S), 10 * S) == [9 * S + 1, 9 * S + 2, 10 * S]
    assert not stamping.facts


def test_no_frames() -> None:
    assert times(Stamping(0), [], S) == []


def test_frames_that_waited_for_hours_keep_their_time() -> None:
    stamping = Stamping(0)
    assert times(stamping, wall(S, 2 * S, 7200 * S), 7201 * S) == [S, 2 * S, 7200 * S]
    assert not stamping.facts


def test_without_a_stamp_a_frame_came_before_the_next_that_has_one() -> None:
    stamping = Stamping(0)
    stamps = [0, *wall(2 * S), 0, 0, *wall(3 * S), 0]
    assert times(stamping, stamps, 4 * S) == [2 * S, 2 * S, 3 * S, 3 * S, 3 * S, 4 * S]
    assert stamping.facts == {"stamped on arrival": 4}


def test_stamps_that_cannot_be_true_mean_the_time_of_arrival() -> None:
    stamping = Stamping(10 * S)
    stamps = wall(11 * S, 3600 * S, 5 * S, 12 * S)
    assert times(stamping, stamps, 13 * S) == [11 * S, 12 * S, 12 * S, 12 * S]
    assert stamping.facts == {"stamped on arrival": 2}


def test_clock_set_back_while_frames_waited() -> None:
    stamping = Stamping(0)
    times(stamping, wall(S), S)
    later = Timebase(BASE.wall_offset_ns - 3600 * S, TimeQuality.NTP)
    stamps = [*wall(2 * S, 3 * S), *wall(4 * S, 5 * S, base=later)]
    assert times(stamping, stamps, 6 * S, later) == [2 * S, 3 * S, 4 * S, 5 * S]
    assert stamping.facts == {"wall clock set": 1, "stamped before the wall clock was set": 2}
    assert times(stamping, wall(7 * S, base=later), 8 * S, later) == [7 * S]
    assert stamping.facts["wall clock set"] == 1


def test_clock_set_forward_while_frames_waited() -> None:
    stamping = Stamping(0)
    times(stamping, wall(S), S)
    later = Timebase(BASE.wall_offset_ns + 50 * 365 * 86400 * S, TimeQuality.NTP)
    stamps = [*wall(2 * S), *wall(4 * S, base=later)]
    assert times(stamping, stamps, 6 * S, later) == [2 * S, 4 * S]
    assert "stamped on arrival" not in stamping.facts


def test_steering_of_the_clock_is_no_setting() -> None:
    stamping = Stamping(0)
    for second in range(1, 20):
        base = Timebase(BASE.wall_offset_ns + second * MS // 2, TimeQuality.NTP)
        assert times(stamping, wall(second * S - 10, base=base), second * S, base) == [second * S - 10]
    assert not stamping.facts


def test_controllers_clock_keeps_its_spacing_whatever_the_delay_of_reading() -> None:
    stamping = Stamping(0)
    assert times(stamping, [100 * S, 101 * S], 20 * S, hardware=True) == [19 * S, 20 * S]
    assert times(stamping, [102 * S], 21 * S + 300 * MS, hardware=True) == [21 * S]
    assert times(stamping, [103 * S], 22 * S - 1 * MS, hardware=True) == [22 * S - 1 * MS]
    assert times(stamping, [104 * S], 23 * S + 1 * MS, hardware=True) == [23 * S - 1 * MS]
    assert stamping.facts == {"stamped by the controller": 5}


def test_controllers_clock_that_drifts_is_followed() -> None:
    stamping = Stamping(0)
    for second in range(10, 100):
        stamp = second * S + 77 - second * 50_000
        found = times(stamping, [stamp], second * S + 2000, hardware=True)
        assert abs(found[0] - second * S) < 2 * MS
    assert "device clock anchored anew" not in stamping.facts


def test_controllers_clock_that_begins_again_is_anchored_anew() -> None:
    stamping = Stamping(0)
    times(stamping, [4294 * S], 20 * S, hardware=True)
    assert times(stamping, [1 * S], 21 * S, hardware=True) == [21 * S]
    assert times(stamping, [2 * S], 22 * S + 5 * MS, hardware=True) == [22 * S]
    assert stamping.facts["device clock anchored anew"] == 1


def test_controllers_clock_is_forgotten_when_the_interface_is_another() -> None:
    stamping = Stamping(0)
    times(stamping, [4294 * S], 20 * S, hardware=True)
    stamping.reopened()
    assert times(stamping, [1 * S], 21 * S, hardware=True) == [21 * S]
    assert "device clock anchored anew" not in stamping.facts


def test_controller_that_knows_wall_time_is_believed_beside_the_kernel() -> None:
    stamping = Stamping(9 * S)
    stamps = wall(9 * S + 5, 9 * S + 7, 9 * S + 9)
    assert times(stamping, stamps, 10 * S, hardware=[True, False, True]) == [
        9 * S + 5,
        9 * S + 7,
        9 * S + 9,
    ]
    assert stamping.facts == {"stamped by the controller": 2}


@FEW
@given(
    st.lists(
        st.tuples(
            st.lists(
                st.tuples(
                    st.one_of(
                        st.integers(-(1 << 63), (1 << 63) - 1),
                        st.integers(0, 40 * S).map(BASE.wall_ns),
                        st.integers(0, 40 * S),
                    ),
                    st.booleans(),
                ),
                max_size=8,
            ),
            st.integers(0, 5 * S),
            st.integers(-10 * S, 10 * S),
        ),
        max_size=8,
    )
)
def test_whatever_is_stamped_times_run_forward_and_end_before_now(
    readings: list[tuple[list[tuple[int, bool]], int, int]],
) -> None:
    stamping = Stamping(0)
    now_ns = last_ns = 0
    for frames, passed_ns, stepped_ns in readings:
        now_ns += passed_ns
        base = Timebase(BASE.wall_offset_ns + stepped_ns, TimeQuality.NTP)
        found = times(
            stamping, [stamp for stamp, _ in frames], now_ns, base, hardware=[by for _, by in frames]
        )
        assert len(found) == len(frames)
        assert found == sorted(found)
        if found:
            assert last_ns <= found[0]
            assert found[-1] <= now_ns
            last_ns = found[-1]
