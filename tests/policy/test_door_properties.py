"""The door on random databases: nothing forbidden leaves, nothing allowed changes, all is counted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from edge.database.model import Message, Signal, SignalRef
from edge.frames import Frame, FrameBatch, FrameFlag
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.door import Door
from tests.policy.drawn import COLLECT, classed_databases, present, raw, with_checksums

MANY = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUS = "bus"
FRAMES = 40
STANDARD = (0x100, 0x101)
EXTENDED = (0x18FF0027, 0x18FF0028)
Road = tuple[list[ClassedDatabase], tuple[int, ...], FrameFlag]
EXTENDED_IN_A_FILE = tuple(identifier | 0x80000000 for identifier in EXTENDED)


@st.composite
def roads(draw: st.DrawFn) -> Road:
    """One or two databases of a bus, the ids of its frames, and their flags."""
    extended = draw(st.booleans())
    identifiers = EXTENDED_IN_A_FILE if extended else STANDARD
    databases = [
        # A J1939 file describes one group, whose frames come from two addresses.
        draw(classed_databases(identifiers[: 1 if j1939 else 2], j1939=j1939, file=f"file{number}"))
        for number, j1939 in enumerate(draw(st.lists(st.booleans(), min_size=1, max_size=2)))
    ]
    return databases, EXTENDED if extended else STANDARD, FrameFlag.EXTENDED if extended else FrameFlag(0)


def matching(databases: Sequence[ClassedDatabase], identifier: int) -> list[tuple[ClassedDatabase, Message]]:
    return [
        (classed, message)
        for classed in databases
        for message in classed.database.messages
        if identifier == message.arbitration_id
        or (message.pgn is not None and identifier >> 8 == message.arbitration_id >> 8)
    ]


def drawn_length(chance: Random, databases: Sequence[ClassedDatabase], identifier: int) -> int:
    """Mostly as the database says, sometimes too short or too long."""
    if chance.random() < 0.2:
        return chance.randint(0, 8)
    return chance.choice([message.length for _, message in matching(databases, identifier)] or [8])


def sent(databases: Sequence[ClassedDatabase], identifier: int, payload: int, length: int) -> int:
    """The payload with the checksums that its sender would put in."""
    senders = matching(databases, identifier)
    if len(senders) != 1:
        return payload
    return with_checksums(payload, length, *senders[0])


def frames_of(batch: FrameBatch) -> list[Frame]:
    return [batch.frame(place) for place in range(len(batch))]


def frame(identifier: int, payload: int, length: int, flags: FrameFlag) -> Frame:
    return Frame(0, identifier, (payload & (1 << 8 * length) - 1).to_bytes(length, "little"), BUS, flags)


def forbidden_bits(
    databases: Sequence[ClassedDatabase],
    identifier: int,
    payload: int,
    length: int,
    collect: Collection[DataClass] = COLLECT,
) -> set[int]:
    """Bits of denied signals, and bits that no signal which is there describes."""
    denied: set[int] = set()
    described: set[int] = set()
    for classed, message in matching(databases, identifier):
        for signal in message.signals:
            if present(payload, length, message, signal):
                described.update(signal.bits)
                if classed.class_of(message.name, signal.name) not in collect:
                    denied.update(signal.bits)
    return {bit for bit in range(8 * length) if bit in denied or bit not in described}


def innocent(
    classed: ClassedDatabase,
    message: Message,
    signal: Signal,
    neighbours: Sequence[tuple[ClassedDatabase, Message, Signal]],
) -> bool:
    """Whether no rule touches a signal: allowed, no checksum, shares no bits, its multiplexers likewise."""
    if classed.class_of(message.name, signal.name) not in COLLECT:
        return False
    if any(declared.signal == (message.name, signal.name) for declared in classed.integrity):
        return False
    conditions: Mapping[str, frozenset[int]] = {
        condition.multiplexer: condition.values for condition in signal.conditions
    }
    for _, other_message, other in neighbours:
        if other is signal or not set(other.bits) & set(signal.bits):
            continue
        apart = other_message is message and any(
            condition.values.isdisjoint(conditions.get(condition.multiplexer, condition.values))
            for condition in other.conditions
        )
        if not apart:
            return False
    return all(
        innocent(classed, message, message.signal(condition.multiplexer), neighbours)
        for condition in signal.conditions
    )


@MANY
@given(road=roads(), seed=st.integers(0, 1 << 32))
def test_forbidden_bits_change_nothing(road: Road, seed: int) -> None:
    databases, identifiers, flags = road
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    one: list[Frame] = []
    two: list[Frame] = []
    for _ in range(FRAMES):
        identifier = chance.choice(identifiers)
        length = drawn_length(chance, databases, identifier)
        payload = sent(databases, identifier, chance.getrandbits(8 * length), length)
        other = payload
        for bit in forbidden_bits(databases, identifier, payload, length):
            other ^= chance.getrandbits(1) << bit
        other = sent(databases, identifier, other, length)
        one.append(frame(identifier, payload, length, flags))
        two.append(frame(identifier, other, length, flags))
    first, second = Door({BUS: databases}, COLLECT), Door({BUS: databases}, COLLECT)
    left = first.admit(FrameBatch.from_frames(one))
    assert frames_of(left) == frames_of(second.admit(FrameBatch.from_frames(two)))
    assert first.hop() == second.hop()
    assert first.refused_ids() == second.refused_ids()
    event(f"something left: {len(left) > 0}, something differed: {one != two}")


@MANY
@given(road=roads(), seed=st.integers(0, 1 << 32))
def test_collected_signals_keep_their_values_and_all_else_is_zero(road: Road, seed: int) -> None:
    databases, identifiers, flags = road
    chance = Random(seed)  # noqa: S311 - a test repeats its seed
    door = Door({BUS: databases}, COLLECT)
    for _ in range(FRAMES):
        identifier = chance.choice(identifiers)
        length = drawn_length(chance, databases, identifier)
        payload = chance.getrandbits(8 * length)
        one = frame(identifier, payload, length, flags)
        before = door.hop().set_aside
        out = frames_of(door.admit(FrameBatch.from_frames([one])))
        collected = [
            (message, signal)
            for _, message in matching(databases, identifier)
            for signal in message.signals
            if door.collected(SignalRef(BUS, message.name, signal.name))
        ]
        if not out:
            # Only a checksum that would give away removed bytes costs a frame its collected signals.
            causes = {cause for cause, count in door.hop().set_aside.items() if count > before.get(cause, 0)}
            known = matching(databases, identifier)
            refusal = "nothing allowed" if known else "unknown id"
            lengths = {"longer than its checksum covers", "too short for its checksum"}
            assert causes <= lengths if collected else causes == {refusal}
            continue
        assert len(out[0].data) == length
        assert replace(out[0], data=b"") == replace(one, data=b"")
        left = int.from_bytes(out[0].data, "little")
        passing: set[int] = set()
        for message, signal in collected:
            if present(payload, length, message, signal):
                assert raw(left, signal) == raw(payload, signal)
                passing.update(signal.bits)
        assert {bit for bit in range(8 * length) if left >> bit & 1} <= passing
    assert door.hop().balanced
    assert door.hop().entered == FRAMES


@MANY
@given(data=st.data())
def test_a_signal_that_nothing_speaks_against_is_collected(data: st.DataObject) -> None:
    databases, identifiers, _ = data.draw(roads())
    door = Door({BUS: databases}, COLLECT)
    everything = {
        identifier: [
            (classed, message, signal)
            for classed, message in matching(databases, identifier)
            for signal in message.signals
        ]
        for identifier in identifiers
    }
    accused: set[SignalRef] = set()
    for signals in everything.values():
        for classed, message, signal in signals:
            ref = SignalRef(BUS, message.name, signal.name)
            assert door.collected(ref) != (ref in door.withheld())
            assert door.collected(ref) == (door.reason(ref) is None)
            if not innocent(classed, message, signal, signals):
                accused.add(ref)
    # A group's signal is collected from all its addresses or from none.
    for signals in everything.values():
        for _, message, signal in signals:
            ref = SignalRef(BUS, message.name, signal.name)
            assert door.collected(ref) or ref in accused, door.reason(ref)


@MANY
@given(data=st.data())
def test_cutting_into_batches_changes_nothing(data: st.DataObject) -> None:
    databases, identifiers, flags = data.draw(roads())
    frames = [
        Frame(
            t_ns=data.draw(st.integers(0, 10)),
            arbitration_id=data.draw(st.sampled_from((*identifiers, 0x7FF))),
            data=data.draw(st.binary(max_size=8)),
            bus=data.draw(st.sampled_from([BUS, "elsewhere"])),
            flags=flags | data.draw(st.sampled_from([FrameFlag(0), FrameFlag.REMOTE, FrameFlag.ERROR])),
        )
        for _ in range(data.draw(st.integers(0, 12)))
    ]
    whole, pieces = Door({BUS: databases}, COLLECT), Door({BUS: databases}, COLLECT)
    at_once = whole.admit(FrameBatch.from_frames(frames))
    cut = data.draw(st.integers(0, len(frames)))
    one_by_one = [pieces.admit(FrameBatch.from_frames(part)) for part in (frames[:cut], frames[cut:])]
    assert frames_of(at_once) == [single for part in one_by_one for single in frames_of(part)]
    assert whole.hop() == pieces.hop()
    assert whole.hop().balanced
    assert whole.refused_ids() == pieces.refused_ids()
