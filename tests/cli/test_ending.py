"""A signal ends a program, whatever its main thread does at that moment."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

from edge.cli.ending import stop_on_signal, supply_signal

PATIENCE_S = 30.0
TWICE = """
import signal
from edge.cli.ending import stop_on_signal

with stop_on_signal():
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
print("went on")
"""


def test_a_signal_sets_the_event_and_the_old_handler_is_back_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signal() as stop:
        assert not stop.is_set()
        signal.raise_signal(signal.SIGINT)
        assert stop.wait(PATIENCE_S)
    assert signal.getsignal(signal.SIGINT) is before
    assert "signals" not in {thread.name for thread in threading.enumerate()}


def test_a_signal_that_comes_while_the_main_thread_is_about_to_wait_is_heard() -> None:
    with stop_on_signal() as stop:
        with stop._cond:  # type: ignore[attr-defined]
            signal.raise_signal(signal.SIGTERM)
        assert stop.wait(PATIENCE_S)


def test_the_supply_goes_more_than_once() -> None:
    with supply_signal() as lost:
        for _ in range(2):
            signal.raise_signal(signal.SIGPWR)
            assert lost.wait(PATIENCE_S)
            lost.clear()


def test_a_second_signal_ends_the_program_at_once() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TWICE], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (ended.returncode, ended.stdout) == (128 + signal.SIGTERM, "")
