"""Single numbers between records and the wire: scale, range, codes of missing values, policy of overflow."""

from __future__ import annotations

from dataclasses import replace

from edge.catalogue.item import Item
from edge.records import Element, Missing, Value
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.field import Coding, Field, FieldKind
from edge.wire.gbt.options import Options, Overflow
from edge.wire.gbt.told import Tell, Told, Why

CURRENTS = frozenset({"hv.current", "pack[i].current", "scap.current"})
_HYDROGEN_MASS = "h2.max_conc_mass"
_LEVEL = "alarm.max_level"


class Scale:
    """One number of an item: raw = (sign * steps - shift) / factor.

    Args:
        field: how it is written.
        item: what it is in records.
        options: the choices made.

    Attributes:
        coded: whether invalid and abnormal have codes.
        codes: what the codes of missing values mean, by raw value; none if there are no codes.
        plain: whether raw values are steps less the shift.
        quick: whether that is all there is to a value within the range.
    """

    def __init__(self, field: Field, item: Item, options: Options) -> None:
        if item.id == _HYDROGEN_MASS:
            field = replace(field, most=options.hydrogen_mass_most)
        resolution = item.resolution if field.resolution is None else field.resolution
        factor = resolution / item.resolution
        self.field = field
        self.least = field.least or 0
        self.most = field.invalid if field.most is None else field.most
        self.factor = int(factor)
        self.shift = int(field.offset / item.resolution)
        if self.factor != factor or self.shift != field.offset / item.resolution:
            raise GbtError(f"'{field.en}' is finer than the item {item.id}")
        self.sign = -1 if item.id in CURRENTS and not options.discharge_positive else 1
        self.coded = field.coding is Coding.STATED or (
            field.coding is Coding.UNSTATED and options.unstated_codes
        )
        self.codes = {field.invalid: Missing.INVALID, field.abnormal: Missing.ABNORMAL} if self.coded else {}
        self._raws: dict[Element, int] = {meaning: raw for raw, meaning in self.codes.items()}
        self.limits = options.overflow is Overflow.LIMIT or item.id == _LEVEL or not self.coded
        self.plain = self.factor == 1 and self.sign == 1
        self.quick = self.plain and type(self) is Scale

    def write(self, value: Value | None, item_id: str, tell: Tell) -> int:
        """The raw value of `value`; None stands for an item without an entry."""
        if type(value) is int and self.plain:
            raw = value - self.shift
            if self.least <= raw <= self.most:
                return raw
        if isinstance(value, int):
            return self._write_number(value, item_id, tell)
        if isinstance(value, tuple):
            raise GbtError(f"{item_id} is a list where a number is needed")
        return self._write_missing(value, item_id, tell)

    def element(self, value: Element) -> int:
        """The raw value of an element of a list, without telling."""
        raw = self._raws.get(value)
        return self.write(value, "", _nobody) if raw is None else raw

    def read(self, raw: int, item_id: str, tell: Tell) -> Element:
        """The value of `raw`; one beyond the range is abnormal."""
        if self.least <= raw <= self.most:
            return self.steps(raw)
        missing = self.codes.get(raw)
        if missing is not None:
            return missing
        tell(Told(item_id, Why.BEYOND_RANGE, Missing.ABNORMAL, f"raw {raw}"))
        return Missing.ABNORMAL

    def steps(self, raw: int) -> int:
        """The value of a raw value that is valid."""
        return self.sign * (raw * self.factor + self.shift)

    def _write_number(self, value: int, item_id: str, tell: Tell) -> int:
        raw, left = divmod(self.sign * value - self.shift, self.factor)
        if 2 * left > self.factor or (2 * left == self.factor and raw & 1):
            raw += 1
        if self.least <= raw <= self.most:
            if left:
                tell(Told(item_id, Why.ROUNDED, self.steps(raw)))
            return raw
        if self.limits:
            raw = min(max(raw, self.least), self.most)
            tell(Told(item_id, Why.BEYOND_RANGE, self.steps(raw), "limited"))
            return raw
        tell(Told(item_id, Why.BEYOND_RANGE, Missing.ABNORMAL))
        return self.field.abnormal

    def _write_missing(self, value: Missing | None, item_id: str, tell: Tell) -> int:
        if self.coded:
            if value is None:
                tell(Told(item_id, Why.NOT_COLLECTED, Missing.INVALID))
            return self._raws[value or Missing.INVALID]
        why = Why.NOT_COLLECTED if value is None else Why.NO_CODE
        tell(Told(item_id, why, self.steps(self.least)))
        return self.least


class Flags(Scale):
    """A set of bits: those that the edition has are said, the others told."""

    def write(self, value: Value | None, item_id: str, tell: Tell) -> int:
        """See `Scale.write`."""
        if isinstance(value, int):
            if value & ~self.most:
                tell(Told(item_id, Why.BITS, value & self.most))
            return value & self.most
        return super().write(value, item_id, tell)

    def read(self, raw: int, item_id: str, tell: Tell) -> Element:
        """See `Scale.read`."""
        if raw <= self.most or (self.coded and raw >= self.field.abnormal):
            return super().read(raw, item_id, tell)
        tell(Told(item_id, Why.RESERVED, raw & self.most, f"raw {raw:08X}"))
        return raw & self.most


def scale_of(field: Field, item: Item, options: Options) -> Scale:
    """What reads and writes the numbers of `field`."""
    return (Flags if field.kind is FieldKind.FLAGS else Scale)(field, item, options)


def _nobody(told: Told) -> None:
    del told
