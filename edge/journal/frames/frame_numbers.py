"""Series of whole numbers and bytes as zstd sections: what a block of frames is made of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import zstandard

from edge.errors import JournalError
from edge.frames import Int64s
from edge.wire.strict_cbor import CborValue

UInt64s = npt.NDArray[np.uint64]

_WORD_BYTES = 8
_SORT_ROW_BITS = 24
_SORT_VALUE_BITS = 64 - _SORT_ROW_BITS


class SectionWriter:
    """Packs the sections of one block.

    Args:
        level: zstd's level.
    """

    def __init__(self, level: int) -> None:
        self._zstd = zstandard.ZstdCompressor(level=level, write_checksum=False)

    def section(self, plain: bytes) -> bytes:
        """One zstd frame that names its size; nothing for nothing."""
        return self._zstd.compress(plain) if plain else b""

    def series(self, numbers: UInt64s) -> list[CborValue]:
        """A series of numbers as sections, see `planes`."""
        return [self.section(plane) for plane in planes(numbers)]


def planes(numbers: UInt64s) -> list[bytes]:
    """The lowest bytes of all numbers, then the next ones, as far up as any number has a bit."""
    highest = int(numbers.max()) if len(numbers) else 0
    words = np.ascontiguousarray(numbers, "<u8").view(np.uint8).reshape(-1, _WORD_BYTES)
    return [words[:, place].tobytes() for place in range(-(-highest.bit_length() // 8))]


def from_planes(found: list[bytes], count: int) -> UInt64s:
    """The numbers of `planes`, each of which holds `count` bytes."""
    words = np.zeros((count, _WORD_BYTES), np.uint8)
    for place, plane in enumerate(found):
        words[:, place] = np.frombuffer(plane, np.uint8)
    numbers: UInt64s = words.view("<u8").ravel().astype(np.uint64, copy=False)
    return numbers


def table(series: list[UInt64s]) -> bytes:
    """Short series of equal length, end to end: of each how many planes it has, then these."""
    written = [planes(numbers) for numbers in series]
    return b"".join(bytes([len(found)]) + b"".join(found) for found in written)


def from_table(plain: bytes, series: int, count: int) -> list[UInt64s]:
    """The series of `table`.

    Raises:
        JournalError: `plain` is not exactly so many series of `count` numbers.
    """
    read: list[UInt64s] = []
    position = 0
    for _ in range(series):
        width = plain[position] if position < len(plain) else _WORD_BYTES + 1
        end = position + 1 + width * count
        if width > _WORD_BYTES or end > len(plain):
            raise JournalError("a table of frame groups has a wrong size")
        found = [plain[position + 1 + place * count :][:count] for place in range(width)]
        read.append(from_planes(found, count))
        position = end
    if position != len(plain):
        raise JournalError("a table of frame groups has a wrong size")
    return read


def read_section(section: CborValue, least: int, most: int | None = None) -> bytes:
    """The bytes of a section.

    Args:
        section: what `SectionWriter.section` made, as it was read.
        least: how many bytes it must hold.
        most: how many it may hold; `least` if not given.

    Raises:
        JournalError: it is no such section; nothing was allocated for it.
    """
    if not isinstance(section, bytes):
        raise JournalError("a section of a block of frames is no byte string")
    most = least if most is None else most
    if not section:
        if least:
            raise JournalError("a section of a block of frames is missing")
        return b""
    try:
        size = zstandard.get_frame_parameters(section).content_size
        if not max(least, 1) <= size <= most:
            raise JournalError(f"a section of a block of frames has {size} bytes, not {least} to {most}")
        plain = zstandard.ZstdDecompressor().decompress(section, size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise JournalError(f"a section of a block of frames is damaged: {error}") from error
    if len(plain) != size:
        raise JournalError("a section of a block of frames is damaged: it is shorter than it says")
    return plain


def read_series(sections: CborValue, count: int) -> UInt64s:
    """The numbers that `SectionWriter.series` packed.

    Raises:
        JournalError: they are no `count` numbers.
    """
    if not isinstance(sections, list) or len(sections) > _WORD_BYTES or (sections and not count):
        raise JournalError("a series of a block of frames is no array of planes")
    return from_planes([read_section(section, count) for section in sections], count)


def folded(numbers: Int64s) -> UInt64s:
    """Small numbers of either sign as small numbers without one: 0, -1, 1, -2 become 0, 1, 2, 3."""
    words: UInt64s = ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)
    return words


def unfolded(words: UInt64s) -> Int64s:
    """What was `folded`."""
    numbers: Int64s = ((words >> np.uint64(1)) ^ -(words & np.uint64(1))).view(np.int64)
    return numbers


def rising_order(values: UInt64s) -> Int64s:
    """The stable order in which `values` rise; equal ones keep theirs."""
    count = len(values)
    if count and int(values.max()) >> _SORT_VALUE_BITS == 0 and count >> _SORT_ROW_BITS == 0:
        # Sorting words is several times as fast as sorting places by them.
        words = values << np.uint64(_SORT_ROW_BITS)
        words |= np.arange(count, dtype=np.uint64)
        words.sort()
        words &= np.uint64((1 << _SORT_ROW_BITS) - 1)
        return words.view(np.int64)
    return np.argsort(values, kind="stable").astype(np.int64, copy=False)
