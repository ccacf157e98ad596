"""`Tally`: the running counts of one source, from which its hop is made."""

from __future__ import annotations

from collections import Counter

import numpy as np

from edge.account import Hop
from edge.bus.source import WAITING
from edge.frames import FrameBatch, FrameFlag

_NO_PLAIN_DATA = np.uint16(FrameFlag.ERROR | FrameFlag.REMOTE | FrameFlag.FD)


class Tally:
    """Counts frames in and out of one source.

    Attributes:
        entered: frames seen, malformed ones included.
        left: frames handed on.
        set_aside: frames not handed on, by cause.
        at_least: losses that are only flagged, by cause, as a lower bound.
        facts: further counts by name.
    """

    def __init__(self) -> None:
        self.entered = 0
        self.left = 0
        self.set_aside: Counter[str] = Counter()
        self.at_least: Counter[str] = Counter()
        self.facts: Counter[str] = Counter({"data": 0, "error": 0, "remote": 0, "fd": 0})

    def refuse(self, cause: str, count: int = 1) -> None:
        """Count `count` frames that came in and are set aside."""
        self.entered += count
        self.set_aside[cause] += count

    def hand_on(self, batch: FrameBatch) -> None:
        """Count the frames of `batch` as handed on, by kind."""
        self.left += len(batch)
        if not np.bitwise_or.reduce(batch.flags) & _NO_PLAIN_DATA:
            self.facts["data"] += len(batch)
            return
        error, remote = batch.has(FrameFlag.ERROR), batch.has(FrameFlag.REMOTE)
        self.facts["error"] += int(np.count_nonzero(error))
        self.facts["remote"] += int(np.count_nonzero(remote & ~error))
        self.facts["data"] += int(np.count_nonzero(~error & ~remote))
        self.facts["fd"] += int(np.count_nonzero(batch.has(FrameFlag.FD)))

    def hop(self, name: str, *, ended: bool = False) -> Hop:
        """The counts as a hop; what entered and is neither handed on nor set aside is named as waiting.

        Args:
            name: name of the hop.
            ended: whether the source was closed, so that what it still held stays unread.
        """
        set_aside = dict(self.set_aside)
        waiting = self.entered - self.left - sum(set_aside.values())
        if waiting > 0:
            set_aside["unread when closed" if ended else WAITING] = waiting
        return Hop(
            name=name,
            unit="frames",
            entered=self.entered,
            left=self.left,
            set_aside=set_aside,
            at_least=dict(self.at_least),
            facts=dict(self.facts),
        )
