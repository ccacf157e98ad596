"""`Dialogue`: what terminal and platform say on a connection that stands, from login to logout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from edge.clock import NS_PER_S
from edge.uplink.gbt import troubles
from edge.uplink.gbt.actions import Actions
from edge.uplink.gbt.activation import Activation
from edge.uplink.gbt.answered import Answered, CarryOut, ChangeServer, DropLink, SettingsChanged
from edge.uplink.gbt.at_work import AtWork
from edge.uplink.gbt.before_login import BeforeLogin
from edge.uplink.gbt.commands import PlatformCommands
from edge.uplink.gbt.events import Apply, Close, Log, Perform
from edge.uplink.gbt.heartbeats import Heartbeats
from edge.uplink.gbt.incoming import Unreadable
from edge.uplink.gbt.key_exchange import KeyExchange
from edge.uplink.gbt.login_tries import LoginTries
from edge.uplink.gbt.logins import Logins
from edge.uplink.gbt.options import LoginSilence, SessionOptions
from edge.uplink.gbt.phases import Closing, LogoutCause, Standing, TerminalPhase
from edge.uplink.gbt.platform_clock import PlatformClock
from edge.uplink.gbt.reports import Reports
from edge.uplink.gbt.requests import Ask, time_of
from edge.uplink.gbt.rules import SessionRules
from edge.uplink.gbt.secrecy import Secrecy
from edge.uplink.gbt.servers import Servers
from edge.uplink.gbt.session_numbers import SessionNumbers
from edge.uplink.gbt.staying_away import StayingAway
from edge.uplink.gbt.terminal import Terminal
from edge.uplink.outbox import Store
from edge.uplink.reasons import Reason
from edge.uplink.settings import ns
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import REPORTS, Message, answer

_LOOK_NS = NS_PER_S
"""How often is looked whether a key that is there holds: it says so by wall time, which may be set."""
_FROM_PLATFORM = frozenset({Command.QUERY, Command.SET, Command.CONTROL})


class Dialogue:
    """From what comes before the login to the logout; `TerminalSession` sees to the connection.

    Args:
        rules: see `TerminalSession`, also for what follows.
        options: see there.
        terminal: see there.
        store: see there.
        numbers: see there.
        clock: see there.
        secrecy: encrypts and decrypts.
        activation: see there.
        commands: see there.
        standing: where the session stands.
        servers: where it connects to.
        away: when it comes back.
        actions: what is to be done.
    """

    def __init__(
        self,
        rules: SessionRules,
        options: SessionOptions,
        terminal: Terminal,
        store: Store,
        numbers: SessionNumbers,
        clock: PlatformClock,
        *,
        secrecy: Secrecy,
        activation: Activation | None,
        commands: PlatformCommands | None,
        standing: Standing,
        servers: Servers,
        away: StayingAway,
        actions: Actions,
    ) -> None:
        self._rules = rules
        self._options = options
        self._commands = commands
        self._standing = standing
        self._servers = servers
        self._away = away
        self._actions = actions
        self._facts = actions.facts
        self._keys = KeyExchange(rules, secrecy, actions)
        self._before = BeforeLogin(terminal, clock, activation, self._keys, actions)
        self._logins = Logins(terminal, numbers, clock)
        self._tries = LoginTries(rules)
        self._reports = Reports(store, rules, options.acknowledge)
        self._beats = Heartbeats(rules, counted=self._reports.by_heartbeat)
        self._work = AtWork(terminal, clock, self._reports, self._beats, self._keys, actions)

    @property
    def rules(self) -> SessionRules:
        """As they hold now."""
        return self._rules

    @property
    def reports(self) -> Reports:
        """What is sent out of the store."""
        return self._reports

    def facts(self) -> Mapping[str, int]:
        """Counts of reports and commands."""
        commands = {} if self._commands is None else self._commands.facts()
        return {**self._reports.facts, **commands}

    def hurry(self) -> None:
        """Heartbeats no longer wait for their time."""
        self._work.hurried = True

    def advance(self, now_ns: int, *, hopeless: bool) -> None:
        """Do what time brings about.

        Args:
            now_ns: boot time.
            hopeless: whether what comes in is another protocol.
        """
        standing = self._standing
        if standing.phase is TerminalPhase.PAUSED and now_ns >= standing.at_ns:
            standing.phase = TerminalPhase.PREPARING
        if self._waits_for_key and (self._keys.ready(now_ns) or self._keys.due(now_ns)):
            # One that was agreed upon holds only now, or the pause after one that was refused is over.
            standing.ask = None
        if standing.ask is not None and now_ns >= standing.ask.due_ns:
            self._unanswered(standing.ask, now_ns)
        if standing.phase is TerminalPhase.PREPARING and standing.ask is None:
            self._prepare(now_ns)
        if standing.online:
            self._serve(now_ns, hopeless=hopeless)

    def wake_ns(self, now_ns: int) -> int | None:
        """When `advance` has something to do, if nothing happens before."""
        standing = self._standing
        times = [None if standing.ask is None else standing.ask.due_ns]
        if standing.phase is TerminalPhase.PAUSED:
            times.append(standing.at_ns)
        if self._waits_for_key:
            times.append(now_ns + _LOOK_NS)
        if standing.online:
            times += [self._work.wake_ns(now_ns), self._away.settles_ns(self._logins.at_ns)]
        return min((at_ns for at_ns in times if at_ns is not None and at_ns > now_ns), default=None)

    def cut(self, now_ns: int, *, by_peer: bool) -> None:
        """The connection is gone.

        Args:
            now_ns: boot time.
            by_peer: whether the platform has ended it while reports could go.
        """
        self._reports.cut(by_peer=by_peer)
        self._keys.forget(now_ns)

    def close(self, reason: Reason, wait_ns: int | None = None) -> None:
        """End the connection, and stay away for so long; without a time for the growing pauses."""
        self._standing.closing = Closing(reason, wait_ns)
        self._standing.phase = TerminalPhase.CLOSING
        self._standing.ask = None
        self._actions.add(Close())

    def cut_short(self) -> int:
        """The connection broke while a request was under way: how long to stay away."""
        return self._tries.failed(check=False)[0]

    def after_logout(self) -> Closing:
        """How the connection ends once the session is logged out."""
        waits = {LogoutCause.DROP: ns(self._rules.drop_link_pause_s)}
        return Closing(self._standing.cause.value, waits.get(self._standing.cause, 0))

    # The login and the logout.

    def _prepare(self, now_ns: int) -> None:
        try:
            asked = self._before.request(now_ns)
            if asked is None:
                self._log_in(now_ns)
            else:
                self._wait_for(asked, b"", now_ns)
        except GbtError as error:
            self._failed(Reason("cannot-be-said", f"a login cannot be made: {error}"), now_ns, check=False)

    def _log_in(self, now_ns: int) -> None:
        login = self._logins.login(now_ns)
        self._standing.phase = TerminalPhase.LOGGING_IN
        self._facts["logins sent"] += 1
        self._actions.send(login, now_ns)
        self._wait_for(Command.VEHICLE_LOGIN, self._logins.time, now_ns)

    def _wait_for(self, command: Command, time: bytes, now_ns: int) -> None:
        from_ns = max(now_ns, self._keys.due_ns(now_ns)) if command == Command.DATA_KEY else now_ns
        self._standing.ask = Ask(command, time, from_ns + ns(self._rules.answer_timeout_s))

    @property
    def _waits_for_key(self) -> bool:
        ask = self._standing.ask
        return ask is not None and ask.command == Command.DATA_KEY

    def _logged_in(self, now_ns: int) -> None:
        self._standing.ask = None
        self._tries.succeeded()
        self._standing.phase = TerminalPhase.ONLINE
        self._away.begin()
        self._facts["logins"] += 1
        self._beats.begin(now_ns)
        self._actions.greet()
        outcome, leave = self._servers.logged_in()
        if leave:
            self.log_out(LogoutCause.CHANGE, now_ns)
        else:
            self._carry_out(outcome, now_ns)

    def log_out(self, cause: LogoutCause, now_ns: int) -> None:
        """Log out, and go on as the cause has it."""
        self._standing.cause = cause
        self._standing.phase = TerminalPhase.LOGGING_OUT
        self._keys.forget(now_ns)
        try:
            logout, time = self._logins.logout(now_ns)
        except GbtError:
            self._logged_out()
            return
        if not self._actions.send(logout, now_ns):
            self._logged_out()
            return
        self._standing.ask = Ask(Command.VEHICLE_LOGOUT, time, now_ns + ns(self._rules.farewell_s))

    def _logged_out(self) -> None:
        self._standing.ask = None
        if self._standing.cause is LogoutCause.AGAIN:
            self._standing.phase = TerminalPhase.PREPARING
        else:
            closing = self.after_logout()
            self.close(closing.reason, closing.wait_ns)

    def _unanswered(self, ask: Ask, now_ns: int) -> None:
        self._standing.ask = None
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
        self._standing.ask = None
        self._facts["logins that failed"] += 1
        self._keys.forget(now_ns)
        if self._servers.trying:
            self._servers.failed(now_ns, reason.what, refused=answered)
            self.close(reason, 0)
            return
        pause_ns, exhausted = self._tries.failed(check=check, useless=useless)
        if exhausted:
            self.close(reason, pause_ns)
            return
        self._actions.tell(reason)
        self._standing.phase = TerminalPhase.PAUSED
        self._standing.at_ns = now_ns + pause_ns

    # The session at work.

    def _serve(self, now_ns: int, *, hopeless: bool) -> None:
        settles_ns = self._away.settles_ns(self._logins.at_ns)
        if settles_ns is not None and now_ns >= settles_ns:
            self._away.settle()
            self._relieve()
        useless = troubles.GARBAGE if hopeless else self._work.useless(now_ns)
        if useless is None:
            self._work.send(now_ns, self._logins.at_ns)
        else:
            self.close(useless)

    def _relieve(self) -> None:
        """The session has proved useful: trouble is over, unless it is that no session lasts."""
        if self._away.settled or self._actions.trouble != troubles.THROWN_OUT.key:
            self._actions.relieve()

    # What comes in.

    def received(self, messages: Iterator[Message | Unreadable], now_ns: int) -> None:
        """Take what the platform says."""
        for message in messages:
            if self._standing.phase in {TerminalPhase.WAITING, TerminalPhase.CLOSING, TerminalPhase.DONE}:
                self._facts["messages after the end of a session"] += 1
            elif isinstance(message, Unreadable):
                if self._standing.online and self._commands is not None:
                    self._carry_out(self._commands.unreadable(message.frame, message.fault), now_ns)
            elif message.command == Command.DATA_KEY and self._keys.used:
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
        elif self._standing.online and self._commands is not None:
            self._carry_out(self._commands.take(message, now_ns), now_ns)
        else:
            self._facts["commands outside of a session"] += 1
            self._actions.send(answer(message, Response.ERROR), now_ns)

    def _answer(self, message: Message, now_ns: int) -> None:
        command, flag, time = message.command, message.response, time_of(message)
        ask = self._standing.ask
        if command in REPORTS and self._reports.answered(command, time, flag, now_ns):
            if flag == Response.SUCCESS:
                self._relieve()
        elif command == Command.HEARTBEAT and self._standing.online:
            self._beat(flag, now_ns)
        elif command == Command.HEARTBEAT and flag == Response.SUCCESS and self._logs_out:
            self._work.beaten(now_ns)
        elif ask is not None and ask.answered_by(command, time, self._options.answer_time):
            self._asked(ask, flag, time, now_ns)
        elif self._standing.phase is TerminalPhase.PAUSED and self._logins.accepted_by(message, time):
            self._facts["logins answered late"] += 1
            self._logged_in(now_ns)
        else:
            self._facts["answers to nothing"] += 1

    @property
    def _logs_out(self) -> bool:
        return self._standing.phase is TerminalPhase.LOGGING_OUT

    def _beat(self, flag: int, now_ns: int) -> None:
        if flag != Response.SUCCESS:
            self.close(troubles.BEAT_REFUSED, ns(self._rules.login_retry_s))
            return
        if self._work.beaten(now_ns):
            self._relieve()
        else:
            self._facts["answers to nothing"] += 1

    def _asked(self, ask: Ask, flag: int, time: bytes, now_ns: int) -> None:
        """The request that was waited for is answered."""
        self._standing.ask = None
        if ask.command == Command.VEHICLE_LOGOUT:
            self._facts["logouts"] += 1
            self._logged_out()
            return
        if flag != Response.SUCCESS:
            self._facts[f"command {ask.command:02X} answered with flag {flag:02X}"] += 1
            self._failed(troubles.refused(ask.command, flag), now_ns, check=True, answered=True)
        elif ask.command == Command.TIME_SYNC:
            useless = self._before.take_time(time, now_ns)
            if useless is not None:
                self._failed(useless, now_ns, check=True)
        elif ask.command == Command.VEHICLE_LOGIN:
            self._logged_in(now_ns)

    def _activated(self, message: Message, now_ns: int) -> None:
        result = self._before.take_activation(message)
        if result is None or self._standing.ask is None or self._standing.ask.command != Command.ACTIVATE:
            return
        self._standing.ask = None
        if not result.active:
            reason = troubles.not_active(result.why)
            self._failed(reason, now_ns, check=True, useless=not result.again, answered=True)

    def _data_key(self, message: Message, now_ns: int) -> None:
        answered = self._keys.take(message, now_ns)
        if answered is None:
            self._facts["answers to nothing"] += 1
            return
        self._carry_out(answered, now_ns)
        if self._standing.ask is None or self._standing.ask.command != Command.DATA_KEY:
            return
        if self._keys.ready(now_ns):
            self._standing.ask = None
        elif message.response != Response.COMMAND:
            self._failed(
                troubles.refused(Command.DATA_KEY, message.response), now_ns, check=True, answered=True
            )

    def _carry_out(self, answered: Answered | None, now_ns: int) -> None:
        if answered is None:
            return
        if answered.message is not None:
            self._actions.send(answered.message, now_ns)
        self._actions.add(*answered.notices, *(Log(event) for event in answered.events))
        for effect in answered.effects:
            match effect:
                case SettingsChanged():
                    self._set_rules(self._rules.with_settings(effect.live))
                    self._actions.add(Apply(effect))
                case ChangeServer():
                    self._servers.begin(effect.change)
                    self.log_out(LogoutCause.CHANGE, now_ns)
                case DropLink():
                    self.log_out(LogoutCause.DROP, now_ns)
                case CarryOut():
                    self._actions.add(Perform(partial(effect.action, effect.given)))

    def _set_rules(self, rules: SessionRules) -> None:
        self._rules = rules
        self._reports.rules = self._beats.rules = self._tries.rules = self._keys.rules = rules
