"""`BoardReport`: what a board says of itself and its buses, as conditions, alarms, log, and counts."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from edge.bus.condition import AlarmKind, BoardHealth, BusAlarm, BusCondition, Conditions, Listening
from edge.clock import NS_PER_S, Clock
from edge.config.vlink import VLINK
from edge.wire.vlink_messages import (
    BUS_OFF,
    BUS_STOPPED,
    CAN_FD,
    MODE_LISTEN_ONLY,
    MODE_LOOPBACK,
    MODE_NORMAL,
    MODE_OFF,
    NO_IGNITION,
    NO_SUPPLY,
    NO_TEMPERATURE,
    TRANSMISSION_JUMPER,
    Bus,
    BusStatus,
    Hello,
    Status,
)

STATES = ("error-active", "error-warning", "error-passive", "bus-off", "stopped")
MODES = {
    MODE_OFF: "off",
    MODE_LISTEN_ONLY: "listen-only",
    MODE_NORMAL: "normal",
    MODE_LOOPBACK: "loopback",
}
SUPERVISOR = ("", "off", "waking", "cranking", "on", "shutting down", "watching", "protected")
RESETS = ("unknown", "power on", "reset pin", "watchdog", "program", "brown-out", "deep sleep")

STATE_CHANGED = "controller state changed"
WENT_OFF = "controller bus-off"
NOT_LISTEN_ONLY = "not listen-only"
LISTEN_ONLY_AGAIN = "listen-only again"
NOT_AS_CONFIGURED = "not as configured"

LINES_MAX, LINES_PERIOD_S = 5, 60.0
"""Of one kind so many lines are told in such a time; a loose plug must not fill the log."""

_T = TypeVar("_T", Bus, BusStatus)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Member:
    """A bus of the configuration behind a board.

    Attributes:
        name: of the bus.
        place: which of the board's buses it is, from 0.
        bitrate: bit/s that it should have; None where nothing is said.
        data_bitrate: the same for the data phase of CAN FD.
        fd: whether CAN FD frames are to be received.
    """

    name: str
    place: int = 0
    bitrate: int | None = None
    data_bitrate: int | None = None
    fd: bool = False


class BoardReport:
    """Puts down how the buses behind a board stand, and tells what happens to it.

    Args:
        members: the buses of the configuration.
        clock: says when there may be further lines of the log.
        conditions: where it is put down how the buses stand.

    Attributes:
        facts: what happened, counted.
    """

    def __init__(self, members: Sequence[Member], clock: Clock, conditions: Conditions) -> None:
        self.facts: Counter[str] = Counter()
        self._members = members
        self._clock = clock
        self._conditions = conditions
        self._names = ", ".join(member.name for member in members)
        self._port = ""
        self._hello: Hello | None = None
        self._status: Status | None = None
        self._health: BoardHealth | None = None
        self._away = ""
        self._lines: dict[str, tuple[int, int]] = {}
        self._listening: dict[str, bool] = {}
        self._unlike: dict[str, tuple[str, ...]] = {}

    def tell(self, kind: str, words: str, *, trouble: bool = False, bus: str = "") -> None:
        """Log what happened, unless of this kind there was enough of late.

        Args:
            kind: of what happened.
            words: for people.
            trouble: whether somebody has to see to it.
            bus: to which bus it happened; the board without one.
        """
        where = f"bus {bus or self._names}"
        now_ns = self._clock.boot_ns()
        since_ns, lines = self._lines.get(kind, (now_ns, 0))
        if now_ns - since_ns >= LINES_PERIOD_S * NS_PER_S:
            since_ns, lines = now_ns, 0
        self._lines[kind] = (since_ns, lines + 1)
        level = logging.WARNING if trouble else logging.INFO
        if lines < LINES_MAX:
            logger.log(level, "%s: %s", where, words)
        elif lines == LINES_MAX:
            logger.log(level, "%s: '%s' goes on; it is counted, and told again in a minute", where, kind)

    def port(self, name: str, away: str) -> None:
        """Take up which port the board is on, or why nothing can come from it.

        Args:
            name: of the port.
            away: why nothing can come; empty while there is a session, or it may begin.
        """
        if (name, away) != (self._port, self._away):
            self._port, self._away = name, away
            self._put_down()

    def gone(self, why: str) -> None:
        """Take up that there is no board, and nothing is known of its controllers any more."""
        self._hello = self._status = self._health = None
        self._listening.clear()
        self._unlike.clear()
        self.port(self._port, why)

    def hello(self, hello: Hello) -> None:
        """Take up what the board says it is."""
        self._hello, self._status, self._away = hello, None, ""
        jumper = ", jumper for transmission fitted" if hello.capabilities & TRANSMISSION_JUMPER else ""
        self.tell(
            "session",
            f"{hello.board} at {self._port}, firmware {_firmware(hello)}, {len(hello.buses)} buses, "
            f"holds {hello.ring_frames:,} frames{jumper}",
        )
        for member in self._members:
            if (bus := _of(hello.buses, member)) is None:
                self.tell(
                    "no such bus",
                    f"{hello.board} has no bus {member.place}, it has {len(hello.buses)}",
                    trouble=True,
                    bus=member.name,
                )
            else:
                self._judge(member, bus, bus.mode)
        self._health = BoardHealth(hello.board, _firmware(hello))
        self._put_down()

    def status(self, status: Status, *, resets: int, lost: int) -> None:
        """Take up what the board says of its health.

        Args:
            status: what it says.
            resets: so often it was reset while it was followed.
            lost: frames that it had taken and that did not come.
        """
        hello, last = self._hello, self._status
        if hello is None:
            return
        self._status = status
        for member in self._members:
            bus, now = _of(hello.buses, member), _of(status.buses, member)
            if bus is None or now is None:
                continue
            before = _of(last.buses, member) if last else None
            if before is None or before.state != now.state:
                self._state(member, before, now)
            self._judge(member, bus, now.mode)
        self._health = _health(hello, status, resets, lost, self._health)
        self._put_down()

    def clocks(self, error_ns: int | None, drift_ppm: float | None) -> None:
        """Take up how well the board's clock is known; shown with the next status."""
        if self._health is not None:
            error_us = None if error_ns is None else round(error_ns / 1000, 1)
            drift = None if drift_ppm is None else round(drift_ppm, 2)
            self._health = replace(self._health, clock_error_us=error_us, drift_ppm=drift)

    def _state(self, member: Member, before: BusStatus | None, now: BusStatus) -> None:
        if before is None and now.state == 0:
            return
        self.facts[STATE_CHANGED] += 1
        if now.state == BUS_OFF:
            self.facts[WENT_OFF] += 1
        words = f"controller is {_state(now.state)}"
        if before is not None:
            words += f", was {_state(before.state)}"
        self.tell(
            STATE_CHANGED,
            f"{words}; error counters {now.tec} and {now.rec}",
            trouble=now.state > 1,
            bus=member.name,
        )

    def _judge(self, member: Member, bus: Bus, mode: int) -> None:
        """Raise an alarm unless the controller reads back as listen-only and all is as configured."""
        # One that is off sends nothing, and is about to be set up perhaps.
        only = self._listening.get(member.name, True) if mode == MODE_OFF else mode == MODE_LISTEN_ONLY
        if self._listening.get(member.name, True) and not only:
            self.facts[NOT_LISTEN_ONLY] += 1
            self.tell(NOT_LISTEN_ONLY, _alarm(mode), trouble=True, bus=member.name)
        elif only and not self._listening.get(member.name, True):
            self.facts[LISTEN_ONLY_AGAIN] += 1
            self.tell(LISTEN_ONLY_AGAIN, "the controller is listen-only again", bus=member.name)
        self._listening[member.name] = only
        unlike = _unlike(member, bus, self._hello)
        for words in unlike:
            if words not in self._unlike.get(member.name, ()):
                self.facts[NOT_AS_CONFIGURED] += 1
                self.tell(NOT_AS_CONFIGURED, words, trouble=True, bus=member.name)
        self._unlike[member.name] = unlike

    def _put_down(self) -> None:
        for member in self._members:
            condition = replace(
                self._conditions.of(member.name),
                interface=f"{VLINK} {self._port}",
                way=VLINK,
                link="",
                listening=Listening.UNKNOWN,
                away=self._away,
                alarms=(),
                board=self._health,
            )
            if self._hello is not None:
                condition = self._known(condition, member, self._hello)
            self._conditions.tell(condition)

    def _known(self, condition: BusCondition, member: Member, hello: Hello) -> BusCondition:
        """Add what the board says of a bus."""
        bus = _of(hello.buses, member)
        if bus is None:
            return replace(condition, away=f"{hello.board} has no bus {member.place}")
        status = _of(self._status.buses, member) if self._status else None
        mode = bus.mode if status is None else status.mode
        alarms = [BusAlarm(AlarmKind.NOT_AS_CONFIGURED, words) for words in self._unlike.get(member.name, ())]
        if not self._listening.get(member.name, True):
            alarms.insert(0, BusAlarm(AlarmKind.NOT_LISTEN_ONLY, _alarm(mode)))
        listening = {MODE_LISTEN_ONLY: Listening.ONLY, MODE_OFF: Listening.UNKNOWN}
        off = mode == MODE_OFF or (status is not None and status.state == BUS_STOPPED)
        return replace(
            condition,
            link=_link(bus, mode, status),
            listening=listening.get(mode, Listening.NOT_ONLY),
            alarms=tuple(alarms),
            away=condition.away or ("the controller is off" if off else ""),
        )


