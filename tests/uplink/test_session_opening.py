"""A connection opens: what is asked of the broker before anything is sent."""

from __future__ import annotations

from edge.uplink.events import (
    Connect,
    Connected,
    Disconnect,
    Disconnected,
    Publish,
    Subscribe,
    Subscribed,
    Tick,
)
from edge.uplink.outgoing import Kind
from edge.uplink.reasons import STOPPED
from edge.uplink.settings import SessionSettings
from tests.uplink.road import TOPICS, message
from tests.uplink.table import Table, kinds


class TestOpening:
    def test_connects_at_once_and_subscribes_before_it_publishes(self) -> None:
        table = Table()
        table.outbox.put(message(Kind.ALARM, 1))
        assert kinds(table.tell(Tick())) == [Connect]
        assert table.tell(Connected(session_present=False))[0] == Subscribe(TOPICS.receipt)
        assert not table.published()
        table.tell(Subscribed(TOPICS.receipt, 1))
        assert [(each.topic, each.retain) for each in table.published()] == [
            (TOPICS.status, True),
            (TOPICS.up(Kind.ALARM), False),
        ]
        assert table.published()[0].payload == b"online"
        assert table.told() == ["broker.example:8883: connected, MQTT 5"]

    def test_puback_destinations_need_no_subscription(self) -> None:
        table = Table(SessionSettings(acknowledge="puback"))
        table.tell(Tick())
        assert kinds(table.tell(Connected(session_present=False))) == [Publish]

    def test_a_refused_subscription_ends_the_session(self) -> None:
        table = Table(SessionSettings(where="b:1"))
        table.tell(Tick())
        table.tell(Connected(session_present=False))
        assert kinds(table.tell(Subscribed(TOPICS.receipt, 0x87))) == [Disconnect]
        table.tell(Disconnected(STOPPED))
        (told,) = table.told()
        assert told == (
            "b:1: this gateway may not subscribe to nev/v1/LNVTEST0000000001/down/receipt, so no receipt can "
            'reach it. Have the broker\'s access list allow it, or set uplink.acknowledge = "puback"'
        )

    def test_an_unanswered_subscription_ends_the_session(self) -> None:
        table = Table()
        table.tell(Tick())
        table.tell(Connected(session_present=False))
        assert table.wake_s() == 60
        assert kinds(table.tell(Tick(), after_s=60)) == [Disconnect]

    def test_a_broker_without_qos_1_is_of_no_use(self) -> None:
        table = Table()
        table.tell(Tick())
        assert kinds(table.tell(Connected(session_present=False, maximum_qos=0))) == [Disconnect]

    def test_a_broker_without_retained_messages_gets_no_status(self) -> None:
        table = Table()
        table.online(Connected(session_present=False, retain_available=False), answer_status=False)
        assert not table.published(TOPICS.status)
        assert "the broker keeps no retained messages" in table.told()[-1]
