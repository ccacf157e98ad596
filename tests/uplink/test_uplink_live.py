"""The uplink against a real broker that dies, and over a network that is cut, stalled and garbled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import pytest

from edge.uplink.mqtt_settings import MqttSettings
from edge.uplink.outgoing import Kind
from simulator.broker import BrokerOptions, EmbeddedBroker, MosquittoBroker
from simulator.faults import CutProxy
from tests.uplink.live import QUICK, LivePlatform, LiveUplink, mosquitto, until
from tests.uplink.road import TOPICS, message

COUNT = 120
LOST = (
    "{}: the connection was lost. Nothing is to be done while the vehicle is out of reach: it will connect "
    "again by itself"
)


def settings(port: int, protocol: Literal["5", "3.1.1"] = "5") -> MqttSettings:
    return MqttSettings("127.0.0.1", port, "gateway", protocol, tls=None)


def put(live: LiveUplink, first: int, last: int, *, size: int = 60) -> None:
    for number in range(first, last + 1):
        live.uplink.put(message(Kind.ALARM if number % 20 == 0 else Kind.LIVE, number, size=size))


def check_all_arrived(live: LiveUplink, platform: LivePlatform, count: int) -> None:
    assert platform.inner.seen == set(range(1, count + 1))
    for hop in live.uplink.hops():
        assert hop.balanced
        assert (hop.entered, hop.left, dict(hop.set_aside)) == (count, count, {})


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[MosquittoBroker]:
    with mosquitto(tmp_path / "broker") as broker:
        yield broker


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_everything_is_acknowledged_and_the_platform_sees_who_comes_and_goes(
    broker: MosquittoBroker, protocol: Literal["5", "3.1.1"]
) -> None:
    live = LiveUplink(settings(broker.port(), protocol))
    with LivePlatform(broker.port()) as platform:
        with live:
            put(live, 1, COUNT)
            until(live.empty, "the acknowledgement of everything")
        until(lambda: platform.statuses[-1:] == [b"offline"], "the farewell")
        assert platform.statuses[0] == b"online"
        check_all_arrived(live, platform, COUNT)
    where = f"127.0.0.1:{broker.port()}"
    assert live.told == [f"{where}: connected, MQTT {protocol}"]


def test_a_killed_broker_that_forgets_everything_loses_nothing(tmp_path: Path) -> None:
    pytest.importorskip("iotcore", reason="iotcore is not installed: pip install 'nevgate[simulator]'")
    with (
        EmbeddedBroker(tmp_path) as broker,
        LivePlatform(broker.port()) as platform,
        LiveUplink(settings(broker.port())) as live,
    ):
        put(live, 1, COUNT // 2)
        until(lambda: platform.has_seen(COUNT // 8), "the first arrivals")
        broker.kill()
        put(live, COUNT // 2 + 1, COUNT)
        broker.start()
        until(live.empty, "the acknowledgement of everything")
        check_all_arrived(live, platform, COUNT)


def test_a_killed_broker_loses_nothing(broker: MosquittoBroker) -> None:
    with LivePlatform(broker.port()) as platform, LiveUplink(settings(broker.port())) as live:
        put(live, 1, COUNT // 2)
        until(lambda: platform.has_seen(COUNT // 8), "the first arrivals")
        broker.kill()
        put(live, COUNT // 2 + 1, COUNT)
        until(lambda: any("nothing listens" in text for text in live.told), "the refusal")
        broker.start()
        until(live.empty, "the acknowledgement of everything")
        check_all_arrived(live, platform, COUNT)
        where = f"127.0.0.1:{broker.port()}"
        assert live.told == [
            f"{where}: connected, MQTT 5",
            LOST.format(where),
            f"{where}: nothing listens there. Check uplink.host and uplink.port, and whether the broker runs",
            f"{where}: connected again, MQTT 5",
        ]


class TestNetwork:
    def test_a_cut(self, broker: MosquittoBroker) -> None:
        with (
            CutProxy(broker.port()) as proxy,
            LivePlatform(broker.port()) as platform,
            LiveUplink(settings(proxy.port)) as live,
        ):
            put(live, 1, COUNT // 2)
            until(lambda: platform.has_seen(COUNT // 8), "the first arrivals")
            proxy.cut()
            put(live, COUNT // 2 + 1, COUNT)
            until(lambda: platform.statuses[-1:] == [b"offline"], "the last will")
            until(lambda: len(live.told) > 1, "the notice")
            proxy.mend()
            until(live.empty, "the acknowledgement of everything")
            check_all_arrived(live, platform, COUNT)
            assert proxy.connections >= 2

    def test_many_short_cuts(self, broker: MosquittoBroker) -> None:
        with (
            CutProxy(broker.port()) as proxy,
            LivePlatform(broker.port()) as platform,
            LiveUplink(settings(proxy.port)) as live,
        ):
            put(live, 1, COUNT)
            for arrived in (40, 60, 80, 100):
                until(partial(platform.has_seen, arrived), "progress")
                proxy.drop()
            until(live.empty, "the acknowledgement of everything")
            check_all_arrived(live, platform, COUNT)

    def test_a_stall_is_noticed_by_the_missing_acknowledgement(self, broker: MosquittoBroker) -> None:
        rules = replace(QUICK, puback_timeout_s=0.5)
        with (
            CutProxy(broker.port()) as proxy,
            LivePlatform(broker.port()) as platform,
            LiveUplink(settings(proxy.port), rules) as live,
        ):
            until(lambda: bool(live.told), "the connection")
            proxy.stall()
            put(live, 1, 20)
            until(lambda: len(live.told) > 1, "the notice")
            assert live.told[1] == (
                f"127.0.0.1:{proxy.port}: the broker has acknowledged nothing for too long, though the "
                "connection stands"
            )
            proxy.mend()
            until(live.empty, "the acknowledgement of everything")
            check_all_arrived(live, platform, 20)

    def test_garbled_bytes_end_the_connection_and_nothing_else(self, broker: MosquittoBroker) -> None:
        rules = replace(QUICK, puback_timeout_s=1)
        with (
            CutProxy(broker.port()) as proxy,
            LivePlatform(broker.port()) as platform,
            LiveUplink(settings(proxy.port), rules) as live,
        ):
            until(lambda: b"online" in platform.statuses, "the connection")
            proxy.corrupt()
            put(live, 1, 50)
            until(live.empty, "the acknowledgement of everything")
            check_all_arrived(live, platform, 50)
            assert proxy.connections >= 2

    @pytest.mark.parametrize("constrained", [True, False])
    def test_a_narrow_link_lets_an_alarm_pass_backlog(
        self, broker: MosquittoBroker, constrained: bool
    ) -> None:
        rules = replace(QUICK, constrained=constrained, receipt_timeout_s=60)
        with (
            CutProxy(broker.port()) as proxy,
            LivePlatform(broker.port()) as platform,
            LiveUplink(settings(proxy.port), rules) as live,
        ):
            until(lambda: b"online" in platform.statuses, "the connection")
            proxy.throttle(20_000)
            for number in range(1, 11):
                live.uplink.put(message(Kind.BACKLOG, number, size=4000))
            until(lambda: len(platform.inner.arrivals) >= 2, "the first backlog")
            live.uplink.put(message(Kind.ALARM, 11))
            until(lambda: 11 in platform.inner.seen, "the alarm")
            assert len(platform.inner.seen) < 8
            proxy.mend()
            until(live.empty, "the acknowledgement of everything")


class TestLimits:
    def test_receive_maximum_of_one(self, tmp_path: Path) -> None:
        with (
            mosquitto(tmp_path, BrokerOptions(receive_maximum=1)) as broker,
            LivePlatform(broker.port()) as platform,
            LiveUplink(settings(broker.port())) as live,
        ):
            put(live, 1, 50)
            until(live.empty, "the acknowledgement of everything")
            check_all_arrived(live, platform, 50)

    def test_a_small_maximum_packet_size(self, tmp_path: Path) -> None:
        with (
            mosquitto(tmp_path, BrokerOptions(maximum_packet_size=1000)) as broker,
            LivePlatform(broker.port()) as platform,
            LiveUplink(settings(broker.port())) as live,
        ):
            put(live, 1, 3)
            live.uplink.put(message(Kind.LIVE, 4, 6, size=1000))
            put(live, 7, 9)
            until(live.empty, "the end of everything")
            messages, records = live.uplink.hops()
            cause = "larger than the largest packet that the broker takes"
            assert (messages.left, dict(messages.set_aside)) == (6, {cause: 1})
            assert (records.left, dict(records.set_aside)) == (6, {cause: 3})
            assert platform.inner.seen == {1, 2, 3, 7, 8, 9}
            assert live.told[1] == (
                f"127.0.0.1:{broker.port()}: set a message aside (numbers 4 to 6, 1,000 bytes on "
                f"{TOPICS.up(Kind.LIVE)}): as a packet it has 1,040 bytes, and at most 1,000 may be sent. "
                "Shorten sampling.uplink_period_s, or have the broker's Maximum Packet Size raised"
            )

    def test_without_a_reason_code_the_oversized_message_is_found_too(self, tmp_path: Path) -> None:
        rules = replace(QUICK, give_up_after=3)
        with (
            mosquitto(tmp_path, BrokerOptions(maximum_packet_size=1000)) as broker,
            LivePlatform(broker.port()) as platform,
            LiveUplink(settings(broker.port(), "3.1.1"), rules) as live,
        ):
            put(live, 1, 3)
            live.uplink.put(message(Kind.LIVE, 4, size=1000))
            put(live, 5, 9)
            until(live.empty, "the end of everything")
            (messages, _) = live.uplink.hops()
            assert dict(messages.set_aside) == {"the connection broke each time it was sent": 1}
            assert platform.inner.seen == {1, 2, 3, 5, 6, 7, 8, 9}

    def test_a_topic_that_may_not_be_published_on_waits(self, tmp_path: Path) -> None:
        access = ["topic readwrite nev/v1/+/status", "topic readwrite nev/v1/+/down/#", "topic read #"]
        with (
            mosquitto(tmp_path, BrokerOptions(access=access)) as broker,
            LivePlatform(broker.port()),
            LiveUplink(settings(broker.port())) as live,
        ):
            put(live, 1, 1)
            until(lambda: len(live.told) > 1, "the notice")
            assert live.told[1] == (
                f"127.0.0.1:{broker.port()}: this gateway may not publish on {TOPICS.up(Kind.LIVE)}. Have "
                "the broker's access list allow it; messages wait here meanwhile"
            )
            assert not live.empty()
