"""`KeyExchange`: data keys offered before the login and renewed during the session (2025)."""

from __future__ import annotations

from collections.abc import Callable

from edge.uplink.gbt.actions import Actions
from edge.uplink.gbt.answered import Answered
from edge.uplink.gbt.rules import SessionRules
from edge.uplink.gbt.secrecy import Secrecy
from edge.uplink.reasons import Reason
from edge.uplink.settings import ns
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Frame, Response
from edge.wire.gbt.message import Message


class KeyExchange:
    """Sends offers of data keys, and gives one up that is not answered; without data keys it does nothing.

    Args:
        rules: in numbers; may be set anew.
        secrecy: has the keys.
        actions: what is to be done.
    """

    def __init__(self, rules: SessionRules, secrecy: Secrecy, actions: Actions) -> None:
        self.rules = rules
        self._secrecy = secrecy
        self._keys = secrecy.keys
        self._actions = actions
        self._due_ns: int | None = None

    @property
    def used(self) -> bool:
        """Whether data keys are exchanged at all."""
        return self._keys is not None

    def ready(self, now_ns: int) -> bool:
        """Whether data units may go now."""
        return self._secrecy.ready(now_ns)

    def sealing(self, now_ns: int) -> Callable[[Frame], Frame] | None:
        """See `Secrecy.sealing`."""
        return self._secrecy.sealing(now_ns)

    def due(self, now_ns: int) -> bool:
        """Whether a key is to be offered now."""
        return self._keys is not None and self._keys.due(now_ns)

    def due_ns(self, now_ns: int) -> int:
        """When `due` may hold next; now where a message of the platform's has to come before."""
        wake_ns = None if self._keys is None else self._keys.wake_ns(now_ns)
        return now_ns if wake_ns is None else wake_ns

    def begin(self, now_ns: int) -> None:
        """Offer a key before the login, unless the platform is to make one or has refused one just now.

        Raises:
            GbtError: none can be made.
        """
        if self._keys is not None and self._keys.due(now_ns):
            self._actions.send(self._keys.offer(now_ns), now_ns)
            # The platform may make a key of its own instead, and never answer this one.
            self._due_ns = now_ns + ns(self.rules.answer_timeout_s)

    def renew(self, now_ns: int) -> None:
        """Offer a key during the session once it is due, again after one that was not answered."""
        keys = self._keys
        if keys is None:
            return
        if self._due_ns is not None and now_ns >= self._due_ns:
            self._actions.facts["data keys unanswered"] += 1
            self.forget(now_ns)
        if keys.due(now_ns):
            try:
                self._actions.send(keys.offer(now_ns), now_ns)
            except GbtError as error:
                self._actions.tell(Reason("no-data-key", f"no data key can be made: {error}"))
            self._due_ns = now_ns + ns(self.rules.answer_timeout_s)

    def take(self, message: Message, now_ns: int) -> Answered | None:
        """Take a key from the platform, or its answer to an offer; None where it is neither."""
        answered = None if self._keys is None else self._keys.take(message, now_ns)
        if answered is not None and message.response != Response.COMMAND:
            self._due_ns = None
        return answered

    def forget(self, now_ns: int) -> None:
        """The offer that is under way, if any, will not be answered any more."""
        self._due_ns = None
        if self._keys is not None:
            self._keys.unanswered(now_ns)

    def wake_ns(self, now_ns: int) -> int | None:
        """When `renew` has something to do, if nothing else happens."""
        times = (self._due_ns, None if self._keys is None else self._keys.wake_ns(now_ns))
        return min((at_ns for at_ns in times if at_ns is not None), default=None)
