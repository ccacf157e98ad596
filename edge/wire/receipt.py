"""The platform's cumulative receipt: up to where a stream is stored, and what is missing before that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from edge.errors import WireError
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.strict_cbor import INT64_MAX, CborValue, Fields, read_cbor, write_cbor

VERSION = 1
STREAM_BYTES = 16
HASH_BYTES = 32


class _Field(IntEnum):
    """Keys of the receipt's map; see ``nevgate.cddl``."""

    VERSION = 1
    STREAM = 2
    WATERMARK = 3
    MISSING = 4
    SERVER_TIME = 5
    HASH = 6
    HIGHEST = 7


@dataclass(frozen=True, slots=True, order=True)
class NumberRange:
    """Numbers of a stream from first to last, both included.

    Attributes:
        first: from 1.
        last: not before the first.
    """

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last <= INT64_MAX:
            raise WireError(f"range from {self.first} to {self.last} runs backwards or out of range")

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the platform has stored of one stream; a later receipt replaces an earlier one.

    A number is acknowledged when it is at most `highest` and in no missing range. A platform that would have
    to name too many ranges names the lowest of them as one, with what it holds between, or lowers `highest`.

    Attributes:
        stream: 16 bytes.
        watermark: every number up to this one is stored or explained by a range entry; 0 for none.
        missing: what is neither, between watermark and highest: rising, apart from each other, the first
            beginning right after the watermark.
        server_time_ns: Unix time of the platform in nanoseconds.
        hash: SHA-256 of the newest signed checkpoint of the stream that the platform has stored, which the
            receipt countersigns; 32 bytes, None where there is none.
        highest: the greatest number of which this receipt speaks. Left out (0) it is the least that the rest
            implies: the number after the last missing range, or the watermark where nothing is missing.
    """

    stream: bytes
    watermark: int
    missing: tuple[NumberRange, ...] = ()
    server_time_ns: int = 0
    hash: bytes | None = None
    highest: int = 0

    def __post_init__(self) -> None:
        if len(self.stream) != STREAM_BYTES:
            raise WireError("a stream id has 16 bytes", where="receipt")
        if self.hash is not None and len(self.hash) != HASH_BYTES:
            raise WireError("a receipt's hash has 32 bytes", where="receipt")
        if not 0 <= self.watermark <= INT64_MAX or not 0 <= self.server_time_ns <= INT64_MAX:
            raise WireError("watermark or server time is out of range", where="receipt")
        if self.highest == 0:
            least = self.missing[-1].last + 1 if self.missing else self.watermark
            object.__setattr__(self, "highest", least)
        if not self.missing and self.highest != self.watermark:
            raise WireError("highest differs from the watermark, yet nothing is missing", where="receipt")
        self._check_missing()

    def _check_missing(self) -> None:
        stored = self.watermark
        for place, gap in enumerate(self.missing):
            if gap.first <= stored + (place > 0) or (place == 0 and gap.first != stored + 1):
                raise WireError("missing ranges do not rise from the watermark", where="receipt")
            stored = gap.last
        if self.missing and not stored < self.highest <= INT64_MAX:
            raise WireError("highest number is not beyond the missing ranges", where="receipt")

    def acknowledges(self, number: int) -> bool:
        """Whether the record of that number need not be sent again."""
        if number <= self.watermark:
            return True
        return number <= self.highest and not any(number in gap for gap in self.missing)


def encode(receipt: Receipt) -> bytes:
    """Write a receipt as a CBOR map, not yet signed."""
    fields: dict[int, CborValue] = {
        _Field.VERSION: VERSION,
        _Field.STREAM: receipt.stream,
        _Field.WATERMARK: receipt.watermark,
    }
    if receipt.missing:
        fields[_Field.MISSING] = [[gap.first, gap.last - gap.first] for gap in receipt.missing]
    fields[_Field.SERVER_TIME] = receipt.server_time_ns
    if receipt.hash is not None:
        fields[_Field.HASH] = receipt.hash
    if receipt.missing:
        fields[_Field.HIGHEST] = receipt.highest
    return write_cbor({int(key): value for key, value in fields.items()})


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Receipt:
    """Read a receipt strictly.

    Args:
        data: the CBOR map, its signature already verified and taken off.
        limits: what to accept.

    Returns:
        The receipt.

    Raises:
        WireError: the bytes are no such receipt, in whatever way.
    """
    if len(data) > limits.message_bytes:
        raise WireError(f"receipt of {len(data)} bytes exceeds {limits.message_bytes}")
    fields = Fields(read_cbor(data), "receipt")
    fields.integer(_Field.VERSION, VERSION, VERSION)
    stream = fields.octets(_Field.STREAM, STREAM_BYTES)
    watermark = fields.integer(_Field.WATERMARK, 0)
    missing: list[NumberRange] = []
    if fields.has(_Field.MISSING):
        for entry in fields.array(_Field.MISSING, limits.losses):
            first, more = fields.integers(entry, 2)
            missing.append(NumberRange(first, first + more))
    server_time_ns = fields.integer(_Field.SERVER_TIME, 0)
    digest = fields.octets(_Field.HASH, HASH_BYTES) if fields.has(_Field.HASH) else None
    highest = fields.integer(_Field.HIGHEST, 1) if missing else watermark
    fields.finish()
    return Receipt(stream, watermark, tuple(missing), server_time_ns, digest, highest)
