"""What a decoder accepts at most, so that no message from outside can cost more than it is worth."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds that a decoder checks before it allocates.

    The defaults hold ten minutes of one-second records of a vehicle with 400 values, and keep the memory of
    one decoding under about 60 MB whatever the bytes say.

    Attributes:
        message_bytes: length of a message as it arrives, its signature included.
        body_bytes: length of the records' body after decompression.
        records: records in one message.
        columns: items in one message.
        values: elements of all items and records together, missing ones included.
        losses: range entries in one message, and missing ranges in one receipt.
        text_bytes: length of a name (vehicle, mask, software version) in UTF-8.
    """

    message_bytes: int = 262_144
    body_bytes: int = 262_144
    records: int = 4_096
    columns: int = 4_096
    values: int = 262_144
    losses: int = 4_096
    text_bytes: int = 128


DEFAULT_LIMITS = Limits()
