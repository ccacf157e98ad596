"""Pieces of a body between records and raw values: numbers, lists, fault codes, pairs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from edge.records import Element, Missing, Value
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.field import Field
from edge.wire.gbt.options import MissingList, Options
from edge.wire.gbt.scale import Scale
from edge.wire.gbt.steps import missing_from
from edge.wire.gbt.told import Tell, Told, Why

Found = dict[str, Value]
"""Values of a record that is being read, by concrete item id."""

_BYTE_MAX = 0xFF


class Slot(ABC):
    """Some of a body's raw values, and the items that they come from.

    Attributes:
        templates: the items' ids, with ``[i]`` where they are indexed.
    """

    templates: tuple[str, ...]

    @abstractmethod
    def write(self, values: Mapping[str, Value], ids: Sequence[str], raws: list[Any], tell: Tell) -> None:
        """Set its raw values, of the items called `ids`, in the order of `templates`."""

    @abstractmethod
    def read(self, raws: Sequence[Any], ids: Sequence[str], found: Found, tell: Tell) -> None:
        """Add its values."""


class Number(Slot):
    """One number."""

    def __init__(self, place: int, scale: Scale, template: str) -> None:
        self.place = place
        self.scale = scale
        self.templates = (template,)

    def write(self, values: Mapping[str, Value], ids: Sequence[str], raws: list[Any], tell: Tell) -> None:
        """See `Slot.write`."""
        item_id = ids[0]
        raws[self.place] = self.scale.write(values.get(item_id), item_id, tell)

    def read(self, raws: Sequence[Any], ids: Sequence[str], found: Found, tell: Tell) -> None:
        """See `Slot.read`."""
        found[ids[0]] = self.scale.read(raws[self.place], ids[0], tell)


class Reserved(Slot):
    """A field that carries nothing: all ones."""

    templates = ()

    def __init__(self, place: int, field: Field) -> None:
        self.place = place
        self.field = field

    def write(self, values: Mapping[str, Value], ids: Sequence[str], raws: list[Any], tell: Tell) -> None:
        """See `Slot.write`."""
        del values, ids, tell
        raws[self.place] = self.field.invalid

    def read(self, raws: Sequence[Any], ids: Sequence[str], found: Found, tell: Tell) -> None:
        """See `Slot.read`."""
        del ids, found
        if raws[self.place] != self.field.invalid:
            tell(Told(self.field.name, Why.RESERVED, None, f"raw {raws[self.place]}"))


class Elements:
    """The elements of an array, quickly where none of them is missing or beyond the range."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale

    def write(self, value: tuple[Element, ...], item_id: str, tell: Tell) -> tuple[int, ...]:
        """Their raw values."""
        scale = self.scale
        if not value:
            return ()
        if scale.plain:
            try:
                low = min(value) - scale.shift  # type: ignore[type-var, operator]
                high = max(value) - scale.shift  # type: ignore[type-var, operator]
            except TypeError:
                pass
            else:
                if scale.least <= low and high <= scale.most:
                    shift = scale.shift
                    return tuple([one - shift for one in value]) if shift else value  # type: ignore[operator, return-value]
        raws = tuple([scale.element(one) for one in value])
        said = self.read(raws, item_id, tell)
        if said != value:
            tell(Told(item_id, Why.BEYOND_RANGE, said, "some elements"))
        return raws

    def read(self, raws: tuple[int, ...], item_id: str, tell: Tell) -> tuple[Element, ...]:
        """Their values; those beyond the range are abnormal and told together."""
        scale = self.scale
        if not raws:
            return ()
        if scale.plain and max(raws) <= scale.most and (not scale.least or min(raws) >= scale.least):
            shift = scale.shift
            return tuple([raw + shift for raw in raws]) if shift else raws
        beyond: list[Told] = []
        if scale.plain:
            meant = self._with_missing(raws)
            if None not in meant:
                return meant  # type: ignore[return-value]
        elements = tuple([scale.read(raw, item_id, beyond.append) for raw in raws])
        if beyond:
            tell(
                Told(item_id, Why.BEYOND_RANGE, elements, f"{len(beyond)} elements, first {beyond[0].detail}")
            )
        return elements

    def _with_missing(self, raws: tuple[int, ...]) -> tuple[Element | None, ...]:
        """Their values, None for those beyond the range."""
        scale = self.scale
        least, most, shift, codes = scale.least, scale.most, scale.shift, scale.codes
        return tuple([raw + shift if least <= raw <= most else codes.get(raw) for raw in raws])


