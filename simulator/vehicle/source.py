"""`SimulatedSource`: the reference vehicle as a source of frames, without any bus between."""

from __future__ import annotations

from edge.bus.memory import MemorySource
from simulator.vehicle.vehicle import ReferenceVehicle


class SimulatedSource(MemorySource):
    """Hands on a vehicle's frames as fast as they are asked for, 100 ms of its time a read.

    Args:
        vehicle: whose frames; it is moved on by reading.
        duration_s: how much of its time; for ever if not given.
    """

    def __init__(self, vehicle: ReferenceVehicle, duration_s: float = float("inf")) -> None:
        super().__init__(
            vehicle.frames(duration_s),
            name="reference vehicle",
            buses=vehicle.buses,
            timebase=vehicle.timebase,
        )
