"""Who is at which browser: a random cookie, the roles it has shown a PIN for, and the token of its forms."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from edge.clock import NS_PER_S, Clock
from edge.page.pins import Role

_TOKEN_BYTES = 32
_MOST = 32
_FORM = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class _Session:
    roles: set[Role] = field(default_factory=set)
    used_ns: int = 0


class Sessions:
    """The browsers that have shown a PIN; they are forgotten when the page ends.

    Args:
        clock: for how long one is idle.
        draw: gives so many random bytes.
        idle_s: roles are given up after so long without use.
    """

    def __init__(self, clock: Clock, draw: Callable[[int], bytes], idle_s: float) -> None:
        self._clock = clock
        self._draw = draw
        self._idle_ns = round(idle_s * NS_PER_S)
        self._secret = draw(_TOKEN_BYTES)
        self._lock = Lock()
        self._sessions: dict[bytes, _Session] = {}

    def visitor(self, cookie: str | None) -> str:
        """The cookie of a visitor: the one that came, or a new one."""
        if cookie is not None and _FORM.fullmatch(cookie):
            return cookie
        return self._draw(_TOKEN_BYTES).hex()

    def form_token(self, cookie: str) -> str:
        """What each form of this visitor carries, and no other site can know."""
        return hmac.new(self._secret, cookie.encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, cookie: str, token: str) -> bool:
        """Whether a form was made for this visitor."""
        return hmac.compare_digest(self.form_token(cookie).encode(), token.encode("utf-8", "replace"))

    def roles(self, cookie: str, *, use: bool) -> frozenset[Role]:
        """The roles that a visitor has.

        Args:
            cookie: the visitor's.
            use: whether this counts as use; a page that refreshes itself does not.
        """
        name = _name(cookie)
        now_ns = self._clock.boot_ns()
        with self._lock:
            session = self._sessions.get(name)
            if session is None:
                return frozenset()
            if now_ns - session.used_ns > self._idle_ns:
                del self._sessions[name]
                return frozenset()
            if use:
                session.used_ns = now_ns
            return frozenset(session.roles)

    def give(self, cookie: str, role: Role) -> str:
        """Give a visitor a role.

        Returns:
            The visitor's new cookie: whoever knew the old one gains nothing.
        """
        roles = {*self.roles(cookie, use=True), role}
        fresh = self._draw(_TOKEN_BYTES).hex()
        with self._lock:
            self._sessions.pop(_name(cookie), None)
            while len(self._sessions) >= _MOST:
                oldest = min(self._sessions, key=lambda name: self._sessions[name].used_ns)
                del self._sessions[oldest]
            self._sessions[_name(fresh)] = _Session(roles, self._clock.boot_ns())
        return fresh

    def end(self, cookie: str) -> None:
        """Take all roles from a visitor."""
        with self._lock:
            self._sessions.pop(_name(cookie), None)


def _name(cookie: str) -> bytes:
    """What a session is found by: how long a look-up takes tells nothing of the cookies that there are."""
    return hashlib.sha256(cookie.encode()).digest()
