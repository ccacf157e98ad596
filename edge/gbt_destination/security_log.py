"""`SecurityLog`: security events of a session in the log, so that a peer that goes on cannot fill it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from edge.clock import NS_PER_S, Clock
from edge.uplink.gbt.answered import SecurityEvent

AGAIN_NS = 60 * NS_PER_S
"""Between two lines of one kind; those in between are counted in the next."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Kind:
    since_ns: int
    unsaid: int = 0


class SecurityLog:
    """Logs each kind of event at most once a minute (GB/T 40855-2021, 5.2.2.7: time, VIN, kind).

    Args:
        clock: time.
        log: takes a line; by default the program's log.
    """

    def __init__(self, clock: Clock, log: Callable[[str], None] | None = None) -> None:
        self._clock = clock
        self._log = log or _warn
        self._kinds: dict[str, _Kind] = {}

    def __call__(self, event: SecurityEvent) -> None:
        """Take an event."""
        now_ns = self._clock.boot_ns()
        kind = self._kinds.get(event.kind)
        if kind is not None and now_ns - kind.since_ns < AGAIN_NS:
            kind.unsaid += 1
            return
        more = f"; {kind.unsaid} more of this kind since the last" if kind is not None and kind.unsaid else ""
        self._kinds[event.kind] = _Kind(now_ns)
        vin = event.vin.decode("ascii", "backslashreplace")
        self._log(f"security event of {vin} at {event.wall_s}: {event.kind}: {event.detail}{more}")


def _warn(line: str) -> None:
    logger.warning("%s", line)
