"""What crosses the border between capture and core, as bytes and back; no I/O.

A message is the length of its body (uint32, little endian), its kind (one byte), three bytes of 0, and the
body. Columns of frames are raw little-endian arrays; what is no column is JSON. Nothing that comes from
capture is ever executed or unpickled: capture reads what strangers send, so the core trusts it with nothing
but the counts and frames that it hands on.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from edge.account import Hop
from edge.bus.condition import BusCondition
from edge.capturing.needs import Needed
from edge.clock import Timebase, TimeQuality
from edge.errors import SourceError
from edge.frames import FrameBatch
from edge.policy.classes import DataClass
from edge.records import Missing
from edge.sensors.observation import Observation

COLUMN_BYTES_MAX = 4 << 20
"""Columns of one message; a batch with more goes as several."""

BODY_BYTES_MAX = COLUMN_BYTES_MAX + (1 << 20)
COUNT_MAX = (1 << 63) - 1
TIME_MAX_NS = 1 << 62
ID_MAX = 0x1FFF_FFFF
TEXT_MAX = 2000
"""Characters of a line for the log."""

_HEAD = struct.Struct("<IB3x")
_BATCH = struct.Struct("<IIqBxHHxx")
"""Frames, bytes of data a frame, wall offset, quality, bytes of the mask's name, buses."""
_COLUMN_BYTES = 8 + 4 + 2 + 2 + 1
"""Of one frame: time, id, flags, length, bus."""

_OBSERVATION = struct.Struct("<qdBB")
"""Time, value, what is missing, bytes of the item's id."""

_MISSING = (None, Missing.INVALID, Missing.ABNORMAL)


class BorderError(SourceError):
    """Bytes on the border between capture and core are no message."""


@dataclass(frozen=True, slots=True)
class Order:
    """To capture, first: what it is to open.

    Attributes:
        opener: ``package.module:function`` that opens sources and door; see `edge.capturing.opening.Opener`.
        arguments: for the opener.
        collect: the classes to collect at first.
        admission: name of what is admitted, see `Door.adopt`.
        buffer_bytes: masked frames that may wait for the core; the oldest make room.
        needed: what sources and sensors need of the system while they run; all else is refused to capture.
    """

    opener: str
    arguments: Mapping[str, Any]
    collect: tuple[DataClass, ...]
    admission: str
    buffer_bytes: int
    needed: tuple[Needed, ...] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """To capture: hand on all that has come, or after `timeout_ms` say that nothing has."""

    number: int
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Adopt:
    """To capture: collect other classes from the next batch on; `number` counts up."""

    number: int
    collect: tuple[DataClass, ...]
    admission: str


