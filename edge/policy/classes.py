"""The classes that every signal, item, camera and microphone falls into; what has none is not collected."""

from __future__ import annotations

from enum import StrEnum


class DataClass(StrEnum):
    """What a datum is about, which decides whether it may be collected."""

    OPERATION = "operation"
    """Electro-mechanical data and alarms of the vehicle (GB/T 32960.3)."""

    POSITION = "position"
    """Where the vehicle is: sensitive personal information (GB/T 44464 annex A.2)."""

    CABIN = "cabin"
    """People and things inside: not collected by default (GB/T 44464 5.1.1)."""

    EXTERIOR = "exterior"
    """People and things outside."""

    IDENTITY = "identity"
    """What names the vehicle or a person: VIN, ICCID, plate, keys."""

    HEALTH = "health"
    """State of the gateway and its controllers, and of diagnostics."""


SENSITIVITY: tuple[DataClass, ...] = (
    DataClass.CABIN,
    DataClass.POSITION,
    DataClass.EXTERIOR,
    DataClass.IDENTITY,
    DataClass.OPERATION,
    DataClass.HEALTH,
)
"""All classes, the most sensitive first: a bit that belongs to several is kept as the first of them.

What is stored under a class is kept, erased and disclosed by its rules, so the stricter rules win. Cabin
data shall not leave the vehicle without consent (GB/T 44464 5.1.3); a track is sensitive personal information
(annex A.2) and, as exterior data, kept for the shortest time; a VIN is personal information. What is left is
about the vehicle: how it is driven says more of a person than how its controllers fare.
"""
