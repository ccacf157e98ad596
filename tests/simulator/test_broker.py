"""What nevgate needs of a broker, checked on each that the bench can start."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from edge.errors import UplinkError
from edge.uplink.events import Arrived, Connected, Disconnected, LinkEvent, Puback, Refused, Subscribed
from edge.uplink.mqtt import MqttLink
from edge.uplink.mqtt_settings import MqttSettings, Will
from edge.uplink.tls import TlsSettings
from simulator.broker import Broker, BrokerOptions, EmbeddedBroker, MosquittoBroker, find_mosquitto
from simulator.certificates import Authority

Protocol = Literal["5", "3.1.1"]
PROTOCOLS: tuple[Protocol, ...] = ("5", "3.1.1")
LIMIT_S = 15.0


class Client:
    """A client that waits for what it expects."""

    def __init__(self, settings: MqttSettings) -> None:
        self.wake = threading.Event()
        self.link = MqttLink(settings)
        self.link.attach(self.wake)
        self.seen: list[LinkEvent] = []

    def until(self, kind: type[LinkEvent]) -> LinkEvent:
        """The next event of `kind`; those before it are dropped."""
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            self.wake.clear()
            self.seen.extend(self.link.poll())
            while self.seen:
                event = self.seen.pop(0)
                if isinstance(event, kind):
                    return event
            self.wake.wait(max(0.0, end - time.monotonic()))
        pytest.fail(f"no {kind.__name__} within {LIMIT_S} s")

    def connect(self) -> Connected:
        self.link.connect()
        event = self.until(Connected)
        assert isinstance(event, Connected)
        return event

    def subscribe(self, topic: str) -> None:
        self.link.subscribe(topic)
        self.until(Subscribed)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.link.publish(1, topic, payload, retain=retain)
        self.until(Puback)

    def arrived(self) -> Arrived:
        event = self.until(Arrived)
        assert isinstance(event, Arrived)
        return event

    def leave(self, *, with_will: bool = False) -> None:
        self.link.disconnect(with_will=with_will)
        self.until(Disconnected)


class BrokerTests(ABC):
    """One broker's conformance."""

    @abstractmethod
    def make(self, folder: Path, options: BrokerOptions | None = None) -> Broker: ...

    @pytest.fixture
    def broker(self, tmp_path: Path) -> Iterator[Broker]:
        with self.make(tmp_path / "broker") as broker:
            yield broker

    @staticmethod
    def client(broker: Broker, protocol: Protocol, name: str, will: Will | None = None) -> Client:
        return Client(MqttSettings("127.0.0.1", broker.port(protocol), name, protocol, tls=None, will=will))

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_hands_messages_on_in_order_at_qos_1(self, broker: Broker, protocol: Protocol) -> None:
        receiver = self.client(broker, "5", "platform")
        receiver.connect()
        receiver.subscribe("nev/v1/+/up/live")
        sender = self.client(broker, protocol, "gateway")
        assert sender.connect().protocol == protocol
        for number in range(20):
            sender.publish("nev/v1/car/up/live", b"%d" % number)
        assert [receiver.arrived().payload for _ in range(20)] == [b"%d" % number for number in range(20)]
        sender.leave()
        receiver.leave()

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_queues_for_a_session_that_is_away(self, broker: Broker, protocol: Protocol) -> None:
        receiver = self.client(broker, protocol, "platform")
        assert not receiver.connect().session_present
        receiver.subscribe("nev/v1/+/up/live")
        receiver.leave()
        sender = self.client(broker, "5", "gateway")
        sender.connect()
        for number in range(5):
            sender.publish("nev/v1/car/up/live", b"%d" % number)
        sender.leave()
        assert receiver.connect().session_present
        assert [receiver.arrived().payload for _ in range(5)] == [b"%d" % number for number in range(5)]
        receiver.leave()

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_keeps_retained_messages(self, broker: Broker, protocol: Protocol) -> None:
        sender = self.client(broker, protocol, "gateway")
        sender.connect()
        sender.publish("nev/v1/car/status", b"online", retain=True)
        sender.leave()
        receiver = self.client(broker, protocol, "platform")
        receiver.connect()
        receiver.subscribe("nev/v1/+/status")
        assert receiver.arrived().payload == b"online"
        receiver.leave()

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_publishes_the_last_will_of_who_breaks_off(self, broker: Broker, protocol: Protocol) -> None:
        receiver = self.client(broker, "5", "platform")
        receiver.connect()
        receiver.subscribe("nev/v1/+/status")
        sender = self.client(broker, protocol, "gateway", Will("nev/v1/car/status", lambda: b"offline"))
        sender.connect()
        sender.leave(with_will=True)
        assert receiver.arrived().payload == b"offline"
        receiver.leave()

    def test_starts_again_on_the_same_port(self, broker: Broker) -> None:
        port = broker.port("5")
        broker.kill()
        assert not broker.running
        broker.start()
        assert broker.port("5") == port
        client = self.client(broker, "5", "gateway")
        client.connect()
        client.leave()

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_speaks_tls(self, tmp_path: Path, protocol: Protocol) -> None:
        authority = Authority(tmp_path, wall_ns=time.time_ns())
        with self.make(tmp_path / "broker", BrokerOptions(tls=authority.server())) as broker:
            tls = TlsSettings(ca_file=authority.certificate)
            client = Client(MqttSettings("localhost", broker.port(protocol), "gw", protocol, tls=tls))
            client.connect()
            client.publish("nev/v1/car/up/live", b"x")
            client.leave()

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_checks_passwords(self, tmp_path: Path, protocol: Protocol) -> None:
        word = tmp_path / "password"
        with self.make(tmp_path / "broker", BrokerOptions(users={"gateway": "right"})) as broker:
            settings = MqttSettings(
                "127.0.0.1",
                broker.port(protocol),
                "gateway",
                protocol,
                tls=None,
                username="gateway",
                password_file=word,
            )
            client = Client(settings)
            word.write_text("wrong\n")
            client.link.connect()
            client.until(Refused)
            word.write_text("right\n")
            client.connect()
            client.leave()


