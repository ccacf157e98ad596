"""`Period`: the time that a report speaks of, in whole days as people name them, or to the moment."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.clock import NS_PER_DAY
from edge.errors import ConfigError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when.

    Attributes:
        from_ns: Unix time in nanoseconds, included.
        to_ns: Unix time in nanoseconds, not included.

    Raises:
        ConfigError: it ends before it begins.
    """

    from_ns: int
    to_ns: int

    def __post_init__(self) -> None:
        if self.to_ns <= self.from_ns:
            raise ConfigError("the period ends before it begins", where="--to", todo="Give a later day")

    def meets(self, first_ns: int, last_ns: int) -> bool:
        """Whether something that lasted from one time to another touches the period."""
        return first_ns < self.to_ns and last_ns >= self.from_ns

    def holds(self, wall_ns: int) -> bool:
        """Whether a moment lies in the period."""
        return self.from_ns <= wall_ns < self.to_ns


def end_of(text: str, moment_ns: int) -> int:
    """The end that a person means: of a day its last moment, of a time that time.

    Args:
        text: as it was written.
        moment_ns: the same as Unix time in nanoseconds, a day's at its beginning.
    """
    return moment_ns + NS_PER_DAY if _DAY.fullmatch(text.strip()) else moment_ns
