"""`StateLog`: changes of a controller's state as lines of the log, of which a bus that flaps makes few."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from edge.bus.socketcan.bus_state import ControllerState, StateChange
from edge.bus.socketcan.link_report import LINES_MAX, LINES_PERIOD_S
from edge.clock import NS_PER_S, Clock

logger = logging.getLogger(__name__)


class StateLog:
    """Tells what happens to the controller of one bus.

    Args:
        bus: its name.
        clock: says when there may be further lines.
    """

    def __init__(self, bus: str, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._since_ns, self._lines = clock.boot_ns(), 0

    def tell(self, changes: Sequence[StateChange]) -> None:
        """Log changes, in order."""
        if not changes:
            return
        now_ns = self._clock.boot_ns()
        if now_ns - self._since_ns >= LINES_PERIOD_S * NS_PER_S:
            self._since_ns, self._lines = now_ns, 0
        for change in changes[: max(0, LINES_MAX - self._lines)]:
            level = logging.WARNING if change.state >= ControllerState.PASSIVE else logging.INFO
            logger.log(level, "bus %s: %s", self._bus, change)
        if self._lines < LINES_MAX <= self._lines + len(changes):
            logger.warning("bus %s: further states are counted, and told again in a minute", self._bus)
        self._lines += len(changes)
