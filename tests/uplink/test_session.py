"""The session's rules one by one: an event in, the actions out."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from edge.clock import NS_PER_S
from edge.uplink.events import (
    Action,
    Connect,
    Connected,
    Disconnect,
    Disconnected,
    Event,
    Notice,
    Puback,
    Publish,
    ReceiptArrived,
    Refused,
    Stop,
    Subscribe,
    Subscribed,
    Tick,
    WakeAt,
)
from edge.uplink.outbox import MemoryOutbox, Progress
from edge.uplink.outgoing import Kind, Outgoing
from edge.uplink.reasons import CONNECTION_LOST, STOPPED, close_reason
from edge.uplink.session import Phase, Session
from edge.uplink.settings import SessionSettings
from edge.wire.receipt import NumberRange, Receipt
from tests.uplink.road import STREAM, TOPICS, message, status

SUCCESS = 0


class Table:
    """A session at which a test plays the link and the clock."""

    def __init__(self, settings: SessionSettings | None = None, *, max_messages: int = 100) -> None:
        self.outbox = MemoryOutbox(max_messages=max_messages, max_bytes=10_000_000)
        self.session = Session(
            settings or SessionSettings(where="broker.example:8883"),
            TOPICS,
            self.outbox,
            rng=random.Random(1),  # noqa: S311 - a seed must replay the run
            make_status=status,
        )
        self.now_s = 0.0
        self.actions: list[Action] = []
        self.tokens: list[int] = []

    def tell(self, event: Event, after_s: float = 0.0) -> list[Action]:
        self.now_s += after_s
        self.actions = self.session.handle(event, round(self.now_s * NS_PER_S))
        self.tokens += [each.token for each in self.published() if each.topic != TOPICS.status]
        return self.actions

    def online(self, connected: Connected | None = None, *, answer_status: bool = True) -> list[Action]:
        """Bring it to the state in which it sends, and hand out what it does first."""
        self.tell(Tick())
        self.tell(connected or Connected(session_present=False))
        if self.session.phase is Phase.SUBSCRIBING:
            self.tell(Subscribed(TOPICS.receipt, 1))
        if not answer_status:
            return self.actions
        return self.tell(Puback(self.published(TOPICS.status)[0].token))

    def put(self, *messages: Outgoing) -> list[Action]:
        for each in messages:
            self.outbox.put(each)
        return self.tell(Tick())

    def published(self, topic: str | None = None) -> list[Publish]:
        found = [action for action in self.actions if isinstance(action, Publish)]
        return [each for each in found if topic in {None, each.topic}]

    def told(self) -> list[str]:
        return [action.text for action in self.actions if isinstance(action, Notice)]

    def wake_s(self) -> float:
        (wake,) = (action for action in self.actions if isinstance(action, WakeAt))
        return wake.t_ns / NS_PER_S

    def receipt(self, highest: int, *missing: tuple[int, int]) -> list[Action]:
        gaps = tuple(NumberRange(*gap) for gap in missing)
        watermark = gaps[0].first - 1 if gaps else highest
        return self.tell(ReceiptArrived(Receipt(STREAM, watermark, gaps, highest=highest)))

    def held(self) -> int:
        return self.outbox.counts().held.messages


def kinds(actions: list[Action]) -> list[type]:
    return [type(action) for action in actions if not isinstance(action, WakeAt | Notice)]


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


class TestOrder:
    def test_alarm_then_live_then_event_then_backlog(self) -> None:
        table = Table()
        table.online(answer_status=False)
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


ON_LIVE = TOPICS.up(Kind.LIVE)
KEPT = "messages wait here meanwhile"
NO_REASON = f"the broker did not take a message on {ON_LIVE} and does not say why. See the broker's log"
PUBACK_TABLE = {
    0x10: (
        1,
        (
            f"nobody is subscribed to {ON_LIVE}, so the broker threw the message away. "
            f"Start the platform, or have it subscribe; {KEPT}"
        ),
    ),
    0x80: (1, NO_REASON),
    0x83: (
        1,
        f"the broker did not take a message on {ON_LIVE} for a reason of its own. See the broker's log",
    ),
    0x87: (
        1,
        f"this gateway may not publish on {ON_LIVE}. Have the broker's access list allow it; {KEPT}",
    ),
    0x90: (
        1,
        (
            f"the broker does not accept the topic name {ON_LIVE}. "
            f"Have the broker's rules allow it, or change vehicle.pseudonym; {KEPT}"
        ),
    ),
    0x95: (
        0,
        (
            f"the broker found a message on {ON_LIVE} too large. "
            "Shorten sampling.uplink_period_s, or have the broker's limit raised"
        ),
    ),
    0x97: (1, f"the broker's quota for this gateway is used up. Have the quota raised; {KEPT}"),
    0x99: (
        0,
        (
            f"the broker found the payload of a message on {ON_LIVE} invalid. "
            "Have the broker's payload check accept CBOR"
        ),
    ),
    0xEE: (1, NO_REASON),
}


class TestReasonCodes:
    @pytest.mark.parametrize("code", PUBACK_TABLE, ids=hex)
    def test_of_puback(self, code: int) -> None:
        held, words = PUBACK_TABLE[code]
        table = Table()
        table.online()
        table.put(message(Kind.LIVE, 1))
        table.tell(Puback(table.published()[0].token, code))
        assert table.told() == [f"broker.example:8883: {words}"]
        assert table.held() == held
        assert not table.published()
        table.tell(Tick(), after_s=5)
        assert len(table.published()) == held

    def test_packet_identifier_in_use_is_repeated_at_once(self) -> None:
        table = Table()
        table.online()
        table.put(message(Kind.LIVE, 1))
        table.tell(Puback(table.published()[0].token, 0x91))
        assert len(table.published()) == 1
        assert table.told() == []

    @pytest.mark.parametrize(("code", "alarms"), [(0x87, 1), (0x97, 0)])
    def test_a_pause_is_of_the_topic_or_of_all(self, code: int, alarms: int) -> None:
        table = Table()
        table.online()
        table.put(message(Kind.LIVE, 1))
        table.tell(Puback(table.published()[0].token, code))
        table.put(message(Kind.ALARM, 2))
        assert len(table.published()) == alarms

    def test_pauses_grow_and_end_with_success(self) -> None:
        table = Table(SessionSettings(where="broker.example:8883", settled_after_s=1e6))
        table.online()
        table.put(message(Kind.LIVE, 1))
        pauses = []
        for _ in range(6):
            table.tell(Puback(table.published()[0].token, 0x97))
            pauses.append(table.wake_s() - table.now_s)
            table.tell(Tick(), after_s=pauses[-1])
        assert all(
            low <= pause <= 2 * low for low, pause in zip((2.5, 5, 10, 20, 30, 30), pauses, strict=True)
        )
        table.tell(Puback(table.published()[0].token, SUCCESS))
        assert table.told() == ["broker.example:8883: connected again, MQTT 5"]

    @pytest.mark.parametrize(
        ("code", "least_s", "most_s"),
        [(0x88, 0.5, 1), (0x8B, 0.5, 1), (0x89, 15, 30), (0x86, 15, 30), (0x9C, 15, 30), (0x9D, 15, 30)],
    )
    def test_of_connack_set_the_pace(self, code: int, least_s: float, most_s: float) -> None:
        table = Table()
        table.tell(Tick())
        table.tell(Refused(close_reason(code)))
        assert least_s <= table.wake_s() <= most_s

    def test_another_server_is_named_and_not_followed(self) -> None:
        table = Table()
        table.tell(Tick())
        table.tell(Refused(close_reason(0x9C)))
        (told,) = table.told()
        assert told == (
            "broker.example:8883: the broker asks to use another server for now; nevgate connects only to "
            "the host that is configured. If you trust that server, set uplink.host to it"
        )
        assert kinds(table.tell(Tick(), after_s=30)) == [Connect]

    def test_too_much_in_flight_narrows_the_window(self) -> None:
        table = Table(SessionSettings(in_flight=8))
        table.online()
        table.tell(Disconnected(close_reason(0x93)))
        table.now_s += 2
        table.online(Connected(session_present=True))
        table.put(*(message(Kind.ALARM, number) for number in range(1, 20)))
        assert len(table.published()) == 4


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
        table.put(
            message(Kind.BACKLOG, 1, size=4097),
            message(Kind.BACKLOG, 2, size=4096),
            message(Kind.BACKLOG, 3),
        )
        (sent,) = table.published()
        assert len(sent.payload) == 4096
        table.tell(Puback(sent.token))
        assert not table.published()
        table.put(message(Kind.LIVE, 4))
        assert len(table.published()) == 1
        table.receipt(2)
        assert len(table.published()) == 1


class TestReconnecting:
    def test_pauses_double_up_to_the_cap_with_a_random_part(self) -> None:
        table = Table()
        table.tell(Tick())
        pauses = []
        for _ in range(9):
            table.tell(Refused(CONNECTION_LOST))
            pauses.append(table.wake_s() - table.now_s)
            assert kinds(table.tell(Tick(), after_s=pauses[-1])) == [Connect]
        for step, pause in zip((1, 2, 4, 8, 16, 32, 60, 60, 60), pauses, strict=True):
            assert step / 2 <= pause <= step
        assert len(set(pauses[-3:])) == 3

    def test_a_reason_is_told_once_until_it_changes(self) -> None:
        table = Table()
        table.tell(Tick())
        told = []
        for code in (0x88, 0x88, 0x86, 0x86, 0x88):
            table.tell(Refused(close_reason(code)))
            told += table.told()
            table.tell(Tick(), after_s=600)
        out_of_service = "broker.example:8883: the broker is there, but not in service"
        refused = (
            "broker.example:8883: the broker does not accept this user name or password. "
            "Check uplink.username and the file uplink.password_file"
        )
        assert told == [out_of_service, refused, out_of_service]

    def test_a_flapping_connection_neither_chatters_nor_hurries(self) -> None:
        table = Table()
        told: list[str] = []
        waits = []
        for _ in range(6):
            table.tell(Tick(), after_s=100)
            table.tell(Connected(session_present=True))
            table.tell(Disconnected(CONNECTION_LOST))
            told += table.told()
            waits.append(table.wake_s() - table.now_s)
        assert len(told) == 1
        assert waits[-1] > 8

    def test_a_useful_connection_begins_anew(self) -> None:
        table = Table()
        table.tell(Tick())
        for _ in range(6):
            table.tell(Refused(CONNECTION_LOST))
            table.tell(Tick(), after_s=60)
        table.online()
        table.put(message(Kind.LIVE, 1))
        table.tell(Puback(table.published()[0].token))
        assert table.told() == ["broker.example:8883: connected again, MQTT 5"]
        table.tell(Disconnected(CONNECTION_LOST))
        assert table.wake_s() - table.now_s <= 1

    def test_silence_on_a_standing_connection_ends_it(self) -> None:
        table = Table()
        table.online()
        table.put(message(Kind.LIVE, 1))
        assert kinds(table.tell(Tick(), after_s=59)) == []
        assert kinds(table.tell(Tick(), after_s=1)) == [Disconnect]
        table.tell(Disconnected(STOPPED))
        (told,) = table.told()
        assert told == (
            "broker.example:8883: the broker has acknowledged nothing for too long, "
            "though the connection stands"
        )

    def test_a_message_that_breaks_connections_is_found_and_set_aside_alone(self) -> None:
        table = Table(SessionSettings(where="b:1", acknowledge="puback"))
        table.put(*(message(Kind.LIVE, number) for number in range(1, 6)))
        told: list[str] = []
        for _ in range(30):
            table.tell(Tick(), after_s=600)
            told += table.told()
            if table.session.phase is not Phase.CONNECTING:
                break
            table.tell(Connected(session_present=True))
            for _ in range(20):
                waiting = table.published()
                if not waiting:
                    break
                if any(each.payload.startswith(b"LIVE 3 3") for each in waiting):
                    table.tell(Disconnected(CONNECTION_LOST))
                    break
                answers = [action for each in waiting for action in table.tell(Puback(each.token))]
                table.actions = answers
            told += table.told()
        counts = table.outbox.counts()
        assert counts.lost["the connection broke each time it was sent"].messages == 1
        (named,) = [text for text in told if "gave a message up" in text]
        assert named == (
            "b:1: gave a message up (numbers 3 to 3, 50 bytes on nev/v1/LNVTEST0000000001/up/live): "
            "8 times in a row the connection broke while it was sent. See the broker's log and its limits"
        )

    def test_a_suspect_is_sent_alone(self) -> None:
        table = Table()
        table.put(message(Kind.LIVE, 1))
        for _ in range(2):
            table.tell(Tick(), after_s=600)
            table.online(Connected(session_present=True), answer_status=False)
            table.tell(Disconnected(CONNECTION_LOST))
        table.outbox.put(message(Kind.ALARM, 2))
        table.now_s += 600
        table.online(Connected(session_present=True))
        assert not table.published(TOPICS.up(Kind.LIVE))
        table.now_s += 1
        table.put(message(Kind.ALARM, 3))
        assert [each.topic for each in table.published()] == [TOPICS.up(Kind.ALARM)]
        table.tell(Puback(table.tokens[-2]))
        table.tell(Puback(table.tokens[-1]))
        assert [each.payload[:8] for each in table.published()] == [b"LIVE 1 1"]
        table.put(message(Kind.ALARM, 4))
        assert not table.published()

    def test_a_named_culprit_alone_in_flight_is_set_aside_at_once(self) -> None:
        table = Table()
        table.online()
        table.put(message(Kind.LIVE, 1))
        table.tell(Disconnected(close_reason(0x95)))
        assert table.outbox.counts().lost["the connection broke each time it was sent"].messages == 1


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
