"""A level that came and went between two records is in the next one, with the precedence that it gives."""

from pathlib import Path

import pytest

from edge.catalogue.catalogue import builtin
from edge.core import Core
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.frames import Frame, FrameBatch
from edge.records import Missing, Record, Value
from edge.vehicle.sampler import Sampler
from tests.vehicle.state import S, bind, made_up

MS = 1_000_000
ALARMS, TEMPERATURES = 260, 259
FLAGS = """
[items."alarm.flags"]
latched = {latched}
[items."alarm.flags".bits]
1 = "Alarms.Hot"
[items."alarm.flags".levels]
1 = "Temperatures.Level"
[items."alarm.max_level"]
derive = "max_level"
of = "alarm.flags"
[items."alarm.levels"]
derive = "levels"
of = "alarm.flags"
"""
DIRECT = '[items."alarm.max_level"]\nsignal = "Temperatures.Level"\nrange = [0, 4]\n'
FOUR_SECONDS = range(0, 4_010, 10)


def flag(at_ms: int, *, up: bool) -> Frame:
    return Frame(at_ms * MS, ALARMS, bytes([up, *bytes(7)]), bus="pt")


def level(at_ms: int, value: int) -> Frame:
    return Frame(at_ms * MS, TEMPERATURES, bytes([0, 0, 0, 0, value, 0, 0, 0]), bus="pt")


def records(text: str, folder: Path, frames: list[Frame], *, size: int = 1000) -> list[Record]:
    sampler = Sampler({"pt": [bind(text, folder)]}, builtin())
    plan = DecodePlan({"pt": [made_up()]}, wanted=sampler.wanted)
    latest = LatestValues(plan, latched=sampler.latched, followed=sampler.followed)
    core = Core(latest, sampler, period_ns=S)
    batches = [FrameBatch.from_frames(frames[place : place + size]) for place in range(0, len(frames), size)]
    return [record for batch in batches for record in core.take(batch)]


def shown(made: list[Record], item: str = "alarm.max_level") -> list[Value]:
    return [record.values[item] for record in made]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_short_alarm_has_its_level_and_its_precedence(tmp_path: Path, size: int) -> None:
    frames = [
        frame
        for at in FOUR_SECONDS
        for frame in (
            level(at, 3 if at in range(1_400, 1_450) else 0),
            flag(at + 1, up=at in range(1_400, 1_450)),
        )
    ]
    made = records(FLAGS.format(latched="true"), tmp_path, frames, size=size)
    assert shown(made) == [0, 3, 0, 0]
    assert shown(made, "alarm.levels") == [(), (1, 3), (), ()]
    assert [record.alarm for record in made] == [False, True, False, False]


def test_the_highest_level_of_the_period_counts_and_what_is_none_does_not(tmp_path: Path) -> None:
    said = {100: 1, 200: 3, 300: 7, 400: 2}
    frames = [flag(50, up=True), *(level(at, value) for at, value in said.items()), flag(4_000, up=True)]
    assert shown(records(FLAGS.format(latched="true"), tmp_path, frames))[0] == 3


def test_what_is_not_latched_has_the_last_level(tmp_path: Path) -> None:
    frames = [flag(50, up=True), level(100, 3), level(900, 1), flag(1_000, up=True)]
    assert shown(records(FLAGS.format(latched="false"), tmp_path, frames)) == [1]


def test_a_highest_level_that_a_signal_says_keeps_its_peak(tmp_path: Path) -> None:
    frames = [level(at, 3 if at == 1_500 else 1) for at in FOUR_SECONDS]
    made = records(DIRECT, tmp_path, frames, size=64)
    assert shown(made) == [1, 3, 1, 1]
    assert [record.alarm for record in made] == [False, True, False, False]


def test_a_frame_too_short_for_the_level_says_nothing_of_it(tmp_path: Path) -> None:
    frames = [flag(50, up=True), Frame(60 * MS, TEMPERATURES, bytes(4), "pt"), flag(1_000, up=True)]
    assert shown(records(FLAGS.format(latched="true"), tmp_path, frames)) == [Missing.INVALID]
