"""Random databases, classes and payloads for the door, and a plain reading of them to compare with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from edge.database.load import parse_database
from edge.database.model import Database, Message, Signal
from edge.policy.classed import ClassedDatabase, Integrity
from edge.policy.classes import DataClass

COLLECT = frozenset({DataClass.OPERATION, DataClass.HEALTH})
CLASSES = (DataClass.OPERATION, DataClass.HEALTH, DataClass.CABIN, DataClass.POSITION, None)
PREAMBLE = 'VERSION ""\n\nNS_ :\n\tSG_MUL_VAL_\n\nBS_:\n\nBU_: Ecu\n\n'
J1939_FORMAT = (
    'BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN","reserved","J1939PG";\n'
    'BA_DEF_DEF_ "VFrameFormat" "StandardCAN";\n'
)


@dataclass(frozen=True)
class SignalText:
    """One signal as a DBC line, and the values of another signal that it waits for."""

    name: str
    mark: str
    place: int
    length: int
    little_endian: bool
    signed: bool
    parent: str = ""
    ranges: tuple[tuple[int, int], ...] = ()

    def line(self) -> str:
        start = self.place if self.little_endian else self.place // 8 * 8 + 7 - self.place % 8
        order = f"{int(self.little_endian)}{'-' if self.signed else '+'}"
        return f' SG_ {self.name} {self.mark}: {start}|{self.length}@{order} (1,0) [0|0] "" Ecu\n'


def message_text(identifier: int, name: str, length: int, signals: list[SignalText]) -> str:
    return f"BO_ {identifier} {name}: {length} Ecu\n" + "".join(signal.line() for signal in signals) + "\n"


def multiplex_text(identifier: int, signals: list[SignalText]) -> str:
    return "".join(
        f"SG_MUL_VAL_ {identifier} {signal.name} {signal.parent} "
        f"{', '.join(f'{first}-{last}' for first, last in signal.ranges)};\n"
        for signal in signals
        if signal.parent
    )


@st.composite
def layouts(draw: st.DrawFn, length: int) -> list[SignalText]:
    """Signals of one message: plain, simply multiplexed, cascaded, independent; overlapping at will."""
    bits = 8 * length

    def signal(
        name: str, longest: int, mark: str = "", parent: str = "", ranges: tuple[tuple[int, int], ...] = ()
    ) -> SignalText:
        size = draw(st.integers(1, min(longest, bits)))
        return SignalText(
            name=name,
            mark=mark,
            place=draw(st.integers(0, bits - size)),
            length=size,
            little_endian=draw(st.booleans()),
            signed=draw(st.booleans()) and "M" not in mark,
            parent=parent,
            ranges=ranges,
        )

    def some_ranges(size: int) -> tuple[tuple[int, int], ...]:
        first = draw(st.integers(0, (1 << size) - 1))
        return ((first, draw(st.integers(first, min(first + 2, (1 << size) - 1)))),)

    plain = [signal(f"P{number}", 14) for number in range(draw(st.integers(0, 4)))]
    shape = draw(st.sampled_from(["plain", "multiplexed", "cascaded", "independent"]))
    if shape == "plain":
        return plain or [signal("P0", 14)]
    root = signal("R", 4, "M ")
    found = [*plain, root]
    for number in range(draw(st.integers(1, 4))):
        ranges = some_ranges(root.length)
        found.append(signal(f"A{number}", 12, f"m{ranges[0][0]} ", "R", ranges))
    if shape == "multiplexed":
        return found
    ranges = some_ranges(root.length)
    second = (
        signal("S", 3, f"m{ranges[0][0]}M ", "R", ranges) if shape == "cascaded" else signal("S", 3, "M ")
    )
    found.append(second)
    for number in range(draw(st.integers(1, 3))):
        ranges = some_ranges(second.length)
        found.append(signal(f"B{number}", 12, f"m{ranges[0][0]} ", "S", ranges))
    return found


@st.composite
def classed_databases(
    draw: st.DrawFn, identifiers: tuple[int, ...] = (0x100, 0x101), j1939: bool = False, file: str = "drawn"
) -> ClassedDatabase:
    """A database of one message an id, with random classes and perhaps a checksum."""
    text, multiplexing, formats = "", "", J1939_FORMAT if j1939 else ""
    for number, identifier in enumerate(identifiers):
        length = draw(st.integers(1, 8))
        signals = draw(layouts(length))
        text += message_text(identifier, f"Message{number}", length, signals)
        multiplexing += multiplex_text(identifier, signals)
        if j1939:
            formats += f'BA_ "VFrameFormat" BO_ {identifier} 3;\n'
    database = parse_database((PREAMBLE + text + formats + multiplexing).encode(), Path(f"{file}.dbc"))
    # A name of its own for each file, so that signals of two databases are not namesakes.
    database = dataclasses.replace(
        database,
        messages=tuple(
            dataclasses.replace(message, name=f"{file}_{message.name}") for message in database.messages
        ),
    )
    return draw(classed_at_random(database, database.messages))


@st.composite
def classed_at_random(draw: st.DrawFn, database: Database, messages: Sequence[Message]) -> ClassedDatabase:
    """A database with random classes for signals of some of its messages or PDUs, and perhaps checksums."""
    mostly = draw(st.sampled_from([CLASSES, (*(CLASSES[:2] * 6), CLASSES[2]), CLASSES[:2]]))
    classes: dict[tuple[str, str], DataClass] = {}
    integrity: list[Integrity] = []
    for message in messages:
        for signal in message.signals:
            data_class = draw(st.sampled_from(mostly))
            if data_class is not None:
                classes[message.name, signal.name] = data_class
        steering = {bit for signal in message.signals if signal.is_multiplexer for bit in signal.bits}
        candidates = [signal for signal in message.signals if steering.isdisjoint(signal.bits)]
        has_checksum = draw(st.booleans())
        if candidates and has_checksum:
            checksum = draw(st.sampled_from(candidates))
            others = [signal.name for signal in message.signals if signal is not checksum]
            covers = draw(st.none() | st.sets(st.sampled_from(others))) if others else None
            integrity.append(
                Integrity(
                    (message.name, checksum.name),
                    None if covers is None else frozenset((message.name, name) for name in covers),
                )
            )
    return ClassedDatabase(database, classes, tuple(integrity))


def raw(payload: int, signal: Signal) -> int:
    """The raw value of a signal; `payload` has bit n of the frame as its bit n."""
    value = sum((payload >> bit & 1) << place for place, bit in enumerate(signal.bits))
    return value - (1 << len(signal.bits)) if signal.signed and value >> (len(signal.bits) - 1) else value


def present(payload: int, length: int, message: Message, signal: Signal) -> bool:
    """Whether a signal is there: its multiplexers are, with the values that it waits for."""
    return all(
        max(multiplexer.bits) < 8 * length and raw(payload, multiplexer) in condition.values
        for condition in signal.conditions
        for multiplexer in [message.signal(condition.multiplexer)]
    )


def with_checksums(payload: int, length: int, classed: ClassedDatabase, message: Message) -> int:
    """The payload as its sender would send it: each checksum that is there taken over what it covers."""
    for declared in classed.integrity:
        if declared.signal[0] != message.name:
            continue
        checksum = message.signal(declared.signal[1])
        if not present(payload, length, message, checksum):
            continue
        own = set(checksum.bits)
        covered = (
            range(8 * message.length)
            if declared.covers is None
            else [bit for _, name in declared.covers for bit in message.signal(name).bits]
        )
        total = sum(
            (place * 2654435761 >> 7) + 1
            for place, bit in enumerate(bit for bit in covered if bit not in own)
            if payload >> bit & 1
        )
        for place, bit in enumerate(checksum.bits):
            payload = payload & ~(1 << bit) | (total >> place & 1) << bit
    return payload
