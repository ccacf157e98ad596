"""Vector's BLF, its objects read through python-can's reader; what is torn around them is stepped over here.

python-can stops for good at the first byte that it cannot place. Therefore containers are unpacked here and
handed to it whole object by whole object; an object or a container that is torn costs itself alone. The
layout is that of python-can's `blf.py`.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

from can.io.blf import BLFParseError, BLFReader

from edge.bus.formats.base import Recording
from edge.bus.formats.rows import CUT_SHORT, MalformedError, Piece, piece_of, row_of
from edge.clock import NS_PER_S
from edge.errors import SourceError

FILE_HEADER = struct.Struct("<4sLBBBBBBBBQQLL8H8H")
FILE_HEADER_BYTES = 144
OBJECT_HEADER = struct.Struct("<4sHHLL")
CONTAINER_HEADER = struct.Struct("<H6xL4x")
SIGNATURE = b"LOBJ"

CONTAINER = 10
CAN_ERROR, CAN_ERROR_EXT = 2, 73
SMALLEST = {1: 48, 86: 48, CAN_ERROR_EXT: 64, 100: 112, 101: 72, CAN_ERROR: 36}
"""Bytes of the shortest whole object of each type that holds a frame, its header of 32 bytes included."""

CAN_FD_ERROR = 104
STORED, DEFLATED = 0, 2
OBJECT_MAX_BYTES = 64 << 20
UNPACKED_MAX_BYTES = 64 << 20
PIECE_FRAMES = 16384
TORN = "torn container"


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` is a BLF log."""
    return head.startswith(b"LOGG")


