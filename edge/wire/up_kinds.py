"""Tells the signed messages of a vehicle apart: field 2 of each, read before the rest."""

from __future__ import annotations

from enum import IntEnum

from edge.errors import WireError
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.strict_cbor import Fields, read_cbor

_VERSION_FIELD = 1
_KIND_FIELD = 2


class UpKind(IntEnum):
    """What a message on one of a vehicle's ``up`` topics is; 0 to 3 are record messages."""

    LIVE = 0
    ALARM = 1
    BACKLOG = 2
    EVENT = 3
    CHECKPOINT = 4
    ACCOUNT = 5
    TIME_CORRECTIONS = 6
    MEDIA_CHUNK = 7
    MEDIA_ENDED = 8

    @property
    def holds_records(self) -> bool:
        """Whether it is a record message."""
        return self <= UpKind.EVENT


def peek_kind(data: bytes, limits: Limits = DEFAULT_LIMITS) -> UpKind:
    """Read what a message is; its own codec reads the rest, and reads it strictly.

    Args:
        data: the CBOR map, its signature already verified and taken off.
        limits: what to accept.

    Raises:
        WireError: the bytes are no CBOR map of this version with a kind that exists.
    """
    if len(data) > limits.message_bytes:
        raise WireError(f"message of {len(data)} bytes exceeds {limits.message_bytes}")
    fields = Fields(read_cbor(data), "message")
    fields.integer(_VERSION_FIELD, 1, 1)
    return UpKind(fields.integer(_KIND_FIELD, 0, max(UpKind)))
