"""`MqttLink`: the link over MQTT, one connection after the other."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from edge.uplink.connection import Connection
from edge.uplink.events import Disconnected, LinkEvent, Refused
from edge.uplink.link import Link
from edge.uplink.mqtt_settings import MqttSettings
from edge.uplink.tls import tls_context


class MqttLink(Link):
    """The link over paho-mqtt 2.

    Each connection has a paho client and a thread of its own and takes both with it, so that paho's own
    reconnecting and repeating never happen. Callbacks do nothing but put events into a queue.

    Args:
        settings: how to reach the broker.

    Raises:
        KeyFileError: if a TLS file cannot be used.
    """

    def __init__(self, settings: MqttSettings) -> None:
        if settings.tls is not None:
            tls_context(settings.tls)
        self._settings = settings
        self._wake = threading.Event()
        self._connection: Connection | None = None

    def attach(self, wake: threading.Event) -> None:
        """See `Link.attach`."""
        self._wake = wake

    def connect(self) -> None:
        """See `Link.connect`; names are resolved and the handshakes done on the connection's thread."""
        self._connection = Connection(self._settings, self._wake)
        self._connection.start()

    def poll(self) -> Sequence[LinkEvent]:
        """See `Link.poll`."""
        if self._connection is None:
            return ()
        events = self._connection.take()
        if events and isinstance(events[-1], Refused | Disconnected):
            self._connection = None
        return events

    def subscribe(self, topic: str) -> None:
        """See `Link.subscribe`."""
        if self._connection is not None:
            self._connection.subscribe(topic)

    def publish(self, token: int, topic: str, payload: bytes, *, retain: bool) -> None:
        """See `Link.publish`."""
        if self._connection is not None:
            self._connection.publish(token, topic, payload, retain=retain)

    def disconnect(self, *, with_will: bool) -> None:
        """See `Link.disconnect`."""
        if self._connection is not None:
            self._connection.close(with_will=with_will)
