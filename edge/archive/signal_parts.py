"""Decodes pieces of a journal into parts of a table; what is here is all that a process of its own needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from errno import EIO
from pathlib import Path

from edge.archive.export_file import About
from edge.archive.joining import Joiner
from edge.archive.periods import OpenedPeriod
from edge.archive.selection import Selection
from edge.archive.signals import Rules, SignalFile
from edge.archive.wall_time import WallTimes
from edge.errors import NevgateError
from edge.policy.classes import DataClass

PIECE_FRAMES = 1 << 17
_PIECE_BYTES = 4 << 20
"""Of plaintexts, which frames that hardly compress reach first."""


@dataclass(frozen=True, slots=True)
class SignalPiece:
    """Periods that one process decodes at once.

    Attributes:
        number: of the piece, from 0.
        periods: in order, at least one.
    """

    number: int
    periods: tuple[OpenedPeriod, ...]

    @property
    def blocks(self) -> int:
        """How many blocks it has."""
        return sum(len(period.blocks) for period in self.periods)

    @property
    def range(self) -> str:
        """Which blocks it has, in words."""
        first, last = self.periods[0].blocks[0].number, self.periods[-1].blocks[-1].number
        return f"block {first}" if first == last else f"blocks {first} to {last}"


@dataclass(frozen=True, slots=True)
class SignalPart:
    """What has become of a piece: a part of the table, and what an export says of it.

    Attributes:
        about: of its frames.
        unreadable: see `Joiner`.
        collected: see `SignalFile`.
    """

    about: About
    unreadable: dict[str, int]
    collected: dict[frozenset[DataClass], None]


@dataclass(frozen=True, slots=True)
class PartFailure:
    """Why a piece could not be decoded.

    Attributes:
        what: in words.
        errno: of the system where it refused; else 0.
    """

    what: str
    errno: int = 0


@dataclass(frozen=True, slots=True)
class PartMaker:
    """Makes parts of pieces, wherever it travels to; it has no keys, and reads no journal.

    Attributes:
        rules: what masks let pass.
        wall_times: what is known of wall time.
        selection: which frames are meant.
        folder: where parts go.
        ending: of the table.
    """

    rules: Rules
    wall_times: WallTimes
    selection: Selection
    folder: Path
    ending: str

    def path(self, piece: SignalPiece) -> Path:
        """Where the part of a piece goes."""
        return self.folder / f"{piece.number}{self.ending}"

    def __call__(self, piece: SignalPiece) -> SignalPart | PartFailure:
        """Decode a piece into its part; what is wrong with it is its own failure."""
        about, joiner = About(), Joiner(self.wall_times, self.selection)
        try:
            file = SignalFile(self.path(piece), about, self.rules)
            try:
                for period in piece.periods:
                    write_period(period, joiner, file)
            finally:
                file.end()
        except NevgateError as error:
            return PartFailure(str(error))
        except OSError as error:
            return PartFailure(error.strerror or str(error), error.errno or EIO)
        return SignalPart(about, joiner.unreadable, file.collected)


def write_period(period: OpenedPeriod, joiner: Joiner, file: SignalFile) -> None:
    """Put the frames of a period together, and write their signals."""
    for joined in joiner.joined(period):
        joined.tell(file.about)
        file.write(joined)


def pieces_of(periods: Iterable[OpenedPeriod]) -> Iterator[SignalPiece]:
    """Periods as pieces of about `PIECE_FRAMES`; no piece is without a period."""
    number = held = held_bytes = 0
    several: list[OpenedPeriod] = []
    for period in periods:
        several.append(period)
        held += period.frames
        held_bytes += period.plain_bytes
        if held >= PIECE_FRAMES or held_bytes >= _PIECE_BYTES:
            yield SignalPiece(number, tuple(several))
            number, held, held_bytes, several = number + 1, 0, 0, []
    if several:
        yield SignalPiece(number, tuple(several))
