"""PDUs of containers at the door: each is judged by itself and goes on in a frame of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.database.load import load_database
from edge.database.model import SignalRef
from edge.decode.plan import DecodePlan
from edge.errors import PolicyError
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.policy.classed import ClassedDatabase, DiagnosticChannel, Integrity
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.door import Door
from edge.policy.judgement import Reason
from edge.policy.split import rejoin
from tests.policy.boxed import BOX, box, boxed, pdu
from tests.policy.drawn import COLLECT
from tests.policy.test_door import classed as classed_message
from tests.policy.test_door import signal
from tests.policy.test_transport import ALLOWED, BARE, LONG, broadcast, diagnostics, isotp
from tests.policy.test_transport import DATABASE as J1939

OPERATION, CABIN, HEALTH, POSITION = (
    DataClass.OPERATION,
    DataClass.CABIN,
    DataClass.HEALTH,
    DataClass.POSITION,
)
DRIVE, SEAT, MIXED = 0x010203, 0x20, 0x30
PDUS = {
    DRIVE: "BO_ 1 Drive: 2 Ecu\n" + signal("Speed", 0, 8) + signal("Gear", 8, 4) + "\n",
    SEAT: "BO_ 2 Seat: 2 Ecu\n" + signal("Belt", 0, 8) + "\n",
    MIXED: "BO_ 3 Mixed: 3 Ecu\n"
    + signal("Lane", 0, 8)
    + signal("Power", 8, 8)
    + signal("Age", 16, 8)
    + "\n",
}
CLASSES = {
    ("Drive", "Speed"): OPERATION,
    ("Drive", "Gear"): OPERATION,
    ("Seat", "Belt"): CABIN,
    ("Mixed", "Lane"): POSITION,
    ("Mixed", "Power"): OPERATION,
    ("Mixed", "Age"): HEALTH,
}
FLAGS = FrameFlag.FD | FrameFlag.REASSEMBLED


def classed(little_endian: bool = False) -> ClassedDatabase:
    return ClassedDatabase(boxed(PDUS, little_endian=little_endian), CLASSES)


def admitted(door: Door, *frames: Frame) -> list[Frame]:
    out = door.admit(FrameBatch.from_frames(frames))
    hop = door.hop()
    assert hop.balanced
    assert len(out) == hop.left + hop.facts.get("further PDUs of containers", 0)
    return [out.frame(place) for place in range(len(out))]


def why(name: str, *databases: ClassedDatabase) -> Reason | None:
    return Door({"bus": databases}, COLLECT).reason(SignalRef("bus", *name.split(".")))


@pytest.mark.parametrize("little_endian", [False, True])
def test_each_pdu_passes_masked_in_a_frame_of_its_own(little_endian: bool) -> None:
    door = Door({"bus": [classed(little_endian)]}, COLLECT)
    content = [(DRIVE, b"\xff\xff"), (SEAT, b"\x11\x22"), (MIXED, b"\x77\x88\x99")]
    out = admitted(door, box(content, padding=bytes(9), little_endian=little_endian, t_ns=7))
    expected = [(DRIVE, b"\xff\x0f"), (MIXED, b"\x00\x88\x99")]
    assert out == [Frame(7, BOX, pdu(*each, little_endian=little_endian), "bus", FLAGS) for each in expected]
    hop = door.hop()
    assert (hop.entered, hop.left) == (1, 1)
    assert hop.facts == {
        "frames that a database describes": 1,
        "further PDUs of containers": 1,
        "PDUs refused: nothing allowed": 1,
        "frames with operation kept": 2,
        "frames with health kept": 1,
        "frames with position removed": 1,
        "frames with cabin removed": 1,
        "frames with undescribed removed": 2,
    }


def test_frames_stay_in_their_order_and_others_pass_as_before() -> None:
    other = classed_message(signal("A", 0, 8), {"A": OPERATION}, identifier=0x300, length=1)
    door = Door({"bus": [classed(), other]}, COLLECT)
    plain = [Frame(t_ns, 0x300, bytes([t_ns]), "bus") for t_ns in (1, 3)]
    out = admitted(
        door,
        plain[0],
        box([(DRIVE, b"\x01\x02"), (DRIVE, b"\x03\x04")], t_ns=2),
        plain[1],
        box([(SEAT, b"\x01\x02")], t_ns=4),
    )
    assert out == [
        plain[0],
        Frame(2, BOX, pdu(DRIVE, b"\x01\x02"), "bus", FLAGS),
        Frame(2, BOX, pdu(DRIVE, b"\x03\x04"), "bus", FLAGS),
        plain[1],
    ]
    assert door.hop().set_aside == {"container of which no PDU passes": 1}


def test_what_cannot_be_taken_apart_or_is_not_described_is_dropped_and_counted() -> None:
    door = Door({"bus": [classed()]}, COLLECT)
    out = admitted(
        door,
        box([(0x99, b"\xde\xad"), (DRIVE, b"\x01")], padding=b"\0\0\x20\x09\x55"),
        box([(SEAT, b"\x11"), (0x99, b"")]),
        Frame(0, BOX, b"\xff\xff\xff\xff\xff", "bus", FrameFlag.FD),
        Frame(0, BOX, b"\x01\x02", "bus", FrameFlag.FD),
        Frame(0, BOX, b"", "bus", FrameFlag.FD),
    )
    assert [frame.data for frame in out] == [pdu(DRIVE, b"\x01")]
    hop = door.hop()
    assert (hop.entered, hop.left, hop.set_aside) == (5, 1, {"container of which no PDU passes": 4})
    assert {name: count for name, count in hop.facts.items() if "PDUs" in name} == {
        "PDUs refused: unknown header id": 2,
        "PDUs refused: past the end of its frame": 2,
        "PDUs refused: nothing allowed": 1,
    }


def test_a_pdu_without_a_byte_passes_as_a_frame_without_a_byte_does() -> None:
    door = Door({"bus": [classed()]}, COLLECT)
    assert [frame.data for frame in admitted(door, box([(DRIVE, b""), (SEAT, b"")]))] == [pdu(DRIVE, b"")]


def test_a_container_of_which_nothing_is_collected_is_refused_like_a_message() -> None:
    door = Door({"bus": [classed()]}, {DataClass.IDENTITY})
    assert not admitted(door, box([(DRIVE, b"\x01\x02")]), box([(SEAT, b"\x01\x02")]))
    assert door.hop().set_aside == {"nothing allowed": 2}
    assert door.hop().facts["frames with cabin removed"] == 2
    assert door.refused_ids() == {("bus", BOX): 2}


def test_bytes_of_a_longer_pdu_do_not_pass() -> None:
    door = Door({"bus": [classed()]}, COLLECT)
    out = admitted(door, box([(DRIVE, b"\x01\x02\xee\xee")]))
    assert [frame.data for frame in out] == [pdu(DRIVE, b"\x01\x02\x00\x00")]


def test_a_checksum_in_a_pdu_covers_its_pdu_alone() -> None:
    pdus = {
        1: "BO_ 1 One: 2 Ecu\n" + signal("A", 0, 8) + signal("Crc", 8, 8) + "\n",
        2: "BO_ 2 Two: 2 Ecu\n" + signal("B", 0, 8) + signal("Crc", 8, 8) + "\n",
    }
    classes = {("One", "A"): OPERATION, ("One", "Crc"): OPERATION} | {
        ("Two", "B"): CABIN,
        ("Two", "Crc"): OPERATION,
    }
    integrity = (Integrity(("One", "Crc"), None), Integrity(("Two", "Crc"), None))
    database = ClassedDatabase(boxed(pdus), classes, integrity)
    assert why("One.Crc", database) is None
    assert why("Two.Crc", database) is Reason.INTEGRITY
    door = Door({"bus": [database]}, COLLECT)
    out = admitted(door, box([(1, b"\x01\x02\x03"), (1, b"\x01\x02"), (2, b"\x01\x02"), (1, b"\x01")]))
    assert [frame.data for frame in out] == [pdu(1, b"\x01\x02"), pdu(1, b"\x01")]
    assert door.hop().facts["PDUs refused: longer than its checksum covers"] == 1
    assert not door.hop().set_aside


def test_a_pdu_has_no_padding_as_a_frame_of_can_fd_has() -> None:
    layout = signal("A", 0, 48) + signal("Crc", 48, 8)
    database = ClassedDatabase(
        boxed({1: f"BO_ 1 One: 7 Ecu\n{layout}\n"}),
        {("One", "A"): OPERATION, ("One", "Crc"): OPERATION},
        (Integrity(("One", "Crc"), None),),
    )
    door = Door({"bus": [database]}, COLLECT)
    assert len(admitted(door, box([(1, bytes(8)), (1, bytes(7))]))) == 1


def test_a_pdu_too_short_for_the_multiplexers_under_a_checksum_is_refused() -> None:
    layout = (
        signal("A", 0, 4, "m0 ") + signal("B", 0, 4, "m1 ") + signal("Crc", 4, 4) + signal("Mux", 8, 1, "M ")
    )
    database = ClassedDatabase(
        boxed({1: f"BO_ 1 One: 2 Ecu\n{layout}\n"}),
        {("One", name): OPERATION for name in ("Mux", "A", "B", "Crc")},
        (Integrity(("One", "Crc"), frozenset({("One", "A")})),),
    )
    door = Door({"bus": [database]}, COLLECT)
    out = admitted(door, box([(1, b"\xff"), (1, b"\xff\x01")]))
    assert [frame.data for frame in out] == [pdu(1, b"\xff\x01")]
    assert door.hop().facts["PDUs refused: too short for its checksum"] == 1
    assert not door.hop().set_aside


def test_a_pdu_that_is_too_short_and_too_long_for_its_checksum_is_counted_once() -> None:
    layout = (
        signal("A", 0, 4, "m0 ") + signal("B", 0, 4, "m1 ") + signal("Crc", 4, 4) + signal("Mux", 16, 1, "M ")
    )
    database = ClassedDatabase(
        boxed({1: f"BO_ 1 One: 1 Ecu\n{layout}\n"}),
        {("One", name): OPERATION for name in ("Mux", "A", "B", "Crc")},
        (Integrity(("One", "Crc"), None),),
    )
    assert why("One.Crc", database) is None
    door = Door({"bus": [database]}, COLLECT)
    assert not admitted(door, box([(1, b"\xff\xff")]), box([(1, b"\xff\xff\xff")]))
    refused = {name: count for name, count in door.hop().facts.items() if "PDUs refused" in name}
    assert refused == {
        "PDUs refused: too short for its checksum": 1,
        "PDUs refused: longer than its checksum covers": 1,
    }


def test_a_multiplexer_selects_within_its_pdu() -> None:
    signals = signal("Page", 0, 8, "M ") + signal("A", 8, 8, "m1 ") + signal("B", 8, 8, "m2 ")
    database = ClassedDatabase(
        boxed({1: f"BO_ 1 Paged: 2 Ecu\n{signals}\n"}),
        {("Paged", "Page"): OPERATION, ("Paged", "A"): OPERATION, ("Paged", "B"): CABIN},
    )
    door = Door({"bus": [database]}, COLLECT)
    out = admitted(door, box([(1, b"\x01\x55"), (1, b"\x02\x55"), (1, b"\x01")]))
    assert [frame.data for frame in out] == [pdu(1, b"\x01\x55"), pdu(1, b"\x02\x00"), pdu(1, b"\x01")]


def test_a_second_database_denies_pdus_for_both() -> None:
    other = boxed({DRIVE: "BO_ 9 Other: 2 Ecu\n" + signal("Mood", 4, 8) + "\n"}, name="Box2", file="other")
    door = Door({"bus": [classed(), ClassedDatabase(other, {("Other", "Mood"): CABIN})]}, COLLECT)
    assert door.reason(SignalRef("bus", "Drive", "Speed")) is Reason.OVERLAP
    assert not door.collected(SignalRef("bus", "Drive", "Gear"))
    assert [frame.data for frame in admitted(door, box([(DRIVE, b"\xff\xff"), (MIXED, b"\1\2\3")]))] == [
        pdu(MIXED, b"\0\2\3")
    ]


def test_containers_of_one_group_are_the_same_whoever_sends_them() -> None:
    text = "BO_ 9 Other: 2 Ecu\n" + signal("Mood", 0, 16) + "\n"
    one = boxed(PDUS, identifier=LONG, j1939=True)
    two = boxed({DRIVE: text}, identifier=LONG ^ 0xFF, j1939=True, name="Box2", file="other")
    databases = ClassedDatabase(one, CLASSES), ClassedDatabase(two, {("Other", "Mood"): CABIN})
    assert why("Drive.Speed", databases[0]) is None
    assert why("Drive.Speed", *databases) is Reason.OVERLAP


def test_a_pdu_without_a_header_id_is_never_found() -> None:
    database = boxed(PDUS)
    (container,) = database.messages
    nameless = tuple(replace(inner, header_id=None) for inner in container.contained)
    database = replace(database, messages=(replace(container, contained=nameless),))
    assert why("Drive.Speed", ClassedDatabase(database, CLASSES)) is Reason.CONTAINER


def test_a_header_id_of_nought_names_a_pdu_and_one_of_more_than_24_bits_none() -> None:
    byte = f"{signal('A', 0, 8)}\n"
    for header_id in (0, 0xFFFFFF):
        database = boxed({header_id: f"BO_ 1 One: 1 Ecu\n{byte}"})
        door = Door({"bus": [ClassedDatabase(database, {("One", "A"): OPERATION})]}, COLLECT)
        (out,) = admitted(door, box([(header_id, b"\x05")]))
        assert out.data == pdu(header_id, b"\x05")
    for more in ({}, {1: f"BO_ 2 Two: 1 Ecu\n{byte}"}):
        database = boxed({1 << 24: f"BO_ 1 One: 1 Ecu\n{byte}"} | more)
        door = Door(
            {"bus": [ClassedDatabase(database, {("One", "A"): OPERATION, ("Two", "A"): OPERATION})]}, COLLECT
        )
        assert not admitted(door, box([(0, b"\x05")]))
        assert len(admitted(door, box([(1, b"\x05")]))) == len(more)


def test_the_same_pdu_in_two_containers_is_collected_from_both_or_none() -> None:
    one = {1: "BO_ 1 Twin: 1 Ecu\n" + signal("A", 0, 8) + "\n"}
    two = {2: "BO_ 1 Twin: 1 Ecu\n" + signal("A", 0, 4) + signal("B", 2, 4) + "\n"}
    classes = {("Twin", "A"): OPERATION, ("Twin", "B"): CABIN}
    first = ClassedDatabase(boxed(one), classes)
    second = ClassedDatabase(boxed(two, identifier=BOX + 1, name="Box2", file="other"), classes)
    assert why("Twin.A", first) is None
    assert why("Twin.A", first, second) in {Reason.NAMESAKE, Reason.OVERLAP}


@pytest.mark.parametrize("other", ["message", "byte order", "diagnostics"])
def test_a_container_whose_frames_may_be_something_else_never_passes(other: str) -> None:
    message = classed_message(signal("A", 0, 8), {"A": OPERATION}, identifier=BOX)
    swapped = ClassedDatabase(boxed(PDUS, little_endian=True, name="Box2", file="other"), CLASSES)
    channel = ClassedDatabase(
        classed_message(signal("A", 0, 8), {}, identifier=0x300).database,
        {},
        channels=(DiagnosticChannel(BOX, False, "", ()),),
    )
    second = {"message": message, "byte order": swapped, "diagnostics": channel}[other]
    door = Door({"bus": [classed(), second]}, COLLECT)
    for name in ("Speed", "Gear"):
        assert door.reason(SignalRef("bus", "Drive", name)) is Reason.CONTAINER
    assert not admitted(door, box([(DRIVE, b"\x01\x02")]))
    if other == "message":
        assert door.reason(SignalRef("bus", "M", "A")) is Reason.CONTAINER


def test_pdus_are_divided_by_class_and_each_part_can_be_read_by_itself() -> None:
    database = classed()
    door = Door({"bus": [database]}, frozenset(DataClass))
    batch = door.admit(FrameBatch.from_frames([box([(MIXED, b"\x77\x88\x99"), (SEAT, b"\x11\x22")])]))
    parts = door.split(batch)
    assert {data_class: part.places.tolist() for data_class, part in parts.items()} == {
        CABIN: [1],
        POSITION: [0],
        OPERATION: [0],
        HEALTH: [0],
    }
    assert parts[POSITION].batch.frame(0).data == pdu(MIXED, b"\x77\0\0")
    assert parts[OPERATION].batch.frame(0).data == pdu(MIXED, b"\0\x88\0")
    assert rejoin(parts.values()).equals(batch)
    plan = DecodePlan({"bus": [database.database]})
    for data_class, name, value in ((OPERATION, "Power", 0x88), (HEALTH, "Age", 0x99)):
        columns = plan.decode(rejoin([parts[data_class]])).columns
        assert columns[SignalRef("bus", "Mixed", name)].values.tolist() == [value]


def test_a_class_is_in_a_pdu_only_under_its_multiplexer_value() -> None:
    signals = signal("Page", 0, 8, "M ") + signal("Lane", 8, 8, "m1 ") + signal("Power", 8, 8, "m2 ")
    database = ClassedDatabase(
        boxed({1: f"BO_ 1 Paged: 2 Ecu\n{signals}\n"}),
        {("Paged", "Page"): OPERATION, ("Paged", "Lane"): POSITION, ("Paged", "Power"): OPERATION},
    )
    door = Door({"bus": [database]}, frozenset(DataClass))
    parts = door.split(door.admit(FrameBatch.from_frames([box([(1, b"\x01\x55"), (1, b"\x02\x55")])])))
    assert parts[POSITION].places.tolist() == [0]
    assert parts[POSITION].batch.frame(0).data == pdu(1, b"\x00\x55")
    assert [parts[OPERATION].batch.frame(place).data for place in range(2)] == [
        pdu(1, b"\x01\x00"),
        pdu(1, b"\x02\x55"),
    ]


def test_a_pdu_too_short_for_any_of_its_signals_goes_to_the_most_sensitive_class() -> None:
    door = Door({"bus": [classed()]}, frozenset(DataClass))
    batch = door.admit(FrameBatch.from_frames([box([(MIXED, b""), (MIXED, b"\x01")])]))
    parts = door.split(batch)
    assert parts[POSITION].places.tolist() == [0, 1]
    assert list(parts) == [POSITION]
    assert rejoin(parts.values()).equals(batch)


def loaded(tmp_path: Path, text: str) -> ClassedDatabase:
    path = tmp_path / "boxed.classes.toml"
    path.write_text(text, encoding="utf-8")
    return load_classes(path, boxed(PDUS))


def test_a_class_file_names_signals_of_pdus(tmp_path: Path) -> None:
    text = """
        complete = true
        [operation]
        signals = ["Drive.*", "Mixed.Power"]
        [cabin]
        signals = ["Seat.Belt"]
        [position]
        signals = ["*.Lane"]
        [health]
        signals = ["Mixed.Age"]
        [[integrity]]
        signal = "Drive.Gear"
        covers = ["Sp*"]
        """
    database = loaded(tmp_path, text)
    assert database.classes == CLASSES
    assert database.integrity == (Integrity(("Drive", "Gear"), frozenset({("Drive", "Speed")})),)
    assert not database.unclassified()
    with pytest.raises(PolicyError, match=r"no class for 1 signals: Seat\.Belt"):
        loaded(
            tmp_path, text.replace('["Seat.Belt"]', '["Drive.Speed"]').replace('"Drive.*"', '"Drive.Gear"')
        )
    with pytest.raises(PolicyError) as refused:
        loaded(tmp_path, text.replace("Mixed.Power", "Mixed.Powr"))
    assert refused.value.todo == "Did you mean 'Mixed.Power'?"
    with pytest.raises(PolicyError, match="in another message"):
        loaded(tmp_path, text.replace('["Sp*"]', '["Mixed.Age"]'))


def test_what_a_class_file_does_not_name_of_a_pdu_has_no_class() -> None:
    database = ClassedDatabase(boxed(PDUS), {("Drive", "Speed"): OPERATION})
    assert ("Seat", "Belt") in database.unclassified()
    door = Door({"bus": [database]}, frozenset(DataClass))
    assert door.reason(SignalRef("bus", "Seat", "Belt")) is Reason.UNCLASSIFIED
    assert [frame.data for frame in admitted(door, box([(SEAT, b"\x11"), (DRIVE, b"\xff\xff")]))] == [
        pdu(DRIVE, b"\xff\x00")
    ]


def test_a_container_may_come_in_segments() -> None:
    database = ClassedDatabase(boxed(PDUS, identifier=LONG, j1939=True), CLASSES)
    content = b"".join(
        pdu(*each) for each in [(SEAT, b"\x11"), (MIXED, b"\x77\x88\x99"), (DRIVE, b"\xff\xff")]
    )
    short = Frame(9, LONG, pdu(DRIVE, b"\x01\x02"), "bus", FrameFlag.EXTENDED)
    frames = [*broadcast(content, 0x21), short, *broadcast(content + bytes(80), 0x22, t_ms=1000.0)]
    door = Door({"bus": [database]}, COLLECT)
    out = admitted(door, *frames)
    kept = [pdu(MIXED, b"\0\x88\x99"), pdu(DRIVE, b"\xff\x0f")]
    assert [frame.data for frame in out] == [*kept, pdu(DRIVE, b"\x01\x02"), *kept]
    assert all(FrameFlag.REASSEMBLED in frame.flags for frame in out)
    assert [frame.arbitration_id & 0xFF for frame in out] == [0x21, 0x21, LONG & 0xFF, 0x22, 0x22]
    assert out[0].t_ns == out[1].t_ns == broadcast(content, 0x21)[-1].t_ns


@pytest.mark.parametrize(
    ("sizes", "width"), [((4, 2), 8), ((5,), 64), ((60, 4), 64), ((61,), 65), ((200,), 204)]
)
def test_long_pdus_of_a_container_in_segments_pass_whole(sizes: tuple[int, ...], width: int) -> None:
    pdus = {
        size: f"BO_ {size} Pdu{size}: {size} Ecu\n" + signal("A", 0, 8) + signal("B", 8 * size - 8, 8) + "\n"
        for size in sizes
    }
    classes = {(f"Pdu{size}", name): OPERATION for size in sizes for name in "AB"}
    door = Door({"bus": [ClassedDatabase(boxed(pdus, identifier=LONG, j1939=True), classes)]}, COLLECT)
    content = [pdu(size, b"\x55" + bytes(size - 2) + b"\x66") for size in sizes]
    out = door.admit(FrameBatch.from_frames(broadcast(b"".join(content), 0x21)))
    assert [out.frame(place).data for place in range(len(out))] == content
    assert out.data.shape[1] == width


def test_containers_do_not_disturb_messages_of_segments_around_them() -> None:
    pieces = [
        [box([(DRIVE, b"\x01\x02"), (MIXED, b"\1\2\3")])],
        broadcast(bytes(range(1, 41)), 0x21),
        [box([(SEAT, b"\x01\x02")])],
        isotp(ALLOWED),
        [box([(DRIVE, b"\x03\x04"), (DRIVE, b"\x05\x06")])],
        isotp(b"\x41\x0c\x01\x02", BARE),
        [Frame(0, BOX, pdu(DRIVE, b"\x07\x08"), "elsewhere", FrameFlag.FD)],
        [Frame(0, 0x7FF, b"", "elsewhere")],
    ]
    databases = {"bus": [classed(), J1939, diagnostics()], "elsewhere": [classed()]}
    together, apart = Door(databases, COLLECT), Door(databases, COLLECT)
    out = admitted(together, *(frame for piece in pieces for frame in piece))
    alone = [apart.admit(FrameBatch.from_frames(piece)) for piece in pieces]
    assert out == [batch.frame(place) for batch in alone for place in range(len(batch))]
    assert together.hop() == apart.hop()
    assert together.refused_ids() == apart.refused_ids() == {("elsewhere", 0x7FF): 1}
    assert [len(batch) for batch in alone] == [2, 1, 0, 1, 2, 1, 1, 0]


def test_a_checksum_that_covers_what_another_pdu_of_the_same_name_lacks_covers_all() -> None:
    one = {1: "BO_ 1 Twin: 2 Ecu\n" + signal("A", 0, 8) + signal("Crc", 8, 8) + "\n"}
    two = {1: "BO_ 1 Twin: 2 Ecu\n" + signal("B", 0, 8) + signal("Crc", 8, 8) + "\n"}
    three = {1: "BO_ 1 Twin: 1 Ecu\n" + signal("A", 0, 8) + "\n"}
    classes = {("Twin", name): OPERATION for name in ("A", "Crc")} | {("Twin", "B"): CABIN}
    declared = Integrity(("Twin", "Crc"), frozenset({("Twin", "A")}))
    first = boxed(one)
    for other, collected in ((two, False), (three, True)):
        second = boxed(other, identifier=BOX + 1)
        both = replace(first, messages=(*first.messages, *second.messages))
        assert (why("Twin.Crc", ClassedDatabase(both, classes, (declared,))) is None) == collected


def test_a_real_container_keeps_what_cantools_reads(shared_data: Path) -> None:
    database = load_database(shared_data / "databases" / "cantools" / "arxml" / "system-4.2.arxml")
    container = database.by_name["OneToContainThemAll"]
    everything = ClassedDatabase(
        database,
        {
            (message.name, item.name): OPERATION
            for message in (*database.messages, *container.contained)
            for item in message.signals
        },
    )
    door = Door({"bus": [everything]}, COLLECT)
    content = [
        (inner.header_id or 0, bytes(range(number, number + inner.length)))
        for number, inner in enumerate(container.contained)
    ]
    flags = FrameFlag.FD | (FrameFlag.EXTENDED if container.extended else FrameFlag(0))
    frame = Frame(0, container.arbitration_id, b"".join(pdu(*each) for each in content), "bus", flags)
    batch = door.admit(FrameBatch.from_frames([frame]))
    assert len(batch) == len(content) > 1
    assert {inner.arbitration_id for inner in container.contained} == {container.arbitration_id}
    columns = DecodePlan({"bus": [database]}).decode(batch).columns
    compared = 0
    for inner, (_, payload) in zip(container.contained, content, strict=True):
        theirs = inner.codec.decode(payload, decode_choices=False)
        assert isinstance(theirs, dict)
        for name, value in theirs.items():
            ref = SignalRef("bus", inner.name, name)
            if door.collected(ref):
                assert columns[ref].values.tolist() == [value]
                compared += 1
    assert compared > 3
