"""`SeenValues`: which values chosen signals took, for signals of which every value counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from edge.database.model import SignalRef
from edge.decode.field import WORD_BYTES, Block, Field, Kind, Values, exact_values
from edge.decode.payloads import Payloads
from edge.decode.store import Lengths

MOST_VALUES = 256
"""Different values kept of one signal, the greatest: every code of a byte, and a bound for what measures."""


class SeenValues:
    """Gathers the different physical values of signals, slot by slot, until they are taken.

    Attributes:
        slots: which slots hold such a signal (bool, one a slot).
    """

    def __init__(self) -> None:
        self.slots = np.zeros(1, np.bool_)
        self._fields: Mapping[int, Sequence[tuple[SignalRef, Field, Block]]] = {}
        self._seen: dict[SignalRef, set[int | float]] = {}

    def __bool__(self) -> bool:
        return bool(self._fields)

    def follow(self, fields: Mapping[int, Sequence[tuple[SignalRef, Field]]], slots: int) -> None:
        """From now on gather `fields`, the chosen ones of each of `slots` slots; what was gathered stays."""
        self._fields = {
            slot: [(ref, field, Block([field])) for ref, field in several]
            for slot, several in fields.items()
            if several
        }
        self.slots = np.zeros(slots, np.bool_)
        self.slots[list(self._fields)] = True

    def note(self, slot: int, data: npt.NDArray[np.uint8], lengths: Lengths) -> None:
        """Gather from payloads of one slot; one that is too short for a signal says nothing of it."""
        for ref, field, block in self._fields.get(slot, ()):
            whole = lengths >= field.needed_bytes
            held = data if whole.all() else data[whole]
            if not len(held):
                continue
            known = self._seen.setdefault(ref, set())
            values = np.unique(_values(field, block, held))
            known.update(
                values[np.isfinite(values)].tolist() if values.dtype.kind == "f" else values.tolist()
            )
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
