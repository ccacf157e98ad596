"""What each reason code of the broker leads to: pauses, notices, messages set aside."""

from __future__ import annotations

import pytest

from edge.uplink.events import (
    Connect,
    Connected,
    Disconnected,
    Puback,
    Refused,
    Tick,
)
from edge.uplink.outgoing import Kind
from edge.uplink.reasons import close_reason
from edge.uplink.settings import SessionSettings
from tests.uplink.road import TOPICS, message
from tests.uplink.table import Table, kinds

SUCCESS = 0
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
