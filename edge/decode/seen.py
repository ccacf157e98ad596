"""`SeenValues`: which values chosen signals took, for signals of which every value counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isfinite

import numpy as np
import numpy.typing as npt

from edge.database.model import SignalRef
from edge.decode.field import WORD_BYTES, Block, Field, Kind, Values, exact_values
from edge.decode.payloads import Payloads
from edge.decode.store import Lengths

MOST_VALUES = 256
"""Different values kept of one signal, the greatest: every code of a byte, and a bound for what measures."""

REMEMBERED_MOST = 4096
"""Payloads of one slot whose values are remembered at most."""


class _Followed:
    """The followed signals of one slot, and what payloads of 8 bytes said of them before.

    Such signals take few values, over and over; to look these up costs a fraction of decoding them anew.

    Attributes:
        fields: the signals.
        needed_bytes: how long a payload has to be to hold all of them.
    """

    def __init__(self, fields: Sequence[tuple[SignalRef, Field]]) -> None:
        self.fields = [(ref, field, Block([field])) for ref, field in fields]
        self.needed_bytes = max(field.needed_bytes for _, field in fields)
        bits = {bit for _, field in fields for bit in field.signal.bits}
        self._bits = np.uint64(sum(1 << bit for bit in bits if bit < 8 * WORD_BYTES))
        self._said: dict[int, tuple[int | float, ...]] = {}

    def remembers(self, data: npt.NDArray[np.uint8], lengths: Lengths) -> bool:
        """Whether `values` may be asked about payloads."""
        return data.shape[1] == WORD_BYTES and int(lengths.min(initial=WORD_BYTES)) >= self.needed_bytes

    def values(self, data: npt.NDArray[np.uint8]) -> list[tuple[int | float, ...]]:
        """What the payloads say: for each that differs in these signals, their values."""
        words = np.ascontiguousarray(data).view("<u8")[:, 0]
        different = set((words & self._bits).tolist())
        fresh = list(different - self._said.keys())
        if fresh:
            if len(self._said) + len(fresh) > REMEMBERED_MOST:
                self._said.clear()
                fresh = list(different)
            payloads = np.array(fresh, "<u8").view(np.uint8).reshape(-1, WORD_BYTES)
            columns = [_values(field, block, payloads).tolist() for _, field, block in self.fields]
            self._said.update(zip(fresh, zip(*columns, strict=True), strict=True))
        return [self._said[word] for word in different]


class SeenValues:
    """Gathers the different physical values of signals, slot by slot, until they are taken.

    Attributes:
        slots: which slots hold such a signal (bool, one a slot).
    """

    def __init__(self) -> None:
        self.slots = np.zeros(1, np.bool_)
        self._fields: Mapping[int, _Followed] = {}
        self._seen: dict[SignalRef, set[int | float]] = {}

    def __bool__(self) -> bool:
        return bool(self._fields)

    def follow(self, fields: Mapping[int, Sequence[tuple[SignalRef, Field]]], slots: int) -> None:
        """From now on gather `fields`, the chosen ones of each of `slots` slots; what was gathered stays."""
        self._fields = {slot: _Followed(several) for slot, several in fields.items() if several}
        self.slots = np.zeros(slots, np.bool_)
        self.slots[list(self._fields)] = True

    def note(self, slot: int, data: npt.NDArray[np.uint8], lengths: Lengths) -> None:
        """Gather from payloads of one slot; one that is too short for a signal says nothing of it."""
        followed = self._fields.get(slot)
        if followed is None:
            return
        if followed.remembers(data, lengths):
            columns = zip(*followed.values(data), strict=True)
            for (ref, _, _), found in zip(followed.fields, columns, strict=False):
                self._add(ref, found)
            return
        for ref, field, block in followed.fields:
            held = data[lengths >= field.needed_bytes]
            if len(held):
                self._add(ref, np.unique(_values(field, block, held)).tolist())

    def _add(self, ref: SignalRef, values: Iterable[int | float]) -> None:
        known = self._seen.setdefault(ref, set())
        known.update(value for value in values if isinstance(value, int) or isfinite(value))
        if len(known) > MOST_VALUES:
            self._seen[ref] = set(sorted(known)[-MOST_VALUES:])

    def forget(self, refs: Collection[SignalRef]) -> None:
        """Let go of what was gathered of some signals."""
        for ref in refs:
            self._seen.pop(ref, None)

    def take(self) -> dict[SignalRef, frozenset[int | float]]:
        """Hand out what was gathered, and begin anew."""
        seen, self._seen = self._seen, {}
        return {ref: frozenset(values) for ref, values in seen.items()}


def _values(field: Field, block: Block, data: npt.NDArray[np.uint8]) -> Values:
    payloads = Payloads.of_bytes(np.ascontiguousarray(data), max(field.needed_bytes, WORD_BYTES))
    if field.kind is Kind.EXACT:
        return exact_values(field, payloads.bytes())
    values: Values = block.columns(payloads.words(block.window))[0]
    return values
