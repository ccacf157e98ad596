"""`LoginTries`: how long to wait after a login that has failed, and when to drop the link."""

from __future__ import annotations

from edge.uplink.gbt.rules import SessionRules
from edge.uplink.settings import ns


class LoginTries:
    """Counts the logins that have failed in a row; what comes before a login counts as part of it.

    Args:
        rules: in numbers; may be set anew.
    """

    def __init__(self, rules: SessionRules) -> None:
        self.rules = rules
        self._failed = 0

    def failed(self, *, check: bool, useless: bool = False) -> tuple[int, bool]:
        """One more has failed.

        Args:
            check: whether the platform's check has failed it.
            useless: whether no other try may help before a person has done something.

        Returns:
            The pause in nanoseconds, and whether the tries are exhausted, so that the link is dropped.
        """
        rules = self.rules
        self._failed += 1
        if useless or self._failed >= rules.login_tries:
            self._failed = 0
            return ns(rules.login_pause_s), True
        return ns(rules.login_check_retry_s if check else rules.login_retry_s), False

    def succeeded(self) -> None:
        """A login was accepted."""
        self._failed = 0