class TestEmbeddedBroker(BrokerTests):
    def make(self, folder: Path, options: BrokerOptions | None = None) -> Broker:
        pytest.importorskip("iotcore", reason="iotcore is not installed: pip install 'nevgate[simulator]'")
        return EmbeddedBroker(folder, options)

    def test_refuses_what_it_does_not_do(self, tmp_path: Path) -> None:
        for options in (BrokerOptions(client_ca=tmp_path / "ca.pem"), BrokerOptions(access=["topic read #"])):
            with pytest.raises(UplinkError, match="checks neither client certificates nor access lists"):
                self.make(tmp_path / "broker", options)


class TestMosquittoBroker(BrokerTests):
    def make(self, folder: Path, options: BrokerOptions | None = None) -> Broker:
        if find_mosquitto() is None:
            pytest.skip("mosquitto is not installed: apt install mosquitto")
        return MosquittoBroker(folder, options)

    def test_names_its_limits(self, tmp_path: Path) -> None:
        options = BrokerOptions(maximum_packet_size=5000, receive_maximum=3)
        with self.make(tmp_path / "broker", options) as broker:
            client = self.client(broker, "5", "gateway")
            connected = client.connect()
            assert (connected.maximum_packet_size, connected.receive_maximum) == (5000, 3)
            client.leave()

    def test_keeps_sessions_and_queues_over_a_restart(self, broker: Broker) -> None:
        receiver = self.client(broker, "5", "platform")
        receiver.connect()
        receiver.subscribe("nev/v1/+/up/live")
        receiver.leave()
        sender = self.client(broker, "5", "gateway")
        sender.connect()
        sender.publish("nev/v1/car/up/live", b"kept")
        sender.leave()
        broker.restart()
        assert receiver.connect().session_present
        assert receiver.arrived().payload == b"kept"
        receiver.leave()

    def test_asks_for_a_client_certificate(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path, wall_ns=time.time_ns())
        options = BrokerOptions(tls=authority.server(), client_ca=authority.certificate)
        pair = authority.client("gateway")
        with self.make(tmp_path / "broker", options) as broker:
            bare = TlsSettings(ca_file=authority.certificate)
            client = Client(MqttSettings("localhost", broker.port(), "gateway", tls=bare))
            client.link.connect()
            client.until(Refused)
            full = TlsSettings(ca_file=authority.certificate, certificate=pair.certificate, key=pair.key)
            client = Client(MqttSettings("localhost", broker.port(), "gateway", tls=full))
            client.connect()
            client.leave()
