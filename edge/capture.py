"""Capture: sources and door as one, so that nothing but masked batches is ever handed on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge.account import Hop
from edge.bus.condition import BusCondition, Conditions
from edge.bus.source import FrameSource
from edge.catalogue.catalogue import Catalogue, builtin
from edge.clock import Clock
from edge.closing import Closing
from edge.errors import CatalogueError
from edge.frames import FrameBatch
from edge.policy.classes import DataClass
from edge.policy.door import NOTHING_ALLOWED, Door
from edge.sensors.observation import Observation
from edge.sensors.source import ItemSource


@dataclass(frozen=True, slots=True)
class Captured:
    """What came in at one reading, of which nothing may not be collected.

    Attributes:
        batches: masked frames in order, each under the mask that it names; at least one, perhaps empty.
        observations: what sensors beside CAN said.
    """

    batches: tuple[FrameBatch, ...]
    observations: tuple[Observation, ...] = ()


class Guard(Protocol):
    """Sees what comes in before the door, and says where less may be collected (`edge.places.guard`)."""

    def judge(self, batch: FrameBatch) -> Sequence[tuple[slice, frozenset[DataClass]]]:
        """Cut a batch into stretches, each with the classes that are withheld in it."""

    def judge_observations(self, observations: Sequence[Observation]) -> tuple[Observation, ...]:
        """The observations without those that are withheld."""

    def settle(self, up_to_ns: int) -> None:
        """Let time pass although nothing came."""

    @property
    def place(self) -> str | None:
        """See `MaskedSource.place`."""

    def hop(self) -> Hop:
        """The account of what was judged."""


class MaskedSource(Closing):
    """Where the core gets frames and observations from: capture in this process, or in one of its own."""

    @property
    @abstractmethod
    def live(self) -> bool:
        """Whether frames come by themselves, so that time goes on without them."""

    @abstractmethod
    def read(self, timeout_s: float) -> Captured | None:
        """Read what has come.

        Args:
            timeout_s: how long to wait for frames.

        Returns:
            Masked batches, one of them empty if nothing came in time; None at the end of a recording.

        Raises:
            SourceError: the source cannot be read on.
        """

    @abstractmethod
    def adopt(self, collect: Collection[DataClass], admission: str) -> None:
        """Collect other classes from the next batch on; see `Door.adopt`."""

    @property
    def longest_wait_s(self) -> float:
        """For so long `read` may be asked to wait: nothing falls due meanwhile that it does not see to."""
        return 0.1

    def wake(self) -> None:
        """Have `read` come back soon with all that has come; any thread may call it."""

    @property
    def behind(self) -> bool:
        """Whether the last reading left frames that could have been read."""
        return False

    @property
    def place(self) -> str | None:
        """Name of the area that the vehicle is in, ``unknown``, or None outside of all."""
        return None

    @property
    def buses(self) -> tuple[BusCondition, ...]:
        """How each live bus stands, as far as that was told."""
        return ()

    @abstractmethod
    def close(self) -> None:
        """Stop taking frames in; what was taken in before can still be read."""

    @abstractmethod
    def hops(self) -> tuple[Hop, ...]:
        """Report what the sources saw, and what guard and door let pass."""


class Capture(MaskedSource):
    """Takes frames from a source and hands on what the door admits.

    What is behind it never sees an unmasked frame, nor a position from inside a forbidden area.

    Args:
        source: frames in time order.
        door: what may pass.
        sensors: item sources beside CAN; closed with the source.
        guard: knows where less may be collected; None where no area is forbidden.
        clock: tells a guard how late it is while no frame comes from a live source; without one, frames do.
        catalogue: says of which class an item is; the built-in one by default.
        conditions: where the source puts down how its buses stand.
    """

    def __init__(
        self,
        source: FrameSource,
        door: Door,
        *,
        sensors: Sequence[ItemSource] = (),
        guard: Guard | None = None,
        clock: Clock | None = None,
        catalogue: Catalogue | None = None,
        conditions: Conditions | None = None,
    ) -> None:
        self._source = source
        self._conditions = conditions
        self._door = door
        self._sensors = sensors
        self._guard = guard
        self._clock = clock
        self._catalogue = catalogue or builtin()
        self._class_of: dict[str, DataClass] = {}
        self._observed = self._kept = 0

    @property
    def live(self) -> bool:
        """See `MaskedSource.live`."""
        return self._source.live

    def read(self, timeout_s: float) -> Captured | None:
        """See `MaskedSource.read`."""
        batch = self._source.read(timeout_s)
        if batch is None:
            return None
        observations = tuple(one for sensor in self._sensors for one in sensor.read(0) or ())
        if self._guard is None:
            return Captured((self._door.admit(batch),), self._admitted(observations))
        observations = self._admitted(self._guard.judge_observations(observations))
        if self._clock is not None and self._source.live and not len(batch):
            self._guard.settle(self._clock.boot_ns())
        stretches = self._guard.judge(batch)
        return Captured(
            tuple(self._door.admit(batch.take(part), withhold) for part, withhold in stretches), observations
        )

    @property
    def behind(self) -> bool:
        """See `MaskedSource.behind`."""
        return self._source.behind

    @property
    def place(self) -> str | None:
        """See `MaskedSource.place`."""
        return None if self._guard is None else self._guard.place

    @property
    def buses(self) -> tuple[BusCondition, ...]:
        """See `MaskedSource.buses`."""
        return () if self._conditions is None else self._conditions.all()

    def adopt(self, collect: Collection[DataClass], admission: str) -> None:
        """See `MaskedSource.adopt`."""
        self._door.adopt(collect, admission)

    def close(self) -> None:
        """See `MaskedSource.close`."""
        self._source.close()
        for sensor in self._sensors:
            sensor.close()

    def hops(self) -> tuple[Hop, ...]:
        """See `MaskedSource.hops`."""
        guard = () if self._guard is None else (self._guard.hop(),)
        sensors = [sensor.hop() for sensor in self._sensors]
        if sensors:
            refused = self._observed - self._kept
            aside = {NOTHING_ALLOWED: refused} if refused else {}
            sensors.append(Hop("door", "observations", self._observed, self._kept, aside))
        return (self._source.hop(), *guard, self._door.hop(), *sensors)

    def _admitted(self, observations: Sequence[Observation]) -> tuple[Observation, ...]:
        """Those of a class that may be collected."""
        kept = tuple(one for one in observations if self._door.admits(self._class(one.item_id)))
        self._observed += len(observations)
        self._kept += len(kept)
        return kept

    def _class(self, item_id: str) -> DataClass:
        """The class of an item; what nobody knows is taken for a position."""
        found = self._class_of.get(item_id)
        if found is None:
            try:
                found = self._catalogue.item(item_id).data_class
            except CatalogueError:
                found = DataClass.POSITION
            self._class_of[item_id] = found
        return found
