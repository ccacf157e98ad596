"""What holds for every input: it is a message that writes back to its bytes, or an error with a place."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from edge.catalogue.item import Edition
from edge.wire.gbt.explain import explain
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import OVERHEAD_BYTES, UNIT_BYTES_MAX, Frame
from edge.wire.gbt.message import Message, Report, read_message
from edge.wire.gbt.recording import RecordCodec
from edge.wire.gbt.stream import Skipped, StreamDecoder

CODECS = {edition: RecordCodec(edition) for edition in Edition}
_EXPLAINED_EVERY = 50
_SAID_AGAIN_EVERY = 4


@dataclass(slots=True)
class Counts:
    """What came of the inputs.

    Attributes:
        inputs: all.
        messages: that were read and written back.
        records: of reports that became records.
        said_again: records that became messages again, and the same record out of these.
        frames: that the streaming decoder found.
        skipped_bytes: that it skipped.
    """

    inputs: int = 0
    messages: int = 0
    records: int = 0
    said_again: int = 0
    frames: int = 0
    skipped_bytes: int = 0

    def add(self, other: Counts) -> None:
        """Add those of other inputs."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class BrokenRuleError(AssertionError):
    """Something does not hold that holds for every input."""


def hold(holds: object, rule: str) -> None:
    """Say which rule is broken, if it is."""
    if not holds:
        raise BrokenRuleError(rule)


def check(data: bytes, counts: Counts) -> None:
    """Read one input in every way.

    Raises:
        BrokenRuleError: a rule does not hold. Any other exception is a fault just the same.
    """
    counts.inputs += 1
    if counts.inputs % _EXPLAINED_EVERY == 0:
        explain(data)
    try:
        message = read_message(data)
    except GbtError as error:
        hold(
            error.offset is not None and 0 <= error.offset <= len(data), "an error names a place in the bytes"
        )
        return
    counts.messages += 1
    hold(message.write() == data, "a message writes back to its bytes")
    if isinstance(message.content, Report):
        _check_record(message, message.content, counts)


def _check_record(message: Message, report: Report, counts: Counts) -> None:
    codec = CODECS[message.edition]
    try:
        heard = codec.hear([report])
    except GbtError:
        return
    counts.records += 1
    if counts.records % _SAID_AGAIN_EVERY:
        return
    counts.said_again += 1
    said = codec.say(heard.record)
    again = codec.hear(said.reports).record.values
    values = heard.record.values
    hold(all(again[name] == values[name] for name in values), "a record says the same again")


@dataclass(slots=True)
class Stream:
    """All inputs of a chunk one behind the other through a streaming decoder, cut anywhere."""

    chance: Random
    counts: Counts
    decoder: StreamDecoder = field(default_factory=StreamDecoder)
    fed: bytearray = field(default_factory=bytearray)
    told: int = 0

    def feed(self, data: bytes) -> None:
        """Feed an input in one or two pieces."""
        cut = self.chance.randrange(len(data) + 1)
        for piece in (data[:cut], data[cut:]):
            self.fed += piece
            self._take(self.decoder.feed(piece))
        hold(self.decoder.pending <= UNIT_BYTES_MAX + OVERHEAD_BYTES, "at most one frame waits")

    def end(self) -> None:
        """End the stream: every byte was in a frame or was skipped."""
        self._take(self.decoder.flush())
        hold(self.told == len(self.fed), "every byte of a stream is told")

    def _take(self, found: list[Frame | Skipped]) -> None:
        for one in found:
            if isinstance(one, Skipped):
                hold(one.offset == self.told, "what is skipped begins behind what was told")
                self.counts.skipped_bytes += one.length
                self.told += one.length
                continue
            written = one.write()
            hold(self.fed[self.told : self.told + len(written)] == written, "a frame is in the stream")
            self.counts.frames += 1
            self.told += len(written)
