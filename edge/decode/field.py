"""Where a signal sits in a payload and how its raw value becomes a physical one, for whole arrays at once."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from cantools.database.conversion import BaseConversion, IdentityConversion, LinearIntegerConversion

from edge.database.layout import numeric
from edge.database.model import Signal

Words = npt.NDArray[np.uint64]
Values = npt.NDArray[Any]

WORD_BYTES = 8
WORD_BITS = 64
_EXACT_IN_FLOAT = 1 << 53
_INT64 = 1 << 63
_UINT64 = 1 << 64


class Kind(Enum):
    """How a raw value becomes what cantools gives with `decode_choices=False`."""

    INTEGER = auto()
    """The raw integer itself."""

    LINEAR = auto()
    """raw * scale + offset as doubles."""

    LINEAR_INTEGER = auto()
    """raw * scale + offset as integers that 64 bits hold."""

    FLOAT = auto()
    """IEEE 754, then perhaps linear."""

    EXACT = auto()
    """One value at a time with Python's numbers: over 64 bits, or sums that no machine word holds."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Eight bytes of the payload, read as one number.

    Attributes:
        first_byte: where they begin.
        big_endian: how they are read.
        skew: for a signal that touches nine bytes: the bits (in reading order) by which the number is moved
            to take in the ninth; else 0.
    """

    first_byte: int
    big_endian: bool
    skew: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """One signal, ready to be cut out.

    Attributes:
        signal: what it is.
        kind: how it is converted.
        window: where it is (meaningless for `Kind.EXACT`).
        left: bits above it in the window.
        right: 64 less its length.
        signed: whether the raw value is taken as two's complement.
        dtype: of its values.
        needed_bytes: the shortest payload that holds it whole.
        conversion: cantools' conversion without value names.
    """

    signal: Signal
    kind: Kind
    window: Window
    left: int
    right: int
    signed: bool
    dtype: np.dtype[Any]
    needed_bytes: int
    conversion: BaseConversion

    @property
    def word64(self) -> bool:
        """Whether the raw value is unsigned and needs all 64 bits."""
        return not self.signed and len(self.signal.bits) == WORD_BITS


def field_of(signal: Signal, conversion: BaseConversion) -> Field:
    """Place `signal` and choose its conversion, so that values equal cantools' to the bit."""
    length = len(signal.bits)
    conversion = numeric(conversion)
    first, last = min(signal.bits) // 8, max(signal.bits) // 8
    kind, dtype = _kind(signal, conversion)
    window, left = _window(signal, first, last) if length <= WORD_BITS else (Window(0, False), 0)
    right = max(WORD_BITS - length, 0)
    return Field(signal, kind, window, left, right, signal.signed, dtype, last + 1, conversion)


def raw_field(signal: Signal) -> Field:
    """`signal` as its bits alone, unsigned: what multiplexers are compared by and latches collect."""
    first, last = min(signal.bits) // 8, max(signal.bits) // 8
    length = len(signal.bits)
    kind = Kind.INTEGER if length <= WORD_BITS else Kind.EXACT
    window, left = _window(signal, first, last) if length <= WORD_BITS else (Window(0, False), 0)
    return Field(
        signal,
        kind,
        window,
        left,
        max(WORD_BITS - length, 0),
        False,
        np.dtype(np.uint64 if kind is Kind.INTEGER else object),
        last + 1,
        IdentityConversion(is_float=False),
    )


