"""Diagnostic messages at the door: what a rule lets pass, what of it is withheld, and how it is counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.frames import Frame, FrameBatch, FrameFlag
from edge.policy.classed import ClassedDatabase, DiagnosticChannel, DiagnosticRule, Integrity
from edge.policy.classes import DataClass
from edge.policy.door import Door
from tests.policy.drawn import COLLECT
from tests.policy.test_door import CABIN, OPERATION, classed, signal
from tests.policy.test_transport import (
    ALLOWED,
    BARE,
    DATABASE,
    DESCRIBED,
    LONG,
    LOST,
    MERGED,
    SECRET,
    broadcast,
    diagnostics,
    isotp,
)

ANY = DiagnosticRule(OPERATION, 0x41, (), 0, None)
BODY = bytes(range(1, 41))
ADDRESSED = 0x18DAF110


def channel(identifier: int, message: str = "", *, pgn: int | None = None) -> DiagnosticChannel:
    return DiagnosticChannel(identifier, identifier > 0x7FF, message, (ANY,), pgn)


def diagnosed(
    layout: str, *withheld: str, length: int = 8, integrity: tuple[Integrity, ...] = ()
) -> ClassedDatabase:
    """A database whose only message describes an ISO-TP id."""
    database = classed(layout, {}, length=length, name="Answers", identifier=DESCRIBED)
    classes = {
        ("Answers", item.name): CABIN if item.name in withheld else OPERATION
        for item in database.database.messages[0].signals
    }
    return ClassedDatabase(database.database, classes, integrity, (channel(DESCRIBED, "Answers"),))


def through(door: Door, frames: list[Frame]) -> list[Frame]:
    out = door.admit(FrameBatch.from_frames(frames))
    assert door.hop().balanced
    return [out.frame(place) for place in range(len(out))]


def passed(database: ClassedDatabase, message: bytes) -> bytes:
    (out,) = through(Door({"bus": [database]}, COLLECT), isotp(message))
    assert FrameFlag.REASSEMBLED in out.flags
    return out.data


def test_the_bits_of_a_withheld_signal_leave_a_message_and_no_others() -> None:
    database = diagnosed(signal("Size", 0, 8) + signal("Seat", 20, 4), "Seat")
    message = b"\x41" + b"\xff" * 20
    assert passed(database, message) == b"\x15\x41\x0f" + b"\xff" * 19


def test_a_withheld_signal_leaves_a_message_only_under_its_multiplexer_value() -> None:
    layout = signal("Size", 0, 8) + signal("Page", 16, 8, "M ") + signal("Seat", 24, 8, "m1 ")
    database = diagnosed(layout, "Seat")
    assert passed(database, b"\x41\x01" + BODY) == b"\x2a\x41\x01\x00" + BODY[1:]
    assert passed(database, b"\x41\x02" + BODY) == b"\x2a\x41\x02" + BODY


@pytest.mark.parametrize(
    ("size", "page", "seat"),
    [
        pytest.param(23, b"", b"\x00", id="its multiplexer ends behind the message"),
        pytest.param(24, b"\x01\x00", b"\x00", id="its multiplexer is the end of the message"),
        pytest.param(24, b"\x01\x01", b"\xee", id="under another value"),
    ],
)
def test_where_its_multiplexer_is_not_there_a_withheld_signal_may_be(
    size: int, page: bytes, seat: bytes
) -> None:
    layout = signal("Seat", 16, 8, "m1 ") + signal("Page", 184, 16, "M ")
    message = (b"\x41\xee" + bytes(20)).ljust(size - len(page), b"\x02") + page
    assert len(message) == size
    expected = bytes([size, 0x41]) + seat + message[2:]
    assert passed(diagnosed(layout, "Seat", length=64), message) == expected


def test_a_withheld_signal_that_a_message_ends_in_leaves_as_far_as_it_goes() -> None:
    database = diagnosed(signal("Seat", 184, 16), "Seat", length=64)
    message = b"\x41" + b"\xff" * 22
    assert passed(database, message) == b"\x17\x41" + b"\xff" * 21 + b"\x00"


def test_a_message_of_one_byte_stays_the_single_frame_that_it_came_in() -> None:
    database = replace(diagnostics(), channels=(channel(BARE),))
    (out,) = through(Door({"bus": [database]}, COLLECT), isotp(b"\x41", BARE))
    assert out == Frame(0, BARE, b"\x01\x41" + bytes(6), "bus")


def test_a_single_frame_of_can_fd_goes_on_as_a_message() -> None:
    frame = Frame(0, BARE, b"\x00\x17" + ALLOWED + b"\xaa" * 7, "bus", FrameFlag.FD)
    (out,) = through(Door({"bus": [diagnostics()]}, COLLECT), [frame])
    assert out.data == bytes([len(ALLOWED)]) + ALLOWED
    assert out.flags == FrameFlag.FD | FrameFlag.REASSEMBLED


def test_a_message_longer_than_its_size_can_say_passes_whole() -> None:
    database = replace(diagnostics(), channels=(channel(BARE),))
    message = b"\x41" + bytes(range(256)) + BODY
    (out,) = through(Door({"bus": [database]}, COLLECT), isotp(message, BARE))
    assert out.data == bytes([len(message) & 0xFF]) + message


def test_a_checksum_in_the_description_has_no_say_over_segments_and_messages() -> None:
    whole = diagnosed(
        signal("A", 0, 56) + signal("Crc", 56, 8), integrity=(Integrity(("Answers", "Crc"), None),)
    )
    assert passed(whole, b"\x41" + BODY) == b"\x29\x41" + BODY
    paged = diagnosed(
        signal("A", 0, 4, "m0 ") + signal("B", 0, 4, "m1 ") + signal("Crc", 4, 4) + signal("Mux", 8, 1, "M "),
        integrity=(Integrity(("Answers", "Crc"), frozenset({("Answers", "A")})),),
    )
    door = Door({"bus": [paged]}, COLLECT)
    assert not through(door, [Frame(0, DESCRIBED, b"\x21", "bus")])
    assert door.hop().set_aside == {LOST: 1}


def test_frames_and_messages_of_an_id_that_are_refused_are_counted_together() -> None:
    door = Door({"bus": [diagnosed(signal("Seat", 0, 64), "Seat")]}, COLLECT)
    assert not through(door, [*isotp(b"\x41"), *isotp(b"\x62" + BODY), *isotp(b"\x62" + BODY)])
    assert door.refused_ids() == {("bus", DESCRIBED): 3}


def test_messages_of_both_transports_are_counted_together() -> None:
    door = Door({"bus": [DATABASE, diagnostics()]}, COLLECT)
    assert len(through(door, [*broadcast(BODY, 0x21), *isotp(ALLOWED)])) == 2
    assert door.hop().facts["messages reassembled"] == 2


def test_a_message_that_several_rules_mean_passes_only_where_each_class_does() -> None:
    rules = (ANY, DiagnosticRule(DataClass.IDENTITY, 0x41, ((2, 2),), 1, None))
    database = replace(diagnostics(), channels=(DiagnosticChannel(BARE, False, "", rules),))
    frames = [*isotp(b"\x41\x02" + SECRET, BARE), *isotp(b"\x41\x01" + SECRET, BARE)]
    door = Door({"bus": [database]}, {OPERATION})
    assert [frame.data[2] for frame in through(door, frames)] == [1]
    assert door.hop().facts["frames with operation kept"] == 1
    door = Door({"bus": [database]}, {OPERATION, DataClass.IDENTITY})
    batch = door.admit(FrameBatch.from_frames(frames))
    parts = door.split(batch)
    assert {one: part.places.tolist() for one, part in parts.items()} == {
        DataClass.IDENTITY: [0],
        OPERATION: [1],
    }


def test_the_class_of_a_long_message_is_told_by_all_of_it() -> None:
    rules = (
        DiagnosticRule(OPERATION, 0x41, (), 0, 299),
        DiagnosticRule(DataClass.IDENTITY, 0x62, (), 0, None),
    )
    database = replace(diagnostics(), channels=(DiagnosticChannel(BARE, False, "", rules),))
    door = Door({"bus": [database]}, {OPERATION, DataClass.IDENTITY})
    batch = door.admit(FrameBatch.from_frames(isotp(b"\x41" + bytes(299), BARE)))
    assert list(door.split(batch)) == [OPERATION]


def test_messages_that_pass_and_messages_that_do_not_are_counted_one_by_one() -> None:
    door = Door({"a": [], "bus": [diagnostics()]}, COLLECT)
    secret = b"\x62\xf1\x90" + SECRET
    frames = [*isotp(secret), *isotp(secret), *isotp(ALLOWED), *isotp(ALLOWED, BARE)]
    assert len(through(door, frames)) == 2
    assert len(through(door, isotp(ALLOWED))) == 1
    hop = door.hop()
    assert hop.set_aside == {MERGED: 2 * 2 + 3 * 3, "nothing allowed": 2}
    assert hop.facts["frames with operation kept"] == 3
    assert "frames with identity kept" not in hop.facts
    assert door.refused_ids() == {("bus", DESCRIBED): 2}


def test_a_message_that_began_under_another_policy_is_not_made_whole() -> None:
    frames = isotp(ALLOWED)
    door = Door({"bus": [diagnostics()]}, {OPERATION, CABIN})
    through(door, frames[:2])
    door.adopt({OPERATION})
    assert not through(door, frames[2:])
    door.adopt({OPERATION, CABIN})
    assert door.hop().set_aside == {LOST: len(frames)}
    assert door.hop().facts["changes of the mask"] == 2


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"\x08\x41\x0c\x01\x02\x03\x04\x05", None, id="larger than a single frame"),
        pytest.param(b"\x04", b"\x04", id="cut off behind its size"),
        pytest.param(b"\x01\x49", b"\x01\x49", id="the smallest"),
        pytest.param(b"\x07\x41\x0c\x01\x02\x03\x04\x05", b"\x07\x41\x0c\x01\x02\x03\x04\x05", id="full"),
    ],
)
def test_only_what_can_be_a_single_frame_is_judged_by_its_description(
    data: bytes, expected: bytes | None
) -> None:
    out = through(Door({"bus": [diagnostics()]}, COLLECT), [Frame(0, DESCRIBED, data, "bus")])
    assert [frame.data for frame in out] == ([] if expected is None else [expected])


def test_a_frame_without_a_byte_is_no_single_frame_whatever_stands_behind_its_end() -> None:
    batch = FrameBatch.from_frames([Frame(0, DESCRIBED, b"", "bus")])
    batch.data[0] = 0x04
    door = Door({"bus": [diagnostics()]}, COLLECT)
    assert not len(door.admit(batch))
    assert door.hop().set_aside == {LOST: 1}


def test_an_id_of_29_bits_can_be_a_channel() -> None:
    door = Door({"bus": [replace(diagnostics(), channels=(channel(ADDRESSED),))]}, COLLECT)
    frames = [replace(frame, flags=FrameFlag.EXTENDED) for frame in isotp(b"\x41" + BODY, ADDRESSED)]
    (out,) = through(door, frames)
    assert out.data == b"\x29\x41" + BODY
    assert not through(door, [replace(frame, arbitration_id=ADDRESSED + 1) for frame in frames])


def test_a_channel_of_a_group_has_all_ids_of_the_group() -> None:
    group = replace(DATABASE, channels=(channel(LONG, "Long", pgn=0xFEE3),))
    named = classed(signal("A", 0, 8), {"A": OPERATION}, identifier=0x18FEE321 | 1 << 31)
    door = Door({"bus": [group, named]}, COLLECT)
    for source in (LONG, 0x18FEE342, 0x18FEE321):
        frames = [replace(frame, flags=FrameFlag.EXTENDED) for frame in isotp(b"\x41" + BODY, source)]
        (out,) = through(door, frames)
        assert (out.arbitration_id, len(out.data)) == (source, 42)


def test_a_channel_on_an_id_of_transport_is_a_channel() -> None:
    identifier = 0x18ECFF21
    bus = [DATABASE, replace(diagnostics(), channels=(channel(identifier),))]
    frames = [replace(frame, flags=FrameFlag.EXTENDED) for frame in isotp(b"\x41" + BODY, identifier)]
    (out,) = through(Door({"bus": bus}, COLLECT), frames)
    assert out.data == b"\x29\x41" + BODY


def test_no_message_of_transport_is_taken_for_one_that_a_rule_let_pass() -> None:
    group = replace(DATABASE, channels=(channel(LONG, "Long", pgn=0xFEE3),))
    door = Door({"bus": [group]}, {OPERATION, CABIN})
    assert not through(door, broadcast(b"\x20\x41" + BODY, 0x21))
    assert door.hop().set_aside == {MERGED: 6, "unknown id": 1}


def test_no_frame_that_calls_itself_reassembled_is_taken_for_a_message() -> None:
    described = diagnostics()
    classes = dict(described.classes) | {("Answers", "Value"): CABIN}
    door = Door({"bus": [replace(described, classes=classes)]}, {OPERATION, CABIN})
    frames = isotp(b"\x41\x0c\x01\x02")
    liar = [replace(frame, flags=FrameFlag.REASSEMBLED) for frame in frames]
    batch = door.admit(FrameBatch.from_frames(liar))
    assert batch.frame(0) == frames[0]
    parts = door.split(batch)
    assert parts[CABIN].batch.frame(0).data == b"\x00\x00\x0c\x01\x02\xaa\xaa\xaa"
    assert parts[OPERATION].batch.frame(0).data == b"\x04\x41" + bytes(6)


def test_a_rule_lets_its_message_pass_only_where_its_class_is_collected() -> None:
    door = Door({"bus": [diagnostics()]}, {DataClass.IDENTITY})
    out = through(door, [*isotp(ALLOWED, BARE), *isotp(b"\x62\xf1\x90" + SECRET, BARE)])
    assert [frame.data for frame in out] == [b"\x14\x62\xf1\x90" + SECRET]
