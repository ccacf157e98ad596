"""Logins, reports, heartbeats and silence at a platform, in both editions, under a virtual clock."""

from __future__ import annotations

import pytest

from edge.catalogue.item import Edition
from edge.wire.gbt.beijing import time_bytes
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import Opaque
from simulator.gbt.checks import Fault
from simulator.gbt.events import Closed, Doubled, Garbage, LoggedIn, LoggedOut
from simulator.gbt.settings import Answers, PlatformSettings, SecondLogin, SessionNumbers
from tests.gbt.grammar import T_S, VIN
from tests.gbt_platform.rig import (
    CENTRE,
    OTHER,
    VEHICLE_2016,
    Rig,
    command,
    login,
    logout,
    platform_login,
    platform_logout,
    report,
)

pytestmark = pytest.mark.parametrize("edition", list(Edition))


def test_a_session_in_order(edition: Edition) -> None:
    rig = Rig()
    peer = rig.connect()
    (answer,) = peer.say(login(edition))
    assert (answer.command, answer.response, answer.vin, answer.unit) == (1, 1, VIN, time_bytes(T_S))
    assert peer.events == [LoggedIn(VIN.decode(), edition, 1)]
    assert peer.say(report(edition, T_S), report(edition, T_S + 10), report(edition, T_S + 20)) == []
    (answer,) = peer.say(command(edition, Command.HEARTBEAT))
    assert (answer.command, answer.response, answer.unit) == (7, 1, b"")
    (answer,) = peer.say(logout(edition))
    assert (answer.response, answer.unit) == (1, time_bytes(T_S))
    assert peer.last == LoggedOut(VIN.decode(), 1)
    assert rig.times() == [0, 10, 20]
    hop = rig.platform.hops()[0]
    assert (hop.entered, hop.left, hop.set_aside) == (6, 3, {"of the session": 3})
    assert peer.flags(report(edition, T_S + 30)) == [Response.ERROR]
    assert peer.refused.fault is Fault.NOT_LOGGED_IN


def test_any_cutting_of_the_stream_is_the_same(edition: Edition) -> None:
    rig = Rig()
    peer = rig.connect()
    data = login(edition) + report(edition) + logout(edition)
    answers = [frame.command for place in range(len(data)) for frame in peer.say(data[place : place + 1])]
    assert answers == [1, 4]
    assert rig.times() == [0]


def test_a_second_login_drops_the_old_session(edition: Edition) -> None:
    rig = Rig()
    old, new = rig.terminal(edition), rig.connect()
    assert new.flags(login(edition, 2)) == [Response.SUCCESS]
    ((dropped, turn),) = rig.platform.dropped()
    assert dropped is old.connection
    assert turn.close == "a new login of the same VIN"
    assert turn.events == (Closed(VIN.decode(), turn.close),)
    assert old.say(report(edition)) == []
    assert rig.times() == []
    assert new.say(report(edition)) == []
    assert rig.times() == [0]
    assert old.connection.lost(rig.now_ns).events == ()
    assert rig.platform.vehicles[VIN].connection is new.connection


def test_a_second_login_is_refused_where_so_chosen(edition: Edition) -> None:
    rig = Rig(settings=PlatformSettings(second_login=SecondLogin.REFUSE_NEW))
    old, new = rig.terminal(edition), rig.connect()
    assert new.flags(login(edition, 2)) == [Response.VIN_DUPLICATE]
    assert rig.platform.dropped() == []
    assert old.say(report(edition)) == []
    assert rig.times() == [0]
    old.connection.lost(rig.now_ns)
    assert new.flags(login(edition, 2)) == [Response.SUCCESS]


def test_a_login_again_on_the_same_connection_goes_on(edition: Edition) -> None:
    rig = Rig()
    peer = rig.terminal(edition)
    assert peer.flags(login(edition, 2), logout(edition, 2)) == [Response.SUCCESS] * 2
    assert rig.platform.dropped() == []


