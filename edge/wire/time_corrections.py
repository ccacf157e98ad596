"""Time corrections: what the wall time of earlier records of a boot was, as a later fix has shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from edge.clock import Timebase, TimeQuality
from edge.errors import WireError
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.strict_cbor import INT64_MAX, INT64_MIN, CborValue, Fields, read_cbor, write_cbor
from edge.wire.up_kinds import UpKind

VERSION = 1
STREAM_BYTES = 16
BOOT_BYTES = 16

CORRECTIONS = 4_096
"""Corrections of one message at most."""


class _Field(IntEnum):
    """Keys of the message's map; see ``nevgate.cddl``."""

    VERSION = 1
    KIND = 2
    VEHICLE = 3
    STREAM = 4
    CORRECTIONS = 5


@dataclass(frozen=True, slots=True)
class TimeCorrection:
    """The relation to wall time that holds for a span of one boot's monotonic time.

    Attributes:
        boot: 16 bytes that name the boot.
        from_ns: beginning of the span, nanoseconds since that boot.
        to_ns: its end, included, not before the beginning.
        timebase: what is to be added to times of the span, and how good the outcome is.
    """

    boot: bytes
    from_ns: int
    to_ns: int
    timebase: Timebase

    def __post_init__(self) -> None:
        if len(self.boot) != BOOT_BYTES:
            raise WireError("a boot id has 16 bytes", where="time correction")
        if not INT64_MIN <= self.from_ns <= self.to_ns <= INT64_MAX:
            raise WireError("a span of time runs backwards or is out of range", where="time correction")
        if not INT64_MIN <= self.timebase.wall_offset_ns <= INT64_MAX:
            raise WireError("wall offset is out of range", where="time correction")

    def covers(self, boot: bytes, t_ns: int, quality: TimeQuality) -> bool:
        """Whether it speaks of that moment, and knows no less of it than `quality`."""
        return self.boot == boot and self.from_ns <= t_ns <= self.to_ns and self.timebase.quality >= quality


@dataclass(frozen=True, slots=True)
class TimeCorrections:
    """Corrections that a vehicle signs together.

    The records stay as they were signed: who reads them puts the corrected time beside the original one.

    Attributes:
        vehicle: the VIN, or a pseudonym that the platform knows; 1 to 128 bytes in UTF-8.
        stream: 16 bytes, the stream that was being written; corrections hold for every stream of the boot.
        corrections: in the order in which they were found, 1 to 4,096.
    """

    vehicle: str
    stream: bytes
    corrections: tuple[TimeCorrection, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.vehicle.encode()) <= DEFAULT_LIMITS.text_bytes:
            raise WireError(f"a vehicle's name has 1 to {DEFAULT_LIMITS.text_bytes} bytes", where="vehicle")
        if len(self.stream) != STREAM_BYTES:
            raise WireError("a stream id has 16 bytes", where="time corrections")
        if not 0 < len(self.corrections) <= CORRECTIONS:
            raise WireError(f"a message has 1 to {CORRECTIONS} time corrections", where="time corrections")


def corrected(
    corrections: Iterable[TimeCorrection], boot: bytes, t_ns: int, timebase: Timebase
) -> Timebase | None:
    """The better relation to wall time of a record, None where no correction speaks of it.

    Of several that do, the one of the best quality holds, and of equals the last.

    Args:
        corrections: of the record's vehicle, in the order in which they came.
        boot: the record's boot.
        t_ns: the record's time.
        timebase: what the record itself says.
    """
    best: Timebase | None = None
    for each in corrections:
        if each.covers(boot, t_ns, timebase.quality if best is None else best.quality):
            best = each.timebase
    return best


def encode(message: TimeCorrections) -> bytes:
    """Write time corrections as a CBOR map, not yet signed."""
    entries: list[CborValue] = [
        [
            each.boot,
            each.from_ns,
            each.to_ns,
            each.timebase.wall_offset_ns,
            int(each.timebase.quality),
        ]
        for each in message.corrections
    ]
    fields: dict[int, CborValue] = {
        _Field.VERSION: VERSION,
        _Field.KIND: int(UpKind.TIME_CORRECTIONS),
        _Field.VEHICLE: message.vehicle,
        _Field.STREAM: message.stream,
        _Field.CORRECTIONS: entries,
    }
    return write_cbor({int(key): value for key, value in fields.items()})


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> TimeCorrections:
    """Read time corrections strictly.

    Args:
        data: the CBOR map, its signature already verified and taken off.
        limits: what to accept.

    Returns:
        The corrections.

    Raises:
        WireError: the bytes are no such message, in whatever way.
    """
    if len(data) > limits.message_bytes:
        raise WireError(f"time corrections of {len(data)} bytes exceed {limits.message_bytes}")
    fields = Fields(read_cbor(data), "time corrections")
    fields.integer(_Field.VERSION, VERSION, VERSION)
    fields.integer(_Field.KIND, UpKind.TIME_CORRECTIONS, UpKind.TIME_CORRECTIONS)
    vehicle = fields.text(_Field.VEHICLE, limits.text_bytes)
    stream = fields.octets(_Field.STREAM, STREAM_BYTES)
    entries = tuple(_read(entry) for entry in fields.array(_Field.CORRECTIONS, CORRECTIONS))
    fields.finish()
    return TimeCorrections(vehicle, stream, entries)


def _read(entry: CborValue) -> TimeCorrection:
    match entry:
        case [bytes(boot), int(from_ns), int(to_ns), int(wall_offset_ns), int(quality)] if quality in set(
            TimeQuality
        ):
            return TimeCorrection(boot, from_ns, to_ns, Timebase(wall_offset_ns, TimeQuality(quality)))
        case _:
            raise WireError("a time correction is not of its form", where="time corrections")
