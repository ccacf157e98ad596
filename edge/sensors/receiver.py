"""`Receiver`: a satellite receiver that sends bytes, and that may be gone for a while."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import Counter
from typing import Protocol

from edge.clock import Clock
from edge.sensors.nmea import NMEA_ITEMS
from edge.sensors.observation import Observation
from edge.sensors.source import ItemSource


class Reader(Protocol):
    """Bytes in, observations out; without I/O.

    Attributes:
        counts: what was read by what became of it: ``entered``, ``left``, or the cause for setting it aside.
    """

    counts: Counter[str]

    def feed(self, data: bytes, t_ns: int) -> list[Observation]:
        """Take in bytes that were received at `t_ns`; never raises, whatever they are."""


class Receiver(ItemSource):
    """Hands on what `reader` makes of a receiver's bytes; one that is gone is tried again at the next `read`.

    Args:
        reader: reads what the receiver sends.
        clock: stamps what was received.
    """

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._bytes_reader = reader
        self._clock = clock
        self._closed = threading.Event()
        self._failed = 0

    @property
    def items(self) -> tuple[str, ...]:
        """See `ItemSource.items`."""
        return NMEA_ITEMS

    def read(self, timeout_s: float) -> tuple[Observation, ...] | None:
        """See `ItemSource.read`; without a receiver it waits as long."""
        if self._closed.is_set():
            return None
        try:
            data = self._receive(timeout_s)
        except OSError:
            self._failed += 1
            self._drop()
            self._clock.wait(self._closed, timeout_s)
            return None if self._closed.is_set() else ()
        return tuple(self._bytes_reader.feed(data, self._clock.boot_ns())) if data else ()

    @abstractmethod
    def _receive(self, timeout_s: float) -> bytes:
        """Open the receiver if need be, and wait for bytes; none if none came in time.

        Raises:
            OSError: the receiver is not there, or gone.
        """

    @abstractmethod
    def _drop(self) -> None:
        """Let go of the receiver; if there is none, do nothing."""
