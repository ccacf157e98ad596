"""`Recording`: what all formats share: names of buses, size of batches, the account, named defects."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import ClassVar

import numpy as np

from edge.account import Hop
from edge.bus.formats.rows import Piece
from edge.bus.source import FrameSource
from edge.bus.tally import Tally
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.errors import SourceError
from edge.frames import FrameBatch

BUSES_MAX = 256
DEFECTS_NAMED = 20
EARLIEST_UNIX_S = 631_152_000
"""1990-01-01: a stamp in seconds before it counts from the recording's start, not from 1970."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One place of a recording that could not be read.

    What stands there is not quoted: it has not been through the door, and a defect is written to logs.

    Attributes:
        where: file and line, or file and byte.
        cause: what is wrong with it, as it is counted in the account.
    """

    where: str
    cause: str

    def __str__(self) -> str:
        return f"{self.where}: {self.cause}"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a recording, which is read as if all before it had been.

    Attributes:
        begin: the byte at which reading begins, a multiple of `edge.bus.formats.lines.BLOCK_BYTES`. A line
            that begins before it and ends in or behind it is of this span; of BLF, containers are that begin
            in it.
        end: the byte at which it ends, a multiple of the same; None for the end of the file.
        carried: what the reader knew after all before `begin`, as `Recording.carried_out` says it; None lets
            it guess, and `Recording.carried_in` tells what the guess was.
    """

    begin: int = 0
    end: int | None = None
    carried: str | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """How a recording is to be opened.

    Attributes:
        path: the file.
        buses: names of the buses by the recording's channel labels; a label that it lacks names its own bus.
        batch_frames: the most frames in a batch.
        zone: the time zone of wall-clock times that the format writes without one; None if unknown.
        span: the part of it to read; only of a format that is divisible.
    """

    path: Path
    buses: Mapping[str, str]
    batch_frames: int
    zone: tzinfo | None
    span: Span = Span()


class Recording(FrameSource):
    """One recorded file, read piece by piece in bounded memory; frames come in the order of the file.

    A subclass says how its bytes become pieces. It sets `_timebase` before its first piece and names what it
    cannot read through `_refuse`.

    Attributes:
        carried_in: what was taken as known before the span; see `Span.carried`.
        reach: first byte and end of what was read besides the file's beginning, known at the end, of a
            format whose spans reach over their ends by any length; else None.
    """

    _unix_stamped: ClassVar[bool] = False
    """Whether stamps are Unix time unless the first one is too small for that."""

    def __init__(self, opening: Opening) -> None:
        self.carried_in = ""
        self.reach: tuple[int, int] | None = None
        self._path = opening.path
        self._span = opening.span
        self._zone = opening.zone
        self._names = opening.buses
        self._batch_frames = opening.batch_frames
        self._timebase = Timebase()
        self._tally = Tally()
        self._defects: list[Defect] = []
        self._index: dict[str, int] = {}
        self._held: FrameBatch | None = None
        self._closed = False
        self._rest = self._pieces()
        self._held = self._next_batch()

    @abstractmethod
    def _pieces(self) -> Iterator[Piece]:
        """Read the file from its beginning to its end, and let go of it at the end or when closed."""

    @property
    def buses(self) -> tuple[str, ...]:
        """See `FrameSource.buses`."""
        return tuple(self._index)

    @property
    def timebase(self) -> Timebase:
        """See `FrameSource.timebase`."""
        return self._timebase

    @property
    def carried_out(self) -> str:
        """What reading on behind this span has to know besides the bytes; see `Span.carried`."""
        return ""

    @property
    def defects(self) -> tuple[Defect, ...]:
        """The first places that could not be read, at most 20; the account counts all of them."""
        return tuple(self._defects)

    def read(self, timeout_s: float) -> FrameBatch | None:
        """See `FrameSource.read`; never waits."""
        del timeout_s
        if self._closed:
            return None
        batch = self._held if self._held is not None else self._next_batch()
        if batch is None:
            return None
        now, later = slice(0, self._batch_frames), slice(self._batch_frames, None)
        self._held = batch.take(later) if len(batch) > self._batch_frames else None
        handed_on = batch if self._held is None else batch.take(now)
        self._tally.hand_on(handed_on)
        return handed_on

    def close(self) -> None:
        """See `FrameSource.close`."""
        self._closed = True
        self._held = None
        closing = getattr(self._rest, "close", None)
        if closing is not None:
            closing()

    def hop(self) -> Hop:
        """See `FrameSource.hop`."""
        return self._tally.hop(f"recording {self._path.name}", ended=self._closed)

    def _next_batch(self) -> FrameBatch | None:
        try:
            for piece in self._rest:
                if len(piece):
                    if self._unix_stamped and not self._index:
                        self._stamped_from(int(piece.t_ns[0]))
                    self._tally.entered += len(piece)
                    batch = self._named(piece)
                    if len(batch):
                        return batch
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror or error}", where=str(self._path)) from error
        return None

    def _named(self, piece: Piece) -> FrameBatch:
        """`piece` with buses named; what stands on a bus beyond the 256th is set aside."""
        used = np.bincount(piece.channel, minlength=len(piece.labels))
        for label, count in zip(piece.labels, used.tolist(), strict=True):
            name = self._names.get(label, label)
            if count and name not in self._index and len(self._index) < BUSES_MAX:
                self._index[name] = len(self._index)
        places = np.array(
            [self._index.get(self._names.get(label, label), -1) for label in piece.labels], np.intp
        )
        bus = places[piece.channel]
        known = bus >= 0
        if not known.all():
            self._tally.set_aside["more than 256 buses"] += int(np.count_nonzero(~known))
            piece, bus = piece.take(known), bus[known]
        return FrameBatch(
            t_ns=piece.t_ns,
            bus=bus.astype(np.uint8),
            arbitration_id=piece.arbitration_id,
            flags=piece.flags,
            length=piece.length,
            data=piece.data,
            buses=tuple(self._index),
            timebase=self._timebase,
        )

    def _refuse(self, cause: str, place: str, count: int = 1) -> None:
        """Count what should have been a frame at `place` and is none; the first ones are named too."""
        self._tally.refuse(cause, count)
        if len(self._defects) < DEFECTS_NAMED:
            self._defects.append(Defect(f"{self._path}:{place}", cause))

    def _stamped_from(self, first_t_ns: int) -> None:
        """Take stamps as Unix time if `first_t_ns` can be one; a logger's clock counts as an RTC."""
        if first_t_ns >= EARLIEST_UNIX_S * NS_PER_S:
            self._timebase = Timebase(0, TimeQuality.RTC)

    def _started_at(self, start: datetime) -> None:
        """Take `start` as the wall time of t_ns 0; without a zone it is read as UTC, of no quality."""
        zoned = start if start.tzinfo else start.replace(tzinfo=self._zone or UTC)
        whole_s = int(zoned.replace(microsecond=0).timestamp())
        known = start.tzinfo is not None or self._zone is not None
        self._timebase = Timebase(
            whole_s * NS_PER_S + zoned.microsecond * 1000, TimeQuality.RTC if known else TimeQuality.NONE
        )
