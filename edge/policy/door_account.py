"""`DoorAccount`: what became of the frames that came to a door."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from edge.account import Hop
from edge.frames import Int64s
from edge.policy.classes import DataClass
from edge.policy.masks import REMOVED, STANDARD_IDS
from edge.policy.transport import LOST, WAITING, Reassembler

DESCRIBED = "frames that a database describes"

REFUSED_IDS = 65_536
"""Ids that are counted one by one beside the 11-bit ones; frames of further ids are counted together."""


class DoorAccount:
    """Counts frames, by what became of them; where that was nothing, also by id.

    Args:
        buses: names of the buses that have databases.

    Attributes:
        entered: frames that came.
        left: those of which something passed.
        described: those of data that a database describes.
        changes: how often what passes was changed.
        newest_ns: the greatest time of a frame.
        set_aside: frames of which nothing passed, by cause.
        facts: what else is counted.
        removed: by `REMOVED`, frames that lost something of it.
        passed: by `DataClass`, frames that kept something of it.
        refused_standard: by bus and 11-bit id, frames dropped whole since their id is unknown or nothing of
            it is allowed. Those of other ids: see `refuse`.
    """

    def __init__(self, buses: Sequence[str]) -> None:
        self._buses = tuple(buses)
        self.entered = 0
        self.left = 0
        self.described = 0
        self.changes = 0
        self.newest_ns = 0
        self.set_aside: Counter[str] = Counter()
        self.facts: Counter[str] = Counter()
        self.removed = np.zeros(len(REMOVED), np.int64)
        self.passed = np.zeros(len(DataClass), np.int64)
        self.refused_standard = np.zeros(len(self._buses) * STANDARD_IDS, np.int64)
        self._refused_extended: Counter[tuple[str, int]] = Counter()
        self._refused_elsewhere = 0

    def refuse(self, refused: Int64s) -> None:
        """Count frames of ids beyond 11 bits that were dropped whole, each given as ``bus << 32 | id``."""
        if len(refused):
            keys, counts = np.unique(refused, return_counts=True)
            for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
                self.refuse_one(key >> 32, key & 0xFFFFFFFF, count)

    def refuse_one(self, bus: int, arbitration_id: int, count: int = 1) -> None:
        """Count frames of one id, or a message that came on it, likewise."""
        key = (self._buses[bus], arbitration_id)
        if key in self._refused_extended or len(self._refused_extended) < REFUSED_IDS:
            self._refused_extended[key] += count
        else:
            self._refused_elsewhere += count

    def refused_ids(self) -> Mapping[tuple[str, int], int]:
        """Frames dropped whole because their id is unknown or nothing of it is allowed, by bus and id."""
        refused = Counter(self._refused_extended)
        for place in np.flatnonzero(self.refused_standard):
            bus, identifier = divmod(int(place), STANDARD_IDS)
            refused[self._buses[bus], identifier] += int(self.refused_standard[place])
        return MappingProxyType(dict(sorted(refused.items())))

    def hop(self, transports: Sequence[Reassembler[Any]]) -> Hop:
        """The account: every frame that entered left, or is counted under one cause.

        Args:
            transports: what makes messages whole, and counts what never became of them.
        """
        set_aside, facts = self.set_aside.copy(), self.facts.copy()
        for transport in transports:
            waiting, over = transport.waiting(self.newest_ns)
            set_aside += transport.set_aside
            set_aside[WAITING] += waiting
            set_aside[LOST] += over
            facts += transport.facts
        facts[DESCRIBED] = self.described
        for name, count in zip(REMOVED, self.removed, strict=True):
            facts[f"frames with {name} removed"] = int(count)
        for data_class, count in zip(DataClass, self.passed, strict=True):
            facts[f"frames with {data_class} kept"] = int(count)
        facts["changes of the mask"] = self.changes
        facts["frames of ids beyond the table of refused ids"] = self._refused_elsewhere
        return Hop(
            name="door",
            unit="frames",
            entered=self.entered,
            left=self.left,
            set_aside=MappingProxyType({cause: count for cause, count in set_aside.items() if count}),
            facts=MappingProxyType({name: count for name, count in facts.items() if count}),
        )
