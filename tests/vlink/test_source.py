"""`VlinkSource`: frames, times and losses of a board, and what becomes of it on the way."""

from __future__ import annotations

import numpy as np
import pytest

from edge.bus.condition import AlarmKind, Listening
from edge.bus.source import WAITING
from edge.bus.vlink import source as naming
from edge.bus.vlink.board_report import SUPERVISOR, Member
from edge.bus.vlink.commands import Outcome
from edge.bus.vlink.session import DAMAGED, SESSIONS, SILENCES
from edge.bus.vlink.stamped_frames import BY_GREETING, JUMPS, UNCOUNTED_MS
from edge.clock import NS_PER_S
from edge.power.supervisor import SupervisorState
from edge.wire.vlink_messages import COMMAND_KEEP_POWER, Event, Status
from tests.vlink.board import Line
from tests.vlink.desk import Desk


@pytest.fixture
def bench() -> Desk:
    one = Desk()
    one.read(1)
    return one


def test_every_frame_comes_once_with_its_number_and_the_account_balances(bench: Desk) -> None:
    for _ in range(20):
        bench.board.offer(0, 45)
        bench.read(0.1)
    assert bench.numbers() == list(range(900))
    hop = bench.source.hop()
    assert hop.balanced
    assert (hop.entered, hop.left, hop.set_aside) == (900, 900, {})
    assert hop.name == "bus pt"


def test_times_are_the_boards_within_what_is_said_of_them() -> None:
    bench = Desk(drift=80e-6)
    bench.read(1)
    truth = []
    for _ in range(100):
        truth.append(bench.clock.boot_ns())
        bench.board.offer(0, 1)
        bench.pass_time(0.03)
        bench.read()
    error_ns = np.abs(bench.frames().t_ns - np.array(truth))
    told_ns = bench.source.relation.uncertainty_ns(bench.board.t_us)
    assert told_ns is not None
    assert error_ns.max() <= told_ns <= 400_000


def test_frames_from_before_the_gateway_have_their_own_times() -> None:
    bench = Desk()
    bench.board.offer(0, 3)
    at_ns = bench.clock.boot_ns()
    bench.pass_time(20)
    bench.read(1)
    assert np.abs(bench.frames().t_ns - at_ns).max() < 20e6
    assert bench.numbers() == [0, 1, 2]


def test_what_is_lost_on_the_line_is_counted_to_the_frame(bench: Desk) -> None:
    for spoilt in (True, False):
        bench.board.offer(0, 200)
        bench.line.flips = 5 * spoilt
        bench.read(0.2)
    bench.read(1.5)
    hop = bench.source.hop()
    assert hop.balanced
    lost = 400 - len(bench.numbers())
    assert lost
    assert hop.set_aside == {naming.ON_LINE: lost}
    assert hop.facts[DAMAGED]


def test_what_the_ring_had_no_room_for_is_told_apart(bench: Desk) -> None:
    bench.board.offer(0, 700)
    bench.board.buses[0].state = 0
    bench.read(0.1)
    bench.board.offer(0, 1)
    bench.read()
    assert bench.source.hop().set_aside == {naming.RING_OR_LINE: 200}
    bench.read(1.5)
    assert bench.source.hop().set_aside == {naming.IN_RING: 200}


def test_frame_numbers_wrap() -> None:
    bench = Desk(first_number=0xFFFF_FF00)
    bench.board.offer(0, 100)
    bench.read(1)
    for spoilt in (False, True, False, False):
        bench.board.offer(0, 100)
        bench.line.drops = spoilt
        bench.read(0.1)
    bench.read(1.5)
    hop = bench.source.hop()
    assert hop.facts[naming.BEFORE_RUN] == 0xFFFF_FF00
    assert hop.entered == 500
    assert hop.left == len(bench.numbers()) < 500
    assert naming.STEPS_BACK not in hop.facts


@pytest.mark.parametrize("counted", [True, False])
def test_overruns_are_exact_where_they_are_counted_and_at_least_where_flagged(counted: bool) -> None:
    bench = Desk(overruns_counted=counted)
    bench.board.overrun(0, 9)
    bench.read(1)
    bench.board.overrun(0, 4)
    bench.read(2)
    hop = bench.source.hop()
    assert hop.balanced
    assert hop.facts[naming.OVERRUNS_BEFORE] == 9
    assert hop.set_aside.get(naming.OVERRUN, 0) == (4 if counted else 0)
    assert hop.at_least.get(naming.FLAGGED, 0) == (0 if counted else 4)


