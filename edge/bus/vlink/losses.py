"""What became of frames that a microcontroller took and that did not come, by its numbers and counters."""

from __future__ import annotations

from dataclasses import dataclass

from edge.wire.vlink_messages import BusStatus

_NUMBERS = 0xFFFF_FFFF
_BACKWARDS = 1 << 31


def _risen(before: int, now: int) -> int | None:
    """By how much a counter modulo 2^32 rose; None where it stepped back."""
    risen = (now - before) & _NUMBERS
    return None if risen >= _BACKWARDS else risen


@dataclass(slots=True)
class _Boot:
    """What is followed of one bus between two resets.

    Attributes:
        whole: whether it is known exactly what the ring dropped before the first frame that is this run's.
        since: the next frame's number and frames dropped, by a first status that came before any frame.
        next: number of the next frame; None before the first that came.
        gaps: frames missing between those that came.
        settled: those of them that the last status could tell of.
        line: those of the settled that cannot have been dropped by the ring.
        status: counters as told last.
        dropped: frames that the ring dropped.
        dropped_before: of what the ring dropped, so much is missing before the first frame that came; a lower
            bound unless `whole`.
    """

    whole: bool
    since: tuple[int, int] | None = None
    next: int | None = None
    gaps: int = 0
    settled: int = 0
    line: int = 0
    status: BusStatus | None = None
    dropped: int = 0
    dropped_before: int = 0

    @property
    def on_board(self) -> int:
        """Frames that the board had taken by its last status and that have not come."""
        if self.status is None or self.next is None:
            return 0
        return _risen(self.next, self.status.accepted) or 0


class BusLosses:
    """Follows one bus of a device across sessions and resets (docs/vlink.md, "What is exact").

    A frame number that is missing was lost in the board's ring or on the line, exactly one frame each. Which
    of both it was, the next status tells. Numbers of one boot go on across sessions, so that an unplugged
    cable costs no certainty; a reset does, and is an interval.

    Attributes:
        overruns: frames that the controller lost, where it counts them; exact.
        overrun_flags: how often it flagged that it lost some; at least as many are lost.
        in_resets: frames that the board had taken and that went with a reset; at least.
        before: frames that the board had taken before the first that came to this run.
        overruns_before: overruns that it had counted or flagged by its first status.
        steps_back: how often numbers or counters stepped back without a reset; nothing is concluded then.
        resets: of the board, while the bus was followed.
    """

    def __init__(self) -> None:
        self.overruns = 0
        self.overrun_flags = 0
        self.in_resets = 0
        self.before = 0
        self.overruns_before = 0
        self.steps_back = 0
        self.resets = 0
        self._ring = self._line = self._untold = 0
        self._boot: _Boot | None = None

    @property
    def in_ring(self) -> int:
        """Frames that found the board's ring full; exact."""
        boot = self._boot
        return self._ring + (boot.settled - boot.line if boot else 0)

    @property
    def on_line(self) -> int:
        """Frames lost on the line to the board; exact."""
        boot = self._boot
        return self._line + (boot.line if boot else 0)

    @property
    def ring_or_line(self) -> int:
        """Frames lost at one or the other, of which no status has told yet; exact."""
        boot = self._boot
        return self._untold + (boot.gaps - boot.settled if boot else 0)

    @property
    def lost(self) -> int:
        """All that is known exactly to be lost."""
        return self.in_ring + self.on_line + self.ring_or_line + self.overruns

    @property
    def on_board(self) -> int:
        """Frames that the board had taken by its last status and that have not come yet."""
        return self._boot.on_board if self._boot else 0

    def begin(self, *, reset: bool) -> None:
        """Take up a boot: one that was not met before.

        Args:
            reset: whether another boot of the same board was followed until now, so that all of this one is
                this run's; otherwise an earlier run may have had frames of it.
        """
        boot = self._boot
        if boot is not None:
            self._line += boot.line
            self._ring += boot.settled - boot.line
            self._untold += boot.gaps - boot.settled
            self.in_resets += boot.on_board
        self.resets += reset
        nothing = BusStatus(0, 0, 0, 0, 0, 0, 0, 0, 0)
        self._boot = _Boot(whole=True, next=0, status=nothing) if reset else _Boot(whole=False)

    def came(self, first: int, count: int) -> None:
        """Take up a packet of frames.

        Args:
            first: number of its first frame.
            count: how many it has.
        """
        boot = self._boot
        if boot is None:
            return
        if boot.next is None:
            self._first(boot, first)
        else:
            boot.gaps += self._growth(boot.next, first)
        boot.next = (first + count) & _NUMBERS

    def _first(self, boot: _Boot, first: int) -> None:
        """Take up the first frame of a boot that an earlier run may have had frames of."""
        number, dropped = boot.since or (first, 0)
        gap = _risen(number, first)
        if boot.since is None or gap is None:
            self.before += first
            boot.whole = first == 0
        else:
            # From the first status on nobody but this run was there to take frames.
            self.before += number
            boot.gaps += gap
            boot.dropped_before = dropped
            boot.whole = True

    def told(self, status: BusStatus, *, counted: bool) -> None:
        """Take up the counters of a status, in the order in which it came among the packets of frames.

        Args:
            status: of this bus.
            counted: whether the controller counts what it loses; otherwise it flags it.
        """
        boot = self._boot
        if boot is None:
            return
        overruns = status.overrun_counted if counted else status.overrun_flags
        if boot.status is None:
            self.overruns_before += overruns
            boot.dropped = status.ring_dropped
        else:
            last = boot.status.overrun_counted if counted else boot.status.overrun_flags
            if counted:
                self.overruns += self._growth(last, overruns)
            else:
                self.overrun_flags += self._growth(last, overruns)
            boot.dropped += self._growth(boot.status.ring_dropped, status.ring_dropped)
        boot.status = status
        if boot.next is None:
            boot.since = boot.since or (status.accepted, boot.dropped)
            return
        if not boot.whole:
            # What was dropped and is neither in a gap nor still to come was dropped before the first frame.
            boot.dropped_before = max(boot.dropped_before, boot.dropped - boot.gaps - boot.on_board)
        boot.line = max(boot.line, boot.gaps - (boot.dropped - boot.dropped_before))
        boot.settled = boot.gaps

    def _growth(self, before: int, now: int) -> int:
        risen = _risen(before, now)
        if risen is None:
            self.steps_back += 1
            return 0
        return risen
