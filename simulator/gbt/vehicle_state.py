"""What a platform remembers of a vehicle beyond its connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from edge.catalogue.item import Edition
from simulator.gbt.asks import Ask
from simulator.gbt.events import Turn
from simulator.gbt.keys import VehicleKeys
from simulator.gbt.kpis import VehicleFigures
from simulator.gbt.register import VehicleEntry
from simulator.gbt.store import VehicleShelf


class Standing(Protocol):
    """A connection, as others than itself see it.

    Attributes:
        peer: address of the other side.
        edition: that it speaks; None before login.
    """

    peer: str
    edition: Edition | None

    def end(self, why: str) -> Turn:
        """End it."""

    def ask(self, ask: Ask, now_ns: int) -> bytes:
        """The bytes of a command to its terminal."""


@dataclass(slots=True)
class VehicleState:
    """One vehicle.

    Attributes:
        entry: by the register.
        name: its VIN for people.
        figures: what is counted of it.
        shelf: where its reports are.
        keys: which decrypt and check its messages.
        session: number and Beijing day of its latest login.
        connection: its own connection while it is logged in over one.
        chip: the security chip that it was activated with.
    """

    entry: VehicleEntry
    name: str
    figures: VehicleFigures
    shelf: VehicleShelf
    keys: VehicleKeys
    session: tuple[int, int] | None = None
    connection: Standing | None = field(default=None, repr=False)
    chip: bytes | None = None
