"""The vehicle's buses, full: as many frames a second as asked for, made in the process of capture."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from unittest import mock

import numpy as np

from edge.account import Hop
from edge.bus.source import FrameSource
from edge.bus.tally import Tally
from edge.capturing import opening
from edge.clock import NS_PER_S, Clock, Timebase
from edge.config.configuration import Config
from edge.frames import FD_BYTES, FrameBatch, FrameFlag
from edge.policy.classes import DataClass
from tests.live_canary.tokens import Tokens
from tests.live_canary.vehicle import GNSS, WHEELS, one_round

BUSES = ("pt", "body")
SEED = 1
_POSITIONS_A_SECOND = 10


class Flood(FrameSource):
    """Rounds of all messages at an even pace, and ten positions a second.

    Args:
        frames_per_s: of all buses.
        clock: time.
    """

    live = True

    def __init__(self, frames_per_s: int, clock: Clock) -> None:
        self._clock = clock
        self._rate = frames_per_s
        self._start_ns = clock.boot_ns()
        self._tally = Tally()
        self._closed = False
        frames = list(one_round(Tokens(SEED), 1, inside=False, speed=60))
        self._round = [each for each in frames if each[1] != GNSS]
        self._every = max(1, frames_per_s // _POSITIONS_A_SECOND // len(self._round) * len(self._round))
        rows = [*self._round, *(each for each in frames if each[1] == GNSS)]
        self._bus = np.array([BUSES.index(bus) for bus, *_ in rows], np.uint8)
        self._id = np.array([identifier for _, identifier, *_ in rows], np.uint32)
        self._flags = np.array([FrameFlag.FD if fd else 0 for *_, fd in rows], np.uint16)
        self._length = np.array([len(data) for _, _, data, _ in rows], np.uint16)
        self._data = np.zeros((len(rows), FD_BYTES), np.uint8)
        for place, (_, _, data, _) in enumerate(rows):
            self._data[place, : len(data)] = np.frombuffer(data, np.uint8)

    @property
    def buses(self) -> tuple[str, ...]:
        """See `FrameSource.buses`."""
        return BUSES

    @property
    def timebase(self) -> Timebase:
        """See `FrameSource.timebase`."""
        return self._clock.timebase()

    def read(self, timeout_s: float) -> FrameBatch | None:
        """See `FrameSource.read`: what has fallen due since the last time."""
        del timeout_s
        if self._closed:
            return None
        sent = self._tally.left
        due = (self._clock.boot_ns() - self._start_ns) * self._rate // NS_PER_S
        numbers = np.arange(sent, due)
        rows = numbers % len(self._round)
        rows[numbers % self._every == 0] = len(self._round)
        batch = FrameBatch(
            t_ns=self._start_ns + numbers * NS_PER_S // self._rate,
            bus=self._bus[rows],
            arbitration_id=self._id[rows],
            flags=self._flags[rows],
            length=self._length[rows],
            data=self._data[rows],
            buses=BUSES,
            timebase=self.timebase,
        )
        self._tally.entered += len(batch)
        self._tally.hand_on(batch)
        return batch

    def close(self) -> None:
        """See `FrameSource.close`."""
        self._closed = True

    def hop(self) -> Hop:
        """See `FrameSource.hop`."""
        return self._tally.hop("merged buses")


def open_flooded(
    arguments: Mapping[str, Any], collect: Collection[DataClass], admission: str, clock: Clock
) -> opening.Opened:
    """Open a configuration as capture does, with full buses in place of its interfaces."""

    def flood(config: Config, clock: Clock, *_: object) -> Flood:
        del config
        return Flood(arguments["frames_per_s"], clock)

    with mock.patch.object(opening, "open_buses", flood):
        return opening.open_configuration(arguments, collect, admission, clock)


def last_position_ns(batch: FrameBatch) -> int | None:
    """The time of the last frame that has a bit of class position; None if there is none."""
    of_class = np.isin(batch.arbitration_id, [GNSS, WHEELS])
    rows = np.flatnonzero(of_class & batch.data.any(axis=1))
    return int(batch.t_ns[rows].max()) if len(rows) else None
