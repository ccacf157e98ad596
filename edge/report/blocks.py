"""Goes through all blocks once: what there is of each class, when, under which mask, and what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from edge.archive.opening import Archive
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.errors import JournalError
from edge.journal.block import BlockHeader, BlockKind, read_header
from edge.policy.rules import Purpose
from edge.report.period import Period

PURPOSES: Mapping[BlockKind, tuple[Purpose, ...]] = MappingProxyType(
    {
        BlockKind.FRAMES: (Purpose.RECORDING,),
        BlockKind.RECORDS: (Purpose.REGULATED, Purpose.SERVICE),
        BlockKind.EVENT_FRAMES: (Purpose.EVENT,),
        BlockKind.MEDIA: (Purpose.RECORDING, Purpose.EVENT),
    }
)
"""The kinds of blocks that hold data of a class, and what they may be kept for."""

GAP_NS = 60 * NS_PER_S
"""Without data for longer than that, the vehicle counts as asleep, or the gateway as off."""

_PROGRESS = 4_096


@dataclass(frozen=True, slots=True)
class Seen:
    """A block as the report looks at it.

    Attributes:
        header: what is clear of it.
        size: bytes of its sealed content; 0 where that is gone.
        locked: whether the bounds leave it alone.
        alarm: whether one of its records carries an alarm that takes precedence.
        first_ns: Unix time of its first datum, in the best wall time known; None where that is not known.
        last_ns: of its last one.
        quality: of that wall time.
    """

    header: BlockHeader
    size: int
    locked: bool
    alarm: bool
    first_ns: int | None
    last_ns: int | None
    quality: TimeQuality

    @property
    def holds_data(self) -> bool:
        """Whether it holds data of a class."""
        return self.header.kind in PURPOSES


@dataclass(slots=True)
class Tally:
    """Blocks of one sort within the period.

    Attributes:
        blocks: how many.
        count: frames or records in them.
        emptied: blocks whose content is gone.
        first_ns: earliest time; None where none is known.
        last_ns: latest time.
    """

    blocks: int = 0
    count: int = 0
    emptied: int = 0
    first_ns: int | None = None
    last_ns: int | None = None

    def add(self, seen: Seen) -> None:
        """Count a block."""
        self.blocks += 1
        self.count += seen.header.count
        self.emptied += not seen.size
        if seen.first_ns is not None and seen.last_ns is not None:
            self.first_ns = seen.first_ns if self.first_ns is None else min(self.first_ns, seen.first_ns)
            self.last_ns = seen.last_ns if self.last_ns is None else max(self.last_ns, seen.last_ns)


@dataclass(slots=True)
class Span:
    """A time without a gap of which the journal has data.

    Attributes:
        boot: 16 bytes.
        from_ns: nanoseconds since that boot.
        to_ns: likewise.
        wall_offset_ns: to Unix time; None where that is not known.
        quality: of that.
    """

    boot: bytes
    from_ns: int
    to_ns: int
    wall_offset_ns: int | None
    quality: TimeQuality


@dataclass(slots=True)
class Found:
    """What there is within the period, and what is kept at all.

    Attributes:
        kept: by kind and class, within the period.
        masks: by the mask's name, within the period.
        spans: times of which there are data, within the period, in order.
        activity: of each boot the times of which there are data, nanoseconds since boot, in any period.
        newest_ns: latest wall time of any block; 0 for none.
        oldest_ns: earliest wall time of any block; 0 for none.
        damaged: headers that cannot be read.
        untimed: blocks with data in the period whose wall time is not known.
    """

    kept: dict[tuple[BlockKind, str], Tally] = field(default_factory=dict)
    masks: dict[str, Tally] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    activity: dict[bytes, list[tuple[int, int]]] = field(default_factory=dict)
    newest_ns: int = 0
    oldest_ns: int = 0
    damaged: int = 0
    untimed: int = 0


Look = Callable[[Seen, bool], None]
"""Told each block, and whether it is of the period."""


def go_through(
    archive: Archive, period: Period, looks: tuple[Look, ...], progress: Callable[[int], None]
) -> Found:
    """Look at the header of every block of the journal, in order of the chain."""
    found = Found()
    in_period = False
    for place, seen in enumerate(_seen(archive, found)):
        if place % _PROGRESS == 0:
            progress(seen.header.number)
        if seen.first_ns is not None and seen.last_ns is not None:
            in_period = period.meets(seen.first_ns, seen.last_ns)
            found.newest_ns = max(found.newest_ns, seen.last_ns)
            found.oldest_ns = min(found.oldest_ns or seen.first_ns, seen.first_ns)
        # A block without wall time is of the time of those before it in the chain.
        meant = in_period or (seen.first_ns is None and not found.newest_ns)
        if seen.holds_data:
            _note(found, seen, meant)
        for look in looks:
            look(seen, meant)
    return found


def _seen(archive: Archive, found: Found) -> Iterator[Seen]:
    for header_bytes, size, locked, alarm in archive.connection.execute(
        "SELECT header, size, locked, alarm FROM block ORDER BY number"
    ):
        try:
            header = read_header(header_bytes)
        except JournalError:
            found.damaged += 1
            continue
        own = Timebase(header.wall_offset_ns, header.time_quality)
        first = archive.wall_times.timebase(header.boot, header.from_ns, own)
        last = archive.wall_times.timebase(header.boot, header.to_ns, own)
        timed = TimeQuality.NONE not in {first.quality, last.quality}
        yield Seen(
            header,
            size,
            bool(locked),
            bool(alarm),
            first.wall_ns(header.from_ns) if timed else None,
            last.wall_ns(header.to_ns) if timed else None,
            min(first.quality, last.quality),
        )


def _note(found: Found, seen: Seen, meant: bool) -> None:
    header = seen.header
    _note_activity(found.activity.setdefault(header.boot, []), header)
    if not meant:
        return
    found.untimed += seen.first_ns is None
    found.kept.setdefault((header.kind, header.data_class), Tally()).add(seen)
    found.masks.setdefault(header.mask, Tally()).add(seen)
    span = found.spans[-1] if found.spans else None
    offset_ns = None if seen.last_ns is None else seen.last_ns - header.to_ns
    if (
        span is not None
        and span.boot == header.boot
        and span.quality is seen.quality
        and header.from_ns <= span.to_ns + GAP_NS
        and header.to_ns >= span.from_ns - GAP_NS
    ):
        span.from_ns = min(span.from_ns, header.from_ns)
        span.to_ns = max(span.to_ns, header.to_ns)
        return
    found.spans.append(Span(header.boot, header.from_ns, header.to_ns, offset_ns, seen.quality))


def _note_activity(times: list[tuple[int, int]], header: BlockHeader) -> None:
    if times and header.from_ns <= times[-1][1] + GAP_NS and header.to_ns >= times[-1][0] - GAP_NS:
        times[-1] = min(times[-1][0], header.from_ns), max(times[-1][1], header.to_ns)
    else:
        times.append((header.from_ns, header.to_ns))
