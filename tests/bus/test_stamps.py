"""Stamps of wall clocks, device clocks and no clock become boot time that never runs backwards."""

from __future__ import annotations

from edge.bus.stamps import StampConverter
from edge.clock import Timebase, TimeQuality

S = 10**9
MS = 10**6
WALL = Timebase(1_700_000_000 * S, TimeQuality.NTP)


def test_wall_stamps_are_moved_by_the_offset() -> None:
    stamps = StampConverter()
    assert abs(stamps.boot_ns(1_700_000_009.5, 10 * S, WALL) - 9_500 * MS) < 1000
    assert not stamps.facts


def test_step_of_the_wall_clock_makes_it_the_time_of_arrival() -> None:
    stamps = StampConverter()
    stamps.boot_ns(1_700_000_009.5, 10 * S, WALL)
    stepped = Timebase(WALL.wall_offset_ns - 3600 * S, TimeQuality.NTP)
    assert stamps.boot_ns(1_700_000_010.5, 11 * S, stepped) == 11 * S
    assert stamps.facts == {"stamped on arrival": 1}


def test_device_clock_keeps_its_own_spacing_whatever_the_delay_of_reading() -> None:
    stamps = StampConverter()
    first = stamps.boot_ns(100.0, 10 * S, WALL)
    read_late = stamps.boot_ns(100.1, 10 * S + 350 * MS, WALL)
    read_soon = stamps.boot_ns(100.4, 10 * S + 400 * MS, WALL)
    assert (first, read_late, read_soon) == (10 * S, 10 * S + 100 * MS, 10 * S + 400 * MS)


def test_device_clock_that_wraps_is_anchored_anew() -> None:
    stamps = StampConverter()
    stamps.boot_ns(4294.9, 100 * S, WALL)
    assert stamps.boot_ns(0.1, 101 * S, WALL) == 101 * S
    assert stamps.boot_ns(0.6, 101 * S + 500 * MS, WALL) == 101 * S + 500 * MS
    assert stamps.facts == {"device clock anchored anew": 1}


def test_no_stamp_means_the_time_of_arrival() -> None:
    stamps = StampConverter()
    assert stamps.boot_ns(0.0, 5 * S, WALL) == 5 * S
    assert stamps.facts == {"stamped on arrival": 1}


def test_times_never_run_backwards() -> None:
    stamps = StampConverter()
    first = stamps.boot_ns(1_700_000_009.5, 10 * S, WALL)
    jittered = Timebase(WALL.wall_offset_ns + 50_000, TimeQuality.NTP)
    assert stamps.boot_ns(1_700_000_009.500_01, 10 * S, jittered) == first
