"""What a raw value means, in words and numbers: for people, and for what is exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from edge.catalogue.catalogue import builtin
from edge.wire.gbt.beijing import TIME_BYTES, time_text, unix_seconds
from edge.wire.gbt.field import Coding, Field, FieldKind
from edge.wire.gbt.options import ActivationCodes, Options

_ACTIVATION_FROM_ONE = {1: "activated", 2: "chip already active", 3: "VIN duplicate"}


class State(StrEnum):
    """Whether a raw value is one."""

    VALID = "valid"
    INVALID = "invalid"
    """All ones."""
    ABNORMAL = "abnormal"
    """All ones less one."""
    OUT_OF_RANGE = "out of range"
    """Neither a valid value nor a code."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a raw value means.

    Attributes:
        state: whether it is a value.
        value: the physical value; None where there is none.
        unit: its unit.
        text: all of it in words.
    """

    state: State
    value: Decimal | None
    unit: str
    text: str


def meaning(field: Field, raw: int | bytes, options: Options) -> Meaning:
    """What `raw` means in `field`."""
    if isinstance(raw, bytes):
        return _plain(field, raw)
    state = state_of(field, raw, options)
    if state in {State.INVALID, State.ABNORMAL}:
        return Meaning(state, None, field.unit, state.value)
    if field.resolution is not None:
        value = raw * field.resolution + field.offset
        names = names_of(field, options)
        steps = int(value / field.resolution)
        word = f" ({names[steps]})" if steps in names else ""
        return Meaning(state, value, field.unit, f"{value} {field.unit}".rstrip() + word)
    return Meaning(state, Decimal(raw), field.unit, _words(field, raw, options))


def state_of(field: Field, raw: int, options: Options) -> State:
    """Whether `raw` is a value of `field`."""
    if field.holds(raw):
        return State.VALID
    coded = field.coding is Coding.STATED or (field.coding is Coding.UNSTATED and options.unstated_codes)
    if coded and raw >= field.abnormal:
        return State.INVALID if raw == field.invalid else State.ABNORMAL
    return State.OUT_OF_RANGE


def names_of(field: Field, options: Options) -> Mapping[int, str]:
    """The names of its values, or of its bits."""
    if field.part == "command 0A" and field.name == "info":
        return _ACTIVATION_FROM_ONE if options.activation_codes is ActivationCodes.FROM_ONE else field.names
    if field.names or not field.item:
        return field.names
    return builtin().item(field.item).names


def _words(field: Field, raw: int, options: Options) -> str:
    names = names_of(field, options)
    if field.kind is FieldKind.FLAGS:
        bits = [names.get(bit, f"bit {bit}") for bit in range(8 * field.width) if raw >> bit & 1]
        return f"{raw:0{2 * field.width}X}" + (f" {' + '.join(bits)}" if bits else " none set")
    if field.kind in {FieldKind.CODE, FieldKind.PACKED}:
        return f"{raw:0{2 * field.width}X}"
    return f"{raw} {names[raw]}" if raw in names else str(raw)


def _plain(field: Field, raw: bytes) -> Meaning:
    if field.kind is FieldKind.TIME:
        valid = len(raw) == TIME_BYTES and unix_seconds(raw) is not None
        return Meaning(State.VALID if valid else State.OUT_OF_RANGE, None, "", time_text(raw))
    if field.kind is FieldKind.TEXT:
        return Meaning(State.VALID, None, "", raw.rstrip(b"\0").decode("gb18030", "backslashreplace"))
    return Meaning(State.VALID, None, "", f"{len(raw)} bytes")
