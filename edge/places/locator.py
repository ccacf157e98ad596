"""Where a position is on the buses, and what single frames say of it, as a record would read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from edge.catalogue.bound import Binding, BoundItem, One, Reading
from edge.database.layout import PDU1_FORMATS
from edge.database.model import Message, SignalRef
from edge.decode.lookup import FIRST_CODE, Described, Lookup
from edge.decode.message import Column
from edge.decode.payloads import Payloads
from edge.decode.plan import DecodePlan
from edge.errors import PolicyError
from edge.frames import CLASSIC_BYTES, FrameBatch, Indices
from edge.places.precision import LAT_ITEM, LON_ITEM
from edge.policy.classed import ClassedDatabase
from edge.policy.rules import Datum
from edge.vehicle.evaluate import Evaluate, evaluator

VALID_ITEM, DATUM_ITEM = "gnss.valid", "gnss.datum"
ANY_DATUM: tuple[Datum, ...] = (Datum.WGS84, Datum.GCJ02)

Booleans = npt.NDArray[np.bool_]

_ID_ENDS = 1 << 11
_GROUPS = 1 << 18

_DATUMS: Mapping[object, tuple[Datum, ...]] = {1: (Datum.WGS84,), 2: (Datum.GCJ02,)}


def datums_of(value: object) -> tuple[Datum, ...]:
    """The datums that a position may be in, by the value of the item gnss.datum; both if it does not tell."""
    return _DATUMS.get(value, ANY_DATUM)


@dataclass(frozen=True, slots=True)
class OnBus:
    """A bound item, and the bus that its signals are on."""

    bus: str
    bound: BoundItem

    @property
    def refs(self) -> tuple[SignalRef, ...]:
        """All signals that decide about its value."""
        return tuple(SignalRef(self.bus, name.message, name.signal) for name in self.bound.signals)


@dataclass(frozen=True, slots=True)
class Locator:
    """Signals that together say where the vehicle is.

    Attributes:
        lon: what fills gnss.lon.
        lat: what fills gnss.lat.
        valid: what fills gnss.valid; None if nothing on a bus does.
        datum: what fills gnss.datum; None if nothing on a bus does.
    """

    lon: OnBus
    lat: OnBus
    valid: OnBus | None = None
    datum: OnBus | None = None

    @property
    def freshness_ns(self) -> int:
        """A position older than this is in no record."""
        return max(self.lon.bound.freshness_ns, self.lat.bound.freshness_ns)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one frame, or one group of observations, says of a position; never shown.

    Attributes:
        row: place of the frame in its batch.
        locator: number of the locator.
        t_ns: its own time.
        lons: longitudes in steps of 1e-6 degrees, also one that a record would not take; empty without one.
        lats: latitudes likewise.
        sound: whether a record would take what is there.
        unreadable: whether it carries bits of a position that give no value.
        datums: those that the position may be in.
    """

    row: int
    locator: int
    t_ns: int
    lons: tuple[int, ...] = field(repr=False)
    lats: tuple[int, ...] = field(repr=False)
    sound: bool
    unreadable: bool
    datums: tuple[Datum, ...]


def locators_of(bindings: Mapping[str, Sequence[Binding]]) -> tuple[Locator, ...]:
    """Find where positions are on the buses.

    Args:
        bindings: those of each bus.

    Returns:
        One for each bus that binds longitude and latitude; where none binds both, one for each longitude and
        latitude.
    """
    found: dict[str, list[OnBus]] = {item_id: [] for item_id in (LON_ITEM, LAT_ITEM, VALID_ITEM, DATUM_ITEM)}
    for bus, several in bindings.items():
        for bound in (bound for binding in several for bound in binding):
            if bound.id in found:
                found[bound.id].append(OnBus(bus, bound))
    pairs = [(lon, lat) for lon in found[LON_ITEM] for lat in found[LAT_ITEM]]
    together = [(lon, lat) for lon, lat in pairs if lon.bus == lat.bus]
    return tuple(
        Locator(lon, lat, _nearest(found[VALID_ITEM], lon.bus), _nearest(found[DATUM_ITEM], lon.bus))
        for lon, lat in together or pairs
    )


def _nearest(several: Sequence[OnBus], bus: str) -> OnBus | None:
    return next((one for one in several if one.bus == bus), several[0] if several else None)


