"""Capture: source and door as one, so that nothing but masked batches is ever handed on."""

from __future__ import annotations

from edge.account import Hop
from edge.bus.source import FrameSource
from edge.closing import Closing
from edge.frames import FrameBatch
from edge.policy.door import Door


class Capture(Closing):
    """Takes frames from a source and hands on what the door admits.

    This is the seam at which capture becomes a process of its own: what is behind it never sees an unmasked
    frame.
    """

    def __init__(self, source: FrameSource, door: Door) -> None:
        self._source = source
        self._door = door

    def read(self, timeout_s: float) -> FrameBatch | None:
        """Read the next masked batch.

        Args:
            timeout_s: how long to wait for frames.

        Returns:
            A batch in time order that names its mask, empty if nothing came in time; None at the end of a
            recording.
        """
        batch = self._source.read(timeout_s)
        return None if batch is None else self._door.admit(batch)

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def hops(self) -> tuple[Hop, ...]:
        """Report what the source saw and what the door let pass."""
        return (self._source.hop(), self._door.hop())
