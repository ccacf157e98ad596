"""The layers of Vector's BLF that hold frames: containers in the file, objects in what they contain.

Reading can stop between two containers and be taken up there (`Standing`); where that is not told, it is
found by the signatures around a byte. The layout is that of python-can's `blf.py`.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, Self

from edge.bus.formats.rows import CUT_SHORT

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
TORN = "torn container"
SEARCH_BYTES = 4 << 20
"""How far from the beginning of a span containers are looked for; writers make them of 128 KiB."""

Refuse = Callable[[str, str], None]
"""Is told of what should have been frames: cause, place."""


class Standing(NamedTuple):
    """Where reading stands between two containers.

    Attributes:
        at: byte of the file at which it goes on.
        begun: byte of the container in which the object begins of which only the beginning was read; `at` if
            there is no such object.
        skip: unpacked bytes of that container before the object.
        sought: whether the next signature is being sought behind a torn place.
    """

    at: int
    begun: int
    skip: int
    sought: bool

    @classmethod
    def of_text(cls, text: str) -> Self:
        """From `text`."""
        at, begun, skip, sought = map(int, text.split())
        return cls(at, begun, skip, bool(sought))

    def text(self) -> str:
        """As a `Span` carries it."""
        return " ".join(str(int(one)) for one in self)


def containers(file: BinaryIO, end: int | None, refuse: Refuse) -> Iterator[tuple[int, bytes]]:
    """Where each log container begins, and its unpacked content; what is torn is told and stepped over.

    Args:
        file: at the first one; afterwards at the first one that begins at or behind `end`.
        end: where to stop; None for the end of the file.
        refuse: is told of what is torn.
    """
    while True:
        at = file.tell()
        if end is not None and at >= end:
            return
        header = file.read(OBJECT_HEADER.size)
        if len(header) < OBJECT_HEADER.size:
            if header.strip(b"\0"):
                refuse(CUT_SHORT, f"byte {at}")
            return
        signature, _, _, size, kind = OBJECT_HEADER.unpack(header)
        if signature != SIGNATURE or not OBJECT_HEADER.size <= size <= OBJECT_MAX_BYTES:
            refuse(TORN, f"byte {at}")
            if not _seek_signature(file, at + 1):
                return
            continue
        body = file.read(size - OBJECT_HEADER.size)
        cut = len(body) < size - OBJECT_HEADER.size
        file.seek(size % 4, io.SEEK_CUR)
        if kind == CONTAINER:
            yield at, _unpacked(body, at, refuse, cut=cut)
        elif not cut:
            yield at, header + body + bytes(size % 4)
        if cut:
            refuse(CUT_SHORT, f"byte {at}")
            return


def _unpacked(body: bytes, at: int, refuse: Refuse, *, cut: bool) -> bytes:
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
            refuse(TORN, f"byte {at}")
        return bytes(unpacked)
    refuse("container packed in an unknown way", f"byte {at}")
    return b""


@dataclass(slots=True)
class Objects:
    """What a stretch of unpacked bytes holds.

    Attributes:
        sought: see `Standing`.
        whole: the frames' objects that are whole, one after the other.
        rest: where the beginning of an object begins whose end is not in it.
        frameless: how many whole objects hold no frame.
        refused: cause and place of what should have been frames.
    """

    sought: bool
    whole: bytearray = field(default_factory=bytearray)
    rest: int = 0
    frameless: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, cause: str, place: int) -> None:
        """Note what is no frame."""
        self.refused.append((cause, f"unpacked byte {place}"))


def objects_of(data: bytes, *, sought: bool) -> Objects:
    """Find the objects in `data`.

    Bytes between objects are passed over up to the next signature; more of them than padding is a torn place.
    """
    found_here = Objects(sought)
    place = 0
    while True:
        found = data.find(SIGNATURE, place)
        if (found < 0 or found > place + 8) and not found_here.sought and len(data) - place >= 8:  # noqa: PLR2004 - padding
            found_here.refuse("torn object", place)
        found_here.sought = found < 0 and len(data) - place >= 8  # noqa: PLR2004 - padding
        if found < 0:
            found_here.rest = max(place, len(data) - 3)
            return found_here
        if len(data) - found < OBJECT_HEADER.size:
            found_here.rest = found
            return found_here
        _, header_size, version, size, kind = OBJECT_HEADER.unpack_from(data, found)
        if not OBJECT_HEADER.size <= size <= OBJECT_MAX_BYTES:
            found_here.refuse("torn object", found)
            found_here.sought = True
            place = found + len(SIGNATURE)
            continue
        if found + size > len(data):
            found_here.rest = found
            return found_here
        body = data[found : found + size]
        place = found + size
        if kind == CAN_FD_ERROR:
            found_here.refuse("CAN FD error object", found)
        elif kind not in SMALLEST:
            found_here.frameless += 1
        elif size < SMALLEST[kind] or version not in (1, 2):
            found_here.refuse("torn object", found)
        else:
            whole = found_here.whole
            whole += _as_extended_error(header_size, version, body) if kind == CAN_ERROR else body
            whole += bytes(-len(whole) % 4)


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


def guessed(file: BinaryIO, begin: int, first: int, size: int) -> Standing:
    """Where reading stands that has gone on up to the byte `begin`, in a file that is whole around it.

    Args:
        file: to look at.
        begin: not within the file's header.
        first: byte of the first container.
        size: of the file.
    """
    at = _container_behind(file, max(begin, first), size)
    before = _container_before(file, max(first, at - SEARCH_BYTES), at, size)
    if before is not None:
        file.seek(before)
        _, content = next(containers(file, None, _pass_over), (before, b""))
        start = content.find(SIGNATURE)
        if start >= 0:
            inside = objects_of(content[start:], sought=False)
            if start + inside.rest < len(content):
                return Standing(at, before, start + inside.rest, inside.sought)
            return Standing(at, at, 0, inside.sought)
    return Standing(at, at, 0, sought=False)


def _pass_over(cause: str, place: str) -> None:
    del cause, place


def _container_behind(file: BinaryIO, begin: int, size: int) -> int:
    """The first byte at or behind `begin` at which a container seems to begin; the file's end without one."""
    file.seek(begin)
    window = file.read(SEARCH_BYTES)
    found = window.find(SIGNATURE)
    while found >= 0:
        end = _container_end(file, begin + found)
        if end is not None and (end >= size or _container_end(file, end) is not None):
            return begin + found
        found = window.find(SIGNATURE, found + 1)
    return size if begin + len(window) >= size else begin


def _container_before(file: BinaryIO, begin: int, at: int, size: int) -> int | None:
    """Where behind `begin` the container begins that ends at the byte `at`; None if none seems to."""
    file.seek(begin)
    window = file.read(at - begin)
    found = window.rfind(SIGNATURE)
    while found >= 0:
        end = _container_end(file, begin + found)
        if end is not None and min(end, size) == at:
            return begin + found
        found = window.rfind(SIGNATURE, 0, found)
    return None


def _container_end(file: BinaryIO, begin: int) -> int | None:
    """Where the container at `begin` ends, padding included; None if none seems to begin there."""
    file.seek(begin)
    header = file.read(OBJECT_HEADER.size)
    if len(header) < OBJECT_HEADER.size:
        return None
    signature, _, _, size, kind = OBJECT_HEADER.unpack(header)
    if signature != SIGNATURE or kind != CONTAINER or not OBJECT_HEADER.size <= size <= OBJECT_MAX_BYTES:
        return None
    return begin + int(size) + int(size) % 4
