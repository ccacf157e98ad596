"""Which samples become records around an alarm and after high voltage was switched off, in virtual time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.catalogue.catalogue import builtin
from edge.clock import Timebase
from edge.core import Core
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.frames import Frame, FrameBatch
from edge.records import Record
from edge.vehicle.rules import Edition, SamplingRules
from edge.vehicle.sampler import Sampler
from tests.vehicle.state import S, bind, made_up

MS = 1_000_000
MOTION, ALARMS, MOTOR = 256, 260, 261
HOT, INSULATION, THERMAL = 1 << 1, 1 << 11, 1 << 23
ALARM_ITEMS = """
[items."alarm.flags"]
latched = true
[items."alarm.flags".bits]
1 = "Alarms.Hot"
11 = "Alarms.Insulation"
23 = "Alarms.Thermal"
[items."alarm.flags".levels]
1 = 3
[items."alarm.max_level"]
derive = "max_level"
of = "alarm.flags"
"""
SPEED_ITEM = '[items."vehicle.speed"]\nsignal = "Motion.Speed"\n'
STATE_ITEMS = (
    '[items."vehicle.state"]\nsignal = "Motor.Mode"\nmap = { Driving = 1, Ready = 1, Off = 2 }\n'
    '[items."vehicle.charge_state"]\nsignal = "Motion.SpeedValid"\nmap = { 0 = 3, 1 = 1 }\n'
)
DRIVING, OFF = 1, 3
EVERY_TEN = SamplingRules(10 * S)
OF_2016 = replace(EVERY_TEN, edition=Edition.OF_2016, watch_after_off_ns=180 * S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("windows")


def make_core(folder: Path, rules: SamplingRules | None, *, items: str = ALARM_ITEMS + SPEED_ITEM) -> Core:
    sampler = Sampler({"pt": [bind(items, folder)]}, builtin())
    plan = DecodePlan({"pt": [made_up()]}, wanted=sampler.wanted)
    latest = LatestValues(plan, latched=sampler.latched, followed=sampler.followed)
    return Core(latest, sampler, period_ns=S if rules is None else rules.period_ns, rules=rules)


def motion(at_s: float, speed: int = 0, *, charging: bool = False) -> Frame:
    data = (speed * 100).to_bytes(2, "little") + bytes([charging]) + bytes(5)
    return Frame(round(at_s * S), MOTION, data, "pt")


def flags(at_s: float, *, hot: bool = False, insulation: int = 0, thermal: bool = False) -> Frame:
    return Frame(round(at_s * S), ALARMS, bytes([hot | insulation << 1 | thermal << 3, *bytes(7)]), "pt")


def motor(at_s: float, mode: int) -> Frame:
    return Frame(round(at_s * S), MOTOR, bytes([0, 0, 0, 0, mode, 0, 0, 0]), "pt")


def ticks(from_s: float, to_s: float) -> Iterator[float]:
    """Every half second, beside the instants."""
    return (half / 2 + 0.1 for half in range(round(from_s * 2), round(to_s * 2)))


def batch(frames: Sequence[Frame]) -> FrameBatch:
    return FrameBatch.from_frames(frames, buses=["pt"])


def taken(core: Core, frames: Sequence[Frame], cuts: Iterable[int] = ()) -> list[Record]:
    frames = sorted(frames, key=lambda frame: frame.t_ns)
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(frames)), len(frames)]
    return [record for begin, end in pairwise(places) for record in core.take(batch(frames[begin:end]))]


def seconds(records: Iterable[Record], *, reissue: bool | None = None) -> list[float]:
    return [each.t_ns / S for each in records if reissue is None or each.reissue is reissue]


def hot_from_to(from_s: float, to_s: float, end_s: float) -> list[Frame]:
    return [flags(at, hot=from_s <= at < to_s) for at in ticks(0, end_s)]


class TestAlarmWindow:
    """A record a second from 30 s before an alarm of level 3 on."""

    def test_of_2025_it_ends_when_the_alarm_has_cleared(self, folder: Path) -> None:
        core = make_core(folder, EVERY_TEN)
        made = taken(core, hot_from_to(45.2, 50.2, 85))
        assert seconds(made, reissue=False) == [10, 20, 30, 40, 46, 47, 48, 49, 50, 51, 52, 60, 70, 80]
        assert seconds(made, reissue=True) == [at for at in range(16, 46) if at not in {20, 30, 40}]
        assert [record.number for record in made] == list(range(1, len(made) + 1))
        assert made[4].alarm
        assert made[4].t_ns == 46 * S
        assert made[5].reissue
        assert made[5].t_ns == 16 * S
        assert core.hops()[-1].facts["alarm windows"] == 1
        assert core.hops()[-1].facts["records of before an alarm"] == 27

    def test_of_2025_it_lasts_as_long_as_the_alarm(self, folder: Path) -> None:
        made = taken(make_core(folder, EVERY_TEN), hot_from_to(45.2, 130, 150))
        assert seconds(made, reissue=False) == [10, 20, 30, 40, *range(46, 132), 140]

    def test_of_2016_it_ends_30_s_after_the_fault(self, folder: Path) -> None:
        made = taken(make_core(folder, OF_2016), hot_from_to(45.2, 46.2, 95))
        assert seconds(made, reissue=False) == [10, 20, 30, 40, *range(46, 77), 80, 90]
        assert seconds(made, reissue=True)[0] == 16

    def test_of_2016_an_alarm_that_stays_has_no_longer_window(self, folder: Path) -> None:
        made = taken(make_core(folder, OF_2016), hot_from_to(45.2, 95, 95))
        assert seconds(made, reissue=False) == [10, 20, 30, 40, *range(46, 77), 80, 90]
        assert made[-1].alarm

    def test_of_2016_a_further_fault_prolongs_it(self, folder: Path) -> None:
        frames = [flags(at, hot=at > 45.2, thermal=at > 60.2) for at in ticks(0, 105)]
        made = taken(make_core(folder, OF_2016), frames)
        assert seconds(made, reissue=False) == [10, 20, 30, 40, *range(46, 92), 100]

    def test_of_2016_another_flag_that_joins_is_a_further_fault(self, folder: Path) -> None:
        frames = [flags(at, hot=at > 45.2, insulation=at > 60.2) for at in ticks(0, 105)]
        made = taken(make_core(folder, OF_2016), frames)
        assert seconds(made, reissue=False) == [10, 20, 30, 40, *range(46, 92), 100]

    def test_what_came_out_in_one_window_does_not_come_again_in_the_next(self, folder: Path) -> None:
        frames = [flags(at, hot=45.2 < at < 48 or 55.2 < at < 57) for at in ticks(0, 75)]
        made = taken(make_core(folder, EVERY_TEN), frames)
        assert sorted(seconds(made)) == [10, *range(16, 59), 60, 70]
        assert seconds(made, reissue=True)[-6:] == [45, 51, 52, 53, 54, 55]

    def test_an_alarm_that_is_up_at_the_start_has_30_s_after(self, folder: Path) -> None:
        made = taken(make_core(folder, EVERY_TEN), hot_from_to(0, 2, 65))
        assert seconds(made) == [*range(1, 32), 40, 50, 60]

    def test_a_level_that_is_not_heard_of_any_more_counts_as_up_for_30_s(self, folder: Path) -> None:
        frames = [flags(at, hot=at > 45.2) for at in ticks(0, 50)]
        made = taken(make_core(folder, EVERY_TEN), [*frames, *(motion(at) for at in ticks(0, 105))])
        # The item is fresh for 3 s after its last frame.
        assert seconds(made, reissue=False) == [10, 20, 30, 40, *range(46, 84), 90, 100]

    def test_no_alarm_no_window(self, folder: Path) -> None:
        frames = [flags(at, insulation=1) for at in ticks(0, 45)]
        assert seconds(taken(make_core(folder, EVERY_TEN), frames)) == [10, 20, 30, 40]

    def test_without_a_level_nothing_is_sampled_between(self, folder: Path) -> None:
        core = make_core(folder, EVERY_TEN, items=SPEED_ITEM)
        assert seconds(taken(core, [motion(at, 7) for at in ticks(0, 35)])) == [10, 20, 30]

    def test_a_period_that_is_no_multiple_of_a_second_keeps_its_instants(self, folder: Path) -> None:
        rules = replace(EVERY_TEN, period_ns=2_500 * MS)
        made = taken(make_core(folder, rules), hot_from_to(6.2, 8, 16))
        assert seconds(made, reissue=False) == [2.5, 5, 7, 7.5, 8, 9, 10, 12.5, 15]
        assert seconds(made, reissue=True) == [1, 2, 3, 4, 6]


class TestLatches:
    """What was seen between two records is in the next one."""

    def test_a_flag_of_a_low_level_shows_in_the_next_record_only(self, folder: Path) -> None:
        frames = [flags(at, insulation=42 < at < 42.4) for at in ticks(0, 75)]
        made = taken(make_core(folder, EVERY_TEN), frames)
        assert [record.values["alarm.flags"] for record in made] == [0, 0, 0, 0, INSULATION, 0, 0]

    def test_a_flag_before_the_window_shows_in_the_record_of_the_alarm_and_in_its_own(
        self, folder: Path
    ) -> None:
        frames = [flags(at, insulation=42 < at < 42.4, hot=45 < at < 45.4) for at in ticks(0, 55)]
        made = taken(make_core(folder, EVERY_TEN), frames)
        by_time = {record.t_ns // S: record.values["alarm.flags"] for record in made}
        assert by_time[46] == HOT | INSULATION
        assert by_time[43] == INSULATION
        assert by_time[44] == by_time[47] == by_time[50] == 0

    def test_a_level_that_came_seconds_after_its_flag_is_in_the_record_of_both(self, folder: Path) -> None:
        items = ALARM_ITEMS.replace("1 = 3", '1 = "Temperatures.Level"')
        level = [Frame(at * S, 259, bytes([0, 0, 0, 0, at == 44, 0, 0, 0]), "pt") for at in range(75)]
        frames = [*level, *(flags(at, hot=42 < at < 42.4) for at in ticks(0, 75))]
        made = taken(make_core(folder, EVERY_TEN, items=items), frames)
        assert [record.values["alarm.max_level"] for record in made] == [0, 0, 0, 0, 1, 0, 0]


class TestAfterOff:
    """Watched, reported at the end, then parked until something happens."""

    ITEMS = ALARM_ITEMS + SPEED_ITEM + STATE_ITEMS

    def core(self, folder: Path, rules: SamplingRules) -> Core:
        return make_core(folder, rules, items=self.ITEMS)

    def drive(self, off_s: float, end_s: float, wake_s: float = 1e9) -> list[Frame]:
        """A state every second until 5 s after the vehicle is off and again once it wakes; else little."""
        frames = [motor(at + 0.2, OFF if at >= off_s else DRIVING) for at in range(round(off_s) + 5)]
        frames += [motor(at + 0.2, DRIVING) for at in range(round(min(wake_s, end_s)), round(end_s))]
        return [*frames, *(motion(at + 0.3) for at in range(0, round(end_s), 500)), motion(end_s)]

    def test_of_2025_three_minutes_and_the_last_half_minute_of_the_hour_are_reported(
        self, folder: Path
    ) -> None:
        made = taken(self.core(folder, EVERY_TEN), self.drive(100, 3900))
        # Seen off at 101 s.
        assert seconds(made) == [*range(10, 290, 10), 3680, 3690, 3700]
        assert [record.number for record in made] == list(range(1, len(made) + 1))

    def test_of_2016_three_minutes_are_reported(self, folder: Path) -> None:
        made = taken(self.core(folder, OF_2016), self.drive(100, 3900))
        assert seconds(made) == [*range(10, 290, 10)]

    @pytest.mark.parametrize("period_s", [1, 30])
    def test_the_half_minute_has_a_record_at_any_period(self, folder: Path, period_s: int) -> None:
        made = taken(self.core(folder, replace(EVERY_TEN, period_ns=period_s * S)), self.drive(100, 3900))
        last = [at for at in seconds(made) if 101 + 3570 <= at <= 101 + 3600]
        assert last
        assert last[-1] == seconds(made)[-1]

    def test_a_vehicle_that_wakes_has_records_again(self, folder: Path) -> None:
        core = self.core(folder, EVERY_TEN)
        made = taken(core, self.drive(100, 5000, wake_s=4895))
        assert seconds(made)[-12:] == [3700, *range(4900, 5001, 10)]
        assert core.hops()[-1].facts["records not made while the vehicle was off"] == 339 + 119

    def test_silence_before_anything_was_said_of_the_state_is_no_parking(self, folder: Path) -> None:
        made = taken(self.core(folder, EVERY_TEN), [motion(0.3), motion(400)])
        assert seconds(made) == [*range(10, 401, 10)]

    def test_a_vehicle_that_is_off_and_charges_is_in_use(self, folder: Path) -> None:
        frames = [motor(at, OFF) for at in ticks(0, 400)] + [
            motion(at, charging=True) for at in ticks(0, 400)
        ]
        assert seconds(taken(self.core(folder, EVERY_TEN), frames)) == [*range(10, 400, 10)]

    @pytest.mark.parametrize("at_s", [600, 4500], ids=["while watched", "while parked"])
    def test_an_alarm_opens_its_window_at_once_with_what_was_before(self, folder: Path, at_s: int) -> None:
        frames = [*self.drive(100, 5000), flags(1), flags(at_s + 0.5, thermal=True), flags(at_s + 3.5)]
        made = taken(self.core(folder, EVERY_TEN), frames)
        near = [record for record in made if abs(record.t_ns / S - at_s) < 200]
        assert seconds(near, reissue=False) == [at_s + 1, at_s + 2, at_s + 3, at_s + 4]
        assert near[0].alarm
        assert seconds(near, reissue=True) == [*range(at_s - 29, at_s + 1)]

    def test_a_gap_does_not_wake_the_vehicle(self, folder: Path) -> None:
        core = self.core(folder, EVERY_TEN)
        made = taken(core, [*self.drive(100, 500), motion(20_000)])
        made += core.settle(20_100 * S, Timebase())
        assert seconds(made)[-1] == 280

    def test_a_sleeping_bus_is_watched_by_the_clock(self, folder: Path) -> None:
        core = self.core(folder, EVERY_TEN)
        made = taken(core, self.drive(100, 200))
        for at_s in range(200, 5000, 7):
            made += core.settle(at_s * S, Timebase())
        assert seconds(made)[-4:] == [280, 3680, 3690, 3700]


DRAWN = st.lists(
    st.tuples(st.integers(0, 200_000), st.sampled_from("ahitmod"), st.integers(0, 100)),
    min_size=1,
    max_size=60,
)


def drawn_frame(at_ms: int, kind: str, number: int) -> Frame:
    at_s = at_ms / 1000
    if kind in "mod":
        return motion(at_s, number) if kind == "m" else motor(at_s, OFF if kind == "o" else DRIVING)
    return flags(at_s, hot=kind == "h", insulation=kind == "i", thermal=kind == "t")


RULES = st.builds(
    SamplingRules,
    st.sampled_from([S, 700 * MS, 2_500 * MS, 10 * S, 30 * S]),
    st.sampled_from(Edition),
    report_after_off_ns=st.sampled_from([0, 20 * S]),
    watch_after_off_ns=st.sampled_from([40 * S, 90 * S]),
)


@settings(max_examples=40, deadline=None)
@given(DRAWN, st.sets(st.integers(1, 59)), RULES)
def test_how_frames_are_batched_makes_no_difference(
    folder: Path, drawn: list[tuple[int, str, int]], cuts: set[int], rules: SamplingRules
) -> None:
    frames = [drawn_frame(*each) for each in drawn]
    whole = make_core(folder, rules, items=TestAfterOff.ITEMS)
    parted = make_core(folder, rules, items=TestAfterOff.ITEMS)
    made = taken(whole, frames)
    assert taken(parted, frames, cuts) == made
    assert [record.number for record in made] == list(range(1, len(made) + 1))
    instants = [record.t_ns for record in made]
    assert len(instants) == len(set(instants))
    live = [record.t_ns for record in made if not record.reissue]
    assert live == sorted(live)


@settings(max_examples=30, deadline=None)
@given(DRAWN, st.sampled_from([S, 500 * MS]), st.sampled_from(Edition))
def test_a_vehicle_in_use_that_is_sampled_every_second_has_the_records_it_had_without_rules(
    folder: Path, drawn: list[tuple[int, str, int]], period_ns: int, edition: Edition
) -> None:
    frames = [drawn_frame(*each) for each in drawn]
    sampler = Sampler({"pt": [bind(ALARM_ITEMS + SPEED_ITEM, folder)]}, builtin())
    plan = DecodePlan({"pt": [made_up()]}, wanted=sampler.wanted)
    plain = Core(LatestValues(plan, latched=sampler.latched), sampler, period_ns=period_ns)
    ruled = make_core(folder, SamplingRules(period_ns, edition))
    assert taken(ruled, frames) == taken(plain, frames)


@settings(max_examples=30, deadline=None)
@given(DRAWN, st.sampled_from([S, 10 * S, 30 * S]))
def test_every_flag_that_was_up_is_in_a_record_of_the_same_period(
    folder: Path, drawn: list[tuple[int, str, int]], period_ns: int
) -> None:
    frames = [drawn_frame(*each) for each in drawn] + [motion(240)]
    made = taken(make_core(folder, SamplingRules(period_ns)), frames)
    for frame in frames:
        if frame.arbitration_id != ALARMS:
            continue
        raw = frame.data[0]
        up = (HOT if raw & 1 else 0) | (INSULATION if raw >> 1 & 3 else 0) | (THERMAL if raw >> 3 & 1 else 0)
        after = [record for record in made if frame.t_ns < record.t_ns <= frame.t_ns + period_ns]
        shown = [record.values["alarm.flags"] for record in after]
        assert up == 0 or any(isinstance(value, int) and value & up == up for value in shown)
