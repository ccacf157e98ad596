"""`BeforeLogin`: what comes before a login: the time, then activation and data key (2025)."""

from __future__ import annotations

from edge.uplink.gbt import troubles
from edge.uplink.gbt.actions import Actions
from edge.uplink.gbt.activation import Activation, ActivationResult
from edge.uplink.gbt.events import Log
from edge.uplink.gbt.key_exchange import KeyExchange
from edge.uplink.gbt.platform_clock import PlatformClock
from edge.uplink.gbt.terminal import Terminal
from edge.uplink.reasons import Reason
from edge.wire.gbt.beijing import TIME_BYTES, unix_seconds
from edge.wire.gbt.frame import Command
from edge.wire.gbt.message import Message


class BeforeLogin:
    """One request after the other, each only where it is needed.

    Args:
        terminal: says who it is.
        clock: learns the platform's time where the vehicle has none.
        activation: as far as the platform asks for it (2025).
        keys: data keys, if any.
        actions: what is to be done.
    """

    def __init__(
        self,
        terminal: Terminal,
        clock: PlatformClock,
        activation: Activation | None,
        keys: KeyExchange,
        actions: Actions,
    ) -> None:
        self._terminal = terminal
        self._clock = clock
        self._activation = activation
        self._keys = keys
        self._actions = actions

    def request(self, now_ns: int) -> Command | None:
        """Send the next request.

        Returns:
            The command that is now waited for: an answer, or the platform's own; None where a login may go.

        Raises:
            GbtError: it cannot be made.
        """
        if not self._clock.known:
            self._actions.send(self._terminal.plain(Command.TIME_SYNC), now_ns)
            return Command.TIME_SYNC
        if self._activation is not None and not self._activation.active:
            self._actions.send(self._activation.request(), now_ns)
            return Command.ACTIVATE
        if not self._keys.ready(now_ns):
            self._keys.begin(now_ns)
            return Command.DATA_KEY
        return None

    def take_time(self, time: bytes, now_ns: int) -> Reason | None:
        """The platform has answered with its time; why that is of no use, if so."""
        wall_s = unix_seconds(time) if len(time) == TIME_BYTES else None
        if wall_s is None:
            return troubles.NO_TIME
        self._actions.facts["times taken from the platform"] += 1
        self._clock.learn(wall_s, now_ns)
        return None

    def take_activation(self, message: Message) -> ActivationResult | None:
        """Take what may be the result of an activation; None where it is none that was asked for."""
        result = None if self._activation is None else self._activation.take(message)
        if result is None:
            self._actions.facts["answers to nothing"] += 1
            return None
        self._actions.add(*result.notices, *(Log(event) for event in result.events))
        return result
