"""NMEA 0183 without I/O: bytes from a satellite receiver in, observations out, whatever the bytes are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import xor
from types import MappingProxyType

from edge.records import Missing
from edge.sensors.observation import Observation

NMEA_ITEMS = ("gnss.valid", "gnss.datum", "gnss.lon", "gnss.lat", "gnss.quality", "gnss.satellites")
LONGEST_SENTENCE = 128
"""Longer than the 82 characters of the standard, which receivers of many systems do not keep to."""

WGS84, OTHER_DATUM = 1, 3
_SENTENCE = re.compile(rb"^([A-Z]{2})([A-Z]{3}),([\x20-\x7e]*)$")
_ANGLE = re.compile(r"^(\d{2,3})([0-5]\d(?:\.\d{1,9})?)$")
_RMC_FIELDS = 9
_RMC_MODE = 11
_GGA_FIELDS = 14
_DTM_FIELDS = 8
_RANGES: Mapping[str, tuple[str, str, int]] = MappingProxyType(
    {"lat": ("N", "S", 90), "lon": ("E", "W", 180)}
)


class _UnusableError(Exception):
    """A sentence that is set aside."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class NmeaReader:
    """Collects bytes into sentences and reads RMC, GGA and DTM of any talker (GP, BD, GB, GN ...).

    The position is that of RMC, and valid only while RMC says so (status A). The datum is what the last DTM
    said; without one it is WGS84, as receivers use unless told otherwise. A sentence counts only with its
    checksum.

    Attributes:
        counts: sentences by what became of them: ``entered``, ``left``, or the cause for setting them aside.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._rest = b""
        self._skipping = False
        self._datum = WGS84

    def feed(self, data: bytes, t_ns: int) -> list[Observation]:
        """Take in bytes that were received at `t_ns`; never raises, whatever they are."""
        *lines, rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        found: list[Observation] = []
        for line in lines:
            if self._skipping:
                self._skipping = False
                _, dollar, after = line.rpartition(b"$")
                line = dollar + after if dollar else b""  # noqa: PLW2901 - what is left of it is the line
            found += self._line(line, t_ns)
        if len(rest) > LONGEST_SENTENCE:
            if not self._skipping:
                self._set_aside("too long")
            self._skipping = True
            rest = b""
        self._rest = rest
        return found

    def _set_aside(self, cause: str) -> None:
        self.counts["entered"] += 1
        self.counts[cause] += 1

    def _line(self, line: bytes, t_ns: int) -> list[Observation]:
        if not line:
            return []
        before, dollar, body = line.rpartition(b"$")
        if not dollar:
            self._set_aside("no sentence")
            return []
        if before:
            self._set_aside("fragment")
        try:
            observations = self._sentence(body, t_ns)
        except _UnusableError as error:
            self._set_aside(error.cause)
            return []
        self.counts["entered"] += 1
        self.counts["left"] += 1
        return observations

    def _sentence(self, body: bytes, t_ns: int) -> list[Observation]:
        if len(body) > LONGEST_SENTENCE:
            raise _UnusableError("too long")
        content, star, checksum = body.rpartition(b"*")
        if not star:
            raise _UnusableError("no checksum")
        if not re.fullmatch(rb"[0-9A-Fa-f]{2}", checksum) or int(checksum, 16) != reduce(xor, content, 0):
            raise _UnusableError("wrong checksum")
        found = _SENTENCE.match(content)
        kind = found[2].decode("ascii") if found else ""
        fields = found[3].decode("ascii").split(",") if found else []
        try:
            match kind:
                case "RMC":
                    return self._rmc(fields, t_ns)
                case "GGA":
                    return _gga(fields, t_ns)
                case "DTM":
                    self._dtm(fields)
                    return []
        except ValueError:
            raise _UnusableError("malformed field") from None
        raise _UnusableError("other sentence")

    def _rmc(self, fields: Sequence[str], t_ns: int) -> list[Observation]:
        """Recommended minimum: time, status, latitude, N/S, longitude, E/W, speed, course, date ... mode."""
        _check_count(fields, _RMC_FIELDS)
        status = fields[1]
        if status not in {"A", "V"}:
            raise ValueError(status)
        fixed = status == "A" and (len(fields) < _RMC_MODE + 1 or fields[_RMC_MODE] != "N")
        latitude = _angle(fields[2], fields[3], "lat") if fixed else Missing.INVALID
        longitude = _angle(fields[4], fields[5], "lon") if fixed else Missing.INVALID
        return [
            Observation("gnss.valid", t_ns, int(fixed)),
            Observation("gnss.datum", t_ns, self._datum),
            Observation("gnss.lat", t_ns, latitude),
            Observation("gnss.lon", t_ns, longitude),
        ]

    def _dtm(self, fields: Sequence[str]) -> None:
        """Datum reference: local datum, subdivision, offsets, reference datum."""
        _check_count(fields, _DTM_FIELDS)
        self._datum = WGS84 if fields[0] == "W84" else OTHER_DATUM


def _check_count(fields: Sequence[str], least: int) -> None:
    if len(fields) < least:
        raise ValueError(fields)


def _gga(fields: Sequence[str], t_ns: int) -> list[Observation]:
    """Fix data: time, latitude, N/S, longitude, E/W, quality, satellites in use, ..."""
    _check_count(fields, _GGA_FIELDS)
    observations = [Observation("gnss.quality", t_ns, _whole(fields[5]))]
    if fields[6]:
        observations.append(Observation("gnss.satellites", t_ns, _whole(fields[6])))
    return observations


def _whole(words: str) -> int:
    if not re.fullmatch(r"\d{1,3}", words, re.ASCII):
        raise ValueError(words)
    return int(words)


def _angle(words: str, side: str, which: str) -> float:
    """Degrees of ``ddmm.mmmm`` or ``dddmm.mmmm``, north and east positive."""
    positive, negative, most = _RANGES[which]
    found = _ANGLE.match(words)
    if found is None or side not in {positive, negative}:
        raise ValueError(words)
    degrees = int(found[1]) + float(found[2]) / 60
    if degrees > most:
        raise ValueError(words)
    return degrees if side == positive else -degrees
