"""Messages between capture and core as bytes and back; no I/O.

A message is the length of its body (uint32, little endian), its kind (one byte), three bytes of 0, and the
body. Columns of frames and counts are raw little-endian numbers; all else is JSON. Nothing that comes from
capture is ever executed or unpickled: capture reads what strangers send, so the core trusts it with nothing
but the counts and frames that it hands on.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from enum import IntEnum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edge.bus.condition import BusCondition
from edge.capturing.columns import (
    COLUMN_BYTES_MAX,
    batch_of,
    bytes_of_batch,
    bytes_of_observations,
    observations_of,
    parts_of,
)
from edge.capturing.message import (
    ABSENT,
    COUNT_MAX,
    TEXT_MAX,
    TIME_MAX_NS,
    Adopt,
    Ask,
    BorderError,
    Close,
    Counts,
    Done,
    Ended,
    Failed,
    Message,
    Observed,
    Order,
    PowerAsk,
    PowerTold,
    Ready,
    Report,
    Told,
)
from edge.frames import FrameBatch
from edge.power.line import LONGEST_S

BODY_BYTES_MAX = COLUMN_BYTES_MAX + (1 << 20)

_HEAD = struct.Struct("<IB3x")
_COUNTS = struct.Struct("<qQ")
"""Time of a report, number of the last `Adopt`; counts follow, eight bytes each."""
_COUNT_BYTES = 8

POWER_WORDS_MAX = 512
POWER_TEXT_MAX = 255
_ARGUMENT_MAX = 1 << 31
_SUPPLY_MAX_MV = 65_535


class _Kind(IntEnum):
    ORDER = 1
    ASK = 2
    ADOPT = 3
    CLOSE = 4
    POWER_ASK = 5
    READY = 16
    REPORT = 17
    OBSERVED = 18
    DONE = 19
    TOLD = 20
    FAILED = 21
    ENDED = 22
    COUNTS = 23
    POWER_TOLD = 24
    BATCH = 32


_JSON: Mapping[_Kind, TypeAdapter[Any]] = {
    _Kind.ORDER: TypeAdapter(Order),
    _Kind.ASK: TypeAdapter(Ask),
    _Kind.ADOPT: TypeAdapter(Adopt),
    _Kind.CLOSE: TypeAdapter(Close),
    _Kind.POWER_ASK: TypeAdapter(PowerAsk),
    _Kind.READY: TypeAdapter(Ready),
    _Kind.REPORT: TypeAdapter(Report),
    _Kind.DONE: TypeAdapter(Done),
    _Kind.TOLD: TypeAdapter(Told),
    _Kind.POWER_TOLD: TypeAdapter(PowerTold),
    _Kind.FAILED: TypeAdapter(Failed),
    _Kind.ENDED: TypeAdapter(Ended),
}
_KIND_OF: Mapping[type, _Kind] = {
    Order: _Kind.ORDER,
    Ask: _Kind.ASK,
    Adopt: _Kind.ADOPT,
    Close: _Kind.CLOSE,
    PowerAsk: _Kind.POWER_ASK,
    Ready: _Kind.READY,
    Report: _Kind.REPORT,
    Done: _Kind.DONE,
    Told: _Kind.TOLD,
    PowerTold: _Kind.POWER_TOLD,
    Failed: _Kind.FAILED,
    Ended: _Kind.ENDED,
}


def encode(message: Message) -> bytes:
    """A message as bytes; a large batch as several messages."""
    if isinstance(message, FrameBatch):
        return b"".join(_framed(_Kind.BATCH, bytes_of_batch(part)) for part in parts_of(message))
    if isinstance(message, Counts):
        return _framed(_Kind.COUNTS, _counts_body(message))
    if isinstance(message, Observed):
        return _framed(_Kind.OBSERVED, bytes_of_observations(message.observations))
    return _framed(_KIND_OF[type(message)], json.dumps(_plain(message)).encode())


class Decoder:
    """Makes messages of bytes as they come in; after an error it is of no use any more."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, received: bytes) -> Iterator[Message]:
        """The messages that are whole with `received`.

        Raises:
            BorderError: the bytes are no message.
        """
        self._waiting += received
        begin = 0
        try:
            while len(self._waiting) - begin >= _HEAD.size:
                length, number = _HEAD.unpack_from(self._waiting, begin)
                if length > BODY_BYTES_MAX:
                    raise BorderError(f"a message of {length} bytes", where="capture")
                end = begin + _HEAD.size + length
                if len(self._waiting) < end:
                    break
                body = bytes(memoryview(self._waiting)[begin + _HEAD.size : end])
                begin = end
                yield _decoded(number, body)
        finally:
            del self._waiting[:begin]


