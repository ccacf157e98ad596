"""Each retry, interval and window of both editions, as the table has it, seen at the session."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from edge.catalogue.item import Edition
from edge.errors import ConfigError
from edge.uplink.gbt.events import Received, Stop, Tick
from edge.uplink.gbt.options import LoginSilence
from edge.uplink.gbt.phases import TerminalPhase
from edge.uplink.gbt.reports import frames_of
from edge.uplink.gbt.rules import OWN, RULES, Keeper, Rule, Unit, rule_names, session_rules, table_lines
from edge.uplink.outgoing import Kind
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import Message, message_of
from tests.gbt_session.desk import ENDED, LOST, Desk

GBT_PAGE = Path("docs/gbt32960.md")


def pauses(times_s: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times_s)]


def logins(desk: Desk, seconds: float) -> list[float]:
    desk.open()
    desk.run(seconds)
    return desk.times_s(Command.VEHICLE_LOGIN)


def answer_timeout(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition)
    desk.open()
    desk.run(rule.value - 0.001)
    assert desk.at(TerminalPhase.LOGGING_IN)
    desk.run(0.001)
    assert desk.at(TerminalPhase.PAUSED)
    return desk.now_s


def login_retry(rule: Rule, edition: Edition) -> float:
    first, second, *_ = logins(Desk(edition, answer_timeout_s=10), rule.value + 11)
    return second - first - 10


def login_check_retry(rule: Rule, edition: Edition) -> float:
    first, second, *_ = logins(
        Desk(edition, answer_timeout_s=10, login_silence=LoginSilence.CHECK_FAILURE), rule.value + 11
    )
    refused = Desk(edition)
    refused.answer(refused.open(), Response.ERROR)
    refused.run(rule.value)
    assert refused.times_s(Command.VEHICLE_LOGIN) == [0, rule.value]
    return second - first - 10


def login_tries(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition)
    found = logins(desk, 1500)
    assert len(desk.closed_s) == 1
    assert desk.at(TerminalPhase.CLOSING)
    assert rule.unit is Unit.TIMES
    return len(found)


def login_pause(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition, answer_timeout_s=1)
    logins(desk, 800)
    desk.tell(LOST)
    since_s = desk.now_s
    desk.run(rule.value - 0.001)
    assert len(desk.opened) == 1
    desk.run(0.001)
    assert len(desk.opened) == 2
    return desk.now_s - since_s


def heartbeat(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition)
    desk.online()
    desk.beat()
    desk.beat()
    (pause,) = pauses(desk.times_s(Command.HEARTBEAT))
    assert desk.times_s(Command.HEARTBEAT)[0] == rule.value
    return pause


def heartbeat_tries(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition, answer_timeout_s=7)
    desk.online()
    desk.run(60 + rule.value * 7)
    assert desk.at(TerminalPhase.CLOSING)
    assert pauses(desk.times_s(Command.HEARTBEAT)) == [7, 7]
    return len(desk.times_s(Command.HEARTBEAT))


def refuse_all(desk: Desk, seconds: float) -> list[float]:
    """Answer each report with an error at once."""
    desk.online()
    desk.put(0)
    end_s = desk.now_s + seconds
    reports = beats = 0
    desk.tell(Tick())
    while desk.now_s < end_s:
        for message in desk.reports()[reports:]:
            reports += 1
            desk.answer(message, Response.ERROR)
        for _ in desk.times_s(Command.HEARTBEAT)[beats:]:
            beats += 1
            desk.answer(desk.last(Command.HEARTBEAT), time=b"")
        assert desk.wake_ns is not None
        desk.clock.advance_to(desk.wake_ns)
        desk.tell(Tick())
    return [at_s for at_s, one in desk.sent if one.command in {Command.REAL_TIME, Command.REISSUE}]


def report_retry(rule: Rule, edition: Edition) -> float:
    found = pauses(refuse_all(Desk(edition), 3.5 * rule.value))
    assert found == [rule.value] * 3
    return found[0]


def report_retries(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition)
    found = refuse_all(desk, 600)
    assert desk.lost() == {"the platform answered 'error' each time": 1}
    assert desk.held == 0
    assert rule.clause.startswith("annex B")
    assert any("gave a message up" in text and "'error'" in text for text in desk.told)
    return len(found) - 1


def farewell(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition)
    desk.online()
    desk.tell(Stop(desk.clock.boot_ns()))
    assert desk.at(TerminalPhase.LOGGING_OUT)
    since_s = desk.now_s
    desk.run(rule.value)
    assert desk.at(TerminalPhase.CLOSING)
    return desk.closed_s[-1] - since_s


def waits_after_cuts(edition: Edition, count: int) -> list[float]:
    desk = Desk(edition)
    found = []
    for _ in range(count):
        desk.online()
        desk.tell(LOST)
        assert desk.wake_ns is not None
        found.append(desk.wake_ns / 1e9 - desk.now_s)
    return found


def reconnect_first(rule: Rule, edition: Edition) -> float:
    first, second, *_ = waits_after_cuts(edition, 2)
    assert rule.value / 2 <= first <= rule.value
    assert rule.value <= second <= 2 * rule.value
    return rule.value


def reconnect_cap(rule: Rule, edition: Edition) -> float:
    found = waits_after_cuts(edition, 12)
    assert all(rule.value / 2 <= one <= rule.value for one in found[-4:])
    return rule.value


def settled(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition, heartbeat_s=240)
    for _ in range(8):
        desk.online()
        desk.tell(LOST)
    desk.online()
    desk.run(rule.value)
    desk.tell(LOST)
    assert desk.wake_ns is not None
    assert desk.wake_ns / 1e9 - desk.now_s <= 1
    return rule.value


def probe(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition)
    desk.online()
    desk.put(0)
    desk.run(0)
    desk.tell(Stop(desk.clock.boot_ns() + 10**12))
    assert rule.unit is Unit.SECONDS
    assert desk.at(TerminalPhase.ONLINE)
    desk.beat()
    assert desk.at(TerminalPhase.LOGGING_OUT)
    return desk.times_s(Command.HEARTBEAT)[0]


def stall(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition)
    login = desk.open()
    start = {Edition.Y2016: b"##", Edition.Y2025: b"$$"}[edition]
    desk.tell(Received(start + bytes(19) + b"\x01\xff\x00"))
    desk.answer(login)
    assert desk.at(TerminalPhase.LOGGING_IN)
    desk.run(rule.value - 0.001)
    assert desk.at(TerminalPhase.LOGGING_IN)
    desk.run(0.001)
    assert desk.at(TerminalPhase.ONLINE)
    return desk.now_s


def garbage(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition)
    desk.online()
    desk.tell(Received(b"x" * int(rule.value - 1)))
    assert desk.at(TerminalPhase.ONLINE)
    desk.tell(Received(b"x"))
    assert desk.at(TerminalPhase.CLOSING)
    return rule.value


def in_flight(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition, in_flight_bytes=1024)
    desk.online()
    for _ in range(100):
        desk.put(0)
    desk.run(0)
    sent = sum(len(message.frame().unit) for message in desk.reports())
    assert 1024 - 60 < sent <= 1024
    for _ in range(30):
        desk.run(1)
        if desk.marks()[-1] == Command.HEARTBEAT or Command.HEARTBEAT in desk.marks()[-60:]:
            desk.answer(desk.last(Command.HEARTBEAT), time=b"")
    assert len(desk.reports()) == 100
    return rule.value


def ahead(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition)
    desk.online()
    desk.put(100, kind=Kind.BACKLOG, mark=Command.REISSUE)
    desk.tell(Tick(unsent=int(rule.value) + 1))
    assert desk.reports() == []
    desk.put(0)
    desk.tell(Tick(unsent=int(rule.value) + 1))
    assert [one.command for one in desk.reports()] == [Command.REAL_TIME]
    desk.tell(Tick(unsent=int(rule.value)))
    assert [one.command for one in desk.reports()] == [Command.REAL_TIME, Command.REISSUE]
    return rule.value


def backlog(rule: Rule, edition: Edition) -> float:
    del rule
    session = Desk(edition).session
    assert session.largest_payload(Kind.LIVE) is None
    return session.largest_payload(Kind.BACKLOG) or 0


def unanswered_cuts(rule: Rule, edition: Edition) -> float:
    desk = Desk(edition, acknowledge="response")
    desk.put(0)
    bad = Desk.time_of(_message(desk))
    cuts = answered = 0
    while desk.held:
        desk.online()
        desk.run(1)
        desk.put(0)
        desk.tell(Tick())
        for message in desk.reports()[answered:]:
            answered += 1
            if Desk.time_of(message) != bad:
                desk.answer(message)
        desk.run(61)
        if desk.at(TerminalPhase.CLOSING):
            cuts += 1
            desk.tell(LOST)
    assert desk.lost() == {"not answered, though later reports were": 1}
    assert desk.acknowledged == cuts
    assert rule.clause == OWN
    return cuts


def alone_cuts(rule: Rule, edition: Edition) -> float:
    """A message on which the platform hangs up is found out among others, and they all arrive."""
    desk = Desk(edition, heartbeat_s=1)
    desk.put(0)
    bad = Desk.time_of(_message(desk))
    desk.run(5)
    for _ in range(5):
        desk.clock.advance_to(desk.clock.boot_ns() + 10**9)
        desk.put(0)
    cuts = 0
    while bad and not desk.lost():
        desk.online()
        desk.run(0)
        if desk.reports() and any(Desk.time_of(one) == bad for one in desk.reports()[-6:]):
            cuts += 1
            desk.tell(ENDED)
    assert desk.lost() == {"the connection was closed each time it was sent": 1}
    desk.online()
    desk.run(0)
    for _ in range(6):
        desk.beat()
    assert desk.acknowledged == 5
    assert rule.clause == OWN
    return cuts - RULES[edition][rule_names().index("unanswered_cuts")].value


def _message(desk: Desk) -> Message:
    found = desk.outbox.next(Kind.LIVE, 0)
    assert found is not None
    return message_of(next(frames_of(found[1].payload)))


SEEN: dict[str, Callable[[Rule, Edition], float]] = {
    "answer_timeout_s": answer_timeout,
    "login_retry_s": login_retry,
    "login_check_retry_s": login_check_retry,
    "login_tries": login_tries,
    "login_pause_s": login_pause,
    "heartbeat_s": heartbeat,
    "heartbeat_tries": heartbeat_tries,
    "report_retry_s": report_retry,
    "report_retries": report_retries,
    "farewell_s": farewell,
    "reconnect_first_s": reconnect_first,
    "reconnect_cap_s": reconnect_cap,
    "settled_s": settled,
    "probe_s": probe,
    "stall_s": stall,
    "garbage_bytes": garbage,
    "in_flight_bytes": in_flight,
    "ahead_bytes": ahead,
    "backlog_bytes": backlog,
    "unanswered_cuts": unanswered_cuts,
    "alone_cuts": alone_cuts,
}
ROWS = [(edition, rule) for edition in Edition for rule in RULES[edition] if rule.name in SEEN]


@pytest.mark.parametrize(("edition", "rule"), ROWS, ids=[f"{e.value}-{r.name}" for e, r in ROWS])
def test_the_session_keeps_each_rule_of_the_table(edition: Edition, rule: Rule) -> None:
    assert SEEN[rule.name](rule, edition) == pytest.approx(rule.value)


def test_each_rule_is_kept_somewhere() -> None:
    """By the session as seen above; by the store and by thinning as their rooms have it."""
    for edition in Edition:
        names = [rule.name for rule in RULES[edition]]
        elsewhere = {rule.name for rule in RULES[edition] if rule.keeper in {Keeper.STORE, Keeper.THINNING}}
        assert tuple(names) == rule_names()
        assert set(SEEN) | elsewhere | {"drop_link_pause_s"} == set(names)
        assert elsewhere == {"report_most_s", "reissue_days"}


def test_only_what_the_standard_leaves_open_can_be_configured() -> None:
    rules = session_rules(Edition.Y2016, heartbeat_s=240, login_pause_s=60)
    assert (rules.heartbeat_s, rules.login_pause_s, rules.login_retry_s) == (240, 60, 60)
    for asked, said in (
        ({"heartbeat_s": 241}, "heartbeat_s is 1 to 240 s, not 241"),
        ({"heartbeat_s": 0}, "heartbeat_s is 1 to 240 s, not 0"),
        ({"login_retry_s": 1}, "login_retry_s is 60 s (annex B, login), and nothing else"),
        ({"patience": 1}, "there is no rule 'patience' of a session"),
    ):
        with pytest.raises(ConfigError) as caught:
            session_rules(Edition.Y2016, **asked)
        assert caught.value.what == said


def test_the_page_shows_the_table() -> None:
    assert "\n".join(table_lines()) in GBT_PAGE.read_text("utf-8")
