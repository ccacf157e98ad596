"""The loops that a bundle's program ends in: of a bridge, and of a telemetry node."""

import gc
import time

import machine

from .outcome import FELL_BACK

TICKS = 0x3FFFFFFF
_SECOND_US = 1_000_000
_LONGEST_PAUSE_S = 64


def loader_of(outcome: object, allowed: bool) -> object:
    """What restarts into the loader; None where that was not armed."""
    if not allowed:
        return None

    def restart() -> None:
        outcome.stay()
        machine.reset()

    return restart


def run_bridge(bridge: object, outcome: object) -> None:
    """Turn for ever."""
    if outcome.fallen:
        now = time.ticks_us() & TICKS
        bridge.session.tell(now, FELL_BACK, 0, "fell back to the bundle before: " + _end_of(outcome.fallen))
    began = time.ticks_ms()
    turn = bridge.turn
    seconds = 0
    while True:
        if not turn():
            machine.idle()
            if seconds <= 120:
                # A counter that wraps after six days is asked for the first two minutes alone.
                seconds = time.ticks_diff(time.ticks_ms(), began) // 1000
                outcome.follow(bridge.session.vlink, seconds)


class Listeners:
    """The controllers of a node that has no bridge: starts them, and starts them anew.

    Attributes:
        rings: of the controllers.
    """

    def __init__(self, controllers: tuple[object, ...], cells: int) -> None:
        from bridge.health import BusHealth  # noqa: PLC0415 - beside this package on a board alone
        from bridge.ring import Ring  # noqa: PLC0415

        now = time.ticks_us() & TICKS
        self._controllers = controllers
        self.rings = tuple([Ring(n, cells, each.fd, now) for n, each in enumerate(controllers)])
        self._health = tuple([BusHealth() for _ in controllers])
        self._wait_s = [0] * len(controllers)
        self._pause_s = [1] * len(controllers)
        self._second = now
        for n, each in enumerate(controllers):
            self._start(n, each, each.start, self.rings[n])

    def turn(self) -> None:
        """Take frames; each second see that all listen."""
        now = time.ticks_us() & TICKS
        for each in self._controllers:
            each.take()
        if (now - self._second) & TICKS < _SECOND_US:
            return
        self._second = now
        for n, each in enumerate(self._controllers):
            self.rings[n].follow(now)
            if self._listens(n, each):
                self._pause_s[n] = 1
            elif self._wait_s[n]:
                self._wait_s[n] -= 1
            else:
                self._start(n, each, each.restart)

    def _listens(self, n: int, controller: object) -> bool:
        health = self._health[n]
        try:
            controller.look(health)
        except OSError:
            return False
        return health.mode == 1 and health.state < 3

    def _start(self, n: int, controller: object, start: object, *arguments: object) -> None:
        try:
            start(*arguments)
            controller.on_frames(controller.take)
        except OSError:
            self._wait_s[n] = self._pause_s[n]
            self._pause_s[n] = min(2 * self._pause_s[n], _LONGEST_PAUSE_S)


def run_node(node: object, listeners: object, watchdog: object | None, outcome: object) -> None:
    """Turn for ever."""
    began = time.ticks_ms()
    seconds = 0
    gc.collect()
    while True:
        listeners.turn()
        left_ms = node.turn()
        if watchdog is not None:
            watchdog.feed()
        if seconds <= 120:
            seconds = time.ticks_diff(time.ticks_ms(), began) // 1000
            outcome.follow(node.uplink.up, seconds)
        if left_ms:
            machine.idle()


def _end_of(text: str) -> str:
    lines = [line for line in text.split("\n") if line.strip()]
    return lines[-1].strip()[-80:] if lines else ""