def _framed(kind: _Kind, body: bytes) -> bytes:
    return _HEAD.pack(len(body), kind) + body


def _plain(message: Message) -> dict[str, Any]:
    if isinstance(message, Report):
        hops = [
            {
                "name": hop.name,
                "unit": hop.unit,
                "entered": hop.entered,
                "left": hop.left,
                "set_aside": dict(hop.set_aside),
                "at_least": dict(hop.at_least),
                "facts": dict(hop.facts),
            }
            for hop in message.hops
        ]
        return {
            "t_ns": message.t_ns,
            "adopted": message.adopted,
            "hops": hops,
            "place": message.place,
            "buses": [asdict(one) for one in message.buses],
        }
    if isinstance(message, Order):
        return {**asdict(message), "arguments": dict(message.arguments)}
    return asdict(message)


def _decoded(number: int, body: bytes) -> Message:
    try:
        kind = _Kind(number)
    except ValueError:
        raise BorderError(f"a message of the unknown kind {number}", where="capture") from None
    if kind is _Kind.BATCH:
        return batch_of(body)
    if kind is _Kind.COUNTS:
        return _counts(body)
    if kind is _Kind.OBSERVED:
        return Observed(tuple(observations_of(body)))
    try:
        message: Message = _JSON[kind].validate_json(body, strict=True)
    except (ValidationError, RecursionError):
        raise BorderError(f"a malformed message of the kind {kind.name}", where="capture") from None
    check = _CHECKS.get(type(message))
    if check is not None and not check(message):
        raise BorderError(f"a message of the kind {kind.name} with impossible numbers", where="capture")
    return message


def _counts_body(message: Counts) -> bytes:
    return _COUNTS.pack(message.t_ns, message.adopted) + struct.pack(
        f"<{len(message.counts)}q", *message.counts
    )


def _counts(body: bytes) -> Counts:
    number, rest = divmod(len(body) - _COUNTS.size, _COUNT_BYTES)
    if number < 0 or rest:
        raise BorderError("counts that are cut off", where="capture")
    t_ns, adopted = _COUNTS.unpack_from(body)
    counts = struct.unpack_from(f"<{number}q", body, _COUNTS.size)
    if abs(t_ns) > TIME_MAX_NS or min(counts, default=0) < ABSENT:
        raise BorderError("counts that cannot be", where="capture")
    return Counts(t_ns, adopted, counts)


def _countable(message: Report) -> bool:
    counts = [
        count
        for hop in message.hops
        for count in (
            hop.entered,
            hop.left,
            *hop.set_aside.values(),
            *hop.at_least.values(),
            *hop.facts.values(),
        )
    ]
    return (
        all(0 <= count <= COUNT_MAX for count in counts)
        and abs(message.t_ns) <= TIME_MAX_NS
        and all(len(text) <= TEXT_MAX for one in message.buses for text in _texts(one))
    )


def _texts(condition: BusCondition) -> Iterator[str]:
    yield from (condition.bus, condition.interface, condition.way, condition.link, condition.away)
    yield from (alarm.words for alarm in condition.alarms)
    if (board := condition.board) is not None:
        yield from (board.board, board.firmware, board.supervisor, board.reset_cause)


def _sayable(message: PowerTold) -> bool:
    """Whether a board can have said it."""
    said = message.said
    texts = [*(event.cause for event in said.events), *(answer.text for answer in said.answers)]
    supply_mv = None if said.status is None else said.status.supply_mv
    return (
        len(texts) <= POWER_WORDS_MAX
        and all(len(text) <= POWER_TEXT_MAX for text in texts)
        and all(-_ARGUMENT_MAX <= event.argument < _ARGUMENT_MAX for event in said.events)
        and (supply_mv is None or 0 <= supply_mv <= _SUPPLY_MAX_MV)
    )


_CHECKS: Mapping[type, Callable[[Any], bool]] = {
    PowerAsk: lambda ask: 0 <= ask.seconds <= LONGEST_S[ask.command],
    PowerTold: _sayable,
    Report: _countable,
    Ready: lambda ready: abs(ready.t_ns) <= TIME_MAX_NS and bool(ready.mask),
    Told: lambda told: 0 <= told.level <= 50 and len(told.text) <= TEXT_MAX,  # noqa: PLR2004 - logging.CRITICAL
}
