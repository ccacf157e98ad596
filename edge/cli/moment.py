"""Reads days and times that people give on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from edge.clock import NS_PER_S
from edge.errors import ConfigError


def moment_ns(text: str | None, where: str) -> int | None:
    """An ISO 8601 day or time as Unix nanoseconds, UTC where it names no zone.

    Raises:
        ConfigError: it is no time.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"'{text}' is no time", where=where, todo="Write it like 2026-03-01T08:00:00"
        ) from error
    whole = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(whole.replace(microsecond=0).timestamp()) * NS_PER_S + whole.microsecond * 1000
