"""The platform at a real broker: nothing is lost by its absence, the broker's restart, or a kill."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.clock import SystemClock
from edge.errors import UplinkError
from edge.uplink.mqtt import MqttLink
from edge.uplink.mqtt_settings import MqttSettings
from edge.uplink.mqtt_uplink import MqttUplink
from edge.uplink.outbox import MemoryOutbox
from edge.uplink.outgoing import Kind, Outgoing
from edge.uplink.session import Session
from edge.uplink.settings import SessionSettings
from edge.uplink.tls import TlsSettings, tls_context
from edge.wire.cose import Role, Verifier
from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from edge.wire.receipt import Receipt
from edge.wire.receipt import decode as decode_receipt
from simulator.broker import (
    LOOPBACK,
    Broker,
    BrokerOptions,
    EmbeddedBroker,
    MosquittoBroker,
    find_mosquitto,
    free_ports,
)
from simulator.certificates import Authority
from simulator.platform.assembly import open_platform
from simulator.platform.reader import StoreReader
from simulator.platform.serve import BrokerAccess, PlatformService
from simulator.platform.view import vehicle_rows
from tests.simulator.platform_rig import PLATFORM_KEY, STREAM, VEHICLE, VEHICLE_KEY, Vehicle

PATIENCE_S = 40.0
KEYS = {VEHICLE: [VEHICLE_KEY.public]}


class Gateway:
    """A vehicle's client: publishes signed messages, gathers receipts."""

    def __init__(self, port: int, platform_key: SigningKey = PLATFORM_KEY) -> None:
        self.vehicle = Vehicle()
        self._verifier = Verifier({VEHICLE: [platform_key.public]})
        self._changed = threading.Condition()
        self._receipts: list[Receipt] = []
        self._ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=VEHICLE, protocol=mqtt.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.on_disconnect = lambda *_: self._ready.clear()
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(LOOPBACK, port)
        self._client.loop_start()
        self.wait_connected()

    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: Any,  # noqa: ANN401 - paho's
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        del userdata, flags, reason, properties
        client.subscribe(self.vehicle.topics.receipt, qos=1)

    def _on_message(self, client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:  # noqa: ANN401 - paho's
        del client, userdata
        verified = self._verifier.verify(bytes(message.payload), vehicle=VEHICLE, role=Role.DOWN)
        with self._changed:
            self._receipts.append(decode_receipt(verified.payload))
            self._changed.notify_all()

    def wait_connected(self) -> None:
        """Wait until the connection and the subscription stand."""
        assert self._ready.wait(PATIENCE_S)

    def publish(self, first: int, last: int) -> None:
        """Publish records one by one; returns once the broker has them."""
        sent = [
            self._client.publish(self.vehicle.topic(), self.vehicle.numbers(number, number), qos=1)
            for number in range(first, last + 1)
        ]
        for info in sent:
            info.wait_for_publish(PATIENCE_S)
            assert info.is_published()

    def publish_bytes(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE_S)

    def wait_for(self, watermark: int) -> Receipt:
        """Wait for a receipt up to `watermark`."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: self.watermark >= watermark, PATIENCE_S)
            assert arrived, f"receipts up to {self.watermark} only, not {watermark}"
            return self._receipts[-1]

    @property
    def watermark(self) -> int:
        return max((receipt.watermark for receipt in self._receipts), default=0)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextlib.contextmanager
def serving(port: int, store: Path) -> Iterator[PlatformService]:
    """A platform at work."""
    with (
        open_platform(keys=KEYS, store=store, key=PLATFORM_KEY, receipt_interval_s=0.05) as platform,
        PlatformService(platform, BrokerAccess(LOOPBACK, port)) as service,
    ):
        service.wait_ready(PATIENCE_S)
        yield service


class AtABroker(ABC):
    """What holds at every broker."""

    @abstractmethod
    def make_broker(self, folder: Path) -> Broker:
        """A broker, not yet started."""

    @pytest.fixture
    def broker(self, tmp_path: Path) -> Iterator[Broker]:
        with self.make_broker(tmp_path / "broker") as broker:
            yield broker

    @pytest.fixture
    def gateway(self, broker: Broker) -> Iterator[Gateway]:
        made = Gateway(broker.port())
        yield made
        made.close()

    def test_what_is_published_is_stored_and_acknowledged(
        self, broker: Broker, gateway: Gateway, tmp_path: Path
    ) -> None:
        with serving(broker.port(), tmp_path / "platform.db") as service:
            gateway.publish_bytes(gateway.vehicle.topic(), b"no message")
            gateway.publish(1, 300)
            receipt = gateway.wait_for(300)
        assert (receipt.stream, receipt.missing) == (STREAM, ())
        messages, records = service.hops()
        assert (messages.entered, messages.left, messages.set_aside) == (301, 300, {"unsigned": 1})
        assert (records.entered, records.left, records.balanced) == (300, 300, True)
        with StoreReader(tmp_path / "platform.db") as reader:
            assert [entry.record.number for entry in reader.records()] == list(range(1, 301))

    def test_the_gateways_own_uplink_gets_everything_acknowledged(
        self, broker: Broker, tmp_path: Path
    ) -> None:
        vehicle, verifier = Vehicle(), Verifier({VEHICLE: [PLATFORM_KEY.public]})
        store = MemoryOutbox(max_messages=100, max_bytes=10_000_000)
        uplink = MqttUplink(
            session=Session(
                SessionSettings(),
                vehicle.topics,
                store,
                rng=random.Random(1),  # noqa: S311 - jitter of a test
                make_status=lambda online: vehicle.status(online=online),
            ),
            link=MqttLink(MqttSettings(LOOPBACK, broker.port(), VEHICLE, tls=None)),
            store=store,
            clock=SystemClock(),
            read_receipt=lambda payload: decode_receipt(
                verifier.verify(payload, vehicle=VEHICLE, role=Role.DOWN).payload
            ),
        )
        for first in range(1, 201, 10):
            signed = vehicle.numbers(first, first + 9)
            uplink.put(Outgoing(Kind.LIVE, vehicle.topic(), signed, STREAM, first, first + 9, 10))
        with serving(broker.port(), tmp_path / "platform.db") as service:
            uplink.start()
            assert uplink.stop(PATIENCE_S)
            acknowledged = uplink.hops()[1]
        assert (acknowledged.left, service.hops()[1].left) == (200, 200)
        (row,) = service.look(vehicle_rows)
        assert (row.vehicle, row.records, row.watermark, row.missing) == (VEHICLE, 200, 200, 0)

    def test_messages_wait_at_the_broker_while_the_platform_is_away(
        self, broker: Broker, gateway: Gateway, tmp_path: Path
    ) -> None:
        with serving(broker.port(), tmp_path / "platform.db"):
            gateway.publish(1, 5)
            gateway.wait_for(5)
        gateway.publish(6, 50)
        with serving(broker.port(), tmp_path / "platform.db") as service:
            assert gateway.wait_for(50).missing == ()
        assert service.hops()[1].left == 45

    def test_nothing_receipted_is_lost_by_a_kill_and_nothing_sent_either(
        self, broker: Broker, tmp_path: Path
    ) -> None:
        store = tmp_path / "platform.db"
        keys = tmp_path / "keys"
        keys.mkdir()
        (keys / f"{VEHICLE}.pub.pem").write_bytes(VEHICLE_KEY.public.pem)
        write_signing_key(tmp_path / "platform.pem", PLATFORM_KEY)
        gateway = Gateway(broker.port())
        flood = threading.Thread(target=gateway.publish, args=(1, 400), daemon=True)
        with self.program(broker, keys, store) as process:
            self.wait_for_line(process)
            flood.start()
            gateway.wait_for(20)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(PATIENCE_S)
        receipted = gateway.watermark
        with StoreReader(store) as reader:
            assert reader.fault() is None
            (stream,) = reader.streams()
            assert stream.sequence.watermark >= receipted
            numbers = [entry.record.number for entry in reader.records()]
            assert set(numbers) >= set(range(1, receipted + 1))
            assert len(numbers) == stream.records == stream.sequence.received.size
        with self.program(broker, keys, store) as process:
            self.wait_for_line(process)
            flood.join(PATIENCE_S)
            gateway.wait_for(400)
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 0, errors
        assert json.loads(out.splitlines()[-1])["summary"]["balanced"]
        with StoreReader(store) as reader:
            numbers = [entry.record.number for entry in reader.records()]
            assert sorted(numbers) == list(range(1, 401))
        gateway.close()

    def wait_for_line(self, process: subprocess.Popen[str]) -> None:
        """Wait until the program runs and says so."""
        assert process.stdout is not None
        assert "vehicles" in json.loads(process.stdout.readline())

    @contextlib.contextmanager
    def program(self, broker: Broker, keys: Path, store: Path) -> Iterator[subprocess.Popen[str]]:
        """`nevgate platform serve` as a process of its own."""
        command = [sys.executable, "-c", "from edge.cli.program import main; main()", "platform", "serve"]
        command += ["--broker", f"{LOOPBACK}:{broker.port()}", "--keys", str(keys), "--store", str(store)]
        command += ["--receipt-interval", "0.02"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


class TestAtTheEmbeddedBroker(AtABroker):
    """rumqttd, which forgets everything at its end."""

    def make_broker(self, folder: Path) -> Broker:
        pytest.importorskip("iotcore", reason="iotcore (nevgate[simulator]) is not installed")
        return EmbeddedBroker(folder)


class TestAtMosquitto(AtABroker):
    """Debian's Mosquitto, which keeps sessions over a restart."""

    def make_broker(self, folder: Path) -> Broker:
        if find_mosquitto() is None:
            pytest.skip("mosquitto is not installed")
        return MosquittoBroker(folder)

    def test_the_platform_comes_back_after_the_broker_did(
        self, broker: Broker, gateway: Gateway, tmp_path: Path
    ) -> None:
        with serving(broker.port(), tmp_path / "platform.db") as service:
            gateway.publish(1, 20)
            gateway.wait_for(20)
            broker.restart()
            gateway.wait_connected()
            gateway.publish(21, 40)
            assert gateway.wait_for(40).missing == ()
        assert service.hops()[1].left == 40


def test_tls_and_access_are_needed_and_what_is_wrong_is_named(tmp_path: Path) -> None:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    wall_ns = SystemClock().wall_ns()
    authority = Authority(tmp_path, wall_ns=wall_ns)
    stranger = Authority(tmp_path, wall_ns=wall_ns, name="stranger")
    options = BrokerOptions(tls=authority.server(), users={"platform": "right"})

    def wait(ca_file: Path, password: str, timeout_s: float = 2.0) -> None:
        access = BrokerAccess(
            LOOPBACK,
            broker.port(),
            username="platform",
            password=password,
            tls=tls_context(TlsSettings(ca_file)),
        )
        with (
            open_platform(keys=KEYS, store=tmp_path / "platform.db", key=PLATFORM_KEY) as platform,
            PlatformService(platform, access) as service,
        ):
            service.wait_ready(timeout_s)

    with MosquittoBroker(tmp_path / "broker", options) as broker:
        wait(authority.certificate, "right", PATIENCE_S)
        with pytest.raises(UplinkError, match="comes from no authority"):
            wait(stranger.certificate, "right")
        with pytest.raises(UplinkError, match="refuses the platform: Not authorized"):
            wait(authority.certificate, "wrong")


def test_a_broker_that_is_not_there_is_named(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with (
        open_platform(keys=KEYS, store=tmp_path / "platform.db", key=PLATFORM_KEY) as platform,
        PlatformService(platform, BrokerAccess(LOOPBACK, port)) as service,
        pytest.raises(UplinkError, match=rf"{port}: nothing listens"),
    ):
        service.wait_ready(2.0)