@pytest.mark.parametrize(
    ("numbers", "rises", "missed"),
    [
        ((1, 2), True, 0),
        ((1, 5), True, 3),
        ((5, 5), False, 0),
        ((5, 4), False, 0),
        ((65_531, 1), True, 0),
        ((65_530, 2), True, 2),
        ((65_000, 40), False, 0),
    ],
)
@pytest.mark.parametrize("policy", list(SessionNumbers))
def test_session_numbers_rise(
    edition: Edition, numbers: tuple[int, int], rises: bool, missed: int, policy: SessionNumbers
) -> None:
    rig = Rig(settings=PlatformSettings(session_numbers=policy))
    peer = rig.terminal(edition, number=numbers[0])
    answers = peer.flags(login(edition, numbers[1]))
    if rises or policy is SessionNumbers.TOLD:
        assert answers == [Response.SUCCESS]
        assert peer.last == LoggedIn(VIN.decode(), edition, numbers[1], number_rose=rises, missed=missed)
    else:
        assert answers == ([] if edition is Edition.Y2016 else [Response.ERROR])
        assert peer.refused.fault is Fault.SESSION_NUMBER


def test_session_numbers_begin_again_each_beijing_day(edition: Edition) -> None:
    rig = Rig(settings=PlatformSettings(session_numbers=SessionNumbers.REFUSED))
    peer = rig.connect()
    # T_S is 08:00 in Beijing: the day ends 16 hours later.
    assert peer.flags(login(edition, 7, at_s=T_S + 16 * 3600 - 1)) == [Response.SUCCESS]
    assert peer.flags(login(edition, 1, at_s=T_S + 16 * 3600)) == [Response.SUCCESS]
    assert peer.flags(login(edition, 1, at_s=T_S + 16 * 3600)) != [Response.SUCCESS]


def test_a_logout_has_the_number_of_its_login(edition: Edition) -> None:
    rig = Rig()
    peer = rig.terminal(edition, number=3)
    assert peer.flags(logout(edition, 2)) == [Response.ERROR]
    assert peer.refused.fault is Fault.SESSION_NUMBER
    assert peer.flags(logout(edition, 3)) == [Response.SUCCESS]


def test_reports_are_answered_where_so_chosen(edition: Edition) -> None:
    rig = Rig(settings=PlatformSettings(answers=Answers.ALL))
    peer = rig.terminal(edition)
    (answer,) = peer.say(report(edition, T_S + 7))
    assert (answer.command, answer.response, answer.unit) == (2, 1, time_bytes(T_S + 7))
    assert peer.flags(report(edition, T_S + 7)) == [Response.SUCCESS]
    assert rig.times() == [7]


def test_answers_keep_the_whole_unit_where_so_chosen(edition: Edition) -> None:
    rig = Rig(settings=PlatformSettings(answers=Answers.ALL, answers_whole=True))
    peer = rig.connect()
    (answer,) = peer.say(login(edition))
    said = login(edition)
    assert answer.write()[4:-1] == said[4:-1]
    assert answer.write()[3] == Response.SUCCESS


def test_the_same_time_and_bytes_are_kept_once(edition: Edition) -> None:
    rig = Rig()
    peer = rig.terminal(edition)
    peer.say(report(edition, T_S), report(edition, T_S + 1))
    for again in (
        report(edition, T_S + 1),
        report(edition, T_S),
        report(edition, T_S, mark=Command.REISSUE),
    ):
        peer.say(again)
        assert isinstance(peer.last, Doubled)
    peer.say(report(edition, T_S + 1, bodies=()))
    assert rig.times() == [0, 1, 1]
    assert rig.platform.vehicles[VIN].figures.doubles == 3
    hop = rig.platform.hops()[0]
    assert hop.balanced
    assert hop.set_aside["double"] == 3


def test_time_sync_is_answered_with_the_time_also_before_login(edition: Edition) -> None:
    rig = Rig()
    peer = rig.connect()
    rig.now_ns += 5_500_000_000
    (answer,) = peer.say(command(edition, Command.TIME_SYNC))
    assert (answer.command, answer.response, answer.unit) == (8, 1, time_bytes(T_S + 5))


