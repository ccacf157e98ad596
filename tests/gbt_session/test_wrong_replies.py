"""What a platform says wrongly, at the wrong time, or twice: counted, and nothing comes of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.catalogue.item import Edition
from edge.uplink.gbt.events import Received, Tick
from edge.uplink.gbt.options import AnswerTime
from edge.uplink.gbt.phases import TerminalPhase
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import Message, Opaque, Values, answer
from tests.gbt_platform.rig import OTHER
from tests.gbt_session.desk import EDITIONS, LOST, Desk
from tests.gbt_terminal.terminal import VIN

Say = Callable[[Desk, Message], object]

NO_ANSWERS: dict[str, tuple[Say, str]] = {
    "other VIN": (lambda desk, ask: desk.answer(ask, vin=OTHER), "answers for another VIN"),
    "other command": (
        lambda desk, ask: desk.answer(ask, command=Command.VEHICLE_LOGOUT),
        "answers to nothing",
    ),
    "other time": (lambda desk, ask: desk.answer(ask, time=desk.unix(1)), "answers to nothing"),
    "no time": (lambda desk, ask: desk.answer(ask, time=b""), "answers to nothing"),
    "heartbeat's": (
        lambda desk, ask: desk.answer(ask, time=b"", command=Command.HEARTBEAT),
        "answers to nothing",
    ),
    "a report's": (lambda desk, ask: desk.answer(ask, command=Command.REAL_TIME), "answers to nothing"),
    "its own echo": (lambda desk, ask: desk.tell(Received(ask.write())), "commands that no platform gives"),
    "garbage": (
        lambda desk, _: desk.tell(Received(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        "bytes that are no frame",
    ),
    "a damaged frame": (
        lambda desk, ask: desk.tell(Received(bytes(answer(ask, Response.SUCCESS).write()[:-1] + b"\x00"))),
        "bytes that are no frame",
    ),
}


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("wrong", NO_ANSWERS)
def test_what_is_no_answer_to_a_login_leaves_it_waiting(wrong: str, edition: Edition) -> None:
    say, fact = NO_ANSWERS[wrong]
    desk = Desk(edition)
    login = desk.open()
    say(desk, login)
    desk.run(10)
    assert desk.at(TerminalPhase.LOGGING_IN)
    assert desk.session.facts()[fact] >= 1
    desk.answer(login)
    assert desk.at(TerminalPhase.ONLINE)


def test_an_answer_of_the_other_edition_is_none() -> None:
    desk = Desk(Edition.Y2016)
    login = desk.open()
    content = Values("response", (Desk.time_of(login),))
    desk.tell(Received(Message(Edition.Y2025, 1, Response.SUCCESS, VIN, content).write()))
    assert desk.at(TerminalPhase.LOGGING_IN)
    assert desk.session.facts()["frames of the other edition"] == 1


def test_a_platform_may_put_in_its_own_time_where_that_is_configured() -> None:
    desk = Desk(answer_time=AnswerTime.ANY)
    desk.answer(desk.open(), time=desk.unix(5))
    assert desk.at(TerminalPhase.ONLINE)


def test_an_answer_that_keeps_the_whole_login_is_taken() -> None:
    """Annex B.3.3.2 of 2016."""
    desk = Desk()
    desk.tell(Received(answer(desk.open(), Response.SUCCESS, whole=True).write()))
    assert desk.at(TerminalPhase.ONLINE)


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("flag", [2, 3, 4, 5, 6, 7, 0x55, 0xFD])
def test_any_other_flag_is_a_login_that_failed_the_check(flag: int, edition: Edition) -> None:
    desk = Desk(edition)
    desk.answer(desk.open(), flag)
    assert desk.at(TerminalPhase.PAUSED)
    desk.run(179)
    assert len(desk.times_s(Command.VEHICLE_LOGIN)) == 1
    desk.run(1)
    assert len(desk.times_s(Command.VEHICLE_LOGIN)) == 2
    assert desk.session.facts()[f"command 01 answered with flag {flag:02X}"] == 1


@pytest.mark.parametrize("flag", [2, 3, 4, 5, 6, 7, 0x55])
def test_any_other_flag_is_a_report_refused(flag: int) -> None:
    desk = Desk(Edition.Y2025)
    desk.online()
    desk.put(0)
    desk.tell(Tick())
    desk.answer(desk.reports()[0], flag)
    desk.run(59)
    assert desk.held == 1
    desk.beat()
    assert [one.command for one in desk.reports()] == [Command.REAL_TIME, Command.REISSUE]
    assert desk.acknowledged == 1


def test_a_login_answered_after_all_counts() -> None:
    desk = Desk()
    login = desk.open()
    desk.run(70)
    assert desk.at(TerminalPhase.PAUSED)
    desk.answer(login)
    assert desk.at(TerminalPhase.ONLINE)
    assert desk.session.facts()["logins answered late"] == 1


def test_the_answer_to_a_login_before_the_last_is_none() -> None:
    desk = Desk()
    login = desk.open()
    desk.run(130)
    assert desk.at(TerminalPhase.LOGGING_IN)
    desk.answer(login)
    assert desk.at(TerminalPhase.LOGGING_IN)


@pytest.mark.parametrize("command", [Command.QUERY, Command.SET, Command.CONTROL])
def test_a_command_in_the_middle_of_a_login_is_answered_with_an_error(command: Command) -> None:
    desk = Desk()
    login = desk.open()
    raws = {
        Command.QUERY: ("query", (desk.unix(), 1, (1,))),
        Command.SET: ("parameters", (desk.unix(), 1, ((9, 10),))),
        Command.CONTROL: ("control", (desk.unix(), 5, b"")),
    }[command]
    desk.tell(Received(Message(Edition.Y2016, command, Response.COMMAND, VIN, Values(*raws)).write()))
    _, said = desk.sent[-1]
    assert (said.command, said.response, Desk.time_of(said)) == (command, Response.ERROR, desk.unix())
    assert desk.at(TerminalPhase.LOGGING_IN)
    desk.answer(login)
    assert desk.at(TerminalPhase.ONLINE)


def test_a_response_is_never_answered() -> None:
    desk = Desk()
    desk.online()
    count = len(desk.sent)
    for command in range(1, 0x90):
        desk.tell(
            Received(Message(Edition.Y2016, command, Response.SUCCESS, VIN, Opaque(b"", "empty")).write())
        )
    assert len(desk.sent) == count
    assert desk.at(TerminalPhase.ONLINE)


def test_a_heartbeat_answered_with_an_error_ends_the_session() -> None:
    desk = Desk()
    desk.online()
    desk.run(60)
    desk.answer(desk.last(Command.HEARTBEAT), Response.ERROR, time=b"")
    assert desk.at(TerminalPhase.CLOSING)
    desk.tell(LOST)
    since_s = desk.now_s
    desk.open()
    assert desk.now_s - since_s == 60


@given(pieces=st.lists(st.binary(max_size=200), max_size=8), edition=st.sampled_from(EDITIONS))
def test_any_bytes_leave_the_session_standing_and_its_reports_held(
    pieces: list[bytes], edition: Edition
) -> None:
    desk = Desk(edition)
    desk.online()
    desk.put(0)
    for piece in pieces:
        desk.tell(Received(piece))
        desk.run(1)
    assert desk.phase in {TerminalPhase.ONLINE, TerminalPhase.CLOSING}
    assert desk.held == 1


@given(
    command=st.integers(0, 255),
    response=st.integers(0, 255),
    unit=st.binary(max_size=40),
    edition=st.sampled_from(EDITIONS),
    online=st.booleans(),
)
def test_any_frame_leaves_the_session_standing(
    command: int, response: int, unit: bytes, edition: Edition, online: bool
) -> None:
    desk = Desk(edition)
    if online:
        desk.online()
    else:
        desk.open()
    desk.put(0)
    desk.tell(Tick())
    message = Message(edition, command, response, VIN, Opaque(unit, "any"))
    desk.tell(Received(message.write()))
    desk.run(1)
    assert desk.held == 1


def test_the_start_of_a_frame_that_never_ends_does_not_swallow_the_answers_behind_it() -> None:
    """A platform that answers once a second, and once began a frame that it did not finish."""
    desk = Desk(acknowledge="response")
    desk.online()
    desk.tell(Received(b"##" + bytes(19) + b"\x01\xff\x00"))
    for _ in range(30):
        desk.put(0)
        desk.run(1)
        desk.answer(desk.reports()[-1])
    assert desk.acknowledged == 30
    assert desk.session.facts()["bytes that are no frame"] > 0
