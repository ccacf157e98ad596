"""Compares what a vehicle told a platform of GB/T 32960.3 itself with what its MQTT records convert to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from edge.catalogue.item import Edition
from edge.wire.gbt.beijing import unix_seconds
from edge.wire.gbt.frame import Command, Frame
from edge.wire.gbt.message import Message, Report, message_of
from edge.wire.gbt.recording import RecordCodec
from edge.wire.gbt.security.signatures import check_signature
from edge.wire.gbt.stream import StreamDecoder
from simulator.conversion.converter import Converter
from simulator.conversion.vin_book import VinBook
from simulator.platform.reader import StoreReader
from tests.conversion.both_at_once import Both

REPORTS = frozenset({Command.REAL_TIME, Command.REISSUE})


@dataclass(slots=True)
class Compared:
    """What came of it.

    A converter does not have the vehicle's key, and ECDSA draws a number for each signature: none of its own
    could be the same. So the vehicle's signature is checked over the *converted* report, with the public key
    alone, and then put into it: the bytes of the whole message are compared, its check code among them. A
    record that one way told in time and the other late is a real-time report here and a reissue there: the
    command and the check code differ, nothing else may.

    Attributes:
        records: that the store holds and that say something.
        messages: over TCP that have the same bytes as a converted one.
        bytes: of these, signatures included.
        signatures: that hold over the converted report.
        late_by_tcp: further messages that are the same but for being a reissue.
        late_by_mqtt: further ones that are so the other way round.
        again: messages that had come before, in the same words, as reissue.
        unlike: seconds of which the messages are not the same, not in the same order, or came again in time.
        not_told: seconds of records that were not told over TCP, as between two reports.
        times_late: seconds of the reissues over TCP.
    """

    records: int = 0
    messages: int = 0
    bytes: int = 0
    signatures: int = 0
    late_by_tcp: int = 0
    late_by_mqtt: int = 0
    again: int = 0
    unlike: list[int] = field(default_factory=list)
    not_told: list[int] = field(default_factory=list)
    times_late: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        """The figures on one line."""
        messages = self.messages + self.late_by_tcp + self.late_by_mqtt
        return (
            f"{self.records:,} records stored, {messages:,} messages of {self.bytes:,} bytes compared, "
            f"{self.late_by_tcp:,} of them a reissue by TCP alone, {self.late_by_mqtt:,} by MQTT alone, "
            f"{self.signatures:,} signatures hold, {self.again:,} came again, "
            f"{len(self.not_told):,} seconds not told, {len(self.unlike):,} differ"
        )


def compare(both: Both, edition: Edition) -> Compared:
    """Compare every byte of every report that reached the platform of an edition."""
    found = Compared()
    converted = _converted(both, edition, found)
    told: dict[int, list[Message]] = {}
    for message in wire_reports(bytes(both.far[edition].wire)):
        said = told.setdefault(_second(message), [])
        if any(_alike(message, other) for other in said):
            found.again += 1
            if message.command != Command.REISSUE:
                found.unlike.append(_second(message))
        else:
            said.append(message)
    for second, messages in told.items():
        expected = converted.get(second, [])
        if len(messages) != len(expected):
            found.unlike.append(second)
            continue
        if any(message.command == Command.REISSUE for message in messages):
            found.times_late.append(second)
        pairs = zip(messages, expected, strict=True)
        if not all(_match(both, one, other, found) for one, other in pairs):
            found.unlike.append(second)
    found.not_told = sorted(set(converted) - set(told))
    return found


def wire_reports(data: bytes) -> list[Message]:
    """The reports among the bytes of one direction; all of these are frames."""
    decoder = StreamDecoder()
    frames = [*decoder.feed(data), *decoder.flush()]
    assert all(isinstance(frame, Frame) for frame in frames)
    whole = [frame for frame in frames if isinstance(frame, Frame)]
    assert b"".join(frame.write() for frame in whole) == data
    return [message_of(frame) for frame in whole if frame.command in REPORTS]


def _converted(both: Both, edition: Edition, found: Compared) -> dict[int, list[Message]]:
    converter = Converter(RecordCodec(edition), VinBook())
    messages: dict[int, list[Message]] = {}
    with StoreReader(both.store) as reader:
        assert not reader.rejections()
        assert not reader.gaps()
        assert not reader.conflicts()
        for stored in reader.records():
            for message in converter.stored(stored).messages:
                messages.setdefault(_second(message), []).append(message)
    hop = converter.hop()
    assert hop.balanced
    assert not any(hop.set_aside.values())
    found.records = hop.left
    return messages


def _match(both: Both, told: Message, expected: Message, found: Compared) -> bool:
    """Compare two messages byte for byte and count them."""
    report, model = told.content, expected.content
    assert isinstance(report, Report)
    assert isinstance(model, Report)
    if report.signature is not None:
        expected = replace(expected, content=replace(model, signature=report.signature))
        check_signature(expected, both.verifier)
        found.signatures += 1
    data = told.write()
    if data == expected.write():
        found.messages += 1
        found.bytes += len(data)
        return True
    if data != replace(expected, command=told.command).write():
        return False
    if told.command == Command.REISSUE:
        found.late_by_tcp += 1
    else:
        found.late_by_mqtt += 1
    found.bytes += len(data)
    return True


def _alike(one: Message, other: Message) -> bool:
    """Whether the one says what the other does, sent again."""
    return one.frame().unit == other.frame().unit


def _second(message: Message) -> int:
    assert isinstance(message.content, Report)
    second = unix_seconds(message.content.time)
    assert second is not None
    return second


def spans(seconds: Iterable[int]) -> str:
    """Seconds for people: ``10, 20, 31 to 60``."""
    parts: list[list[int]] = []
    for second in sorted(seconds):
        if parts and second == parts[-1][-1] + 1:
            parts[-1].append(second)
        else:
            parts.append([second])
    return ", ".join(f"{one[0]} to {one[-1]}" if len(one) > 1 else f"{one[0]}" for one in parts)
