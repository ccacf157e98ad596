"""`FrameSource`: what every place that frames come from looks like to the rooms behind it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace

from edge.account import Hop
from edge.clock import Timebase
from edge.closing import Closing
from edge.frames import FrameBatch

WAITING = "waiting to be handed on"
"""The cause under which frames stand that a source has read and not yet handed on; 0 once it has ended."""


class FrameSource(Closing):
    """A live interface, a recording, or several of them, read batch by batch.

    Attributes:
        live: whether frames come as they happen: `t_ns` is then the boot-monotonic time of this machine, and
            the frames of one bus are in order among themselves. A recording is not live.
    """

    live: bool = False

    @property
    @abstractmethod
    def buses(self) -> tuple[str, ...]:
        """Names of the buses known so far; a recording may meet a further one later."""

    @property
    @abstractmethod
    def timebase(self) -> Timebase:
        """How `t_ns` relates to wall time, as known now; every batch carries its own."""

    @property
    def complete_ns(self) -> int | None:
        """Boot time up to which every frame has been handed on; None where a live source cannot tell."""
        return None

    @property
    def behind(self) -> bool:
        """Whether the last reading left frames that could have been read at once."""
        return False

    @abstractmethod
    def read(self, timeout_s: float) -> FrameBatch | None:
        """Wait up to `timeout_s` for frames and hand them on.

        Returns:
            A batch; an empty one if nothing came in time; None when the recording or interface has ended.

        Raises:
            SourceError: if the source cannot be read on.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the file or interface; a second call does nothing."""

    @abstractmethod
    def hop(self) -> Hop:
        """The account so far, in frames: entered (malformed ones included) = left + set aside."""


def held_back(hop: Hop, count: int, *, facts: Mapping[str, int] | None = None) -> Hop:
    """The hop of a source whose last `count` frames are still held by the one around it."""
    set_aside = dict(hop.set_aside)
    if count:
        set_aside[WAITING] = set_aside.get(WAITING, 0) + count
    return replace(hop, left=hop.left - count, set_aside=set_aside, facts={**hop.facts, **(facts or {})})
