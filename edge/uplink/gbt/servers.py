"""`Servers`: which server a terminal is to connect to, also while a platform sends it to another."""

from __future__ import annotations

from edge.uplink.gbt.answered import Answered
from edge.uplink.gbt.server_change import Server, ServerChange


class Servers:
    """The server, and the change of it that is under way, if any.

    Args:
        server: where the platform is.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._change: ServerChange[Answered] | None = None

    @property
    def candidate(self) -> Server:
        """Where to connect."""
        return self._server if self._change is None else self._change.candidate()

    @property
    def trying(self) -> bool:
        """Whether a new server is being tried, for which other pauses hold."""
        return self._change is not None and self._change.trying

    def begin(self, change: ServerChange[Answered]) -> None:
        """A platform has ordered a change."""
        self._change = change

    def failed(self, now_ns: int, why: str, *, refused: bool = False) -> None:
        """See `ServerChange.failed`."""
        if self._change is not None:
            self._change.failed(now_ns, why, refused=refused)

    def wait_ns(self, now_ns: int) -> int:
        """How long until the next attempt at the new server, while `trying`."""
        return 0 if self._change is None else max(0, self._change.try_at_ns - now_ns)

    def elapsed(self, now_ns: int) -> bool:
        """See `ServerChange.elapsed`."""
        return self._change is not None and self._change.elapsed(now_ns)

    def until_ns(self) -> int | None:
        """When `elapsed` may hold; None if it cannot."""
        return self._change.until_ns if self._change is not None and self._change.trying else None

    def logged_in(self) -> tuple[Answered | None, bool]:
        """The candidate has accepted a login.

        Returns:
            What is to be carried out there, and whether this server is to be left for `candidate`.
        """
        change = self._change
        if change is None:
            return None, False
        outcome = change.succeeded()
        if change.done:
            self._server = change.candidate()
            self._change = None
        return outcome, outcome is None
