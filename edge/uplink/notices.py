"""What a person is told: a reason once until it changes, and once when things are in order again."""

from __future__ import annotations

from edge.errors import UplinkError
from edge.uplink.events import Notice
from edge.uplink.reasons import Reason


class Notices:
    """Turns reasons into notices and keeps repetition out of them.

    Args:
        where: the broker or platform as a person knows it; stands before every notice.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._trouble = ""
        self._greeted = False
        self._remarks: set[str] = set()

    @property
    def trouble(self) -> str:
        """The key of the trouble last told and not yet over; empty if there is none."""
        return self._trouble

    def tell(self, reason: Reason) -> list[Notice]:
        """Tell a trouble, unless it is the one told last."""
        if reason.key == self._trouble:
            return []
        self._trouble = reason.key
        return [self._notice(reason.what, reason.todo)]

    def remark(self, key: str, what: str, todo: str = "") -> list[Notice]:
        """Tell of one message given up; further ones with the same key are only in the account."""
        if key in self._remarks:
            return []
        self._remarks.add(key)
        return [self._notice(what, todo)]

    def greet(self, how: str) -> list[Notice]:
        """Tell of the first connection, if no trouble came before it."""
        if self._greeted or self._trouble:
            return []
        self._greeted = True
        return [Notice(f"{self._where}: connected, {how}", trouble=False)]

    def relieve(self, how: str) -> list[Notice]:
        """Tell that a trouble told is over."""
        if not self._trouble:
            return []
        self._trouble = ""
        self._greeted = True
        return [Notice(f"{self._where}: connected again, {how}", trouble=False)]

    def _notice(self, what: str, todo: str) -> Notice:
        return Notice(str(UplinkError(what, where=self._where, todo=todo)), trouble=True)
