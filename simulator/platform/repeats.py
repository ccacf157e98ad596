"""What a number that comes a second time brings: the same, fewer items of the same, or something else."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from edge.records import Record


class Repeat(Enum):
    """How a record compares with the one that is stored under its number."""

    DOUBLE = "the same"
    FEWER_ITEMS = "fewer items of the same"
    """As when a class of items was erased in the vehicle before the record went a second time."""
    OTHER_CONTENTS = "other contents"


def compare(stored: Record, stored_boot: bytes, again: Record, again_boot: bytes) -> Repeat:
    """Compare the record that is stored with the one that came again under its number."""
    if stored_boot != again_boot:
        return Repeat.OTHER_CONTENTS
    if stored == again:
        return Repeat.DOUBLE
    kept = {item: value for item, value in stored.values.items() if item in again.values}
    if replace(stored, values=kept) == again:
        return Repeat.FEWER_ITEMS
    return Repeat.OTHER_CONTENTS
