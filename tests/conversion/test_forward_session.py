"""The session of one platform with another, by a script and under a virtual clock."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from edge.catalogue.item import Edition
from edge.records import Value
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Encryption, Response
from edge.wire.gbt.message import Message, Opaque, Report, Values, answer
from simulator.conversion.forward_rules import Acknowledge, ForwardRules, PlatformAccount, rules_of
from simulator.conversion.waiting import Given, WaitingRecords
from tests.conversion.scripted import (
    ACCOUNT,
    VEHICLE,
    Bench,
    ScriptedPlatform,
    converter,
    in_memory,
    record,
    records,
    success,
)

RULES = rules_of(Edition.Y2016)


def but(command: Command, flag: Response | None, *, times: int = 1000) -> ScriptedPlatform:
    """Success for all but the first messages of a command: `flag`, or no answer for None."""
    left = count(times, -1)

    def script(message: Message) -> list[Message]:
        if message.command != command or next(left) <= 0:
            return success(message)
        return [] if flag is None else [answer(message, flag)]

    return ScriptedPlatform(script)


@pytest.mark.parametrize("edition", Edition)
def test_a_session_logs_in_says_everything_in_order_and_logs_out(edition: Edition) -> None:
    waiting = in_memory(200, edition)
    bench = Bench(rules_of(edition), waiting)
    bench.run(60)
    assert bench.session.ended
    heard = bench.platform.heard
    assert [message.command for message in heard] == [5, *[2] * 200, 6]
    login, logout = heard[0].content, heard[-1].content
    assert isinstance(login, Values)
    assert isinstance(logout, Values)
    time, number, user, password, rule = login.raws
    assert (number, rule) == (1, Encryption.NONE)
    assert (user.rstrip(b"\0"), len(user)) == (b"enterprise", 12)
    assert (password.rstrip(b"\0"), len(password)) == (b"secret", 20)
    assert time == bytes((26, 3, 1, 8, 0, 0))
    assert logout.raws[1] == number
    assert {message.vin for message in (heard[0], heard[-1])} == {ACCOUNT.identity.encode()}
    assert {message.vin for message in bench.platform.reports()} == {VEHICLE.encode()}
    assert [
        message.content.time[4:]
        for message in bench.platform.reports()
        if isinstance(message.content, Report)
    ] == [bytes(divmod(number, 60)) for number in range(1, 201)]
    assert waiting.hop().left == 200
    assert waiting.hop().balanced


@pytest.mark.parametrize(("edition", "between_s"), [(Edition.Y2016, 60), (Edition.Y2025, 180)])
def test_a_login_without_answer_goes_again_and_pauses_after_three(edition: Edition, between_s: int) -> None:
    at: list[float] = []
    bench: Bench

    def script(message: Message) -> list[Message]:
        at.append(bench.now_s() if at else 0.0)
        return success(message) if len(at) > 5 else []

    rules = rules_of(edition)
    bench = Bench(rules, in_memory(1, edition), ScriptedPlatform(script))
    bench.run(3 * 3600)
    step = rules.answer_s + between_s
    third_failed = 2 * step + rules.answer_s
    fourth = third_failed + rules.login_pause_s
    assert at[:6] == [0, step, 2 * step, fourth, fourth + step, fourth + 2 * step]
    numbers = [one.content.raws[1] for one in bench.platform.heard[:6] if isinstance(one.content, Values)]
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert bench.platform.connections == 2
    assert bench.session.ended


def test_a_refused_login_goes_again_on_the_same_connection() -> None:
    bench = Bench(RULES, in_memory(1), but(Command.PLATFORM_LOGIN, Response.ERROR, times=2))
    bench.run(59)
    assert bench.platform.commands() == [5]
    bench.run(62)
    assert bench.platform.commands() == [5, 5, 5, 2, 6]
    assert bench.platform.connections == 1
    assert "answered with error; again in 60 s" in bench.told[0]


def test_an_impatient_session_ends_with_the_first_failure_and_says_why() -> None:
    rules = replace(RULES, patient=False)
    refused = Bench(rules, in_memory(1), but(Command.PLATFORM_LOGIN, Response.ERROR))
    assert refused.session.ended
    assert "answered with error" in refused.session.failure
    absent = Bench(rules, in_memory(1), ScriptedPlatform(reachable=False))
    assert absent.session.ended
    assert absent.session.failure == "refused"


def test_a_report_that_is_refused_goes_again_three_times_and_then_counts_as_refused() -> None:
    waiting = in_memory(3)
    bad = record(2)

    def script(message: Message) -> list[Message]:
        second = isinstance(message.content, Report) and message.content.time[5] == bad.number
        return [answer(message, Response.ERROR)] if second else success(message)

    bench = Bench(RULES, waiting, ScriptedPlatform(script))
    bench.run(179)
    assert not bench.session.ended
    bench.run(10)
    assert bench.session.ended
    assert bench.platform.commands() == [5, 2, 2, 2, 2, 2, 2, 6]
    again = bench.platform.reports()[3:]
    assert {message.write() for message in again} == {bench.platform.reports()[1].write()}
    hop = waiting.hop()
    assert (hop.left, hop.set_aside, hop.balanced) == (2, {"refused with error": 1}, True)


@pytest.mark.parametrize(
    "flag", [Response.SIGNATURE_ERROR, Response.STRUCTURE_ERROR, Response.DECRYPTION_ERROR]
)
def test_what_cannot_become_right_by_saying_it_again_is_refused_at_once(flag: Response) -> None:
    waiting = in_memory(2, Edition.Y2025)
    bench = Bench(rules_of(Edition.Y2025), waiting, but(Command.REAL_TIME, flag))
    bench.run(2)
    assert bench.platform.commands() == [5, 2, 2, 6]
    assert sum(waiting.hop().set_aside.values()) == 2


def test_what_a_cut_took_with_it_goes_again_as_reissue_and_nothing_else_does() -> None:
    came = count(1)

    def script(message: Message) -> list[Message] | None:
        if message.command != Command.REAL_TIME or (place := next(came)) <= 10 or place > 16:
            return success(message)
        return [] if place < 16 else None

    waiting = in_memory(40)
    bench = Bench(replace(RULES, frames_most=16), waiting, ScriptedPlatform(script))
    bench.run(30)
    assert bench.session.ended
    assert waiting.hop().left == 40
    assert bench.platform.connections == 2
    live = [one.frame().unit for one in bench.platform.reports() if one.command == Command.REAL_TIME]
    again = [one.frame().unit for one in bench.platform.reports() if one.command == Command.REISSUE]
    acknowledged = live[:10] + live[16:]
    assert again
    assert not set(again) & set(acknowledged)
    assert len(set(again) | set(acknowledged)) == 40
    assert set(live[10:16]) <= set(again)


@pytest.mark.parametrize("whole", [False, True])
def test_answers_find_their_report_by_vehicle_command_and_time_in_any_order(whole: bool) -> None:
    vehicles = [f"LNVGATE00XDEM{number:04}" for number in range(20)]
    given = [
        Given(vehicle, record(second), late=second % 2 == 0) for second in range(1, 6) for vehicle in vehicles
    ]
    waiting = WaitingRecords(given, converter())
    held: list[Message] = []

    def script(message: Message) -> list[Message]:
        if message.command in {2, 3}:
            held.append(message)
            return []
        return success(message)

    bench = Bench(RULES, waiting, ScriptedPlatform(script))
    assert len(held) == 100
    assert waiting.hop().left == 0
    flags = [Response.SUCCESS if number % 3 else Response.STRUCTURE_ERROR for number in range(100)]
    answers = [answer(message, flag, whole=whole) for message, flag in zip(held, flags, strict=True)]
    bench.session.received(b"".join(one.write() for one in reversed(answers)))
    hop = waiting.hop()
    assert (hop.left, sum(hop.set_aside.values())) == (66, 34)
    assert bench.session.facts["answers to nothing"] == 0
    bench.session.received(answers[0].write())
    assert bench.session.facts["answers to nothing"] == 1


def test_a_record_of_several_messages_has_arrived_when_all_are_answered() -> None:
    cells: dict[str, Value] = {"pack[1].cells": tuple(range(3000, 3450)), "pack[1].voltage": 3900}
    waiting = WaitingRecords([Given(VEHICLE, record(1, cells), late=False)], converter())
    held: list[Message] = []

    def script(message: Message) -> list[Message]:
        held.append(message)
        return [] if message.command == Command.REAL_TIME else success(message)

    bench = Bench(RULES, waiting, ScriptedPlatform(script))
    reports = held[1:]
    assert len(reports) == 3
    for message in reports[:2]:
        bench.session.received(answer(message, Response.SUCCESS).write())
    assert waiting.hop().left == 0
    bench.session.received(answer(reports[2], Response.SUCCESS).write())
    assert waiting.hop().left == 1


def test_one_answer_that_is_lost_costs_a_repeat_and_silence_the_connection() -> None:
    lost = but(Command.REAL_TIME, None, times=1)
    bench = Bench(RULES, in_memory(2), lost)
    bench.run(61)
    assert bench.platform.commands() == [5, 2, 2]
    # A second report was answered at once, so that the connection has been silent for as long.
    assert bench.session.facts["connections given up"] == 1
    bench.run(60)
    assert bench.session.ended
    assert bench.platform.commands() == [5, 2, 2, 5, 3, 6]


def test_a_platform_that_answers_errors_alone_is_believed_by_its_heartbeat() -> None:
    errors = count(1)

    def script(message: Message) -> list[Message]:
        if message.command == Command.REAL_TIME:
            return [answer(message, Response.STRUCTURE_ERROR)] if next(errors) == 3 else []
        return success(message)

    waiting = in_memory(5)
    bench = Bench(rules_of(Edition.Y2016, Acknowledge.HEARTBEAT), waiting, ScriptedPlatform(script))
    bench.run(0.9)
    assert waiting.hop().left == 0
    bench.run(5)
    assert bench.session.ended
    assert bench.platform.commands() == [5, 2, 2, 2, 2, 2, 7, 6]
    heartbeat = bench.platform.heard[6]
    assert (heartbeat.vin, heartbeat.content) == (ACCOUNT.identity.encode(), Opaque(b"", "empty"))
    assert (waiting.hop().left, sum(waiting.hop().set_aside.values())) == (4, 1)


def test_without_the_heartbeats_answer_nothing_has_arrived() -> None:
    def script(message: Message) -> list[Message]:
        return success(message) if message.command == Command.PLATFORM_LOGIN else []

    waiting = in_memory(5)
    bench = Bench(rules_of(Edition.Y2016, Acknowledge.HEARTBEAT), waiting, ScriptedPlatform(script))
    bench.run(62)
    assert waiting.hop().left == 0
    assert bench.session.facts["connections given up"] == 1


def test_by_the_window_a_report_has_arrived_when_no_error_came_in_time() -> None:
    def script(message: Message) -> list[Message]:
        return [] if message.command == Command.REAL_TIME else success(message)

    waiting = in_memory(5)
    bench = Bench(rules_of(Edition.Y2016, Acknowledge.WINDOW), waiting, ScriptedPlatform(script))
    bench.run(59)
    assert waiting.hop().left == 0
    bench.run(2)
    assert waiting.hop().left == 5
    assert bench.session.ended


def test_no_more_is_under_way_than_may_be() -> None:
    def script(message: Message) -> list[Message]:
        return [] if message.command == Command.REAL_TIME else success(message)

    bench = Bench(replace(RULES, frames_most=7), in_memory(100), ScriptedPlatform(script))
    bench.run(50)
    assert len(bench.platform.reports()) == 7


def test_a_stop_waits_for_answers_and_logs_out() -> None:
    held: list[Message] = []

    def script(message: Message) -> list[Message]:
        if message.command == Command.REAL_TIME:
            held.append(message)
            return []
        return success(message)

    waiting = in_memory(100)
    bench = Bench(replace(RULES, frames_most=4), waiting, ScriptedPlatform(script))
    bench.stop()
    assert not bench.session.ended
    for message in held:
        bench.do(bench.session.received(answer(message, Response.SUCCESS).write()))
    assert bench.session.ended
    assert bench.platform.commands() == [5, 2, 2, 2, 2, 6]
    assert waiting.hop().left == 4


def test_a_stop_does_not_wait_for_ever() -> None:
    bench = Bench(RULES, in_memory(3), but(Command.REAL_TIME, None))
    bench.stop()
    bench.run(RULES.drain_s + 1)
    assert bench.platform.commands()[-1] == 6
    assert bench.session.ended


def test_garbage_and_strange_answers_end_nothing() -> None:
    bench = Bench(RULES, in_memory(0))
    bench = Bench(RULES, WaitingRecords(records(1), converter()), but(Command.REAL_TIME, None))
    report = bench.platform.reports()[0]
    bench.session.received(b"##" + b"\xff" * 70_000)
    other = Message(Edition.Y2016, 2, 0x44, report.vin, Values("response", (b"\0" * 6,)))
    bench.session.received(other.write())
    bench.session.received(Message(Edition.Y2016, 0xC1, 1, report.vin, Opaque(b"x", "")).write())
    bench.session.received(
        Message(Edition.Y2016, 0x80, 0xFE, ACCOUNT.identity.encode(), Opaque(b"x", "")).write()
    )
    assert bench.session.facts["answers to nothing"] == 2
    assert bench.session.facts["commands not followed"] == 1
    assert bench.session.facts["bytes skipped"]
    bench.do(bench.session.received(answer(report, Response.SUCCESS).write()))
    bench.run(1)
    assert bench.session.ended


@pytest.mark.parametrize(
    "account",
    [("short", "u", "p"), ("GOVPLATFORM000001", "u" * 13, "p"), ("GOVPLATFORM000001", "u", "p" * 21)],
)
def test_an_account_that_does_not_fit_its_fields_is_refused(account: tuple[str, str, str]) -> None:
    with pytest.raises(GbtError):
        PlatformAccount(*account)


def test_the_password_is_not_in_what_is_shown_of_an_account() -> None:
    assert "secret" not in repr(ACCOUNT)


def test_the_rules_of_the_editions_differ_where_the_standard_does() -> None:
    assert rules_of(Edition.Y2016) == ForwardRules(Edition.Y2016)
    assert rules_of(Edition.Y2025).login_retry_s == 180
