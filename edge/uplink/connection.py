"""`Connection`: one connection over paho-mqtt; paho frames, encrypts and keeps alive, the session decides."""

from __future__ import annotations

import logging
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import MQTTException, Properties  # type: ignore[attr-defined] # defined there up to 2.1, imported there since
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import NevgateError
from edge.uplink.dialling import AddressRefusedError, dial
from edge.uplink.events import (
    RECEIVE_MAXIMUM_DEFAULT,
    Arrived,
    Connected,
    Disconnected,
    LinkEvent,
    Puback,
    Refused,
    Subscribed,
)
from edge.uplink.failures import connect_failure, lost_connection, no_connack, no_such_host
from edge.uplink.mqtt_settings import MqttSettings
from edge.uplink.permit import refused_address
from edge.uplink.reasons import CONNECTION_LOST, STOPPED, Pace, Reason, close_reason
from edge.uplink.redirects import REDIRECTS, redirected
from edge.uplink.settings import IN_FLIGHT_MOST
from edge.uplink.tls import tls_context

logger = logging.getLogger(__name__)

_LARGEST_INCOMING_BYTES = 1 << 20
_LOOP_S = 1.0
_CLOSING_LOOP_S = 0.1
_CLOSING_LOOPS = 20
_PAHO_HOLDS = IN_FLIGHT_MOST + 8
_KEEP_ALIVE_CODE = 0x8D
_WITH_WILL = "Disconnect with will message"

_NO_PONG = Reason("no-pingresp", "the broker did not answer within the keep-alive time")
_UNREADABLE = (MQTTException, struct.error, ValueError, IndexError, KeyError, MemoryError)
"""What paho lets through of a packet that it cannot read: all but the last up to 2.1; that one where the
packet's stated length, of up to 256 MiB, is more than this machine has."""

_BAD_PACKET = Reason(
    "unreadable-packet", "the broker sent something that is no MQTT packet", "Check uplink.port", Pace.LATE
)


class _DialledClient(paho.Client):
    """paho's client on a connection that was opened for it.

    By itself paho looks the host up and connects to whatever it is told, and with PySocks goes wherever
    environment variables redirect it. It opens its connection in the one method that is replaced here, so
    that its look-up, its proxies and its connecting are all out of the way, while TLS is still begun with,
    and verified for, the configured host name.
    """

    dial: Callable[[], socket.socket]

    def _create_socket_connection(self) -> socket.socket:
        return self.dial()


