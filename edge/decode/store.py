"""The last payloads by slot, and the wanted fields in them cut out for all slots at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt

from edge.decode.field import WORD_BYTES, Block, Field, Kind, Words, exact_values
from edge.decode.flat import Category, Constants, convert, shift
from edge.decode.payloads import Payloads
from edge.frames import FrameBatch

Times = npt.NDArray[np.int64]
Places = npt.NDArray[np.intp]
Lengths = npt.NDArray[np.uint16]
NEVER = np.iinfo(np.int64).min
"""The time of a slot that holds nothing."""


class Store:
    """The kept payloads, their lengths and times, one a slot; slot 0 is never read."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.count = 1
        self.data = np.zeros((1, width), np.uint8)
        self.t_ns = np.full(1, NEVER, np.int64)
        self.length = np.zeros(1, np.uint16)
        self.latches = np.zeros(1, np.bool_)
        self.latching = False
        self.ored = np.zeros((1, width), np.uint8)
        self.ored_length = np.zeros(1, np.uint16)

    def grow(self, latches: Sequence[bool]) -> None:
        """Make room for as many slots as `latches` has; it says which of them latch."""
        more = len(latches) - self.count
        self.count = len(latches)
        self.data = np.concatenate((self.data, np.zeros((more, self.width), np.uint8)))
        self.ored = np.concatenate((self.ored, np.zeros((more, self.width), np.uint8)))
        self.t_ns = np.concatenate((self.t_ns, np.full(more, NEVER, np.int64)))
        self.length = np.concatenate((self.length, np.zeros(more, np.uint16)))
        self.ored_length = np.concatenate((self.ored_length, np.zeros(more, np.uint16)))
        self.latches = np.array(latches, np.bool_)
        self.latching = bool(self.latches.any())

    def put(self, slots: Places, batch: FrameBatch, rows: Places) -> None:
        """Keep the frames at `rows` in `slots`, each at most once, unless what is there is newer."""
        t_ns = batch.t_ns[rows]
        newer = t_ns >= self.t_ns[slots]
        if not newer.all():
            slots, rows, t_ns = slots[newer], rows[newer], t_ns[newer]
        self.t_ns[slots] = t_ns
        self.length[slots] = batch.length[rows]
        if batch.data.shape[1] == self.width == WORD_BYTES:
            self.data.view("<u8")[slots, 0] = np.ascontiguousarray(batch.data).view("<u8")[rows, 0]
        else:
            width = min(self.width, batch.data.shape[1])
            self.data[slots, width:] = 0
            self.data[slots, :width] = batch.data[rows, :width]

    def put_last(self, slot: int, data: npt.NDArray[np.uint8], lengths: Lengths, t_ns: Times) -> None:
        """Keep the last of some frames in time order in `slot`, unless what is there is newer."""
        if t_ns[-1] >= self.t_ns[slot]:
            width = min(self.width, data.shape[1])
            self.t_ns[slot] = t_ns[-1]
            self.length[slot] = lengths[-1]
            self.data[slot, width:] = 0
            self.data[slot, :width] = data[-1, :width]
        if self.latches[slot]:
            self.latch(np.full(len(data), slot), data, lengths)

    def latch(self, slots: Places, data: npt.NDArray[np.uint8], lengths: Lengths) -> None:
        """OR payloads into their slots."""
        order = np.argsort(slots, kind="stable")
        ordered = slots[order]
        begins = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        width = min(self.width, data.shape[1])
        places = ordered[begins]
        self.ored[places, :width] |= np.bitwise_or.reduceat(data[order, :width], begins, axis=0)
        self.ored_length[places] = np.maximum(
            self.ored_length[places], np.maximum.reduceat(lengths[order], begins)
        )

    def clear(self, slot: int, bits: Sequence[int]) -> None:
        """Set bits of what is held in a slot to 0, by their payload bit numbers."""
        for bit in bits:
            if bit < 8 * self.width:
                keep = np.uint8(0xFF ^ 1 << bit % 8)
                self.data[slot, bit // 8] &= keep
                self.ored[slot, bit // 8] &= keep

    def forget(self, slot: int) -> None:
        """Hold nothing in a slot."""
        self.t_ns[slot] = NEVER
        self.length[slot] = self.ored_length[slot] = 0
        self.data[slot] = self.ored[slot] = 0

    def clear_latches(self) -> None:
        """Forget what was ORed."""
        self.ored[:] = 0
        self.ored_length[:] = 0


class Elements:
    """Fields in slots of a store, gathered so that all are cut out at once and each conversion is a slice.

    Attributes:
        pairs: (slot, field) in the order in which values are given.
        slots: the slots alone.
    """

    def __init__(self, pairs: Sequence[tuple[int, Field]], width: int) -> None:
        """Gather `pairs` of a store whose payloads are `width` bytes wide."""
        odd = [pair for pair in pairs if pair[1].kind is Kind.EXACT or pair[1].window.skew]
        straight = [pair for pair in pairs if pair[1].kind is not Kind.EXACT and not pair[1].window.skew]
        straight.sort(key=lambda pair: Category.of(pair[1]).rank)
        fields = [field for _, field in straight]
        self.pairs = (*straight, *odd)
        self.slots = np.array([slot for slot, _ in self.pairs], np.intp)
        self._needed = np.array([field.needed_bytes for _, field in self.pairs], np.uint16)
        self._bytes = np.array([slot * width + field.window.first_byte for slot, field in straight], np.intp)
        self._left = np.array([field.left for field in fields], np.uint64)
        self._right = np.array([field.right for field in fields], np.uint64)
        self._signed_from = next((place for place, field in enumerate(fields) if field.signed), len(fields))
        self._odd = [(slot, field, Block([field])) for slot, field in odd]
        self._parts: list[tuple[Category, int, int, Constants]] = []
        begin = 0
        for category, members in groupby(fields, key=Category.of):
            several = list(members)
            self._parts.append((category, begin, begin + len(several), Constants.of(category, several)))
            begin += len(several)

    def read(
        self, data: npt.NDArray[np.uint8], length: Lengths
    ) -> tuple[list[int | float], npt.NDArray[np.bool_]]:
        """The values of all fields, and which of them their payloads hold whole.

        Args:
            data: payloads of shape (slots, width), with a word to spare after the longest.
            length: bytes in use of each.
        """
        values: list[int | float] = []
        words = _words_at(data, self._bytes)
        for category, begin, end, _ in self._parts:
            if category.big_endian:
                words[begin:end].byteswap(inplace=True)
        shift(words, self._left, self._right, self._signed_from)
        for category, begin, end, constants in self._parts:
            values += convert(category, words[begin:end], constants).tolist()
        for slot, field, block in self._odd:
            payload = Payloads.of_bytes(data[slot : slot + 1], field.needed_bytes)
            if field.kind is Kind.EXACT:
                values += exact_values(field, payload.bytes()).tolist()
            else:
                values += block.columns(payload.words(block.window))[0].tolist()
        return values, length[self.slots] >= self._needed


def _words_at(data: npt.NDArray[np.uint8], places: Places) -> Words:
    """The eight bytes from each of `places` on, little-endian, wherever they lie."""
    flat = data.reshape(-1)
    count = max(flat.size - WORD_BYTES + 1, 0)
    unaligned: npt.NDArray[np.uint64] = np.ndarray((count,), "<u8", buffer=flat, strides=(1,))
    return unaligned[places].astype(np.uint64, copy=False)
