"""Which mask a frame gets by its bus and id, how wide it is, and by which name it is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.database.load import parse_database
from edge.database.model import SignalRef
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.policy.classed import ClassedDatabase, DiagnosticChannel, DiagnosticRule, Integrity
from edge.policy.classes import DataClass
from edge.policy.door import Door
from edge.policy.masks import mask_set_name
from tests.policy.drawn import COLLECT, J1939_FORMAT, PREAMBLE
from tests.policy.test_door import CABIN, ONES, OPERATION, classed, left, signal
from tests.policy.test_transport import DATABASE, broadcast

IN_A_FILE = 0x80000000
EXTENDED = FrameFlag.EXTENDED


def group(identifier: int, data_class: DataClass = OPERATION) -> ClassedDatabase:
    """A database of one group, whose first byte is of a class."""
    text = f"BO_ {identifier | IN_A_FILE} M: 4 Ecu\n{signal('A', 0, 8)}\n"
    formats = f'{J1939_FORMAT}BA_ "VFrameFormat" BO_ {identifier | IN_A_FILE} 3;\n'
    database = parse_database((PREAMBLE + text + formats).encode(), Path("m.dbc"))
    return ClassedDatabase(database, {("M", "A"): data_class})


def out_of(door: Door, identifier: int, bus: str = "bus", flags: FrameFlag = EXTENDED) -> bytes | None:
    out = door.admit(FrameBatch.from_frames([Frame(0, identifier, ONES, bus, flags)]))
    assert door.hop().balanced
    return out.frame(0).data if len(out) else None


@pytest.mark.parametrize(
    ("described", "same", "other"),
    [
        pytest.param(0x18F004FE, 0x0CF00417, 0x18F00517, id="a broadcast group with the smallest format"),
        pytest.param(0x18EF00FE, 0x18EF2317, 0x18EE2317, id="an addressed group with the largest format"),
        pytest.param(0x18FEE3FE, 0x18FEE300, 0x19FEE3FE, id="on the other data page"),
    ],
)
def test_a_group_is_found_by_its_number_alone(described: int, same: int, other: int) -> None:
    door = Door({"bus": [group(described)]}, COLLECT)
    assert out_of(door, described) == out_of(door, same) == b"\xff\x00\x00\x00"
    assert out_of(door, other) is None


def test_each_bus_has_its_own_ids() -> None:
    one, other = (classed(signal("A", 0, 8), {"A": one}) for one in (OPERATION, CABIN))
    door = Door({"a": [one], "b": [other], "c": []}, COLLECT)
    assert out_of(door, 256, "a", FrameFlag(0)) == b"\xff\x00\x00\x00"
    assert out_of(door, 256, "b", FrameFlag(0)) is None
    assert out_of(door, 256, "c", FrameFlag(0)) is None
    assert door.hop().set_aside == {"nothing allowed": 1, "unknown id": 1}


def test_each_bus_has_its_own_groups() -> None:
    door = Door(
        {"a": [group(0x18FEE3FE)], "b": [group(0x18FEE3FE, CABIN)], "c": [group(0x18F004FE)]}, COLLECT
    )
    assert out_of(door, 0x18FEE3FE, "a") == b"\xff\x00\x00\x00"
    assert out_of(door, 0x18FEE3FE, "b") is None
    assert out_of(door, 0x18FEE3FE, "c") is None
    assert out_of(door, 0x18F004FE, "c") == b"\xff\x00\x00\x00"
    assert door.hop().set_aside == {"nothing allowed": 1, "unknown id": 1}


def test_transport_is_taken_for_transport_on_buses_that_speak_it_alone() -> None:
    plain = classed(signal("A", 0, 32), {"A": OPERATION}, identifier=0x18ECFF21 | IN_A_FILE)
    door = Door({"a": [plain], "b": [DATABASE]}, COLLECT)
    assert out_of(door, 0x18ECFF21, "a") == ONES
    frames = [replace(frame, bus="b") for frame in broadcast(bytes(range(1, 41)), 0x21)]
    assert len(door.admit(FrameBatch.from_frames(frames))) == 1


@pytest.mark.parametrize("identifier", [0x800, 0x1000, 0x12800])
def test_a_standard_number_of_more_than_11_bits_is_not_cut_to_them(identifier: int) -> None:
    database = classed(signal("A", 0, 8), {"A": OPERATION}, identifier=0)
    door = Door({"bus": [database], "next": [database]}, COLLECT)
    assert out_of(door, 0, flags=FrameFlag(0)) == b"\xff\x00\x00\x00"
    assert out_of(door, identifier, flags=FrameFlag(0)) is None
    assert door.refused_ids() == {("bus", identifier): 1}


def test_frames_of_several_multiplexed_messages_have_the_masks_of_their_own() -> None:
    databases = [
        classed(
            signal("Page", 0, 8, "M ") + signal("A", 8 * number, 8, f"m{number} "),
            {"Page": OPERATION, "A": OPERATION},
            name=f"M{number}",
            identifier=256 + number,
        )
        for number in (1, 2, 3)
    ]
    numbers = [1, 2, 3, 3, 2, 1, 2, 2, 1, 3]
    frames = [Frame(0, 256 + number, bytes([number]) + b"\xff" * 3, "bus") for number in numbers]
    out = Door({"bus": databases}, COLLECT).admit(FrameBatch.from_frames(frames))
    assert [out.frame(place).data for place in range(len(out))] == [
        bytes([number]) + bytes(number - 1) + b"\xff" + bytes(3 - number) for number in numbers
    ]


def test_frames_of_unknown_ids_are_counted_by_bus_and_id() -> None:
    database = classed(signal("A", 0, 8), {"A": OPERATION}, identifier=0)
    door = Door({"a": [database], "b": [database]}, COLLECT)
    for bus, identifier, flags, times in (
        ("a", 0x7FF, FrameFlag(0), 1),
        ("b", 0x101, FrameFlag(0), 2),
        ("a", 0x123457, EXTENDED, 3),
        ("b", 0x123457, EXTENDED, 4),
        ("b", 0x101, EXTENDED, 1),
    ):
        for _ in range(times):
            assert out_of(door, identifier, bus, flags) is None
    assert list(door.refused_ids().items()) == [
        (("a", 0x7FF), 1),
        (("a", 0x123457), 3),
        (("b", 0x101), 3),
        (("b", 0x123457), 4),
    ]


def test_a_flood_of_unknown_ids_does_not_fill_the_memory() -> None:
    door = Door({"bus": [classed(signal("A", 0, 8), {"A": OPERATION})]}, COLLECT)
    numbers = np.arange(65_540, dtype=np.uint32)
    flood = FrameBatch.from_frames([Frame(0, 0x10000, b"", "bus", EXTENDED)]).take(np.zeros(65_540, np.intp))
    many = replace(flood, arbitration_id=flood.arbitration_id + numbers)
    door.admit(many)
    door.admit(many.take(slice(0, 5)))
    door.admit(many.take(slice(65_538, None)))
    assert len(door.refused_ids()) == 65_536
    assert door.refused_ids()["bus", 0x10000] == 2
    assert door.hop().facts["frames of ids beyond the table of refused ids"] == 4 + 2
    assert door.hop().balanced


def test_a_signal_behind_the_length_of_its_message_passes_where_a_frame_has_it() -> None:
    database = classed(signal("A", 0, 8) + signal("B", 160, 8), {"A": CABIN, "B": OPERATION}, length=1)
    assert left(b"\xff" * 24, database) == bytes(20) + b"\xff" + bytes(3)
    assert left(ONES, database) == bytes(4)


@pytest.mark.parametrize(("size", "passes"), [(1, False), (2, True), (3, False)])
def test_of_two_descriptions_each_with_a_checksum_both_bound_the_length(size: int, passes: bool) -> None:
    layout = (
        signal("A", 0, 4, "m0 ") + signal("B", 0, 4, "m1 ") + signal("Crc", 4, 4) + signal("Mux", 8, 1, "M ")
    )
    paged = classed(
        layout,
        dict.fromkeys(("Mux", "A", "B", "Crc"), OPERATION),
        Integrity(("M", "Crc"), frozenset({("M", "A")})),
    )
    short, long = (
        classed(
            signal("Load", 0, 8) + signal("Sum", 8, 8 * length - 8),
            {"Load": OPERATION, "Sum": OPERATION},
            Integrity((name, "Sum"), None),
            name=name,
            length=length,
        )
        for name, length in (("Short", 2), ("Long", 4))
    )
    for databases in ([paged, long, short], [short, long, paged]):
        assert (left(ONES[:size], *databases) is not None) == passes


@pytest.mark.parametrize(
    ("size", "width"), [(0, 8), (8, 8), (9, 64), (64, 64), pytest.param(100, 100, id="reassembled")]
)
def test_what_leaves_is_no_wider_than_it_must_be(size: int, width: int) -> None:
    payload = bytes(range(1, size + 1))
    database = classed(signal("A", 0, 8), {"A": OPERATION})
    frames = broadcast(payload, 0x21) if size == 100 else [Frame(0, 256, payload, "bus", FrameFlag.FD)]
    out = Door({"bus": [database, DATABASE]}, COLLECT).admit(FrameBatch.from_frames(frames))
    assert out.data.shape == (1, width)


def test_the_name_of_a_mask_stays_what_it_is() -> None:
    """A journal names the masks that its frames went through: by these names they are divided and read."""
    one = classed(
        signal("A", 0, 8) + signal("B", 8, 8) + signal("Crc", 16, 8) + signal("Count", 24, 8),
        {"A": OPERATION, "B": CABIN, "Crc": OPERATION, "Count": OPERATION},
        Integrity(("M", "Count"), frozenset({("M", "Crc"), ("M", "A")})),
        Integrity(("M", "Crc"), None),
    )
    rules = (DiagnosticRule(OPERATION, 0x62, ((0x0100, 0x0101),), 2, 20),)
    two = ClassedDatabase(
        group(0x18FEE3FE).database,
        {("M", "A"): DataClass.POSITION},
        channels=(
            DiagnosticChannel(0x700, extended=False, message="", rules=rules),
            DiagnosticChannel(0x18FEE3FE, extended=True, message="M", rules=(), pgn=0xFEE3),
        ),
    )
    assert mask_set_name({"b": [one, two], "a": [two]}, COLLECT) == "m-fa8d2ce8118e02cf"
    assert mask_set_name({"b": [two, one], "a": [two]}, COLLECT) == "m-fa8d2ce8118e02cf"
    assert Door({"b": [one, two], "a": [two]}, COLLECT).mask == "m-fa8d2ce8118e02cf"


def test_what_no_database_knows_is_neither_collected_nor_withheld() -> None:
    database = classed(signal("A", 0, 8) + signal("C", 8, 8), {"A": OPERATION, "C": CABIN})
    door = Door({"bus": [database]}, COLLECT)
    stranger = SignalRef("bus", "M", "B")
    assert not door.collected(stranger)
    assert door.reason(stranger) is None
    assert door.withheld() == {SignalRef("bus", "M", "C")}
