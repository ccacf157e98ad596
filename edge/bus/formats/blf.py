"""Vector's BLF, its objects read through python-can's reader; what is torn around them is stepped over here.

python-can stops for good at the first byte that it cannot place. Therefore containers are unpacked by
`blf_objects` and handed to it whole object by whole object; an object or a container that is torn costs
itself alone. A span holds the containers that begin in it.
"""

from __future__ import annotations

import io
import struct
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

from can.io.blf import BLFParseError, BLFReader

from edge.bus.formats.base import Opening, Recording
from edge.bus.formats.blf_objects import (
    CONTAINER,
    CONTAINER_HEADER,
    OBJECT_HEADER,
    SIGNATURE,
    STORED,
    Standing,
    containers,
    guessed,
    objects_of,
)
from edge.bus.formats.rows import CUT_SHORT, MalformedError, Piece, piece_of, row_of
from edge.clock import NS_PER_S
from edge.errors import SourceError

FILE_HEADER = struct.Struct("<4sLBBBBBBBBQQLL8H8H")
FILE_HEADER_BYTES = 144
PIECE_FRAMES = 16384


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` is a BLF log."""
    return head.startswith(b"LOGG")


class BlfRecording(Recording):
    """A BLF log; t_ns 0 is its start, whose date it states without a time zone."""

    def __init__(self, opening: Opening) -> None:
        self._begun = b""
        self._begun_is_of: deque[tuple[int, int, int]] = deque()
        self._sought = False
        self._at = 0
        super().__init__(opening)

    @property
    def carried_out(self) -> str:
        """See `Recording.carried_out`."""
        begun, skip, _ = self._begun_is_of[0] if self._begun_is_of else (self._at, 0, 0)
        return Standing(self._at, begun, skip, self._sought).text()

    def _pieces(self) -> Iterator[Piece]:
        with self._path.open("rb") as file:
            header = file.read(FILE_HEADER.size)
            if len(header) < FILE_HEADER.size or not header.startswith(b"LOGG"):
                raise SourceError("is cut short within the header of a BLF log", where=str(self._path))
            fields = FILE_HEADER.unpack(header)
            self._read_start(fields[14:22])
            size = file.seek(0, io.SEEK_END)
            self._at = max(fields[1], FILE_HEADER.size)
            if self._span.begin:
                self._take_up(file, size)
            file.seek(self._at)
            first = self._begun_is_of[0][0] if self._begun_is_of else self._at
            for at, container in containers(file, self._span.end, self._refuse):
                yield from self._frames(self._whole_objects(at, container))
            self.reach = first, file.tell()
            # Nothing follows the end, whatever the padding of the last container would reach.
            self._at = min(file.tell(), size)
            if self._span.end is None and len(self._begun) >= OBJECT_HEADER.size:
                self._refuse(CUT_SHORT, "end")

    def _take_up(self, file: BinaryIO, size: int) -> None:
        """Stand where reading all before the span leads."""
        told = self._span.carried
        standing = guessed(file, self._span.begin, self._at, size) if told is None else Standing.of_text(told)
        self.carried_in = standing.text()
        self._at, self._sought = standing.at, standing.sought
        file.seek(standing.begun)
        skip = standing.skip
        for at, container in containers(file, standing.at, lambda *_: None):
            self._keep(at, skip, container[skip:])
            skip = 0

    def _keep(self, at: int, skip: int, content: bytes) -> None:
        """Let what is left of a container behind its first `skip` unpacked bytes wait for the next one."""
        if content:
            self._begun += content
            self._begun_is_of.append((at, skip, len(content)))

    def _read_start(self, fields: tuple[int, ...]) -> None:
        """The start as a Windows SYSTEMTIME: year, month, weekday, day, hour, minute, second, millisecond."""
        year, month, _, day, hour, minute, second, millisecond = fields
        if not year:
            return
        try:
            self._started_at(datetime(year, month, day, hour, minute, second, millisecond * 1000))  # noqa: DTZ001 - the log states no zone
        except ValueError:
            if not self._span.begin:
                self._tally.facts["start times that are none"] += 1

    def _whole_objects(self, at: int, container: bytes) -> bytes:
        """The frames' objects that end in a container; the beginning of one at its end waits for the next."""
        self._keep(at, 0, container)
        found = objects_of(self._begun, sought=self._sought)
        self._sought = found.sought
        for cause, place in found.refused:
            self._refuse(cause, place)
        if found.frameless:
            self._tally.facts["objects that hold no frame"] += found.frameless
        self._begun, passed = self._begun[found.rest :], found.rest
        while passed:
            begun, skip, length = self._begun_is_of.popleft()
            if length > passed:
                self._begun_is_of.appendleft((begun, skip + passed, length - passed))
            passed -= min(passed, length)
        return bytes(found.whole)

    def _frames(self, objects: bytes) -> Iterator[Piece]:
        """Let python-can read whole objects, under a header without a start so that its times stay exact."""
        if not objects:
            return
        header = FILE_HEADER.pack(b"LOGG", FILE_HEADER_BYTES, *bytes(8), 0, 0, 0, 0, *([0] * 16))
        packed = CONTAINER_HEADER.pack(STORED, len(objects)) + objects
        opening = OBJECT_HEADER.pack(SIGNATURE, 16, 1, OBJECT_HEADER.size + len(packed), CONTAINER)
        file = io.BytesIO(header.ljust(FILE_HEADER_BYTES, b"\0") + opening + packed)
        rows = []
        try:
            for message in BLFReader(file):
                channel = message.channel if isinstance(message.channel, int) else 0
                try:
                    rows.append(row_of(message, str(channel + 1), round(message.timestamp * NS_PER_S)))
                except MalformedError as error:
                    self._refuse(str(error), "object")
                if len(rows) >= PIECE_FRAMES:
                    yield piece_of(rows)
                    rows = []
        except (BLFParseError, struct.error, ValueError, OverflowError):
            self._refuse("torn object", "object")
        yield piece_of(rows)