class Array(Slot):
    """A list behind its count."""

    def __init__(
        self, places: tuple[int, int], scale: Scale, count: Field, template: str, options: Options, most: int
    ) -> None:
        self.count_place, self.place = places
        self.elements = Elements(scale)
        self.count = count
        self.templates = (template,)
        self.most = min(most, count.invalid if count.most is None else count.most)
        self.missing_from = missing_from(count)
        self.empties = options.missing_lists is MissingList.EMPTY

    def write(self, values: Mapping[str, Value], ids: Sequence[str], raws: list[Any], tell: Tell) -> None:
        """See `Slot.write`."""
        item_id = ids[0]
        value = values.get(item_id)
        if isinstance(value, int):
            raise GbtError(f"{item_id} is a number where a list is needed")
        if isinstance(value, tuple):
            if len(value) <= self.most:
                raws[self.count_place] = len(value)
                raws[self.place] = self.elements.write(value, item_id, tell)
                return
            tell(Told(item_id, Why.TOO_LONG, () if self.empties else Missing.ABNORMAL))
            value = Missing.ABNORMAL
        elif self.empties:
            tell(Told(item_id, Why.NOT_COLLECTED if value is None else Why.NO_CODE, ()))
        elif value is None:
            tell(Told(item_id, Why.NOT_COLLECTED, Missing.INVALID))
        raws[self.place] = ()
        raws[self.count_place] = 0 if self.empties else count_code(self.count, value)

    def read(self, raws: Sequence[Any], ids: Sequence[str], found: Found, tell: Tell) -> None:
        """See `Slot.read`."""
        count = raws[self.count_place]
        if count < self.missing_from:
            found[ids[0]] = self.elements.read(raws[self.place], ids[0], tell)
        else:
            found[ids[0]] = count_meaning(self.count, count)


class Codes(Slot):
    """A list of fault codes behind its count."""

    def __init__(self, places: tuple[int, int], count: Field, template: str, options: Options) -> None:
        self.count_place, self.place = places
        self.count = count
        self.templates = (template,)
        self.most = count.invalid if count.most is None else count.most
        self.missing_from = missing_from(count)
        self.empties = options.missing_lists is MissingList.EMPTY

    def write(self, values: Mapping[str, Value], ids: Sequence[str], raws: list[Any], tell: Tell) -> None:
        """See `Slot.write`."""
        item_id = ids[0]
        value = values.get(item_id)
        if value == ():
            raws[self.count_place], raws[self.place] = 0, ()
            return
        if isinstance(value, tuple):
            said = self.sayable(value)
            if len(said) != len(value):
                tell(Told(item_id, Why.LEFT_OUT, said))
            raws[self.count_place], raws[self.place] = self.members(said)
            return
        if isinstance(value, int):
            raise GbtError(f"{item_id} is a number where a list is needed")
        if self.empties:
            tell(Told(item_id, Why.NOT_COLLECTED if value is None else Why.NO_CODE, ()))
        elif value is None:
            tell(Told(item_id, Why.NOT_COLLECTED, Missing.INVALID))
        raws[self.count_place] = 0 if self.empties else count_code(self.count, value)
        raws[self.place] = ()

    def read(self, raws: Sequence[Any], ids: Sequence[str], found: Found, tell: Tell) -> None:
        """See `Slot.read`."""
        del tell
        count = raws[self.count_place]
        if count < self.missing_from:
            found[ids[0]] = self.value(raws[self.place])
        else:
            found[ids[0]] = count_meaning(self.count, count)

    def sayable(self, value: tuple[Element, ...]) -> tuple[int, ...]:
        """The codes that can be said, in order."""
        codes = [one for one in value if isinstance(one, int) and 0 <= one < 1 << 32]
        return tuple(codes[: self.most])

    def members(self, said: tuple[int, ...]) -> tuple[int, tuple[Any, ...]]:
        """The count and the raw list of what can be said."""
        return len(said), said

    def value(self, members: tuple[Any, ...]) -> tuple[int, ...]:
        """What a raw list says."""
        return members


class Pairs(Codes):
    """A list of alarm bit and level behind its count; flat in records."""

    def sayable(self, value: tuple[Element, ...]) -> tuple[int, ...]:
        """See `Codes.sayable`."""
        said: list[int] = []
        for bit, level in zip(value[::2], value[1::2], strict=False):
            if all(isinstance(one, int) and 0 <= one <= _BYTE_MAX for one in (bit, level)):
                said += (bit, level)  # type: ignore[arg-type]
        return tuple(said[: 2 * self.most])

    def members(self, said: tuple[int, ...]) -> tuple[int, tuple[Any, ...]]:
        """See `Codes.members`."""
        return len(said) // 2, tuple(zip(said[::2], said[1::2], strict=True))

    def value(self, members: tuple[Any, ...]) -> tuple[int, ...]:
        """See `Codes.value`."""
        return tuple(one for member in members for one in member)


def count_code(count: Field, value: Missing | None) -> int:
    """The count of a list that is missing."""
    return count.abnormal if value is Missing.ABNORMAL else count.invalid


def count_meaning(count: Field, raw: int) -> Missing:
    """What the count of a missing list says."""
    return Missing.INVALID if raw == count.invalid else Missing.ABNORMAL
