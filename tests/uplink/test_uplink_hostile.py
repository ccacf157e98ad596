"""A broker that sends anything at all ends its connection, and nothing else."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge.uplink.events import Connected, Disconnected, LinkEvent, Refused
from edge.uplink.mqtt import MqttLink
from edge.uplink.mqtt_settings import MqttSettings
from tests.uplink.live import LIMIT_S, until

Protocol = Literal["5", "3.1.1"]

CONNECTIONS = 300
CONNACK: dict[Protocol, bytes] = {"5": b"\x20\x03\x00\x00\x00", "3.1.1": b"\x20\x02\x00\x00"}
USER_PROPERTY = b"\x26\x00\x01k\x00\x01v"
WELL_FORMED = (
    b"\x20\x0d\x01\x00\x0a\x21\x00\x05\x27\x00\x01\x00\x00\x24\x01",
    b"\x20\x13\x00\x87\x10\x1f\x00\x02no\x26\x00\x01k\x00\x01v\x13\x00\x1e",
    b"\x20\x02\x01\x00",
    b"\x20\x02\x00\x05",
    b"\x40\x02\x00\x01",
    b"\x40\x0b\x00\x01\x10\x07" + USER_PROPERTY,
    b"\x50\x04\x00\x01\x00\x00",
    b"\x62\x04\x00\x01\x92\x00",
    b"\x70\x04\x00\x01\x00\x00",
    b"\x90\x04\x00\x01\x00\x01",
    b"\x90\x0b\x00\x01\x07" + USER_PROPERTY + b"\x80",
    b"\xb0\x04\x00\x01\x00\x00",
    b"\x30\x08\x00\x03a/b\x00hi",
    b"\x32\x11\x00\x03a/b\x00\x07\x07" + USER_PROPERTY + b"hi",
    b"\x34\x0a\x00\x03a/b\x00\x08\x00hi",
    b"\xc0\x00",
    b"\xd0\x00",
    b"\xe0\x02\x8b\x00",
    b"\xf0\x02\x18\x00",
)


def hostile(draw: random.Random) -> bytes:
    """Packets with their bodies damaged and their lengths mostly right, or bytes without any sense."""
    if draw.random() < 0.1:
        return draw.randbytes(draw.randrange(1, 40))
    sent = b""
    for _ in range(draw.randrange(1, 4)):
        packet = draw.choice(WELL_FORMED)
        body = bytearray(packet[2:])
        for _ in range(draw.randrange(4)):
            place = draw.randrange(len(body) + 1)
            match draw.randrange(4):
                case 0:
                    del body[place:]
                case 1:
                    body[place:place] = draw.randbytes(draw.randrange(1, 6))
                case 2:
                    body[place : place + 1] = draw.choice((b"\x00", b"\x7f", b"\x80", b"\xff"))
                case _:
                    body[place : place + 1] = draw.randbytes(1)
        first = packet[0] if draw.random() < 0.9 else draw.randrange(256)
        length = len(body) if draw.random() < 0.9 else draw.randrange(128)
        sent += bytes((first, length)) + body
    return sent


class Speaker:
    """Answers each CONNECT with the next of some bytes and hangs up; after the last one it stays."""

    def __init__(self, says: list[bytes]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._says = says
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for number, words in enumerate(self._says, 1):
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            # The gateway may hang up at any of these.
            with peer, suppress(OSError):
                peer.recv(1024)
                peer.sendall(words)
                if number == len(self._says):
                    self._stopping.wait(LIMIT_S)
                peer.shutdown(socket.SHUT_WR)
                # Reading to the end keeps what was sent from being thrown away by a reset.
                while peer.recv(4096):
                    pass

    def stop(self) -> None:
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(LIMIT_S)
        self._listener.close()
        assert not self._thread.is_alive()


@contextmanager
def speaker(says: list[bytes]) -> Iterator[Speaker]:
    server = Speaker(says)
    try:
        yield server
    finally:
        server.stop()


class Line:
    """A link, and what has come from its present connection."""

    def __init__(self, settings: MqttSettings) -> None:
        self._wake = threading.Event()
        self._link = MqttLink(settings)
        self._link.attach(self._wake)

    def connect(self) -> None:
        self._link.connect()

    def hang_up(self) -> None:
        self._link.disconnect(with_will=False)

    def until(self, *kinds: type[LinkEvent]) -> list[LinkEvent]:
        """The events up to the first of `kinds`."""
        events: list[LinkEvent] = []
        while not events or not isinstance(events[-1], kinds):
            assert self._wake.wait(LIMIT_S), f"only {events}"
            self._wake.clear()
            events += self._link.poll()
        return events


@pytest.mark.parametrize("greeted", [False, True], ids=["instead of CONNACK", "after CONNACK"])
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_each_connection_ends_and_the_next_one_stands(
    protocol: Protocol, greeted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    escaped: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", escaped.append)
    draw = random.Random(f"{protocol} {greeted}")  # noqa: S311 - a test's draw
    says = [CONNACK[protocol] * greeted + hostile(draw) for _ in range(CONNECTIONS)]
    with speaker([*says, CONNACK[protocol]]) as server:
        line = Line(MqttSettings("127.0.0.1", server.port, "gw", protocol, tls=None))
        for words in says:
            line.connect()
            kinds = [type(event) for event in line.until(Refused, Disconnected)]
            assert kinds[-1] is (Disconnected if Connected in kinds else Refused), words.hex(" ")
        line.connect()
        line.until(Connected)
        line.hang_up()
        line.until(Disconnected)
    assert [f"{one.exc_type.__name__}: {one.exc_value}" for one in escaped] == []


def of_properties(data: bytes) -> Exception:
    """What paho raises for properties that cannot be."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - its class is paho's own matter
        Properties(PacketTypes.CONNACK).unpack(data)  # type: ignore[no-untyped-call]  # paho left it bare
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        of_properties(b"\x03\x21\x00\x00"),
        of_properties(b"\x03\x1f\x00\x07"),
        struct.error(),
        IndexError(),
        KeyError(0x21),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_paho_cannot_read_is_told(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_client: paho.Client, _timeout_s: float) -> None:
        raise error

    monkeypatch.setattr(paho.Client, "loop", fail)
    with speaker([b""]) as server:
        line = Line(MqttSettings("127.0.0.1", server.port, "gw", tls=None))
        line.connect()
        (event,) = line.until(Refused)
    assert isinstance(event, Refused)
    assert event.reason.what == "the broker sent something that is no MQTT packet"


def test_a_fault_of_ours_ends_the_connection_and_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    escaped: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", escaped.append)

    def fail(_client: paho.Client, _timeout_s: float) -> None:
        raise AssertionError

    monkeypatch.setattr(paho.Client, "loop", fail)
    with speaker([b""]) as server:
        line = Line(MqttSettings("127.0.0.1", server.port, "gw", tls=None))
        line.connect()
        line.until(Refused)
        until(lambda: bool(escaped), "the report")
    assert [one.exc_type for one in escaped] == [AssertionError]
