"""Admitted frames by class: each bit in exactly one part, no frame lost, and together they are the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from edge.database.model import SignalRef
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.policy.classed import ClassedDatabase, DiagnosticChannel, DiagnosticRule
from edge.policy.classes import SENSITIVITY, DataClass
from edge.policy.door import Door
from edge.policy.split import ClassPart, rejoin
from tests.policy.drawn import present
from tests.policy.test_door import CABIN, OPERATION, classed, signal
from tests.policy.test_door_properties import BUS, FRAMES, MANY, drawn_length, frame, matching, roads
from tests.policy.test_recordings import classed as classed_file
from tests.policy.test_recordings import recorded
from tests.policy.test_transport import (
    ALLOWED,
    BARE,
    DATABASE,
    DESCRIBED,
    SECRET,
    broadcast,
    diagnostics,
    isotp,
    masked,
)

HEALTH, IDENTITY, POSITION = DataClass.HEALTH, DataClass.IDENTITY, DataClass.POSITION
EVERYTHING = frozenset(DataClass)


def bits(single: Frame) -> int:
    return int.from_bytes(single.data, "little")


def shares(door: Door, databases: Sequence[ClassedDatabase], single: Frame) -> dict[DataClass, int]:
    """Which bits of an admitted frame belong to which class, read signal by signal."""
    length = len(single.data)
    claimed: dict[DataClass, int] = {}
    for classed_database, message in matching(databases, single.arbitration_id):
        for known in message.signals:
            if door.collected(SignalRef(BUS, message.name, known.name)) and present(
                bits(single), length, message, known
            ):
                data_class = classed_database.class_of(message.name, known.name)
                assert data_class is not None
                mask = sum(1 << bit for bit in known.bits if bit < 8 * length)
                claimed[data_class] = claimed.get(data_class, 0) | mask
    taken = 0
    for data_class in SENSITIVITY:
        claimed[data_class] = claimed.get(data_class, 0) & ~taken
        taken |= claimed[data_class]
    return {data_class: mask for data_class, mask in claimed.items() if mask}


def by_place(parts: Mapping[DataClass, ClassPart]) -> dict[int, dict[DataClass, Frame]]:
    found: dict[int, dict[DataClass, Frame]] = {}
    for data_class, part in parts.items():
        assert part.places.dtype == np.int64
        assert (np.diff(part.places) > 0).all()
        for row, place in enumerate(part.places.tolist()):
            found.setdefault(place, {})[data_class] = part.batch.frame(row)
    return found


@MANY
@given(
    road=roads(),
    collect=st.sets(st.sampled_from(DataClass), min_size=1).map(lambda found: frozenset(found | {OPERATION})),
    seed=st.integers(0, 1 << 32),
)
def test_each_bit_goes_to_its_class_and_together_they_are_the_batch(
    road: tuple[list[ClassedDatabase], tuple[int, ...], FrameFlag], collect: frozenset[DataClass], seed: int
) -> None:
    databases, identifiers, flags = road
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    frames: list[Frame] = []
    for _ in range(FRAMES):
        identifier = chance.choice(identifiers)
        length = drawn_length(chance, databases, identifier)
        frames.append(frame(identifier, chance.getrandbits(8 * length), length, flags))
    door = Door({BUS: databases}, collect)
    batch = door.admit(FrameBatch.from_frames(frames))
    parts = door.split(batch)
    assert set(parts) <= collect
    assert list(parts) == [data_class for data_class in SENSITIVITY if data_class in parts]
    event(f"classes: {len(parts)}")
    found = by_place(parts)
    assert sorted(found) == list(range(len(batch)))
    for place, own in found.items():
        single = batch.frame(place)
        expected = shares(door, databases, single)
        if expected:
            assert {data_class: bits(part) for data_class, part in own.items()} == {
                data_class: bits(single) & mask for data_class, mask in expected.items()
            }
        else:
            assert [bits(part) for part in own.values()] == [0]
    assert all(part.batch.mask == door.mask for part in parts.values())
    if len(batch):
        together = rejoin(parts.values())
        assert together.equals(batch)
        assert (together.mask, together.timebase) == (batch.mask, batch.timebase)


def split(
    data: bytes, database: ClassedDatabase, collect: frozenset[DataClass] = EVERYTHING
) -> dict[DataClass, bytes]:
    door = Door({"bus": [database]}, collect)
    batch = door.admit(FrameBatch.from_frames([Frame(0, 256, data, "bus")]))
    parts = door.split(batch)
    assert rejoin(parts.values()).equals(batch)
    return {data_class: part.batch.frame(0).data for data_class, part in parts.items()}


def test_a_bit_of_two_classes_is_kept_as_the_more_sensitive() -> None:
    database = classed(signal("Wide", 0, 16) + signal("Inner", 4, 8), {"Wide": OPERATION, "Inner": POSITION})
    assert split(b"\xff\xff\xff\xff", database) == {
        POSITION: b"\xf0\x0f\x00\x00",
        OPERATION: b"\x0f\xf0\x00\x00",
    }


def test_a_class_all_of_whose_bits_are_more_sensitive_has_no_frame() -> None:
    database = classed(signal("One", 0, 8) + signal("Two", 0, 8), {"One": HEALTH, "Two": CABIN})
    assert split(b"\xff\xff\xff\xff", database) == {CABIN: b"\xff\x00\x00\x00"}


def test_a_frame_stands_in_each_of_its_classes_though_its_bits_are_zero() -> None:
    database = classed(signal("One", 0, 8) + signal("Two", 8, 8), {"One": HEALTH, "Two": OPERATION})
    assert split(bytes(4), database) == {OPERATION: bytes(4), HEALTH: bytes(4)}


@pytest.mark.parametrize("data", [b"", b"\x01"])
def test_a_frame_without_a_bit_of_any_class_goes_to_the_most_sensitive(data: bytes) -> None:
    database = classed(signal("One", 8, 8) + signal("Two", 16, 8), {"One": HEALTH, "Two": POSITION})
    assert split(data, database) == {POSITION: bytes(len(data))}


def test_a_class_is_there_only_under_its_multiplexer_value() -> None:
    database = classed(
        signal("Page", 0, 8, "M ") + signal("Lane", 8, 8, "m1 ") + signal("Power", 8, 8, "m2 "),
        {"Page": OPERATION, "Lane": POSITION, "Power": OPERATION},
    )
    assert split(b"\x01\x55\x00\x00", database) == {
        POSITION: b"\x00\x55\x00\x00",
        OPERATION: b"\x01\x00\x00\x00",
    }
    assert split(b"\x02\x55\x00\x00", database) == {OPERATION: b"\x02\x55\x00\x00"}
    assert split(b"\x03\x55\x00\x00", database) == {OPERATION: b"\x03\x00\x00\x00"}


@pytest.mark.parametrize("size", [40, 100])
def test_a_reassembled_message_is_divided_like_a_frame(size: int) -> None:
    payload = bytes(range(1, size + 1))
    door = Door({"bus": [DATABASE]}, frozenset({OPERATION, CABIN}))
    batch = door.admit(FrameBatch.from_frames(broadcast(payload, 0x21)))
    parts = door.split(batch)
    assert parts[OPERATION].batch.frame(0).data == masked(payload)
    cabin = bytes(value if place % 3 == 2 and place < 40 else 0 for place, value in enumerate(payload))
    assert parts[CABIN].batch.frame(0).data == cabin
    assert rejoin(parts.values()).equals(batch)


def test_a_message_that_a_rule_lets_pass_goes_whole_to_the_class_of_the_rule() -> None:
    vin = b"\x62\xf1\x90" + SECRET
    frames = [
        *isotp(ALLOWED, DESCRIBED),
        *isotp(vin, DESCRIBED),
        *isotp(b"\x41\x0c\x01\x02", DESCRIBED),
        *isotp(vin, BARE),
        *isotp(b"\x41\x0c\x01\x02", BARE),
    ]
    door = Door({"bus": [diagnostics()]}, frozenset({OPERATION, IDENTITY}))
    batch = door.admit(FrameBatch.from_frames(frames))
    parts = door.split(batch)
    assert parts[IDENTITY].places.tolist() == [1, 3]
    assert all(SECRET in single.data for single in map(parts[IDENTITY].batch.frame, range(2)))
    assert parts[OPERATION].places.tolist() == [0, 2, 4]
    assert not any(SECRET in single.data for single in map(parts[OPERATION].batch.frame, range(3)))
    assert rejoin(parts.values()).equals(batch)


def test_a_single_frame_that_a_message_describes_is_divided_by_its_signals() -> None:
    described = diagnostics()
    classes = {("Answers", name): OPERATION for name in ("Service", "Value")} | {("Answers", "Size"): HEALTH}
    database = ClassedDatabase(described.database, classes, channels=described.channels)
    door = Door({"bus": [database]}, frozenset({OPERATION, HEALTH}))
    batch = door.admit(FrameBatch.from_frames(isotp(b"\x41\x0c\x01\x02")))
    parts = door.split(batch)
    assert parts[HEALTH].batch.frame(0).data == b"\x04" + bytes(7)
    assert parts[OPERATION].batch.frame(0).data == b"\x00\x41\x0c\x01\x02\xaa\xaa\xaa"


def test_of_signals_under_one_multiplexer_value_a_bit_goes_to_the_more_sensitive() -> None:
    database = classed(
        signal("Page", 0, 8, "M ") + signal("Wide", 8, 16, "m1 ") + signal("Inner", 12, 8, "m1 "),
        {"Page": OPERATION, "Wide": OPERATION, "Inner": POSITION},
    )
    assert split(b"\x01\xff\xff\x00", database) == {
        POSITION: b"\x00\xf0\x0f\x00",
        OPERATION: b"\x01\x0f\xf0\x00",
    }


def test_a_rule_whose_mark_was_cleared_gives_the_most_sensitive_class_that_it_may_be() -> None:
    rules = (
        DiagnosticRule(OPERATION, 0x62, ((0x0100, 0x0101),), 2, 20),
        DiagnosticRule(IDENTITY, 0x62, ((0xF190, 0xF190),), 2, 17),
    )
    described = diagnostics()
    shy = ClassedDatabase(
        described.database,
        {("Answers", "Size"): OPERATION},
        channels=(DiagnosticChannel(DESCRIBED, False, "Answers", rules),),
    )
    door = Door({"bus": [shy]}, frozenset({OPERATION, IDENTITY}))
    batch = door.admit(FrameBatch.from_frames(isotp(ALLOWED)))
    assert list(door.split(batch)) == [IDENTITY]
    without = Door({"bus": [shy]}, frozenset({OPERATION, HEALTH}))
    assert list(without.split(without.admit(FrameBatch.from_frames(isotp(ALLOWED))))) == [OPERATION]


def test_a_batch_of_one_class_is_handed_on_as_it_is() -> None:
    one = classed(signal("One", 0, 8), {"One": OPERATION})
    other = classed(signal("Two", 0, 8), {"Two": HEALTH}, name="N", identifier=257)
    door = Door({"bus": [one, other]}, EVERYTHING)
    batch = door.admit(FrameBatch.from_frames([Frame(0, 256, b"\x01", "bus")] * 3))
    parts = door.split(batch)
    assert parts[OPERATION].batch is batch
    assert parts[OPERATION].places.tolist() == [0, 1, 2]
    assert list(parts) == [OPERATION]


def test_each_frame_of_one_class_goes_to_its_own() -> None:
    one = classed(signal("One", 0, 8), {"One": OPERATION})
    other = classed(signal("Two", 0, 8), {"Two": HEALTH}, name="N", identifier=257)
    door = Door({"bus": [one, other]}, EVERYTHING)
    frames = [Frame(place, identifier, b"\x01", "bus") for place, identifier in enumerate((256, 257, 256))]
    parts = door.split(door.admit(FrameBatch.from_frames(frames)))
    assert {data_class: part.places.tolist() for data_class, part in parts.items()} == {
        OPERATION: [0, 2],
        HEALTH: [1],
    }
    assert [parts[HEALTH].batch.frame(place) for place in range(1)] == frames[1:2]


def test_a_batch_that_went_through_another_door_is_refused() -> None:
    door = Door({"bus": [classed(signal("One", 0, 8), {"One": OPERATION})]}, EVERYTHING)
    raw = FrameBatch.from_frames([Frame(0, 256, b"\x01", "bus")])
    with pytest.raises(ValueError, match="no mask"):
        door.split(raw)
    gate = door.gate_of(door.mask)
    assert gate is not None
    with pytest.raises(ValueError, match="no mask"):
        gate.split.split(raw)
    assert door.split(door.admit(FrameBatch.empty(["bus"]))) == {}


def test_parts_that_do_not_belong_together_are_refused() -> None:
    place = np.zeros(1, np.int64)
    one = FrameBatch.from_frames([Frame(0, 1, b"a")])
    other = FrameBatch.from_frames([Frame(0, 2, b"b")])
    with pytest.raises(ValueError, match="arbitration_id"):
        rejoin([(one, place), (other, place)])


def test_without_a_class_its_frames_are_left_out_and_its_bits_zero() -> None:
    one = classed(signal("One", 0, 8) + signal("Two", 8, 8), {"One": OPERATION, "Two": HEALTH}, length=2)
    other = classed(signal("Three", 0, 8), {"Three": HEALTH}, name="N", identifier=257, length=2)
    door = Door({"bus": [one, other]}, EVERYTHING)
    frames = [Frame(0, 256, b"\x01\x02", "bus"), Frame(1, 257, b"\x03\x00", "bus")]
    parts = door.split(door.admit(FrameBatch.from_frames(frames)))
    left = rejoin([parts[OPERATION]])
    assert [left.frame(place) for place in range(len(left))] == [Frame(0, 256, b"\x01\x00", "bus")]


@pytest.mark.parametrize("name", ["obd2", "gnss", "j1939"])
def test_recordings_come_together_again(shared_data: Path, name: str) -> None:
    folder = shared_data / "css-drive"
    database = {
        "obd2": folder / "OBD-v4.4.dbc",
        "gnss": folder / "canedge-internal-can9.dbc",
        "j1939": folder / "CSS-Electronics-SAE-J1939-DEMO.dbc",
    }[name]
    whole = recorded(folder, "j1939-*.MF4" if name == "j1939" else "gnss-obd2-*.MF4")
    buses = {bus: [classed_file(f"css-{name}", database)] for bus in whole.buses}
    door = Door(buses, EVERYTHING)
    batch = door.admit(whole.take(slice(0, 20_000)))
    parts = door.split(batch)
    assert len(batch) > 500
    assert len(parts) > 1 or name == "j1939"
    assert rejoin(parts.values()).equals(batch)
