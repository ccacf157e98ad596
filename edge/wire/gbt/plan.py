"""How the bodies of one edition and the items of records correspond: compiled once out of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge.catalogue.catalogue import Catalogue
from edge.records import Missing, Value
from edge.wire.gbt.field import Field, FieldKind
from edge.wire.gbt.layout import Layout
from edge.wire.gbt.message import Body
from edge.wire.gbt.options import Options
from edge.wire.gbt.packed import Gear, Position
from edge.wire.gbt.scale import Scale, scale_of
from edge.wire.gbt.slots import Array, Codes, Found, Number, Pairs, Reserved, Slot
from edge.wire.gbt.steps import Raws, missing_count
from edge.wire.gbt.told import Tell, Told, Why

_ROOM_BYTES = 64
"""What stands around a list in its unit: time, type, the fields beside it."""

_NUMBERS = frozenset({FieldKind.NUMBER, FieldKind.ENUM, FieldKind.FLAGS})
_GAPS_MOST = 65_531
"""The most cells of a pack, and the most that are filled in where no message brought them, for all packs."""


@dataclass(slots=True)
class Chunks:
    """The cells of one pack, as the messages of one instant bring them.

    Attributes:
        totals: what the messages say there are in all, as raw values.
        parts: raw voltages by the number of the first, and the field's count where there were none.
    """

    totals: list[int] = field(default_factory=list)
    parts: dict[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class Reading:
    """A record that is being put together out of messages.

    Attributes:
        tell: takes differences.
        found: values so far.
        seen: bodies, and groups of them, that were there already, with their raw values.
        chunks: cells of packs that may come in several messages, by number.
    """

    tell: Tell
    found: Found = field(default_factory=dict)
    seen: dict[tuple[int, int], Raws] = field(default_factory=dict)
    chunks: dict[int, Chunks] = field(default_factory=dict)


class Slots:
    """The slots of one level of a body.

    Args:
        layout: of that level.
        fields: its rows, those of bits too.
        catalogue: gives the items.
        options: the choices made.
    """

    def __init__(
        self, layout: Layout, fields: Sequence[Field], catalogue: Catalogue, options: Options
    ) -> None:
        self.layout = layout
        self.split: Array | None = None
        self.split_places = (0, 0)
        self._catalogue = catalogue
        self._options = options
        self._places = {name: place for place, name in enumerate(layout.names)}
        lists = sum(bool(one.count) for one in layout.fields) or 1
        self._list_bytes = (options.unit_bytes - _ROOM_BYTES) // lists
        self.slots = tuple(slot for row in layout.fields if (slot := self._slot(row, fields)) is not None)

    def _slot(self, row: Field, fields: Sequence[Field]) -> Slot | None:
        place = self._places[row.name]
        if row.kind is FieldKind.PACKED:
            parts = [one for one in fields if one.kind is FieldKind.BITS and one.group == row.group]
            if row.name == "gear":
                return Gear(place, row, parts, self._options)
            lon, lat = (self._scale(self._row(name)) for name in ("lon", "lat"))
            return Position((place, self._places["lon"], self._places["lat"]), lon, lat)
        apart = row.item in Position.templates or row.name in {"cells_total", "cells_first"}
        if apart or row.kind in {FieldKind.COUNT, FieldKind.INDEX}:
            return None
        if not row.item or (row.item.endswith("_pedal") and not self._options.pedals):
            return Reserved(place, row)
        if row.count:
            return self._list(row, place)
        return Number(place, self._scale(row), row.item)

    def _list(self, row: Field, place: int) -> Slot:
        count = self._row(row.count)
        places = (self._places[row.count], place)
        if row.kind is FieldKind.CODE:
            return Codes(places, count, row.item, self._options)
        if row.kind is FieldKind.GROUP:
            return Pairs(places, count, row.item, self._options)
        most = self._list_bytes // row.width
        made = Array(places, self._scale(row), count, row.item, self._options, most)
        if "cells_total" in self._places:
            made.most = self._row("cells_total").most or most
            self.split = made
            self.split_places = (self._places["cells_total"], self._places["cells_first"])
        return made

    def _row(self, name: str) -> Field:
        return self.layout.fields[self._places[name]]

    def _scale(self, row: Field) -> Scale:
        return scale_of(row, self._catalogue.item(row.item), self._options)

    def named(self, mark: str = "") -> Named:
        """The slots with the concrete ids of their items; `mark` stands for ``[i]``."""
        numbers: list[tuple[int, str, int, int, int, Scale]] = []
        others: list[tuple[Slot, tuple[str, ...]]] = []
        for slot in self.slots:
            ids = tuple(one.replace("[i]", mark) for one in slot.templates)
            if type(slot) is Number and slot.scale.quick:
                scale = slot.scale
                numbers.append((slot.place, ids[0], scale.least, scale.most, scale.shift, scale))
            else:
                others.append((slot, ids))
        readable = tuple(one for one in others if one[0] is not self.split)
        return Named(tuple(numbers), tuple(others), readable)


@dataclass(frozen=True, slots=True)
class Named:
    """Slots with the ids of their items: single numbers, which are most, are gone through in one loop.

    Attributes:
        numbers: place, item id, least and greatest raw value, shift, scale.
        others: every other slot, with its ids.
        readable: those that are read here: not the list that may go on in another message.
    """

    numbers: tuple[tuple[int, str, int, int, int, Scale], ...]
    others: tuple[tuple[Slot, tuple[str, ...]], ...]
    readable: tuple[tuple[Slot, tuple[str, ...]], ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """All items."""
        return (*(one[1] for one in self.numbers), *(one for _, ids in self.others for one in ids))

    def write(self, values: Mapping[str, Value], raws: list[Any], tell: Tell) -> None:
        """Set the raw values."""
        get = values.get
        for place, item_id, least, most, shift, scale in self.numbers:
            value = get(item_id)
            if type(value) is int and least <= (raw := value - shift) <= most:
                raws[place] = raw
            else:
                raws[place] = scale.write(value, item_id, tell)
        for slot, ids in self.others:
            slot.write(values, ids, raws, tell)

    def read(self, raws: Raws, found: Found, tell: Tell) -> None:
        """Add the values."""
        for place, item_id, least, most, shift, scale in self.numbers:
            raw = raws[place]
            found[item_id] = raw + shift if least <= raw <= most else scale.read(raw, item_id, tell)
        for slot, ids in self.readable:
            slot.read(raws, ids, found, tell)


class FlatBody:
    """A body without groups that are items of their own.

    Args:
        type_id: its information type.
        fields: its rows.
        catalogue: gives the items.
        options: the choices made.

    Attributes:
        templates: the items that it carries.
    """

    def __init__(self, type_id: int, fields: Sequence[Field], catalogue: Catalogue, options: Options) -> None:
        self.type_id = type_id
        self.layout = Layout(fields)
        self._named = Slots(self.layout, fields, catalogue, options).named()
        self.templates = self._named.ids
        self._empty = [0] * len(self.layout.fields)
        self._key = (type_id, 0)

    def write(self, values: Mapping[str, Value], numbers: Sequence[int], tell: Tell) -> list[Body]:
        """The body that says `values`."""
        del numbers
        raws: list[Any] = self._empty.copy()
        self._named.write(values, raws, tell)
        return [Body(self.type_id, tuple(raws))]

    def read(self, raws: Raws, reading: Reading) -> None:
        """Add what a body says; a second one that differs is told."""
        first = reading.seen.setdefault(self._key, raws)
        if first is not raws:
            if first != raws:
                reading.tell(Told(f"type {self.type_id:02X}", Why.REPEATED))
            return
        self._named.read(raws, reading.found, reading.tell)


class GroupBody:
    """A body of motors, packs or stacks; see `FlatBody`."""

    def __init__(self, type_id: int, fields: Sequence[Field], catalogue: Catalogue, options: Options) -> None:
        self.type_id = type_id
        self.layout = Layout(fields)
        (name,) = self.layout.inner
        inner = self.layout.inner[name]
        self._inner = inner
        self._slots = Slots(inner, [one for one in fields if one.group == name], catalogue, options)
        self.index = inner.fields[inner.names.index("index")]
        self._sayable = range(self.index.least or 0, (self.index.most or self.index.invalid) + 1)
        self._empty = [0] * len(inner.fields)
        self._index_place = inner.names.index("index")
        self._count = self.layout.fields[0]
        self.templates = self._slots.named("[i]").ids
        self.chunk = 0
        if self._slots.split is not None:
            self.chunk = self._slots.split.count.most or 1
        if self.index.item:
            self.templates += (self.index.item,)
        self._members: dict[int, tuple[Named, str]] = {}

    def member(self, number: int) -> tuple[Named, str]:
        """The slots of motor, pack or stack `number`, and the id of the item that is its number."""
        known = self._members.get(number)
        if known is None:
            mark = f"[{number}]"
            known = self._slots.named(mark), self.index.item.replace("[i]", mark)
            self._members[number] = known
        return known

    def write(self, values: Mapping[str, Value], numbers: Sequence[int], tell: Tell) -> list[Body]:
        """The bodies that say `values`, each for a message of its own: more than one where cells go on.

        Args:
            values: of the record.
            numbers: the motors, packs or stacks that it has an entry of, in order.
            tell: takes differences.
        """
        rounds: list[list[Raws]] = [[]]
        for number in numbers:
            named, index_id = self.member(number)
            if number not in self._sayable:
                for item_id in (*named.ids, index_id):
                    if item_id in values:
                        tell(Told(item_id, Why.NUMBER))
                continue
            raws: list[Any] = self._empty.copy()
            raws[self._index_place] = number
            if index_id and values.get(index_id) != number:
                why = Why.CONTRADICTS if index_id in values else Why.NOT_COLLECTED
                tell(Told(index_id, why, number))
            named.write(values, raws, tell)
            if self._slots.split is None:
                rounds[0].append(tuple(raws))
                continue
            for place, member in enumerate(self._parts(raws, self._slots.split)):
                if place == len(rounds):
                    rounds.append([])
                rounds[place].append(member)
        return [Body(self.type_id, (len(members), tuple(members))) for members in rounds if members]

    def _parts(self, raws: list[Any], split: Array) -> list[Raws]:
        """A group, once for every message that its cells need."""
        total, first = self._slots.split_places
        cells, count = raws[split.place], raws[split.count_place]
        if not cells and count:
            missing = Missing.ABNORMAL if count == split.count.abnormal else Missing.INVALID
            for place in (total, first):
                told = self._inner.fields[place]
                raws[place] = told.abnormal if missing is Missing.ABNORMAL else told.invalid
            return [tuple(raws)]
        raws[total] = len(cells)
        if len(cells) <= self.chunk:
            raws[first] = 1
            return [tuple(raws)]
        members = []
        for start in range(0, len(cells), self.chunk):
            raws[first] = start + 1
            raws[split.place] = cells[start : start + self.chunk]
            raws[split.count_place] = len(raws[split.place])
            members.append(tuple(raws))
        return members

    def read(self, raws: Raws, reading: Reading) -> None:
        """Add what a body says; groups that come a second time are told, but for cells that go on."""
        for member in raws[1]:
            number = member[self._index_place]
            if number not in self._sayable:
                reading.tell(Told(f"type {self.type_id:02X}", Why.NUMBER, None, f"{self.index.en} {number}"))
                continue
            named, index_id = self.member(number)
            first = reading.seen.setdefault((self.type_id, number), member)
            if self._slots.split is not None:
                self._take_chunk(number, member, reading)
                again = any(member[place] != first[place] for place in range(self._slots.split_places[0]))
            else:
                again = member != first
            if first is not member:
                if again:
                    reading.tell(Told(f"type {self.type_id:02X}", Why.REPEATED, None, f"number {number}"))
                continue
            if index_id:
                reading.found[index_id] = number
            named.read(member, reading.found, reading.tell)

    def _take_chunk(self, number: int, member: Raws, reading: Reading) -> None:
        split = self._slots.split
        if split is None:
            return
        total, first = self._slots.split_places
        chunks = reading.chunks.setdefault(number, Chunks())
        chunks.totals.append(member[total])
        if not missing_count(split.count, member[split.count_place]):
            chunks.parts.setdefault(member[first], member[split.place])

    def finish(self, reading: Reading) -> None:
        """Put the cells of each pack together."""
        split = self._slots.split
        if split is None:
            return
        total_field = self._inner.fields[self._slots.split_places[0]]
        gaps_left = _GAPS_MOST
        for number, chunks in reading.chunks.items():
            item_id = split.templates[0].replace("[i]", f"[{number}]")
            total = chunks.totals[0]
            if missing_count(total_field, total) and not any(chunks.parts.values()):
                invalid = total == total_field.invalid
                reading.found[item_id] = Missing.INVALID if invalid else Missing.ABNORMAL
                continue
            alone = chunks.parts.get(1, ())
            if len(chunks.totals) == 1 and len(alone) == total:
                reading.found[item_id] = split.elements.read(alone, item_id, reading.tell)
                continue
            raws: list[int] = []
            gaps = 0
            beyond = False
            for first, part in sorted(chunks.parts.items()):
                if not part:
                    continue
                gap = first - 1 - len(raws)
                if not 0 <= gap <= gaps_left or first - 1 + len(part) > min(total, _GAPS_MOST):
                    beyond = True
                    continue
                gaps_left -= gap
                gaps += gap
                raws += [split.elements.scale.field.invalid] * gap
                raws += part
            reading.found[item_id] = value = split.elements.read(tuple(raws), item_id, reading.tell)
            if gaps or beyond or len(raws) != total or len(set(chunks.totals)) > 1:
                detail = f"{len(raws) - gaps} of {total}"
                reading.tell(Told(item_id, Why.INCOMPLETE, value, detail))


BodyPlan = FlatBody | GroupBody
"""How one body and the items of records correspond."""


def body_plan(type_id: int, fields: Sequence[Field], catalogue: Catalogue, options: Options) -> BodyPlan:
    """The plan of a body out of its rows."""
    grouped = any(one.kind is FieldKind.INDEX for one in fields)
    return (GroupBody if grouped else FlatBody)(type_id, fields, catalogue, options)
