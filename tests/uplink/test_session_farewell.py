"""A session ends: what is still sent, the farewell, and for how long."""

from __future__ import annotations

from edge.clock import NS_PER_S
from edge.uplink.events import (
    Disconnect,
    Disconnected,
    Puback,
    Refused,
    Stop,
    Tick,
)
from edge.uplink.outgoing import Kind
from edge.uplink.reasons import CONNECTION_LOST, STOPPED
from tests.uplink.road import TOPICS, message
from tests.uplink.table import Table


class TestStopping:
    def test_says_goodbye_and_needs_no_last_will(self) -> None:
        table = Table()
        table.online()
        table.tell(Stop(10**12))
        (farewell,) = table.published()
        assert (farewell.topic, farewell.payload, farewell.retain) == (TOPICS.status, b"offline", True)
        assert Disconnect(with_will=False) in table.tell(Puback(farewell.token))
        table.tell(Disconnected(STOPPED))
        assert table.session.done
        assert table.told() == []

    def test_first_sends_what_waits(self) -> None:
        table = Table()
        table.online()
        table.outbox.put(message(Kind.LIVE, 1))
        table.tell(Stop(100 * NS_PER_S))
        (sent,) = table.published()
        assert sent.topic == TOPICS.up(Kind.LIVE)
        table.tell(Puback(sent.token))
        assert not table.published()
        table.receipt(1)
        assert table.published()[0].payload == b"offline"

    def test_gives_what_waits_no_longer_than_the_deadline(self) -> None:
        table = Table()
        table.online()
        table.put(message(Kind.LIVE, 1))
        table.tell(Stop(10 * NS_PER_S))
        table.tell(Tick(), after_s=10)
        assert table.published()[0].payload == b"offline"
        assert Disconnect(with_will=True) in table.tell(Tick(), after_s=2)
        table.tell(Disconnected(STOPPED))
        assert table.session.done
        assert table.held() == 1

    def test_while_not_connected_it_tries_until_the_deadline(self) -> None:
        table = Table()
        table.tell(Tick())
        table.tell(Refused(CONNECTION_LOST))
        table.outbox.put(message(Kind.LIVE, 1))
        table.tell(Stop(10 * NS_PER_S))
        assert not table.session.done
        table.tell(Tick(), after_s=10)
        assert table.session.done

    def test_while_connecting_the_attempt_is_ended(self) -> None:
        table = Table()
        table.tell(Tick())
        assert Disconnect(with_will=True) in table.tell(Stop(0))
        table.tell(Refused(STOPPED))
        assert table.session.done
