"""`PlaceGuard`: which classes are withheld at each frame, because of where the vehicle is or may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from types import MappingProxyType
from typing import Self

import numpy as np

from edge.account import Hop
from edge.catalogue.binding import FRESHNESS_PERIODS
from edge.catalogue.bound import Binding
from edge.catalogue.catalogue import Catalogue, builtin
from edge.catalogue.quantise import Quantiser
from edge.clock import NS_PER_S
from edge.errors import CatalogueError
from edge.frames import FrameBatch, Int64s
from edge.places.area import Fences
from edge.places.geohash import STEPS_A_DEGREE
from edge.places.locator import (
    ANY_DATUM,
    DATUM_ITEM,
    VALID_ITEM,
    Locator,
    PositionReader,
    Sighting,
    datums_of,
    locators_of,
)
from edge.places.precision import LAT_ITEM, LON_ITEM
from edge.places.track import NEVER, Track
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.rules import Area, Datum
from edge.records import Missing
from edge.sensors.observation import Observation

Stretch = tuple[slice, frozenset[DataClass]]
"""Frames of a batch, and the classes that are withheld from them."""

UNKNOWN = "unknown"
INSIDE_CAUSE = "inside a forbidden area"
UNKNOWN_CAUSE = "place unknown"

_NOTHING: frozenset[DataClass] = frozenset()
_NOWHERE: frozenset[int] = frozenset()
_OF_THE_VEHICLE = frozenset({DataClass.OPERATION, DataClass.HEALTH})
"""Withheld inside of areas that say so, but not only because nobody knows where the vehicle is."""

_FOREVER_NS = 1 << 62


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What holds from some frame on.

    Attributes:
        withheld: the classes that are withheld.
        cause: why; empty if nothing is.
        before_ns: frames that are older than this come late, from before something was let pass again.
        before: the classes that are withheld from them.
    """

    withheld: frozenset[DataClass]
    cause: str
    before_ns: int = NEVER
    before: frozenset[DataClass] = _NOTHING