@dataclass(frozen=True, slots=True)
class Close:
    """To capture: take nothing more in, hand on what is there, and end."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From capture: everything is open.

    Attributes:
        t_ns: boot-monotonic time of it.
        live: see `FrameSource.live`.
        mask: name of the mask that batches will have.
        items: ids of the items that its sensors provide.
        lacking: what could not be hardened, or is open because of a need, a sentence each.
    """

    t_ns: int
    live: bool
    mask: str
    items: tuple[str, ...]
    lacking: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """From capture: its account, in which the batches that follow before the next `Done` have left.

    Attributes:
        t_ns: boot-monotonic time of it.
        adopted: number of the last `Adopt` that it has taken up.
        hops: the account.
        place: name of the area that the vehicle is in, see `MaskedSource.place`.
        buses: how they stand, see `MaskedSource.buses`.
    """

    t_ns: int
    adopted: int
    hops: tuple[Hop, ...]
    place: str | None = None
    buses: tuple[BusCondition, ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """From capture: what sensors beside CAN said."""

    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """From capture: all that had come when it took up the `Ask` of that number has been handed on."""

    number: int


@dataclass(frozen=True, slots=True)
class Told:
    """From capture: a line for the log, with its level (`logging`)."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """From capture, last: why it ends; `error` is the name of a class in `edge.errors`, else it crashed."""

    error: str
    what: str
    where: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """From capture, last: the sources have ended or were closed, and all of it has been handed on."""


Message = Order | Ask | Adopt | Close | Ready | Report | Observed | Done | Told | Failed | Ended | FrameBatch


class _Kind(IntEnum):
    ORDER = 1
    ASK = 2
    ADOPT = 3
    CLOSE = 4
    READY = 16
    REPORT = 17
    OBSERVED = 18
    DONE = 19
    TOLD = 20
    FAILED = 21
    ENDED = 22
    BATCH = 32


_JSON: Mapping[_Kind, TypeAdapter[Any]] = {
    _Kind.ORDER: TypeAdapter(Order),
    _Kind.ASK: TypeAdapter(Ask),
    _Kind.ADOPT: TypeAdapter(Adopt),
    _Kind.CLOSE: TypeAdapter(Close),
    _Kind.READY: TypeAdapter(Ready),
    _Kind.REPORT: TypeAdapter(Report),
    _Kind.DONE: TypeAdapter(Done),
    _Kind.TOLD: TypeAdapter(Told),
    _Kind.FAILED: TypeAdapter(Failed),
    _Kind.ENDED: TypeAdapter(Ended),
}
_KIND_OF: Mapping[type, _Kind] = {
    Order: _Kind.ORDER,
    Ask: _Kind.ASK,
    Adopt: _Kind.ADOPT,
    Close: _Kind.CLOSE,
    Ready: _Kind.READY,
    Report: _Kind.REPORT,
    Done: _Kind.DONE,
    Told: _Kind.TOLD,
    Failed: _Kind.FAILED,
    Ended: _Kind.ENDED,
}


def encode(message: Message) -> bytes:
    """A message as bytes; a large batch as several messages."""
    if isinstance(message, FrameBatch):
        return b"".join(_framed(_Kind.BATCH, _batch_body(part)) for part in _parts(message))
    if isinstance(message, Observed):
        body = b"".join(map(_observation_bytes, message.observations))
        return _framed(_Kind.OBSERVED, body)
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
        return _batch(body)
    if kind is _Kind.OBSERVED:
        return Observed(tuple(_observations(body)))
    try:
        message: Message = _JSON[kind].validate_json(body, strict=True)
    except (ValidationError, RecursionError):
        raise BorderError(f"a malformed message of the kind {kind.name}", where="capture") from None
    check = _CHECKS.get(type(message))
    if check is not None and not check(message):
        raise BorderError(f"a message of the kind {kind.name} with impossible numbers", where="capture")
    return message


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


_CHECKS: Mapping[type, Callable[[Any], bool]] = {
    Report: _countable,
    Ready: lambda ready: abs(ready.t_ns) <= TIME_MAX_NS and bool(ready.mask),
    Told: lambda told: 0 <= told.level <= 50 and len(told.text) <= TEXT_MAX,  # noqa: PLR2004 - logging.CRITICAL
}


def _parts(batch: FrameBatch) -> Iterator[FrameBatch]:
    rows = max(1, COLUMN_BYTES_MAX // frame_bytes(batch))
    if len(batch) <= rows:
        yield batch
        return
    for begin in range(0, len(batch), rows):
        yield batch.take(slice(begin, begin + rows))


def frame_bytes(batch: FrameBatch) -> int:
    """Bytes of one frame of a batch in all columns."""
    return _COLUMN_BYTES + int(batch.data.shape[1])


def _batch_body(batch: FrameBatch) -> bytes:
    mask = batch.mask.encode()
    names = [name.encode() for name in batch.buses]
    texts = mask + b"".join(bytes([len(name)]) + name for name in names)
    head = _BATCH.pack(
        len(batch),
        batch.data.shape[1],
        batch.timebase.wall_offset_ns,
        batch.timebase.quality,
        len(mask),
        len(names),
    )
    return b"".join(
        [
            head,
            texts,
            bytes(-len(texts) % 8),
            batch.t_ns.astype("<i8", copy=False).tobytes(),
            batch.arbitration_id.astype("<u4", copy=False).tobytes(),
            batch.flags.astype("<u2", copy=False).tobytes(),
            batch.length.astype("<u2", copy=False).tobytes(),
            batch.bus.tobytes(),
            batch.data.tobytes(),
        ]
    )


def _batch(body: bytes) -> FrameBatch:
    """The batch that a body holds, checked so that nothing behind it can be led out of bounds."""
    try:
        count, width, offset_ns, quality, mask_bytes, buses = _BATCH.unpack_from(body)
        at = _BATCH.size
        mask = body[at : at + mask_bytes].decode()
        at += mask_bytes
        names: list[str] = []
        for _ in range(buses):
            length = body[at]
            names.append(body[at + 1 : at + 1 + length].decode())
            at += 1 + length
        timebase = Timebase(offset_ns, TimeQuality(quality))
    except (struct.error, ValueError, IndexError):
        raise BorderError("a malformed batch", where="capture") from None
    at += -(at - _BATCH.size) % 8
    if not mask:
        raise BorderError("a batch that went through no mask", where="capture")
    if len(body) - at != count * (_COLUMN_BYTES + width):
        raise BorderError("a batch whose columns are not as long as it says", where="capture")

    def column(kind: str, each: int = 1) -> np.ndarray[Any, Any]:
        nonlocal at
        found = np.frombuffer(body, kind, count * each, at)
        at += found.nbytes
        return found

    batch = FrameBatch(
        t_ns=column("<i8"),
        arbitration_id=column("<u4"),
        flags=column("<u2"),
        length=column("<u2"),
        bus=column("<u1"),
        data=column("<u1", width).reshape(count, width),
        buses=tuple(names),
        timebase=timebase,
        mask=mask,
    )
    if count and not _possible(batch):
        raise BorderError("a batch with frames that cannot be", where="capture")
    return batch


def _possible(batch: FrameBatch) -> bool:
    return bool(
        int(batch.bus.max()) < len(batch.buses)
        and int(batch.length.max()) <= batch.data.shape[1]
        and int(batch.arbitration_id.max()) <= ID_MAX
        and int(batch.t_ns.max()) <= TIME_MAX_NS
        and int(batch.t_ns.min()) >= -TIME_MAX_NS
    )


def _observation_bytes(observation: Observation) -> bytes:
    value = observation.value
    name = observation.item_id.encode()
    if isinstance(value, Missing):
        return _OBSERVATION.pack(observation.t_ns, 0.0, _MISSING.index(value), len(name)) + name
    return _OBSERVATION.pack(observation.t_ns, value, 0, len(name)) + name


def _observations(body: bytes) -> Iterator[Observation]:
    at = 0
    try:
        while at < len(body):
            t_ns, value, missing, length = _OBSERVATION.unpack_from(body, at)
            at += _OBSERVATION.size
            item_id = body[at : at + length].decode()
            at += length
            if at > len(body) or abs(t_ns) > TIME_MAX_NS:
                break
            yield Observation(item_id, t_ns, _MISSING[missing] or float(value))
        else:
            return
    except (struct.error, UnicodeDecodeError, IndexError):
        pass
    raise BorderError("a malformed observation", where="capture")
