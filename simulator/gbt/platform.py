"""`GbtPlatform`: a platform of GB/T 32960.3 without its sockets."""

from __future__ import annotations

from collections.abc import Sequence

from edge.wire.gbt.faults import GbtError
from simulator.gbt.asks import Ask
from simulator.gbt.books import Books
from simulator.gbt.session import PlatformConnection
from simulator.gbt.vehicle_state import Standing, VehicleState


class GbtPlatform(Books):
    """A platform: its connections take bytes and time, and hand out bytes and events; see `Books`."""

    def connect(self, now_ns: int, peer: str = "") -> PlatformConnection:
        """A connection has been opened.

        Args:
            now_ns: Unix time.
            peer: its address for people.
        """
        return PlatformConnection(self, now_ns, peer)

    def ask(self, vin: bytes, ask: Ask, now_ns: int) -> tuple[Standing, bytes]:
        """Send a command to a vehicle's terminal; its answer comes as an event of that connection.

        Returns:
            The connection to send it on, and the bytes.

        Raises:
            GbtError: the vehicle is not connected itself, waits for too many answers, or its edition cannot
                say that.
        """
        state = self.vehicles.get(vin)
        if state is None or state.connection is None:
            name = vin.decode("ascii", "backslashreplace")
            raise GbtError(f"{name} is not logged in over a connection of its own")
        return state.connection, state.connection.ask(ask, now_ns)


def logged_in(platform: GbtPlatform) -> Sequence[VehicleState]:
    """Vehicles with a connection of their own."""
    return [state for state in platform.vehicles.values() if state.connection is not None]
