"""`Gates`: a mask set for each set of classes that is ever collected, made when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, product

from edge.database.model import SignalRef
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.judgement import Reason
from edge.policy.masks import MaskSet, mask_set_name, mask_set_of
from edge.policy.split import ClassSplit


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """What passes while some classes are collected.

    Attributes:
        masks: bits by bus and id.
        split: divides what passed by class.
        reasons: why each withheld signal is.
        collected: the signals that pass, whole and whenever they are there.
    """

    masks: MaskSet
    split: ClassSplit
    reasons: Mapping[SignalRef, Reason]
    collected: frozenset[SignalRef]

    @property
    def name(self) -> str:
        """Of its masks."""
        return self.masks.name

    @property
    def collect(self) -> frozenset[DataClass]:
        """The classes."""
        return self.masks.collect


class Gates:
    """All gates over the same databases. There are no more than sets of classes, so none is ever let go.

    May be asked by several threads.

    Args:
        buses: the databases of each bus by its name.
    """

    def __init__(self, buses: Mapping[str, Sequence[ClassedDatabase]]) -> None:
        self._buses = buses
        self._lock = threading.Lock()
        self._gates: dict[frozenset[DataClass], Gate] = {}
        self._by_name: dict[str, Gate] = {}

    def of(self, collect: Collection[DataClass]) -> Gate:
        """The gate that collects some classes."""
        wanted = frozenset(collect)
        with self._lock:
            gate = self._gates.get(wanted)
            if gate is None:
                masks = MaskSet(self._buses, wanted)
                gate = Gate(masks, ClassSplit(masks), masks.withheld(), masks.collected())
                self._gates[wanted] = self._by_name[gate.name] = gate
            return gate

    def of_mask(self, mask: str) -> Gate | None:
        """The gate that a batch went through, by its mask; None where it was over other databases."""
        name = mask_set_of(mask)
        gate = self._by_name.get(name)
        if gate is not None:
            return gate
        for collect in _all_sets():
            if mask_set_name(self._buses, collect) == name:
                return self.of(collect)
        return None


def _all_sets() -> Iterator[frozenset[DataClass]]:
    for chosen in product((False, True), repeat=len(DataClass)):
        yield frozenset(compress(DataClass, chosen))
