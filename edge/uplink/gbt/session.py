"""`TerminalSession`: the rules of one terminal's session without I/O; events and time in, actions out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial

from edge.clock import NS_PER_S
from edge.uplink.backoff import Backoff
from edge.uplink.events import WakeAt
from edge.uplink.gbt import troubles
from edge.uplink.gbt.activation import Activation
from edge.uplink.gbt.answered import Answered, CarryOut, ChangeServer, DropLink, SettingsChanged
from edge.uplink.gbt.commands import PlatformCommands
from edge.uplink.gbt.events import (
    Action,
    Apply,
    Close,
    Closed,
    Event,
    Log,
    LogInAgain,
    Open,
    Opened,
    Perform,
    Received,
    Send,
    Stop,
    Tick,
)
from edge.uplink.gbt.heartbeats import Heartbeats
from edge.uplink.gbt.incoming import Incoming, Unreadable
from edge.uplink.gbt.login_tries import LoginTries
from edge.uplink.gbt.options import AnswerTime, LoginSilence, SessionOptions
from edge.uplink.gbt.platform_clock import PlatformClock
from edge.uplink.gbt.reports import Reports
from edge.uplink.gbt.rules import SessionRules
from edge.uplink.gbt.secrecy import Secrecy
from edge.uplink.gbt.server_change import Server, ServerChange
from edge.uplink.gbt.session_numbers import SessionNumbers
from edge.uplink.gbt.terminal import Terminal
from edge.uplink.notices import Notices
from edge.uplink.outbox import Store
from edge.uplink.outgoing import Kind
from edge.uplink.reasons import STOPPED, Reason
from edge.uplink.settings import ns
from edge.wire.gbt.beijing import TIME_BYTES, time_bytes, unix_seconds
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Encryption, Response
from edge.wire.gbt.message import REPORTS, Message, Report, Values, answer

_SHORT_SESSIONS = 3
_FROM_PLATFORM = frozenset({Command.QUERY, Command.SET, Command.CONTROL})


class TerminalPhase(Enum):
    """Where a session stands."""

    WAITING = "waiting to connect"
    CONNECTING = "connecting"
    PREPARING = "preparing to log in"
    LOGGING_IN = "logging in"
    PAUSED = "waiting to log in again"
    ONLINE = "online"
    LOGGING_OUT = "logging out"
    CLOSING = "closing"
    DONE = "done"


class _After(Enum):
    """Why the session logs out."""

    STOP = STOPPED
    DROP = troubles.DROPPED
    CHANGE = troubles.CHANGING
    AGAIN = troubles.SWAPPED


@dataclass(frozen=True, slots=True)
class _Ask:
    """The one request whose answer is waited for before anything else is done."""

    command: int
    time: bytes
    due_ns: int


@dataclass(frozen=True, slots=True)
class _Closing:
    """Why the session ends a connection, and how long it stays away; None for the growing pauses."""

    reason: Reason
    wait_ns: int | None


class TerminalSession:
    """One terminal's session with one platform.

    Before a login: the time if the vehicle has none, then activation and data key (2025) where configured.
    Then reports out of the store, which holds each until it is acknowledged. What is not acknowledged when a
    connection ends goes again on the next; nothing else goes twice.

    Args:
        rules: in numbers.
        options: what the standard leaves open.
        terminal: says who it is.
        server: where the platform is, unless a platform has set another.
        store: what is to be sent.
        numbers: of logins.
        clock: wall time; learns the platform's if need be.
        rng: source of all jitter.
        secrecy: encrypts; None for nothing.
        activation: as far as the platform asks for it (2025).
        commands: takes what the platform asks and orders; without it each is answered with an error.
    """

    def __init__(
        self,
        rules: SessionRules,
        options: SessionOptions,
        terminal: Terminal,
        server: Server,
        store: Store,
        numbers: SessionNumbers,
        clock: PlatformClock,
        *,
        rng: random.Random,
        secrecy: Secrecy | None = None,
        activation: Activation | None = None,
        commands: PlatformCommands | None = None,
    ) -> None:
        self._rules = rules
        self._options = options
        self._terminal = terminal
        self._server = server
        self._numbers = numbers
        self._clock = clock
        self._secrecy = secrecy or Secrecy()
        self._activation = activation
        self._commands = commands
        self._reports = Reports(store, rules, options.acknowledge)
        self._incoming = Incoming(rules, terminal.vin.encode("ascii"), self._secrecy)
        self._beats = Heartbeats(rules)
        self._tries = LoginTries(rules)
        self._notices = Notices(options.where)
        self._backoff = Backoff(ns(rules.reconnect_first_s), ns(rules.reconnect_cap_s), rng)
        self._phase = TerminalPhase.WAITING
        self._at_ns = 0
        """When to connect (waiting), or to log in again (paused)."""
        self._login_ns = 0
        self._login_time = b""
        self._number = 0
        self._settled = False
        self._short_sessions = 0
        self._unsent = 0
        self._ask: _Ask | None = None
        self._key_due_ns: int | None = None
        self._closing: _Closing | None = None
        self._after = _After.STOP
        self._change: ServerChange[Answered] | None = None
        self._stop_at_ns: int | None = None
        self._hurried = False
        self._actions: list[Action] = []
        self._facts: Counter[str] = Counter()

    @property
    def phase(self) -> TerminalPhase:
        """Where the session stands."""
        return self._phase

    @property
    def done(self) -> bool:
        """Whether it has ended after a `Stop`."""
        return self._phase is TerminalPhase.DONE

    @property
    def online(self) -> bool:
        """Whether reports can go now."""
        return self._phase is TerminalPhase.ONLINE

    @property
    def trouble(self) -> str:
        """The key of the trouble last told and not yet over; empty if there is none."""
        return self._notices.trouble

    @property
    def rules(self) -> SessionRules:
        """As they hold now."""
        return self._rules

    def hurry(self) -> None:
        """See `edge.uplink.uplink.Uplink.hurry`: heartbeats no longer wait for their time."""
        self._hurried = True

    def facts(self) -> Mapping[str, int]:
        """Exact counts that explain the hop and are no part of its balance."""
        commands = {} if self._commands is None else self._commands.facts()
        return {**self._facts, **self._reports.facts, **self._incoming.facts, **commands}

    def largest_payload(self, kind: Kind) -> int | None:
        """Bytes of the largest payload that should be made for `kind` now; None if nothing limits it."""
        return self._reports.largest_payload(kind)

    def handle(self, event: Event, now_ns: int) -> list[Action]:
        """Take one event in and say what is to be done.

        Args:
            event: what happened.
            now_ns: boot-monotonic time, never less than at the call before.

        Returns:
            The actions, to be carried out in this order; at most one `WakeAt`, at the end.
        """
        self._actions = []
        match event:
            case Opened():
                self._opened()
            case Closed():
                self._closed(event, now_ns)
            case Received():
                self._received(self._incoming.take(event.data, now_ns), now_ns)
            case Tick():
                self._unsent = event.unsent
            case LogInAgain():
                if self.online:
                    self._log_out(_After.AGAIN, now_ns)
            case Stop():
                self._stop_at_ns = event.deadline_ns
        self._advance(now_ns)
        for cause, what in self._reports.take_causes():
            self._actions += self._notices.remark(cause, f"gave a message up ({what}): {cause}")
        wake_ns = self._wake_ns(now_ns)
        if wake_ns is not None:
            self._actions.append(WakeAt(wake_ns))
        return self._actions

    # What happens to the connection.

    def _opened(self) -> None:
        if self._phase is TerminalPhase.CONNECTING:
            self._facts["connections"] += 1
            self._unsent = 0
            self._ask = None
            self._phase = TerminalPhase.PREPARING

    def _closed(self, event: Closed, now_ns: int) -> None:
        phase, closing, asked = self._phase, self._closing, self._ask
        if phase in {TerminalPhase.WAITING, TerminalPhase.DONE}:
            return
        self._closing, self._ask = None, None
        self._phase = TerminalPhase.WAITING
        self._incoming.begin()
        if phase is not TerminalPhase.CONNECTING:
            self._facts["connections ended"] += 1
        self._reports.cut(by_peer=event.by_peer and phase is TerminalPhase.ONLINE)
        self._forget_key_offer(now_ns)
        reason = event.reason
        if closing is None and phase is TerminalPhase.LOGGING_OUT:
            closing = self._after_logout()
        if closing is not None:
            reason = closing.reason
        elif phase is TerminalPhase.ONLINE and event.by_peer and not self._settled:
            self._short_sessions += 1
            if self._short_sessions >= _SHORT_SESSIONS:
                reason = troubles.THROWN_OUT
        if reason.fact:
            self._facts[reason.fact] += 1
        if reason is not STOPPED:
            self._actions += self._notices.tell(reason)
        self._at_ns = now_ns + self._wait_ns(phase, closing, asked, reason, now_ns)

    def _wait_ns(
        self, phase: TerminalPhase, closing: _Closing | None, asked: _Ask | None, reason: Reason, now_ns: int
    ) -> int:
        """How long to stay away from the server."""
        change = self._change
        if change is not None and change.trying:
            if closing is None:
                change.failed(now_ns, reason.what)
            return max(0, change.try_at_ns - now_ns)
        if closing is not None:
            return self._backoff.next_ns() if closing.wait_ns is None else closing.wait_ns
        if asked is not None:
            return self._tries.failed(check=False)[0]
        if phase is TerminalPhase.PAUSED:
            return max(0, self._at_ns - now_ns)
        return self._backoff.next_ns()

    def _close(self, reason: Reason, wait_ns: int | None = None) -> None:
        self._closing = _Closing(reason, wait_ns)
        self._phase = TerminalPhase.CLOSING
        self._ask = None
        self._actions.append(Close())

    # What time brings about.

    def _advance(self, now_ns: int) -> None:
        self._end_change(now_ns)
        self._stop(now_ns)
        stalled_ns = self._incoming.stalled_ns()
        if stalled_ns is not None and now_ns >= stalled_ns:
            self._received(self._incoming.flush(now_ns), now_ns)
        if self._phase is TerminalPhase.WAITING and now_ns >= self._at_ns:
            server = self._server if self._change is None else self._change.candidate()
            self._phase = TerminalPhase.CONNECTING
            self._actions.append(Open(server.host, server.port))
        if self._phase is TerminalPhase.PAUSED and now_ns >= self._at_ns:
            self._phase = TerminalPhase.PREPARING
        if self._ask is not None and now_ns >= self._ask.due_ns:
            self._unanswered(self._ask, now_ns)
        if self._phase is TerminalPhase.PREPARING and self._ask is None:
            self._prepare(now_ns)
        if self.online:
            self._serve(now_ns)

    def _end_change(self, now_ns: int) -> None:
        """Go back to the old server where the new one has had its time."""
        if self._change is None or not self._change.elapsed(now_ns):
            return
        if self._phase is TerminalPhase.WAITING:
            self._at_ns = now_ns
        elif self._phase not in {TerminalPhase.CLOSING, TerminalPhase.LOGGING_OUT}:
            self._close(troubles.CHANGE_FAILED, 0)

    def _stop(self, now_ns: int) -> None:
        if self._stop_at_ns is None or (now_ns < self._stop_at_ns and not self._reports.empty()):
            return
        match self._phase:
            case TerminalPhase.WAITING:
                self._phase = TerminalPhase.DONE
            case TerminalPhase.ONLINE:
                self._log_out(_After.STOP, now_ns)
            case TerminalPhase.LOGGING_OUT:
                self._after = _After.STOP
            case TerminalPhase.CLOSING | TerminalPhase.DONE:
                pass
            case _:
                self._close(STOPPED)

    def _unanswered(self, ask: _Ask, now_ns: int) -> None:
        self._ask = None
        if ask.command == Command.VEHICLE_LOGOUT:
            self._facts["logouts unanswered"] += 1
            self._logged_out()
            return
        check = self._options.login_silence is LoginSilence.CHECK_FAILURE
        self._failed(troubles.unanswered(ask.command), now_ns, check=check)

    def _failed(
        self, reason: Reason, now_ns: int, *, check: bool, useless: bool = False, answered: bool = False
    ) -> None:
        """A login, or what comes before it, came to nothing."""
        self._ask = None
        self._facts["logins that failed"] += 1
        self._forget_key_offer(now_ns)
        change = self._change
        if change is not None and change.trying:
            change.failed(now_ns, reason.what, refused=answered)
            self._close(reason, 0)
            return
        pause_ns, exhausted = self._tries.failed(check=check, useless=useless)
        if exhausted:
            self._close(reason, pause_ns)
            return
        self._actions += self._notices.tell(reason)
        self._phase = TerminalPhase.PAUSED
        self._at_ns = now_ns + pause_ns

    # What comes before the login, and the login.

    def _prepare(self, now_ns: int) -> None:
        keys = self._secrecy.keys
        try:
            if not self._clock.known:
                self._request(self._terminal.plain(Command.TIME_SYNC), now_ns)
            elif self._activation is not None and not self._activation.active:
                self._request(self._activation.request(), now_ns)
            elif keys is not None and not self._secrecy.ready(now_ns):
                if keys.due(now_ns):
                    self._send(keys.offer(now_ns), now_ns)
                # Else the platform is to make one.
                self._ask = _Ask(Command.DATA_KEY, b"", now_ns + ns(self._rules.answer_timeout_s))
            else:
                self._log_in(now_ns)
        except GbtError as error:
            self._failed(Reason("cannot-be-said", f"a login cannot be made: {error}"), now_ns, check=False)

    def _log_in(self, now_ns: int) -> None:
        time = self._time(now_ns)
        self._number = self._numbers.next(self._clock.timebase().wall_ns(now_ns))
        self._login_time = time
        self._login_ns = now_ns
        self._phase = TerminalPhase.LOGGING_IN
        self._facts["logins sent"] += 1
        self._request(self._terminal.login(time, self._number), now_ns, time)

    def _logged_in(self, now_ns: int) -> None:
        self._ask = None
        self._tries.succeeded()
        self._phase = TerminalPhase.ONLINE
        self._settled = False
        self._facts["logins"] += 1
        self._beats.begin(now_ns)
        self._actions += self._notices.greet(self._tongue)
        change = self._change
        if change is None:
            return
        outcome = change.succeeded()
        if change.done:
            self._server = change.candidate()
            self._change = None
        if outcome is None:
            self._log_out(_After.CHANGE, now_ns)
        else:
            self._carry_out(outcome, now_ns)

    @property
    def _tongue(self) -> str:
        return f"GB/T 32960.3-{self._rules.edition.value}"

    def _log_out(self, after: _After, now_ns: int) -> None:
        self._after = after
        self._phase = TerminalPhase.LOGGING_OUT
        self._forget_key_offer(now_ns)
        try:
            time = self._time(now_ns)
        except GbtError:
            self._logged_out()
            return
        self._send(self._terminal.logout(time, self._number), now_ns)
        self._ask = _Ask(Command.VEHICLE_LOGOUT, time, now_ns + ns(self._rules.farewell_s))

    def _logged_out(self) -> None:
        self._ask = None
        if self._after is _After.AGAIN:
            self._phase = TerminalPhase.PREPARING
        else:
            closing = self._after_logout()
            self._close(closing.reason, closing.wait_ns)

    def _after_logout(self) -> _Closing:
        waits = {_After.DROP: ns(self._rules.drop_link_pause_s)}
        return _Closing(self._after.value, waits.get(self._after, 0))

    # The session at work.

    def _serve(self, now_ns: int) -> None:
        if not self._settled and now_ns >= self._login_ns + ns(self._rules.settled_s):
            self._settled = True
            self._short_sessions = 0
            self._relieve()
            self._backoff.reset()
        overdue_ns, gone_ns = self._reports.overdue_ns(), self._beats.given_up_ns()
        if self._incoming.hopeless:
            self._close(troubles.GARBAGE)
        elif gone_ns is not None and now_ns >= gone_ns:
            self._close(troubles.NO_BEAT)
        elif overdue_ns is not None and now_ns >= overdue_ns:
            self._close(troubles.NO_REPORT_ANSWER)
        else:
            self._renew_key(now_ns)
            self._send_reports(now_ns)
            if now_ns >= self._beats.due_ns(wanted=self._beat_wanted()):
                self._beats.sent(now_ns)
                self._send(self._terminal.plain(Command.HEARTBEAT), now_ns)

    def _beat_wanted(self) -> bool:
        reports = self._reports
        waits = reports.urgent or self._hurried or self._stop_at_ns is not None
        return reports.by_heartbeat and reports.under_way > 0 and waits

    def _send_reports(self, now_ns: int) -> None:
        wall_s = self._clock.timebase().wall_ns(now_ns) // NS_PER_S
        while self._secrecy.ready(now_ns):
            frame = self._reports.next(now_ns, wall_s, self._login_ns, self._unsent, self._beats.count)
            if frame is None:
                return
            try:
                data = self._secrecy.sealed(frame, now_ns).write()
            except GbtError:
                self._reports.too_long(frame)
                continue
            self._facts["reports sent"] += 1
            self._put(data)

    def _renew_key(self, now_ns: int) -> None:
        keys = self._secrecy.keys
        if keys is None:
            return
        if self._key_due_ns is not None and now_ns >= self._key_due_ns:
            self._facts["data keys unanswered"] += 1
            self._forget_key_offer(now_ns)
        if keys.due(now_ns):
            try:
                self._send(keys.offer(now_ns), now_ns)
            except GbtError as error:
                self._actions += self._notices.tell(
                    Reason("no-data-key", f"no data key can be made: {error}")
                )
            self._key_due_ns = now_ns + ns(self._rules.answer_timeout_s)

    def _forget_key_offer(self, now_ns: int) -> None:
        self._key_due_ns = None
        if self._secrecy.keys is not None:
            self._secrecy.keys.unanswered(now_ns)

    def _relieve(self) -> None:
        """The session has proved useful: trouble is over, unless it is that no session lasts."""
        if self._settled or self._notices.trouble != troubles.THROWN_OUT.key:
            self._actions += self._notices.relieve(self._tongue)

    # What comes in.

    def _received(self, messages: Iterator[Message | Unreadable], now_ns: int) -> None:
        for message in messages:
            if self._phase in {TerminalPhase.WAITING, TerminalPhase.CLOSING, TerminalPhase.DONE}:
                self._facts["messages after the end of a session"] += 1
            elif isinstance(message, Unreadable):
                if self.online and self._commands is not None:
                    self._carry_out(self._commands.unreadable(message.frame, message.fault), now_ns)
            elif message.command == Command.DATA_KEY and self._secrecy.keys is not None:
                self._data_key(message, now_ns)
            elif message.command == Command.ACTIVATION_RESULT or (
                message.command == Command.ACTIVATE and message.response != Response.COMMAND
            ):
                self._activated(message, now_ns)
            elif message.response == Response.COMMAND:
                self._command(message, now_ns)
            else:
                self._answer(message, now_ns)

    def _command(self, message: Message, now_ns: int) -> None:
        if message.command not in _FROM_PLATFORM:
            self._facts["commands that no platform gives"] += 1
        elif self.online and self._commands is not None:
            self._carry_out(self._commands.take(message, now_ns), now_ns)
        else:
            self._facts["commands outside of a session"] += 1
            self._send(answer(message, Response.ERROR), now_ns)

    def _answer(self, message: Message, now_ns: int) -> None:
        command, flag, time = message.command, message.response, _time_of(message)
        ask = self._ask
        if command in REPORTS and self._reports.answered(command, time, flag, now_ns):
            if flag == Response.SUCCESS:
                self._relieve()
        elif command == Command.HEARTBEAT and self.online:
            self._beat(flag, now_ns)
        elif ask is not None and command == ask.command and self._same(time, ask):
            self._asked(ask, flag, time, now_ns)
        elif self._phase is TerminalPhase.PAUSED and self._is_late_login(message, time):
            self._facts["logins answered late"] += 1
            self._logged_in(now_ns)
        else:
            self._facts["answers to nothing"] += 1

    def _same(self, time: bytes, ask: _Ask) -> bool:
        return not ask.time or time == ask.time or self._options.answer_time is AnswerTime.ANY

    def _is_late_login(self, message: Message, time: bytes) -> bool:
        success = message.command == Command.VEHICLE_LOGIN and message.response == Response.SUCCESS
        return success and time == self._login_time

    def _beat(self, flag: int, now_ns: int) -> None:
        if flag != Response.SUCCESS:
            self._close(troubles.BEAT_REFUSED, ns(self._rules.login_retry_s))
            return
        number = self._beats.answered(now_ns)
        if number is None:
            self._facts["answers to nothing"] += 1
            return
        self._reports.beaten(number)
        self._relieve()

    def _asked(self, ask: _Ask, flag: int, time: bytes, now_ns: int) -> None:
        """The request that was waited for is answered."""
        self._ask = None
        if ask.command == Command.VEHICLE_LOGOUT:
            self._facts["logouts"] += 1
            self._logged_out()
            return
        if flag != Response.SUCCESS:
            self._facts[f"command {ask.command:02X} answered with flag {flag:02X}"] += 1
            self._failed(troubles.refused(ask.command, flag), now_ns, check=True, answered=True)
        elif ask.command == Command.TIME_SYNC:
            wall_s = unix_seconds(time) if len(time) == TIME_BYTES else None
            if wall_s is None:
                self._failed(Reason("no-time", "the platform's answer bears no time"), now_ns, check=True)
            else:
                self._facts["times taken from the platform"] += 1
                self._clock.learn(wall_s, now_ns)
        elif ask.command == Command.VEHICLE_LOGIN:
            self._logged_in(now_ns)

    def _activated(self, message: Message, now_ns: int) -> None:
        result = None if self._activation is None else self._activation.take(message)
        if result is None:
            self._facts["answers to nothing"] += 1
            return
        self._actions += [*result.notices, *(Log(event) for event in result.events)]
        if self._ask is None or self._ask.command != Command.ACTIVATE:
            return
        self._ask = None
        if not result.active:
            reason = troubles.not_active(result.why)
            self._failed(reason, now_ns, check=True, useless=not result.again, answered=True)

    def _data_key(self, message: Message, now_ns: int) -> None:
        keys = self._secrecy.keys
        answered = None if keys is None else keys.take(message, now_ns)
        if answered is None:
            self._facts["answers to nothing"] += 1
            return
        if message.response != Response.COMMAND:
            self._key_due_ns = None
        self._carry_out(answered, now_ns)
        if self._ask is None or self._ask.command != Command.DATA_KEY:
            return
        if self._secrecy.ready(now_ns):
            self._ask = None
        elif message.response != Response.COMMAND:
            self._failed(
                troubles.refused(Command.DATA_KEY, message.response), now_ns, check=True, answered=True
            )

    def _carry_out(self, answered: Answered | None, now_ns: int) -> None:
        if answered is None:
            return
        if answered.message is not None:
            self._send(answered.message, now_ns)
        self._actions += [*answered.notices, *(Log(event) for event in answered.events)]
        for effect in answered.effects:
            match effect:
                case SettingsChanged():
                    self._set_rules(self._rules.with_settings(effect.live))
                    self._actions.append(Apply(effect))
                case ChangeServer():
                    self._change = effect.change
                    self._log_out(_After.CHANGE, now_ns)
                case DropLink():
                    self._log_out(_After.DROP, now_ns)
                case CarryOut():
                    self._actions.append(Perform(partial(effect.action, effect.given)))

    def _set_rules(self, rules: SessionRules) -> None:
        self._rules = rules
        self._reports.rules = self._beats.rules = self._tries.rules = rules

    # Out it goes.

    def _request(self, message: Message, now_ns: int, time: bytes = b"") -> None:
        self._send(message, now_ns)
        self._ask = _Ask(message.command, time, now_ns + ns(self._rules.answer_timeout_s))

    def _send(self, message: Message, now_ns: int) -> None:
        frame = message.frame()
        if message.encryption == Encryption.NONE:
            frame = self._secrecy.sealed(frame, now_ns)
        self._put(frame.write())

    def _put(self, data: bytes) -> None:
        self._unsent += len(data)
        self._actions.append(Send(data))

    def _time(self, now_ns: int) -> bytes:
        return time_bytes(self._clock.timebase().wall_ns(now_ns) // NS_PER_S)

    def _wake_ns(self, now_ns: int) -> int | None:
        times: list[int | None] = [self._incoming.stalled_ns()]
        if self._phase in {TerminalPhase.WAITING, TerminalPhase.PAUSED}:
            times.append(self._at_ns)
        if self._ask is not None:
            times.append(self._ask.due_ns)
        if self._change is not None and self._change.trying:
            times.append(self._change.until_ns)
        if self._stop_at_ns is not None and not self.done:
            times.append(self._stop_at_ns)
        if self.online:
            keys = self._secrecy.keys
            times += [
                self._beats.due_ns(wanted=self._beat_wanted()),
                self._beats.given_up_ns(),
                self._reports.overdue_ns(),
                self._reports.due_ns(),
                self._key_due_ns,
                None if keys is None else keys.wake_ns(now_ns),
                None if self._settled else self._login_ns + ns(self._rules.settled_s),
            ]
        return min((at_ns for at_ns in times if at_ns is not None and at_ns > now_ns), default=None)


def _time_of(message: Message) -> bytes:
    """The time that an answer bears; empty where it bears none."""
    content = message.content
    if isinstance(content, Report):
        return content.time
    first = content.raws[0] if isinstance(content, Values) and content.raws else b""
    return first if isinstance(first, bytes) else b""
