"""`Frame`: what capture hands on of one packet, live and from a file alike."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Direction(StrEnum):
    """Which way a packet went, as far as whoever captured it knew."""

    OUT = "out"
    IN = "in"
    UNKNOWN = "unknown"


class Frame(NamedTuple):
    """One packet as it was captured.

    Attributes:
        interface: on which.
        direction: as the capture says it.
        ethertype: what `data` is: an EtherType, or a name of `edge.egress.packet`.
        data: from the network layer on, perhaps cut short; valid only until the next packet is read.
        length: how many bytes that were on the wire.
        t_ns: Unix time in nanoseconds.
    """

    interface: str
    direction: Direction
    ethertype: int
    data: memoryview
    length: int
    t_ns: int