class BlfRecording(Recording):
    """A BLF log; t_ns 0 is its start, whose date it states without a time zone."""

    _rest_of_container = b""
    _sought = False

    def _pieces(self) -> Iterator[Piece]:
        with self._path.open("rb") as file:
            header = file.read(FILE_HEADER.size)
            if len(header) < FILE_HEADER.size or not header.startswith(b"LOGG"):
                raise SourceError("is cut short within the header of a BLF log", where=str(self._path))
            fields = FILE_HEADER.unpack(header)
            self._read_start(fields[14:22])
            file.seek(max(fields[1], FILE_HEADER.size))
            for container in self._containers(file):
                yield from self._frames(self._whole_objects(container))
            if len(self._rest_of_container) >= OBJECT_HEADER.size:
                self._refuse(CUT_SHORT, "end")

    def _read_start(self, fields: tuple[int, ...]) -> None:
        """The start as a Windows SYSTEMTIME: year, month, weekday, day, hour, minute, second, millisecond."""
        year, month, _, day, hour, minute, second, millisecond = fields
        if not year:
            return
        try:
            self._started_at(datetime(year, month, day, hour, minute, second, millisecond * 1000))  # noqa: DTZ001 - the log states no zone
        except ValueError:
            self._tally.facts["start times that are none"] += 1

    def _containers(self, file: BinaryIO) -> Iterator[bytes]:
        """The unpacked contents of each log container; what is torn is counted and stepped over."""
        while True:
            at = file.tell()
            header = file.read(OBJECT_HEADER.size)
            if len(header) < OBJECT_HEADER.size:
                if header.strip(b"\0"):
                    self._refuse(CUT_SHORT, f"byte {at}")
                return
            signature, _, _, size, kind = OBJECT_HEADER.unpack(header)
            if signature != SIGNATURE or not OBJECT_HEADER.size <= size <= OBJECT_MAX_BYTES:
                self._refuse(TORN, f"byte {at}")
                if not _seek_signature(file, at + 1):
                    return
                continue
            body = file.read(size - OBJECT_HEADER.size)
            cut = len(body) < size - OBJECT_HEADER.size
            file.seek(size % 4, io.SEEK_CUR)
            if kind == CONTAINER:
                yield self._unpacked(body, at, cut=cut)
            elif not cut:
                yield header + body + bytes(size % 4)
            if cut:
                self._refuse(CUT_SHORT, f"byte {at}")
                return

    def _unpacked(self, body: bytes, at: int, *, cut: bool) -> bytes:
        if len(body) < CONTAINER_HEADER.size:
            return b""
        method, _ = CONTAINER_HEADER.unpack_from(body)
        packed = body[CONTAINER_HEADER.size :]
        if method == STORED:
            return packed
        if method == DEFLATED:
            unpacker = zlib.decompressobj()
            unpacked = bytearray()
            try:
                # By small steps, so that what precedes a torn place is kept.
                for begin in range(0, len(packed), 256):
                    unpacked += unpacker.decompress(packed[begin : begin + 256], UNPACKED_MAX_BYTES)
                    if len(unpacked) > UNPACKED_MAX_BYTES:
                        break
            except zlib.error:
                pass
            if not unpacker.eof and not cut:
                self._refuse(TORN, f"byte {at}")
            return bytes(unpacked)
        self._refuse("container packed in an unknown way", f"byte {at}")
        return b""

    def _whole_objects(self, container: bytes) -> bytes:
        """The frames' objects in `container` that are whole, one after the other.

        The beginning of an object at the end waits for the next container. Bytes between objects are passed
        over up to the next signature; more of them than padding is a torn place.
        """
        data = self._rest_of_container + container
        self._rest_of_container = b""
        whole = bytearray()
        place = 0
        while True:
            found = data.find(SIGNATURE, place)
            if (found < 0 or found > place + 8) and not self._sought and len(data) - place >= 8:  # noqa: PLR2004 - padding
                self._refuse("torn object", f"unpacked byte {place}")
            self._sought = found < 0 and len(data) - place >= 8  # noqa: PLR2004 - padding
            if found < 0:
                self._rest_of_container = data[max(place, len(data) - 3) :]
                return bytes(whole)
            if len(data) - found < OBJECT_HEADER.size:
                self._rest_of_container = data[found:]
                return bytes(whole)
            _, header_size, version, size, kind = OBJECT_HEADER.unpack_from(data, found)
            if not OBJECT_HEADER.size <= size <= OBJECT_MAX_BYTES:
                self._refuse("torn object", f"unpacked byte {found}")
                self._sought = True
                place = found + len(SIGNATURE)
                continue
            if found + size > len(data):
                self._rest_of_container = data[found:]
                return bytes(whole)
            body = data[found : found + size]
            place = found + size
            if kind == CAN_FD_ERROR:
                self._refuse("CAN FD error object", f"unpacked byte {found}")
            elif kind not in SMALLEST:
                self._tally.facts["objects that hold no frame"] += 1
            elif size < SMALLEST[kind] or version not in (1, 2):
                self._refuse("torn object", f"unpacked byte {found}")
            else:
                whole += _as_extended_error(header_size, version, body) if kind == CAN_ERROR else body
                whole += bytes(-len(whole) % 4)

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


def _as_extended_error(header_size: int, version: int, body: bytes) -> bytes:
    """A CAN_ERROR object (channel, length) as the CAN_ERROR_EXT that begins alike, which python-can reads."""
    size = SMALLEST[CAN_ERROR_EXT]
    head = OBJECT_HEADER.pack(SIGNATURE, header_size, version, size, CAN_ERROR_EXT)
    return head + body[OBJECT_HEADER.size : SMALLEST[CAN_ERROR]].ljust(size - len(head), b"\0")


def _seek_signature(file: BinaryIO, begin: int) -> bool:
    """Go to the next object's signature at or after `begin`; tell whether there is one."""
    file.seek(begin)
    rest = b""
    while read := file.read(1 << 20):
        found = (rest + read).find(SIGNATURE)
        if found >= 0:
            file.seek(begin - len(rest) + found)
            return True
        rest = (rest + read)[-3:]
        begin = file.tell()
    return False
