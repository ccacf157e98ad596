"""`ServerChange`: to another server by a platform's word, and back where that does not answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Generic, TypeVar

from edge.clock import NS_PER_S

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Server:
    """Where a platform is reached.

    Attributes:
        host: name or address.
        port: TCP port.
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class ChangeAnswer(StrEnum):
    """Where the set that changes the server is answered with success.

    The standard has an error answered after the return, thus on the old server, and does not say where
    success is. One terminal has one session, so that the old server is not connected when it is known.
    """

    NEW_SERVER = "new server"
    """After the login there: success is never said before it is so. The servers belong to one platform."""

    BEFORE_LEAVING = "before leaving"
    """On the old server before it is left; if the change fails, an error follows there."""


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """How a change of server goes; the standard has no numbers for it.

    Attributes:
        within_s: the new server must have accepted a login within this time, or the old one is restored.
        retry_s: pause between two attempts at the new server.
        answer: where success is answered.
        hosts: names that a platform may send the terminal to; ``*`` stands for all, and none for a change
            of port alone. What goes up is personal, and who may have it is not for a platform to say.
    """

    within_s: float = 120.0
    retry_s: float = 20.0
    answer: ChangeAnswer = ChangeAnswer.NEW_SERVER
    hosts: tuple[str, ...] = ()

    def allow(self, old: Server, new: Server) -> bool:
        """Whether the terminal may go there."""
        if new.host.lower() == old.host.lower():
            return True
        return any(host in {"*", new.host.lower()} for host in map(str.lower, self.hosts))


DEFAULT_CHANGE = ChangeRules()


class ChangeState(Enum):
    """How far a change is."""

    TRYING = "trying the new server"
    RETURNING = "returning to the old server"
    DONE = "done"


class ServerChange(Generic[Outcome]):
    """One change of server.

    The session leaves the old server, then until `state` is `DONE` connects to `candidate()` only, and says
    here what came of it. What else was set together with the server holds from the same instant, or never.

    Args:
        old: where the terminal is.
        new: where it is to go.
        rules: how.
        now_ns: boot time at which it begins.
        commit: makes the new values hold, durably, and gives what is then to be answered; None where they
            cannot be kept.
        failed: gives what is to be answered where nothing has changed; its argument says why.
    """

    def __init__(
        self,
        old: Server,
        new: Server,
        rules: ChangeRules,
        now_ns: int,
        *,
        commit: Callable[[], Outcome | None],
        failed: Callable[[str], Outcome],
    ) -> None:
        self.old = old
        self.new = new
        self.state = ChangeState.TRYING
        self.why = ""
        self._rules = rules
        self._commit = commit
        self._failed = failed
        self._until_ns = now_ns + round(rules.within_s * NS_PER_S)
        self._try_at_ns = now_ns

    def candidate(self) -> Server:
        """Where to connect: the new server while it is tried, the old one on the way back."""
        back = self.state is ChangeState.RETURNING or (self.state is ChangeState.DONE and self.why)
        return self.old if back else self.new

    @property
    def trying(self) -> bool:
        """Whether the new server is being tried."""
        return self.state is ChangeState.TRYING

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self.state is ChangeState.DONE

    @property
    def try_at_ns(self) -> int:
        """When the next attempt at the new server is due, while `trying`."""
        return self._try_at_ns

    @property
    def until_ns(self) -> int:
        """When `elapsed` ends the trial, while `trying`."""
        return self._until_ns

    def succeeded(self) -> Outcome | None:
        """`candidate()` has accepted a login.

        Returns:
            What is to be sent there and carried out; None where the new values could not be kept: then
            `state` is `RETURNING`, and the session leaves this server for `candidate()`.
        """
        if self.state is ChangeState.TRYING:
            outcome = self._commit()
            if outcome is None:
                self._give_up("the new values could not be kept")
            else:
                self.state = ChangeState.DONE
            return outcome
        if self.state is ChangeState.RETURNING:
            self.state = ChangeState.DONE
            return self._failed(self.why)
        return None

    def failed(self, now_ns: int, why: str = "no login", *, refused: bool = False) -> None:
        """An attempt at `candidate()` has failed.

        At the old server it only goes on failing: there the session's ordinary rules of retry hold.

        Args:
            now_ns: boot time.
            why: for people.
            refused: whether the new server has answered the login with an error, so that it is not asked
                again.
        """
        if self.state is not ChangeState.TRYING:
            return
        again_ns = now_ns + round(self._rules.retry_s * NS_PER_S)
        if refused or again_ns >= self._until_ns:
            self._give_up(why)
        else:
            self._try_at_ns = again_ns

    def elapsed(self, now_ns: int) -> bool:
        """Whether the time for the new server has just run out: the session leaves it for `candidate()`."""
        if self.state is not ChangeState.TRYING or now_ns < self._until_ns:
            return False
        self._give_up(f"no login within {self._rules.within_s:g} s")
        return True

    def _give_up(self, why: str) -> None:
        self.why = why
        self.state = ChangeState.RETURNING
