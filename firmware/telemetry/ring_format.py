"""How a flash ring's segments are laid out: a head, and entries behind it.

    head    "NVR1" | stream 16 | predecessor 16, zeros for none | vehicle 8 | key 8 | first number u32 |
            watermark u32 | n u8 | n times first u32, last u32 of what was given up | crc32 u32
    entry   length u16 | number u32 | check u16 | message | crc32 u32

All little-endian. A crc32 covers what stands before it, from the head's or the entry's beginning; an
entry's first check is the low half of that of its length and number, so that an entry which was cut short is
told from one that is damaged.
"""

import struct
from binascii import crc32

MAGIC = b"NVR1"
LOSSES = 32
"""Ranges of given-up numbers that are held; of more the highest wait until receipts call them missing."""

HEAD_BYTES = 61
ENTRY = "<HIH"
ENTRY_BYTES = 8
CHECK_BYTES = 4
LEAST_MESSAGE = 32
LEAST_ENTRY = ENTRY_BYTES + LEAST_MESSAGE + CHECK_BYTES
LONGEST_HEAD = HEAD_BYTES + 8 * LOSSES + CHECK_BYTES

_HEAD = "<4s16s16s8s8sIIB"
_NONE = bytes(16)


def head_of(stream: bytes, predecessor, owner: tuple, first: int, watermark: int, losses: list) -> bytearray:
    """The head of a segment.

    Args:
        stream: 16 bytes.
        predecessor: 16 bytes of the stream before; None for none.
        owner: vehicle and key, 8 bytes each.
        first: number of its first entry.
        watermark: all numbers up to this one are acknowledged.
        losses: pairs of first and last number of what was given up.
    """
    head = bytearray(HEAD_BYTES + 8 * len(losses) + CHECK_BYTES)
    before = predecessor or _NONE
    struct.pack_into(_HEAD, head, 0, MAGIC, stream, before, *owner, first, watermark, len(losses))
    for place, loss in enumerate(losses):
        struct.pack_into("<II", head, HEAD_BYTES + 8 * place, *loss)
    struct.pack_into("<I", head, len(head) - CHECK_BYTES, crc32(memoryview(head)[:-CHECK_BYTES]))
    return head


def joined(ranges: list, first: int, last: int):
    """Ranges with one more, rising and apart: the lowest `LOSSES` of them.

    What lies between two of them is never named: the platform would take it for lost, and its receipt would
    let the ring forget what it still holds.
    """
    result = []
    for begin, end in sorted(ranges + [(first, last)]):  # noqa: RUF005 - MicroPython does not know the other
        if result and begin <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((begin, end))
    return result[:LOSSES]


def head_size(buffer: bytearray):
    """How many bytes the head has that a segment begins with."""
    return HEAD_BYTES + 8 * buffer[HEAD_BYTES - 1] + CHECK_BYTES


def read_head(buffer: bytearray, size: int):
    """Stream, predecessor, owner, watermark, first number, losses; None where the head is not whole."""
    if size < HEAD_BYTES + CHECK_BYTES or bytes(buffer[:4]) != MAGIC:
        return None
    length = head_size(buffer)
    if length > size:
        return None
    check = struct.unpack_from("<I", buffer, length - CHECK_BYTES)[0]
    if crc32(memoryview(buffer)[: length - CHECK_BYTES]) != check:
        return None
    _, stream, predecessor, vehicle, key_id, first, watermark, count = struct.unpack_from(_HEAD, buffer, 0)
    losses = [struct.unpack_from("<II", buffer, HEAD_BYTES + 8 * place) for place in range(count)]
    return stream, None if predecessor == _NONE else predecessor, (vehicle, key_id), watermark, first, losses


def write_entry(entry: memoryview, message: bytes | memoryview, number: int) -> None:
    """Write an entry into a view of just its size."""
    struct.pack_into("<HI", entry, 0, len(message), number)
    struct.pack_into("<H", entry, 6, crc32(entry[:6]) & 0xFFFF)
    end = ENTRY_BYTES + len(message)
    entry[ENTRY_BYTES:end] = message
    struct.pack_into("<I", entry, end, crc32(entry[:end]))


def scanned(buffer: bytearray, size: int, first: int):
    """Last number and end of a segment's whole entries, and how many sent ones may stand behind them.

    One that was cut short was never sent. What is whole and wrong may have been, and all behind it.
    """
    position, last = head_size(buffer), first - 1
    view = memoryview(buffer)
    while size - position >= ENTRY_BYTES:
        length, number, check = struct.unpack_from(ENTRY, buffer, position)
        if number != last + 1 or check != crc32(view[position : position + 6]) & 0xFFFF:
            return last, position, 1 + (size - position) // LEAST_ENTRY
        end = position + ENTRY_BYTES + length + CHECK_BYTES
        if end > size:
            break
        check = struct.unpack_from("<I", buffer, end - CHECK_BYTES)[0]
        if crc32(view[position : end - CHECK_BYTES]) != check:
            return last, position, 1 + (size - end) // LEAST_ENTRY
        last, position = number, end
    return last, position, 0
