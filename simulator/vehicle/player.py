"""Plays a vehicle's frames onto python-can buses in its own time, counting each frame exactly."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

from edge.account import Hop
from edge.bus import multicast
from edge.clock import NS_PER_S, Clock
from edge.errors import ConfigError, SourceError
from edge.frames import FrameBatch, FrameFlag
from edge.lean_can import can
from simulator.vehicle.ahead import Ahead
from simulator.vehicle.wiring import BUSES

EARLY_NS = 1_000_000
"""Frames due within this time go out together: waiting for each alone costs more than it gives."""

RETRIES = 200
RETRY_AFTER_S = 0.005
REFUSED = "refused by the interface"
STOPPED = "not played before the stop"


class Player:
    """Sends batches onto one bus each name, at the batches' own times.

    A frame that the interface refuses is offered again for a second, then counted as refused; no frame is
    left out because the machine is late.

    Attributes:
        sent: frames that the interface took, by bus name.
        refused: frames that it did not take, by bus name.
        late_ns: the furthest that a frame was behind its time.
    """

    def __init__(self, buses: Mapping[str, can.BusABC], clock: Clock, *, speed: float = 1.0) -> None:
        """Build a player.

        Args:
            buses: an opened bus for each bus name; frames of other buses are not played and not counted.
            clock: what to wait by.
            speed: 2 plays twice as fast as it happened; 0 as fast as the interfaces take frames.

        Raises:
            ConfigError: if the speed is negative.
        """
        if speed < 0:
            raise ConfigError(
                f"the speed {speed:g} is negative", todo="Give 1 for real time, 0 for no waiting"
            )
        self._buses = dict(buses)
        self._clock = clock
        self._speed = speed
        self._stopped = 0
        self.sent: Counter[str] = Counter(dict.fromkeys(buses, 0))
        self.refused: Counter[str] = Counter()
        self.late_ns = 0

    def play(self, batches: Iterable[FrameBatch], wake: threading.Event | None = None) -> None:
        """Send all frames of `batches`; time begins once the first of them is made.

        Args:
            batches: in order of time, which begins at 0; made ahead, in a thread of their own.
            wake: stops the playing when set; what is left of the batch in hand is counted as not played, and
                batches after it are dropped uncounted, made or not.
        """
        stop = wake or threading.Event()
        start_ns: int | None = None
        with Ahead(batches) as ahead:
            for batch in ahead:
                if start_ns is None:
                    start_ns = self._clock.boot_ns()
                self._play_batch(batch, start_ns, stop)
                if stop.is_set():
                    return

    def _play_batch(self, batch: FrameBatch, start_ns: int, stop: threading.Event) -> None:
        for place, t_ns in enumerate(batch.t_ns.tolist()):
            bus = self._buses.get(batch.buses[int(batch.bus[place])])
            if bus is None:
                continue
            if stop.is_set() or (
                self._speed and self._wait_until(start_ns + round(t_ns / self._speed), stop)
            ):
                names = (batch.buses[index] for index in batch.bus[place:].tolist())
                self._stopped += sum(name in self._buses for name in names)
                return
            self._send(bus, batch.buses[int(batch.bus[place])], message_of(batch, place), stop)

    def _wait_until(self, due_ns: int, stop: threading.Event) -> bool:
        ahead_ns = due_ns - self._clock.boot_ns()
        self.late_ns = max(self.late_ns, -ahead_ns)
        return ahead_ns > EARLY_NS and self._clock.wait(stop, ahead_ns / NS_PER_S)

    def _send(self, bus: can.BusABC, name: str, message: can.Message, stop: threading.Event) -> None:
        for _ in range(RETRIES):
            try:
                bus.send(message)
            except (can.CanError, OSError):
                if self._clock.wait(stop, RETRY_AFTER_S):
                    break
            else:
                self.sent[name] += 1
                return
        self.refused[name] += 1

    def hop(self) -> Hop:
        """The account in frames: entered = sent + refused + not played before a stop."""
        sent, refused = self.sent.total(), self.refused.total()
        causes = {REFUSED: refused, STOPPED: self._stopped}
        return Hop(
            name="player",
            unit="frames",
            entered=sent + refused + self._stopped,
            left=sent,
            set_aside={cause: count for cause, count in causes.items() if count},
            facts={f"sent on {name}": count for name, count in self.sent.items()},
        )


def message_of(batch: FrameBatch, place: int, *, channel: int | None = None) -> can.Message:
    """The frame at `place` as python-can has it; its time is wall time as far as the batch knows it."""
    flags = int(batch.flags[place])
    return can.Message(
        timestamp=batch.timebase.wall_ns(int(batch.t_ns[place])) / NS_PER_S,
        arbitration_id=int(batch.arbitration_id[place]),
        is_extended_id=bool(flags & FrameFlag.EXTENDED),
        is_fd=bool(flags & FrameFlag.FD),
        bitrate_switch=bool(flags & FrameFlag.BITRATE_SWITCH),
        dlc=int(batch.length[place]),
        data=batch.data[place, : int(batch.length[place])].tobytes(),
        channel=channel,
        is_rx=True,
    )


MULTICAST_GROUP = "239.74.163.2"
"""python-can's own group; each bus has a port of its own in it."""


def multicast_channels(buses: Iterable[str]) -> dict[str, str]:
    """The channel of each of the vehicle's buses on UDP multicast, as ``GROUP:PORT``."""
    return {
        name: f"{MULTICAST_GROUP}:{multicast.DEFAULT_PORT + place}"
        for place, name in enumerate(BUSES)
        if name in buses
    }


def _multicast(channel: str) -> tuple[str, dict[str, Any]]:
    group, port = multicast.group_and_port(channel)
    return group, {"port": port or multicast.DEFAULT_PORT}


def open_buses(stack: ExitStack, interface: str, channels: Mapping[str, str]) -> dict[str, can.BusABC]:
    """Open a bus of python-can for each bus name; `stack` closes them.

    A channel of UDP multicast may be ``GROUP:PORT``.

    Raises:
        ConfigError: if two multicast channels share a port.
        SourceError: if an interface or channel cannot be opened.
    """
    opened: dict[str, can.BusABC] = {}
    places: dict[str, tuple[str, dict[str, Any]]] = {
        name: (channel, {}) for name, channel in channels.items()
    }
    if interface == multicast.INTERFACE:
        places = {name: _multicast(channel) for name, channel in channels.items()}
        multicast.refuse_shared_ports({name: options["port"] for name, (_, options) in places.items()})
    for name, (channel, options) in places.items():
        try:
            bus = can.Bus(channel=channel, interface=interface, fd=True, **options)
        except Exception as error:  # vendors' drivers raise whatever occurs to them, NameError included
            raise SourceError(
                f"the interface {interface!r} does not open ({error})",
                where=f"bus {name}, channel {channel}",
                todo="pip install 'nevgate[bench]'"
                if interface == multicast.INTERFACE and isinstance(error, can.CanError | ImportError)
                else "Check interface and channel",
            ) from error
        opened[name] = stack.enter_context(bus)
    return opened
