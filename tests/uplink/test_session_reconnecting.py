"""Broken connections: pauses between attempts, notices, and messages that break them."""

from __future__ import annotations

from edge.uplink.events import (
    Connect,
    Connected,
    Disconnect,
    Disconnected,
    Puback,
    Refused,
    Tick,
)
from edge.uplink.outgoing import Kind
from edge.uplink.reasons import CONNECTION_LOST, STOPPED, close_reason
from edge.uplink.session import Phase
from edge.uplink.settings import SessionSettings
from tests.uplink.road import TOPICS, message
from tests.uplink.table import Table, kinds


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
