"""Range entries: the numbers of a stream that will not come, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from edge.errors import WireError
from edge.wire.strict_cbor import INT64_MAX, INT64_MIN, CborValue

BOOT_BYTES = 16


class LossCause(IntEnum):
    """Why numbers of a stream will not come."""

    LOST = 0
    """They were made and are gone: an overflow, a torn write, a broken medium."""

    WITHHELD = 1
    """A rule or a person does not let them leave the vehicle."""

    ERASED = 2
    """They were destroyed on purpose: at a request, or when their time had come."""


class Exactness(IntEnum):
    """What a range says of each of its numbers."""

    EXACT = 0
    """Each number from first to last is concerned."""

    AT_LEAST = 1
    """Each number from first to last is concerned, and what followed in that boot may be too."""

    INTERVAL = 2
    """Nothing counted them: an unknown share of the numbers from first to last, made in the time given."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A span of one boot's monotonic time.

    Attributes:
        boot: 16 bytes that name the boot.
        from_ns: its beginning in nanoseconds since that boot.
        to_ns: its end, not before the beginning.
    """

    boot: bytes
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class LossRange:
    """One range entry of a stream.

    Attributes:
        first: first number, from 1.
        last: last number, included, not before the first.
        cause: lost, withheld or erased.
        exactness: what it says of each number.
        interval: when it happened; given if and only if the exactness is `INTERVAL`.
    """

    first: int
    last: int
    cause: LossCause
    exactness: Exactness = Exactness.EXACT
    interval: Interval | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last <= INT64_MAX:
            raise WireError(f"range entry from {self.first} to {self.last} runs backwards or out of range")
        if (self.interval is not None) != (self.exactness is Exactness.INTERVAL):
            raise WireError("a range entry has a span of time if and only if it is an interval")
        if self.interval is not None:
            span = self.interval
            if len(span.boot) != BOOT_BYTES or not INT64_MIN <= span.from_ns <= span.to_ns <= INT64_MAX:
                raise WireError("a range entry's span of time has no boot id of 16 bytes, or runs backwards")


def write_losses(losses: Sequence[LossRange]) -> list[CborValue]:
    """Range entries as CBOR: ``[first, last - first, cause, exactness]``, and its time for an interval."""
    entries: list[CborValue] = []
    for loss in losses:
        entry: list[CborValue] = [loss.first, loss.last - loss.first, int(loss.cause), int(loss.exactness)]
        if loss.interval is not None:
            entry += [
                loss.interval.boot,
                loss.interval.from_ns,
                loss.interval.to_ns,
            ]
        entries.append(entry)
    return entries


def read_losses(entries: Sequence[CborValue]) -> tuple[LossRange, ...]:
    """Undo `write_losses`.

    Raises:
        WireError: an entry is of another form, or its numbers run backwards.
    """
    return tuple(_read_loss(entry) for entry in entries)


def _read_loss(entry: CborValue) -> LossRange:
    match entry:
        case [int(first), int(more), int(cause), int(exactness)] if more >= 0:
            return LossRange(first, first + more, _cause(cause), _exactness(exactness))
        case [int(first), int(more), int(cause), int(exactness), bytes(boot), int(from_ns), int(to_ns)] if (
            more >= 0
        ):
            interval = Interval(boot, from_ns, to_ns)
            return LossRange(first, first + more, _cause(cause), _exactness(exactness), interval)
        case _:
            raise WireError("a range entry is not of its form")


def _cause(code: int) -> LossCause:
    if code not in set(LossCause):
        raise WireError(f"a range entry's cause {code} does not exist")
    return LossCause(code)


def _exactness(code: int) -> Exactness:
    if code not in set(Exactness):
        raise WireError(f"a range entry's exactness {code} does not exist")
    return Exactness(code)
