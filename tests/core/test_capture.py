"""Capture with a guard: what comes from inside a forbidden area reaches nobody behind the door."""

from __future__ import annotations

from collections.abc import Sequence

from edge.account import Hop
from edge.bus.memory import MemorySource
from edge.capture import Capture, Captured
from edge.clock import NS_PER_S, VirtualClock
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.policy.classes import DataClass
from edge.policy.door import Door
from edge.sensors.observation import Observation
from edge.sensors.source import ItemSource
from tests.policy.test_transport import DATABASE

GROUP = 7 << 26 | 0xFEE3 << 8 | 1
OPERATION, CABIN = DataClass.OPERATION, DataClass.CABIN


class Sensor(ItemSource):
    """Says the same at each reading."""

    name, items = "sensor", ("gnss.lon",)

    def __init__(self) -> None:
        self.closed = False

    def read(self, timeout_s: float) -> tuple[Observation, ...] | None:
        del timeout_s
        return None if self.closed else (Observation("gnss.lon", 1, 116.5), Observation("other", 1, 1.0))

    def close(self) -> None:
        self.closed = True

    def hop(self) -> Hop:
        return Hop("sensor", "observations", 0, 0)


class Inside:
    """Withholds operation from the second frame of each batch on, and every longitude."""

    place = "yard"

    def __init__(self) -> None:
        self.settled: list[int] = []

    def judge(self, batch: FrameBatch) -> Sequence[tuple[slice, frozenset[DataClass]]]:
        if not len(batch):
            return ((slice(0, 0), frozenset({OPERATION})),)
        return (slice(0, 1), frozenset()), (slice(1, len(batch)), frozenset({OPERATION}))

    def judge_observations(self, observations: Sequence[Observation]) -> tuple[Observation, ...]:
        return tuple(one for one in observations if one.item_id != "gnss.lon")

    def settle(self, up_to_ns: int) -> None:
        self.settled.append(up_to_ns)

    def hop(self) -> Hop:
        return Hop("places", "observations", 0, 0)


def batch(count: int) -> FrameBatch:
    payload = bytes(range(1, 41))
    return FrameBatch.from_frames(
        [Frame(place, GROUP, payload, "bus", FrameFlag.EXTENDED | FrameFlag.FD) for place in range(count)],
        ["bus"],
    )


def read(capture: Capture) -> Captured:
    captured = capture.read(0)
    assert captured is not None
    return captured


def test_each_stretch_goes_through_the_mask_of_where_it_came_from() -> None:
    door = Door({"bus": [DATABASE]}, {OPERATION, CABIN}, "now")
    captured = read(Capture(MemorySource([batch(3)], buses=["bus"]), door, guard=Inside()))
    outside, inside = captured.batches
    assert (len(outside), len(inside)) == (1, 2)
    assert bytes(outside.data[0, :6]) == bytes([1, 2, 3, 4, 5, 6])
    assert bytes(inside.data[0, :6]) == bytes([0, 0, 3, 0, 0, 6])
    gates = [door.gate_of(one.mask) for one in captured.batches]
    assert [gate.collect for gate in gates if gate is not None] == [{OPERATION, CABIN}, {CABIN}]


def test_a_sensors_position_inside_is_not_handed_on() -> None:
    door = Door({"bus": [DATABASE]}, {OPERATION, DataClass.POSITION})
    capture = Capture(MemorySource([batch(1)], buses=["bus"]), door, sensors=[Sensor()], guard=Inside())
    assert [one.item_id for one in read(capture).observations] == ["other"]
    assert capture.place == "yard"
    assert [hop.name for hop in capture.hops()] == ["memory", "places", "door", "sensor", "door"]


def test_what_a_sensor_says_of_a_class_that_is_not_collected_stays_in_capture() -> None:
    door = Door({"bus": [DATABASE]}, {OPERATION})
    batches = [batch(1), batch(1), batch(1)]
    capture = Capture(MemorySource(batches, buses=["bus"]), door, sensors=[Sensor()])
    assert read(capture).observations == ()
    capture.adopt({OPERATION, DataClass.POSITION}, "agreed")
    assert len(read(capture).observations) == 2
    capture.adopt({OPERATION}, "withdrawn")
    assert read(capture).observations == ()
    hop = next(one for one in capture.hops() if one.unit == "observations" and one.name == "door")
    assert (hop.entered, hop.left, dict(hop.set_aside)) == (6, 2, {"nothing allowed": 4})


def test_a_position_just_outside_is_handed_on_though_the_last_frames_were_inside() -> None:
    door = Door({"bus": [DATABASE]}, {OPERATION, DataClass.POSITION})
    door.admit(batch(1), {DataClass.POSITION})
    capture = Capture(MemorySource([batch(1)], buses=["bus"]), door, sensors=[Sensor()])
    assert len(read(capture).observations) == 2


def test_without_a_guard_all_is_one_stretch() -> None:
    door = Door({"bus": [DATABASE]}, {OPERATION, DataClass.POSITION})
    capture = Capture(MemorySource([batch(3)], buses=["bus"]), door, sensors=[Sensor()])
    captured = read(capture)
    assert [len(one) for one in captured.batches] == [3]
    assert len(captured.observations) == 2
    assert capture.place is None


def test_a_guard_is_told_how_late_it_is_while_a_live_bus_is_silent() -> None:
    door, guard, clock = Door({"bus": [DATABASE]}, {OPERATION, CABIN}), Inside(), VirtualClock(5 * NS_PER_S)
    source = MemorySource([FrameBatch.from_frames([], ["bus"]), batch(1)], buses=["bus"], live=True)
    capture = Capture(source, door, guard=guard, clock=clock)
    silent = read(capture)
    assert guard.settled == [5 * NS_PER_S]
    assert door.gate_of(silent.batches[0].mask) is door.gate_of(Door({"bus": [DATABASE]}, {CABIN}).mask)
    read(capture)
    assert guard.settled == [5 * NS_PER_S]


def test_another_admission_holds_from_the_next_reading_on() -> None:
    door = Door({"bus": [DATABASE]}, {OPERATION}, "one")
    capture = Capture(MemorySource([batch(1), batch(1)], buses=["bus"]), door)
    first = read(capture).batches[0]
    capture.adopt({CABIN}, "two")
    second = read(capture).batches[0]
    assert (first.mask.partition("/")[2], second.mask.partition("/")[2]) == ("one", "two")
    assert bytes(first.data[0, :3]) == bytes([1, 2, 0])
    assert bytes(second.data[0, :3]) == bytes([0, 0, 3])
