"""The door on random containers: no forbidden bit of a PDU leaves, and what is collected stays as it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random

from hypothesis import event, given
from hypothesis import strategies as st

from edge.database.container import HEADER_BYTES
from edge.database.model import Message, SignalRef
from edge.decode.plan import DecodePlan
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import SENSITIVITY, DataClass
from edge.policy.door import Door
from edge.policy.split import rejoin
from tests.decode.test_parity import Oracle, same
from tests.policy.boxed import BOX, boxed, pdu
from tests.policy.drawn import (
    COLLECT,
    classed_at_random,
    layouts,
    message_text,
    multiplex_text,
    present,
    raw,
    with_checksums,
)
from tests.policy.test_door_properties import BUS, MANY, frames_of

HEADERS = (1, 0x010203, 0xABCDEF)
UNKNOWN = 0x55
LONGEST = 6
TOO_LONG_OR_SHORT = {
    "PDUs refused: longer than its checksum covers",
    "PDUs refused: too short for its checksum",
}
NOT_ALLOWED = {"PDUs refused: nothing allowed", "PDUs refused: unknown header id", "nothing allowed"}
PDUS = 20
Boxes = tuple[list[ClassedDatabase], bool]


@st.composite
def boxes(draw: st.DrawFn, most: int = 2) -> Boxes:
    """One or two databases of one container, whose PDUs may have equal header ids; and its byte order."""
    little_endian = draw(st.booleans())
    databases = []
    for number in range(draw(st.integers(1, most))):
        text: dict[int, str] = {}
        multiplexing = ""
        for header_id in draw(st.lists(st.sampled_from(HEADERS), min_size=1, max_size=3, unique=True)):
            length = draw(st.integers(1, LONGEST))
            signals = draw(layouts(length))
            identifier = len(text) + 1
            text[header_id] = message_text(identifier, f"File{number}Pdu{identifier}", length, signals)
            multiplexing += multiplex_text(identifier, signals)
        database = boxed(
            text,
            multiplexing=multiplexing,
            little_endian=little_endian,
            name=f"Box{number}",
            file=f"b{number}",
        )
        databases.append(draw(classed_at_random(database, database.messages[0].contained)))
    return databases, little_endian


def matching(databases: Sequence[ClassedDatabase], header_id: int) -> list[tuple[ClassedDatabase, Message]]:
    return [
        (classed, inner)
        for classed in databases
        for inner in classed.database.messages[0].contained
        if inner.header_id == header_id
    ]


def drawn_length(chance: Random, databases: Sequence[ClassedDatabase], header_id: int) -> int:
    """Mostly as the database says, sometimes too short or too long."""
    if chance.random() < 0.25:
        return chance.randint(0, LONGEST + 2)
    return chance.choice([inner.length for _, inner in matching(databases, header_id)] or [4])


def sent(databases: Sequence[ClassedDatabase], header_id: int, payload: int, length: int) -> int:
    """The payload with the checksums that its sender would put in."""
    senders = matching(databases, header_id)
    return (
        with_checksums(payload, length, *senders[0]) & (1 << 8 * length) - 1 if len(senders) == 1 else payload
    )


def forbidden_bits(
    databases: Sequence[ClassedDatabase], header_id: int, payload: int, length: int
) -> set[int]:
    """Bits of denied signals, and bits that no signal which is there describes."""
    denied: set[int] = set()
    described: set[int] = set()
    for classed, inner in matching(databases, header_id):
        for signal in inner.signals:
            if present(payload, length, inner, signal):
                described.update(signal.bits)
                if classed.class_of(inner.name, signal.name) not in COLLECT:
                    denied.update(signal.bits)
    return {bit for bit in range(8 * length) if bit in denied or bit not in described}


def contained(header_id: int, payload: int, length: int, *, little_endian: bool) -> bytes:
    return pdu(header_id, payload.to_bytes(length, "little"), little_endian=little_endian)


def in_frames(pdus: Sequence[bytes], chance: Random) -> list[Frame]:
    """PDUs in frames, some alone, some together; behind them padding, or a PDU that is torn."""
    frames: list[Frame] = []
    rest = list(pdus)
    while rest:
        count = chance.randint(1, 4)
        tail = chance.choice(
            [b"", bytes(chance.randint(1, 9)), b"\0\0\1\x40\xaa", b"\xee" * chance.randint(1, 3)]
        )
        content = b"".join(rest[:count]) + tail
        frames.append(Frame(len(frames), BOX, content, BUS, FrameFlag.FD))
        rest = rest[count:]
    return frames


def door_of(databases: Sequence[ClassedDatabase], collect: Collection[DataClass] = COLLECT) -> Door:
    return Door({BUS: databases}, collect)


@MANY
@given(drawn=boxes(), seed=st.integers(0, 1 << 32))
def test_forbidden_bits_of_a_pdu_change_nothing(drawn: Boxes, seed: int) -> None:
    databases, little_endian = drawn
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    one: list[bytes] = []
    two: list[bytes] = []
    for _ in range(PDUS):
        header_id = chance.choice((*HEADERS, UNKNOWN))
        length = drawn_length(chance, databases, header_id)
        payload = sent(databases, header_id, chance.getrandbits(8 * length), length)
        other = payload
        for bit in forbidden_bits(databases, header_id, payload, length):
            other ^= chance.getrandbits(1) << bit
        other = sent(databases, header_id, other, length)
        one.append(contained(header_id, payload, length, little_endian=little_endian))
        two.append(contained(header_id, other, length, little_endian=little_endian))
    first, second = door_of(databases), door_of(databases)
    left, right = (
        door.admit(FrameBatch.from_frames(in_frames(pdus, Random(seed))))  # noqa: S311 - both alike
        for door, pdus in ((first, one), (second, two))
    )
    assert frames_of(left) == frames_of(right)
    assert first.hop() == second.hop()
    assert first.refused_ids() == second.refused_ids()
    event(f"something left: {len(left) > 0}, something differed: {one != two}")


@MANY
@given(drawn=boxes(most=1), seed=st.integers(0, 1 << 32))
def test_collected_signals_of_a_pdu_keep_their_values_and_all_else_is_zero(drawn: Boxes, seed: int) -> None:
    databases, little_endian = drawn
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    door = door_of(databases)
    plan = DecodePlan({BUS: [classed.database for classed in databases]}, withheld=door.withheld())
    for _ in range(PDUS):
        header_id = chance.choice((*HEADERS, UNKNOWN))
        length = drawn_length(chance, databases, header_id)
        payload = chance.getrandbits(8 * length)
        content = contained(header_id, payload, length, little_endian=little_endian)
        before = door.hop()
        batch = door.admit(FrameBatch.from_frames([Frame(0, BOX, content, BUS, FrameFlag.FD)]))
        collected = [
            (inner, signal)
            for _, inner in matching(databases, header_id)
            for signal in inner.signals
            if door.collected(SignalRef(BUS, inner.name, signal.name))
        ]
        if not len(batch):
            hop = door.hop()
            causes = {
                cause
                for now, then in ((hop.set_aside, before.set_aside), (hop.facts, before.facts))
                for cause, count in now.items()
                if count > then.get(cause, 0)
            }
            assert causes & (TOO_LONG_OR_SHORT if collected else NOT_ALLOWED)
            continue
        (out,) = frames_of(batch)
        assert out.data[:HEADER_BYTES] == content[:HEADER_BYTES]
        assert out.flags == FrameFlag.FD | FrameFlag.REASSEMBLED
        assert len(out.data) == len(content)
        left = int.from_bytes(out.data[HEADER_BYTES:], "little")
        passing: set[int] = set()
        for inner, signal in collected:
            if present(payload, length, inner, signal):
                assert raw(left, signal) == raw(payload, signal)
                passing.update(signal.bits)
        assert {bit for bit in range(8 * length) if left >> bit & 1} <= passing
        columns = plan.decode(batch).columns
        decoded = {ref: column.values.tolist() for ref, column in columns.items()}
        expected: dict[SignalRef, object] = {}
        for inner in {id(inner): inner for inner, _ in collected}.values():
            theirs, _ = Oracle(inner).values(payload.to_bytes(length, "little"))
            expected |= {SignalRef(BUS, inner.name, name): value for name, value in theirs.items()}
        expected = {ref: value for ref, value in expected.items() if door.collected(ref)}
        assert decoded.keys() == expected.keys()
        assert all(same(decoded[ref][0], value) for ref, value in expected.items())
    assert door.hop().balanced
    assert door.hop().entered == PDUS


@MANY
@given(drawn=boxes(), seed=st.integers(0, 1 << 32), cut=st.integers(0, 12))
def test_a_pdu_fares_alike_alone_among_others_and_in_any_batch(drawn: Boxes, seed: int, cut: int) -> None:
    databases, little_endian = drawn
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    pdus = [
        pdu(
            chance.choice((*HEADERS, UNKNOWN)),
            chance.randbytes(chance.randint(0, LONGEST + 2)),
            little_endian=little_endian,
        )
        for _ in range(PDUS)
    ]
    frames = in_frames(pdus, chance)
    together, pieces, alone = door_of(databases), door_of(databases), door_of(databases)
    at_once = frames_of(together.admit(FrameBatch.from_frames(frames)))
    in_two = [
        frame
        for part in (frames[:cut], frames[cut:])
        for frame in frames_of(pieces.admit(FrameBatch.from_frames(part)))
    ]
    one_by_one = frames_of(
        alone.admit(FrameBatch.from_frames([Frame(0, BOX, each, BUS, FrameFlag.FD) for each in pdus]))
    )
    assert at_once == in_two
    assert [frame.data for frame in at_once] == [frame.data for frame in one_by_one]
    assert together.hop() == pieces.hop()
    for door, left in ((together, at_once), (alone, one_by_one)):
        hop = door.hop()
        assert hop.balanced
        assert set(hop.set_aside) <= {"container of which no PDU passes", "nothing allowed"}
        assert len(left) == hop.left + hop.facts.get("further PDUs of containers", 0)
    assert all(frames[frame.t_ns].data.find(frame.data[:HEADER_BYTES]) >= 0 for frame in at_once)


@MANY
@given(
    drawn=boxes(),
    collect=st.sets(st.sampled_from(DataClass), min_size=1).map(frozenset),
    seed=st.integers(0, 1 << 32),
)
def test_each_bit_of_a_pdu_goes_to_one_class_and_its_header_to_each(
    drawn: Boxes, collect: frozenset[DataClass], seed: int
) -> None:
    databases, little_endian = drawn
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    pdus = [
        contained(header_id, chance.getrandbits(8 * length), length, little_endian=little_endian)
        for header_id in chance.choices(HEADERS, k=PDUS)
        for length in [drawn_length(chance, databases, header_id)]
    ]
    door = door_of(databases, collect)
    batch = door.admit(FrameBatch.from_frames(in_frames(pdus, chance)))
    parts = door.split(batch)
    event(f"classes: {len(parts)}")
    assert set(parts) <= collect
    assert list(parts) == [data_class for data_class in SENSITIVITY if data_class in parts]
    taken = [0] * len(batch)
    for part in parts.values():
        for row, place in enumerate(part.places.tolist()):
            single = part.batch.frame(row)
            assert single.data[:HEADER_BYTES] == batch.frame(place).data[:HEADER_BYTES]
            own = int.from_bytes(single.data[HEADER_BYTES:], "little")
            assert not own & taken[place]
            taken[place] |= own
    assert taken == [int.from_bytes(frame.data[HEADER_BYTES:], "little") for frame in frames_of(batch)]
    if len(batch):
        assert rejoin(parts.values()).equals(batch)
