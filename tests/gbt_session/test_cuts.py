"""The link cut in every state: nothing is lost, what may be doubled is reissued, and it comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from edge.catalogue.item import Edition
from edge.clock import TimeQuality
from edge.uplink.gbt.events import Closed, Opened, Received, Stop, Tick
from edge.uplink.gbt.phases import TerminalPhase
from edge.uplink.outgoing import Kind
from edge.wire.gbt.frame import Command, Response
from tests.gbt_session.desk import EDITIONS, ENDED, LOST, Desk


def connecting(desk: Desk) -> None:
    desk.tell(Tick())


def asking_for_the_time(desk: Desk) -> None:
    desk.open()


def logging_in(desk: Desk) -> None:
    desk.open()


def half_an_answer(desk: Desk) -> None:
    message = desk.open()
    desk.tell(Received(message.write()[:20]))


def paused(desk: Desk) -> None:
    desk.answer(desk.open(), Response.ERROR)


def online(desk: Desk) -> None:
    desk.online()


def reports_under_way(desk: Desk) -> None:
    desk.online()
    desk.tell(Tick())


def half_of_a_message_refused(desk: Desk) -> None:
    desk.online()
    desk.tell(Tick())
    desk.answer(desk.reports()[0], Response.ERROR)


def heartbeat_under_way(desk: Desk) -> None:
    desk.online()
    desk.run(30)


def logging_out(desk: Desk) -> None:
    desk.online()
    desk.tell(Stop(desk.clock.boot_ns()))


def closing(desk: Desk) -> None:
    desk.online()
    desk.run(300)


STATES: dict[Callable[[Desk], None], TerminalPhase] = {
    connecting: TerminalPhase.CONNECTING,
    logging_in: TerminalPhase.LOGGING_IN,
    half_an_answer: TerminalPhase.LOGGING_IN,
    paused: TerminalPhase.PAUSED,
    online: TerminalPhase.ONLINE,
    reports_under_way: TerminalPhase.ONLINE,
    half_of_a_message_refused: TerminalPhase.ONLINE,
    heartbeat_under_way: TerminalPhase.ONLINE,
    logging_out: TerminalPhase.LOGGING_OUT,
    closing: TerminalPhase.CLOSING,
}


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("cut", [LOST, ENDED], ids=["lost", "ended by the platform"])
@pytest.mark.parametrize("acknowledge", ["silence", "response"])
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_cut_loses_nothing(
    state: Callable[[Desk], None], acknowledge: Literal["silence", "response"], cut: Closed, edition: Edition
) -> None:
    desk = Desk(edition, acknowledge=acknowledge, heartbeat_s=30)
    desk.put(0, 0)
    desk.put(100, 99, kind=Kind.BACKLOG, mark=Command.REISSUE)
    state(desk)
    assert desk.at(STATES[state])
    before = len(desk.reports())
    desk.tell(cut)
    assert desk.held == 2
    if state is logging_out:
        assert desk.at(TerminalPhase.DONE)
        return
    assert desk.at(TerminalPhase.WAITING)
    desk.online()
    desk.run(0)
    # What was under way, or waited through a cut, is no news any more.
    if before:
        assert {one.command for one in desk.reports()[before:]} <= {Command.REISSUE}
    answered = before
    while desk.held:
        for message in desk.reports()[answered:]:
            answered += 1
            if acknowledge == "response":
                desk.answer(message)
        desk.beat()
    assert (desk.acknowledged, desk.lost()) == (2, {})
    sent = [Desk.time_of(message) for message in desk.reports()]
    assert len(set(sent)) == 3
    assert desk.session.facts()["logins"] >= 1


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_cut_while_the_platform_is_asked_for_the_time(edition: Edition) -> None:
    desk = Desk(edition, quality=TimeQuality.NONE)
    asking_for_the_time(desk)
    assert desk.marks() == [Command.TIME_SYNC]
    assert desk.at(TerminalPhase.PREPARING)
    desk.tell(LOST)
    assert desk.at(TerminalPhase.WAITING)
    since_s = desk.now_s
    desk.open()
    assert desk.now_s - since_s == desk.session.rules.login_retry_s
    assert desk.marks() == [Command.TIME_SYNC] * 2


def test_a_cut_within_an_answer_does_not_reach_into_the_next_connection() -> None:
    desk = Desk()
    login = desk.open()
    desk.tell(Received(login.write()[:20]))
    desk.tell(LOST)
    desk.answer(desk.open())
    assert desk.at(TerminalPhase.ONLINE)
    assert "bytes that are no frame" not in desk.session.facts()


def test_a_half_open_connection_is_given_up() -> None:
    """The other side is gone without a word: what is sent disappears, nothing ever comes back."""
    desk = Desk()
    desk.online()
    for _ in range(300):
        desk.put(0)
        desk.run(1)
    assert desk.at(TerminalPhase.CLOSING)
    assert desk.closed_s == [60 + 3 * 60]
    assert desk.held == 300
    desk.tell(LOST)
    assert any("answers no heartbeat" in text for text in desk.told)
    desk.online()
    desk.run(0)
    desk.beat()
    assert (desk.held, desk.acknowledged) == (0, 300)


def test_events_of_no_connection_change_nothing() -> None:
    desk = Desk()
    desk.tell(Opened())
    assert desk.at(TerminalPhase.CONNECTING) is False or desk.opened
    desk.tell(LOST)
    desk.tell(LOST)
    desk.tell(Received(b"##"))
    assert desk.at(TerminalPhase.WAITING)


def test_what_can_wait_is_sent_before_the_farewell_and_the_rest_is_kept() -> None:
    desk = Desk()
    desk.online()
    desk.put(0)
    desk.tell(Stop(desk.clock.boot_ns() + 10 * 10**9))
    desk.put(0)
    desk.run(3)
    assert desk.at(TerminalPhase.ONLINE)
    desk.answer(desk.last(Command.HEARTBEAT), time=b"")
    desk.beat() if desk.held else None
    assert desk.at(TerminalPhase.LOGGING_OUT)
    desk.answer(desk.last(Command.VEHICLE_LOGOUT))
    assert desk.at(TerminalPhase.CLOSING)
    desk.tell(LOST)
    assert desk.at(TerminalPhase.DONE)
    assert desk.session.facts()["logouts"] == 1