def test_a_heartbeat_needs_a_session_and_keeps_it(edition: Edition) -> None:
    rig = Rig()
    peer = rig.connect()
    assert peer.flags(command(edition, Command.HEARTBEAT)) == [Response.ERROR]
    peer.say(login(edition))
    for _ in range(5):
        peer.wait(299)
        assert peer.flags(command(edition, Command.HEARTBEAT)) == [Response.SUCCESS]
    peer.wait(299.9)
    assert peer.connection.closed == ""
    peer.wait(0.1)
    assert peer.last == Closed(VIN.decode(), "nothing was heard for 300 s")
    assert rig.platform.vehicles[VIN].connection is None


def test_garbage_is_no_sign_of_life(edition: Edition) -> None:
    rig = Rig()
    peer = rig.terminal(edition)
    peer.wait(200)
    peer.say(b"\0" * 10)
    peer.wait(100)
    assert peer.connection.closed != ""


def test_a_connection_without_login_is_closed(edition: Edition) -> None:
    rig = Rig()
    peer = rig.connect()
    peer.say(command(edition, Command.TIME_SYNC))
    peer.wait(60)
    assert peer.last == Closed("", "no login within 60 s")


def test_garbage_between_messages_is_skipped_and_counted(edition: Edition) -> None:
    rig = Rig()
    peer = rig.terminal(edition)
    broken = bytearray(report(edition, T_S + 1))
    broken[30] ^= 1
    peer.say(b"garbage", report(edition), bytes(broken), report(edition, T_S + 2))
    assert rig.times() == [0, 2]
    garbage = [one.skipped.length for one in peer.events if isinstance(one, Garbage)]
    assert garbage == [7, len(broken)]
    figures = rig.platform.vehicles[VIN].figures
    # 3 frames with the login, 2 stretches.
    assert (figures.frames, figures.parse_errors) == (5, 2)


def test_a_frame_that_never_ends_holds_the_others_up_for_a_while_only(edition: Edition) -> None:
    rig = Rig()
    peer = rig.terminal(edition)
    start = bytearray(report(edition)[:24])
    start[22:24] = b"\xff\x00"
    peer.say(bytes(start), report(edition))
    assert rig.times() == []
    peer.wait(9)
    peer.say(report(edition, T_S + 1))
    assert rig.times() == []
    peer.wait(1)
    assert rig.times() == [0, 1]


def test_a_slow_stream_of_frames_is_not_one_that_never_ends(edition: Edition) -> None:
    rig = Rig()
    peer = rig.terminal(edition)
    half = len(report(edition)) // 2
    for place in range(5):
        said = report(edition, T_S + place)
        # The second half of one with the first of the next: something always waits, nothing for long.
        peer.say(said[:half])
        peer.wait(6)
        peer.say(said[half:] + report(edition, T_S + 10 + place)[:half])
        peer.wait(6)
        peer.say(report(edition, T_S + 10 + place)[half:])
    assert rig.times() == [0, 10, 1, 11, 2, 12, 3, 13, 4, 14]
    assert rig.platform.garbage == 0


def test_a_session_has_one_edition(edition: Edition) -> None:
    rig = Rig()
    peer = rig.terminal(edition)
    peer.say(report(next(one for one in Edition if one is not edition)))
    assert peer.refused.fault is Fault.EDITION
    assert rig.times() == []


def test_one_connection_one_vehicle(edition: Edition) -> None:
    rig = Rig()
    peer = rig.terminal(edition)
    for said in (report(edition, vin=OTHER), login(edition, vin=OTHER)):
        peer.say(said)
        assert peer.refused.fault is Fault.VIN_OTHER
    assert rig.times(OTHER) == []
    assert peer.say(report(edition)) == []