def _window(signal: Signal, first: int, last: int) -> tuple[Window, int]:
    """The window and the number of bits above the signal in it."""
    length = len(signal.bits)
    low, high = signal.bits[0], signal.bits[-1]
    aligned = first // WORD_BYTES * WORD_BYTES
    start = aligned if last < aligned + WORD_BYTES else first
    if last < start + WORD_BYTES:
        if signal.little_endian:
            return Window(start, False), WORD_BITS - (low - 8 * start) - length
        return Window(start, True), 8 * (high // 8 - start) + 7 - high % 8
    if signal.little_endian:
        return Window(first, False, low % 8), WORD_BITS - length
    return Window(first, True, 7 - high % 8), 0


def _kind(signal: Signal, conversion: BaseConversion) -> tuple[Kind, np.dtype[Any]]:  # noqa: PLR0911 - a decision table
    length = len(signal.bits)
    if signal.is_float:
        return Kind.FLOAT, np.dtype(np.float64)
    low = -(1 << length - 1) if signal.signed else 0
    high = low + (1 << length) - 1
    scale, offset = conversion.scale, conversion.offset
    if isinstance(conversion, IdentityConversion | LinearIntegerConversion):
        if length > WORD_BITS:
            return Kind.EXACT, np.dtype(object)
        kind = Kind.INTEGER if isinstance(conversion, IdentityConversion) else Kind.LINEAR_INTEGER
        reached = [raw * int(scale) + more for raw in (low, high) for more in (0, int(offset))]
        parts = [*reached, int(scale), int(offset), low, high]
        if min(parts) >= -_INT64 and max(parts) < _INT64:
            return kind, np.dtype(np.int64)
        if min(parts) >= 0 and max(parts) < _UINT64:
            return kind, np.dtype(np.uint64)
        return Kind.EXACT, np.dtype(object)
    # Python multiplies an integer by an integer scale without rounding, so a double must hold that product.
    whole = isinstance(scale, int) and max(abs(low), high) * abs(scale) > _EXACT_IN_FLOAT
    if length > WORD_BITS or whole or abs(scale) > _UINT64 or abs(offset) > _UINT64:
        return Kind.EXACT, np.dtype(np.float64)
    return Kind.LINEAR, np.dtype(np.float64)


class Block:
    """Fields of one window that are converted alike: cut out together in two shifts.

    `columns` takes N words and gives an array of shape (fields, N); `elements` takes one word a field and
    gives one value a field.
    """

    __slots__ = ("_column", "_element", "dtype", "fields", "kind", "window")

    def __init__(self, fields: Sequence[Field]) -> None:
        first = fields[0]
        self.fields = tuple(fields)
        self.window = first.window
        self.kind = first.kind
        self.dtype = first.dtype
        self._element = _Steps(fields)
        self._column = self._element.upright()

    def columns(self, words: Words) -> Values:
        """Values of all fields for all `words`: shape (fields, N), of `dtype`."""
        return self._column.run(words)

    def elements(self, words: Words) -> Values:
        """The value of field i in `words[i]`: shape (fields,), of `dtype`."""
        return self._element.run(words)


class _Steps:
    """The arithmetic of a block, with its constants as arrays."""

    __slots__ = (
        "_bits",
        "_left",
        "_offset",
        "_plain",
        "_right",
        "_scale",
        "_signed",
        "_signed_right",
        "_word64",
        "dtype",
        "kind",
    )

    def __init__(self, fields: Sequence[Field]) -> None:
        first = fields[0]
        self.kind = first.kind
        self.dtype = first.dtype
        self._bits = len(first.signal.bits)
        self._signed = first.signed
        self._word64 = first.word64
        self._left = np.array([field.left for field in fields], np.uint64)
        self._right = np.array([field.right for field in fields], np.uint64)
        self._signed_right = self._right.astype(np.int64)
        number = self.dtype if self.kind is Kind.LINEAR_INTEGER else np.dtype(np.float64)
        as_number = int if self.kind is Kind.LINEAR_INTEGER else float
        linear = self.kind is not Kind.INTEGER
        self._scale = np.array(
            [as_number(field.conversion.scale) if linear else 1 for field in fields], number
        )
        self._offset = np.array(
            [as_number(field.conversion.offset) if linear else 0 for field in fields], number
        )
        self._plain = all(offset_is_void(field) for field in fields)

    def upright(self) -> _Steps:
        """The same with constants as a column, to be broadcast over words."""
        steps = object.__new__(_Steps)
        for name in self.__slots__:
            value = getattr(self, name)
            setattr(steps, name, value[:, None] if isinstance(value, np.ndarray) else value)
        return steps

    def run(self, words: Words) -> Values:
        """The values that `words` hold."""
        shifted: Values = np.left_shift(words, self._left)
        if self._signed:
            raw: Values = shifted.view(np.int64)
            np.right_shift(raw, self._signed_right, out=raw)
        else:
            np.right_shift(shifted, self._right, out=shifted)
            raw = shifted if self._word64 else shifted.view(np.int64)
        if self.kind is Kind.INTEGER:
            return raw if raw.dtype == self.dtype else raw.view(self.dtype)
        if self.kind is Kind.LINEAR_INTEGER:
            if raw.dtype != self.dtype:
                raw = raw.view(self.dtype)
            scaled: Values = raw * self._scale + self._offset
            return scaled
        values = self._floats(raw) if self.kind is Kind.FLOAT else raw.astype(np.float64)
        if self.kind is Kind.LINEAR or not self._plain:
            values *= self._scale
        if not self._plain:
            values += self._offset
        return values

    def _floats(self, raw: Values) -> Values:
        if self._bits == WORD_BITS:
            return raw.view(np.float64).copy()
        if self._bits == WORD_BITS // 2:
            return raw.astype(np.uint32).view(np.float32).astype(np.float64)
        return half_floats()[raw]


@cache
def half_floats() -> npt.NDArray[np.float64]:
    """All half floats as this Python unpacks them: some versions keep a NaN's payload, some do not."""
    count = 1 << 16
    return np.array(struct.unpack(f"<{count}e", np.arange(count, dtype="<u2").tobytes()), np.float64)


def offset_is_void(field: Field) -> bool:
    """Whether adding the offset changes no bit: it would turn -0.0 into 0.0, which only some products are."""
    conversion = field.conversion
    if field.kind is Kind.FLOAT:
        return isinstance(conversion, IdentityConversion)
    return conversion.offset == 0 and conversion.scale > float(np.finfo(np.float64).tiny)


def conversion_key(field: Field) -> tuple[int, bool, bool, str, bool, int]:
    """What fields must share to be cut out and converted in one go, their windows apart."""
    bits = len(field.signal.bits) if field.kind is Kind.FLOAT else 0
    void = field.kind is not Kind.LINEAR_INTEGER and offset_is_void(field)
    return (field.kind.value, field.signed, field.word64, field.dtype.str, void, bits)


def blocks_of(fields: Iterable[Field]) -> tuple[tuple[Block, ...], tuple[Field, ...]]:
    """Gather fields that are cut out and converted alike; those of `Kind.EXACT` are handed back alone."""
    alike: dict[tuple[object, ...], list[Field]] = {}
    exact: list[Field] = []
    for field in fields:
        if field.kind is Kind.EXACT:
            exact.append(field)
        else:
            alike.setdefault((field.window, *conversion_key(field)), []).append(field)
    return tuple(Block(fields) for fields in alike.values()), tuple(exact)


def exact_values(field: Field, payloads: npt.NDArray[np.uint8]) -> Values:
    """Values of one field of `Kind.EXACT`, from payloads of shape (N, at least `needed_bytes`)."""
    signal = field.signal
    length = len(signal.bits)
    mask, sign = (1 << length) - 1, 1 << length - 1
    shift = signal.bits[0] if signal.little_endian else signal.bits[0] % 8
    order = "little" if signal.little_endian else "big"
    values: list[object] = []
    for payload in payloads[:, : field.needed_bytes]:
        raw = int.from_bytes(payload.tobytes(), order) >> shift & mask  # type: ignore[arg-type]
        if field.signed and raw & sign:
            raw -= 1 << length
        values.append(field.conversion.raw_to_scaled(raw, decode_choices=False))
    result = np.empty(len(values), field.dtype)
    result[:] = values
    return result
