"""The dates that Vector's text logs state, in English and German, without a time zone."""

from __future__ import annotations

import re
from datetime import datetime

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan",
            "feb",
            "mar mär mrz",
            "apr",
            "may mai",
            "jun",
            "jul",
            "aug",
            "sep",
            "oct okt",
            "nov",
            "dec dez",
        ),
        1,
    )
    for name in names.split()
}

DATE = re.compile(
    r"(?:\w+\.?\s+)?(\w{3})\w*\.?\s+(\d{1,2})\s+(\d{1,2}):(\d\d):(\d\d)(?:\.(\d{1,6})\d*)?\s*(am|pm)?\s+(\d{4})",
    re.IGNORECASE,
)
HALF_DAY_H = 12


def read_date(text: str) -> datetime | None:
    """Read ``[weekday] month day h:m:s[.fraction] [am|pm] year``; None if it is no such date.

    A fraction is milliseconds in three digits, as Vector's tools write it, or a plain decimal fraction;
    python-can writes milliseconds without leading zeros, which cannot be told from that.
    """
    found = DATE.fullmatch(text.strip())
    if not found:
        return None
    month, day, hour, minute, second, fraction, half, year = found.groups()
    hours = int(hour)
    if half:
        hours = hours % HALF_DAY_H + (HALF_DAY_H if half.lower() == "pm" else 0)
    try:
        return datetime(  # noqa: DTZ001 - the log states no zone
            int(year),
            MONTHS[month.lower()],
            int(day),
            hours,
            int(minute),
            int(second),
            int((fraction or "0").ljust(6, "0")),
        )
    except (KeyError, ValueError):
        return None
