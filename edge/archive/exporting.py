"""Exports what is meant of a journal into one file, in the format that its ending names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from edge.archive.export_file import About, ExportError, whole_file
from edge.archive.frame_files import BlfFile, CandumpFile, FrameFile, Mf4File
from edge.archive.frame_tables import McapFrames, ParquetFrames
from edge.archive.joining import FrameReader
from edge.archive.opening import Archive
from edge.archive.periods import FRAME_KINDS
from edge.archive.record_tables import CsvRecords, McapRecords, ParquetRecords, RecordFile, ToldRecord
from edge.archive.records import JoinedRecords, RecordReader, corrected, values_of
from edge.archive.selection import Selection
from edge.archive.signal_export import export_signals
from edge.archive.signals import Rules
from edge.catalogue.catalogue import Catalogue
from edge.clock import Timebase, TimeQuality
from edge.journal.block import BlockKind
from edge.journal.evidence.excerpt import make_excerpt
from edge.offline.processes import Tell
from edge.policy.classes import DataClass

Progress = Callable[[int], None]
"""Told how many blocks have been passed."""


class What(StrEnum):
    """What is exported."""

    FRAMES = "frames"
    EVENT_FRAMES = "event-frames"
    RECORDS = "records"
    SIGNALS = "signals"
    EXCERPT = "excerpt"


class Format(StrEnum):
    """The formats of exports."""

    CANDUMP = "candump"
    BLF = "blf"
    MF4 = "mf4"
    PARQUET = "parquet"
    MCAP = "mcap"
    CSV = "csv"
    JSONL = "jsonl"
    EXCERPT = "excerpt"


ENDINGS: Mapping[str, Format] = MappingProxyType(
    {
        ".log": Format.CANDUMP,
        ".candump": Format.CANDUMP,
        ".blf": Format.BLF,
        ".mf4": Format.MF4,
        ".parquet": Format.PARQUET,
        ".mcap": Format.MCAP,
        ".csv": Format.CSV,
        ".jsonl": Format.JSONL,
        ".excerpt": Format.EXCERPT,
    }
)
"""The format of each ending."""

FRAME_FILES: Mapping[Format, type[FrameFile]] = MappingProxyType(
    {
        Format.CANDUMP: CandumpFile,
        Format.BLF: BlfFile,
        Format.MF4: Mf4File,
        Format.PARQUET: ParquetFrames,
        Format.MCAP: McapFrames,
    }
)
RECORD_FILES: Mapping[Format, type[RecordFile]] = MappingProxyType(
    {Format.CSV: CsvRecords, Format.PARQUET: ParquetRecords, Format.MCAP: McapRecords}
)
SIGNAL_ENDINGS: Mapping[Format, str] = MappingProxyType(
    {Format.CSV: ".csv", Format.PARQUET: ".parquet", Format.JSONL: ".jsonl"}
)
_SPEAK_FOR_THEMSELVES = frozenset({Format.MF4, Format.PARQUET, Format.MCAP})


class _File(Protocol):
    def close(self) -> None:
        """Finish it."""

    def abandon(self) -> None:
        """Let go of it."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What goes where.

    Attributes:
        path: of the export.
        what: frames, records, signals or an excerpt.
        format: of the file.
        selection: which data.
        force: replace a file that is there.
    """

    path: Path
    what: What
    format: Format
    selection: Selection
    force: bool = False

    def __post_init__(self) -> None:
        known: Mapping[What, frozenset[Format]] = {
            What.FRAMES: frozenset(FRAME_FILES),
            What.EVENT_FRAMES: frozenset(FRAME_FILES),
            What.RECORDS: frozenset(RECORD_FILES),
            What.SIGNALS: frozenset(SIGNAL_ENDINGS),
            What.EXCERPT: frozenset({Format.EXCERPT}),
        }
        if self.format not in known[self.what]:
            names = ", ".join(sorted(known[self.what]))
            raise ExportError(
                f"{self.what} cannot be written as {self.format}",
                where=str(self.path),
                todo=f"Formats of {self.what}: {names}",
            )


def about_path(path: Path) -> Path:
    """The file that stands beside an export whose format has no place for what the export says of itself."""
    return path.with_name(f"{path.name}.about.json")


def export(
    archive: Archive,
    request: ExportRequest,
    catalogue: Catalogue,
    *,
    rules: Rules | None = None,
    jobs: int = 1,
    progress: Progress = lambda _: None,
    tell: Tell = lambda _: None,
) -> About:
    """Export; the file is there whole or not at all.

    Args:
        archive: the journal, opened with its keys.
        request: what goes where.
        catalogue: the items.
        rules: of the configuration; signals need them, frames are told by them what was not collected.
        jobs: processes that decode signals; what is exported otherwise is read and written by this one.
        progress: told how many blocks have been passed.
        tell: told in words what a person should know, such as the death of a process.

    Returns:
        What the export says of itself.

    Raises:
        JournalError: it cannot be made.
        apsw.Error: the journal cannot be read.
    """
    about = About(stream=archive.stream.hex())
    with whole_file(request.path, force=request.force) as path:
        match request.what:
            case What.FRAMES | What.EVENT_FRAMES:
                file = FRAME_FILES[request.format](path, about)
                _export_frames(archive, request, file, about, progress, rules)
            case What.SIGNALS:
                if rules is None:
                    raise ExportError("signals need databases", todo="Name the configuration by --config")
                with _named(path, SIGNAL_ENDINGS[request.format]) as place:
                    export_signals(
                        archive,
                        request.selection,
                        place,
                        about,
                        rules,
                        jobs=jobs,
                        progress=progress,
                        tell=tell,
                    )
            case What.RECORDS:
                records = RECORD_FILES[request.format](path, about)
                _export_records(archive, request, records, about, catalogue, progress)
            case What.EXCERPT:
                path.write_bytes(_excerpt(archive, request.selection, about))
    if request.format not in _SPEAK_FOR_THEMSELVES and request.what in {
        What.FRAMES,
        What.EVENT_FRAMES,
        What.RECORDS,
    }:
        with whole_file(about_path(request.path), force=True) as path:
            path.write_text(json.dumps(about.as_json(), ensure_ascii=False, indent=2) + "\n", "utf-8")
    return about


@contextmanager
def _named(path: Path, ending: str) -> Iterator[Path]:
    """Hand out a name with the ending that tells the format; what stands there becomes `path`."""
    place = path.with_suffix(ending)
    try:
        yield place
        place.replace(path)
    except BaseException:
        place.unlink(missing_ok=True)
        raise


@contextmanager
def _finished(file: _File) -> Iterator[None]:
    """Finish a file, or let go of it where something went wrong."""
    try:
        yield
    except BaseException:
        file.abandon()
        raise
    file.close()


def _export_frames(
    archive: Archive,
    request: ExportRequest,
    file: FrameFile,
    about: About,
    progress: Progress,
    rules: Rules | None = None,
) -> None:
    reader = FrameReader(archive, request.selection)
    seen: set[tuple[str, frozenset[DataClass]]] = set()
    with _finished(file):
        for joined in reader:
            joined.tell(about)
            file.write(joined)
            if rules is not None:
                never_kept = rules.absent(joined) - joined.missing
                about.not_at_hand.update(map(str, never_kept))
                seen.add((joined.batch.mask, never_kept))
            progress(reader.blocks)
        if rules is not None:
            rules.withheld(seen).tell(about)
        about.left_out.update({f"blocks: {cause}": count for cause, count in reader.unreadable.items()})


def told_records(joined: JoinedRecords, archive: Archive, catalogue: Catalogue) -> list[ToldRecord]:
    """Records with all that a table says of them."""
    return [
        ToldRecord(
            record,
            joined.stream,
            joined.boot,
            corrected(record, joined.boot, archive),
            tuple(values_of(record, catalogue)),
        )
        for record in joined.records
    ]


def saw_records(told: Sequence[ToldRecord], joined: JoinedRecords, about: About) -> None:
    """Take into account that records, at least one, were exported."""
    about.written += len(told)
    about.boots[joined.boot.hex()] = None
    about.masks.update(one.record.mask for one in told)
    about.not_at_hand.update(joined.missing)
    about.without_wall_time += sum(one.timebase.quality is TimeQuality.NONE for one in told)
    about.saw(min(one.time_ns for one in told), max(one.time_ns for one in told))


def _export_records(
    archive: Archive,
    request: ExportRequest,
    file: RecordFile,
    about: About,
    catalogue: Catalogue,
    progress: Progress,
) -> None:
    reader = RecordReader(archive, request.selection)
    with _finished(file):
        for joined in reader:
            told = told_records(joined, archive, catalogue)
            file.write(told)
            saw_records(told, joined, about)
            progress(reader.blocks)
        about.left_out.update({f"blocks: {cause}": count for cause, count in reader.unreadable.items()})


def _excerpt(archive: Archive, selection: Selection, about: About) -> bytes:
    """The excerpt of one kind and class in one boot."""
    if len(selection.kinds) != 1 or len(selection.classes) > 1:
        raise ExportError(
            "an excerpt is of one kind and one class",
            todo="Give --kind and --class, such as records, operation",
        )
    (kind,) = selection.kinds
    found = list(archive.entries(selection))
    classes = {one.header.data_class for one in found}
    boots = list(dict.fromkeys(one.header.boot for one in found))
    if not found:
        raise ExportError("no block is meant by that", todo="'nevgate journal ls' shows what there is")
    if len(classes) > 1:
        raise ExportError(
            "an excerpt is of one class", todo=f"Give one by --class: {', '.join(sorted(classes))}"
        )
    if len(boots) > 1:
        names = ", ".join(boot.hex() for boot in boots[-5:])
        raise ExportError(
            "an excerpt is of one boot", todo=f"Give one by --boot, or a shorter range of time: {names}"
        )
    first, last = found[0].header, found[-1].header
    from_ns = min(one.header.from_ns for one in found)
    to_ns = max(one.header.to_ns for one in found)
    base = archive.wall_times.timebase(
        first.boot, first.from_ns, Timebase(first.wall_offset_ns, first.time_quality)
    )
    if selection.span is not None:
        from_ns, to_ns = selection.span
    if selection.from_ns is not None:
        from_ns = selection.from_ns - base.wall_offset_ns
    if selection.to_ns is not None:
        to_ns = selection.to_ns - base.wall_offset_ns - 1
    data = make_excerpt(
        archive.reader,
        kind=kind,
        data_class=last.data_class,
        boot=first.boot,
        from_ns=from_ns,
        to_ns=to_ns,
    )
    about.written = len(found)
    about.boots[first.boot.hex()] = None
    about.saw(from_ns, to_ns)
    return data


def chosen_format(path: Path, name: str | None) -> Format:
    """The format that is named, or that the ending tells.

    Raises:
        ExportError: neither tells one.
    """
    if name is not None:
        return Format(name)
    found = ENDINGS.get(path.suffix.lower())
    if found is None:
        raise ExportError(
            f"the ending '{path.suffix}' names no format",
            where=str(path),
            todo=f"Use one of {', '.join(ENDINGS)}, or --format",
        )
    return found


def chosen_what(
    format_: Format, kinds: frozenset[BlockKind], *, event: bool, decode: bool
) -> tuple[What, frozenset[BlockKind]]:
    """What is exported, and the kinds of blocks that it is in.

    Raises:
        ExportError: the kinds asked for do not go into one file.
    """
    if format_ is Format.EXCERPT:
        return What.EXCERPT, kinds
    if not kinds:
        if event:
            kinds = frozenset({BlockKind.EVENT_FRAMES})
        elif decode or format_ in {Format.CANDUMP, Format.BLF, Format.MF4}:
            kinds = frozenset({BlockKind.FRAMES})
        else:
            kinds = frozenset({BlockKind.RECORDS})
    if len(kinds) != 1 or not kinds <= FRAME_KINDS | {BlockKind.RECORDS}:
        raise ExportError("one file holds frames, event-frames or records", todo="Give one of them by --kind")
    (kind,) = kinds
    if kind is BlockKind.RECORDS:
        if decode:
            raise ExportError("records are decoded already", todo="Leave --decode out, or --kind frames")
        return What.RECORDS, kinds
    if decode:
        return What.SIGNALS, kinds
    return (What.FRAMES if kind is BlockKind.FRAMES else What.EVENT_FRAMES), kinds
