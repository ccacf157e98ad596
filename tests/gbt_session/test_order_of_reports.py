"""Which report goes when, and as what: live in order, the rest in idle time, nothing twice without a cut."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.uplink.gbt.events import LogInAgain, Opened, Stop, Tick
from edge.uplink.gbt.phases import TerminalPhase
from edge.uplink.gbt.reports import NO_REPORT
from edge.uplink.outgoing import Kind, Outgoing
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import Report
from tests.gbt_session.desk import EDITIONS, LOST, STREAM, Desk

LIVE, LATE = Command.REAL_TIME, Command.REISSUE


def said(desk: Desk) -> list[tuple[int, int]]:
    """Of each report the command and how many seconds ago it was collected."""
    found = []
    for message in desk.reports():
        assert isinstance(message.content, Report)
        minute, second = message.content.time[4:]
        found.append((message.command, (desk.wall_s - 60 * minute - second) % 3600))
    return found


def test_live_goes_before_what_waited_and_what_waited_goes_as_reissue() -> None:
    desk = Desk()
    desk.put(50, kind=Kind.BACKLOG, mark=LATE)
    desk.put(20)
    desk.online()
    desk.run(10)
    desk.put(1)
    desk.put(0, kind=Kind.ALARM)
    desk.put(60, kind=Kind.BACKLOG, mark=LATE)
    desk.tell(Tick())
    assert said(desk) == [(LATE, 30), (LATE, 60), (LIVE, 0), (LATE, 1), (LATE, 60)]


def test_a_clock_that_is_set_back_makes_no_live_report_late() -> None:
    desk = Desk()
    desk.online()
    desk.run(30)
    offset_ns = desk.clock.timebase().wall_offset_ns
    desk.clock.set_timebase(Timebase(offset_ns - 1800 * NS_PER_S, TimeQuality.NTP))
    desk.put(0)
    desk.tell(Tick())
    assert said(desk) == [(LIVE, 0)]


def test_a_reissue_differs_in_command_and_check_code_alone() -> None:
    desk = Desk()
    desk.online()
    desk.put(0)
    desk.tell(Tick())
    desk.tell(LOST)
    desk.online()
    desk.tell(Tick())
    first, second = (message.write() for message in desk.reports())
    assert [place for place in range(len(first)) if first[place] != second[place]] == [2, len(first) - 1]


def test_only_the_frame_of_a_message_that_was_refused_goes_again() -> None:
    desk = Desk(acknowledge="response")
    desk.online()
    desk.put(2, 1, 0)
    desk.tell(Tick())
    first, second, third = desk.reports()
    desk.answer(second, Response.ERROR)
    desk.answer(third)
    desk.answer(first)
    assert desk.held == 1
    desk.run(60)
    assert len(desk.reports()) == 4
    assert Desk.time_of(desk.reports()[3]) == Desk.time_of(second)
    desk.answer(desk.reports()[3])
    assert (desk.held, desk.acknowledged) == (0, 1)


def test_an_empty_message_is_let_go_of_and_what_is_no_report_is_named() -> None:
    desk = Desk()
    desk.online()
    desk.outbox.put(Outgoing(Kind.BACKLOG, "", b"", STREAM, 1, 1, 0))
    desk.outbox.put(Outgoing(Kind.EVENT, "", b"\xd2\x84 a signed account"))
    desk.put(0)
    desk.tell(Tick())
    assert desk.acknowledged == 1
    (cause,) = desk.lost()
    assert cause.startswith(NO_REPORT)
    assert said(desk) == [(LIVE, 0)]


def test_in_silence_an_error_after_the_next_heartbeat_comes_too_late_and_one_before_it_counts() -> None:
    desk = Desk()
    desk.online()
    desk.put(1)
    desk.put(0)
    desk.tell(Tick())
    early, late = desk.reports()
    desk.run(60)
    desk.answer(early, Response.ERROR)
    desk.answer(desk.last(Command.HEARTBEAT), time=b"")
    assert (desk.held, desk.acknowledged) == (1, 1)
    desk.answer(late, Response.ERROR)
    assert desk.session.facts()["answers to nothing"] == 1


def test_a_heartbeat_sent_before_a_report_says_nothing_of_it() -> None:
    desk = Desk()
    desk.online()
    desk.run(60)
    desk.put(0)
    desk.tell(Tick())
    desk.answer(desk.last(Command.HEARTBEAT), time=b"")
    assert desk.held == 1
    desk.beat()
    assert desk.held == 0


def test_no_report_goes_before_the_login_is_accepted() -> None:
    desk = Desk()
    desk.put(0)
    login = desk.open()
    desk.run(400)
    assert desk.reports() == []
    del login


def test_a_platform_that_answers_nothing_in_response_mode_costs_no_report() -> None:
    """It is configured wrongly: reports go again on each connection, and a person is told what to do."""
    desk = Desk(acknowledge="response", heartbeat_s=240)
    desk.put(0)
    for _ in range(20):
        desk.online()
        desk.run(61)
        assert desk.at(TerminalPhase.CLOSING)
        desk.tell(LOST)
    assert (desk.held, desk.lost()) == (1, {})
    assert any('acknowledge = "silence"' in text for text in desk.told)


class Platform:
    """Works off what comes, and refuses a report when it is asked to, three in all."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.arrived: list[bytes] = []
        self.refusals = 3
        self.seen = 0

    def work(self, flag: int = Response.SUCCESS) -> None:
        while self.seen < len(self.desk.sent):
            _, message = self.desk.sent[self.seen]
            self.seen += 1
            if message.command == Command.HEARTBEAT:
                self.desk.answer(message, time=b"")
            elif message.command not in {LIVE, LATE}:
                self.desk.answer(message)
            elif flag != Response.SUCCESS and self.refusals:
                self.refusals -= 1
                self.desk.answer(message, flag)
            else:
                self.arrived.append(Desk.time_of(message))
                if self.desk.acknowledge == "response":
                    self.desk.answer(message)

    def go_on(self, seconds: float, flag: int = Response.SUCCESS) -> None:
        """Let time pass; each connection that ends is followed by another."""
        end_ns = self.desk.clock.boot_ns() + round(seconds * NS_PER_S)
        while True:
            if self.desk.at(TerminalPhase.CLOSING):
                self.desk.tell(LOST)
            if self.desk.at(TerminalPhase.CONNECTING):
                self.desk.tell(Opened())
            elif self.desk.at(TerminalPhase.WAITING):
                self.desk.open()
            self.desk.tell(Tick())
            self.work(flag)
            if self.desk.clock.boot_ns() >= end_ns or self.desk.wake_ns is None:
                return
            self.desk.clock.advance_to(min(self.desk.wake_ns, end_ns))

    def cut(self) -> None:
        """What is on its way does not arrive."""
        self.seen = len(self.desk.sent)
        self.desk.tell(LOST)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from([Kind.ALARM, Kind.LIVE, Kind.BACKLOG])),
        st.tuples(st.just("run"), st.integers(0, 90)),
        st.tuples(st.just("refuse"), st.sampled_from([2, 7])),
        st.tuples(st.just("cut"), st.just(0)),
    ),
    max_size=20,
)


