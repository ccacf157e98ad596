"""A satellite receiver behind gpsd, which serves it as lines of JSON over TCP (gpsd_json(5))."""

from __future__ import annotations

import json
import math
import socket
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from edge.account import Hop
from edge.clock import Clock
from edge.records import Missing
from edge.sensors.nmea import WGS84
from edge.sensors.observation import Observation
from edge.sensors.receiver import Receiver
from edge.sensors.source import hop_of

WATCH = b'?WATCH={"enable":true,"json":true};\n'
GPSD_PORT = 2947
LONGEST_LINE = 65_536
_HAS_FIX = 2
_QUALITY: Mapping[int, int] = MappingProxyType({1: 1, 2: 2, 3: 4, 4: 5, 5: 6, 6: 6, 8: 8, 9: 3})
"""From gpsd's status of a fix to the quality that the sentence GGA would give."""


class GpsdReader:
    """Lines of gpsd in, observations out; without I/O.

    gpsd gives positions in WGS84. TPV says whether there is a fix and where, SKY how many satellites are
    used.

    Attributes:
        counts: lines by what became of them: ``entered``, ``left``, or the cause for setting them aside.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._rest = b""
        self._skipping = False

    def reset(self) -> None:
        """Forget a line that was cut short, as a lost connection leaves it."""
        self._rest, self._skipping = b"", False

    def feed(self, data: bytes, t_ns: int) -> list[Observation]:
        """Take in bytes that were received at `t_ns`; never raises, whatever they are."""
        *lines, rest = (self._rest + data).split(b"\n")
        found: list[Observation] = []
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif line.strip():
                found += self._line(line, t_ns)
        if len(rest) > LONGEST_LINE:
            if not self._skipping:
                self.counts["entered"] += 1
                self.counts["too long"] += 1
            self._skipping = True
            rest = b""
        self._rest = rest
        return found

    def _line(self, line: bytes, t_ns: int) -> list[Observation]:
        self.counts["entered"] += 1
        try:
            report = json.loads(line)
        except (ValueError, RecursionError):
            self.counts["no JSON"] += 1
            return []
        kind = report.get("class") if isinstance(report, dict) else None
        observations = None
        if kind == "TPV":
            observations = _position(report, t_ns)
        elif kind == "SKY":
            used = _number(report.get("uSat"))
            observations = [] if used is None else [Observation("gnss.satellites", t_ns, used)]
        else:
            self.counts["other report"] += 1
            return []
        if observations is None:
            self.counts["malformed field"] += 1
            return []
        self.counts["left"] += 1
        return observations


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def _position(report: Mapping[str, object], t_ns: int) -> list[Observation] | None:
    """Time, position and velocity: a mode of 2 or 3 is a fix."""
    mode = _number(report.get("mode"))
    if mode is None:
        return None
    fixed = mode >= _HAS_FIX
    latitude, longitude = _number(report.get("lat")), _number(report.get("lon"))
    if fixed and (latitude is None or longitude is None):
        return None
    observations = [
        Observation("gnss.valid", t_ns, int(fixed)),
        Observation("gnss.datum", t_ns, WGS84),
        Observation("gnss.lat", t_ns, latitude if fixed and latitude is not None else Missing.INVALID),
        Observation("gnss.lon", t_ns, longitude if fixed and longitude is not None else Missing.INVALID),
    ]
    status = _number(report.get("status"))
    quality = 0 if not fixed else _QUALITY.get(int(status)) if status is not None else None
    if quality is not None:
        observations.append(Observation("gnss.quality", t_ns, quality))
    return observations


class Gpsd(Receiver):
    """Watches gpsd over TCP; a connection that is lost or refused is tried again at the next `read`.

    Args:
        clock: stamps what was received.
        host: where gpsd listens; on this machine unless told otherwise.
        port: its port.
    """

    def __init__(self, *, clock: Clock, host: str = "127.0.0.1", port: int = GPSD_PORT) -> None:
        self._reader = GpsdReader()
        super().__init__(self._reader, clock)
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._connected = 0

    @property
    def name(self) -> str:
        """See `ItemSource.name`."""
        return "gpsd {}:{}".format(*self._address)

    def close(self) -> None:
        """See `ItemSource.close`."""
        self._closed.set()
        connection = self._socket
        if connection is not None:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                # The far side has gone already.
                self._failed += 1
        self._drop()

    def hop(self) -> Hop:
        """See `ItemSource.hop`; counts gpsd's lines."""
        facts = {"connected": self._connected, "connection failed": self._failed}
        return hop_of(self.name, "reports", self._reader.counts, facts)

    def _receive(self, timeout_s: float) -> bytes:
        try:
            connection = self._socket or self._connect(timeout_s)
            connection.settimeout(timeout_s)
            data = connection.recv(LONGEST_LINE)
        except TimeoutError:
            return b""
        if not data:
            raise ConnectionResetError
        return data

    def _connect(self, timeout_s: float) -> socket.socket:
        connection = socket.create_connection(self._address, timeout=timeout_s)
        self._socket = connection
        self._connected += 1
        self._reader.reset()
        connection.sendall(WATCH)
        return connection

    def _drop(self) -> None:
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()
