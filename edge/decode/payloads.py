"""The payloads of some frames of a batch, read as 64-bit words through any window."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge.decode.field import WORD_BITS, WORD_BYTES, Window, Words

_LITTLE = Window(0, False)
_BIG = Window(0, True)


class Payloads:
    """Payloads of equal width, bytes past a frame's length being 0; words are made once per window.

    Attributes:
        count: how many there are.
    """

    __slots__ = ("_data", "_words", "count")

    def __init__(self, count: int, data: npt.NDArray[np.uint8] | None, words: dict[Window, Words]) -> None:
        self.count = count
        self._data = data
        self._words = words

    @classmethod
    def of_words(cls, little: Words, big: Words) -> Payloads:
        """Payloads of eight bytes, read little-endian and big-endian."""
        return cls(len(little), None, {_LITTLE: little, _BIG: big})

    @classmethod
    def of_bytes(cls, data: npt.NDArray[np.uint8], needed_bytes: int) -> Payloads:
        """Payloads as bytes of shape (N, W), padded so that every window up to `needed_bytes` lies inside."""
        count, present = data.shape
        width = -(-max(needed_bytes, present) // WORD_BYTES) * WORD_BYTES + WORD_BYTES
        padded = np.zeros((count, width), np.uint8)
        padded[:, :present] = data
        return cls(count, padded, {})

    def words(self, window: Window) -> Words:
        """The payloads' bytes in `window` as native 64-bit numbers (N,)."""
        words = self._words.get(window)
        if words is None:
            words = self._words[window] = self._read(window)
        return words

    def bytes(self) -> npt.NDArray[np.uint8]:
        """The payloads as bytes of shape (N, at least 8)."""
        if self._data is not None:
            return self._data
        return self._words[_LITTLE].astype("<u8").view(np.uint8).reshape(self.count, WORD_BYTES)

    def take(self, rows: npt.NDArray[np.intp] | slice) -> Payloads:
        """The payloads at `rows`."""
        words = {window: words[rows] for window, words in self._words.items()}
        data = None if self._data is None else self._data[rows]
        count = len(data) if data is not None else len(next(iter(words.values())))
        return Payloads(count, data, words)

    def _read(self, window: Window) -> Words:
        if self._data is None:
            message = f"eight-byte payloads have no window at byte {window.first_byte}"
            raise IndexError(message)
        begin = window.first_byte
        order = ">u8" if window.big_endian else "<u8"
        cut = np.ascontiguousarray(self._data[:, begin : begin + WORD_BYTES])
        words = cut.view(order).reshape(-1).astype(np.uint64)
        if window.skew:
            ninth = self._data[:, begin + WORD_BYTES].astype(np.uint64)
            words = skewed(words, ninth, window)
        return words


def skewed(words: Words, ninth: Words, window: Window) -> Words:
    """Move `words` by the window's skew, taking the ninth byte in."""
    if window.big_endian:
        return (words << np.uint64(window.skew)) | (ninth >> np.uint64(8 - window.skew))
    return (words >> np.uint64(window.skew)) | (ninth << np.uint64(WORD_BITS - window.skew))
