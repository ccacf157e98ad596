"""What a journal lets go, in which order, and what a clock that jumps does to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.journal.block import BlockKind
from edge.journal.upkeep.bounds import Bounds, endless
from edge.journal.upkeep.limits import BoundsSettings, Limit, usual_limits
from edge.journal.upkeep.removal import DiskSpace
from tests.journal.journal_rig import DAY_NS, EPOCH_NS, PLATFORM, Rig, timebase_at

NO_LIMITS = BoundsSettings(limits=(), total_bytes=1 << 40)
PAUSE_S = BoundsSettings().period_s
YEAR_2099_NS = 4_070_908_800 * NS_PER_S
RECORDS, FRAMES, EVENTS = int(BlockKind.RECORDS), int(BlockKind.FRAMES), int(BlockKind.EVENT_FRAMES)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "journal").start()
    yield made
    made.stop()


def bounds_of(rig: Rig, settings: BoundsSettings, *, space: DiskSpace | None = None) -> Bounds:
    return Bounds(
        settings,
        destinations=[PLATFORM],
        clock=rig.clock,
        boot=rig.boot,
        space=endless if space is None else lambda: space,
    )


def run(rig: Rig, bounds: Bounds) -> None:
    """Let the bounds work until they have nothing more to do."""
    rig.after(PAUSE_S)
    steps = [True]

    def step(connection: apsw.Connection) -> None:
        steps.append(bounds.step(connection))

    while steps[-1]:
        rig.open.journal.run_with_connection(step)


def acknowledge(rig: Rig, first: int, last: int) -> None:
    """Have the platform acknowledge some records."""
    rig.rows(
        "INSERT INTO covered (destination, stream, first, last) VALUES (?, 1, ?, ?)", PLATFORM, first, last
    )


def days(rig: Rig, count: float) -> None:
    rig.after(count * 86_400)


def removed(bounds: Bounds) -> dict[str, dict[str, int]]:
    return {hop.unit: dict(hop.set_aside) for hop in bounds.hops()}


def test_a_journal_within_its_bounds_keeps_everything(rig: Rig) -> None:
    rig.records(20)
    rig.frames()
    bounds = bounds_of(rig, BoundsSettings())
    run(rig, bounds)
    assert len(rig.kept()) == 41
    assert bounds.hops() == ()


def test_old_content_goes_and_the_chain_verifies(rig: Rig) -> None:
    rig.frames()
    rig.records(3)
    days(rig, 7.5)
    rig.frames()
    rig.records(3)
    bounds = bounds_of(rig, BoundsSettings())
    run(rig, bounds)
    assert [kind for kind, _, _ in rig.kept()] == [RECORDS] * 6 + [FRAMES] + [RECORDS] * 6
    days(rig, 7)
    run(rig, bounds)
    assert ("position" in {name for _, name, first in rig.kept() if first <= 3}) is False
    assert [first for _, name, first in rig.kept() if name == "operation" and first] == [1, 2, 3, 4, 5, 6]
    report = rig.verify(contents=True)
    assert report.holds, report.faults
    assert removed(bounds)["frames"] == {"older than its limit": 800}
    assert removed(bounds)["records' position"] == {"never acknowledged: older than its limit": 3}


def test_records_over_thirty_days_are_told_as_erased_where_they_were_not_sent(rig: Rig) -> None:
    rig.records(6)
    acknowledge(rig, 1, 2)
    days(rig, 31)
    bounds = bounds_of(rig, BoundsSettings())
    run(rig, bounds)
    assert rig.kept() == []
    assert rig.rows("SELECT stream, first, last FROM erased") == [(1, 1, 6)]
    assert removed(bounds)["records"] == {
        "older than its limit": 2,
        "never acknowledged: older than its limit": 4,
    }
    name = "records, operation: never acknowledged: older than its limit"
    assert rig.rows("SELECT count FROM total WHERE hop = 'bounds' AND name = ?", name) == [(4,)]


def test_alarms_that_wait_outlast_the_days_of_records(rig: Rig) -> None:
    rig.records(2)
    rig.records(2, alarm=True)
    rig.records(2)
    days(rig, 31)
    bounds = bounds_of(rig, BoundsSettings())
    run(rig, bounds)
    assert rig.kept() == [(RECORDS, "operation", 3), (RECORDS, "operation", 4)]
    acknowledge(rig, 1, 6)
    run(rig, bounds)
    assert rig.kept() == []


def test_consents_never_go(rig: Rig) -> None:
    rig.note(BlockKind.CONSENT)
    rig.note(BlockKind.CONSENT, "position")
    rig.note(BlockKind.SECURITY)
    everything = Limit(frozenset(BlockKind), days=1, bytes=1, strict=True)
    assert not everything.concerns(BlockKind.CONSENT, "")
    rig.after(400 * 86_400)
    rig.note(BlockKind.SECURITY)
    run(rig, bounds_of(rig, replace(NO_LIMITS, limits=(everything,))))
    least = replace(NO_LIMITS, least_bytes=0, spare_bytes=1 << 40)
    run(rig, bounds_of(rig, least, space=DiskSpace(0, 1 << 30)))
    assert rig.kept() == [(int(BlockKind.CONSENT), "", 0), (int(BlockKind.CONSENT), "position", 0)]


def test_shelves_are_emptied_in_their_order(rig: Rig) -> None:
    rig.frames(arb_id=0x101, locked=True)
    rig.frames(locked=True)
    rig.records(1, alarm=True)
    rig.frames(locked=False)
    rig.records(1)
    rig.note(BlockKind.SECURITY)
    rig.records(1)
    rig.frames()
    rig.frames(arb_id=0x101)
    rig.note(BlockKind.MEDIA, "exterior")
    acknowledge(rig, 3, 3)
    bounds = bounds_of(
        rig,
        replace(NO_LIMITS, least_bytes=0, spare_bytes=1 << 40, step_blocks=1),
        space=DiskSpace(0, 1 << 30),
    )
    order = []
    before = rig.kept()
    while True:
        rig.open.journal.run_with_connection(bounds.step)
        after = rig.kept()
        if after == before:
            break
        order += list((Counter(before) - Counter(after)).elements())
        before = after
    assert order == [
        (int(BlockKind.MEDIA), "exterior", 0),
        (FRAMES, "position", 0),
        (FRAMES, "operation", 0),
        (RECORDS, "operation", 3),
        (RECORDS, "position", 3),
        (int(BlockKind.SECURITY), "", 0),
        (RECORDS, "operation", 2),
        (RECORDS, "position", 2),
        (EVENTS, "operation", 0),
        (RECORDS, "operation", 1),
        (RECORDS, "position", 1),
    ]
    assert before == [(EVENTS, "position", 0), (EVENTS, "operation", 0)]
    assert rig.rows("SELECT min(locked) FROM block WHERE size > 0") == [(1,)]


def test_a_limit_in_bytes_takes_the_oldest_of_its_kind(rig: Rig) -> None:
    limit = Limit(frozenset({BlockKind.FRAMES}), bytes=20_000)
    bounds = bounds_of(rig, replace(NO_LIMITS, limits=(limit,)))
    for _ in range(12):
        rig.frames()
        rig.records(1)
    run(rig, bounds)
    (held,) = rig.rows("SELECT sum(size) FROM block WHERE kind = 1")[0]
    assert 10_000 < held <= 20_000
    kept = [number for (number,) in rig.rows("SELECT number FROM block WHERE kind = 1 AND size > 0")]
    assert kept == sorted(n for (n,) in rig.rows("SELECT number FROM block WHERE kind = 1"))[-len(kept) :]
    assert len([one for one in rig.kept() if one[0] == RECORDS]) == 24


def test_records_of_a_week_outlast_their_limit_in_bytes_but_not_a_disk_without_space(rig: Rig) -> None:
    limits = usual_limits(records_bytes=2_000)
    rig.records(20)
    settings = BoundsSettings(limits=limits, total_bytes=2_000, least_bytes=0, spare_bytes=1 << 40)
    bounds = bounds_of(rig, settings)
    run(rig, bounds)
    assert len(rig.kept()) == 40
    days(rig, 7.5)
    rig.records(10)
    run(rig, bounds)
    assert {first for _, _, first in rig.kept()} == set(range(21, 31))
    run(rig, bounds_of(rig, settings, space=DiskSpace(0, 1 << 30)))
    assert rig.kept() == []


def test_the_file_stops_growing_at_its_bound(rig: Rig) -> None:
    limit = Limit(frozenset({BlockKind.FRAMES}), bytes=200_000)
    bounds = bounds_of(rig, replace(NO_LIMITS, limits=(limit,)))
    sizes = []
    for _ in range(5):
        for _ in range(40):
            rig.frames(1_000)
        run(rig, bounds)
        sizes.append(rig.rows("PRAGMA page_count")[0][0] * 4096)
    checkpoints = sum(size for (size,) in rig.rows("SELECT 2 * length(signed) FROM checkpoint"))
    assert max(sizes[1:]) <= sizes[1] + checkpoints < 1_200_000
    assert rig.rows("SELECT count(*) FROM block")[0][0] < 100
    assert rig.verify().holds


def test_rows_of_empty_segments_go_and_what_stays_is_proved(rig: Rig) -> None:
    rig.records(40)
    acknowledge(rig, 1, 40)
    days(rig, 31)
    rig.records(4)
    run(rig, bounds_of(rig, BoundsSettings()))
    first, last = rig.rows("SELECT min(number), max(number) FROM block")[0]
    assert (first, last) == (81, 88)
    report = rig.verify()
    assert report.holds, report.faults
    assert report.gone == ((1, 80),)
    rig.stop()
    rig.start()
    rig.records(4)
    assert rig.verify().holds


def test_the_row_that_the_chain_goes_on_from_stays(rig: Rig) -> None:
    rig.records(4)
    acknowledge(rig, 1, 4)
    days(rig, 31)
    run(rig, bounds_of(rig, BoundsSettings()))
    assert rig.kept() == []
    rig.stop()
    rig.start()
    rig.records(2)
    assert rig.rows("SELECT max(number) FROM block") == [(12,)]
    assert rig.verify().holds


@pytest.mark.parametrize("quality", [TimeQuality.RTC, TimeQuality.NTP, TimeQuality.GNSS])
def test_a_clock_that_shows_2099_for_a_moment_deletes_nothing(rig: Rig, quality: TimeQuality) -> None:
    rig.frames()
    rig.records(3)
    bounds = bounds_of(rig, BoundsSettings())
    run(rig, bounds)
    rig.clock.set_timebase(Timebase(YEAR_2099_NS, quality))
    for _ in range(30):
        rig.after(100)
        run(rig, bounds)
    rig.records(1)
    rig.clock.set_timebase(timebase_at())
    run(rig, bounds)
    assert len(rig.kept()) == 9
    days(rig, 15)
    rig.records(1)
    run(rig, bounds)
    assert [(name, first) for _, name, first in rig.kept()] == [
        ("operation", 1),
        ("operation", 2),
        ("operation", 3),
        ("operation", 4),
        ("operation", 5),
        ("position", 5),
    ], "what was made in that moment is old as its neighbours are"


def test_a_boot_that_begins_in_2099_deletes_nothing(rig: Rig) -> None:
    rig.records(3)
    run(rig, bounds_of(rig, BoundsSettings()))
    rig.clock.set_timebase(Timebase(YEAR_2099_NS, TimeQuality.GNSS))
    bounds = bounds_of(rig, BoundsSettings())
    for _ in range(10):
        rig.after(3_600)
        run(rig, bounds)
    assert len(rig.kept()) == 6


def test_a_boot_after_three_months_in_a_garage_lets_the_old_go_at_once(rig: Rig) -> None:
    rig.records(3)
    run(rig, bounds_of(rig, BoundsSettings()))
    rig.clock.set_timebase(timebase_at(EPOCH_NS + 90 * DAY_NS))
    rig.records(1)
    run(rig, bounds_of(rig, BoundsSettings()))
    assert {first for _, _, first in rig.kept()} == {4}


def test_a_clock_that_falls_back_deletes_nothing_new(rig: Rig) -> None:
    for _ in range(10):
        rig.frames()
    rig.clock.set_timebase(timebase_at(EPOCH_NS - 200 * DAY_NS))
    rig.records(2)
    rig.clock.set_timebase(timebase_at())
    rig.records(10)
    run(rig, bounds_of(rig, BoundsSettings()))
    assert len(rig.kept()) == 34


def test_a_clock_that_jumps_by_months_for_a_moment_deletes_nothing(rig: Rig) -> None:
    rig.records(3)
    bounds = bounds_of(rig, BoundsSettings())
    run(rig, bounds)
    rig.clock.set_timebase(timebase_at(EPOCH_NS + 100 * DAY_NS))
    for _ in range(30):
        rig.after(100)
        run(rig, bounds)
    assert len(rig.kept()) == 6
    for _ in range(5):
        rig.after(3_600)
        run(rig, bounds)
    assert rig.kept() == [], "a time that lasts is believed"


def test_without_wall_time_the_boots_own_clock_and_the_chain_tell_the_age(rig: Rig) -> None:
    rig.clock.set_timebase(Timebase())
    rig.records(8)
    days(rig, 15)
    rig.records(8)
    bounds = bounds_of(rig, BoundsSettings())
    run(rig, bounds)
    assert {first for _, name, first in rig.kept() if name == "position"} == set(range(9, 17))
    rig.boot = b"second boot_____"
    rig.clock.set_timebase(timebase_at())
    rig.records(8)
    days(rig, 13)
    run(rig, bounds)
    assert {first for _, name, first in rig.kept() if name == "position"} == set(range(9, 25))
    days(rig, 1.1)
    run(rig, bounds)
    assert [name for _, name, _ in rig.kept() if name == "position"] == []


def test_a_disk_that_refuses_loses_nothing_by_the_bounds(rig: Rig) -> None:
    rig.records(5)
    days(rig, 31)
    bounds = bounds_of(rig, BoundsSettings())
    rig.rows("PRAGMA query_only = 1")
    rig.open.journal.chores.append(bounds.step)
    rig.open.journal.pump()
    assert bounds.hops() == ()
    assert rig.open.journal.hops()[0].facts["chores that the disk refused"] == 1
    rig.rows("PRAGMA query_only = 0")
    rig.after(20)
    rig.open.journal.pump()
    assert rig.kept() == []


def test_a_step_ends_after_its_number_of_blocks(rig: Rig) -> None:
    rig.records(20)
    days(rig, 31)
    bounds = bounds_of(rig, replace(BoundsSettings(), step_blocks=5))

    def once(connection: apsw.Connection) -> None:
        assert bounds.step(connection)

    rig.open.journal.run_with_connection(once)
    assert len(rig.kept()) == 35
