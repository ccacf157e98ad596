"""`Selection`: which blocks are meant, by kind, class, boot, wall time and time since boot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from edge.archive.wall_time import WallTimes
from edge.clock import NS_PER_S, Timebase
from edge.journal.block import BlockHeader, BlockKind

_SLACK_NS = 3_600 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Selection:
    """Which blocks are meant; what is left empty or None restricts nothing.

    Attributes:
        kinds: of blocks.
        classes: of data.
        boot: how the boot's name begins, in hexadecimal.
        from_ns: Unix time in nanoseconds from which on data are meant; blocks without wall time are not.
        to_ns: Unix time in nanoseconds before which data are meant.
        span: nanoseconds since boot, both ends included.
    """

    kinds: frozenset[BlockKind] = frozenset()
    classes: frozenset[str] = frozenset()
    boot: str = ""
    from_ns: int | None = None
    to_ns: int | None = None
    span: tuple[int, int] | None = None

    @property
    def by_wall_time(self) -> bool:
        """Whether a range of wall time is asked for."""
        return self.from_ns is not None or self.to_ns is not None

    def condition(self, *, corrected: bool) -> tuple[str, tuple[int | str, ...]]:
        """What the database can tell by itself: a condition in SQL that no meant block fails, its values.

        Args:
            corrected: whether wall times may differ from those that the blocks were written with.
        """
        parts = ["TRUE"]
        values: list[int | str] = []
        if self.kinds:
            parts.append(f"kind IN ({', '.join('?' * len(self.kinds))})")
            values += sorted(int(kind) for kind in self.kinds)
        if self.classes:
            parts.append(f"class IN ({', '.join('?' * len(self.classes))})")
            values += sorted(self.classes)
        if self.from_ns is not None and not corrected:
            # The column holds the block's latest time.
            parts.append("wall_ns >= ?")
            values.append(self.from_ns - _SLACK_NS)
        return " AND ".join(parts), tuple(values)

    def meets(self, header: BlockHeader, wall_times: WallTimes) -> bool:
        """Whether a block is meant: it is of the right kind and touches the time asked for."""
        if self.kinds and header.kind not in self.kinds:
            return False
        if self.classes and header.data_class not in self.classes:
            return False
        if not header.boot.hex().startswith(self.boot):
            return False
        if self.span is not None and not (header.from_ns <= self.span[1] and header.to_ns >= self.span[0]):
            return False
        # A block that a correction covers in part is looked at datum by datum.
        if not self.by_wall_time or wall_times.divides(header.boot, header.from_ns, header.to_ns):
            return True
        own = Timebase(header.wall_offset_ns, header.time_quality)
        first, last = (wall_times.wall_ns(header.boot, t, own) for t in (header.from_ns, header.to_ns))
        return (
            first is not None
            and last is not None
            and (self.to_ns is None or first < self.to_ns)
            and (self.from_ns is None or last >= self.from_ns)
        )

    def holds(self, t_ns: int, wall_ns: int | None) -> bool:
        """Whether one datum of a meant block is meant itself.

        Args:
            t_ns: nanoseconds since boot.
            wall_ns: Unix time in nanoseconds; None where it is not known.
        """
        if self.span is not None and not self.span[0] <= t_ns <= self.span[1]:
            return False
        if not self.by_wall_time:
            return True
        return (
            wall_ns is not None
            and (self.from_ns is None or wall_ns >= self.from_ns)
            and (self.to_ns is None or wall_ns < self.to_ns)
        )


def moment_text(unix_ns: int) -> str:
    """A Unix time as ISO 8601 in UTC with microseconds."""
    seconds, rest_ns = divmod(unix_ns, NS_PER_S)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return f"Unix time {seconds}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest_ns // 1_000:06d}Z"
