"""`WallTimes`: the wall time of a moment of some boot, as a later fix may know it better."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from edge.clock import Timebase, TimeQuality
from edge.errors import WireError
from edge.frames import Int64s
from edge.wire.strict_cbor import read_cbor
from edge.wire.time_corrections import TimeCorrection


class WallTimes:
    """Answers what the wall time of a moment was.

    A datum keeps the relation to wall time that was known when it was written; where a correction covers it
    that is no worse, the correction holds. Data are never rewritten.

    Args:
        corrections: in the order in which they were found.
    """

    def __init__(self, corrections: Iterable[TimeCorrection] = ()) -> None:
        self._by_boot: dict[bytes, list[TimeCorrection]] = {}
        for one in corrections:
            self._by_boot.setdefault(one.boot, []).append(one)

    @property
    def known(self) -> bool:
        """Whether there is any correction."""
        return bool(self._by_boot)

    def divides(self, boot: bytes, from_ns: int, to_ns: int) -> bool:
        """Whether a correction begins or ends within a span of a boot."""
        return any(
            from_ns < one.from_ns <= to_ns or from_ns <= one.to_ns < to_ns
            for one in self._by_boot.get(boot, ())
        )

    def timebase(self, boot: bytes, t_ns: int, own: Timebase) -> Timebase:
        """The relation to wall time at `t_ns` of a boot, `own` being the one written with the datum."""
        for one in reversed(self._by_boot.get(boot, ())):
            if one.covers(boot, t_ns, own.quality):
                return one.timebase
        return own

    def wall_ns(self, boot: bytes, t_ns: int, own: Timebase) -> int | None:
        """Unix time in nanoseconds; None where it is not known."""
        found = self.timebase(boot, t_ns, own)
        return None if found.quality is TimeQuality.NONE else found.wall_ns(t_ns)

    def stamps(self, boot: bytes, t_ns: Int64s, own: Timebase) -> Stamps:
        """The same for many moments of one boot."""
        offsets = np.full(len(t_ns), own.wall_offset_ns, np.int64)
        qualities = np.full(len(t_ns), int(own.quality), np.int8)
        for one in self._by_boot.get(boot, ()):
            if one.timebase.quality >= own.quality:
                within = (t_ns >= one.from_ns) & (t_ns <= one.to_ns)
                offsets[within] = one.timebase.wall_offset_ns
                qualities[within] = int(one.timebase.quality)
        return Stamps(t_ns + np.where(qualities > 0, offsets, 0), qualities)


@dataclass(frozen=True, slots=True, eq=False)
class Stamps:
    """Times of data, as good as they are known.

    Attributes:
        time_ns: int64 of N: Unix time in nanoseconds, or nanoseconds since boot where that is not known.
        quality: int8 of N, `TimeQuality`; 0 where the time is one since boot.
    """

    time_ns: Int64s
    quality: np.ndarray[tuple[int], np.dtype[np.int8]]


def read_corrections(notes: Iterable[tuple[bytes, bytes]]) -> Iterator[TimeCorrection]:
    """What blocks about the wall clock correct (docs/journal-format.md); others are passed over.

    Args:
        notes: boot and plaintext of each block.
    """
    for boot, plaintext in notes:
        try:
            match read_cbor(plaintext):
                case {3: [int(offset_ns), int(quality)], 4: [int(from_ns), int(to_ns)]}:
                    yield TimeCorrection(boot, from_ns, to_ns, Timebase(offset_ns, TimeQuality(quality)))
                case _:
                    continue
        except (WireError, ValueError):
            continue
