"""Exports signals on all cores: one process reads and opens blocks, others decode them into parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from edge.archive.export_file import About, ExportError
from edge.archive.joining import Joiner
from edge.archive.opening import Archive
from edge.archive.periods import PeriodReader
from edge.archive.selection import Selection
from edge.archive.signal_parts import PartFailure, PartMaker, SignalPart, SignalPiece, pieces_of, write_period
from edge.archive.signals import Rules, SignalFile
from edge.offline.assembly import assembly_of
from edge.offline.processes import Died, Processes, Tell
from edge.policy.classes import DataClass

_WORTH_PROCESSES = 4
"""So many pieces take longer than processes take to begin."""


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
