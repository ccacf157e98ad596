"""The record message: what a vehicle sends of one stream, as one CBOR map, and back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from edge.errors import WireError
from edge.records import Record
from edge.wire.item_keys import ItemKeys
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.loss import LossRange, read_losses, write_losses
from edge.wire.record_columns import Field, read_records, write_records
from edge.wire.strict_cbor import INT64_MAX, CborValue, Fields, read_cbor, write_cbor

VERSION = 1
STREAM_BYTES = 16
BOOT_BYTES = 16

MESSAGE_WEIGHT = DEFAULT_LIMITS.body_bytes // 10
"""The most that one message holds, in elements and what goes with them: in the worst case each is written
with 64 bits and a few for its state and its series, and a reader takes no more."""


class MessageKind(IntEnum):
    """Which road a message takes; the names are those of the MQTT topics."""

    LIVE = 0
    ALARM = 1
    BACKLOG = 2
    EVENT = 3

    @property
    def topic(self) -> str:
        """The topic's last word, such as ``live``."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class RecordMessage:
    """Records and range entries of one stream, all made in one boot.

    Attributes:
        kind: live, alarm, backlog or event.
        vehicle: the VIN, or a pseudonym that the platform knows; 1 to 128 bytes in UTF-8.
        stream: 16 random bytes that name the journal or node which numbers the records.
        boot: 16 bytes that name the boot whose monotonic time the records carry.
        records: with rising numbers; each with its own timebase and mask, which cost nothing while they stay.
        losses: range entries, in the order in which they are to be sent.
        predecessor: the stream before this one on the same vehicle, where that is known.
    """

    kind: MessageKind
    vehicle: str
    stream: bytes
    boot: bytes
    records: tuple[Record, ...] = ()
    losses: tuple[LossRange, ...] = ()
    predecessor: bytes | None = None


def _check(message: RecordMessage) -> None:
    """Refuse to write what `decode` would refuse to read."""
    if not 0 < len(message.vehicle.encode()) <= DEFAULT_LIMITS.text_bytes:
        raise WireError(f"a vehicle's name has 1 to {DEFAULT_LIMITS.text_bytes} bytes", where="vehicle")
    if len(message.stream) != STREAM_BYTES or len(message.boot) != BOOT_BYTES:
        raise WireError("stream and boot id have 16 bytes each", where=message.vehicle)
    if message.predecessor is not None and len(message.predecessor) != STREAM_BYTES:
        raise WireError("a predecessor's stream id has 16 bytes", where=message.vehicle)
    numbers = [record.number for record in message.records]
    if numbers and not 0 < numbers[0] <= numbers[-1] <= INT64_MAX:
        raise WireError("record numbers go from 1 to 2^63 - 1", where=message.vehicle)
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise WireError("record numbers do not rise", where=message.vehicle)


def encode(message: RecordMessage, keys: ItemKeys, *, compress: bool = True) -> bytes:
    """Write a message; equal messages give equal bytes.

    Args:
        message: the message.
        keys: the catalogue's wire keys.
        compress: whether the body may be compressed; it is only where that makes the message smaller.

    Returns:
        The CBOR map, not yet signed.

    Raises:
        WireError: the message cannot be written: an item without a key, a value beyond 64 bits, numbers that
            do not rise, an id of the wrong length.
    """
    _check(message)
    fields: dict[int, CborValue] = {
        Field.VERSION: VERSION,
        Field.KIND: int(message.kind),
        Field.VEHICLE: message.vehicle,
        Field.STREAM: message.stream,
    }
    if message.predecessor is not None:
        fields[Field.PREDECESSOR] = message.predecessor
    fields[Field.BOOT] = message.boot
    if message.losses:
        fields[Field.LOSSES] = write_losses(message.losses)
    if message.records:
        fields.update(write_records(message.records, keys, compress=compress))
    return write_cbor({int(key): value for key, value in fields.items()})


def decode(data: bytes, keys: ItemKeys, limits: Limits = DEFAULT_LIMITS) -> RecordMessage:
    """Read a message strictly.

    Args:
        data: the CBOR map, its signature already verified and taken off.
        keys: the catalogue's wire keys; an unknown one survives as ``#<key>[index]``.
        limits: what to accept; each is checked before anything of that size is allocated.

    Returns:
        The message.

    Raises:
        WireError: the bytes are no such message, in whatever way.
    """
    if len(data) > limits.message_bytes:
        raise WireError(f"message of {len(data)} bytes exceeds {limits.message_bytes}")
    fields = Fields(read_cbor(data), "message")
    version = fields.integer(Field.VERSION)
    if version != VERSION:
        raise WireError(f"message is of version {version}, not {VERSION}", todo="Update the reading side")
    kind = MessageKind(fields.integer(Field.KIND, 0, max(MessageKind)))
    vehicle = fields.text(Field.VEHICLE, limits.text_bytes)
    stream = fields.octets(Field.STREAM, STREAM_BYTES)
    predecessor = fields.octets(Field.PREDECESSOR, STREAM_BYTES) if fields.has(Field.PREDECESSOR) else None
    boot = fields.octets(Field.BOOT, BOOT_BYTES)
    losses: tuple[LossRange, ...] = ()
    if fields.has(Field.LOSSES):
        losses = read_losses(fields.array(Field.LOSSES, limits.losses))
    records: tuple[Record, ...] = ()
    if fields.has(Field.RECORDS):
        records = read_records(fields, keys, limits)
    fields.finish()
    return RecordMessage(kind, vehicle, stream, boot, records, losses, predecessor)


def weight_of(record: Record) -> int:
    """Elements of a record, and what goes with each item and with the record itself."""
    arrays = sum(len(value) for value in record.values.values() if isinstance(value, tuple))
    return 8 + 2 * len(record.values) + arrays
