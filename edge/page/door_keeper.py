"""Looks at a PIN: not too soon after wrong ones, and one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from edge.errors import KeyFileError
from edge.page.attempts import Attempts
from edge.page.pins import Pins, Role

_AT_ONCE_S = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a try.

    Attributes:
        right: whether it was the PIN.
        tried: whether there was a try at all.
        wait_s: so long nothing is tried; 0 for none.
    """

    right: bool = False
    tried: bool = False
    wait_s: float = 0.0


class DoorKeeper:
    """Checks PINs.

    Args:
        pins: that there are.
        attempts: counts the wrong ones.
    """

    def __init__(self, pins: Pins, attempts: Attempts) -> None:
        self._pins = pins
        self._attempts = attempts
        self._one_at_a_time = Lock()

    def known(self, role: Role) -> tuple[bool, str]:
        """Whether a role has a PIN, and what is wrong with the file of them."""
        try:
            return role in self._pins.roles(), ""
        except KeyFileError as error:
            return False, str(error)

    def check(self, role: Role, pin: str) -> Verdict:
        """Look at a PIN; hashing one takes memory, so others wait, and not for long."""
        if not self._one_at_a_time.acquire(timeout=_AT_ONCE_S):
            return Verdict(tried=True, wait_s=_AT_ONCE_S)
        try:
            if not self.known(role)[0]:
                return Verdict(tried=True)
            wait_s = self._attempts.begin(role)
            if wait_s > 0:
                return Verdict(tried=True, wait_s=wait_s)
            if not self._pins.fits(role, pin):
                return Verdict(tried=True, wait_s=self._attempts.wait_s(role))
            self._attempts.right(role)
            return Verdict(right=True, tried=True)
        except KeyFileError:
            return Verdict(tried=True)
        finally:
            self._one_at_a_time.release()
