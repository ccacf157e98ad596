"""`TerminalSession`: the rules of one terminal's session without I/O; events and time in, actions out."""

from __future__ import annotations

import random
from collections.abc import Mapping

from edge.uplink.events import WakeAt
from edge.uplink.gbt import troubles
from edge.uplink.gbt.actions import Actions
from edge.uplink.gbt.activation import Activation
from edge.uplink.gbt.commands import PlatformCommands
from edge.uplink.gbt.dialogue import Dialogue
from edge.uplink.gbt.events import Action, Closed, Event, LogInAgain, Open, Opened, Received, Stop, Tick
from edge.uplink.gbt.incoming import Incoming
from edge.uplink.gbt.options import SessionOptions
from edge.uplink.gbt.phases import Closing, LogoutCause, Standing, TerminalPhase
from edge.uplink.gbt.platform_clock import PlatformClock
from edge.uplink.gbt.requests import Ask
from edge.uplink.gbt.rules import SessionRules
from edge.uplink.gbt.secrecy import Secrecy
from edge.uplink.gbt.server_change import Server
from edge.uplink.gbt.servers import Servers
from edge.uplink.gbt.session_numbers import SessionNumbers
from edge.uplink.gbt.staying_away import StayingAway
from edge.uplink.gbt.terminal import Terminal
from edge.uplink.outbox import Store
from edge.uplink.outgoing import Kind
from edge.uplink.reasons import STOPPED, Reason


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
        secrecy = secrecy or Secrecy()
        self._actions = Actions(options.where, f"GB/T 32960.3-{rules.edition.value}", secrecy)
        self._facts = self._actions.facts
        self._incoming = Incoming(rules, terminal.vin.encode("ascii"), secrecy)
        self._standing = Standing()
        self._servers = Servers(server)
        self._away = StayingAway(rules, rng)
        self._stop_at_ns: int | None = None
        self._dialogue = Dialogue(
            rules,
            options,
            terminal,
            store,
            numbers,
            clock,
            secrecy=secrecy,
            activation=activation,
            commands=commands,
            standing=self._standing,
            servers=self._servers,
            away=self._away,
            actions=self._actions,
        )

    @property
    def phase(self) -> TerminalPhase:
        """Where the session stands."""
        return self._standing.phase

    @property
    def done(self) -> bool:
        """Whether it has ended after a `Stop`."""
        return self._standing.phase is TerminalPhase.DONE

    @property
    def online(self) -> bool:
        """Whether reports can go now."""
        return self._standing.online

    @property
    def trouble(self) -> str:
        """The key of the trouble last told and not yet over; empty if there is none."""
        return self._actions.trouble

    @property
    def rules(self) -> SessionRules:
        """As they hold now."""
        return self._dialogue.rules

    def hurry(self) -> None:
        """See `edge.uplink.uplink.Uplink.hurry`: heartbeats no longer wait for their time."""
        self._dialogue.hurry()

    def facts(self) -> Mapping[str, int]:
        """Exact counts that explain the hop and are no part of its balance."""
        return {**self._facts, **self._incoming.facts, **self._dialogue.facts()}

    def largest_payload(self, kind: Kind) -> int | None:
        """Bytes of the largest payload that should be made for `kind` now; None if nothing limits it."""
        return self._dialogue.reports.largest_payload(kind)

    def handle(self, event: Event, now_ns: int) -> list[Action]:
        """Take one event in and say what is to be done.

        Args:
            event: what happened.
            now_ns: boot-monotonic time, never less than at the call before.

        Returns:
            The actions, to be carried out in this order; at most one `WakeAt`, at the end.
        """
        match event:
            case Opened():
                self._opened()
            case Closed():
                self._closed(event, now_ns)
            case Received():
                self._dialogue.received(self._incoming.take(event.data, now_ns), now_ns)
            case Tick():
                self._actions.unsent = event.unsent
            case LogInAgain():
                if self.online:
                    self._dialogue.log_out(LogoutCause.AGAIN, now_ns)
            case Stop():
                self._stop_at_ns = event.deadline_ns
                self._dialogue.hurry()
        self._advance(now_ns)
        for cause, what in self._dialogue.reports.take_causes():
            self._actions.remark(cause, f"gave a message up ({what}): {cause}")
        wake_ns = self._wake_ns(now_ns)
        if wake_ns is not None:
            self._actions.add(WakeAt(wake_ns))
        return self._actions.take()

    # What happens to the connection.

    def _opened(self) -> None:
        if self._standing.phase is TerminalPhase.CONNECTING:
            self._facts["connections"] += 1
            self._actions.unsent = 0
            self._standing.ask = None
            self._standing.phase = TerminalPhase.PREPARING

    def _closed(self, event: Closed, now_ns: int) -> None:
        standing = self._standing
        phase, closing, asked = standing.phase, standing.closing, standing.ask
        if phase in {TerminalPhase.WAITING, TerminalPhase.DONE}:
            return
        standing.closing, standing.ask = None, None
        standing.phase = TerminalPhase.WAITING
        self._incoming.begin()
        if phase is not TerminalPhase.CONNECTING:
            self._facts["connections ended"] += 1
        self._dialogue.cut(now_ns, by_peer=event.by_peer and phase is TerminalPhase.ONLINE)
        reason = event.reason
        if closing is None and phase is TerminalPhase.LOGGING_OUT:
            closing = self._dialogue.after_logout()
        if closing is not None:
            reason = closing.reason
        elif phase is TerminalPhase.ONLINE and event.by_peer and self._away.thrown_out():
            reason = troubles.THROWN_OUT
        if reason.fact:
            self._facts[reason.fact] += 1
        if reason is not STOPPED:
            self._actions.tell(reason)
        standing.at_ns = now_ns + self._wait_ns(phase, closing, asked, reason, now_ns)

    def _wait_ns(
        self, phase: TerminalPhase, closing: Closing | None, asked: Ask | None, reason: Reason, now_ns: int
    ) -> int:
        """How long to stay away from the server."""
        if self._servers.trying:
            if closing is None:
                self._servers.failed(now_ns, reason.what)
            return self._servers.wait_ns(now_ns)
        if closing is not None:
            return self._away.next_ns() if closing.wait_ns is None else closing.wait_ns
        if asked is not None:
            return self._dialogue.cut_short()
        if phase is TerminalPhase.PAUSED:
            return max(0, self._standing.at_ns - now_ns)
        return self._away.next_ns()

    # What time brings about.

    def _advance(self, now_ns: int) -> None:
        standing = self._standing
        self._end_change(now_ns)
        self._stop(now_ns)
        stalled_ns = self._incoming.stalled_ns()
        if stalled_ns is not None and now_ns >= stalled_ns:
            self._dialogue.received(self._incoming.flush(now_ns), now_ns)
        if standing.phase is TerminalPhase.WAITING and now_ns >= standing.at_ns:
            server = self._servers.candidate
            standing.phase = TerminalPhase.CONNECTING
            self._actions.add(Open(server.host, server.port))
        self._dialogue.advance(now_ns, hopeless=self._incoming.hopeless)

    def _end_change(self, now_ns: int) -> None:
        """Go back to the old server where the new one has had its time."""
        if not self._servers.elapsed(now_ns):
            return
        if self._standing.phase is TerminalPhase.WAITING:
            self._standing.at_ns = now_ns
        elif self._standing.phase not in {TerminalPhase.CLOSING, TerminalPhase.LOGGING_OUT}:
            self._dialogue.close(troubles.CHANGE_FAILED, 0)

    def _stop(self, now_ns: int) -> None:
        """Log out once nothing waits any more, or the time for it is over."""
        if self._stop_at_ns is None or (now_ns < self._stop_at_ns and not self._dialogue.reports.empty()):
            return
        match self._standing.phase:
            case TerminalPhase.WAITING:
                self._standing.phase = TerminalPhase.DONE
            case TerminalPhase.ONLINE:
                self._dialogue.log_out(LogoutCause.STOP, now_ns)
            case TerminalPhase.LOGGING_OUT:
                self._standing.cause = LogoutCause.STOP
            case TerminalPhase.CLOSING | TerminalPhase.DONE:
                pass
            case _:
                self._dialogue.close(STOPPED)

    def _wake_ns(self, now_ns: int) -> int | None:
        times = [self._incoming.stalled_ns(), self._servers.until_ns(), self._dialogue.wake_ns(now_ns)]
        if self._standing.phase is TerminalPhase.WAITING:
            times.append(self._standing.at_ns)
        if not self.done:
            times.append(self._stop_at_ns)
        return min((at_ns for at_ns in times if at_ns is not None and at_ns > now_ns), default=None)
