"""The vehicle's checkpoint: one signature over every block that the journal has sealed since the last one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from edge.clock import TimeQuality
from edge.errors import WireError
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.strict_cbor import INT64_MAX, INT64_MIN, CborValue, Fields, read_cbor, write_cbor

VERSION = 1
KIND = 4
STREAM_BYTES = 16
BOOT_BYTES = 16
HASH_BYTES = 32


class _Field(IntEnum):
    """Keys of the checkpoint's map; see ``nevgate.cddl``."""

    VERSION = 1
    KIND = 2
    VEHICLE = 3
    STREAM = 4
    FIRST = 5
    LAST = 6
    ROOT = 7
    LINK = 8
    PREVIOUS = 9
    BOOT = 10
    TIME = 11
    WALL_OFFSET = 12
    TIME_QUALITY = 13
    LAST_NUMBER = 14


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the vehicle vouches for: the blocks from first to last, and through the chain all before them.

    Attributes:
        vehicle: VIN or pseudonym, 1 to 128 bytes in UTF-8.
        stream: 16 bytes, the stream whose journal this is.
        first: chain number of the first block that no checkpoint before covers.
        last: chain number of the last block that had been made at `t_ns`.
        root: root of the Merkle tree over the leaves first to last (RFC 9162, section 2.1.1), 32 bytes.
        link: hash of the chain up to the last block, 32 bytes.
        previous: SHA-256 of the signed checkpoint before, 32 bytes; None for the stream's first, which
            begins with block 1.
        boot: 16 bytes, the boot in which it was made.
        t_ns: boot-monotonic time at which it was made, in nanoseconds: every block up to `last` had been
            made by then, and no later one.
        wall_offset_ns: added to `t_ns` gives Unix time.
        time_quality: how good that wall time is.
        last_number: the greatest record number committed at `t_ns`; 0 for none.

    Raises:
        WireError: a field is out of range, or two contradict each other.
    """

    vehicle: str
    stream: bytes
    first: int
    last: int
    root: bytes
    link: bytes
    previous: bytes | None
    boot: bytes
    t_ns: int
    wall_offset_ns: int
    time_quality: TimeQuality
    last_number: int

    def __post_init__(self) -> None:
        if not 0 < len(self.vehicle.encode()) <= DEFAULT_LIMITS.text_bytes:
            raise WireError("a vehicle has a name of 1 to 128 bytes", where="checkpoint")
        if len(self.stream) != STREAM_BYTES or len(self.boot) != BOOT_BYTES:
            raise WireError("stream and boot ids have 16 bytes", where="checkpoint")
        if not 1 <= self.first <= self.last <= INT64_MAX:
            raise WireError("its blocks run backwards or out of range", where="checkpoint")
        if {len(self.root), len(self.link), len(self.previous or self.root)} != {HASH_BYTES}:
            raise WireError("a hash has 32 bytes", where="checkpoint")
        if (self.previous is None) != (self.first == 1):
            raise WireError("the first checkpoint, and no other, begins with block 1", where="checkpoint")
        if not all(INT64_MIN <= each <= INT64_MAX for each in (self.t_ns, self.wall_offset_ns)):
            raise WireError("time or wall offset is out of range", where="checkpoint")
        if not 0 <= self.last_number <= INT64_MAX:
            raise WireError("last number is out of range", where="checkpoint")


def signed_hash(signed: bytes) -> bytes:
    """Name a signed checkpoint: what the next one refers to, and what a receipt countersigns."""
    return hashlib.sha256(signed).digest()


def encode(checkpoint: Checkpoint) -> bytes:
    """Write a checkpoint as a CBOR map, not yet signed."""
    fields: dict[int, CborValue] = {
        _Field.VERSION: VERSION,
        _Field.KIND: KIND,
        _Field.VEHICLE: checkpoint.vehicle,
        _Field.STREAM: checkpoint.stream,
        _Field.FIRST: checkpoint.first,
        _Field.LAST: checkpoint.last,
        _Field.ROOT: checkpoint.root,
        _Field.LINK: checkpoint.link,
    }
    if checkpoint.previous is not None:
        fields[_Field.PREVIOUS] = checkpoint.previous
    fields[_Field.BOOT] = checkpoint.boot
    fields[_Field.TIME] = checkpoint.t_ns
    fields[_Field.WALL_OFFSET] = checkpoint.wall_offset_ns
    fields[_Field.TIME_QUALITY] = int(checkpoint.time_quality)
    fields[_Field.LAST_NUMBER] = checkpoint.last_number
    return write_cbor({int(key): value for key, value in fields.items()})


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Checkpoint:
    """Read a checkpoint strictly.

    Args:
        data: the CBOR map, its signature already verified and taken off.
        limits: what to accept.

    Returns:
        The checkpoint.

    Raises:
        WireError: the bytes are no such checkpoint, in whatever way.
    """
    if len(data) > limits.message_bytes:
        raise WireError(f"checkpoint of {len(data)} bytes exceeds {limits.message_bytes}")
    fields = Fields(read_cbor(data), "checkpoint")
    fields.integer(_Field.VERSION, VERSION, VERSION)
    fields.integer(_Field.KIND, KIND, KIND)
    vehicle = fields.text(_Field.VEHICLE, min(limits.text_bytes, DEFAULT_LIMITS.text_bytes))
    stream = fields.octets(_Field.STREAM, STREAM_BYTES)
    first = fields.integer(_Field.FIRST, 1)
    last = fields.integer(_Field.LAST, first)
    root = fields.octets(_Field.ROOT, HASH_BYTES)
    link = fields.octets(_Field.LINK, HASH_BYTES)
    previous = fields.octets(_Field.PREVIOUS, HASH_BYTES) if fields.has(_Field.PREVIOUS) else None
    boot = fields.octets(_Field.BOOT, BOOT_BYTES)
    t_ns = fields.integer(_Field.TIME)
    wall_offset_ns = fields.integer(_Field.WALL_OFFSET)
    time_quality = TimeQuality(fields.integer(_Field.TIME_QUALITY, min(TimeQuality), max(TimeQuality)))
    last_number = fields.integer(_Field.LAST_NUMBER, 0)
    fields.finish()
    return Checkpoint(
        vehicle,
        stream,
        first,
        last,
        root,
        link,
        previous,
        boot,
        t_ns,
        wall_offset_ns,
        time_quality,
        last_number,
    )
