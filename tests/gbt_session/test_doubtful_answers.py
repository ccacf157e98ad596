"""Answers that may be meant for one report or another, and reports that nothing but trouble comes of."""

from __future__ import annotations

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S
from edge.uplink.gbt.events import Tick
from edge.uplink.gbt.phases import TerminalPhase
from edge.uplink.gbt.secrecy import Secrecy
from edge.uplink.outgoing import Kind, Outgoing
from edge.wire.gbt.beijing import TIME_BYTES
from edge.wire.gbt.frame import UNIT_BYTES_MAX, Command, Encryption, Frame, Response
from edge.wire.gbt.security.ciphers import BlockUnitCipher
from tests.gbt_platform.rig import report
from tests.gbt_session.desk import ENDED, LOST, STREAM, Desk
from tests.gbt_terminal.terminal import VIN


class Strict:
    """A platform that works off what comes in order, and answers reports without a body with an error."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.took = 0
        self._seen = len(desk.sent)

    def work(self, seconds: float) -> None:
        end_s = self.desk.now_s + seconds
        self.desk.tell(Tick())
        while self.desk.now_s < end_s:
            while self._seen < len(self.desk.sent):
                _, message = self.desk.sent[self._seen]
                self._seen += 1
                if message.command == Command.HEARTBEAT:
                    self.desk.answer(message, time=b"")
                elif len(message.frame().unit) == TIME_BYTES:
                    self.desk.answer(message, Response.ERROR)
                else:
                    self.took += 1
            assert self.desk.wake_ns is not None
            self.desk.clock.advance_to(self.desk.wake_ns)
            self.desk.tell(Tick())


def test_in_silence_an_error_that_may_be_meant_for_several_lets_go_of_none_of_them() -> None:
    """An error names a report by its second: the frames of a record that is split have one second."""
    desk = Desk()
    desk.online()
    platform = Strict(desk)
    desk.put(0)
    bad = report(desk.edition, desk.wall_s, bodies=())
    desk.outbox.put(Outgoing(Kind.LIVE, "", bad, STREAM, 2, 2, 1))
    platform.work(50)
    assert (desk.held, platform.took) == (2, 1)
    platform.work(600)
    assert (desk.held, desk.acknowledged) == (0, 1)
    assert desk.lost() == {"the platform answered 'error' each time": 1}
    assert platform.took == 2


def test_of_two_reports_of_a_second_of_which_one_is_answered_neither_counts_as_received() -> None:
    desk = Desk(acknowledge="response", heartbeat_s=240)
    desk.online()
    desk.put(0)
    desk.put(0)
    desk.tell(Tick())
    desk.answer(desk.reports()[0])
    assert desk.held == 2
    desk.run(60)
    assert desk.at(TerminalPhase.CLOSING)
    desk.tell(LOST)
    desk.online()
    desk.tell(Tick())
    for message in desk.reports()[2:]:
        desk.answer(message)
    assert (desk.held, desk.acknowledged) == (0, 2)


def test_answers_to_reports_of_one_second_belong_to_them_in_order() -> None:
    desk = Desk(acknowledge="response")
    desk.online()
    desk.put(0, kind=Kind.ALARM)
    desk.put(0)
    desk.put(0)
    desk.tell(Tick())
    first, second, third = desk.reports()
    desk.answer(first)
    desk.answer(second, Response.ERROR)
    desk.answer(third)
    assert desk.acknowledged == 2
    desk.run(60)
    assert len(desk.reports()) == 4
    desk.answer(desk.reports()[3])
    assert desk.acknowledged == 3


def test_the_report_that_is_too_long_once_encrypted_is_the_one_that_is_given_up() -> None:
    desk = Desk(Edition.Y2016, secrecy=Secrecy(BlockUnitCipher(Encryption.AES, bytes(16))))
    desk.answer(desk.open(), time=desk.unix())
    desk.put(0)
    unit = desk.unix().ljust(UNIT_BYTES_MAX, b"\0")
    long = Frame(desk.edition, Command.REAL_TIME, Response.COMMAND, VIN, Encryption.NONE, unit).write()
    desk.outbox.put(Outgoing(Kind.LIVE, "", long, STREAM, 2, 2, 1))
    desk.tell(Tick())
    assert desk.lost() == {"too long once encrypted": 1}
    (kept,) = (item for item in [desk.outbox.get(1), desk.outbox.get(2)] if item is not None)
    assert len(kept.payload) < 1000
    desk.beat()
    assert desk.acknowledged == 1


def test_a_platform_that_refuses_all_does_not_get_the_whole_backlog_at_once() -> None:
    """What was refused is held in memory until it goes again."""
    desk = Desk(in_flight_bytes=1024, heartbeat_s=240)
    for age in range(200):
        desk.put(1000 + age, kind=Kind.BACKLOG, mark=Command.REISSUE)
    desk.online()
    desk.run(0)
    answered = 0
    while answered < len(desk.reports()):
        desk.answer(desk.reports()[answered], Response.ERROR)
        answered += 1
    assert sum(len(message.frame().unit) for message in desk.reports()) <= 2 * 1024
    desk.put(0)
    desk.tell(Tick())
    assert desk.reports()[-1].command == Command.REAL_TIME


def test_a_report_that_goes_alone_is_not_kept_waiting_by_live_ones() -> None:
    """A live report a second, and a platform whose answers take longer than that."""
    desk = Desk(heartbeat_s=10, unanswered_cuts=1)
    desk.put(100, kind=Kind.BACKLOG, mark=Command.REISSUE)
    desk.online()
    desk.run(0)
    desk.tell(ENDED)
    desk.put(0)
    desk.online()
    answered = 0
    for _ in range(60):
        desk.put(0)
        desk.tell(Tick())
        desk.clock.advance_to(desk.clock.boot_ns() + NS_PER_S)
        desk.tell(Tick())
        beats = desk.times_s(Command.HEARTBEAT)
        if answered < len(beats) and desk.now_s >= beats[answered] + 1.5:
            answered += 1
            desk.answer(desk.last(Command.HEARTBEAT), time=b"")
    assert Desk.time_of(desk.reports()[0]) in {Desk.time_of(one) for one in desk.reports()[1:]}
