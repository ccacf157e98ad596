"""Tells a person whose recording and configuration do not name the same channels."""

from __future__ import annotations

import logging
from collections.abc import Collection

from edge.account import Hop
from edge.bus.source import FrameSource
from edge.clock import Timebase
from edge.errors import SourceError
from edge.frames import FrameBatch

logger = logging.getLogger(__name__)


class MatchedChannels(FrameSource):
    """Hands a recording's frames on as they are; at its end it says which channels are no configured bus.

    Args:
        source: the recording, its labels already replaced by bus names where the configuration has them.
        names: the configured buses.
        where: names the recording.

    Raises:
        SourceError: by `read`, at the end of a recording of which no channel is a configured bus.
    """

    def __init__(self, source: FrameSource, names: Collection[str], where: str) -> None:
        self.live = source.live
        self._source = source
        self._names = frozenset(names)
        self._where = where
        self._ended = False

    @property
    def buses(self) -> tuple[str, ...]:
        """See `FrameSource.buses`."""
        return self._source.buses

    @property
    def timebase(self) -> Timebase:
        """See `FrameSource.timebase`."""
        return self._source.timebase

    def read(self, timeout_s: float) -> FrameBatch | None:
        """See `FrameSource.read`."""
        batch = self._source.read(timeout_s)
        if batch is None and not self._ended:
            self._ended = True
            self._judge()
        return batch

    def close(self) -> None:
        """See `FrameSource.close`."""
        self._source.close()

    def hop(self) -> Hop:
        """See `FrameSource.hop`."""
        return self._source.hop()

    def _judge(self) -> None:
        strangers = [label for label in self._source.buses if label not in self._names]
        if not strangers:
            return
        words = f"its channels {', '.join(strangers)} are no bus of the configuration"
        advice = f'Give a bus recording_channel = "{strangers[0]}"'
        if not self._names.intersection(self._source.buses):
            raise SourceError(words, where=self._where, todo=advice)
        logger.warning("%s: %s, so their frames were not judged. %s", self._where, words, advice)
