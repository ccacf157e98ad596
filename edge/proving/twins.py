"""`Twins`: two equal gateways from door to record, between whose outcomes a difference is sought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.account import Hop
from edge.clock import NS_PER_S
from edge.collecting import Collecting, Described
from edge.core import Core
from edge.database.model import Database, SignalRef
from edge.decode.latest import LatestValues
from edge.decode.plan import Column, DecodePlan
from edge.frames import FrameBatch
from edge.policy.admission import Admission
from edge.policy.door import Door
from edge.policy.rules import Policy
from edge.proving.finding import Occasion, Tally
from edge.records import Record

PERIOD_NS = NS_PER_S
"""Between two records, and at least between two batches."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between the two.

    Attributes:
        row: place in the batches of a frame that shows it; None where none does by itself.
        depends: see `Counterexample.depends`.
    """

    row: int | None
    depends: str


class _Road:
    """Door, decode and core as a gateway has them.

    Args:
        policy: the policy in force.
        described: what the vehicle could tell.
    """

    def __init__(self, policy: Policy, described: Described) -> None:
        self.collecting = Collecting(policy, described)
        databases = plain(described)
        sampler = self.collecting.sampler()
        never = self.collecting.widest.withheld()
        plan = DecodePlan(databases, wanted=sampler.wanted, withheld=never)
        latest = LatestValues(plan, latched=sampler.latched, followed=sampler.followed)
        self._core = Core(latest, sampler, period_ns=PERIOD_NS, limits=self.collecting.limits)

    @property
    def door(self) -> Door:
        return self.collecting.door

    def adopt(self, admission: Admission) -> None:
        self.collecting.adopt(admission)

    def take(self, batch: FrameBatch, occasion: Occasion) -> tuple[FrameBatch, list[Record]]:
        left = self.door.admit(batch, occasion.withhold)
        records = [self.collecting.told(record) for record in self._core.take(left)]
        if len(batch):
            # At least one record sees what the batch has left behind.
            due = self._core.settle(int(batch.t_ns.max()) + PERIOD_NS, batch.timebase)
            records += [self.collecting.told(record) for record in due]
        return left, records


class Twins:
    """Sends pairs of batches through two equal roads and compares all that comes out.

    Args:
        policy: the policy in force.
        described: what the vehicle could tell.
        tally: counts what is compared.
    """

    def __init__(self, policy: Policy, described: Described, tally: Tally) -> None:
        self._databases = plain(described)
        self._tally = tally
        self._one, self._two = _Road(policy, described), _Road(policy, described)
        self._plan = DecodePlan(self._databases)
        self._occasion = Occasion("", frozenset())

    def turn_to(self, occasion: Occasion, admission: Admission) -> None:
        """Go by another set of classes from the next pair on."""
        self._occasion = occasion
        for road in (self._one, self._two):
            road.adopt(admission)
        # The masks of the place come into force with a batch.
        empty = FrameBatch.empty()
        withheld = self._one.take(empty, occasion)[0].mask
        self._two.take(empty, occasion)
        gate = self._one.door.gate_of(withheld)
        collected = frozenset() if gate is None else gate.collected
        self._plan = DecodePlan(self._databases, wanted=collected, withheld=self._one.door.withheld())

    def compare(
        self, one: FrameBatch, two: FrameBatch, forbidden: npt.NDArray[np.uint8] | None = None
    ) -> Difference | None:
        """Send a pair through; each frame has a time of its own, the same in both.

        Args:
            one: frames.
            two: the same frames with other forbidden bits.
            forbidden: the forbidden bits of each frame, uint8 of (frames, W); None where frames are segments.

        Returns:
            What differs, or a forbidden bit that leaves the door as it is; None for nothing.
        """
        first, records = self._one.take(one, self._occasion)
        second, others = self._two.take(two, self._occasion)
        self._tally.frames += len(one)
        self._tally.left += len(first)
        found = _frames_differ(one, first, second)
        if found is None and forbidden is not None:
            found = _leaks(one, first, forbidden)
        if found is not None:
            return found
        if not self._same_values(one, two, first, second):
            return Difference(None, "decoded signals")
        self._tally.records += len(records)
        if [record.values for record in records] != [record.values for record in others]:
            return Difference(None, "records")
        if self.account() != self.account(second=True):
            return Difference(None, "the account")
        return None

    def alone(self, frame: FrameBatch) -> bytes | None:
        """What leaves the door of one frame; None for nothing."""
        left = self._one.door.admit(frame, self._occasion.withhold)
        return left.frame(0).data if len(left) else None

    def account(self, *, second: bool = False) -> tuple[Hop, Mapping[tuple[str, int], int]]:
        """What one of the doors counted."""
        door = (self._two if second else self._one).door
        return door.hop(), door.refused_ids()

    def _same_values(self, one: FrameBatch, two: FrameBatch, first: FrameBatch, second: FrameBatch) -> bool:
        """Whether both masked batches decode alike, and to what the frames as they came had.

        What was put together of segments stands in no frame as it came, and is not compared with it.
        """
        values = self._plan.decode(first).columns
        if not _equal(values, self._plan.decode(second).columns):
            return False
        self._tally.values += sum(len(column.rows) for column in values.values())
        for whole, left in ((one, first), (two, second)):
            if len(left) and not (left.flags & ~whole.take(_places(whole, left)).flags).any():
                raw = self._plan.decode(whole.take(_places(whole, left))).columns
                if not _equal(values, raw):
                    return False
        return True


def plain(described: Described) -> dict[str, tuple[Database, ...]]:
    """The databases of each bus without their classes."""
    return {bus: tuple(one.database for one in each) for bus, each in described.databases.items()}


def _places(whole: FrameBatch, left: FrameBatch) -> npt.NDArray[np.intp]:
    """Where the frames that left stand in the batch that came."""
    found: npt.NDArray[np.intp] = np.searchsorted(whole.t_ns, left.t_ns)
    return found


def _frames_differ(whole: FrameBatch, first: FrameBatch, second: FrameBatch) -> Difference | None:
    if len(first) != len(second) or (first.t_ns != second.t_ns).any():
        odd = np.setxor1d(first.t_ns, second.t_ns)
        return Difference(int(np.searchsorted(whole.t_ns, odd[0])), "whether the frame passes")
    for column in ("arbitration_id", "flags", "length", "bus"):
        differs = np.flatnonzero(getattr(first, column) != getattr(second, column))
        if len(differs):
            return Difference(int(_places(whole, first)[differs[0]]), "the frame itself")
    width = max(first.data.shape[1], second.data.shape[1])
    rows = np.flatnonzero((first.widened(width).data != second.widened(width).data).any(axis=1))
    if len(rows):
        return Difference(int(_places(whole, first)[rows[0]]), "the frame itself")
    return None


def _leaks(whole: FrameBatch, left: FrameBatch, forbidden: npt.NDArray[np.uint8]) -> Difference | None:
    places = _places(whole, left)
    width = min(left.data.shape[1], forbidden.shape[1])
    rows = np.flatnonzero((left.data[:, :width] & forbidden[places, :width]).any(axis=1))
    return Difference(int(places[rows[0]]), "the frame itself") if len(rows) else None


def _equal(one: Mapping[SignalRef, Column], other: Mapping[SignalRef, Column]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(column.rows, other[ref].rows)
        and np.array_equal(_bits(column.values), _bits(other[ref].values))
        for ref, column in one.items()
    )


def _bits(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Values so that one that is no number equals itself."""
    return values.view(np.int64) if values.dtype == np.float64 else values