def test_responses_to_nothing_are_not_answered(edition: Edition) -> None:
    rig = Rig()
    peer = rig.terminal(edition)
    stray = command(edition, Command.QUERY, Opaque(b"", "empty"), response=Response.SUCCESS)
    assert peer.say(stray, command(edition, Command.HEARTBEAT, response=Response.SUCCESS)) == []
    assert rig.platform.hops()[0].set_aside["responses to nothing"] == 2


def test_a_platform_forwards_many_vehicles_over_one_connection(edition: Edition) -> None:
    rig = Rig()
    peer = rig.connect()
    (answer,) = peer.say(platform_login(edition))
    assert (answer.command, answer.response, answer.vin, answer.unit) == (5, 1, CENTRE, time_bytes(T_S))
    assert peer.last == LoggedIn("city", edition, 1, platform=True)
    vins = [b"LNVGATE00XDEM%04d" % number for number in range(50)]
    assert peer.say(*(report(edition, vin=vin) for vin in vins)) == []
    assert all(rig.times(vin) == [0] for vin in vins)
    assert peer.flags(login(edition, vin=OTHER), logout(edition, vin=OTHER)) == [1, 1]
    assert peer.flags(platform_logout(edition, 2)) == [Response.ERROR]
    assert peer.flags(platform_logout(edition)) == [Response.SUCCESS]
    assert peer.flags(report(edition, T_S + 1, vin=OTHER)) == [Response.ERROR]


def test_a_forwarded_login_leaves_the_terminals_own_session_alone(edition: Edition) -> None:
    rig = Rig()
    terminal, platform = rig.terminal(edition), rig.connect()
    platform.say(platform_login(edition), login(edition, 2))
    assert rig.platform.dropped() == []
    assert terminal.say(report(edition)) == []
    assert rig.times() == [0]


def test_forwarded_vehicles_log_in_where_so_chosen(edition: Edition) -> None:
    rig = Rig(settings=PlatformSettings(forwarded_logins=True))
    peer = rig.connect()
    peer.say(platform_login(edition))
    assert peer.flags(report(edition)) == [Response.ERROR]
    assert peer.flags(login(edition), report(edition)) == [Response.SUCCESS]
    assert rig.times() == [0]
    assert peer.flags(logout(edition), report(edition, T_S + 1)) == [Response.SUCCESS, Response.ERROR]


def test_a_second_login_of_a_platform_drops_the_old_one(edition: Edition) -> None:
    rig = Rig()
    old, new = rig.connect(), rig.connect()
    old.say(platform_login(edition))
    assert new.flags(platform_login(edition, 2)) == [Response.SUCCESS]
    assert [dropped for dropped, _ in rig.platform.dropped()] == [old.connection]


def test_one_connection_one_platform(edition: Edition) -> None:
    rig = Rig()
    peer = rig.connect()
    assert peer.flags(platform_login(edition), platform_login(edition, 2)) == [Response.SUCCESS] * 2
    assert peer.flags(platform_login(edition, 3, user=b"town")) == [Response.ERROR]
    assert peer.refused.fault is Fault.ACCESS
    assert list(rig.platform.platforms) == ["city"]


def test_too_many_vehicles_are_refused(edition: Edition) -> None:
    rig = Rig(settings=PlatformSettings(vehicles_most=2))
    peer = rig.connect()
    peer.say(platform_login(edition))
    vins = [b"LNVGATE00XDEM%04d" % number for number in range(4)]
    assert peer.flags(*(report(edition, vin=vin) for vin in vins)) == [Response.ERROR] * 2
    assert len(rig.platform.vehicles) == 2


def test_an_edition_that_is_not_spoken_is_refused(edition: Edition) -> None:
    spoken = next(one for one in Edition if one is not edition)
    rig = Rig(settings=PlatformSettings(editions=frozenset({spoken})))
    peer = rig.connect()
    peer.say(login(edition))
    assert peer.refused.fault is Fault.EDITION
    assert peer.flags(login(spoken)) == [Response.SUCCESS]
    peer.say(report(edition, bodies=(VEHICLE_2016,) if edition is Edition.Y2016 else ()))
    assert peer.refused.fault is Fault.EDITION
