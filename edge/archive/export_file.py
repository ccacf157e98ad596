"""What every export has in common: it is there whole or not at all, and says what it is."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import JournalError


class ExportError(JournalError):
    """An export cannot be made as asked."""


@dataclass(slots=True)
class About:
    """What an export says of itself.

    Attributes:
        stream: of the journal, hexadecimal.
        masks: names of the door's masks that the data went through, and how many data each.
        not_collected: signals that the door withheld at all times that are covered, by their full names; None
            where no configuration says.
        not_collected_at_times: those that it withheld at some of these times.
        not_at_hand: classes that had a share in the data and are not in the export, and in how many periods.
        left_out: data that the format cannot hold or that could not be read, by cause.
        buses: number of each bus in formats that number them.
        boots: hexadecimal, in order; those in which no wall time was known have times since boot.
        without_wall_time: how many data have a time since boot, for want of any wall time.
        written: frames, records or values written.
        first_ns: earliest time written; None for none.
        last_ns: latest one.
    """

    stream: str = ""
    masks: Counter[str] = field(default_factory=Counter)
    not_collected: tuple[str, ...] | None = None
    not_collected_at_times: tuple[str, ...] = ()
    not_at_hand: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    buses: dict[str, int] = field(default_factory=dict)
    boots: dict[str, None] = field(default_factory=dict)
    without_wall_time: int = 0
    written: int = 0
    first_ns: int | None = None
    last_ns: int | None = None

    def saw(self, first_ns: int, last_ns: int) -> None:
        """Take the range of times in."""
        self.first_ns = first_ns if self.first_ns is None else min(self.first_ns, first_ns)
        self.last_ns = last_ns if self.last_ns is None else max(self.last_ns, last_ns)

    def merge(self, later: About) -> None:
        """Take in what a part says that follows; what was not collected is said of the whole."""
        self.masks.update(later.masks)
        self.not_at_hand.update(later.not_at_hand)
        self.left_out.update(later.left_out)
        self.buses |= later.buses
        self.boots |= later.boots
        self.without_wall_time += later.without_wall_time
        self.written += later.written
        if later.first_ns is not None and later.last_ns is not None:
            self.saw(later.first_ns, later.last_ns)

    def as_json(self) -> Mapping[str, object]:
        """The same as plain values."""
        return {
            "stream": self.stream,
            "written": self.written,
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
            "boots": [*self.boots],
            "without_wall_time": self.without_wall_time,
            "masks": dict(self.masks),
            "not_collected": None if self.not_collected is None else [*self.not_collected],
            "not_collected_at_times": [*self.not_collected_at_times],
            "not_at_hand": dict(self.not_at_hand),
            "left_out": dict(self.left_out),
            "bus_numbers": dict(self.buses),
        }


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[Path]:
    """Hand out a name beside `path` to write under; what stands there at the end becomes `path` in one step.

    Args:
        path: of the export.
        force: replace a file that is there.

    Raises:
        ExportError: there is a file already, or the disk refuses.
    """
    if path.exists() and not force:
        raise ExportError("is there already", where=str(path), todo="Give another name, or --force")
    # Some writers know their format by the ending, so that stays.
    part = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        yield part
        descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(path)
    except OSError as error:
        raise ExportError(f"cannot be written ({error.strerror or error})", where=str(path)) from error
    finally:
        part.unlink(missing_ok=True)
