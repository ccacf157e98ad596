"""A satellite receiver that speaks NMEA 0183 on a serial port."""

from __future__ import annotations

import serial

from edge.account import Hop
from edge.clock import Clock
from edge.sensors.nmea import NmeaReader
from edge.sensors.receiver import Receiver
from edge.sensors.source import hop_of

_MOST_BYTES = 4096


class NmeaSerial(Receiver):
    """Reads a serial port; a receiver that is pulled out is waited for.

    Args:
        device: the port, such as ``/dev/ttyAMA0``, or any URL that pyserial knows.
        baud: symbols per second; 9600 is common, 4800 is the standard's own.
        clock: stamps what was received.
    """

    def __init__(self, device: str, *, clock: Clock, baud: int = 9600) -> None:
        self._reader = NmeaReader()
        super().__init__(self._reader, clock)
        self._device = device
        self._baud = baud
        self._port: serial.Serial | None = None
        self._opened = 0

    @property
    def name(self) -> str:
        """See `ItemSource.name`."""
        return f"nmea {self._device}"

    def close(self) -> None:
        """See `ItemSource.close`."""
        self._closed.set()
        self._drop()

    def hop(self) -> Hop:
        """See `ItemSource.hop`; counts sentences."""
        facts = {"port opened": self._opened, "port failed": self._failed}
        return hop_of(self.name, "sentences", self._reader.counts, facts)

    def _receive(self, timeout_s: float) -> bytes:
        try:
            port = self._port or self._open()
            port.timeout = timeout_s
            data: bytes = port.read(1)
            if data:
                data += port.read(min(port.in_waiting, _MOST_BYTES))
        except TypeError as error:
            # pyserial raises it when another thread closes the port while it reads.
            raise OSError from error
        return data

    def _open(self) -> serial.Serial:
        port: serial.Serial = serial.serial_for_url(self._device, self._baud, exclusive=True)
        self._port = port
        self._opened += 1
        return port

    def _drop(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()
