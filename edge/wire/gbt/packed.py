"""The two packed bytes of GB/T 32960.3: gear with forces, and the status of the position with its signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edge.records import Missing, Value
from edge.wire.gbt.field import Coding, Field
from edge.wire.gbt.options import Options
from edge.wire.gbt.scale import Scale
from edge.wire.gbt.slots import Found, Slot
from edge.wire.gbt.told import Tell, Told, Why

_GEAR_MASK = 0x0F
_BRAKE = 0x10
_DRIVE = 0x20
_GEAR_INVALID = 0x80
_NO_FIX, _SOUTH, _WEST = 0x01, 0x02, 0x04
_STATUS_MASK = 0x07

GEAR = ("vehicle.gear", "vehicle.drive_force", "vehicle.brake_force", "vehicle.gear_invalid")


def _truth(value: Value | None, otherwise: int, item_id: str, tell: Tell) -> int:
    """A truth value as a bit; one that is missing, which a bit cannot say, as `otherwise`."""
    if isinstance(value, int) and value in {0, 1}:
        return int(value)
    tell(Told(item_id, Why.NOT_COLLECTED if value is None else Why.NO_CODE, otherwise))
    return otherwise


class Gear(Slot):
    """Gear, drive force, brake force; since 2025 with a bit that says that the gear is invalid.

    In 2016 a missing gear makes the whole byte all ones (invalid) or one less (abnormal), if unstated codes
    are used; the forces go with it.
    """

    def __init__(self, place: int, field: Field, parts: Sequence[Field], options: Options) -> None:
        self.place = place
        self.field = field
        self.has_bit = any(part.item == GEAR[3] for part in parts)
        self.coded = field.coding is Coding.UNSTATED and options.unstated_codes
        self.templates = GEAR if self.has_bit else GEAR[:3]

    def write(self, values: Mapping[str, Value], ids: Sequence[str], raws: list[Any], tell: Tell) -> None:
        """See `Slot.write`."""
        gear = values.get(ids[0])
        if isinstance(gear, int) and not 0 <= gear <= _GEAR_MASK:
            tell(Told(ids[0], Why.BEYOND_RANGE, self._unsaid(Missing.ABNORMAL)))
            nibble, missing = 0, Missing.ABNORMAL
        elif isinstance(gear, int):
            nibble, missing = gear, None
        else:
            nibble, missing = 0, gear if isinstance(gear, Missing) else Missing.INVALID
            said = self._unsaid(missing)
            if gear is None or said is not missing:
                tell(Told(ids[0], Why.NOT_COLLECTED if gear is None else Why.NO_CODE, said))
        if missing is not None and self.coded:
            for item_id in ids[1:]:
                if values.get(item_id) is not missing:
                    why = Why.NOT_COLLECTED if values.get(item_id) is None else Why.NO_CODE
                    tell(Told(item_id, why, missing))
            raws[self.place] = self.field.abnormal if missing is Missing.ABNORMAL else self.field.invalid
            return
        raw = nibble
        raw |= _DRIVE * _truth(values.get(ids[1]), 0, ids[1], tell)
        raw |= _BRAKE * _truth(values.get(ids[2]), 0, ids[2], tell)
        if self.has_bit:
            raw |= _GEAR_INVALID * self._invalid_bit(values, ids, missing, tell)
        raws[self.place] = raw

    def _invalid_bit(
        self, values: Mapping[str, Value], ids: Sequence[str], missing: Missing | None, tell: Tell
    ) -> int:
        told = values.get(ids[3])
        if missing is None:
            bit = _truth(told, 0, ids[3], tell)
            if bit:
                tell(Told(ids[0], Why.CONTRADICTS, Missing.INVALID))
            return bit
        if told != 1:
            tell(Told(ids[3], Why.NOT_COLLECTED if told is None else Why.CONTRADICTS, 1))
        return 1

    def _unsaid(self, missing: Missing) -> Value:
        """What a reader gets for a gear that is missing."""
        if self.has_bit:
            return Missing.INVALID
        return missing if self.coded else 0

    def read(self, raws: Sequence[Any], ids: Sequence[str], found: Found, tell: Tell) -> None:
        """See `Slot.read`."""
        raw = raws[self.place]
        if self.coded and raw >= self.field.abnormal:
            missing = Missing.INVALID if raw == self.field.invalid else Missing.ABNORMAL
            found.update(dict.fromkeys(ids, missing))
            return
        known = _GEAR_MASK | _DRIVE | _BRAKE | (_GEAR_INVALID if self.has_bit else 0)
        if raw & ~known:
            tell(Told(ids[0], Why.RESERVED, raw & _GEAR_MASK, f"raw {raw:02X}"))
        found[ids[0]] = raw & _GEAR_MASK
        found[ids[1]] = int(bool(raw & _DRIVE))
        found[ids[2]] = int(bool(raw & _BRAKE))
        if self.has_bit:
            found[ids[3]] = int(bool(raw & _GEAR_INVALID))
            if raw & _GEAR_INVALID:
                found[ids[0]] = Missing.INVALID


class Position(Slot):
    """Whether there is a fix, and longitude and latitude, whose signs are bits of the status."""

    templates = ("gnss.valid", "gnss.lon", "gnss.lat")

    def __init__(self, places: tuple[int, int, int], lon: Scale, lat: Scale) -> None:
        self.place = places[0]
        self.axes = ((places[1], lon, _WEST), (places[2], lat, _SOUTH))

    def write(self, values: Mapping[str, Value], ids: Sequence[str], raws: list[Any], tell: Tell) -> None:
        """See `Slot.write`."""
        status = 0 if _truth(values.get(ids[0]), 0, ids[0], tell) else _NO_FIX
        for (place, scale, negative), item_id in zip(self.axes, ids[1:], strict=True):
            value = values.get(item_id)
            if isinstance(value, int) and value < 0:
                told: list[Told] = []
                raws[place] = scale.write(-value, item_id, told.append)
                for one in told:
                    said = -one.said if isinstance(one.said, int) else one.said
                    tell(Told(item_id, one.why, said, one.detail))
                status |= negative
            else:
                raws[place] = scale.write(value, item_id, tell)
        raws[self.place] = status

    def read(self, raws: Sequence[Any], ids: Sequence[str], found: Found, tell: Tell) -> None:
        """See `Slot.read`."""
        status = raws[self.place]
        if status & ~_STATUS_MASK:
            tell(Told(ids[0], Why.RESERVED, int(not status & _NO_FIX), f"raw {status:02X}"))
        found[ids[0]] = int(not status & _NO_FIX)
        for (place, scale, negative), item_id in zip(self.axes, ids[1:], strict=True):
            value = scale.read(raws[place], item_id, tell)
            found[item_id] = -value if isinstance(value, int) and status & negative else value
