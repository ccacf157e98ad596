"""The platform on MQTT: takes messages from a broker, acknowledges after the commit, publishes receipts."""

from __future__ import annotations

import queue
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge.account import Hop
from edge.clock import Clock, SystemClock
from edge.errors import NevgateError, UplinkError
from edge.uplink.failures import connect_failure
from edge.uplink.outgoing import TOPIC_ROOT
from simulator.platform.platform import Platform
from simulator.platform.receipts import Publication
from simulator.platform.vehicles import VehicleWatch

Looked = TypeVar("Looked")

SUBSCRIPTIONS = (f"{TOPIC_ROOT}/+/up/#", f"{TOPIC_ROOT}/+/status")
RECEIVE_MAXIMUM = 256
"""Messages that the broker may send before any is acknowledged; with the packet size it bounds the memory."""

PACKET_BYTES = 1_048_576
"""Above what a message may be, so that an oversized one comes here and is counted."""

SESSION_EXPIRY_S = 7 * 86_400
"""How long the broker keeps messages for a platform that is away."""

BATCH_MESSAGES = 256
IDLE_S = 0.5
FAREWELL_S = 5.0
CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class BrokerAccess:
    """Where the broker is and how to get in.

    Attributes:
        host: name or address.
        port: TCP port.
        client_id: the session's name at the broker; one platform, one name.
        username: if the broker asks for one.
        password: the same.
        tls: what to trust and show (`edge.uplink.tls.tls_context` makes it); None for plain TCP.
        keep_alive_s: seconds of silence after which the connection is tried.
    """

    host: str
    port: int
    client_id: str = "nevgate-platform"
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    keep_alive_s: int = 30

    @property
    def where(self) -> str:
        """As a person writes it."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class _Arrival:
    connection: int
    mid: int
    qos: int
    topic: str
    payload: bytes


class PlatformService:
    """A `Platform` at a broker: one thread for the network (paho's), one for checking and storing.

    A message is acknowledged to the broker only after its records are durable, so that whatever a crash takes
    along comes again. The session is persistent: messages wait at the broker while the platform is away.

    Attributes:
        access: the broker.
    """

    def __init__(self, platform: Platform, access: BrokerAccess, *, clock: Clock | None = None) -> None:
        self.access = access
        self._platform = platform
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._arrivals: queue.Queue[_Arrival] = queue.Queue(RECEIVE_MAXIMUM)
        self._wake = threading.Event()
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._connection = 0
        self._connected = False
        self._trouble = f"no connection to {access.where} yet"
        self._failure: NevgateError | None = None
        self._worker = threading.Thread(target=self._work, name="platform", daemon=True)
        self._client = self._make_client()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to connect, in the background; a broker that is not there yet is tried again."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's own
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        properties.MaximumPacketSize = PACKET_BYTES
        self._client.connect_async(
            self.access.host,
            self.access.port,
            keepalive=self.access.keep_alive_s,
            clean_start=False,
            properties=properties,
        )
        self._worker.start()
        self._client.loop_start()

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until the subscriptions stand.

        Raises:
            UplinkError: if they do not in time; it says what stood in the way.
        """
        if not self._ready.wait(timeout_s):
            raise UplinkError(self._trouble, where=self.access.where, todo="Check the broker and the access")

    @property
    def trouble(self) -> str:
        """What stands between the platform and its messages at the moment; empty when nothing does."""
        return "" if self._ready.is_set() else self._trouble

    @property
    def failed(self) -> bool:
        """Whether something ended the service; `raise_failure` says what."""
        return self._failure is not None

    def raise_failure(self) -> None:
        """Raise what ended the service, if anything did.

        Raises:
            NevgateError: such as a store that cannot be written any more.
        """
        if self._failure is not None:
            raise self._failure

    def hops(self) -> tuple[Hop, ...]:
        """The account of this run; see `Platform.hops`."""
        with self._lock:
            return self._platform.hops()

    def look(self, at: Callable[[VehicleWatch], Looked]) -> Looked:
        """Read from what is known of the vehicles while nothing changes it."""
        with self._lock:
            return at(self._platform.watch)

    def stop(self) -> None:
        """Store and acknowledge what has come in, send the receipts owed, and disconnect."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._wake.set()
        self._worker.join(FAREWELL_S * 4)
        self._client.disconnect()
        self._client.loop_stop()

    def _make_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self.access.client_id,
            protocol=mqtt.MQTTv5,
            manual_ack=True,
        )
        if self.access.username is not None:
            client.username_pw_set(self.access.username, self.access.password)
        if self.access.tls is not None:
            client.tls_set_context(self.access.tls)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        client.max_queued_messages_set(10_000)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: Any,  # noqa: ANN401 - paho's
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        del userdata, flags, properties
        if reason.is_failure:
            self._trouble = f"the broker refuses the platform: {reason}"
            return
        self._connection += 1
        self._connected = True
        self._trouble = "the broker has not answered the subscription yet"
        client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in SUBSCRIPTIONS])

    def _on_connect_fail(self, client: mqtt.Client, userdata: Any) -> None:  # noqa: ANN401 - paho's
        del client, userdata
        # paho calls this while it handles the error, and hands it on in no other way.
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            reason = connect_failure(error, host=self.access.host, ca_file=None, timeout_s=CONNECT_TIMEOUT_S)
            self._trouble = reason.what
        else:
            self._trouble = "the broker does not answer"

    def _on_disconnect(
        self,
        client: mqtt.Client,
        userdata: Any,  # noqa: ANN401 - paho's
        flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        del client, userdata, flags, properties
        self._ready.clear()
        if reason.is_failure and self._connected:
            # Without a session before, what stood in its way has been said already.
            self._trouble = f"the connection ended: {reason}"
        self._connected = False

    def _on_subscribe(
        self,
        client: mqtt.Client,
        userdata: Any,  # noqa: ANN401 - paho's
        mid: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        del client, userdata, mid, properties
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self._trouble = f"the broker refuses the subscription: {', '.join(refused)}"
            return
        self._trouble = ""
        self._ready.set()

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:  # noqa: ANN401 - paho's
        """Hand the message on; a full queue holds the network thread back, and by it the broker."""
        del client, userdata
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "(no UTF-8)"
        arrival = _Arrival(self._connection, message.mid, message.qos, topic, bytes(message.payload))
        while not (self._stopping.is_set() or self._failure):
            try:
                self._arrivals.put(arrival, timeout=IDLE_S)
            except queue.Full:
                continue
            self._wake.set()
            return

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                self._clock.wait(self._wake, self._patience_s())
                self._wake.clear()
                while self._round():
                    pass
            self._round(last=True)
        except NevgateError as error:
            self._failure = error
            self._trouble = str(error)
            self._client.disconnect()

    def _patience_s(self) -> float:
        due_s = self._platform.next_due_s(self._clock.wall_ns())
        return IDLE_S if due_s is None else min(due_s, IDLE_S)

    def _round(self, *, last: bool = False) -> bool:
        """Take in what waits, make it durable, acknowledge it, send receipts; whether more may wait."""
        batch: list[_Arrival] = []
        while len(batch) < BATCH_MESSAGES:
            try:
                batch.append(self._arrivals.get_nowait())
            except queue.Empty:
                break
        with self._lock:
            now_ns = self._clock.wall_ns()
            for arrival in batch:
                self._platform.receive(arrival.topic, arrival.payload, now_ns)
            publications = self._platform.commit(now_ns, all_receipts=last)
        for arrival in batch:
            # Packet ids of an earlier connection mean nothing to this one; the broker sends those again.
            if arrival.qos and arrival.connection == self._connection:
                self._client.ack(arrival.mid, arrival.qos)
        self._publish(publications, wait=last)
        return len(batch) == BATCH_MESSAGES and not self._stopping.is_set()

    def _publish(self, publications: list[Publication], *, wait: bool) -> None:
        sent = [self._client.publish(each.topic, each.payload, qos=1) for each in publications]
        if not (wait and self._client.is_connected()):
            return
        for info in sent:
            if info.rc == mqtt.MQTT_ERR_SUCCESS:
                info.wait_for_publish(FAREWELL_S)