class TestAReset:
    @pytest.fixture
    def after(self, bench: Desk) -> Desk:
        bench.board.offer(0, 10)
        bench.read(0.1)
        bench.board.offer(0, 5)
        bench.board.status()
        bench.board._ring.clear()  # what was still on the board
        bench.read(0.1)
        bench.pass_time(0.5)
        bench.board.reset()
        bench.board.offer(0, 7)
        bench.read(5)
        return bench

    def test_capture_goes_on(self, after: Desk) -> None:
        assert after.numbers(boot=1) == list(range(10))
        assert after.numbers(boot=2) == list(range(7))
        assert after.source.hop().balanced

    def test_what_was_on_the_board_is_at_least_lost(self, after: Desk) -> None:
        hop = after.source.hop()
        assert hop.at_least[naming.IN_RESETS] == 5
        assert hop.facts[naming.RESETS] == 1
        assert hop.facts[SILENCES] == 1

    def test_the_rest_is_an_interval(self, after: Desk) -> None:
        (gap,) = after.source.uncounted
        assert 0.5e9 < gap.to_ns - gap.from_ns < 1.2e9
        assert (gap.to_ns - gap.from_ns) // 1_000_000 == after.source.hop().facts[UNCOUNTED_MS]

    def test_frames_lost_of_the_new_boot_are_exact_from_its_first_on(self, bench: Desk) -> None:
        bench.board.reset()
        bench.board.offer(0, 600)
        bench.read(5)
        bench.board.offer(0, 1)
        bench.read(2)
        assert bench.source.hop().set_aside == {naming.IN_RING: 100}


def test_a_board_that_greets_by_itself_is_begun_with_anew(bench: Desk) -> None:
    bench.board.reset()
    bench.board.session = True
    bench.board.hello()
    bench.read(0.2)
    assert bench.source.hop().facts[naming.RESETS] == 1
    assert SILENCES not in bench.source.hop().facts


def test_unplugged_and_plugged_in_again_costs_no_certainty(bench: Desk) -> None:
    bench.board.offer(0, 50)
    bench.read(0.1)
    bench.unplug()
    bench.read()
    assert bench.conditions.of("pt").away == "/dev/ttyTEST0 is gone"
    bench.board.offer(0, 700)
    bench.read(10)
    assert bench.conditions.of("pt").away == "there is no such port"
    bench.plugged = True
    bench.read(6)
    bench.board.offer(0, 1)
    bench.read(1.5)
    hop = bench.source.hop()
    assert hop.balanced
    assert (hop.entered, hop.set_aside) == (751, {naming.IN_RING: 200})
    assert (hop.facts[naming.OUTAGES], hop.facts[naming.REOPENED], hop.facts[SESSIONS]) == (1, 1, 2)
    assert bench.conditions.of("pt").away == ""


def test_a_host_that_stalls_for_3_s_has_what_the_ring_held(bench: Desk) -> None:
    bench.board.offer(0, 400)
    bench.pass_time(3.2)
    bench.read(1)
    assert bench.numbers() == list(range(400))
    assert bench.source.hop().set_aside == {}


def test_a_host_that_slept_for_an_hour_loses_what_the_ring_could_not_hold_and_no_time(bench: Desk) -> None:
    bench.pass_time(1800)
    at_ns = bench.clock.boot_ns()
    bench.board.offer(0, 700)
    bench.pass_time(1800)
    bench.read(5)
    bench.board.offer(0, 1)
    bench.read(2)
    hop = bench.source.hop()
    assert hop.balanced
    assert hop.set_aside == {naming.IN_RING: 200}
    assert np.abs(bench.frames().t_ns[:-1] - at_ns).max() < 0.1 * NS_PER_S
    assert JUMPS not in hop.facts
    error_ns = bench.source.relation.uncertainty_ns(bench.board.t_us)
    assert error_ns is not None
    assert error_ns < 200_000


def test_a_board_that_does_not_answer_is_said_to(bench: Desk) -> None:
    bench.board.answers = bench.board.session = False
    bench.read(10)
    assert bench.conditions.of("pt").away == "the board does not answer"
    bench.board.answers = True
    bench.read(1)
    assert bench.conditions.of("pt").away == ""


def test_a_board_of_another_version_says_so() -> None:
    bench = Desk(firmware_version=2)
    bench.read(8)
    assert bench.conditions.of("pt").away == "speaks version 2 only"


