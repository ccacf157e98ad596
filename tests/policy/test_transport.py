"""Segmented messages: put together whatever comes between, judged whole, each segment counted once."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.account import Hop
from edge.database.load import parse_database
from edge.database.model import Database
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.policy.classed import ClassedDatabase, DiagnosticChannel, DiagnosticRule
from edge.policy.classes import DataClass
from edge.policy.door import Door
from tests.policy.drawn import COLLECT, J1939_FORMAT, PREAMBLE

MS = 1_000_000
LONG = 0x18FEE3FE
ADDRESSED = 0x18EFFFFE
MERGED = "merged into a reassembled message"
LOST = "segment not reassembled"
WAITING = "waiting for the rest of a message"


def text(identifier: int, name: str, length: int) -> str:
    signals = "".join(
        f' SG_ Byte{byte} : {8 * byte}|8@1+ (1,0) [0|0] "" Ecu\n' for byte in range(min(length, 40))
    )
    return f"BO_ {identifier | 0x80000000} {name}: {length} Ecu\n{signals}\n"


def j1939() -> ClassedDatabase:
    """One broadcast group and one addressed group, 40 bytes each, every third byte of the cabin."""
    formats = J1939_FORMAT + "".join(
        f'BA_ "VFrameFormat" BO_ {identifier | 0x80000000} 3;\n' for identifier in (LONG, ADDRESSED)
    )
    body = text(LONG, "Long", 40) + text(ADDRESSED, "Addressed", 40)
    database = parse_database((PREAMBLE + body + formats).encode(), Path("j1939.dbc"))
    return ClassedDatabase(
        database,
        {
            (message.name, f"Byte{byte}"): DataClass.CABIN if byte % 3 == 2 else DataClass.OPERATION
            for message in database.messages
            for byte in range(40)
        },
    )


DATABASE = j1939()


def masked(payload: bytes) -> bytes:
    return bytes(0 if byte % 3 == 2 or byte >= 40 else value for byte, value in enumerate(payload))


def packets(payload: bytes) -> list[bytes]:
    return [
        bytes([number + 1]) + payload[7 * number : 7 * number + 7].ljust(7, b"\xff")
        for number in range(-(-len(payload) // 7))
    ]


def announce(payload: bytes, group: int, *, control: int = 32) -> bytes:
    size = len(payload).to_bytes(2, "little")
    return bytes([control, *size, len(packets(payload)), 0xFF]) + group.to_bytes(3, "little")


def segment(t_ms: float, group: int, destination: int, source: int, data: bytes) -> Frame:
    identifier = 7 << 26 | group << 8 | destination << 8 | source
    return Frame(round(t_ms * MS), identifier, data, "bus", FrameFlag.EXTENDED)


def broadcast(payload: bytes, source: int, t_ms: float = 0.0, gap_ms: float = 50.0) -> list[Frame]:
    return [
        segment(t_ms, 0xEC00, 0xFF, source, announce(payload, 0xFEE3)),
        *(
            segment(t_ms + gap_ms * (place + 1), 0xEB00, 0xFF, source, packet)
            for place, packet in enumerate(packets(payload))
        ),
    ]


def connection(payload: bytes, source: int, destination: int, t_ms: float = 0.0) -> list[Frame]:
    group = (0xEF00).to_bytes(3, "little")
    clear = bytes([17, 255, 1, 255, 255]) + group
    done = bytes([19, *len(payload).to_bytes(2, "little"), len(packets(payload)), 255]) + group
    return [
        segment(t_ms, 0xEC00, destination, source, announce(payload, 0xEF00, control=16)),
        segment(t_ms + 1, 0xEC00, source, destination, clear),
        *(
            segment(t_ms + 2 + place, 0xEB00, destination, source, packet)
            for place, packet in enumerate(packets(payload))
        ),
        segment(t_ms + 3 + len(packets(payload)), 0xEC00, source, destination, done),
    ]


def through(
    frames: list[Frame], cuts: tuple[int, ...] = (), database: ClassedDatabase = DATABASE
) -> tuple[list[Frame], Hop]:
    door = Door({"bus": [database]}, COLLECT)
    edges = [0, *sorted(cuts), len(frames)]
    out: list[Frame] = []
    for first, last in pairwise(edges):
        batch = door.admit(FrameBatch.from_frames(frames[first:last]))
        out += [batch.frame(place) for place in range(len(batch))]
    assert door.hop().balanced
    return out, door.hop()


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(9, 120), min_size=1, max_size=5),
    cuts=st.lists(st.integers(0, 60), max_size=4),
    seed=st.integers(0, 1 << 32),
)
def test_interleaved_sessions_come_out_whole_however_the_batches_are_cut(
    sizes: list[int], cuts: list[int], seed: int
) -> None:
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    sessions = []
    expected = {}
    for number, size in enumerate(sizes):
        payload = chance.randbytes(size)
        if chance.random() < 0.5:
            sessions.append(broadcast(payload, number))
            expected[7 << 26 | 0xFEE3 << 8 | number] = masked(payload)
        else:
            sessions.append(connection(payload, number, 0x80 + number))
            expected[7 << 26 | 0xEF00 << 8 | (0x80 + number) << 8 | number] = masked(payload)
    frames: list[Frame] = []
    while any(sessions):
        turn = chance.choice([session for session in sessions if session])
        frames.append(turn.pop(0))
    whole, hop = through(frames)
    assert {single.arbitration_id: single.data for single in whole} == expected
    assert all(FrameFlag.REASSEMBLED in single.flags for single in whole)
    assert through(frames, tuple(min(cut, len(frames)) for cut in cuts)) == (whole, hop)
    assert WAITING not in hop.set_aside
    assert LOST not in hop.set_aside


def test_a_message_takes_the_time_and_place_of_its_last_packet() -> None:
    frames = broadcast(bytes(range(20)), 5)
    between = Frame(120 * MS, LONG, bytes(8), "bus", FrameFlag.EXTENDED)
    out, _ = through([*frames[:3], between, frames[3]])
    assert [single.t_ns for single in out] == [120 * MS, 150 * MS]
    assert len(out[1].data) == 20


def test_a_group_that_fits_one_frame_is_judged_the_same_way() -> None:
    out, _ = through([Frame(0, LONG, b"\x01\x02\x03\x04\x05\x06\x07\x08", "bus", FrameFlag.EXTENDED)])
    assert [single.data for single in out] == [b"\x01\x02\x00\x04\x05\x00\x07\x08"]


def test_a_group_that_is_not_allowed_is_refused_as_one_message() -> None:
    frames = broadcast(bytes(20), 5)
    data = bytearray(frames[0].data)
    data[5:8] = (0xFECA).to_bytes(3, "little")
    frames[0] = segment(0, 0xEC00, 0xFF, 5, bytes(data))
    out, hop = through(frames)
    assert not out
    assert dict(hop.set_aside) == {MERGED: 3, "unknown id": 1}


@pytest.mark.parametrize(
    ("frames", "set_aside", "fact"),
    [
        pytest.param(
            [frame for place, frame in enumerate(broadcast(bytes(30), 1)) if place != 3],
            {LOST: 5},
            "messages lost: a packet was missed",
            id="lost packet",
        ),
        pytest.param(
            broadcast(bytes(20), 1, gap_ms=800), {LOST: 4}, "messages lost: timed out", id="slow broadcast"
        ),
        pytest.param(broadcast(bytes(20), 1)[1:], {LOST: 3}, "segments refused: no session", id="no opening"),
        pytest.param(
            [
                *broadcast(bytes(20), 1)[:3],
                segment(160, 0xEC00, 0xFF, 1, bytes([255, 1, 255, 255, 255, 0xE3, 0xFE, 0])),
            ],
            {LOST: 3, "transport control frame": 1},
            "messages lost: aborted",
            id="abort",
        ),
        pytest.param(
            [*broadcast(bytes(20), 1)[:2], *broadcast(bytes(9), 1, t_ms=100)],
            {LOST: 2, MERGED: 2},
            "messages lost: a new message began before the last was whole",
            id="a new broadcast",
        ),
        pytest.param(broadcast(bytes(20), 1)[:3], {WAITING: 3}, None, id="waiting"),
        pytest.param(
            [*broadcast(bytes(20), 1)[:3], Frame(5000 * MS, LONG, b"", "bus", FrameFlag.EXTENDED)],
            {LOST: 3},
            None,
            id="over by the time of later frames",
        ),
        pytest.param(
            [segment(0, 0xC800, 0xFF, 1, bytes(8)), segment(0, 0xEC00, 0xFF, 1, b"\x20\x01\x00\x01")],
            {LOST: 2},
            "segments refused: malformed",
            id="malformed",
        ),
    ],
)
def test_what_cannot_be_whole_is_counted_under_its_cause(
    frames: list[Frame], set_aside: dict[str, int], fact: str | None
) -> None:
    out, hop = through(frames)
    assert dict(hop.set_aside) == set_aside
    assert all(FrameFlag.REASSEMBLED in single.flags or not single.data for single in out)
    assert fact is None or hop.facts[fact] == 1 or hop.facts[fact] == len(frames)
    assert through(frames, (1, 2)) == (out, hop)


def test_a_packet_that_comes_twice_does_no_harm() -> None:
    frames = broadcast(bytes(range(20)), 1)
    out, hop = through([*frames[:2], frames[1], *frames[2:]])
    assert [single.data for single in out] == [masked(bytes(range(20)))]
    assert dict(hop.set_aside) == {MERGED: 3, "duplicate segment": 1}


def test_sessions_are_bounded() -> None:
    door = Door({"bus": [DATABASE]}, COLLECT)
    opening = announce(bytes(1785), 0xEF00, control=16)
    for source in range(20):
        door.admit(
            FrameBatch.from_frames([segment(0, 0xEC00, other, source, opening) for other in range(250)])
        )
    hop = door.hop()
    assert hop.balanced
    assert hop.set_aside[WAITING] <= 1024


# ISO-TP: one id that a message describes, one that only rules describe.

DESCRIBED = 0x700
BARE = 0x701
SECRET = b"TMBJP7NX5NY000000"


def diagnostics() -> ClassedDatabase:
    body = (
        f"BO_ {DESCRIBED} Answers: 8 Ecu\n"
        ' SG_ Size : 0|8@1+ (1,0) [0|0] "" Ecu\n'
        ' SG_ Service M : 8|8@1+ (1,0) [0|0] "" Ecu\n'
        ' SG_ Value m65 : 16|48@1+ (1,0) [0|0] "" Ecu\n\n'
    )
    database: Database = parse_database((PREAMBLE + body).encode(), Path("obd.dbc"))
    rules = (
        DiagnosticRule(DataClass.OPERATION, 0x62, ((0x0100, 0x0101),), 2, 20),
        DiagnosticRule(DataClass.OPERATION, 0x41, ((0x0C, 0x0C),), 1, 2),
        DiagnosticRule(DataClass.IDENTITY, 0x62, ((0xF190, 0xF190),), 2, 17),
    )
    return ClassedDatabase(
        database,
        {("Answers", name): DataClass.OPERATION for name in ("Size", "Service", "Value")},
        channels=(
            DiagnosticChannel(DESCRIBED, False, "Answers", rules),
            DiagnosticChannel(BARE, False, "", rules),
        ),
    )


def isotp(message: bytes, identifier: int = DESCRIBED, t_ms: float = 0.0) -> list[Frame]:
    if len(message) < 8:
        pieces = [bytes([len(message)]) + message.ljust(7, b"\xaa")]
    else:
        pieces = [bytes([0x10 | len(message) >> 8, len(message) & 0xFF]) + message[:6]]
        pieces += [
            bytes([0x20 | (place // 7 + 1) & 0xF]) + message[6 + place : 13 + place].ljust(7, b"\xaa")
            for place in range(0, len(message) - 6, 7)
        ]
    return [Frame(round((t_ms + place) * MS), identifier, piece, "bus") for place, piece in enumerate(pieces)]


ALLOWED = bytes([0x62, 0x01, 0x00, *range(20)])


@pytest.mark.parametrize("identifier", [DESCRIBED, BARE])
def test_an_allowed_identifier_comes_out_whole(identifier: int) -> None:
    out, hop = through(isotp(ALLOWED, identifier), (1,), diagnostics())
    assert [single.data for single in out] == [bytes([len(ALLOWED)]) + ALLOWED]
    assert FrameFlag.REASSEMBLED in out[0].flags
    assert dict(hop.set_aside) == {MERGED: 3}


@pytest.mark.parametrize("identifier", [DESCRIBED, BARE])
@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"\x62\xf1\x90" + SECRET, id="its class is not collected"),
        pytest.param(b"\x49\x02\x01" + SECRET, id="no rule"),
        pytest.param(ALLOWED + b"\xf1\x90" + SECRET, id="another identifier behind an allowed one"),
        pytest.param(ALLOWED[:15], id="shorter than its rule"),
    ],
)
def test_other_answers_do_not(message: bytes, identifier: int) -> None:
    frames = isotp(message, identifier)
    out, hop = through(frames, (), diagnostics())
    assert not out
    assert dict(hop.set_aside) == {MERGED: len(frames) - 1, "nothing allowed": 1}


def test_single_frames_are_judged_by_their_description_or_by_the_rules() -> None:
    frames = [
        *isotp(b"\x41\x0c\x01\x02", DESCRIBED),
        *isotp(b"\x49\x02TMBJ", DESCRIBED),
        *isotp(b"\x41\x0c\x01\x02", BARE),
        *isotp(b"\x41\x0c\x01\x02\x0d\x33", BARE),
    ]
    out, _ = through(frames, (), diagnostics())
    assert [(single.arbitration_id, single.data) for single in out] == [
        (DESCRIBED, b"\x04\x41\x0c\x01\x02\xaa\xaa\xaa"),
        (DESCRIBED, b"\x06\x49\x00\x00\x00\x00\x00\x00"),
        (BARE, b"\x04\x41\x0c\x01\x02\x00\x00\x00"),
    ]
    assert not any(FrameFlag.REASSEMBLED in single.flags for single in out)


@pytest.mark.parametrize(
    ("frames", "lost"),
    [
        pytest.param([isotp(ALLOWED)[0], *isotp(ALLOWED)[2:]], 3, id="lost segment"),
        pytest.param(isotp(ALLOWED)[1:], 3, id="no first frame"),
        pytest.param([isotp(ALLOWED)[0], *isotp(ALLOWED, t_ms=2000)[1:]], 4, id="too late"),
        pytest.param([Frame(0, DESCRIBED, b"\x10\x00\x00\x00\x20\x00abc"[:8], "bus")], 1, id="32-bit length"),
        pytest.param(
            [Frame(0, DESCRIBED, data, "bus") for data in (b"", b"\x00", b"\x0f12", b"\x55")],
            4,
            id="nonsense",
        ),
    ],
)
def test_segments_that_make_no_message_never_leave(frames: list[Frame], lost: int) -> None:
    out, hop = through(frames, (), diagnostics())
    assert not out
    assert dict(hop.set_aside) == {LOST: lost}


def test_withheld_signals_leave_a_reassembled_message_too() -> None:
    described = diagnostics()
    classes = dict(described.classes) | {("Answers", "Value"): DataClass.CABIN}
    strict = ClassedDatabase(described.database, classes, channels=described.channels)
    message = bytes([0x62, 0x01, 0x00, *range(1, 21)])
    out, _ = through(isotp(message), (), strict)
    assert out[0].data == bytes([len(message)]) + message
    shy = dict(described.classes) | {("Answers", "Service"): DataClass.CABIN}
    out, _ = through(isotp(message), (), ClassedDatabase(described.database, shy, channels=strict.channels))
    assert out[0].data == bytes([len(message)]) + bytes(7) + message[7:]


@settings(max_examples=30, deadline=None)
@given(data=st.lists(st.tuples(st.sampled_from([DESCRIBED, BARE]), st.binary(max_size=8)), max_size=20))
def test_any_bytes_on_a_diagnostic_id_are_counted(data: list[tuple[int, bytes]]) -> None:
    frames = [
        Frame(place * MS, identifier, payload, "bus") for place, (identifier, payload) in enumerate(data)
    ]
    out, hop = through(frames, (), diagnostics())
    counts = Counter(single.arbitration_id for single in out)
    assert counts.total() == hop.left
    assert hop.entered == len(frames)
