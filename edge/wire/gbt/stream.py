"""`StreamDecoder`: frames out of a stream; it finds its feet after garbage, and says what it skipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import (
    EDITIONS,
    HEADER_BYTES,
    OVERHEAD_BYTES,
    UNIT_BYTES_MAX,
    Encryption,
    Frame,
    read_frame,
)

_ENCRYPTIONS = frozenset(Encryption)
_STARTS = tuple(EDITIONS)
_KEPT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Skipped:
    """Bytes that belong to no frame.

    Attributes:
        offset: of the first, counted from the start of the stream.
        length: how many.
        why: what was wrong with the first of them.
        sample: the first 16 at most.
    """

    offset: int
    length: int
    why: str
    sample: bytes


class StreamDecoder:
    """Takes a stream in pieces of any size and hands out its frames.

    A start that leads to no frame (a length beyond the limit, an encryption that does not exist, a wrong
    check code) is skipped byte by byte: a frame that begins within what it claimed is found. A start waits
    for the bytes that its length asks for; `flush` ends that waiting, which is the session's to decide by its
    time-out.

    Args:
        unit_bytes: the longest data unit to accept, at most 65,531. The memory held is this and a header,
            plus what one call of `feed` hands in.
    """

    def __init__(self, unit_bytes: int = UNIT_BYTES_MAX) -> None:
        self._unit_bytes = min(unit_bytes, UNIT_BYTES_MAX)
        self._buffer = bytearray()
        self._offset = 0
        self._skipped_from = 0
        self._skipped_bytes = 0
        self._sample = b""
        self._why = ""

    @property
    def pending(self) -> int:
        """Bytes that wait for more."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame | Skipped]:
        """Take some bytes of the stream, and hand out what they complete, in order."""
        self._buffer += data
        return list(self._work_off(at_end=False))

    def flush(self) -> list[Frame | Skipped]:
        """Wait no longer: what is left is searched for frames to its end, and the rest skipped."""
        return list(self._work_off(at_end=True))

    def _work_off(self, *, at_end: bool) -> Iterator[Frame | Skipped]:
        buffer = self._buffer
        position = 0
        try:
            while position < len(buffer):
                start = self._start(position)
                if start > position:
                    self._skip(position, start, "no start of a frame")
                    position = start
                    continue
                end, why = self._judge(position)
                if end > len(buffer):
                    if not at_end:
                        break
                    why = "the stream ends within the frame"
                elif not why:
                    try:
                        frame = read_frame(bytes(memoryview(buffer)[position:end]))
                    except GbtError as error:
                        why = error.what
                    else:
                        if self._skipped_bytes:
                            yield self._told()
                        position = end
                        yield frame
                        continue
                self._skip(position, position + 1, why)
                position += 1
        finally:
            del buffer[:position]
            self._offset += position
        if self._skipped_bytes and (at_end or not buffer):
            yield self._told()

    def _start(self, position: int) -> int:
        """Where the next start is from `position` on; a single mark at the end may become one."""
        buffer = self._buffer
        if buffer.startswith(_STARTS, position):
            # Searching for both would look for the one that is not there to the end of what was handed in.
            return position
        found = [place for start in EDITIONS if (place := buffer.find(start, position)) >= 0]
        if found:
            return min(found)
        last = len(buffer) - 1
        return last if any(buffer[last] == start[0] for start in EDITIONS) else len(buffer)

    def _judge(self, position: int) -> tuple[int, str]:
        """Where the frame at `position` would end as far as is known, and why it is none."""
        buffer = self._buffer
        if len(buffer) - position < HEADER_BYTES:
            return position + OVERHEAD_BYTES, ""
        encryption = buffer[position + 21]
        length = buffer[position + 22] << 8 | buffer[position + 23]
        if encryption not in _ENCRYPTIONS:
            return position, f"no encryption is coded {encryption:02X}"
        if length > self._unit_bytes:
            return position, f"a data unit of {length} bytes is longer than {self._unit_bytes}"
        return position + OVERHEAD_BYTES + length, ""

    def _skip(self, start: int, end: int, why: str) -> None:
        if not self._skipped_bytes:
            self._skipped_from = self._offset + start
            self._why = why
            self._sample = b""
        if len(self._sample) < _KEPT_BYTES:
            self._sample += bytes(self._buffer[start:end][: _KEPT_BYTES - len(self._sample)])
        self._skipped_bytes += end - start

    def _told(self) -> Skipped:
        told = Skipped(self._skipped_from, self._skipped_bytes, self._why, self._sample)
        self._skipped_bytes = 0
        return told
