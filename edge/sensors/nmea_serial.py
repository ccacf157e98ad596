"""A satellite receiver that speaks NMEA 0183 on a serial port."""

from __future__ import annotations

import threading

import serial

from edge.account import Hop
from edge.clock import Clock
from edge.sensors.nmea import NMEA_ITEMS, NmeaReader
from edge.sensors.observation import Observation
from edge.sensors.source import ItemSource

_MOST_BYTES = 4096


class NmeaSerial(ItemSource):
    """Reads a serial port; a receiver that is pulled out is waited for.

    Args:
        device: the port, such as ``/dev/ttyAMA0``, or any URL that pyserial knows.
        baud: symbols per second; 9600 is common, 4800 is the standard's own.
        clock: stamps what was received.
    """

    def __init__(self, device: str, *, clock: Clock, baud: int = 9600) -> None:
        self._device = device
        self._baud = baud
        self._clock = clock
        self._reader = NmeaReader()
        self._closed = threading.Event()
        self._port: serial.Serial | None = None
        self._opened = self._failed = 0

    @property
    def name(self) -> str:
        """See `ItemSource.name`."""
        return f"nmea {self._device}"

    @property
    def items(self) -> tuple[str, ...]:
        """See `ItemSource.items`."""
        return NMEA_ITEMS

    def read(self, timeout_s: float) -> tuple[Observation, ...] | None:
        """See `ItemSource.read`; a port that cannot be opened or read is tried again at the next call."""
        if self._closed.is_set():
            return None
        try:
            port = self._port or self._open()
            port.timeout = timeout_s
            data = port.read(1)
            if data:
                data += port.read(min(port.in_waiting, _MOST_BYTES))
        except (OSError, TypeError):
            # pyserial raises TypeError when another thread closes the port while it reads.
            self._failed += 1
            self._drop()
            self._clock.wait(self._closed, timeout_s)
            return None if self._closed.is_set() else ()
        return tuple(self._reader.feed(data, self._clock.boot_ns())) if data else ()

    def close(self) -> None:
        """See `ItemSource.close`."""
        self._closed.set()
        self._drop()

    def hop(self) -> Hop:
        """See `ItemSource.hop`; counts sentences."""
        counts = self._reader.counts
        causes = {cause: count for cause, count in counts.items() if cause not in {"entered", "left"}}
        facts = {"port opened": self._opened, "port failed": self._failed}
        return Hop(self.name, "sentences", counts["entered"], counts["left"], causes, facts=facts)

    def _open(self) -> serial.Serial:
        port: serial.Serial = serial.serial_for_url(self._device, self._baud, exclusive=True)
        self._port = port
        self._opened += 1
        return port

    def _drop(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()
