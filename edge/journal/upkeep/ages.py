"""`Ages`: how old blocks are, by their place in the chain as much as by the times that they carry."""

from __future__ import annotations

import apsw

from edge.clock import Clock
from edge.errors import JournalError, WireError
from edge.journal.block import read_header
from edge.journal.upkeep.believed_time import EARLIEST_NS, BelievedTime
from edge.wire import checkpoint
from edge.wire.checkpoint import Checkpoint
from edge.wire.cose import unverified_payload

_CHECKPOINTS_AHEAD = 64
_CACHED = 1_024


class Ages:
    """Judges the age of blocks, always as the least that is certain.

    A block's own wall time counts unless it is unknown, in the future, or earlier than that of the checkpoint
    before the block: then that checkpoint's time counts, or else that of the next checkpoint behind it that
    has a usable one, for the block is at least as old. Beside that, a block is at least as old as this boot
    if it is of an earlier one, and as old as its boot-monotonic time says if it is of this one.

    Args:
        clock: time.
        boot: 16 bytes that name the boot.
        believed: the wall time by which ages are judged.
    """

    def __init__(self, clock: Clock, boot: bytes, believed: BelievedTime) -> None:
        self._clock = clock
        self._boot = boot
        self._believed = believed
        self._now_ns: int | None = None
        self._times: dict[int, int] = {}

    @property
    def now_ns(self) -> int | None:
        """The wall time that ages are judged by; None for none."""
        return self._now_ns

    def look(self) -> None:
        """Take the present time."""
        self._now_ns = self._believed.now_ns()

    def age_ns(
        self, connection: apsw.Connection, number: int, wall_ns: int, header: bytes, *, rescued: bool
    ) -> int:
        """The least that a block's age can be, in nanoseconds; 0 where nothing is known.

        Args:
            connection: the journal.
            number: of the block.
            wall_ns: its wall time as it was known when it was made; 0 for none.
            header: its clear header.
            rescued: whether it was copied from a damaged journal, later than it was made.
        """
        least_ns = self._by_boot(header)
        now_ns = self._now_ns
        if now_ns is None:
            return least_ns
        before_ns = 0 if rescued else self._checkpoint_before(connection, number, now_ns)
        if EARLIEST_NS <= wall_ns <= now_ns:
            return max(least_ns, now_ns - max(wall_ns, before_ns))
        made_ns = before_ns or self._checkpoint_behind(connection, number, now_ns)
        return max(least_ns, now_ns - made_ns) if made_ns else least_ns

    def _by_boot(self, header: bytes) -> int:
        boot_ns = self._clock.boot_ns()
        try:
            read = read_header(header)
        except JournalError:
            return 0
        return max(0, boot_ns - read.to_ns) if read.boot == self._boot else boot_ns

    def _checkpoint_before(self, connection: apsw.Connection, number: int, now_ns: int) -> int:
        for last, signed in connection.execute(
            "SELECT last, signed FROM checkpoint WHERE last < ? ORDER BY last DESC LIMIT 1", (number,)
        ):
            return self._usable(last, signed, now_ns)
        return 0

    def _checkpoint_behind(self, connection: apsw.Connection, number: int, now_ns: int) -> int:
        for last, signed in connection.execute(
            "SELECT last, signed FROM checkpoint WHERE last >= ? ORDER BY last LIMIT ?",
            (number, _CHECKPOINTS_AHEAD),
        ):
            found_ns = self._usable(last, signed, now_ns)
            if found_ns:
                return found_ns
        return 0

    def _usable(self, last: int, signed: bytes, now_ns: int) -> int:
        """The wall time of a checkpoint; 0 where it is unknown or in the future."""
        if last not in self._times:
            if len(self._times) >= _CACHED:
                self._times.clear()
            read = read_own(signed)
            self._times[last] = 0 if read is None else read.t_ns + read.wall_offset_ns
        wall_ns = self._times[last]
        return wall_ns if EARLIEST_NS <= wall_ns <= now_ns else 0


def read_own(signed: bytes) -> Checkpoint | None:
    """What a checkpoint of one's own says; None where it is damaged."""
    try:
        return checkpoint.decode(unverified_payload(signed))
    except WireError:
        return None
