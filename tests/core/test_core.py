"""The core's records: one an instant, the same however frames are batched, and no frame lost silently."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.catalogue import builtin
from edge.catalogue.condition import Comparison
from edge.clock import Timebase, TimeQuality
from edge.core import LONGEST_GAP_NS, Core
from edge.database.model import SignalRef
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.frames import Frame, FrameBatch
from edge.records import Missing, Record, Value
from edge.vehicle.event_watch import EventWatch
from edge.vehicle.expression import Expression, SignalComparison
from edge.vehicle.outcome import EventEnded, EventFrames, EventStarted
from edge.vehicle.sampler import Sampler
from edge.vehicle.trigger import Trigger
from tests.vehicle.state import S, bind, made_up

MS = 1_000_000
MOTION, ALARMS = 256, 260
SPEED = "vehicle.speed"
MASK = "a mask"
BINDING = """
[items."vehicle.speed"]
signal = "Motion.Speed"
[items."alarm.flags"]
latched = true
[items."alarm.flags".bits]
battery_high_temperature = "Alarms.Hot"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("core")


def make_core(folder: Path, *, period_ns: int = S) -> Core:
    sampler = Sampler({"pt": [bind(BINDING, folder)]}, builtin())
    plan = DecodePlan({"pt": [made_up()]}, wanted=sampler.wanted)
    return Core(LatestValues(plan, latched=sampler.latched), sampler, period_ns=period_ns)


def motion(t_ns: int, speed: int) -> Frame:
    """A frame that says `speed` in whole km/h."""
    return Frame(t_ns, MOTION, (speed * 100).to_bytes(2, "little") + bytes(6), bus="pt")


def alarm(t_ns: int, *, up: bool) -> Frame:
    return Frame(t_ns, ALARMS, bytes([up, *bytes(7)]), bus="pt")


def batch(*frames: Frame, mask: str = MASK) -> FrameBatch:
    made = FrameBatch.from_frames(frames, buses=["pt"], timebase=Timebase(7, TimeQuality.NTP))
    return FrameBatch(**{name: getattr(made, name) for name in FrameBatch.__slots__} | {"mask": mask})


def taken(core: Core, *batches: FrameBatch) -> list[Record]:
    return [record for each in batches for record in core.take(each)]


