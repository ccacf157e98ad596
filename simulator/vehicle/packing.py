"""Packs columns of signal values into payloads, all rows of a message at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.database.model import Message, Signal

Float64s = npt.NDArray[np.float64]
UInt64s = npt.NDArray[np.uint64]
UInt8s = npt.NDArray[np.uint8]

WORD_BITS = 64
SINGLE_BITS = 32


@dataclass(frozen=True, slots=True)
class Page:
    """The signals of a message that are present together.

    Attributes:
        selectors: raw value of each multiplexer that chooses this page; empty for a message without one.
        signals: what is present, in the database's order, the multiplexers among them.
    """

    selectors: Mapping[str, int]
    signals: tuple[Signal, ...]


def pages(message: Message) -> tuple[Page, ...]:
    """All combinations of multiplexer values that the message's signals name, in ascending order."""
    return tuple(_pages(message, {}))


def _pages(message: Message, chosen: Mapping[str, int]) -> Iterator[Page]:
    present = tuple(signal for signal in message.signals if _present(signal, chosen))
    for signal in present:
        if signal.is_multiplexer and signal.name not in chosen:
            values = {
                value
                for other in message.signals
                for condition in other.conditions
                if condition.multiplexer == signal.name
                for value in condition.values
            }
            for value in sorted(values):
                yield from _pages(message, {**chosen, signal.name: value})
            return
    yield Page(dict(chosen), present)


def _present(signal: Signal, chosen: Mapping[str, int]) -> bool:
    return all(chosen.get(condition.multiplexer, -1) in condition.values for condition in signal.conditions)


class Packer:
    """Puts raw values of a fixed list of signals into the bits of a payload.

    Each signal is cut into runs of bits that lie side by side in one 64-bit word of the payload; the runs of
    all rows are shifted into place at once. Signals must not overlap.
    """

    def __init__(self, signals: Sequence[Signal], length: int) -> None:
        runs = sorted(
            (word, place, raw_bit, width, bit)
            for place, signal in enumerate(signals)
            for raw_bit, width, word, bit in _runs(signal.bits)
        )
        self._length = length
        self._words = -(-length * 8 // WORD_BITS)
        self._signal = np.array([run[1] for run in runs], np.intp)
        self._right = np.array([[run[2]] for run in runs], np.uint64).reshape(-1, 1)
        self._mask = np.array([[(1 << run[3]) - 1] for run in runs], np.uint64).reshape(-1, 1)
        self._left = np.array([[run[4]] for run in runs], np.uint64).reshape(-1, 1)
        used = np.array([run[0] for run in runs], np.intp)
        self._used, self._starts = np.unique(used, return_index=True)

    def pack(self, raw: UInt64s) -> UInt8s:
        """Payloads of N rows.

        Args:
            raw: uint64 of shape (signals, N): two's complement of signed values, bit patterns of floats;
                higher bits than the signal has are ignored.

        Returns:
            uint8 of shape (N, length).
        """
        words = np.zeros((raw.shape[1], self._words), "<u8")
        if len(self._signal):
            placed = ((raw[self._signal] >> self._right) & self._mask) << self._left
            words[:, self._used] = np.bitwise_or.reduceat(placed, self._starts, axis=0).T
        return words.view(np.uint8)[:, : self._length]


def _runs(bits: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
    """Cut into (first raw bit, width, word, first bit in the word), each within one word."""
    first = 0
    for place in range(1, len(bits) + 1):
        if (
            place == len(bits)
            or bits[place] != bits[place - 1] + 1
            or bits[place] // WORD_BITS != bits[first] // WORD_BITS
        ):
            yield first, place - first, bits[first] // WORD_BITS, bits[first] % WORD_BITS
            first = place


class Quantiser:
    """Turns physical values of a fixed list of signals into raw values, as cantools' encoder rounds.

    A value outside what the database allows is sent as the nearest that it allows, as a control unit does.
    """

    def __init__(self, signals: Sequence[Signal]) -> None:
        self._scale = np.array([[signal.scale] for signal in signals], np.float64).reshape(-1, 1)
        self._offset = np.array([[signal.offset] for signal in signals], np.float64).reshape(-1, 1)
        limits = [_raw_limits(signal) for signal in signals]
        self._low = np.array([[low] for low, _ in limits], np.float64).reshape(-1, 1)
        self._high = np.array([[high] for _, high in limits], np.float64).reshape(-1, 1)
        self._floats = tuple(
            (place, len(signal.bits)) for place, signal in enumerate(signals) if signal.is_float
        )

    def raw(self, physical: Float64s) -> UInt64s:
        """Raw values of `physical` (float64 of shape (signals, N)), as `Packer.pack` takes them."""
        steps = np.rint((physical - self._offset) / self._scale)
        raw: UInt64s = np.clip(steps, self._low, self._high).astype(np.int64).view(np.uint64)
        for place, width in self._floats:
            if width == SINGLE_BITS:
                raw[place] = physical[place].astype(np.float32).view(np.uint32)
            else:
                raw[place] = np.ascontiguousarray(physical[place]).view(np.uint64)
        return raw


def _raw_limits(signal: Signal) -> tuple[float, float]:
    if signal.is_float:
        return 0.0, 0.0
    width = len(signal.bits)
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signal.signed else (0, (1 << width) - 1)
    if signal.minimum is not None:
        low = max(low, round((signal.minimum - signal.offset) / signal.scale))
    if signal.maximum is not None:
        high = min(high, round((signal.maximum - signal.offset) / signal.scale))
    return float(low), float(high)