def test_without_answers_about_time_frames_wait_2_s_at_most() -> None:
    bench = Desk(answers_time=False)
    bench.read(0.5)
    bench.board.offer(0, 5)
    at_ns = bench.clock.boot_ns()
    bench.read(1)
    assert not bench.taken
    assert bench.source.hop().set_aside == {WAITING: 5}
    bench.read(1.5)
    assert bench.numbers() == list(range(5))
    assert bench.source.hop().facts[BY_GREETING] == 5
    assert abs(int(bench.frames().t_ns[0]) - at_ns) < 5e6


def test_a_board_that_does_not_answer_about_time_is_waited_for_once_a_question() -> None:
    bench = Desk(answers_time=False)
    bench.read(1)
    bench.pass_time(2)
    spent_s = []
    for _ in range(8):
        begin_ns = bench.clock.boot_ns()
        bench.source.read(0)
        spent_s.append((bench.clock.boot_ns() - begin_ns) / NS_PER_S)
    assert sum(spent_s) <= 1.1 * naming.ASKING_S


def test_the_clocks_are_related_as_soon_as_a_session_stands() -> None:
    bench = Desk(drift=80e-6)
    bench.read(0.01)
    assert bench.source.relation.known
    error_ns = bench.source.relation.uncertainty_ns(bench.board.t_us)
    assert error_ns is not None
    assert error_ns < 300_000
    bench.read(3)
    error_ns = bench.source.relation.uncertainty_ns(bench.board.t_us)
    assert error_ns is not None
    assert error_ns < 200_000


def test_a_clock_that_jumps_is_related_anew_and_times_never_run_backwards(bench: Desk) -> None:
    bench.read(10)
    bench.board.offer(0, 3)
    bench.read(0.2)
    bench.board._zero_ns += 3 * NS_PER_S
    bench.board.offer(0, 3)
    bench.read(3)
    bench.board.offer(0, 3)
    bench.read(0.2)
    t_ns = bench.frames().t_ns
    assert bench.source.hop().facts[JUMPS] == 1
    assert (np.diff(t_ns) >= 0).all()
    assert abs(int(t_ns[-1]) - bench.clock.boot_ns()) < 0.3e9


class TestSeveralBuses:
    @pytest.fixture
    def both(self) -> Desk:
        bench = Desk(Member("pt", 0), Member("body", 2))
        bench.read(1)
        for bus in (0, 1, 2, 0):
            bench.board.offer(bus, 10)
        bench.read(1)
        return bench

    def test_frames_stand_under_their_bus(self, both: Desk) -> None:
        assert both.frames().buses == ("pt", "body")
        assert both.numbers(0) == list(range(20))
        assert both.numbers(1) == list(range(10))

    def test_those_of_a_bus_that_is_not_configured_are_a_fact(self, both: Desk) -> None:
        hop = both.source.hop()
        assert (hop.name, hop.entered, hop.facts[naming.OTHER_BUS]) == ("merged buses", 30, 10)

    def test_one_that_the_board_does_not_have_is_said_to_be_away(self) -> None:
        bench = Desk(Member("pt", 0), Member("body", 1))
        bench.board.count = 1
        bench.board.reset()
        bench.read(1)
        assert bench.conditions.of("body").away == "Desk board has no bus 1"
        assert bench.conditions.of("pt").away == ""


