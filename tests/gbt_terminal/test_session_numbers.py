"""The numbers of logins: from 1 each Beijing day, and none twice in one, whatever breaks in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import NS_PER_S
from edge.uplink.gbt.durable_file import DurableFile
from edge.uplink.gbt.session_numbers import MOST, SessionNumbers
from tests.gbt_terminal.terminal import NOW_S
from tests.gbt_terminal.torn_files import PowerCut, TornFiles

PATH = Path("/terminal/sessions")
DAY_S = 86_400


def numbers_on(files: TornFiles) -> SessionNumbers:
    return SessionNumbers(DurableFile(PATH, files))


def test_each_login_counts_on_over_a_restart_and_each_beijing_day_begins_with_one() -> None:
    files = TornFiles()
    numbers = numbers_on(files)
    assert [numbers.next(NOW_S * NS_PER_S) for _ in range(3)] == [1, 2, 3]
    assert numbers_on(files).next(NOW_S * NS_PER_S) == 4
    to_midnight_s = 16 * 3600
    last_second = (NOW_S + to_midnight_s - 1) * NS_PER_S
    assert numbers_on(files).next(last_second) == 5
    assert numbers_on(files).next(last_second + NS_PER_S) == 1


def test_a_clock_that_is_set_back_over_midnight_finds_the_count_of_that_day() -> None:
    numbers = numbers_on(TornFiles())
    assert [numbers.next(NOW_S * NS_PER_S) for _ in range(2)] == [1, 2]
    assert numbers.next((NOW_S + DAY_S) * NS_PER_S) == 1
    assert numbers.next(NOW_S * NS_PER_S) == 3
    assert numbers.next((NOW_S + DAY_S) * NS_PER_S) == 2


def test_the_greatest_number_is_followed_by_one() -> None:
    files = TornFiles()
    day = (NOW_S + 8 * 3600) // DAY_S
    DurableFile(PATH, files).write({"days": [[day, MOST - 1]]})
    numbers = numbers_on(files)
    assert [numbers.next(NOW_S * NS_PER_S) for _ in range(2)] == [MOST, 1]


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\n{}"])
def test_a_damaged_file_costs_a_gap_and_no_number_twice(damage: bytes) -> None:
    files = TornFiles()
    before = [numbers_on(files).next((NOW_S + 60 * login) * NS_PER_S) for login in range(20)]
    files.seen[PATH] = damage
    numbers = numbers_on(files)
    assert numbers.trouble is not None
    after = [numbers.next((NOW_S + 1200 + 60 * login) * NS_PER_S) for login in range(3)]
    assert min(after) > max(before)
    assert after == [after[0], after[0] + 1, after[0] + 2]
    assert numbers.trouble is None


@given(
    st.lists(
        st.tuples(
            st.integers(0, 90_000),
            st.sampled_from([-1, -1, -1, 0, 1, 2]),
            st.booleans(),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_no_crash_power_cut_or_refusing_disk_gives_a_number_twice_in_a_day(
    logins: list[tuple[int, int, bool, bool]],
) -> None:
    files = TornFiles()
    numbers = numbers_on(files)
    given_out: set[tuple[int, int]] = set()
    wall_s = NOW_S
    for wait_s, steps, refuses, reached in logins:
        wall_s += 60 + wait_s
        files.steps_left, files.refuses = steps, refuses
        try:
            number = numbers.next(wall_s * NS_PER_S)
        except PowerCut:
            files = files.after_the_cut(reached_the_disk=reached)
            numbers = numbers_on(files)
            continue
        day = (wall_s + 8 * 3600) // DAY_S
        assert 1 <= number <= MOST
        assert (day, number) not in given_out
        given_out.add((day, number))
        if steps >= 0:
            files = files.after_the_cut(reached_the_disk=reached)
            numbers = numbers_on(files)