def speeds(records: Iterable[Record]) -> list[tuple[float, Value]]:
    """Instant in seconds and speed in km/h."""
    found: list[tuple[float, Value]] = []
    for record in records:
        speed = record.values[SPEED]
        found.append((record.t_ns / S, speed // 10 if isinstance(speed, int) else speed))
    return found


def facts(core: Core) -> dict[str, int]:
    return dict(core.hops()[-1].facts)


def test_the_first_record_is_at_the_first_instant_after_the_first_frame(folder: Path) -> None:
    core = make_core(folder)
    made = taken(core, batch(motion(5_300 * MS, 10), motion(6_100 * MS, 20)))
    assert speeds(made) == [(6, 10)]
    assert [record.number for record in made] == [1]


def test_a_frame_at_the_instant_belongs_to_the_next_record_and_the_last_partial_second_to_none(
    folder: Path,
) -> None:
    core = make_core(folder)
    made = taken(core, batch(motion(100 * MS, 1), motion(S, 2), motion(2 * S, 3), motion(2_900 * MS, 4)))
    assert speeds(made) == [(1, 1), (2, 2)]
    latest, records = core.hops()[0], core.hops()[-1]
    assert latest.entered == 4
    assert records.entered == records.left == 2


def test_instants_without_frames_have_their_records(folder: Path) -> None:
    made = taken(make_core(folder), batch(motion(100 * MS, 1)), batch(motion(15_100 * MS, 2)))
    assert [record.t_ns for record in made] == [second * S for second in range(1, 16)]
    assert made[-1].values[SPEED] is Missing.INVALID


def test_a_gap_of_more_than_an_hour_makes_no_records_and_is_counted(folder: Path) -> None:
    core = make_core(folder)
    later_ns = 1_500 * MS + LONGEST_GAP_NS + MS
    made = taken(
        core, batch(motion(500 * MS, 1), motion(1_500 * MS, 2), motion(later_ns, 3), motion(later_ns + S, 4))
    )
    assert speeds(made) == [(1, 1), (later_ns // S + 1, 3)]
    assert [record.number for record in made] == [1, 2]
    assert facts(core)["gaps without records"] == 1


def test_a_gap_of_an_hour_has_all_its_records(folder: Path) -> None:
    core = make_core(folder)
    made = taken(core, batch(motion(500 * MS, 1), motion(500 * MS + LONGEST_GAP_NS, 2)))
    assert len(made) == 3600
    assert facts(core)["gaps without records"] == 0


def test_a_late_frame_counts_for_the_next_record_and_is_counted(folder: Path) -> None:
    core = make_core(folder)
    made = taken(core, batch(motion(500 * MS, 1), motion(1_200 * MS, 2), alarm(900 * MS, up=True)))
    made += taken(core, batch(motion(2_100 * MS, 3), alarm(950 * MS, up=False)))
    assert [record.values["alarm.flags"] for record in made] == [Missing.INVALID, 2]
    assert facts(core)["frames behind their record"] == 2


def test_late_frames_do_not_move_time_back(folder: Path) -> None:
    core = make_core(folder)
    far_ns = 4_000 * S
    taken(core, batch(motion(far_ns, 1)), batch(motion(300 * S, 2)))
    taken(core, batch(motion(far_ns + 2 * S, 3)))
    assert facts(core)["gaps without records"] == 0


class TestSettling:
    """Records fall due by the clock on buses that say nothing."""

    def test_silent_buses_have_their_records_under_the_door_s_mask(self, folder: Path) -> None:
        core = make_core(folder)
        base = Timebase(3, TimeQuality.GNSS)
        made: list[Record] = []
        for tenth in range(10, 45):
            made += taken(core, batch())
            made += core.settle(tenth * 100 * MS, base)
        assert [record.t_ns for record in made] == [2 * S, 3 * S, 4 * S]
        assert {record.mask for record in made} == {MASK}
        assert {record.timebase for record in made} == {base}
        assert {record.values[SPEED] for record in made} == {Missing.INVALID}

    def test_settled_and_taken_instants_are_each_made_once(self, folder: Path) -> None:
        core = make_core(folder)
        made = taken(core, batch(motion(500 * MS, 1)))
        made += core.settle(2_100 * MS, Timebase())
        made += taken(core, batch(motion(2_050 * MS, 2), motion(3_050 * MS, 3)))
        made += core.settle(3_100 * MS, Timebase())
        assert speeds(made) == [(1, 1), (2, 1), (3, 2)]
        assert facts(core)["frames behind their record"] == 0

    def test_a_frame_whose_instant_was_settled_is_counted_and_shows_in_the_next_record(
        self, folder: Path
    ) -> None:
        core = make_core(folder)
        taken(core, batch(motion(500 * MS, 1)))
        list(core.settle(2_100 * MS, Timebase()))
        made = taken(core, batch(motion(1_900 * MS, 2), motion(3_050 * MS, 3)))
        assert speeds(made) == [(3, 2)]
        assert facts(core)["frames behind their record"] == 1

    def test_a_machine_that_slept_for_hours_makes_no_records_of_them(self, folder: Path) -> None:
        core = make_core(folder)
        taken(core, batch(motion(500 * MS, 1)))
        list(core.settle(2 * S, Timebase()))
        awake_ns = 20_000 * S
        made = list(core.settle(awake_ns, Timebase()))
        made += taken(core, batch(motion(awake_ns + MS, 5), motion(awake_ns + S, 6)))
        assert speeds(made) == [(20_001, 5)]
        assert facts(core)["gaps without records"] == 1


class TestEvents:
    """Events are told beside records, with the batch or the time that shows them."""

    def core(self, folder: Path) -> Core:
        sampler = Sampler({"pt": [bind(BINDING, folder)]}, builtin())
        databases = {"pt": [made_up()]}
        fast = Expression((SignalComparison(SignalRef("pt", "Motion", "Speed"), Comparison(">", 100)),))
        trigger = Trigger("fast", fast, 0, pre_ns=S, post_ns=S, longest_ns=S, frames=True)
        plan = DecodePlan(databases, wanted=sampler.wanted)
        latest = LatestValues(plan, latched=sampler.latched, followed=sampler.followed)
        return Core(latest, sampler, period_ns=S, events=EventWatch(databases, [trigger]))

    def test_a_batch_that_makes_no_record_tells_its_event(self, folder: Path) -> None:
        core = self.core(folder)
        assert taken(core, batch(motion(100 * MS, 120))) == []
        begun, frames = core.take_events()
        assert isinstance(begun, EventStarted)
        assert isinstance(frames, EventFrames)
        assert frames.batch.mask == MASK
        assert core.take_events() == ()

    def test_events_end_by_the_clock_or_with_the_run(self, folder: Path) -> None:
        core = self.core(folder)
        taken(core, batch(motion(100 * MS, 120), motion(200 * MS, 90)))
        list(core.settle(1_100 * MS, Timebase()))
        assert not any(isinstance(each, EventEnded) for each in core.take_events())
        list(core.settle(1_101 * MS, Timebase()))
        (ended,) = core.take_events()
        assert isinstance(ended, EventEnded)
        taken(core, batch(motion(5_000 * MS, 120)))
        core.end_events()
        assert isinstance(core.take_events()[-1], EventEnded)
        assert core.hops()[-1].name == "events"
        assert all(hop.balanced for hop in core.hops())

    def test_without_events_there_are_none_to_take(self, folder: Path) -> None:
        core = make_core(folder)
        taken(core, batch(motion(100 * MS, 120)))
        core.end_events()
        assert core.take_events() == ()


FRAMES = st.lists(
    st.tuples(
        st.one_of(
            st.integers(0, 6_000), st.integers(3_700_000, 3_703_000), st.integers(7_400_000, 7_403_000)
        ),
        st.booleans(),
        st.integers(0, 200),
    ),
    min_size=1,
    max_size=30,
)


def drawn_frames(drawn: Sequence[tuple[int, bool, int]], *, in_order: bool) -> list[Frame]:
    chosen = sorted(drawn, key=lambda each: each[0]) if in_order else drawn
    return [
        alarm(t_ms * MS, up=bool(number & 1)) if flag else motion(t_ms * MS, number)
        for t_ms, flag, number in chosen
    ]


@settings(max_examples=50, deadline=None)
@given(FRAMES, st.booleans(), st.sets(st.integers(1, 29)), st.sampled_from([S, 700 * MS]))
def test_how_frames_are_batched_makes_no_difference(
    folder: Path, drawn: list[tuple[int, bool, int]], in_order: bool, cuts: set[int], period_ns: int
) -> None:
    frames = drawn_frames(drawn, in_order=in_order)
    places = [0, *sorted(cut for cut in cuts if cut < len(frames)), len(frames)]
    whole, parted = make_core(folder, period_ns=period_ns), make_core(folder, period_ns=period_ns)
    expected = taken(whole, batch(*frames))
    made = taken(parted, *(batch(*frames[begin:end]) for begin, end in pairwise(places)))
    assert made == expected
    assert facts(parted) == facts(whole)
    assert [record.number for record in made] == list(range(1, len(made) + 1))
    assert [record.t_ns for record in made] == sorted({record.t_ns for record in made})
    assert [hop.entered for hop in parted.hops()] == [hop.entered for hop in whole.hops()]
