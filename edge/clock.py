"""The only place that reads time or sleeps; everything else is handed a `Clock`."""

from __future__ import annotations

import ctypes
import threading
import time
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

NS_PER_S = 1_000_000_000
NS_PER_DAY = 86_400 * NS_PER_S


class TimeQuality(IntEnum):
    """How far a wall-clock time can be trusted, worst first."""

    NONE = 0
    RTC = 1
    NTP = 2
    GNSS = 3


@dataclass(frozen=True, slots=True)
class Timebase:
    """Relates the monotonic time of one boot (or of one recording) to wall time.

    Attributes:
        wall_offset_ns: added to a monotonic time gives Unix time in nanoseconds.
        quality: how good that wall time is.
    """

    wall_offset_ns: int = 0
    quality: TimeQuality = TimeQuality.NONE

    def wall_ns(self, t_ns: int) -> int:
        """Unix time in nanoseconds of the monotonic time `t_ns`."""
        return t_ns + self.wall_offset_ns


_LIBC = ctypes.CDLL(None, use_errno=True)
_TIMEX_BYTES = 256
_UNSYNCHRONISED = 5
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def kernel_quality() -> TimeQuality:
    """Ask the kernel whether its clock is synchronised: adjtimex(2), changing nothing, not TIME_ERROR."""
    state = _LIBC.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return TimeQuality.NTP if 0 <= state < _UNSYNCHRONISED else TimeQuality.RTC


def kernel_boot_id() -> bytes | None:
    """The 16 bytes by which Linux names this boot; None where it does not."""
    try:
        return uuid.UUID(_BOOT_ID.read_text(encoding="ascii").strip()).bytes
    except (OSError, ValueError):
        return None


class Clock(ABC):
    """Monotonic time since boot, its relation to wall time, and waiting."""

    @abstractmethod
    def boot_ns(self) -> int:
        """Nanoseconds since boot, suspend included (`CLOCK_BOOTTIME`)."""

    @abstractmethod
    def timebase(self) -> Timebase:
        """The present relation of `boot_ns` to wall time."""

    @abstractmethod
    def wait(self, wake: threading.Event, timeout_s: float) -> bool:
        """Wait until `wake` is set or `timeout_s` has passed; tell whether it is set."""

    def wall_ns(self) -> int:
        """Unix time in nanoseconds, now."""
        return self.timebase().wall_ns(self.boot_ns())


class SystemClock(Clock):
    """The machine's own clocks.

    Args:
        quality: how good the wall time is, where the caller knows; None asks the kernel each time, which
            knows whether its clock is synchronised (NTP) and nothing of how it was set before (RTC).
    """

    def __init__(self, quality: TimeQuality | None = None) -> None:
        self._quality = quality

    def boot_ns(self) -> int:
        """See `Clock.boot_ns`."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def timebase(self) -> Timebase:
        """See `Clock.timebase`; both clocks are read around each other and the middle taken."""
        before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        wall_ns = time.clock_gettime_ns(time.CLOCK_REALTIME)
        after_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        quality = kernel_quality() if self._quality is None else self._quality
        return Timebase(wall_ns - (before_ns + after_ns) // 2, quality)

    def wait(self, wake: threading.Event, timeout_s: float) -> bool:
        """See `Clock.wait`."""
        return wake.wait(timeout_s)


class VirtualClock(Clock):
    """A clock that moves only when told to, so that a seed replays a run.

    Waiting moves it on at once by the whole time-out unless the event is set already.
    """

    def __init__(self, boot_ns: int = 0, timebase: Timebase | None = None) -> None:
        self._boot_ns = boot_ns
        self._timebase = timebase or Timebase()

    def boot_ns(self) -> int:
        """See `Clock.boot_ns`."""
        return self._boot_ns

    def timebase(self) -> Timebase:
        """See `Clock.timebase`."""
        return self._timebase

    def wait(self, wake: threading.Event, timeout_s: float) -> bool:
        """See `Clock.wait`."""
        if wake.is_set():
            return True
        self.advance_to(self._boot_ns + round(timeout_s * NS_PER_S))
        return wake.is_set()

    def advance_to(self, boot_ns: int) -> None:
        """Move to `boot_ns`; a time before the present is ignored, as a monotonic clock must."""
        self._boot_ns = max(self._boot_ns, boot_ns)

    def set_timebase(self, timebase: Timebase) -> None:
        """Change the relation to wall time, as a fix or a step would."""
        self._timebase = timebase
