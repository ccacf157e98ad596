"""A flag that is up for less than a period shows in the next record, and in no other."""

from pathlib import Path

import pytest

from edge.bus.memory import MemorySource
from edge.catalogue.catalogue import builtin
from edge.core import Core
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.frames import Frame, FrameBatch
from edge.records import Record
from edge.vehicle.sampler import Sampler
from tests.vehicle.state import S, bind, made_up

ALARMS = 260
HOT = 1 << 1
BINDING = """
[items."alarm.flags"]
latched = true
[items."alarm.flags".bits]
battery_high_temperature = "Alarms.Hot"
[items."alarm.flags".levels]
battery_high_temperature = 3
[items."alarm.max_level"]
derive = "max_level"
of = "alarm.flags"
[items."alarm.levels"]
derive = "levels"
of = "alarm.flags"
"""


def records(folder: Path, up_ms: range, *, batch_ms: int) -> list[Record]:
    """Four seconds of an alarm message every 10 ms, its flag up during `up_ms`, on the way to the records."""
    sampler = Sampler({"pt": [bind(BINDING, folder)]}, builtin())
    plan = DecodePlan({"pt": [made_up()]}, wanted=sampler.wanted)
    core = Core(LatestValues(plan, latched=sampler.latched), sampler, period_ns=S)
    frames = [
        Frame(at_ms * 1_000_000, ALARMS, bytes([at_ms in up_ms, *bytes(7)]), bus="pt")
        for at_ms in range(0, 4010, 10)
    ]
    size = batch_ms // 10
    batches = [FrameBatch.from_frames(frames[place : place + size]) for place in range(0, len(frames), size)]
    made: list[Record] = []
    with MemorySource(batches) as source:
        while (batch := source.read(0)) is not None:
            made += core.take(batch)
    return made


@pytest.mark.parametrize("batch_ms", [10, 100, 4010])
@pytest.mark.parametrize(
    ("up_ms", "shown"),
    [
        (range(1400, 1450), [False, True, False, False]),
        (range(1000, 1050), [False, True, False, False]),
        (range(1950, 2000), [False, True, False, False]),
        (range(1980, 2030), [False, True, True, False]),
        (range(1400, 2500), [False, True, True, False]),
    ],
    ids=["between", "from the instant on", "up to the instant", "across the instant", "longer than a period"],
)
def test_a_flag_that_is_up_for_50_ms_shows_in_the_next_record(
    tmp_path: Path, up_ms: range, shown: list[bool], batch_ms: int
) -> None:
    made = records(tmp_path, up_ms, batch_ms=batch_ms)
    assert [record.t_ns for record in made] == [S, 2 * S, 3 * S, 4 * S]
    assert [record.values["alarm.flags"] == HOT for record in made] == shown
    assert [record.values["alarm.flags"] == 0 for record in made] == [not up for up in shown]
    assert [record.alarm for record in made] == shown
    assert [record.values["alarm.levels"] for record in made] == [(1, 3) if up else () for up in shown]
