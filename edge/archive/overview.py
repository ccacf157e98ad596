"""Sums a journal up: its blocks by kind and class, its checkpoints, and what stands beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.archive.contents import erased_keys
from edge.archive.destinations import DestinationState, read_destinations
from edge.archive.opening import Archive
from edge.clock import Timebase
from edge.errors import JournalError
from edge.journal.block import BlockHeader, BlockKind, read_header
from edge.journal.opening import JOURNAL_FILE


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment of some boot.

    Attributes:
        boot: 16 bytes.
        t_ns: nanoseconds since boot.
        timebase: the best known relation to wall time.
    """

    boot: bytes
    t_ns: int
    timebase: Timebase


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """The blocks of one kind and class.

    Attributes:
        kind: what they hold.
        data_class: whose data; empty for nobody's.
        blocks: how many there are, those without content included.
        bytes: of sealed contents.
        deleted: blocks whose content was removed, by the bounds or by an erasure.
        erased: those among them whose key an erasure destroyed; None where that cannot be told without keys.
        locked: blocks that the bounds leave alone.
        first: earliest time in the first block; None where its header is damaged.
        last: latest time in the last one.
        first_number: the least record number; 0 where they hold no records.
        last_number: the greatest.
    """

    kind: BlockKind
    data_class: str
    blocks: int
    bytes: int
    deleted: int
    erased: int | None
    locked: int
    first: Instant | None
    last: Instant | None
    first_number: int
    last_number: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What a journal holds.

    Attributes:
        stream: 16 bytes that name its stream.
        predecessor: the stream before it; None for none.
        last_block: the greatest chain number; 0 for none.
        removed: rows of blocks that retention has removed, whose place checkpoints vouch for.
        last_number: the greatest record number.
        series: by kind and class.
        checkpoints: how many there are.
        covered: chain number up to which they vouch; 0 for none.
        countersigned: how many of them the platform has confirmed.
        countersigned_to: chain number up to which it has; 0 for none.
        destinations: what each has been given.
        file_bytes: of the database and its log.
        beside: folders with damaged journals that were put aside.
    """

    stream: bytes
    predecessor: bytes | None
    last_block: int
    removed: int
    last_number: int
    series: tuple[SeriesSummary, ...]
    checkpoints: int
    covered: int
    countersigned: int
    countersigned_to: int
    destinations: Sequence[DestinationState]
    file_bytes: int
    beside: tuple[Path, ...]


_SERIES = (
    "SELECT kind, class, count(*), sum(size), sum(size = 0), sum(locked), min(number), max(number),"
    " min(CASE WHEN first_number > 0 THEN first_number END), max(last_number)"
    " FROM block GROUP BY kind, class ORDER BY kind, class"
)


def sum_up(archive: Archive) -> Overview:
    """Sum a journal up.

    Raises:
        JournalError: what it says of itself is damaged.
        apsw.Error: it cannot be read.
    """
    connection = archive.connection
    series = [
        SeriesSummary(
            BlockKind(kind),
            data_class,
            blocks,
            size,
            deleted,
            0 if archive.keys is not None else None,
            locked,
            _instant(archive, first, latest=False),
            _instant(archive, last, latest=True),
            first_number or 0,
            last_number,
        )
        for (
            kind,
            data_class,
            blocks,
            size,
            deleted,
            locked,
            first,
            last,
            first_number,
            last_number,
        ) in connection.execute(_SERIES)
    ]
    count, covered, signed, signed_to = next(
        connection.execute(
            "SELECT count(*), coalesce(max(last), 0), count(receipt),"
            " coalesce(max(CASE WHEN receipt IS NOT NULL THEN last END), 0) FROM checkpoint"
        )
    )
    predecessor, last_number = next(
        connection.execute("SELECT predecessor, last_number FROM stream WHERE ordinal = 1")
    )
    last_block = archive.reader.last_block()
    return Overview(
        stream=archive.stream,
        predecessor=predecessor,
        last_block=max(last_block, covered),
        removed=max(last_block, covered) - sum(one.blocks for one in series),
        last_number=last_number,
        series=_with_erased(archive, series),
        checkpoints=count,
        covered=covered,
        countersigned=signed,
        countersigned_to=signed_to,
        destinations=read_destinations(connection),
        file_bytes=sum(path.stat().st_size for path in archive.folder.glob(f"{JOURNAL_FILE}*")),
        beside=damaged_beside(archive.folder),
    )


def damaged_beside(folder: Path) -> tuple[Path, ...]:
    """Folders of damaged journals that were put aside (`edge.journal.damage.salvage`), by name."""
    return tuple(sorted(path for path in folder.glob("damaged-*") if path.is_dir()))


def _instant(archive: Archive, number: int, *, latest: bool) -> Instant | None:
    for (header_bytes,) in archive.connection.execute("SELECT header FROM block WHERE number = ?", (number,)):
        try:
            header = read_header(header_bytes)
        except JournalError:
            return None
        return instant_of(archive, header, latest=latest)
    return None


def instant_of(archive: Archive, header: BlockHeader, *, latest: bool) -> Instant:
    """The first or the last moment of a block, with the best wall time known."""
    t_ns = header.to_ns if latest else header.from_ns
    own = Timebase(header.wall_offset_ns, header.time_quality)
    return Instant(header.boot, t_ns, archive.wall_times.timebase(header.boot, t_ns, own))


def _with_erased(archive: Archive, series: Sequence[SeriesSummary]) -> tuple[SeriesSummary, ...]:
    """Tell what an erasure took from what retention took, by the keys that erasures name."""
    keys = erased_keys(archive)
    if not keys:
        return tuple(series)
    counts: dict[tuple[int, str], int] = {}
    for kind, data_class, header in archive.connection.execute(
        "SELECT kind, class, header FROM block WHERE size = 0"
    ):
        try:
            gone = read_header(header).key_id in keys
        except JournalError:
            continue
        counts[kind, data_class] = counts.get((kind, data_class), 0) + gone
    return tuple(replace(one, erased=counts.get((int(one.kind), one.data_class), 0)) for one in series)
