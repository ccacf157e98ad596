"""Which frames of a multiplexed message carry which signals, for whole arrays at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.database.model import Message, MultiplexCondition, Signal
from edge.decode.field import Block, raw_field
from edge.decode.payloads import Payloads

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
Conditions = tuple[MultiplexCondition, ...]

_TABLE_BITS = 12


class _Multiplexer:
    """One multiplexer: turns its raw values into small indices, the last of which means "unknown"."""

    def __init__(self, signal: Signal, values: Sequence[int]) -> None:
        field = raw_field(signal)
        bits = len(signal.bits)
        unsigned = sorted(value & (1 << bits) - 1 for value in values)
        self.needed_bytes = field.needed_bytes
        self.unknown = len(unsigned)
        self.place = {value: index for index, value in enumerate(unsigned)}
        self.bits = bits
        self._block = Block([field])
        self._known = np.array(unsigned, np.uint64)
        self._table: npt.NDArray[np.intp] | None = None
        if bits <= _TABLE_BITS:
            self._table = np.full(1 << bits, self.unknown, np.intp)
            self._table[self._known.astype(np.intp)] = np.arange(len(unsigned))

    def indices(self, payloads: Payloads) -> Rows:
        """The index of each payload's value."""
        raw = self._block.columns(payloads.words(self._block.window))[0]
        if self._table is not None:
            looked_up: Rows = self._table[raw.view(np.int64)]
            return looked_up
        place: Rows = np.searchsorted(self._known, raw)
        place[self._known.take(place, mode="clip") != raw] = self.unknown
        return place

    def selecting(self, condition: MultiplexCondition) -> Mask:
        """For each index, whether `condition` holds."""
        chosen = np.zeros(self.unknown + 1, np.bool_)
        for value in condition.values:
            chosen[self.place[value & (1 << self.bits) - 1]] = True
        return chosen


@dataclass(frozen=True, slots=True)
class _Group:
    """Signals with the same conditions.

    Attributes:
        tests: for each condition the number of its multiplexer and what `_Multiplexer.selecting` says.
        single: the index that selects it, where one value of one multiplexer does; else -1.
    """

    tests: tuple[tuple[int, Mask], ...]
    single: int


class Presence:
    """The multiplexers of one message, and the sets of signals that they select.

    Attributes:
        groups: the conditions that were asked for, in that order.
    """

    def __init__(self, message: Message, groups: Sequence[Conditions]) -> None:
        multiplexers = [signal for signal in message.signals if signal.multiplex_values]
        self._number = {signal.name: number for number, signal in enumerate(multiplexers)}
        self._multiplexers = [
            _Multiplexer(signal, sorted(signal.multiplex_values)) for signal in multiplexers
        ]
        self._own = [self._group(signal.conditions) for signal in multiplexers]
        self.groups = tuple(groups)
        self._groups = [self._group(conditions) for conditions in groups]
        self.needed_bytes = max((one.needed_bytes for one in self._multiplexers), default=0)

    def evaluate(
        self, payloads: Payloads, lengths: npt.NDArray[np.uint16] | None
    ) -> tuple[list[Rows | None], int]:
        """Tell which payloads carry which group.

        Args:
            payloads: of this message.
            lengths: bytes in use; None if all are long enough for every multiplexer.

        Returns:
            For each group the places of the payloads that carry it, ascending (None: none does), and how many
            payloads have a multiplexer with an unknown value.
        """
        indices = [multiplexer.indices(payloads) for multiplexer in self._multiplexers]
        unknown = np.zeros(payloads.count, np.bool_)
        for number, multiplexer in enumerate(self._multiplexers):
            lost = indices[number] == multiplexer.unknown
            if lengths is not None:
                lost &= lengths >= multiplexer.needed_bytes
            if lost.any():
                unknown |= lost & self._mask(self._own[number], indices, lengths, payloads.count)
        sorted_rows: dict[int, tuple[Rows, Rows]] = {}
        found: list[Rows | None] = []
        for group in self._groups:
            if group.single >= 0 and lengths is None:
                number = group.tests[0][0]
                if number not in sorted_rows:
                    sorted_rows[number] = self._sorted(number, indices[number])
                order, ends = sorted_rows[number]
                begin, end = ends[group.single], ends[group.single + 1]
                found.append(order[begin:end] if end > begin else None)
            else:
                rows = np.flatnonzero(self._mask(group, indices, lengths, payloads.count))
                found.append(rows if len(rows) else None)
        return found, int(np.count_nonzero(unknown))

    def _group(self, conditions: Conditions) -> _Group:
        tests = tuple(
            (self._number[one.multiplexer], self._multiplexers[self._number[one.multiplexer]].selecting(one))
            for one in conditions
        )
        alone = len(tests) == 1 and int(np.count_nonzero(tests[0][1])) == 1
        return _Group(tests, int(np.argmax(tests[0][1])) if alone else -1)

    def _mask(
        self, group: _Group, indices: list[Rows], lengths: npt.NDArray[np.uint16] | None, count: int
    ) -> Mask:
        mask = np.ones(count, np.bool_)
        for number, chosen in group.tests:
            mask &= chosen[indices[number]]
            if lengths is not None:
                mask &= lengths >= self._multiplexers[number].needed_bytes
        return mask

    def _sorted(self, number: int, indices: Rows) -> tuple[Rows, Rows]:
        unknown = self._multiplexers[number].unknown
        small = indices.astype(np.uint16) if unknown < 1 << 16 else indices
        counts = np.bincount(indices, minlength=unknown + 1)
        return np.argsort(small, kind="stable"), np.concatenate(([0], np.cumsum(counts)))