def _of(buses: Sequence[_T], member: Member) -> _T | None:
    return buses[member.place] if member.place < len(buses) else None


def _firmware(hello: Hello) -> str:
    build = f" ({hello.build.hex()})" if any(hello.build) else ""
    return f"{hello.firmware}{build}"


def _word(words: Sequence[str], number: int) -> str:
    """What a number of the board's means; the number itself where a later firmware knows more."""
    return words[number] if number < len(words) else str(number)


def _state(state: int) -> str:
    return _word(STATES, state)


def _mode(mode: int) -> str:
    return MODES.get(mode, f"in mode {mode}")


def _link(bus: Bus, mode: int, status: BusStatus | None) -> str:
    data = f" and {bus.data_bitrate} bit/s of data" if bus.data_bitrate else ""
    state = f", controller {_state(status.state)}" if status else ""
    return f"{bus.controller}, {bus.bitrate} bit/s{data}, {_mode(mode)}{state}"


def _alarm(mode: int) -> str:
    return (
        f"the controller behind the board is {_mode(mode)} and not listen-only: it acknowledges frames and "
        "flags errors; take the board off the bus, and give it the released firmware (docs/vlink-host.md)"
    )


def _unlike(member: Member, bus: Bus, hello: Hello | None) -> tuple[str, ...]:
    found = []
    if member.bitrate and bus.bitrate != member.bitrate:
        found.append(f"the board reads at {bus.bitrate} bit/s, the configuration says {member.bitrate}")
    if member.data_bitrate and bus.data_bitrate != member.data_bitrate:
        found.append(
            f"the board reads data at {bus.data_bitrate} bit/s, the configuration says {member.data_bitrate}"
        )
    if member.fd and hello is not None and not hello.capabilities & CAN_FD:
        found.append("the board takes no CAN FD frames, the configuration says fd = true")
    return tuple(found)


def _health(hello: Hello, status: Status, resets: int, lost: int, before: BoardHealth | None) -> BoardHealth:
    return BoardHealth(
        board=hello.board,
        firmware=_firmware(hello),
        temperature_c=None if status.temperature == NO_TEMPERATURE else status.temperature / 10,
        supply_v=None if status.supply_mv == NO_SUPPLY else status.supply_mv / 1000,
        ignition=None if status.ignition == NO_IGNITION else bool(status.ignition),
        supervisor=_word(SUPERVISOR, status.supervisor),
        heap_free_bytes=status.heap_free,
        loop_worst_us=status.loop_worst_us,
        resets=resets,
        reset_cause=_word(RESETS, status.reset_cause),
        lost=lost,
        stalls=status.stalls,
        clock_error_us=None if before is None else before.clock_error_us,
        drift_ppm=None if before is None else before.drift_ppm,
    )