class PositionReader:
    """Reads the positions in raw batches: nothing else is decoded, and no position is kept.

    Args:
        locators: where they are.
        databases: of each bus, with their classes.
        default_datum: of positions of locators without a datum; None if nobody knows.

    Raises:
        PolicyError: if a position cannot be read before the door: one that several signals make up, or that
            comes in messages of several frames.
    """

    def __init__(
        self,
        locators: Sequence[Locator],
        databases: Mapping[str, Sequence[ClassedDatabase]],
        default_datum: Datum | None,
    ) -> None:
        self._lines = [_Line(locator, default_datum) for locator in locators]
        wanted = frozenset(ref for line in self._lines for ref in line.refs)
        buses = {ref.bus for ref in wanted}
        plain = {
            bus: [classed.database for classed in several]
            for bus, several in databases.items()
            if bus in buses
        }
        self._plan = DecodePlan(plain, wanted=wanted)
        for locator in locators:
            for part in (locator.lon, locator.lat):
                _refuse_segments(part, databases.get(part.bus, ()))
        self._lookup = Lookup(self._plan.by_bus)
        self._wanted = {(ref.bus, ref.message) for ref in wanted}
        self._sieve = _Sieve(
            known.message for name, known in self._plan.messages.items() if name in self._wanted
        )
        self._ends = _ends(self._plan, [line.points for line in self._lines])
        self._carries = np.zeros(FIRST_CODE, np.bool_)
        self._whole_bytes = np.zeros(FIRST_CODE, np.uint16)

    def read(self, batch: FrameBatch) -> list[Sighting]:
        """What the frames of a batch say, in their order; frames without any of a position are left out."""
        rows = self._sieve.rows(batch)
        if not len(rows):
            return []
        frames = batch.take(rows)
        codes = self._lookup.codes(frames)
        if len(self._lookup.described) + FIRST_CODE > len(self._carries):
            self._follow()
        carries = self._carries.take(codes)
        if not carries.all():
            rows, codes, frames = rows[carries], codes[carries], frames.take(carries)
        short = (frames.length < self._whole_bytes.take(codes)).tolist()
        said: list[dict[SignalRef, int | float]] = [{} for _ in short]
        for code in set(codes.tolist()):
            for ref, column in self._columns(
                self._lookup.described[code - FIRST_CODE], frames, codes == code
            ):
                for place, value in zip(column.rows.tolist(), column.values.tolist(), strict=True):
                    said[place][ref] = value
        found: list[Sighting] = []
        for row, t_ns, cut, values in zip(rows.tolist(), frames.t_ns.tolist(), short, said, strict=True):
            for number, line in enumerate(self._lines):
                sighting = line.take(row, number, t_ns, values, cut=cut)
                if sighting is not None:
                    found.append(sighting)
        return found

    def _columns(
        self, described: Described, frames: FrameBatch, chosen: Booleans
    ) -> Iterable[tuple[SignalRef, Column]]:
        """The wanted signals of frames of one code; a few at a time are all there are of them."""
        places = np.flatnonzero(chosen)
        if any(message.contained for message in described.messages):
            found = self._plan.decode(frames.take(places)).columns
            return [(ref, Column(places[column.rows], column.values)) for ref, column in found.items()]
        columns: dict[SignalRef, Column] = {}
        with np.errstate(all="ignore"):
            for message in described.messages:
                plan = self._plan.messages[described.bus, message.name]
                if plan.groups:
                    payloads = Payloads.of_bytes(frames.data[places], plan.needed_bytes)
                    plan.decode(payloads, frames.length[places], places, columns)
        return columns.items()

    def _follow(self) -> None:
        """Follow the lookup, which grows as it meets new ids."""
        carries, whole = [False] * FIRST_CODE, [0] * FIRST_CODE
        for described in self._lookup.described:
            names = [
                (described.bus, one.name)
                for message in described.messages
                for one in (message, *message.contained)
            ]
            carries.append(not self._wanted.isdisjoint(names))
            whole.append(max((self._ends.get(name, 0) for name in names), default=0))
        self._carries = np.array(carries, np.bool_)
        self._whole_bytes = np.array(whole, np.uint16)