@pytest.mark.parametrize("acknowledge", ["silence", "response"])
@given(steps=STEPS, edition=st.sampled_from(EDITIONS))
def test_each_report_arrives_and_only_a_cut_doubles_one(
    acknowledge: Literal["silence", "response"], steps: list[tuple[str, int]], edition: Edition
) -> None:
    desk = Desk(edition, acknowledge=acknowledge)
    platform = Platform(desk)
    put = 0
    for step, value in steps:
        if step == "put":
            put += 1
            desk.put(0, kind=Kind(value), mark=LATE if value == Kind.BACKLOG else LIVE)
            desk.tell(Tick())
            desk.clock.advance_to(desk.clock.boot_ns() + NS_PER_S)
        elif step == "cut":
            platform.cut()
        else:
            platform.go_on(value if step == "run" else 0, value if step == "refuse" else Response.SUCCESS)
    platform.go_on(400)
    assert (desk.held, desk.acknowledged, desk.lost()) == (0, put, {})
    assert len(set(platform.arrived)) == put
    if ("cut", 0) not in steps:
        assert len(platform.arrived) == put


def test_a_heartbeat_that_is_answered_after_the_logout_was_sent_lets_go_of_reports() -> None:
    desk = Desk()
    desk.online()
    desk.put(0)
    desk.run(60)
    desk.tell(Stop(desk.clock.boot_ns()))
    assert desk.at(TerminalPhase.LOGGING_OUT)
    desk.answer(desk.last(Command.HEARTBEAT), time=b"")
    assert (desk.held, desk.acknowledged) == (0, 1)


def test_what_was_under_way_when_the_vehicle_logged_in_again_arrives_with_the_next_heartbeat() -> None:
    desk = Desk()
    desk.online()
    for _ in range(5):
        desk.beat()
    desk.put(0)
    desk.tell(Tick())
    desk.tell(LogInAgain())
    desk.answer(desk.last(Command.VEHICLE_LOGOUT))
    desk.answer(desk.last(Command.VEHICLE_LOGIN))
    assert desk.at(TerminalPhase.ONLINE)
    desk.beat()
    assert (desk.held, desk.acknowledged) == (0, 1)


def test_answers_to_some_heartbeats_alone_do_not_put_off_what_has_arrived_for_ever() -> None:
    """A platform that answers every other heartbeat; each answer is taken for the oldest one's."""
    desk = Desk(heartbeat_s=10, answer_timeout_s=10)
    beats = 0
    longest_s = 0.0
    since: dict[int, float] = {}
    while desk.now_s < 1500:
        if desk.at(TerminalPhase.CLOSING):
            desk.tell(LOST)
        if desk.at(TerminalPhase.WAITING):
            desk.online()
            beats = desk.marks().count(Command.HEARTBEAT)
        desk.put(0)
        since[desk.number] = desk.now_s
        desk.run(5)
        while beats < desk.marks().count(Command.HEARTBEAT):
            beats += 1
            if beats % 2 == 0:
                desk.answer(desk.last(Command.HEARTBEAT), time=b"")
        for number in [number for number in since if desk.outbox.get(number) is None]:
            longest_s = max(longest_s, desk.now_s - since.pop(number))
    assert max(longest_s, desk.now_s - min(since.values())) < 300
