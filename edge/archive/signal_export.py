"""Exports signals on all cores: one process reads and opens blocks, others decode them into parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from errno import EIO
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from edge.archive.export_file import About, ExportError
from edge.archive.joining import Joiner
from edge.archive.opening import Archive
from edge.archive.periods import OpenedPeriod, PeriodReader
from edge.archive.selection import Selection
from edge.archive.signals import Rules, SignalFile
from edge.archive.wall_time import WallTimes
from edge.errors import NevgateError
from edge.offline.assembly import assembly_of
from edge.offline.processes import Died, Processes, Tell
from edge.policy.classes import DataClass

PIECE_FRAMES = 1 << 17
_PIECE_BYTES = 4 << 20
"""Of plaintexts, which frames that hardly compress reach first."""

_WORTH_PROCESSES = 4
"""So many pieces take longer than processes take to begin."""


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


def export_signals(
    archive: Archive,
    selection: Selection,
    path: Path,
    about: About,
    rules: Rules,
    *,
    jobs: int = 1,
    progress: Callable[[int], None],
    tell: Tell,
) -> None:
    """Write the signals of the frames that are meant into `path`, the same bytes whatever `jobs` is.

    The journal is read by this process alone, at one moment; no other gets a key. At most `jobs` + 1 pieces
    are in memory, and as many parts on the disk, beside `path`, as wait for one before them.

    Args:
        archive: the journal.
        selection: which frames.
        path: of the table; its ending tells the format.
        about: what the export says of itself.
        rules: what masks let pass.
        jobs: processes that decode; this one does so itself where it is 1, or where little is to be decoded.
        progress: told how many blocks have been passed.
        tell: told in words what a person should know, such as the death of a process.

    Raises:
        ExportError: a part cannot be made.
        OSError: the disk refuses.
        apsw.Error: the journal cannot be read.
    """
    pieces = pieces_of(PeriodReader(archive, selection))
    few = list(islice(pieces, _WORTH_PROCESSES)) if jobs > 1 else []
    together = chain(few, pieces)
    if len(few) < _WORTH_PROCESSES:
        unreadable = _here(
            together, Joiner(archive.wall_times, selection), SignalFile(path, about, rules), progress
        )
    else:
        # Beside the export: parts need as much room as it does, and are as confidential.
        with TemporaryDirectory(prefix=".nevgate-", dir=path.parent) as folder:
            maker = PartMaker(rules, archive.wall_times, selection, Path(folder), path.suffix)
            unreadable = _in_processes(together, maker, jobs, path, about, progress, tell)
    about.left_out.update({f"blocks: {cause}": count for cause, count in unreadable.items()})


def _here(
    pieces: Iterable[SignalPiece], joiner: Joiner, file: SignalFile, progress: Callable[[int], None]
) -> dict[str, int]:
    passed = 0
    try:
        for piece in pieces:
            for period in piece.periods:
                write_period(period, joiner, file)
            passed += piece.blocks
            progress(passed)
    except BaseException:
        file.abandon()
        raise
    file.close()
    return joiner.unreadable


def _in_processes(
    pieces: Iterable[SignalPiece],
    maker: PartMaker,
    jobs: int,
    path: Path,
    about: About,
    progress: Callable[[int], None],
    tell: Tell,
) -> dict[str, int]:
    processes: Processes[SignalPiece, SignalPart | PartFailure] = Processes(
        jobs,
        maker,
        name="nevgate export",
        what=lambda piece: f"the process that decoded {piece.range} of the journal",
        tell=tell,
    )
    unreadable: dict[str, int] = {}
    collected: dict[frozenset[DataClass], None] = {}
    waiting: dict[int, tuple[Path, SignalPart]] = {}
    passed = taken = 0
    with (
        path.open("wb") as out,
        assembly_of(path.suffix, out) as assembly,
        closing(processes.outcomes(pieces)) as outcomes,
    ):
        for piece, part in outcomes:
            if isinstance(part, Died):
                raise ExportError(
                    f"the processes that decoded {piece.range} of the journal died",
                    todo="If memory is short, try --jobs 1",
                )
            if isinstance(part, PartFailure):
                raise OSError(part.errno, part.what) if part.errno else ExportError(part.what)
            waiting[piece.number] = maker.path(piece), part
            while taken in waiting:
                place, done = waiting.pop(taken)
                with place.open("rb") as file:
                    assembly.add(file)
                place.unlink()
                about.merge(done.about)
                for cause, count in done.unreadable.items():
                    unreadable[cause] = unreadable.get(cause, 0) + count
                collected |= done.collected
                taken += 1
            passed += piece.blocks
            progress(passed)
        withheld = maker.rules.withheld_from(collected)
        withheld.tell(about)
        assembly.finish(maker.rules.masks(collected), withheld.always)
    return unreadable
