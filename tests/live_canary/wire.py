"""What goes over the wire: bytes outside of TLS by a proxy, messages inside of it by a subscription."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import dataclass

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge.clock import Clock
from edge.closing import Closing

LOOPBACK = "127.0.0.1"
_CHUNK = 1 << 16
_PATIENCE_S = 20.0


class RecordingProxy(Closing):
    """Hands a port's connections on to another port, and keeps every byte of both directions.

    Args:
        target: the port behind it.

    Attributes:
        port: its own.
        connections: how many there were.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._lock = threading.Lock()
        self._bytes = bytearray()
        self._open: list[socket.socket] = []
        self._thread(self._accept)

    @property
    def content(self) -> bytes:
        """All bytes so far."""
        with self._lock:
            return bytes(self._bytes)

    def close(self) -> None:
        """End all connections."""
        for one in (self._listener, *self._open):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection((LOOPBACK, self._target))
            except OSError:
                return
            self.connections += 1
            self._open += [near, far]
            self._thread(self._pump, near, far)
            self._thread(self._pump, far, near)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while received := source.recv(_CHUNK):
                with self._lock:
                    self._bytes += received
                target.sendall(received)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def _thread(self, work: object, *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of the broker's.

    Attributes:
        topic: of it.
        payload: of it.
        t_ns: boot-monotonic time at which it came.
    """

    topic: str
    payload: bytes
    t_ns: int


class Listener(Closing):
    """Hears everything that a broker hands on.

    Args:
        port: of the broker.
        tls: what to trust.
        clock: stamps what is heard.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None, clock: Clock) -> None:
        self._clock = clock
        self._heard: list[Heard] = []
        self._ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="listener", protocol=mqtt.MQTTv5)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._take
        self._client.connect(LOOPBACK, port)
        self._client.loop_start()
        assert self._ready.wait(_PATIENCE_S), "the broker takes no subscription"

    @property
    def heard(self) -> tuple[Heard, ...]:
        """All messages so far."""
        return tuple(self._heard)

    def close(self) -> None:
        """End the subscription."""
        self._client.disconnect()
        self._client.loop_stop()

    def _subscribe(self, *_: object) -> None:
        self._client.subscribe("#", qos=1)

    def _take(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        del client, userdata
        self._heard.append(Heard(message.topic, bytes(message.payload), self._clock.boot_ns()))
