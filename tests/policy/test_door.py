"""The door's rules one by one, on frames that can be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.database.load import parse_database
from edge.database.model import SignalRef
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.policy.classed import ClassedDatabase, Integrity
from edge.policy.classes import DataClass
from edge.policy.door import Door
from edge.policy.judgement import Reason
from tests.policy.drawn import COLLECT, PREAMBLE

OPERATION, CABIN = DataClass.OPERATION, DataClass.CABIN
Classes = dict[str, DataClass]


def classed(
    signals: str,
    classes: Classes,
    *integrity: Integrity,
    length: int = 4,
    name: str = "M",
    multiplexing: str = "",
    identifier: int = 256,
) -> ClassedDatabase:
    text = f"{PREAMBLE}BO_ {identifier} {name}: {length} Ecu\n{signals}\n{multiplexing}"
    database = parse_database(text.encode(), Path("m.dbc"))
    return ClassedDatabase(
        database, {(name, signal): data_class for signal, data_class in classes.items()}, integrity
    )


def signal(name: str, start: int, length: int, mark: str = "") -> str:
    return f' SG_ {name} {mark}: {start}|{length}@1+ (1,0) [0|0] "" Ecu\n'


def left(data: bytes, *databases: ClassedDatabase, identifier: int = 256) -> bytes | None:
    door = Door({"bus": databases}, COLLECT)
    out = door.admit(FrameBatch.from_frames([Frame(0, identifier, data, "bus")]))
    assert door.hop().balanced
    return out.frame(0).data if len(out) else None


def why(name: str, *databases: ClassedDatabase) -> Reason | None:
    return Door({"bus": databases}, COLLECT).reason(SignalRef("bus", "M", name))


ONES = b"\xff\xff\xff\xff"


def test_only_described_bits_of_allowed_signals_pass() -> None:
    database = classed(signal("A", 0, 4) + signal("B", 8, 8), {"A": OPERATION, "B": CABIN})
    assert left(ONES, database) == b"\x0f\x00\x00\x00"


def test_a_signal_without_a_class_is_denied_whatever_is_collected() -> None:
    database = classed(signal("A", 0, 8), {})
    door = Door({"bus": [database]}, frozenset(DataClass))
    assert not door.collected(SignalRef("bus", "M", "A"))
    assert door.reason(SignalRef("bus", "M", "A")) is Reason.UNCLASSIFIED
    assert not len(door.admit(FrameBatch.from_frames([Frame(0, 256, ONES, "bus")])))
    assert door.refused_ids() == {("bus", 256): 1}
    assert door.hop().set_aside == {"nothing allowed": 1}


def test_a_signal_under_a_denied_one_goes_whole() -> None:
    database = classed(
        signal("A", 0, 8) + signal("B", 4, 8) + signal("C", 16, 8),
        {"A": OPERATION, "B": CABIN, "C": OPERATION},
    )
    assert left(ONES, database) == b"\x00\x00\xff\x00"
    assert why("A", database) is Reason.OVERLAP


def test_a_second_database_denies_for_both() -> None:
    one = classed(signal("A", 0, 8) + signal("C", 16, 8), {"A": OPERATION, "C": OPERATION})
    two = classed(signal("B", 0, 8) + signal("D", 24, 8), {"B": CABIN, "D": OPERATION}, name="N")
    assert left(ONES, one, two) == b"\x00\x00\xff\xff"


def test_a_checksum_over_a_removed_bit_goes_and_one_over_the_rest_stays() -> None:
    layout = signal("A", 0, 8) + signal("B", 8, 8) + signal("Whole", 16, 8) + signal("Part", 24, 8)
    classes = {"A": OPERATION, "Whole": OPERATION, "Part": OPERATION}
    whole = Integrity(("M", "Whole"), None)
    part = Integrity(("M", "Part"), frozenset({("M", "A")}))
    assert left(ONES, classed(layout, classes | {"B": CABIN}, whole, part)) == b"\xff\x00\x00\xff"
    assert left(ONES, classed(layout, classes | {"B": OPERATION}, whole, part)) == ONES


def test_a_checksum_over_a_removed_checksum_goes_too() -> None:
    layout = signal("A", 0, 8) + signal("One", 8, 8) + signal("Two", 16, 8) + signal("C", 24, 8)
    classes = {"A": CABIN, "One": OPERATION, "Two": OPERATION, "C": OPERATION}
    one = Integrity(("M", "One"), frozenset({("M", "A")}))
    two = Integrity(("M", "Two"), frozenset({("M", "One"), ("M", "C")}))
    assert left(ONES, classed(layout, classes, one, two)) == b"\x00\x00\x00\xff"


def test_a_checksum_over_bits_that_nothing_describes_goes() -> None:
    layout = signal("A", 0, 8) + signal("Crc", 8, 8)
    database = classed(layout, {"A": OPERATION, "Crc": OPERATION}, Integrity(("M", "Crc"), None))
    assert left(ONES, database) == b"\xff\x00\x00\x00"


def test_a_frame_longer_than_its_checksum_covers_is_set_aside() -> None:
    layout = signal("A", 0, 8) + signal("Crc", 8, 8)
    whole = classed(layout, {"A": OPERATION, "Crc": OPERATION}, Integrity(("M", "Crc"), None), length=2)
    assert left(b"\x01\x02", whole) == b"\x01\x02"
    assert left(b"\x01\x02\x03", whole) is None


def test_a_checksum_over_bits_that_pass_only_sometimes_goes() -> None:
    layout = signal("Mux", 0, 8, "M ") + signal("A", 8, 8, "m1 ") + signal("Crc", 16, 8)
    classes = dict.fromkeys(("Mux", "A", "Crc"), OPERATION)
    database = classed(layout, classes, Integrity(("M", "Crc"), frozenset({("M", "A")})))
    assert why("Crc", database) is Reason.INTEGRITY
    # With the other values described and allowed too, there is nothing that it could give away.
    ranges = "SG_MUL_VAL_ 256 A Mux 1-1;\nSG_MUL_VAL_ 256 B Mux 0-0, 2-255;\n"
    whole = classed(
        layout + signal("B", 8, 8, "m0 "),
        classes | {"B": OPERATION},
        Integrity(("M", "Crc"), frozenset({("M", "A")})),
        multiplexing=ranges,
    )
    assert why("Crc", whole) is None


def test_a_frame_too_short_for_the_multiplexers_under_a_checksum_is_set_aside() -> None:
    layout = (
        signal("A", 0, 4, "m0 ") + signal("B", 0, 4, "m1 ") + signal("Crc", 4, 4) + signal("Mux", 8, 1, "M ")
    )
    classes = dict.fromkeys(("Mux", "A", "B", "Crc"), OPERATION)
    database = classed(layout, classes, Integrity(("M", "Crc"), frozenset({("M", "A")})))
    assert why("Crc", database) is None
    assert left(b"\xff\x01", database) == b"\xff\x01"
    assert left(b"\xff", database) is None


def test_frames_of_a_wrong_length_under_a_checksum_are_counted() -> None:
    layout = (
        signal("A", 0, 8, "m0 ")
        + signal("B", 0, 8, "m1 ")
        + signal("Crc", 8, 8)
        + signal("Mux", 16, 16, "M ")
    )
    classes = dict.fromkeys(("Mux", "A", "B", "Crc"), OPERATION)
    ranges = "SG_MUL_VAL_ 256 A Mux 0-0;\nSG_MUL_VAL_ 256 B Mux 1-65535;\n"
    database = classed(layout, classes, Integrity(("M", "Crc"), None), multiplexing=ranges)
    door = Door({"bus": [database]}, COLLECT)
    for size in (3, 4, 5, 3, 5, 5):
        assert len(door.admit(FrameBatch.from_frames([Frame(0, 256, bytes(size), "bus")]))) == (size == 4)
    assert door.hop().set_aside == {"too short for its checksum": 2, "longer than its checksum covers": 3}


MULTIPLEXED = signal("Mux", 0, 8, "M ") + signal("A", 8, 8, "m1 ") + signal("B", 8, 8, "m2 ")
BOTH = signal("Always", 16, 8)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x01\xaa\xbb\xcc", b"\x01\xaa\xbb\x00"),
        (b"\x02\xaa\xbb\xcc", b"\x02\x00\xbb\x00"),
        (b"\x07\xaa\xbb\xcc", b"\x07\x00\xbb\x00"),
    ],
)
def test_each_multiplexer_value_has_a_mask_and_unknown_values_only_the_plain_one(
    data: bytes, expected: bytes
) -> None:
    classes = {"Mux": OPERATION, "A": OPERATION, "B": CABIN, "Always": OPERATION}
    assert left(data, classed(MULTIPLEXED + BOTH, classes)) == expected


def test_a_denied_multiplexer_denies_what_it_selects() -> None:
    classes = {"Mux": CABIN, "A": OPERATION, "B": OPERATION, "Always": OPERATION}
    database = classed(MULTIPLEXED + BOTH, classes)
    assert left(b"\x01\xaa\xbb\xcc", database) == b"\x00\x00\xbb\x00"
    assert why("A", database) is Reason.MULTIPLEXER


def test_a_multiplexer_behind_the_end_of_a_short_frame_selects_nothing() -> None:
    layout = signal("A", 0, 8, "m0 ") + signal("Mux", 8, 8, "M ")
    assert left(b"\xaa", classed(layout, {"A": OPERATION, "Mux": OPERATION})) == b"\x00"


def test_cascaded_multiplexers_select_together() -> None:
    layout = signal("Outer", 0, 4, "M ") + signal("Inner", 4, 4, "m1M ") + signal("A", 8, 8, "m2 ")
    ranges = "SG_MUL_VAL_ 256 Inner Outer 1-1;\nSG_MUL_VAL_ 256 A Inner 2-3, 5-5;\n"
    database = classed(layout, dict.fromkeys(("Outer", "Inner", "A"), OPERATION), multiplexing=ranges)
    assert left(b"\x21\xaa\x00\x00", database) == b"\x21\xaa\x00\x00"
    assert left(b"\x51\xaa\x00\x00", database) == b"\x51\xaa\x00\x00"
    assert left(b"\x41\xaa\x00\x00", database) == b"\x41\x00\x00\x00"
    assert left(b"\x22\xaa\x00\x00", database) == b"\x02\x00\x00\x00"


def test_the_same_inner_value_selects_by_the_outer_one() -> None:
    layout = (
        signal("Outer", 0, 4, "M ")
        + signal("One", 4, 4, "m1M ")
        + signal("Two", 4, 4, "m2M ")
        + signal("A", 8, 8, "m2 ")
        + signal("B", 16, 8, "m3 ")
    )
    ranges = (
        "SG_MUL_VAL_ 256 One Outer 1-1;\nSG_MUL_VAL_ 256 Two Outer 2-2;\n"
        "SG_MUL_VAL_ 256 A One 2-2;\nSG_MUL_VAL_ 256 B Two 3-3;\n"
    )
    classes = dict.fromkeys(("Outer", "One", "Two", "A", "B"), OPERATION)
    database = classed(layout, classes, multiplexing=ranges)
    assert left(b"\x21\xaa\xbb\x00", database) == b"\x21\xaa\x00\x00"
    assert left(b"\x32\xaa\xbb\x00", database) == b"\x32\x00\xbb\x00"
    assert left(b"\x31\xaa\xbb\x00", database) == b"\x31\x00\x00\x00"
    assert left(b"\x22\xaa\xbb\x00", database) == b"\x22\x00\x00\x00"


def test_two_names_of_one_multiplexer_must_agree() -> None:
    layout = signal("Outer", 0, 4, "M ") + signal("Inner", 0, 4, "m1M ") + signal("A", 8, 8, "m2 ")
    ranges = "SG_MUL_VAL_ 256 Inner Outer 1-1;\nSG_MUL_VAL_ 256 A Inner 2-2;\n"
    database = classed(layout, dict.fromkeys(("Outer", "Inner", "A"), OPERATION), multiplexing=ranges)
    for outer in (b"\x01", b"\x02"):
        assert left(outer + b"\xaa", database) == outer + b"\x00"


def test_a_frame_can_be_a_group_and_an_id_at_once() -> None:
    identifier = 0x18FF0027
    group = classed(signal("A", 0, 8) + signal("B", 8, 8), {"A": OPERATION}, identifier=identifier | 1 << 31)
    group = ClassedDatabase(
        replace(
            group.database, messages=tuple(replace(item, pgn=0xFF00) for item in group.database.messages)
        ),
        group.classes,
    )
    layout = signal("C", 16, 8) + signal("D", 8, 8)
    exact = classed(layout, {"C": OPERATION, "D": OPERATION}, name="N", identifier=identifier | 1 << 31)
    door = Door({"bus": [group, exact]}, COLLECT)
    frames = [Frame(0, address, ONES, "bus", FrameFlag.EXTENDED) for address in (identifier, identifier + 1)]
    out = door.admit(FrameBatch.from_frames(frames))
    assert [out.frame(place).data for place in range(2)] == [b"\xff\x00\xff\x00", b"\xff\x00\x00\x00"]
    assert door.reason(SignalRef("bus", "N", "D")) is Reason.OVERLAP


def test_stale_bytes_behind_the_length_do_not_pass() -> None:
    database = classed(signal("A", 0, 32), {"A": OPERATION})
    batch = FrameBatch.from_frames([Frame(0, 256, b"\x01\x02", "bus")])
    batch.data[0, 2:] = 0xFF
    out = Door({"bus": [database]}, COLLECT).admit(batch)
    assert out.data[0].tobytes() == b"\x01\x02" + bytes(6)


def test_the_batch_that_comes_in_stays_as_it_is_and_the_one_that_leaves_names_its_mask() -> None:
    database = classed(signal("A", 0, 4), {"A": OPERATION})
    door = Door({"bus": [database]}, COLLECT)
    batch = FrameBatch.from_frames([Frame(0, 256, ONES, "bus")])
    batch.data.flags.writeable = False
    out = door.admit(batch)
    assert out.mask == door.mask
    assert not np.shares_memory(out.data, batch.data)
    with pytest.raises(ValueError, match="already"):
        door.admit(out)
    assert door.admit(FrameBatch.empty(["bus"])).mask == door.mask


def test_every_input_that_decides_the_mask_changes_its_name() -> None:
    def name(
        collect: frozenset[DataClass] = COLLECT,
        *integrity: Integrity,
        classes: Classes | None = None,
        bus: str = "bus",
        length: int = 4,
    ) -> str:
        database = classed(
            signal("A", 0, 8) + signal("B", 8, 8), classes or {"A": OPERATION}, *integrity, length=length
        )
        return Door({bus: [database]}, collect).mask

    names = [
        name(),
        name(frozenset(DataClass)),
        name(COLLECT, Integrity(("M", "A"), None)),
        name(COLLECT, Integrity(("M", "A"), frozenset({("M", "B")}))),
        name(classes={"A": OPERATION, "B": CABIN}),
        name(bus="other"),
        name(length=5),
    ]
    assert len(set(names)) == len(names)
    assert name() == names[0]
    assert names[0].startswith("m-")


def test_error_and_remote_frames_and_unknown_buses_and_ids_are_counted_apart() -> None:
    door = Door({"bus": [classed(signal("A", 0, 8), {"A": OPERATION})]}, COLLECT)
    frames = [
        Frame(0, 256, b"\x01", "bus"),
        Frame(1, 256, b"", "bus", FrameFlag.REMOTE),
        Frame(2, 0, b"", "bus", FrameFlag.ERROR),
        Frame(3, 256, b"\x01", "elsewhere"),
        Frame(4, 257, b"\x01", "bus"),
        Frame(5, 256, b"\x01", "bus", FrameFlag.EXTENDED),
    ]
    out = door.admit(FrameBatch.from_frames(frames))
    assert [out.frame(place) for place in range(len(out))] == frames[:1]
    hop = door.hop()
    assert hop.balanced
    assert hop.set_aside == {"error frame": 1, "remote frame": 1, "unknown bus": 1, "unknown id": 2}
    assert door.refused_ids() == {("bus", 256): 1, ("bus", 257): 1}
    assert hop.facts["frames that a database describes"] == 1


def test_what_is_an_error_is_nothing_else() -> None:
    identifier = 0x18EC2521
    transport = ClassedDatabase(classed(signal("A", 0, 8), {}).database, {("M", "A"): OPERATION}, j1939=True)
    door = Door({"bus": [transport]}, COLLECT)
    frames = [
        Frame(0, 256, b"\x01", "bus", FrameFlag.ERROR | FrameFlag.REMOTE),
        Frame(1, 256, b"\x01", "elsewhere", FrameFlag.ERROR),
        Frame(2, 256, b"\x01", "elsewhere", FrameFlag.REMOTE),
        Frame(3, identifier, bytes(8), "bus", FrameFlag.ERROR | FrameFlag.EXTENDED),
        Frame(4, identifier, bytes(8), "bus", FrameFlag.REMOTE | FrameFlag.EXTENDED),
        Frame(5, identifier, bytes(8), "elsewhere", FrameFlag.EXTENDED),
        Frame(6, identifier, bytes(8), "bus", FrameFlag.EXTENDED),
    ]
    for _ in range(2):
        assert not len(door.admit(FrameBatch.from_frames(frames)))
    hop = door.hop()
    assert hop.balanced
    assert hop.set_aside == {
        "error frame": 6,
        "remote frame": 4,
        "unknown bus": 2,
        "transport control frame": 2,
    }
    assert "frames that a database describes" not in hop.facts


def test_what_is_removed_is_counted_by_class() -> None:
    layout = signal("A", 0, 8) + signal("B", 8, 8) + signal("C", 16, 8)
    door = Door({"bus": [classed(layout, {"A": OPERATION, "B": CABIN})]}, COLLECT)
    door.admit(FrameBatch.from_frames([Frame(0, 256, bytes(4), "bus"), Frame(1, 256, ONES, "bus")]))
    assert {name: count for name, count in door.hop().facts.items() if "removed" in name} == {
        "frames with cabin removed": 2,
        "frames with unclassified removed": 2,
        "frames with undescribed removed": 2,
    }


def test_the_door_answers_for_other_sources() -> None:
    door = Door({}, COLLECT)
    assert door.admits(OPERATION)
    assert not door.admits(DataClass.POSITION)
    assert not len(door.admit(FrameBatch.from_frames([Frame(0, 256, ONES, "bus")])))
    assert door.hop().set_aside == {"unknown bus": 1}
