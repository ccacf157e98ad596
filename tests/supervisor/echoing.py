"""What the process of capture opens in tests of its line to a supervisor: a line that echoes."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from edge.capturing.opening import Opened
from edge.clock import Clock
from edge.policy.classes import DataClass
from edge.power.line import PowerAnswer, PowerCommand, PowerEvent, PowerSaid
from edge.power.supervisor import SupervisorEvent
from tests.capturing.sources import open_flood


class EchoingLine:
    """Tells each command as done, and that it was hung up; it speaks only while somebody attends or reads."""

    def __init__(self) -> None:
        self._answers: list[PowerAnswer] = []
        self._first = True

    def said(self) -> PowerSaid:
        answers, self._answers = tuple(self._answers), []
        events = (PowerEvent(SupervisorEvent.IGNITION, 1, "with\x1b[2Ja bell"),) if self._first else ()
        self._first = False
        return PowerSaid(events, answers)

    def ask(self, command: PowerCommand, seconds: int = 0) -> None:
        self._answers.append(PowerAnswer(command, True, f"{seconds} s"))

    def attend(self, timeout_s: float) -> None:
        time.sleep(timeout_s)

    def hang_up(self) -> None:
        pass


def open_echo(
    arguments: Mapping[str, Any], collect: Collection[DataClass], admission: str, clock: Clock
) -> Opened:
    return replace(open_flood(arguments, collect, admission, clock), power=EchoingLine())
