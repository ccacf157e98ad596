"""`Observation`: one item as a sensor beside CAN saw it at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from edge.records import Missing


@dataclass(frozen=True, slots=True)
class Observation:
    """One value of one item.

    Attributes:
        item_id: the item in the catalogue, such as ``gnss.lat``.
        t_ns: boot-monotonic nanoseconds at which it was received.
        value: in the item's unit; or why the sensor says that it has none.
    """

    item_id: str
    t_ns: int
    value: float | Missing
