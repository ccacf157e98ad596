"""The retained status of a vehicle, also its last will: whether it is there, how far its stream is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from edge.errors import WireError
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.strict_cbor import INT64_MAX, INT64_MIN, CborValue, Fields, read_cbor, write_cbor

VERSION = 1
STREAM_BYTES = 16


class _Field(IntEnum):
    """Keys of the status' map; see ``nevgate.cddl``."""

    VERSION = 1
    ONLINE = 2
    STREAM = 3
    SOFTWARE = 4
    LAST_NUMBER = 5
    WALL_TIME = 6


@dataclass(frozen=True, slots=True)
class Status:
    """What the platform is told when a vehicle comes, goes, or falls silent.

    Attributes:
        online: whether the session is up; the last will says that it is not.
        stream: 16 bytes, the stream that is being written.
        software: name and version of the software, such as ``nevgate 0.1.0``.
        last_number: greatest number committed when the status was made; 0 for none.
        wall_ns: Unix time at which it was made, in nanoseconds; None where the vehicle has no time.
    """

    online: bool
    stream: bytes
    software: str
    last_number: int
    wall_ns: int | None = None

    def __post_init__(self) -> None:
        if len(self.stream) != STREAM_BYTES:
            raise WireError("a stream id has 16 bytes", where="status")
        if not 0 < len(self.software.encode()) <= DEFAULT_LIMITS.text_bytes:
            raise WireError("a software version has 1 to 128 bytes", where="status")
        if not 0 <= self.last_number <= INT64_MAX:
            raise WireError("last number is out of range", where="status")
        if self.wall_ns is not None and not INT64_MIN <= self.wall_ns <= INT64_MAX:
            raise WireError("wall time is out of range", where="status")


def encode(status: Status) -> bytes:
    """Write a status as a CBOR map, not yet signed."""
    fields: dict[int, CborValue] = {
        _Field.VERSION: VERSION,
        _Field.ONLINE: int(status.online),
        _Field.STREAM: status.stream,
        _Field.SOFTWARE: status.software,
        _Field.LAST_NUMBER: status.last_number,
    }
    if status.wall_ns is not None:
        fields[_Field.WALL_TIME] = status.wall_ns
    return write_cbor({int(key): value for key, value in fields.items()})


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Status:
    """Read a status strictly.

    Args:
        data: the CBOR map, its signature already verified and taken off.
        limits: what to accept.

    Returns:
        The status.

    Raises:
        WireError: the bytes are no such status, in whatever way.
    """
    if len(data) > limits.message_bytes:
        raise WireError(f"status of {len(data)} bytes exceeds {limits.message_bytes}")
    fields = Fields(read_cbor(data), "status")
    fields.integer(_Field.VERSION, VERSION, VERSION)
    online = bool(fields.integer(_Field.ONLINE, 0, 1))
    stream = fields.octets(_Field.STREAM, STREAM_BYTES)
    software = fields.text(_Field.SOFTWARE, min(limits.text_bytes, DEFAULT_LIMITS.text_bytes))
    last_number = fields.integer(_Field.LAST_NUMBER, 0)
    wall_ns = fields.integer(_Field.WALL_TIME) if fields.has(_Field.WALL_TIME) else None
    fields.finish()
    return Status(online, stream, software, last_number, wall_ns)
