"""The line to the supervisor through a process of capture: it outlives the buses, and nothing else does."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.account import Account
from edge.capturing.process import CaptureProcess
from edge.clock import SystemClock
from edge.power.following import PowerFollower
from edge.power.keeper import KeeperRules
from edge.power.line import PowerAnswer, PowerCommand, PowerSaid, joined
from edge.power.supervisor import ShutdownRequest
from tests.capturing.driving import Reader
from tests.capturing.sources import OPERATION, plan
from tests.supervisor.echoing import EchoingLine, open_echo

CLOCK = SystemClock()
LONG_S = 30.0
FRAMES = 5
"""After these the bus is silent."""


@pytest.fixture(name="capture")
def starting(tmp_path: Path) -> Iterator[CaptureProcess]:
    wanted = replace(
        plan(tmp_path, rate=1000, count=FRAMES),
        opener=f"{open_echo.__module__}:{open_echo.__name__}",
        power=True,
    )
    with CaptureProcess(wanted, OPERATION, "first", clock=CLOCK) as capture:
        yield capture
        capture.hang_up()


def closed(capture: CaptureProcess, reader: Reader | None = None) -> Reader:
    reader = reader or Reader(capture)
    reader.until(lambda: reader.frames == FRAMES)
    with capture:
        pass
    reader.to_the_end()
    return reader


def answer(capture: CaptureProcess, command: PowerCommand) -> PowerSaid:
    """What is said until that command is answered."""
    said: list[PowerSaid] = []
    end_s = time.monotonic() + LONG_S
    while not any(each.command is command for each in joined(said).answers):
        assert time.monotonic() < end_s, "it was not answered"
        capture.attend(0.05)
        said.append(capture.said())
    return joined(said)


def test_the_line_goes_on_until_it_is_hung_up(capture: CaptureProcess) -> None:
    reader = Reader(capture)
    reader.until(lambda: reader.frames == FRAMES)
    assert [event.cause for event in capture.said().events] == ["with [2Ja bell"]
    capture.ask(PowerCommand.KEEP_POWER, 20)
    asked_s = time.monotonic()
    assert reader.read(LONG_S)
    assert time.monotonic() - asked_s < LONG_S - 1, "what was said waited as if nothing had come"
    assert capture.said().answers == (PowerAnswer(PowerCommand.KEEP_POWER, True, "20 s"),)
    closed(capture, reader)
    pid = capture.pid
    assert pid is not None
    capture.ask(PowerCommand.SHUTDOWN_DONE)
    assert answer(capture, PowerCommand.SHUTDOWN_DONE)
    before = capture.hops()
    capture.hang_up()
    assert capture.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert capture.hops() == before
    assert Account.of(before).balanced
    assert reader.frames == reader.hop("capture to core").left


def test_a_process_that_dies_when_all_else_is_closed_holds_nobody_up(capture: CaptureProcess) -> None:
    closed(capture)
    follower = PowerFollower(capture, KeeperRules(longest_end_s=1), CLOCK)
    assert capture.pid is not None
    with follower.closing():
        follower.keeper.take(ShutdownRequest(60, "supply low"), CLOCK.boot_ns())
        os.kill(capture.pid, signal.SIGKILL)
    assert not follower.answered
    assert capture.pid is None
    assert Account.of(capture.hops()).balanced
    assert not any("crash" in fact for hop in capture.hops() for fact in hop.facts)


def test_a_gateway_that_could_not_close_says_nothing() -> None:
    line = EchoingLine()
    follower = PowerFollower(line, KeeperRules(), CLOCK)
    follower.keeper.take(ShutdownRequest(60, "supply low"), CLOCK.boot_ns())
    with pytest.raises(OSError, match="no disk"), follower.closing():
        raise OSError("no disk")
    assert not follower.answered
    assert not line.said().answers
