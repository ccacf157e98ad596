"""Times on the wire: six bytes of Beijing time, GMT+8, whole seconds, years 2000 to 2099."""

from __future__ import annotations

import calendar
import time

from edge.wire.gbt.faults import GbtError

TIME_BYTES = 6
_AHEAD_S = 8 * 3600
_CENTURY = 2000
_FIRST_S = calendar.timegm((_CENTURY, 1, 1, 0, 0, 0)) - _AHEAD_S
_END_S = calendar.timegm((_CENTURY + 100, 1, 1, 0, 0, 0)) - _AHEAD_S
_HOURS, _SIXTY = 24, 60


def time_bytes(unix_s: int) -> bytes:
    """The second `unix_s` of Unix time as on the wire.

    Raises:
        GbtError: it is not in the years 2000 to 2099.
    """
    if not _FIRST_S <= unix_s < _END_S:
        raise GbtError(
            f"the time {unix_s} s is not in the years 2000 to 2099",
            todo="Is the wall time of the record known?",
        )
    moment = time.gmtime(unix_s + _AHEAD_S)
    return bytes((moment[0] - _CENTURY, *moment[1:6]))


def unix_seconds(wire: bytes) -> int | None:
    """The Unix time of six bytes; None where they are no date or time of day."""
    year, month, day, hour, minute, second = wire
    if year > 99 or hour >= _HOURS or minute >= _SIXTY or second >= _SIXTY:  # noqa: PLR2004 - a year's two digits
        return None
    if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(_CENTURY + year, month)[1]:  # noqa: PLR2004 - months
        return None
    return calendar.timegm((_CENTURY + year, month, day, hour, minute, second)) - _AHEAD_S


def time_text(wire: bytes) -> str:
    """Six bytes for people: ``2026-03-01 08:00:00+08:00``, or what they say where that is no time."""
    if len(wire) != TIME_BYTES:
        return wire.hex()
    year, month, day, hour, minute, second = wire
    return f"{_CENTURY + year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}+08:00"
