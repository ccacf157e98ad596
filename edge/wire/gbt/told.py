"""`Told`: what a message says otherwise than the record that it was made of, or a record than its message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from edge.records import Value


class Why(StrEnum):
    """Why a value is not said as it is."""

    NOT_IN_EDITION = "the edition has no such item"
    UNKNOWN = "the catalogue has no such item"
    NOT_COLLECTED = "the record has no entry, the body has a field"
    BEYOND_RANGE = "beyond the edition's range"
    ROUNDED = "the edition is coarser"
    NO_CODE = "the edition cannot say that it is missing"
    BITS = "bits that the edition does not have"
    TOO_LONG = "more elements than the edition can say"
    LEFT_OUT = "elements that cannot be said are left out"
    CONTRADICTS = "it contradicts another value"
    NUMBER = "its number cannot be said"
    RESERVED = "reserved bits are set"
    INCOMPLETE = "not all elements were in the messages"
    REPEATED = "said more than once"
    NOT_DESCRIBED = "a block or type that no table describes"
    NO_ITEM = "a field that is no item of records"
    ENCRYPTED = "the data unit is encrypted"


@dataclass(frozen=True, slots=True)
class Told:
    """One difference.

    Attributes:
        item_id: concrete id of the item, or where in the message it is for what has none.
        why: the reason.
        said: what the other side holds for it now; None where it holds nothing.
        detail: more for people, such as the raw value.
    """

    item_id: str
    why: Why
    said: Value | None = None
    detail: str = ""


Tell = Callable[[Told], None]
"""Takes a difference."""
