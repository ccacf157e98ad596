"""What lets go of a message, and what has it sent again."""

from __future__ import annotations

from edge.uplink.events import (
    Connected,
    Disconnected,
    Puback,
    ReceiptArrived,
    Subscribed,
    Tick,
)
from edge.uplink.outbox import Progress
from edge.uplink.outgoing import Kind, Outgoing
from edge.uplink.reasons import CONNECTION_LOST
from edge.uplink.settings import SessionSettings
from edge.wire.receipt import Receipt
from tests.uplink.road import TOPICS, message
from tests.uplink.table import Table

SUCCESS = 0


class TestAcknowledgement:
    def test_puback_lets_go_where_the_destination_says_so(self) -> None:
        table = Table(SessionSettings(acknowledge="puback"))
        table.online()
        table.put(message(Kind.LIVE, 1))
        table.tell(Puback(table.published()[0].token, SUCCESS))
        assert table.held() == 0

    def test_with_receipts_puback_lets_go_only_of_what_has_no_numbers(self) -> None:
        table = Table()
        table.online()
        table.put(message(Kind.LIVE, 1), Outgoing(Kind.LIVE, TOPICS.up(Kind.LIVE), b"no numbers"))
        for each in table.published():
            table.tell(Puback(each.token))
        assert table.outbox.progress() == {Progress.HANDED_OVER: 1}
        table.receipt(1)
        assert table.held() == 0

    def test_a_receipt_of_another_stream_says_nothing(self) -> None:
        table = Table()
        table.online()
        table.put(message(Kind.LIVE, 1))
        table.tell(ReceiptArrived(Receipt(bytes(16), 1)))
        assert table.held() == 1

    def test_only_whole_messages_are_let_go(self) -> None:
        table = Table()
        table.online()
        table.put(message(Kind.LIVE, 1, 10), message(Kind.LIVE, 11, 20), message(Kind.LIVE, 21, 30))
        for each in table.published():
            table.tell(Puback(each.token))
        table.receipt(25)
        assert table.held() == 1
        table.receipt(30)
        assert table.held() == 0

    def test_what_a_receipt_misses_is_sent_again_with_the_same_bytes(self) -> None:
        table = Table()
        table.online()
        table.put(*(message(Kind.LIVE, number) for number in (1, 2, 3)))
        sent = table.published()
        for each in sent:
            table.tell(Puback(each.token))
        table.now_s += 10
        table.receipt(3, (2, 2))
        assert [each.payload for each in table.published()] == [sent[1].payload]
        assert table.published()[0].token not in {each.token for each in sent}
        assert table.held() == 1

    def test_a_receipt_that_crossed_the_message_causes_no_storm(self) -> None:
        table = Table()
        table.online()
        table.put(message(Kind.LIVE, 1), message(Kind.LIVE, 2))
        sent = table.published()
        table.receipt(2, (1, 1))
        assert not table.published()
        table.tell(Puback(sent[0].token))
        table.receipt(2, (1, 1))
        assert not table.published()
        table.tell(Tick(), after_s=5)
        assert [each.payload for each in table.published()] == [sent[0].payload]

    def test_a_receipt_before_the_puback_lets_go_and_frees_the_slot_later(self) -> None:
        table = Table(SessionSettings(in_flight=1))
        table.online()
        table.put(message(Kind.LIVE, 1), message(Kind.LIVE, 2))
        (first,) = table.published()
        table.receipt(1)
        assert table.held() == 1
        assert not table.published()
        table.tell(Puback(first.token))
        assert len(table.published()) == 1

    def test_without_a_receipt_the_oldest_is_repeated_after_a_while(self) -> None:
        table = Table()
        table.online()
        table.put(message(Kind.LIVE, 1), message(Kind.LIVE, 2))
        sent = table.published()
        for each in sent:
            table.tell(Puback(each.token))
        table.tell(Tick(), after_s=60)
        assert [each.payload for each in table.published()] == [sent[0].payload]

    def test_when_the_platform_speaks_everything_overdue_is_repeated(self) -> None:
        table = Table()
        table.online()
        table.put(*(message(Kind.LIVE, number) for number in (1, 2, 3)))
        for each in table.published():
            table.tell(Puback(each.token))
        table.tell(Tick(), after_s=60)
        (probe,) = table.published()
        table.tell(Puback(probe.token))
        table.receipt(1)
        assert [each.payload[:8] for each in table.published()] == [b"LIVE 2 2", b"LIVE 3 3"]

    def test_a_broker_that_forgot_the_session_gets_everything_again(self) -> None:
        for present, again in ((True, 0), (False, 2)):
            table = Table()
            table.online()
            table.put(message(Kind.LIVE, 1), message(Kind.LIVE, 2))
            for each in table.published():
                table.tell(Puback(each.token))
            table.tell(Disconnected(CONNECTION_LOST))
            table.tell(Tick(), after_s=2)
            table.tell(Connected(session_present=present))
            table.tell(Subscribed(TOPICS.receipt, 1))
            assert len(table.published(TOPICS.up(Kind.LIVE))) == again

    def test_a_repeat_that_was_given_up_meanwhile_is_passed_over(self) -> None:
        table = Table(max_messages=1)
        table.online()
        table.put(message(Kind.LIVE, 1))
        table.tell(Disconnected(CONNECTION_LOST))
        table.outbox.put(message(Kind.LIVE, 2))
        table.now_s += 2
        table.online(Connected(session_present=True), answer_status=False)
        assert [each.payload[:8] for each in table.published()[1:]] == [b"LIVE 2 2"]
        table.receipt(1)
        table.receipt(2)
        assert table.held() == 0

    def test_an_acknowledgement_after_giving_up_is_a_fact_only(self) -> None:
        table = Table(max_messages=1)
        table.online()
        table.put(message(Kind.LIVE, 1))
        (sent,) = table.published()
        table.outbox.put(message(Kind.LIVE, 2))
        table.tell(Puback(sent.token))
        table.receipt(1)
        assert table.session.facts()["acknowledged after being given up"] == 1
        assert table.outbox.counts().acknowledged.messages == 0