if not hasattr(paho.Client, "_create_socket_connection"):
    raise ImportError(
        "this paho-mqtt does not open connections where nevgate checks addresses; use 2.1 or 2.2"
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    """A PUBACK or SUBACK, still by packet identifier."""

    packet_id: int
    reason_code: int


class Connection:
    """One connection, from the first look-up of its host to its end.

    `run` and paho's callbacks are on the connection's thread, everything else on the session's.
    """

    def __init__(self, settings: MqttSettings, wake: threading.Event) -> None:
        self._settings = settings
        self._wake = wake
        self._client: paho.Client | None = None
        self._happened: deque[LinkEvent | _Answer] = deque()
        self._tokens: dict[int, int] = {}
        self._topics: dict[int, str] = {}
        self._up = False
        self._ended = False
        self._closing = threading.Event()
        self._with_will = False
        self._reason: Reason | None = None
        self._log_line = ""
        self._will_payload = b"" if settings.will is None else settings.will.make_payload()

    def start(self) -> None:
        """Begin, on a thread of its own."""
        threading.Thread(target=self.run, name="uplink-network", daemon=True).start()

    def take(self) -> list[LinkEvent]:
        """What has happened, in order; ends with `Refused` or `Disconnected` once."""
        events: list[LinkEvent] = []
        while self._happened and not self._ended:
            event = self._happened.popleft()
            if isinstance(event, _Answer):
                self._answer(event, events)
                continue
            self._ended = isinstance(event, Refused | Disconnected)
            self._up = self._up or isinstance(event, Connected)
            events.append(event)
        return events

    def subscribe(self, topic: str) -> None:
        """Subscribe with QoS 1."""
        if self._client is not None:
            _, packet_id = self._client.subscribe(topic, qos=1)
            if packet_id is not None:
                self._topics[packet_id] = topic

    def publish(self, token: int, topic: str, payload: bytes, *, retain: bool) -> None:
        """Publish with QoS 1; if the connection is gone meanwhile, its end answers."""
        if self._client is not None:
            info = self._client.publish(topic, payload, qos=1, retain=retain)
            self._tokens[info.mid] = token

    def close(self, *, with_will: bool) -> None:
        """End the connection; one that is not up yet ends at once and its thread goes its way alone."""
        self._with_will = with_will
        if not self._up:
            self._happened.clear()
            self._happened.append(Refused(STOPPED))
            self._wake.set()
        elif self._client is not None:
            version5 = self._settings.protocol == "5"
            if version5 and with_will:
                self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, _WITH_WILL))
            elif not with_will:
                self._client.disconnect()
        self._closing.set()

    def run(self) -> None:
        """Open the connection and serve it to its end, of which the session hears in any case."""
        reason = CONNECTION_LOST
        try:
            reason = self._open() or self._serve()
        finally:
            self._emit(Disconnected(reason) if self._connected() else Refused(reason))

    def _connected(self) -> bool:
        return self._up or any(isinstance(event, Connected) for event in tuple(self._happened))

    def _open(self) -> Reason | None:
        settings = self._settings
        try:
            client = self._make_client()
        except NevgateError as error:
            return Reason("files", str(error), pace=Pace.LATE)
        properties = None
        if settings.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho left it bare
            properties.SessionExpiryInterval = settings.session_expiry_s
            properties.MaximumPacketSize = _LARGEST_INCOMING_BYTES
        try:
            client.connect(
                settings.host,
                settings.port,
                settings.keep_alive_s,
                clean_start=False if settings.protocol == "5" else paho.MQTT_CLEAN_START_FIRST_ONLY,
                properties=properties,
            )
        except AddressRefusedError as error:
            return refused_address(error.what)
        except OSError as error:
            ca_file = settings.tls.ca_file if settings.tls is not None else None
            return connect_failure(
                error, host=settings.host, ca_file=ca_file, timeout_s=settings.connect_timeout_s
            )
        except UnicodeError:
            return no_such_host(settings.host)
        self._client = client
        return None

    def _serve(self) -> Reason:
        client = self._client
        if client is None:
            return STOPPED
        try:
            self._loop(client)
        except _UNREADABLE:
            logger.debug("paho could not read a packet", exc_info=True)
            self._reason = _BAD_PACKET
        finally:
            _shut(client)
        if self._closing.is_set():
            return STOPPED
        if self._reason is not None:
            return self._reason
        special = lost_connection(self._log_line)
        if special is not None:
            return special
        return CONNECTION_LOST if self._connected() else no_connack(self._settings.protocol)

    def _loop(self, client: paho.Client) -> None:
        """Let paho read and write until the connection is over."""
        closing_loops = 0
        while client.socket() is not None:
            code = client.loop(_CLOSING_LOOP_S if self._closing.is_set() else _LOOP_S)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
            if self._closing.is_set():
                closing_loops += 1
                hang_up = self._with_will and self._settings.protocol != "5"
                if hang_up or not self._up or closing_loops > _CLOSING_LOOPS:
                    return

    def _make_client(self) -> paho.Client:
        settings = self._settings
        version5 = settings.protocol == "5"
        client = _DialledClient(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=None if version5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if version5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.dial = partial(
            dial,
            settings.host,
            settings.port,
            resolve=settings.resolve,
            address_refused=settings.address_refused,
            timeout_s=settings.connect_timeout_s,
        )
        client.connect_timeout = settings.connect_timeout_s
        client.max_inflight_messages = _PAHO_HOLDS
        client.max_queued_messages = _PAHO_HOLDS
        if settings.tls is not None:
            client.tls_set_context(tls_context(settings.tls))
        if settings.username:
            client.username_pw_set(settings.username, self._password())
        if settings.will is not None:
            client.will_set(settings.will.topic, self._will_payload, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_log = self._on_log
        client.on_socket_open = self._on_socket_open
        # With this callback set, paho writes only on the thread that runs its loop.
        client.on_socket_register_write = _nothing
        return client

    def _password(self) -> str | None:
        path = self._settings.password_file
        if path is None:
            return None
        try:
            return path.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise NevgateError(
                "the password cannot be read", where=str(path), todo="Check uplink.password_file"
            ) from error

    def _answer(self, answer: _Answer, events: list[LinkEvent]) -> None:
        topic = self._topics.pop(answer.packet_id, None)
        token = self._tokens.pop(answer.packet_id, None)
        if topic is not None:
            events.append(Subscribed(topic, answer.reason_code))
        elif token is not None:
            events.append(Puback(token, answer.reason_code))

    def _emit(self, event: LinkEvent | _Answer) -> None:
        self._happened.append(event)
        self._wake.set()

    def _on_connect(
        self,
        _client: paho.Client,
        _userdata: object,
        flags: paho.ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason_code.is_failure:
            self._reason = self._said(reason_code, properties)
            return
        self._emit(
            Connected(
                session_present=flags.session_present,
                receive_maximum=getattr(properties, "ReceiveMaximum", RECEIVE_MAXIMUM_DEFAULT),
                maximum_packet_size=getattr(properties, "MaximumPacketSize", None),
                protocol=self._settings.protocol,
                retain_available=bool(getattr(properties, "RetainAvailable", 1)),
                maximum_qos=getattr(properties, "MaximumQoS", 2),
            )
        )

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._reason is not None:
            return
        if flags.is_disconnect_packet_from_server:
            self._reason = self._said(reason_code, properties)
        elif reason_code.value == _KEEP_ALIVE_CODE and self._connected():
            self._reason = _NO_PONG

    def _said(self, reason_code: ReasonCode, properties: Properties | None) -> Reason:
        """Why the broker refuses or ends the session."""
        reason = close_reason(reason_code.value)
        if reason_code.value not in REDIRECTS:
            return reason
        reference = getattr(properties, "ServerReference", "")
        return redirected(reason, reference, host=self._settings.host, port=self._settings.port)

    def _on_publish(
        self,
        _client: paho.Client,
        _userdata: object,
        mid: int,
        reason_code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._emit(_Answer(mid, reason_code.value))

    def _on_subscribe(
        self,
        _client: paho.Client,
        _userdata: object,
        mid: int,
        reason_codes: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._emit(_Answer(mid, max((code.value for code in reason_codes), default=0)))

    def _on_message(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        self._emit(Arrived(topic, bytes(message.payload)))

    def _on_log(self, _client: paho.Client, _userdata: object, level: int, line: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self._log_line = line

    def _on_socket_open(self, _client: paho.Client, _userdata: object, opened: paho.SocketLike) -> None:
        if isinstance(opened, socket.socket):
            prepare(opened, self._settings)


def prepare(opened: socket.socket, settings: MqttSettings) -> None:
    """Have a socket send at once and hold back little: see `MqttSettings.unsent_bytes`."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, settings.unsent_bytes)
    if settings.send_buffer_bytes is not None:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.send_buffer_bytes)


def _nothing(*_arguments: object) -> None:
    """Stand in for a callback of which only the presence counts."""


def _shut(client: paho.Client) -> None:
    opened = client.socket()
    if isinstance(opened, socket.socket):
        opened.close()
