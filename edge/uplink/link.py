"""`Link`: what a session needs of a connection to a broker; paho's and the simulator's are the two."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence

from edge.uplink.events import LinkEvent


class Link(ABC):
    """A connection to one broker, of which there is at most one at a time.

    The contract: `connect` is answered by exactly one `Connected` or `Refused`; after `Connected` comes one
    `Disconnected`, and nothing after it until the next `connect`. `disconnect` makes either come soon. A link
    repeats nothing by itself: what was published and not answered before `Disconnected` is forgotten.

    All calls come from one thread, none blocks, and none raises for what happens on the network.
    """

    @abstractmethod
    def attach(self, wake: threading.Event) -> None:
        """Have `wake` set whenever `poll` has something."""

    @abstractmethod
    def poll(self) -> Sequence[LinkEvent]:
        """What has happened since the last call, in order."""

    @abstractmethod
    def connect(self) -> None:
        """Begin to open a connection and an MQTT session that outlives it."""

    @abstractmethod
    def subscribe(self, topic: str) -> None:
        """Subscribe with QoS 1."""

    @abstractmethod
    def publish(self, token: int, topic: str, payload: bytes, *, retain: bool) -> None:
        """Publish with QoS 1; the answer carries `token`."""

    @abstractmethod
    def disconnect(self, *, with_will: bool) -> None:
        """End the connection, or the attempt at one; with or without the last will published."""

    def due_ns(self) -> int | None:
        """When `poll` will have something of its own accord, for links under a virtual clock; else None."""
        return None