class PlaceGuard:
    """Watches where the vehicle is, before the door, and says what the door must withhold there.

    Inside an area, or within its margin, the area's classes are withheld: from the very frame on that says
    so, and until a position outside has come that a record would take. What has been inside stays inside
    while no position comes. Where the last position is older than a record would take it, or none has come
    yet, the place is unknown, and the classes of all areas are withheld but operation and health.

    It keeps verdicts, not positions; nothing that it counts, logs, raises or shows holds a position or names
    an area, but `place`, which is for the person in the vehicle. Not for use by several threads at once.
    """

    def __init__(
        self,
        areas: Sequence[Area],
        locators: Sequence[Locator] = (),
        databases: Mapping[str, Sequence[ClassedDatabase]] | None = None,
        *,
        default_datum: Datum | None = Datum.WGS84,
        catalogue: Catalogue | None = None,
    ) -> None:
        """Prepare for some areas; without any, it does nothing and costs nothing.

        Args:
            areas: places in which less is collected.
            locators: where positions are on the buses.
            databases: of each bus, with their classes.
            default_datum: of positions that come without one; None if nobody knows.
            catalogue: the items; the built-in one by default.

        Raises:
            PolicyError: if an area cannot be one, or a position cannot be read before the door.
        """
        locators = locators if areas else ()
        self._fences = Fences(areas)
        self._catalogue = catalogue or builtin()
        self._reader = PositionReader(locators, databases or {}, default_datum)
        self._tracks = [Track(locator.freshness_ns, self._inside) for locator in locators]
        lon = self._catalogue.item(LON_ITEM)
        self._limit_ns = round(FRESHNESS_PERIODS * lon.period_s * NS_PER_S)
        self._observed = Track(self._limit_ns, self._inside)
        self._all = (*self._tracks, self._observed)
        self._datum_seen: tuple[int, tuple[Datum, ...]] | None = None
        self._default = ANY_DATUM if default_datum is None else (default_datum,)
        self._quantise = {one: Quantiser(self._catalogue.item(one)) for one in (LON_ITEM, LAT_ITEM)}
        self._class_of: dict[str, DataClass] = {}
        self._unsure = _NOTHING.union(*(area.withhold for area in areas)) - _OF_THE_VEHICLE
        self._frames_ns = NEVER
        self._now_ns = NEVER
        self._old_after_ns = NEVER
        self._verdict = _Verdict(self._unsure, UNKNOWN_CAUSE if self._unsure else "")
        self._entered = self._left = 0
        self._set_aside: Counter[str] = Counter()
        self._facts: Counter[str] = Counter()

    @classmethod
    def of(
        cls,
        areas: Sequence[Area],
        databases: Mapping[str, Sequence[ClassedDatabase]],
        bindings: Mapping[str, Sequence[Binding]],
        *,
        default_datum: Datum | None = Datum.WGS84,
    ) -> Self:
        """Make a guard that finds the positions by the bindings of each bus.

        Raises:
            PolicyError: see the class.
        """
        return cls(areas, locators_of(bindings) if areas else (), databases, default_datum=default_datum)

    def __repr__(self) -> str:
        return f"<PlaceGuard of {len(self._fences)} areas>"

    @property
    def withheld(self) -> frozenset[DataClass]:
        """The classes withheld now, as far as frames, observations and `settle` have told the time."""
        return self._verdict.withheld

    @property
    def place(self) -> str | None:
        """Name of the area that the vehicle is in, several with commas; ``unknown``; None outside of all."""
        if not self._fences:
            return None
        fresh, inside = self._where()
        if inside:
            return ", ".join(self._fences.areas[number].name for number in sorted(inside))
        return None if fresh else UNKNOWN

    def settle(self, up_to_ns: int) -> None:
        """Let time pass up to `up_to_ns` although nothing came: a position grows old by it."""
        if self._fences:
            self._advance(max(up_to_ns, self._now_ns))

    def judge(self, batch: FrameBatch) -> tuple[Stretch, ...]:
        """Say what to withhold from each frame; how frames are batched makes no difference.

        Args:
            batch: frames as they came from a bus, through no door.

        Returns:
            Stretches that together are the batch, in order; one if nothing changes in it.
        """
        count = len(batch)
        if not self._fences or not count:
            return ((slice(0, count), self._verdict.withheld),)
        sightings = self._reader.read(batch)
        newest_ns = max(int(batch.t_ns.max()), self._frames_ns)
        if not sightings and self._now_ns == self._frames_ns and newest_ns <= self._old_after_ns:
            self._now_ns = self._frames_ns = newest_ns
            return self._stretches(batch.t_ns, ((0, self._verdict),))
        self._advance(max(int(batch.t_ns[0]), self._frames_ns))
        cuts = [(0, self._verdict)]
        if sightings or newest_ns > self._old_after_ns:
            reached = np.maximum(np.maximum.accumulate(batch.t_ns), np.int64(self._frames_ns))
            inside = iter(self._inside_each(sightings))
            start = 0
            for row, several in groupby(sightings, key=lambda sighting: sighting.row):
                self._expire(reached, start, row + 1, cuts)
                self._advance(int(reached[row]))
                lost = False
                for sighting in several:
                    lost |= self._take(self._tracks[sighting.locator], sighting, next(inside))
                start = row + 1
                if lost:
                    cuts.append((row, self._doubted()))
                    cuts.append((start, self._verdict))
                else:
                    cuts.append((row, self._verdict))
            self._expire(reached, start, count, cuts)
        self._frames_ns = newest_ns
        self._advance(newest_ns)
        return self._stretches(batch.t_ns, cuts)

    def judge_observations(self, observations: Iterable[Observation]) -> tuple[Observation, ...]:
        """Leave out what may not be kept: observations of the classes that are withheld where they were made.

        Those of one `t_ns` that follow each other belong together.

        Args:
            observations: of sensors beside CAN, in the order of time.

        Returns:
            Those that may be kept, in the same order; the others are counted.
        """
        if not self._fences:
            return tuple(observations)
        kept: list[Observation] = []
        for t_ns, group in groupby(observations, key=lambda observation: observation.t_ns):
            several = tuple(group)
            self._advance(max(t_ns, self._frames_ns))
            sighting = self._sighting(t_ns, several)
            lost = sighting is not None and self._take(self._observed, sighting, None)
            verdict = self._doubted() if lost else self._verdict
            for observation in several:
                self._entered += 1
                if self._class(observation.item_id) in verdict.withheld:
                    self._set_aside[verdict.cause] += 1
                else:
                    self._left += 1
                    kept.append(observation)
        return tuple(kept)

    def hop(self) -> Hop:
        """The account of the observations, and how many frames were judged where."""
        return Hop(
            name="places",
            unit="observations",
            entered=self._entered,
            left=self._left,
            set_aside=MappingProxyType(dict(self._set_aside)),
            facts=MappingProxyType({fact: count for fact, count in self._facts.items() if count}),
        )

    def _take(self, track: Track, sighting: Sighting, inside: frozenset[int] | None) -> bool:
        """Judge a sighting; tell whether it could not be, so that what carries it must not pass."""
        lost = track.take(sighting, inside)
        self._facts["positions judged"] += not lost
        self._facts["positions that could not be judged"] += lost
        self._conclude(sighting.t_ns)
        return lost

    def _advance(self, now_ns: int) -> None:
        self._now_ns = now_ns
        self._conclude(now_ns)

    def _conclude(self, t_ns: int) -> None:
        """Find the verdict of this moment; what changed did so at `t_ns`."""
        self._old_after_ns = self._due_ns()
        fresh, inside = self._where()
        withheld = _NOTHING.union(*(self._fences.areas[number].withhold for number in inside))
        if not fresh:
            withheld |= self._unsure
        last = self._verdict
        cause = (INSIDE_CAUSE if inside else UNKNOWN_CAUSE) if withheld else ""
        if withheld == last.withheld and cause == last.cause:
            return
        self._facts["changes of what is withheld"] += withheld != last.withheld
        if last.withheld - withheld:
            self._verdict = _Verdict(withheld, cause, t_ns, last.withheld)
        else:
            self._verdict = _Verdict(withheld, cause, last.before_ns, last.before)

    def _doubted(self) -> _Verdict:
        """The verdict on what carries a position that cannot be judged."""
        last = self._verdict
        return _Verdict(
            last.withheld | self._unsure, last.cause or UNKNOWN_CAUSE, last.before_ns, last.before
        )

    def _where(self) -> tuple[bool, frozenset[int]]:
        """Whether the place is known now, and the areas that the vehicle is in, or was last."""
        fresh = [track for track in self._all if track.fresh(self._now_ns)]
        return bool(fresh), _NOWHERE.union(*(track.areas or _NOWHERE for track in fresh or self._all))

    def _due_ns(self) -> int:
        """After this moment a position is too old that counts now."""
        return min(
            (track.t_ns + track.limit_ns for track in self._all if track.fresh(self._now_ns)),
            default=_FOREVER_NS,
        )

    def _expire(self, reached: Int64s, start: int, stop: int, cuts: list[tuple[int, _Verdict]]) -> None:
        """Let the time of the frames from `start` to `stop` pass."""
        while start < stop and self._old_after_ns < reached[stop - 1]:
            start += int(np.searchsorted(reached[start:stop], self._old_after_ns, side="right"))
            self._advance(int(reached[start]))
            cuts.append((start, self._verdict))

    def _inside(self, pairs: Iterable[tuple[int, int]], datums: tuple[Datum, ...]) -> frozenset[int]:
        """The numbers of the areas that any of some positions, in steps of 1e-6 degrees, lies in."""
        places = np.array(list(pairs), np.float64).reshape(-1, 2) / STEPS_A_DEGREE
        found = self._fences.holds(places[:, 0], places[:, 1], datums).any(axis=0)
        return frozenset(np.flatnonzero(found).tolist())

    def _inside_each(self, sightings: Sequence[Sighting]) -> list[frozenset[int] | None]:
        """The areas of each whole position, all judged at once; None for what is none."""
        inside: list[frozenset[int] | None] = [None] * len(sightings)
        whole: dict[tuple[Datum, ...], list[int]] = {}
        for number, sighting in enumerate(sightings):
            if sighting.lons and sighting.lats:
                whole.setdefault(sighting.datums, []).append(number)
        for datums, numbers in whole.items():
            places = np.array([(*sightings[one].lons, *sightings[one].lats) for one in numbers], np.float64)
            places /= STEPS_A_DEGREE
            found = self._fences.holds(places[:, 0], places[:, 1], datums)
            for number in numbers:
                inside[number] = _NOWHERE
            for row in np.flatnonzero(found.any(axis=1)).tolist():
                inside[numbers[row]] = frozenset(np.flatnonzero(found[row]).tolist())
        return inside

    def _sighting(self, t_ns: int, observations: Sequence[Observation]) -> Sighting | None:
        """What observations of one moment say of a position; None if nothing."""
        angles: dict[str, list[int]] = {LON_ITEM: [], LAT_ITEM: []}
        sound = True
        for observation in observations:
            value = observation.value
            if observation.item_id == VALID_ITEM:
                sound &= value == 1
            elif observation.item_id == DATUM_ITEM:
                self._datum_seen = (t_ns, datums_of(value))
            elif observation.item_id in angles and not isinstance(value, Missing):
                steps = self._quantise[observation.item_id](value)
                if isinstance(steps, int):
                    angles[observation.item_id].append(steps)
        lons, lats = tuple(angles[LON_ITEM]), tuple(angles[LAT_ITEM])
        if not lons and not lats:
            return None
        datums = self._default
        if self._datum_seen is not None:
            seen_ns, datums = self._datum_seen
            datums = datums if t_ns - seen_ns <= self._limit_ns else ANY_DATUM
        return Sighting(0, 0, t_ns, lons, lats, sound, unreadable=False, datums=datums)

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

    def _stretches(self, t_ns: Int64s, cuts: Sequence[tuple[int, _Verdict]]) -> tuple[Stretch, ...]:
        """Stretches of equal classes, from cuts in rising order, of which the last at a place counts."""
        found: list[Stretch] = []
        verdicts = dict(cuts)
        for start, stop in zip(verdicts, [*list(verdicts)[1:], len(t_ns)], strict=True):
            if start < stop:
                self._count(verdicts[start].cause, stop - start)
                for part, withheld in _parts(verdicts[start], t_ns, start, stop):
                    if found and found[-1][1] == withheld:
                        part = slice(found.pop()[0].start, part.stop)  # noqa: PLW2901 - the longer part
                    found.append((part, withheld))
        return tuple(found)

    def _count(self, cause: str, frames: int) -> None:
        if cause:
            self._facts[f"frames {cause}"] += frames


def _parts(verdict: _Verdict, t_ns: Int64s, start: int, stop: int) -> Iterable[Stretch]:
    """The stretches of one verdict: late frames are judged by what held when they were sent."""
    if not verdict.before - verdict.withheld or t_ns[start:stop].min() >= verdict.before_ns:
        return [(slice(start, stop), verdict.withheld)]
    late = t_ns[start:stop] < verdict.before_ns
    edges = [start, *(np.flatnonzero(late[1:] != late[:-1]) + start + 1).tolist(), stop]
    return [
        (slice(one, end), verdict.withheld | verdict.before if late[one - start] else verdict.withheld)
        for one, end in pairwise(edges)
    ]
