"""What goes first, how much may be in flight, and how large a message may be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.uplink.events import (
    Connected,
    Disconnected,
    Puback,
    Subscribed,
    Tick,
)
from edge.uplink.outgoing import Kind
from edge.uplink.reasons import CONNECTION_LOST
from edge.uplink.settings import SessionSettings
from tests.uplink.road import TOPICS, message
from tests.uplink.table import Table


class TestOrder:
    def test_alarm_then_live_then_event_then_backlog(self) -> None:
        table = Table()
        table.online()
        table.put(*(message(kind, number) for number, kind in enumerate(reversed(Kind), 1)))
        assert [each.topic for each in table.published()] == [TOPICS.up(kind) for kind in Kind]

    def test_one_slot_is_kept_for_alarms_and_half_from_backlog(self) -> None:
        table = Table(SessionSettings(in_flight=8))
        table.online()
        table.put(*(message(Kind.BACKLOG, number) for number in range(1, 21)))
        assert len(table.published()) == 4
        table.put(*(message(Kind.LIVE, number) for number in range(21, 41)))
        assert len(table.published()) == 3
        table.put(message(Kind.ALARM, 41), message(Kind.ALARM, 42))
        assert [each.topic for each in table.published()] == [TOPICS.up(Kind.ALARM)]

    @pytest.mark.parametrize(
        ("in_flight", "receive_maximum", "window"), [(20, 5, 5), (20, 100, 20), (3, 1, 1)]
    )
    def test_in_flight_obeys_receive_maximum(self, in_flight: int, receive_maximum: int, window: int) -> None:
        table = Table(SessionSettings(in_flight=in_flight))
        table.online(Connected(session_present=False, receive_maximum=receive_maximum))
        table.put(*(message(Kind.ALARM, number) for number in range(1, 40)))
        first = table.published()
        assert len(first) == window
        table.tell(Puback(first[0].token))
        assert len(table.published()) == 1

    def test_a_repeat_goes_before_what_is_newer(self) -> None:
        table = Table()
        table.online()
        table.put(message(Kind.LIVE, 1), message(Kind.LIVE, 2))
        sent = [each.payload for each in table.published()]
        table.tell(Disconnected(CONNECTION_LOST))
        table.outbox.put(message(Kind.LIVE, 3))
        table.tell(Tick(), after_s=60)
        table.tell(Connected(session_present=True))
        table.tell(Subscribed(TOPICS.receipt, 1))
        assert [each.payload for each in table.published(TOPICS.up(Kind.LIVE))][:2] == sent


class TestSizes:
    def test_what_the_broker_never_takes_is_set_aside_counted_and_named(self) -> None:
        table = Table()
        table.online(Connected(session_present=False, maximum_packet_size=200))
        table.put(message(Kind.LIVE, 1, 3, size=500), message(Kind.LIVE, 4, size=100))
        assert [each.payload[:8] for each in table.published()] == [b"LIVE 4 4"]
        (told,) = table.told()
        assert told == (
            "broker.example:8883: set a message aside (numbers 1 to 3, 500 bytes on "
            "nev/v1/LNVTEST0000000001/up/live): as a packet it has 540 bytes, and at most 200 may be sent. "
            "Shorten sampling.uplink_period_s, or have the broker's Maximum Packet Size raised"
        )
        assert table.outbox.counts().lost["larger than the largest packet that the broker takes"].records == 3

    @pytest.mark.parametrize("protocol", ["5", "3.1.1"])
    def test_the_largest_payload_fits_to_the_byte(self, protocol: str) -> None:
        table = Table()
        for limit in (150, 300, 20_000, 3_000_000):
            table = Table()
            table.online(Connected(session_present=False, maximum_packet_size=limit, protocol=protocol))
            largest = table.session.largest_payload(Kind.LIVE)
            assert largest is not None
            table.put(message(Kind.LIVE, 1, size=largest))
            assert len(table.published()) == 1

    def test_a_constrained_link_has_one_small_backlog_message_open(self) -> None:
        table = Table(replace(SessionSettings(), constrained=True))
        table.online()
        assert table.session.largest_payload(Kind.BACKLOG) == 4096
        table.put(message(Kind.BACKLOG, 1, size=4096), message(Kind.BACKLOG, 2))
        (sent,) = table.published()
        assert len(sent.payload) == 4096
        table.tell(Puback(sent.token))
        assert not table.published()
        table.put(message(Kind.LIVE, 3))
        assert len(table.published()) == 1
        table.receipt(1)
        assert len(table.published()) == 1

    def test_backlog_made_larger_than_the_link_now_has_room_for_goes_alone(self) -> None:
        table = Table(SessionSettings(acknowledge="puback"))
        table.online()
        table.put(
            message(Kind.BACKLOG, 1, size=50), message(Kind.BACKLOG, 2, size=60_000), message(Kind.BACKLOG, 3)
        )
        for size in (50, 60_000, 50):
            (sent,) = table.published(TOPICS.up(Kind.BACKLOG))
            assert len(sent.payload) == size
            table.tell(Puback(sent.token), after_s=0.6)
        assert table.held() == 0

    def test_event_messages_wait_for_room_on_the_link_before_backlog_does(self) -> None:
        table = Table(SessionSettings(acknowledge="puback"))
        table.online()
        table.put(message(Kind.BACKLOG, 1, size=4000))
        table.put(message(Kind.EVENT, 2, size=4000), message(Kind.BACKLOG, 3), message(Kind.ALARM, 4))
        assert [each.topic for each in table.published()] == [TOPICS.up(Kind.ALARM)]
        table.tell(Puback(table.tokens[0]), after_s=0.6)
        assert [each.topic for each in table.published()] == [TOPICS.up(Kind.EVENT)]