class _Sieve:
    """Leaves few frames to be looked at: all of some messages, and such as share the end of their ids."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self._ends = np.zeros(_ID_ENDS, np.bool_)
        self._groups = np.zeros(_GROUPS, np.bool_)
        for message in messages:
            if message.pgn is None:
                self._ends[message.arbitration_id % _ID_ENDS] = True
                continue
            # The lower half of a group below 0xF000 is where a frame says whom it is for.
            addressed = message.pgn >> 8 & 0xFF < PDU1_FORMATS
            self._groups[message.pgn : message.pgn + (256 if addressed else 1)] = True
        self._by_group = bool(self._groups.any())

    def rows(self, batch: FrameBatch) -> Indices:
        """The places of the frames that are left."""
        likely = self._ends.take(batch.arbitration_id & np.uint32(_ID_ENDS - 1))
        if self._by_group:
            likely |= self._groups.take(batch.arbitration_id >> np.uint32(8) & np.uint32(_GROUPS - 1))
        return likely.nonzero()[0]


class _Line:
    """One locator on its way: the last values of what stands beside its positions."""

    def __init__(self, locator: Locator, default_datum: Datum | None) -> None:
        self._lon, self._lat = _Angle(locator.lon), _Angle(locator.lat)
        self.points = (self._lon.ref, self._lat.ref)
        self._valid = None if locator.valid is None else evaluator(locator.valid.bound, locator.valid.bus, {})
        self._datum = None if locator.datum is None else evaluator(locator.datum.bound, locator.datum.bus, {})
        self._default = ANY_DATUM if default_datum is None else (default_datum,)
        beside = [part for part in (locator.valid, locator.datum) if part is not None]
        self.refs = frozenset(ref for part in (locator.lon, locator.lat, *beside) for ref in part.refs)
        self._values: dict[SignalRef, int | float] = {}
        self._times: dict[SignalRef, int] = {}

    def take(
        self, row: int, number: int, t_ns: int, said: Mapping[SignalRef, int | float], *, cut: bool
    ) -> Sighting | None:
        """What a frame says; None if it has nothing of a position.

        Args:
            row: its place.
            number: of this locator.
            t_ns: its time.
            said: the values of the signals in it.
            cut: whether it is too short to hold a position.
        """
        for ref in self.refs & said.keys():
            if t_ns >= self._times.get(ref, t_ns):
                self._values[ref], self._times[ref] = said[ref], t_ns
        parts = [part for part in (self._lon, self._lat) if part.ref in said]
        if not parts and not cut:
            return None
        at_ns = t_ns + 1
        sound = all(isinstance(part.recorded(self._values, self._times, {}, at_ns), int) for part in parts)
        if self._valid is not None:
            sound &= self._valid(self._values, self._times, {}, at_ns) == 1
        datums = self._default
        if self._datum is not None:
            datums = datums_of(self._datum(self._values, self._times, {}, at_ns))
        # A position is judged and forgotten; what is kept beside it says nothing of a place.
        for ref in self.points:
            self._values.pop(ref, None)
            self._times.pop(ref, None)
        lons, lats = self._lon.steps(said), self._lat.steps(said)
        return Sighting(
            row=row,
            locator=number,
            t_ns=t_ns,
            lons=lons,
            lats=lats,
            sound=sound and bool(parts),
            unreadable=len(lons) + len(lats) < len(parts) or (cut and len(parts) < len(self.points)),
            datums=datums,
        )


class _Angle:
    """Longitude or latitude: as a record would have it, and as anybody may read it in the frame's bits."""

    def __init__(self, part: OnBus) -> None:
        source = part.bound.source
        if not isinstance(source, One):
            raise PolicyError(
                f"'{part.bound.id}' is not one signal, so that forbidden areas cannot be kept",
                where=part.bound.where,
                todo="Bind it to one signal, or leave the areas away",
            )
        self.ref = SignalRef(part.bus, source.signal.message, source.signal.signal)
        self.recorded: Evaluate = evaluator(part.bound, part.bus, {})
        self._bare: Reading = replace(source.reading, invalid=frozenset(), abnormal=frozenset())

    def steps(self, said: Mapping[SignalRef, int | float]) -> tuple[int, ...]:
        """Its value in steps of 1e-6 degrees whether it is valid or not; none if it has no such value."""
        value = said.get(self.ref)
        element = None if value is None else self._bare.element(value)
        return (element,) if isinstance(element, int) else ()


def _ends(plan: DecodePlan, points: Sequence[tuple[SignalRef, ...]]) -> Mapping[tuple[str, str], int]:
    """How many bytes a frame of each message must have to hold its part of a position whole."""
    found: dict[tuple[str, str], int] = {}
    for ref in (ref for several in points for ref in several):
        known = plan.messages.get((ref.bus, ref.message))
        if known is not None and known.message.header_id is None:
            end = max(known.message.signal(ref.signal).bits) // 8 + 1
            found[ref.bus, ref.message] = max(end, found.get((ref.bus, ref.message), 0))
    return found


def _refuse_segments(part: OnBus, databases: Sequence[ClassedDatabase]) -> None:
    """Refuse a position in what only the door puts together or takes apart: segments, and containers."""
    for classed, message in _messages(part, databases):
        pgns = {channel.pgn for channel in classed.channels} - {None}
        diagnostic = any(
            channel.message == message.name
            or (channel.arbitration_id, channel.extended) == (message.arbitration_id, message.extended)
            for channel in classed.channels
        )
        long = message.pgn is not None and message.length > CLASSIC_BYTES and not message.is_fd
        if diagnostic or long or message.pgn in pgns or message.header_id is not None:
            raise PolicyError(
                f"'{part.bound.id}' comes in several frames, or in a container, so that forbidden areas "
                "cannot be kept",
                where=part.bound.where,
                todo="Bind it to a message that has its frames for itself, or leave the areas away",
            )


def _messages(part: OnBus, databases: Sequence[ClassedDatabase]) -> Iterator[tuple[ClassedDatabase, Message]]:
    names = {name.message for name in part.bound.source.signals}
    for classed in databases:
        for outer in classed.database.messages:
            for message in (outer, *outer.contained):
                if message.name in names:
                    yield classed, message