class TestConditions:
    def test_a_bus_that_only_listens_is_no_alarm(self, bench: Desk) -> None:
        condition = bench.conditions.of("pt")
        assert condition.listening is Listening.ONLY
        assert condition.alarms == ()
        assert condition.interface == "vlink /dev/ttyTEST0"
        assert condition.link == "MCP2515, 500000 bit/s, listen-only, controller error-active"

    @pytest.mark.parametrize("mode", [2, 3])
    def test_one_that_does_not_is_an_alarm_until_it_does(self, bench: Desk, mode: int) -> None:
        bench.board.buses[0].mode = mode
        bench.read(1.5)
        condition = bench.conditions.of("pt")
        assert [alarm.kind for alarm in condition.alarms] == [AlarmKind.NOT_LISTEN_ONLY]
        assert condition.listening is Listening.NOT_ONLY
        bench.board.buses[0].mode = 0
        bench.read(1.5)
        assert bench.conditions.of("pt").alarms
        bench.board.buses[0].mode = 1
        bench.read(1.5)
        assert bench.conditions.of("pt").alarms == ()
        assert bench.source.hop().facts["not listen-only"] == 1

    def test_another_bit_rate_than_configured_is_an_alarm(self) -> None:
        bench = Desk(Member("pt", bitrate=250_000))
        bench.read(1)
        (alarm,) = bench.conditions.of("pt").alarms
        assert alarm.kind is AlarmKind.NOT_AS_CONFIGURED
        assert "500000 bit/s, the configuration says 250000" in alarm.words

    def test_bus_off_is_told_and_counted(self, bench: Desk, caplog: pytest.LogCaptureFixture) -> None:
        bench.board.buses[0].state = 3
        bench.read(1.5)
        assert "bus pt: controller is bus-off, was error-active" in caplog.text
        assert bench.source.hop().facts["controller bus-off"] == 1

    def test_the_boards_health_is_shown(self, bench: Desk) -> None:
        bench.read(2.5)
        board = bench.conditions.of("pt").board
        assert board is not None
        assert (board.temperature_c, board.supply_v, board.ignition, board.supervisor) == (
            31.2,
            12.4,
            True,
            "on",
        )
        assert board.clock_error_us is not None
        assert 0 < board.clock_error_us < 1000

    def test_supervisors_words_are_its_states(self) -> None:
        assert tuple(each.name.lower().replace("_", " ") for each in SupervisorState)[1:] == SUPERVISOR[1:]


class TestSpeakingWithTheSupervisor:
    def test_events_and_status_are_said_once(self, bench: Desk) -> None:
        bench.source.said()
        bench.board.event(0x203, 30, "shutdown please")
        bench.read(1.5)
        said = bench.source.said()
        assert Event(said[0].t_us, 0x203, 30, "shutdown please") == said[0]  # type: ignore[union-attr]
        assert any(isinstance(one, Status) for one in said)
        assert bench.source.said() == ()

    def test_a_command_is_sent_until_it_is_answered_and_done_once(self, bench: Desk) -> None:
        bench.source.said()
        number = bench.source.ask(COMMAND_KEEP_POWER, b"\x3c\0")
        bench.line.flips = 40
        bench.read(2)
        outcomes = [one for one in bench.source.said() if isinstance(one, Outcome)]
        assert outcomes == [Outcome(number, COMMAND_KEEP_POWER, 0, "")]
        asked = [one for one in bench.board.commands if one[1] == COMMAND_KEEP_POWER]
        assert set(asked) == {(number, COMMAND_KEEP_POWER, b"\x3c\0")}

    def test_one_without_an_answer_is_given_up(self, bench: Desk) -> None:
        bench.source.ask(9)
        bench.read(1)
        assert [one.result for one in bench.source.said() if isinstance(one, Outcome)] == [2]
        bench.board.answers = False
        bench.source.ask(COMMAND_KEEP_POWER)
        bench.board.status()
        bench.read(12)
        assert [one.result for one in bench.source.said() if isinstance(one, Outcome)] == [None]

    def test_one_that_a_board_was_not_there_for_is_not_sent_when_it_comes_back(self, bench: Desk) -> None:
        bench.unplug()
        bench.read(0.1)
        number = bench.source.ask(COMMAND_KEEP_POWER, b"\x3c\0")
        bench.read(6)
        outcomes = [one for one in bench.source.said() if isinstance(one, Outcome)]
        assert outcomes == [Outcome(number, COMMAND_KEEP_POWER, None, "no answer")]
        bench.plugged = True
        bench.read(8)
        assert bench.source.hop().facts[SESSIONS] == 2
        assert COMMAND_KEEP_POWER not in [code for _, code, _ in bench.board.commands]

    def test_a_board_that_never_lets_a_session_last_has_nothing_pile_up(self, bench: Desk) -> None:
        sent: list[int] = []
        torn = True
        write = Line.write

        def noting(line: Line, data: bytes) -> int:
            sent.append(len(data))
            taken = write(line, data)
            if torn:
                bench.board.hello()
            return taken

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Line, "write", noting)
            bench.read(12)
            torn = False
            bench.read(2)
        assert bench.source.hop().facts[SESSIONS] > 5
        assert max(sent) < 60, "what has piled up is sent in the first session that lasts"


def test_what_came_before_the_close_can_still_be_read(bench: Desk) -> None:
    bench.board.offer(0, 30)
    bench.source.close()
    bench.read()
    assert bench.numbers() == list(range(30))
    assert bench.source.read(0) is None
    assert bench.source.hop().balanced
    assert bench.line.closed
