"""Commands of the operator: how they are written, sent, answered, and given up."""

from __future__ import annotations

import pytest

from edge.catalogue.item import Edition
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import Opaque, Values, read_message
from simulator.gbt.asks import Ask, parse_ask
from simulator.gbt.events import Answered, Unanswered
from simulator.gbt.settings import PlatformSettings
from tests.gbt.grammar import T_S, VIN
from tests.gbt_platform.rig import OTHER, Peer, Rig, command, logout, platform_login


@pytest.mark.parametrize(
    ("text", "ask"),
    [
        ("query 02 0x09", Ask(Command.QUERY, ids=(2, 9))),
        ("set 02=10 09=30", Ask(Command.SET, entries=((2, 10), (9, 30)))),
        ("set 05=a.example", Ask(Command.SET, entries=((4, 9), (5, b"a.example")))),
        ("set 04=9 05=a.example 06=80", Ask(Command.SET, entries=((4, 9), (5, b"a.example"), (6, 80)))),
        ("set 07=1.2", Ask(Command.SET, entries=((7, b"1.2\0\0"),))),
        ("control reset", Ask(Command.CONTROL, order=3)),
        ("control 06 0x03", Ask(Command.CONTROL, order=6, argument=b"\3")),
    ],
)
def test_commands_as_written(text: str, ask: Ask) -> None:
    assert parse_ask(text) == ask
    assert parse_ask(str(ask)) == ask


@pytest.mark.parametrize(
    "text",
    [
        *("", "query", "query 100", "query 00", "query FF", "say 1"),
        *("set 02", "set 02=x", "set 02=70000", "set 05=0xzz", "set 04=3 05=ab"),
        *("control", "control reset a b", "control 0x"),
    ],
)
def test_what_is_no_command(text: str) -> None:
    with pytest.raises(GbtError):
        parse_ask(text)


def ask(rig: Rig, peer: Peer, text: str) -> bytes:
    connection, data = rig.platform.ask(VIN, parse_ask(text), rig.now_ns)
    assert connection is peer.connection
    return data


@pytest.mark.parametrize("edition", list(Edition))
def test_a_query_is_answered_with_values(edition: Edition) -> None:
    rig = Rig()
    peer = rig.terminal(edition)
    rig.now_ns += 5 * 10**9
    said = read_message(ask(rig, peer, "query 02 09"))
    assert (said.command, said.response, said.vin) == (Command.QUERY, Response.COMMAND, VIN)
    assert said.content == Values("query", (time_bytes(T_S + 5), 2, (2, 9)))
    rig.now_ns += 2 * 10**9
    answer = Values("parameters", (time_bytes(T_S + 5), 2, ((2, 10), (9, 30))))
    assert peer.say(command(edition, Command.QUERY, answer, response=Response.SUCCESS)) == []
    expected = Answered(VIN.decode(), parse_ask("query 02 09"), 1, ((2, 10), (9, 30)), 2.0)
    assert peer.last == expected


def test_answers_find_what_was_asked_at_their_time() -> None:
    rig = Rig()
    peer = rig.terminal(Edition.Y2016)
    for text in ("set 02=10", "control reset", "set 02=20"):
        ask(rig, peer, text)
        rig.now_ns += 10**9
    answered = []
    for mark, at_s, flag in ((0x81, 2, 2), (0x82, 1, 1), (0x81, 0, 1)):
        content = Values("response", (time_bytes(T_S + at_s),))
        peer.say(command(Edition.Y2016, mark, content, response=flag))
        assert isinstance(peer.last, Answered)
        answered.append((str(peer.last.ask), peer.last.flag))
    assert answered == [("set 02=20", 2), ("control reset", 1), ("set 02=10", 1)]
    assert peer.say(command(Edition.Y2016, 0x81, Opaque(b"", "empty"), response=1)) == []
    assert rig.platform.hops()[0].set_aside["responses to nothing"] == 1


def test_what_is_not_answered_is_given_up() -> None:
    rig = Rig()
    peer = rig.terminal(Edition.Y2025)
    ask(rig, peer, "query 02")
    peer.wait(59)
    ask(rig, peer, "query 09")
    assert not [one for one in peer.events if isinstance(one, Unanswered)]
    peer.wait(1)
    assert peer.last == Unanswered(VIN.decode(), parse_ask("query 02"), "no answer in time")
    peer.say(logout(Edition.Y2025))
    gone = [one.ask for one in peer.events if isinstance(one, Unanswered)]
    assert gone == [parse_ask("query 02"), parse_ask("query 09")]


def test_who_cannot_be_asked() -> None:
    rig = Rig(settings=PlatformSettings(asks_most=1))
    with pytest.raises(GbtError, match="not logged in"):
        rig.platform.ask(VIN, parse_ask("query 02"), rig.now_ns)
    forwarding = rig.connect()
    forwarding.say(platform_login(Edition.Y2016))
    peer = rig.terminal(Edition.Y2025)
    with pytest.raises(GbtError, match="not logged in"):
        rig.platform.ask(OTHER, parse_ask("query 02"), rig.now_ns)
    with pytest.raises(GbtError, match="fit"):
        # 2025 has one byte for the report's period.
        ask(rig, peer, "set 02=600")
    ask(rig, peer, "query 02")
    with pytest.raises(GbtError, match="owed"):
        ask(rig, peer, "query 02")
